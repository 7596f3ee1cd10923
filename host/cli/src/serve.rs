//! `podstamp serve`.

use std::path::PathBuf;

use clap::Args;
use podstamp::app::{App, Overrides};
use podstamp::lifecycle::{Signal, Signals};
use podstamp::memory::Memory;
use podstamp::observe::Notices;
use podstamp::server::{Instruments, Listening};
use podstamp_core::config::{Receiver, ServerTls};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

use super::document;
use super::exit::{Exit, Failed};
use crate::destination::Destination;

/// Receive OTLP, stamp, forward. Without a configuration: DeepFlow's pipeline for load balancers, from 127.0.0.1:4318
/// (OTLP/HTTP) and 127.0.0.1:4317 (OTLP/gRPC) to an agent on this host.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration: the OpenTelemetry Collector's YAML, or a ConfigMap with it; `-` for standard input. Of several, each is
    /// laid over those before: maps are merged.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// What `kubectl get pods -A -o json` prints. Read again when it changes.
    #[arg(long, value_name = "FILE")]
    pods: Option<PathBuf>,
    /// Another WebAssembly component than the filter inside this binary, which has to be built with `--features compiler` for it.
    #[arg(long, value_name = "FILE")]
    guest: Option<PathBuf>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
        let ended = runtime.block_on(self.until_told());
        // Nobody waits for what still reads a file.
        runtime.shutdown_background();
        ended
    }

    async fn until_told(self) -> Result<Exit, Failed> {
        // Ahead of what takes its time: to a container's first process a signal that it does not catch says nothing.
        let mut signals = Signals::catch().map_err(|error| Failed::new(Exit::Internal, error))?;
        let (send, assembled) = oneshot::channel();
        // On a thread that ends with it, and gives back what it took for it.
        let runtime = Handle::current();
        std::thread::spawn(move || {
            let _entered = runtime.enter();
            send.send(self.assemble()).is_ok()
        });
        let app = tokio::select! {
            biased;
            signal = signals.received() => {
                tracing::info!("{signal}: ending before anything was taken");
                return Ok(Exit::Success);
            }
            app = assembled => app.map_err(|error| Failed::new(Exit::Internal, error))??,
        };
        crate::memory::give_back();
        app.notices().iter().for_each(Notices::tell);
        serve(&app, signals).await
    }

    fn assemble(self) -> Result<App, Failed> {
        let loaded = document::load(&self.config)?;
        loaded.notices.iter().for_each(Notices::tell);
        let overrides = Overrides {
            pods: self.pods,
            guest: self.guest,
            follow_at_once: true,
            written: Some(loaded.written),
            ..Overrides::default()
        };
        Ok(App::new(loaded.document, &overrides)?)
    }
}

async fn serve(app: &App, mut signals: Signals) -> Result<Exit, Failed> {
    let memory = Memory::of_process(crate::memory::give_back);
    let server = app.serve(&Instruments { memory, ..Instruments::default() }).await?;
    let config = app.config();
    for listening in server.listening() {
        let Listening { address, http, grpc } = listening;
        let Receiver { http: over_http, grpc: over_grpc } = &config.receiver;
        if *http {
            let scheme = scheme(over_http.as_ref().and_then(|http| http.tls.as_ref()));
            let paths: Vec<_> = config.signals().map(|signal| config.receiver.path(signal)).collect();
            tracing::info!("taking OTLP/HTTP at {scheme}://{address}{}", paths.join(", "));
        }
        if *grpc {
            let scheme = scheme(over_grpc.as_ref().and_then(|grpc| grpc.tls.as_ref()));
            tracing::info!("taking OTLP/gRPC at {scheme}://{address}");
        }
    }
    for carried in config.signals().filter_map(|signal| config.carried(signal)) {
        tracing::info!("sending to {}", Destination(&carried.exporter));
    }
    if let Some(address) = server.admin_address() {
        tracing::info!("metrics and health at http://{address}");
    }
    crate::memory::let_go_of_code();
    let signal = signals.received().await;
    tracing::info!("{signal}: finishing what is in flight");
    let server = match signal {
        Signal::Terminate => server,
        Signal::Interrupt => server.without_delay(),
    };
    tokio::select! {
        finished = server.shutdown() => if !finished {
            tracing::warn!("requests were broken off that did not finish within podstamp.limits.drain_timeout");
        },
        signal = signals.received() => tracing::warn!("{signal}: ending at once, whatever is in flight"),
    }
    Ok(Exit::Success)
}

fn scheme(tls: Option<&ServerTls>) -> &'static str {
    if tls.is_some() { "https" } else { "http" }
}
