//! The latest changes of a table, for those who follow it: who has version 7 gets what has changed since.

use std::collections::VecDeque;

use podstamp_pods::{Slot, Version};

/// The latest changes of a table, by version.
#[derive(Debug)]
pub(super) struct Log {
    entries: VecDeque<(u64, Slot)>,
    epoch: u64,
    /// The oldest version of which it is known what has changed since.
    oldest: u64,
}

impl Log {
    /// A log that begins at a version.
    pub(super) fn new(version: Version) -> Self {
        Self { entries: VecDeque::new(), epoch: version.epoch, oldest: version.number }
    }

    /// Notes changes, of which each made a version and the last one `version`.
    pub(super) fn note(&mut self, version: Version, slots: &[Slot]) {
        if version.epoch != self.epoch {
            *self = Self::new(version);
            return;
        }
        let first = version.number.saturating_sub((slots.len() as u64).saturating_sub(1));
        self.entries.extend((first..).zip(slots.iter().copied()));
        let over = self.entries.len().saturating_sub(MAX_ENTRIES);
        if let Some((forgotten, _)) = self.entries.drain(..over).next_back() {
            self.oldest = forgotten;
        }
    }

    /// The slots that have changed after `since`, up to `version`, each once. `None`: that is not known, or not any more.
    pub(super) fn changes(&self, since: Version, version: Version) -> Option<Vec<Slot>> {
        if since.epoch != self.epoch || version.epoch != self.epoch || since.number < self.oldest {
            return None;
        }
        let until = |number| self.entries.partition_point(|(changed, _)| *changed <= number);
        let (from, to) = (until(since.number), until(version.number));
        let mut slots: Vec<_> = self.entries.range(from..to.max(from)).map(|(_, slot)| *slot).collect();
        slots.sort_unstable();
        slots.dedup();
        (since.number <= version.number).then_some(slots)
    }
}

/// The changes of some minutes in the liveliest of clusters; 1 MiB.
const MAX_ENTRIES: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Version {
        Version { epoch: 9, number }
    }

    fn slots(numbers: &[u32]) -> Vec<Slot> {
        numbers.iter().map(|number| Slot::new(*number)).collect()
    }

    #[test]
    fn what_has_changed_since_a_version_is_told_once_each() {
        let mut log = Log::new(version(5));
        log.note(version(8), &slots(&[3, 1, 3]));
        log.note(version(9), &slots(&[7]));
        for (since, until, expected) in [
            (5, 9, &[1, 3, 7][..]),
            (6, 9, &[1, 3, 7]),
            (7, 9, &[3, 7]),
            (8, 9, &[7]),
            (9, 9, &[]),
            (5, 8, &[1, 3]),
        ] {
            assert_eq!(
                log.changes(version(since), version(until)),
                Some(slots(expected)),
                "{since} to {until}"
            );
        }
    }

    #[test]
    fn what_is_not_known_is_told_from_nothing() {
        let mut log = Log::new(version(5));
        log.note(version(6), &slots(&[1]));
        let other = Version { epoch: 8, number: 6 };
        assert_eq!(log.changes(version(4), version(6)), None, "it is too old");
        assert_eq!(log.changes(version(7), version(6)), None, "it has not been yet");
        assert_eq!(log.changes(other, version(6)), None, "it is another process's");
        log.note(other, &slots(&[2]));
        assert_eq!(log.changes(version(6), other), None, "the pods have been replaced");
        assert_eq!(log.changes(other, other), Some(vec![]));
    }

    #[test]
    fn only_the_latest_changes_are_kept() {
        let mut log = Log::new(version(0));
        let many = MAX_ENTRIES as u64 + 10;
        (1..=many).for_each(|number| log.note(version(number), &slots(&[number as u32])));
        assert_eq!(log.entries.len(), MAX_ENTRIES);
        assert_eq!(log.changes(version(9), version(many)), None);
        assert_eq!(log.changes(version(10), version(many)).map(|slots| slots.len()), Some(MAX_ENTRIES));
        assert_eq!(log.changes(version(many - 1), version(many)), Some(slots(&[many as u32])));
    }
}
