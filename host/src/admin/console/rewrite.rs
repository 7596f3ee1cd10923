//! `POST /console/rewrite?peer=IP&forwarded_for=TEXT&signal=traces`: a request as it is pasted.

use std::net::IpAddr;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use podstamp_core::config;
use podstamp_core::interface::{Header, Signal};

use super::query::Query;
use crate::sandbox::{ReceivedRequest, clock};

/// The request that a body stands for: OTLP as JSON, as protobuf, or as the hexadecimal digits of protobuf. The error says what
/// is wrong, and what to do.
pub(super) fn request(query: &Query, headers: &HeaderMap, body: Bytes) -> Result<ReceivedRequest, String> {
    let signal = match query.text("signal").unwrap_or("traces") {
        "traces" => Signal::Traces,
        "metrics" => Signal::Metrics,
        "logs" => Signal::Logs,
        _ => return Err("`signal` is traces, metrics or logs".to_owned()),
    };
    let peer = match query.text("peer") {
        None => None,
        Some(text) => {
            let read: Result<IpAddr, _> = text.parse();
            Some(read.map_err(|_| "`peer` is no address: write one such as 10.1.1.1".to_owned())?)
        }
    };
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (body, media) = read(media, body)?;
    let mut headers = vec![Header::new("content-type", media)];
    if let Some(hops) = query.text("forwarded_for") {
        if !hops.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err("`forwarded_for` is no value of X-Forwarded-For".to_owned());
        }
        headers.push(Header::new("x-forwarded-for", hops));
    }
    let path = match signal {
        Signal::Traces => config::DEFAULT_PATH,
        Signal::Metrics => "/v1/metrics",
        Signal::Logs => "/v1/logs",
    };
    Ok(ReceivedRequest { signal, path: path.to_owned(), peer, headers, body, now: clock::now(), gzip: None })
}

/// The body as it would have been sent, and its media type.
fn read(media: &str, body: Bytes) -> Result<(Bytes, &'static str), String> {
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "application/json" => return Ok((body, JSON)),
        "application/x-protobuf" => return Ok((body, PROTOBUF)),
        _ => {}
    }
    let trimmed = body.trim_ascii();
    if trimmed.is_empty() {
        return Err("there is nothing in it: paste a request, as JSON or as hexadecimal digits".to_owned());
    }
    match std::str::from_utf8(trimmed) {
        // A protobuf that begins and ends so, and is text in between, would be a very odd one.
        Ok(text) if text.starts_with('{') && text.ends_with('}') => Ok((body, JSON)),
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_hexdigit() || b" \t\r\n:xX".contains(&byte)) => {
            Ok((read_hex(text)?, PROTOBUF))
        }
        Ok(text) if text.starts_with('{') => {
            Err("is JSON that ends too soon: its last character is not `}`".to_owned())
        }
        _ => Ok((body, PROTOBUF)),
    }
}

/// The bytes of hexadecimal digits, with or without `0x`, blanks and colons between them.
fn read_hex(text: &str) -> Result<Bytes, String> {
    let parts = text.split(|sign: char| sign.is_ascii_whitespace() || sign == ':');
    let digits: String =
        parts.map(|part| part.strip_prefix("0x").or(part.strip_prefix("0X")).unwrap_or(part)).collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    bytes.map(Bytes::from).ok_or_else(|| {
        "is taken for hexadecimal digits, of which each byte has two: one is missing, or is none".to_owned()
    })
}

const JSON: &str = "application/json";

const PROTOBUF: &str = "application/x-protobuf";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str, body: &[u8]) -> Result<ReceivedRequest, String> {
        request(&Query::parse(Some(query)).unwrap(), &HeaderMap::new(), Bytes::copy_from_slice(body))
    }

    #[test]
    fn a_body_is_json_hexadecimal_digits_or_protobuf() {
        let read = |body: &[u8]| {
            let ReceivedRequest { headers, body, .. } = of("", body).unwrap();
            (String::from_utf8(headers[0].value.clone()).unwrap(), body.to_vec())
        };
        assert_eq!(read(b" {\"a\": 1}\n"), (JSON.to_owned(), b" {\"a\": 1}\n".to_vec()));
        for hex in [&b"0a00"[..], b"0A 00\n", b"0x0a 0x00", b"0a:00", b"0x0a00"] {
            assert_eq!(read(hex), (PROTOBUF.to_owned(), vec![0x0a, 0]), "{hex:?}");
        }
        assert_eq!(read(b"\x0a\x02\xff\x01"), (PROTOBUF.to_owned(), b"\x0a\x02\xff\x01".to_vec()));
        for wrong in [&b""[..], b" \n", b"0a0", b"x", b"{\"a\": 1"] {
            assert!(of("", wrong).is_err(), "{wrong:?}");
        }
        let told = [(CONTENT_TYPE, http::HeaderValue::from_static("application/json; charset=utf-8"))];
        let read =
            request(&Query::default(), &told.into_iter().collect(), Bytes::from_static(b"0a00")).unwrap();
        assert_eq!(&*read.body, b"0a00");
    }

    #[test]
    fn whom_it_is_from_is_said_beside_it() {
        let read = of("peer=10.1.1.1&forwarded_for=10.2.2.2,+10.3.3.3&signal=logs", b"0a00").unwrap();
        assert_eq!((read.signal, read.peer), (Signal::Logs, Some([10, 1, 1, 1].into())));
        assert_eq!(read.path, "/v1/logs");
        assert_eq!(read.headers[1], Header::new("x-forwarded-for", "10.2.2.2, 10.3.3.3"));
        for wrong in ["peer=a", "signal=spans", "forwarded_for=a%0d%0ab:c", "forwarded_for=%c3%bc"] {
            assert!(of(wrong, b"0a00").is_err(), "{wrong}");
        }
    }
}
