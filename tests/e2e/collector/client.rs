//! A Collector exports to podstamp, as a gateway in front of it does.

use std::collections::BTreeMap;

use super::Collector;
use crate::http::Client;
use crate::runtime::otelcol;
use crate::served::{Setup, StandIn};
use crate::spans;

#[test]
fn the_collectors_exporters_get_their_spans_through() {
    let Some(binary) = otelcol() else {
        return;
    };
    let pods: Vec<_> = (1..=5).map(|index| (format!("web-{index}"), format!("10.244.1.{index}"))).collect();
    let pods: Vec<_> = pods.iter().map(|(name, address)| (name.as_str(), address.as_str())).collect();
    let names: Vec<_> = pods.iter().map(|(name, _)| (*name, *name)).collect();
    let agent = StandIn::with(|builder| builder.keep_bodies());
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&pods)).serve();
    for (index, exporter) in [
        format!("otlp:\n    endpoint: {}\n    tls:\n      insecure: true\n", served.grpc),
        format!("otlphttp:\n    endpoint: http://{}\n", served.address),
    ]
    .into_iter()
    .enumerate()
    {
        let name = exporter.split(':').next().unwrap();
        let config = format!(
            "exporters:\n  {exporter}service:\n  telemetry:\n    metrics:\n      level: none\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [{name}]\n"
        );
        let collector = Collector::start(&binary, &config, &[]);
        let mut client = Client::connect(collector.address);
        // All pods in one request, and each in its own.
        assert_eq!(client.export(&spans::export(&names)).status, 200);
        for name in &names {
            assert_eq!(client.export(&spans::export(&[*name])).status, 200);
        }
        agent.wait_for_spans(10 * (index as u64 + 1));
        let mut placed: BTreeMap<_, usize> = BTreeMap::new();
        agent.placed().into_iter().for_each(|pod| *placed.entry(pod).or_default() += 1);
        let expected = pods.iter().map(|(name, address)| (((*name).to_owned(), (*address).to_owned()), 2));
        assert_eq!(placed, expected.collect(), "{name}");
        agent.agent().forget_records();
    }
}
