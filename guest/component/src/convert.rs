//! Turns the core's shapes into those of `wit/`, and back.

use std::net::IpAddr;

use podstamp_core::address;
use podstamp_core::directory::{self, Term, Text};
use podstamp_core::hosting::acknowledged;
use podstamp_core::interface;

use crate::bindings::exports::podstamp::filter::filter as wit;
use crate::bindings::podstamp::filter::{pods, types};

impl From<types::Header> for interface::Header {
    fn from(header: types::Header) -> Self {
        Self { name: header.name, value: header.value }
    }
}

impl From<interface::Header> for types::Header {
    fn from(header: interface::Header) -> Self {
        Self { name: header.name, value: header.value }
    }
}

impl From<interface::Notice> for types::Notice {
    fn from(notice: interface::Notice) -> Self {
        let level = match notice.level {
            interface::Level::Info => types::Level::Info,
            interface::Level::Warning => types::Level::Warning,
            interface::Level::Error => types::Level::Error,
        };
        Self { level, key: notice.key.into_owned(), message: notice.message }
    }
}

pub(crate) fn signal(signal: types::Signal) -> interface::Signal {
    match signal {
        types::Signal::Traces => interface::Signal::Traces,
        types::Signal::Metrics => interface::Signal::Metrics,
        types::Signal::Logs => interface::Signal::Logs,
    }
}

pub(crate) fn address(types::IpAddress { high, low }: types::IpAddress) -> IpAddr {
    address::of_halves(high, low)
}

fn encoding(encoding: interface::Encoding) -> types::Encoding {
    match encoding {
        interface::Encoding::Protobuf => types::Encoding::Protobuf,
        interface::Encoding::Json => types::Encoding::Json,
        interface::Encoding::Grpc => types::Encoding::Grpc,
    }
}

/// What `conclude` answers to each kind of request that the upstream has taken without a word.
pub(crate) fn acknowledgements() -> Vec<wit::Acknowledgement> {
    let signals =
        [types::Signal::Traces, types::Signal::Metrics, types::Signal::Logs].map(|told| (told, signal(told)));
    let kinds = signals.into_iter().flat_map(|signal| interface::Encoding::ALL.map(|kind| (signal, kind)));
    kinds
        .map(|((told, signal), kind)| wit::Acknowledgement {
            signal: told,
            encoding: encoding(kind),
            answer: acknowledged(signal, kind).into(),
        })
        .collect()
}

impl From<wit::Attempt> for interface::Attempt {
    fn from(attempt: wit::Attempt) -> Self {
        let encoding = match attempt.encoding {
            types::Encoding::Protobuf => interface::Encoding::Protobuf,
            types::Encoding::Json => interface::Encoding::Json,
            types::Encoding::Grpc => interface::Encoding::Grpc,
        };
        let signal = signal(attempt.signal);
        let wit::Attempt { upstream, number, elapsed, patience, delivered, random, .. } = attempt;
        Self { signal, upstream, encoding, number, elapsed, patience, delivered, random }
    }
}

impl From<interface::Prepared> for wit::Prepared {
    fn from(prepared: interface::Prepared) -> Self {
        let verdict = match prepared.verdict {
            interface::Verdict::Forward(outbound) => wit::Verdict::Forward(outbound.into()),
            interface::Verdict::Answer(answer) => wit::Verdict::Answer(answer.into()),
        };
        let notices = prepared.notices.into_iter().map(Into::into).collect();
        Self { verdict, report: prepared.report.into(), notices }
    }
}

impl From<interface::Outbound> for wit::Outbound {
    fn from(outbound: interface::Outbound) -> Self {
        let encoding = encoding(outbound.encoding);
        let content = match outbound.content {
            interface::Content::Unchanged => wit::Content::Unchanged,
            interface::Content::Edited(edits) => wit::Content::Edited(wit::Edits {
                edits: edits
                    .edits
                    .iter()
                    .map(|edit| wit::Edit { offset: edit.offset, remove: edit.remove, insert: edit.insert })
                    .collect(),
                inserted: edits.inserted,
            }),
            interface::Content::Replaced(body) => wit::Content::Replaced(body),
        };
        let headers = outbound.headers.into_iter().map(Into::into).collect();
        let copies = outbound.copies.into_iter().map(Into::into).collect();
        let part =
            |part: interface::Part| wit::Part { end: part.end, spans: part.spans, memory: part.memory };
        let parts = outbound.parts.into_iter().map(part).collect();
        Self { url: outbound.url, headers, timeout: outbound.timeout, copies, content, parts, encoding }
    }
}

