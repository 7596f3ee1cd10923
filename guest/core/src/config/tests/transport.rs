//! Receiver, exporter and podstamp's own section.

use serde_json::{Value, json};

use super::{faults, notices, parsed, simple, simple_with};
use crate::config::{Compression, Keepalive, Limits, Retry};
use crate::guard::Rules;

fn receiving(http: Value) -> Value {
    simple_with("receivers", json!({"otlp": {"protocols": {"http": http}}}))
}

fn exporting(settings: Value) -> Value {
    let mut document = simple();
    for (key, value) in settings.as_object().unwrap() {
        document["exporters"]["otlphttp"][key] = value.clone();
    }
    document
}

#[test]
fn the_receiver_listens_where_it_is_told() {
    for (endpoint, expected) in [
        (json!("0.0.0.0:4318"), "0.0.0.0:4318"),
        (json!("localhost:0"), "localhost:0"),
        (json!("[::]:4318"), "[::]:4318"),
        (json!(":4318"), "0.0.0.0:4318"),
        (json!(null), "127.0.0.1:4318"),
        (json!(""), "127.0.0.1:4318"),
    ] {
        assert_eq!(
            parsed(&receiving(json!({"endpoint": endpoint}))).receiver.http.unwrap().endpoint,
            expected
        );
    }
    for endpoint in
        ["4318", "host", "host:", "host:x", "host:70000", "::1:4318", "a:1:2", "http://host:1", "[::1]"]
    {
        assert_eq!(faults(&receiving(json!({"endpoint": endpoint}))).len(), 1, "{endpoint}");
    }
    let receiver = parsed(&receiving(json!({"traces_url_path": "otlp/traces"}))).receiver;
    assert_eq!(receiver.traces_path(), "/otlp/traces");
    assert_eq!(parsed(&receiving(json!(null))).receiver.traces_path(), "/v1/traces");
}

#[test]
fn what_the_receiver_has_not_got_is_refused_where_it_protects_and_told_otherwise() {
    assert_eq!(faults(&receiving(json!({"middlewares": [{"id": "x"}]}))).len(), 1);
    for key in ["tls", "auth", "cors", "middlewares"] {
        assert_eq!(faults(&receiving(json!({key: null}))), [""; 0], "{key}");
    }
    for (http, level) in [
        (json!({"idle_timeout": "1m"}), "Info"),
        (json!({"compression_algorithms": ["zstd"]}), "Info"),
        (json!({"metrics_url_path": "/m"}), "Info"),
    ] {
        let usual = notices(&receiving(json!({})));
        let found: Vec<_> =
            notices(&receiving(http.clone())).into_iter().filter(|it| !usual.contains(it)).collect();
        assert!(found.len() == 1 && found[0].starts_with(level), "{http} {found:?}");
    }
}

#[test]
fn each_protocol_that_is_named_is_received() {
    let protocols = |protocols: Value| simple_with("receivers", json!({"otlp": {"protocols": protocols}}));
    let endpoints = |document: &Value| {
        let receiver = parsed(document).receiver;
        (receiver.http.map(|http| http.endpoint), receiver.grpc.map(|grpc| grpc.endpoint))
    };
    let both = (Some("127.0.0.1:4318".to_owned()), Some("127.0.0.1:4317".to_owned()));
    assert_eq!(endpoints(&simple()), both, "none is configured");
    assert_eq!(endpoints(&protocols(json!({"grpc": null, "http": null}))), both);
    assert_eq!(endpoints(&protocols(json!({"http": null}))), (both.0.clone(), None));
    assert_eq!(
        endpoints(&protocols(json!({"grpc": {"endpoint": ":4317"}}))),
        (None, Some("0.0.0.0:4317".to_owned()))
    );
    for nothing in [json!(null), json!({})] {
        assert!(faults(&protocols(nothing))[0].starts_with("receivers.otlp.protocols: names neither"));
    }
}

