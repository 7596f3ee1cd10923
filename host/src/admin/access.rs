//! Who may ask the admin listener: by the name that it is asked for, by the page that asks, and by credentials.
//!
//! A browser lets any page send requests to any address, and read the answers of a name of its own, which may lead here (DNS
//! rebinding). Probes are free of all of it, and scrapers of the rule about names: Prometheus follows names of any kind, and the
//! text of metrics names no pod. Programs that ask for pods are free of that rule too, since clusters have names of their own.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, COOKIE, HOST, ORIGIN, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use podstamp_core::config::Fault;

use crate::observe::Metrics;
use crate::receiver::auth::{Authenticator, Unauthenticated};
use crate::settings;
use crate::shortened::shortened;

/// The rules by which requests are let in.
#[derive(Debug, Default)]
pub(crate) struct Access {
    authenticator: Option<Authenticator>,
    hosts: Vec<String>,
}

/// Why a request is turned away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// Who reads the first name and who reads the last one would be asked by different names.
    #[error("a request has one `Host`")]
    Hosts,
    /// It is asked for by a name that anybody may have made lead here.
    #[error(
        "this listener does not go by the name `{0}`: add that to podstamp.admin.hosts, or ask for its address"
    )]
    Host(String),
    /// A page from elsewhere asks.
    #[error("pages of other sites may not ask this listener: open it by itself")]
    CrossSite,
    /// Nobody has these credentials.
    #[error("{0}; podstamp.admin.auth says whose are taken")]
    Unauthenticated(Unauthenticated),
}

impl Denied {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Hosts => StatusCode::BAD_REQUEST,
            Self::Host(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        }
    }
}

impl Access {
    /// Loads the credentials that the settings name. Blocks while files are read.
    pub(crate) fn new(admin: &settings::Admin) -> Result<Self, Fault> {
        let authenticator = admin.auth.as_ref().map(Authenticator::new).transpose()?;
        Ok(Self { authenticator, hosts: admin.hosts.clone() })
    }

    /// Watches the files from now on. Needs a runtime.
    pub(crate) fn watch_files(self, metrics: &Arc<Metrics>) -> Self {
        let authenticator = self.authenticator.map(|authenticator| authenticator.watch_files(metrics));
        Self { authenticator, ..self }
    }

    /// Whether a request is let in.
    pub(super) async fn check(&self, request: &Parts) -> Result<(), Denied> {
        let path = request.uri.path();
        if is_probe(path) {
            return Ok(());
        }
        let name = name(request)?;
        if let Some(name) = &name
            && path != "/metrics"
            && !(is_about_pods(path) && is_of_program(request))
            && !self.goes_by(name)
        {
            return Err(Denied::Host(shown(name)));
        }
        if self.is_foreign(request) {
            return Err(Denied::CrossSite);
        }
        match &self.authenticator {
            Some(authenticator) => {
                authenticator.check_or_password(&request.headers).await.map_err(Denied::Unauthenticated)
            }
            None => Ok(()),
        }
    }

    /// `WWW-Authenticate` for those without credentials. A browser asks its user for a name and a password.
    pub(super) fn challenges(&self) -> Vec<HeaderValue> {
        let own = self.authenticator.as_ref().map(Authenticator::challenge);
        let is_basic = |value: &HeaderValue| value.as_bytes().starts_with(b"Basic ");
        let basic = HeaderValue::from_static("Basic realm=\"podstamp\", charset=\"UTF-8\"");
        std::iter::once(basic).chain(own.filter(|value| !is_basic(value))).collect()
    }

    /// Whether nobody but this machine, its cluster or its operator can have made a name lead here.
    fn goes_by(&self, name: &str) -> bool {
        name.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || [".localhost", ".svc", ".svc.cluster.local"].iter().any(|known| name.ends_with(known))
            || self.hosts.iter().any(|known| known == name)
    }

