//! What is wrong with a document, and what is said about it.

use serde_json::{Value, json};

use super::{balanced, faults, simple, simple_with};
use crate::config::{Unset, read_all, resolve};
use crate::guard::Rules;

#[test]
fn all_faults_of_a_document_are_reported_at_once_each_with_its_path() {
    let document = json!({
        "recievers": {},
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": "nowhere", "tls": {"cert_file": "x"}}}}},
        "processors": {
            "k8sattribute": {},
            "k8sattributes": {"passthrough": "yes", "extract": {"metadata": ["k8s.pod.nam"]}},
            "resource": {"attributes": [
                {"key": "app.host.ip", "from_atribute": "k8s.pod.ip", "action": "insert"},
                {"key": "a", "value": 1, "action": "inster"},
            ]},
        },
        "exporters": {"otlphttp": {"traces_endpoint": "htps://agent/x", "timeout": 30}},
        "service": {"pipelines": {"traces": {
            "receivers": ["otlp", "jaeger"],
            "processors": ["k8sattributes", "resource", "batch"],
            "exporters": ["otlphttp"],
        }}},
        "podstamp": {"limits": {"body": "lots"}, "trusted_proxies": ["everybody"]},
    });
    let expected = [
        "service.pipelines.traces.receivers[1]: `receivers` defines no `jaeger`",
        "service.pipelines.traces.processors[2]: `processors` defines no `batch`",
        "recievers: unknown key; did you mean `receivers`?",
        "receivers.otlp.protocols.http.endpoint: `nowhere` is no address to listen on: write `nowhere:4318`",
        "receivers.otlp.protocols.http.tls.key_file: is missing: a certificate is of no use without its key",
        "processors.k8sattributes.extract.metadata[0]: `k8s.pod.nam` is no metadata that k8sattributes extracts; did \
         you mean `k8s.pod.name`?",
        "processors.k8sattributes.passthrough: expected true or false, found a text",
        "processors.resource.attributes[0].from_atribute: unknown key; did you mean `from_attribute`?",
        "processors.resource.attributes[0]: has nothing to write: give it value, from_attribute, from_context or \
         default_value",
        "processors.resource.attributes[1].action: `inster` is none of insert, update, upsert, delete, hash, extract, \
         convert; did you mean `insert`?",
        "exporters.otlphttp.traces_endpoint: is no URL: begin it with http:// or https://",
        "exporters.otlphttp.timeout: a duration needs a unit: write `30s`",
        "podstamp.trusted_proxies[0]: `everybody` is neither an address nor a network such as 10.0.0.0/8",
        "podstamp.limits.body: `lots` is no size: write bytes, `512KiB` or `64MiB`",
    ];
    assert_eq!(faults(&document), expected);
}

#[test]
fn a_document_without_a_traces_pipeline_says_what_to_add() {
    assert_eq!(
        faults(&json!({})),
        [
            "service.pipelines.traces: is missing: it says which processors run, in which order, and which exporter sends"
        ]
    );
    assert_eq!(faults(&json!(null)), faults(&json!({})));
    let mut document = simple();
    document.as_object_mut().unwrap().remove("service");
    document["processors"]["resource"] = json!({"attributes": []});
    assert_eq!(
        faults(&document),
        [
            "service.pipelines.traces: is missing: add `processors: [k8sattributes, resource]` to it, in the order in \
             which they shall run",
            "processors.resource.attributes: is missing: a list of actions, each with `key` and `action`",
        ]
    );
    assert_eq!(
        faults(&json!([])),
        [": expected a section with keys, found a list".trim_start_matches(": "), &faults(&json!({}))[0]]
    );
}

