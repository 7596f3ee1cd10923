//! A real Kubernetes API server on 127.0.0.1: etcd and kube-apiserver, with TLS, RBAC and service accounts.
//!
//! Nothing else of a cluster runs: no controller, no scheduler, no kubelet. What those would do, a test does by hand: it
//! gives a pod its addresses, and deletes it twice, the first time with a grace period.
//!
//! It is ready after two to three seconds and takes 300 MB, so that tests of one program share [`ApiServer::shared`], each
//! with a [`Namespace`] of its own. A test that kills the server, or needs other flags, starts one for itself.

mod access;
mod connection;
mod pods;
mod process;
mod relay;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio_rustls::rustls::ClientConfig;

use self::connection::Connection;
use self::process::Process;
use crate::authority::Authority;
use crate::ports::closed_port;
use crate::runtime::{self, Server};
use crate::wait_until;

pub use self::access::{ADMIN_TOKEN, ServiceAccount, write_token};
pub use self::pods::{Namespace, NewPod, Pod, container_id, container_statuses};
pub use self::relay::Relay;

/// A running API server, killed with everything that it stored when this is dropped.
pub struct ApiServer {
    programs: Server,
    address: SocketAddr,
    etcd_address: SocketAddr,
    /// Flags besides the usual ones.
    flags: Vec<String>,
    authority: Authority,
    client: Arc<ClientConfig>,
    idle: Mutex<Vec<Connection>>,
    running: Mutex<Option<Process>>,
    etcd: Mutex<Option<Process>>,
    folder: TempDir,
}

impl ApiServer {
    /// Starts one; `None` where there is no Go to build it with, which has been said then.
    pub fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// Starts one with further flags of kube-apiserver, such as `--emulated-version=1.34`.
    pub fn with(flags: &[&str]) -> Option<Self> {
        let programs = runtime::api_server()?;
        let folder = TempDir::new().unwrap();
        let authority = Authority::within(TempDir::new_in(folder.path()).unwrap(), "cluster");
        authority.certify("server", "127.0.0.1");
        let etcd_address = closed_port();
        let etcd = start_etcd(&programs.etcd, etcd_address, folder.path());
        let server = Self {
            programs,
            address: closed_port(),
            etcd_address,
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            client: connection::trusting(&authority.file()),
            authority,
            idle: Mutex::default(),
            running: Mutex::default(),
            etcd: Mutex::new(Some(etcd)),
            folder,
        };
        fs::write(server.folder.path().join("tokens.csv"), access::static_tokens()).unwrap();
        server.start_again();
        Some(server)
    }

    /// The server of this process, started by whoever asks first.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<ApiServer>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What certified the server: a file in PEM.
    pub fn authority_file(&self) -> PathBuf {
        self.authority.file()
    }

    /// Certifies further servers and clients.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A folder that goes with the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// kube-apiserver's process, for its memory and for signals.
    pub fn process_id(&self) -> u32 {
        self.running.lock().unwrap().as_ref().and_then(Process::id).expect("it runs")
    }

    /// Kills it with SIGKILL. What it stored stays.
    pub fn kill(&self) {
        self.idle.lock().unwrap().clear();
        drop(self.running.lock().unwrap().take());
    }

    /// Stops it as a node without electricity does, but for what is on its disk: connections stay open, and nobody answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Goes on after [`ApiServer::freeze`].
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Starts it at the same address, with what it stored, and waits until it is ready.
    pub fn start_again(&self) {
        let mut process =
            Process::start(&self.programs.kube_apiserver, &self.arguments(), &self.log_file(), None);
        wait_until("the API server is ready", || {
            let ended = process.ended();
            assert!(ended.is_none(), "the API server ended, {ended:?}:\n{}", self.last_of_log());
            // Whoever asks all the time makes it slower.
            std::thread::sleep(PAUSE);
            self.is_ready()
        });
        *self.running.lock().unwrap() = Some(process);
    }

    /// Starts it at the same address with nothing stored, as another cluster or a restored one would be: versions begin anew.
    pub fn start_anew(&self) {
        self.kill();
        let mut etcd = self.etcd.lock().unwrap();
        etcd.take().unwrap().kill_alone();
        fs::remove_dir_all(self.folder.path().join("etcd")).unwrap();
        *etcd = Some(start_etcd(&self.programs.etcd, self.etcd_address, self.folder.path()));
        drop(etcd);
        self.start_again();
    }

