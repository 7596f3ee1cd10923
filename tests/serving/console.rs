//! The console on the admin listener: who may ask, and the shape of what is told.

use std::time::{Duration, Instant};

use podstamp::settings::{Admin, Console};
use podstamp_core::config::{Bearer, Place, Secret, ServerAuth, Source};
use podstamp_core::interface::{Level, Notice, Verdict};
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::{Client, Response, post};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::support::{Fake, Setup, answer};

async fn start(change: impl FnOnce(&mut Admin)) -> Setup {
    let fake = Fake::answering(|_| Ok(Verdict::Answer(answer(200, ""))));
    Setup::with(fake, |settings| {
        let console = Some(Console { payloads: true, trace_link: Some("https://g/{trace_id}".to_owned()) });
        let mut admin = Admin { console, ..Admin::at("127.0.0.1:0") };
        change(&mut admin);
        settings.admin = Some(admin);
    })
    .await
}

async fn connect(setup: &Setup) -> Client {
    Client::connect(setup.server.admin_address().unwrap()).await
}

async fn get(setup: &Setup, path: &str) -> Response {
    get_with(setup, path, "").await
}

/// `headers`: lines, each with its end. A Host is there unless they have one.
async fn get_with(setup: &Setup, path: &str, headers: &str) -> Response {
    let host = if headers.contains("host:") { "" } else { "host: 127.0.0.1\r\n" };
    connect(setup).await.ask(format!("GET {path} HTTP/1.1\r\n{host}{headers}\r\n")).await
}

async fn get_json(setup: &Setup, path: &str) -> Value {
    let response = get(setup, path).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    serde_json::from_slice(&response.body).unwrap()
}

async fn check(setup: &Setup, text: &str) -> Response {
    connect(setup).await.ask(post("/console/check", "", text.as_bytes())).await
}

/// Reads until the text of a stream has `count` times `part`.
async fn read_until(client: &mut Client, read: &mut String, part: &str, count: usize) {
    let more = async {
        while read.matches(part).count() < count {
            let mut buffer = vec![0; 64 << 10];
            let length = client.stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "the stream has ended: {read}");
            read.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()));
        }
    };
    timeout(PATIENCE, more).await.unwrap();
}

async fn follow(setup: &Setup) -> (Client, String) {
    let mut client = connect(setup).await;
    client.send("GET /console/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let mut read = String::new();
    read_until(&mut client, &mut read, "\r\n\r\n", 1).await;
    (client, read)
}

/// The paths of all values in JSON, those of a list's items as `[]`.
fn shape(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| walk(value, &format!("{path}.{key}"), found));
            }
            Value::Array(list) => list.iter().for_each(|item| walk(item, &format!("{path}[]"), found)),
            _ => found.push(path.trim_start_matches('.').to_owned()),
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found.sort();
    found.dedup();
    found
}

#[tokio::test]
async fn only_this_listener_s_own_pages_and_programs_may_ask() {
    let setup = start(|admin| admin.hosts = vec!["podstamp.example.com".to_owned()]).await;
    for path in ["/", "/console/live", "/pods", "/peers", "/console.js", "/nothing"] {
        let browsers = "host: evil.example\r\naccept-encoding: gzip, deflate\r\n";
        let rebound = get_with(&setup, path, browsers).await;
        assert_eq!(rebound.status, 421, "{path}");
        assert!(rebound.text().contains("podstamp.admin.hosts"), "{}", rebound.text());
        for foreign in ["origin: http://evil.example\r\n", "sec-fetch-site: cross-site\r\n"] {
            assert_eq!(get_with(&setup, path, foreign).await.status, 403, "{path}");
        }
    }
    assert_eq!(get_with(&setup, "/", "host: podstamp.example.com\r\n").await.status, 200);
    assert_eq!(get_with(&setup, "/metrics", "host: evil.example\r\n").await.status, 200);
    assert_eq!(get_with(&setup, "/healthz", "host: evil.example\r\norigin: null\r\n").await.status, 200);
    let foreign = post("/console/check", "origin: http://evil.example\r\n", b"a: 1");
    assert_eq!(connect(&setup).await.ask(foreign).await.status, 403);
    // What a page elsewhere asks ahead of a request is not answered as it would have to be.
    let ahead = "OPTIONS /console/check HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answered = connect(&setup).await.ask(ahead).await;
    assert_eq!((answered.status, answered.header("access-control-allow-origin")), (405, None));
}

