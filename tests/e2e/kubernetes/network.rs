//! Spans over real networks: pods with addresses of their own, on two nodes, and a NodePort between them.
//!
//! The test runs itself again in a network namespace of its own, which is podstamp's node; pods and the other node are
//! namespaces below it. All of them end with the processes in them, however those end.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use podstamp_test_support::api_server::{ApiServer, container_id};
use podstamp_test_support::blocking::http::export;
use podstamp_test_support::runtime::skip;

use super::watching::{Attributes, NOW, UNKNOWN, Watching, document, request};

#[test]
fn pods_are_known_by_their_connections_and_behind_a_node_port_by_what_they_say() {
    match env::var(ROLE).as_deref() {
        Ok("cluster") => cluster(),
        Ok("client") => client(),
        Ok("relay") => relay(),
        _ => {
            // Built ahead of the namespace, from which nothing can be downloaded.
            if podstamp_test_support::runtime::api_server().is_none() {
                return;
            }
            let unshared = ["--net", "sh", "-c", "ip link set lo up"];
            let can = Command::new("unshare").args(unshared).stderr(Stdio::null()).status();
            if !can.is_ok_and(|status| status.success()) {
                skip("spans over network namespaces", "it takes Linux, root, `unshare` and `ip`");
                return;
            }
            let mut command = Command::new("unshare");
            command.args(["--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
            let output = itself(&mut command, "cluster").output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
        }
    }
}

fn cluster() {
    let server = ApiServer::start().expect("it is built");
    let shop = server.namespace();
    let [here, elsewhere] =
        [("here-1", "node-a", HERE, NODE_A), ("elsewhere-1", "node-b", ELSEWHERE, NODE_B)].map(
            |(name, node, address, node_address)| {
                let pod = shop.pod(name).node(node).create();
                pod.run(&[address], node_address);
                pod.containers_run(&[("app", &format!("containerd://{}", container(name)))]);
                pod
            },
        );
    let agent = shop.pod("node-agent-1").node("node-b").host_network().create();
    agent.run(&[NODE_B], NODE_B);

    // This is node A, and the gateway of its pod.
    let here_net = Net::new();
    let node_b = Net::new();
    let elsewhere_net = Net::new();
    run("ip link add here type veth peer name eth0 netns $PID", here_net.pid());
    run("ip addr add 10.244.1.1/24 dev here && ip link set here up", 0);
    here_net.run(&format!(
        "ip addr add {HERE}/24 dev eth0 && ip link set eth0 up && ip route add default via 10.244.1.1"
    ));
    run("ip link add node-b type veth peer name eth0 netns $PID", node_b.pid());
    run(&format!("ip addr add {NODE_A}/24 dev node-b && ip link set node-b up"), 0);
    node_b.run(&format!("ip addr add {NODE_B}/24 dev eth0 && ip link set eth0 up"));
    run(&format!("ip route add 10.244.2.0/24 via {NODE_B}"), 0);
    node_b.run(&format!(
        "ip link add pod type veth peer name eth0 netns {} && ip addr add 10.244.2.1/24 dev pod && ip link set pod up && echo 1 > /proc/sys/net/ipv4/ip_forward",
        elsewhere_net.pid()
    ));
    elsewhere_net.run(&format!(
        "ip addr add {ELSEWHERE}/24 dev eth0 && ip link set eth0 up && ip route add default via 10.244.2.1"
    ));

    let config = document(&shop.reader("podstamp").kube_config(), "");
    let watching = Watching::with(&config, |mut setup| {
        setup.host = Some("0.0.0.0");
        setup
    });
    watching.wait_until_ready();
    for (pod, address) in [(&here, HERE), (&elsewhere, ELSEWHERE), (&agent, NODE_B)] {
        watching.wait_for(&pod.uid, &[address]);
    }
    let port = watching.served.address.port();
    let direct = format!("{NODE_A}:{port}");
    let from = |net: &Net, to: &str, attributes: Attributes<'_>| {
        watching.agent.agent().forget_records();
        let body = watching.served.folder.path().join("body");
        std::fs::write(&body, request(&[attributes], NOW)).unwrap();
        net.send(to, &body);
        watching.received().0
    };
    // Without a word of where it comes from.
    assert_eq!(from(&here_net, &direct, &[]), HERE);
    assert_eq!(from(&elsewhere_net, &direct, &[]), ELSEWHERE);
    assert_eq!(from(&node_b, &direct, &[]), UNKNOWN);
    assert_eq!(from(&node_b, &direct, &[("k8s.pod.uid", &agent.uid)]), NODE_B);

    let _node_port = node_b.node_port(&direct);
    let node_port = format!("10.244.2.1:{NODE_PORT}");
    assert_eq!(from(&elsewhere_net, &node_port, &[]), UNKNOWN, "it comes from the node");
    let container = container("elsewhere-1");
    for said in [("host.name", "elsewhere-1"), ("container.id", &*container), ("k8s.pod.uid", &elsewhere.uid)]
    {
        assert_eq!(from(&elsewhere_net, &node_port, &[said]), ELSEWHERE, "{said:?}");
    }
}

/// The id of a pod's container.
fn container(pod: &str) -> String {
    container_id(pod.len() as u64)
}

/// A network namespace that lives as long as the process in it, which ends with its standard input.
struct Net(Child);

impl Net {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && echo ready && read -r _"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// A command that runs in it.
    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid())).arg("--");
        command
    }

    fn run(&self, script: &str) {
        succeed(self.command().args(["sh", "-c", script]));
    }

    /// Whether a script can be run in it.
    fn can(&self, script: &str) -> bool {
        let status = self.command().args(["sh", "-c", script]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Exports a file's body to an address from within.
    fn send(&self, to: &str, body: &Path) {
        succeed(itself(&mut self.command(), "client").env(TO, to).env(BODY, body));
    }

    /// Passes what comes to the node's port on to an address, from the node's own. `Some`: by a program, which holds it open.
    fn node_port(&self, to: &str) -> Option<Relaying> {
        let (_, port) = to.rsplit_once(':').unwrap();
        let nft = format!(
            "nft 'add table ip nat; add chain ip nat pre {{ type nat hook prerouting priority -100; }}; \
             add chain ip nat post {{ type nat hook postrouting priority 100; }}; \
             add rule ip nat pre tcp dport {NODE_PORT} dnat to {to}; add rule ip nat post ct status dnat masquerade'"
        );
        let iptables = format!(
            "iptables -t nat -A PREROUTING -p tcp --dport {NODE_PORT} -j DNAT --to-destination {to} && \
             iptables -t nat -A POSTROUTING -p tcp --dport {port} -m conntrack --ctstate DNAT -j MASQUERADE"
        );
        if self.can(&nft) || self.can(&iptables) {
            return None;
        }
        skip(
            "source NAT by the kernel",
            "neither `nft` nor `iptables` works: a program passes connections on",
        );
        let mut child = itself(&mut self.command(), "relay")
            .env(TO, to)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.ends_with("relaying")));
        Some(Relaying(child))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

/// A relay's process.
struct Relaying(Child);

impl Drop for Relaying {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Exports a body from within a namespace.
fn client() {
    let to: SocketAddr = env::var(TO).unwrap().parse().unwrap();
    let body = std::fs::read(env::var_os(BODY).unwrap()).unwrap();
    let response = export(to, &body);
    assert_eq!(response.status, 200, "{}", response.message());
}

/// Passes connections on until its standard input ends.
fn relay() {
    let to = env::var(TO).unwrap();
    let listener = TcpListener::bind(("0.0.0.0", NODE_PORT)).unwrap();
    std::io::stdout().write_all(b"relaying\n").unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut upstream = TcpStream::connect(&to).unwrap();
            let (mut from_upstream, mut to_client) =
                (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from_upstream, &mut to_client));
            std::thread::spawn(move || std::io::copy(&mut client, &mut upstream));
        }
    });
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
}

/// Adds to a command that it runs this test in a role.
fn itself<'a>(command: &'a mut Command, role: &str) -> &'a mut Command {
    command.arg(env::current_exe().unwrap()).args(["--exact", THIS_TEST, "--nocapture"]).env(ROLE, role)
}

/// Runs a script here, with a process id in `$PID`.
fn run(script: &str, pid: u32) {
    succeed(Command::new("sh").args(["-c", script]).env("PID", pid.to_string()));
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

const THIS_TEST: &str =
    "kubernetes::network::pods_are_known_by_their_connections_and_behind_a_node_port_by_what_they_say";
const ROLE: &str = "PODSTAMP_TEST_ROLE";
const TO: &str = "PODSTAMP_TEST_TO";
const BODY: &str = "PODSTAMP_TEST_BODY";

const NODE_A: &str = "192.168.7.1";
const NODE_B: &str = "192.168.7.2";
const HERE: &str = "10.244.1.11";
const ELSEWHERE: &str = "10.244.2.11";
const NODE_PORT: u16 = 30_318;
