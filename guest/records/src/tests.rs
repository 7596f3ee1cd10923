//! The form against `wit/`, against the examples of `docs/abi.md`, and back.

use podstamp_core::config::Fault;
use podstamp_core::interface::{
    Answer, Attempt, Content, Edit, Edits, Encoding, Header, Level, Mended, Next, Notice, Outbound, Outcome,
    Part, Prepared, Report, Request, Signal, Upstream, Verdict,
};

use crate::{
    BodyFault, ConcludeArguments, DiagnoseArguments, Malformed, PodsState, Reader, Record, RequestArguments,
    Settings, write_attempt, write_request,
};

/// What the form of a type consists of, in its order.
pub(crate) trait Declared {
    /// Fields or cases.
    const NAMES: &'static [&'static str];
}

/// The names in a declaration of `text`, in the form of `wit/`.
fn names_in(text: &str, declaration: &str) -> Vec<String> {
    let (_, rest) =
        text.split_once(&format!("{declaration} {{\n")).unwrap_or_else(|| panic!("no {declaration}"));
    let (body, _) = rest.split_once('}').unwrap();
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.is_empty());
    let name = |line: &str| line.split([':', '(', ',']).next().unwrap_or_default().to_owned();
    lines.map(name).collect()
}

/// `camelCase` and `snake_case` as `wit/` writes them.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for (at, character) in name.chars().enumerate() {
        match character {
            '_' => kebab.push('-'),
            upper if upper.is_uppercase() => {
                kebab.extend((at > 0).then_some('-'));
                kebab.extend(upper.to_lowercase());
            }
            other => kebab.push(other),
        }
    }
    kebab
}

#[test]
fn fields_and_cases_come_in_the_order_that_wit_declares() {
    fn check<T: Declared>(wit: &str, declaration: &str) {
        let names: Vec<_> = T::NAMES.iter().map(|name| kebab(name)).collect();
        assert_eq!(names, names_in(wit, declaration), "{declaration}");
    }
    let filter = include_str!("../../../wit/filter.wit");
    let types = include_str!("../../../wit/types.wit");
    let abi = include_str!("../../../docs/abi.md");
    check::<Header>(types, "record header");
    check::<Notice>(types, "record notice");
    check::<Fault>(types, "record config-fault");
    check::<Signal>(types, "enum signal");
    check::<Encoding>(types, "enum encoding");
    check::<Level>(types, "enum level");
    check::<Upstream>(filter, "record upstream");
    check::<Part>(filter, "record part");
    check::<Edit>(filter, "record edit");
    check::<Edits>(filter, "record edits");
    check::<Outbound>(filter, "record outbound");
    check::<Answer>(filter, "record answer");
    check::<Prepared>(filter, "record prepared");
    check::<Report>(filter, "record report");
    check::<Attempt>(filter, "record attempt");
    check::<Mended>(filter, "record mended");
    check::<BodyFault>(filter, "record body-fault");
    check::<Content>(filter, "variant content");
    check::<Verdict>(filter, "variant verdict");
    check::<Next>(filter, "variant next");
    check::<PodsState>(abi, "record pods-state");
    check::<Settings>(abi, "record settings");
    let [own, wit] = [abi, filter].map(|text| names_in(text, "record settings"));
    assert_eq!(own[..wit.len()], wit, "wit/ has the first fields of the settings");
    // The module has its pods inside, and knows their state.
    let request = ["signal", "path", "peer", "headers", "body", "now", "directory-state"].map(str::to_owned);
    assert_eq!(names_in(filter, "record request"), request);
    let outcomes = ["response", "not-connected", "away", "waited", "closed", "timed-out", "oversized"];
    assert_eq!(names_in(filter, "variant outcome"), outcomes.map(str::to_owned));
    assert_eq!(names_in(filter, "record response"), ["status", "headers", "body"].map(str::to_owned));
    assert_eq!(names_in(filter, "record away"), ["reason", "after"].map(str::to_owned));
}

/// Something of every type that a result has.
fn results() -> (Prepared, Next) {
    let headers = vec![Header { name: "x".to_owned(), value: vec![0, 255] }];
    let notice = Notice { level: Level::Error, key: "key".into(), message: "é".to_owned() };
    let upstream = Upstream { url: "http://u/".to_owned(), headers: headers.clone(), timeout: 7 };
    let edits = Edits { edits: vec![Edit { offset: 1, remove: 2, insert: 3 }], inserted: vec![1, 2, 3] };
    let outbound = Outbound {
        url: "http://a/".to_owned(),
        headers: headers.clone(),
        timeout: u32::MAX,
        copies: vec![upstream],
        content: Content::Edited(edits),
        parts: vec![Part { end: 9, spans: 1, memory: 2 }],
        encoding: Encoding::Grpc,
    };
    let prepared = Prepared {
        verdict: Verdict::Forward(outbound),
        report: Report { resources: 1, texts_mended: 2, ..Report::default() },
        notices: vec![notice.clone()],
    };
    let answer = Answer { status: 400, headers, body: vec![8], notice: Some(notice) };
    (prepared, Next::Answer(answer))
}