#[tokio::test]
async fn all_but_probes_ask_for_credentials() {
    let token = Source { path: "token".to_owned(), place: Place::Inline(Secret::new("t0p")) };
    let bearer = Bearer {
        path: "extensions.bearertokenauth".to_owned(),
        header: "authorization".to_owned(),
        scheme: "Bearer".to_owned(),
        tokens: vec![token],
    };
    let setup = start(|admin| admin.auth = Some(ServerAuth::Bearer(bearer))).await;
    for path in ["/", "/metrics", "/pods", "/console/live", "/console/events", "/console.css"] {
        let response = get(&setup, path).await;
        assert_eq!(response.status, 401, "{path}");
        assert!(response.header("www-authenticate").unwrap().starts_with("Basic realm="));
        assert_eq!(get_with(&setup, path, "authorization: Bearer t0q\r\n").await.status, 401);
    }
    for path in ["/", "/metrics", "/console/live"] {
        assert_eq!(get_with(&setup, path, "authorization: Bearer t0p\r\n").await.status, 200, "{path}");
        // any:t0p
        assert_eq!(
            get_with(&setup, path, "authorization: Basic YW55OnQwcA==\r\n").await.status,
            200,
            "{path}"
        );
    }
    assert_eq!(get(&setup, "/healthz").await.status, 200);
    assert_eq!(get(&setup, "/readyz").await.status, 503);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_do_as_little_as_they_can() {
    let setup = start(|_| ()).await;
    for path in ["/", "/console/live", "/metrics", "/healthz", "/nothing", "/console/nothing"] {
        let response = get(&setup, path).await;
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(response.header(name), Some(value), "{path}");
        }
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
    let response = get(&setup, "/console/nothing").await;
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    assert!(response.status == 404 && told["error"].is_string(), "{told}");
}

#[tokio::test]
async fn the_page_comes_out_of_the_binary_and_only_where_it_is_on() {
    let setup = start(|_| ()).await;
    for (path, media) in [
        ("/", "text/html; charset=utf-8"),
        ("/console.js", "text/javascript; charset=utf-8"),
        ("/console.css", "text/css; charset=utf-8"),
    ] {
        let response = get(&setup, path).await;
        assert_eq!((response.status, response.header("content-type")), (200, Some(media)));
        let tag = response.header("etag").unwrap();
        let again = get_with(&setup, path, &format!("if-none-match: {tag}\r\n")).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
    let setup = start(|admin| admin.console = None).await;
    for path in ["/", "/console.js", "/console/live", "/console/events", "/console/check"] {
        let response = get(&setup, path).await;
        assert_eq!(response.status, 404, "{path}");
        assert!(response.text().contains("podstamp.admin.console"), "{}", response.text());
    }
}

#[tokio::test]
async fn what_is_shown_live_has_its_shape() {
    let setup = start(|_| ()).await;
    let notice = Notice { level: Level::Warning, key: "odd".into(), message: "something is odd".to_owned() };
    setup.instruments.notices.emit(&notice);
    setup.instruments.notices.emit(&notice);
    let mut client = setup.client().await;
    assert_eq!(client.ask(post("/v1/traces", "content-type: application/json\r\n", b"x")).await.status, 200);
    let until = Instant::now() + PATIENCE;
    let live = loop {
        let live = get_json(&setup, "/console/live").await;
        if live["totals"]["requests"] == 1 {
            break live;
        }
        assert!(Instant::now() < until, "{live}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let expected = [
        "addresses.connection",
        "addresses.contradicted",
        "addresses.kept",
        "addresses.pipeline",
        "addresses.pod",
        "addresses.pod_ip",
        "addresses.unknown",
        "bytes_per_second",
        "instance",
        "latency_ms.p50",
        "latency_ms.p50_over",
        "latency_ms.p99",
        "latency_ms.p99_over",
        "memory_bytes",
        "not_ready_because",
        "notices[].count",
        "notices[].first_ms",
        "notices[].key",
        "notices[].last_ms",
        "notices[].level",
        "notices[].message",
        "now_ms",
        "outcomes.accepted",
        "outcomes.cancelled",
        "outcomes.failed",
        "outcomes.queued",
        "outcomes.refused",
        "pods.age_seconds",
        "pods.healthy",
        "pods.known",
        "pods.source",
        "pods.state",
        "ready",
        "requests_per_second",
        "settings.payloads",
        "settings.trace_link",
        "spans_per_second",
        "totals.requests",
        "totals.spans",
        "totals.unknown",
        "uptime_seconds",
        "version",
    ];
    assert_eq!(shape(&live), expected);
    assert_eq!((&live["queues"], &live["agents"]), (&json!([]), &json!([])));
    assert_eq!((&live["notices"][0]["key"], &live["notices"][0]["count"]), (&json!("odd"), &json!(2)));
    assert_eq!(live["notices"][0]["level"], "warning");
    assert_eq!((&live["ready"], &live["settings"]["payloads"]), (&json!(false), &json!(true)));
    assert_eq!(live["not_ready_because"], "the pod directory is not loaded");
    assert!(live["memory_bytes"].as_u64().unwrap() > 1 << 20);
}

#[tokio::test]
async fn events_begin_with_what_was_and_go_on_until_the_process_drains() {
    let setup = start(|_| ()).await;
    let (mut client, mut read) = follow(&setup).await;
    assert!(read.starts_with("HTTP/1.1 200") && read.contains("text/event-stream"), "{read}");
    read_until(&mut client, &mut read, "event: live\n", 3).await;
    assert!(read.contains("retry: 1000\n\n") && read.matches("event: history\n").count() == 1, "{read}");
    let ids: Vec<u64> =
        read.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect();
    assert!(ids.is_sorted() && ids.first() < ids.last(), "{ids:?}");
    for data in read.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| data.ends_with('}'))
    {
        let live: Value = serde_json::from_str(data).unwrap();
        assert_eq!(live["instance"].as_str().unwrap().len(), 16);
    }
    // A client that reads nothing and one that reads are left behind alike.
    let (_idle, _) = follow(&setup).await;
    let begun = Instant::now();
    assert!(setup.server.shutdown().await);
    assert!(begun.elapsed() < PATIENCE / 2, "pages do not keep a process from draining");
    let ended = async {
        let mut buffer = vec![0; 64 << 10];
        while client.stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    };
    timeout(PATIENCE, ended).await.expect("the stream goes on");
}

#[tokio::test]
async fn as_many_follow_as_may_and_probes_are_answered_all_the_same() {
    let setup = start(|_| ()).await;
    let mut following = Vec::new();
    for _ in 0..16 {
        let (client, read) = follow(&setup).await;
        assert!(read.starts_with("HTTP/1.1 200"), "{read}");
        following.push(client);
    }
    let refused = get(&setup, "/console/events").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("10")));
    assert_eq!(get(&setup, "/healthz").await.status, 200);
    assert_eq!(get_json(&setup, "/console/live").await["version"], env!("CARGO_PKG_VERSION"));
    following.pop();
    let until = Instant::now() + PATIENCE;
    while !follow(&setup).await.1.starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < until, "the place is not free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_configuration_is_shown_with_its_notices_and_without_its_secrets() {
    let setup = start(|_| ()).await;
    assert_eq!(get(&setup, "/console/configuration").await.status, 404);
    let document = json!({
        "extensions": {"bearertokenauth": {"token": "S3CRET"}},
        "exporters": {"otlphttp": {"endpoint": "${env:AGENT}", "headers": {"x": "S3CRET"}}},
    });
    let about = |message: &str| Notice { level: Level::Info, key: "k".into(), message: message.to_owned() };
    let notices = [about("exporters.otlphttp.endpoint: is odd"), about("no pods are known")];
    setup.instruments.configuration.show(&document, &notices);
    let told = get_json(&setup, "/console/configuration").await;
    assert!(!told.to_string().contains("S3CRET"), "{told}");
    let lines = told["lines"].as_array().unwrap();
    let expected = json!({
        "text": "    endpoint: ${env:AGENT}", "path": "exporters.otlphttp.endpoint",
        "notices": [{"level": "info", "message": "is odd", "path": "exporters.otlphttp.endpoint"}],
    });
    assert!(lines.contains(&expected), "{told}");
    assert_eq!(told["notices"], json!([{"level": "info", "message": "no pods are known", "path": ""}]));
}

