//! An agent that is away: what was acknowledged meanwhile arrives, whatever becomes of the process.

use std::net::SocketAddr;
use std::path::Path;

use podstamp_test_support::blocking::grpc::Grpc;
use podstamp_test_support::blocking::http::{Client, get};
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;
use tempfile::TempDir;

use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, exporter, wait_until};

/// Passes on to an agent at that address, with a queue in that folder.
fn serve(agent: SocketAddr, folder: &Path, pods: &str) -> Served {
    let config = format!(
        "{}    sending_queue:\n      storage: file_storage\n\
         extensions:\n  file_storage:\n    directory: {}\n    create_directory: true\n\
         processors:\n  k8sattributes:\n    pod_association:\n    - sources: [{{ from: resource_attribute, name: host.name }}]\n\
         service:\n  extensions: [file_storage]\n  pipelines:\n    traces:\n      processors: [k8sattributes]\n      exporters: [otlphttp]\n",
        exporter(&format!("http://{agent}/api/v1/otel/trace"))
            .replace("max_elapsed_time: 1s", "max_elapsed_time: 0s"),
        folder.display(),
    );
    Setup { config, ..Setup::default() }.pods(pods.to_owned()).serve()
}

#[test]
fn what_was_acknowledged_while_the_agent_was_away_arrives_stamped_after_a_kill() {
    let folder = TempDir::new().unwrap();
    let agent = closed_port();
    let served = serve(agent, folder.path(), &spans::pods(&[("web-1", "10.1.2.3")]));
    let mut client = Client::connect(served.address);
    for encoding in Encoding::BOTH {
        encoding.success(&encoding.send(&mut client, &encoding.batch()));
    }
    let called = Grpc::connect(served.grpc).export(&Encoding::Protobuf.batch());
    assert_eq!(called.code(), 0);
    served.wait_for_log("requests are acknowledged and queued on disk");
    wait_until("three requests queued", || served.metric("podstamp_queue_size", &[]) == 3.0);
    // Killed, not stopped.
    drop(served);

    let agent = FakeAgent::with(|builder| builder.listen(agent));
    // Nobody knows the pod any more.
    let served = serve(agent.agent().address(), folder.path(), &spans::pods(&[]));
    agent.wait_for_spans(3);
    assert_eq!(agent.placed(), vec![("shop".to_owned(), "10.1.2.3".to_owned()); 3]);
    wait_until("nothing queued", || served.metric("podstamp_queue_size", &[]) == 0.0);
    assert_eq!(get(served.admin, "/readyz").0, 200);
}
