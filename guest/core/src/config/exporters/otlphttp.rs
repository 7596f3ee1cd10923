//! The `otlphttp` exporter.

pub(crate) mod compression;
pub(crate) mod retry_on_failure;
pub(crate) mod sending_queue;

use std::fmt;

use crate::answer::PROTOBUF;
use crate::config::agent::{AGENT_PATH, DEFAULT_URL};
use crate::config::document::{Entry, Url, is_token, url};
use crate::config::extensions::{ClientAuth, Extensions};
use crate::config::signals::not_carried;
use crate::config::tls::{ClientTls, read_client_tls};
use crate::interface::{Header, Level, Upstream};
use crate::signal::Signal;
use compression::{Compression, read_compression};
use retry_on_failure::{Retry, read_retry};
use sending_queue::{SendingQueue, read_queue};

/// Where podstamp sends, and how often it tries.
#[derive(Clone, PartialEq)]
pub struct Exporter {
    /// Its id in the document, for example `otlphttp/canary`.
    pub id: String,
    /// Absolute URL for its signal.
    pub url: String,
    /// The key to correct where that URL is wrong, for example `exporters.otlphttp.traces_endpoint`.
    pub url_key: String,
    /// Headers to send. Their values are secrets.
    pub headers: Vec<Header>,
    /// How to use TLS. `None`: the URL is http.
    pub tls: Option<ClientTls>,
    /// The credentials to show to the upstream.
    pub auth: Option<ClientAuth>,
    /// Milliseconds for all attempts that a client waits for; `u32::MAX` where the document asks for no limit.
    pub timeout: u32,
    /// When to try again.
    pub retry: Retry,
    /// How the body is compressed.
    pub compression: Compression,
    /// Where requests wait that the upstream does not take. `None`: with their clients.
    pub queue: Option<SendingQueue>,
    /// Whether the upstream is a deepflow-agent.
    pub is_agent: bool,
    /// Connections at a time, each with one request at a time; 0: any number.
    pub connections: u32,
}

impl Exporter {
    /// Host and port of the URL.
    pub fn authority(&self) -> &str {
        url::split(&self.url).0
    }

    /// Path and query of the URL.
    pub fn target(&self) -> &str {
        url::split(&self.url).1
    }

    /// Where requests go, with all that goes along.
    pub fn upstream(&self) -> Upstream {
        let mut headers = vec![
            Header::new("content-type", PROTOBUF),
            Header::new("user-agent", concat!("podstamp/", env!("CARGO_PKG_VERSION"))),
        ];
        headers.extend(self.headers.iter().cloned());
        Upstream { url: self.url.clone(), headers, timeout: self.timeout }
    }
}

impl fmt::Debug for Exporter {
    /// Shows no header's value.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|header| header.name.as_str()).collect();
        formatter
            .debug_struct("Exporter")
            .field("id", &self.id)
            .field("url", &self.url)
            .field("url_key", &self.url_key)
            .field("headers", &headers)
            .field("tls", &self.tls)
            .field("auth", &self.auth)
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .field("compression", &self.compression)
            .field("queue", &self.queue)
            .field("is_agent", &self.is_agent)
            .field("connections", &self.connections)
            .finish()
    }
}

/// The exporter of a document without any.
pub(crate) fn implied(path: &str) -> Exporter {
    Exporter {
        id: "otlphttp".to_owned(),
        url: DEFAULT_URL.to_owned(),
        url_key: path.to_owned(),
        headers: Vec::new(),
        tls: None,
        auth: None,
        timeout: DEFAULT_TIMEOUT,
        retry: Retry::default(),
        compression: Compression::None,
        queue: None,
        is_agent: true,
        connections: 1,
    }
}

/// Reads an exporter for one signal. Where the URL is at fault, the default one takes its place.
///
/// `carried`: the signals for which the document has pipelines that run.
pub(crate) fn read_exporter(
    id: &str,
    entry: &Entry<'_>,
    extensions: &Extensions<'_, '_>,
    signal: Signal,
    carried: &[Signal],
) -> Exporter {
    let mut section = entry.section();
    let endpoint = section.take("endpoint");
    let endpoints =
        [Signal::Traces, Signal::Metrics, Signal::Logs].map(|other| (other, section.take(key(other))));
    let url = match endpoints.iter().find(|(other, _)| *other == signal) {
        Some((_, own)) => read_url(entry, &endpoint, own, signal),
        None => None,
    };
    for (_, unread) in endpoints.iter().filter(|(other, entry)| !carried.contains(other) && entry.is_set()) {
        unread.no_effect(not_carried(carried));
    }
    let timeout =
        section.take("timeout").duration().map(|timeout| if timeout == 0 { u32::MAX } else { timeout });
    let headers = read_headers(&section.take("headers"));
    let retry = read_retry(&section.take("retry_on_failure"));

    let tls = section.take("tls");
    // A URL at fault has been reported: nothing is said of TLS then.
    let is_https = url.as_ref().map_or(tls.is_set(), |(url, _)| url.is_https());
    let tls = read_client_tls(&tls, is_https);
    let auth = section.take("auth").unless_disabled();
    let auth = extensions.client(&auth).inspect(|found| check_auth(&auth, found, &headers, is_https));
    let compression = section.take("compression");
    let compression = read_compression(&compression, &section.take("compression_params"));
    let encoding = section.take("encoding");
    if encoding.choice(&[("proto", true), ("json", false)]) == Some(false) {
        encoding.fault("podstamp sends protobuf, the only encoding that deepflow-agent reads");
    }
    section.refuse(&["proxy_url"], "podstamp cannot go through a proxy");
    section.refuse(&["middlewares"], "podstamp has no middlewares");
    let queue = read_queue(section.take("sending_queue"), &retry, extensions);
    section.without_effect(&["profiles_endpoint"], not_carried(carried));
    section.without_effect(&["cookies"], "podstamp keeps no cookies");
    section.pass(&[
        "read_buffer_size",
        "write_buffer_size",
        "max_idle_conns",
        "max_idle_conns_per_host",
        "max_conns_per_host",
        "idle_conn_timeout",
        "disable_keep_alives",
        "http2_read_idle_timeout",
        "http2_ping_timeout",
        "force_attempt_http2",
    ]);
    section.close();

    let is_agent = url.as_ref().is_none_or(|(url, _)| url.path().ends_with(AGENT_PATH));
    let (url, url_key) = match url {
        Some((url, key)) => (url.into_text(), key),
        None => (DEFAULT_URL.to_owned(), entry.path().to_owned()),
    };
    Exporter {
        id: id.to_owned(),
        url,
        url_key,
        headers,
        tls,
        auth,
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        retry,
        compression,
        queue,
        is_agent,
        connections: 0,
    }
}

