//! Authenticators, and who refers to them.

use serde_json::{Value, json};

use super::{faults, notices, parsed, simple};
use crate::config::catalog::Catalog;
use crate::config::document::{Entry, Findings};
use crate::config::{ClientAuth, Htpasswd, Place, ServerAuth, Source, service};

/// The simple configuration with an exporter that refers to `id`, and these extensions, all of them started.
fn authenticating(id: &str, extensions: Value) -> Value {
    let mut document = simple();
    document["exporters"]["otlphttp"]["traces_endpoint"] = json!("https://agent/api/v1/otel/trace");
    document["exporters"]["otlphttp"]["auth"] = json!({"authenticator": id});
    document["service"]["extensions"] = extensions.as_object().unwrap().keys().cloned().collect();
    document["extensions"] = extensions;
    document
}

fn client(id: &str, extensions: Value) -> ClientAuth {
    parsed(&authenticating(id, extensions)).traces.exporter.auth.unwrap()
}

/// What a receiver that refers to `id` demands.
fn server(id: &str, extensions: Value) -> Result<Option<ServerAuth>, Vec<String>> {
    let findings = Findings::default();
    let document = authenticating(id, extensions);
    let auth = json!({"authenticator": id});
    let mut root = Entry::root(&document, &findings).section();
    let catalog = Catalog::of_document(&mut root);
    let read = service::read_service(&root.take("service"), &catalog);
    let read = read.extensions.server(&Entry::root(&auth, &findings));
    match findings.conclude() {
        Ok(_) => Ok(read),
        Err(faults) => Err(faults.iter().map(ToString::to_string).collect()),
    }
}

fn texts(sources: &[Source]) -> Vec<&str> {
    let mut texts = Vec::new();
    for source in sources {
        texts.push(match &source.place {
            Place::Inline(secret) => secret.expose(),
            Place::File(name) => name,
        });
    }
    texts
}

#[test]
fn an_exporter_shows_a_token_or_a_password() {
    for id in ["bearertokenauth", "bearer_token_auth", "bearertokenauth/upstream"] {
        let ClientAuth::Bearer(bearer) = client(id, json!({id: {"token": "t0p"}})) else { panic!("{id}") };
        assert_eq!((bearer.header.as_str(), bearer.scheme.as_str()), ("authorization", "Bearer"));
        assert_eq!((texts(&bearer.tokens), bearer.path), (vec!["t0p"], format!("extensions.{id}")));
    }
    let settings = json!({"header": "X-Api-Key", "scheme": "", "filename": "/token", "token": "ignored"});
    let extension = json!({"bearertokenauth": settings});
    let ClientAuth::Bearer(bearer) = client("bearertokenauth", extension) else { panic!() };
    assert_eq!((bearer.header.as_str(), bearer.scheme.as_str()), ("x-api-key", ""));
    assert_eq!(bearer.tokens[0].file(), Some("/token"));

    let settings = json!({"username": "me", "username_file": "/user", "password": "pw"});
    let ClientAuth::Basic(login) = client("basicauth", json!({"basicauth": {"client_auth": settings}}))
    else {
        panic!()
    };
    assert_eq!((login.username.file(), texts(login.password.as_slice())), (Some("/user"), vec!["pw"]));
}

#[test]
fn a_receiver_demands_tokens_or_passwords() {
    let read = server("bearertokenauth", json!({"bearertokenauth": {"tokens": ["a", "b"]}})).unwrap();
    let Some(ServerAuth::Bearer(bearer)) = read else { panic!() };
    assert_eq!(texts(&bearer.tokens), ["a", "b"]);
    let htpasswd = json!({"file": "/htpasswd", "inline": "me:pw"});
    let read = server("basic_auth/s", json!({"basic_auth/s": {"htpasswd": htpasswd}})).unwrap();
    let Some(ServerAuth::Basic(Htpasswd { sources, .. })) = read else { panic!() };
    assert_eq!(texts(&sources), ["/htpasswd", "me:pw"], "what stands in the document goes ahead");
}

#[test]
fn an_authenticator_that_is_for_the_other_side_is_a_fault() {
    let for_receivers = json!({"basicauth": {"htpasswd": {"inline": "a:b"}}});
    let expected = "exporters.otlphttp.auth.authenticator: `extensions.basicauth` is for receivers";
    let found = faults(&authenticating("basicauth", for_receivers));
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    let for_exporters = json!({"basicauth": {"client_auth": {"username": "a"}}});
    let found = server("basicauth", for_exporters).unwrap_err();
    assert!(found[0].starts_with("authenticator: `extensions.basicauth` is for exporters"), "{found:?}");
}

