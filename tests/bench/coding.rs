//! Content codings: the libraries that the host uses, beside the ones that it could.

use std::hint::black_box;
use std::io::Write as _;

use flate2::{Compression, Decompress, FlushDecompress};
use libdeflater::{CompressionLvl, Compressor, Decompressor};
use podstamp_test_support::bodies;
use serde_json::{Value, json};

use crate::sample::{Task, medians};

pub(crate) fn run(quick: bool) -> Value {
    println!(
        "\nContent codings. GB/s of body without its coding. The host inflates with zlib-rs, since libdeflate's safe binding cannot \
         say where a member ends, and compresses with libdeflate.\n"
    );
    header();
    let rows: Vec<_> = [10, 130, 1_000, 10_000].iter().map(|spans| row(*spans, quick)).collect();
    println!(
        "\ngzip level by level: GB/s, and the size against that of the Collector's (Go's compress/gzip at its default level, 6). \
         `compression: gzip` is libdeflate 1 unless `compression_params.level` says otherwise.\n"
    );
    print!("{:>25}", "");
    LEVELS.iter().for_each(|(library, level)| print!(" {:>14}", format!("{} {level}", library.name())));
    println!();
    let levels: Vec<_> = COLLECTOR.iter().map(|(spans, theirs)| levels(*spans, *theirs, quick)).collect();
    json!({"codings": rows, "levels": levels})
}

/// What compresses with gzip.
#[derive(Clone, Copy)]
enum Library {
    ZlibRs,
    Libdeflate,
}

impl Library {
    fn name(self) -> &'static str {
        match self {
            Self::ZlibRs => "zlib-rs",
            Self::Libdeflate => "libdeflate",
        }
    }

    fn gzip(self, body: &[u8], level: u32) -> Vec<u8> {
        match self {
            Self::ZlibRs => zlib_rs(body, level),
            Self::Libdeflate => libdeflate(body, level as i32),
        }
    }
}

const LEVELS: [(Library, u32); 8] = [
    (Library::ZlibRs, 1),
    (Library::ZlibRs, 3),
    (Library::ZlibRs, 6),
    (Library::Libdeflate, 1),
    (Library::Libdeflate, 3),
    (Library::Libdeflate, 5),
    (Library::Libdeflate, 6),
    (Library::Libdeflate, 7),
];

/// Bytes of the gzip that Go 1.26 makes of [`bodies::of_spans`], as the Collector does.
const COLLECTOR: [(usize, usize); 4] = [(10, 2_070), (130, 11_359), (1_000, 76_311), (10_000, 749_997)];

fn levels(spans: usize, collector: usize, quick: bool) -> Value {
    let body = bodies::of_spans(spans);
    let length = body.len();
    let mut tasks: Vec<Task<'_>> = LEVELS
        .iter()
        .map(|(library, level)| -> Task<'_> {
            (library.name(), Box::new(|| drop(black_box(library.gzip(&body, *level)))))
        })
        .collect();
    let seconds = medians(&mut tasks, quick);
    drop(tasks);
    print!("{spans:>7} spans {:>7.1} KiB", length as f64 / 1024.0);
    let mut told = Vec::new();
    for ((library, level), seconds) in LEVELS.iter().zip(&seconds) {
        let size = library.gzip(&body, *level).len();
        let rate = length as f64 / seconds / 1e9;
        print!(" {:>14}", format!("{rate:.2} {:+.1} %", (size as f64 / collector as f64 - 1.0) * 100.0));
        told.push(
            json!({"library": library.name(), "level": level, "gigabytes_per_second": rate, "bytes": size}),
        );
    }
    println!();
    json!({"spans": spans, "bytes": length, "collector_bytes": collector, "levels": told})
}

const COLUMNS: [&str; 9] = [
    "gunzip zlib-rs",
    "libdeflate",
    "zstd -d",
    "snappy -d",
    "framed -d",
    "gzip 1 zlib-rs",
    "libdeflate 1",
    "gzip 6 zlib-rs",
    "libdeflate 6",
];

