//! What happens to requests between clients and upstreams: queues, batches, the limit of memory.

use serde_json::{Value, json};

use super::{faults, notices, parsed, simple, simple_with};
use crate::config::{Batching, FileStorage, MemoryLimiter, QueueBatch, SendingQueue, Sizer};

/// The simple configuration, whose exporter has that queue; two storages are there.
fn queued(queue: Value) -> Value {
    let mut document = simple_with("exporters.otlphttp.sending_queue", queue);
    document["extensions"] = json!({
        "file_storage": null,
        "filestorage/2": {
            "directory": "/queue", "create_directory": true, "directory_permissions": "700", "timeout": "5s",
            "fsync": false, "max_size": 5_000_000_000_u64,
        },
        "file_storage/off": {},
        "health_check": {},
    });
    document["service"]["extensions"] = json!(["file_storage", "filestorage/2", "health_check"]);
    document
}

fn queue(queue: Value) -> Option<SendingQueue> {
    parsed(&queued(queue)).traces.exporter.queue
}

fn processing(id: &str, processor: Value) -> Value {
    let mut document = simple_with(&format!("processors.{id}"), processor);
    document["service"]["pipelines"]["traces"]["processors"] = json!([id, "k8sattributes", "resource"]);
    document
}

#[test]
fn there_is_a_queue_where_the_document_names_one_and_not_otherwise() {
    assert_eq!(parsed(&simple()).traces.exporter.queue, None);
    assert_eq!(queue(json!({"enabled": false, "queue_size": 5})), None);
    let default = SendingQueue::default();
    for written in [json!(null), json!({}), json!({"enabled": true}), json!({"sizer": {}, "storage": null})] {
        assert_eq!(queue(written), Some(default.clone()));
    }
    let written = json!({
        "num_consumers": 2, "queue_size": 6_000_000_000_u64, "sizer": "bytes", "block_on_overflow": true,
        "wait_for_result": true,
    });
    let expected = SendingQueue {
        num_consumers: 2,
        queue_size: 6_000_000_000,
        sizer: Sizer::Bytes,
        block_on_overflow: true,
        wait_for_result: true,
        ..default
    };
    assert_eq!(queue(written), Some(expected));
}

#[test]
fn a_queue_is_put_together_by_the_collectors_defaults() {
    let default = QueueBatch { flush_timeout: 200, min_size: 8_192, max_size: 0, sizer: Sizer::Items };
    for (written, expected) in [
        (json!({"batch": {"enabled": false, "min_size": 5}}), None),
        (json!({"batch": null}), Some(default)),
        (json!({"batch": {}}), Some(default)),
        (json!({"batch": null, "sizer": "bytes"}), Some(default)),
        (
            json!({"batch": {}, "sizer": "bytes", "queue_size": 8_192}),
            Some(QueueBatch { sizer: Sizer::Bytes, ..default }),
        ),
        (
            json!({"batch": {"sizer": "bytes", "flush_timeout": "1s", "min_size": 1_000_000, "max_size": 2_000_000}}),
            Some(QueueBatch {
                flush_timeout: 1_000,
                min_size: 1_000_000,
                max_size: 2_000_000,
                sizer: Sizer::Bytes,
            }),
        ),
    ] {
        assert_eq!(queue(written.clone()).unwrap().batch, expected, "{written}");
    }
    let partition = queued(json!({"batch": {"partition": {"metadata_keys": ["x-tenant"]}}}));
    let said = "exporters.otlphttp.sending_queue.batch.partition: has no effect here: all requests";
    let notices = notices(&partition);
    assert!(notices.iter().any(|notice| notice.contains(said)), "{notices:?}");
}

#[test]
fn a_queue_that_nothing_goes_into_is_told() {
    let mut document = simple_with("exporters.otlphttp.sending_queue", json!({"wait_for_result": true}));
    let queueless = "exporters.otlphttp.sending_queue: clients wait for results, so that nothing is queued";
    assert_eq!(notices(&document), [format!("Info {queueless}")]);
    document["exporters"]["otlphttp"]["sending_queue"] = json!({});
    assert_eq!(notices(&document), [""; 0]);
    document["exporters"]["otlphttp"]["retry_on_failure"] = json!({"enabled": false});
    let queueless = "exporters.otlphttp.sending_queue: nothing is tried again, so that nothing is queued";
    assert_eq!(notices(&document), [format!("Warning {queueless}")]);
}