    /// What it logged last.
    pub fn last_of_log(&self) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Asks it as its administrator: status and body. A body goes as JSON, and as a merge patch with PATCH.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.ask_as(ADMIN_TOKEN, method, path, body)
    }

    /// Asks it with a token.
    pub fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, answer) = self.try_ask(token, method, path, body).unwrap_or_else(|error| {
            panic!("{method} {path}: {error}; the API server logged last:\n{}", self.last_of_log())
        });
        (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// What there is at a path.
    pub fn get(&self, path: &str) -> Value {
        self.expect("GET", path, None)
    }

    /// Creates an object in the collection at a path, and gives it as it is stored.
    pub fn create(&self, path: &str, object: &Value) -> Value {
        self.expect("POST", path, Some(object))
    }

    /// Changes an object by a merge patch, and gives it as it is stored.
    pub fn patch(&self, path: &str, patch: &Value) -> Value {
        self.expect("PATCH", path, Some(patch))
    }

    /// Deletes an object.
    pub fn delete(&self, path: &str) {
        self.expect("DELETE", path, None);
    }

    fn expect(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    fn try_ask(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> io::Result<(u16, Vec<u8>)> {
        let authorization = format!("Bearer {token}");
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let headers = [("authorization", authorization.as_str()), ("content-type", kind)];
        let body = body.map(Value::to_string).unwrap_or_default();
        let ask = |mut connection: Connection| {
            let answer = connection.ask(method, path, &headers, body.as_bytes())?;
            self.idle.lock().unwrap().push(connection);
            Ok(answer)
        };
        let idle = self.idle.lock().unwrap().pop();
        // The server closes what has been idle for long.
        if let Some(answer) = idle.and_then(|connection| ask(connection).ok()) {
            return Ok(answer);
        }
        ask(Connection::open(&self.client, self.address)?)
    }

    /// After a restart it answers before it has loaded the rules of RBAC, which `readyz` waits for.
    fn is_ready(&self) -> bool {
        self.try_ask(ADMIN_TOKEN, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 200)
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process_id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("kube-apiserver.log")
    }

    fn arguments(&self) -> Vec<String> {
        let path = |path: PathBuf| path.display().to_string();
        let (certificate, key) =
            (path(self.authority.path("server.crt")), path(self.authority.path("server.key")));
        let mut arguments = vec![
            format!("--etcd-servers=http://{}", self.etcd_address),
            format!("--bind-address={}", self.address.ip()),
            format!("--advertise-address={}", self.address.ip()),
            format!("--secure-port={}", self.address.port()),
            format!("--tls-cert-file={certificate}"),
            format!("--tls-private-key-file={key}"),
            format!("--token-auth-file={}", path(self.folder.path().join("tokens.csv"))),
            // The private key is in a form that this flag does not read; the certificate has the public one.
            format!("--service-account-key-file={certificate}"),
            format!("--service-account-signing-key-file={key}"),
        ];
        arguments.extend(ALWAYS.iter().map(|&flag| flag.to_owned()));
        arguments.extend(self.flags.iter().cloned());
        arguments
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the API server logged last:\n{}", self.last_of_log());
        }
        self.kill();
    }
}

/// etcd is the last to need the folder: it is deleted with it, also where this process just ends.
fn start_etcd(program: &Path, address: SocketAddr, folder: &Path) -> Process {
    let arguments = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls=http://{address}"),
        format!("--advertise-client-urls=http://{address}"),
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        // What is lost with the machine is lost with the test.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Process::start(program, &arguments, &folder.join("etcd.log"), Some(folder))
}

const PAUSE: Duration = Duration::from_millis(50);

/// Nobody else is there who would answer, and no controller makes the default ServiceAccount that admission waits for.
const ALWAYS: &[&str] = &[
    "--endpoint-reconciler-type=none",
    "--anonymous-auth=false",
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--disable-admission-plugins=ServiceAccount",
    "--shutdown-watch-termination-grace-period=1s",
];
