//! Which services' spans came from which pods.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use podstamp_core::interface::{AddressSource, Examined, ExaminedResource};

use super::told;

/// The rows of the table, one for each service, pod, address and way in which it was found.
#[derive(Debug, Default)]
pub(super) struct Services {
    rows: HashMap<u64, Row>,
    bytes: usize,
    omitted: u64,
}

#[derive(Debug)]
struct Row {
    /// Spans, those of requests that were not examined shared out among the services of their peer.
    spans: f64,
    exact: bool,
    first: u64,
    last: u64,
    peer: IpAddr,
    /// The last resource of the row that was examined, without its spans.
    resource: ExaminedResource,
}

impl Services {
    /// Notes what was found in a request of a peer that came at `at` and stands for so many spans, and returns the rows of its
    /// resources.
    pub(super) fn note(&mut self, peer: IpAddr, stands_for: u64, at: u64, examined: &Examined) -> Vec<u64> {
        let spans: u64 = examined.resources.iter().map(|resource| u64::from(resource.spans_total)).sum();
        let weight = if spans > 0 { stands_for as f64 / spans as f64 } else { 0.0 };
        let note = |resource: &ExaminedResource| {
            let id = id(resource);
            self.make_room(id, size(resource));
            let row = self.rows.entry(id).or_insert_with(|| Row {
                spans: 0.0,
                exact: true,
                first: at,
                last: at,
                peer,
                resource: resource.clone(),
            });
            row.spans += f64::from(resource.spans_total) * weight;
            row.exact &= spans == stands_for;
            (row.last, row.peer) = (at, peer);
            row.resource.clone_from(resource);
            id
        };
        examined.resources.iter().map(note).collect()
    }

    /// Counts the bytes of a row's new resource, and removes the rows that have been quiet the longest where it needs their place.
    fn make_room(&mut self, id: u64, bytes: usize) {
        let before = self.rows.get(&id).map(|row| size(&row.resource));
        self.bytes = self.bytes + bytes - before.unwrap_or_default();
        let fits = |services: &Self| {
            services.bytes <= CAPACITY && (before.is_some() || services.rows.len() < MAX_ROWS)
        };
        if fits(self) {
            return;
        }
        let mut order: Vec<_> = self.rows.iter().map(|(id, row)| (row.last, *id)).collect();
        order.sort_unstable();
        for (_, oldest) in order.into_iter().filter(|(_, other)| *other != id) {
            if let Some(row) = self.rows.remove(&oldest) {
                self.bytes -= size(&row.resource);
                self.omitted += 1;
            }
            if fits(self) {
                break;
            }
        }
    }

    /// The rows of the last hour but those that others have taken the place of: a service whose pod is known by now is not told as one
    /// without. `is_pending` tells whether spans of a peer came that are in no row.
    pub(super) fn rows(&self, now: u64, is_pending: &dyn Fn(IpAddr) -> bool) -> Vec<told::Service> {
        let services = self.services_by_connection();
        let mut known = HashMap::new();
        for row in self.rows.values().filter(|row| !row.is_unknown()) {
            let last = known.entry(row.origin()).or_insert(row.last);
            *last = row.last.max(*last);
        }
        let is_superseded = |row: &Row| {
            row.is_unknown() && known.get(&row.origin()).is_some_and(|last| *last >= row.last + SUPERSEDED)
        };
        let shown = |(_, row): &(&u64, &Row)| now < row.last + SHOWN_FOR && !is_superseded(row);
        let told = |(id, row): (&u64, &Row)| row.told(*id, row.relayed(&services), is_pending);
        self.rows.iter().filter(shown).map(told).collect()
    }

    /// The answer that these rows make.
    pub(super) fn told(&self, seen: told::Seen, mut rows: Vec<told::Service>) -> told::Services {
        rows.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.id.cmp(&other.id)));
        told::Services { seen, rows, omitted: self.omitted }
    }

    /// A row and the resource that explains it.
    pub(super) fn explained(
        &self,
        id: u64,
        is_pending: &dyn Fn(IpAddr) -> bool,
    ) -> Option<(told::Service, ExaminedResource)> {
        let row = self.rows.get(&id)?;
        let relayed = row.relayed(&self.services_by_connection());
        Some((row.told(id, relayed, is_pending), row.resource.clone()))
    }

    /// How many services nothing but the connection gave an address lately, by that address and its pod: an address that one pod after
    /// the other has is no relay's.
    fn services_by_connection(&self) -> HashMap<(&str, &str), usize> {
        let latest = self.rows.values().map(|row| row.last).max().unwrap_or_default();
        let recent = self.rows.values().filter(|row| latest < row.last + RELAYED_WITHIN);
        let mut names: Vec<_> = recent.filter_map(Row::by_connection).collect();
        names.sort_unstable();
        names.dedup();
        let mut services = HashMap::new();
        for (address, pod, ..) in names {
            *services.entry((address, pod)).or_insert(0) += 1;
        }
        services
    }
}

