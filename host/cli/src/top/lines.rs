//! What is shown, as text: the lines above the table, and the table's cells. All of it is harmless to a terminal.

use std::collections::BTreeMap;

use super::told::{Agent, Live, Queue, Row, State};
use crate::output::harmless;

/// A line, and how much it matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) weight: Weight,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Plain,
    Warning,
    Error,
}

/// The lines above the table.
pub(super) fn header(state: &State, url: &str) -> Vec<Line> {
    let live = &state.live;
    let mut lines = vec![title(live, url), Line::plain(rates(live))];
    lines.push(Line::plain(format!("outcomes/s   {}", counts(&live.outcomes, &OUTCOMES))));
    lines.push(Line::plain(format!("addresses/s  {}", counts(&live.addresses, &ADDRESSES))));
    if let Some(pods) = &live.pods {
        let text = format!("pods         {} from {}, {}", number(pods.known), pods.source, pods.state);
        lines.push(Line::of(if pods.healthy { Weight::Plain } else { Weight::Warning }, &text));
    }
    lines.extend(live.agents.iter().take(MOST).map(agent));
    lines.extend(live.queues.iter().filter(|queue| queue.requests > 0.0).take(MOST).map(queue));
    // What is only worth knowing is in the console and in the log.
    let notices = live.notices.iter().filter(|notice| notice.level != "info");
    lines.extend(notices.take(MOST).map(|notice| {
        let weight = if notice.level == "error" { Weight::Error } else { Weight::Warning };
        Line::of(weight, &format!("! {}", notice.message))
    }));
    lines
}

/// The table's header.
pub(super) const COLUMNS: [&str; 6] = ["SERVICE", "POD", "ADDRESS", "FOUND", "SPANS", "SEEN"];

/// The cells of one row. `now`: the podstamp's own clock.
pub(super) fn cells(row: &Row, now: f64) -> [String; 6] {
    let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map_or("-".to_owned(), harmless);
    let service = match row.service_namespace.as_str() {
        "" => row.service.clone(),
        namespace => format!("{namespace}/{}", row.service),
    };
    let pod = match (row.pod_namespace.as_deref(), row.pod.as_deref()) {
        (Some(namespace), Some(pod)) if !namespace.is_empty() && !pod.is_empty() => {
            Some(format!("{namespace}/{pod}"))
        }
        (_, pod) => pod.map(str::to_owned),
    };
    let mark = if row.suspicious.is_some() { " !" } else { "" };
    let about = if row.spans_exact { "" } else { "~" };
    [
        filled(Some(&service)),
        filled(pod.as_deref()),
        filled(row.address.as_deref()),
        format!("{}{mark}", harmless(&row.found)),
        format!("{about}{}", number(row.spans)),
        age((now - row.last_ms) / 1000.0),
    ]
}

/// What is to be known of one row beyond its cells.
pub(super) fn details(row: &Row) -> Line {
    let service = if row.service.is_empty() { "a service without a name" } else { &row.service };
    let peer = row.peer.as_deref().filter(|peer| !peer.is_empty());
    let sender = peer.map(|peer| format!(", sent by {peer}")).unwrap_or_default();
    let (weight, why) = match &row.suspicious {
        Some(why) => (Weight::Warning, why.as_str()),
        None if row.is_unknown() => (Weight::Error, meaning(&row.found)),
        None => (Weight::Plain, meaning(&row.found)),
    };
    Line::of(weight, &format!("{service}{sender}: {why}"))
}

/// What a way to find the address means.
fn meaning(found: &str) -> &str {
    match found {
        "kept" => "it came with its address",
        "pipeline" => "the configured processors wrote its address",
        "pod_ip" => "its k8s.pod.ip is its address",
        "pod" => "its pod was found, and has its address",
        "connection" => "its address is that of its connection",
        "unknown" => "nothing leads to its pod",
        "contradicted" => "only pods were found that it contradicts itself",
        "untouched" => "nothing wrote an address, and the guard is off",
        other => other,
    }
}

impl Line {
    fn of(weight: Weight, text: &str) -> Self {
        Self { weight, text: harmless(text) }
    }

    fn plain(text: String) -> Self {
        Self::of(Weight::Plain, &text)
    }

    /// A line for something that is wrong.
    pub(super) fn error(text: &str) -> Self {
        Self::of(Weight::Error, text)
    }
}

fn title(live: &Live, url: &str) -> Line {
    let up = age(live.uptime_seconds);
    let (weight, state) = match (live.ready, &live.not_ready_because) {
        (true, _) => (Weight::Plain, "ready".to_owned()),
        (false, None) => (Weight::Error, "not ready".to_owned()),
        (false, Some(why)) => (Weight::Error, format!("not ready: {why}")),
    };
    Line::of(weight, &format!("podstamp {} at {url}, up {up}, {state}", live.version))
}