#[test]
fn what_podstamp_cannot_do_is_a_fault_where_it_is_used() {
    for (section, list, id, expected) in [
        ("processors", "processors", "tail_sampling", "podstamp has no `tail_sampling` processor"),
        ("processors", "processors", "transform/x", "podstamp has no `transform` processor"),
        ("receivers", "receivers", "jaeger", "podstamp has no `jaeger` receiver"),
        ("exporters", "exporters", "otlp", "podstamp has no `otlp` exporter"),
        ("exporters", "exporters", "kafka", "podstamp has no `kafka` exporter"),
        ("connectors", "exporters", "spanmetrics", "podstamp has no `spanmetrics` connector"),
    ] {
        let mut document = simple();
        document["receivers"] = json!({"otlp": {"protocols": {"http": null}}});
        document["service"]["pipelines"]["traces"]["receivers"] = json!(["otlp"]);
        document[section][id] = json!({"anything": 1});
        let used = &mut document["service"]["pipelines"]["traces"][list];
        used.as_array_mut().unwrap().push(json!(id));
        let index = used.as_array().unwrap().len() - 1;
        let faults = faults(&document);
        let path = format!("service.pipelines.traces.{list}[{index}]: {expected}");
        assert!(faults.len() == 1 && faults[0].starts_with(&path), "{faults:?}");
    }
}

/// What the Collector has changes with every version, so that nothing is said of it.
#[test]
fn a_component_of_any_name_is_a_notice_unless_the_traces_pipeline_uses_it() {
    let mut document = simple();
    document["processors"]["drain"] = json!({"anything": 1});
    document["processors"]["k8sattribute"] = json!({});
    document["exporters"]["googlecloudstorage"] = json!({});
    document["extensions"] = json!({"datadog": {}, "a/": null, "": null});
    document["service"]["extensions"] = json!(["datadog"]);
    let why = |kind: &str| {
        format!("no effect here: podstamp has no such {kind}, and the traces pipeline uses none")
    };
    assert_eq!(
        super::notices(&document),
        [
            format!("Info processors.drain: has {}", why("processor")),
            format!("Info processors.k8sattribute: has {}; did you mean `k8s_attributes`?", why("processor")),
            format!("Info exporters.googlecloudstorage: has {}", why("exporter")),
            format!("Info extensions., extensions.a/, extensions.datadog: have {}", why("extension")),
        ]
    );
    document["service"]["pipelines"]["traces"]["processors"] = json!(["drain", "k8sattribute"]);
    let expected = |index, name: &str, hint: &str| {
        format!(
            "service.pipelines.traces.processors[{index}]: podstamp has no `{name}` processor, and leaving it out \
             would lose or change data{hint}"
        )
    };
    assert_eq!(
        faults(&document),
        [expected(0, "drain", ""), expected(1, "k8sattribute", "; did you mean `k8s_attributes`?")]
    );
    document["service"]["pipelines"]["traces"] =
        json!({"processors": ["resource"], "exporters": ["googlecloudstorage"]});
    let only = "service.pipelines.traces.exporters[0]: podstamp has no `googlecloudstorage` exporter, and leaving it \
                out would lose or change data";
    assert_eq!(faults(&document), [only]);
}

