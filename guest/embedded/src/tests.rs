use podstamp_core::directory::{Fields, KeptKeys};
use podstamp_core::interface::{Encoding, Header, Outcome, Request, Signal};
use podstamp_pods::{Coverage, PodParts, Table, listing};
use serde_json::{Value, json};

use crate::{Embedded, Stamped, describe};

/// A text of one pod.
fn pod(name: &str, address: [u8; 4]) -> Vec<u8> {
    let mut table = Table::new(Fields::ALL, KeptKeys::default(), Coverage::Cluster);
    let uid = format!("uid-of-{name}");
    let parts =
        PodParts { name: name.into(), uid: uid.into(), ips: vec![address.into()], ..PodParts::default() };
    table.upsert(&parts).unwrap();
    listing::write_full(&table, Fields::ALL).into_bytes()
}

fn cart() -> Vec<u8> {
    pod("cart-0", [10, 244, 1, 20])
}

/// What becomes of one span of a host, sent as JSON.
fn stamp(filter: &Embedded, signal: Signal, host: &str) -> Stamped {
    let resource = json!({"attributes": [{"key": "host.name", "value": {"stringValue": host}}]});
    let body = match signal {
        Signal::Traces => {
            json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [{"name": "a"}]}]}]})
        }
        Signal::Metrics => json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [
            {"name": "a", "gauge": {"dataPoints": [{"asInt": "1"}]}}
        ]}]}]}),
        Signal::Logs => {
            json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [{}]}]}]})
        }
    };
    filter.stamp(&Request {
        signal,
        path: signal.path(),
        peer: Some([10, 9, 9, 9].into()),
        headers: &[Header::new("content-type", "application/json")],
        body: body.to_string().as_bytes(),
        now: None,
    })
}

fn contains(stamped: &Stamped, text: &str) -> bool {
    let Stamped::Changed(body) = stamped else { panic!("{stamped:?}") };
    body.windows(text.len()).any(|bytes| bytes == text.as_bytes())
}

fn configured(document: &Value) -> Embedded {
    Embedded::configure(&document.to_string()).unwrap_or_else(|faults| panic!("{}", describe(&faults)))
}

#[test]
fn nothing_at_all_is_the_load_balancer_pipeline() {
    for nothing in ["", " \n", "{}", r#"{"podstamp": {}}"#] {
        let mut filter = Embedded::configure(nothing).unwrap();
        filter.read_pods(cart()).unwrap();
        for signal in Signal::ALL {
            let stamped = stamp(&filter, signal, "cart-0");
            assert!(contains(&stamped, "k8s.pod.name") && contains(&stamped, "10.244.1.20"), "{nothing:?}");
        }
        let notices: Vec<_> = filter.filter().notices().iter().map(|notice| &notice.message).collect();
        assert!(!notices.iter().any(|notice| notice.contains("exporters")), "{notices:?}");
        assert!(filter.pods_path().starts_with("/pods?fields="), "{}", filter.pods_path());
    }
}

#[test]
fn processors_alone_run_over_every_signal_with_k8sattributes_first() {
    let mut filter = configured(&json!({"processors": {
        "resource": {"attributes": [{"key": "copy", "from_attribute": "k8s.pod.uid", "action": "insert"}]},
        "k8sattributes": {"extract": {"metadata": ["k8s.pod.uid"]}, "pod_association": [
            {"sources": [{"from": "resource_attribute", "name": "host.name"}]},
            {"sources": [{"from": "resource_attribute", "name": "k8s.pod.name"}]},
            {"sources": [{"from": "connection"}]},
        ]},
    }}));
    filter.read_pods(pod("nobody", [10, 9, 9, 9])).unwrap();
    for signal in Signal::ALL {
        let stamped = stamp(&filter, signal, "nobody");
        assert!(contains(&stamped, "copy") && contains(&stamped, "uid-of-nobody"), "{signal:?}");
    }
}

#[test]
fn two_processors_of_a_type_need_an_order() {
    let actions = |key: &str| json!({"attributes": [{"key": key, "value": "x", "action": "insert"}]});
    let mut document = json!({"processors": {"resource/a": actions("a"), "resource/b": actions("b")}});
    let faults = Embedded::configure(&document.to_string()).unwrap_err();
    assert_eq!(
        describe(&faults),
        "service.pipelines.traces.processors: missing: \"resource/a\" and \"resource/b\" are of one type, so say in which \
         order processors run"
    );
    document["service"] = json!({"pipelines": {"traces": {"processors": ["resource/b", "resource/a"]}}});
    let filter = configured(&document);
    assert!(contains(&stamp(&filter, Signal::Traces, "x"), "app.host.ip"));
    assert!(matches!(stamp(&filter, Signal::Logs, "x"), Stamped::Refused(_)), "logs have no pipeline");
}

#[test]
fn headers_are_there_for_actions_without_saying_so() {
    let action = json!({"key": "tenant", "from_context": "metadata.x-tenant", "action": "insert"});
    let filter = configured(&json!({"processors": {"resource": {"attributes": [action]}}}));
    assert!(filter.filter().request_headers().contains(&"x-tenant".to_owned()));
}

