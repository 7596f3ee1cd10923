//! Sees whether a deepflow-agent is at a URL and takes traces there; if not, why, and what to do.

use std::error::Error;
use std::io::ErrorKind;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Response};
use podstamp_core::config::AGENT_PATH;

use crate::dated::Dated;
use crate::exchange::{Broken, NoTarget, PATIENCE, Target, exchange};

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// As it should be.
    Fine(String),
    /// What is wrong, and what to do.
    Wrong(String),
    /// What no request can find out, and is worth knowing before others send to that agent too.
    Advice(&'static str),
}

/// What asking an agent came to.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) findings: Vec<Finding>,
    /// Its clock. `None`: it did not answer, or not with a date.
    pub(crate) dated: Option<Dated>,
    /// Whether nobody was there at all: no address, or no connection.
    pub(crate) is_unreached: bool,
}

impl Probed {
    fn wrong(message: String) -> Self {
        Self { findings: vec![Finding::Wrong(message)], ..Self::default() }
    }
}

/// Looks. `http://host:port` stands for the agent's own path there.
pub(crate) async fn probe(url: &str) -> Probed {
    let target = match read_target(url) {
        Ok(target) => target,
        Err(wrong) => return Probed::wrong(wrong),
    };
    let sent = SystemTime::now();
    let response = match exchange(&target, Method::GET, "/", Bytes::new()).await {
        Ok(response) => response,
        Err(broken) => {
            let is_unreached = broken.is_unreached();
            return Probed { is_unreached, ..Probed::wrong(diagnose(&target, &broken)) };
        }
    };
    let dated = Dated::read(response.headers(), sent, SystemTime::now());
    let alive = alive(&target, &response);
    // An empty body is an empty export request: it changes nothing.
    let takes = match exchange(&target, Method::POST, &target.path, Bytes::new()).await {
        Ok(response) => match takes(&target, &response) {
            None => imports(&target, exchange(&target, Method::POST, &target.path, NO_EXPORT).await),
            Some(wrong) => Finding::Wrong(wrong),
        },
        Err(broken) => Finding::Wrong(diagnose(&target, &broken)),
    };
    let mut findings = vec![alive, takes];
    if findings.iter().all(|finding| matches!(finding, Finding::Fine(_))) {
        findings.push(Finding::Advice(ONE_AT_A_TIME));
    }
    Probed { findings, dated, is_unreached: false }
}

/// Where an agent takes traces that is named by a URL, with or without its path.
pub(crate) fn read_target(url: &str) -> Result<Target, String> {
    let mut target = Target::parse(url).map_err(|wrong| match wrong {
        NoTarget::Url(message) => message,
        NoTarget::Scheme(host) => {
            format!("deepflow-agent speaks plain HTTP only; write http://{host}")
        }
    })?;
    if target.path.is_empty() {
        AGENT_PATH.clone_into(&mut target.path);
    }
    Ok(target)
}

/// How deepflow-agent answers `GET /`: with a document that is built into it.
fn alive(target: &Target, response: &Response<Bytes>) -> Finding {
    let authority = target.authority();
    let document = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == "application/pdf");
    if response.status() == 200 && document {
        return Finding::Fine(format!("{authority} is a deepflow-agent"));
    }
    Finding::Wrong(format!(
        "{authority} does not look like a deepflow-agent: GET / gave {} where the agent gives 200 and a PDF. Is something \
         else on that port, or a proxy in between? The agent's integration listens on 38086 in its pod, and on port 80 of \
         the Service deepflow-agent",
        response.status().as_u16()
    ))
}

/// What is wrong with the answer to an empty export request.
fn takes(target: &Target, response: &Response<Bytes>) -> Option<String> {
    let Target { path, .. } = target;
    let authority = target.authority();
    let wrong = match response.status().as_u16() {
        200 if response.body().is_empty() => return None,
        200 => format!(
            "POST {path} gave 200 with a body, which deepflow-agent never does: something else answers there, perhaps a \
             Collector or a proxy"
        ),
        404 if path.ends_with("/v1/traces") => format!(
            "POST {path} gave 404: `endpoint` of otlphttp appends /v1/traces, which the agent does not know. Use \
             `traces_endpoint: http://{authority}{AGENT_PATH}` instead"
        ),
        404 => format!(
            "POST {path} gave 404: the agent takes traces at one path only, without a slash at its end. Use \
             `traces_endpoint: http://{authority}{AGENT_PATH}`"
        ),
        status @ (405 | 415) => format!(
            "POST {path} gave {status}, which deepflow-agent never does: something else answers there, perhaps an OTLP \
             receiver"
        ),
        status @ 502..=504 => format!(
            "POST {path} gave {status}: a proxy or mesh answers that cannot reach the agent; see its own log"
        ),
        status => format!("POST {path} gave {status} where the agent gives 200"),
    };
    Some(wrong)
}

