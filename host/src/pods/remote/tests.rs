//! Following a podstamp, or what takes its place.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex as StdMutex;

use podstamp_core::config::{Bearer, Identity, Parameters, Place, Secret, ServerTls, Source};
use podstamp_pods::{PodParts, listing};
use podstamp_test_support::PATIENCE;
use podstamp_test_support::authority::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::tls::Acceptor;

/// The other side: answers what it is told to, and notes what it was asked for.
#[derive(Default)]
struct Other {
    answers: StdMutex<VecDeque<Vec<u8>>>,
    asked: StdMutex<Vec<String>>,
    /// The credentials that it was shown.
    shown: StdMutex<Vec<String>>,
}

impl Other {
    async fn start(answers: Vec<Vec<u8>>) -> (Arc<Self>, SocketAddr) {
        let other = Arc::new(Self { answers: StdMutex::new(answers.into()), ..Self::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Arc::clone(&other);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8_lossy(&head);
                serving.asked.lock().unwrap().push(head.lines().next().unwrap().to_owned());
                let shown = head.lines().find_map(|line| line.strip_prefix("authorization: "));
                serving.shown.lock().unwrap().extend(shown.map(str::to_owned));
                let answer = serving.answers.lock().unwrap().pop_front();
                match answer {
                    Some(answer) => stream.write_all(&answer).await.unwrap(),
                    None => std::future::pending().await,
                }
            }
        });
        (other, address)
    }

    async fn asked(&self, count: usize) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let asked = self.asked.lock().unwrap().clone();
            if asked.len() >= count {
                return asked;
            }
            assert!(Instant::now() < until, "{asked:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn settings(address: SocketAddr) -> Settings {
    Settings {
        url: format!("http://{address}"),
        tls: None,
        auth: None,
        fields: Fields::NONE.with(Field::Namespace).with(Field::Uid),
        kept_keys: KeptKeys::default(),
        coverage: None,
    }
}

fn follow(settings: Settings) -> Arc<RemotePods> {
    let remote = Arc::new(RemotePods::new(settings).unwrap());
    tokio::spawn(Arc::clone(&remote).follow(Arc::default(), Arc::default()));
    remote
}

fn pod(name: &str, last: u8) -> PodParts<'_> {
    PodParts {
        name: name.into(),
        namespace: "shop".into(),
        uid: format!("uid-{name}").into(),
        ips: vec![[10, 0, 0, last].into()],
        ..PodParts::default()
    }
}

fn table(coverage: Coverage) -> Table {
    let mut table = Table::new(Fields::ALL, KeptKeys::default(), coverage);
    table.upsert(&pod("a", 1)).unwrap();
    table.upsert(&pod("b", 2)).unwrap();
    table
}

