//! An API server that does as a test says: pods that come, change and go, and everything that goes wrong in between.
//!
//! It knows list, watch and get of pods, over HTTP without TLS. What a real server does is tested with a real one; this one
//! does what a real one does only now and then.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::PATIENCE;

/// A running API server. Its threads end with the process, its connections with it.
pub struct ScriptedApi {
    shared: Arc<Shared>,
    address: SocketAddr,
    folder: TempDir,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Path and query.
    pub target: String,
    /// `Authorization`; empty without one.
    pub authorization: String,
}

#[derive(Default)]
struct State {
    pods: BTreeMap<String, Value>,
    version: u64,
    events: Vec<(u64, Value)>,
    /// How many events were dropped ahead of those.
    dropped: usize,
    /// Watches from an earlier version get 410.
    compacted: u64,
    streams: bool,
    /// What each request is answered with, in place of pods.
    answer: Option<(u16, String)>,
    /// Whether requests are read and not answered, and watches get nothing.
    is_frozen: bool,
    /// Counts the times that all connections were ended.
    cut: u64,
    /// Text that watches send and then end with.
    last_words: String,
    page: usize,
    token: Option<String>,
    asked: Vec<Asked>,
    /// Open watches.
    watching: usize,
}

impl ScriptedApi {
    /// Serves these pods. Each needs a name; namespace and uid are made up where there is none.
    pub fn serve(pods: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { version: 100, streams: true, page: 500, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || converse(stream, &shared));
            }
        });
        let folder = TempDir::new().unwrap();
        let api = Self { shared, address, folder };
        api.write_config("first");
        pods.iter().for_each(|pod| api.apply(pod));
        api.compact();
        api
    }

    /// For `KUBECONFIG`. Its user has a token file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// Puts another token into the file that the kubeconfig names.
    pub fn write_token(&self, token: &str) {
        std::fs::write(self.folder.path().join("token"), format!("{token}\n")).unwrap();
    }

    fn write_config(&self, token: &str) {
        self.write_token(token);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "shop", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "podstamp", "user": {"tokenFile": "token"}}],
            "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "podstamp"}}],
            "current-context": "shop",
        });
        std::fs::write(self.config(), config.to_string()).unwrap();
    }

    /// Makes a pod, or changes it.
    pub fn apply(&self, pod: &Value) {
        self.change(|state| {
            let mut pod = pod.clone();
            let metadata = &mut pod["metadata"];
            if metadata["namespace"].is_null() {
                metadata["namespace"] = "shop".into();
            }
            if metadata["uid"].is_null() {
                metadata["uid"] = format!("uid-{}", metadata["name"].as_str().unwrap()).into();
            }
            let key = key(&pod);
            let kind = if state.pods.contains_key(&key) { "MODIFIED" } else { "ADDED" };
            state.tell(kind, pod.clone());
            pod["metadata"]["resourceVersion"] = state.version.to_string().into();
            state.pods.insert(key, pod);
        });
    }

    /// Deletes a pod of namespace shop at once.
    pub fn delete(&self, name: &str) {
        self.change(|state| {
            let pod = state.pods.remove(&format!("shop/{name}")).unwrap();
            state.tell("DELETED", pod);
        });
    }

    /// Deletes a pod without telling watches of it, as if they had been away.
    pub fn delete_unseen(&self, name: &str) {
        self.change(|state| {
            state.pods.remove(&format!("shop/{name}")).unwrap();
            state.version += 1;
        });
    }

    /// Sends a line to all watches as it is.
    pub fn say(&self, line: Value) {
        self.change(|state| {
            let version = state.version;
            state.events.push((version, line));
        });
    }

    /// Sends a bookmark of the current version to all watches.
    pub fn bookmark(&self) {
        let version = self.state().version;
        self.say(bookmark(version, false));
    }

    /// Forgets what happened up to now, so that watches from before get 410.
    pub fn compact(&self) {
        self.change(|state| {
            state.compacted = state.version;
            state.drop_events();
        });
    }

    /// Ends all connections. `last_words` is what watches get before: a part of an event, say.
    pub fn cut(&self, last_words: &str) {
        self.change(|state| {
            state.cut += 1;
            state.last_words = last_words.to_owned();
        });
    }

    /// Ends all connections, and has other pods from now on, as a server whose store was set up anew.
    pub fn start_over(&self, version: u64, pods: &[Value]) {
        self.change(|state| {
            state.pods.clear();
            state.drop_events();
            (state.version, state.compacted) = (version, 0);
            state.cut += 1;
        });
        pods.iter().for_each(|pod| self.apply(pod));
    }

    /// Answers each request so from now on; `None`: with pods.
    pub fn answer(&self, answer: Option<(u16, &str)>) {
        self.change(|state| state.answer = answer.map(|(code, text)| (code, text.to_owned())));
    }

    /// Whether nothing comes any more, over connections that stay open.
    pub fn freeze(&self, frozen: bool) {
        self.change(|state| state.is_frozen = frozen);
    }

    /// Whether watches may begin with all pods.
    pub fn stream_lists(&self, streams: bool) {
        self.change(|state| state.streams = streams);
    }

    /// How many pods a page has at most.
    pub fn page(&self, pods: usize) {
        self.change(|state| state.page = pods);
    }

    /// Demands a token.
    pub fn demand(&self, token: &str) {
        self.change(|state| state.token = Some(token.to_owned()));
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// How many lists were asked for, by watch or as first pages.
    pub fn lists(&self) -> usize {
        let is_list = |asked: &&Asked| {
            asked.target.contains("sendInitialEvents=true")
                || asked.target.contains("limit=500") && !asked.target.contains("continue=")
        };
        self.asked().iter().filter(is_list).count()
    }

    /// Waits until so many watches are open.
    pub fn wait_watched(&self, watches: usize) {
        let state = self.state();
        let waited =
            self.shared.changed.wait_timeout_while(state, PATIENCE, |state| state.watching != watches);
        let (state, timed_out) = waited.unwrap();
        assert!(!timed_out.timed_out(), "{} watches are open", state.watching);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.shared.changed.notify_all();
    }
}

