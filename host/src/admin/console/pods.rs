//! `GET /console/pods?q=TEXT&limit=COUNT`: the pods that a text is part of.

use podstamp_pods::{Coverage, PodParts, Table};
use serde::Serialize;

use super::super::listings::SourceState;
use crate::pods::explain::ExplainedPod;

/// The pods that are asked for, and how the table stands.
#[derive(Debug, Serialize)]
pub(super) struct FoundPods {
    #[serde(flatten)]
    source: SourceState,
    covers_cluster: bool,
    /// How many there are, shown or not.
    matching: usize,
    pods: Vec<ExplainedPod>,
}

impl FoundPods {
    /// The pods in whose namespace and name, address, uid or node `wanted` is found, in any case; all of them where it is
    /// empty. No more than `limit` are given, by namespace and name.
    pub(super) fn of(table: Option<&Table>, source: SourceState, wanted: &str, limit: usize) -> Self {
        let wanted = wanted.trim().to_ascii_lowercase();
        let covers_cluster = table.is_some_and(|table| table.coverage() == Coverage::Cluster);
        let (mut matching, mut pods) = (0, Vec::new());
        let limit = limit.min(MOST);
        let all = table.into_iter().flat_map(|table| table.slots().filter_map(|slot| table.describe(slot)));
        for pod in all.filter(|pod| is_wanted(pod, &wanted)) {
            matching += 1;
            pods.push(pod);
            // Sorted now and then, so that not all of a cluster's pods are held at a time.
            if pods.len() >= 2 * limit.max(MOST) {
                keep_first(&mut pods, limit);
            }
        }
        keep_first(&mut pods, limit);
        Self { source, covers_cluster, matching, pods: pods.iter().map(ExplainedPod::of).collect() }
    }
}

fn keep_first(pods: &mut Vec<PodParts<'_>>, limit: usize) {
    pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    pods.truncate(limit);
}

fn is_wanted(pod: &PodParts<'_>, wanted: &str) -> bool {
    // Names of Kubernetes are in lower case.
    let is_in_name = || match wanted.split_once('/') {
        Some((namespace, name)) => pod.namespace.ends_with(namespace) && pod.name.starts_with(name),
        None => pod.name.contains(wanted) || pod.namespace.contains(wanted),
    };
    wanted.is_empty()
        || is_in_name()
        || pod.ips.iter().any(|ip| ip.to_string().starts_with(wanted))
        || pod.uid.starts_with(wanted)
        || pod.node.contains(wanted)
}

/// More than anybody reads.
const MOST: usize = 1_000;

#[cfg(test)]
mod tests {
    use podstamp_core::directory::Fields;
    use podstamp_pods::KeptKeys;

    use super::*;

    fn table(count: u32) -> Table {
        let mut table = Table::new(Fields::ALL, KeptKeys::ALL, Coverage::Cluster);
        for number in (0..count).rev() {
            let pod = PodParts {
                name: format!("cart-{number:05}").into(),
                namespace: if number % 2 == 0 { "shop" } else { "test" }.into(),
                uid: format!("uid-{number}").into(),
                ips: vec![std::net::Ipv4Addr::from(0x0a01_0000 + number).into()],
                node: format!("node-{}", number % 3).into(),
                ..PodParts::default()
            };
            table.upsert(&pod).unwrap();
        }
        table
    }

    fn found(wanted: &str, limit: usize) -> (usize, Vec<String>) {
        let found = FoundPods::of(Some(&table(10)), SourceState::default(), wanted, limit);
        (
            found.matching,
            found.pods.into_iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect(),
        )
    }

    #[test]
    fn pods_are_found_by_name_address_uid_and_node() {
        assert_eq!(found("CART-00003", 5), (1, vec!["test/cart-00003".to_owned()]));
        assert_eq!(found("shop/cart-00004", 5).0, 1);
        assert_eq!(found("shop", 5).0, 5);
        assert_eq!(found("10.1.0.7", 5), (1, vec!["test/cart-00007".to_owned()]));
        assert_eq!(found(" uid-2 ", 5).1, ["shop/cart-00002"]);
        assert_eq!(found("node-1", 9).0, 3);
        assert_eq!(found("nothing", 9), (0, vec![]));
        assert_eq!(found("", 2), (10, vec!["shop/cart-00000".to_owned(), "shop/cart-00002".to_owned()]));
        assert_eq!(found("", 0).1, Vec::<String>::new());
    }

    #[test]
    fn of_many_the_first_are_shown() {
        let table = table(5_000);
        let found = FoundPods::of(Some(&table), SourceState::default(), "", usize::MAX);
        assert_eq!((found.matching, found.pods.len()), (5_000, MOST));
        assert_eq!((&*found.pods[0].name, &*found.pods[999].name), ("cart-00000", "cart-01998"));
        let nothing = FoundPods::of(None, SourceState::default(), "", 5);
        assert_eq!((nothing.matching, nothing.covers_cluster), (0, false));
    }
}
