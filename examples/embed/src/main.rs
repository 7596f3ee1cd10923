//! Embeds podstamp: an OTLP receiver that forwards to deepflow-agent, with pods that this program knows itself.
//!
//!     podstamp-embed CONFIG NAMESPACE/NAME=ADDRESS...

mod inventory;

use std::env;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use inventory::Inventory;
use podstamp::app::{App, Overrides};
use podstamp::config;
use podstamp::server::Instruments;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (file, pods) =
        arguments.split_first().context("usage: podstamp-embed CONFIG NAMESPACE/NAME=ADDRESS...")?;
    let document = config::load(Path::new(file), &config::process_environment)?.into_document()?;
    let inventory = Inventory::parse(pods.iter().map(String::as_str))?;

    // Compiling the filter takes a second of a thread that may block.
    let app = tokio::task::spawn_blocking(move || {
        App::with_directory(document, &Overrides::default(), Arc::new(inventory))
    });
    let app = app.await??;
    for notice in app.notices() {
        eprintln!("{}", notice.message);
    }
    let server = app.serve(&Instruments::default()).await?;
    for listener in server.listening() {
        writeln!(io::stdout(), "listening at {}", listener.address)?;
    }
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
