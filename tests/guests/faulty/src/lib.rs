//! A guest that misbehaves on request, for tests of the host.
//!
//! The guest accepts every configuration. The beginning of a body decides what becomes of the request:
//!
//! | body     | what happens                                                               |
//! |----------|----------------------------------------------------------------------------|
//! | `trap`   | an `unreachable` instruction                                               |
//! | `panic`  | a panic, which has nowhere to print and so is a trap                       |
//! | `loop`   | never returns                                                              |
//! | `memory` | takes memory until none is left, then traps                                |
//! | `keep`   | status 200, and the body's memory is never given back                      |
//! | `edits`  | forwards with edits that are unsorted, overlap and lie outside the body    |
//! | other    | status 200 with an empty body                                              |

use std::hint::black_box;

#[expect(unsafe_code, reason = "the glue that wit-bindgen generates for the canonical ABI")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "podstamp" });
    use super::Faulty;
    export!(Faulty);
}

use bindings::exports::podstamp::filter::filter::{
    Acknowledgement, Answer, Attempt, BodyFault, Content, Edit, Edits, Examination, Examined, Guest, Next,
    Outbound, Outcome, Part, Prepared, Report, Request, Settings, Verdict,
};
use bindings::podstamp::filter::types::{ConfigFault, Encoding, Signal};

struct Faulty;

impl Guest for Faulty {
    fn configure(_document: String) -> Result<Settings, Vec<ConfigFault>> {
        Ok(Settings { request_headers: Vec::new(), notices: Vec::new() })
    }

    fn acknowledgements() -> Vec<Acknowledgement> {
        Vec::new()
    }

    fn prepare(request: Request) -> Prepared {
        let verdict = match request.body.as_slice() {
            [b't', b'r', b'a', b'p', ..] => std::process::abort(),
            [b'p', b'a', b'n', b'i', b'c', ..] => misbehave(),
            [b'l', b'o', b'o', b'p', ..] => endless(),
            [b'm', b'e', b'm', b'o', b'r', b'y', ..] => exhaust(),
            [b'k', b'e', b'e', b'p', ..] => {
                std::mem::forget(request.body);
                Verdict::Answer(accepted())
            }
            [b'e', b'd', b'i', b't', b's', ..] => Verdict::Forward(senseless()),
            _ => Verdict::Answer(accepted()),
        };
        Prepared { verdict, report: nothing(), notices: Vec::new() }
    }

    fn examine(request: Request, _options: Examination) -> Examined {
        if request.body.starts_with(b"trap") {
            std::process::abort();
        }
        Examined { fault: None, resources: Vec::new(), resources_omitted: 0, spans_omitted: 0 }
    }

    fn conclude(_attempt: Attempt, _outcome: Outcome) -> Next {
        Next::Answer(accepted())
    }

    fn diagnose(_signal: Signal, _body: Vec<u8>) -> Result<(), BodyFault> {
        Ok(())
    }
}

#[expect(clippy::panic, reason = "what a careless guest does")]
fn misbehave() -> ! {
    panic!("asked to")
}

fn endless() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Ends in the allocator, which aborts when the host refuses to grow the memory.
fn exhaust() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// No host may carry these out: each edit breaks another promise of `filter.wit`.
fn senseless() -> Outbound {
    let edits = vec![
        Edit { offset: 4, remove: 4, insert: 1 },
        Edit { offset: 0, remove: 6, insert: 1 },
        Edit { offset: u32::MAX, remove: u32::MAX, insert: u32::MAX },
    ];
    Outbound {
        url: "http://127.0.0.1:1/".to_string(),
        headers: Vec::new(),
        timeout: 1_000,
        copies: Vec::new(),
        content: Content::Edited(Edits { edits, inserted: b"x".to_vec() }),
        parts: vec![Part { end: 0, spans: 0, memory: 0 }],
        encoding: Encoding::Protobuf,
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
        address_contradicted: 0,
        refused: 0,
        kinds_cleared: 0,
        resources_created: 0,
        addresses_normalised: 0,
        addresses_repaired: 0,
        peers_renamed: 0,
        spans_moved: 0,
        spans_far: 0,
        spans_senseless: 0,
        names_cut: 0,
        texts_mended: 0,
        requests_split: 0,
    }
}
