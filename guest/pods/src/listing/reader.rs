//! Reads a listing, so much at a time.

use super::error::ListingError;
use super::header::{Header, Kind};
use super::row;
use crate::parts::AddError;
use crate::slot::Slot;
use crate::table::Table;
use crate::version::Version;

/// A listing that is being made into a table.
///
/// Where reading it all would keep others waiting, call [`ListingReader::advance`] now and then until nothing is left. Peak memory
/// is the text and the table and, for a text of all pods that is to take the place of a table, that table too.
#[derive(Debug)]
pub struct ListingReader {
    text: Vec<u8>,
    /// Bytes of the text that were read.
    read: usize,
    /// Lines that were read.
    lines: usize,
    /// What a text of changes is about.
    base: Option<Table>,
    stage: Stage,
}

/// Whether anything is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    More,
    /// The table is ready.
    Done,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Header,
    Pods(Box<(Header, Table)>),
    Indexing(Box<Table>),
    Indexed(Box<Table>),
    Failed(ListingError),
}

impl ListingReader {
    /// Takes a text of all pods, and reads nothing of it yet.
    pub fn new(text: Vec<u8>) -> Self {
        Self { text, read: 0, lines: 0, base: None, stage: Stage::Header }
    }

    /// Takes a text of all pods, or of what has changed since the version of this table. The table stays as it is: what comes out is
    /// another one. After an error ask for all pods.
    pub fn onto(text: Vec<u8>, table: &Table) -> Self {
        Self { base: Some(table.clone()), ..Self::new(text) }
    }

    /// Reads on for about so many bytes, to the end of a line, or builds indexes for as long as that would take. After an
    /// error every call gives the same error.
    pub fn advance(&mut self, bytes: usize) -> Result<Progress, ListingError> {
        let target = self.read.saturating_add(bytes.max(1));
        let places = u32::try_from(bytes / BYTES_PER_PLACE).unwrap_or(u32::MAX).max(1);
        loop {
            self.stage = match std::mem::take(&mut self.stage) {
                Stage::Indexing(mut table) => {
                    let is_done = table.index(places);
                    self.stage = if is_done { Stage::Indexed(table) } else { Stage::Indexing(table) };
                    return Ok(if is_done { Progress::Done } else { Progress::More });
                }
                Stage::Indexed(table) => {
                    self.stage = Stage::Indexed(table);
                    return Ok(Progress::Done);
                }
                Stage::Failed(error) => {
                    self.stage = Stage::Failed(error.clone());
                    return Err(error);
                }
                reading => self.line(reading).unwrap_or_else(Stage::Failed),
            };
            if self.read >= target || matches!(self.stage, Stage::Indexing(_)) {
                return Ok(Progress::More);
            }
        }
    }

    /// Reads the rest of the text, and returns the table.
    pub fn finish(mut self) -> Result<Table, ListingError> {
        while self.advance(usize::MAX)? == Progress::More {}
        match self.stage {
            Stage::Indexing(table) | Stage::Indexed(table) => Ok(*table),
            Stage::Failed(error) => Err(error),
            Stage::Header | Stage::Pods(_) => Err(self.error("it was not read")),
        }
    }

    /// Reads the next line, or the end of the text.
    fn line(&mut self, stage: Stage) -> Result<Stage, ListingError> {
        let rest = self.text.get(self.read..).unwrap_or_default();
        self.lines += 1;
        if rest.is_empty() {
            return self.end(stage);
        }
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.error("it has no end: the text was cut off"));
        };
        self.read += length + 1;
        let line = rest.get(..length).unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| self.error("it is not UTF-8"))?;
        match stage {
            Stage::Header => {
                let header = Header::parse(line).map_err(|reason| self.error(reason))?;
                let table = start(&header, self.base.take()).map_err(|reason| self.error(reason))?;
                Ok(Stage::Pods(Box::new((header, table))))
            }
            Stage::Pods(mut pods) => {
                let (header, table) = &mut *pods;
                self.pod(line, header, table).map_err(|reason| self.error(reason))?;
                Ok(Stage::Pods(pods))
            }
            done => Ok(done),
        }
    }

    /// Puts the pod of a line into the table, or takes one out.
    fn pod(&self, line: &str, header: &Header, table: &mut Table) -> Result<(), String> {
        let row = row::read_row(line, &header.cells)?;
        // Without places, pods take them in their order.
        let slot = match row.slot {
            None if header.version.is_some() => return Err("slot: it is missing".to_owned()),
            None => Slot(u32::try_from(table.len()).unwrap_or(u32::MAX)),
            Some(slot) => slot,
        };
        if row.pod.name.is_empty() && header.kind != Kind::Full {
            table.remove(slot);
            return Ok(());
        }
        table.put(slot, &row.pod).map_err(|reason| match reason {
            AddError::Unnamed => "name: it is missing".to_owned(),
            AddError::TooManyAddresses | AddError::Full => reason.to_string(),
        })
    }

    /// Ends reading, with an error where the text ends early.
    fn end(&mut self, stage: Stage) -> Result<Stage, ListingError> {
        match stage {
            Stage::Header => Err(self.error("there is nothing")),
            Stage::Pods(pods) => {
                let (header, mut table) = *pods;
                // Those before this one are the first line and one a pod.
                let lines = self.lines - 2;
                let expected = match header.kind {
                    Kind::Full => header.pods,
                    Kind::Delta { lines, .. } => lines,
                };
                if lines != expected {
                    return Err(self.error(format!("the text ends after {lines} of {expected} pods")));
                }
                if table.len() != header.pods {
                    let message =
                        format!("there are {} pods now, and should be {}", table.len(), header.pods);
                    return Err(self.error(message));
                }
                table.set_coverage(header.coverage);
                table.set_version(header.version.unwrap_or_default());
                self.text = Vec::new();
                Ok(Stage::Indexing(Box::new(table)))
            }
            done => Ok(done),
        }
    }

    /// An error at the line that was read last.
    fn error(&self, message: impl Into<String>) -> ListingError {
        ListingError { line: self.lines, message: message.into() }
    }
}

/// The table that the lines go into.
fn start(header: &Header, base: Option<Table>) -> Result<Table, String> {
    let Kind::Delta { since, .. } = header.kind else {
        let mut table = Table::new(header.fields(), header.kept_keys.clone(), header.coverage);
        if let Some(base) = base {
            table.follow(&base);
        }
        return Ok(table);
    };
    let since = header.version.map(|version| Version { number: since, ..version });
    let fits = |table: &Table| {
        Some(table.version()) == since
            && table.fields() == header.fields()
            && *table.kept_keys() == header.kept_keys
    };
    base.filter(fits).ok_or_else(|| "it changes another table than the one that is here".to_owned())
}

/// Building an index over one place takes as long as reading so many bytes.
const BYTES_PER_PLACE: usize = 16;
