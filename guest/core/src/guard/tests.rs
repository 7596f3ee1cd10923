//! The guard's rules on the wire: what arrives, what the pipeline writes, what leaves.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource as ProstResource;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

use super::Rules;
use crate::attributes::{HOST_IP, POD_IP};
use crate::claims::Claims;
use crate::context::Context;
use crate::context::lookups::Associated;
use crate::directory::Pod;
use crate::guard::checks::Checks;
use crate::interface::{Report, Request, Signal};
use crate::pipeline::Run;
use crate::pipeline::fixture::{Table, pod};
use crate::resource::Value;
use crate::trace::walk;

/// The surroundings of a resource: rules, pods, the peer and the pipeline's result.
struct World {
    rules: Rules,
    table: Table,
    peer: &'static str,
    /// The pod that the pipeline found, and the text that it wrote over `app.host.ip`.
    pod: Option<Pod>,
    wrote: Option<&'static str>,
}

impl Default for World {
    fn default() -> Self {
        Self { rules: Rules::AGENT, table: Table::default(), peer: PEER, pod: None, wrote: None }
    }
}

const PEER: &str = "10.1.0.9";
const NODE: &str = "192.168.0.1";

impl World {
    /// A world whose table has a node.
    fn with_node() -> Self {
        let table = Table { nodes: vec![NODE.parse().unwrap()], ..Table::default() };
        Self { table, ..Self::default() }
    }

    /// The values of `app.host.ip` with which a resource leaves, and the report. With `None` the ResourceSpans lack a Resource.
    fn send(&self, resource: Option<ProstResource>) -> (Vec<Any>, Report) {
        let body = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, ..ResourceSpans::default() }],
        }
        .encode_to_vec();
        let request =
            Request { signal: Signal::Traces, path: "", peer: None, headers: &[], body: &body, now: None };
        let context = Context::new(&request, self.peer.parse().ok(), &self.table, false);
        let mut report = Report::default();
        let walked = walk(&body, &Checks::KINDS, |resource| {
            let claims = Claims::read(resource);
            if let Some(wrote) = self.wrote {
                resource.set(HOST_IP, Value::string(wrote));
            }
            let run = Run { claims, pod: self.pod.as_ref().map(Associated::Shared) };
            let enforced = self.rules.enforce(resource, &run, &|pod| pod.name.starts_with("relay"), &context);
            enforced.count(&mut report);
        })
        .unwrap();
        let out = ExportTraceServiceRequest::decode(&walked.edits.apply(&body).unwrap()[..]).unwrap();
        let resource = out.resource_spans[0].resource.clone().unwrap_or_default();
        let attributes = resource.attributes.into_iter().filter(|attribute| attribute.key == HOST_IP);
        (attributes.filter_map(|attribute| attribute.value.and_then(|value| value.value)).collect(), report)
    }

    #[track_caller]
    fn check(&self, attributes: &[(&str, Any)], expected: &[&str], report: Report) {
        let list = attributes.iter().map(|(key, value)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue { value: Some(value.clone()) }),
            ..KeyValue::default()
        });
        let resource = ProstResource { attributes: list.collect(), ..ProstResource::default() };
        let expected: Vec<_> = expected.iter().map(|value| text(value)).collect();
        assert_eq!(self.send(Some(resource)), (expected, report), "{attributes:?}");
    }

    #[track_caller]
    fn check_texts(&self, arrived: &[&str], expected: &[&str], report: Report) {
        let attributes: Vec<_> = arrived.iter().map(|value| (HOST_IP, text(value))).collect();
        self.check(&attributes, expected, report);
    }
}

fn text(value: &str) -> Any {
    Any::StringValue(value.to_owned())
}

#[test]
fn a_usable_address_that_came_with_the_request_is_kept() {
    let kept = Report { address_kept: 1, ..Report::default() };
    World::default().check_texts(&["10.9.9.9"], &["10.9.9.9"], kept);
    World::default().check_texts(&["2001:db8::7"], &["2001:db8::7"], kept);
    // On the host's network a node's address is the pod's own.
    World::with_node().check_texts(&[NODE], &[NODE], kept);
    // The client's own address goes ahead of its pod's.
    let world = World { pod: Some(pod("item-1", &["10.1.2.3"])), ..World::default() };
    world.check_texts(&["10.9.9.9"], &["10.9.9.9"], kept);
}

