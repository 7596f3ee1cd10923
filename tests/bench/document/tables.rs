//! Which figures the document shows: its tables, and what their columns read.

use serde_json::Value;

/// A table of the document.
pub(super) struct Table {
    /// The part, and where in its figures the rows are: `part.field`.
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
}

pub(super) struct Column {
    pub(super) header: &'static str,
    pub(super) cell: fn(row: &Value) -> String,
}

impl Table {
    pub(super) fn part(&self) -> &'static str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// The rows among the part's figures.
    pub(super) fn rows<'a>(&self, figures: &'a Value) -> Option<&'a Vec<Value>> {
        self.name.split('.').skip(1).try_fold(figures, |value, field| value.get(field))?.as_array()
    }
}

/// A column that shows what the closure reads.
macro_rules! column {
    ($header:literal, $cell:expr) => {
        Column { header: $header, cell: $cell }
    };
}

/// All tables, in the document's order.
pub(super) const TABLES: &[Table] = &[
    Table { name: "collector.at_its_job", columns: AT_ITS_JOB },
    Table { name: "collector.inside", columns: INSIDE },
    Table { name: "start", columns: START },
    Table { name: "codec.by_size", columns: STAMPING },
    Table { name: "codec.by_resources", columns: RESOURCES },
    Table { name: "codec.json", columns: JSON },
    Table { name: "host", columns: HOST },
    Table { name: "load.small", columns: SMALL },
    Table { name: "load.cores", columns: CORES },
    Table { name: "load.rates", columns: RATES },
    Table { name: "coding.codings", columns: CODING },
    Table { name: "coding.levels", columns: LEVELS },
    Table { name: "envoy", columns: ENVOY },
];

const AT_ITS_JOB: &[Column] = &[
    column!("in", |row| text(row, "/in")),
    column!("out", |row| text(row, "/out")),
    column!("podstamp, spans/s a core", |row| thousands(number(row, "/spans_per_cpu_second/podstamp"))),
    column!("Collector", |row| thousands(number(row, "/spans_per_cpu_second/collector"))),
    column!("times", |row| places(number(row, "/times/collector"), 1)),
    column!("rotel", |row| thousands(number(row, "/spans_per_cpu_second/rotel"))),
    column!("times", |row| places(number(row, "/times/rotel"), 1)),
];

const INSIDE: &[Column] = &[
    column!("in", |row| text(row, "/in")),
    column!("without, µs a request", |row| places(number(row, "/cpu_us/without"), 0)),
    column!("with podstamp", |row| places(number(row, "/cpu_us/podstamp"), 0)),
    column!("of it", |row| places(number(row, "/ratios/podstamp"), 2)),
    column!("with k8sattributes, resource", |row| places(number(row, "/cpu_us/processors"), 0)),
    column!("of it", |row| places(number(row, "/ratios/processors"), 2)),
];

const START: &[Column] = &[
    column!("", |row| text(row, "/program")),
    column!("ready, ms", |row| places(number(row, "/ready_ms"), 0)),
    column!("first answer, ms", |row| places(number(row, "/answered_ms"), 0)),
    column!("CPU, ms", |row| places(number(row, "/cpu_ms"), 0)),
    column!("peak, MiB", |row| places(number(row, "/peak_mib"), 1)),
    column!("at rest", |row| places(number(row, "/rest_mib/resident"), 1)),
    column!("of it written", |row| places(number(row, "/rest_mib/anonymous"), 1)),
    column!("under load", |row| places(number(row, "/load_mib"), 1)),
    column!("binary, MiB", |row| places(number(row, "/binary_mib"), 1)),
];

const STAMPING: &[Column] = &[
    column!("body", |row| text(row, "/label")),
    column!("memcpy, GB/s", |row| rate(row, "memcpy")),
    column!("stamp, native", |row| rate(row, "stamp")),
    column!("guest, first time", |row| rate(row, "first wasm")),
    column!("guest, again", |row| rate(row, "stamp wasm")),
    column!("prost", |row| rate(row, "prost")),
    column!("again, times prost", |row| times(row, "prost", "stamp wasm")),
    column!("first, times prost", |row| times(row, "prost", "first wasm")),
];