    /// Whether a page of another origin asks, as its browser tells.
    fn is_foreign(&self, request: &Parts) -> bool {
        let own = request.headers.get(HOST).and_then(|value| value.to_str().ok());
        let is_own =
            |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| self.is_own_origin(origin, own));
        if !request.headers.get_all(ORIGIN).iter().all(is_own) {
            return true;
        }
        let is = |name: &str, known: &[&str]| {
            request.headers.get_all(name).iter().all(|value| known.iter().any(|known| value == known))
        };
        // Following a link to the page is no harm: it holds nothing by itself, and cannot be framed.
        let says = |name: &str, known: &str| {
            request.headers.contains_key(name) && is(name, std::slice::from_ref(&known))
        };
        let follows_link = request.uri.path() == "/"
            && request.method == Method::GET
            && says("sec-fetch-mode", "navigate")
            && says("sec-fetch-dest", "document");
        !is("sec-fetch-site", &["same-origin", "none"]) && !follows_link
    }

    /// Whether an origin is the one that the request went to. What stands ahead may have TLS, and may ask by another name.
    fn is_own_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let (authority, port) = match origin.split_once("://") {
            Some(("http", authority)) => (authority, ":80"),
            Some(("https", authority)) => (authority, ":443"),
            _ => return false,
        };
        let without = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
        host.is_some_and(|host| without(host) == without(authority))
            || split_port(authority).is_some_and(|name| self.hosts.contains(&name.to_ascii_lowercase()))
    }
}

/// Whether a path is one that probes ask for.
pub(super) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// Whether a path is one that filters elsewhere and the command line ask for.
fn is_about_pods(path: &str) -> bool {
    matches!(path, "/pods" | "/peers") || path.starts_with("/pods/")
}

/// Whether no page can have brought a request about. A page may set many headers, but it cannot leave out those that its browser
/// adds; of these every browser has `Accept-Encoding` with `deflate`, also over plain HTTP, where it tells nothing of the page.
fn is_of_program(request: &Parts) -> bool {
    let headers = &request.headers;
    let of_page =
        |name: &HeaderName| [ORIGIN, COOKIE, REFERER].contains(name) || name.as_str().starts_with("sec-");
    let has = |name: HeaderName, part: &str| {
        headers
            .get_all(name)
            .iter()
            .any(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase().contains(part))
    };
    !headers.keys().any(of_page) && !has(USER_AGENT, "mozilla/") && !has(ACCEPT_ENCODING, "deflate")
}

/// The name that a request asks for, in lower case. `None`: an old client tells none, which no browser is.
fn name(request: &Parts) -> Result<Option<String>, Denied> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Denied::Hosts);
    }
    let host = host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    // One in the request line goes ahead (RFC 9112, 3.2.2).
    let authority = request.uri.authority().map(ToString::to_string);
    if let (Some(host), Some(authority)) = (&host, &authority)
        && !host.eq_ignore_ascii_case(authority)
    {
        return Err(Denied::Hosts);
    }
    let Some(authority) = authority.or(host).filter(|text| !text.is_empty()) else { return Ok(None) };
    let Some(name) = split_port(&authority) else { return Err(Denied::Host(shown(&authority))) };
    Ok(Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()))
}

/// The host of `host:port`, an address without its brackets. `None` where it is neither a name nor an address.
fn split_port(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address, port.strip_prefix(':').or((port.is_empty()).then_some("")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("")),
        },
    };
    let is_port = port?.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_host = match authority.starts_with('[') {
        true => host.parse::<std::net::Ipv6Addr>().is_ok(),
        false => !host.is_empty() && host.bytes().all(is_name),
    };
    (is_port && is_host).then_some(host)
}

/// A name as it is told to whoever asked by it: no longer than a line, and without what a terminal takes for more than text.
fn shown(name: &str) -> String {
    let (start, rest) = shortened(name, LONGEST_SHOWN);
    format!("{}{rest}", start.escape_debug())
}