#[test]
fn pipelines_that_podstamp_cannot_run_are_faults() {
    let pipelines = "service.pipelines";
    for (pointer, value, expected) in [
        (
            format!("{pipelines}.traces/2"),
            json!({}),
            "service.pipelines.traces/2: podstamp runs one traces pipeline",
        ),
        (
            format!("{pipelines}.tracing"),
            json!({}),
            "service.pipelines.tracing: unknown kind of pipeline; did you mean",
        ),
        (
            format!("{pipelines}.traces.processors"),
            json!(["resource", "resource"]),
            "service.pipelines.traces.processors[1]: `resource` stands twice",
        ),
        (
            format!("{pipelines}.traces.processors"),
            json!(["resources"]),
            "service.pipelines.traces.processors[0]: `processors` defines no `resources`; did you mean `resource`?",
        ),
        (format!("{pipelines}.traces.sinks"), json!([]), "service.pipelines.traces.sinks: unknown key"),
    ] {
        let faults = faults(&simple_with(&pointer, value));
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{pointer} {faults:?}");
    }
    let mut document = simple_with("exporters.debug", json!(null));
    document["service"]["pipelines"]["traces"]["exporters"] = json!(["debug"]);
    assert_eq!(
        faults(&document),
        ["service.pipelines.traces.exporters: names no `otlphttp`, the only one that podstamp has"]
    );
    let mut document = simple();
    for absent in [json!(null), json!([])] {
        document["service"]["pipelines"]["traces"]["exporters"] = absent;
        assert!(
            crate::config::parse(&document).is_ok_and(|config| config.traces.exporter.is_agent),
            "the only exporter is used"
        );
    }
    document["exporters"]["otlphttp/2"] = json!({"endpoint": "http://other:4318"});
    assert_eq!(
        faults(&document),
        [
            "service.pipelines.traces.exporters: is missing: add `exporters: [...]`, with one of otlphttp, otlphttp/2"
        ]
    );
    document["service"]["pipelines"]["traces"]["exporters"] = json!(["otlphttp", "otlphttp/2"]);
    let config = crate::config::parse(&document).unwrap();
    assert_eq!((config.traces.exporter.id.as_str(), config.traces.rules), ("otlphttp", Rules::AGENT));
    let copies: Vec<_> =
        config.traces.copies.iter().map(|copy| (copy.id.as_str(), copy.url.as_str())).collect();
    assert_eq!(copies, [("otlphttp/2", "http://other:4318/v1/traces")]);
    assert!(config.notices.iter().any(|notice| &*notice.key == "config-copies"));
    // The agent has to be guarded wherever it stands.
    document["service"]["pipelines"]["traces"]["exporters"] = json!(["otlphttp/2", "otlphttp"]);
    let config = crate::config::parse(&document).unwrap();
    assert_eq!((config.traces.exporter.id.as_str(), config.traces.rules), ("otlphttp/2", Rules::AGENT));
    document["exporters"]["otlphttp/2"]["endpoint"] = json!("nowhere");
    document["exporters"]["otlphttp"]["timeout"] = json!("soon");
    assert_eq!(faults(&document).len(), 2, "faults of all of them are told");
}

#[test]
fn actions_that_the_collector_would_not_start_with_are_faults() {
    let path = "processors.resource.attributes[0]";
    for (action, expected) in [
        (json!({"key": "a", "value": 1}), ".action: is missing"),
        (json!({"value": 1, "action": "insert"}), ".key: is missing"),
        (json!({"key": "a", "action": "insert"}), ": has nothing to write"),
        (json!({"key": "a", "value": null, "action": "insert"}), ".value: is empty"),
        (json!({"key": "a", "from_attribute": "", "action": "insert"}), ": has nothing to write"),
        (
            json!({"key": "a", "value": 1, "from_attribute": "b", "action": "upsert"}),
            ": has several of value",
        ),
        (
            json!({"key": "a", "from_context": "x", "from_attribute": "b", "action": "update"}),
            ": has several of",
        ),
        (
            json!({"key": "a", "value": 1, "pattern": "x", "action": "insert"}),
            ".pattern: `insert` does not use",
        ),
        (
            json!({"key": "a", "value": 1, "converted_type": "int", "action": "insert"}),
            ".converted_type: `insert`",
        ),
        (
            json!({"key": "a", "value": 18446744073709551615_u64, "action": "insert"}),
            ".value: is a whole number beyond",
        ),
        (json!({"action": "delete"}), ".key: is missing: give `key`, or `pattern`"),
        (json!({"key": "a", "value": 1, "action": "delete"}), ".value: `delete` does not use"),
        (json!({"key": "a", "default_value": 1, "action": "hash"}), ".default_value: `hash` does not use"),
        (json!({"pattern": "(", "action": "hash"}), ".pattern: is no usable pattern"),
        (json!({"key": "a", "action": "extract"}), ".pattern: is missing"),
        (json!({"key": "a", "pattern": ".*", "action": "extract"}), ".pattern: every group must have a name"),
        (
            json!({"key": "a", "pattern": "(?P<x>.)(.)", "action": "extract"}),
            ".pattern: every group must have a name",
        ),
        (json!({"key": "a", "pattern": "\\p{Greek}", "action": "delete"}), ".pattern: is no usable pattern"),
        (json!({"key": "a", "action": "convert"}), ".converted_type: is missing"),
        (
            json!({"key": "a", "converted_type": "bool", "action": "convert"}),
            ".converted_type: `bool` is none of int",
        ),
        (json!({"key": "a", "include": {}, "action": "delete"}), ".include: unknown key"),
        (json!("insert"), ": expected a section with keys"),
    ] {
        let faults = faults(&simple_with("processors.resource.attributes", json!([action])));
        assert!(faults[0].starts_with(&format!("{path}{expected}")), "{action} {faults:?}");
        assert!(faults.len() == 1 || action.is_string(), "{action} {faults:?}");
    }
}

