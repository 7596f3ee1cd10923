//! The pod table itself: bytes a pod, what a lookup takes while pods come and go, and what a change takes.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use podstamp::pods::{Coverage, KeptKeys, PodParts, Pods, Table};
use podstamp_core::directory::{Details, Directory, Fields, Lookup, Term};
use serde_json::{Value, json};

use crate::sample::median;

/// Measures a table of so many pods with these fields.
pub(super) fn row(count: usize, fields: Fields, quick: bool) -> Value {
    let began = Instant::now();
    let mut table = Table::new(fields, KeptKeys::default(), Coverage::Cluster);
    for index in 0..count {
        table.upsert(&pod(index, 0)).unwrap();
    }
    let fill = began.elapsed().as_secs_f64() * 1e9 / count as f64;
    let bytes = table.memory() as f64 / count as f64;
    let pods = Pods::new(table);
    let idle = lookups(&pods, count, quick);
    let is_done = AtomicBool::new(false);
    let (busy, changes) = thread::scope(|scope| {
        let writer = scope.spawn(|| churn(&pods, count, &is_done));
        let busy = lookups(&pods, count, quick);
        is_done.store(true, Ordering::Relaxed);
        (busy, writer.join().unwrap())
    });
    println!(
        "{count:>9} {:>38} {bytes:>10.1} {:>12.2} {:>10.0} {:>10.0} {:>10.2} {:>12.1}",
        if fields == Fields::ALL { "all".to_owned() } else { fields.to_string() },
        fill / 1e3,
        idle.median,
        busy.median,
        busy.p99 / 1e3,
        changes / 1e3,
    );
    json!({
        "pods": count,
        "fields": fields.to_string(),
        "bytes_a_pod": bytes,
        "fill_ns_a_pod": fill,
        "lookup_ns": idle.median,
        "lookup_ns_during_changes": busy.median,
        "lookup_p99_ns_during_changes": busy.p99,
        "change_ns": changes,
    })
}

/// Prints what stands above the rows.
pub(super) fn print_heading() {
    println!(
        "\nThe pod table, without text. A lookup is by address, uid, name or container, `busy` while {CHANGES} pods a second come and go; \
         a `change` puts one pod and publishes it.\n"
    );
    println!(
        "{:>9} {:>38} {:>10} {:>12} {:>10} {:>10} {:>10} {:>12}",
        "pods", "fields", "B/pod", "fill us/pod", "lookup ns", "busy ns", "busy p99 us", "change us"
    );
}

struct Lookups {
    /// Nanoseconds of a lookup, in the middle one of many batches: other programs take their time of some.
    median: f64,
    /// Nanoseconds that 99 of 100 lookups stay below, the clock's own included.
    p99: f64,
}

fn lookups(pods: &Pods, count: usize, quick: bool) -> Lookups {
    let duration = Duration::from_millis(if quick { 300 } else { 3_000 });
    // Keys in an order that no cache foresees, made beforehand.
    let keys: Vec<_> = (0..SAMPLE).map(|at| key(at * 7_919 % count)).collect();
    let mut batches = Vec::new();
    let began = Instant::now();
    while began.elapsed() < duration {
        for batch in keys.chunks(BATCH) {
            // Whoever looks a pod up has just read its key.
            black_box(batch.iter().map(Key::sum).sum::<usize>());
            let began = Instant::now();
            for key in batch {
                black_box(key.look_up(pods));
            }
            batches.push(began.elapsed().as_secs_f64() * 1e9 / batch.len() as f64);
        }
    }
    let mut each: Vec<f64> = keys
        .iter()
        .map(|key| {
            let began = Instant::now();
            black_box(key.look_up(pods));
            began.elapsed().as_secs_f64() * 1e9
        })
        .collect();
    each.sort_by(f64::total_cmp);
    Lookups { median: median(batches), p99: each.get(each.len() * 99 / 100).copied().unwrap_or_default() }
}