impl Row {
    /// The service and from whom its spans came.
    fn origin(&self) -> (&str, &str, IpAddr) {
        (&self.resource.service, &self.resource.service_namespace, self.peer)
    }

    fn is_unknown(&self) -> bool {
        told::is_unknown(told::found(self.resource.found))
    }

    /// The address, its pod and the service, where nothing but the connection speaks for the address.
    fn by_connection(&self) -> Option<(&str, &str, &str, &str)> {
        let ExaminedResource { found, address, service, service_namespace, claims, connection, pod, .. } =
            &self.resource;
        let is_guess = matches!(found, AddressSource::Connection | AddressSource::Pipeline)
            && claims.is_empty()
            && address == connection;
        let pod = pod.as_ref().map_or("", |pod| pod.name.as_str());
        is_guess.then(|| {
            (address.as_deref().unwrap_or_default(), pod, service.as_str(), service_namespace.as_str())
        })
    }

    /// How many services have the row's address from the same connection, where that looks like a relay.
    fn relayed(&self, services: &HashMap<(&str, &str), usize>) -> Option<String> {
        let (address, pod, ..) = self.by_connection()?;
        let services = services.get(&(address, pod)).filter(|services| **services >= RELAYED)?;
        Some(format!(
            "{services} services have the address {address}, and nothing but the connection speaks for it: is that a relay?"
        ))
    }

    fn told(
        &self,
        id: u64,
        suspicious: Option<String>,
        is_pending: &dyn Fn(IpAddr) -> bool,
    ) -> told::Service {
        let ExaminedResource { service, service_namespace, pod, address, found, .. } = &self.resource;
        let (pod_namespace, pod) =
            pod.as_ref().map(|pod| (pod.namespace.clone(), pod.name.clone())).unwrap_or_default();
        told::Service {
            id: hex(id),
            service: service.clone(),
            service_namespace: service_namespace.clone(),
            pod,
            pod_namespace,
            address: address.clone().unwrap_or_default(),
            found: told::found(*found).to_owned(),
            suspicious,
            spans: self.spans.round() as u64,
            spans_exact: self.exact && !is_pending(self.peer),
            first_ms: self.first,
            last_ms: self.last,
            peer: self.peer.to_string(),
        }
    }
}

/// Names a row: the same service, pod, address and way give the same one, in any process.
pub(super) fn id(resource: &ExaminedResource) -> u64 {
    let ExaminedResource { service, service_namespace, pod, address, found, .. } = resource;
    let mut hasher = DefaultHasher::new();
    (service_namespace, service, address, told::found(*found)).hash(&mut hasher);
    pod.as_ref().map(|pod| (&pod.namespace, &pod.name)).hash(&mut hasher);
    hasher.finish()
}

/// About how many bytes a row takes.
fn size(resource: &ExaminedResource) -> usize {
    let ExaminedResource {
        service,
        service_namespace,
        service_instance,
        address,
        connection,
        collector,
        claims,
        changes,
        lookups,
        ..
    } = resource;
    let texts = [service, service_namespace, service_instance].map(String::len);
    let others = [address, connection, &collector.address, &collector.pod];
    let others: usize = others.into_iter().flatten().map(String::len).sum();
    let claims = claims.iter().map(|claim| claim.key.len() + claim.value.len());
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let changes =
        changes.iter().map(|change| change.key.len() + length(&change.before) + length(&change.after));
    let lookups = lookups.iter().map(|lookup| {
        lookup.terms.iter().map(|term| term.len() + size_of::<String>()).sum::<usize>() + length(&lookup.pod)
    });
    let parts = claims.chain(changes).chain(lookups).map(|bytes| bytes + PART);
    size_of::<Row>() + POD + others + texts.iter().sum::<usize>() + parts.sum::<usize>()
}

/// A row's name as text.
pub(super) fn hex(id: u64) -> String {
    format!("{id:016x}")
}

/// What comes first: without a pod, suspicious, late.
fn rank(row: &told::Service) -> (u8, std::cmp::Reverse<u64>) {
    let class = match row.found.as_str() {
        found if told::is_unknown(found) => 0,
        _ if row.suspicious.is_some() => 1,
        _ => 2,
    };
    (class, std::cmp::Reverse(row.last_ms))
}

