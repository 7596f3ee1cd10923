//! `podstamp queue ls`.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use podstamp::queue::stored::{Contents, StoredQueue, Unreadable};
use serde::Serialize;

use super::selection::now;
use super::{Output, Place, failed};
use crate::complain;
use crate::exit::{Exit, Failed};
use crate::output;

/// Say of each queue what it holds, one a line; on stderr, what is damaged and where. Exit code 65 if requests are lost.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
    /// Read all requests too, so that any damage shows.
    #[arg(long)]
    verify: bool,
    /// For people or for programs.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Output,
}

/// What is told of a queue.
#[derive(Debug, Serialize)]
struct Row {
    exporter: String,
    signal: String,
    folder: String,
    requests: usize,
    /// Spans, data points or log records.
    items: u64,
    /// Bytes of the requests as they are sent.
    bytes: u64,
    disk_bytes: u64,
    oldest_age_seconds: Option<u64>,
    in_use_by: Option<String>,
    damage: Vec<Damage>,
    foreign_files: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Damage {
    file: String,
    offset: u64,
    bytes: u64,
    loss: bool,
    text: String,
}

impl List {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let now = now();
        let mut rows = Vec::new();
        for queue in self.place.queues()? {
            let contents = queue.read().map_err(failed)?;
            let mut row = Row::new(&queue, &contents, now);
            if self.verify {
                row.verify(&contents);
            }
            rows.push(row);
        }
        let mut out = output::stdout();
        let written = match self.output {
            Output::Text => print(&mut out, &rows),
            Output::Json => serde_json::to_writer_pretty(&mut out, &rows)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out)),
        };
        written.map_err(|error| Failed::new(Exit::Output, error))?;
        if self.output == Output::Text {
            rows.iter().for_each(Row::tell);
        }
        let lost = rows.iter().flat_map(|row| &row.damage).any(|damage| damage.loss);
        Ok(if lost { Exit::Data } else { Exit::Success })
    }
}

impl Row {
    fn new(queue: &StoredQueue, contents: &Contents, now: u64) -> Self {
        let oldest = contents.requests.iter().map(|request| request.queued()).min();
        let damage = contents.damage.iter().map(|damage| Damage {
            file: damage.file.display().to_string(),
            offset: damage.offset,
            bytes: damage.bytes,
            loss: damage.is_loss,
            text: damage.text.clone(),
        });
        Self {
            exporter: queue.exporter.clone(),
            signal: queue.signal.clone(),
            folder: queue.folder.display().to_string(),
            requests: contents.requests.len(),
            items: contents.requests.iter().map(|request| u64::from(request.items())).sum(),
            bytes: contents.requests.iter().map(|request| u64::from(request.bytes())).sum(),
            disk_bytes: contents.bytes,
            oldest_age_seconds: oldest.map(|oldest| now.saturating_sub(oldest) / 1000),
            in_use_by: contents.holder.clone(),
            damage: damage.collect(),
            foreign_files: contents.foreign.iter().map(|file| file.display().to_string()).collect(),
        }
    }

    fn verify(&mut self, contents: &Contents) {
        for request in &contents.requests {
            match contents.message(request) {
                Ok(_) | Err(Unreadable::Gone) => {}
                Err(Unreadable::Damaged { file, offset, bytes, text }) => {
                    let file = file.display().to_string();
                    self.damage.push(Damage { file, offset, bytes, loss: true, text });
                }
            }
        }
    }

    fn tell(&self) {
        self.damage.iter().for_each(|damage| complain(&damage.text));
        for file in &self.foreign_files {
            complain(&format!("{file} is not podstamp's, and stays"));
        }
    }

    fn cells(&self) -> [String; 8] {
        [
            self.exporter.clone(),
            self.signal.clone(),
            self.requests.to_string(),
            self.items.to_string(),
            bytes(self.bytes),
            bytes(self.disk_bytes),
            self.oldest_age_seconds.map_or("-".to_owned(), age),
            match (&self.in_use_by, self.damage.len()) {
                (None, 0) => "-".to_owned(),
                (None, damaged) => format!("{damaged} damaged"),
                (Some(holder), 0) => format!("open in {holder}"),
                (Some(holder), damaged) => format!("open in {holder}, {damaged} damaged"),
            },
        ]
    }
}

fn print(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let header = ["EXPORTER", "SIGNAL", "REQUESTS", "ITEMS", "BYTES", "ON DISK", "OLDEST", "STATE"];
    output::write_columns(out, header, rows.iter().map(Row::cells))
}

/// A number of bytes, for people.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{} KiB", count >> 10),
        10_485_760..10_737_418_240 => format!("{} MiB", count >> 20),
        _ => format!("{} GiB", count >> 30),
    }
}

/// A time, for people.
fn age(seconds: u64) -> String {
    let age = Duration::from_secs(seconds).as_secs();
    match age {
        0..120 => format!("{age}s"),
        120..7_200 => format!("{}m", age / 60),
        7_200..172_800 => format!("{}h", age / 3_600),
        _ => format!("{}d", age / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_stand_in_columns() {
        let row = Row {
            exporter: "otlphttp/agent".to_owned(),
            signal: "traces".to_owned(),
            folder: String::new(),
            requests: 1200,
            items: 240_000,
            bytes: 30 << 20,
            disk_bytes: 64 << 20,
            oldest_age_seconds: Some(3_700),
            in_use_by: Some("process 7 on node-1".to_owned()),
            damage: Vec::new(),
            foreign_files: Vec::new(),
        };
        let empty = Row {
            exporter: "otlphttp/b".to_owned(),
            signal: "logs".to_owned(),
            requests: 0,
            items: 0,
            bytes: 0,
            disk_bytes: 0,
            oldest_age_seconds: None,
            in_use_by: None,
            folder: String::new(),
            damage: Vec::new(),
            foreign_files: Vec::new(),
        };
        let mut out = Vec::new();
        print(&mut out, &[row, empty]).unwrap();
        let expected = "\
EXPORTER        SIGNAL  REQUESTS  ITEMS   BYTES   ON DISK  OLDEST  STATE
otlphttp/agent  traces  1200      240000  30 MiB  64 MiB   61m     open in process 7 on node-1
otlphttp/b      logs    0         0       0 B     0 B      -       -
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
