//! A name server that knows one name: it is at 127.0.0.1. Other names are not there.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server on port 53 of a loopback address, stopped when dropped.
pub(super) struct NameServer {
    address: Ipv4Addr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Fails where this process may not have the port.
    pub(super) fn start(name: &str) -> Result<Self, String> {
        // Nobody else's: a resolver of the machine is at 127.0.0.53, tests beside this one have numbers of their own.
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 53, high, low.max(1));
        let socket = UdpSocket::bind((address, 53)).map_err(|error| format!("{address}:53: {error}"))?;
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let stopped = Arc::<AtomicBool>::default();
        let (name, seen) = (name.to_owned(), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            let mut query = [0; 512];
            while !seen.load(Ordering::Acquire) {
                let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
                socket.send_to(&answer(&query[..length], &name), from).unwrap();
            }
        });
        Ok(Self { address, stopped, thread: Some(thread) })
    }

    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        drop(self.thread.take().unwrap().join());
    }
}

/// RFC 1035, section 4: a header, one question, and an answer where there is one.
fn answer(query: &[u8], known: &str) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = HEADER;
    while query[at] > 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..=at + length]).into_owned());
        at += 1 + length;
    }
    let question = &query[HEADER..at + 5];
    let is_known = labels.join(".").eq_ignore_ascii_case(known);
    let is_address = query[at + 1..at + 3] == A;
    let answers = u8::from(is_known && is_address);
    // A response, with recursion; NXDOMAIN for other names.
    let flags = [0x81, if is_known { 0x80 } else { 0x83 }];
    let mut response = [&query[..2], &flags, &[0, 1, 0, answers, 0, 0, 0, 0], question].concat();
    if answers > 0 {
        // The name of the question, of type A and class IN, for a second, in four bytes.
        response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    response
}

const HEADER: usize = 12;

const A: [u8; 2] = [0, 1];
