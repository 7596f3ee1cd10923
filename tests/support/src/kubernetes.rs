//! A Kubernetes API that knows some pods: enough of list and watch for the Collector's informers.

mod cluster;
mod scripted;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

pub use cluster::ScriptedCluster;
pub use scripted::{Asked, ScriptedApi};

/// A running API. Its threads end with the process; a connection ends when the client closes it.
pub struct Kubernetes {
    folder: TempDir,
}

impl Kubernetes {
    /// Serves what `kubectl get pods -A -o json` printed.
    pub fn serve(pods: &str) -> Self {
        let listed: Value = serde_json::from_str(pods).unwrap();
        let objects = Arc::new(Objects::from_pods(listed["items"].as_array().unwrap().clone()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let objects = Arc::clone(&objects);
                std::thread::spawn(move || converse(stream, &objects));
            }
        });
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("config"), kube_config(address)).unwrap();
        Self { folder }
    }

    /// For `KUBECONFIG`.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }
}

fn kube_config(address: SocketAddr) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "shop", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "collector", "user": {}}],
        "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "collector"}}],
        "current-context": "shop",
    })
    .to_string()
}

/// The objects of the cluster: the pods, and the ReplicaSets that own them.
struct Objects {
    pods: Vec<Value>,
    replica_sets: Vec<Value>,
}

impl Objects {
    fn from_pods(pods: Vec<Value>) -> Self {
        let owned = pods.iter().flat_map(|pod| {
            let owners = pod["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
            owners.into_iter().map(|owner| (owner, pod["metadata"]["namespace"].clone()))
        });
        let replica_sets =
            owned.filter(|(owner, _)| owner["kind"] == "ReplicaSet").map(|(owner, namespace)| {
                let name = owner["name"].as_str().unwrap();
                let deployment = name.rsplit_once('-').unwrap().0;
                json!({
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "metadata": {
                        "name": name,
                        "namespace": namespace,
                        "uid": owner["uid"],
                        "resourceVersion": "1",
                        "ownerReferences": [{
                            "apiVersion": "apps/v1", "kind": "Deployment", "name": deployment,
                            "uid": format!("{deployment}-uid"), "controller": true,
                        }],
                    },
                })
            });
        let replica_sets = replica_sets.collect();
        Self { pods, replica_sets }
    }

    /// The kind of a path, its group's version, and what there is of it.
    fn at(&self, path: &str) -> Option<(&str, &str, &[Value])> {
        match path {
            "/api/v1/pods" => Some(("Pod", "v1", &self.pods)),
            "/apis/apps/v1/replicasets" => Some(("ReplicaSet", "apps/v1", &self.replica_sets)),
            _ => None,
        }
    }
}

/// Answers one request after the other. Each is a GET without a body.
fn converse(stream: TcpStream, objects: &Objects) {
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some((target, accept)) = head(&mut requests) {
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let Some((kind, version, items)) = objects.at(path) else {
            let body =
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}).to_string();
            if respond(&mut stream, "404 Not Found", &body).is_err() {
                return;
            }
            continue;
        };
        // Metadata alone is what it asks for where it needs no more.
        let partial = accept.contains("as=PartialObjectMetadata");
        let (kind, version) =
            if partial { ("PartialObjectMetadata", "meta.k8s.io/v1") } else { (kind, version) };
        let typed = |item: &Value| {
            let mut item = item.clone();
            item["kind"] = kind.into();
            item["apiVersion"] = version.into();
            item
        };
        let items: Vec<_> = items.iter().map(typed).collect();
        let sent = if query.split('&').any(|part| part == "watch=true") {
            let initially = query.contains("sendInitialEvents=true").then_some(items);
            watch(&mut stream, kind, version, &initially.unwrap_or_default())
        } else {
            let list = json!({
                "kind": format!("{kind}List"), "apiVersion": version,
                "metadata": {"resourceVersion": "1"}, "items": items,
            });
            respond(&mut stream, "200 OK", &list.to_string())
        };
        if sent.is_err() {
            return;
        }
    }
}

/// All there is, the mark that this was all, and then nothing more: nothing changes here.
fn watch(stream: &mut TcpStream, kind: &str, version: &str, items: &[Value]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )?;
    let added = items.iter().map(|item| json!({"type": "ADDED", "object": item}));
    let mark = json!({"type": "BOOKMARK", "object": {
        "kind": kind, "apiVersion": version,
        "metadata": {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}},
    }});
    for event in added.chain([mark]) {
        let event = format!("{event}\n");
        write!(stream, "{:x}\r\n{event}\r\n", event.len())?;
    }
    stream.flush()
}

fn respond(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Target and `Accept` of the next request; `None` at the end.
fn head(from: &mut impl BufRead) -> Option<(String, String)> {
    let mut line = || {
        let mut line = String::new();
        (from.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let target = line()?.split(' ').nth(1)?.to_owned();
    let mut accept = String::new();
    loop {
        let line = line()?;
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("accept") => accept = value.trim().to_owned(),
            Some(_) => {}
            None => return Some((target, accept)),
        }
    }
}