#[test]
fn a_whole_document_stays_as_it_is() {
    let filter = configured(&json!({
        "exporters": {"otlphttp": {"traces_endpoint": "http://10.0.0.1/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {"exporters": ["otlphttp"]}}},
    }));
    assert_eq!(filter.filter().config().traces.exporter.url, "http://10.0.0.1/api/v1/otel/trace");
    assert!(contains(&stamp(&filter, Signal::Traces, "x"), "10.9.9.9"));
}

#[test]
fn all_faults_come_at_once_with_their_paths() {
    let document = json!({
        "processors": {"resource": {"attributes": [{"key": "a", "action": "insret"}]}},
        "podstamp": {"guard": {"enabled": "perhaps"}},
    });
    let faults = describe(&Embedded::configure(&document.to_string()).unwrap_err());
    for path in ["processors.resource.attributes[0]", "podstamp.guard.enabled: "] {
        assert!(faults.contains(path), "{path} in {faults}");
    }
    assert!(describe(&Embedded::configure("{").unwrap_err()).starts_with("not JSON: "));
    assert!(describe(&Embedded::configure("[]").unwrap_err()).len() > 10);
    for odd in [
        r#"{"service": 1}"#,
        r#"{"service": {"pipelines": []}}"#,
        r#"{"processors": 1}"#,
        r#"{"exporters": "x"}"#,
    ] {
        assert!(Embedded::configure(odd).is_err(), "{odd}");
    }
}

#[test]
fn a_text_that_is_no_list_of_pods_leaves_the_table_alone() {
    let mut filter = Embedded::configure("").unwrap();
    // Each text names an epoch of its own, some of which are a digit shorter.
    let whole = cart();
    filter.read_pods(whole.clone()).unwrap();
    let cut = &whole[..whole.len() - 1];
    for bad in [b"", &b"no pods"[..], b"podstamp-pods 9\tfull\n", cut] {
        assert!(filter.read_pods(bad.to_vec()).is_err(), "{bad:?}");
        assert_eq!(filter.pods().unwrap().len(), 1);
    }
    assert!(contains(&stamp(&filter, Signal::Traces, "cart-0"), "10.244.1.20"));
}

#[test]
fn an_empty_request_is_no_refusal() {
    let filter = Embedded::configure("").unwrap();
    let headers = [Header::new("content-type", "application/x-protobuf")];
    let request = |body| Request {
        signal: Signal::Traces,
        path: "/v1/traces",
        peer: None,
        headers: &headers,
        body,
        now: None,
    };
    assert!(matches!(filter.stamp(&request(b"")), Stamped::Empty(answer) if answer.status == 200));
    assert!(matches!(filter.stamp(&request(b"\xff")), Stamped::Refused(answer) if answer.status == 400));
}

#[test]
fn the_end_of_the_only_attempt_is_an_answer() {
    let filter = Embedded::configure("").unwrap();
    let status = |outcome| filter.conclude(Signal::Traces, Encoding::Protobuf, &outcome).status;
    for (said, told) in [(200, 200), (400, 400), (404, 500), (429, 429), (503, 503)] {
        assert_eq!(status(Outcome::Response { status: said, headers: &[], body: b"" }), told, "{said}");
    }
    assert_eq!(status(Outcome::NotConnected("refused")), 503);
    assert_eq!(status(Outcome::TimedOut), 504);
    assert_eq!(status(Outcome::Closed(b"")), 503);
    assert_eq!(status(Outcome::Closed(b"\xff")), 400);
    // It would be mended and sent again.
    let name_that_is_no_text = b"\x0a\x08\x12\x06\x12\x04\x2a\x02\xff\xfe";
    assert_eq!(status(Outcome::Closed(name_that_is_no_text)), 400);
}

#[test]
fn what_nobody_would_carry_out_in_a_host_is_a_fault_there() {
    let exporter = |more: Value| {
        let mut exporter = json!({"traces_endpoint": "http://10.0.0.1/api/v1/otel/trace"});
        exporter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        exporter
    };
    let to = |exporters: Value| json!({"exporters": exporters}).to_string();
    assert!(Embedded::configure_hosted("").is_ok());
    assert!(Embedded::configure_hosted(&to(json!({"otlphttp": exporter(json!({}))}))).is_ok());
    let authenticated = json!({
        "extensions": {"bearertokenauth": {"token": "secret"}},
        "receivers": {"otlp": {"protocols": {"http": {"auth": {"authenticator": "bearertokenauth"}}}}},
        "exporters": {"otlphttp": exporter(json!({"auth": {"authenticator": "bearertokenauth"}}))},
        "service": {
            "extensions": ["bearertokenauth"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlphttp"]}},
        },
    });
    for (document, paths) in [
        (
            to(json!({"otlphttp": exporter(json!({"headers": {"x-tenant": "a"}}))})),
            &["exporters.otlphttp.headers: "][..],
        ),
        (
            to(json!({"otlphttp/a": exporter(json!({})), "otlphttp/b": exporter(json!({}))})),
            &["service.pipelines.traces.exporters: "],
        ),
        (authenticated.to_string(), &["receivers.otlp.protocols: ", "exporters.otlphttp.auth: "]),
    ] {
        assert!(Embedded::configure(&document).is_ok(), "{document}");
        let faults = describe(&Embedded::configure_hosted(&document).unwrap_err());
        assert!(paths.iter().all(|path| faults.contains(path)), "{paths:?} in {faults}");
        assert_eq!(faults.lines().count(), paths.len(), "{faults}");
    }
}