#[test]
fn settings_of_k8sattributes_that_cannot_work_are_faults() {
    let four = json!({"from": "connection"});
    for (settings, expected) in [
        (json!({"auth_type": "none of these"}), "auth_type: `none of these` is none of none, serviceAccount"),
        (json!({"pod_association": [{"sources": []}]}), "pod_association[0].sources: is missing"),
        (
            json!({"pod_association": [{"sources": [four, four, four, four, four]}]}),
            "pod_association[0].sources: has 5",
        ),
        (
            json!({"pod_association": [{"sources": [{"from": "label"}]}]}),
            "pod_association[0].sources[0].from: `label`",
        ),
        (json!({"pod_association": [{"sources": [{}]}]}), "pod_association[0].sources[0].from: is missing"),
        (
            json!({"pod_association": [{"sources": [{"from": "resource_attribute"}]}]}),
            "pod_association[0].sources[0].name: is missing",
        ),
        (
            json!({"pod_association": [{"sources": [{"from": "resource_attribute", "name": "k8s.pod.id"}]}]}),
            "pod_association[0].sources[0].name: `k8s.pod.id` identifies no pod; what does: k8s.pod.ip, k8s.pod.uid,",
        ),
        (
            json!({"pod_association": [{"sources": [{"from": "resource_attribute", "name": "k8s.container.name"}]}]}),
            "pod_association: has no entry that finds a pod here",
        ),
        (json!({"extract": {"labels": [{"key": "a", "key_regex": "b"}]}}), "extract.labels[0]: has both"),
        (json!({"extract": {"labels": [{"tag_name": "a"}]}}), "extract.labels[0]: has neither"),
        (
            json!({"extract": {"annotations": [{"key_regex": "("}]}}),
            "extract.annotations[0].key_regex: is no usable",
        ),
        (
            json!({"extract": {"labels": [{"key": "a", "regex": "b"}]}}),
            "extract.labels[0].regex: the Collector has",
        ),
        (
            json!({"extract": {"labels": [{"key": "a", "from": "pods"}]}}),
            "extract.labels[0].from: `pods` is none of",
        ),
        (
            json!({"filter": {"node_from_env_var": "X"}}),
            "filter.node_from_env_var: not available here, use filter.node",
        ),
        (
            json!({"filter": {"fields": [{"key": "spec.node"}]}}),
            "filter.fields[0].key: `spec.node` is none of",
        ),
        (
            json!({"filter": {"fields": [{"key": "status.phase", "op": "exists"}]}}),
            "filter.fields[0].op: `exists`",
        ),
        (json!({"filter": {"labels": [{"value": "x"}]}}), "filter.labels[0].key: is missing"),
        (json!({"exclude": {"pods": [{"name": "["}]}}), "exclude.pods[0].name: is no usable pattern"),
        (json!({"passtrough": true}), "passtrough: unknown key; did you mean `passthrough`?"),
    ] {
        let faults = faults(&simple_with("processors.k8sattributes", settings.clone()));
        let expected = format!("processors.k8sattributes.{expected}");
        assert!(faults.len() == 1 && faults[0].starts_with(&expected), "{settings} {faults:?}");
    }
    let old = json!({"pod_association": [{"from": "connection"}]});
    let found: Vec<Value> =
        faults(&simple_with("processors.k8sattributes", old)).into_iter().map(Value::from).collect();
    assert!(found[0].as_str().unwrap().contains("belongs into a list"), "{found:?}");
}

