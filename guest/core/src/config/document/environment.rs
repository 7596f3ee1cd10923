//! What a document takes from the environment.

use serde_json::Value;

use super::findings::Fault;

/// Looks an environment variable up.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads a text as the document's own syntax has it, YAML or JSON: `12` is a number. None: it is no such thing.
pub type ReadScalar = fn(&str) -> Option<Value>;

/// What the environment did not give. What stands in the document there is as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unresolved {
    /// Variables that are not set.
    pub unset: Vec<Fault>,
    /// References that mean nothing here.
    pub faults: Vec<Fault>,
}