#[tokio::test]
async fn a_text_is_checked_within_bounds() {
    let setup = start(|_| ()).await;
    let response = check(&setup, "processors: {resource: {attribute: []}}\n").await;
    assert_eq!(response.status, 200);
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    let faults = told["faults"].as_array().unwrap();
    assert!(faults.iter().any(|fault| fault["path"] == "processors.resource.attribute"), "{told}");
    assert_eq!(told["lines"][2]["text"], "    attribute: []");
    assert_eq!(told["lines"][2]["notices"][0]["level"], "fault");
    assert!(told["notices"].is_array());

    assert_eq!(check(&setup, &"#".repeat((1 << 20) + 1)).await.status, 413);
    let response = get(&setup, "/console/check").await;
    assert_eq!((response.status, response.header("allow")), (405, Some("POST")));
    let elsewhere = connect(&setup).await.ask(post("/console/live", "", b"")).await;
    assert_eq!((elsewhere.status, elsewhere.header("allow")), (405, Some("GET, HEAD")));
    // Who begins to send and does not go on keeps nobody from being answered.
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut client = connect(&setup).await;
        client.send("POST /console/check HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\na").await;
        slow.push(client);
    }
    let until = Instant::now() + PATIENCE;
    while check(&setup, "a: 1").await.status != 503 {
        assert!(Instant::now() < until, "as many are read as come");
    }
    assert_eq!(get(&setup, "/healthz").await.status, 200);
    assert_eq!(get(&setup, "/metrics").await.status, 200);
}