/// Calls `visit` with `document` once for each place and value, that place holding that value.
fn replace_everywhere(document: &Value, values: &[Value], visit: &mut impl FnMut(Value)) {
    let paths = {
        let mut paths = vec![String::new()];
        let mut todo = vec![(String::new(), document)];
        while let Some((path, place)) = todo.pop() {
            let below: Vec<_> = match place {
                Value::Object(map) => map
                    .iter()
                    .map(|(key, value)| (format!("{path}/{}", key.replace('/', "~1")), value))
                    .collect(),
                Value::Array(items) => items
                    .iter()
                    .enumerate()
                    .map(|(index, value)| (format!("{path}/{index}"), value))
                    .collect(),
                _ => Vec::new(),
            };
            paths.extend(below.iter().map(|(path, _)| path.clone()));
            todo.extend(below);
        }
        paths
    };
    for path in paths {
        for value in values {
            let mut changed = document.clone();
            *changed.pointer_mut(&path).unwrap() = value.clone();
            visit(changed);
        }
    }
}

#[test]
fn anything_anywhere_is_either_read_or_a_fault_with_a_message() {
    let values = [
        json!(null),
        json!(true),
        json!(-1.5),
        json!(1e300),
        json!(""),
        json!("é\u{0}/:[]?#"),
        json!([null, {}, [], "x"]),
        json!({"": null, "x/y": {"x": [1]}}),
    ];
    let mut whole = balanced();
    whole["receivers"] =
        json!({"otlp": {"protocols": {"http": {"endpoint": ":1", "max_request_body_size": 5}}}});
    whole["exporters"] = json!({"otlphttp": {
        "traces_endpoint": "http://a/b", "timeout": "1s", "headers": {"a": "b"}, "retry_on_failure": {"multiplier": 2},
    }});
    whole["service"]["pipelines"]["traces"]["exporters"] = json!(["otlphttp"]);
    whole["processors"]["k8sattributes"]["filter"] = json!({
        "fields": [{"key": "status.phase", "value": "x"}], "labels": [{"key": "a", "op": "exists"}],
    });
    whole["processors"]["k8sattributes"]["exclude"] = json!({"pods": [{"name": "x"}]});
    whole["processors"]["k8sattributes"]["extract"]["labels"] =
        json!([{"key_regex": "(.*)", "tag_name": "$1"}]);
    whole["podstamp"] = json!({
        "trusted_proxies": ["10.0.0.0/8"], "guard": {"check": "full"}, "limits": {"body": "1MiB", "in_flight": 1},
        "admin": {"endpoint": ":2"}, "pods": {"file": "x", "covers_cluster": false},
    });
    assert_eq!(faults(&whole), [""; 0]);
    let mut read = 0;
    replace_everywhere(&whole, &values, &mut |document| match crate::config::parse(&document) {
        Ok(_) => read += 1,
        Err(faults) => assert!(faults.iter().all(|fault| !fault.message.is_empty())),
    });
    assert!(read > 50, "{read}");
}

/// What is told of a document with what its variables are, of which none is set.
fn read_without_variables(document: &Value, unset: Unset) -> (Vec<String>, Vec<String>) {
    let mut document = document.clone();
    let unresolved = resolve(&mut document, &|_| None, |_| None);
    let reading = read_all(&document, unresolved, unset);
    let warnings = reading.config.notices.iter().filter(|notice| &*notice.key == "config-unset-variable");
    let faults = reading.faults.iter().map(ToString::to_string).collect();
    (faults, warnings.map(|notice| notice.message.to_string()).collect())
}

