//! What has to hold for any bytes. The fuzz targets call it, and so does the plain test that replays their corpus.

#[cfg(feature = "fuzz-guest")]
pub mod guest;
#[cfg(feature = "fuzz-gzip")]
pub mod gzip;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use podstamp_core::config::Rules;
use podstamp_core::directory::{Details, Directory, Lookup, Pod, Term};
use podstamp_core::fault::FaultKind;
use podstamp_core::interface::{
    Attempt, Content, Encoding, Examination, Header, Next, Outbound, Outcome, Report, Request, Signal,
    Verdict,
};
use podstamp_core::testing::{self, Limits, Resource, Value, diagnose};
use podstamp_core::{Filter, Stamps};

/// Holds a target to all of its corpus, findings of the past included.
#[expect(clippy::print_stdout, reason = "the output of a test that fails shows the file")]
pub fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut replayed = 0;
    for file in fs::read_dir(&corpus).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        check(&fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 20, "{replayed} files in {}", corpus.display());
}

/// The walk and the diagnosis never panic, agree as far as both look, and a stamped body is stamped.
pub fn walk(body: &[u8]) {
    guard(body);
    let diagnosed = diagnose(body);
    if let Err(fault) = &diagnosed {
        assert!(fault.offset < body.len(), "{fault}");
    }
    match testing::walk(body, &testing::Checks::KINDS, stamp) {
        Err(fault) => {
            assert!(fault.offset < body.len(), "{fault}");
            assert!(diagnosed.is_err(), "{fault}");
        }
        Ok(walked) => {
            let out = walked.edits.apply(body).expect("the edits fit the body");
            assert_eq!(diagnose(&out).is_ok(), diagnosed.is_ok());
            let again = testing::walk(&out, &testing::Checks::KINDS, stamp)
                .expect("a stamped body is as sound as it was");
            assert!(again.edits.is_empty(), "{:?}", again.edits);
        }
    }
}

/// The guard's rules about spans never panic, and each part is a request that needs nothing more.
pub fn guard(body: &[u8]) {
    let limits = Limits { memory: 1 << 20, spans: 2, bytes: 300 };
    let checks = testing::Checks { limits, ..testing::checks(&Rules::AGENT, Some(1 << 62)) };
    let Ok(walked) = testing::walk(body, &checks, |_| ()) else { return };
    let out = walked.edits.apply(body).expect("the edits fit the body");
    let mut begin = 0;
    for part in &walked.parts {
        let end = part.end as usize;
        let again = testing::walk(&out[begin..end], &checks, |_| ()).expect("a part is sound");
        assert!(again.edits.is_empty() && part.spans <= 2);
        begin = end;
    }
    assert_eq!(begin, out.len());
}

fn stamp(resource: &mut Resource<'_>) {
    const KEY: &str = "app.host.ip";
    if resource.text(KEY) != Some("10.1.2.3") || resource.count(KEY) > 1 {
        resource.set(KEY, Value::string("10.1.2.3"));
    }
}

/// Any text is a sound request of at most about its length, or a fault within it.
pub fn json(text: &[u8]) {
    match testing::transcode(text) {
        Ok(body) => {
            assert_eq!(diagnose(&body), Ok(()));
            assert!(body.len() * 10 <= text.len() * 11, "{} of {}", body.len(), text.len());
        }
        Err(fault) => {
            assert!(fault.offset <= text.len(), "{fault}");
            assert!(fault.position.is_some(), "{fault}");
        }
    }
}

