//! `podstamp queue drop`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use podstamp_core::interface::Signal;
use tokio::runtime::Runtime;

use super::list::bytes;
use super::selection::Selection;
use super::{Place, failed};
use crate::complain;
use crate::exit::{Exit, Failed};
use crate::output;

/// Drop requests from queues: nobody gets them. podstamp must not run meanwhile.
#[derive(Debug, Args)]
pub(super) struct Discard {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    selection: Selection,
    /// Drop everything there is, where nothing else says which.
    #[arg(long)]
    all: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl Discard {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        if self.selection.is_everything() && !self.all {
            let message = "which requests? --exporter, --signal, --older-than, or --all";
            return Err(Failed::message(Exit::Usage, message));
        }
        let before = self.selection.before();
        let mut chosen = Vec::new();
        let mut out = output::stdout();
        let mut say =
            |text: String| writeln!(out, "{text}").map_err(|error| Failed::new(Exit::Output, error));
        for queue in self.place.queues()?.into_iter().filter(|queue| self.selection.has_queue(queue)) {
            let contents = queue.read().map_err(failed)?;
            if let Some(holder) = &contents.holder {
                let message = format!(
                    "{} is in use by {holder}: stop podstamp first; without it, clients are refused meanwhile and come again",
                    queue.folder.display()
                );
                return Err(Failed::message(Exit::Unavailable, message));
            }
            let unwanted: Vec<_> =
                contents.requests.iter().filter(|request| request.queued() <= before).collect();
            if !unwanted.is_empty() {
                let items: u64 = unwanted.iter().map(|request| u64::from(request.items())).sum();
                let size = bytes(unwanted.iter().map(|request| u64::from(request.bytes())).sum());
                let (count, exporter, signal) = (unwanted.len(), &queue.exporter, &queue.signal);
                say(format!("{exporter} {signal}: {count} requests with {items} items, {size}"))?;
                chosen.push(queue);
            }
        }
        if chosen.is_empty() {
            say("nothing to drop".to_owned())?;
            return Ok(Exit::Success);
        }
        if !self.yes && !is_confirmed()? {
            complain("nothing is dropped");
            return Ok(Exit::Usage);
        }
        let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
        let is_unwanted = |_: Signal, queued: u64| queued <= before;
        for queue in chosen {
            let dropped = runtime.block_on(queue.drop_requests(is_unwanted)).map_err(failed)?;
            say(format!("{} {}: {dropped} requests are dropped", queue.exporter, queue.signal))?;
        }
        Ok(Exit::Success)
    }
}

/// Asks whoever sits at the terminal.
fn is_confirmed() -> Result<bool, Failed> {
    if !io::stdin().is_terminal() {
        return Err(Failed::message(
            Exit::Usage,
            "standard input is no terminal to ask at: add --yes to drop these requests",
        ));
    }
    write!(io::stderr(), "drop them? nobody gets them then. [y/N] ").unwrap_or_default();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Failed::new(Exit::Usage, error))?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
