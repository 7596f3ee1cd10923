//! Who has to show what: clients to podstamp, podstamp to the upstream.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use podstamp_test_support::blocking::grpc::{Grpc, UNAUTHENTICATED, framed};
use podstamp_test_support::blocking::http::{Client, JSON, PROTOBUF};
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup};

/// Starts an extension.
fn started(mut setup: Setup, id: &str, extension: &str) -> Setup {
    setup.config = setup.config.replace("service:\n", &format!("service:\n  extensions: [{id}]\n"));
    setup.config.push_str(&format!("extensions:\n  {id}:\n{extension}"));
    setup
}

/// A server with an authenticator that clients of both protocols have to satisfy.
fn guarded(agent: &FakeAgent, id: &str, extension: &str) -> Served {
    let setup = started(Setup::load_balancer(&agent.url()), id, extension);
    // The log of everything that it may have to say of a request.
    let setup = Setup { log: Some("trace".to_owned()), ..setup };
    setup.protocols(&format!("        auth:\n          authenticator: {id}")).serve()
}

/// Clients with one of `right` come in, and those with one of `wrong` do not.
fn lets_in(served: &Served, agent: &FakeAgent, challenge: &str, right: &[&str], wrong: &[Option<&str>]) {
    let batch = spans::export(&[("shop", "web-1")]);
    let mut http = Client::connect(served.address);
    let grpc = Grpc::connect(served.grpc);
    for credentials in wrong {
        for (encoding, body) in [(PROTOBUF, &batch), (JSON, &spans::export_json(&[("shop", "web-1")]))] {
            let shown = credentials.map(|credentials| ("authorization", credentials));
            let headers: Vec<_> = [encoding].into_iter().chain(shown).collect();
            let answer = http.send("POST", "/v1/traces", &headers, body);
            assert_eq!(answer.status, 401, "{credentials:?}");
            assert!(answer.header("www-authenticate").unwrap().starts_with(challenge));
            assert_eq!(answer.header("content-type"), Some(encoding.1));
            assert_eq!(Status::of(&answer).code, UNAUTHENTICATED);
        }
        let shown = credentials.map(|credentials| ("authorization", credentials));
        let called = grpc.call(shown.as_slice(), framed(&batch));
        assert_eq!(called.code(), UNAUTHENTICATED, "{credentials:?}");
    }
    assert_eq!(agent.records(), []);
    for credentials in right {
        let shown = ("authorization", *credentials);
        assert_eq!(http.send("POST", "/v1/traces", &[PROTOBUF, shown], &batch).status, 200);
        assert_eq!(grpc.call(&[shown], framed(&batch)).code(), 0);
    }
    assert_eq!(agent.records().len(), 2 * right.len());
    assert!(agent.records().iter().all(|record| record.header("authorization").is_none()));
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn bearer_tokens_let_clients_of_both_protocols_in() {
    let agent = FakeAgent::start();
    let tokens = "    tokens: [first-secret, second-secret]\n";
    let served = guarded(&agent, "bearertokenauth", tokens);
    lets_in(
        &served,
        &agent,
        "Bearer",
        &["Bearer first-secret", "Bearer second-secret", "bearer first-secret"],
        &[
            None,
            Some("Bearer third-secret"),
            Some("first-secret"),
            Some("Bearer "),
            Some("Basic first-secret"),
        ],
    );
    let log = served.whole_log();
    assert!(log.contains("TRACE") && log.contains("refused"), "{log}");
    assert!(!log.contains("-secret"), "{log}");
}

#[test]
fn passwords_let_clients_of_both_protocols_in() {
    let agent = FakeAgent::start();
    // As `htpasswd -B` writes it; the Collector's `$$` is a dollar.
    let hash = bcrypt::hash("open sesame", 4).unwrap();
    let users = format!("    htpasswd:\n      inline: |\n        ali:{}\n", hash.replace('$', "$$"));
    let served = guarded(&agent, "basicauth/clients", &users);
    lets_in(
        &served,
        &agent,
        "Basic",
        &[&basic("ali", "open sesame")],
        &[
            None,
            Some(&basic("ali", "open barley")),
            Some(&basic("cassim", "open sesame")),
            Some(&basic("ali", "")),
            Some(&basic("ali", &hash)),
            Some("Basic ali"),
            Some("Bearer open"),
        ],
    );
    let log = served.whole_log();
    for secret in ["open sesame", "open barley", &hash, &basic("ali", "open sesame")[6..]] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn the_exporter_shows_its_token_to_the_upstream() {
    let agent = FakeAgent::start();
    let setup = Setup::load_balancer(&agent.url());
    let mut setup = started(setup, "bearertokenauth/agent", "    token: of-the-exporter\n");
    let auth = "  otlphttp:\n    auth:\n      authenticator: bearertokenauth/agent\n";
    setup.config = setup.config.replace("  otlphttp:\n", auth);
    setup.log = Some("trace".to_owned());
    let served = setup.serve();
    let batch = spans::export(&[("shop", "web-1")]);
    // A client's credentials for podstamp go no further.
    let headers = [PROTOBUF, ("authorization", "Bearer of-the-client")];
    assert_eq!(Client::connect(served.address).send("POST", "/v1/traces", &headers, &batch).status, 200);
    let record = agent.records().pop().unwrap();
    let shown: Vec<_> = record.headers.iter().filter(|(name, _)| name == "authorization").collect();
    assert_eq!(shown, [&("authorization".to_owned(), "Bearer of-the-exporter".to_owned())]);
    let log = served.whole_log();
    assert!(!log.contains("of-the-"), "{log}");
}
