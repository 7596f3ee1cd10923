//! A table that changes says what one says that was made anew of the same pods, in memory that is no more than that one's.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::listing::{keys, pod, terms};
use super::*;
use crate::listing::{write_delta, write_full};
use crate::{AddError, Slot, Version};

/// What is done to a table.
#[derive(Clone, Debug)]
enum Step {
    Upsert(usize),
    Put(u32, usize),
    Remove(u32),
    MarkDeleting(u32),
    /// Builds on in the indexes that lookups have asked for.
    Index(u32),
    Snapshot,
}

fn step(pods: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..pods).prop_map(Step::Upsert),
        2 => (0..70_u32, 0..pods).prop_map(|(slot, pod)| Step::Put(slot, pod)),
        4 => (0..70_u32).prop_map(Step::Remove),
        1 => (0..70_u32).prop_map(Step::MarkDeleting),
        2 => (0..20_u32).prop_map(Step::Index),
        1 => Just(Step::Snapshot),
    ]
}

/// A table of these pods at these places, made anew.
fn made_anew(model: &BTreeMap<u32, PodParts<'_>>, kept_keys: &KeptKeys) -> Table {
    let mut table = Table::new(Fields::ALL, kept_keys.clone(), Coverage::Cluster);
    for (slot, pod) in model {
        table.put(Slot(*slot), pod).unwrap();
    }
    table
}

/// Where the model has a pod that is the same one.
fn slot_of(model: &BTreeMap<u32, PodParts<'_>>, pod: &PodParts<'_>) -> Option<u32> {
    let is_same = |known: &PodParts<'_>| {
        known.uid == pod.uid
            && (!pod.uid.is_empty() || (known.name == pod.name && known.namespace == pod.namespace))
    };
    model.iter().find(|(_, known)| is_same(known)).map(|(slot, _)| *slot)
}