/// Replaces pods by others, so many a second; returns the nanoseconds of a change.
fn churn(pods: &Pods, count: usize, is_done: &AtomicBool) -> f64 {
    let began = Instant::now();
    let (mut busy, mut changes) = (Duration::ZERO, 0_u32);
    while !is_done.load(Ordering::Relaxed) {
        let due = Duration::from_secs(1) * changes / CHANGES;
        thread::sleep(due.saturating_sub(began.elapsed()));
        let index = changes as usize / 2 * 104_729 % count;
        // One goes, and in the next step another one takes its address.
        let (from, to) = (pod(index, changes / 2 / count as u32), pod(index, changes / 2 / count as u32 + 1));
        let start = Instant::now();
        pods.update(|table| {
            if changes % 2 == 0 {
                assert!(table.slot_of(&from).is_some_and(|slot| table.remove(slot)));
            } else {
                table.upsert(&to).unwrap();
            }
        });
        busy += start.elapsed();
        changes += 1;
    }
    busy.as_secs_f64() * 1e9 / f64::from(changes.max(1))
}

/// What a pod can be looked up by.
struct Key {
    kind: usize,
    address: IpAddr,
    uid: String,
    name: String,
    namespace: String,
    container: String,
}

impl Key {
    fn sum(&self) -> usize {
        let texts = [&self.uid, &self.name, &self.namespace, &self.container];
        texts.into_iter().flat_map(|text| text.bytes()).map(usize::from).sum()
    }

    fn look_up(&self, pods: &Pods) -> Lookup {
        let terms: &[Term<'_>] = match self.kind {
            0 => &[Term::Ip(self.address)],
            1 => &[Term::Uid(&self.uid)],
            2 => &[Term::Name(&self.name), Term::Namespace(&self.namespace)],
            _ => &[Term::Container(&self.container)],
        };
        pods.find(terms, Details::default())
    }
}

fn key(index: usize) -> Key {
    let pod = pod(index, 0);
    Key {
        kind: index % 4,
        address: *pod.ips.first().unwrap(),
        uid: pod.uid.into(),
        name: pod.name.into(),
        namespace: pod.namespace.into(),
        container: pod.containers.first().unwrap().1.clone().into(),
    }
}

/// A pod as in a real cluster: 110 of them on a node, three in a Deployment, two containers.
fn pod(index: usize, generation: u32) -> PodParts<'static> {
    let mix = mixed(index as u64 + 1, u64::from(generation));
    let [_, a, b, c] = (index as u32).to_be_bytes();
    let [.., d, e] = ((index / 110) as u32).to_be_bytes();
    let (set, node) = (index / 3, index / 110);
    let container = |name: &'static str, salt| {
        let id = format!("containerd://{:016x}{:048x}", mixed(mix, salt), index);
        (name.into(), id.into())
    };
    PodParts {
        name: format!("payment-service-{set}-{:010x}-{:05x}", mixed(set as u64, 3) >> 24, mix & 0xF_FFFF)
            .into(),
        namespace: format!("team-{}", index % 400).into(),
        uid: format!("{:08x}-{generation:04x}-4000-8000-{index:012x}", mix >> 32).into(),
        ips: vec![[10, a, b, c].into()],
        node: format!("ip-{node}.eu-central-1.compute.internal").into(),
        node_ips: vec![[172, 16, d, e].into()],
        deployment: format!("payment-service-{set}").into(),
        phase: "Running".into(),
        created: format!("2026-11-{:02}T{:02}:{:02}:01Z", 1 + mix % 28, mix % 24, mix % 60).into(),
        started: format!("2026-11-{:02}T{:02}:{:02}:03Z", 1 + mix % 28, mix % 24, mix % 60).into(),
        containers: vec![container("app", 1), container("istio-proxy", 2)],
        ..PodParts::default()
    }
}

fn mixed(number: u64, salt: u64) -> u64 {
    let mixed = (number ^ salt << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// Pods a second that come or go.
const CHANGES: u32 = 500;

/// Keys that are looked up.
const SAMPLE: usize = 16_384;

/// Lookups of a batch.
const BATCH: usize = 64;
