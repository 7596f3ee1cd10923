//! Shows the main job on real bytes: the shop's spans through one shared connection, as a load balancer and a relay would
//! bring them, to a fake agent that records what arrives.
//!
//! The same requests also go to a second one without podstamp on the way: its record is what DeepFlow would show.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use podstamp_fake_agent::{Agent, Record};
use prost::Message;
use serde_json::{Value, json};

use podstamp::app::{self, Overrides};
use podstamp::server::Server;

use super::flame::{self, Bar};
use super::send::Connection;
use super::shop::{self, Course, RELAY, SERVICES, SPANS, Service, Way};
use super::traffic;

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every span arrived once, under the pod that made it, or under none where that has no address.
    Right,
    /// Something did not; the table says what.
    Wrong,
}

/// The demo while its servers run.
pub(crate) struct Scenario {
    server: Server,
    address: SocketAddr,
    console: SocketAddr,
    agent: Agent,
    direct: Agent,
    pods: PathBuf,
}

impl Scenario {
    /// Starts the fake agents and podstamp on free ports.
    pub(super) async fn start(guest: Option<PathBuf>) -> anyhow::Result<Self> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let agent = Agent::builder().listen(any_port).start().await?;
        let direct = Agent::builder().listen(any_port).start().await?;
        let pods = std::env::temp_dir().join(format!("podstamp-demo-{}.json", std::process::id()));
        std::fs::write(&pods, shop::pods().to_string())?;
        let document = document(&agent.url())?;
        let overrides = Overrides { pods: Some(pods.clone()), guest, ..Overrides::default() };
        let server = app::start(document, &overrides).await?;
        let address = server.http_address().context("the document has no OTLP/HTTP")?;
        let console = server.admin_address().context("the document has no admin listener")?;
        Ok(Self { server, address, console, agent, direct, pods })
    }

    /// Plays one request through the shop and shows what came of it.
    pub(super) async fn play(&self, out: &mut impl Write) -> anyhow::Result<Verdict> {
        let begin = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        let trace = u128::from(begin).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let mut balanced = Connection::open(self.address).await?;
        let mut direct = Connection::open(self.direct.address()).await?;
        for service in &SERVICES {
            let body = shop::export(service, trace, begin, &Course::USUAL).encode_to_vec();
            let relay = (service.way == Way::Relay).then_some(RELAY);
            balanced.post("/v1/traces", relay, body.clone()).await?;
            direct.post(podstamp_fake_agent::TRACE_PATH, relay, body).await?;
        }
        let spans = SPANS as u64;
        let arrived = tokio::time::timeout(PATIENCE, self.agent.wait_for_spans(spans)).await.is_ok();
        let with = self.agent.records();
        let without = self.direct.records();
        let verdict = if arrived && is_right(&with) { Verdict::Right } else { Verdict::Wrong };

        writeln!(
            out,
            "\n  {} requests came through one connection, from {}; some for a relay, the pod {RELAY}.\n",
            SERVICES.len(),
            balanced.local()
        )?;
        table(out, &with, &without, balanced.local().ip())?;
        for service in SERVICES.iter().filter(|service| service.address.is_none()) {
            writeln!(
                out,
                "\n  {} has no address yet: {UNKNOWN} says so. The relay's would be another pod's.",
                service.pod
            )?;
        }
        writeln!(out, "\n  The trace, as DeepFlow can now join it with the eBPF spans of each pod:\n")?;
        flame::draw(out, &bars(&with))?;
        let summary = match verdict {
            Verdict::Right => {
                "every span arrived once, under the pod that made it or, without an address, under none"
            }
            Verdict::Wrong => "NOT every span arrived once under the pod that made it",
        };
        writeln!(out, "\n  {} of {SPANS} spans: {summary}.", spans_of(&with).count())?;
        Ok(verdict)
    }

    /// Says where everything listens, for those who want to look at it or to send something of their own.
    pub(super) fn describe(&self, out: &mut impl Write) -> anyhow::Result<()> {
        writeln!(out, "\n  Look at it in a browser:     http://{}/", self.console)?;
        writeln!(out, "  podstamp takes OTLP/HTTP at  http://{}/v1/traces", self.address)?;
        writeln!(out, "  the fake agent is at         {}", self.agent.url())?;
        writeln!(out, "  the pods are in              {}", self.pods.display())?;
        writeln!(out, "\n  More traffic comes until Ctrl-C ends it.")?;
        Ok(())
    }

    /// Sends requests through the shop until this is dropped.
    pub(super) async fn keep_busy(&self) {
        traffic::flow(self.address).await;
    }

    /// Stops everything.
    pub(super) async fn stop(self) {
        self.server.without_delay().shutdown().await;
        self.agent.shutdown().await;
        self.direct.shutdown().await;
        // Nothing depends on it: the folder is the system's to clean.
        drop(std::fs::remove_file(&self.pods));
    }
}

