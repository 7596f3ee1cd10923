//! `podstamp top`: what a running podstamp does, live.

mod feed;
mod lines;
mod screen;
mod terminal;
mod told;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::Arc;

use clap::Args;
use tokio::runtime::Runtime;

use crate::admin::{Admin, At, Output};
use crate::exit::{Exit, Failed};
use crate::output;
use feed::{Feed, PERIOD, ask};
use told::State;

/// Show what a running podstamp does: rates, and which pod each service's spans come from, services without one first. Its
/// configuration has to have podstamp.admin.console.
#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    at: At,
    /// Print it once and end, as without a terminal. Without it, JSON is one line a second.
    #[arg(long)]
    once: bool,
}

impl Top {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
        let admin = Admin::new(&self.at.admin)?;
        match self.at.output {
            Output::Json => runtime.block_on(self.write_json(&admin)),
            Output::Text => {
                // The first answer comes before the screen is taken, so that a mistake is told where the command was given.
                let first = runtime.block_on(ask(&admin))?.read(&admin)?;
                if self.once || !io::stdout().is_terminal() {
                    return print(&mut output::stdout(), &first, admin.url());
                }
                let url = admin.url().to_owned();
                let feed = Arc::new(Feed::new(first));
                runtime.spawn(Arc::clone(&feed).follow(admin));
                screen::show(&feed, &url).map_err(|error| Failed::new(Exit::Output, error))?;
                Ok(Exit::Success)
            }
        }
    }

    async fn write_json(&self, admin: &Admin) -> Result<Exit, Failed> {
        loop {
            let answer = ask(admin).await?.read_json(admin)?;
            match writeln!(io::stdout(), "{answer}") {
                // Whoever closed the pipe has read enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Success),
                written => written.map_err(|error| Failed::new(Exit::Output, error))?,
            }
            if self.once {
                return Ok(Exit::Success);
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

fn print(out: &mut impl Write, state: &State, url: &str) -> Result<Exit, Failed> {
    let write = |out: &mut dyn Write| {
        for line in lines::header(state, url) {
            writeln!(out, "{}", line.text)?;
        }
        writeln!(out)
    };
    let rows = state.services.rows.iter().map(|row| lines::cells(row, state.live.now_ms));
    let written =
        write(out).and_then(|()| output::write_columns(out, lines::COLUMNS, rows)).and_then(|()| match state
            .services
            .omitted
        {
            0 => Ok(()),
            omitted => writeln!(out, "and {omitted} more"),
        });
    written.map_err(|error| Failed::new(Exit::Output, error))?;
    Ok(Exit::Success)
}
