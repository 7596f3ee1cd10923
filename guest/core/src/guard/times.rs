//! `future_spans` and `far_times`: rules about the times of spans, by the clock of the host.
//!
//! The window in which deepflow-agent counts moves with the newest end that it has seen, and spans before the window are dropped:
//! one span that ends an hour ahead blanks the metrics of everybody for an hour. The server keeps a row under the hour in which
//! its span ended, and ClickHouse takes no block with more than a hundred of them. Nobody looks at a row in 1970.

use std::fmt;

use crate::edit::draft::Draft;
use crate::interface::{Level, Notice};
use crate::wire;

/// The limits of spans' times, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The host's clock.
    now: u64,
    /// A span that ends after this is moved back.
    latest: u64,
    /// A span that ends before the first or after the second is far away.
    near: (u64, u64),
    /// Whether spans that have no end, or begin after it, are counted.
    senseless: bool,
    /// The earliest end that no rule applies to, and the length of the range that begins there.
    usual: (u64, u64),
}

impl Times {
    /// No limits: no span is odd.
    pub const ANY: Self =
        Self { now: 0, latest: u64::MAX, near: (0, u64::MAX), senseless: false, usual: (0, u64::MAX) };

    /// Limits that let spans end `future` milliseconds ahead, 0 being any; with `far`, times that are far away or senseless are
    /// counted. Without a clock only senseless ones can be told.
    pub(crate) fn new(now: Option<u64>, future: u32, far: bool) -> Self {
        let latest = match (now, future) {
            (None, _) | (_, 0) => u64::MAX,
            (Some(now), future) => now.saturating_add(u64::from(future) * 1_000_000),
        };
        let near = match now {
            Some(now) if far => (now.saturating_sub(PAST), now.saturating_add(AHEAD)),
            _ => Self::ANY.near,
        };
        // A span without an end has 0 there.
        let earliest = near.0.max(u64::from(far));
        let usual = (earliest, near.1.min(latest).saturating_sub(earliest));
        Self { now: now.unwrap_or_default(), latest, near, senseless: far, usual }
    }

    /// Whether a rule applies to a span with these times. This one question is asked for every span.
    #[inline(always)]
    pub(crate) fn are_odd(&self, start: u64, end: u64) -> bool {
        end.wrapping_sub(self.usual.0) > self.usual.1 || start > end
    }
}

/// The bytes of the times of a span that is moved back; `start` is `None` where the span has none.
#[derive(Clone, Copy, Debug)]
struct Moved<'a> {
    start: Option<&'a [u8; 8]>,
    end: &'a [u8; 8],
}

/// Spans of one ResourceSpans with odd times.
#[derive(Debug, Default)]
pub(crate) struct OddTimes<'a> {
    moved: Vec<Moved<'a>>,
    ahead: u64,
    far: u32,
    senseless: u32,
}

impl<'a> OddTimes<'a> {
    pub(crate) fn clear(&mut self) {
        self.moved.clear();
        (self.ahead, self.far, self.senseless) = (0, 0, 0);
    }

    /// Whether there is nothing to change.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.moved.is_empty()
    }

    /// Whether no span has odd times.
    pub(crate) fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.far == 0 && self.senseless == 0
    }

    /// Notes in which way a span's times are odd.
    #[inline(never)]
    pub(crate) fn note(&mut self, times: &Times, start: Option<&'a [u8; 8]>, end: Option<&'a [u8; 8]>) {
        let value = |time: Option<&[u8; 8]>| time.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (begins, ends) = (value(start), value(end));
        let is_senseless = ends == 0 || begins > ends;
        self.senseless += u32::from(times.senseless && is_senseless);
        match end {
            Some(end) if ends > times.latest => {
                self.ahead = self.ahead.max(ends - times.now);
                self.moved.push(Moved { start, end });
            }
            _ => self.far += u32::from(ends != 0 && !(times.near.0..=times.near.1).contains(&ends)),
        }
    }

    /// Drafts the new times of spans that are moved back.
    pub(crate) fn move_back(&self, body: &[u8], times: &Times, draft: &mut Draft) {
        for Moved { start, end } in &self.moved {
            let ahead = u64::from_le_bytes(**end) - times.now;
            draft.edit(wire::offset_in(body, *end), 8, |out| out.extend(times.now.to_le_bytes()));
            if let Some(start) = start {
                let earlier = u64::from_le_bytes(**start).saturating_sub(ahead);
                draft.edit(wire::offset_in(body, *start), 8, |out| out.extend(earlier.to_le_bytes()));
            }
        }
    }
}

/// The odd times in a whole request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimesMet {
    /// Spans that were moved back.
    pub moved: u32,
    /// How far ahead the latest of them ended, nanoseconds.
    ahead: u64,
    /// Spans that ended far from now.
    pub far: u32,
    /// Spans without an end, or that begin after it.
    pub senseless: u32,
    /// The service of the first spans far away, and the services of senseless spans.
    far_service: Option<String>,
    senseless_services: Vec<String>,
}

impl TimesMet {
    /// Adds the odd times of one ResourceSpans. `service` gives their service where a notice needs it.
    pub(crate) fn add<'a>(&mut self, odd: &OddTimes<'_>, service: impl FnOnce() -> Option<&'a str>) {
        self.moved += odd.moved.len() as u32;
        self.ahead = self.ahead.max(odd.ahead);
        self.far += odd.far;
        self.senseless += odd.senseless;
        let names_far = odd.far > 0 && self.far_service.is_none();
        let names_senseless = odd.senseless > 0 && self.senseless_services.len() < MAX_SERVICES;
        if !names_far && !names_senseless {
            return;
        }
        let service: String = service().unwrap_or_default().chars().take(MAX_SERVICE).collect();
        if names_senseless && !self.senseless_services.contains(&service) {
            self.senseless_services.push(service.clone());
        }
        if names_far {
            self.far_service = Some(service);
        }
    }

    /// The notices for the operator about a batch of `spans` spans from `peer`.
    pub(crate) fn notices(&self, spans: u32, peer: &dyn fmt::Display) -> Vec<Notice> {
        let warning = |key: String, message| Notice { level: Level::Warning, key: key.into(), message };
        let mut notices = Vec::new();
        if self.moved == spans && spans > 0 {
            let seconds = self.ahead.div_ceil(1_000_000_000);
            notices.push(warning(
                format!("clock-ahead:{peer}"),
                format!(
                    "all {spans} spans of a batch from {peer} end in the future, up to {seconds} s ahead of this host's clock: they \
                     were moved back to now; set the clock there (or here) right"
                ),
            ));
        }
        if let Some(service) = &self.far_service {
            notices.push(warning(
                format!("far-times:{peer}"),
                format!(
                    "{} of {spans} spans from {peer}, service {service:?} first, ended more than 24 h ago or over 5 s ahead of this \
                     host's clock: a hundred different hours in a block lose DeepFlow's server the block",
                    self.far
                ),
            ));
        }
        for service in &self.senseless_services {
            notices.push(warning(
                format!("end-before-start:{service}"),
                format!(
                    "spans of service {service:?} have no end, or begin after it: DeepFlow shows those in 1970, or without a \
                     duration; correct what makes them"
                ),
            ));
        }
        notices
    }
}

/// How far back an end is near: 24 hours.
const PAST: u64 = 24 * 3_600 * 1_000_000_000;

/// How far ahead an end is near: 5 seconds. The agent's window waits 9.
const AHEAD: u64 = 5_000_000_000;

/// Services that are named in the notices about one request, and characters of each name.
const MAX_SERVICES: usize = 3;
const MAX_SERVICE: usize = 64;
