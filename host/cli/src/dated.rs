//! The clock of whoever answers over HTTP, by the `Date` of the response.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::DATE;

/// The clock of whoever answered, compared with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dated {
    /// No difference can be seen.
    Agrees,
    /// It is ahead of ours at least so much.
    Ahead(Duration),
    /// It is behind ours at least so much.
    Behind(Duration),
}

impl Dated {
    /// Reads the `Date` of a response, which is of some moment between sending and receiving. `None`: it has none.
    pub(crate) fn read(headers: &HeaderMap, sent: SystemTime, received: SystemTime) -> Option<Self> {
        let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
        // It was cut off to seconds.
        let end = date.checked_add(Duration::from_secs(1))?;
        Some(match (date.duration_since(received), sent.duration_since(end)) {
            (Ok(ahead), _) if !ahead.is_zero() => Self::Ahead(ahead),
            (_, Ok(behind)) if !behind.is_zero() => Self::Behind(behind),
            _ => Self::Agrees,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_date_of_seconds_and_the_time_under_way_leave_room() {
        let dated = |date| HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
        let date = dated("Thu, 26 Nov 2026 03:00:00 GMT");
        let at = |milliseconds: i64| {
            let base = UNIX_EPOCH + Duration::from_secs(1_795_662_000);
            match u64::try_from(milliseconds) {
                Ok(later) => base + Duration::from_millis(later),
                Err(_) => base - Duration::from_millis(milliseconds.unsigned_abs()),
            }
        };
        for (sent, received, expected) in [
            (0, 10, Dated::Agrees),
            (-500, 0, Dated::Agrees),
            (999, 2000, Dated::Agrees),
            (-5000, 5000, Dated::Agrees),
            (-900, -800, Dated::Ahead(Duration::from_millis(800))),
            (4000, 4100, Dated::Behind(Duration::from_secs(3))),
        ] {
            assert_eq!(Dated::read(&date, at(sent), at(received)), Some(expected), "{sent} {received}");
        }
        assert_eq!(Dated::read(&dated("noon"), at(0), at(0)), None);
        assert_eq!(Dated::read(&HeaderMap::new(), at(0), at(0)), None);
    }
}
