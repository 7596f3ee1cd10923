//! All that there is to say about a document, gathered while it is read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use crate::interface::{Level, Notice};

/// A fault in the configuration document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, for example `processors.resource.attributes[0].action`. Empty for the document itself.
    pub path: String,
    /// The fault, and what to do.
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
    /// Keys that are known in each section.
    known: RefCell<Vec<(String, Vec<&'static str>)>>,
    /// Which faults are about keys that are unknown in a section.
    unknown: RefCell<Vec<Unknown>>,
}

/// A key that is unknown where it stands.
#[derive(Debug)]
struct Unknown {
    /// The fault's index.
    fault: usize,
    section: String,
    key: String,
}

/// A notice about one place.
#[derive(Debug, PartialEq)]
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

    /// `hint` is what is to be said unless the key is known elsewhere in its component.
    #[cold]
    pub(crate) fn unknown_key(&self, section: &str, key: &str, hint: &str) {
        let path = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        let unknown =
            Unknown { fault: self.faults.borrow().len(), section: section.to_owned(), key: key.to_owned() };
        self.unknown.borrow_mut().push(unknown);
        self.fault(&path, format!("unknown key{hint}"));
    }

    /// Notes which keys a section may have.
    #[cold]
    pub(crate) fn knows(&self, section: &str, keys: Vec<&'static str>) {
        self.known.borrow_mut().push((section.to_owned(), keys));
    }

    /// `key` is a stable name of the kind of notice.
    #[cold]
    pub(crate) fn notice(&self, level: Level, key: &'static str, path: &str, message: &str) {
        let remark = Remark { level, key, path: path.to_owned(), text: message.to_owned() };
        self.remarks.borrow_mut().push(remark);
    }

    /// Something is accepted that changes nothing.
    #[cold]
    pub(crate) fn no_effect(&self, path: &str, why: &str) {
        self.notice(Level::Info, NO_EFFECT, path, why);
    }

    /// The first fault.
    #[cold]
    pub(crate) fn first_fault(&self) -> Option<Fault> {
        self.faults.borrow().first().cloned()
    }

    /// Takes over what another reading of the same document remarked.
    #[cold]
    pub(crate) fn absorb(&self, other: Self) {
        let mut remarks = self.remarks.borrow_mut();
        for remark in other.remarks.into_inner() {
            if !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
    }

    /// All faults, and the notices.
    #[cold]
    pub(crate) fn into_parts(self) -> (Vec<Fault>, Vec<Notice>) {
        let mut faults = self.faults.into_inner();
        let known = self.known.into_inner();
        // More of them than that come of no misplaced key, and each is looked for everywhere.
        for Unknown { fault, section, key } in self.unknown.into_inner().into_iter().take(MAX_MISPLACED) {
            if let (Some(fault), Some(place)) = (faults.get_mut(fault), misplaced(&section, &key, &known)) {
                fault.message = format!("unknown key; it belongs {place}");
            }
        }
        (faults, gather(self.remarks.into_inner()))
    }

    /// The path of each section that was read, with the keys that are known there.
    #[cfg(test)]
    pub(crate) fn known_keys(&self) -> Vec<(String, Vec<&'static str>)> {
        self.known.borrow().clone()
    }

    /// The notices, or all faults if there is one.
    #[cfg(test)]
    pub(crate) fn conclude(self) -> Result<Vec<Notice>, Vec<Fault>> {
        let (faults, notices) = self.into_parts();
        if faults.is_empty() { Ok(notices) } else { Err(faults) }
    }
}

/// The section of the same component where a misplaced key belongs.
#[cold]
fn misplaced(section: &str, key: &str, known: &[(String, Vec<&'static str>)]) -> Option<String> {
    let above = section.rsplit_once('.').map_or("", |(above, _)| above);
    let mut places: Vec<_> = known
        .iter()
        .filter(|(place, keys)| component(place) == component(section) && keys.contains(&key))
        // Items of a list differ from each other.
        .filter(|(place, _)| !place.contains('['))
        .map(|(place, _)| place.as_str())
        .collect();
    if !section.is_empty() && places.contains(&above) {
        return Some(format!("one level up, into `{above}`"));
    }
    places.dedup();
    match places.as_slice() {
        [] => None,
        [place] => Some(format!("into `{place}`")),
        [first, second, ..] => Some(format!("into `{first}` or `{second}`")),
    }
}

/// The first two parts of a path: `processors.k8sattributes`.
fn component(path: &str) -> &str {
    let end = path.match_indices(['.', '[']).nth(1).map_or(path.len(), |(end, _)| end);
    path.get(..end).unwrap_or(path)
}

/// One notice for all places with the same remark, in the place of the first one.
#[cold]
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

/// A document has some dozens of sections, so that this is quick.
const MAX_MISPLACED: usize = 100;

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