fn has(remote: &RemotePods, name: &str) -> bool {
    matches!(remote.find(&[Term::Name(name)], Details::default()), Lookup::Found(_))
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it never comes to this: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn all_pods_come_first_and_then_what_has_changed() {
    let mut theirs = table(Coverage::Cluster);
    let fields = settings(([127, 0, 0, 1], 0).into()).fields;
    let first = listing::write_full(&theirs, fields);
    let known = theirs.version();
    let changed = theirs.upsert(&pod("b", 9)).unwrap();
    let gone = theirs.slot_of(&pod("a", 1)).unwrap();
    theirs.remove(gone);
    let second = listing::write_delta(&theirs, fields, known.number, &[changed, gone]);
    let (other, address) = Other::start(vec![ok(&first), ok(&second)]).await;
    let remote = follow(settings(address));
    remote.status().wait_loaded().await;
    let asked = other.asked(3).await;
    assert_eq!(asked[0], "GET /pods?fields=namespace,uid&since=&wait=0 HTTP/1.1");
    assert_eq!(asked[1], format!("GET /pods?fields=namespace,uid&since={known}&wait=50 HTTP/1.1"));
    assert_eq!(
        asked[2],
        format!("GET /pods?fields=namespace,uid&since={}&wait=50 HTTP/1.1", theirs.version())
    );
    wait_until("the change is there", || !has(&remote, "a")).await;
    let found = remote.find(&[Term::Ip([10, 0, 0, 9].into())], Details::default());
    assert!(matches!(found, Lookup::Found(pod) if pod.name == "b"));
    // The whole cluster, as the other one says.
    assert_eq!(remote.find(&[Term::Ip([10, 0, 0, 1].into())], Details::default()), Lookup::Absent);
    assert!(remote.status().is_connected());
}

#[tokio::test]
async fn what_is_at_fault_leaves_the_pods_as_they_were_and_all_of_them_are_asked_for_again() {
    let theirs = table(Coverage::Part);
    let fields = settings(([127, 0, 0, 1], 0).into()).fields;
    let whole = ok(&listing::write_full(&theirs, fields));
    let cut = listing::write_full(&theirs, fields);
    let cut = ok(&cut[..cut.len() - 5]);
    let (other, address) = Other::start(vec![whole.clone(), cut, whole]).await;
    let remote = follow(settings(address));
    remote.status().wait_loaded().await;
    let asked = other.asked(3).await;
    assert!(asked[2].contains("&since=&wait=0"), "{asked:?}");
    assert!(has(&remote, "a") && has(&remote, "b"));
    assert_eq!(remote.status().failures(SourceFailure::Invalid), 1);
    wait_until("it is connected again", || remote.status().is_connected()).await;
}

#[tokio::test]
async fn a_coverage_that_is_configured_goes_ahead_of_what_the_other_one_says() {
    let theirs = table(Coverage::Cluster);
    let whole = ok(&listing::write_full(&theirs, Fields::ALL));
    let (_other, address) = Other::start(vec![whole]).await;
    let remote = follow(Settings { coverage: Some(Coverage::Part), ..settings(address) });
    remote.status().wait_loaded().await;
    assert_eq!(remote.pods().table().coverage(), Coverage::Part);
    assert_eq!(remote.find(&[Term::Ip([10, 0, 0, 9].into())], Details::default()), Lookup::Unknown);
}

#[tokio::test]
async fn an_unreachable_one_a_refusing_one_and_one_that_is_no_podstamp_are_told_apart() {
    let refusing =
        b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbusy".to_vec();
    for (answer, kind) in [
        (refusing, SourceFailure::Status),
        (
            b"HTTP/1.1 401 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec(),
            SourceFailure::Unauthorized,
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), SourceFailure::Invalid),
        (ok("<html>"), SourceFailure::Invalid),
        (Vec::new(), SourceFailure::Broken),
    ] {
        let (_other, address) = Other::start(vec![answer.clone()]).await;
        let remote = follow(settings(address));
        wait_until("the failure is counted", || remote.status().failures(kind) == 1).await;
        assert!(!remote.status().is_loaded());
    }
    // Held, so that nobody else gets the port.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let remote = follow(settings(bound.local_addr().unwrap()));
    wait_until("the failure is counted", || remote.status().failures(SourceFailure::Unreachable) > 0).await;
}

#[tokio::test]
async fn by_tls_the_configured_authority_decides_who_is_believed() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("other"));
    let certified = authority.certify("server", "127.0.0.1");
    let source = |path: &str, file: &std::path::Path| Source {
        path: path.to_owned(),
        place: Place::File(file.to_str().unwrap().to_owned()),
    };
    let server = ServerTls {
        path: "tls".to_owned(),
        identity: Identity {
            certificates: source("tls.cert_file", &certified.certificate),
            private_key: source("tls.key_file", &certified.key),
        },
        client_ca: None,
        system_roots: false,
        parameters: Parameters::default(),
    };
    let acceptor = Acceptor::new(&server, PATIENCE).unwrap().watch_files(&Arc::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = ok(&listing::write_full(&table(Coverage::Cluster), Fields::ALL));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // One that does not believe the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(&answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    let trusting = |authority: &Authority| Settings {
        url: format!("https://{address}"),
        tls: Some(ClientTls {
            path: "podstamp.pods.tls".to_owned(),
            ca: Some(source("podstamp.pods.tls.ca_file", &authority.file())),
            system_roots: false,
            identity: None,
            server_name: None,
            skip_verify: false,
            parameters: Parameters::default(),
        }),
        ..settings(address)
    };
    let refusing = follow(trusting(&stranger));
    wait_until("the failure is counted", || refusing.status().failures(SourceFailure::Tls) > 0).await;
    assert!(!refusing.status().is_loaded());
    let believing = follow(trusting(&authority));
    believing.status().wait_loaded().await;
    assert!(has(&believing, "a"));
}

#[tokio::test]
async fn credentials_are_shown_where_there_are_some() {
    let token = Source { path: "token".to_owned(), place: Place::Inline(Secret::new("t0p")) };
    let auth = ClientAuth::Bearer(Bearer {
        path: "extensions.bearertokenauth".to_owned(),
        header: "authorization".to_owned(),
        scheme: "Bearer".to_owned(),
        tokens: vec![token],
    });
    let (other, address) = Other::start(vec![]).await;
    let _remote = follow(Settings { auth: Some(auth), ..settings(address) });
    other.asked(1).await;
    assert_eq!(*other.shown.lock().unwrap(), ["Bearer t0p"]);
    let (other, address) = Other::start(vec![]).await;
    let _remote = follow(settings(address));
    other.asked(1).await;
    assert!(other.shown.lock().unwrap().is_empty());
}
