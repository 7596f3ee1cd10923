//! What is noted down of requests.

use std::error::Error as _;
use std::{env, fs, process};

use serde_json::{Value, json};

use super::*;
use crate::{Error, SpanRecord};

#[tokio::test]
async fn a_file_gets_one_object_a_line_for_every_request() {
    let path = env::temp_dir().join(format!("podstamp-fake-agent-{}.jsonl", process::id()));
    fs::write(&path, "\"what was there before\"\n").unwrap();
    let agent = builder().record(&path).start().await.unwrap();
    let headers = ["content-type: application/x-protobuf", "content-encoding: gzip"];
    exchange(&agent, &post(&headers, &gzip(&body([resource(&[("app.host.ip", "10.1.2.3")], 1)])))).await;
    exchange(&agent, &post(&[], b"garbage")).await;
    let mut doomed = Wire::to(&agent).await;
    doomed.send(&post(&[], &abort::poison(9))).await;
    doomed.reply().await.unwrap_err();
    exchange(&agent, &request("GET / HTTP/1.1", &[], b"")).await;
    agent.shutdown().await;
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();

    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    let imported = &lines[1];
    assert_eq!(imported["path"], "/api/v1/otel/trace");
    assert_eq!(imported["content_type"], "application/x-protobuf");
    assert_eq!(imported["content_encoding"], "gzip");
    assert_eq!(imported["wire_bytes"], imported["content_length"]);
    assert_eq!(imported["decoded_bytes"], body([resource(&[("app.host.ip", "10.1.2.3")], 1)]).len());
    assert_eq!(imported["outcome"], json!({ "answered": 200 }));
    let host_ip = json!({ "stringValue": "10.1.2.3" });
    let span = json!({
        "trace_id": "a1".repeat(16),
        "span_id": "b2".repeat(8),
        "parent_span_id": "c3".repeat(8),
        "name": "GET /cart",
        "kind": 2,
        "start_time_unix_nano": 1_700_000_000_000_000_001_u64,
        "end_time_unix_nano": 1_700_000_000_000_000_009_u64,
        "row_address": "10.1.2.3",
        "metrics_address": "10.1.2.3",
        "flow_id": 0,
        "counted": false,
    });
    let resource = json!({
        "has_resource": true,
        "attributes": [{ "key": "app.host.ip", "value": host_ip }],
        "wire_host_ip": host_ip,
        "server_address": "10.1.2.3",
        "span_count": 1,
        "spans": [span],
    });
    assert_eq!(imported["resources"], json!([resource]));
    assert_eq!(imported["harms"], json!([]));
    assert!(lines[2]["outcome"]["closed"].is_string());
    assert!(lines[3]["outcome"]["aborted"].is_string());
    assert_eq!(lines[4]["path"], "/");
}

#[tokio::test]
async fn waiting_ends_when_the_spans_are_there() {
    let agent = start().await;
    let request = post(&[], &three_spans());
    let (totals, ()) = tokio::join!(agent.wait_for_spans(6), async {
        for _ in 0..2 {
            exchange(&agent, &request).await;
        }
    });
    assert_eq!((totals.requests, totals.spans), (2, 6));
    agent.forget_records();
    assert_eq!(agent.records(), []);
    assert_eq!(agent.wait_for_requests(2).await, totals);
}

#[tokio::test]
async fn bodies_are_kept_as_they_came_when_asked_for() {
    let agent = builder().keep_bodies().start().await.unwrap();
    let zipped = gzip(&three_spans());
    exchange(&agent, &post(&["content-encoding: gzip", "X-Tenant: a"], &zipped)).await;
    let record = last(&agent);
    assert_eq!(record.body, Some(zipped));
    assert_eq!(record.header("x-tenant"), Some("a"));
    assert_eq!(record.spans().map(|span: &SpanRecord| span.name.as_str()).next(), Some("GET /cart"));
}

#[tokio::test]
async fn without_a_place_to_listen_or_to_write_there_is_no_agent() {
    let agent = start().await;
    let taken = builder().listen(agent.address()).start().await.unwrap_err();
    assert_eq!(taken.to_string(), format!("cannot listen on {}", agent.address()));
    assert!(taken.source().is_some());
    let unwritable = builder().record(env::temp_dir()).start().await.unwrap_err();
    assert!(matches!(unwritable, Error::Record { .. }));
}