fn row(spans: usize, quick: bool) -> Value {
    let body = bodies::of_spans(spans);
    let length = body.len();
    // As most clients compress.
    let gzip = zlib_rs(&body, 6);
    let zstd = zstd::bulk::compress(&body, 3).unwrap();
    let block = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    let mut framed = snap::write::FrameEncoder::new(Vec::new());
    framed.write_all(&body).unwrap();
    let framed = framed.into_inner().unwrap();
    let mut context = zstd::bulk::Decompressor::new().unwrap();
    let mut tasks: Vec<Task<'_>> = vec![
        (COLUMNS[0], Box::new(|| assert_eq!(inflate(&gzip, length), length))),
        (COLUMNS[1], Box::new(|| assert_eq!(inflate_whole(&gzip, length), length))),
        (
            COLUMNS[2],
            Box::new(|| assert_eq!(black_box(context.decompress(&zstd, length).unwrap()).len(), length)),
        ),
        (COLUMNS[3], Box::new(|| assert_eq!(snappy(&block).len(), length))),
        (COLUMNS[4], Box::new(|| assert_eq!(snappy_frames(&framed, length).len(), length))),
        (COLUMNS[5], Box::new(|| drop(black_box(zlib_rs(&body, 1))))),
        (COLUMNS[6], Box::new(|| drop(black_box(libdeflate(&body, 1))))),
        (COLUMNS[7], Box::new(|| drop(black_box(zlib_rs(&body, 6))))),
        (COLUMNS[8], Box::new(|| drop(black_box(libdeflate(&body, 6))))),
    ];
    let seconds = medians(&mut tasks, quick);
    drop(tasks);
    print!("{spans:>7} spans {:>7.1} KiB", length as f64 / 1024.0);
    for seconds in &seconds {
        print!(" {:>14.2}", length as f64 / seconds / 1e9);
    }
    println!();
    let sizes = json!({
        "gzip 6": gzip.len(), "gzip 1": zlib_rs(&body, 1).len(), "libdeflate 6": libdeflate(&body, 6).len(),
        "libdeflate 1": libdeflate(&body, 1).len(), "zstd": zstd.len(), "snappy": block.len(),
    });
    let columns: serde_json::Map<_, _> = COLUMNS
        .iter()
        .zip(&seconds)
        .map(|(name, seconds)| ((*name).to_owned(), json!(seconds * 1e9)))
        .collect();
    json!({"spans": spans, "bytes": length, "sizes": sizes, "nanoseconds": columns})
}

fn header() {
    print!("{:>25}", "");
    for column in COLUMNS {
        print!(" {column:>14}");
    }
    println!();
}

fn inflate(gzip: &[u8], length: usize) -> usize {
    let mut out = Vec::with_capacity(length + 1);
    Decompress::new_gzip(15).decompress_vec(gzip, &mut out, FlushDecompress::None).unwrap();
    black_box(&out).len()
}

fn inflate_whole(gzip: &[u8], length: usize) -> usize {
    let mut out = vec![0; length];
    let written = Decompressor::new().gzip_decompress(gzip, &mut out).unwrap();
    black_box(&out);
    written
}

fn snappy(block: &[u8]) -> Vec<u8> {
    black_box(snap::raw::Decoder::new().decompress_vec(block).unwrap())
}

fn snappy_frames(frames: &[u8], length: usize) -> Vec<u8> {
    use std::io::Read as _;
    let mut out = Vec::with_capacity(length + 1);
    snap::read::FrameDecoder::new(frames).read_to_end(&mut out).unwrap();
    black_box(out)
}

fn zlib_rs(body: &[u8], level: u32) -> Vec<u8> {
    let room = Vec::with_capacity(body.len() / 4);
    let mut encoder = flate2::write::GzEncoder::new(room, Compression::new(level));
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn libdeflate(body: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
    let mut out = vec![0; compressor.gzip_compress_bound(body.len())];
    let length = compressor.gzip_compress(body, &mut out).unwrap();
    out.truncate(length);
    out
}
