//! Checks of a running podstamp, by its admin listener: readiness, its pods, and peers that led to none.

mod listener;
mod metrics;
mod peers;

use bytes::Bytes;
use http::StatusCode;
use podstamp_core::config::Config;

use super::check;
use super::finding::Finding;
use super::kubernetes::Api;
use super::kubernetes::installation::Installation;
use super::report::Report;
use super::standpoint::Standpoint;
use crate::credentials::{self, Credentials};
use crate::exchange::{Broken, NoTarget, Target};
use listener::{Listener, NoAnswer};
use metrics::Metrics;

/// Where the admin listener is, as far as it can be reached from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admin {
    /// To be asked. `is_named`: by the command line, so that it has to answer.
    At { target: Target, is_named: bool },
    /// What the command line names is no URL.
    Wrong(String),
    /// The configuration has none.
    Off,
    /// It is in a pod.
    Within(Option<u16>),
}

/// Finds the admin listener.
pub(super) fn admin(named: Option<&str>, config: Option<&Config>, standpoint: Standpoint) -> Admin {
    if let Some(url) = named {
        return match Target::parse(url) {
            Ok(target) => Admin::At { target: with_credentials(target), is_named: true },
            Err(NoTarget::Url(why)) => Admin::Wrong(why),
            Err(NoTarget::Scheme(host)) => {
                Admin::Wrong(format!("the admin listener speaks plain HTTP only; write http://{host}"))
            }
        };
    }
    let configured = config.and_then(|config| config.admin.as_ref());
    let target = configured.and_then(|admin| Target::parse(&on_this_host(&admin.endpoint)).ok());
    match (standpoint, target) {
        (Standpoint::Outside, Some(target)) => Admin::Within(Some(target.port)),
        (Standpoint::Outside, None) if config.is_none() => Admin::Within(None),
        (Standpoint::Inside | Standpoint::Alone, Some(target)) => {
            Admin::At { target: with_credentials(target), is_named: false }
        }
        (_, None) => Admin::Off,
    }
}

/// A target with the credentials of the environment, unless it has some.
fn with_credentials(target: Target) -> Target {
    let credentials = target.credentials.or_else(Credentials::of_environment);
    Target { credentials, ..target }
}

