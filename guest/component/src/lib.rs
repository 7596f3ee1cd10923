//! podstamp's filter as a WebAssembly component: the shapes of `wit/` on the one side, [`podstamp_core`] on the other.

use std::cell::{OnceCell, RefCell};

use podstamp_core::directory::{self, Directory};
use podstamp_core::{Filter, Stamps, config, diagnose_as, interface};

#[expect(unsafe_code, reason = "the glue that wit-bindgen generates for the canonical ABI")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "podstamp",
        // A lookup's terms are handed over as they are.
        ownership: Borrowing { duplicate_if_necessary: true },
    });
    use super::Component;
    export!(Component);
}
mod allocator;
mod convert;
mod examined;

use allocator::ALLOCATOR;
use bindings::exports::podstamp::filter::filter::{
    Acknowledgement, Attempt, Away, BodyFault, Examination, Examined, Guest, Next, Outcome, Prepared,
    Request, Settings,
};
use bindings::podstamp::filter::pods;
use bindings::podstamp::filter::types::{ConfigFault, Signal};

struct Component;

thread_local! {
    static FILTER: OnceCell<Filter> = const { OnceCell::new() };
    static STAMPS: RefCell<Stamps> = RefCell::default();
}

impl Guest for Component {
    fn configure(document: String) -> Result<Settings, Vec<ConfigFault>> {
        let document = config::read_json(&document).map_err(|error| {
            vec![ConfigFault { path: String::new(), message: format!("not JSON: {error}") }]
        })?;
        let filter = Filter::configure(&document).map_err(|faults| {
            faults
                .into_iter()
                .map(|fault| ConfigFault { path: fault.path, message: fault.message })
                .collect::<Vec<_>>()
        })?;
        let settings = Settings {
            request_headers: filter.request_headers().to_vec(),
            notices: filter.notices().iter().cloned().map(Into::into).collect(),
        };
        if FILTER.with(|cell| cell.get().is_some()) {
            return Err(vec![ConfigFault { path: String::new(), message: "configured already".to_owned() }]);
        }
        FILTER.with(|cell| {
            cell.get_or_init(|| filter);
        });
        STAMPS.set(Stamps::with_room());
        // Faults leave nothing behind, a filter is there to stay.
        ALLOCATOR.settle();
        Ok(settings)
    }

    fn acknowledgements() -> Vec<Acknowledgement> {
        ALLOCATOR.call(convert::acknowledgements)
    }

    fn prepare(request: Request) -> Prepared {
        let pods = HostPods { state: request.directory_state };
        call_about(request, |filter, request| {
            STAMPS.with_borrow_mut(|stamps| filter.prepare_with(request, &pods, stamps).into())
        })
    }

    fn examine(request: Request, options: Examination) -> Examined {
        let options = options.into();
        let pods = HostPods { state: None };
        call_about(request, |filter, request| filter.examine(request, &options, &pods).into())
    }

    fn conclude(attempt: Attempt, outcome: Outcome) -> Next {
        let attempt = attempt.into();
        call(|filter| {
            let next = match &outcome {
                Outcome::Response(response) => {
                    let headers: Vec<_> = response.headers.iter().cloned().map(Into::into).collect();
                    let (status, body) = (response.status, response.body.as_slice());
                    filter
                        .conclude(&attempt, &interface::Outcome::Response { status, headers: &headers, body })
                }
                Outcome::NotConnected(reason) => {
                    filter.conclude(&attempt, &interface::Outcome::NotConnected(reason))
                }
                Outcome::Away(Away { reason, after }) => {
                    filter.conclude(&attempt, &interface::Outcome::Away { reason, after: *after })
                }
                Outcome::Waited => filter.conclude(&attempt, &interface::Outcome::Waited),
                Outcome::Closed(body) => filter.conclude(&attempt, &interface::Outcome::Closed(body)),
                Outcome::TimedOut => filter.conclude(&attempt, &interface::Outcome::TimedOut),
                Outcome::Oversized => filter.conclude(&attempt, &interface::Outcome::Oversized),
            };
            next.into()
        })
    }

    fn diagnose(signal: Signal, body: Vec<u8>) -> Result<(), BodyFault> {
        ALLOCATOR.call(|| {
            diagnose_as(convert::signal(signal), &body).map_err(|fault| BodyFault {
                offset: fault.offset as u32,
                path: fault.path,
                message: fault.kind.to_string(),
            })
        })
    }
}

/// Calls with the filter. `configure` comes before all else by contract; a host that breaks it gets a trap.
fn call<T>(call: impl FnOnce(&Filter) -> T) -> T {
    FILTER.with(|cell| match cell.get() {
        Some(filter) => ALLOCATOR.call(|| call(filter)),
        None => std::process::abort(),
    })
}

/// Makes a call that is about a request.
fn call_about<T>(request: Request, about: impl FnOnce(&Filter, &interface::Request<'_>) -> T) -> T {
    let headers: Vec<_> = request.headers.into_iter().map(Into::into).collect();
    let request = interface::Request {
        signal: convert::signal(request.signal),
        path: &request.path,
        peer: request.peer.map(convert::address),
        headers: &headers,
        body: &request.body,
        now: request.now,
    };
    call(|filter| about(filter, &request))
}

/// The host's pod directory.
struct HostPods {
    /// Its state, as the host gave it with the request.
    state: Option<u64>,
}

impl Directory for HostPods {
    fn state(&self) -> Option<u64> {
        self.state
    }

    fn unchanged(&self, since: u64, keys: &[u32]) -> bool {
        pods::unchanged(since, keys)
    }

    fn find(&self, terms: &[directory::Term<'_>], want: directory::Details) -> directory::Lookup {
        let terms: Vec<_> = terms.iter().map(convert::term).collect();
        let mut details = pods::Details::empty();
        details.set(pods::Details::LABELS, want.labels);
        details.set(pods::Details::ANNOTATIONS, want.annotations);
        details.set(pods::Details::BRIEF, want.brief);
        match pods::find(&terms, details) {
            pods::Lookup::Found(pod) => directory::Lookup::Found(Box::new(pod.into())),
            pods::Lookup::Ambiguous => directory::Lookup::Ambiguous,
            pods::Lookup::Node => directory::Lookup::Node,
            pods::Lookup::Ignored => directory::Lookup::Ignored,
            pods::Lookup::Absent => directory::Lookup::Absent,
            pods::Lookup::Unknown => directory::Lookup::Unknown,
        }
    }
}
