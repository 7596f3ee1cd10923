//! `podstamp check`.

pub(crate) mod probe;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use podstamp::app::{Budget, choose_pods};
use podstamp::config::LoadError;
use podstamp::pods::kubernetes::Surroundings;
use podstamp_core::config::{Fault, Reading, Unset};
use podstamp_core::interface::{Level, Notice};
use tokio::runtime::Runtime;

use super::document;
use super::exit::{Exit, Failed};
use super::output;
use crate::destination::Destination;
use probe::Finding;

/// Check a configuration: every fault on a line of its own, on stdout. Exit code 64 if there is any.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Configuration: the OpenTelemetry Collector's YAML, or a ConfigMap with it; `-` for standard input. Of several, each is
    /// laid over those before: maps are merged.
    #[arg(long, value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
    /// Also see whether a deepflow-agent is there and takes traces, and if not, why. Without a value: at the URL that
    /// the configuration sends to. Exit code 69 if not.
    #[arg(long, value_name = "URL", num_args = 0..=1)]
    agent: Option<Option<String>>,
}

impl Check {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        let loaded = match document::read_files(&self.config) {
            Err(LoadError::Faults(faults)) => return print(&faults),
            loaded => loaded?,
        };
        // The agent's URL has to be known where that agent is to be asked.
        let unset = if matches!(self.agent, Some(None)) { Unset::Refused } else { Unset::Warned };
        let Reading { config, faults, .. } = document::read_whole(loaded, unset);
        config.notices.iter().for_each(tell);
        if !faults.is_empty() {
            return print(&faults);
        }
        let files: Vec<_> = self.config.iter().map(|file| file.display().to_string()).collect();
        say(&format!("{}: no faults", files.join(", ")));
        let budget = Budget::new(&config);
        budget.warning().iter().for_each(tell);
        say(&format!("memory: {budget}"));
        // A fault of it would be among those above.
        if let Ok((choice, notice)) = choose_pods(&config, None, &Surroundings::of_process()) {
            say(&choice.to_string());
            notice.iter().for_each(tell);
        }
        for (signal, carried) in config.signals().filter_map(|signal| Some((signal, config.carried(signal)?)))
        {
            say(&format!("{} go to {}", signal.name(), Destination(&carried.exporter)));
        }
        match self.agent {
            None => Ok(Exit::Success),
            Some(url) => probe(url.as_deref().unwrap_or(&config.traces.exporter.url)),
        }
    }
}

fn print(faults: &[Fault]) -> Result<Exit, Failed> {
    let mut out = output::stdout();
    for fault in faults {
        writeln!(out, "{fault}").map_err(|error| Failed::new(Exit::Output, error))?;
    }
    Ok(Exit::Usage)
}

fn probe(url: &str) -> Result<Exit, Failed> {
    let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
    let findings = runtime.block_on(probe::probe(url)).findings;
    let mut out = output::stdout();
    let mut exit = Exit::Success;
    for finding in findings {
        let line = match finding {
            Finding::Fine(line) => line,
            Finding::Advice(line) => line.to_owned(),
            Finding::Wrong(line) => {
                exit = Exit::Unavailable;
                line
            }
        };
        writeln!(out, "{line}").map_err(|error| Failed::new(Exit::Output, error))?;
    }
    Ok(exit)
}

fn tell(notice: &Notice) {
    let level = match notice.level {
        Level::Info => "note",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    say(&format!("{level}: {}", notice.message));
}

fn say(line: &str) {
    // Without stderr there is nobody to tell.
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}
