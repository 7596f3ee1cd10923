//! `podstamp queue export`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use podstamp::queue::stored::{Contents, StoredQueue, StoredRequest, Unreadable};

use super::selection::Selection;
use super::{Place, failed};
use crate::complain;
use crate::exit::{Exit, Failed};
use crate::output;

/// Write requests as OTLP messages (protobuf, not compressed), oldest first. They stay in the queue. Exit code 65 if some cannot
/// be read; the others are written.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    selection: Selection,
    /// Write each request into a file of its own in this folder. Without it, all of them go to stdout as one message, which
    /// has to be of one signal.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

/// What was written.
#[derive(Debug, Default)]
struct Tally {
    requests: usize,
    items: u64,
    damaged: usize,
}

impl Export {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let queues = self.place.queues()?.into_iter().filter(|queue| self.selection.has_queue(queue));
        let mut read = Vec::new();
        for queue in queues {
            let contents = queue.read().map_err(failed)?;
            read.push((queue, contents));
        }
        let before = self.selection.before();
        let selected = |request: &&StoredRequest| request.queued() <= before;
        let mut signals: Vec<_> =
            read.iter().flat_map(|(_, contents)| &contents.requests).filter(selected).collect();
        signals.dedup_by_key(|request| request.signal());
        if self.to.is_none()
            && signals.windows(2).any(|two| matches!(two, [one, other] if one.signal() != other.signal()))
        {
            let message =
                "the requests are of several signals, and one message has one: add --signal, or --to FOLDER";
            return Err(Failed::message(Exit::Usage, message));
        }
        if let Some(folder) = &self.to {
            fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        }
        let mut tally = Tally::default();
        for (queue, contents) in &read {
            for request in contents.requests.iter().filter(selected) {
                self.write(queue, contents, request, &mut tally)?;
            }
        }
        let Tally { requests, items, damaged } = tally;
        complain(&format!("{requests} requests with {items} items are written"));
        if damaged > 0 {
            complain(&format!("{damaged} requests cannot be read"));
            return Ok(Exit::Data);
        }
        Ok(Exit::Success)
    }

    fn write(
        &self,
        queue: &StoredQueue,
        contents: &Contents,
        request: &StoredRequest,
        tally: &mut Tally,
    ) -> Result<(), Failed> {
        let message = match contents.message(request) {
            Ok(message) => message,
            Err(Unreadable::Gone) => return Ok(()),
            Err(Unreadable::Damaged { text, .. }) => {
                complain(&text);
                tally.damaged += 1;
                return Ok(());
            }
        };
        tally.requests += 1;
        tally.items += u64::from(request.items());
        let Some(folder) = &self.to else {
            // Messages of repeated fields, one after the other, are one message with all of them.
            return output::stdout().write_all(&message).map_err(|error| Failed::new(Exit::Output, error));
        };
        let exporter = queue.exporter.replace('/', "_");
        let name = format!("{exporter}.{}.{:012}.pb", request.signal().name(), request.number());
        let path = folder.join(name);
        let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(&message)).map_err(|error| unwritable(&path, &error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failed {
    Failed::message(Exit::Output, format!("{}: {error}", path.display()))
}
