//! The flavours of the filter, on which the cases run.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use podstamp::pods::Table;
use podstamp::sandbox::{BodyFault, Ended, Failure, FilterRunner, Guest, ReceivedRequest, Sandbox, Settings};
use podstamp_core::interface::{Attempt, Examination, Examined, Next, Outcome, Prepared, Request, Signal};
use serde_json::Value as Json;

pub(crate) mod module;

/// The pods that a filter asks.
pub(crate) type Pods = Arc<Table>;

/// Makes a filter from a configuration document and pods.
pub(crate) type Flavour = fn(&Json, Pods) -> Box<dyn FilterRunner>;

/// Each way to run the filter, by name. The first is what the others are compared with.
pub(crate) fn flavours() -> Vec<(&'static str, Flavour)> {
    vec![("native", native), ("component", component), ("module", module)]
}

fn native(document: &Json, pods: Pods) -> Box<dyn FilterRunner> {
    let filter = podstamp_core::Filter::configure(document).unwrap_or_else(|faults| panic!("{faults:#?}"));
    Box::new(Native { filter, pods })
}

/// The component that the binary carries inside.
fn component(document: &Json, pods: Pods) -> Box<dyn FilterRunner> {
    static GUEST: OnceLock<Guest> = OnceLock::new();
    let guest = GUEST.get_or_init(|| {
        let settings =
            Settings { memory: 64 << 20, timeout: Duration::from_secs(10), instances: 64, body: 16 << 20 };
        Guest::embedded(settings).unwrap()
    });
    Box::new(Sandbox::new(guest, document.to_string(), pods).unwrap())
}

/// The module for hosts without the component model.
fn module(document: &Json, pods: Pods) -> Box<dyn FilterRunner> {
    Box::new(module::InModule::new(&document.to_string(), &pods))
}

/// The core, without wasm around it.
struct Native {
    filter: podstamp_core::Filter,
    pods: Pods,
}

impl FilterRunner for Native {
    fn request_headers(&self) -> &[String] {
        self.filter.request_headers()
    }

    fn prepare(&self, request: &ReceivedRequest) -> Result<Prepared, Failure> {
        let ReceivedRequest { signal, path, peer, headers, body, now, .. } = request;
        let request = Request { signal: *signal, path, peer: *peer, headers, body, now: *now };
        Ok(self.filter.prepare(&request, self.pods.as_ref()))
    }

    fn examine(&self, request: &ReceivedRequest, options: Examination) -> Result<Examined, Failure> {
        let ReceivedRequest { signal, path, peer, headers, body, now, .. } = request;
        let request = Request { signal: *signal, path, peer: *peer, headers, body, now: *now };
        Ok(self.filter.examine(&request, &options, self.pods.as_ref()))
    }

    fn conclude(&self, attempt: Attempt, ended: &Ended) -> Result<Next, Failure> {
        Ok(self.filter.conclude(&attempt, &outcome(ended)))
    }

    fn diagnose(&self, signal: Signal, body: &Bytes) -> Result<Option<BodyFault>, Failure> {
        Ok(podstamp_core::diagnose_as(signal, body).err().map(|fault| BodyFault {
            offset: fault.offset as u32,
            path: fault.path,
            message: fault.kind.to_string(),
        }))
    }
}

/// How an attempt ended, for the filter itself.
fn outcome(ended: &Ended) -> Outcome<'_> {
    match ended {
        Ended::Response { status, headers, body } => Outcome::Response { status: *status, headers, body },
        Ended::NotConnected(reason) => Outcome::NotConnected(reason),
        Ended::Away { reason, after } => Outcome::Away { reason, after: *after },
        Ended::Waited => Outcome::Waited,
        Ended::Closed(body) => Outcome::Closed(body),
        Ended::TimedOut => Outcome::TimedOut,
        Ended::Oversized => Outcome::Oversized,
    }
}