#[test]
fn what_protects_a_protocol_is_read_and_one_listener_has_one_identity() {
    let tls = json!({"cert_file": "/tls/crt", "key_file": "/tls/key"});
    let both = |http: Value, grpc: Value| {
        let mut document =
            simple_with("receivers", json!({"otlp": {"protocols": {"http": http, "grpc": grpc}}}));
        document["extensions"] = json!({"bearertokenauth": {"token": "t"}});
        document["service"]["extensions"] = json!(["bearertokenauth"]);
        document
    };
    let auth = json!({"authenticator": "bearertokenauth"});
    let one = "0.0.0.0:4317";
    let document = both(
        json!({"endpoint": one, "tls": tls, "auth": auth, "cors": {"allowed_origins": ["http://a"]}}),
        json!({"endpoint": one, "tls": tls, "auth": auth}),
    );
    let receiver = parsed(&document).receiver;
    let (http, grpc) = (receiver.http.unwrap(), receiver.grpc.unwrap());
    assert!(http.tls.is_some() && http.auth.is_some() && http.cors.is_some());
    assert!(grpc.tls.is_some() && grpc.auth.is_some());

    let clear = both(json!({"auth": auth}), json!({}));
    let warned = notices(&clear);
    assert!(
        warned
            .iter()
            .any(|it| it.starts_with("Warning receivers.otlp.protocols.http.auth: there is no `tls`")),
        "{warned:?}"
    );
    assert!(!notices(&document).iter().any(|it| it.contains("there is no `tls`")));

    let differs = both(json!({"endpoint": one, "tls": tls}), json!({"endpoint": one}));
    assert!(faults(&differs)[0].starts_with("receivers.otlp.protocols.grpc: has the endpoint of `http`"));
    let apart = both(json!({"endpoint": "0.0.0.0:0", "tls": tls}), json!({"endpoint": "0.0.0.0:0"}));
    assert!(parsed(&apart).receiver.grpc.unwrap().tls.is_none());
}

#[test]
fn grpc_has_the_collectors_keys() {
    let grpc = |grpc: Value| simple_with("receivers", json!({"otlp": {"protocols": {"grpc": grpc}}}));
    let document = grpc(json!({
        "max_recv_msg_size_mib": 16,
        "max_concurrent_streams": 32,
        "keepalive": {"server_parameters": {
            "max_connection_idle": "11s", "max_connection_age": "12s", "max_connection_age_grace": "13s",
            "time": "14s", "timeout": "15s",
        }},
    }));
    let config = parsed(&document);
    let read = config.receiver.grpc.unwrap();
    assert_eq!((read.max_message, read.max_concurrent_streams), (Some(16 << 20), 32));
    let Keepalive { max_connection_idle, max_connection_age, max_connection_age_grace, time, timeout } =
        read.keepalive;
    assert_eq!((max_connection_idle, max_connection_age), (Some(11_000), Some(12_000)));
    assert_eq!((max_connection_age_grace, time, timeout), (13_000, 14_000, 15_000));
    assert_eq!(config.limits.body, 16 << 20);
    assert_eq!(faults(&grpc(json!({"middlewares": [{"id": "x"}]}))).len(), 1);
    assert_eq!(faults(&grpc(json!({"max_recv_msg_size_mib": 4096, "keepalive": {"client": 1}}))).len(), 2);
}

#[test]
fn bodies_are_limited_by_podstamps_key_or_else_by_the_receivers() {
    assert_eq!(parsed(&simple()).limits, Limits::default());
    let mut document = receiving(json!({"max_request_body_size": 1048576}));
    assert_eq!(parsed(&document).limits.body, 1 << 20);
    document["podstamp"] = json!({"limits": {"body": "2MiB"}});
    assert_eq!(parsed(&document).limits.body, 2 << 20);
    assert_eq!(parsed(&receiving(json!({"max_request_body_size": 0}))).limits.body, 64 << 20);
}

