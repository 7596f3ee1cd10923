//! What the agents have recorded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;

use crate::event::Time;
use crate::identity::{AttemptId, SpanId, SpanKey};

/// All that was recorded.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) requests: Vec<Request>,
    /// Where each span was recorded for the first time.
    pub(crate) first: HashMap<SpanKey, Occurrence>,
    /// Where spans were recorded again.
    pub(crate) again: Vec<(SpanKey, Occurrence)>,
    /// Spans under an address that is not their pod's, or that nobody has sent.
    pub(crate) wrong: Vec<String>,
}

/// A request that an agent took.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) agent: usize,
    pub(crate) life: usize,
    pub(crate) peer: String,
    pub(crate) began: Time,
    pub(crate) ended: Time,
    /// The status that the agent gave; `None`: it closed the connection.
    pub(crate) status: Option<u16>,
    /// Whether a further request came by the same connection, so that the answer has arrived.
    pub(crate) is_heard: bool,
}

/// A span in a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occurrence {
    /// The request's place in [`Journal::requests`].
    pub(crate) request: u32,
    pub(crate) batch: u32,
    pub(crate) attempt: u16,
}

impl Journal {
    /// Adds the records of an agent's life. Its last line may be torn: that one was not answered.
    pub(crate) fn read(&mut self, run: u32, agent: usize, life: usize, file: &Path) {
        let Ok(file) = File::open(file) else { return };
        let begin = self.requests.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            if let Ok(record) = serde_json::from_str(&line) {
                self.add(run, agent, life, &record);
            }
            line.clear();
        }
        let mut latest: HashMap<String, usize> = HashMap::new();
        for index in begin..self.requests.len() {
            if let Some(before) = latest.insert(self.requests[index].peer.clone(), index) {
                self.requests[before].is_heard = true;
            }
        }
    }

    fn add(&mut self, run: u32, agent: usize, life: usize, record: &Value) {
        let request = self.requests.len() as u32;
        for resource in record["resources"].as_array().into_iter().flatten() {
            for span in resource["spans"].as_array().into_iter().flatten() {
                let text = |name: &str| span[name].as_str().unwrap_or_default();
                let id = SpanId::read(text("span_id"));
                let attempt = AttemptId::read(text("trace_id")).filter(|attempt| attempt.run == run);
                let (Some(id), Some(attempt)) = (id, attempt) else {
                    self.wrong.push(format!("a span that nobody has sent: {span}"));
                    continue;
                };
                let address = text("row_address").parse::<IpAddr>().ok();
                if address != Some(id.address()) {
                    let (found, right) = (text("row_address"), id.address());
                    self.wrong.push(format!("{id:?} of attempt {attempt:?} is under {found}, not {right}"));
                }
                let occurrence = Occurrence { request, batch: attempt.batch, attempt: attempt.attempt };
                match self.first.entry(id.key()) {
                    Entry::Vacant(vacant) => drop(vacant.insert(occurrence)),
                    Entry::Occupied(_) => self.again.push((id.key(), occurrence)),
                }
            }
        }
        let number = |name: &str| record[name].as_u64().unwrap_or_default();
        self.requests.push(Request {
            agent,
            life,
            peer: record["peer"].as_str().unwrap_or_default().to_owned(),
            began: number("began_unix_nano"),
            ended: number("ended_unix_nano"),
            status: record["outcome"]["answered"].as_u64().map(|status| status as u16),
            is_heard: false,
        });
    }

    /// Pairs of requests that an agent had in hand at the same time, of which real agents die.
    pub(crate) fn overlaps(&self) -> usize {
        let mut by_life: HashMap<(usize, usize), Vec<(Time, Time)>> = HashMap::new();
        for request in &self.requests {
            by_life.entry((request.agent, request.life)).or_default().push((request.began, request.ended));
        }
        let mut overlaps = 0;
        for spans in by_life.values_mut() {
            spans.sort_unstable();
            overlaps += spans.windows(2).filter(|pair| pair[1].0 < pair[0].1).count();
        }
        overlaps
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::json;

    use super::*;

    /// A record of one span under an address, by a connection.
    fn record(number: u32, address: &str, peer: &str) -> String {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let span = SpanId { client: 1, pod: 3, number };
        let attempt = AttemptId { run: 9, client: 1, batch: 0, attempt: 0 };
        let (span, attempt) = (hex(span.bytes()), hex(attempt.bytes()));
        let span = json!({"span_id": span, "trace_id": attempt, "row_address": address});
        let resources = json!([{"spans": [span]}]);
        json!({"peer": peer, "outcome": {"answered": 200}, "resources": resources}).to_string()
    }

    fn journal(text: &str) -> Journal {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut journal = Journal::default();
        journal.read(9, 0, 0, file.path());
        journal
    }

    #[test]
    fn a_torn_line_was_not_taken() {
        let (whole, torn) = (record(0, "10.77.0.3", "a"), record(1, "10.77.0.3", "a"));
        let journal = journal(&format!("{whole}\n{}", &torn[..torn.len() / 2]));
        assert_eq!(journal.first.keys().collect::<Vec<_>>(), [&(1, 0)]);
        assert_eq!((journal.wrong.len(), journal.again.len()), (0, 0));
    }

    #[test]
    fn a_request_is_heard_when_another_one_follows_on_its_connection() {
        let lines = [(0, "a"), (1, "b"), (2, "a")].map(|(number, peer)| record(number, "10.77.0.3", peer));
        let heard: Vec<_> =
            journal(&lines.join("\n")).requests.iter().map(|request| request.is_heard).collect();
        assert_eq!(heard, [true, false, false]);
    }

    #[test]
    fn a_span_of_another_pod_and_one_of_nobody_are_found() {
        assert_eq!(journal(&record(0, "10.77.0.4", "a")).wrong.len(), 1);
        let foreign = record(0, "10.77.0.3", "a").replace("00000009", "00000008");
        assert_eq!(journal(&foreign).wrong.len(), 1);
    }

    #[test]
    fn a_span_that_comes_again_is_not_forgotten() {
        let twice = [record(0, "10.77.0.3", "a"), record(0, "10.77.0.3", "b")].join("\n");
        let journal = journal(&twice);
        assert_eq!((journal.first.len(), journal.again.len()), (1, 1));
    }
}
