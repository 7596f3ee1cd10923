//! When to try again: the Collector's `retry_on_failure`, within the exporter's timeout.

use crate::config::Exporter;
use crate::interface::{Attempt, Header};

/// Milliseconds to wait before the next attempt; `None` where there is not to be another one.
///
/// The wait is the longer of the back-off and the delay that the upstream asked for. The next attempt has to begin within
/// the exporter's timeout and the client's patience, since the client waits for its answer meanwhile.
pub(super) fn wait(exporter: &Exporter, attempt: &Attempt, asked: Option<u32>) -> Option<u32> {
    let retry = &exporter.retry;
    if !retry.enabled {
        return None;
    }
    let exponent = attempt.number.saturating_sub(1).min(64).cast_signed();
    let grown = f64::from(retry.initial_interval) * retry.multiplier.powi(exponent);
    let interval = grown.min(f64::from(retry.max_interval));
    let even = f64::from(attempt.random) / f64::from(u32::MAX);
    let jitter = 1.0 + retry.randomization_factor * (2.0 * even - 1.0);
    let wait = ((interval * jitter).max(0.0) as u32).max(asked.unwrap_or(0));
    let then = attempt.elapsed.saturating_add(wait);
    let patient = retry.max_elapsed_time == 0 || then <= retry.max_elapsed_time;
    (patient && then < exporter.timeout.min(attempt.patience)).then_some(wait)
}

/// Milliseconds that a response's Retry-After asks to wait: seconds, or a date, which is read against the response's own
/// Date since the filter has no clock.
pub(super) fn asked_delay(headers: &[Header]) -> Option<u32> {
    let text = |name: &str| {
        let header = headers.iter().find(|header| header.name == name)?;
        std::str::from_utf8(&header.value).ok().map(str::trim)
    };
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(seconds.saturating_mul(1000));
    }
    let seconds = http_date(value)? - http_date(text("date")?)?;
    u32::try_from(seconds.max(0).saturating_mul(1000)).ok()
}

/// An IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7), as seconds since some fixed day.
fn http_date(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as i64;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    if words.next() != Some("GMT") || !(0..=9999).contains(&year) {
        return None;
    }
    // Years are counted from March on, so that the leap day comes last (Hinnant, "chrono-compatible low-level date algorithms").
    let year = if month < 2 { year - 1 } else { year };
    let from_march = (month + 10) % 12;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * from_march + 2) / 5
        + day;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(retry_after: &str) -> Vec<Header> {
        vec![Header::new("date", "Sun, 28 Feb 2027 23:59:50 GMT"), Header::new("retry-after", retry_after)]
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked_delay(&headers("7")), Some(7000));
        assert_eq!(asked_delay(&headers("Mon, 01 Mar 2027 00:00:20 GMT")), Some(30_000));
        assert_eq!(asked_delay(&headers("Sun, 28 Feb 2027 23:00:00 GMT")), Some(0));
        for bad in ["", "-1", "soon", "Sun, 28 Foo 2027 23:00:00 GMT", "Sun, 28 Feb 2027"] {
            assert_eq!(asked_delay(&headers(bad)), None, "{bad}");
        }
        assert_eq!(asked_delay(&[]), None);
    }

    #[test]
    fn dates_are_seconds_apart() {
        let seconds = |text| http_date(text).unwrap();
        let epoch = seconds("Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT") - epoch, 784_111_777);
        assert_eq!(seconds("Thu, 29 Feb 2024 12:00:00 GMT") - epoch, 1_709_208_000);
        assert_eq!(seconds("Fri, 01 Mar 2024 00:00:00 GMT") - epoch, 1_709_251_200);
    }
}
