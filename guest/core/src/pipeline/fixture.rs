//! For tests: a directory over a list of pods, and functions that make resources and run pipelines over them.

use std::cell::RefCell;
use std::net::IpAddr;

use super::Pipeline;
use crate::context::Context;
use crate::directory::{Details, Directory, Lookup, Pod, Term};
use crate::interface::{Header, Request, Signal};
use crate::resource::{Resource, Value};

/// A directory that answers from a list, and writes down what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) pods: Vec<Pod>,
    pub(crate) nodes: Vec<IpAddr>,
    /// A pod's uid, and the name and id of one of its containers.
    pub(crate) containers: Vec<(&'static str, &'static str, &'static str)>,
    pub(crate) covers_cluster: bool,
    pub(crate) asked: RefCell<Vec<String>>,
}

impl Directory for Table {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        self.asked.borrow_mut().push(format!("{terms:?}"));
        let mut matching = self.pods.iter().filter(|pod| terms.iter().all(|term| self.meets(pod, term)));
        match (matching.next(), matching.next()) {
            (Some(pod), None) => {
                let mut pod = pod.clone();
                if !want.labels {
                    pod.labels.clear();
                }
                if !want.annotations {
                    pod.annotations.clear();
                }
                Lookup::Found(Box::new(pod))
            }
            (Some(_), Some(_)) => Lookup::Ambiguous,
            (None, _) if terms.iter().any(|term| matches!(term, Term::Ip(ip) if self.nodes.contains(ip))) => {
                Lookup::Node
            }
            (None, _) if self.covers_cluster => Lookup::Absent,
            (None, _) => Lookup::Unknown,
        }
    }
}

impl Table {
    fn meets(&self, pod: &Pod, term: &Term<'_>) -> bool {
        let has = |pairs: &[(String, String)], key: &str, value: &str| {
            pairs.iter().any(|(have, is)| have == key && is == value)
        };
        match term {
            Term::Ip(ip) => !pod.host_network && pod.ips.contains(ip),
            Term::Uid(uid) => pod.uid == *uid,
            Term::Name(name) => pod.name == *name,
            Term::Namespace(namespace) => pod.namespace == *namespace,
            Term::Node(node) => pod.node == *node,
            Term::Hostname(hostname) => pod.hostname == *hostname,
            Term::Deployment(deployment) => pod.deployment == *deployment,
            Term::Label(key, value) => has(&pod.labels, key, value),
            Term::Annotation(key, value) => has(&pod.annotations, key, value),
            Term::Container(id) => self.containers.iter().any(|(uid, _, is)| pod.uid == *uid && is == id),
            Term::ContainerName(name) => {
                self.containers.iter().any(|(uid, is, _)| pod.uid == *uid && is == name)
            }
        }
    }
}

/// A running pod of the namespace `shop`.
pub(crate) fn pod(name: &str, ips: &[&str]) -> Pod {
    Pod {
        name: name.into(),
        namespace: "shop".into(),
        uid: format!("uid-{name}").into(),
        ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
        node: "node-1".into(),
        hostname: name.into(),
        start_time: "2026-01-02T03:04:05Z".into(),
        deployment: name.split('-').next().unwrap().into(),
        phase: "Running".into(),
        labels: vec![("app".to_owned(), name.to_owned())],
        annotations: vec![("team".to_owned(), "blue".to_owned())],
        ..Pod::default()
    }
}

/// A resource with text attributes.
pub(crate) fn resource<'a>(attributes: &[(&'a str, &'a str)]) -> Resource<'a> {
    let mut resource = Resource::default();
    for (key, value) in attributes {
        resource.insert(*key, Value::string(*value));
    }
    resource
}

/// Runs a pipeline over one resource; gives its attributes as text, and the name of the associated pod.
pub(crate) fn run(
    pipeline: &Pipeline,
    table: &Table,
    peer: &str,
    attributes: &[(&str, &str)],
) -> (Vec<String>, Option<String>) {
    let headers = [Header::new("x-tenant", "blue"), Header::new("x-tenant", "green")];
    let request = Request {
        signal: Signal::Traces,
        path: "/v1/traces",
        peer: peer.parse().ok(),
        headers: &headers,
        body: b"",
        now: None,
    };
    let context = Context::new(&request, request.peer, table, true);
    let mut resource = resource(attributes);
    let pod = pipeline.run(&mut resource, &context).pod.as_deref().map(|pod| pod.name.to_string());
    let written = resource.iter().map(|(key, value)| match value {
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other:?}"),
    });
    (written.collect(), pod)
}

/// The pipeline of a document with these processors, in this order.
pub(crate) fn pipeline(processors: &serde_json::Value, order: &[&str]) -> Pipeline {
    let document = serde_json::json!({
        "receivers": {"otlp": {"protocols": {"http": {"include_metadata": true}}}},
        "processors": processors,
        "service": {"pipelines": {"traces": {"processors": order}}},
    });
    match crate::config::parse(&document) {
        Ok(config) => config.traces.pipeline,
        Err(faults) => panic!("{faults:#?}"),
    }
}
