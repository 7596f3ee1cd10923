//! `podstamp.admin`: the listener for probes, scrapers and people.

use std::net::IpAddr;

use serde_json::Value;

use crate::config::document::{ENABLED, Entry, is_host, listen, url};
use crate::config::extensions::{Extensions, ServerAuth};
use crate::interface::Level;

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// `host:port` to listen on.
    pub endpoint: String,
    /// The page for people, and what it asks. `None`: there is none.
    pub console: Option<Console>,
    /// The credentials that all but probes have to show.
    pub auth: Option<ServerAuth>,
    /// Names by which browsers may reach it, in lower case, besides those that only a cluster or this machine has.
    pub hosts: Vec<String>,
}

/// The page for people on the admin listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// Whether attributes and status messages of spans are kept and shown.
    pub payloads: bool,
    /// The URL of a trace elsewhere, with `{trace_id}` in it.
    pub trace_link: Option<String>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { endpoint: DEFAULT_ADMIN.to_owned(), console: None, auth: None, hosts: Vec::new() }
    }
}

pub(crate) fn read_admin(entry: &Entry<'_>, extensions: &Extensions<'_, '_>) -> Option<Admin> {
    let mut section = entry.section();
    let endpoint = section.take("endpoint");
    let console_entry = section.take("console");
    let auth_entry = section.take("auth").unless_disabled();
    let hosts = section.take("hosts").list().iter().filter_map(read_host).collect();
    section.close();
    if !entry.is_present() {
        return None;
    }
    let console = read_console(&console_entry);
    let auth = extensions.server(&auth_entry);
    let listens = match endpoint.filled_text() {
        Some(text) => listen(&endpoint, &text)?,
        None => DEFAULT_ADMIN.to_owned(),
    };
    if !is_loopback(&listens) {
        if auth.is_some() {
            let message = "the admin listener has no TLS, so that anybody on the way can read the credentials, unless a proxy \
                           ahead of it has TLS";
            auth_entry.notice(Level::Warning, "config-clear-credentials", message);
        } else if console.is_some() && !auth_entry.is_set() {
            let message = "anybody who reaches podstamp.admin.endpoint reads services, pods and traces there: set \
                           podstamp.admin.auth, or listen on 127.0.0.1";
            console_entry.notice(Level::Warning, "config-open-console", message);
        }
    }
    Some(Admin { endpoint: listens, console, auth, hosts })
}

/// Reads `console`, a flag or a section. A section is on unless it says otherwise.
fn read_console(entry: &Entry<'_>) -> Option<Console> {
    if let Some(Value::Bool(is_on)) = entry.value() {
        return is_on.then(Console::default);
    }
    let mut section = entry.section();
    let is_on = section.take(ENABLED).flag();
    let payloads = section.take("payloads").flag().unwrap_or_default();
    let trace_link = read_trace_link(&section.take("trace_link"));
    section.close();
    is_on.unwrap_or(entry.is_filled()).then_some(Console { payloads, trace_link })
}

/// The link has to be a web page's: anything else would run in the page that shows it.
fn read_trace_link(entry: &Entry<'_>) -> Option<String> {
    let text = entry.filled_text()?;
    let is_page = ["http://", "https://"].iter().any(|scheme| {
        text.strip_prefix(scheme).is_some_and(|rest| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            !authority.contains('@') && url::is_authority(authority)
        })
    });
    if !is_page || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        entry.fault(
            "is no URL of a page: begin it with http:// or https:// and a host, and write blanks as %20",
        );
        return None;
    }
    if !text.contains(TRACE_ID) {
        entry.fault("has no `{trace_id}`, which stands where the id of the trace belongs");
        return None;
    }
    Some(text)
}

fn read_host(entry: &Entry<'_>) -> Option<String> {
    let text = entry.filled_text()?;
    if !is_host(&text) {
        entry.fault(format!(
            "`{text}` is no name of a host: write it without scheme and port, `podstamp.example.com`"
        ));
        return None;
    }
    Some(text.to_ascii_lowercase())
}

/// Whether nobody outside of this machine reaches an address to listen on.
fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What stands for the id of a trace in [`Console::trace_link`].
const TRACE_ID: &str = "{trace_id}";

