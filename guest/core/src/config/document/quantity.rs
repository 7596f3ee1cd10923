//! Durations and sizes as people write them.

use serde_json::Number;

/// Milliseconds from a duration as Go writes it: `5s`, `1m30s`, `1.5h`, `0`. Parts of a millisecond count as one.
pub(crate) fn duration(text: &str) -> Result<u32, &'static str> {
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut milliseconds = 0.0_f64;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest).ok_or(NO_DURATION)?;
        let end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end).ok_or(NO_DURATION)?;
        milliseconds += number * unit_of_time(unit).ok_or(NO_DURATION)?;
        rest = after;
    }
    match milliseconds.ceil() {
        _ if text.is_empty() => Err(NO_DURATION),
        whole if whole <= f64::from(u32::MAX) => Ok(whole as u32),
        _ => Err("is over 49 days"),
    }
}

/// Milliseconds from nanoseconds that are whole milliseconds; nobody means any other duration.
pub(crate) fn nanoseconds(number: &Number) -> Option<u32> {
    let milliseconds = number.as_f64()? / 1e6;
    let is_plausible = milliseconds.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&milliseconds);
    is_plausible.then_some(milliseconds as u32)
}

/// Bytes from a size with a unit, as [`bytes`] reads it, of something in the guest.
pub(crate) fn size(text: &str) -> Result<u32, &'static str> {
    // The guest is a 32-bit machine: nothing in it is larger.
    bytes(text)?.try_into().map_err(|_| "is over 4 GiB")
}

/// Bytes from a size with a unit: `64MiB`, `64Mi`, `64M`, `64MB`, `512`.
pub(crate) fn bytes(text: &str) -> Result<u64, &'static str> {
    let (number, unit) = leading_number(text).ok_or(NO_SIZE)?;
    let factor = match unit.trim_start() {
        "" | "B" => 1.0,
        "k" | "K" | "kB" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "Ki" | "KiB" => 1024.0,
        "Mi" | "MiB" => 1024.0 * 1024.0,
        "Gi" | "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(NO_SIZE),
    };
    // A number that is too large becomes the largest one.
    Ok((number * factor) as u64)
}

fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, rest))
}

fn unit_of_time(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-6,
        "us" | "µs" | "μs" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3_600e3,
        _ => return None,
    })
}

const NO_DURATION: &str = "is no duration: write `500ms`, `30s` or `1m30s`";
const NO_SIZE: &str = "is no size: write bytes, `512KiB` or `64MiB`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("5s", Some(5_000)),
            ("1m30s", Some(90_000)),
            ("200ms", Some(200)),
            ("1.5h", Some(5_400_000)),
            ("500us", Some(1)),
            ("1ns", Some(1)),
            ("2000us", Some(2)),
            ("", None),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("5 s", None),
            ("5sec", None),
            ("1.2.3s", None),
            ("2000h", None),
            ("1e3s", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        for (text, expected) in [
            ("64MiB", Some(64 << 20)),
            ("64Mi", Some(64 << 20)),
            ("64M", Some(64_000_000)),
            ("64 MB", Some(64_000_000)),
            ("512", Some(512)),
            ("1.5KiB", Some(1536)),
            ("1GiB", Some(1 << 30)),
            ("4GiB", None),
            ("MiB", None),
            ("", None),
            ("64 megs", None),
            ("-1", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }
}
