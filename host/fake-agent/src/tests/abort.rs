//! Span kinds that end deepflow-agent, and how its process ends.

use std::process::Command;

use super::*;

/// Two spans, of which the second has this kind.
pub(super) fn poison(kind: i32) -> Vec<u8> {
    let mut resource = resource(&[], 1);
    resource.scope_spans[0].spans.push(Span { name: "poison".into(), ..span(kind) });
    body([resource])
}

#[tokio::test]
async fn the_six_kinds_are_fine() {
    let agent = start().await;
    for kind in 0..=5 {
        assert_eq!(exchange(&agent, &post(&[], &poison(kind))).await, Some(ok()));
        assert_eq!(last(&agent).spans().last().map(|span| span.kind), Some(kind));
    }
    assert_eq!(agent.totals().aborts, 0);
}

#[tokio::test]
async fn any_other_kind_resets_the_connection_and_is_noted_down() {
    let agent = start().await;
    for (count, kind) in (1..).zip([6, -1, i32::MIN, i32::MAX]) {
        let reason = aborts(&agent, &post(&[], &poison(kind))).await;
        assert!(reason.contains("\"poison\"") && reason.contains(&format!("kind {kind},")), "{reason}");
        assert_eq!((agent.totals().aborts, agent.totals().spans), (count, 0));
    }
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, Some(ok()));
}

#[test]
fn by_default_any_other_kind_ends_the_process() {
    let (status, stderr) = ended("tests::abort::a_process_that_aborts");
    assert_eq!(status, Some(Abort::EXIT_STATUS), "{stderr}");
    assert!(stderr.contains("ending, as deepflow-agent does here: span \"poison\""), "{stderr}");
    assert!(stderr.contains("has kind 6, outside 0..=5"), "{stderr}");
}

#[test]
fn addresses_of_two_families_end_the_process_with_another_status() {
    let (status, stderr) = ended("tests::abort::a_process_that_exits");
    assert_eq!(status, Some(Abort::FAMILY_EXIT_STATUS), "{stderr}");
    assert!(stderr.contains("is of 10.1.2.3 and has the peer 2001:db8::7"), "{stderr}");
}

/// How one of the ignored tests ended, in a process of its own, and what it said.
fn ended(test: &str) -> (Option<i32>, String) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    (child.status.code(), String::from_utf8(child.stderr).unwrap())
}

#[tokio::test]
#[ignore = "the other half of `by_default_any_other_kind_ends_the_process`, which starts it"]
async fn a_process_that_aborts() {
    let agent = Agent::builder().listen(([127, 0, 0, 1], 0).into()).start().await.unwrap();
    exchange(&agent, &post(&[], &poison(6))).await;
}

#[tokio::test]
#[ignore = "the other half of `addresses_of_two_families_end_the_process_with_another_status`, which starts it"]
async fn a_process_that_exits() {
    let agent = Agent::builder().listen(([127, 0, 0, 1], 0).into()).start().await.unwrap();
    let span = span_with(Some("10.1.2.3"), &[("net.peer.ip", "2001:db8::7")]);
    exchange(&agent, &post(&[], &body([span]))).await;
}
