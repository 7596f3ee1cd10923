//! A fake of deepflow-agent's OpenTelemetry endpoint, `POST /api/v1/otel/trace`, for demos and tests.
//!
//! It answers as deepflow-agent does: nothing but 200 with an empty body for what it can decode, a closed connection for
//! what it cannot, 404 for paths and methods that the agent does not know, and the end of the process for a span kind that
//! it does not know, for a peer of another address family and, if it is to be strict, for requests that overlap. It runs on
//! the HTTP, protobuf and gzip crates of deepflow-agent, since those decide most of that. It then notes down what DeepFlow
//! would have stored: the resources with the `app.host.ip` that the agent adds, the address in the server's row of each span,
//! and the agent's own metrics.
//!
//! ```
//! # use podstamp_fake_agent::{Abort, Agent, Answer, Script};
//! # async fn example() -> Result<(), podstamp_fake_agent::Error> {
//! let agent = Agent::builder()
//!     .listen(([127, 0, 0, 1], 0).into())
//!     .on_abort(Abort::Record)
//!     .play(2, Script::Answer(Answer::new(503)?.header("retry-after", "1")?))
//!     .start()
//!     .await?;
//! println!("send traces to {}", agent.url());
//! agent.wait_for_spans(10).await;
//! for record in agent.records() {
//!     println!("{}", record.to_json());
//! }
//! agent.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//! What is posted to deepflow-agent's other endpoints (Prometheus, Telegraf, Datadog, ...) is answered and forgotten. flate2
//! comes in the workspace's version, which treats gzip members as the agent's does. Nothing is sent on, so there is no
//! queue that could overflow. The window of the metrics moves with spans alone, in the agent also with the clock while
//! none come.

// The code that prost's derives generate says `::prost`.
extern crate agent_prost as prost;

mod address;
mod agent;
mod block;
mod error;
mod fault;
mod harm;
mod host_ip;
mod http;
mod import;
mod journal;
mod message;
mod metrics;
mod peer;
mod record;
mod script;
mod server;
#[cfg(test)]
mod tests;
mod turns;
mod value;

pub use agent::{Agent, Builder, DEFAULT_LISTEN};
pub use error::Error;
pub use fault::Abort;
pub use harm::Harm;
pub use http::TRACE_PATH;
pub use journal::{DEFAULT_KEPT_RECORDS, MAX_KEPT_SPANS, Totals};
pub use metrics::Meter;
pub use record::{Outcome, Record, ResourceRecord, SpanRecord};
pub use script::{Answer, Latch, Script};
pub use value::{Attribute, Value};