/// Bytes.
const LONGEST_SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::Request;
    use podstamp_core::config::{Bearer, Htpasswd, Place, Secret, ServerAuth, Source};

    use super::*;

    fn parts(path: &str, headers: &[(&str, &str)]) -> Parts {
        let builder = headers
            .iter()
            .fold(Request::builder().uri(path), |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    fn access(auth: Option<ServerAuth>) -> Access {
        let admin = settings::Admin {
            hosts: vec!["podstamp.example.com".to_owned()],
            auth,
            ..settings::Admin::at("127.0.0.1:0")
        };
        Access::new(&admin).unwrap()
    }

    fn inline(text: &str) -> Source {
        Source { path: "inline".to_owned(), place: Place::Inline(Secret::new(text)) }
    }

    async fn status(access: &Access, request: Parts) -> u16 {
        access.check(&request).await.map_or_else(|denied| denied.status().as_u16(), |()| 200)
    }

    #[tokio::test]
    async fn it_goes_by_addresses_and_by_names_that_no_stranger_can_have() {
        let access = access(None);
        for host in [
            "127.0.0.1:8888",
            "10.1.2.3",
            "[::1]:8888",
            "[fd00::1]",
            "localhost:8888",
            "LOCALHOST.",
            "podstamp",
            "console.localhost",
            "podstamp-pods.deepflow.svc",
            "podstamp-pods.deepflow.svc.cluster.local.:8888",
            "Podstamp.Example.com:80",
            "",
        ] {
            assert_eq!(status(&access, parts("/console/live", &[("host", host)])).await, 200, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8888",
            "svc.evil.example",
            "xpodstamp.example.com",
            "a.podstamp.example.com",
            "podstamp.deepflow",
            "evil.shop",
            "evil.svc.example",
            "[::1",
            "[::1]x",
            "::1",
            "a:b",
            "a b",
            "user@127.0.0.1",
            "127.0.0.1:80@evil.example",
            "127.0.0.1/",
            "%6cocalhost",
            "lo\u{0}calhost",
        ] {
            let Ok(request) = Request::get("/console/live").header("host", host).body(()) else { continue };
            assert_eq!(status(&access, request.into_parts().0).await, 421, "{host}");
        }
        assert_eq!(status(&access, parts("/pods", &[])).await, 200);
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(status(&access, parts(path, &[("host", "evil.example")])).await, 200, "{path}");
        }
    }

    #[tokio::test]
    async fn programs_ask_for_pods_by_any_name_and_pages_do_not() {
        let access = access(None);
        let asks = async |path: &'static str, headers: &[(&'static str, &'static str)]| {
            let all: Vec<_> =
                [("host", "podstamp-pods.deepflow:8888")].iter().chain(headers).copied().collect();
            status(&access, parts(path, &all)).await
        };
        for path in ["/pods", "/pods?since=", "/pods/10.1.1.1", "/peers"] {
            assert_eq!(asks(path, &[]).await, 200, "{path}");
            assert_eq!(asks(path, &[("accept-encoding", "gzip"), ("user-agent", "podstamp/1")]).await, 200);
            for (name, value) in [
                ("accept-encoding", "gzip, Deflate"),
                ("user-agent", "Mozilla/5.0 (X11)"),
                ("cookie", "a=b"),
                ("referer", "http://evil.example/"),
                ("sec-fetch-site", "same-origin"),
                ("sec-ch-ua", "x"),
            ] {
                assert_eq!(asks(path, &[(name, value)]).await, 421, "{path} {name}");
            }
            assert_ne!(asks(path, &[("origin", "http://podstamp-pods.deepflow:8888")]).await, 200);
        }
        assert_eq!(asks("/console/live", &[]).await, 421);
        assert_eq!(asks("/", &[]).await, 421);
    }

    #[tokio::test]
    async fn one_name_is_asked_for() {
        let access = access(None);
        let several = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(status(&access, parts("/pods", &several)).await, 400);
        let absolute = "http://evil.example/pods";
        assert_eq!(status(&access, parts(absolute, &[("host", "localhost")])).await, 400);
        let rebound = [("host", "evil.example"), ("accept-encoding", "gzip, deflate")];
        assert_eq!(status(&access, parts(absolute, &rebound)).await, 421);
        assert_eq!(status(&access, parts("http://localhost/pods", &[("host", "localhost")])).await, 200);
    }

    #[tokio::test]
    async fn a_name_is_told_in_a_line() {
        let denied = access(None).check(&parts("/", &[("host", &"a.".repeat(500))])).await.unwrap_err();
        assert!(denied.to_string().len() < 300, "{denied}");
        let request = Request::get("/").header("host", &b"\xff.x"[..]).body(()).unwrap().into_parts().0;
        assert!(matches!(access(None).check(&request).await, Err(Denied::Host(_))));
    }

    #[tokio::test]
    async fn a_page_of_another_origin_may_not_ask() {
        let access = access(None);
        let with = |path: &'static str, host: &'static str, headers: &[(&'static str, &'static str)]| {
            let all: Vec<_> = std::iter::once(("host", host)).chain(headers.iter().copied()).collect();
            parts(path, &all)
        };
        for (host, origin) in [
            ("127.0.0.1:8888", "http://127.0.0.1:8888"),
            ("localhost", "http://localhost:80"),
            ("podstamp.example.com", "https://podstamp.example.com"),
            ("podstamp:8888", "https://podstamp.example.com:8443"),
            ("[::1]:8888", "http://[::1]:8888"),
        ] {
            let request = with("/console/live", host, &[("origin", origin)]);
            assert_eq!(status(&access, request).await, 200, "{origin}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://127.0.0.1:8889",
            "file://",
            "http://127.0.0.1:8888.evil.example",
        ] {
            let request = with("/metrics", "127.0.0.1:8888", &[("origin", origin)]);
            assert_eq!(status(&access, request).await, 403, "{origin}");
            let request = with("/healthz", "127.0.0.1:8888", &[("origin", origin)]);
            assert_eq!(status(&access, request).await, 200, "{origin}");
        }
        for (site, expected) in [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)]
        {
            let request = with("/console/live", "localhost", &[("sec-fetch-site", site)]);
            assert_eq!(status(&access, request).await, expected, "{site}");
        }
        let link = |dest| {
            [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest)]
        };
        assert_eq!(status(&access, with("/", "localhost", &link("document"))).await, 200);
        assert_eq!(status(&access, with("/", "localhost", &link("iframe"))).await, 403);
        assert_eq!(status(&access, with("/pods", "localhost", &link("document"))).await, 403);
    }

    #[tokio::test]
    async fn all_but_probes_show_credentials() {
        let htpasswd =
            Htpasswd { path: "extensions.basicauth".to_owned(), sources: vec![inline("me:secret")] };
        let access = access(Some(ServerAuth::Basic(htpasswd))).watch_files(&Arc::default());
        let basic = |login: &str| format!("Basic {}", STANDARD.encode(login));
        for path in ["/", "/metrics", "/pods", "/console/live", "/console.js", "/nothing", "/healthz/"] {
            assert_eq!(status(&access, parts(path, &[])).await, 401, "{path}");
            let right = basic("me:secret");
            assert_eq!(status(&access, parts(path, &[("authorization", &right)])).await, 200, "{path}");
            for wrong in [basic("me:Secret"), basic("you:secret"), "Bearer secret".to_owned(), String::new()]
            {
                assert_eq!(status(&access, parts(path, &[("authorization", &wrong)])).await, 401, "{wrong}");
            }
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(status(&access, parts(path, &[])).await, 200, "{path}");
        }
        assert_eq!(access.challenges(), ["Basic realm=\"podstamp\", charset=\"UTF-8\""]);
        assert!(!format!("{access:?}").contains("secret"));
    }

    #[tokio::test]
    async fn a_token_is_taken_as_a_password_too() {
        for (header, scheme) in [("authorization", "Bearer"), ("x-api-key", ""), ("authorization", "")] {
            let bearer = Bearer {
                path: "extensions.bearertokenauth".to_owned(),
                header: header.to_owned(),
                scheme: scheme.to_owned(),
                tokens: vec![inline("t0p\nother")],
            };
            let access = access(Some(ServerAuth::Bearer(bearer)));
            let asks =
                async |name: &str, value: &str| status(&access, parts("/pods", &[(name, value)])).await;
            let own = if scheme.is_empty() { "t0p".to_owned() } else { format!("{scheme} t0p") };
            assert_eq!(asks(header, &own).await, 200);
            for (login, expected) in [
                ("anybody:t0p", 200),
                (":other", 200),
                ("t0p:", 401),
                ("a:", 401),
                ("a: t0p", 401),
                ("a:t0", 401),
                ("a:Bearer t0p", 401),
            ] {
                let basic = format!("Basic {}", STANDARD.encode(login));
                assert_eq!(asks("authorization", &basic).await, expected, "{header} {scheme:?} {login}");
            }
            assert_eq!(access.challenges().len(), 2);
        }
    }
}
