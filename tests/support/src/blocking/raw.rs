//! An upstream made of a socket: it answers byte for byte what it is told, also what no server would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::http::chunked;

/// A running upstream, stopped when dropped.
pub struct Raw {
    pub address: SocketAddr,
    seen: Arc<Seen>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Method, path and version.
    pub line: String,
    /// In order, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Received>>,
    bytes: AtomicUsize,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

impl Raw {
    /// `answer` gets each connection once a request on it has been read.
    pub fn answering(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::replying(move |_, stream| answer(stream))
    }

    /// `answer` gets each connection with the request that has been read on it.
    pub fn replying(answer: impl Fn(&Received, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stopped) = (Arc::<Seen>::default(), Arc::new(AtomicBool::new(false)));
        let answer = Arc::new(answer);
        let thread = thread::spawn({
            let (seen, stopped) = (Arc::clone(&seen), Arc::clone(&stopped));
            move || {
                for client in listener.incoming().flatten() {
                    if stopped.load(Ordering::Acquire) {
                        break;
                    }
                    let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                    thread::spawn(move || serve(client, &seen, &*answer));
                }
            }
        });
        Self { address, seen, stopped, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/api/v1/otel/trace", self.address)
    }

    /// How many requests were read whole.
    pub fn requests(&self) -> usize {
        self.seen.requests.lock().unwrap().len()
    }

    /// The requests that were read whole.
    pub fn received(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Bytes that came on all connections, also of requests that have not ended.
    pub fn bytes(&self) -> usize {
        self.seen.bytes.load(Ordering::Acquire)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the listener up.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn serve(mut stream: TcpStream, seen: &Seen, answer: &dyn Fn(&Received, &mut TcpStream)) {
    let mut reader = BufReader::new(Counting { stream: stream.try_clone().unwrap(), seen });
    while let Some(mut request) = read_head(&mut reader) {
        let read = if request.header("transfer-encoding") == Some("chunked") {
            chunked(&mut reader).map(|body| request.body = body)
        } else {
            let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
            request.body.resize(length, 0);
            reader.read_exact(&mut request.body)
        };
        if read.is_err() {
            return;
        }
        seen.requests.lock().unwrap().push(request.clone());
        answer(&request, &mut stream);
        drop(stream.flush());
    }
}

/// The next request without its body; `None` at the end of the connection.
fn read_head(reader: &mut impl BufRead) -> Option<Received> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line.trim_end().to_owned())
    };
    let mut request = Received { line: line()?, headers: Vec::new(), body: Vec::new() };
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else {
            return Some(request);
        };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

struct Counting<'a> {
    stream: TcpStream,
    seen: &'a Seen,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.seen.bytes.fetch_add(read, Ordering::AcqRel);
        Ok(read)
    }
}
