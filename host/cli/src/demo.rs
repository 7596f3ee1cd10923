//! `podstamp demo`.

mod flame;
mod scenario;
mod send;
mod shop;
mod traffic;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use podstamp::lifecycle::Signals;
use tokio::runtime::Runtime;

use super::exit::{Exit, Failed};
use super::output;
use scenario::{Scenario, Verdict};

/// Show podstamp at work on this machine, without a cluster: a shop's spans through one shared connection to a fake
/// agent. Exit code 0 only if every span arrived under the right pod.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave it running afterwards, with its console, more traffic, and for requests of your own.
    #[arg(long)]
    keep: bool,
    /// Another WebAssembly component than the filter inside this binary, which has to be built with `--features compiler` for it.
    #[arg(long, value_name = "FILE")]
    guest: Option<PathBuf>,
}

impl Demo {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
        runtime.block_on(self.show()).map_err(|error| Failed::new(Exit::Internal, error))
    }

    async fn show(self) -> anyhow::Result<Exit> {
        let mut signals = Signals::catch()?;
        let demo = Scenario::start(self.guest).await?;
        let mut out = output::stdout();
        let verdict = demo.play(&mut out).await?;
        if self.keep {
            demo.describe(&mut out)?;
            out.flush()?;
            tokio::select! {
                _ = signals.received() => (),
                () = demo.keep_busy() => (),
            }
        }
        demo.stop().await;
        Ok(match verdict {
            Verdict::Right => Exit::Success,
            Verdict::Wrong => Exit::Internal,
        })
    }
}
