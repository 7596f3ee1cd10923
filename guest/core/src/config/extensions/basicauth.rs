//! `basicauth`.
//!
//! Its keys are those of `config.go` at v0.159.0, by eye: Go's module proxy does not have all that the extension imports, so that
//! `collector.json` has none of it. `aws_secrets_manager` came later.

use crate::config::document::{Entry, Place, Source};

/// The passwords of users, as Apache's htpasswd writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Htpasswd {
    /// The extension's section, for example `extensions.basicauth`.
    pub path: String,
    /// A line for each user. Later ones go ahead of earlier ones.
    pub sources: Vec<Source>,
}

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The extension's section, for example `extensions.basicauth`.
    pub path: String,
    /// The user.
    pub username: Source,
    /// The password; none: an empty one.
    pub password: Option<Source>,
}

pub(super) fn read_htpasswd(entry: &Entry<'_>, reference: &Entry<'_>) -> Option<Htpasswd> {
    let (htpasswd, client) = sides(entry)?;
    if !htpasswd.is_set() && client.is_set() {
        reference.fault(format!("`{}` is for exporters: a receiver needs one with `htpasswd`", entry.path()));
        return None;
    }
    let mut section = htpasswd.section();
    let sources = [Source::named(&section.take("file")), Source::inline(&section.take("inline"))];
    section.close();
    let sources: Vec<_> = sources.into_iter().flatten().collect();
    if sources.is_empty() {
        htpasswd.fault("has no users: add `file` or `inline`, as `htpasswd -B` writes them");
        return None;
    }
    Some(Htpasswd { path: entry.path().to_owned(), sources })
}

pub(super) fn read_login(entry: &Entry<'_>, reference: &Entry<'_>) -> Option<Login> {
    let (htpasswd, client) = sides(entry)?;
    if !client.is_set() && htpasswd.is_set() {
        reference
            .fault(format!("`{}` is for receivers: an exporter needs one with `client_auth`", entry.path()));
        return None;
    }
    let mut section = client.section();
    let username = section.take("username");
    // A file goes ahead, as in the Collector.
    let named = Source::named(&section.take("username_file"));
    let password = section.take("password");
    let password = Source::named(&section.take("password_file")).or_else(|| Source::inline(&password));
    section.refuse(&["aws_secrets_manager"], "podstamp does not speak to it: use files");
    section.close();
    let source = named.or_else(|| Source::inline(&username));
    match &source {
        None if !username.is_filled() => {
            username.fault("is missing: the user to log in as");
        }
        Some(Source { place: Place::Inline(text), .. }) if text.expose().contains(':') => {
            username.fault("has a colon, which ends the user's name");
        }
        _ => {}
    }
    Some(Login { path: entry.path().to_owned(), username: source?, password })
}

/// `htpasswd` and `client_auth`, of which one has to be there.
fn sides<'d>(entry: &Entry<'d>) -> Option<(Entry<'d>, Entry<'d>)> {
    let mut section = entry.section();
    let (htpasswd, client) = (section.take("htpasswd"), section.take("client_auth"));
    section.close();
    match (htpasswd.is_set(), client.is_set()) {
        (true, true) => {
            client.fault("stands beside `htpasswd`: make two extensions, one for each side");
            None
        }
        (false, false) => {
            entry.fault("has neither `htpasswd` nor `client_auth`");
            None
        }
        _ => Some((htpasswd, client)),
    }
}
