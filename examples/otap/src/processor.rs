//! The processor: bytes of OTLP in, stamped bytes out. The engine receives, batches and sends.

use std::sync::Arc;

use async_trait::async_trait;
use linkme::distributed_slice;
use otel_arrow_dfe_config::error::Error as ConfigError;
use otel_arrow_dfe_config::{SignalType, node::NodeUserConfig};
use otel_arrow_dfe_engine::capability::registry::Capabilities;
use otel_arrow_dfe_engine::config::ProcessorConfig;
use otel_arrow_dfe_engine::context::PipelineContext;
use otel_arrow_dfe_engine::control::{AckMsg, NackMsg};
use otel_arrow_dfe_engine::error::Error as EngineError;
use otel_arrow_dfe_engine::local::processor::{EffectHandler, Processor};
use otel_arrow_dfe_engine::message::Message;
use otel_arrow_dfe_engine::node::NodeId;
use otel_arrow_dfe_engine::processor::ProcessorWrapper;
use otel_arrow_dfe_engine::wiring_contract::WiringContract;
use otel_arrow_dfe_engine::{
    ConsumerEffectHandlerExtension, MessageSourceLocalEffectHandlerExtension, ProcessorFactory,
};
use otel_arrow_dfe_otap::OTAP_PROCESSOR_FACTORIES;
use otel_arrow_dfe_otap::pdata::OtapPdata;
use otel_arrow_dfe_pdata::OtlpProtoBytes;
use otel_arrow_dfe_pdata_codec::OtapPayload;
use podstamp_core::interface::{Header, Request, Signal};
use podstamp_embedded::{Embedded, Stamped, describe};

/// The processor as pipelines name it.
#[allow(unsafe_code, reason = "the engine collects factories in a section of the program")]
#[distributed_slice(OTAP_PROCESSOR_FACTORIES)]
pub static PODSTAMP: ProcessorFactory<OtapPdata> = ProcessorFactory {
    name: "urn:podstamp:processor:podstamp",
    create,
    context_declarations: None,
    wiring_contract: WiringContract::UNRESTRICTED,
    validate_config: validate,
};

struct Podstamp(Embedded);

fn configure(config: &serde_json::Value) -> Result<Embedded, ConfigError> {
    let text = if config.is_null() { String::new() } else { config.to_string() };
    Embedded::configure(&text).map_err(|faults| ConfigError::InvalidUserConfig { error: describe(&faults) })
}

fn create(
    _: PipelineContext,
    id: NodeId,
    user: Arc<NodeUserConfig>,
    processor: &ProcessorConfig,
    _: &Capabilities,
) -> Result<ProcessorWrapper<OtapPdata>, ConfigError> {
    Ok(ProcessorWrapper::local(Podstamp(configure(&user.config)?), id, user, processor))
}

fn validate(config: &serde_json::Value) -> Result<(), ConfigError> {
    configure(config).map(drop)
}

#[async_trait(?Send)]
impl Processor<OtapPdata> for Podstamp {
    async fn process(
        &mut self,
        message: Message<OtapPdata>,
        effects: &mut EffectHandler<OtapPdata>,
    ) -> Result<(), EngineError> {
        // What controls the node asks nothing of a filter that keeps nothing.
        let Message::PData(pdata) = message else { return Ok(()) };
        let Some(body) = pdata.payload_ref().encoded_bytes().cloned() else {
            let reason = "podstamp takes OTLP as bytes: put it before what turns them into Arrow";
            return effects.notify_nack(NackMsg::new_permanent(reason.to_owned(), pdata)).await;
        };
        let kind = pdata.signal_type();
        let signal = match kind {
            SignalType::Traces => Signal::Traces,
            SignalType::Metrics => Signal::Metrics,
            SignalType::Logs => Signal::Logs,
        };
        let stamped = self.0.stamp(&Request {
            signal,
            path: signal.path(),
            peer: pdata.peer_addr().map(|address| address.ip()),
            headers: &[Header::new("content-type", "application/x-protobuf")],
            body: &body,
            now: None,
        });
        let pdata = match stamped {
            Stamped::Unchanged => pdata,
            Stamped::Changed(body) => {
                let (context, _) = pdata.into_parts();
                let body = match kind {
                    SignalType::Traces => OtlpProtoBytes::ExportTracesRequest(body.into()),
                    SignalType::Metrics => OtlpProtoBytes::ExportMetricsRequest(body.into()),
                    SignalType::Logs => OtlpProtoBytes::ExportLogsRequest(body.into()),
                };
                OtapPdata::new(context, OtapPayload::from_otlp(body))
            }
            Stamped::Empty(_) => return effects.notify_ack(AckMsg::new(pdata)).await,
            Stamped::Refused(answer) => {
                // `google.rpc.Status` in protobuf; its text is what people read.
                let reason = String::from_utf8_lossy(&answer.body).into_owned();
                return effects.notify_nack(NackMsg::new_permanent(reason, pdata)).await;
            }
        };
        effects.send_message_with_source_node(pdata).await?;
        Ok(())
    }
}