#[test]
fn a_queue_is_kept_where_it_says() {
    let default = FileStorage::default();
    assert!(default.fsync, "unlike the Collector's");
    assert_eq!(queue(json!({"storage": "file_storage"})).unwrap().storage, Some(default));
    let expected = FileStorage {
        path: "extensions.filestorage/2".to_owned(),
        directory: "/queue".to_owned(),
        create_directory: true,
        directory_permissions: 0o700,
        timeout: 5_000,
        fsync: false,
        max_size: 5_000_000_000,
    };
    assert_eq!(queue(json!({"storage": "filestorage/2"})).unwrap().storage, Some(expected));
    let unused = notices(&queued(json!({"storage": "filestorage/2"})));
    assert!(unused.iter().any(|notice| notice.starts_with("Info extensions.file_storage, ")), "{unused:?}");
}

#[test]
fn a_queue_that_could_not_work_is_a_fault() {
    let path = "exporters.otlphttp.sending_queue";
    for (written, expected) in [
        (json!(true), vec![": expected a section"]),
        (json!({"enabled": "no"}), vec![".enabled: expected true or false"]),
        (json!({"num_consumers": 0, "queue_size": 0}), vec![".num_consumers: is 0", ".queue_size: is 0"]),
        (json!({"queue_size": -1}), vec![".queue_size: expected a whole number from 0 up"]),
        (json!({"sizer": "spans"}), vec![".sizer: `spans` is none of requests, items, bytes"]),
        (json!({"quue_size": 1}), vec![".quue_size: unknown key; did you mean `queue_size`?"]),
        (
            json!({"storage": "file_storage", "wait_for_result": true}),
            vec![".wait_for_result: does not go with `storage`"],
        ),
        (
            json!({"storage": "file_storag"}),
            vec![".storage: `extensions` defines no `file_storag`; did you mean"],
        ),
        (json!({"storage": "health_check"}), vec![".storage: `health_check` is no storage"]),
        (json!({"storage": "file_storage/off"}), vec![".storage: `file_storage/off` is not started"]),
        (
            json!({"batch": {"flush_timeout": "0s", "sizer": "requests", "max_size": 1}}),
            vec![
                ".batch.sizer: ",
                ".batch.flush_timeout: is 0",
                ".batch.max_size: 1 is under `min_size`, 8192",
            ],
        ),
        (json!({"sizer": "requests", "batch": {"min_size": 0}}), vec![".batch.sizer: "]),
        (json!({"sizer": "items", "batch": {}}), vec![".batch.min_size: 8192 is over `queue_size`, 1000"]),
        (
            json!({"batch": {"x": 1, "min_size": 1.5}}),
            vec![".batch.x: unknown key", ".batch.min_size: expected"],
        ),
    ] {
        let found = faults(&queued(written.clone()));
        assert_eq!(found.len(), expected.len(), "{written} {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(&format!("{path}{expected}")), "{found} {expected}");
        }
    }
    let mut document = queued(json!({"storage": "file_storage"}));
    document["extensions"]["file_storage"] = json!({"directory_permissions": "0999", "fsnc": true});
    let found = faults(&document);
    assert!(found[0].starts_with("extensions.file_storage.directory_permissions: expected"), "{found:?}");
    assert!(found[1].ends_with("unknown key; did you mean `fsync`?") && found.len() == 2, "{found:?}");
}

#[test]
fn a_request_is_queued_before_its_client_gives_up() {
    let patience = |own: Value| parsed(&simple_with("podstamp", own)).queue.patience;
    assert_eq!(parsed(&simple()).queue.patience, 1_000);
    assert_eq!(patience(json!({"queue": {"patience": "3s"}})), 3_000);
    assert_eq!(patience(json!({"queue": {"patience": 0}})), 0);
    assert_eq!(patience(json!({"upstream": {"patience": "500ms"}})), 250);
    assert_eq!(patience(json!({"upstream": {"patience": 0}, "queue": {"patience": "1m"}})), 60_000);
    let found = faults(&simple_with("podstamp", json!({"queue": {"patience": "8s"}})));
    assert!(found.len() == 1 && found[0].starts_with("podstamp.queue.patience: "), "{found:?}");
}

#[test]
fn connections_grow_old_unless_told_otherwise() {
    let upstream = |own: Value| parsed(&simple_with("podstamp", json!({"upstream": own}))).upstream;
    let default = upstream(json!(null));
    assert_eq!((default.max_connection_age, default.prefer_local_node), (300_000, false));
    let own = upstream(json!({"max_connection_age": "0s", "prefer_local_node": true}));
    assert_eq!((own.max_connection_age, own.prefer_local_node), (0, true));
}

