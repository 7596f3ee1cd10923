//! Content coding of what the exporter sends.

use crate::config::document::Entry;

/// How the exporter compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// With gzip.
    Gzip {
        /// 1 for speed to 9 for size.
        level: u32,
    },
}

/// Reads `compression` and `compression_params`. Not written: none, where the Collector would take gzip, since the agent
/// is next door.
pub(crate) fn read_compression(entry: &Entry<'_>, params: &Entry<'_>) -> Compression {
    let mut section = params.section();
    let level = section.take("level");
    section.close();
    let level = read_level(&level).unwrap_or(DEFAULT_LEVEL);
    match entry.choice(&CHOICES) {
        Some(Choice::Gzip) => Compression::Gzip { level },
        Some(Choice::Other) => {
            entry.fault(
                "podstamp compresses with gzip only, all that deepflow-agent reads: write gzip or none",
            );
            Compression::None
        }
        Some(Choice::None) | None => Compression::None,
    }
}

/// As in the Collector 0 and -1 stand for the default; its -2, without looking for repetitions, is left out.
fn read_level(entry: &Entry<'_>) -> Option<u32> {
    if !entry.is_set() {
        return None;
    }
    match entry.value()?.as_f64() {
        Some(level) if level == 0.0 || level == -1.0 => None,
        Some(level) if level.fract() == 0.0 && (1.0..=9.0).contains(&level) => Some(level as u32),
        _ => {
            entry
                .fault("expected a whole number from 1 (fastest) to 9 (smallest); 0 and -1 mean the default");
            None
        }
    }
}

#[derive(Clone, Copy)]
enum Choice {
    None,
    Gzip,
    Other,
}

const CHOICES: [(&str, Choice); 9] = [
    ("none", Choice::None),
    ("", Choice::None),
    ("gzip", Choice::Gzip),
    ("zlib", Choice::Other),
    ("deflate", Choice::Other),
    ("snappy", Choice::Other),
    ("x-snappy-framed", Choice::Other),
    ("zstd", Choice::Other),
    ("lz4", Choice::Other),
];

/// The fastest: it takes half of the time of level 6, the Collector's default, and leaves a tenth more at most. The agent is
/// next door.
const DEFAULT_LEVEL: u32 = 1;
