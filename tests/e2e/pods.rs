//! `GET /pods`: what a filter elsewhere reads is the table that the host looks pods up in.

use podstamp_core::directory::{Details, Directory, Field, Lookup, Term};
use podstamp_pods::{Coverage, ListingReader, Table};
use podstamp_test_support::blocking::http::{Client, Response};
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

/// Asks with a tag that is known already, where there is one.
fn ask(served: &Served, method: &str, path: &str, tag: Option<&str>) -> Response {
    let headers: Vec<_> = tag.map(|tag| ("if-none-match", tag)).into_iter().collect();
    Client::connect(served.admin).send(method, path, &headers, b"")
}

fn table(response: &Response) -> Table {
    assert_eq!(response.status, 200, "{}", response.message());
    ListingReader::new(response.body.clone()).finish().unwrap()
}

/// The first address of a pod.
fn address(table: &Table, name: &str) -> Option<String> {
    match table.find(&[Term::Name(name)], Details::default()) {
        Lookup::Found(pod) => pod.ips.first().map(ToString::to_string),
        _ => None,
    }
}

fn serve(pods: &[(&str, &str)]) -> (FakeAgent, Served) {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(pods)).serve();
    (agent, served)
}

#[test]
fn the_pods_are_there_for_others_until_they_change() {
    let (_agent, served) = serve(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.2")]);
    let first = ask(&served, "GET", "/pods", None);
    assert_eq!(first.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    let pods = table(&first);
    assert_eq!((pods.len(), pods.coverage()), (2, Coverage::Cluster));
    assert_eq!(address(&pods, "web-2").as_deref(), Some("10.1.1.2"));

    let tag = first.header("etag").unwrap();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let again = ask(&served, "GET", "/pods", Some(tag));
    assert_eq!((again.status, again.header("etag"), again.body.len()), (304, Some(tag), 0));
    assert_eq!(ask(&served, "GET", "/pods", Some("\"other\"")).status, 200);

    let (_agent, replica) = serve(&[("web-2", "10.1.1.2"), ("web-1", "10.1.1.1")]);
    assert_eq!(ask(&replica, "GET", "/pods", Some(tag)).status, 304, "the same pods have the same tag");

    std::fs::write(served.folder.path().join("pods.json"), spans::pods(&[("web-1", "10.1.1.9")])).unwrap();
    wait_until("the new file is listed", || ask(&served, "GET", "/pods", Some(tag)).status == 200);
    assert_eq!(address(&table(&ask(&served, "GET", "/pods", None)), "web-1").as_deref(), Some("10.1.1.9"));
}

#[test]
fn only_what_is_asked_for_is_listed() {
    let (_agent, served) = serve(&[("web-1", "10.1.1.1")]);
    let all = ask(&served, "GET", "/pods", None);
    let some = ask(&served, "GET", "/pods?fields=namespace,uid", None);
    assert_eq!(table(&some).fields(), [Field::Namespace, Field::Uid].into_iter().collect());
    assert_ne!(some.header("etag"), all.header("etag"));
    assert!(some.body.len() < all.body.len());
    assert!(!table(&all).fields().contains(Field::Labels), "no rule needs labels, so they are not kept");
    let refused = ask(&served, "GET", "/pods?fields=namespace,ip", None);
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("\"ip\"") && refused.message().contains("namespace,uid"),
        "{refused:?}"
    );
}

#[test]
fn without_a_table_it_is_told_how_to_get_one() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let response = ask(&served, "GET", "/pods", None);
    assert_eq!(response.status, 404);
    assert!(response.message().contains("podstamp.pods.file"), "{response:?}");
}