impl From<interface::Upstream> for wit::Upstream {
    fn from(upstream: interface::Upstream) -> Self {
        let headers = upstream.headers.into_iter().map(Into::into).collect();
        Self { url: upstream.url, headers, timeout: upstream.timeout }
    }
}

impl From<interface::Answer> for wit::Answer {
    fn from(answer: interface::Answer) -> Self {
        Self {
            status: answer.status,
            headers: answer.headers.into_iter().map(Into::into).collect(),
            body: answer.body,
            notice: answer.notice.map(Into::into),
        }
    }
}

impl From<interface::Report> for wit::Report {
    fn from(report: interface::Report) -> Self {
        Self {
            resources: report.resources,
            spans: report.spans,
            address_kept: report.address_kept,
            address_pipeline: report.address_pipeline,
            address_pod_ip: report.address_pod_ip,
            address_pod: report.address_pod,
            address_connection: report.address_connection,
            address_unknown: report.address_unknown,
            address_contradicted: report.address_contradicted,
            refused: report.refused,
            kinds_cleared: report.kinds_cleared,
            resources_created: report.resources_created,
            addresses_normalised: report.addresses_normalised,
            addresses_repaired: report.addresses_repaired,
            peers_renamed: report.peers_renamed,
            spans_moved: report.spans_moved,
            spans_far: report.spans_far,
            spans_senseless: report.spans_senseless,
            names_cut: report.names_cut,
            texts_mended: report.texts_mended,
            requests_split: report.requests_split,
        }
    }
}

impl From<interface::Next> for wit::Next {
    fn from(next: interface::Next) -> Self {
        match next {
            interface::Next::Answer(answer) => Self::Answer(answer.into()),
            interface::Next::Retry(wait) => Self::Retry(wait),
            interface::Next::Mend(mended) => {
                Self::Mend(wit::Mended { body: mended.body, texts: mended.texts })
            }
        }
    }
}

impl From<pods::Pod> for directory::Pod {
    fn from(pod: pods::Pod) -> Self {
        let pods::TextLengths { name, namespace, uid, ips, hostname, node, start_time, deployment, phase } =
            pod.lengths;
        let lengths = [name, namespace, uid, ips, hostname, node, start_time, deployment, phase];
        let [name, namespace, uid, ips, hostname, node, start_time, deployment, phase] =
            Text::split(&pod.texts, lengths);
        Self {
            name,
            namespace,
            uid,
            ips: addresses(&ips),
            host_network: pod.host_network,
            released: pod.released,
            node,
            hostname,
            start_time,
            deployment,
            phase,
            labels: pod.labels.unwrap_or_default(),
            annotations: pod.annotations.unwrap_or_default(),
        }
    }
}

/// A condition on a pod.
pub(crate) fn term<'t>(term: &Term<'t>) -> pods::Term<'t> {
    match *term {
        Term::Ip(address) => {
            let (high, low) = address::halves(address);
            pods::Term::Ip(types::IpAddress { high, low })
        }
        Term::Uid(uid) => pods::Term::Uid(uid),
        Term::Name(name) => pods::Term::Name(name),
        Term::Namespace(namespace) => pods::Term::Namespace(namespace),
        Term::Node(node) => pods::Term::Node(node),
        Term::Hostname(hostname) => pods::Term::Hostname(hostname),
        Term::Deployment(deployment) => pods::Term::Deployment(deployment),
        Term::Label(key, value) => pods::Term::Label((key, value)),
        Term::Annotation(key, value) => pods::Term::Annotation((key, value)),
        Term::Container(id) => pods::Term::Container(id),
        Term::ContainerName(name) => pods::Term::ContainerName(name),
    }
}

/// Reads addresses that a host gives, and drops texts that are not addresses.
fn addresses(texts: &str) -> Vec<IpAddr> {
    texts.split(',').filter_map(address::parse).collect()
}