/// Whether the agent does anything with what it takes, by its answer to a body that it cannot decode: it closes the connection,
/// unless it does not read bodies at all. A proxy in between makes an answer of the closed connection.
fn imports(target: &Target, answered: Result<Response<Bytes>, Broken>) -> Finding {
    let Target { path, .. } = target;
    let authority = target.authority();
    match answered {
        Err(Broken::Http(error)) if !error.is_parse() => {
            Finding::Fine(format!("it takes traces at http://{authority}{path}"))
        }
        Err(broken) => Finding::Wrong(diagnose(target, &broken)),
        Ok(response) => match response.status().as_u16() {
            200 => Finding::Wrong(format!(
                "{authority} answers 200 and throws traces away: its trace integration is disabled. Set \
                 inputs.integration.feature_control.trace_integration_disabled to false in the agent's configuration \
                 (before v6.6: external-trace-integration-disabled) and restart the agent"
            )),
            502..=504 => {
                Finding::Fine(format!("it takes traces at http://{authority}{path}, behind a proxy or mesh"))
            }
            status => Finding::Wrong(format!(
                "POST {path} gave {status} to a body that is no protobuf, which deepflow-agent never does: something else \
                 answers there, perhaps an OTLP receiver"
            )),
        },
    }
}

pub(crate) fn diagnose(target: &Target, broken: &Broken) -> String {
    let authority = target.authority();
    let port = match target.port {
        38086 => "In the cluster the Service deepflow-agent has port 80, not 38086",
        80 => "The Service deepflow-agent has port 80, the agent itself 38086",
        _ => {
            "The Service deepflow-agent has port 80, the agent itself 38086 unless inputs.integration.listen_port says otherwise"
        }
    };
    match broken {
        Broken::Resolve(error) => {
            format!("{} has no address ({error}): in the cluster write deepflow-agent.NAMESPACE", target.host)
        }
        Broken::Connect(error) if error.kind() == ErrorKind::ConnectionRefused => format!(
            "{authority} refuses the connection. Is the agent's integration on (inputs.integration.enabled), and the agent \
             registered and enabled? {port}. Without hostNetwork the agent listens in its pod, not on the node"
        ),
        Broken::Connect(error) => format!("no connection to {authority}: {error}"),
        Broken::Unreachable => format!(
            "{authority} does not answer within {} s: a wrong address, or a NetworkPolicy or firewall that drops it. {port}",
            PATIENCE.as_secs()
        ),
        Broken::Silent => {
            format!("{authority} takes the connection and then says nothing: not an agent, or one that hangs")
        }
        Broken::Http(error) if error.is_parse() => {
            format!(
                "{authority} speaks something else than HTTP/1.1: a TLS or gRPC port? The agent speaks plain HTTP"
            )
        }
        Broken::Http(error) => {
            let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            format!(
                "{authority} closes the connection without an answer ({reason}): a TLS port, a mesh that refuses, or an \
                 agent that restarts"
            )
        }
        Broken::TooLong => format!("{authority} sends more than an agent ever does: something else is there"),
    }
}

/// JSON: no protobuf, and nothing that anybody would store.
const NO_EXPORT: Bytes = Bytes::from_static(b"{}");

