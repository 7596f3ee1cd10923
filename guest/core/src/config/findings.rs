//! All that there is to say about a document, gathered while it is read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use crate::exchange::{Level, Notice};

/// A fault in the configuration document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, for example `processors.resource.attributes[0].action`. Empty for the document itself.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => formatter.write_str(&self.message),
            path => write!(formatter, "{path}: {}", self.message),
        }
    }
}

impl std::error::Error for Fault {}

/// Faults and notices in the order in which they were met.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    faults: RefCell<Vec<Fault>>,
    remarks: RefCell<Vec<Remark>>,
}

/// What one notice says of one place.
#[derive(Debug)]
struct Remark {
    level: Level,
    key: &'static str,
    path: String,
    text: String,
}

impl Findings {
    pub(crate) fn fault(&self, path: &str, message: impl Into<String>) {
        self.faults.borrow_mut().push(Fault { path: path.to_owned(), message: message.into() });
    }

    /// `key` is a stable name of the kind of notice.
    pub(crate) fn notice(&self, level: Level, key: &'static str, path: &str, message: &str) {
        let remark = Remark { level, key, path: path.to_owned(), text: message.to_owned() };
        self.remarks.borrow_mut().push(remark);
    }

    /// Something is accepted that changes nothing.
    pub(crate) fn no_effect(&self, path: &str, why: &str) {
        self.notice(Level::Info, NO_EFFECT, path, why);
    }

    /// All faults, and the notices.
    pub(crate) fn into_parts(self) -> (Vec<Fault>, Vec<Notice>) {
        (self.faults.into_inner(), gather(self.remarks.into_inner()))
    }

    /// The notices, or all faults if there is one.
    #[cfg(test)]
    pub(crate) fn conclude(self) -> Result<Vec<Notice>, Vec<Fault>> {
        let (faults, notices) = self.into_parts();
        if faults.is_empty() { Ok(notices) } else { Err(faults) }
    }
}

/// One notice for all places of which the same is to be said, where the first of them would have it.
fn gather(remarks: Vec<Remark>) -> Vec<Notice> {
    let mut gathered: Vec<(Remark, usize)> = Vec::new();
    let mut known = BTreeMap::new();
    for remark in remarks {
        let index = known.entry((remark.level, remark.key, remark.text.clone())).or_insert(gathered.len());
        match gathered.get_mut(*index) {
            Some((first, count)) => {
                first.path += ", ";
                first.path += &remark.path;
                *count += 1;
            }
            None => gathered.push((remark, 1)),
        }
    }
    gathered.into_iter().map(|(remark, count)| remark.notice(count)).collect()
}

impl Remark {
    /// `count` is that of the places in its path.
    fn notice(self, count: usize) -> Notice {
        let Self { level, key, path, text } = self;
        let message = match (key, level, count) {
            (NO_EFFECT, Level::Info, 1) => return no_effect(&path, &text),
            (NO_EFFECT, Level::Info, _) => format!("{path}: have no effect here: {text}"),
            // Warnings of that kind say in their own words what has none.
            _ => format!("{path}: {text}"),
        };
        Notice { level, key: key.into(), message }
    }
}

/// Tells that something at `path` is accepted and changes nothing, and `why`.
pub fn no_effect(path: &str, why: &str) -> Notice {
    let message = format!("{path}: has no effect here: {why}");
    Notice { level: Level::Info, key: NO_EFFECT.into(), message }
}

/// The notice about what is accepted and changes nothing.
const NO_EFFECT: &str = "config-no-effect";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_said_of_several_places_is_said_once() {
        let findings = Findings::default();
        findings.no_effect("a", "it is old");
        findings.notice(Level::Warning, "config-other", "b", "is odd");
        findings.no_effect("c.d", "it is old");
        findings.notice(Level::Warning, "config-no-effect", "e", "it is old");
        findings.no_effect("f", "it is new");
        findings.no_effect("g[0]", "it is old");
        let notices = findings.conclude().unwrap();
        let messages: Vec<_> = notices.iter().map(|notice| (notice.level, &*notice.message)).collect();
        let expected = [
            (Level::Info, "a, c.d, g[0]: have no effect here: it is old"),
            (Level::Warning, "b: is odd"),
            (Level::Warning, "e: it is old"),
            (Level::Info, "f: has no effect here: it is new"),
        ];
        assert_eq!(messages, expected);
    }
}
