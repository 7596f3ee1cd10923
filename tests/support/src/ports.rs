//! Ports that are known before anybody listens there.

use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use podstamp_fake_agent::TRACE_PATH;

/// An address where nobody listens, and nobody will but the test that got it: none that the system gives to whoever asks for
/// any port. One that was only free a moment ago may be the next test's listener.
pub fn closed_port() -> SocketAddr {
    static PORTS: LazyLock<Range<u16>> = LazyLock::new(|| {
        let given = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        beside(given.ok().and_then(|text| range(&text)).unwrap_or(GIVEN_ELSEWHERE))
    });
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Runs beside each other seldom try the same ones.
    let first = std::process::id().wrapping_mul(101);
    loop {
        let further = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + (further % PORTS.len() as u32) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// The URL of an agent that is not there.
pub fn absent_agent() -> String {
    format!("http://{}{TRACE_PATH}", closed_port())
}

/// The larger part of what lies below and above the `given` ports, both ends included.
fn beside((first, last): (u16, u16)) -> Range<u16> {
    let (below, above) = (UNPRIVILEGED..first, last.saturating_add(1)..u16::MAX);
    let largest = if below.len() < above.len() { above } else { below };
    // The system gives away all ports: there is nothing better than one of those.
    if largest.is_empty() { UNPRIVILEGED..u16::MAX } else { largest }
}

/// As Linux writes it.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.trim().split_once(char::is_whitespace)?;
    Some((first.parse().ok()?, last.trim().parse().ok()?))
}

/// Apart from those that services are known by.
const UNPRIVILEGED: u16 = 10_240;

/// IANA's dynamic ports.
const GIVEN_ELSEWHERE: (u16, u16) = (49_152, 65_535);

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_port_is_nobody_elses() {
        let ports = [closed_port(), closed_port()];
        assert_ne!(ports[0], ports[1]);
        for port in ports {
            let refused = TcpStream::connect(port).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn ports_that_the_system_gives_away_are_left_to_it() {
        assert_eq!(range("32768\t60999\n").map(beside), Some(10_240..32_768));
        assert_eq!(range("1024 40000").map(beside), Some(40_001..65_535));
        assert_eq!(range("1024 65535").map(beside), Some(10_240..65_535));
        assert_eq!(beside(GIVEN_ELSEWHERE), 10_240..49_152);
    }
}
