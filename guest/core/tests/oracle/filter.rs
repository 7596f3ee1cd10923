//! The whole filter, with the pipeline that DeepFlow documents for load balancers and the guard, against a model that says the
//! same on prost's structs. Properties have the same numbers as in `rewrite`.

use std::cell::RefCell;
use std::net::IpAddr;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::resource::v1::Resource as ProstResource;
use podstamp_core::config::DEFAULT_DOCUMENT;
use podstamp_core::directory::{Details, Directory, Lookup, Pod, Term};
use podstamp_core::interface::{Content, Header, Prepared, Report, Request, Signal, Verdict};
use podstamp_core::{Filter, Stamps, address};
use proptest::prelude::*;

use crate::choices::Choices;
use crate::claims::Claims;
use crate::model::{Editor, comparable, edited, known};
use crate::skeleton::skeleton;
use crate::{config, decode, entropy, generator, guard};

/// A cluster with a pod, a pod on the host's network, and a node. Names and addresses are among those that the generator
/// likes.
pub(crate) struct Cluster {
    pods: Vec<Pod>,
    covers_cluster: bool,
}

const NODE: &str = "10.0.0.1";

impl Cluster {
    fn new(covers_cluster: bool) -> Self {
        let item = Pod {
            name: "item-5d9c7".into(),
            uid: "uid-of-item".into(),
            ips: vec![ip("10.1.2.3"), ip("2001:db8::7")],
            ..Pod::default()
        };
        let host = Pod {
            name: "a".into(),
            uid: "x".repeat(127).into(),
            ips: vec![ip(NODE)],
            host_network: true,
            ..Pod::default()
        };
        Self { pods: vec![item, host], covers_cluster }
    }

    pub(crate) fn by(&self, test: impl Fn(&Pod) -> bool) -> Option<&Pod> {
        self.pods.iter().find(|pod| test(pod))
    }

    fn by_ip(&self, address: IpAddr) -> Option<&Pod> {
        self.by(|pod| !pod.host_network && pod.ips.contains(&address))
    }

    pub(crate) fn is_node(&self, address: IpAddr) -> bool {
        address == ip(NODE)
    }
}

