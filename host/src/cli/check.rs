//! `podstamp check`.

mod probe;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use podstamp::assembly;
use podstamp::config::{self, LoadError};
use podstamp_core::config::{self as core_config, Config, Fault};
use podstamp_core::exchange::{Level, Notice};
use tokio::runtime::Runtime;

use super::exit::{Exit, Failed};
use probe::Finding;

/// Check a configuration: every fault on a line of its own, on stdout. Exit code 64 if there is any.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Configuration: the OpenTelemetry Collector's YAML, or a ConfigMap with it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also see whether a deepflow-agent is there and takes traces, and if not, why. Without a value: at the URL that
    /// the configuration sends to. Exit code 69 if not.
    #[arg(long, value_name = "URL", num_args = 0..=1)]
    agent: Option<Option<String>>,
}

impl Check {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        let config = match self.parse()? {
            Ok(config) => config,
            Err(faults) => {
                let mut out = io::stdout().lock();
                for fault in faults {
                    writeln!(out, "{fault}").map_err(|error| Failed::new(Exit::Output, error))?;
                }
                return Ok(Exit::Usage);
            }
        };
        say(&format!("{}: no faults", self.config.display()));
        match self.agent {
            None => Ok(Exit::Success),
            Some(url) => probe(url.as_deref().unwrap_or(&config.exporter.url)),
        }
    }

    fn parse(&self) -> Result<Result<Config, Vec<Fault>>, Failed> {
        let loaded = match config::load(&self.config, &config::process_environment) {
            Err(LoadError::Faults(faults)) => return Ok(Err(faults)),
            loaded => loaded?,
        };
        let parsed = core_config::parse(&loaded.document);
        let parsed = parsed.and_then(|config| match assembly::review(&config) {
            faults if faults.is_empty() => Ok(config),
            faults => Err(faults),
        });
        let found = parsed.as_ref().map(|config| config.notices.as_slice()).unwrap_or_default();
        loaded.notices.iter().chain(found).for_each(tell);
        Ok(parsed)
    }
}

fn probe(url: &str) -> Result<Exit, Failed> {
    let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
    let findings = runtime.block_on(probe::probe(url));
    let mut out = io::stdout().lock();
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