/// The address by which a listener is reached from its own host.
pub(super) fn on_this_host(endpoint: &str) -> String {
    match endpoint.rsplit_once(':') {
        Some(("0.0.0.0" | "", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => endpoint.to_owned(),
    }
}

/// Asks it all. Gives whether a podstamp runs and is ready.
pub(super) async fn check(
    admin: &Admin,
    api: Option<&Api>,
    installation: &Installation,
    standpoint: Standpoint,
    report: &mut Report<'_>,
) -> Running {
    let through =
        |port: &Option<u16>| Listener::through(api?, installation.first()?, port.unwrap_or(DEFAULT_PORT));
    let listener = match admin {
        Admin::At { target, .. } => Some(Listener::At(target)),
        Admin::Within(port) => through(port),
        Admin::Off | Admin::Wrong(_) => None,
    };
    let Some(listener) = listener else {
        return unseen(unreachable(admin, installation, None), report);
    };
    let name = listener.name();
    match listener.get("/readyz").await {
        Ok((StatusCode::OK, body)) if body.trim_ascii() == b"ready" => {
            let finding = Finding::fine(format!("podstamp at {name} is ready"));
            report.add(check::READY, with_console(finding, &listener, installation).await);
            rest(&listener, report).await;
            Running::Ready
        }
        Ok((StatusCode::SERVICE_UNAVAILABLE, body)) => {
            let missing = String::from_utf8_lossy(&body).trim().to_owned();
            let advice = "its log says what it waits for; the checks above say why it does not come";
            let finding = Finding::failed(format!("podstamp at {name} is not ready: {missing}"), advice);
            report.add(check::READY, finding);
            rest(&listener, report).await;
            Running::Waiting
        }
        Ok((status, _)) => unseen(
            Finding::failed(
                format!("{name} is no admin listener of podstamp: GET /readyz gave {}", status.as_u16()),
                "it is what `podstamp.admin.endpoint` says, 127.0.0.1:8888 by default",
            ),
            report,
        ),
        Err(NoAnswer::Broken(target, broken)) => {
            let is_named = matches!(admin, Admin::At { is_named: true, .. });
            unseen(unheard(&target, &broken, is_named, standpoint), report)
        }
        Err(NoAnswer::NotThrough(why)) => unseen(unreachable(admin, installation, Some(why)), report),
    }
}

/// Says where the console is, if there is one.
async fn with_console(finding: Finding, listener: &Listener<'_>, installation: &Installation) -> Finding {
    // One that asks for credentials is there too.
    let answered = listener.get("/console/live").await;
    if !matches!(answered, Ok((StatusCode::OK | StatusCode::UNAUTHORIZED, _))) {
        return finding;
    }
    match listener {
        Listener::At(target) => finding.detail(format!("its console: http://{}/", target.authority())),
        Listener::Through { port, .. } => {
            let finding = finding.detail(format!("its console: http://127.0.0.1:{port}/ while this runs:"));
            installation.forward(*port).into_iter().fold(finding, Finding::command)
        }
    }
}

fn unseen(finding: Finding, report: &mut Report<'_>) -> Running {
    report.add(check::READY, finding);
    report.skip_all(&[check::POD_TABLE, check::PEERS], check::READY);
    Running::Unseen
}

async fn rest(listener: &Listener<'_>, report: &mut Report<'_>) {
    report.add(check::POD_TABLE, pod_table(listener).await);
    report.add(check::PEERS, peers(listener).await);
}

/// What is known of a running podstamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Running {
    Ready,
    Waiting,
    Unseen,
}

/// `why`: the API server does not pass requests on.
fn unreachable(admin: &Admin, installation: &Installation, why: Option<String>) -> Finding {
    match admin {
        Admin::Wrong(why) => Finding::failed(why.clone(), "correct --admin").exits(crate::exit::Exit::Usage),
        Admin::Within(port) => {
            let port = port.unwrap_or(DEFAULT_PORT);
            let through = why.map(|why| format!("; through the API server it is not reached: {why}"));
            let place = "podstamp's admin listener is in its pod, and this host is not";
            let finding = Finding::skipped(format!("{place}{}", through.unwrap_or_default()));
            let commands: Vec<_> =
                installation.forward(port).into_iter().chain(installation.exec()).collect();
            if commands.is_empty() {
                return finding.advise("bring it here with `kubectl port-forward`, and name it with --admin");
            }
            let finding = finding.advise(format!(
                "run this again with --admin http://127.0.0.1:{port} while the first of these runs, or run it in podstamp's pod:"
            ));
            commands.into_iter().fold(finding, Finding::command)
        }
        Admin::Off | Admin::At { .. } => Finding::skipped("the configuration has no admin listener")
            .advise("with `podstamp: {admin: {}}` a running podstamp can be asked at 127.0.0.1:8888"),
    }
}

fn unheard(target: &Target, broken: &Broken, is_named: bool, standpoint: Standpoint) -> Finding {
    let authority = target.authority();
    let why = match broken {
        Broken::Resolve(error) => format!("{} has no address: {error}", target.host),
        Broken::Connect(error) => format!("no connection to {authority}: {error}"),
        Broken::Unreachable => format!("{authority} does not answer"),
        Broken::Silent => format!("{authority} takes the connection and gives no answer"),
        Broken::Http(error) => format!("{authority} does not speak HTTP as podstamp does: {error}"),
        Broken::TooLong => format!("{authority} sends more than podstamp ever does"),
    };
    let runs_here = is_named || standpoint == Standpoint::Inside;
    if broken.is_unreached() && !runs_here {
        return Finding::skipped(format!("no podstamp runs here: {why}"));
    }
    Finding::failed(why, "does podstamp run there, and is `podstamp.admin` in its configuration?")
}

async fn pod_table(listener: &Listener<'_>) -> Finding {
    match listener.get("/metrics").await {
        Ok((StatusCode::OK, body)) => Metrics::read(&String::from_utf8_lossy(&body)).judge(),
        answered => unanswered("/metrics", answered),
    }
}

async fn peers(listener: &Listener<'_>) -> Finding {
    match listener.get("/peers").await {
        Ok((StatusCode::OK, body)) => peers::judge(&body),
        Ok((StatusCode::NOT_FOUND, _)) => Finding::skipped("that podstamp is older and does not tell them"),
        answered => unanswered("/peers", answered),
    }
}

fn unanswered(path: &str, answered: Result<(StatusCode, Bytes), NoAnswer>) -> Finding {
    let why = match answered {
        Ok((StatusCode::UNAUTHORIZED, _)) => {
            let advice = format!(
                "give them as --admin http://USER:PASSWORD@HOST:PORT, or in {}; through the API server none can be shown",
                credentials::VARIABLE
            );
            return Finding::skipped("it asks for credentials (podstamp.admin.auth)").advise(advice);
        }
        // The API server passes its own name on.
        Ok((StatusCode::MISDIRECTED_REQUEST, _)) => {
            let advice = "name the host that was asked in podstamp.admin.hosts (through the API server, that server's), or bring the \
                          listener here with `kubectl port-forward` and name it with --admin";
            return Finding::skipped("it does not go by the name that it was asked by").advise(advice);
        }
        Ok((status, _)) => format!("GET {path} gave {}", status.as_u16()),
        Err(NoAnswer::Broken(_, broken)) => format!("GET {path} got no answer: {broken:?}"),
        Err(NoAnswer::NotThrough(why)) => format!("GET {path} got no answer: {why}"),
    };
    Finding::failed(why, "see podstamp's log")
}

const DEFAULT_PORT: u16 = 8888;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_loopback() {
        for (endpoint, expected) in [
            ("0.0.0.0:8888", "127.0.0.1:8888"),
            (":8888", "127.0.0.1:8888"),
            ("[::]:8888", "[::1]:8888"),
            ("10.0.0.1:8888", "10.0.0.1:8888"),
            ("localhost:8888", "localhost:8888"),
        ] {
            assert_eq!(on_this_host(endpoint), expected);
        }
    }
}
