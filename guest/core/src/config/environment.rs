//! What a document takes from the environment, put into it before it is read.

use serde_json::Value;

use super::findings::Fault;
use super::{expand, node_name};
use crate::exchange::Notice;

/// Looks an environment variable up.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads a text as the document's own syntax has it, YAML or JSON: `12` is a number. None: it is no such thing.
pub type ReadScalar = fn(&str) -> Option<Value>;

/// Puts the environment into a document: expands `${env:NAME}` as in the Collector, and resolves
/// `filter.node_from_env_var` of k8sattributes. Gives what a person should know of it, or all faults.
pub fn resolve(
    document: &mut Value,
    environment: Environment<'_>,
    read_scalar: ReadScalar,
) -> Result<Vec<Notice>, Vec<Fault>> {
    let mut notices = Vec::new();
    let mut faults = expand::expand(document, environment, read_scalar, &mut notices);
    faults.extend(node_name::resolve(document, environment));
    if faults.is_empty() { Ok(notices) } else { Err(faults) }
}