fn rates(live: &Live) -> String {
    let mut parts = vec![
        format!("{} requests/s", number(live.requests_per_second)),
        format!("{} spans/s", number(live.spans_per_second)),
        format!("{}/s", bytes(live.bytes_per_second)),
    ];
    if let Some(latency) = &live.latency_ms {
        let milliseconds = |value: Option<f64>| value.map_or("-".to_owned(), number);
        parts.push(format!("p50 {} ms", milliseconds(latency.p50)));
        parts.push(format!("p99 {} ms", milliseconds(latency.p99)));
    }
    parts.extend(live.memory_bytes.map(|memory| format!("{} of memory", bytes(memory))));
    parts.join("  ")
}

/// Counts in the order of `names`; those of a newer podstamp come last.
fn counts(counts: &BTreeMap<String, f64>, names: &[&str]) -> String {
    let known = names.iter().filter_map(|name| counts.get_key_value(*name));
    let others = counts.iter().filter(|(name, _)| !names.contains(&name.as_str()));
    let told = known.chain(others).map(|(name, count)| format!("{name} {}", number(*count)));
    told.collect::<Vec<_>>().join("  ")
}

fn agent(agent: &Agent) -> Line {
    let up = agent.addresses.iter().filter(|address| address.state == "up").count();
    let down = agent.addresses.iter().find(|address| address.state == "away");
    let of = agent.addresses.len();
    let text = format!("agent        {}, {up} of {of} up", agent.url);
    match down {
        None => Line::plain(text),
        Some(down) => {
            let reason = down.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let weight = if up == 0 { Weight::Error } else { Weight::Warning };
            Line::of(weight, &format!("{text}; {} is away{reason}", down.address))
        }
    }
}

fn queue(queue: &Queue) -> Line {
    let oldest =
        queue.oldest_seconds.map(|seconds| format!(", the oldest {} old", age(seconds))).unwrap_or_default();
    let Queue { name, requests, capacity, unit, .. } = queue;
    let (requests, capacity) = (number(*requests), number(*capacity));
    Line::of(
        Weight::Warning,
        &format!("queue        {name}: {requests} requests wait, room for {capacity} {unit}{oldest}"),
    )
}

/// A number, for people.
fn number(number: f64) -> String {
    match number {
        _ if !number.is_finite() => "-".to_owned(),
        0.0 => "0".to_owned(),
        _ if number < 99.95 => format!("{number:.1}").trim_end_matches(".0").to_owned(),
        _ if number < 99_950.0 => format!("{number:.0}"),
        _ if number < 99_950_000.0 => format!("{:.0}k", number / 1e3),
        _ => format!("{:.0}M", number / 1e6),
    }
}

/// A number of bytes, for people.
fn bytes(count: f64) -> String {
    match count {
        _ if count < 10_240.0 => format!("{} B", number(count.round())),
        _ if count < 10_485_760.0 => format!("{:.0} KiB", count / 1024.0),
        _ => format!("{:.0} MiB", count / 1_048_576.0),
    }
}

/// A time, for people.
fn age(seconds: f64) -> String {
    match seconds {
        _ if !seconds.is_finite() => "-".to_owned(),
        _ if seconds < 120.0 => format!("{:.0}s", seconds.max(0.0)),
        _ if seconds < 7_200.0 => format!("{:.0}m", (seconds / 60.0).floor()),
        _ if seconds < 172_800.0 => format!("{:.0}h", (seconds / 3_600.0).floor()),
        _ => format!("{:.0}d", (seconds / 86_400.0).floor()),
    }
}

const OUTCOMES: [&str; 5] = ["accepted", "refused", "failed", "cancelled", "queued"];
const ADDRESSES: [&str; 7] = ["kept", "pipeline", "pod_ip", "pod", "connection", "unknown", "contradicted"];

/// Lines of one kind, so that the table has room.
const MOST: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (0.04, "0"),
            (1.25, "1.2"),
            (42.0, "42"),
            (99.96, "100"),
            (1234.0, "1234"),
            (123_456.0, "123k"),
            (2e9, "2000M"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), expected, "{value}");
        }
        assert_eq!([age(-1.0), age(119.0), age(3_700.0), age(200_000.0)], ["0s", "119s", "61m", "2d"]);
        assert_eq!([bytes(0.0), bytes(20_480.0), bytes(64.0 * 1_048_576.0)], ["0 B", "20 KiB", "64 MiB"]);
    }

    #[test]
    fn a_row_says_what_is_not_known_and_cannot_command_a_terminal() {
        let row = Row {
            service: "ev\x1b[2Jil\u{202e}".to_owned(),
            found: "unknown".to_owned(),
            spans: 12.0,
            last_ms: 1_000.0,
            peer: Some("10.1.1.1".to_owned()),
            ..Row::default()
        };
        assert_eq!(cells(&row, 4_000.0), ["ev?[2Jil?", "-", "-", "unknown", "~12", "3s"]);
        assert_eq!(
            details(&row),
            Line {
                weight: Weight::Error,
                text: "ev?[2Jil?, sent by 10.1.1.1: nothing leads to its pod".to_owned()
            }
        );
    }
}
