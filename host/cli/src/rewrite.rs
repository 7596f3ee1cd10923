//! `podstamp rewrite`.

mod report;

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use flate2::read::MultiGzDecoder;
use podstamp::app::{App, Overrides};
use podstamp::sandbox::{FilterRunner, ReceivedRequest, clock};
use podstamp_core::hosting::labels::Label as _;
use podstamp_core::interface::{Answer, Content, Header, Outbound, Signal, Verdict};
use tokio::runtime::Runtime;

use super::document;
use super::exit::{Exit, Failed};
use super::output;

/// Stamp one export request (protobuf or JSON, plain or gzipped), stdin to stdout, as `serve` would. What comes out is
/// protobuf. A report goes to stderr.
#[derive(Debug, Args)]
pub(crate) struct Rewrite {
    /// Configuration, as for `serve`.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// What `kubectl get pods -A -o json` prints.
    #[arg(long, value_name = "FILE")]
    pods: Option<PathBuf>,
    /// Another WebAssembly component than the filter inside this binary, which has to be built with `--features compiler` for it.
    #[arg(long, value_name = "FILE")]
    guest: Option<PathBuf>,
    /// What the request carries.
    #[arg(long, value_name = "SIGNAL", default_value = "traces", value_parser = signal)]
    signal: Signal,
    /// Address of the client, or of the last proxy, as the request would have come from.
    #[arg(long, value_name = "IP")]
    peer: Option<IpAddr>,
    /// X-Forwarded-For as the last proxy would have sent it.
    #[arg(long, value_name = "LIST")]
    forwarded_for: Option<String>,
}

impl Rewrite {
    pub(crate) fn run(self) -> Result<Exit, Failed> {
        if self.config.iter().any(|file| file == Path::new("-")) {
            let why = "--config -: standard input has the request: give the configuration as a file";
            return Err(Failed::message(Exit::Usage, why));
        }
        let loaded = document::load(&self.config)?;
        let overrides =
            Overrides { pods: self.pods, guest: self.guest, check_full: true, ..Overrides::default() };
        let app = App::new(loaded.document, &overrides)?;
        let runtime = Runtime::new().map_err(|error| Failed::new(Exit::Internal, error))?;
        if !runtime.block_on(app.load_pods()) {
            report::lacks_pods();
        }
        for notice in loaded.notices.iter().chain(app.notices()) {
            report::notice(notice);
        }
        let body = read_input(app.config().limits.body as usize)?;
        let json = body.starts_with(JSON);
        let content_type = if json { "application/json" } else { "application/x-protobuf" };
        let mut headers = vec![Header::new("content-type", content_type)];
        headers.extend(self.forwarded_for.map(|list| Header::new("x-forwarded-for", &list)));
        let signal = self.signal;
        let path = app.config().receiver.path(signal).to_owned();
        let incoming =
            ReceivedRequest { signal, path, peer: self.peer, headers, body, now: clock::now(), gzip: None };
        let prepared =
            app.sandbox().prepare(&incoming).map_err(|failure| Failed::new(Exit::Internal, failure))?;
        prepared.notices.iter().for_each(report::notice);
        let body = match prepared.verdict {
            Verdict::Forward(outbound) => rewritten(&incoming.body, outbound)?,
            // Nothing in it to send.
            Verdict::Answer(Answer { status: 200..=299, .. }) if json => Bytes::new(),
            Verdict::Answer(Answer { status: 200..=299, .. }) => incoming.body,
            Verdict::Answer(answer) if json => return Err(told(&answer)),
            Verdict::Answer(answer) => {
                return Err(refused(app.sandbox().as_ref(), &incoming, &answer));
            }
        };
        let mut out = output::stdout();
        out.write_all(&body).and_then(|()| out.flush()).map_err(|error| Failed::new(Exit::Output, error))?;
        report::show(signal, &prepared.report, &body);
        Ok(Exit::Success)
    }
}

fn signal(name: &str) -> Result<Signal, String> {
    let known = Signal::ALL.into_iter().find(|signal| signal.name() == name);
    known.ok_or_else(|| format!("one of {}", Signal::NAMES.join(", ")))
}

/// All of stdin, inflated if it is gzip.
fn read_input(limit: usize) -> Result<Bytes, Failed> {
    let unreadable = |error| Failed::new(Exit::NoInput, anyhow::Error::new(error).context("stdin"));
    let body = take(io::stdin().lock(), limit).map_err(unreadable)?;
    let body = if body.starts_with(GZIP) {
        take(MultiGzDecoder::new(body.as_slice()), limit).map_err(|error| {
            Failed::new(Exit::Data, anyhow::Error::new(error).context("the body is not gzip"))
        })?
    } else {
        body
    };
    if body.len() > limit {
        return Err(Failed::message(
            Exit::Data,
            format!("the body is over {limit} bytes, podstamp.limits.body"),
        ));
    }
    Ok(body.into())
}

/// Up to one byte more than `limit`.
fn take(from: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn rewritten(original: &Bytes, outbound: Outbound) -> Result<Bytes, Failed> {
    match outbound.content {
        Content::Unchanged => Ok(original.clone()),
        Content::Replaced(body) => Ok(body.into()),
        Content::Edited(edits) => edits
            .apply(original)
            .map(Bytes::from)
            .ok_or_else(|| Failed::message(Exit::Internal, "the guest's edits make no sense")),
    }
}

fn refused(filter: &dyn FilterRunner, incoming: &ReceivedRequest, answer: &Answer) -> Failed {
    match filter.diagnose(incoming.signal, &incoming.body) {
        Ok(Some(fault)) => Failed::new(Exit::Data, fault),
        Ok(None) => told(answer),
        Err(failure) => Failed::new(Exit::Internal, failure),
    }
}

/// What the answer itself tells.
fn told(answer: &Answer) -> Failed {
    let notice = answer.notice.as_ref().map_or("", |notice| notice.message.as_str());
    Failed::message(Exit::Data, format!("refused with {}: {notice}", answer.status))
}

/// How gzip begins. As protobuf it would be a field of wire type 7, which does not exist.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// How JSON begins here. As protobuf it would be a group, which no message of OTLP has. Blanks ahead of it are not skipped: a
/// line break and a brace are how a request of 123 bytes begins in protobuf.
const JSON: &[u8] = b"{";
