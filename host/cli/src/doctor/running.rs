//! Checks of a running podstamp, by its admin listener: readiness, its pods, and peers that led to none.

mod metrics;
mod peers;

use bytes::Bytes;
use http::{Method, StatusCode};
use podstamp_core::config::Config;

use super::check;
use super::finding::Finding;
use super::kubernetes::installation::Installation;
use super::report::Report;
use super::standpoint::Standpoint;
use crate::exchange::{Broken, NoTarget, Target, exchange};
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
            Ok(target) => Admin::At { target, is_named: true },
            Err(NoTarget::Url(why)) => Admin::Wrong(why),
            Err(NoTarget::Scheme(host)) => {
                Admin::Wrong(format!("{url}: the admin listener speaks plain HTTP only; write http://{host}"))
            }
        };
    }
    let configured = config.and_then(|config| config.admin.as_deref());
    let target = configured.and_then(|address| Target::parse(&on_this_host(address)).ok());
    match (standpoint, target) {
        (Standpoint::Outside, target) => Admin::Within(target.map(|target| target.port)),
        (_, Some(target)) => Admin::At { target, is_named: false },
        (_, None) => Admin::Off,
    }
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
    installation: &Installation,
    standpoint: Standpoint,
    report: &mut Report<'_>,
) -> Running {
    let target = match admin {
        Admin::At { target, .. } => target,
        nowhere => {
            report.add(check::READY, unreachable(nowhere, installation));
            report.skip_all(&[check::POD_TABLE, check::PEERS], check::READY);
            return Running::Unseen;
        }
    };
    match exchange(target, Method::GET, "/readyz", Bytes::new()).await {
        Ok(response) => {
            let body = String::from_utf8_lossy(response.body()).trim().to_owned();
            let authority = target.authority();
            let (finding, running) = match response.status() {
                StatusCode::OK if body == "ready" => {
                    (Finding::fine(format!("podstamp at {authority} is ready")), Running::Ready)
                }
                StatusCode::SERVICE_UNAVAILABLE => (
                    Finding::failed(
                        format!("podstamp at {authority} is not ready: {body}"),
                        "its log says what it waits for; the checks above say why it does not come",
                    ),
                    Running::Waiting,
                ),
                status => (
                    Finding::failed(
                        format!(
                            "{authority} is no admin listener of podstamp: GET /readyz gave {}",
                            status.as_u16()
                        ),
                        "it is what `podstamp.admin.endpoint` says, 127.0.0.1:8888 by default",
                    ),
                    Running::Unseen,
                ),
            };
            report.add(check::READY, finding);
            if running == Running::Unseen {
                report.skip_all(&[check::POD_TABLE, check::PEERS], check::READY);
                return running;
            }
            report.add(check::POD_TABLE, pod_table(target).await);
            report.add(check::PEERS, peers(target).await);
            running
        }
        Err(broken) => {
            let is_named = matches!(admin, Admin::At { is_named: true, .. });
            report.add(check::READY, unheard(target, &broken, is_named, standpoint));
            report.skip_all(&[check::POD_TABLE, check::PEERS], check::READY);
            Running::Unseen
        }
    }
}

/// What is known of a running podstamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Running {
    Ready,
    Waiting,
    Unseen,
}

fn unreachable(admin: &Admin, installation: &Installation) -> Finding {
    match admin {
        Admin::Wrong(why) => Finding::failed(why.clone(), "correct --admin").exits(crate::exit::Exit::Usage),
        Admin::Within(port) => {
            let port = port.unwrap_or(DEFAULT_PORT);
            let finding = Finding::skipped("podstamp's admin listener is in its pod, and this host is not")
                .advise(format!(
                    "run this again with --admin http://127.0.0.1:{port} while the first of these runs, or run it in \
                     podstamp's pod:"
                ));
            let commands = installation.forward(port).into_iter().chain(installation.exec());
            commands.fold(finding, Finding::command)
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

async fn pod_table(target: &Target) -> Finding {
    match exchange(target, Method::GET, "/metrics", Bytes::new()).await {
        Ok(response) if response.status() == StatusCode::OK => {
            Metrics::read(&String::from_utf8_lossy(response.body())).judge()
        }
        answered => unanswered("/metrics", answered),
    }
}

async fn peers(target: &Target) -> Finding {
    match exchange(target, Method::GET, "/peers", Bytes::new()).await {
        Ok(response) if response.status() == StatusCode::OK => peers::judge(response.body()),
        Ok(response) if response.status() == StatusCode::NOT_FOUND => {
            Finding::skipped("that podstamp is older and does not tell them")
        }
        answered => unanswered("/peers", answered),
    }
}

fn unanswered(path: &str, answered: Result<http::Response<Bytes>, Broken>) -> Finding {
    let why = match answered {
        Ok(response) => format!("GET {path} gave {}", response.status().as_u16()),
        Err(broken) => format!("GET {path} got no answer: {broken:?}"),
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
