//! OpenTelemetry SDKs as applications use them: what podstamp passes on is what they sent, stamped with the right pod.
//!
//! The request that an SDK sent is recorded on its way to podstamp, and compared with what the agent gets. This does not prove anything
//! about languages whose runtime is not there: those are named as skipped.

mod expected;
mod java;

use std::any::Any;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use podstamp_test_support::runtime::{Probe, Project, Version};
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::sent::Sent;
use crate::served::Setup;
use crate::tee::Tee;

#[test]
fn python() {
    PYTHON.every_variant(&["grpc", "http/protobuf", "http/json"], || Some(Shop::open()));
}

#[test]
fn node() {
    NODE.every_variant(&["grpc", "http/protobuf", "http/json"], || Some(Shop::open()));
}

#[test]
fn go() {
    GO.every_variant(&["grpc", "http/protobuf"], || Some(Shop::open()));
}

/// An SDK, and how to run the program of it that makes the known set of spans.
pub(crate) struct Sdk {
    project: Project,
    /// In the folder where the project is ready.
    program: fn(&Project, &Path) -> Command,
}

pub(crate) const PYTHON: Sdk = Sdk {
    project: Project {
        name: "Python SDK",
        folder: "sdks/python",
        pinned: &["requirements.txt"],
        probes: &[Probe {
            command: &["python3", "-c", "import ensurepip, sys, venv; print(sys.version)"],
            at_least: Version(3, 10),
        }],
        commands: &[
            &["python3", "-m", "venv", "venv"],
            &[
                "venv/bin/python",
                "-m",
                "pip",
                "install",
                "--require-hashes",
                "--no-deps",
                "--only-binary=:all:",
                "--requirement=requirements.txt",
            ],
        ],
        environment: &[],
        discarded: &[],
    },
    program: |project, folder| {
        let mut command = Command::new(folder.join("venv/bin/python"));
        command.arg(project.sources().join("shop.py"));
        command
    },
};

