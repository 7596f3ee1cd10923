//! What a document takes from the environment, put into it before it is read.

use serde_json::Value;

use crate::config::document::{Fault, expand};
use crate::config::processors::k8sattributes::node_name;
use crate::config::{Unset, read_all};

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

impl Unresolved {
    /// Refuses what lacks where the document is read. With it, all other faults of the document.
    pub fn refuse(self, document: &Value) -> Result<(), Vec<Fault>> {
        if self == Self::default() {
            return Ok(());
        }
        let faults = read_all(document, self, Unset::Refused).faults;
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// Puts the environment into a document: expands `${env:NAME}` as in the Collector, and resolves
/// `filter.node_from_env_var` of k8sattributes. Gives what could not be put there.
pub fn resolve(document: &mut Value, environment: Environment<'_>, read_scalar: ReadScalar) -> Unresolved {
    let mut unresolved = expand::expand(document, environment, read_scalar);
    unresolved.unset.extend(node_name::resolve(document, environment));
    unresolved
}
