//! The image of `podstamp`, unpacked into an empty folder and run there as a container runs it: nothing of this machine's
//! files, a user without rights, a root that is read-only, process number 1.
//!
//! The program in it is the one that these tests have anyway, which is not optimised. It does not prove that a runtime takes the
//! image: none is here.

mod container;
mod dockerfile;
mod name_server;

use podstamp_package::program::{Compression, Root};
use podstamp_test_support::blocking::http::{Client, PROTOBUF};
use podstamp_test_support::spans;
use serde_json::Value;

use crate::fake_agent::FakeAgent;
use crate::served::fixture;
use container::{Container, Rights};
use name_server::NameServer;

/// The image of the program under test, packed in a hurry.
fn image() -> podstamp_package::Image {
    let root = Root::new(env!("CARGO_BIN_EXE_podstamp-under-test").as_ref()).unwrap();
    root.image(Compression::fast()).unwrap()
}

/// The image's configuration.
fn execution() -> Value {
    serde_json::from_slice::<Value>(image().config()).unwrap()["config"].take()
}

/// DeepFlow's pipeline for load balancers, from ports that are free to an agent.
fn config(agent: &str) -> String {
    format!(
        "{}exporters: {{otlphttp: {{traces_endpoint: '{agent}'}}}}\n\
         receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
         podstamp: {{drain_delay: 0s}}\n",
        fixture("deepflow-load-balancer.yaml")
    )
}

#[test]
fn a_request_goes_through_the_image_to_an_agent_that_is_named() {
    let Some(rights) = Rights::of_this_process() else { return };
    let agent = FakeAgent::start();
    let url = agent.url();
    let mut container = Container::unpack(&image(), rights);
    // Who may bind port 53 resolves the name as in a cluster: by the search list, over DNS.
    let _server = match NameServer::start("deepflow-agent.deepflow.svc.cluster.local") {
        Ok(server) => {
            let list = "search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";
            container.give("etc/resolv.conf", &format!("nameserver {}\n{list}", server.address()));
            Some(server)
        }
        Err(reason) => {
            podstamp_test_support::runtime::skip("names by DNS in the image", &reason);
            container.give("etc/hosts", "127.0.0.1 deepflow-agent.deepflow\n");
            None
        }
    };
    container.give("config/otel-agent.yaml", &config(&url.replace("127.0.0.1", "deepflow-agent.deepflow")));
    container.give("config/pods.json", &spans::pods(&[("web-1", "10.1.1.1")]));

    let arguments = ["serve", "--config", "/config/otel-agent.yaml", "--pods", "/config/pods.json"];
    let mut running = container.start(&arguments);
    let address = running.taking();
    let response = Client::connect(address).send(
        "POST",
        "/v1/traces",
        &[PROTOBUF],
        &spans::export(&[("shop", "web-1")]),
    );
    assert_eq!(response.status, 200, "{}\n{}", response.message(), running.log());
    assert_eq!(agent.placed(), [("shop".to_owned(), "10.1.1.1".to_owned())]);
    let status = running.terminate();
    assert_eq!(status.code(), Some(0), "as process number 1 it ends on SIGTERM\n{}", running.log());
}

#[test]
fn every_file_of_the_image_is_meant_to_be_there_and_check_needs_no_other() {
    let Some(rights) = Rights::of_this_process() else { return };
    let mut container = Container::unpack(&image(), rights);
    let files = container.files();
    let (libraries, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| path.starts_with("lib"));
    let others: Vec<_> = others.iter().map(String::as_str).collect();
    let expected =
        ["etc/group", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "podstamp"];
    assert_eq!(others, expected);
    let known = ["ld-linux-", "libc.so.6", "libgcc_s.so.1", "libm.so.6"];
    let is_known = |path: &String| {
        let name = path.rsplit('/').next().unwrap();
        known.iter().any(|known| name.starts_with(known))
    };
    assert!(libraries.iter().all(is_known), "{libraries:?}");

    // To speak TLS to whoever has a certificate of the internet, it reads the authorities.
    container.give("config/otel-agent.yaml", &config("https://otlp.example.com/api/v1/otel/trace"));
    let output = container.run(&["check", "--config", "/config/otel-agent.yaml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("no faults") && said.contains("https://otlp.example.com"), "{said}");
    assert!(!said.contains("ERROR"), "{said}");

    container.take("etc/ssl/certs/ca-certificates.crt");
    let output = container.run(&["check", "--config", "/config/otel-agent.yaml"]);
    let faults = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(64), "{faults}");
    assert!(faults.contains("no certificates of authorities"), "it was that file that it read: {faults}");
}

#[test]
fn nobody_writes_in_the_image_and_its_user_has_no_rights() {
    let Some(rights) = Rights::of_this_process() else { return };
    let container = Container::unpack(&image(), rights);
    // What it would record cannot be written anywhere.
    for file in ["/record", "/etc/record", "/podstamp"] {
        let output = container.run(&["fake-agent", "--listen", "127.0.0.1:0", "--record", file]);
        let log = String::from_utf8_lossy(&output.stderr);
        let is_refused = ["Read-only file system", "Permission denied"].iter().any(|why| log.contains(why));
        assert!(!output.status.success() && is_refused, "{log}");
    }
}
