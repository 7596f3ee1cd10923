//! `rewrite`, `agent`, `check --agent` and `demo`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use podstamp_test_support::blocking::http;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{fixture_path, podstamp, run, wait, wait_until};

#[test]
fn rewrite_stamps_a_request_and_reports() {
    let body = spans::export(&[("shop", "web-1"), ("shop", "other")]);
    let folder = tempfile::TempDir::new().unwrap();
    let pods = folder.path().join("pods.json");
    std::fs::write(&pods, spans::pods(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.2")])).unwrap();
    let output = run(["rewrite", "--pods", pods.to_str().unwrap(), "--peer", "10.1.1.2"], &body);
    let report = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(report.contains("10.1.1.1") && report.contains("10.1.1.2"), "{report}");
    let again = run(["rewrite"], &output.stdout);
    assert_eq!(again.stdout, output.stdout, "rewriting twice changes nothing");
}

#[test]
fn rewrite_gives_nothing_for_a_body_at_fault() {
    let output = run(["rewrite"], &spans::broken_deep_in_a_span());
    assert_eq!(output.status.code(), Some(65));
    assert!(output.stdout.is_empty());
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(report.contains("spans[0].attributes[0].value") && report.contains("at offset 0x"), "{report}");
}

#[test]
fn check_says_where_each_signal_goes_and_rewrite_takes_each() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("config.yaml");
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/cases/shared/all-signals.yaml"));
    let text = text.unwrap();
    std::fs::write(&config, &text).unwrap();
    let config = config.to_str().unwrap();
    let said = |text: &str| {
        std::fs::write(config, text).unwrap();
        let output = run(["check", "--config", config], b"");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let all = said(&text);
    assert!(all.contains("metrics go to http://prometheus:9090/api/v1/otlp/v1/metrics\n"), "{all}");
    assert!(all.contains("logs go to http://loki:3100/otlp/v1/logs\n"), "{all}");
    // ResourceLogs without anything.
    let output = run(["rewrite", "--config", config, "--signal", "logs"], &[0x0a, 0x00]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.windows(6).any(|part| part == b"tenant"), "{:?}", output.stdout);

    let fewer = said(&text.replace("exporters: [otlphttp/logs]", "exporters: [debug]"));
    assert!(fewer.contains("metrics go to ") && !fewer.contains("logs go to "), "{fewer}");
    assert!(
        fewer.contains("service.pipelines.logs/app: has no effect here: podstamp does not carry it"),
        "{fewer}"
    );
    let output = run(["rewrite", "--config", config, "--signal", "logs"], &[0x0a, 0x00]);
    assert_eq!(output.status.code(), Some(65));
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(report.contains("OTEL_LOGS_EXPORTER=none"), "{report}");
}

#[test]
fn the_stand_in_agent_dies_of_an_unknown_span_kind_as_the_real_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let record = folder.path().join("record.jsonl");
    let listen = closed_port();
    let mut child = podstamp(["fake-agent", "--listen", &listen.to_string(), "--record"])
        .arg(&record)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(&listen.to_string()) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ends before it listens");
    }
    let mut client = http::Client::connect(listen);
    let path = "/api/v1/otel/trace";
    assert_eq!(client.send("POST", path, &[], &spans::export(&[("shop", "web-1")])).status, 200);
    let poison = spans::export_kind("shop", "web-1", 9);
    let sent = std::thread::spawn(move || client.send("POST", path, &[], &poison));
    assert_eq!(wait(&mut child).code(), Some(134));
    assert!(sent.join().is_err(), "no answer comes");
    assert!(
        std::fs::read_to_string(record)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .contains("\"server_address\":\"127.0.0.1\"")
    );
}

#[test]
fn check_tells_what_is_wrong_with_an_agent() {
    let config = fixture_path("deepflow-load-balancer.yaml");
    let config = config.to_str().unwrap();
    let agent = FakeAgent::start();
    let base = format!("http://{}", agent.agent().address());
    let good = run(["check", "--config", config, "--agent", &base], b"");
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let wrong_path = run(["check", "--config", config, "--agent", &format!("{base}/v1/traces")], b"");
    let text = [wrong_path.stdout, wrong_path.stderr].concat();
    assert_ne!(wrong_path.status.code(), Some(0));
    assert!(
        String::from_utf8_lossy(&text).contains("/api/v1/otel/trace"),
        "{}",
        String::from_utf8_lossy(&text)
    );
    let down = run(["check", "--config", config, "--agent", &format!("http://{}", closed_port())], b"");
    assert_ne!(down.status.code(), Some(0));
}

