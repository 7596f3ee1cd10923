//! The API servers: a real one, and a scripted one that lists and watches any number of pods without keeping them.

use std::io::{BufRead, BufReader, BufWriter, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::pod::Template;

/// The scripted API server, a process of its own, stopped when dropped.
pub(super) struct Cluster {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Cluster {
    pub(super) fn start(pods: usize) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        let mut child =
            command.args(["--cluster", &pods.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address: SocketAddr = line.trim().parse().unwrap();
        let folder = TempDir::new().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "shop",
            "clusters": [{"name": "shop", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "reader", "user": {}}],
            "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "reader"}}],
        });
        std::fs::write(folder.path().join("config"), config.to_string()).unwrap();
        Self { child, address, folder }
    }

    /// For `KUBECONFIG`.
    pub(super) fn kube_config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub(super) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Gives pods other addresses, so many a second, and returns when that is done.
    pub(super) fn change(&self, rate: usize, count: usize) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET /change?rate={rate}&count={count} HTTP/1.1\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The other end of [`Cluster::start`]. Never returns.
pub(crate) fn child(arguments: &[String]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let pods = (0..arguments[1].parse().unwrap()).map(|_| AtomicUsize::new(0)).collect();
    let server = Arc::new(Server {
        template: Template::new(),
        pods,
        version: 1_000.into(),
        watches: Mutex::default(),
    });
    for stream in listener.incoming().flatten() {
        let server = Arc::clone(&server);
        // A client that goes away ends its thread, nothing else.
        std::thread::spawn(move || server.converse(stream));
    }
}

struct Server {
    template: Template,
    /// The generation of each pod's address.
    pods: Vec<AtomicUsize>,
    version: AtomicUsize,
    watches: Mutex<Vec<Sender<Arc<Vec<u8>>>>>,
}

impl Server {
    /// Answers one request after the other. Each is a GET without a body.
    fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut requests = BufReader::new(stream.try_clone()?);
        let mut stream = BufWriter::with_capacity(256 << 10, stream);
        while let Some(target) = read_target(&mut requests) {
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let query = Query(query);
            match path {
                "/api/v1/pods" if query.is("watch", "true") || query.is("watch", "1") => {
                    self.watch(&mut stream, query)?;
                }
                "/api/v1/pods" => self.list(&mut stream, query)?,
                "/change" => {
                    self.change(query.number("rate").unwrap(), query.number("count").unwrap());
                    respond(&mut stream, "200 OK", b"{}")?;
                }
                _ => {
                    let status =
                        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404});
                    respond(&mut stream, "404 Not Found", status.to_string().as_bytes())?;
                }
            }
            stream.flush()?;
        }
        Ok(())
    }

    fn list(&self, stream: &mut impl Write, query: Query<'_>) -> std::io::Result<()> {
        let first = query.number("continue").unwrap_or(0);
        let limit = query.number("limit").filter(|limit| *limit > 0).unwrap_or(self.pods.len());
        let end = self.pods.len().min(first + limit);
        let version = self.version.load(Ordering::Acquire);
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if end < self.pods.len() {
            metadata["continue"] = end.to_string().into();
            metadata["remainingItemCount"] = (self.pods.len() - end).into();
        }
        stream.write_all(HEAD)?;
        let mut text =
            format!("{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{metadata},\"items\":[")
                .into_bytes();
        for index in first..end {
            if index > first {
                text.push(b',');
            }
            self.write_pod(index, 1_000, &mut text);
            write_chunk(stream, &text)?;
            text.clear();
        }
        text.extend(b"]}");
        write_chunk(stream, &text)?;
        stream.write_all(b"0\r\n\r\n")
    }

    /// All pods where the client asks for them, and then what changes, until the client's time is over.
    fn watch(&self, stream: &mut impl Write, query: Query<'_>) -> std::io::Result<()> {
        let until =
            Instant::now() + Duration::from_secs(query.number("timeoutSeconds").unwrap_or(3_600) as u64);
        let (send, changes): (_, Receiver<Arc<Vec<u8>>>) = channel();
        self.watches.lock().unwrap().push(send);
        stream.write_all(HEAD)?;
        let mut text = Vec::new();
        if query.is("sendInitialEvents", "true") {
            for index in 0..self.pods.len() {
                text.clear();
                text.extend(b"{\"type\":\"ADDED\",\"object\":");
                self.write_pod(index, 1_000, &mut text);
                text.extend(b"}\n");
                write_chunk(stream, &text)?;
            }
            let mark = json!({"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {
                "resourceVersion": self.version.load(Ordering::Acquire).to_string(),
                "annotations": {"k8s.io/initial-events-end": "true"},
            }}});
            write_chunk(stream, format!("{mark}\n").as_bytes())?;
        }
        stream.flush()?;
        while let Ok(change) = changes.recv_timeout(until.saturating_duration_since(Instant::now())) {
            write_chunk(stream, &change)?;
            stream.flush()?;
        }
        stream.write_all(b"0\r\n\r\n")
    }

    /// Changes come evenly, and late ones at once.
    fn change(&self, rate: usize, count: usize) {
        let begin = Instant::now();
        for number in 0..count {
            let due = begin + Duration::from_secs(1).mul_f64(number as f64 / rate as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let index = number * 7_919 % self.pods.len();
            self.pods[index].fetch_add(1, Ordering::AcqRel);
            let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
            let mut text = b"{\"type\":\"MODIFIED\",\"object\":".to_vec();
            self.write_pod(index, version, &mut text);
            text.extend(b"}\n");
            let text = Arc::new(text);
            self.watches.lock().unwrap().retain(|watch| watch.send(Arc::clone(&text)).is_ok());
        }
    }

    fn write_pod(&self, index: usize, version: usize, into: &mut Vec<u8>) {
        self.template.write(index, self.pods[index].load(Ordering::Acquire), version, into);
    }
}

/// The part of a target behind its question mark.
#[derive(Clone, Copy)]
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn value(self, name: &str) -> Option<&'a str> {
        self.0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|pair| pair.1)
    }

    fn is(self, name: &str, value: &str) -> bool {
        self.value(name) == Some(value)
    }

    fn number(self, name: &str) -> Option<usize> {
        self.value(name)?.parse().ok()
    }
}

/// The target of the next request; `None` at the end.
fn read_target(from: &mut impl BufRead) -> Option<String> {
    let mut target = None;
    loop {
        let mut line = String::new();
        // Who sends lines without an end is not answered.
        let read = from.by_ref().take(64 << 10).read_line(&mut line).ok()?;
        match line.trim_end() {
            "" if read == 0 => return None,
            "" => return target,
            text if target.is_none() => target = text.split(' ').nth(1).map(str::to_owned),
            _ => {}
        }
    }
}

fn write_chunk(stream: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n", bytes.len())?;
    stream.write_all(bytes)?;
    stream.write_all(b"\r\n")
}

fn respond(stream: &mut impl Write, status: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
