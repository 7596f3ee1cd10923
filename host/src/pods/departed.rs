//! Pods that were deleted lately: for people who ask why something leads to no pod any more.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use podstamp_core::directory::{Pod, container_id};
use podstamp_pods::{PodParts, Slot, Table};

use super::explain::{Departed, Subject};

/// Pods that are being deleted, and some that are gone.
#[derive(Debug, Default)]
pub(super) struct DepartedPods {
    /// By uid, or by namespace and name where they have none.
    leaving: HashMap<String, Instant>,
    gone: VecDeque<Gone>,
}

/// A pod that is not in the table any more.
#[derive(Debug)]
struct Gone {
    namespace: String,
    name: String,
    uid: String,
    ips: Vec<IpAddr>,
    containers: Vec<String>,
    since: Instant,
}

impl DepartedPods {
    /// Notes what became of the pods in places that have changed.
    pub(super) fn note(&mut self, before: &Table, after: &Table, slots: &[Slot]) {
        for slot in slots {
            self.note_pod(before.describe(*slot).as_ref(), after.describe(*slot).as_ref());
        }
    }

    fn note_pod(&mut self, before: Option<&PodParts<'_>>, after: Option<&PodParts<'_>>) {
        let now = Instant::now();
        if let Some(before) = before
            && after.is_none_or(|after| key(after) != key(before))
        {
            let since = self.leaving.remove(&key(before)).unwrap_or(now);
            self.gone.push_back(Gone::of(before, since));
            if self.gone.len() > MAX_GONE {
                self.gone.pop_front();
            }
        }
        if let Some(after) = after {
            if after.deleting {
                self.leaving.entry(key(after)).or_insert(now);
            } else {
                self.leaving.remove(&key(after));
            }
        }
    }

    /// How long the pod has been being deleted that this is.
    pub(super) fn leaving(&self, pod: &Pod) -> Option<Duration> {
        let key =
            if pod.uid.is_empty() { format!("{}/{}", pod.namespace, pod.name) } else { pod.uid.to_string() };
        self.leaving.get(&key).map(Instant::elapsed)
    }

    /// The pod that had something and is gone; of several the last.
    pub(super) fn gone(&self, subject: &Subject<'_>) -> Option<Departed> {
        let gone = self.gone.iter().rev().find(|gone| gone.has(subject))?;
        Some(Departed { pod: format!("{}/{}", gone.namespace, gone.name), ago: gone.since.elapsed() })
    }
}

impl Gone {
    fn of(pod: &PodParts<'_>, since: Instant) -> Self {
        Self {
            namespace: pod.namespace.clone().into_owned(),
            name: pod.name.clone().into_owned(),
            uid: pod.uid.clone().into_owned(),
            ips: if pod.host_network { Vec::new() } else { pod.ips.clone() },
            containers: pod.containers.iter().map(|(_, id)| container_id(id).to_owned()).collect(),
            since,
        }
    }

    fn has(&self, subject: &Subject<'_>) -> bool {
        match *subject {
            Subject::Address(address) => self.ips.contains(&address),
            Subject::Name(namespace, name) => {
                self.name == name && namespace.is_none_or(|namespace| self.namespace == namespace)
            }
            Subject::Hostname(name) => self.name == name,
            Subject::Uid(uid) => self.uid == uid,
            Subject::Container(id) => self
                .containers
                .iter()
                .any(|known| !known.is_empty() && (known.starts_with(id) || id.starts_with(known))),
        }
    }
}

/// What stays the same of a pod.
fn key(pod: &PodParts<'_>) -> String {
    if pod.uid.is_empty() { format!("{}/{}", pod.namespace, pod.name) } else { pod.uid.clone().into_owned() }
}

/// Enough for the minutes after a rollout; some 300 bytes each.
const MAX_GONE: usize = 1_024;

#[cfg(test)]
mod tests {
    use podstamp_core::directory::{Fields, KeptKeys};
    use podstamp_pods::Coverage;

    use super::*;

    fn pod(name: &'static str, ip: [u8; 4], deleting: bool) -> PodParts<'static> {
        PodParts {
            name: name.into(),
            namespace: "shop".into(),
            uid: format!("uid-{name}").into(),
            ips: vec![ip.into()],
            containers: vec![("app".into(), "containerd://4f1c4f1c4f1c4f1c".into())],
            deleting,
            ..PodParts::default()
        }
    }

    fn found(pod: &PodParts<'_>) -> Pod {
        Pod { uid: (&*pod.uid).into(), name: (&*pod.name).into(), ..Pod::default() }
    }

    #[test]
    fn a_pod_that_is_gone_is_remembered_by_all_that_it_had() {
        let mut departed = DepartedPods::default();
        let (alive, leaving) = (pod("a", [10, 0, 0, 1], false), pod("a", [10, 0, 0, 1], true));
        departed.note_pod(None, Some(&alive));
        assert_eq!(departed.leaving(&found(&alive)), None);
        departed.note_pod(Some(&alive), Some(&leaving));
        assert!(departed.leaving(&found(&leaving)).is_some());
        assert_eq!(departed.gone(&Subject::Uid("uid-a")), None, "it is in the table");
        departed.note_pod(Some(&leaving), None);
        assert_eq!(departed.leaving(&found(&leaving)), None);
        for subject in [
            Subject::Uid("uid-a"),
            Subject::Address([10, 0, 0, 1].into()),
            Subject::Name(None, "a"),
            Subject::Name(Some("shop"), "a"),
            Subject::Container("4f1c4f1c4f1c4f1cffff"),
        ] {
            assert_eq!(departed.gone(&subject).unwrap().pod, "shop/a", "{subject:?}");
        }
        for other in [Subject::Name(Some("other"), "a"), Subject::Uid("uid-b")] {
            assert_eq!(departed.gone(&other), None);
        }
    }

    #[test]
    fn a_place_that_another_pod_takes_gives_the_first_one_up_and_few_are_kept() {
        let mut table = Table::new(Fields::ALL, KeptKeys::default(), Coverage::Cluster);
        let (first, second) = (pod("a", [10, 0, 0, 1], false), pod("b", [10, 0, 0, 1], false));
        let slot = table.upsert(&first).unwrap();
        let before = table.clone();
        table.put(slot, &second).unwrap();
        let mut departed = DepartedPods::default();
        departed.note(&before, &table, &[slot]);
        assert_eq!(departed.gone(&Subject::Address([10, 0, 0, 1].into())).unwrap().pod, "shop/a");
        for _ in 0..10_000 {
            departed.note_pod(Some(&second), None);
        }
        assert_eq!(departed.gone.len(), MAX_GONE);
    }
}