#[test]
fn the_demo_ends_well() {
    let output = run(["demo"], b"");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for address in ["10.244.1.17", "10.244.2.31", "10.244.1.22", "10.244.3.9", "10.244.2.45", "10.244.3.12"] {
        assert!(text.contains(address), "{text}");
    }
    // The pod without an address has none, and above all not the relay's.
    let line = text.lines().find(|line| line.trim_start().starts_with("mail-svc")).unwrap();
    assert!(line.contains("10.244.3.40 (relay)  0.0.0.0 (unknown)"), "{line}");
    assert!(text.contains("svc-mail-5c4d7b8f6-z8xkp has no address yet"), "{text}");
    // What came through the relay has its own pod's address.
    let line = text.lines().find(|line| line.trim_start().starts_with("pay-svc")).unwrap();
    assert!(line.contains("10.244.3.40 (relay)  10.244.3.12"), "{line}");
}

#[test]
fn the_demo_that_is_kept_says_where_its_console_is_and_has_traffic() {
    let mut child = podstamp(["demo", "--keep"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("in a browser")).unwrap();
    let address = line.rsplit_once("http://").unwrap().1.trim_end_matches('/').parse().unwrap();
    let requests = || {
        let (status, text) = http::get(address, "/metrics");
        assert_eq!(status, 200);
        let line = text.lines().find(|line| line.starts_with("podstamp_requests_total{outcome=\"accepted\""));
        line.unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    // Each trace takes one of each of the seven services.
    wait_until("further traffic comes", || requests() > 3 * 7);
    let (status, page) = http::get(address, "/");
    assert_eq!((status, page.starts_with("<!doctype html>")), (200, true), "{page}");
    let ask = |path: &str| -> serde_json::Value {
        let (status, text) = http::get(address, path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(ask("/console/live")["settings"]["payloads"], true);
    wait_until("the console has each service and whole traces", || {
        let (services, traces) = (ask("/console/services"), ask("/console/traces?limit=5"));
        let is_whole = |trace: &serde_json::Value| trace["spans"] == 19 && trace["complete"] == true;
        services["rows"].as_array().unwrap().len() == 7
            && traces["traces"].as_array().unwrap().iter().any(is_whole)
    });
    let services = ask("/console/services");
    let row = |name: &str| {
        services["rows"].as_array().unwrap().iter().find(|row| row["service"] == name).unwrap().clone()
    };
    assert_eq!(
        (row("pay-svc")["address"].clone(), row("pay-svc")["peer"].clone()),
        ("10.244.3.12".into(), "10.244.3.40".into())
    );
    assert!(["unknown", "contradicted"].contains(&row("mail-svc")["found"].as_str().unwrap()), "{services}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn what_cannot_start_says_why_and_with_which_code() {
    let missing = run(["serve", "--config", "/nowhere/config.yaml"], b"");
    assert_eq!(missing.status.code(), Some(66));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere/config.yaml"));
    let folder = tempfile::TempDir::new().unwrap();
    let pods = folder.path().join("pods.json");
    std::fs::write(&pods, "{\"items\": [1,").unwrap();
    let bad = run(["serve", "--pods", pods.to_str().unwrap()], b"");
    assert_eq!(bad.status.code(), Some(66), "{}", String::from_utf8_lossy(&bad.stderr));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("line 1"));
    assert_eq!(run(["serve", "--nonsense"], b"").status.code(), Some(64));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = folder.path().join("config.yaml");
    let text = format!(
        "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: {}\n{}",
        taken.local_addr().unwrap(),
        crate::served::fixture("deepflow-load-balancer.yaml")
    );
    std::fs::write(&config, text).unwrap();
    assert_eq!(run(["serve", "--config", config.to_str().unwrap()], b"").status.code(), Some(69));
}