pub(crate) const NODE: Sdk = Sdk {
    project: Project {
        name: "Node SDK",
        folder: "sdks/node",
        pinned: &["package.json", "package-lock.json"],
        probes: &[
            Probe { command: &["node", "--version"], at_least: Version(20, 6) },
            Probe { command: &["npm", "--version"], at_least: Version(7, 0) },
        ],
        commands: &[&["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]],
        environment: &[],
        discarded: &[],
    },
    program: |project, folder| {
        let mut command = Command::new("node");
        command.arg(project.sources().join("shop.cjs")).env("NODE_PATH", folder.join("node_modules"));
        command
    },
};

pub(crate) const GO: Sdk = Sdk {
    project: Project {
        name: "Go SDK",
        folder: "sdks/go",
        pinned: &["main.go", "go.mod", "go.sum"],
        probes: &[Probe { command: &["go", "version"], at_least: Version(1, 25) }],
        commands: &[&["go", "build", "-trimpath", "-o", "shop", "."]],
        environment: &[("CGO_ENABLED", "0")],
        discarded: &[],
    },
    program: |_, folder| Command::new(folder.join("shop")),
};

impl Sdk {
    /// The program; none where its runtime is not there.
    pub(crate) fn program(&self) -> Option<Command> {
        self.project.ready().map(|folder| (self.program)(&self.project, &folder))
    }

    /// Runs the program once with each protocol and compression, each time as another pod, in a shop that is opened for it.
    pub(crate) fn every_variant(&self, protocols: &[&str], open: impl FnOnce() -> Option<Shop>) {
        let Some(folder) = self.project.ready() else { return };
        let Some(shop) = open() else { return };
        let variants = protocols
            .iter()
            .flat_map(|protocol| ["none", "gzip"].map(|compression| (*protocol, compression)));
        for (index, (protocol, compression)) in variants.enumerate() {
            let export = Export { protocol, compression, pod: &PODS[index % PODS.len()] };
            let arrived = shop.run(export, &mut (self.program)(&self.project, &folder), to_its_end);
            expected::assert_shop(&arrived);
        }
    }
}

/// A pod, and what its resource says of it.
pub(crate) struct Pod {
    name: &'static str,
    address: &'static str,
    says: (&'static str, &'static str),
}

pub(crate) const PODS: [Pod; 4] = [
    Pod { name: "web-1", address: "10.244.1.1", says: ("host.name", "web-1") },
    Pod { name: "web-2", address: "10.244.1.2", says: ("k8s.pod.name", "web-2") },
    Pod { name: "web-3", address: "10.244.1.3", says: ("k8s.pod.ip", "10.244.1.3") },
    Pod { name: "web-4", address: "10.244.1.4", says: ("k8s.pod.uid", "uid-of-web-4") },
];

/// How a program exports, and as which pod.
#[derive(Clone, Copy)]
pub(crate) struct Export<'a> {
    pub(crate) protocol: &'a str,
    pub(crate) compression: &'a str,
    pub(crate) pod: &'a Pod,
}

/// Something with DeepFlow's pipeline for load balancers, between SDKs and a fake agent.
pub(crate) struct Shop {
    pub(crate) agent: FakeAgent,
    http: SocketAddr,
    grpc: SocketAddr,
    /// Runs for as long as the shop is there.
    _servers: Box<dyn Any>,
}

impl Shop {
    /// With podstamp.
    fn open() -> Self {
        let agent = FakeAgent::with(|builder| builder.keep_bodies());
        let served = knowing_pods(&agent).serve();
        Self { agent, http: served.address, grpc: served.grpc, _servers: Box::new(served) }
    }

    /// With servers that take all protocols at one address.
    pub(crate) fn at(address: SocketAddr, agent: FakeAgent, servers: impl Any) -> Self {
        Self { agent, http: address, grpc: address, _servers: Box::new(servers) }
    }

    /// Lets a program export, and compares what it sent with what arrived. `run` runs it, and gives whether it ended well and
    /// what it printed. Gives what arrived.
    fn run(
        &self,
        export: Export<'_>,
        program: &mut Command,
        run: impl FnOnce(&mut Command) -> (bool, String),
    ) -> Vec<ResourceSpans> {
        let Export { protocol, compression, pod } = export;
        let (ended_well, printed, sent) = self.watch(export, program, run);
        assert!(ended_well, "{protocol} {compression}:\n{printed}");
        for request in &sent {
            assert_eq!(
                (request.protocol(), request.compression()),
                (protocol, compression),
                "{}",
                request.path
            );
        }
        let arrived: Vec<_> =
            self.agent.messages().into_iter().flat_map(|message| message.resource_spans).collect();
        // Requests that wait while one is on its way go together.
        let requests = self.agent.records().len();
        assert!(
            (1..=sent.len()).contains(&requests),
            "{protocol} {compression}: {requests} for {}",
            sent.len()
        );
        self.agent.agent().forget_records();
        let sent = sent.iter().flat_map(|request| request.message().resource_spans).collect();
        assert_stamped(sent, arrived.clone(), pod);
        arrived
    }

    /// Lets a program export, whatever comes of it: whether it ended well, what it printed, and what it sent.
    pub(crate) fn try_to_run(&self, export: Export<'_>, program: &mut Command) -> (bool, String, Vec<Sent>) {
        self.watch(export, program, to_its_end)
    }

    fn watch(
        &self,
        export: Export<'_>,
        program: &mut Command,
        run: impl FnOnce(&mut Command) -> (bool, String),
    ) -> (bool, String, Vec<Sent>) {
        let Export { protocol, compression, pod } = export;
        let tee = Tee::to(if protocol == "grpc" { self.grpc } else { self.http });
        let (key, value) = pod.says;
        // Nothing of whoever runs the tests is to steer the SDK.
        for (name, _) in std::env::vars_os() {
            let set = program.get_envs().any(|(other, _)| other == name);
            if name.to_string_lossy().starts_with("OTEL_") && !set {
                program.env_remove(name);
            }
        }
        program
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", tee.address))
            .env("OTEL_RESOURCE_ATTRIBUTES", format!("service.name=shop,{key}={value}"));
        // `none` is the default, and not every SDK knows the word.
        if compression != "none" {
            program.env("OTEL_EXPORTER_OTLP_COMPRESSION", compression);
        }
        let (ended_well, printed) = run(program);
        let sent = tee.said().iter().flat_map(|said| Sent::read(said)).collect();
        (ended_well, printed, sent)
    }
}

/// DeepFlow's pipeline for load balancers towards an agent, with the pods there are.
pub(crate) fn knowing_pods(agent: &FakeAgent) -> Setup {
    let pods: Vec<_> = PODS.iter().map(|pod| (pod.name, pod.address)).collect();
    Setup::load_balancer(&agent.url()).pods(spans::pods(&pods))
}

fn to_its_end(program: &mut Command) -> (bool, String) {
    let output = program.output().unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), printed)
}

/// Nothing is lost, doubled or changed, but for attributes added at the end of each resource.
fn assert_stamped(sent: Vec<ResourceSpans>, arrived: Vec<ResourceSpans>, pod: &Pod) {
    let (sent, arrived) = (sorted(sent), sorted(arrived));
    assert_eq!(sent.len(), arrived.len());
    for (sent, mut arrived) in sent.into_iter().zip(arrived) {
        let own = &sent.resource.as_ref().unwrap().attributes;
        let all = &mut arrived.resource.as_mut().unwrap().attributes;
        let added = all.split_off(own.len());
        let text = |attribute: &KeyValue| match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
            Value::StringValue(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        let mut added: Vec<_> =
            added.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect();
        added.sort();
        let mut expected = vec![
            ("app.host.ip".to_owned(), pod.address.to_owned()),
            ("k8s.pod.ip".to_owned(), pod.address.to_owned()),
            ("k8s.pod.name".to_owned(), pod.name.to_owned()),
            ("k8s.pod.uid".to_owned(), format!("uid-of-{}", pod.name)),
        ];
        expected.retain(|(key, _)| own.iter().all(|attribute| attribute.key != *key));
        assert_eq!(added, expected, "{own:?}");
        assert_eq!(sent, arrived);
    }
}

/// By the first span of each, since several connections have no order between them.
fn sorted(mut all: Vec<ResourceSpans>) -> Vec<ResourceSpans> {
    all.sort_by_key(|resource| resource.scope_spans[0].spans[0].span_id.clone());
    all
}
