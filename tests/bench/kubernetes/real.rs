//! A real API server with pods in it.

use std::path::PathBuf;
use std::time::Instant;

use podstamp_test_support::api_server::ApiServer;
use serde_json::json;

use super::pod::Template;

/// The server, and the pods' namespace.
pub(super) struct Real {
    server: ApiServer,
}

impl Real {
    /// Starts one and creates so many pods, each with its status; `None` where it cannot be here, which has been said then.
    pub(super) fn start(pods: usize) -> Option<Self> {
        let server = ApiServer::start()?;
        server.create("/api/v1/namespaces", &json!({"metadata": {"name": NAMESPACE}}));
        let begin = Instant::now();
        let template = Template::new();
        std::thread::scope(|scope| {
            for first in 0..CLIENTS {
                let (server, template) = (&server, &template);
                scope.spawn(move || {
                    for index in (first..pods).step_by(CLIENTS) {
                        create(server, template, index);
                    }
                });
            }
        });
        eprintln!("created {pods} pods in {:.0} s", begin.elapsed().as_secs_f64());
        Some(Self { server })
    }

    /// For `KUBECONFIG`.
    pub(super) fn kube_config(&self) -> PathBuf {
        self.server.admin_config()
    }

    pub(super) fn process_id(&self) -> u32 {
        self.server.process_id()
    }
}

fn create(server: &ApiServer, template: &Template, index: usize) {
    let mut pod = template.object(index);
    let status = pod["status"].take();
    for given in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        pod["metadata"].as_object_mut().unwrap().remove(given);
    }
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    server.create(&path, &pod);
    server.patch(&format!("{path}/{}/status", super::pod::name(index)), &json!({"status": status}));
}

const NAMESPACE: &str = "shop";

/// Each sends one request at a time.
const CLIENTS: usize = 4;
