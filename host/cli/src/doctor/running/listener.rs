//! The admin listener of a podstamp, asked directly or through the API server.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tokio::time::timeout;

use crate::doctor::kubernetes::Api;
use crate::doctor::kubernetes::objects::Pod;
use crate::exchange::{Broken, PATIENCE, Target, exchange};

/// How an admin listener is asked.
pub(super) enum Listener<'l> {
    At(&'l Target),
    /// Through the API server, which passes requests on to a port of a pod.
    Through {
        api: &'l Api,
        /// The pod, for people.
        pod: String,
        port: u16,
        /// The path that stands ahead of the listener's own.
        path: String,
    },
}

/// Why there was no answer.
pub(super) enum NoAnswer {
    Broken(Target, Broken),
    /// The API server does not pass requests on.
    NotThrough(String),
}

impl<'l> Listener<'l> {
    /// The listener at a port of a pod.
    pub(super) fn through(api: &'l Api, pod: &Pod, port: u16) -> Option<Self> {
        let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy");
        (!name.is_empty()).then(|| Self::Through { api, pod: format!("pod {namespace}/{name}"), port, path })
    }

    /// Where it is, for people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::At(target) => target.authority(),
            Self::Through { pod, .. } => pod.clone(),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), NoAnswer> {
        match self {
            Self::At(target) => match exchange(target, Method::GET, path, Bytes::new()).await {
                Ok(response) => Ok((response.status(), response.into_body())),
                Err(broken) => Err(NoAnswer::Broken((*target).clone(), broken)),
            },
            Self::Through { api, path: ahead, .. } => {
                let answered =
                    timeout(PATIENCE, api.answer(Request::get(format!("{ahead}{path}")), Bytes::new()));
                let late = |_| NoAnswer::NotThrough(format!("no answer within {} s", PATIENCE.as_secs()));
                let answer = answered.await.map_err(late)?;
                let answer = answer.map_err(|failure| NoAnswer::NotThrough(failure.message))?;
                match answer.message() {
                    // The API server's own words: it may not, or it could not reach the pod.
                    Some(message) => {
                        Err(NoAnswer::NotThrough(format!("{}: {message}", answer.status.as_u16())))
                    }
                    None => Ok((answer.status, answer.body)),
                }
            }
        }
    }
}
