//! The command line of podstamp: options, exit codes, and a module for each subcommand.
//!
//! A library beside the binary, so that tests run the same program in a package of their own.

mod admin;
mod check;
mod credentials;
mod dated;
mod demo;
mod destination;
mod doctor;
mod document;
mod exchange;
mod exit;
mod fake_agent;
mod memory;
mod output;
mod pods;
mod queue;
mod rewrite;
mod serve;
mod shell;
mod telemetry;
mod top;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use exit::{Exit, Failed};
use telemetry::{LEVEL_VARIABLE, LogFormat};

/// Receives OTLP traces, stamps every resource with the IP of its pod, and forwards to deepflow-agent.
#[derive(Debug, Parser)]
#[command(name = "podstamp", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    logging: Logging,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Logging {
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value = "human", value_name = "FORMAT")]
    log_format: Format,
    /// What to log: error, warn, info, debug, trace, or directives such as `info,podstamp=debug`. Also from
    /// PODSTAMP_LOG.
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, stamp, forward.
    Serve(serve::Serve),
    /// Check a configuration, and the agent if asked to.
    Check(check::Check),
    /// Find out why spans are not where they should be.
    Doctor(doctor::Doctor),
    /// Stamp one export request, stdin to stdout.
    Rewrite(rewrite::Rewrite),
    /// Ask a running podstamp about its pods.
    Pods(pods::Pods),
    /// Show what a running podstamp does, live.
    Top(top::Top),
    /// Look into the queues on disk, or drop from them.
    Queue(queue::Queue),
    /// Stand in for deepflow-agent.
    FakeAgent(fake_agent::FakeAgent),
    /// Show it all on this machine.
    Demo(demo::Demo),
    /// Print what a shell completes the command line by.
    Completions(shell::Completions),
    /// Print the manual page, or write one for each command.
    Man(shell::Manual),
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    match execute(std::env::args_os()) {
        Ok(exit) => exit.into(),
        Err(failed) => {
            complain(&failed.to_string());
            failed.exit.into()
        }
    }
}

fn execute(arguments: impl Iterator<Item = OsString>) -> Result<Exit, Failed> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors too. Whoever closed the pipe has read enough.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            error.print().unwrap_or_default();
            return Ok(exit);
        }
    };
    let quiet = match cli.command {
        Command::Serve(_) | Command::FakeAgent(_) => "info",
        Command::Check(_)
        | Command::Rewrite(_)
        | Command::Pods(_)
        | Command::Queue(_)
        | Command::Demo(_)
        | Command::Completions(_)
        | Command::Man(_) => "warn",
        // What fails is in the report or on the screen, and libraries would say it once more, across it.
        Command::Doctor(_) | Command::Top(_) => "off",
    };
    log(cli.logging, quiet)?;
    match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Rewrite(rewrite) => rewrite.run(),
        Command::Pods(pods) => pods.run(),
        Command::Top(top) => top.run(),
        Command::Queue(queue) => queue.run(),
        Command::FakeAgent(agent) => agent.run(),
        Command::Demo(demo) => demo.run(),
        Command::Completions(completions) => completions.run(Cli::command()),
        Command::Man(manual) => manual.run(Cli::command()),
    }
}

fn log(logging: Logging, default: &str) -> Result<(), Failed> {
    let format = match logging.log_format {
        Format::Human => LogFormat::Human,
        Format::Json => LogFormat::Json,
    };
    let variable = std::env::var(LEVEL_VARIABLE).ok().filter(|level| !level.is_empty());
    let level = logging.log_level.or(variable).unwrap_or_else(|| default.to_owned());
    telemetry::init(format, &level).map_err(|error| Failed::new(Exit::Usage, error))
}

/// Says something on stderr, where everything goes that is not the product.
fn complain(message: &str) {
    // Without stderr there is nobody to tell.
    writeln!(io::stderr(), "podstamp: {message}").unwrap_or_default();
}
