//! The PROXY protocol (haproxy.org, proxy-protocol.txt, versions 1 and 2): a load balancer names its client's address first.

use std::io;
use std::net::IpAddr;

use ppp::{HeaderResult, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads the header, and not a byte more. `None`: the balancer speaks for itself, as it does for health checks.
pub(super) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    // The shortest header of either version is longer.
    let mut header = vec![0; v2::PROTOCOL_PREFIX.len()];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        let mut fixed = [0; 4];
        stream.read_exact(&mut fixed).await?;
        let [_, _, length @ ..] = fixed;
        let length = usize::from(u16::from_be_bytes(length));
        if length > MAX_V2 {
            return Err(invalid(format!("{length} bytes long")));
        }
        header.extend(fixed);
        let begin = header.len();
        header.resize(begin + length, 0);
        if let Some(rest) = header.get_mut(begin..) {
            stream.read_exact(rest).await?;
        }
    } else if header.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        // Byte by byte: what comes after the line must not be read here.
        while !header.ends_with(b"\r\n") {
            if header.len() >= MAX_V1 {
                return Err(invalid("a line that does not end".to_owned()));
            }
            header.push(stream.read_u8().await?);
        }
    } else {
        return Err(invalid("none".to_owned()));
    }
    address(&header)
}

fn address(header: &[u8]) -> io::Result<Option<IpAddr>> {
    match HeaderResult::parse(header) {
        HeaderResult::V1(parsed) => match parsed.map_err(|error| invalid(error.to_string()))?.addresses {
            v1::Addresses::Tcp4(addresses) => Ok(Some(addresses.source_address.into())),
            v1::Addresses::Tcp6(addresses) => Ok(Some(addresses.source_address.into())),
            v1::Addresses::Unknown => Ok(None),
        },
        HeaderResult::V2(parsed) => {
            let parsed = parsed.map_err(|error| invalid(error.to_string()))?;
            Ok(match (parsed.command, parsed.addresses) {
                (v2::Command::Local, _) => None,
                (_, v2::Addresses::IPv4(addresses)) => Some(addresses.source_address.into()),
                (_, v2::Addresses::IPv6(addresses)) => Some(addresses.source_address.into()),
                (_, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
            })
        }
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no usable PROXY header: {what}"))
}

/// The longest line of version 1, its ending included, by the specification.
const MAX_V1: usize = 107;

/// The longest header of version 2. Addresses take 216 bytes at most; balancers add identifiers and TLS details.
const MAX_V2: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(bytes: &[u8]) -> Result<(Option<String>, Vec<u8>), String> {
        let mut stream = bytes;
        let address = read_header(&mut stream).await.map_err(|error| error.to_string())?;
        Ok((address.map(|address| address.to_string()), stream.to_vec()))
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length, addresses].concat()
    }

    const FOUR: &[u8] = &[10, 1, 2, 3, 10, 0, 0, 1, 0x12, 0x34, 0x10, 0xde];

    #[tokio::test]
    async fn version_1_is_a_line() {
        let given = of(b"PROXY TCP4 10.1.2.3 10.0.0.1 4711 4318\r\nPOST /").await;
        assert_eq!(given, Ok((Some("10.1.2.3".to_owned()), b"POST /".to_vec())));
        let given = of(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 4318\r\n").await;
        assert_eq!(given, Ok((Some("2001:db8::7".to_owned()), vec![])));
        assert_eq!(of(b"PROXY UNKNOWN\r\nX").await, Ok((None, b"X".to_vec())));
    }

    #[tokio::test]
    async fn version_2_is_binary() {
        let header = [v2(0x21, 0x11, FOUR).as_slice(), b"PRI * HTTP/2.0"].concat();
        assert_eq!(of(&header).await, Ok((Some("10.1.2.3".to_owned()), b"PRI * HTTP/2.0".to_vec())));
        let six: Vec<u8> = [[0x20; 16], [0x30; 16]].concat().into_iter().chain([1, 2, 3, 4]).collect();
        let given = of(&v2(0x21, 0x21, &six)).await.unwrap().0;
        assert_eq!(given.as_deref(), Some("2020:2020:2020:2020:2020:2020:2020:2020"));
        assert_eq!(of(&v2(0x20, 0x00, &[])).await, Ok((None, vec![])), "LOCAL");
        let more = [FOUR, &[0x04, 0, 2, 7, 7]].concat();
        assert_eq!(of(&v2(0x21, 0x11, &more)).await.unwrap().0.as_deref(), Some("10.1.2.3"));
    }

    #[tokio::test]
    async fn what_is_no_header_is_told() {
        for bytes in [
            &b"POST /v1/traces HTTP/1.1\r\n"[..],
            b"PROXY TCP4 10.1.2.3 10.0.0.1 4711\r\n",
            b"PROXY TCP4 10.1.2.300 10.0.0.1 4711 4318\r\n",
            b"PROXY nonsense and more\r\n",
            &[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat(),
            &v2(0x31, 0x11, FOUR),
            &v2(0x21, 0x11, &FOUR[..4]),
            &v2(0x21, 0x11, &[0; 5000]),
        ] {
            let error = of(bytes).await.unwrap_err();
            assert!(error.starts_with("no usable PROXY header"), "{error}");
        }
        assert!(of(b"PROXY TCP4 10").await.is_err(), "cut short");
        assert!(of(b"").await.is_err());
    }
}