#[tokio::test]
async fn pods_are_searched_for() {
    let setup = start(|_| ()).await;
    let told = get_json(&setup, "/console/pods?q=cart&limit=5").await;
    let expected = json!({"known": 0, "source": "nobody", "state": "none", "age_seconds": 0.0, "healthy": false,
        "covers_cluster": false, "matching": 0, "pods": []});
    assert_eq!(told, expected);
    let wrong = get(&setup, "/console/pods?limit=many").await;
    assert_eq!((wrong.status, wrong.text()), (400, "{\"error\":\"`limit` is no number\"}"));
}

#[tokio::test]
async fn whatever_is_asked_gets_an_answer_or_the_end_of_its_connection() {
    let setup = start(|_| ()).await;
    let words = [
        "/",
        "//",
        "/.",
        "/..",
        "/../",
        "/%2e%2e/",
        "/console",
        "/console/",
        "/console//live",
        "/console/live/",
        "/console/services",
        "/console/services/",
        "/console/services/zz",
        "/console/services/%00",
        "/console/traces",
        "/console/traces/xyz",
        "/console/traces/%ff",
        "/console/pods?q=%",
        "/console/pods?limit=99999999999999999999",
        "/console/pods?q=%F0%9F%92%A9&limit=0",
        "/console/configuration?x",
        "/console.js.map",
        "/console/../healthz",
        "/pods?fields=%00",
        "/pods/%",
        "/pods?since=x&wait=99999999999999999999",
        "/metrics?x=y#z",
        "*",
        "/<script>",
        "/console/traces?min_ms=NaN&max_ms=-1",
        "/console/events?last=1",
        "/console/traces?limit=-1",
        "/%",
        "/\u{7f}",
    ];
    let hosts =
        ["localhost", "", "evil.example", "[::1", "a b", "\u{fffd}", "::", "localhost:99999999", "a,b", "."];
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "X", "get"];
    let mut state = 0x2545_f491_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    let long = format!("/console/pods?q={}", "a".repeat(70_000));
    for round in 0..600 {
        let path = if round % 100 == 99 { long.as_str() } else { words[random(words.len())] };
        let (host, method) = (hosts[random(hosts.len())], methods[random(methods.len())]);
        let extra = match random(6) {
            0 => "origin: null\r\n",
            1 => "authorization: Basic %%%\r\n",
            2 => "content-length: 3\r\n",
            3 => "transfer-encoding: chunked\r\n",
            4 => "host: other\r\n",
            _ => "",
        };
        let mut client = connect(&setup).await;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{extra}connection: close\r\n\r\nabc");
        client.send_what_can_be(head).await;
        let mut start = [0; 12];
        let read = timeout(PATIENCE, client.stream.read(&mut start)).await;
        // A body that does not come is waited for; all else has an answer or an end at once.
        let waits = method == "POST" && extra.contains("chunked");
        assert!(read.is_ok() || waits, "{method} {path} {host} {extra}");
        if let Ok(Ok(12)) = read {
            let status = std::str::from_utf8(&start[9..]).unwrap();
            assert!(status < "500" || status == "503", "{status}: {method} {path} {host} {extra}");
        }
    }
    assert_eq!(get(&setup, "/healthz").await.status, 200);
    assert_eq!(get_json(&setup, "/console/live").await["ready"], json!(false));
}
