//! OTel-Arrow's dataflow engine with podstamp's filter as one of its processors.

mod processor;

use otel_arrow_dfe_config::engine::OtelDataflowSpec;
use otel_arrow_dfe_controller::{Controller, startup};
use otel_arrow_dfe_core_nodes as _;
use otel_arrow_dfe_otap::OTAP_PIPELINE_FACTORY;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: podstamp-otap PIPELINE.yaml")?;
    otel_arrow_dfe_otap::crypto::install_crypto_provider().map_err(|error| error.to_string())?;
    let mut pipeline = OtelDataflowSpec::from_file(path)?;
    startup::apply_cli_overrides(&mut pipeline, Some(1), None, Some("127.0.0.1:8081".to_owned()));
    Controller::new(&OTAP_PIPELINE_FACTORY).run_forever(pipeline)?;
    Ok(())
}