/// More than people look through.
const MAX_ROWS: usize = 1_000;

/// A kilobyte or two a row, whatever clients send.
const CAPACITY: usize = 2 << 20;

/// About what the pod, the addresses and the row's place take.
const POD: usize = 512;

/// What a claim, a change or a lookup takes besides its texts.
const PART: usize = 72;

/// How long a row is told after its last spans, milliseconds.
const SHOWN_FOR: u64 = 3_600_000;

/// By how much spans with a pod have to be later than those without for the same service of the same peer, milliseconds: a relay may
/// well send both.
const SUPERSEDED: u64 = 60_000;

/// How recent rows are that are counted together as one address', milliseconds.
const RELAYED_WITHIN: u64 = 300_000;

/// From how many services on that one address speaks for it is probably none of them. A pod may well have a sidecar or two.
const RELAYED: usize = 4;

#[cfg(test)]
mod tests {
    use podstamp_core::interface::{ExaminedAttribute, ExaminedPod};

    use super::*;

    fn resource(service: &str, spans: u32) -> ExaminedResource {
        let pod =
            ExaminedPod { name: format!("{service}-0"), namespace: "shop".into(), ..Default::default() };
        ExaminedResource {
            service: service.to_owned(),
            found: AddressSource::Pod,
            address: Some("10.0.0.2".to_owned()),
            pod: Some(pod),
            spans_total: spans,
            ..Default::default()
        }
    }

    fn unknown(service: &str) -> ExaminedResource {
        ExaminedResource { found: AddressSource::Unknown, pod: None, ..resource(service, 1) }
    }

    /// Notes a request that stands for so many spans and came at a time.
    fn note(services: &mut Services, (stands_for, at): (u64, u64), resources: Vec<ExaminedResource>) {
        let peer = "10.0.0.1".parse().unwrap();
        services.note(peer, stands_for, at, &Examined { resources, ..Default::default() });
    }

    fn told_at(services: &Services, now: u64) -> Vec<told::Service> {
        services.told(told::Seen::default(), services.rows(now, &|_| false)).rows
    }

    fn told(services: &Services) -> Vec<told::Service> {
        told_at(services, 0)
    }

    #[test]
    fn spans_of_requests_that_were_not_examined_are_shared_out_and_called_an_estimate() {
        let mut services = Services::default();
        note(&mut services, (4, 1), vec![resource("cart", 3), resource("web", 1)]);
        let rows = told(&services);
        let spans = |rows: &[told::Service], name| {
            rows.iter().find(|row| row.service == name).map(|row| (row.spans, row.spans_exact))
        };
        assert_eq!(spans(&rows, "cart"), Some((3, true)));
        note(&mut services, (400, 2), vec![resource("cart", 3), resource("web", 1)]);
        let rows = told(&services);
        assert_eq!(spans(&rows, "cart"), Some((303, false)));
        assert_eq!(spans(&rows, "web"), Some((101, false)));
        let cart = rows.iter().find(|row| row.service == "cart").unwrap();
        assert_eq!((cart.first_ms, cart.last_ms, cart.pod.as_str()), (1, 2, "cart-0"));
    }

    #[test]
    fn what_has_no_pod_comes_first_then_what_looks_wrong_then_the_latest() {
        let mut services = Services::default();
        note(&mut services, (1, 1), vec![resource("old", 1)]);
        note(&mut services, (1, 2), vec![unknown("lost")]);
        note(&mut services, (1, 3), vec![resource("new", 1)]);
        let relayed = |service| ExaminedResource {
            found: AddressSource::Connection,
            address: Some("10.0.0.9".to_owned()),
            connection: Some("10.0.0.9".to_owned()),
            pod: None,
            ..resource(service, 1)
        };
        note(&mut services, (4, 4), ["a", "b", "c"].map(relayed).to_vec());
        assert!(told(&services).iter().all(|row| row.suspicious.is_none()), "a pod may have sidecars");
        note(&mut services, (1, 2), vec![relayed("d")]);
        let rows = told(&services);
        let names: Vec<_> = rows.iter().map(|row| row.service.as_str()).collect();
        assert_eq!((names[0], &names[4..]), ("lost", &["d", "new", "old"][..]));
        assert!(rows[1..5].iter().all(|row| {
            row.suspicious.as_ref().is_some_and(|why| why.starts_with("4 services have the address 10.0.0.9"))
        }));
        // A claim speaks for the address too.
        let mut named = relayed("e");
        named.claims.push(ExaminedAttribute { key: "k8s.pod.uid".into(), value: "u".into() });
        note(&mut services, (1, 5), vec![named]);
        assert!(told(&services).iter().any(|row| row.service == "e" && row.suspicious.is_none()));
    }

