use std::time::Duration;

use kube::client::Body;
use serde_json::json;

use super::messages::*;
use super::*;
use crate::pods::kubernetes::api::Opened;
use crate::pods::kubernetes::events::Events;

/// A frame without its length, as an API server makes it.
fn event(kind: &str, object: &impl prost::Message) -> Vec<u8> {
    let raw = [MAGIC, &Unknown { raw: object.encode_to_vec() }.encode_to_vec()].concat();
    WatchEvent { r#type: kind.to_owned(), object: Some(RawExtension { raw }) }.encode_to_vec()
}

fn framed(events: &[Vec<u8>]) -> Vec<u8> {
    let frame = |event: &Vec<u8>| [&(event.len() as u32).to_be_bytes(), &event[..]].concat();
    events.iter().flat_map(frame).collect()
}

fn named(name: &str) -> Pod {
    let metadata =
        ObjectMeta { name: name.to_owned(), resource_version: "7".to_owned(), ..ObjectMeta::default() };
    Pod { metadata: Some(metadata), ..Pod::default() }
}

fn events(bytes: Vec<u8>) -> Events {
    Events::new(Opened {
        body: Body::from(bytes),
        content_type: "application/vnd.kubernetes.protobuf;stream=watch".into(),
    })
}

async fn next(events: &mut Events) -> Result<Option<Event>, Failure> {
    events.next(Duration::from_secs(60)).await
}

#[test]
fn a_pod_is_the_same_in_both_forms() {
    let json = json!({
        "metadata": {
            "name": "web-6d4cf-x2x7k", "namespace": "shop", "uid": "u-1", "resourceVersion": "42",
            "creationTimestamp": "2026-11-20T08:00:00Z", "deletionTimestamp": "2026-11-20T09:00:00Z",
            "labels": {"app": "web", "pod-template-hash": "6d4cf"}, "annotations": {"a": ""},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-6d4cf"}],
        },
        "spec": {
            "nodeName": "node-1", "hostname": "web", "hostNetwork": true,
            "containers": [{"name": "app"}], "initContainers": [{"name": "init"}],
            "ephemeralContainers": [{"name": "debug"}],
        },
        "status": {
            "phase": "Running", "podIP": "10.1.0.7", "podIPs": [{"ip": "10.1.0.7"}, {"ip": "fd00::7"}],
            "hostIP": "192.168.0.1", "hostIPs": [{"ip": "192.168.0.1"}], "startTime": "1969-12-31T23:59:59Z",
            "containerStatuses": [
                {"name": "app", "containerID": "containerd://2", "lastState": {"terminated": {"containerID": "containerd://1"}}},
            ],
            "initContainerStatuses": [{"name": "init", "containerID": "containerd://3"}],
            "ephemeralContainerStatuses": [{"name": "debug", "containerID": "containerd://4"}],
        },
    });
    let text = str::to_owned;
    let container = |name: &str| Container { name: text(name) };
    let state = |name: &str, id: &str, last: Option<&str>| ContainerStatus {
        name: text(name),
        container_id: text(id),
        last_state: last.map(|id| ContainerState { terminated: Some(Terminated { container_id: text(id) }) }),
    };
    let address = |ip: &str| Address { ip: text(ip) };
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| (text(key), text(value))).collect();
    let pod = Pod {
        metadata: Some(ObjectMeta {
            name: text("web-6d4cf-x2x7k"),
            namespace: text("shop"),
            uid: text("u-1"),
            resource_version: text("42"),
            creation_timestamp: Some(Time { seconds: 1_795_161_600 }),
            deletion_timestamp: Some(Time { seconds: 1_795_165_200 }),
            labels: pairs(&[("app", "web"), ("pod-template-hash", "6d4cf")]),
            annotations: pairs(&[("a", "")]),
            owner_references: vec![OwnerReference { kind: text("ReplicaSet"), name: text("web-6d4cf") }],
        }),
        spec: Some(PodSpec {
            containers: vec![container("app")],
            node_name: text("node-1"),
            host_network: true,
            hostname: text("web"),
            init_containers: vec![container("init")],
            ephemeral_containers: vec![EphemeralContainer { common: Some(container("debug")) }],
        }),
        status: Some(PodStatus {
            phase: text("Running"),
            host_ip: text("192.168.0.1"),
            pod_ip: text("10.1.0.7"),
            start_time: Some(Time { seconds: -1 }),
            container_statuses: vec![state("app", "containerd://2", Some("containerd://1"))],
            init_container_statuses: vec![state("init", "containerd://3", None)],
            pod_ips: vec![address("10.1.0.7"), address("fd00::7")],
            ephemeral_container_statuses: vec![state("debug", "containerd://4", None)],
            host_ips: vec![address("192.168.0.1")],
        }),
    };
    let Ok(Event::Applied(read)) = parse(&event("ADDED", &pod)) else { panic!() };
    let expected: Item = serde_json::from_value(json).unwrap();
    assert_eq!(format!("{read:#?}"), format!("{expected:#?}"));
}

