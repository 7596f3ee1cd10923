//! `filter.node_from_env_var` of k8sattributes: the node that a pod of a DaemonSet runs on, which only the host can know.

use serde_json::Value;

use crate::config::document::{Environment, Fault};

/// Puts `filter.node` in place of `filter.node_from_env_var` and gives the variables that are not set.
pub(crate) fn resolve(document: &mut Value, environment: Environment<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let processors = document.get_mut("processors").and_then(Value::as_object_mut);
    for (id, processor) in processors.into_iter().flatten().filter(|(id, _)| is_k8sattributes(id)) {
        let Some(filter) = processor.get_mut("filter").and_then(Value::as_object_mut) else { continue };
        // Null and the empty text are the Collector's default: no variable.
        let name = match filter.get(KEY) {
            None | Some(Value::Null) => continue,
            Some(Value::String(name)) => name.clone(),
            // What is wrong with it is the document's reader to say.
            Some(_) => continue,
        };
        filter.remove(KEY);
        if name.is_empty() {
            continue;
        }
        match environment(&name).filter(|node| !node.is_empty()) {
            Some(node) => {
                filter.insert("node".to_owned(), Value::String(node));
            }
            None => faults.push(Fault {
                path: format!("processors.{id}.filter.{KEY}"),
                message: format!(
                    "the environment variable {name} is not set: have Kubernetes set it from spec.nodeName (Downward API)"
                ),
            }),
        }
    }
    faults
}

fn is_k8sattributes(id: &str) -> bool {
    matches!(id.split('/').next(), Some("k8sattributes" | "k8s_attributes"))
}

const KEY: &str = "node_from_env_var";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resolved(filter: &Value) -> (Value, Vec<Fault>) {
        let mut document = json!({"processors": {"k8sattributes/agent": {"filter": filter}, "batch": null}});
        let environment = |name: &str| match name {
            "NODE" => Some("node-1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let faults = resolve(&mut document, &environment);
        (document["processors"]["k8sattributes/agent"]["filter"].take(), faults)
    }

    #[test]
    fn the_variables_value_becomes_the_node() {
        assert_eq!(resolved(&json!({"node_from_env_var": "NODE"})), (json!({"node": "node-1"}), vec![]));
        let both = json!({"node_from_env_var": "NODE", "node": "other", "namespace": "shop"});
        assert_eq!(resolved(&both), (json!({"node": "node-1", "namespace": "shop"}), vec![]));
        assert_eq!(resolved(&json!({"node_from_env_var": ""})), (json!({}), vec![]));
        assert_eq!(resolved(&json!({"node": "n"})), (json!({"node": "n"}), vec![]));
        assert_eq!(resolved(&json!(null)), (json!(null), vec![]));
    }

    #[test]
    fn an_unset_or_empty_variable_is_a_fault() {
        for name in ["UNSET", "EMPTY"] {
            let (_, faults) = resolved(&json!({"node_from_env_var": name}));
            assert_eq!(faults[0].path, "processors.k8sattributes/agent.filter.node_from_env_var");
            assert!(faults[0].message.contains(name));
        }
    }

    #[test]
    fn documents_without_processors_are_left_alone() {
        for document in
            [json!(null), json!({"processors": null}), json!({"processors": {"k8sattributes": [1]}})]
        {
            let mut same = document.clone();
            assert_eq!(resolve(&mut same, &|_| None), []);
            assert_eq!(same, document);
        }
    }
}