#[test]
fn what_the_environment_lacks_hides_no_other_fault_and_makes_none() {
    let mut document = simple();
    document["receivers"] = json!({"otlp": {"protocols": {"http": {"endpoint": "${env:POD_IP}:4318"}}}});
    document["processors"]["k8sattributes"] = json!({
        "filter": {"node_from_env_var": "NODE_NAME"}, "extract": {"metadata": ["k8s.pod.ipp"]},
    });
    document["exporters"]["otlphttp"]["traces_endpoint"] = json!("${file:/etc/endpoint}");
    document["exporters"]["otlphttp"]["timeout"] = json!("${env:TIMEOUT}");
    document["exporters"]["otlphttp"]["header"] = json!({});
    // Nobody reads these.
    document["exporters"]["kafka"] = json!({"brokers": "${env:BROKERS}", "topic": "${file:/topic}"});
    document["processors"]["batch"] = json!({"timeout": "${env:BATCH}"});
    document["service"]["telemetry"] = json!({"logs": {"level": "${env:LEVEL}"}});
    let (checked, warnings) = read_without_variables(&document, Unset::Warned);
    assert_eq!(
        checked,
        [
            "exporters.otlphttp.traces_endpoint: `${file:/etc/endpoint}` is not known here: only `${env:NAME}` and \
             `${env:NAME:-default}` are",
            "processors.k8sattributes.extract.metadata[0]: `k8s.pod.ipp` is no metadata that k8sattributes extracts; \
             did you mean `k8s.pod.ip`?",
            "exporters.otlphttp.header: unknown key; did you mean `headers`?",
        ]
    );
    let set = "set it, or write `${env:NAME:-}` where it may be empty";
    let lacking = [
        format!("exporters.otlphttp.timeout: `${{env:TIMEOUT}}` is not set: {set}"),
        format!("receivers.otlp.protocols.http.endpoint: `${{env:POD_IP}}` is not set: {set}"),
        "processors.k8sattributes.filter.node_from_env_var: the environment variable NODE_NAME is not set: have \
         Kubernetes set it from spec.nodeName (Downward API)"
            .to_owned(),
    ];
    assert_eq!(warnings, lacking);
    let (refused, warnings) = read_without_variables(&document, Unset::Refused);
    let expected: Vec<_> = checked[..1].iter().chain(&lacking).chain(&checked[1..]).cloned().collect();
    assert_eq!((refused, warnings), (expected, vec![]));
}

#[test]
fn a_section_that_cannot_be_read_is_one_fault() {
    let mut document = simple_with("processors", json!("${file:/processors.yaml}"));
    assert_eq!(read_without_variables(&document, Unset::Refused).0.len(), 1);
    document["service"] = json!("${file:/service.yaml}");
    let (faults, _) = read_without_variables(&document, Unset::Refused);
    let paths: Vec<_> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
    assert_eq!(paths, ["processors", "service"]);
    assert_eq!(
        super::faults(&simple_with("processors", json!(["k8sattributes"]))),
        ["processors: expected a section with keys, found a list"]
    );
}

#[test]
fn a_key_that_is_known_elsewhere_in_its_component_is_told_where_it_belongs() {
    let http = json!({"endpoint": "::1", "tls_settings": {}, "cors_allowed_origins": ["*"]});
    for (pointer, value, expected) in [
        (
            "processors.k8sattributes",
            json!({"extract": {"pod_association": []}}),
            "processors.k8sattributes.extract.pod_association: unknown key; it belongs one level up, into \
             `processors.k8sattributes`",
        ),
        (
            "processors.k8sattributes",
            json!({"metadata": ["k8s.pod.ip"]}),
            "processors.k8sattributes.metadata: unknown key; it belongs into `processors.k8sattributes.extract`",
        ),
        (
            "exporters.otlphttp.ca_file",
            json!("/ca.pem"),
            "exporters.otlphttp.ca_file: unknown key; it belongs into `exporters.otlphttp.tls`",
        ),
        (
            "processors.k8sattributes",
            json!({"extract": {"metadata": ["podName"]}}),
            "processors.k8sattributes.extract.metadata[0]: `podName` is no metadata that k8sattributes extracts; the \
             Collector calls it `k8s.pod.name` now",
        ),
    ] {
        assert_eq!(faults(&simple_with(pointer, value)), [expected]);
    }
    let document = simple_with("receivers", json!({"otlp": {"protocols": {"http": http}}}));
    let path = "receivers.otlp.protocols.http";
    assert_eq!(
        faults(&document),
        [
            format!(
                "{path}.endpoint: `::1` is no address to listen on: an IPv6 address takes brackets, write `[::1]:4318`"
            ),
            format!(
                "{path}.cors_allowed_origins: unknown key; the Collector calls it `cors.allowed_origins` now"
            ),
            format!("{path}.tls_settings: unknown key; the Collector calls it `tls` now"),
        ]
    );
}
