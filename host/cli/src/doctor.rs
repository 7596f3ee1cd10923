//! `podstamp doctor`.

mod agent;
mod check;
mod clock;
mod configuration;
mod examination;
mod finding;
mod json;
mod kubernetes;
mod report;
mod running;
mod span;
mod standpoint;
mod text;

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use super::exit::{Exit, Failed};
use super::output;
use report::Report;
use text::{Style, Text};

/// Find out why spans are not where they should be: the configuration, the Kubernetes API, deepflow-agent, and a running
/// podstamp. One line a check, with what to do. Runs beside podstamp in its pod, or from a laptop with a kubeconfig as far as
/// that can see.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Doctor {
    /// podstamp's configuration, as for `serve`. Without it: the ConfigMap of the podstamp in the cluster, and outside of any
    /// cluster that of `serve` without a configuration.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// A kubeconfig. Without it: the service account inside of a cluster; elsewhere $KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig other than its current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The namespace of podstamp. Without it: the one of the pod that this runs in; elsewhere all are searched.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The namespace of deepflow-agent. Without it: the one that the configuration sends to, `deepflow`, or where its
    /// labels are found.
    #[arg(long, value_name = "NAME")]
    agent_namespace: Option<String>,
    /// The Service of deepflow-agent; found like its namespace, else `deepflow-agent`.
    #[arg(long, value_name = "NAME")]
    agent_service: Option<String>,
    /// Where the agent is reached from here, for example through `kubectl port-forward`. Without it: where the
    /// configuration sends to.
    #[arg(long, value_name = "URL")]
    agent: Option<String>,
    /// The admin listener of a running podstamp. Without it: the configuration's, on this host.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Send no test span.
    #[arg(long)]
    no_span: bool,
    /// How the report looks.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
    /// Write ASCII alone. Without UTF-8 in the locale that is so anyway.
    #[arg(long)]
    ascii: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

impl Doctor {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
        let exit = match self.output {
            Format::Text => runtime.block_on(self.print()),
            Format::Json => runtime.block_on(self.print_json()),
        };
        // Nobody waits for what still reads a file or resolves a name.
        runtime.shutdown_background();
        exit
    }

    async fn print(&self) -> Result<Exit, Failed> {
        let text = Arc::new(Mutex::new((Text::new(output::stdout(), Style::of_process(self.ascii)), Ok(()))));
        let told = Arc::clone(&text);
        let mut report = Report::new(move |check, finding| {
            let (text, written) = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
            if written.is_ok() {
                *written = text.write(check, finding);
            }
        });
        examination::examine(self, &standpoint::Process::of_process(), &mut report).await;
        let (text, written) = &mut *text.lock().unwrap_or_else(PoisonError::into_inner);
        let written = std::mem::replace(written, Ok(())).and_then(|()| text.finish(&report));
        written.map_err(|error| Failed::new(Exit::Output, error))?;
        Ok(report.exit())
    }

    async fn print_json(&self) -> Result<Exit, Failed> {
        let mut report = Report::new(|_, _| ());
        examination::examine(self, &standpoint::Process::of_process(), &mut report).await;
        let document = json::document(&report);
        writeln!(output::stdout(), "{document:#}").map_err(|error| Failed::new(Exit::Output, error))?;
        Ok(report.exit())
    }
}

#[cfg(test)]
mod tests;
