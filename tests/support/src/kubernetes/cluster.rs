//! An API server that shows the objects of a cluster, and says who may do what: enough for those who look and do not watch.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A running API server over HTTP. Its threads end with the process, a connection when its client closes it.
pub struct ScriptedCluster {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    folder: TempDir,
}

#[derive(Default)]
struct State {
    objects: Vec<Value>,
    /// Answers in place of objects, by the beginning of the path: status and body.
    answers: Vec<(String, u16, String)>,
    /// What access reviews deny: the user, empty for whoever asks, and the verb.
    denied: Vec<(String, String)>,
    user: String,
    /// How far its clock is ahead; negative: behind.
    ahead: i64,
    asked: Vec<(String, Value)>,
}

impl ScriptedCluster {
    /// Serves an empty cluster to somebody who may do everything.
    pub fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { user: "kubernetes-admin".to_owned(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || converse(stream, &state));
            }
        });
        let folder = TempDir::new().unwrap();
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "shop", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "admin", "user": {"token": "secret"}}],
            "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "admin"}}],
            "current-context": "shop",
        });
        std::fs::write(folder.path().join("config"), config.to_string()).unwrap();
        Self { state, address, folder }
    }

    /// A kubeconfig for it.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds an object, or puts it in place of the one of its kind, namespace and name.
    pub fn apply(&self, object: Value) {
        let mut state = self.state();
        state.objects.retain(|other| identity(other) != identity(&object));
        state.objects.push(object);
    }

    /// Takes an object away.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) {
        let mut state = self.state();
        let before = state.objects.len();
        state.objects.retain(|other| identity(other) != (kind, namespace, name));
        assert_eq!(state.objects.len(), before - 1, "{kind} {namespace}/{name}");
    }

    /// Answers with this status and message where a path begins so.
    pub fn refuse(&self, path: &str, code: u16, message: &str) {
        self.say(path, code, &status(code, message).to_string());
    }

    /// Answers with this body where a path begins so.
    pub fn say(&self, path: &str, code: u16, body: &str) {
        self.state().answers.push((path.to_owned(), code, body.to_owned()));
    }

    /// Denies a verb to a user, or to whoever asks about themselves.
    pub fn deny(&self, user: &str, verb: &str) {
        self.state().denied.push((user.to_owned(), verb.to_owned()));
    }

    /// Calls whoever asks so.
    pub fn call(&self, user: &str) {
        user.clone_into(&mut self.state().user);
    }

    /// Sets its clock.
    pub fn set_clock(&self, seconds_ahead: i64) {
        self.state().ahead = seconds_ahead;
    }

    /// Paths that were asked for so far, with what was posted there.
    pub fn asked(&self) -> Vec<(String, Value)> {
        self.state().asked.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn identity(object: &Value) -> (&str, &str, &str) {
    let metadata = &object["metadata"];
    (
        object["kind"].as_str().unwrap_or_default(),
        metadata["namespace"].as_str().unwrap_or_default(),
        metadata["name"].as_str().unwrap_or_default(),
    )
}

fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code})
}

fn converse(stream: TcpStream, state: &Mutex<State>) {
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some((target, body)) = request(&mut requests) {
        let (code, answer, ahead) = {
            let mut state = state.lock().unwrap();
            state.asked.push((target.clone(), body.clone()));
            let (code, answer) = state.answer(&target, body);
            (code, answer, state.ahead)
        };
        let now = SystemTime::now();
        let difference = Duration::from_secs(ahead.unsigned_abs());
        let date = httpdate::fmt_http_date(if ahead < 0 { now - difference } else { now + difference });
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 {code} -\r\ncontent-type: application/json\r\ndate: {date}\r\ncontent-length: {length}\r\n\r\n"
        );
        if stream.write_all(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

impl State {
    fn answer(&self, target: &str, mut body: Value) -> (u16, String) {
        if let Some((_, code, body)) = self.answers.iter().rev().find(|(path, ..)| target.starts_with(path)) {
            return (*code, body.clone());
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == "/version" {
            return (200, json!({"major": "1", "minor": "37", "gitVersion": "v1.37.2"}).to_string());
        }
        if path.ends_with("/selfsubjectreviews") {
            body["status"] = json!({"userInfo": {"username": self.user}});
            return (201, body.to_string());
        }
        if path.ends_with("accessreviews") {
            let user = body["spec"]["user"].as_str().unwrap_or_default();
            let verb = body["spec"]["resourceAttributes"]["verb"].as_str().unwrap_or_default();
            let is_denied = self.denied.iter().any(|(other, denied)| other == user && denied == verb);
            body["status"] = json!({"allowed": !is_denied});
            return (201, body.to_string());
        }
        match self.at(path, query) {
            Some(found) => (200, found.to_string()),
            None => (404, status(404, &format!("{path} not found")).to_string()),
        }
    }

    /// What is at a path: one object, or a list of those of a kind.
    fn at(&self, path: &str, query: &str) -> Option<Value> {
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let parts = match *parts.as_slice() {
            ["api", _, ref rest @ ..] => rest,
            ["apis", _, _, ref rest @ ..] => rest,
            _ => return None,
        };
        let (namespace, plural, name) = match *parts {
            ["namespaces", namespace, plural] => (Some(namespace), plural, None),
            ["namespaces", namespace, plural, name] => (Some(namespace), plural, Some(name)),
            [plural] => (None, plural, None),
            _ => return None,
        };
        let kind = KINDS.iter().find(|(_, other)| *other == plural)?.0;
        let of_kind = self.objects.iter().filter(|object| {
            let (other, place, _) = identity(object);
            other == kind && namespace.is_none_or(|namespace| namespace == place)
        });
        if let Some(name) = name {
            return of_kind.into_iter().find(|object| identity(object).2 == name).cloned();
        }
        let items: Vec<_> = of_kind.filter(|object| is_meant(object, query)).collect();
        Some(json!({"kind": format!("{kind}List"), "metadata": {"resourceVersion": "1"}, "items": items}))
    }
}

/// Whether an object meets the selectors of a query. Terms are equations.
fn is_meant(object: &Value, query: &str) -> bool {
    let value = |name: &str| {
        let value = query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        value
            .unwrap_or_default()
            .replace("%3D", "=")
            .replace("%2C", ",")
            .replace("%2F", "/")
            .replace("%21", "!")
    };
    let terms = |text: &str| -> Vec<(String, String)> {
        let pairs = text.split(',').filter_map(|term| term.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let (labels, fields) = (terms(&value("labelSelector")), terms(&value("fieldSelector")));
    let has_label = |(key, value): &(String, String)| object["metadata"]["labels"][key] == value.as_str();
    let has_field = |(key, value): &(String, String)| {
        let pointer = format!("/{}", key.replace('.', "/"));
        object.pointer(&pointer).is_some_and(|found| found == value.as_str())
    };
    labels.iter().all(has_label) && fields.iter().all(has_field)
}

/// Target and body of the next request; `None` at the end.
fn request(from: &mut impl BufRead) -> Option<(String, Value)> {
    let mut line = || {
        let mut line = String::new();
        (from.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let target = line()?.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        match line()?.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some((target, serde_json::from_slice(&body).unwrap_or_default()))
}

const KINDS: [(&str, &str); 4] = [
    ("Pod", "pods"),
    ("Service", "services"),
    ("ConfigMap", "configmaps"),
    ("EndpointSlice", "endpointslices"),
];