#[test]
fn a_reference_that_leads_nowhere_is_a_fault() {
    let token = json!({"bearertokenauth": {"token": "t"}});
    let path = "exporters.otlphttp.auth.authenticator";
    let mut stopped = authenticating("bearertokenauth", token.clone());
    stopped["service"]["extensions"] = json!([]);
    let mut nowhere = authenticating("bearertokenauth", token.clone());
    nowhere["service"]["extensions"] = json!(["bearertokenauth", "zpages"]);
    let mut missing = authenticating("bearertokenauth", token.clone());
    missing["exporters"]["otlphttp"]["auth"] = json!({});
    let mut twice = authenticating("bearertokenauth", token.clone());
    twice["exporters"]["otlphttp"]["headers"] = json!({"Authorization": "Bearer x"});
    for (document, expected) in [
        (
            authenticating("bearertokenaut", token),
            format!("{path}: `extensions` defines no `bearertokenaut`; did you mean `bearertokenauth`?"),
        ),
        (stopped, format!("{path}: `bearertokenauth` is not started: add it to service.extensions")),
        (nowhere, "service.extensions[1]: `extensions` defines no `zpages`".to_owned()),
        (missing, format!("{path}: is missing: the id of an extension")),
        (
            twice,
            "exporters.otlphttp.auth: `headers` has `authorization` as well: keep one of them".to_owned(),
        ),
        (
            authenticating("oidc", json!({"oidc": {}})),
            format!(
                "{path}: podstamp has no `oidc` authenticator: use bearertokenauth or basicauth, or put the \
                 credentials into `headers`"
            ),
        ),
    ] {
        assert_eq!(faults(&document), [expected]);
    }
}

#[test]
fn extensions_that_cannot_work_are_faults() {
    for (id, settings, expected) in [
        ("bearertokenauth", json!(null), ": has no token"),
        (
            "bearertokenauth",
            json!({"token": "s3cret", "tokens": ["s3cret"]}),
            ".token: stands beside `tokens`",
        ),
        ("bearertokenauth", json!({"token": "s3cret\n"}), ".token: a token has characters"),
        ("bearertokenauth", json!({"token": "s3cret", "header": "a b"}), ".header: is no name"),
        ("bearertokenauth", json!({"token": "s3cret", "scheme": "a b"}), ".scheme: is no name"),
        ("bearertokenauth", json!({"tokn": "s3cret", "token": "s3cret"}), ".tokn: unknown key; did you mean"),
        ("basicauth", json!({}), ": has neither `htpasswd` nor `client_auth`"),
        ("basicauth", json!({"client_auth": {"password": "s3cret"}}), ".client_auth.username: is missing"),
        ("basicauth", json!({"client_auth": {"username": "s3:cret"}}), ".client_auth.username: has a colon"),
        (
            "basicauth",
            json!({"client_auth": {"username": "a"}, "htpasswd": {"inline": "s3cret"}}),
            ".client_auth: stands beside `htpasswd`",
        ),
        (
            "basicauth",
            json!({"client_auth": {"username": "a", "aws_secrets_manager": {"secret_arn": "x"}}}),
            ".client_auth.aws_secrets_manager: podstamp does not speak to it",
        ),
    ] {
        let found = faults(&authenticating(id, json!({id: settings})));
        let expected = format!("extensions.{id}{expected}");
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{settings} {found:?}");
        assert!(!found[0].contains("s3cret"), "{found:?}");
    }
    let found = server("basicauth", json!({"basicauth": {"htpasswd": {}}})).unwrap_err();
    assert!(found[0].starts_with("extensions.basicauth: has neither `htpasswd` nor"), "{found:?}");
}

#[test]
fn what_is_unused_or_unsafe_is_told_and_secrets_are_not() {
    let mut document = simple();
    document["extensions"] = json!({"basicauth": {"htpasswd": {"inline": "a:s3cret"}}});
    let expected = "Info extensions.basicauth: nothing refers to it: no receiver or exporter of a pipeline that runs, nor podstamp.admin and podstamp.pods";
    assert_eq!(notices(&document), [expected]);

    let mut document = authenticating("bearertokenauth", json!({"bearertokenauth": {"token": "s3cret"}}));
    document["exporters"]["otlphttp"]["tls"] = json!(null);
    assert_eq!(notices(&document), [""; 0]);
    assert!(!format!("{:?}", parsed(&document)).contains("s3cret"));
    document["exporters"]["otlphttp"]["traces_endpoint"] = json!("http://agent/api/v1/otel/trace");
    let found = notices(&document);
    assert!(found[0].starts_with("Warning exporters.otlphttp.auth: the URL is http"), "{found:?}");
}