/// From v7.0.8 on; nothing in its answers tells which version it is.
const ONE_AT_A_TIME: &str = "to know: deepflow-agent of v7 crashes when requests for traces come at the same time, and counts spans \
     of several connections under wrong pods. `podstamp serve` sends it one request after the other. What else sends to this agent \
     (the module in Envoy, whose workers each have a connection, a Collector, SDKs) goes through a podstamp, or the agent gets \
     `async-worker-thread-number: 1` in its deepflow-agent.yaml, which keeps it alive";

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// Answers every connection's first request with these bytes, and closes.
    async fn answering(bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
                stream.write_all(bytes).await.unwrap();
            }
        });
        address.to_string()
    }

    async fn wrong(url: &str, words: &[&str]) {
        let findings = probe(url).await.findings;
        let text = format!("{findings:?}");
        assert!(findings.iter().any(|finding| matches!(finding, Finding::Wrong(_))), "{text}");
        for word in words {
            assert!(text.contains(word), "{word} is not in {text}");
        }
    }

    async fn agent() -> podstamp_fake_agent::Agent {
        podstamp_fake_agent::Agent::builder().listen(([127, 0, 0, 1], 0).into()).start().await.unwrap()
    }

    #[tokio::test]
    async fn an_agent_is_fine_by_its_address_and_by_its_full_url() {
        let agent = agent().await;
        for url in [agent.address().to_string(), format!("http://{}", agent.address()), agent.url()] {
            let findings = probe(&url).await.findings;
            let [Finding::Fine(_), Finding::Fine(takes), Finding::Advice(advice)] = &findings[..] else {
                panic!("{findings:?}")
            };
            assert_eq!(*takes, format!("it takes traces at {}", agent.url()));
            assert!(advice.contains("async-worker-thread-number: 1") && advice.contains("Envoy"), "{advice}");
        }
        assert_eq!((agent.totals().spans, agent.totals().aborts), (0, 0));
    }

    #[tokio::test]
    async fn an_agent_whose_trace_integration_is_disabled_is_told() {
        let agent = agent().await;
        agent.play_always(podstamp_fake_agent::Script::Disabled);
        let key = "inputs.integration.feature_control.trace_integration_disabled";
        wrong(&agent.url(), &["answers 200 and throws traces away", key, "is a deepflow-agent"]).await;
    }

    #[tokio::test]
    async fn an_agent_behind_a_proxy_is_seen_through_its_answer() {
        let agent = agent().await;
        let unreachable = podstamp_fake_agent::Answer::new(503).unwrap();
        agent.play(1, podstamp_fake_agent::Script::Import);
        agent.play(1, podstamp_fake_agent::Script::Answer(unreachable));
        let findings = probe(&agent.url()).await.findings;
        let [_, Finding::Fine(takes), _] = &findings[..] else { panic!("{findings:?}") };
        assert!(takes.ends_with("/api/v1/otel/trace, behind a proxy or mesh"), "{takes}");
        agent.play(1, podstamp_fake_agent::Script::Import);
        agent.play(1, podstamp_fake_agent::Script::Answer(podstamp_fake_agent::Answer::new(400).unwrap()));
        wrong(&agent.url(), &["gave 400 to a body that is no protobuf"]).await;
    }

    #[tokio::test]
    async fn a_wrong_path_is_told_with_the_right_one() {
        let agent = agent().await;
        let right = format!("traces_endpoint: {}", agent.url());
        wrong(&format!("{}/v1/traces", agent.url()), &["404", "`endpoint` of otlphttp appends", &right])
            .await;
        wrong(&format!("{}/", agent.url()), &["404", "without a slash", &right]).await;
    }

    #[tokio::test]
    async fn nobody_there_is_told_with_what_to_look_at() {
        // Held, so that no other test's listener gets the port.
        let bound = TcpSocket::new_v4().unwrap();
        bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = bound.local_addr().unwrap().to_string();
        wrong(&address, &["refuses", "inputs.integration.enabled", "port 80", "hostNetwork"]).await;
        wrong("http://no-such-host.invalid/", &["no-such-host.invalid has no address"]).await;
        wrong("https://127.0.0.1:1", &["plain HTTP only", "http://127.0.0.1"]).await;
        wrong("http://[", &["is no URL"]).await;
        let expected = "is no URL: an IPv6 address takes brackets, write http://[fd00::1]:38086";
        wrong("fd00::1:38086", &[expected]).await;
        wrong("http://fd00::1:38086/a", &[&format!("{expected}/a")]).await;
    }

    #[tokio::test]
    async fn something_that_is_no_agent_is_told() {
        let receiver = answering(b"HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n").await;
        wrong(&receiver, &["does not look like a deepflow-agent", "POST /api/v1/otel/trace gave 405"]).await;
        let collector = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        wrong(&collector, &["200 with a body"]).await;
        let mesh = answering(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").await;
        wrong(&mesh, &["a proxy or mesh"]).await;
        let tls = answering(b"\x15\x03\x01\x00\x02\x02\x16").await;
        wrong(&tls, &["something else than HTTP"]).await;
        let closing = answering(b"").await;
        wrong(&closing, &["closes the connection"]).await;
    }
}