#[test]
fn requests_are_put_together_where_the_pipeline_lists_batch() {
    let unused = simple_with("processors.batch", json!(null));
    assert_eq!(parsed(&unused).traces.batch, None);
    assert_eq!(notices(&unused), ["Info processors.batch: the traces pipeline does not use it"]);
    let default = Batching {
        path: "processors.batch".to_owned(),
        timeout: 200,
        send_batch_size: 8_192,
        send_batch_max_size: 0,
    };
    assert_eq!(parsed(&processing("batch", json!(null))).traces.batch, Some(default));
    let written = json!({
        "timeout": 0, "send_batch_size": 100, "send_batch_max_size": 100, "metadata_keys": ["x"],
        "metadata_cardinality_limit": 5,
    });
    let expected = Batching {
        path: "processors.batch/a".to_owned(),
        timeout: 0,
        send_batch_size: 100,
        send_batch_max_size: 100,
    };
    let document = processing("batch/a", written);
    assert_eq!(parsed(&document).traces.batch, Some(expected));
    assert_eq!(notices(&document).len(), 1);
    let found =
        faults(&processing("batch", json!({"send_batch_max_size": 100, "timeout": "-1s", "sise": 1})));
    for expected in [".timeout: ", ".sise: ", ".send_batch_max_size: is under `send_batch_size`, 8192"] {
        assert!(found.iter().any(|fault| fault.contains(expected)), "{found:?}");
    }
    assert_eq!(found.len(), 3);

    let mut twice = processing("batch", json!(null));
    twice["processors"]["batch/2"] = json!({"timeout": "1s"});
    twice["service"]["pipelines"]["traces"]["processors"] =
        json!(["batch", "batch/2", "k8sattributes", "resource"]);
    assert_eq!(parsed(&twice).traces.batch.unwrap().timeout, 1_000);
    assert!(notices(&twice)[0].contains("processors.batch/2"));
}

#[test]
fn each_signal_is_put_together_by_itself() {
    let mut document = simple_with("processors.batch", json!(null));
    document["exporters"]["otlphttp/far"] = json!({"endpoint": "http://far:4318"});
    document["service"]["pipelines"]["metrics"] =
        json!({"processors": ["batch", "memory_limiter"], "exporters": ["otlphttp/far"]});
    document["processors"]["memory_limiter"] = json!({"check_interval": "1s", "limit_mib": 100});
    let config = parsed(&document);
    assert_eq!(config.traces.batch, None);
    assert!(config.metrics.unwrap().batch.is_some());
    assert_eq!(config.memory_limiter.unwrap().limit_mib, 100);
}

#[test]
fn memory_is_limited_as_the_collector_has_it() {
    assert_eq!(parsed(&simple()).memory_limiter, None);
    let document = processing(
        "memory_limiter",
        json!({
            "check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 15,
            "min_gc_interval_when_soft_limited": "10s",
        }),
    );
    let expected = MemoryLimiter {
        path: "processors.memory_limiter".to_owned(),
        check_interval: 1_000,
        limit_mib: 0,
        spike_limit_mib: 0,
        limit_percentage: 80,
        spike_limit_percentage: 15,
    };
    assert_eq!(parsed(&document).memory_limiter, Some(expected));
    assert_eq!(notices(&document), [""; 0]);
    for (written, expected) in [
        (json!(null), &[".check_interval: has to be over 0", ".limit_mib: is missing"] as &[_]),
        (json!({"check_interval": "1s", "limit_percentage": 101}), &[".limit_percentage: is over 100"]),
        (
            json!({"check_interval": "1s", "limit_mib": 5, "spike_limit_mib": 5}),
            &[".spike_limit_mib: has to be under the limit, 5"],
        ),
        (
            json!({"check_interval": "0s", "limit_percentage": 5, "spike_limit_percentage": 200}),
            &[
                ".check_interval: has",
                ".spike_limit_percentage: is over 100",
                ".spike_limit_percentage: has to be under",
            ],
        ),
        (json!({"check_interval": "1s", "limit": 5, "limit_mib": 9}), &[".limit: unknown key"]),
    ] {
        let found = faults(&processing("memory_limiter", written.clone()));
        assert_eq!(found.len(), expected.len(), "{written} {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(&format!("processors.memory_limiter{expected}")), "{found} {expected}");
        }
    }
}

#[test]
fn hosts_that_keep_nothing_can_tell_what_has_no_effect_there() {
    assert_eq!(parsed(&simple()).without_effect_elsewhere(), []);
    let mut document = queued(json!(null));
    document["processors"]["batch"] = json!(null);
    document["processors"]["memory_limiter"] = json!({"check_interval": "1s", "limit_mib": 100});
    document["service"]["pipelines"]["traces"]["processors"] =
        json!(["memory_limiter", "k8sattributes", "resource", "batch"]);
    document["podstamp"] = json!({"upstream": {"prefer_local_node": true}});
    let found = parsed(&document).without_effect_elsewhere();
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    let expected = [
        "exporters.otlphttp.sending_queue",
        "processors.batch",
        "processors.memory_limiter",
        "podstamp.upstream",
    ];
    assert_eq!(paths, expected);
}