impl State {
    fn drop_events(&mut self) {
        self.dropped += self.events.len();
        self.events.clear();
    }

    fn tell(&mut self, kind: &str, mut pod: Value) {
        self.version += 1;
        pod["kind"] = "Pod".into();
        pod["apiVersion"] = "v1".into();
        pod["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.events.push((self.version, json!({"type": kind, "object": pod})));
    }
}

fn key(pod: &Value) -> String {
    let metadata = &pod["metadata"];
    format!("{}/{}", metadata["namespace"].as_str().unwrap(), metadata["name"].as_str().unwrap())
}

fn bookmark(version: u64, is_end: bool) -> Value {
    let mut metadata = json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
    if is_end {
        metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    json!({"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": metadata}})
}

fn status(code: u16, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code})
        .to_string()
}

/// Answers one request after the other, until the connection is to end.
fn converse(stream: TcpStream, shared: &Shared) {
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    let cut = shared.state.lock().unwrap().cut;
    while let Some(asked) = head(&mut requests) {
        let mut state = shared.state.lock().unwrap();
        state.asked.push(asked.clone());
        shared.changed.notify_all();
        while state.is_frozen && state.cut == cut {
            state = shared.changed.wait(state).unwrap();
        }
        if state.cut != cut {
            return;
        }
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let query: BTreeMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let is_known =
            state.token.as_ref().is_none_or(|token| asked.authorization == format!("Bearer {token}"));
        let sent = if let Some((code, text)) = state.answer.clone() {
            drop(state);
            let body = if text.starts_with('<') { text } else { status(code, &text) };
            respond(&mut stream, code, &body)
        } else if !is_known {
            drop(state);
            respond(&mut stream, 401, &status(401, "Unauthorized"))
        } else if let Some(name) = path.strip_prefix("/api/v1/namespaces/shop/pods/") {
            let pod = state.pods.get(&format!("shop/{name}")).cloned();
            drop(state);
            match pod {
                Some(pod) => respond(&mut stream, 200, &pod.to_string()),
                None => respond(&mut stream, 404, &status(404, &format!("pods {name:?} not found"))),
            }
        } else if query.get("watch") == Some(&"true") {
            watch(&mut stream, shared, state, cut, &query)
        } else {
            let body = list(&state, &query);
            drop(state);
            respond(&mut stream, 200, &body)
        };
        if sent.is_err() {
            return;
        }
    }
}

