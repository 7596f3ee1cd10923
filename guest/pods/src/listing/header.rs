//! The first line, which says what follows.

use std::collections::BTreeSet;

use podstamp_core::directory::{Field, Fields, KeptKeys, Keys};

use super::cell::Cell;
use super::escape;
use crate::table::Coverage;

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) coverage: Coverage,
    pub(super) pods: usize,
    /// The cells of each line; `None` for a cell that is to be skipped.
    pub(super) cells: Vec<Option<Cell>>,
    pub(super) kept_keys: KeptKeys,
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
        let coverage = match words.next() {
            Some("cluster") => Coverage::Cluster,
            Some("part") => Coverage::Part,
            other => return Err(format!("{:?} is neither cluster nor part", other.unwrap_or_default())),
        };
        let pods = words.next().unwrap_or_default();
        let pods = pods.parse().map_err(|_| format!("{pods:?} is no number of pods"))?;
        let mut header = Self { coverage, pods, cells: Vec::new(), kept_keys: KeptKeys::default() };
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
        match Cell::REQUIRED.into_iter().find(|cell| !header.cells.contains(&Some(*cell))) {
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
        out.push_str(&format!("{FORMAT} {VERSION}\t{coverage}\t{}", self.pods));
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
const VERSION: &str = "1";
