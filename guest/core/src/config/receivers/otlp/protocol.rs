//! What both protocols have.

use crate::config::document::{ENABLED, Node, Section, listen};
use crate::config::extensions::{Authenticators, ServerAuth};
use crate::config::tls::{self, ServerTls};
use crate::interface::Level;

pub(super) fn read_protection(
    section: &mut Section<'_>,
    authenticators: &Authenticators<'_, '_>,
) -> (Option<ServerTls>, Option<ServerAuth>) {
    section.pass(&[ENABLED]);
    section.without_effect(&["dialer"], "podstamp listens there and does not dial");
    let tls_node = section.take("tls").unless_disabled();
    let tls = tls::read_server(&tls_node);
    let node = section.take("auth").unless_disabled();
    let auth = authenticators.server(&node);
    if auth.is_some() && !tls_node.is_set() {
        let message = "there is no `tls` beside it, so that anybody on the way can read the credentials, unless a proxy \
                       ahead of podstamp has TLS";
        node.notice(Level::Warning, "config-clear-credentials", message);
    }
    (tls, auth)
}

pub(super) fn refuse_middlewares(section: &mut Section<'_>) {
    section.refuse(&["middlewares"], "podstamp has no middlewares, and one may stand for access control");
}

pub(super) fn read_endpoint(node: &Node<'_>, default: &str) -> String {
    node.filled_text().and_then(|text| listen(node, &text)).unwrap_or_else(|| default.to_owned())
}

pub(super) const TRANSPORTS: &[(&str, ())] = &[("tcp", ()), ("tcp4", ()), ("tcp6", ())];
