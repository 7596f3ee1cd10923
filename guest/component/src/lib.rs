//! podstamp's filter as a WebAssembly component. For now it lets everything through.

#[expect(unsafe_code, reason = "the glue that wit-bindgen generates for the canonical ABI")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "podstamp" });
    use super::Component;
    export!(Component);
}

use bindings::exports::podstamp::filter::filter::{
    Answer, Attempt, BodyFault, Guest, Next, Outcome, Prepared, Report, Request, Settings, Verdict,
};
use bindings::podstamp::filter::pods::{self, Details};
use bindings::podstamp::filter::types::ConfigFault;

struct Component;

impl Guest for Component {
    fn configure(_document: String) -> Result<Settings, Vec<ConfigFault>> {
        Ok(Settings { request_headers: Vec::new(), notices: Vec::new() })
    }

    fn prepare(_request: Request) -> Prepared {
        pods::find(&[], Details::empty());
        Prepared { verdict: Verdict::Answer(accepted()), report: nothing() }
    }

    fn conclude(_attempt: Attempt, _outcome: Outcome) -> Next {
        Next::Answer(accepted())
    }

    fn diagnose(_body: Vec<u8>) -> Result<(), BodyFault> {
        Ok(())
    }
}

fn accepted() -> Answer {
    Answer { status: 200, headers: Vec::new(), body: Vec::new(), notice: None }
}

fn nothing() -> Report {
    Report {
        resources: 0,
        spans: 0,
        address_kept: 0,
        address_pipeline: 0,
        address_pod_ip: 0,
        address_pod: 0,
        address_connection: 0,
        address_unknown: 0,
        refused: 0,
        kinds_cleared: 0,
        resources_created: 0,
        addresses_normalised: 0,
        addresses_repaired: 0,
    }
}
