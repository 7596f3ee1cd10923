//! The pods that this program knows: a [`Directory`] over a list in memory.

use std::net::IpAddr;

use podstamp::core::directory::{Details, Directory, Lookup, Pod, Term};

/// Pods in a list, looked through from the beginning: fine for some hundred of them. A program with more keeps an index for
/// each kind of [`Term`] that its pipeline asks for.
pub(crate) struct Inventory {
    pods: Vec<Pod>,
}

impl Inventory {
    /// The pods as `namespace/name=address`, each with one address of its own.
    pub(crate) fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Self> {
        let pods = lines.into_iter().map(parse_pod).collect::<anyhow::Result<_>>()?;
        Ok(Self { pods })
    }
}

impl Directory for Inventory {
    fn find(&self, terms: &[Term<'_>], _: Details) -> Lookup {
        if terms.is_empty() {
            return Lookup::Unknown;
        }
        let mut meeting = self.pods.iter().filter(|pod| terms.iter().all(|term| meets(pod, *term)));
        match (meeting.next(), meeting.next()) {
            // `Absent` would say that the list has every pod of the cluster, so that other addresses do not belong to pods.
            (None, _) => Lookup::Unknown,
            (Some(pod), None) => Lookup::Found(Box::new(pod.clone())),
            (Some(_), Some(_)) => Lookup::Ambiguous,
        }
    }
}

/// Whether a pod meets one condition. What this list does not know of its pods meets none.
fn meets(pod: &Pod, term: Term<'_>) -> bool {
    match term {
        Term::Ip(address) => pod.ips.contains(&address),
        Term::Name(name) => pod.name == name,
        Term::Namespace(namespace) => pod.namespace == namespace,
        Term::Hostname(hostname) => pod.hostname == hostname,
        _ => false,
    }
}

fn parse_pod(line: &str) -> anyhow::Result<Pod> {
    let parts = line.split_once('=').and_then(|(name, address)| {
        let (namespace, name) = name.split_once('/')?;
        Some((namespace, name, address.parse::<IpAddr>().ok()?))
    });
    let (namespace, name, address) =
        parts.ok_or_else(|| anyhow::anyhow!("`{line}` is not of the form namespace/name=address"))?;
    Ok(Pod {
        name: name.into(),
        namespace: namespace.into(),
        hostname: name.into(),
        ips: vec![address],
        ..Pod::default()
    })
}
