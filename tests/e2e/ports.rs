//! Ports that are known before anybody listens there.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that a system gives to whoever asks for any port (from 32768 on Linux, 49152 elsewhere): a port that was only
/// free a moment ago may be the next test's listener.
const PORTS: Range<u16> = 10_240..32_768;

/// An address where nobody listens, and nobody will but the test that got it.
pub(crate) fn closed_port() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Runs beside each other seldom try the same ones.
    let first = std::process::id().wrapping_mul(101);
    loop {
        let further = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + (further % PORTS.len() as u32) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

#[test]
fn a_port_is_nobody_elses() {
    let ports = [closed_port(), closed_port()];
    assert_ne!(ports[0], ports[1]);
    for port in ports {
        let refused = TcpStream::connect(port).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let any = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(!PORTS.contains(&any.port()), "the system gives {any} to whoever asks");
        assert!(PORTS.contains(&port.port()));
    }
}
