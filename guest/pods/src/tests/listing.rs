//! Text and table say the same.

use std::net::IpAddr;

use podstamp_core::directory::{Pod, Text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::{ListingError, Pair, Progress};

fn read(text: &[u8]) -> Result<Table, ListingError> {
    ListingReader::new(text.to_vec()).finish()
}

fn error(text: &str) -> String {
    read(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_is_written_reads_as_it_was() {
    assert_eq!(write(&shop(), Fields::ALL), PODS);
    let empty = write(&table(&[]), Fields::NONE);
    assert_eq!(empty, "podstamp-pods 2\tfull\t\tcluster\t0\tname\tips\tcreated\tnode_ips\tstarted\tflags\n");
    assert!(read(empty.as_bytes()).unwrap().is_empty());
}

#[test]
fn only_the_fields_that_are_asked_for_are_written_and_others_are_unknown() {
    let few = shop_with([Field::Namespace, Field::Labels].into_iter().collect());
    assert_eq!(few.fields().to_string(), "namespace,labels");
    assert_eq!(find(&few, &[Term::Name("order-0"), Term::Namespace("shop")]), "shop/order-0");
    assert_eq!(find(&few, &[Term::Label("app", "stock")]), "shop/stock-5f9c8d7b66-m4n5b");
    for terms in [
        &[Term::Uid("6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a03")][..],
        &[Term::Node("node-1"), Term::Namespace("shop")],
        &[Term::Hostname("stock-5f9c8d7b66-m4n5b")],
        &[Term::Deployment("stock")],
        &[Term::Annotation("prometheus.io/scrape", "true")],
        &[Term::Container("aaaa")],
    ] {
        assert_eq!(find(&few, terms), "Unknown", "{terms:?}");
    }
    let Lookup::Found(pod) =
        few.find(&[ip("10.244.1.31")], Details { labels: true, annotations: true, brief: false })
    else {
        panic!()
    };
    assert_eq!((pod.uid.as_str(), pod.node.as_str(), pod.hostname.as_str()), ("", "", ""));
    assert_eq!((pod.labels.len(), pod.annotations.len()), (2, 0));
    let fewer = shop_with(Fields::NONE);
    assert_eq!(find(&fewer, &[Term::Name("order-0"), Term::Namespace("shop")]), "Unknown");
    assert_eq!(find(&fewer, &[ip("10.244.1.31")]), "/order-0");
}

#[test]
fn the_order_in_which_pods_came_makes_no_difference() {
    let pod = |name: &'static str, namespace: &'static str| PodParts {
        name: name.into(),
        namespace: namespace.into(),
        ..PodParts::default()
    };
    let pods = [pod("b", "x"), pod("a", "y"), pod("a", "x"), pod("c", "")];
    let mut reversed = pods.clone();
    reversed.reverse();
    assert_eq!(write(&table(&pods), Fields::ALL), write(&table(&reversed), Fields::ALL));
}

#[test]
fn the_keys_that_a_table_keeps_go_along() {
    let keep =
        KeptKeys { labels: Keys::Only(["app".to_owned(), "a,b".to_owned()].into()), annotations: Keys::None };
    let mut table = Table::new(Fields::ALL, keep, Coverage::Cluster);
    let labels = ["app", "a,b", "tier"].map(|key| (key.into(), "x".into())).into();
    table.upsert(&PodParts { name: "a".into(), labels, ..PodParts::default() }).unwrap();
    let text = write(&table, Fields::ALL);
    let again = read(text.as_bytes()).unwrap();
    assert_eq!(find(&again, &[Term::Label("a,b", "x")]), "/a");
    assert_eq!(find(&again, &[Term::Label("app", "y")]), "Absent");
    assert_eq!(find(&again, &[Term::Label("tier", "x")]), "Unknown");
    assert_eq!(find(&again, &[Term::Annotation("tier", "x")]), "Unknown");
}

#[test]
fn cells_of_a_later_writer_are_skipped() {
    let text = "podstamp-pods 2\tfull\t\tpart\t1\tzone=a,b\tname\tips\tcreated\tcolour\tnode_ips\tstarted\tflags\n%zz\ta\t10.0.0.1\t\tred=,\n";
    assert_eq!(find(&read(text.as_bytes()).unwrap(), &[ip("10.0.0.1")]), "/a");
}

#[test]
fn what_is_no_listing_is_refused_with_its_line() {
    const HEAD: &str =
        "podstamp-pods 2\tfull\t\tcluster\t1\tname\tips\tcreated\tlabels\tnode_ips\tstarted\tflags\n";
    for (text, expected) in [
        ("", "line 1: there is nothing"),
        ("404\n", "line 1: it does not begin with \"podstamp-pods\""),
        (
            "podstamp-pods 1\tcluster\n",
            "line 1: it is podstamp-pods of version \"1\", and only 2 is known here",
        ),
        ("podstamp-pods 2\tfull\t\tnode\t1\tname\n", "line 1: \"node\" is neither cluster nor part"),
        ("podstamp-pods 2\tfull\t\tpart\tmany\tname\n", "line 1: \"many\" is no number of pods"),
        ("podstamp-pods 2\tfull\t\tpart\t1\tname\tname\n", "line 1: it names \"name\" twice"),
        (
            "podstamp-pods 2\tfull\t\tpart\t1\tname\tips\tcreated\tflags\n",
            "line 1: it does not name \"started\"",
        ),
        (HEAD, "line 2: the text ends after 0 of 1 pods"),
        (&format!("{HEAD}a\nb\n"), "line 4: the text ends after 2 of 1 pods"),
        (&format!("{HEAD}a\t10.0.0.1"), "line 2: it has no end: the text was cut off"),
        (&format!("{HEAD}\n"), "line 2: name: it is missing"),
        (&format!("{HEAD}a\t10.0.0.1,x\n"), "line 2: ips: \"x\" is no IP address"),
        (&format!("{HEAD}a%\n"), "line 2: name: \"a%\" ends within %"),
        (&format!("{HEAD}a\t\t\tapp\n"), "line 2: labels: \"app\" has no ="),
        (&format!("{HEAD}a\t\t\t\t\t\thx\n"), "line 2: flags: 'x' is no flag"),
        (&format!("{HEAD}a\t\t\t\t\t\t\t\n"), "line 2: it has more than the 7 cells that line 1 names"),
    ] {
        assert_eq!(error(text), expected, "{text:?}");
    }
    let bytes = [HEAD.as_bytes(), b"\xFF\n"].concat();
    assert_eq!(read(&bytes).unwrap_err().to_string(), "line 2: it is not UTF-8");
}

#[test]
fn an_error_stays_and_no_text_that_was_cut_off_passes() {
    let mut reader = ListingReader::new(b"podstamp-pods 9\n".to_vec());
    let first = (0..3).find_map(|_| reader.advance(1).err()).unwrap();
    assert_eq!(reader.advance(1), Err(first.clone()));
    assert_eq!(reader.finish().unwrap_err(), first);
    for end in 0..PODS.len() {
        assert!(read(&PODS.as_bytes()[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_step_is_as_short_as_it_is_asked_for() {
    let mut reader = ListingReader::new(PODS.into());
    let mut steps = 0;
    while reader.advance(1).unwrap() == Progress::More {
        steps += 1;
    }
    // A line each, and the end.
    assert_eq!(steps, PODS.lines().count() + 1);
    assert_eq!(reader.advance(1), Ok(Progress::Done));
    assert_eq!(write(&reader.finish().unwrap(), Fields::ALL), PODS);
}

/// Texts that separate things, and ones that do not.
fn text() -> impl Strategy<Value = String> {
    const ODD: &[&str] = &["", "a", "b", "a%2Cb", "a,b=c", "\t\r\n\u{0}\u{7f}", "ü", "="];
    prop_oneof![4 => select(ODD).prop_map(str::to_owned), 1 => any::<String>()]
}

fn pairs() -> impl Strategy<Value = Vec<Pair<'static>>> {
    let all = ["", "a", "k=,", "%"].map(str::to_owned).to_vec();
    (subsequence(all, 0..=4), vec(text(), 4)).prop_map(|(keys, values)| {
        keys.into_iter().map(Into::into).zip(values.into_iter().map(Into::into)).collect()
    })
}

const ADDRESSES: [&str; 5] = ["10.0.0.1", "10.0.0.2", "fd00::1", "::ffff:10.0.0.1", "10.1.0.1"];

fn addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    let all: Vec<IpAddr> = ADDRESSES.iter().map(|address| address.parse().unwrap()).collect();
    subsequence(all, 0..=3)
}

prop_compose! {
    pub(super) fn pod()(
        name in prop_oneof![text(), text().prop_map(|text| format!("x{text}"))],
        texts in vec(text(), 5),
        has_uid in any::<bool>(),
        ips in addresses(),
        node_ips in addresses(),
        times in vec(select(&["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"][..]), 2),
        labels in pairs(),
        annotations in pairs(),
        containers in pairs(),
        flags in any::<[bool; 4]>(),
    ) -> PodParts<'static> {
        let name = if name.is_empty() { "nobody".to_owned() } else { name };
        let [namespace, node, hostname, deployment, phase] = texts.try_into().unwrap();
        // No two pods share a uid, but files may name a pod twice.
        let uid = if has_uid { format!("{namespace}/{name}") } else { String::new() };
        let [host_network, finished, deleting, ignored] = flags;
        PodParts {
            name: name.into(),
            namespace: namespace.into(),
            uid: uid.into(),
            ips,
            node: node.into(),
            node_ips,
            hostname: hostname.into(),
            deployment: deployment.into(),
            phase: phase.into(),
            created: times[0].into(),
            started: times[1].into(),
            labels,
            annotations,
            containers,
            host_network,
            finished,
            deleting,
            ignored,
        }
    }
}

pub(super) fn keys() -> impl Strategy<Value = Keys> {
    let some = ["a", "k=,"].map(str::to_owned).into();
    prop_oneof![Just(Keys::None), Just(Keys::Only(some)), Just(Keys::All)]
}

prop_compose! {
    fn any_table()(
        pods in vec(pod(), 0..12),
        labels in keys(),
        annotations in keys(),
        covers_cluster in any::<bool>(),
    ) -> (Table, Vec<PodParts<'static>>) {
        let coverage = if covers_cluster { Coverage::Cluster } else { Coverage::Part };
        let mut table = Table::new(Fields::ALL, KeptKeys { labels, annotations }, coverage);
        for pod in &pods {
            table.upsert(pod).unwrap();
        }
        (table, pods)
    }
}

/// Everything that a pod can be looked up by, and what that needs to be known.
pub(super) fn terms<'a>(pod: &'a PodParts<'_>) -> Vec<(Term<'a>, Option<Field>)> {
    let mut terms = vec![
        (Term::Name(&pod.name), None),
        (Term::Uid(&pod.uid), Some(Field::Uid)),
        (Term::Namespace(&pod.namespace), Some(Field::Namespace)),
        (Term::Node(&pod.node), Some(Field::Node)),
        (Term::Hostname(&pod.hostname), Some(Field::Hostname)),
        (Term::Hostname(&pod.name), Some(Field::Hostname)),
        (Term::Deployment(&pod.deployment), Some(Field::Deployment)),
    ];
    terms.extend(ADDRESSES.iter().map(|address| (ip(address), None)));
    terms.extend(pod.labels.iter().map(|(key, value)| (Term::Label(key, value), Some(Field::Labels))));
    let annotations = pod.annotations.iter();
    terms.extend(annotations.map(|(key, value)| (Term::Annotation(key, value), Some(Field::Annotations))));
    for (name, id) in &pod.containers {
        terms.push((Term::Container(id), Some(Field::Containers)));
        terms.push((Term::ContainerName(name), Some(Field::Containers)));
    }
    terms
}

/// A pod without what is not known of it.
fn cut(lookup: Lookup, fields: Fields) -> Lookup {
    let Lookup::Found(mut pod) = lookup else { return lookup };
    let Pod { namespace, uid, node, hostname, deployment, phase, labels, annotations, .. } = &mut *pod;
    for (field, text) in [
        (Field::Namespace, namespace),
        (Field::Uid, uid),
        (Field::Node, node),
        (Field::Hostname, hostname),
        (Field::Deployment, deployment),
        (Field::Phase, phase),
    ] {
        if !fields.contains(field) {
            *text = Text::default();
        }
    }
    for (field, pairs) in [(Field::Labels, labels), (Field::Annotations, annotations)] {
        if !fields.contains(field) {
            pairs.clear();
        }
    }
    Lookup::Found(pod)
}

proptest! {
    #[test]
    fn a_table_that_went_through_text_answers_as_before(
        (before, pods) in any_table(),
        fields in subsequence(Field::ALL.to_vec(), 0..=9),
        step in 1_usize..200,
    ) {
        // Without uids nobody can tell a pod that is listed twice from two pods.
        let fields = Fields::from_iter(fields).with(Field::Uid);
        let text = write(&before, fields);
        let mut reader = ListingReader::new(text.clone().into_bytes());
        while reader.advance(step).unwrap() == Progress::More {}
        let after = reader.finish().unwrap();
        // By what pods are sorted has to be there for them to come in the same order.
        if fields.contains(Field::Namespace) {
            prop_assert_eq!(&write(&after, Fields::ALL), &text);
        }
        let want = Details { labels: true, annotations: true, brief: false };
        for pod in &pods {
            let terms = terms(pod);
            for (one, field) in &terms {
                for (other, second) in &terms {
                    let known = [field, second].into_iter().flatten().all(|field| fields.contains(*field));
                    for terms in [&[*one][..], &[*one, *other]].into_iter().filter(|_| known) {
                        let expected = cut(before.find(terms, want), fields);
                        prop_assert_eq!(after.find(terms, want), expected, "{:?}", terms);
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_comes_is_read_or_refused(bytes in vec(any::<u8>(), 0..200), step in 1_usize..50) {
        let mut reader = ListingReader::new(bytes.clone());
        while reader.advance(step) == Ok(Progress::More) {}
        prop_assert_eq!(reader.finish().map(|table| table.len()), read(&bytes).map(|table| table.len()));
    }

    #[test]
    fn a_listing_with_bytes_changed_is_read_or_refused(
        changes in vec((0..PODS.len(), select(&b"\t\n%,=0a:x\xFF"[..])), 1..6),
    ) {
        let mut bytes = PODS.as_bytes().to_vec();
        changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        drop(read(&bytes));
    }
}
