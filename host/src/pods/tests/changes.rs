//! Of which answers a directory says that they are what they were.

use podstamp_core::directory::{address_key, change_key};

use super::*;

const ADDRESSES: [&str; 4] = ["10.1.1.1", "10.1.1.2", "2001:db8::7", "10.0.0.1"];
const NAMES: [&str; 4] = ["web-0", "web-1", "cart-0", "10.1.1.1"];
const UIDS: [&str; 4] =
    ["0d3adb2e-70f1-4c7e-9a5f-1234567890ab", "0D3ADB2E-70F1-4C7E-9A5F-1234567890AB", "static", ""];
const CONTAINERS: [&str; 3] =
    ["containerd://0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "web", ""];

/// Numbers that are the same in every run.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    /// A pod with some of few names and addresses, so that several claim the same.
    fn pod(&mut self) -> PodParts<'static> {
        let mut ips: Vec<_> = (0..self.below(3)).map(|_| self.pick(&ADDRESSES).parse().unwrap()).collect();
        ips.dedup();
        PodParts {
            name: self.pick(&NAMES).into(),
            namespace: self.pick(&["shop", "bank"]).into(),
            uid: self.pick(&UIDS).into(),
            ips,
            node: self.pick(&["node-1", "node-2"]).into(),
            node_ips: vec![self.pick(&ADDRESSES[2..]).parse().unwrap()],
            hostname: self.pick(&["", "web-0", "db"]).into(),
            started: self.pick(&["", "2026-01-02T03:04:05Z", "2026-01-02T04:04:05Z"]).into(),
            labels: vec![("app".into(), self.pick(&["web", "cart"]).into())],
            containers: vec![("main".into(), self.pick(&CONTAINERS).into())],
            host_network: self.one_in(5),
            finished: self.one_in(5),
            deleting: self.one_in(5),
            ignored: self.one_in(6),
            ..PodParts::default()
        }
    }

    fn change(&mut self, table: &mut Table) {
        let slots: Vec<_> = table.slots().collect();
        match self.below(4) {
            0 if !slots.is_empty() => assert!(table.remove(slots[self.below(slots.len())])),
            1 if !slots.is_empty() => assert!(table.mark_deleting(slots[self.below(slots.len())])),
            _ => assert!(table.upsert(&self.pod()).is_ok()),
        }
    }
}

/// All lookups with one or two terms, but for those that mean the same.
fn lookups() -> Vec<Vec<Term<'static>>> {
    let ips = ADDRESSES.map(ip);
    let names = NAMES.map(Term::Name);
    let others =
        [Term::Hostname("web-0"), Term::Hostname("db"), Term::Label("app", "web"), Term::Node("node-1")];
    let containers = CONTAINERS.map(Term::Container);
    let single = ips.into_iter().chain(names).chain(UIDS.map(Term::Uid)).chain(others).chain(containers);
    let single: Vec<_> = single.collect();
    let alone = single.iter().map(|term| vec![*term]);
    let in_namespace = single.iter().map(|term| vec![Term::Namespace("shop"), *term]);
    alone.chain(in_namespace).chain([vec![Term::Name("web-0"), Term::Uid("static")]]).collect()
}

#[test]
fn an_answer_that_is_said_to_be_unchanged_is() {
    let mut choices = Choices(1);
    let pods = Pods::new(Table::new(Fields::ALL, KeptKeys::ALL, Coverage::Cluster));
    let lookups = lookups();
    let (mut told, mut asked) = (0, 0);
    for _ in 0..300 {
        let before: Vec<_> = lookups.iter().map(|terms| pods.find(terms, Details::default())).collect();
        let since = pods.state().unwrap();
        for _ in 0..=choices.below(2) {
            pods.update(|table| (0..=choices.below(3)).for_each(|_| choices.change(table)));
        }
        for (terms, before) in lookups.iter().zip(before) {
            let mut keys = vec![change_key(terms)];
            if let Lookup::Found(pod) = &before {
                keys.extend(pod.ips.iter().map(|address| address_key(*address)));
            }
            asked += 1;
            if pods.unchanged(since, &keys) {
                told += 1;
                assert_eq!(pods.find(terms, Details::default()), before, "{terms:?}");
            }
        }
    }
    assert!(told > asked / 4, "{told} of {asked}");
}

#[test]
fn of_another_table_nothing_is_said_to_be_unchanged() {
    let mut choices = Choices(2);
    let pods = Pods::new(table(PODS));
    let key = change_key(&[Term::Name("nobody")]);
    let since = pods.state().unwrap();
    assert!(pods.unchanged(since, &[key]));
    pods.update(|table| table.upsert(&choices.pod()).unwrap());
    assert!(pods.unchanged(since, &[key]), "it is about another pod");
    pods.update(|table| table.set_coverage(Coverage::Part));
    assert!(!pods.unchanged(since, &[key]), "what was absent is unknown");
    let since = pods.state().unwrap();
    pods.restart(table(PODS));
    assert!(!pods.unchanged(since, &[key]));
    assert!(pods.unchanged(pods.state().unwrap(), &[key]));
}
