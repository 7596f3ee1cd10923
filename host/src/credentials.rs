//! The credentials that podstamp shows: an exporter to its upstream, and a follower of pods to the podstamp that has them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use podstamp_core::config::{ClientAuth, DEFAULT_RELOAD_INTERVAL, Fault, Login, Source};

use crate::files::{Reloading, fault, tokens};
use crate::observe::Metrics;

/// A header with credentials, made of the current content of their files.
#[derive(Debug)]
pub(crate) struct Credentials {
    name: HeaderName,
    value: Reloading<HeaderValue>,
}

impl Credentials {
    /// Reads the credentials for the first time; blocks while their files are read.
    pub(crate) fn new(auth: &ClientAuth) -> Result<Self, Fault> {
        let interval = Duration::from_millis(DEFAULT_RELOAD_INTERVAL.into());
        let unusable = |_| Fault { path: auth.path().to_owned(), message: "has no usable header".to_owned() };
        let name = HeaderName::try_from(auth.header()).map_err(unusable)?;
        let (sources, made) = (sources(auth), auth.clone());
        let value = Reloading::new(auth.path(), sources, interval, move || value(&made))?;
        Ok(Self { name, value })
    }

    /// Watches the files from now on. Needs a runtime.
    pub(crate) fn watch_files(self, metrics: &Arc<Metrics>) -> Self {
        Self { value: self.value.watch_files(metrics), ..self }
    }

    /// Sets the header among a request's.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        headers.insert(self.name.clone(), HeaderValue::clone(&self.value.current()));
    }
}

/// `Authorization` for `user:password` (RFC 7617).
pub fn basic(login: &str) -> String {
    format!("Basic {}", STANDARD.encode(login))
}

fn sources(auth: &ClientAuth) -> Vec<&Source> {
    match auth {
        ClientAuth::Bearer(bearer) => bearer.tokens.iter().collect(),
        ClientAuth::Basic(login) => std::iter::once(&login.username).chain(&login.password).collect(),
    }
}

fn value(auth: &ClientAuth) -> Result<HeaderValue, Fault> {
    match auth {
        ClientAuth::Bearer(bearer) => {
            let none = || Fault { path: bearer.path.clone(), message: "has no token".to_owned() };
            tokens::headers(bearer)?.into_iter().next().ok_or_else(none)
        }
        ClientAuth::Basic(Login { username, password, .. }) => {
            let user = tokens::text(username)?;
            if user.contains(':') {
                return Err(fault(username, "has a colon, which ends the user's name"));
            }
            let password = password.as_ref().map(tokens::text).transpose()?.unwrap_or_default();
            tokens::header(username, &basic(&format!("{user}:{password}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;
    use podstamp_core::config::{Bearer, Place, Secret};

    use super::*;

    fn inline(text: &str) -> Source {
        Source { path: "inline".to_owned(), place: Place::Inline(Secret::new(text)) }
    }

    fn bearer(scheme: &str, token: Source) -> ClientAuth {
        ClientAuth::Bearer(Bearer {
            path: "extensions.bearertokenauth".to_owned(),
            header: "authorization".to_owned(),
            scheme: scheme.to_owned(),
            tokens: vec![token],
        })
    }

    fn shown(credentials: &Credentials) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("from somewhere else"));
        credentials.apply(&mut headers);
        let value = headers.get(AUTHORIZATION).unwrap();
        assert!(value.is_sensitive() && headers.len() == 1);
        value.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_first_token_follows_its_scheme() {
        for (scheme, text, expected) in
            [("Bearer", "t0p\nother\n", "Bearer t0p"), ("", "\n t0p \n", "t0p"), ("Token", "a", "Token a")]
        {
            assert_eq!(shown(&Credentials::new(&bearer(scheme, inline(text))).unwrap()), expected);
        }
        for text in ["", " \n", "a\u{1}b"] {
            let fault = Credentials::new(&bearer("Bearer", inline(text))).unwrap_err();
            assert!(fault.message.starts_with("holds "), "{fault}");
        }
    }

    #[test]
    fn a_user_and_a_password_are_encoded() {
        let login = |user: &str, password: &str| {
            ClientAuth::Basic(Login {
                path: "extensions.basicauth".to_owned(),
                username: inline(user),
                password: Some(inline(password)),
            })
        };
        // RFC 7617, section 2.
        let credentials = Credentials::new(&login("Aladdin", "open sesame")).unwrap();
        assert_eq!(shown(&credentials), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{credentials:?}").contains("QWxh"));
        assert!(Credentials::new(&login("a:b", "")).unwrap_err().message.contains("colon"));
    }

    #[test]
    fn a_token_in_a_file_is_read_again_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "one\n").unwrap();
        let place = Place::File(file.to_str().unwrap().to_owned());
        let source = Source { path: "filename".to_owned(), place };
        let credentials = Credentials::new(&bearer("Bearer", source)).unwrap();
        let metrics = Metrics::default();
        let look = || {
            credentials.value.look(&metrics);
            credentials.value.look(&metrics);
            shown(&credentials)
        };
        std::fs::write(&file, "second\n").unwrap();
        assert_eq!(look(), "Bearer second");
        std::fs::write(&file, "\n").unwrap();
        assert_eq!(look(), "Bearer second");
    }
}
