//! A Collector exports to podstamp, as a gateway in front of it does.

use std::collections::BTreeMap;
use std::time::Instant;

use podstamp_test_support::PATIENCE;
use podstamp_test_support::blocking::http::Client;
use podstamp_test_support::runtime::otelcol;
use podstamp_test_support::spans;

use super::Collector;
use crate::fake_agent::FakeAgent;
use crate::served::Setup;

/// A Collector with every way in which it can send, all at once: each pod's spans arrive once for each of them.
#[test]
fn each_of_the_collectors_exporters_gets_its_spans_through() {
    let Some(binary) = otelcol() else {
        return;
    };
    let pods: Vec<_> = (1..=5).map(|index| (format!("web-{index}"), format!("10.244.1.{index}"))).collect();
    let pods: Vec<_> = pods.iter().map(|(name, address)| (name.as_str(), address.as_str())).collect();
    let names: Vec<_> = pods.iter().map(|(name, _)| (*name, *name)).collect();
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&pods)).serve();
    let mut config = "exporters:\n".to_owned();
    for (name, settings) in EXPORTERS {
        let endpoint = if name.starts_with("otlphttp") {
            format!("http://{}", served.address)
        } else {
            format!("{}\n    tls:\n      insecure: true", served.grpc)
        };
        config += &format!("  {name}:\n    endpoint: {endpoint}\n{settings}");
    }
    let names_of_exporters = EXPORTERS.map(|(name, _)| name).join(", ");
    config += &format!(
        "service:\n  telemetry:\n    metrics:\n      level: none\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [{names_of_exporters}]\n"
    );
    let collector = Collector::with_otlp(&binary, &config, &[]);
    let mut client = Client::connect(collector.http("otlp"));
    // All pods in one request, and each in its own.
    assert_eq!(client.export(&spans::export(&names)).status, 200);
    for name in &names {
        assert_eq!(client.export(&spans::export(&[*name])).status, 200);
    }
    let times = 2 * EXPORTERS.len();
    agent.wait_for_spans((times * pods.len()) as u64);
    let mut placed: BTreeMap<_, usize> = BTreeMap::new();
    agent.placed().into_iter().for_each(|pod| *placed.entry(pod).or_default() += 1);
    let expected = pods.iter().map(|(name, address)| (((*name).to_owned(), (*address).to_owned()), times));
    assert_eq!(placed, expected.collect());
    // A retry would be a request too. They are counted once they have been answered.
    let requests = ((1 + pods.len()) * EXPORTERS.len()) as f64;
    let until = Instant::now() + PATIENCE;
    while served.metric("podstamp_requests_total", &[]) < requests {
        assert!(Instant::now() < until, "not all requests are counted");
    }
    assert_eq!(served.metric("podstamp_requests_total", &[]), requests);
}

/// The first of a kind is the default: both compress with gzip.
const EXPORTERS: [(&str, &str); 11] = [
    ("otlp", ""),
    ("otlp/none", "    compression: none\n"),
    ("otlp/snappy", "    compression: snappy\n"),
    ("otlp/zstd", "    compression: zstd\n"),
    ("otlphttp", ""),
    ("otlphttp/none", "    compression: none\n"),
    ("otlphttp/deflate", "    compression: deflate\n"),
    ("otlphttp/snappy", "    compression: snappy\n"),
    ("otlphttp/zlib", "    compression: zlib\n"),
    ("otlphttp/zstd", "    compression: zstd\n"),
    ("otlphttp/json", "    encoding: json\n"),
];