fn list(state: &State, query: &BTreeMap<&str, &str>) -> String {
    let from: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
    let limit: usize = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
    let limit = limit.min(state.page);
    let items: Vec<_> = state.pods.values().skip(from).take(limit).collect();
    let next = from + items.len();
    let token = if next < state.pods.len() { next.to_string() } else { String::new() };
    json!({
        "kind": "PodList", "apiVersion": "v1",
        "metadata": {"resourceVersion": state.version.to_string(), "continue": token},
        "items": items,
    })
    .to_string()
}

fn watch<'s>(
    stream: &mut TcpStream,
    shared: &'s Shared,
    mut state: MutexGuard<'s, State>,
    cut: u64,
    query: &BTreeMap<&str, &str>,
) -> std::io::Result<()> {
    let mut first = Vec::new();
    let mut from: u64 = query["resourceVersion"].parse().unwrap_or(state.version);
    if query.get("sendInitialEvents") == Some(&"true") {
        if !state.streams {
            drop(state);
            let message = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
            return respond(stream, 422, &status(422, message));
        }
        first.extend(state.pods.values().map(|pod| json!({"type": "ADDED", "object": pod})));
        first.push(bookmark(state.version, true));
        from = state.version;
    } else if from < state.compacted {
        let gone = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}});
        first.push(gone);
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )?;
    let is_over = first.last().is_some_and(|event| event["type"] == "ERROR");
    for event in first {
        chunk(stream, &format!("{event}\n"))?;
    }
    if is_over {
        return chunk(stream, "");
    }
    // A version of the future brings nothing until it is there, without a word.
    let mut told = state.dropped + state.events.iter().filter(|(version, _)| *version <= from).count();
    state.watching += 1;
    shared.changed.notify_all();
    let result = loop {
        if state.cut != cut {
            let last_words = state.last_words.clone();
            let _ = chunk(stream, &last_words);
            break Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        let events: Vec<_> = if state.is_frozen {
            Vec::new()
        } else {
            let unseen = state.events.iter().skip(told.saturating_sub(state.dropped));
            unseen.filter(|(version, _)| *version >= from).map(|(_, event)| format!("{event}\n")).collect()
        };
        if events.is_empty() {
            state = shared.changed.wait(state).unwrap();
            continue;
        }
        told = state.dropped + state.events.len();
        drop(state);
        let sent = chunk(stream, &events.concat());
        state = shared.state.lock().unwrap();
        if let Err(error) = sent {
            break Err(error);
        }
    };
    state.watching -= 1;
    shared.changed.notify_all();
    result
}

fn chunk(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n{text}\r\n", text.len())?;
    stream.flush()
}

fn respond(stream: &mut TcpStream, code: u16, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {code} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// The next request; `None` at the end. Each is a GET without a body.
fn head(from: &mut impl BufRead) -> Option<Asked> {
    let mut line = || {
        let mut line = String::new();
        (from.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let target = line()?.split(' ').nth(1)?.to_owned();
    let mut authorization = String::new();
    loop {
        let line = line()?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                authorization = value.to_owned()
            }
            Some(_) => {}
            None => return Some(Asked { target, authorization }),
        }
    }
}