#[test]
fn what_is_written_is_read_back() {
    fn check<T: Record + PartialEq + std::fmt::Debug>(value: &T) {
        let bytes = value.to_bytes();
        assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
        for end in 0..bytes.len() {
            assert!(T::from_bytes(&bytes[..end]).is_err(), "{end} bytes of {value:?}");
        }
        assert_eq!(T::from_bytes(&[&bytes[..], &[0]].concat()), Err(Malformed::Trailing(1)));
    }
    let (prepared, next) = results();
    check(&prepared);
    check(&next);
    check(&Next::Retry(5));
    check(&Next::Mend(Mended { body: vec![1], texts: 1 }));
    check(&Verdict::Answer(Answer { status: 200, headers: Vec::new(), body: Vec::new(), notice: None }));
    check(&Content::Replaced(vec![1, 2]));
    check(&Content::Unchanged);
    check::<Result<Settings, Vec<Fault>>>(&Ok(Settings {
        request_headers: vec!["forwarded".to_owned()],
        notices: Vec::new(),
        pods_path: "/pods?fields=ips".to_owned(),
    }));
    check::<Result<Settings, Vec<Fault>>>(&Err(vec![Fault {
        path: "a.b".to_owned(),
        message: "c".to_owned(),
    }]));
    check::<Result<PodsState, String>>(&Ok(PodsState { pods: 3, version: "1.2".to_owned() }));
    check::<Result<(), BodyFault>>(&Err(BodyFault {
        offset: 1,
        path: String::new(),
        message: "x".to_owned(),
    }));
}

#[test]
fn a_request_has_the_bytes_that_the_page_describes() {
    let headers = [Header::new("a", "bc")];
    let request = Request {
        signal: Signal::Logs,
        path: "/v1",
        peer: Some([10, 0, 0, 1].into()),
        headers: &headers,
        body: &[7, 8],
        now: Some(258),
    };
    let mut bytes = Vec::new();
    write_request(&request, &mut bytes);
    let expected: &[&[u8]] = &[
        &[2],
        b"\x03\0\0\0/v1",
        b"\x01\x08\0\0\x0010.0.0.1",
        b"\x01\0\0\0\x01\0\0\0a\x02\0\0\0bc",
        b"\x02\0\0\0\x07\x08",
        b"\x01\x02\x01\0\0\0\0\0\0",
    ];
    assert_eq!(bytes, expected.concat());
    let read = RequestArguments::read(&bytes).unwrap();
    assert_eq!(format!("{:?}", read.request()), format!("{request:?}"));
    for end in 0..bytes.len() {
        assert_eq!(RequestArguments::read(&bytes[..end]).err(), Some(Malformed::CutOff), "{end}");
    }
}

#[test]
fn every_outcome_is_read_back() {
    let attempt = Attempt {
        signal: Signal::Metrics,
        upstream: 1,
        encoding: Encoding::Json,
        number: 2,
        elapsed: 3,
        patience: 4,
        delivered: 5,
        random: 6,
    };
    let headers = [Header::new("retry-after", "1")];
    let outcomes = [
        Outcome::Response { status: 503, headers: &headers, body: b"no" },
        Outcome::NotConnected("refused"),
        Outcome::Away { reason: "refused", after: 9 },
        Outcome::Waited,
        Outcome::Closed(b"body"),
        Outcome::TimedOut,
        Outcome::Oversized,
    ];
    for outcome in outcomes {
        let mut bytes = Vec::new();
        write_attempt(&attempt, &outcome, &mut bytes);
        let read = ConcludeArguments::read(&bytes).unwrap();
        assert_eq!(format!("{:?} {:?}", read.attempt, read.outcome()), format!("{attempt:?} {outcome:?}"));
        for end in 0..bytes.len() {
            assert!(ConcludeArguments::read(&bytes[..end]).is_err(), "{end} bytes of {outcome:?}");
        }
    }
    let mut bytes = Vec::new();
    let arguments = DiagnoseArguments { signal: Signal::Traces, body: b"x" };
    arguments.write(&mut bytes);
    assert_eq!(DiagnoseArguments::read(&bytes), Ok(arguments));
}

#[test]
fn a_count_of_items_that_are_not_there_takes_no_memory() {
    let count = u32::MAX.to_le_bytes();
    assert_eq!(Vec::<Header>::from_bytes(&count), Err(Malformed::CutOff));
    assert_eq!(Reader::new(&count).bytes(), Err(Malformed::CutOff));
    assert_eq!(Signal::from_bytes(&[3]), Err(Malformed::Case(3)));
    assert_eq!(String::from_bytes(b"\x01\0\0\0\xff"), Err(Malformed::Text));
}
