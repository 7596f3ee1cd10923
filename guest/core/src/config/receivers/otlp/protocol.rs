//! Keys that both protocols have.

use crate::config::document::{ENABLED, Entry, Section, listen};
use crate::config::extensions::{Extensions, ServerAuth};
use crate::config::tls::{ServerTls, read_server_tls};
use crate::interface::Level;

pub(super) fn read_protection(
    section: &mut Section<'_>,
    extensions: &Extensions<'_, '_>,
) -> (Option<ServerTls>, Option<ServerAuth>) {
    section.pass(&[ENABLED]);
    section.without_effect(&["dialer"], "podstamp listens there and does not dial");
    let tls_entry = section.take("tls").unless_disabled();
    let tls = read_server_tls(&tls_entry);
    let entry = section.take("auth").unless_disabled();
    let auth = extensions.server(&entry);
    if auth.is_some() && !tls_entry.is_set() {
        let message = "there is no `tls` beside it, so that anybody on the way can read the credentials, unless a proxy \
                       ahead of podstamp has TLS";
        entry.notice(Level::Warning, "config-clear-credentials", message);
    }
    (tls, auth)
}

pub(super) fn refuse_middlewares(section: &mut Section<'_>) {
    section.refuse(&["middlewares"], "podstamp has no middlewares, and one may stand for access control");
}

pub(super) fn read_endpoint(entry: &Entry<'_>, default: &str) -> String {
    entry.filled_text().and_then(|text| listen(entry, &text)).unwrap_or_else(|| default.to_owned())
}

pub(super) const TRANSPORTS: &[(&str, ())] = &[("tcp", ()), ("tcp4", ()), ("tcp6", ())];
