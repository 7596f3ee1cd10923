//! `podstamp completions` and `podstamp man`: what shells and readers of manuals have.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::exit::{Exit, Failed};
use crate::output;

/// Print what a shell completes the command line by.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell, for example `podstamp completions bash > /etc/bash_completion.d/podstamp`.
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or write one for each command into a folder.
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// The folder, which is made if need be: podstamp.1, podstamp-serve.1 and so on.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Completions {
    pub(crate) fn run(self, mut command: Command) -> Result<Exit, Failed> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, NAME, &mut script);
        output::stdout().write_all(&script).map_err(|error| Failed::new(Exit::Output, error))?;
        Ok(Exit::Success)
    }
}

impl Manual {
    pub(crate) fn run(self, command: Command) -> Result<Exit, Failed> {
        let written = match self.folder {
            None => {
                let mut page = Vec::new();
                Man::new(command).render(&mut page).and_then(|()| output::stdout().write_all(&page))
            }
            Some(folder) => fs::create_dir_all(&folder)
                .and_then(|()| clap_mangen::generate_to(command, &folder))
                .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", folder.display()))),
        };
        written.map_err(|error| Failed::new(Exit::Output, error))?;
        Ok(Exit::Success)
    }
}

const NAME: &str = "podstamp";
