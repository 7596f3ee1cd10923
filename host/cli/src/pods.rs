//! `podstamp pods`: asks a running podstamp which pods it knows.

mod list;

use std::io::Write;

use clap::{Args, Subcommand};
use podstamp::pods::explain::{Explanation, Outcome};
use tokio::runtime::Runtime;

use super::admin::{Admin, At, Output, escape};
use super::exit::{Exit, Failed};
use super::output;

/// Ask a running podstamp which pods it knows, and why something does or does not lead to one.
#[derive(Debug, Args)]
pub(crate) struct Pods {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say why an address, a name, a uid or a container does or does not lead to a pod. Exit code 65 if it does not.
    Explain(Explain),
    /// List the pods, one a line.
    Ls(list::List),
}

#[derive(Debug, Args)]
struct Explain {
    /// An IP address, a pod's name, NAMESPACE/NAME or uid, or a container's id, with the runtime's prefix or without.
    #[arg(value_name = "WHAT")]
    what: String,
    #[command(flatten)]
    at: At,
}

impl Pods {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
        match self.command {
            Command::Explain(explain) => runtime.block_on(explain.run()),
            Command::Ls(list) => runtime.block_on(list.run()),
        }
    }
}

impl Explain {
    async fn run(self) -> Result<Exit, Failed> {
        let what = self.what.trim();
        if what.is_empty() {
            return Err(Failed::message(
                Exit::Usage,
                "WHAT is empty: an address, a name, a uid or a container",
            ));
        }
        let admin = Admin::new(&self.at.admin)?;
        let answer = admin.ask(&format!("/pods/{}", escape(what))).await?;
        let explanation: Explanation = serde_json::from_slice(&answer).map_err(|error| {
            let message =
                format!("{} is no admin listener of podstamp, or of another version: {error}", admin.url());
            Failed::message(Exit::Unavailable, message)
        })?;
        let mut out = output::stdout();
        let written = match self.at.output {
            Output::Text => write!(out, "{explanation}"),
            Output::Json => out.write_all(&answer).and_then(|()| writeln!(out)),
        };
        written.map_err(|error| Failed::new(Exit::Output, error))?;
        Ok(if explanation.outcome == Outcome::Found { Exit::Success } else { Exit::Data })
    }
}
