//! The pod table: itself, then as a filter elsewhere gets it: bytes on the wire, bytes in memory, and how long reading it holds
//! others up.

mod table;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;

use podstamp::pods::{self, Coverage, KeptKeys, Table};
use podstamp_core::config::{self, DEFAULT_DOCUMENT};
use podstamp_core::directory::{Field, Fields};
use podstamp_pods::{ListingReader, Progress, listing};
use podstamp_test_support::bodies;
use serde_json::{Value, json};

use crate::sample::{Task, median, medians};

pub(crate) fn run(quick: bool) -> Value {
    let documented = config::parse(&serde_json::from_str(DEFAULT_DOCUMENT).unwrap()).unwrap();
    table::print_heading();
    let counts: &[usize] = if quick { &[10_000] } else { &[1_000, 10_000, 100_000] };
    let identity = [Field::Uid, Field::Namespace].into_iter().collect();
    let sets = [documented.fields().union(identity), Fields::ALL];
    let rows = counts.iter().flat_map(|count| sets.map(|fields| table::row(*count, fields, quick)));
    json!({ "table": rows.collect::<Vec<_>>(), "listing": listings(documented.fields(), quick) })
}

fn listings(documented: Fields, quick: bool) -> Value {
    println!(
        "\nGET /pods, and the table made of it. `longest step` is of those that read {} KiB each.\n",
        STEP >> 10
    );
    println!(
        "{:>9} {:>38} {:>9} {:>9} {:>10} {:>9} {:>9} {:>16}",
        "pods", "fields", "wire B/pod", "gzip", "table B/pod", "write ms", "read ms", "longest step ms"
    );
    let counts: &[usize] = if quick { &[10_000] } else { &[10_000, 100_000] };
    let rows: Vec<_> = counts
        .iter()
        .flat_map(|count| {
            let pods = bodies::pods(*count).to_string();
            let table = pods::read_pods(pods.as_bytes(), KeptKeys::default(), Coverage::Cluster).unwrap();
            assert_eq!(table.len(), *count);
            [documented, Fields::ALL].map(|fields| row(&table, fields, quick))
        })
        .collect();
    json!(rows)
}

fn row(table: &Table, fields: Fields, quick: bool) -> Value {
    let text = listing::write(table, fields).into_bytes();
    let read = || ListingReader::new(text.clone()).finish().unwrap();
    let steps = RefCell::new(Vec::new());
    let mut tasks: [Task<'_>; 3] = [
        ("write", Box::new(|| drop(black_box(listing::write(table, fields))))),
        ("read", Box::new(|| drop(black_box(read())))),
        ("longest step", Box::new(|| steps.borrow_mut().push(longest_step(&text)))),
    ];
    let times = medians(&mut tasks, quick);
    drop(tasks);
    let pods = table.len();
    let each = |bytes: usize| bytes as f64 / pods as f64;
    let (wire, zipped, memory) = (each(text.len()), each(gzipped(&text)), each(read().memory()));
    let (write, read, step) = (times[0] * 1e3, times[1] * 1e3, median(steps.into_inner()) * 1e3);
    println!(
        "{pods:>9} {:>38} {wire:>10.1} {zipped:>9.1} {memory:>10.1} {write:>9.1} {read:>9.1} {step:>16.2}",
        if fields == Fields::ALL { "all".to_owned() } else { fields.to_string() }
    );
    json!({
        "pods": pods,
        "fields": fields.to_string(),
        "wire_bytes_a_pod": wire,
        "gzip_bytes_a_pod": zipped,
        "table_bytes_a_pod": memory,
        "write_ms": write,
        "read_ms": read,
        "longest_step_ms": step,
    })
}

/// Seconds of the longest of the steps in which a text is read.
fn longest_step(text: &[u8]) -> f64 {
    let mut reader = ListingReader::new(text.to_vec());
    let mut longest = 0.0_f64;
    loop {
        let begin = Instant::now();
        let progress = reader.advance(STEP).unwrap();
        longest = longest.max(begin.elapsed().as_secs_f64());
        if progress == Progress::Done {
            return longest;
        }
    }
}

fn gzipped(text: &[u8]) -> usize {
    let level = libdeflater::CompressionLvl::new(6).unwrap();
    let mut compressor = libdeflater::Compressor::new(level);
    let mut out = vec![0; compressor.gzip_compress_bound(text.len())];
    compressor.gzip_compress(text, &mut out).unwrap()
}

/// Bytes of a step.
const STEP: usize = 256 << 10;