#[test]
fn the_exporter_sends_where_it_is_told() {
    let at = |settings: Value| parsed(&exporting(settings)).traces.exporter;
    let exporter =
        at(json!({"traces_endpoint": "http://c:1/x", "endpoint": "http://agent/api/v1/otel/trace"}));
    assert_eq!(
        (exporter.url.as_str(), exporter.is_agent),
        ("http://c:1/x", false),
        "traces_endpoint wins, verbatim"
    );
    assert_eq!(exporter.tls, None);
    let exporter = at(json!({"traces_endpoint": "https://c/x"}));
    assert_eq!(exporter.tls.unwrap().path, "exporters.otlphttp.tls");
    let exporter = at(json!({"traces_endpoint": null, "endpoint": "http://c:4318/"}));
    assert_eq!(exporter.url, "http://c:4318/v1/traces");
    assert_eq!(exporter.url_key, "exporters.otlphttp.endpoint");
    assert!(!exporter.is_agent);
    assert_eq!(parsed(&exporting(json!({"traces_endpoint": "http://c:1/x"}))).traces.rules, Rules::OTHER);

    let path = "exporters.otlphttp";
    for (settings, expected) in [
        (json!({"traces_endpoint": null}), "traces_endpoint: is missing"),
        (
            json!({"traces_endpoint": "", "endpoint": "http://agent/api/v1/otel/trace"}),
            "endpoint: `/v1/traces` is appended",
        ),
        (
            json!({"traces_endpoint": "http://agent/api/v1/otel/trace/v1/traces"}),
            "traces_endpoint: deepflow-agent answers",
        ),
        (
            json!({"traces_endpoint": "http://agent/api/v1/otel/trace/"}),
            "traces_endpoint: deepflow-agent answers",
        ),
        (json!({"traces_endpoint": "agent:38086"}), "traces_endpoint: is no URL"),
        (json!({"encoding": "json"}), "encoding: podstamp sends protobuf"),
        (json!({"compression": "zstd"}), "compression: podstamp compresses with gzip only"),
        (json!({"compression": "gzpi"}), "compression: `gzpi` is none of none, gzip"),
        (json!({"compression_params": {"level": 10}}), "compression_params.level: expected a whole number"),
        (json!({"compression_params": {"level": -2}}), "compression_params.level: expected a whole number"),
        (json!({"compression_params": {"level": "6"}}), "compression_params.level: expected a whole number"),
        (json!({"compression_params": {"lvl": 6}}), "compression_params.lvl: unknown key"),
        (json!({"auth": {"authenticator": "x"}}), "auth.authenticator: `extensions` defines no `x`"),
        (json!({"proxy_url": "http://p"}), "proxy_url: podstamp cannot"),
        (
            json!({"headers": {"Content-Length": "1"}}),
            "headers.Content-Length: podstamp sets this header itself",
        ),
        (json!({"tls": {"insecur": true}}), "tls.insecur: unknown key; did you mean `insecure`?"),
        (
            json!({"retry_on_failure": {"randomization_factor": 2}}),
            "retry_on_failure.randomization_factor: is over 1",
        ),
        (
            json!({"retry_on_failure": {"multiplier": -1}}),
            "retry_on_failure.multiplier: expected a number from 0",
        ),
    ] {
        let faults = faults(&exporting(settings.clone()));
        assert!(
            faults.len() == 1 && faults[0].starts_with(&format!("{path}.{expected}")),
            "{settings} {faults:?}"
        );
    }
}

#[test]
fn the_exporter_compresses_with_gzip_where_it_is_told_to() {
    let gzip = |level| Compression::Gzip { level };
    for (settings, expected) in [
        (json!({}), Compression::None),
        (json!({"compression": null}), Compression::None),
        (json!({"compression": ""}), Compression::None),
        (json!({"compression": "none", "compression_params": {"level": 9}}), Compression::None),
        (json!({"compression": "gzip"}), gzip(1)),
        (json!({"compression": "gzip", "compression_params": null}), gzip(1)),
        (json!({"compression": "gzip", "compression_params": {"level": -1}}), gzip(1)),
        (json!({"compression": "gzip", "compression_params": {"level": 0}}), gzip(1)),
        (json!({"compression": "gzip", "compression_params": {"level": 1}}), gzip(1)),
        (json!({"compression": "gzip", "compression_params": {"level": 9.0}}), gzip(9)),
    ] {
        let document = exporting(settings.clone());
        assert_eq!(parsed(&document).traces.exporter.compression, expected, "{settings}");
        assert_eq!(notices(&document), [""; 0], "{settings}");
    }
    for other in ["zlib", "deflate", "snappy", "x-snappy-framed", "zstd", "lz4"] {
        let faults = faults(&exporting(json!({"compression": other})));
        assert!(faults[0].contains("all that deepflow-agent reads"), "{faults:?}");
    }
}

#[test]
fn the_exporters_settings_are_the_collectors() {
    let exporter = parsed(&exporting(json!({
        "timeout": "10s",
        "compression": "none",
        "encoding": "proto",
        "write_buffer_size": 524288,
        "headers": [{"name": "X-Scope-OrgID", "value": 7}],
        "retry_on_failure": {
            "enabled": false,
            "initial_interval": "1s",
            "randomization_factor": 0,
            "multiplier": 2,
            "max_interval": "5s",
            "max_elapsed_time": 0,
        },
    })))
    .traces
    .exporter;
    assert_eq!(exporter.timeout, 10_000);
    assert_eq!(exporter.headers, [crate::interface::Header::new("x-scope-orgid", "7")]);
    let expected = Retry {
        enabled: false,
        initial_interval: 1_000,
        randomization_factor: 0.0,
        multiplier: 2.0,
        max_interval: 5_000,
        max_elapsed_time: 0,
    };
    assert_eq!(exporter.retry, expected);
    assert_eq!(parsed(&exporting(json!({"timeout": 0}))).traces.exporter.timeout, u32::MAX);
    for (settings, expected) in [
        (
            json!({"metrics_endpoint": "http://x"}),
            "Info exporters.otlphttp.metrics_endpoint: has no effect here",
        ),
        (json!({"tls": {"ca_file": "x"}}), "Warning exporters.otlphttp.tls: has no effect here"),
    ] {
        let found = notices(&exporting(settings.clone()));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{settings} {found:?}");
    }
}
