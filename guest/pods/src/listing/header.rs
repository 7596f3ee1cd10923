//! The first line, which says what follows.

use std::collections::BTreeSet;

use podstamp_core::directory::{Field, Fields, KeptKeys, Keys};

use super::cell::Cell;
use super::escape;
use crate::table::Coverage;
use crate::version::Version;

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Of the table, once the text is read.
    pub(super) version: Option<Version>,
    pub(super) coverage: Coverage,
    /// Those of the table, once the text is read.
    pub(super) pods: usize,
    /// The cells of each line; `None` for a cell that is to be skipped.
    pub(super) cells: Vec<Option<Cell>>,
    pub(super) kept_keys: KeptKeys,
}

/// What the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All pods.
    Full,
    /// What has changed since a version of the same epoch, in so many lines.
    Delta { since: u64, lines: usize },
}

impl Header {
    /// Reads the line; an error says what is wrong.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split('\t');
        let format = words.next().unwrap_or_default();
        match format.split_once(' ') {
            Some((FORMAT, VERSION)) => {}
            Some((FORMAT, version)) => {
                return Err(format!(
                    "it is {FORMAT} of version {version:?}, and only {VERSION} is known here"
                ));
            }
            _ => return Err(format!("it does not begin with {FORMAT:?}")),
        }
        let kind = read_kind(words.next().unwrap_or_default())?;
        let version = match words.next().unwrap_or_default() {
            "" => None,
            version => Some(version.parse().map_err(|error| format!("{version:?}: {error}"))?),
        };
        let coverage = match words.next() {
            Some("cluster") => Coverage::Cluster,
            Some("part") => Coverage::Part,
            other => return Err(format!("{:?} is neither cluster nor part", other.unwrap_or_default())),
        };
        let pods = words.next().unwrap_or_default();
        let pods = pods.parse().map_err(|_| format!("{pods:?} is no number of pods"))?;
        let (cells, kept_keys) = (Vec::new(), KeptKeys::default());
        let mut header = Self { kind, version, coverage, pods, cells, kept_keys };
        for word in words {
            let (name, keys) = match word.split_once('=') {
                Some((name, keys)) => (name, Some(keys)),
                None => (word, None),
            };
            let cell = Cell::of_name(name);
            if cell.is_some() && header.cells.contains(&cell) {
                return Err(format!("it names {name:?} twice"));
            }
            header.cells.push(cell);
            match cell {
                Some(Cell::Optional(Field::Labels)) => header.kept_keys.labels = read_keys(keys)?,
                Some(Cell::Optional(Field::Annotations)) => header.kept_keys.annotations = read_keys(keys)?,
                _ => {}
            }
        }
        let slot = Some(Cell::Slot).filter(|_| version.is_some() || kind != Kind::Full);
        let mut required = Cell::REQUIRED.into_iter().chain(slot);
        match required.find(|cell| !header.cells.contains(&Some(*cell))) {
            Some(missing) => Err(format!("it does not name {:?}", missing.name())),
            None => Ok(header),
        }
    }

    /// Appends the line, without its end.
    pub(super) fn write(&self, out: &mut String) {
        let coverage = match self.coverage {
            Coverage::Cluster => "cluster",
            Coverage::Part => "part",
        };
        let kind = match self.kind {
            Kind::Full => "full".to_owned(),
            Kind::Delta { since, lines } => format!("delta {since} {lines}"),
        };
        let version = self.version.map_or(String::new(), |version| version.to_string());
        out.push_str(&format!("{FORMAT} {VERSION}\t{kind}\t{version}\t{coverage}\t{}", self.pods));
        for cell in self.cells.iter().flatten() {
            out.push('\t');
            out.push_str(cell.name());
            match cell {
                Cell::Optional(Field::Labels) => write_keys(out, &self.kept_keys.labels),
                Cell::Optional(Field::Annotations) => write_keys(out, &self.kept_keys.annotations),
                _ => {}
            }
        }
    }

    /// The fields that the lines have cells for.
    pub(super) fn fields(&self) -> Fields {
        let field = |cell: &Cell| if let Cell::Optional(field) = cell { Some(*field) } else { None };
        self.cells.iter().flatten().filter_map(field).collect()
    }
}

fn read_kind(text: &str) -> Result<Kind, String> {
    if text == "full" {
        return Ok(Kind::Full);
    }
    let delta = text.strip_prefix("delta ").and_then(|rest| rest.split_once(' '));
    let numbers = delta.and_then(|(since, lines)| Some((since.parse().ok()?, lines.parse().ok()?)));
    let (since, lines) =
        numbers.ok_or_else(|| format!("{text:?} is neither full nor delta with two numbers"))?;
    Ok(Kind::Delta { since, lines })
}

/// No list: all keys.
fn read_keys(list: Option<&str>) -> Result<Keys, String> {
    let Some(list) = list else {
        return Ok(Keys::All);
    };
    let keys: Result<BTreeSet<_>, _> =
        list.split(',').map(|key| escape::unescape(key).map(|key| key.into_owned())).collect();
    keys.map(Keys::Only)
}

fn write_keys(out: &mut String, keys: &Keys) {
    let Keys::Only(keys) = keys else { return };
    for (index, key) in keys.iter().enumerate() {
        out.push(if index == 0 { '=' } else { ',' });
        escape::push_escaped(out, key);
    }
}

/// The beginning of the first line.
const FORMAT: &str = "podstamp-pods";

/// The version of the format. It changes with whatever an older reader would get wrong.
const VERSION: &str = "2";