fn assert_answers_alike(table: &Table, other: &Table, pods: &[PodParts<'_>]) {
    let want = Details { labels: true, annotations: true, brief: false };
    for (term, _) in pods.iter().flat_map(terms) {
        assert_eq!(table.find(&[term], want), other.find(&[term], want), "{term:?}");
        let two = [term, Term::Namespace(&pods[0].namespace)];
        assert_eq!(table.find(&two, want), other.find(&two, want), "{two:?}");
    }
}

fn read(text: String, base: Option<&Table>, step: usize) -> Result<Table, crate::ListingError> {
    let text = text.into_bytes();
    let mut reader =
        base.map_or_else(|| ListingReader::new(text.clone()), |base| ListingReader::onto(text.clone(), base));
    while reader.advance(step)? == crate::Progress::More {}
    reader.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_done_to_a_table_it_answers_like_one_made_anew_and_so_do_its_snapshots_and_its_text(
        pods in vec(pod(), 1..24),
        steps in vec(step(24), 0..80),
        labels in keys(),
        step in 1_usize..400,
    ) {
        let kept_keys = KeptKeys { labels, annotations: Keys::All };
        let mut table = Table::new(Fields::ALL, kept_keys.clone(), Coverage::Cluster);
        table.record_changes();
        let mut model = BTreeMap::new();
        let mut snapshots = Vec::new();
        let mut far = read(write_full(&table, Fields::ALL), None, step).unwrap();
        for (at, step_taken) in steps.into_iter().enumerate() {
            match step_taken {
                Step::Upsert(pod) => {
                    let pod = &pods[pod % pods.len()];
                    let vacant = (0..).find(|slot| !model.contains_key(slot));
                    let expected = slot_of(&model, pod).or(vacant).unwrap();
                    prop_assert_eq!(table.upsert(pod).unwrap(), Slot(expected));
                    model.insert(expected, pod.clone());
                }
                Step::Put(slot, pod) => {
                    let pod = &pods[pod % pods.len()];
                    table.put(Slot(slot), pod).unwrap();
                    model.insert(slot, pod.clone());
                }
                Step::Remove(slot) => {
                    prop_assert_eq!(table.remove(Slot(slot)), model.remove(&slot).is_some());
                }
                Step::MarkDeleting(slot) => {
                    let pod = model.get_mut(&slot);
                    prop_assert_eq!(table.mark_deleting(Slot(slot)), pod.is_some());
                    pod.into_iter().for_each(|pod| pod.deleting = true);
                }
                Step::Index(places) => {
                    table.find(&[Term::Node("a")], Details::default());
                    table.find(&[Term::Label("a", "b")], Details::default());
                    table.index(places);
                }
                Step::Snapshot => {
                    snapshots.push((table.clone(), model.clone()));
                    let text = write_delta(&table, Fields::ALL, far.version().number, &table.clone().take_changes());
                    table.take_changes();
                    far.record_changes();
                    far = read(text, Some(&far), step).unwrap();
                    prop_assert!(far.take_recorded().is_some());
                    // Of a text of all pods it is not known what has changed.
                    let mut whole = read(write_full(&table, Fields::ALL), Some(&far), step).unwrap();
                    prop_assert_eq!(whole.take_recorded(), None);
                    prop_assert_eq!(far.version(), table.version());
                    prop_assert_eq!(write_full(&far, Fields::ALL), write_full(&table, Fields::ALL));
                    assert_answers_alike(&far, &table, &pods[at % pods.len()..]);
                }
            }
            prop_assert_eq!(table.len(), model.len());
        }
        snapshots.push((table, model));
        for (table, model) in &snapshots {
            let anew = made_anew(model, &kept_keys);
            prop_assert!(table.slots().eq(anew.slots()));
            for slot in table.slots() {
                prop_assert_eq!(table.describe(slot), anew.describe(slot));
            }
            assert_answers_alike(table, &anew, &pods);
        }
    }

    #[test]
    fn pods_that_take_the_place_of_others_keep_their_places(
        before in vec(pod(), 0..20),
        after in vec(pod(), 0..20),
        both in vec(pod(), 0..20),
    ) {
        let mut table = table(&[before, both.clone()].concat());
        let kept: Vec<_> = both.iter().map(|pod| (table.slot_of(pod), pod)).collect();
        let other = super::table(&[after, both.clone()].concat());
        table.replace_pods(&other).unwrap();
        prop_assert_eq!(write(&table, Fields::ALL), write(&other, Fields::ALL));
        for (slot, pod) in kept {
            prop_assert_eq!(table.slot_of(pod), slot);
        }
        let version = table.version();
        table.replace_pods(&other).unwrap();
        prop_assert_eq!(table.version(), version, "nothing has changed");
    }

    #[test]
    fn a_delta_that_is_cut_or_spoilt_or_for_another_table_is_refused(
        pods in vec(pod(), 1..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut table = table(&pods);
        table.record_changes();
        let base = read(write_full(&table, Fields::ALL), None, 100).unwrap();
        let text = write_full(&base, Fields::ALL);
        let since = table.version().number;
        table.upsert(&PodParts { name: "new".into(), uid: "new".into(), ..PodParts::default() }).unwrap();
        table.remove(Slot(0));
        let changes = table.take_changes();
        let delta = write_delta(&table, Fields::ALL, since, &changes);
        let short = String::from_utf8_lossy(&delta.as_bytes()[..cut.index(delta.len())]).into_owned();
        prop_assert!(read(short, Some(&base), 50).is_err());
        prop_assert!(read(delta.clone(), None, 50).is_err());
        prop_assert!(read(write_delta(&table, Fields::ALL, since + 1, &changes), Some(&base), 50).is_err());
        prop_assert!(read(write_delta(&table, Fields::ALL, since, &changes[..1]), Some(&base), 50).is_err());
        prop_assert!(read(write_delta(&table, Fields::NONE, since, &changes), Some(&base), 50).is_err());
        prop_assert_eq!(write_full(&base, Fields::ALL), text, "it stays as it is");
        let after = read(delta.clone(), Some(&base), 50).unwrap();
        prop_assert_eq!(write_full(&after, Fields::ALL), write_full(&table, Fields::ALL));
        prop_assert!(read(delta, Some(&after), 50).is_err(), "once is enough");
    }
}

fn numbered(number: u32, generation: u32) -> PodParts<'static> {
    let [_, a, b, c] = (number ^ generation << 16).to_be_bytes();
    let pair = |key: &'static str, value: String| (key.into(), value.into());
    PodParts {
        name: format!("web-{number:x}-{generation}").into(),
        namespace: format!("team-{}", number % 50).into(),
        uid: format!("{number:08x}-0000-4000-8000-{generation:012x}").into(),
        ips: vec![[10, a, b, c].into()],
        node: format!("node-{}-{}", number % 20, generation % 3).into(),
        node_ips: vec![[192, 168, (generation % 3) as u8, (number % 20) as u8].into()],
        deployment: format!("web-{}-{generation}", number % 70).into(),
        created: "2026-11-20T08:00:00Z".into(),
        labels: vec![pair("app", format!("web-{generation}-{}", number % 70)), pair("tier", "x".to_owned())],
        containers: vec![pair(
            "app",
            format!("{:016x}{number:048x}", u64::from(number) << 32 | u64::from(generation)),
        )],
        ..PodParts::default()
    }
}

#[test]
fn a_cluster_that_churns_for_months_takes_no_more_memory() {
    const PODS: u32 = 1_000;
    const GENERATIONS: u32 = 12;
    let fresh = |generation| {
        let mut table = Table::new(Fields::ALL, KeptKeys::ALL, Coverage::Cluster);
        for number in 0..PODS {
            table.upsert(&numbered(number, generation)).unwrap();
        }
        table
    };
    let mut table = fresh(0);
    for terms in [[Term::Node("node-1-1")], [Term::Label("app", "web-0-1")]] {
        table.find(&terms, Details::default());
    }
    let expected = {
        let mut last = fresh(GENERATIONS);
        last.follow(&table);
        last.index(u32::MAX);
        last.memory()
    };
    assert!(table.index(u32::MAX));
    for generation in 1..=GENERATIONS {
        for number in 0..PODS {
            let snapshot = table.clone();
            // Anywhere, so that no page is emptied at once.
            let gone = (number * 617) % PODS;
            let slot = table.slot_of(&numbered(gone, generation - 1)).unwrap();
            assert!(table.remove(slot));
            table.upsert(&numbered(gone, generation)).unwrap();
            drop(snapshot);
        }
    }
    assert_eq!(table.len(), PODS as usize);
    assert!(table.slots().all(|slot| slot.number() < PODS));
    assert!(table.memory() < expected * 5 / 4, "{} instead of {expected}", table.memory());
    assert_eq!(find(&table, &[ip("192.168.1.7")]), "Absent", "a node that is gone is forgotten");
    assert_eq!(find(&table, &[ip("192.168.0.7")]), "Node");
    for slot in table.slots().collect::<Vec<_>>() {
        table.remove(slot);
    }
    assert!(table.is_empty());
    assert!(table.memory() < 10_000, "{}", table.memory());
}

#[test]
fn many_pods_under_one_key_cost_no_more_than_under_many() {
    let pod = |number: u32| PodParts { name: "web-0".into(), namespace: "all".into(), ..numbered(number, 0) };
    let mut table = Table::new(Fields::ALL, KeptKeys::ALL, Coverage::Cluster);
    let by_key = [Term::Namespace("all"), Term::Name("nobody")];
    assert_eq!(find(&table, &by_key[..1]), "Absent");
    table.index(u32::MAX);
    // Were each to go through the others, that would be minutes.
    for number in 0..20_000 {
        table.upsert(&pod(number)).unwrap();
    }
    assert_eq!(find(&table, &by_key[..1]), "Ambiguous");
    assert_eq!(find(&table, &[Term::Name("web-0")]), "Ambiguous");
    for number in 1..20_000 {
        assert!(table.remove(Slot(number)));
    }
    assert_eq!(find(&table, &by_key[..1]), "all/web-0");
    assert_eq!(find(&table, &[Term::Name("web-0")]), "all/web-0");
}

#[test]
fn what_is_put_as_it_is_changes_nothing_and_what_cannot_be_put_neither() {
    let mut table = table(&[numbered(1, 0)]);
    table.record_changes();
    let before = (table.version(), table.memory());
    assert_eq!(table.upsert(&numbered(1, 0)), Ok(Slot(0)));
    let nameless = PodParts { name: "".into(), ..numbered(2, 7) };
    assert_eq!(table.upsert(&nameless), Err(AddError::Unnamed));
    let addresses = (0..300_u32).map(|address| std::net::Ipv4Addr::from(address).into()).collect();
    let spread = PodParts { ips: addresses, ..numbered(2, 7) };
    assert_eq!(table.upsert(&spread), Err(AddError::TooManyAddresses));
    assert_eq!(table.put(Slot(u32::MAX), &numbered(2, 7)), Err(AddError::Full));
    assert!(!table.remove(Slot(7)) && !table.mark_deleting(Slot(7)));
    assert_eq!((table.version(), table.memory(), table.take_changes()), (before.0, before.1, vec![]));
    assert!(table.mark_deleting(Slot(0)) && table.mark_deleting(Slot(0)));
    assert_eq!(table.take_changes(), [Slot(0)]);
    assert_eq!(table.version(), Version { number: before.0.number + 1, ..before.0 });
}

#[test]
fn a_live_pod_goes_before_one_that_is_leaving_and_then_the_younger_one_wins_an_address() {
    let pod = |name: &'static str, started: &'static str, deleting| PodParts {
        name: name.into(),
        uid: name.into(),
        ips: vec!["10.0.0.1".parse().unwrap()],
        started: started.into(),
        deleting,
        ..PodParts::default()
    };
    let released = |table: &Table, uid| {
        let Lookup::Found(pod) = table.find(&[Term::Uid(uid)], Details::default()) else { panic!() };
        pod.released
    };
    let (old, young) = ("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z");
    let (was_leaving, lives) = (pod("leaving", young, true), pod("live", old, false));
    let pods = table(&[was_leaving, lives]);
    assert_eq!(find(&pods, &[ip("10.0.0.1")]), "/live");
    assert_eq!((released(&pods, "leaving"), released(&pods, "live")), (Some(1_000_000_000), None));
    let pods = table(&[pod("old", old, true), pod("young", young, true)]);
    assert_eq!(find(&pods, &[ip("10.0.0.1")]), "/young");
    assert_eq!((released(&pods, "old"), released(&pods, "young")), (Some(2_000_000_000), None));
    let pods = table(&[pod("old", old, false), pod("young", young, false)]);
    assert_eq!(find(&pods, &[ip("10.0.0.1")]), "/young");
    assert_eq!((released(&pods, "old"), released(&pods, "young")), (Some(2_000_000_000), None));
}

#[test]
fn of_two_pods_of_a_statefulset_with_one_name_the_live_one_is_found() {
    let pod = |uid: &'static str, deleting| PodParts {
        name: "cart-0".into(),
        namespace: "shop".into(),
        uid: uid.into(),
        deleting,
        ..PodParts::default()
    };
    let mut pods = table(&[pod("first", false)]);
    let first = pods.slot_of(&pod("first", false)).unwrap();
    pods.mark_deleting(first);
    pods.upsert(&pod("second", false)).unwrap();
    assert_eq!(pods.len(), 2);
    let Lookup::Found(found) =
        pods.find(&[Term::Name("cart-0"), Term::Namespace("shop")], Details::default())
    else {
        panic!()
    };
    assert_eq!(found.uid, "second");
    assert_eq!(find(&pods, &[Term::Uid("first")]), "shop/cart-0");
}
