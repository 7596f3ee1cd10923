//! The command line.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a run is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) help: bool,
    /// How long faults go on.
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    /// Spans a second of all clients together.
    pub(crate) rate: u32,
    pub(crate) queue: Queue,
    /// Where the logs of all processes go.
    pub(crate) folder: Option<PathBuf>,
    /// The program under test.
    pub(crate) podstamp: PathBuf,
    /// Whether agents lie for a moment: they answer 200 and keep nothing. The run has to find that out.
    pub(crate) lie: bool,
    /// Set in the process that has namespaces of its own.
    pub(crate) inside: bool,
}

/// The `sending_queue` that podstamp is configured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    None,
    Memory,
    Disk,
}

impl Queue {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::None, Self::Memory, Self::Disk].into_iter().find(|queue| queue.name() == name)
    }
}

impl Options {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, String> {
        let beside = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut options = Self {
            help: false,
            time: Duration::from_secs(5 * 60),
            seed: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            rate: 2000,
            queue: Queue::Disk,
            folder: None,
            podstamp: beside.with_file_name("podstamp"),
            lie: false,
            inside: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} takes a value"));
            match argument.as_str() {
                "--help" | "-h" => options.help = true,
                "--lie" => options.lie = true,
                INSIDE => options.inside = true,
                "--minutes" => {
                    let text = value()?;
                    let minutes = text.parse().ok().filter(|minutes| (0.1..=10_000.0).contains(minutes));
                    let minutes: f64 =
                        minutes.ok_or_else(|| format!("--minutes {text}: a number from 0.1 to 10000"))?;
                    options.time = Duration::from_secs_f64(minutes * 60.0);
                }
                "--seed" => options.seed = number("--seed", value()?)?,
                "--rate" => options.rate = number("--rate", value()?)?,
                "--queue" => {
                    let text = value()?;
                    options.queue = Queue::named(text)
                        .ok_or_else(|| format!("--queue {text}: one of none, memory and disk"))?;
                }
                "--folder" => options.folder = Some(value()?.into()),
                "--podstamp" => options.podstamp = value()?.into(),
                other => return Err(format!("{other}: no such option")),
            }
        }
        if options.rate == 0 {
            return Err("--rate 0: without spans nothing can be lost".to_owned());
        }
        if !options.help && !options.podstamp.exists() {
            let missing = options.podstamp.display();
            return Err(format!(
                "{missing} is missing: `cargo xtask chaos` builds it, --podstamp names another"
            ));
        }
        Ok(options)
    }
}

fn number<N: std::str::FromStr>(option: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{option} {text}: not a number that it takes"))
}

/// Given by the process outside of the namespaces to that inside.
pub(crate) const INSIDE: &str = "--inside";

pub(crate) const USAGE: &str = "\
usage: cargo xtask chaos [OPTIONS]

  --minutes N      how long faults go on (5)
  --seed N         the schedule of faults; the same seed and minutes give the same one (the time)
  --rate N         spans a second, of all clients together (2000)
  --queue KIND     sending_queue of podstamp: none, memory or disk (disk)
  --folder DIR     where logs, configuration and report go (target/chaos/SEED)
  --podstamp FILE  the program under test
  --lie            agents answer 200 and keep nothing for a moment: the run has to fail";
