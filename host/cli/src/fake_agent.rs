//! `podstamp fake-agent`.

use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use podstamp::lifecycle::Signals;
use podstamp_core::config::{BRACKETS, bracketed};
use podstamp_fake_agent::{DEFAULT_LISTEN, Script};
use tokio::runtime::Runtime;

use super::exit::{Exit, Failed};

/// Stand in for deepflow-agent: answer as it does, and keep what DeepFlow would have stored.
#[derive(Debug, Args)]
pub(crate) struct FakeAgent {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value_t = DEFAULT_LISTEN, value_parser = listen)]
    listen: SocketAddr,
    /// Append one JSON object for each request to this file.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Abort where two requests for traces overlap, and at every one over HTTP/2: deepflow-agent dies of it too, but not at
    /// once and not always.
    #[arg(long)]
    strict: bool,
    /// Answer 200 and import nothing, as a deepflow-agent whose `trace_integration_disabled` is set.
    #[arg(long)]
    disabled: bool,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|error: AddrParseError| {
        match bracketed(text, Some(&DEFAULT_LISTEN.port().to_string())) {
            Some(written) => format!("{BRACKETS}, write {written}"),
            None => error.to_string(),
        }
    })
}

impl FakeAgent {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
        runtime.block_on(self.stand_in())
    }

    async fn stand_in(self) -> Result<Exit, Failed> {
        let mut signals = Signals::catch().map_err(|error| Failed::new(Exit::Internal, error))?;
        let mut builder = podstamp_fake_agent::Agent::builder().listen(self.listen);
        if let Some(file) = self.record {
            builder = builder.record(file);
        }
        if self.strict {
            builder = builder.strict();
        }
        if self.disabled {
            builder = builder.play_always(Script::Disabled);
        }
        let agent = builder.start().await.map_err(|error| Failed::new(Exit::Unavailable, error))?;
        tracing::info!("standing in for deepflow-agent at {}", agent.url());
        signals.received().await;
        agent.shutdown().await;
        Ok(Exit::Success)
    }
}
