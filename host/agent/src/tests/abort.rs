//! Span kinds that end deepflow-agent.

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
        let mut wire = Wire::to(&agent).await;
        wire.send(&post(&[], &poison(kind))).await;
        assert_eq!(wire.reply().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{kind}");
        let Outcome::Aborted(reason) = last(&agent).outcome else { panic!("{:?}", last(&agent)) };
        assert!(reason.contains("\"poison\"") && reason.contains(&format!("kind {kind},")), "{reason}");
        assert_eq!((agent.totals().aborts, agent.totals().spans), (count, 0));
    }
    assert_eq!(exchange(&agent, &post(&[], &three_spans())).await, Some(ok()));
}

#[test]
fn by_default_any_other_kind_ends_the_process() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::abort::a_process_that_ends", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let stderr = String::from_utf8(child.stderr).unwrap();
    assert_eq!(child.status.code(), Some(Abort::EXIT_STATUS), "{stderr}");
    assert!(stderr.contains("aborting, as deepflow-agent does here: span \"poison\""), "{stderr}");
    assert!(stderr.contains("has kind 6, outside 0..=5"), "{stderr}");
}

#[tokio::test]
#[ignore = "the other half of `by_default_any_other_kind_ends_the_process`, which starts it"]
async fn a_process_that_ends() {
    let agent = Agent::builder().listen(([127, 0, 0, 1], 0).into()).start().await.unwrap();
    exchange(&agent, &post(&[], &poison(6))).await;
}
