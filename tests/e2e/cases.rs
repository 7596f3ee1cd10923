//! What the hosts share on which the conformance cases run end to end.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use podstamp::pods::{self, Coverage, KeptKeys, Table};
use podstamp_core::directory::{Field, Fields};
use podstamp_pods::listing;
use podstamp_test_support::blocking::http::Response;
use podstamp_test_support::blocking::raw::{Raw, Received};
use podstamp_test_support::cases::{self, Answer, Case, Resource};
use serde_json::json;

/// The pods of a case.
pub(crate) fn pods(case: &Case) -> Table {
    let list = case.pods.as_ref().map_or_else(|| json!([]), cases::document);
    let list =
        if list.is_array() { json!({"apiVersion": "v1", "kind": "List", "items": list}) } else { list };
    let coverage = if case.pods_are_a_part { Coverage::Part } else { Coverage::Cluster };
    pods::read_pods(list.to_string().as_bytes(), KeptKeys::ALL, coverage).unwrap()
}

/// A podstamp with the pods of each case. `name_of` tells from a request which case asks.
pub(crate) fn serve_pods<'c>(
    cases: impl IntoIterator<Item = (&'c str, &'c Case)>,
    name_of: impl Fn(&Received) -> String + Send + Sync + 'static,
) -> Raw {
    let tables: BTreeMap<_, _> =
        cases.into_iter().map(|(name, case)| (name.to_owned(), pods(case))).collect();
    Raw::replying(move |request, stream| {
        let query = request.line.split(' ').nth(1).unwrap().strip_prefix("/pods?fields=").unwrap();
        let fields = query.split('&').next().unwrap();
        let fields =
            fields.split(',').filter(|name| !name.is_empty()).map(|name| Field::of_name(name).unwrap());
        let text = listing::write_full(&tables[&name_of(request)], Fields::from_iter(fields));
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).unwrap();
    })
}

/// An upstream that does as the header `x-outcome` of a request asks.
pub(crate) fn as_asked(request: &Received, stream: &mut TcpStream) {
    match request.header("x-outcome").unwrap() {
        "closed" => stream.shutdown(Shutdown::Both).unwrap(),
        // Until the other side has had enough.
        "timed-out" => drop(stream.read(&mut [0])),
        outcome => {
            let status = outcome.strip_prefix("status-").unwrap();
            write!(stream, "HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
}

/// Fails unless what was sent is what is expected.
pub(crate) fn assert_sent(sent: &[Resource], expected: &[Resource]) {
    let alike =
        sent.len() == expected.len() && sent.iter().zip(expected).all(|(sent, expected)| sent.is(expected));
    assert!(alike, "{sent:#?}\nexpected {expected:#?}");
}

/// Fails unless a response with this code and message has all that is expected of it, but for its status and notice.
pub(crate) fn assert_said(response: &Response, (code, message): (i32, &str), expected: &Answer) {
    assert_eq!(expected.code.unwrap_or(code), code);
    for part in &expected.contains {
        assert!(message.contains(part), "{part:?} in {message:?}");
    }
    for (name, value) in &expected.headers {
        assert_eq!(response.header(name), Some(&**value), "{name}");
    }
}

/// The answer of an export that was taken.
pub(crate) fn success() -> Answer {
    Answer { status: 200, code: Some(0), contains: Vec::new(), notice: None, headers: BTreeMap::new() }
}
