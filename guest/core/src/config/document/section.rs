//! A map in the document whose keys are known.

use serde_json::{Map, Value};

use super::entry::Entry;
use super::nearest::hint;
use super::renamed;

/// A section. Whoever reads it takes each key that it knows, then closes it, which reports the keys that nobody took.
#[derive(Debug)]
#[must_use = "keys that nobody knows are reported by close"]
pub(crate) struct Section<'d> {
    entry: Entry<'d>,
    map: Option<&'d Map<String, Value>>,
    known: Vec<&'static str>,
}

impl<'d> Entry<'d> {
    /// A map whose keys are known. Missing and empty: one without keys.
    #[cold]
    pub(crate) fn section(&self) -> Section<'d> {
        let map = match self.filled() {
            None => None,
            Some(Value::Object(map)) => Some(map),
            Some(other) => {
                self.expected("a section with keys", other);
                None
            }
        };
        Section::new(self.clone(), map)
    }
}

impl<'d> Section<'d> {
    fn new(entry: Entry<'d>, map: Option<&'d Map<String, Value>>) -> Self {
        Self { entry, map, known: Vec::new() }
    }

    /// The entry under `key`, which is known from now on.
    #[cold]
    pub(crate) fn take(&mut self, key: &'static str) -> Entry<'d> {
        self.known.push(key);
        self.entry.child(key, self.map.and_then(|map| map.get(key)))
    }

    /// Takes keys that the Collector knows and that change nothing worth a word.
    #[cold]
    pub(crate) fn pass(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    /// Takes keys that the Collector knows and that have no effect here.
    #[cold]
    pub(crate) fn without_effect(&mut self, keys: &[&'static str], why: &str) {
        for key in keys {
            let entry = self.take(key);
            if entry.is_set() {
                entry.no_effect(why);
            }
        }
    }

    /// Takes keys that the Collector knows and that must not be ignored.
    #[cold]
    pub(crate) fn refuse(&mut self, keys: &[&'static str], why: &str) {
        for key in keys {
            let entry = self.take(key);
            if entry.is_set() {
                entry.fault(why);
            }
        }
    }

    /// Reports the keys that nobody took.
    #[cold]
    pub(crate) fn close(self) {
        for key in self.map.into_iter().flat_map(Map::keys) {
            if !self.known.contains(&key.as_str()) {
                let hint = match renamed::key(key) {
                    Some(now) => format!("; the Collector calls it `{now}` now"),
                    None => hint(key, self.known.iter().copied()),
                };
                self.entry.unknown_key(key, &hint);
            }
        }
        self.entry.knows(self.known);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::findings::Findings;
    use super::*;

    #[test]
    fn keys_that_nobody_took_are_reported_with_the_nearest_known_one() {
        let findings = Findings::default();
        let document = json!({"endpoint": "x", "endpiont": "y", "other": 1, "tls": {"insecure": true}});
        let mut section = Entry::root(&document, &findings).section();
        assert_eq!(section.take("endpoint").text().as_deref(), Some("x"));
        section.refuse(&["tls"], "TLS is not supported");
        section.close();
        let faults: Vec<_> = findings.conclude().unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "tls: TLS is not supported",
                "endpiont: unknown key; did you mean `endpoint`?",
                "other: unknown key"
            ]
        );
    }

    #[test]
    fn readers_say_what_they_expected_where_and_never_what_they_found() {
        let findings = Findings::default();
        let document =
            json!({"a": [true, "5 apples"], "b": {"c": "secret"}, "d": 1.5, "e": 30, "f": "(", "g": 5.0});
        let mut root = Entry::root(&document, &findings).section();
        for item in root.take("a").list() {
            assert_eq!(item.text().is_some(), item.path() == "a[1]");
            assert_eq!(item.size(), None);
        }
        let mut b = root.take("b").section();
        assert_eq!(b.take("c").flag(), None);
        b.close();
        assert_eq!(root.take("d").count(), None);
        assert_eq!(root.take("e").duration(), None);
        assert!(root.take("f").pattern(str::to_owned).is_none());
        assert_eq!(root.take("g").count(), Some(5));
        assert_eq!(root.take("missing").count(), None);
        root.close();
        let faults = findings.conclude().unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["a[0]", "a[0]", "a[1]", "b.c", "d", "e", "f"]);
        assert!(!faults.iter().any(|fault| fault.message.contains("secret")));
    }
}
