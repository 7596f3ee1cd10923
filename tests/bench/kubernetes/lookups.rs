//! Lookups in podstamp's table while it follows a cluster whose pods change: how long they take, and how long one is held up.

use std::hint::black_box;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use podstamp::observe::Notices;
use podstamp::pods::kubernetes::{KubernetesPods, Settings, Surroundings};
use podstamp::pods::{Coverage, KeptKeys, PodParts, Pods, Table};
use podstamp_core::config::{self, DEFAULT_DOCUMENT};
use podstamp_core::directory::{Details, Directory as _, Field, Fields, Lookup, Term};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::RATE;
use super::cluster::Cluster;
use super::pod::{address, name, uid};
use crate::sample::median;

/// A row for each size.
pub(super) fn run(quick: bool) -> Value {
    println!(
        "\nLookups by name and by address in turn, while nothing and while {RATE} pods a second change.\n\
         `table B/pod`: with what DeepFlow's pipeline asks for, with container ids as well, and as the watch keeps it.\n"
    );
    println!(
        "{:>9} {:>18} {:>19} {:>16} {:>17} {:>17} {:>19}",
        "pods",
        "table B/pod",
        "Mio/s still/busy",
        "ns still/busy",
        "p99 ns still/busy",
        "p99.99 still/busy",
        "longest µs s/b"
    );
    let sizes: &[usize] = if quick { &[10_000] } else { &[1_000, 10_000, 100_000] };
    json!(sizes.iter().map(|&count| row(count, quick)).collect::<Vec<_>>())
}

fn row(count: usize, quick: bool) -> Value {
    let documented = config::parse(&serde_json::from_str(DEFAULT_DOCUMENT).unwrap()).unwrap();
    let without = documented.fields().with(Field::Uid).with(Field::Namespace);
    let each = [without, without.with(Field::Containers)].map(|fields| table_bytes(count, fields));
    let cluster = Cluster::start(count);
    let followed = Followed::new(&cluster.kube_config());
    let pods = followed.pods();
    let kept = pods.table().memory() as f64 / count as f64;
    let queries = Queries::new(count);
    let seconds = if quick { 1 } else { 3 };
    let time = Duration::from_secs(seconds);
    let (mut still, mut busy) = (Timed::default(), Timed::default());
    for _ in 0..if quick { 1 } else { 3 } {
        still.add(pods, &queries, time);
        std::thread::scope(|scope| {
            let changes = scope.spawn(|| cluster.change(RATE, 2 * RATE * seconds as usize));
            busy.add(pods, &queries, time);
            changes.join().unwrap();
        });
    }
    let (still, busy) = (still.summary(), busy.summary());
    println!(
        "{count:>9} {:>6.0}/{:>5.0}/{kept:>5.0} {:>9.2}/{:>9.2} {:>7.0}/{:>8.0} {:>8.0}/{:>8.0} {:>8.0}/{:>8.0} {:>9.0}/{:>9.0}",
        each[0],
        each[1],
        1e3 / still.mean,
        1e3 / busy.mean,
        still.mean,
        busy.mean,
        still.p99,
        busy.p99,
        still.p9999,
        busy.p9999,
        still.longest / 1e3,
        busy.longest / 1e3,
    );
    json!({
        "pods": count,
        "table_bytes_per_pod": {"pipeline": each[0], "with_containers": each[1], "watched": kept},
        "nanoseconds": {"still": still.mean, "busy": busy.mean},
        "p99_nanoseconds": {"still": still.p99, "busy": busy.p99},
        "p9999_nanoseconds": {"still": still.p9999, "busy": busy.p9999},
        "longest_microseconds": {"still": still.longest / 1e3, "busy": busy.longest / 1e3},
        "over_a_millisecond": {"still": still.over_a_millisecond, "busy": busy.over_a_millisecond},
    })
}

/// The bytes a pod of a table that keeps these fields.
fn table_bytes(count: usize, fields: Fields) -> f64 {
    let mut table = Table::new(fields, KeptKeys::default(), Coverage::Cluster);
    for index in 0..count {
        table.upsert(&parts(index)).unwrap();
    }
    table.memory() as f64 / count as f64
}