/// The port of the Collector's own metrics, but on the loopback address: it needs no authentication there.
pub const DEFAULT_ADMIN: &str = "127.0.0.1:8888";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::catalog::Catalog;
    use crate::config::document::{Fault, Findings};
    use crate::interface::Notice;

    /// Reads `podstamp.admin` of a document with the extensions `basicauth` and, not started, `bearertokenauth`.
    fn read(admin: Value) -> (Option<Admin>, Vec<Fault>, Vec<Notice>) {
        let findings = Findings::default();
        let document = json!({
            "extensions": {"basicauth": {"htpasswd": {"inline": "me:secret"}}, "bearertokenauth": {"token": "t"}},
            "service": {"extensions": ["basicauth"]},
            "admin": admin,
        });
        let mut root = Entry::root(&document, &findings).section();
        let catalog = Catalog::of_document(&mut root);
        let mut service = root.take("service").section();
        let extensions = Extensions::started(&service.take("extensions"), &catalog);
        service.close();
        let admin = read_admin(&root.take("admin"), &extensions);
        root.close();
        let (faults, notices) = findings.into_parts();
        (admin, faults, notices)
    }

    fn faults(admin: Value) -> Vec<String> {
        read(admin).1.into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn the_listener_is_on_loopback_unless_it_says_otherwise() {
        let endpoint = |admin| read(admin).0.map(|admin| admin.endpoint);
        assert_eq!(endpoint(json!(null)).as_deref(), Some("127.0.0.1:8888"));
        assert_eq!(endpoint(json!({})).as_deref(), Some("127.0.0.1:8888"));
        assert_eq!(endpoint(json!({"endpoint": ":9"})).as_deref(), Some("0.0.0.0:9"));
        assert_eq!(faults(json!({"endpoint": "9"})), ["admin.endpoint"]);
    }

    #[test]
    fn the_console_is_a_flag_or_a_section() {
        let console = |console| read(json!({"console": console})).0.unwrap().console;
        for off in [json!(null), json!(false), json!({}), json!({"enabled": false, "payloads": true})] {
            assert_eq!(console(off.clone()), None, "{off}");
        }
        assert_eq!(console(json!(true)), Some(Console::default()));
        assert_eq!(console(json!({"enabled": true})), Some(Console::default()));
        assert_eq!(
            console(json!({"payloads": true, "trace_link": "https://grafana/d?var=a#{trace_id}"})),
            Some(Console {
                payloads: true,
                trace_link: Some("https://grafana/d?var=a#{trace_id}".to_owned())
            })
        );
        assert_eq!(faults(json!({"console": {"payload": true, "enabled": "yes"}})).len(), 2);
        assert_eq!(faults(json!({"console": "yes"})), ["admin.console"]);
    }

    #[test]
    fn a_link_to_a_trace_is_a_pages_url_with_a_place_for_its_id() {
        for link in [
            "javascript:alert('{trace_id}')",
            "//grafana/{trace_id}",
            "https:///{trace_id}",
            "https://me:x@grafana/{trace_id}",
            "https://{trace_id}.example/",
            "https://grafana/{trace_id}\n",
            "https://grafana/a b{trace_id}",
            "https://grafana/trace",
        ] {
            assert_eq!(
                faults(json!({"console": {"trace_link": link}})),
                ["admin.console.trace_link"],
                "{link}"
            );
        }
    }

    #[test]
    fn hosts_are_names_without_ports() {
        let (admin, faults, _) =
            read(json!({"hosts": ["Podstamp.Example.com", "http://a", "a:8888", "a/b"]}));
        assert_eq!(admin.unwrap().hosts, ["podstamp.example.com"]);
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["admin.hosts[1]", "admin.hosts[2]", "admin.hosts[3]"]);
    }

    #[test]
    fn credentials_are_those_of_an_extension_that_is_started() {
        let auth = |name: &str| json!({"auth": {"authenticator": name}});
        assert!(matches!(read(auth("basicauth")).0.unwrap().auth, Some(ServerAuth::Basic(_))));
        assert_eq!(faults(auth("bearertokenauth")), ["admin.auth.authenticator"]);
        assert_eq!(faults(auth("other")), ["admin.auth.authenticator"]);
        // It must not let everybody in.
        assert_eq!(faults(json!({"auth": {}, "console": true})), ["admin.auth.authenticator"]);
    }

    #[test]
    fn what_others_can_read_is_warned_about() {
        let auth = json!({"authenticator": "basicauth"});
        let keys = |admin| -> Vec<_> { read(admin).2.into_iter().map(|notice| notice.key).collect() };
        for endpoint in ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"] {
            assert!(keys(json!({"endpoint": endpoint, "console": true, "auth": auth})).is_empty());
            assert!(keys(json!({"endpoint": endpoint, "console": true})).is_empty(), "{endpoint}");
        }
        for endpoint in ["0.0.0.0:1", "[::]:1", ":1", "10.0.0.1:1", "localhost.example.com:1"] {
            assert_eq!(keys(json!({"endpoint": endpoint, "auth": auth})), ["config-clear-credentials"]);
            assert_eq!(keys(json!({"endpoint": endpoint, "console": true})), ["config-open-console"]);
            assert!(keys(json!({"endpoint": endpoint})).is_empty(), "{endpoint}");
        }
    }
}
