//! The admin listener.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};

use podstamp::settings::Admin;
use podstamp_core::interface::Verdict;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::client::{Client, Response, post};

use crate::support::{Fake, Setup, answer};

async fn get(client: &mut Client, path: &str) -> Response {
    client.ask(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

#[tokio::test]
async fn probes_and_scrapers_get_their_answers() {
    let setup = Setup::with(Fake::answering(|_| Ok(Verdict::Answer(answer(200, "")))), |settings| {
        settings.admin = Some(Admin::at("127.0.0.1:0"));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn health_is_told_whatever_the_workers_are_busy_with() {
    let (busy, release) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (entered, left) = (Arc::clone(&busy), Arc::clone(&release));
    let blocking = Fake::answering(move |_| {
        entered.wait();
        left.wait();
        Ok(Verdict::Answer(answer(200, "")))
    });
    let setup = Setup::with(blocking, |settings| settings.admin = Some(Admin::at("127.0.0.1:0"))).await;
    let (address, admin) = (setup.address(), setup.server.admin_address().unwrap());
    // A thread, since the test's own runtime is the one that is busy.
    let told = std::thread::spawn(move || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(&post("/v1/traces", "", b"x")).unwrap();
        busy.wait();
        let mut probe = TcpStream::connect(admin).unwrap();
        probe.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        probe.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut told = String::new();
        let read = probe.read_to_string(&mut told).map(|_| told);
        release.wait();
        read
    });
    let told = tokio::task::spawn_blocking(move || told.join().unwrap()).await.unwrap().unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
}
