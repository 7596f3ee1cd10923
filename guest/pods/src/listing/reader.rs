//! Reads a listing, so much at a time.

use super::error::ListingError;
use super::header::Header;
use super::row;
use crate::builder::Builder;
use crate::indexing::Indexing;
use crate::parts::AddError;
use crate::table::Table;

/// A listing that is being made into a table.
///
/// Where reading it all would keep others waiting, call [`ListingReader::advance`] now and then until nothing is left. Peak memory
/// is the text, the table, and some 50 bytes a pod.
#[derive(Debug)]
pub struct ListingReader {
    text: Vec<u8>,
    /// Bytes of the text that were read.
    read: usize,
    /// Lines that were read.
    lines: usize,
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
    Nodes(Header),
    Pods(Header, Box<Builder>),
    Indexing(Box<Indexing>),
    Indexed(Box<Indexing>),
    Failed(ListingError),
}

impl ListingReader {
    /// Takes a text, and reads nothing of it yet.
    pub fn new(text: Vec<u8>) -> Self {
        Self { text, read: 0, lines: 0, stage: Stage::Header }
    }

    /// Reads on for about so many bytes, to the end of a line, or builds indexes for as long as that would take. After an
    /// error every call gives the same error.
    pub fn advance(&mut self, bytes: usize) -> Result<Progress, ListingError> {
        let target = self.read.saturating_add(bytes.max(1));
        let steps = (bytes / BYTES_PER_STEP).max(1);
        loop {
            self.stage = match std::mem::take(&mut self.stage) {
                Stage::Indexing(mut indexing) => {
                    let is_done = indexing.advance(steps);
                    self.stage = if is_done { Stage::Indexed(indexing) } else { Stage::Indexing(indexing) };
                    return Ok(if is_done { Progress::Done } else { Progress::More });
                }
                Stage::Indexed(indexing) => {
                    self.stage = Stage::Indexed(indexing);
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
            Stage::Indexing(indexing) | Stage::Indexed(indexing) => Ok(indexing.finish()),
            Stage::Failed(error) => Err(error),
            Stage::Header | Stage::Nodes(_) | Stage::Pods(..) => Err(self.error("it was not read")),
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
            Stage::Header => Ok(Stage::Nodes(Header::parse(line).map_err(|reason| self.error(reason))?)),
            Stage::Nodes(header) => {
                let mut builder = Builder::new(header.fields(), header.kept_keys.clone());
                // Growing later would copy everything in one step. Whatever number the header claims, the bytes bound the number
                // of lines. Uids and texts that pods share take no room of their own.
                let texts = self.text.len();
                builder.reserve(header.pods.min(texts / TYPICAL_LINE), texts / 2);
                for address in line.split('\t').filter(|address| !address.is_empty()) {
                    builder.add_node(row::read_address(address).map_err(|reason| self.error(reason))?);
                }
                Ok(Stage::Pods(header, Box::new(builder)))
            }
            Stage::Pods(header, mut builder) => {
                let pod = row::read_row(line, &header.cells).map_err(|reason| self.error(reason))?;
                builder.add(&pod).map_err(|reason| {
                    self.error(match reason {
                        AddError::Unnamed => "name: it is missing".to_owned(),
                        AddError::TooManyAddresses | AddError::Full => reason.to_string(),
                    })
                })?;
                Ok(Stage::Pods(header, builder))
            }
            done => Ok(done),
        }
    }

    /// Ends reading, with an error where the text ends early.
    fn end(&mut self, stage: Stage) -> Result<Stage, ListingError> {
        match stage {
            Stage::Header => Err(self.error("there is nothing")),
            Stage::Nodes(_) => Err(self.error("it is missing: the addresses of nodes are expected")),
            Stage::Pods(header, builder) if builder.len() != header.pods => {
                let message = format!("the text ends after {} of {} pods", builder.len(), header.pods);
                Err(self.error(message))
            }
            Stage::Pods(header, builder) => {
                self.text = Vec::new();
                Ok(Stage::Indexing(Box::new(builder.index(header.coverage))))
            }
            done => Ok(done),
        }
    }

    /// An error at the line that was read last.
    fn error(&self, message: impl Into<String>) -> ListingError {
        ListingError { line: self.lines, message: message.into() }
    }
}

/// A step of indexing takes as long as reading so many bytes.
const BYTES_PER_STEP: usize = 4;

/// Bytes of a pod's line, rather fewer than usual.
const TYPICAL_LINE: usize = 64;