    #[test]
    fn a_number_is_an_estimate_while_spans_of_its_peer_are_in_no_row() {
        let mut services = Services::default();
        note(&mut services, (3, 1), vec![resource("cart", 3)]);
        let exact = |pending: bool| services.rows(0, &|_| pending)[0].spans_exact;
        assert!(exact(false) && !exact(true));
    }

    #[test]
    fn a_service_whose_pod_is_known_by_now_is_not_told_as_one_without_and_old_rows_go() {
        let mut services = Services::default();
        note(&mut services, (1, 1_000), vec![unknown("cart")]);
        let found = |services: &Services, now| {
            told_at(services, now).into_iter().map(|row| row.found).collect::<Vec<_>>()
        };
        note(&mut services, (1, 2_000), vec![resource("cart", 1)]);
        assert_eq!(found(&services, 2_000), ["unknown", "pod"], "both may be so at once");
        note(&mut services, (1, 2_000 + SUPERSEDED), vec![resource("cart", 1)]);
        assert_eq!(found(&services, 2_000 + SUPERSEDED), ["pod"]);
        assert!(found(&services, 2_000 + SUPERSEDED + SHOWN_FOR).is_empty());
    }

    #[test]
    fn an_address_that_one_pod_after_the_other_has_is_no_relays() {
        let mut services = Services::default();
        let at = |service: &str, pod: &str| {
            let pod = ExaminedPod { name: pod.into(), ..Default::default() };
            ExaminedResource {
                found: AddressSource::Connection,
                address: Some("10.0.0.9".to_owned()),
                connection: Some("10.0.0.9".to_owned()),
                pod: Some(pod),
                ..resource(service, 1)
            }
        };
        for (number, service) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            note(&mut services, (1, number as u64), vec![at(service, service)]);
        }
        assert!(told(&services).iter().all(|row| row.suspicious.is_none()));
        for (number, service) in ["a", "b", "c", "d"].into_iter().enumerate() {
            note(&mut services, (1, number as u64 * RELAYED_WITHIN), vec![at(service, "cron")]);
        }
        assert!(told(&services).iter().all(|row| row.suspicious.is_none()), "not at the same time");
    }

    #[test]
    fn another_pod_address_or_way_is_another_row_and_the_same_one_has_the_same_name() {
        let one = resource("cart", 1);
        let id_of = |change: fn(&mut ExaminedResource)| {
            let mut other = one.clone();
            change(&mut other);
            id(&other)
        };
        assert_eq!(id_of(|other| other.spans_total = 9), id(&one));
        let ids = [
            id(&one),
            id_of(|other| other.service_namespace = "x".into()),
            id_of(|other| other.address = None),
            id_of(|other| other.found = AddressSource::Kept),
            id_of(|other| other.pod = None),
        ];
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert_eq!(hex(id(&one)), hex(id(&one.clone())));
    }

    #[test]
    fn rows_take_no_more_than_their_bytes_whatever_is_in_them() {
        let mut services = Services::default();
        for number in 0..500 {
            let mut large = resource(&format!("s{}", number % 100), 1);
            let claim =
                ExaminedAttribute { key: "k8s.pod.uid".into(), value: "x".repeat(1_024 * (number % 50)) };
            large.claims = vec![claim; 4];
            note(&mut services, (1, number as u64), vec![large]);
            assert!(services.bytes <= CAPACITY, "{}", services.bytes);
        }
        let counted: usize = services.rows.values().map(|row| size(&row.resource)).sum();
        assert_eq!(counted, services.bytes);
        assert!(services.rows.len() > 10 && services.omitted > 0);
    }

    #[test]
    fn however_many_rows_come_few_are_kept_the_latest() {
        let mut services = Services::default();
        for number in 0..5_000 {
            note(&mut services, (1, number), vec![resource(&format!("s{number}"), 1)]);
        }
        let told = services.told(told::Seen::default(), services.rows(0, &|_| false));
        assert_eq!((told.rows.len(), told.omitted), (MAX_ROWS, 5_000 - MAX_ROWS as u64));
        assert_eq!(told.rows[0].service, "s4999");
        let (row, explained) = services.explained(id(&resource("s4999", 1)), &|_| false).unwrap();
        assert_eq!((row.service, explained.spans_total), ("s4999".to_owned(), 1));
        assert!(services.explained(id(&resource("s0", 1)), &|_| false).is_none());
    }
}
