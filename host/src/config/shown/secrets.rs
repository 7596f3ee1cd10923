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
    /// A text is a secret unless it is the path of a file.
    unless_path: bool,
    /// The key `key` is a secret, and not the name of something that stands beside it.
    lone_key: bool,
}

impl Secrecy {
    /// That of the values below `key`.
    pub(super) fn below(self, key: &str) -> Self {
        let key = key.to_ascii_lowercase();
        let is_inline = self.in_htpasswd && key == "inline";
        let is_lone_key = self.lone_key && key == "key";
        let all = self.all || is_inline || is_lone_key || is_secret(&key) || (self.values && key == "value");
        let unless_path = ["_key", "-key"].iter().any(|end| key.ends_with(end));
        let (in_htpasswd, if_text) = (key == "htpasswd", matches!(key.as_str(), "htpasswd" | "auth"));
        Self { all, in_htpasswd, if_text, unless_path, ..Self::default() }
    }

    /// That of the entries of a section. Of a component that sends or takes, `key` may be a secret.
    pub(super) fn of_section(self, section: &Map<String, Value>, path: &str) -> Self {
        let may_be = ["exporters.", "receivers.", "extensions."].iter().any(|start| path.starts_with(start));
        let names_something = ["value", "action"].iter().any(|key| section.contains_key(*key));
        Self { lone_key: may_be && !names_something, ..self }
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
        let is_path = value.as_str().is_some_and(|text| text.starts_with(['/', '.']));
        (self.all || self.if_text || (self.unless_path && !is_path))
            && !matches!(value, Value::Bool(_) | Value::Null)
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

/// A text without credentials: those of a URL or of `user:password@host`, those of a query or of a connection string, and the defaults
/// of variables that are named like secrets.
pub(super) fn without_secrets(text: &str) -> String {
    let words = text.split_inclusive([' ', '\t', '\n', '"', '\'']).map(without_user);
    without_defaults(&without_parameters(&words.collect::<String>()))
}

/// A word without what stands ahead of its last `@`, where that is somebody's credentials.
fn without_user(word: &str) -> String {
    let Some((ahead, host)) = word.rsplit_once('@') else { return word.to_owned() };
    match ahead.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://{HIDDEN}@{host}"),
        None if ahead.contains(':') => format!("{HIDDEN}@{host}"),
        None => word.to_owned(),
    }
}

/// A text without the values of parameters that are named like secrets: `?token=x`, `password=x`, `pwd=x`.
fn without_parameters(text: &str) -> String {
    const ENDS: [char; 9] = ['?', '&', ';', '#', ',', ' ', '\n', '"', '\''];
    let parts = text.split_inclusive(ENDS);
    let shown = parts.map(|part| {
        let value = part.strip_suffix(ENDS).unwrap_or(part);
        let end = part.get(value.len()..).unwrap_or_default();
        match value.split_once('=') {
            Some((name, _)) if is_secret_parameter(name) => format!("{name}={HIDDEN}{end}"),
            _ => part.to_owned(),
        }
    });
    shown.collect()
}

fn is_secret_parameter(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    matches!(name.as_str(), "sig" | "signature" | "key" | "pwd") || is_secret(&name)
}

/// A text without the defaults of variables that are named like secrets: `${env:TOKEN:-x}`.
fn without_defaults(text: &str) -> String {
    let mut parts = text.split("${");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown += "${";
        let (name, default) = part.split_once(":-").unwrap_or((part, ""));
        if !default.is_empty() && !name.contains('}') && is_secret(&name.to_ascii_lowercase()) {
            let rest = default.find('}').and_then(|end| default.get(end..)).unwrap_or_default();
            shown += &format!("{name}:-{HIDDEN}{rest}");
        } else {
            shown += part;
        }
    }
    shown
}

/// What stands in a text in place of a secret.
const HIDDEN: &str = "***";

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
    "datasource",
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
                "azure": {"connection_string": "S3CRET", "instrumentation": "shown", "datasource": "S3CRET"},
                "vendor": {"key": "S3CRET", "license_key": "S3CRET", "site_key": "S3CRET", "ssh_key": "/shown",
                    "pairs": [{"key": "shown", "value": "shown"}, {"key": "S3CRET"}]},
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
            ("http://me:x@a/b", "http://***@a/b"),
            ("http://me:x@y/z@a/b", "http://***@a/b"),
            ("redis://x@a,redis://y@b", "redis://***@b"),
            ("me:x@tcp(a:3306)/b", "***@tcp(a:3306)/b"),
            ("me@example.com", "me@example.com"),
            ("to http://me:x@a and b", "to http://***@a and b"),
            ("http://a/?token=x&b=c;password=y", "http://a/?token=***&b=c;password=***"),
            (
                "http://a/?sig=x&key=y&signature=z#api_key=w",
                "http://a/?sig=***&key=***&signature=***#api_key=***",
            ),
            ("host=a password=x user=b", "host=a password=*** user=b"),
            ("Server=a;Pwd=x;User Id=b", "Server=a;Pwd=***;User Id=b"),
            ("token=x", "token=***"),
            ("${env:API_TOKEN:-x}/${env:HOST:-y}", "${env:API_TOKEN:-***}/${env:HOST:-y}"),
            ("${env:API_TOKEN}", "${env:API_TOKEN}"),
            ("a=b", "a=b"),
            ("://", "://"),
            ("a://@", "a://***@"),
        ] {
            assert_eq!(without_secrets(text), expected);
        }
    }
}
