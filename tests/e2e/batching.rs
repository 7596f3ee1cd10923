//! `batch`: small requests of several clients leave as one.

use podstamp_test_support::blocking::http::export;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::Setup;

#[test]
fn small_requests_leave_as_one_each_with_its_own_pod() {
    let agent = FakeAgent::start();
    let clients = [("cart-1", "10.1.0.1"), ("shop-1", "10.1.0.2"), ("user-1", "10.1.0.3")];
    let served = Setup::load_balancer(&agent.url())
        // It leaves with the last of them, long before a quarter of the exporter's timeout has passed.
        .processing("batch", "{timeout: 1m, send_batch_size: 3}")
        .own("  upstream:\n    patience: 0s\n")
        .pods(spans::pods(&clients))
        .serve();
    let address = served.address;
    let sent = clients.map(|(pod, _)| {
        let body = spans::export(&[(pod.trim_end_matches("-1"), pod)]);
        std::thread::spawn(move || export(address, &body).status)
    });
    assert_eq!(sent.map(|client| client.join().unwrap()), [200; 3]);
    assert_eq!(agent.records().len(), 1);
    let expected = clients.map(|(pod, address)| (pod.trim_end_matches("-1").to_owned(), address.to_owned()));
    assert_eq!(agent.placed(), expected);
    assert_eq!(served.metric("podstamp_upstream_merged_total", &[]), 3.0);
    let log = served.whole_log();
    assert!(log.contains("processors.batch.timeout: is cut to 15000 ms"), "{log}");
}
