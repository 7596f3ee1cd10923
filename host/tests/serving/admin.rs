//! The admin listener.

use podstamp_core::exchange::Verdict;

use crate::support::{Client, Fake, Response, Setup, answer};

async fn get(client: &mut Client, path: &str) -> Response {
    client.ask(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

#[tokio::test]
async fn probes_and_scrapers_get_their_answers() {
    let setup = Setup::with(Fake::answering(|_| Ok(Verdict::Answer(answer(200, "")))), |settings| {
        settings.admin = Some("127.0.0.1:0".to_owned());
    })
    .await;
    let mut client = Client::connect(setup.server.admin_address().unwrap()).await;
    assert_eq!(get(&mut client, "/healthz").await.status, 200);
    let response = get(&mut client, "/readyz").await;
    assert_eq!((response.status, response.text()), (503, "the pod directory is not loaded\n"));
    setup.instruments.readiness.pods_loaded();
    assert_eq!(get(&mut client, "/readyz").await.status, 200);

    let response = get(&mut client, "/metrics").await;
    assert_eq!(response.status, 200);
    assert!(response.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(response.text().contains("podstamp_requests_in_flight 0\n"));
    assert!(response.text().ends_with("# EOF\n"));

    assert_eq!(get(&mut client, "/").await.status, 404);
    let response = client.ask("POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")));
    setup.instruments.readiness.draining();
    assert_eq!(get(&mut client, "/readyz").await.status, 503);
    assert_eq!(get(&mut client, "/healthz").await.status, 200);
}