const RESOURCES: &[Column] = &[
    column!("resources", |row| text(row, "/label").trim_end_matches(" res.").to_owned()),
    column!("guest, again, GB/s", |row| rate(row, "stamp wasm")),
    column!("guest, again, µs a resource", |row| each(row, "stamp wasm")),
    column!("guest, first time", |row| each(row, "first wasm")),
    column!("native, first time", |row| each(row, "stamp")),
    column!("prost", |row| each(row, "prost")),
    column!("again, times prost", |row| times(row, "prost", "stamp wasm")),
];

const JSON: &[Column] = &[
    column!("body in protobuf", |row| text(row, "/label")),
    column!("prepare, native, GB/s", |row| rate(row, "prepare")),
    column!("prepare, guest", |row| rate(row, "prepare wasm")),
    column!("serde_json's Value", |row| rate(row, "tree")),
    column!("guest, times Value", |row| times(row, "tree", "prepare wasm")),
];

const HOST: &[Column] = &[
    column!("body", |row| text(row, "/label")),
    column!("connections", |row| places(number(row, "/connections"), 0)),
    column!("requests/s on", |row| thousands(number(row, "/requests_per_second/on"))),
    column!("on/off", |row| places(number(row, "/ratio"), 2)),
    column!("CPU on, µs a request", |row| places(number(row, "/cpu_microseconds/on"), 1)),
    column!("off", |row| places(number(row, "/cpu_microseconds/off"), 1)),
    column!("off/on", |row| places(number(row, "/cpu_ratio"), 2)),
    column!("p99 on, ms", |row| places(number(row, "/p99_ms/0"), 2)),
    column!("off", |row| places(number(row, "/p99_ms/1"), 2)),
];

const SMALL: &[Column] = &[
    column!("body", |row| text(row, "/label")),
    column!("connections", |row| places(number(row, "/connections"), 0)),
    column!("CPU on, µs a request", |row| places(number(row, "/cpu_microseconds/on"), 1)),
    column!("off", |row| places(number(row, "/cpu_microseconds/off"), 1)),
    column!("off/on", |row| places(number(row, "/ratio"), 2)),
];

const CORES: &[Column] = &[
    column!("body", |row| text(row, "/label")),
    column!("connections", |row| places(number(row, "/connections"), 0)),
    column!("one worker, CPU µs a request", |row| places(number(row, "/cpu_microseconds/one"), 1)),
    column!("two", |row| places(number(row, "/cpu_microseconds/two"), 1)),
    column!("two cores bring", |row| format!("{} ×", places(number(row, "/two_cores"), 2))),
    column!("requests/s, one", |row| thousands(number(row, "/requests_per_second/one"))),
    column!("two", |row| thousands(number(row, "/requests_per_second/two"))),
    column!("p99, one, ms", |row| places(number(row, "/p99_ms/one"), 2)),
    column!("two", |row| places(number(row, "/p99_ms/two"), 2)),
];

const RATES: &[Column] = &[
    column!("body", |row| text(row, "/label")),
    column!("rate", |row| text(row, "/rate")),
    column!("requests/s", |row| thousands(number(row, "/reached"))),
    column!("p50, ms", |row| places(number(row, "/p50_ms"), 2)),
    column!("p90", |row| places(number(row, "/p90_ms"), 2)),
    column!("p99", |row| places(number(row, "/p99_ms"), 2)),
    column!("p99.9", |row| places(number(row, "/p999_ms"), 2)),
    column!("p99/p50", |row| places(ratio(number(row, "/p99_ms"), number(row, "/p50_ms")), 1)),
    column!("straight to the sink: p50", |row| places(number(row, "/straight/p50"), 2)),
    column!("p99", |row| places(number(row, "/straight/p99"), 2)),
    column!("p99.9", |row| places(number(row, "/straight/p999"), 2)),
];

const CODING: &[Column] = &[
    column!("spans", |row| places(number(row, "/spans"), 0)),
    column!("gunzip, GB/s", |row| rate(row, "gunzip zlib-rs")),
    column!("unzstd", |row| rate(row, "zstd -d")),
    column!("unsnappy", |row| rate(row, "snappy -d")),
];

const LEVELS: &[Column] = &[
    column!("spans", |row| places(number(row, "/spans"), 0)),
    column!("zlib-rs 6, GB/s", |row| level(row, "zlib-rs", 6).0),
    column!("size", |row| level(row, "zlib-rs", 6).1),
    column!("libdeflate 1, GB/s", |row| level(row, "libdeflate", 1).0),
    column!("size", |row| level(row, "libdeflate", 1).1),
    column!("libdeflate 6, GB/s", |row| level(row, "libdeflate", 6).0),
    column!("size", |row| level(row, "libdeflate", 6).1),
];