/// A pod with two containers, as the watch reads it.
fn parts(index: usize) -> PodParts<'static> {
    let container =
        |name: &'static str, digit: char| (name.into(), format!("containerd://{digit}{index:063x}").into());
    PodParts {
        name: name(index).into(),
        namespace: "shop".into(),
        uid: uid(index).into(),
        ips: vec![address(index, 0).into()],
        node: format!("node-{}", index % 500).into(),
        deployment: "shop".into(),
        phase: "Running".into(),
        created: "2026-11-20T08:00:01Z".into(),
        started: "2026-11-20T08:00:01Z".into(),
        containers: vec![container("app", 'a'), container("sidecar", 'b')],
        ..PodParts::default()
    }
}

/// Pods that this process follows, on a thread of its own, until it is dropped.
struct Followed {
    _runtime: Runtime,
    source: Arc<KubernetesPods>,
}

impl Followed {
    /// Follows the cluster of a kubeconfig, and waits until all pods are known.
    fn new(kube_config: &Path) -> Self {
        let mut document: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap();
        document["processors"]["k8sattributes"]["auth_type"] = "kubeConfig".into();
        let config = config::parse(&document).unwrap();
        let surroundings = Surroundings { kubeconfig: Some(kube_config.into()), ..Surroundings::default() };
        let settings =
            Settings::new(config.kubernetes().unwrap(), surroundings, config.kept_keys(), Coverage::Cluster);
        let source = Arc::new(KubernetesPods::new(settings));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(Arc::clone(&source).watch(Arc::new(Notices::default())));
        let until = Instant::now() + super::PATIENCE;
        while !source.status().is_loaded() {
            assert!(Instant::now() < until, "the pods do not come");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { _runtime: runtime, source }
    }

    fn pods(&self) -> &Pods {
        self.source.pods()
    }
}

/// What is looked up, in an order that no cache foresees.
struct Queries(Vec<(String, IpAddr)>);

impl Queries {
    fn new(count: usize) -> Self {
        Self(
            (0..count)
                .map(|number| number * 104_729 % count)
                .map(|index| (name(index), address(index, 0).into()))
                .collect(),
        )
    }
}

/// Times of lookups, in nanoseconds.
#[derive(Default)]
struct Timed {
    /// Of one, over each round.
    means: Vec<f64>,
    /// Of single ones; reading the clock is part of them.
    single: Vec<u32>,
}

/// The quantiles of [`Timed`].
struct Summary {
    mean: f64,
    p99: f64,
    p9999: f64,
    longest: f64,
    over_a_millisecond: usize,
}

impl Timed {
    fn add(&mut self, pods: &Pods, queries: &Queries, time: Duration) {
        let begin = Instant::now();
        let mut count = 0_u32;
        while begin.elapsed() < time {
            for (name, address) in queries.0.iter().cycle().skip(count as usize % queries.0.len()).take(512) {
                black_box(pods.find(&[Term::Name(name)], Details::default()));
                black_box(pods.find(&[Term::Ip(*address)], Details::default()));
            }
            count += 1_024;
        }
        self.means.push(begin.elapsed().as_secs_f64() / f64::from(count) * 1e9);
        let until = Instant::now() + time;
        let mut at = 0;
        while Instant::now() < until {
            for (name, address) in queries.0.iter().cycle().skip(at % queries.0.len()).take(512) {
                let begin = Instant::now();
                let found = pods.find(&[Term::Name(name)], Details::default());
                self.single.push(begin.elapsed().as_nanos() as u32);
                assert!(matches!(&found, Lookup::Found(pod) if pod.name == *name), "{name}: {found:?}");
                let begin = Instant::now();
                let found = pods.find(&[Term::Ip(*address)], Details::default());
                self.single.push(begin.elapsed().as_nanos() as u32);
                // It has another address meanwhile, or still this one.
                assert!(!matches!(&found, Lookup::Found(pod) if pod.name != *name), "{address}: {found:?}");
            }
            at += 512;
        }
        assert!(self.single.len() > SAMPLED, "{}", self.single.len());
    }

    fn summary(mut self) -> Summary {
        self.single.sort_unstable();
        let quantile =
            |quantile: f64| f64::from(self.single[((self.single.len() - 1) as f64 * quantile) as usize]);
        let over_a_millisecond = self.single.iter().filter(|time| **time > 1_000_000).count();
        Summary {
            mean: median(self.means.clone()),
            p99: quantile(0.99),
            p9999: quantile(0.9999),
            longest: quantile(1.0),
            over_a_millisecond,
        }
    }
}

const SAMPLED: usize = 100_000;