/// `prepare`, `conclude` and `examine` never panic, what is known of earlier requests changes nothing, what is sent is the body with edits that fit, every address is counted once, and
/// what has passed passes unchanged.
pub fn prepare(data: &[u8]) {
    let Input { document, peer, headers, body } = Input::read(data);
    FILTERS.with(|filters| {
        let Some(Some(filter)) = filters.get(document % DOCUMENTS.len()) else { return };
        let request = |body| Request {
            signal: Signal::Traces,
            path: "/v1/traces",
            peer,
            headers: &headers,
            body,
            now: Some(1 << 62),
        };
        let prepared = filter.prepare(&request(body), &Cluster);
        STAMPS.with_borrow_mut(|stamps| {
            let stamps = stamps.entry(document % DOCUMENTS.len()).or_insert_with(Stamps::with_room);
            for _ in 0..2 {
                assert_eq!(filter.prepare_with(&request(body), &Cluster, stamps), prepared);
            }
        });
        let report = prepared.report;
        let examined = filter.examine(&request(body), &EVERYTHING, &Cluster);
        let Verdict::Forward(outbound) = prepared.verdict else {
            assert_eq!(examined.fault.is_some(), report.refused > 0, "{:?}", examined.fault);
            return;
        };
        check(&report);
        if let Some(fault) = &examined.fault {
            assert!(fault.contains("refuse_undecodable is off"), "{fault}");
        } else {
            let told = examined.resources.len() as u32 + examined.resources_omitted;
            let spans: usize = examined.resources.iter().map(|resource| resource.spans.len()).sum();
            assert_eq!((told, spans as u32 + examined.spans_omitted), (report.resources, report.spans));
        }
        let attempt = Attempt {
            signal: Signal::Traces,
            upstream: 0,
            encoding: Encoding::Protobuf,
            number: 1,
            elapsed: 0,
            patience: u32::MAX,
            delivered: 0,
            random: 0,
        };
        let next = filter.conclude(&attempt, &Outcome::Closed(body));
        match next {
            Next::Answer(answer) => assert_eq!(answer.status == 400, diagnose(body).is_err()),
            Next::Mend(mended) => {
                assert_eq!(diagnose(body).map_err(|fault| fault.kind), Err(FaultKind::Utf8));
                assert_eq!((diagnose(&mended.body), mended.body.len()), (Ok(()), body.len()));
            }
            Next::Retry(_) => unreachable!("a closed connection is not tried again"),
        }

        let sent = sent(&outbound, body);
        assert_eq!(outbound.parts.last().map(|part| part.end as usize), Some(sent.len()));
        assert!(report.texts_mended > 0 || diagnose(&sent).is_ok() == diagnose(body).is_ok());
        let Verdict::Forward(outbound) = filter.prepare(&request(&sent), &Cluster).verdict else {
            unreachable!("what was sent once is sent again")
        };
        // The other documents have actions that go on changing what they have changed.
        assert!(document % DOCUMENTS.len() > 0 || outbound.content == Content::Unchanged);
    });
}

/// All that an examination can tell.
const EVERYTHING: Examination =
    Examination { payloads: true, resources: u32::MAX, spans: u32::MAX, text: u32::MAX };

fn check(report: &Report) {
    let known = report.address_kept
        + report.address_pipeline
        + report.address_pod_ip
        + report.address_pod
        + report.address_connection;
    assert_eq!(known + report.address_unknown + report.address_contradicted, report.resources, "{report:?}");
}

fn sent(outbound: &Outbound, body: &[u8]) -> Vec<u8> {
    match &outbound.content {
        Content::Unchanged => body.to_vec(),
        Content::Edited(edits) => edits.apply(body).expect("the edits fit the body"),
        Content::Replaced(body) => body.clone(),
    }
}

/// A request, read from any bytes: document, peer, headers as index and length and value, up to one without a name; body.
pub struct Input<'a> {
    /// Which of [`DOCUMENTS`], modulo their number.
    pub document: usize,
    /// Who sends it.
    pub peer: Option<IpAddr>,
    /// The content type first.
    pub headers: Vec<Header>,
    /// The body: all bytes that are left.
    pub body: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads any bytes.
    pub fn read(data: &'a [u8]) -> Self {
        let mut rest = data;
        let document = usize::from(byte(&mut rest));
        let peer = match byte(&mut rest) % 3 {
            0 => None,
            1 => Some(IpAddr::V4(Ipv4Addr::from([10, 1, 2, byte(&mut rest)]))),
            _ => {
                let (v6, after) = rest.split_first_chunk::<16>().unwrap_or((&[0; 16], rest));
                rest = after;
                Some(IpAddr::V6(Ipv6Addr::from(*v6)))
            }
        };
        let mut headers = vec![Header::new("content-type", "application/x-protobuf")];
        while let Some(name) =
            usize::from(byte(&mut rest)).checked_sub(1).and_then(|index| HEADERS.get(index))
        {
            let length = usize::from(byte(&mut rest)).min(rest.len());
            let (value, after) = rest.split_at(length);
            rest = after;
            headers.push(Header { name: (*name).to_owned(), value: value.to_vec() });
        }
        Self { document, peer, headers, body: rest }
    }
}

fn byte(rest: &mut &[u8]) -> u8 {
    let Some((byte, after)) = rest.split_first() else { return 0 };
    *rest = after;
    *byte
}