const ENVOY: &[Column] = &[
    column!("body", |row| text(row, "/label")),
    column!("connections", |row| places(number(row, "/connections"), 0)),
    column!("no module, CPU µs a request", |row| places(number(row, "/cpu_microseconds/none"), 1)),
    column!("replaces the body", |row| places(number(row, "/cpu_microseconds/identity"), 1)),
    column!("podstamp's calls alone", |row| places(number(row, "/cpu_microseconds/calls"), 1)),
    column!("podstamp", |row| places(number(row, "/cpu_microseconds/podstamp"), 1)),
    column!("podstamp/replacing", |row| places(number(row, "/ratios/podstamp~1identity"), 2)),
    column!("podstamp/calls", |row| places(number(row, "/ratios/podstamp~1calls"), 2)),
    column!("p99 added, ms", |row| places(number(row, "/p99_added_ms"), 2)),
];

fn text(row: &Value, pointer: &str) -> String {
    row.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(row: &Value, pointer: &str) -> Option<f64> {
    row.pointer(pointer).and_then(Value::as_f64).filter(|number| number.is_finite())
}

/// What was not measured is a dash.
fn places(number: Option<f64>, places: usize) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.places$}"))
}

/// A whole number, in groups of three digits.
fn thousands(number: Option<f64>) -> String {
    let digits = places(number, 0);
    let split = |(at, digit): (usize, char)| {
        let comma = at > 0 && digit.is_ascii_digit() && (digits.len() - at).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    digits.char_indices().flat_map(split).collect()
}

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?)
}

/// Nanoseconds of a column.
fn nanoseconds(row: &Value, column: &str) -> Option<f64> {
    row.get("nanoseconds")?.get(column)?.as_f64()
}

/// GB/s of body.
fn rate(row: &Value, column: &str) -> String {
    places(ratio(number(row, "/bytes"), nanoseconds(row, column)), 2)
}

/// How many times as fast the second column is.
fn times(row: &Value, slow: &str, fast: &str) -> String {
    places(ratio(nanoseconds(row, slow), nanoseconds(row, fast)), 1)
}

/// Microseconds a resource.
fn each(row: &Value, column: &str) -> String {
    places(ratio(nanoseconds(row, column).map(|ns| ns / 1e3), number(row, "/resources")), 2)
}

/// What a library's level of gzip does: GB/s, and its size against the Collector's.
fn level(row: &Value, library: &str, level: u64) -> (String, String) {
    let levels = row.get("levels").and_then(Value::as_array).into_iter().flatten();
    let found = levels.into_iter().find(|one| one["library"] == library && one["level"] == level);
    let size = found.and_then(|found| ratio(number(found, "/bytes"), number(row, "/collector_bytes")));
    let size = size.map_or_else(|| "-".to_owned(), |size| format!("{:+.1} %", (size - 1.0) * 100.0));
    (places(found.and_then(|found| number(found, "/gigabytes_per_second")), 2), size)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_written_for_readers() {
        assert_eq!(thousands(Some(1_234_567.4)), "1,234,567");
        assert_eq!(thousands(Some(999.0)), "999");
        assert_eq!(thousands(None), "-");
        let row = json!({"bytes": 1000, "resources": 10, "nanoseconds": {"a": 2000.0, "b": 500.0}});
        assert_eq!((rate(&row, "b"), times(&row, "a", "b")), ("2.00".to_owned(), "4.0".to_owned()));
        assert_eq!((each(&row, "a"), each(&row, "c")), ("0.20".to_owned(), "-".to_owned()));
        let levels = json!([{"library": "x", "level": 6, "gigabytes_per_second": 0.5, "bytes": 90}]);
        let row = json!({"collector_bytes": 100, "levels": levels});
        assert_eq!(level(&row, "x", 6), ("0.50".to_owned(), "-10.0 %".to_owned()));
        assert_eq!(level(&row, "x", 1), ("-".to_owned(), "-".to_owned()));
    }

    #[test]
    fn rows_are_found_by_their_name() {
        let figures = json!({"at_its_job": [{"in": "gRPC"}], "inside": []});
        assert_eq!(TABLES[0].rows(&figures).unwrap().len(), 1);
        assert_eq!(TABLES[1].part(), "collector");
        assert!(TABLES[0].rows(&json!([])).is_none());
    }
}