#[test]
fn of_several_addresses_the_last_usable_one_is_left() {
    let normalised = Report { address_kept: 1, addresses_normalised: 1, ..Report::default() };
    for (arrived, expected) in [
        (&["10.1.1.1", "10.2.2.2"][..], "10.2.2.2"),
        (&["10.1.1.1", "10.1.1.1"], "10.1.1.1"),
        (&["10.1.1.1", "unknown"], "10.1.1.1"),
        (&["unknown", "10.1.1.1"], "10.1.1.1"),
        (&["10.1.1.1", "127.0.0.6", ""], "10.1.1.1"),
        // The server reads them like this: any IPv6 address wins, within a family the last one.
        (&["2001:db8::7", "10.1.1.1"], "2001:db8::7"),
        (&["10.1.1.1", "2001:db8::7", "2001:db8::8", "10.2.2.2"], "2001:db8::8"),
        (&["10.1.1.1", "::1", "::ffff:10.2.2.2"], "10.2.2.2"),
    ] {
        World::default().check_texts(arrived, &[expected], normalised);
    }
    World::default().check(
        &[(HOST_IP, text("10.1.1.1")), (HOST_IP, Any::IntValue(1))],
        &["10.1.1.1"],
        normalised,
    );
}

#[test]
fn addresses_leave_in_their_canonical_text() {
    let normalised = Report { address_kept: 1, addresses_normalised: 1, ..Report::default() };
    for (arrived, expected) in [
        ("::ffff:10.1.1.1", "10.1.1.1"),
        ("::ffff:a01:101", "10.1.1.1"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("2001:db8::7%eth0", "2001:db8::7"),
        ("2001:0db8::0007", "2001:db8::7"),
    ] {
        World::default().check_texts(&[arrived], &[expected], normalised);
    }
}

#[test]
fn what_is_no_address_of_a_pod_is_repaired() {
    let repaired = Report { address_connection: 1, addresses_repaired: 1, ..Report::default() };
    for arrived in [
        text(""),
        text("unknown"),
        text("10.1.1.1 "),
        text("10.1.1.1:80"),
        text("10.1.1.0/24"),
        text("010.1.1.1"),
        text("127.0.0.6"),
        text("0.0.0.0"),
        text("::"),
        text("::1"),
        text("::ffff:127.0.0.1"),
        text("169.254.7.7"),
        text("224.0.0.1"),
        text("255.255.255.255"),
        text("fe80::1%eth0"),
        text("ff02::1"),
        Any::IntValue(167_838_209),
        Any::BoolValue(true),
        Any::BytesValue(vec![10, 1, 1, 1]),
    ] {
        World::default().check(&[(HOST_IP, arrived)], &[PEER], repaired);
    }
}

#[test]
fn a_resource_without_an_address_gets_one_and_an_absent_resource_is_created() {
    let connection = Report { address_connection: 1, ..Report::default() };
    World::default().check(&[("service.name", text("item"))], &[PEER], connection);
    assert_eq!(World::default().send(None), (vec![text(PEER)], connection));
}

#[test]
fn what_the_pipeline_wrote_stays_unless_it_is_a_node() {
    let pipeline = Report { address_pipeline: 1, ..Report::default() };
    let world = World { wrote: Some("10.1.2.3"), ..World::with_node() };
    world.check(&[], &["10.1.2.3"], pipeline);
    world.check_texts(&["unknown"], &["10.1.2.3"], pipeline);

    let world = World { wrote: Some("::ffff:10.1.2.3"), ..World::with_node() };
    world.check(&[], &["10.1.2.3"], Report { addresses_normalised: 1, ..pipeline });

    // Source NAT: the connection's address is a node's, and the pipeline took it for the pod's.
    let nat = Report { address_pod: 1, addresses_repaired: 1, ..Report::default() };
    let pods = || Some(pod("item-1", &["10.1.2.3"]));
    World { wrote: Some(NODE), pod: pods(), ..World::with_node() }.check(&[], &["10.1.2.3"], nat);
    World { wrote: Some(NODE), pod: pods(), peer: NODE, ..World::with_node() }.check(&[], &["10.1.2.3"], nat);
    let unknown = Report { address_unknown: 1, addresses_repaired: 1, ..Report::default() };
    World { wrote: Some(NODE), peer: NODE, ..World::with_node() }.check(&[], &["0.0.0.0"], unknown);

    // The directory calls the address a node's, but the associated pod has it.
    let world = World { wrote: Some(NODE), pod: Some(pod("item-1", &[NODE])), ..World::with_node() };
    world.check(&[], &[NODE], pipeline);
    // A pod on the host's network has the node's address, and so have its eBPF spans.
    let host = Pod { host_network: true, ..pod("item-1", &[NODE]) };
    let world = World { wrote: Some(NODE), pod: Some(host), ..World::with_node() };
    world.check(&[], &[NODE], pipeline);
}

#[test]
fn candidates_are_the_pod_attribute_then_the_pod_then_the_connection() {
    let by_attribute = Report { address_pod_ip: 1, ..Report::default() };
    let by_pod = Report { address_pod: 1, ..Report::default() };
    let by_connection = Report { address_connection: 1, ..Report::default() };
    let pods = || Some(pod("item-1", &["10.1.2.3", "2001:db8::3"]));
    let world = World { pod: pods(), ..World::with_node() };
    world.check(&[(POD_IP, text("2001:db8::3"))], &["2001:db8::3"], by_attribute);
    let alone = World::with_node();
    alone.check(&[(POD_IP, text("10.7.7.7"))], &["10.7.7.7"], by_attribute);
    alone.check(&[(POD_IP, text("::ffff:10.7.7.7"))], &["10.7.7.7"], by_attribute);
    alone.check(&[(POD_IP, text("10.7.7.7,2001:db8::7"))], &["10.7.7.7"], by_attribute);
    for unusable in [text(NODE), text("127.0.0.6"), text("?"), Any::IntValue(1)] {
        world.check(&[(POD_IP, unusable)], &["10.1.2.3"], by_pod);
    }
    world.check(&[], &["10.1.2.3"], by_pod);

    World { pod: Some(pod("item-1", &["fe80::3", "2001:db8::3"])), ..World::default() }.check(
        &[],
        &["2001:db8::3"],
        by_pod,
    );
    World::default().check(&[], &[PEER], by_connection);
    let host = Pod { host_network: true, ..pod("item-1", &[NODE]) };
    World { pod: Some(host), ..World::with_node() }.check(&[], &[NODE], by_pod);
}

#[test]
fn the_connection_is_not_taken_for_a_pod_that_is_known_to_be_another() {
    let contradicted = Report { address_contradicted: 1, ..Report::default() };
    let unknown = Report { address_unknown: 1, ..Report::default() };
    // The pod has no address yet.
    let pending = || Some(pod("item-1", &[]));
    World { pod: pending(), ..World::default() }.check(&[], &["0.0.0.0"], contradicted);
    World { pod: pending(), peer: NODE, ..World::with_node() }.check(&[], &["0.0.0.0"], unknown);

    let relay = || pod("gateway-1", &[PEER]);
    let item = || pod("item-1", &["10.1.2.3"]);
    let world = |pods| World { table: Table { pods, ..Table::default() }, ..World::default() };
    let by_connection = Report { address_connection: 1, ..Report::default() };
    for (attributes, expected, report) in [
        (&[("k8s.pod.uid", "uid-gateway-1")][..], PEER, Report { address_pod: 1, ..Report::default() }),
        (&[("k8s.pod.uid", "uid-gone")], "0.0.0.0", contradicted),
        (&[("k8s.pod.name", "gone")], "0.0.0.0", contradicted),
        (&[("k8s.pod.name", "gateway-1"), ("k8s.namespace.name", "other")], "0.0.0.0", contradicted),
        (&[("k8s.pod.ip", NODE), ("k8s.pod.uid", "uid-gone")], "0.0.0.0", contradicted),
        // A name that no pod has is not a claim, nor is a reference that was not replaced.
        (&[("host.name", "laptop")], PEER, by_connection),
        (&[("k8s.pod.name", "$(POD_NAME)"), ("k8s.pod.uid", "")], PEER, by_connection),
        (&[("k8s.pod.ip", "$(POD_IP)")], PEER, by_connection),
        (&[("k8s.namespace.name", "other")], PEER, by_connection),
    ] {
        let attributes: Vec<_> = attributes.iter().map(|(key, value)| (*key, text(value))).collect();
        let world = World {
            table: Table {
                pods: vec![relay(), item()],
                nodes: vec![NODE.parse().unwrap()],
                ..Table::default()
            },
            ..World::default()
        };
        world.check(&attributes, &[expected], report);
    }
    // An unknown address is not used either, where a claim leads to a pod that has another.
    let by_pod = Report { address_pod: 1, ..Report::default() };
    world(vec![item()]).check(&[("k8s.pod.uid", text("uid-item-1"))], &["10.1.2.3"], by_pod);
    world(vec![pod("item-1", &[])]).check(&[("k8s.pod.uid", text("uid-item-1"))], &["0.0.0.0"], contradicted);
    world(vec![pod("item-1", &[])]).check(&[("host.name", text("item-1"))], &["0.0.0.0"], contradicted);
    // The address that the pipeline takes from the connection has to agree with the claims as well.
    let wrote = World { wrote: Some(PEER), ..world(vec![relay(), item()]) };
    let repaired = Report { addresses_repaired: 1, ..Report::default() };
    wrote.check(&[("k8s.pod.uid", text("uid-item-1"))], &["10.1.2.3"], Report { address_pod: 1, ..repaired });
    wrote.check(
        &[("k8s.pod.uid", text("uid-gone"))],
        &["0.0.0.0"],
        Report { address_contradicted: 1, ..repaired },
    );
}

#[test]
fn an_excluded_pod_is_no_source_of_addresses() {
    let unknown = Report { address_unknown: 1, ..Report::default() };
    let table = || Table { pods: vec![pod("relay-1", &[PEER])], ..Table::default() };
    World { table: table(), ..World::default() }.check(&[], &["0.0.0.0"], unknown);
    let wrote = World { table: table(), wrote: Some(PEER), ..World::default() };
    wrote.check(&[], &["0.0.0.0"], Report { addresses_repaired: 1, ..unknown });
    // The address that the resource itself gives counts.
    let own = [(POD_IP, text(PEER))];
    World { table: table(), ..World::default() }.check(
        &own,
        &[PEER],
        Report { address_pod_ip: 1, ..Report::default() },
    );
}

#[test]
fn a_pod_is_found_by_what_the_resource_claims() {
    let by_pod = Report { address_pod: 1, ..Report::default() };
    let contradicted = Report { address_contradicted: 1, ..Report::default() };
    let unknown = Report { address_unknown: 1, ..Report::default() };
    let long = "candies-sharing-216-fresh-8bzv4-system-container-impl-0123456789-404075885";
    let named = Pod { hostname: "primary".into(), ..pod("mysql-7d9f", &["10.1.2.4"]) };
    let cut = Pod { hostname: long[..63].into(), ..pod(long, &["10.1.2.5"]) };
    let host = Pod { host_network: true, ..pod("proxy-1", &[NODE]) };
    let elsewhere =
        Pod { namespace: "other".into(), uid: "uid-other".into(), ..pod("item-1", &["10.1.2.9"]) };
    let pods = vec![pod("item-1", &["10.1.2.3"]), elsewhere, named, cut, host, pod("relay-1", &["10.1.2.6"])];
    let nodes = vec![NODE.parse().unwrap()];
    let world = World {
        table: Table {
            containers: vec![("uid-item-1", "app", "0123abcd")],
            pods,
            nodes,
            covers_cluster: true,
            ..Table::default()
        },
        ..World::default()
    };
    for (attributes, expected, report) in [
        (&[("k8s.pod.uid", "uid-item-1")][..], "10.1.2.3", by_pod),
        (&[("k8s.pod.name", "mysql-7d9f")], "10.1.2.4", by_pod),
        (&[("k8s.pod.name", "item-1"), ("k8s.namespace.name", "other")], "10.1.2.9", by_pod),
        (&[("k8s.pod.name", "item-1")], "0.0.0.0", unknown),
        (&[("k8s.pod.name", "item-1"), ("k8s.pod.uid", "uid-other")], "10.1.2.9", by_pod),
        (&[("k8s.pod.name", "mysql-7d9f"), ("k8s.pod.uid", "uid-item-1")], "0.0.0.0", contradicted),
        (&[("k8s.pod.uid", "uid-proxy-1")], NODE, by_pod),
        (&[("container.id", "docker://0123abcd")], "10.1.2.3", by_pod),
        (&[("container.id", "0123abcd"), ("k8s.pod.name", "mysql-7d9f")], "0.0.0.0", contradicted),
        (&[("k8s.pod.uid", "uid-relay-1")], "0.0.0.0", unknown),
        (&[("host.name", "mysql-7d9f")], "10.1.2.4", by_pod),
        // Linux cuts a host name at 63 characters; a name that somebody chose may be anybody's.
        (&[("host.name", &long[..63])], "10.1.2.5", by_pod),
        (&[("host.name", "primary")], "0.0.0.0", unknown),
        // A Collector on the way may have put its own host name there.
        (&[("host.name", "mysql-7d9f"), ("k8s.pod.uid", "uid-item-1")], "10.1.2.3", by_pod),
    ] {
        let attributes: Vec<_> = attributes.iter().map(|(key, value)| (*key, text(value))).collect();
        world.check(&attributes, &[expected], report);
    }
}

#[test]
fn a_connection_that_can_be_no_pods_is_no_candidate() {
    let unknown = Report { address_unknown: 1, ..Report::default() };
    World { peer: NODE, ..World::with_node() }.check(&[], &["0.0.0.0"], unknown);
    for peer in ["127.0.0.1", "::1", "169.254.1.1", "none"] {
        World { peer, ..World::default() }.check(&[], &["0.0.0.0"], unknown);
    }
    let covering = |pods| Table { pods, covers_cluster: true, ..Table::default() };
    World { table: covering(vec![]), ..World::default() }.check(&[], &["0.0.0.0"], unknown);
    let known = covering(vec![pod("item-1", &[PEER])]);
    let by_connection = Report { address_connection: 1, ..Report::default() };
    World { table: known, ..World::default() }.check(&[], &[PEER], by_connection);
}

#[test]
fn an_unknown_address_that_is_marked_already_stays_as_it_is() {
    let world = World { peer: "none", ..World::default() };
    let unknown = Report { address_unknown: 1, ..Report::default() };
    world.check_texts(&["0.0.0.0"], &["0.0.0.0"], unknown);
    let repaired = Report { addresses_repaired: 1, ..unknown };
    world.check_texts(&["0.0.0.0", "0.0.0.0"], &["0.0.0.0"], repaired);
    world.check_texts(&["::"], &["0.0.0.0"], repaired);
    world.check_texts(&["unknown"], &["0.0.0.0"], repaired);
}

#[test]
fn without_the_third_rule_nothing_is_added_or_put_in_order() {
    let world = || World { rules: Rules { require_host_ip: false, ..Rules::AGENT }, ..World::default() };
    world().check(&[], &[], Report::default());
    assert_eq!(world().send(None), (vec![], Report::default()));
    let kept = Report { address_kept: 1, ..Report::default() };
    world().check_texts(&["::ffff:10.1.1.1"], &["::ffff:10.1.1.1"], kept);
    world().check_texts(&["10.1.1.1", "10.1.1.1"], &["10.1.1.1", "10.1.1.1"], kept);
    let repaired = Report { address_connection: 1, addresses_repaired: 1, ..Report::default() };
    world().check_texts(&["unknown"], &[PEER], repaired);
}

#[test]
fn without_the_fourth_rule_nothing_is_repaired_from_elsewhere() {
    let rules = Rules { repair_host_ip: false, ..Rules::AGENT };
    let world = World { rules, pod: Some(pod("item-1", &["10.1.2.3"])), ..World::default() };
    let unknown = Report { address_unknown: 1, ..Report::default() };
    world.check(&[(POD_IP, text("10.7.7.7"))], &["0.0.0.0"], unknown);
    world.check_texts(&["unknown"], &["0.0.0.0"], Report { addresses_repaired: 1, ..unknown });
}

#[test]
fn without_the_fifth_rule_what_is_unknown_stays_as_it_came() {
    let rules = Rules { mark_unknown: false, ..Rules::AGENT };
    let world = World { rules, peer: "none", ..World::default() };
    world.check(&[], &[], Report::default());
    assert_eq!(world.send(None), (vec![], Report::default()));
    world.check_texts(&["unknown"], &["unknown"], Report::default());
}

#[test]
fn without_rules_for_addresses_they_are_counted_and_nothing_else() {
    let world = || World { rules: Rules::OTHER, ..World::default() };
    world().check(&[], &[], Report::default());
    world().check_texts(&["unknown"], &["unknown"], Report::default());
    world().check_texts(&["10.1.1.1"], &["10.1.1.1"], Report { address_kept: 1, ..Report::default() });
    let wrote = World { wrote: Some("10.1.2.3"), ..world() };
    wrote.check(&[], &["10.1.2.3"], Report { address_pipeline: 1, ..Report::default() });
}

#[test]
fn a_pod_that_has_ended_leaves_its_address_to_the_next() {
    let ended = Pod { released: Some(u64::MAX), ..pod("job-1", &[PEER]) };
    let contradicted = Report { address_contradicted: 1, ..Report::default() };
    let world = World {
        pod: Some(ended),
        table: Table { pods: vec![pod("item-1", &[PEER])], ..Table::default() },
        ..World::default()
    };
    world.check(&[], &["0.0.0.0"], contradicted);
    let repaired = Report { addresses_repaired: 1, ..contradicted };
    World { wrote: Some(PEER), ..world }.check(&[], &["0.0.0.0"], repaired);
}
