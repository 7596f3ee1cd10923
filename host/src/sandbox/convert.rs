//! Turns the shapes of `wit/` into the core's, and back.

mod examined;

use std::net::IpAddr;

use podstamp_core::interface::{Edit, Edits};
use podstamp_core::{address, interface};

use super::bindings::exports::podstamp::filter::filter as wit;
use super::bindings::podstamp::filter::types;

/// Headers as the guest takes them.
pub(super) fn headers(headers: &[interface::Header]) -> Vec<wit::HeaderParam<'_>> {
    headers.iter().map(|header| wit::HeaderParam { name: &header.name, value: &header.value }).collect()
}

/// An address as the guest takes it.
pub(super) fn address(address: IpAddr) -> types::IpAddress {
    let (high, low) = address::halves(address);
    types::IpAddress { high, low }
}

impl From<interface::Attempt> for wit::Attempt {
    fn from(attempt: interface::Attempt) -> Self {
        let encoding = match attempt.encoding {
            interface::Encoding::Protobuf => types::Encoding::Protobuf,
            interface::Encoding::Json => types::Encoding::Json,
            interface::Encoding::Grpc => types::Encoding::Grpc,
        };
        let interface::Attempt { signal, upstream, number, elapsed, patience, delivered, random, .. } =
            attempt;
        Self { signal: signal.into(), upstream, encoding, number, elapsed, patience, delivered, random }
    }
}

impl From<types::Signal> for interface::Signal {
    fn from(signal: types::Signal) -> Self {
        match signal {
            types::Signal::Traces => Self::Traces,
            types::Signal::Metrics => Self::Metrics,
            types::Signal::Logs => Self::Logs,
        }
    }
}

impl From<interface::Signal> for types::Signal {
    fn from(signal: interface::Signal) -> Self {
        match signal {
            interface::Signal::Traces => Self::Traces,
            interface::Signal::Metrics => Self::Metrics,
            interface::Signal::Logs => Self::Logs,
        }
    }
}

impl From<types::Level> for interface::Level {
    fn from(level: types::Level) -> Self {
        match level {
            types::Level::Info => Self::Info,
            types::Level::Warning => Self::Warning,
            types::Level::Error => Self::Error,
        }
    }
}

impl From<types::Encoding> for interface::Encoding {
    fn from(encoding: types::Encoding) -> Self {
        match encoding {
            types::Encoding::Protobuf => Self::Protobuf,
            types::Encoding::Json => Self::Json,
            types::Encoding::Grpc => Self::Grpc,
        }
    }
}

impl From<types::Notice> for interface::Notice {
    fn from(notice: types::Notice) -> Self {
        Self { level: notice.level.into(), key: notice.key.into(), message: notice.message }
    }
}

impl From<wit::Prepared> for interface::Prepared {
    fn from(prepared: wit::Prepared) -> Self {
        let verdict = match prepared.verdict {
            wit::Verdict::Forward(outbound) => interface::Verdict::Forward(outbound.into()),
            wit::Verdict::Answer(answer) => interface::Verdict::Answer(answer.into()),
        };
        let notices = prepared.notices.into_iter().map(Into::into).collect();
        Self { verdict, report: prepared.report.into(), notices }
    }
}

impl From<wit::Outbound> for interface::Outbound {
    fn from(outbound: wit::Outbound) -> Self {
        let content = match outbound.content {
            wit::Content::Unchanged => interface::Content::Unchanged,
            wit::Content::Edited(edits) => interface::Content::Edited(Edits {
                edits: edits
                    .edits
                    .iter()
                    .map(|edit| Edit { offset: edit.offset, remove: edit.remove, insert: edit.insert })
                    .collect(),
                inserted: edits.inserted,
            }),
            wit::Content::Replaced(body) => interface::Content::Replaced(body),
        };
        Self {
            url: outbound.url,
            headers: outbound.headers.into_iter().map(header).collect(),
            timeout: outbound.timeout,
            copies: outbound.copies.into_iter().map(Into::into).collect(),
            content,
            parts: outbound.parts.into_iter().map(Into::into).collect(),
            encoding: outbound.encoding.into(),
        }
    }
}

impl From<wit::Part> for interface::Part {
    fn from(part: wit::Part) -> Self {
        Self { end: part.end, spans: part.spans, memory: part.memory }
    }
}

impl From<wit::Upstream> for interface::Upstream {
    fn from(upstream: wit::Upstream) -> Self {
        let headers = upstream.headers.into_iter().map(header).collect();
        Self { url: upstream.url, headers, timeout: upstream.timeout }
    }
}

impl From<wit::Answer> for interface::Answer {
    fn from(answer: wit::Answer) -> Self {
        Self {
            status: answer.status,
            headers: answer.headers.into_iter().map(header).collect(),
            body: answer.body,
            notice: answer.notice.map(Into::into),
        }
    }
}

impl From<wit::Report> for interface::Report {
    fn from(report: wit::Report) -> Self {
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

impl From<wit::Next> for interface::Next {
    fn from(next: wit::Next) -> Self {
        match next {
            wit::Next::Answer(answer) => Self::Answer(answer.into()),
            wit::Next::Retry(wait) => Self::Retry(wait),
            wit::Next::Mend(mended) => {
                Self::Mend(interface::Mended { body: mended.body, texts: mended.texts })
            }
        }
    }
}

fn header(header: wit::HeaderResult) -> interface::Header {
    interface::Header { name: header.name, value: header.value }
}
