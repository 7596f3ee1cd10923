//! The URL of an upstream.

use std::net::Ipv6Addr;

use crate::signal::Signal;

/// An absolute `http://` or `https://` URL, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url(String);

impl Url {
    /// Reads a URL. Strict: a client that reads it otherwise than this check would send elsewhere.
    #[cold]
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest =
            after_scheme(text).ok_or_else(|| "is no URL: begin it with http:// or https://".to_owned())?;
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a URL has no blanks, control characters or letters beyond ASCII: write them as %XX"
                .to_owned());
        }
        if rest.contains(['#', '\\', '"', '<', '>', '^', '`', '{', '}', '|']) {
            return Err("has a character that cannot stand in the URL of an upstream (one of #\\\"<>^`{}|)"
                .to_owned());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(
                "has a user or password: put credentials into `headers` or an authenticator".to_owned()
            );
        }
        if !is_authority(authority) {
            let hint = bracketed(authority, None).map(|written| format!(": {BRACKETS}, write `{written}`"));
            return Err(format!("has no usable host, or no usable port{}", hint.unwrap_or_default()));
        }
        if target.starts_with('?') {
            return Err("has a query but no path: put a `/` ahead of the `?`".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL for a signal below an OTLP endpoint, put together as the Collector does.
    #[cold]
    pub(crate) fn below(endpoint: &str, signal: Signal) -> Result<Self, String> {
        let base = Self::parse(endpoint)?;
        let path = signal.path();
        if base.0.contains('?') {
            return Err(format!(
                "has a query, which `{path}` would be appended to: use `{}_endpoint`",
                signal.name()
            ));
        }
        Ok(Self(format!("{}{path}", base.0.trim_end_matches('/'))))
    }

    /// The path, without the query. Empty where there is none.
    pub(crate) fn path(&self) -> &str {
        let rest = after_scheme(&self.0).unwrap_or_default();
        let path = rest.find('/').and_then(|start| rest.get(start..)).unwrap_or_default();
        path.split('?').next().unwrap_or_default()
    }

    /// Whether it has TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// Host and port of a URL that has been read, and what a request line asks for there: path and query.
pub(crate) fn split(url: &str) -> (&str, &str) {
    let rest = after_scheme(url).unwrap_or(url);
    let end = rest.find('/').unwrap_or(rest.len());
    match rest.split_at_checked(end) {
        Some((authority, "")) => (authority, "/"),
        Some(parts) => parts,
        None => (rest, "/"),
    }
}

fn after_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))
}

/// Whether `text` is `host` or `host:port`.
pub(crate) fn is_authority(text: &str) -> bool {
    match text.rsplit_once(':') {
        // A colon within brackets is the address's own.
        Some((host, port)) if !port.ends_with(']') => {
            is_host(host) && is_port(port) && port.parse() != Ok(0_u16)
        }
        _ => is_host(text),
    }
}

/// Whether `text` is a name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            !text.is_empty() && text.bytes().all(name)
        }
    }
}

/// An IPv6 address without brackets, written with them and with its own port or else with `port`. `None` if the text is not an
/// IPv6 address.
pub fn bracketed(text: &str, port: Option<&str>) -> Option<String> {
    let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
    let whole = is_address(text);
    // `fd00::1:4318` may be an address as a whole, but nobody writes the last four digits of one so.
    let is_meant = |port: &str| is_port(port) && (!whole || port.len() > 3);
    match text.rsplit_once(':').filter(|(host, port)| is_address(host) && is_meant(port)) {
        Some((host, port)) => Some(format!("[{host}]:{port}")),
        None if whole => Some(port.map_or_else(|| format!("[{text}]"), |port| format!("[{text}]:{port}"))),
        None => None,
    }
}

/// The advice beside an address that [`bracketed`] mends.
pub const BRACKETS: &str = "an IPv6 address takes brackets";

/// Whether `text` is a port.
pub(crate) fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_agents_are_kept_verbatim() {
        for (url, path) in [
            ("http://deepflow-agent.deepflow/api/v1/otel/trace", "/api/v1/otel/trace"),
            ("http://127.0.0.1:38086/api/v1/otel/trace?x=1", "/api/v1/otel/trace"),
            ("http://[fd00::1]:38086/", "/"),
            ("http://collector:4318", ""),
            ("https://collector/otlp", "/otlp"),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!((parsed.path(), parsed.is_https()), (path, url.starts_with("https")));
            assert_eq!(parsed.into_text(), url);
        }
    }

    #[test]
    fn what_is_no_http_url_is_refused() {
        for url in [
            "",
            "agent:38086",
            "https://",
            "HTTPS//agent",
            "http://",
            "http:///x",
            "http://a b/x",
            "http://user:pw@agent/x",
            "http://agent/x#y",
            "http://agent:0/x",
            "http://agent:70000/x",
            "http://agent:+80/x",
            "http://agent:/x",
            "http://fd00::1/x",
            "http://[fd00::1/x",
            "http://[x]/",
            "http://[::1]80/",
            "http://agent?x",
            "grpc://agent",
            "http://agent/\r\nx: y",
            "http://agent\\@other/",
            "http://ägent/",
        ] {
            assert!(Url::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_ipv6_address_without_brackets_is_told_how_to_be_written() {
        for (text, port, expected) in [
            ("fd00::1:4318", None, "[fd00::1]:4318"),
            ("fd00::1:38086", None, "[fd00::1]:38086"),
            ("fd00::1", None, "[fd00::1]"),
            ("::1", Some("8888"), "[::1]:8888"),
            ("::", Some("4317"), "[::]:4317"),
            (":::4318", Some("4317"), "[::]:4318"),
            ("1:2:3:4:5:6:7:8:80", None, "[1:2:3:4:5:6:7:8]:80"),
        ] {
            assert_eq!(bracketed(text, port).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "nowhere", "10.0.0.1:4318", ":4318", "[::1]:4318", "a::b::c:1"] {
            assert_eq!(bracketed(text, None), None, "{text}");
        }
        let fault = Url::parse("http://fd00::1:38086/api/v1/otel/trace").unwrap_err();
        let expected = "has no usable host, or no usable port: an IPv6 address takes brackets, write \
                        `[fd00::1]:38086`";
        assert_eq!(fault, expected);
    }

    #[test]
    fn an_endpoint_gets_the_path_of_otlp_traces() {
        for endpoint in ["http://c:4318", "http://c:4318/"] {
            assert_eq!(Url::below(endpoint, Signal::Traces).unwrap().into_text(), "http://c:4318/v1/traces");
        }
        assert_eq!(
            Url::below("http://c/otlp", Signal::Traces).unwrap().into_text(),
            "http://c/otlp/v1/traces"
        );
        assert!(Url::below("http://c/otlp?x=1", Signal::Traces).is_err());
    }
}
