//! The parts of the benchmark, by name.

use serde_json::Value;

use crate::{
    batch, codec, coding, collector, console, envoy, host, kubernetes, pods, queue, shapes, start, under_load,
};

/// A part of the benchmark.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Whether it runs where no part is named.
    pub(crate) by_default: bool,
    /// Measures it, with fewer samples where it is to be quick.
    pub(crate) run: fn(quick: bool) -> Measured,
}

/// The figures of a part.
pub(crate) struct Measured {
    pub(crate) figures: Value,
    /// False where what was measured is a fault by itself.
    pub(crate) sound: bool,
}

/// The parts that are named, in their own order; without a name those that run by default.
pub(crate) fn chosen(names: &[String]) -> impl Iterator<Item = &'static Part> {
    PARTS.iter().filter(move |part| {
        if names.is_empty() { part.by_default } else { names.iter().any(|name| name == part.name) }
    })
}

/// All parts. `cargo xtask bench --against` looks for a part's name in this file, or in `main.rs` of older revisions.
pub(crate) const PARTS: &[Part] = &[
    Part { name: "codec", by_default: true, run: |quick| codec::run(quick).into() },
    Part { name: "coding", by_default: true, run: |quick| coding::run(quick).into() },
    Part { name: "host", by_default: true, run: |quick| host::run(quick).into() },
    Part { name: "batch", by_default: true, run: |quick| batch::run(quick).into() },
    Part { name: "lane", by_default: true, run: |quick| host::lane(quick).into() },
    Part { name: "pods", by_default: true, run: |quick| pods::run(quick).into() },
    Part {
        name: "shapes",
        by_default: true,
        run: |quick| {
            let (figures, sound) = shapes::run(quick);
            Measured { figures, sound }
        },
    },
    Part { name: "load", by_default: false, run: |quick| under_load::run(quick).into() },
    Part { name: "start", by_default: false, run: |quick| start::run(quick).into() },
    Part { name: "envoy", by_default: false, run: |quick| envoy::run(quick).into() },
    Part { name: "collector", by_default: false, run: |quick| collector::run(quick).into() },
    Part { name: "console", by_default: false, run: |quick| console::run(quick).into() },
    Part { name: "queue", by_default: false, run: |quick| queue::run(quick).into() },
    Part { name: "kubernetes", by_default: false, run: |quick| kubernetes::run(quick).into() },
];

impl From<Value> for Measured {
    fn from(figures: Value) -> Self {
        Self { figures, sound: true }
    }
}
