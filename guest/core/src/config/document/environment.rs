//! The environment that a document refers to, and what is missing in it.

use serde_json::Value;

use super::findings::Fault;

/// Looks an environment variable up.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads a text as the document's own syntax has it, YAML or JSON: `12` is a number. `None`: the text is not valid there.
pub type ReadScalar = fn(&str) -> Option<Value>;

/// References that the environment did not resolve. They stand in the document as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unresolved {
    /// Variables that are not set.
    pub unset: Vec<Fault>,
    /// References that mean nothing here.
    pub faults: Vec<Fault>,
}