const fn key(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "traces_endpoint",
        Signal::Metrics => "metrics_endpoint",
        Signal::Logs => "logs_endpoint",
    }
}

/// The URL for a signal, and the path of the key that it comes from. `own`: the key for that signal.
fn read_url(
    entry: &Entry<'_>,
    endpoint: &Entry<'_>,
    own: &Entry<'_>,
    signal: Signal,
) -> Option<(Url, String)> {
    if let Some(text) = own.filled_text() {
        let url = Url::parse(&text).map_err(|fault| own.fault(fault)).ok()?;
        if signal != Signal::Traces {
            if url.path().contains(AGENT_PATH) {
                own.fault("deepflow-agent takes traces at this path, and nothing else");
                return None;
            }
            return Some((url, own.path().to_owned()));
        }
        if url.path().trim_end_matches('/').ends_with("/api/v1/otel/trace/v1/traces") {
            own.fault(
                "deepflow-agent answers this path with 404 (deepflow#7121): it ends with /api/v1/otel/trace",
            );
            return None;
        }
        if url.path().ends_with("/api/v1/otel/trace/") {
            own.fault("deepflow-agent answers this path with 404: remove the slash at its end");
            return None;
        }
        return Some((url, own.path().to_owned()));
    }
    let Some(text) = endpoint.filled_text() else {
        if signal != Signal::Traces {
            own.fault(format!("is missing, and so is `endpoint`: where do {} go?", signal.name()));
            return None;
        }
        own.fault(format!(
            "is missing: where do traces go? For deepflow-agent add it to {} with \
             `http://deepflow-agent.deepflow/api/v1/otel/trace`",
            entry.path()
        ));
        return None;
    };
    if text.contains(AGENT_PATH) {
        endpoint.fault(
            "`/v1/traces` is appended to an endpoint, and deepflow-agent answers that path with 404 \
             (deepflow#7121): write the URL under `traces_endpoint` instead",
        );
        return None;
    }
    let url = Url::below(&text, signal).map_err(|fault| endpoint.fault(fault)).ok()?;
    Some((url, endpoint.path().to_owned()))
}

/// Reports headers and URLs that contradict the authenticator.
fn check_auth(entry: &Entry<'_>, auth: &ClientAuth, headers: &[Header], is_https: bool) {
    if headers.iter().any(|header| header.name == auth.header()) {
        entry.fault(format!("`headers` has `{}` as well: keep one of them", auth.header()));
    }
    if !is_https {
        let message = "the URL is http, without TLS, so that anybody on the way can read the credentials";
        entry.notice(Level::Warning, "config-clear-credentials", message);
    }
}

/// `headers`: a map, or as newer Collectors also take it a list of names and values.
fn read_headers(entry: &Entry<'_>) -> Vec<Header> {
    let entries = match entry.value() {
        Some(serde_json::Value::Array(_)) => entry.list().iter().map(read_listed_header).collect(),
        _ => entry.entries().into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Vec<_>>(),
    };
    entries.into_iter().filter_map(|(name, value)| read_header(&name, &value)).collect()
}

fn read_listed_header<'d>(item: &Entry<'d>) -> (String, Entry<'d>) {
    let mut section = item.section();
    let name = section.take("name").text().unwrap_or_default();
    let value = section.take("value");
    section.close();
    (name, value)
}

fn read_header(name: &str, value: &Entry<'_>) -> Option<Header> {
    let lower = name.to_ascii_lowercase();
    if !is_token(&lower) {
        value.fault("is no name for a header");
        return None;
    }
    if OWN_HEADERS.contains(&lower.as_str()) {
        value.fault("podstamp sets this header itself");
        return None;
    }
    let text = value.text()?;
    if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        value.fault("the value has control characters (a line break?)");
        return None;
    }
    Some(Header { name: lower, value: text.into_bytes() })
}

/// Headers that frame or describe the body, so that another value would break the request.
const OWN_HEADERS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// As in the Collector's exporter, milliseconds.
pub const DEFAULT_TIMEOUT: u32 = 30_000;