/// DeepFlow's pipeline for load balancers, on a free port and towards `upstream`.
fn document(upstream: &str) -> anyhow::Result<Value> {
    let mut document = app::default_document()?;
    let sections = document.as_object_mut().context("the default document is no object")?;
    sections.insert("exporters".to_owned(), json!({"otlphttp": {"traces_endpoint": upstream}}));
    let http = json!({"endpoint": "127.0.0.1:0"});
    sections.insert("receivers".to_owned(), json!({"otlp": {"protocols": {"http": http}}}));
    // What comes for the relay says so in X-Forwarded-For: all connections of the demo are from here.
    let own = json!({
        "trusted_proxies": ["127.0.0.1/32"],
        "admin": {"endpoint": "127.0.0.1:0", "console": {"payloads": true}},
    });
    sections.insert("podstamp".to_owned(), own);
    Ok(document)
}

fn is_right(records: &[Arc<Record>]) -> bool {
    let mut ids: Vec<_> = spans_of(records).map(|(_, _, span)| span.span_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let placed = spans_of(records).all(|(service, address, _)| {
        SERVICES.iter().any(|other| other.name == service && due(other) == address)
    });
    placed && ids.len() == SPANS && spans_of(records).count() == SPANS
}

/// The address that a service's spans are to have.
fn due(service: &Service) -> IpAddr {
    service.address.and_then(|address| address.parse().ok()).unwrap_or(UNKNOWN)
}

/// Every span that arrived, with its service and the address that DeepFlow's server would use.
fn spans_of(
    records: &[Arc<Record>],
) -> impl Iterator<Item = (&str, IpAddr, &podstamp_fake_agent::SpanRecord)> {
    let resources = records.iter().flat_map(|record| &record.resources);
    resources.flat_map(|resource| {
        let service = resource.attribute("service.name").and_then(|value| value.as_str()).unwrap_or("?");
        resource.spans.iter().map(move |span| (service, resource.server_address, span))
    })
}

fn table(
    out: &mut impl Write,
    with: &[Arc<Record>],
    without: &[Arc<Record>],
    balancer: IpAddr,
) -> anyhow::Result<()> {
    let addresses = |records: &[Arc<Record>]| -> BTreeMap<String, IpAddr> {
        spans_of(records).map(|(service, address, _)| (service.to_owned(), address)).collect()
    };
    let (stamped, bare) = (addresses(with), addresses(without));
    writeln!(
        out,
        "  {:<10} {:<27} {:<20} {:<20} without podstamp",
        "service", "pod", "connection", "stamped"
    )?;
    for service in &SERVICES {
        let wire = match service.way {
            Way::Balancer => balancer.to_string(),
            Way::Relay => format!("{RELAY} (relay)"),
        };
        let stamped = match stamped.get(service.name) {
            Some(&UNKNOWN) => format!("{UNKNOWN} (unknown)"),
            Some(address) => address.to_string(),
            None => "-".to_owned(),
        };
        let bare = match bare.get(service.name) {
            Some(address) if *address == balancer => format!("{address} (who sent it)"),
            address => address.map_or("-".to_owned(), ToString::to_string),
        };
        writeln!(out, "  {:<10} {:<27} {wire:<20} {stamped:<20} {bare}", service.name, service.pod)?;
    }
    Ok(())
}

fn bars(records: &[Arc<Record>]) -> Vec<Bar> {
    let bar = |(service, address, span): (&str, IpAddr, &podstamp_fake_agent::SpanRecord)| Bar {
        id: span.span_id.clone(),
        parent: span.parent_span_id.clone(),
        service: service.to_owned(),
        name: span.name.clone(),
        pod: SERVICES
            .iter()
            .find(|service| address != UNKNOWN && due(service) == address)
            .map_or_else(|| format!("{address}, pod unknown"), |service| service.pod.to_owned()),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
    };
    spans_of(records).map(bar).collect()
}

/// How DeepFlow has it that nobody knows the address.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Everything happens on loopback within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