impl Directory for Cluster {
    fn find(&self, terms: &[Term<'_>], _: Details) -> Lookup {
        let found = self.by(|pod| {
            !terms.is_empty()
                && terms.iter().all(|term| match term {
                    Term::Ip(address) => !pod.host_network && pod.ips.contains(address),
                    Term::Uid(uid) => pod.uid == *uid,
                    Term::Name(name) => pod.name == *name,
                    // The host name of each pod is its name.
                    Term::Hostname(hostname) => pod.name == *hostname,
                    other => panic!("the pipeline does not ask for {other:?}"),
                })
        });
        match (found, terms) {
            (Some(pod), _) => Lookup::Found(Box::new(pod.clone())),
            (None, [Term::Ip(address)]) if self.is_node(*address) => Lookup::Node,
            _ if self.covers_cluster => Lookup::Absent,
            _ => Lookup::Unknown,
        }
    }

    fn state(&self) -> Option<u64> {
        Some(self.covers_cluster.into())
    }

    fn unchanged(&self, since: u64, _: &[u32]) -> bool {
        self.state() == Some(since)
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Peer and cluster of a request.
pub(crate) fn surroundings(bytes: &[u8]) -> (Option<IpAddr>, Cluster) {
    let mut choices = Choices::new(bytes);
    let peer = choices.pick(&[Some("10.1.2.3"), Some("10.1.9.9"), Some(NODE), Some("127.0.0.6"), None]);
    (peer.map(ip), Cluster::new(choices.one_in(2)))
}

pub(crate) fn prepare(body: &[u8], peer: Option<IpAddr>, cluster: &Cluster) -> Prepared {
    let filter = Filter::configure(&serde_json::from_str(DEFAULT_DOCUMENT).unwrap()).unwrap();
    let headers = [Header::new("content-type", "application/x-protobuf")];
    let request =
        Request { signal: Signal::Traces, path: "/v1/traces", peer, headers: &headers, body, now: None };
    let prepared = filter.prepare(&request, cluster);
    // What is known of other requests, and of this one, changes nothing.
    for _ in 0..2 {
        let known = STAMPS.with_borrow_mut(|stamps| filter.prepare_with(&request, cluster, stamps));
        assert_eq!(known, prepared);
    }
    prepared
}

thread_local! {
    /// The stamps of all requests that this thread has tested.
    static STAMPS: RefCell<Stamps> = RefCell::new(Stamps::with_room());
}

/// The body that is sent; `None` if the verdict is an answer.
pub(crate) fn sent(prepared: Prepared, body: &[u8]) -> Option<Vec<u8>> {
    match prepared.verdict {
        Verdict::Answer(answer) => {
            assert_eq!((answer.status, prepared.report), (200, Report::default()));
            None
        }
        Verdict::Forward(outbound) => Some(match outbound.content {
            Content::Unchanged => body.to_vec(),
            Content::Edited(edits) => edits.apply(body).expect("the edits fit the body"),
            Content::Replaced(_) => panic!("protobuf is edited"),
        }),
    }
}

/// Does to a resource what pipeline and guard should do. True if a Resource has to be there.
fn stamp(resource: &mut ProstResource, peer: Option<IpAddr>, cluster: &Cluster) -> bool {
    let before = resource.clone();
    let mut editor = Editor::new(resource);
    if let Some(name) = editor.find("host.name") {
        editor.insert("k8s.pod.name", name);
    }
    let claims = Claims::of(&before, editor.resource);
    let agrees = |pod: &&Pod| claims.agree(pod, cluster);

    let connection = peer.filter(|peer| address::is_candidate(*peer));
    let text = |editor: &Editor<'_>, key| match editor.find(key) {
        Some(Some(Any::StringValue(text))) if !text.is_empty() => Some(text),
        _ => None,
    };
    let pod_ip = text(&editor, "k8s.pod.ip").and_then(|text| usable(&text));
    let by_ip = |address: IpAddr| cluster.by_ip(address).filter(agrees).map(|pod| (pod, Some(address)));
    let found = text(&editor, "k8s.pod.name")
        .and_then(|name| cluster.by(|pod| pod.name == name))
        .filter(agrees)
        .map(|pod| (pod, None))
        .or_else(|| pod_ip.and_then(by_ip))
        .or_else(|| {
            let uid = text(&editor, "k8s.pod.uid")?;
            cluster.by(|pod| pod.uid == uid).filter(agrees).map(|pod| (pod, None))
        })
        .or_else(|| connection.and_then(by_ip));
    let accepts = |address: &IpAddr| match (found, cluster.by_ip(*address)) {
        (Some((pod, _)), _) => pod.ips.contains(address),
        (None, Some(pod)) => claims.agree(pod, cluster),
        (None, None) => {
            let is_absent = cluster.covers_cluster && claims.is_connection(*address, peer);
            !is_absent && !cluster.is_node(*address) && claims.allow(*address, cluster)
        }
    };
    let plausible = connection.filter(accepts);
    match found {
        Some((pod, address)) => {
            if claims.misnames(pod, cluster) {
                editor.set("k8s.pod.name", Some(Any::StringValue(pod.name.to_string())));
            }
            fill(&mut editor, "k8s.pod.ip", &address.unwrap_or(pod.ips[0]).to_string());
            fill(&mut editor, "k8s.pod.name", &pod.name);
            fill(&mut editor, "k8s.pod.uid", &pod.uid);
        }
        None => {
            if let Some(address) = plausible {
                fill(&mut editor, "k8s.pod.ip", &address.to_string());
            }
        }
    }
    if let Some(address) = editor.find("k8s.pod.ip") {
        editor.insert("app.host.ip", address);
    }

    // The guard.
    let by_claim = || if found.is_none() { claims.pod(cluster) } else { None };
    let current = usable_host_ip(editor.resource);
    let address = current
        .filter(|address| current == claims.arrived || accepts(address))
        .or_else(|| text(&editor, "k8s.pod.ip").and_then(|text| usable(&text)).filter(accepts))
        .or_else(|| found.map(|(pod, _)| pod).or_else(by_claim).map(|pod| pod.ips[0]))
        .or(plausible)
        .unwrap_or(address::UNKNOWN);
    let text = Any::StringValue(address.to_string());
    let is = editor.resource.attributes.iter().filter(|attribute| attribute.key == "app.host.ip");
    if is.map(known).collect::<Vec<_>>() != [Some(text.clone())] {
        editor.set("app.host.ip", Some(text));
    }
    editor.finish()
}

fn fill(editor: &mut Editor<'_>, key: &str, text: &str) {
    let is_free = match editor.find(key) {
        None | Some(None) => true,
        Some(Some(Any::StringValue(text))) => text.is_empty(),
        Some(Some(Any::BytesValue(bytes))) => bytes.is_empty(),
        Some(Some(_)) => false,
    };
    if is_free {
        editor.set(key, Some(Any::StringValue(text.to_owned())));
    }
}

pub(crate) fn usable(text: &str) -> Option<IpAddr> {
    address::parse(text).filter(|address| address::is_candidate(*address))
}

pub(crate) fn usable_host_ip(resource: &ProstResource) -> Option<IpAddr> {
    let attributes = resource.attributes.iter().filter(|attribute| attribute.key == "app.host.ip");
    let usable = attributes.filter_map(|attribute| match known(attribute) {
        Some(Any::StringValue(text)) => usable(&text),
        _ => None,
    });
    let usable: Vec<_> = usable.collect();
    usable.iter().rfind(|address| address.is_ipv6()).or(usable.last()).copied()
}

proptest! {
    #![proptest_config(config(3000))]

    /// Properties 1 and 4.
    #[test]
    fn the_filter_sends_what_the_model_makes_of_the_decoded_body(bytes in entropy(700), around in entropy(4)) {
        let body = generator::request(&bytes);
        let (peer, cluster) = surroundings(&around);
        if let Some(out) = sent(prepare(&body, peer, &cluster), &body) {
            let expected = edited(decode(&body), true, |resource| stamp(resource, peer, &cluster));
            let unnamed = expected.clone();
            let expected = guard::rename_peers(expected);
            let after = decode(&out);
            prop_assert!(
                comparable(expected.clone()) == comparable(after.clone()),
                "peer {peer:?}\nexpected {expected:#?}\nfound {after:#?}"
            );
            if comparable(unnamed) == comparable(expected) {
                prop_assert_eq!(skeleton(&body, true), skeleton(&out, true));
            }
        } else {
            prop_assert_eq!(decode(&body).resource_spans.len(), 0);
        }
    }

    /// The needs of deepflow-agent and DeepFlow's server are met, whatever came in and however it was stamped.
    #[test]
    fn every_resource_leaves_with_one_canonical_address_and_every_span_with_a_kind_that_exists(
        bytes in entropy(700), around in entropy(4),
    ) {
        let body = generator::request(&bytes);
        let (peer, cluster) = surroundings(&around);
        let prepared = prepare(&body, peer, &cluster);
        let report = prepared.report;
        let Some(out) = sent(prepared, &body) else { return Ok(()) };
        let mut unknown = 0;
        for spans in decode(&out).resource_spans {
            let resource = spans.resource.expect("a Resource");
            let attributes = resource.attributes.iter().filter(|attribute| attribute.key == "app.host.ip");
            let values: Vec<_> = attributes.map(known).collect();
            let [Some(Any::StringValue(text))] = &values[..] else {
                return Err(TestCaseError::fail(format!("{values:?}")));
            };
            let address: IpAddr = text.parse().unwrap();
            prop_assert_eq!(text, &address.to_canonical().to_string());
            prop_assert!(address::is_candidate(address) || address == address::UNKNOWN, "{text}");
            unknown += u32::from(address == address::UNKNOWN);
            let kinds = spans.scope_spans.iter().flat_map(|scope| &scope.spans).map(|span| span.kind);
            prop_assert!(kinds.into_iter().all(|kind| (0..=5).contains(&kind)));
        }
        let Report { address_kept, address_pipeline, address_pod_ip, address_pod, address_connection, .. } = report;
        let known = address_kept + address_pipeline + address_pod_ip + address_pod + address_connection;
        prop_assert_eq!(report.address_unknown + report.address_contradicted, unknown);
        prop_assert_eq!(known + unknown, report.resources);
    }

    /// Property 3: a body that has passed once passes unchanged, also through another podstamp.
    #[test]
    fn a_body_that_has_passed_passes_unchanged(bytes in entropy(700), around in entropy(4)) {
        let body = generator::request(&bytes);
        let (peer, cluster) = surroundings(&around);
        let Some(once) = sent(prepare(&body, peer, &cluster), &body) else { return Ok(()) };
        let again = prepare(&once, peer, &cluster);
        prop_assert_eq!((again.report.kinds_cleared, again.report.resources_created), (0, 0));
        prop_assert_eq!(sent(again, &once), Some(once));
    }
}