const HEADERS: [&str; 2] = ["x-forwarded-for", "x-tenant"];

thread_local! {
    static FILTERS: Vec<Option<Filter>> = DOCUMENTS
        .iter()
        .map(|text| {
            let document = serde_json::from_str(text).ok()?;
            Some(Filter::configure(&document).expect("a document without faults"))
        })
        .collect();

    /// What each of them knows of the inputs so far.
    static STAMPS: RefCell<BTreeMap<usize, Stamps>> = RefCell::default();
}

/// DeepFlow's load-balancer pipeline, one with every action, and one that takes all it can get of a pod.
pub const DOCUMENTS: [&str; 3] = [podstamp_core::config::DEFAULT_DOCUMENT, ACTIONS, PODS];

const ACTIONS: &str = r#"{
    "receivers": {"otlp": {"protocols": {"http": {"include_metadata": true}}}},
    "processors": {"resource": {"attributes": [
        {"key": "a", "from_attribute": "host.name", "action": "upsert"},
        {"key": "tenant", "from_context": "metadata.x-tenant", "action": "insert"},
        {"key": "b", "value": [1, {"c": "d"}], "action": "update"},
        {"key": "host.name", "action": "hash"},
        {"key": "k8s.pod.name", "pattern": "^(?P<first>[^-]*)-(?P<second>.*)$", "action": "extract"},
        {"key": "k8s.pod.ip", "action": "convert", "converted_type": "double"},
        {"key": "a", "action": "convert", "converted_type": "string"},
        {"pattern": "^k8s[.].*id$", "action": "delete"},
        {"key": "app.host.ip", "from_context": "client.address", "action": "insert"}
    ]}},
    "exporters": {"otlphttp": {"traces_endpoint": "http://agent/api/v1/otel/trace"}},
    "service": {"pipelines": {"traces": {
        "receivers": ["otlp"], "processors": ["resource"], "exporters": ["otlphttp"]
    }}},
    "podstamp": {"trusted_proxies": ["10.1.2.0/25"], "guard": {"check": "full"}}
}"#;

const PODS: &str = r#"{
    "processors": {"k8sattributes": {
        "extract": {
            "metadata": ["k8s.pod.name", "k8s.pod.ip", "k8s.node.name", "k8s.namespace.name", "k8s.deployment.name"],
            "labels": [{"key_regex": "(.*)", "tag_name": "l.$1", "from": "pod"}],
            "annotations": [{"key": "team", "from": "pod"}]
        },
        "pod_association": [
            {"sources": [
                {"from": "resource_attribute", "name": "k8s.pod.name"},
                {"from": "resource_attribute", "name": "k8s.namespace.name"}
            ]},
            {"sources": [{"from": "resource_attribute", "name": "host.name"}]},
            {"sources": [{"from": "connection"}]}
        ]
    }},
    "exporters": {"otlphttp": {"traces_endpoint": "http://agent/api/v1/otel/trace"}},
    "service": {"pipelines": {"traces": {"processors": ["k8sattributes"], "exporters": ["otlphttp"]}}},
    "podstamp": {"trusted_proxies": ["10.1.2.0/25", "fd00::/8"]}
}"#;

/// One pod, one node, and nothing else.
pub struct Cluster;

impl Directory for Cluster {
    fn find(&self, terms: &[Term<'_>], _: Details) -> Lookup {
        let pod = Pod {
            name: "item-5d9c7".into(),
            namespace: "shop".into(),
            uid: "uid-of-item".into(),
            ips: vec![IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))],
            labels: vec![("app".to_owned(), "item".to_owned())],
            annotations: vec![("team".to_owned(), "blue".to_owned())],
            ..Pod::default()
        };
        let meets = |term: &Term<'_>| match term {
            Term::Ip(address) => pod.ips.contains(address),
            Term::Uid(uid) => pod.uid == *uid,
            Term::Name(name) => pod.name == *name,
            Term::Namespace(namespace) => pod.namespace == *namespace,
            _ => false,
        };
        match terms {
            [] => Lookup::Unknown,
            terms if terms.iter().all(meets) => Lookup::Found(Box::new(pod)),
            [Term::Ip(IpAddr::V4(v4))] if v4.octets() == [10, 1, 2, 1] => Lookup::Node,
            _ => Lookup::Absent,
        }
    }

    fn state(&self) -> Option<u64> {
        Some(0)
    }
}
