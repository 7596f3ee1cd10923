//! What of a configuration nobody is shown: passwords, tokens, keys, the values of headers.
//!
//! By the names of keys, since a document has components that podstamp does not read, whose secrets are secrets all the same.
//! The names of files and of users are shown.

use serde_json::{Map, Value};

/// Whether values below a place are secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Secrecy {
    /// All of them.
    all: bool,
    /// Those of pairs of a name and a value: headers may be written as a list of these.
    values: bool,
    /// The key `inline` is passwords.
    in_htpasswd: bool,
    /// A section that is a text instead would be a secret.
    if_text: bool,
}

impl Secrecy {
    /// That of the values below `key`.
    pub(super) fn below(self, key: &str) -> Self {
        let key = key.to_ascii_lowercase();
        let is_inline = self.in_htpasswd && key == "inline";
        let all = self.all || is_inline || is_secret(&key) || (self.values && key == "value");
        let (in_htpasswd, if_text) = (key == "htpasswd", matches!(key.as_str(), "htpasswd" | "auth"));
        Self { all, values: false, in_htpasswd, if_text }
    }

    /// That of a list's items. Headers as a list show their names.
    pub(super) fn of_items(self, list: &[Value]) -> Self {
        let are_pairs = !list.is_empty()
            && list.iter().all(|item| {
                item.as_object().is_some_and(|pair| {
                    ["name", "key"].iter().any(|key| pair.contains_key(*key)) && pair.contains_key("value")
                })
            });
        if self.all && are_pairs { Self { values: true, ..Self::default() } } else { self }
    }

    /// That of an item of a list. What a name makes secret may stand beside it: `{name: API_TOKEN, value: x}`.
    pub(super) fn of_item(self, item: &Map<String, Value>) -> Self {
        let named = ["name", "key"].iter().filter_map(|key| item.get(*key)?.as_str());
        let is_secret = named.map(str::to_ascii_lowercase).any(|name| is_secret(&name));
        Self { values: self.values || is_secret, ..self }
    }

    /// Whether a scalar is hidden.
    pub(super) fn hides(self, value: &Value) -> bool {
        (self.all || self.if_text) && !matches!(value, Value::Bool(_) | Value::Null)
    }
}

/// Whether a key's value, or all that stands below it, is secret.
fn is_secret(key: &str) -> bool {
    let is_file =
        ["_file", "_path", "filename", "_dir"].iter().any(|end| key.ends_with(end)) || key == "file";
    if key == "htpasswd" {
        return false;
    }
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_map_of_secrets =
        ["headers", "metadatakeyvalues", "endpointparams"].iter().any(|end| plain.ends_with(end))
            && !plain.starts_with("allowed")
            && !plain.starts_with("exposed");
    !is_file && (is_map_of_secrets || SECRET.iter().any(|part| plain.contains(part)))
}

/// A text whose credentials are hidden: those of a URL, `user:password@`, and of its query.
pub(super) fn without_secrets(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown += before;
        shown += "://";
        let end = after.find(['/', '?', '#', ' ', '"', '\'', ',']).unwrap_or(after.len());
        let (authority, others) = after.split_at_checked(end).unwrap_or((after, ""));
        match authority.rsplit_once('@') {
            Some((_, host)) => shown += &format!("***@{host}"),
            None => shown += authority,
        }
        rest = others;
    }
    shown += rest;
    without_parameters(&shown)
}

/// A text without the values of the parameters of a query whose names are those of secrets.
fn without_parameters(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, part) in text.split_inclusive(['?', '&', ';']).enumerate() {
        let (value, end) = match part.strip_suffix(['?', '&', ';']) {
            Some(value) => (value, part.get(value.len()..).unwrap_or_default()),
            None => (part, ""),
        };
        match value.split_once('=') {
            Some((name, _)) if is_secret(&name.to_ascii_lowercase()) && number > 0 => {
                shown += &format!("{name}=***{end}");
            }
            _ => shown += part,
        }
    }
    shown
}

/// Parts of keys, in lower case and without signs between words.
const SECRET: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "accountkey",
    "sharedkey",
    "signingkey",
    "encryptionkey",
    "licensekey",
    "keypem",
    "authorization",
    "ownerauth",
    "cookie",
    "connectionstring",
    "dsn",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::shown_lines;
    use super::*;

    #[test]
    fn no_secret_is_shown_however_it_is_written() {
        let document = json!({
            "receivers": {"otlp": {"protocols": {
                "http": {"tls": {"key_pem": "S3CRET", "cert_file": "shown"}, "response_headers": {"x": "S3CRET"},
                    "cors": {"allowed_headers": ["shown"]}},
                "grpc": {"auth": {"authenticator": "shown"}},
            }}},
            "exporters": {
                "otlphttp": {
                    "endpoint": "https://me:S3CRET@shown:4318/a?api_key=S3CRET&shown=1",
                    "headers": {"Authorization": "S3CRET", "x-scope": "S3CRET", "n": 5},
                    "proxy_url": "http://S3CRET@shown",
                    "tls": {"key_pem": "S3CRET", "tpm": {"owner_auth": "S3CRET", "auth": "S3CRET"}, "key_file": "shown"},
                },
                "otlphttp/list": {"headers": [
                    {"name": "shown", "value": "S3CRET"}, {"name": "shown", "value": ["S3CRET"]},
                ]},
                "kafka": {"auth": {"sasl": {"username": "shown", "password": "S3CRET"}}},
                "azure": {"connection_string": "S3CRET", "instrumentation": "shown"},
            },
            "extensions": {
                "bearertokenauth": {"token": "S3CRET", "tokens": ["S3CRET", "S3CRET"], "filename": "shown", "scheme": "shown"},
                "basicauth/a": {"htpasswd": {"inline": "me:S3CRET", "file": "shown"}},
                "basicauth/b": {"client_auth": {"username": "shown", "password": "S3CRET", "password_file": "shown"}},
                "oauth2client": {"client_id": "shown", "client_secret": "S3CRET", "client_secret_file": "shown",
                    "endpoint_params": {"audience": "S3CRET"}},
                "headers_setter": {"headers": [{"key": "shown", "value": "S3CRET", "action": "shown"}]},
            },
            "env": [{"name": "API_TOKEN", "value": "S3CRET"}, {"name": "shown", "value": "shown"}],
            "${env:TOKEN}": {"token": "${env:TOKEN:-S3CRET}", "Token": 12345678, "API-Key": "S3CRET", "dsn": "S3CRET"},
        });
        let shown: Vec<_> = shown_lines(&document).into_iter().map(|line| line.text).collect();
        let text = shown.join("\n");
        assert!(!text.contains("S3CRET") && !text.contains("12345678"), "{text}");
        assert_eq!(text.matches("shown").count(), document.to_string().matches("shown").count(), "{text}");
    }

    #[test]
    fn credentials_of_urls_are_hidden() {
        for (text, expected) in [
            ("http://a/b", "http://a/b"),
            ("http://me:x@a/b@c", "http://***@a/b@c"),
            ("redis://x@a,redis://y@b", "redis://***@a,redis://***@b"),
            ("http://a@b@c", "http://***@c"),
            ("http://a/?token=x&b=c;password=y", "http://a/?token=***&b=c;password=***"),
            ("token=x", "token=x"),
            ("://", "://"),
            ("a://@", "a://***@"),
        ] {
            assert_eq!(without_secrets(text), expected);
        }
    }
}
