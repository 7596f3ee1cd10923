//! What is on disk from before a start, and what is wrong with the folder that it is in.

use std::collections::BTreeMap;
use std::time::Duration;

use podstamp_core::config::{self, Fault};
use podstamp_core::interface::{Level, Notice, Signal};
use tokio::time::Instant;

use super::disk::{Disk, OpenError, Opened};
use super::entry::milliseconds_since_1970;
use super::index::{Index, Place};
use super::size::Size;
use crate::observe::{Notices, QueueCounters, Queued};
use crate::settings;

/// What makes a queue's folder unusable, without opening it. Blocks.
pub(crate) fn check(settings: &config::SendingQueue) -> Option<Fault> {
    let storage = settings.storage.as_ref()?;
    Disk::check(storage).err().map(|error| fault(storage, &error))
}

/// Says which queues on disk belong to none of `queues`, those of the configuration. Blocks.
pub(crate) fn tell_of_strangers<'a>(queues: impl Iterator<Item = (Signal, &'a settings::Queue)> + Clone) {
    let names: Vec<_> = queues.clone().map(|(signal, queue)| name(&queue.exporter.id, signal)).collect();
    let storages: BTreeMap<_, _> = queues
        .filter_map(|(_, queue)| queue.sending.storage.as_ref())
        .map(|storage| (&storage.directory, storage))
        .collect();
    for storage in storages.into_values() {
        for (stranger, folder) in Disk::strangers(storage, &names) {
            Notices::tell(&Notice {
                level: Level::Warning,
                key: "queue-stranger".into(),
                message: format!(
                    "{}: the queue of {stranger} belongs to no exporter here and is not sent: `podstamp queue export` shows what \
                     is in it, `podstamp queue drop` removes it",
                    folder.display()
                ),
            });
        }
    }
}

/// The name by which a queue's folder is known.
pub(super) fn name(exporter: &str, signal: Signal) -> String {
    format!("{exporter} {}", signal.name())
}

pub(super) fn fault(storage: &config::FileStorage, error: &OpenError) -> Fault {
    Fault { path: format!("{}.directory", storage.path), message: error.to_string() }
}

/// Puts what is on disk into the index, and says what is there and what is damaged.
pub(super) fn recover(opened: Opened, exporter: &str, index: &mut Index, counters: &QueueCounters) -> Disk {
    let Opened { disk, entries, damage, foreign } = opened;
    let (now, today) = (Instant::now(), milliseconds_since_1970());
    for (key, head) in entries {
        index.reserve(&Size::of(&head));
        let age = Duration::from_millis(today.saturating_sub(head.queued));
        // A clock that runs for less than that has been set since.
        let since = now.checked_sub(age).unwrap_or(now);
        index.add(head, Place::Disk(key), since, false);
    }
    let tell = |level, key: &'static str, message| Notices::tell(&Notice { level, key: key.into(), message });
    let size = index.size();
    if size.requests > 0 {
        let Size { requests, items, bytes } = size;
        let message = format!(
            "exporters.{exporter}.sending_queue: {requests} requests with {items} spans ({bytes} bytes) are queued on disk from \
             before, and are sent now"
        );
        tell(Level::Info, "queue-recovered", message);
    }
    for damage in damage {
        if damage.is_loss() {
            counters.add(Queued::Lost, 1, 0);
        }
        tell(
            if damage.is_loss() { Level::Error } else { Level::Warning },
            "queue-damaged",
            format!("exporters.{exporter}.sending_queue: {damage}"),
        );
    }
    for path in foreign {
        let message = format!("{}: is none of podstamp's files, and stays as it is", path.display());
        tell(Level::Warning, "queue-foreign", message);
    }
    disk
}