#[test]
fn every_type_of_event_is_read() {
    assert!(matches!(parse(&event("MODIFIED", &named("a"))), Ok(Event::Applied(_))));
    assert!(matches!(parse(&event("DELETED", &named("a"))), Ok(Event::Deleted(_))));
    let mut marked = named("");
    let bookmark = parse(&event("BOOKMARK", &marked));
    assert!(matches!(bookmark, Ok(Event::Bookmark { version, is_whole: false }) if version == "7"));
    let annotation = (INITIAL_EVENTS_END.to_owned(), "true".to_owned());
    marked.metadata.as_mut().unwrap().annotations.extend([annotation]);
    assert!(matches!(parse(&event("BOOKMARK", &marked)), Ok(Event::Bookmark { is_whole: true, .. })));
    let gone = Status { message: "too old".to_owned(), code: 410 };
    let failure = parse(&event("ERROR", &gone)).unwrap_err();
    assert!(failure.needs_list() && failure.message.contains("too old"), "{failure:?}");
    assert_eq!(parse(&event("OTHER", &named("a"))).unwrap_err().reason, Reason::Invalid);
}

#[test]
fn what_is_no_event_is_told_and_a_pod_that_cannot_be_read_is_known_by_its_name() {
    let whole = event("ADDED", &named("a"));
    for end in 0..whole.len() {
        assert_eq!(parse(&whole[..end]).unwrap_err().reason, Reason::Invalid, "{end} bytes");
    }
    assert!(parse(b"{\"type\": \"ADDED\"}").is_err());
    // A phase that is not UTF-8.
    let mut odd = named("odd").encode_to_vec();
    odd.extend(b"\x1a\x03\x0a\x01\xff");
    let raw = [MAGIC, &Unknown { raw: odd }.encode_to_vec()].concat();
    let odd = WatchEvent { r#type: "ADDED".to_owned(), object: Some(RawExtension { raw }) }.encode_to_vec();
    let Ok(Event::Unreadable { metadata, .. }) = parse(&odd) else { panic!() };
    assert_eq!(metadata.name.as_deref(), Some("odd"));
}

#[tokio::test]
async fn frames_are_told_apart_and_the_last_may_be_cut_off() {
    let both = framed(&[event("ADDED", &named("a")), event("DELETED", &named("b"))]);
    let cut = &both[..both.len() - 1];
    let mut events = events([&both[..], cut].concat());
    for deleted in [false, true, false] {
        let event = next(&mut events).await.unwrap().unwrap();
        assert_eq!(matches!(event, Event::Deleted(_)), deleted, "{event:?}");
    }
    assert!(next(&mut events).await.unwrap().is_none());
}

#[tokio::test]
async fn a_frame_that_says_it_is_huge_takes_no_memory() {
    let failure = next(&mut events(b"\xff\xff\xff\xff".to_vec())).await.unwrap_err();
    assert!(failure.reason == Reason::Invalid && failure.message.contains("more than"), "{failure:?}");
}
