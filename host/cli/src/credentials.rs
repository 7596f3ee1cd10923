//! The credentials for a podstamp's admin listener, from a URL or the environment.
//!
//! They are shown to nobody else: a URL is told without them, in errors too.

use http::HeaderValue;
use podstamp::credentials;

/// A value of `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials(HeaderValue);

impl Credentials {
    /// The value for the header. It is marked as sensitive.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// A URL without its `user:password@`, and these.
    pub(crate) fn of_url(url: &str) -> (String, Option<Self>) {
        let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let Some((login, host)) = authority.rsplit_once('@') else { return (url.to_owned(), None) };
        let separator = if scheme.is_empty() { "" } else { "://" };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let login = format!("{}:{}", unescape(user), unescape(password));
        (format!("{scheme}{separator}{host}{path}"), Self::basic(&login))
    }

    /// Those of the environment: `user:password`, or a token alone.
    pub(crate) fn of_environment() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        let text = text.trim();
        if text.is_empty() {
            None
        } else if text.contains(':') {
            Self::basic(text)
        } else {
            Self::of_header(&format!("Bearer {text}"))
        }
    }

    fn basic(login: &str) -> Option<Self> {
        Self::of_header(&credentials::basic(login))
    }

    fn of_header(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

/// A part of a URL without its percent signs.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let digits = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped =
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%');
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { others.get(2..).unwrap_or_default() } else { others };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The variable of the environment: what stands in a command is seen by everybody on the machine.
pub(crate) const VARIABLE: &str = "PODSTAMP_ADMIN_CREDENTIALS";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_without_its_credentials() {
        for (url, expected, login) in [
            ("http://me:x@a:1/b", "http://a:1/b", Some("me:x")),
            ("me:x@a", "a", Some("me:x")),
            ("http://me@a", "http://a", Some("me:")),
            ("http://me:p%40ss%3A%zz@[::1]:1", "http://[::1]:1", Some("me:p@ss:%zz")),
            ("http://a@b:c@d", "http://d", Some("a@b:c")),
            ("http://a:1/b@c", "http://a:1/b@c", None),
            ("http://a", "http://a", None),
        ] {
            let (plain, credentials) = Credentials::of_url(url);
            let header = login.map(credentials::basic);
            let shown =
                credentials.as_ref().map(|credentials| credentials.header().to_str().unwrap().to_owned());
            assert_eq!((plain.as_str(), shown), (expected, header), "{url}");
            assert!(!format!("{credentials:?}").contains("Basic"));
        }
    }
}
