//! Under load: as many connections as there may be on one core and on two, requests at fixed rates, and what small requests cost while
//! there are few of them.

mod cores;
mod rates;
mod small;

use serde_json::{Value, json};

pub(crate) fn run(quick: bool) -> Value {
    json!({"cores": cores::run(quick), "rates": rates::run(quick), "small": small::run(quick)})
}

/// A small request, and one of the usual size of a batch.
const BODIES: [(&str, usize); 2] = [("5 KiB, 10 spans", 10), ("64 KiB, 130 spans", 130)];
