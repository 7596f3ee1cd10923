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
use crate::served::{Served, Setup, exporter, podstamp, run, wait_until};

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

#[test]
fn people_see_export_and_drop_what_is_queued_on_disk() {
    let folder = TempDir::new().unwrap();
    let queues = folder.path().join("queues");
    let mut served = serve(closed_port(), &queues, &spans::pods(&[("web-1", "10.1.2.3")]));
    let mut client = Client::connect(served.address);
    for encoding in Encoding::BOTH {
        encoding.success(&encoding.send(&mut client, &encoding.batch()));
    }
    wait_until("two requests queued", || served.metric("podstamp_queue_size", &[]) == 2.0);
    let queues = queues.to_str().unwrap();
    let config = served.folder.path().join("config.yaml");
    let listed = run(["queue", "ls", "--config", config.to_str().unwrap(), "--output", "json"], b"");
    assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let [queue] = &listed.as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!((&queue["exporter"], &queue["signal"]), (&"otlphttp".into(), &"traces".into()));
    assert_eq!(
        (&queue["requests"], &queue["items"], &queue["damage"]),
        (&2.into(), &2.into(), &serde_json::json!([]))
    );
    assert!(queue["in_use_by"].as_str().unwrap().starts_with("process "), "{queue}");

    // One message of all, stamped, while podstamp runs.
    let exported = run(["queue", "export", "--directory", queues], b"");
    assert_eq!(exported.status.code(), Some(0), "{}", String::from_utf8_lossy(&exported.stderr));
    let again = run(["rewrite"], &exported.stdout);
    assert_eq!(exported.stdout.windows(8).filter(|part| part == b"10.1.2.3").count(), 2);
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    let files = folder.path().join("files");
    let to = run(["queue", "export", "--directory", queues, "--to", files.to_str().unwrap()], b"");
    assert_eq!(to.status.code(), Some(0), "{}", String::from_utf8_lossy(&to.stderr));
    let mut written: Vec<_> = std::fs::read_dir(&files).unwrap().map(|file| file.unwrap().path()).collect();
    written.sort();
    let whole: Vec<_> = written.iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!((written.len(), whole), (2, exported.stdout));

    let refused = run(["queue", "drop", "--directory", queues, "--all", "--yes"], b"");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(69) && said.contains("stop podstamp first"), "{said}");
    served.terminate();
    served.wait();
    for (arguments, code, says) in [
        (&["--all"][..], 64, "add --yes"),
        (&[], 64, "--older-than, or --all"),
        (&["--yes", "--older-than", "1h"], 0, "nothing to drop"),
        (&["--yes", "--exporter", "otlphttp"], 0, "2 requests are dropped"),
        (&["--yes", "--all"], 0, "nothing to drop"),
    ] {
        let output = podstamp(["queue", "drop", "--directory", queues]).args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.code() == Some(code) && said.contains(says), "{arguments:?}: {said}");
    }
}
