//! `podstamp queue`: what waits on disk for an upstream that is away.

mod discard;
mod export;
mod list;
mod selection;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use podstamp::queue::stored::{StoredError, StoredQueue};
use podstamp_core::config::Unset;

use super::document;
use super::exit::{Exit, Failed};

/// Look into the queues that podstamp keeps on disk (`sending_queue.storage`), take requests out of them as files, or drop some.
#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say of each queue what it holds, one a line. Also while podstamp runs.
    Ls(list::List),
    /// Write requests as OTLP messages. They stay in the queue. Also while podstamp runs.
    Export(export::Export),
    /// Drop requests: nobody gets them. Not while podstamp runs.
    Drop(discard::Discard),
}

/// Where the queues are.
#[derive(Debug, Args)]
#[group(id = "where", required = true, multiple = false)]
struct Place {
    /// The `directory` of the `file_storage`, or the folder of one queue in it.
    #[arg(long, value_name = "DIRECTORY", group = "where")]
    directory: Option<PathBuf>,
    /// The configuration that names the directory; of several files, each is laid over those before.
    #[arg(long, value_name = "FILE", group = "where")]
    config: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

impl Queue {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        match self.command {
            Command::Ls(list) => list.run(),
            Command::Export(export) => export.run(),
            Command::Drop(discard) => discard.run(),
        }
    }
}

impl Place {
    /// All queues there.
    fn queues(&self) -> Result<Vec<StoredQueue>, Failed> {
        let directories = match &self.directory {
            Some(directory) => BTreeSet::from([directory.clone()]),
            None => configured(&self.config)?,
        };
        let mut queues = Vec::new();
        for directory in directories {
            queues.extend(StoredQueue::all(&directory).map_err(failed)?);
        }
        queues.sort();
        Ok(queues)
    }
}

/// The directories that the exporters of a configuration keep their queues in.
fn configured(files: &[PathBuf]) -> Result<BTreeSet<PathBuf>, Failed> {
    let reading = document::read_text(document::read_files(files)?, Unset::Warned);
    if let Some(fault) = reading.faults.first() {
        let message =
            format!("{fault}: `podstamp check` has all faults; --directory does without a configuration");
        return Err(Failed::message(Exit::Usage, message));
    }
    let config = reading.config;
    let carried = config.signals().filter_map(|signal| config.carried(signal));
    let exporters = carried.flat_map(|carried| std::iter::once(&carried.exporter).chain(&carried.copies));
    let storages = exporters.filter_map(|exporter| exporter.queue.as_ref()?.storage.as_ref());
    let directories: BTreeSet<_> = storages.map(|storage| Path::new(&storage.directory).to_owned()).collect();
    if directories.is_empty() {
        let message =
            "the configuration keeps no queue on disk: no exporter has a sending_queue with a storage";
        return Err(Failed::message(Exit::Usage, message));
    }
    Ok(directories)
}

fn failed(error: StoredError) -> Failed {
    let exit = if error.is_in_use() { Exit::Unavailable } else { Exit::NoInput };
    Failed::new(exit, error)
}
