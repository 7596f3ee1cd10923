//! A TCP relay that keeps what clients say, byte for byte: what real clients send is then what is compared with.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A running relay, stopped when dropped.
pub(crate) struct Tee {
    pub(crate) address: SocketAddr,
    connections: Connections,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The bytes that came in on each connection.
type Connections = Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>;

impl Tee {
    /// Relays to a server.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, stopped) = (Connections::default(), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (connections, stopped) = (Arc::clone(&connections), Arc::clone(&stopped));
            move || {
                for client in listener.incoming().flatten() {
                    if stopped.load(Ordering::Acquire) {
                        break;
                    }
                    let said = Arc::default();
                    connections.lock().unwrap().push(Arc::clone(&said));
                    relay(client, server, said);
                }
            }
        });
        Self { address, connections, stopped, thread: Some(thread) }
    }

    /// The bytes that came so far, a connection each. Of a request that was answered, none is missing.
    pub(crate) fn said(&self) -> Vec<Vec<u8>> {
        self.connections.lock().unwrap().iter().map(|said| said.lock().unwrap().clone()).collect()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the listener up.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn relay(client: TcpStream, server: SocketAddr, said: Arc<Mutex<Vec<u8>>>) {
    let Ok(server) = TcpStream::connect(server) else {
        return;
    };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    // Noted down before it is passed on.
    thread::spawn(move || copy(client, server, |bytes| said.lock().unwrap().extend_from_slice(bytes)));
    thread::spawn(move || copy(back.0, back.1, |_| ()));
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        see(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Either side may be gone by now.
    drop(to.shutdown(Shutdown::Write));
}
