//! Authentication of clients: by tokens, or by users and their passwords.

mod htpasswd;
mod md5_crypt;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use podstamp_core::config::{Bearer, DEFAULT_RELOAD_INTERVAL, Fault, ServerAuth};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::Semaphore;

use crate::files::{Reloading, tokens};
use crate::observe::Metrics;
use htpasswd::{Users, Verdict};

/// Checks clients' credentials, as one of the document's authenticators demands.
#[derive(Debug)]
pub(crate) struct Authenticator {
    kind: Kind,
    challenge: HeaderValue,
}

#[derive(Debug)]
enum Kind {
    Bearer { header: HeaderName, scheme: usize, tokens: Reloading<Vec<HeaderValue>> },
    Basic { users: Reloading<Users>, hashing: Semaphore },
}

/// Why a request is not let in: 401, `UNAUTHENTICATED`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unauthenticated {
    /// The header with credentials is missing.
    #[error("no credentials: the header `{0}` is missing")]
    Missing(HeaderName),
    /// The header has another form than the authenticator takes.
    #[error("the header `{0}` holds no credentials that are taken here")]
    Malformed(HeaderName),
    /// The header has the right form, and nobody has these credentials.
    #[error("the credentials are wrong")]
    Wrong,
}

impl Authenticator {
    /// Loads what an authenticator names. Blocks while files are read.
    pub(crate) fn new(auth: &ServerAuth) -> Result<Self, Fault> {
        let interval = Duration::from_millis(DEFAULT_RELOAD_INTERVAL.into());
        match auth.clone() {
            ServerAuth::Bearer(bearer) => {
                let header = HeaderName::try_from(bearer.header.as_str()).map_err(|_| unusable(&bearer))?;
                let scheme = bearer.scheme.len();
                // Tokens that stand alone have no scheme to name, but the field must not be empty (RFC 9110).
                let challenge = if bearer.scheme.is_empty() { "Bearer" } else { &bearer.scheme };
                let challenge = HeaderValue::from_str(challenge).map_err(|_| unusable(&bearer))?;
                let made = bearer.clone();
                let tokens =
                    Reloading::new(&bearer.path, &bearer.tokens, interval, move || tokens::headers(&made))?;
                Ok(Self { kind: Kind::Bearer { header, scheme, tokens }, challenge })
            }
            ServerAuth::Basic(htpasswd) => {
                let made = htpasswd.clone();
                let users =
                    Reloading::new(&htpasswd.path, &htpasswd.sources, interval, move || Users::load(&made))?;
                let challenge = HeaderValue::from_static("Basic realm=\"podstamp\", charset=\"UTF-8\"");
                Ok(Self { kind: Kind::Basic { users, hashing: Semaphore::new(HASHING) }, challenge })
            }
        }
    }

    /// Watches the files from now on. Needs a runtime.
    pub(crate) fn watch_files(self, metrics: &Arc<Metrics>) -> Self {
        let kind = match self.kind {
            Kind::Bearer { header, scheme, tokens } => {
                Kind::Bearer { header, scheme, tokens: tokens.watch_files(metrics) }
            }
            Kind::Basic { users, hashing } => Kind::Basic { users: users.watch_files(metrics), hashing },
        };
        Self { kind, ..self }
    }

    /// `WWW-Authenticate` for those who are refused.
    pub(crate) fn challenge(&self) -> HeaderValue {
        self.challenge.clone()
    }

    /// Checks the headers of a request from a program or from a browser. That can ask its user for a password alone: a token is taken
    /// as the password of any user.
    pub(crate) async fn check_or_password(&self, headers: &HeaderMap) -> Result<(), Unauthenticated> {
        let checked = self.check(headers).await;
        let (Err(_), Kind::Bearer { scheme, tokens, .. }) = (&checked, &self.kind) else { return checked };
        match headers.get(AUTHORIZATION).and_then(|shown| decode(shown.as_bytes())) {
            Some((_, shown)) => password(&shown, *scheme, &tokens.current()),
            None => checked,
        }
    }

    /// Checks the headers of a request. Slow password hashes are computed away from the async workers, and remembered.
    pub(crate) async fn check(&self, headers: &HeaderMap) -> Result<(), Unauthenticated> {
        match &self.kind {
            Kind::Bearer { header, scheme, tokens } => {
                let shown = headers.get(header).ok_or_else(|| Unauthenticated::Missing(header.clone()))?;
                bearer(shown.as_bytes(), *scheme, &tokens.current())
            }
            Kind::Basic { users, hashing } => {
                let shown = headers.get(AUTHORIZATION).ok_or(Unauthenticated::Missing(AUTHORIZATION))?;
                let (user, password) =
                    decode(shown.as_bytes()).ok_or(Unauthenticated::Malformed(AUTHORIZATION))?;
                basic(users.current(), hashing, user, password).await
            }
        }
    }
}

/// The same for a token that is shown as a password.
fn password(shown: &[u8], scheme: usize, tokens: &[HeaderValue]) -> Result<(), Unauthenticated> {
    let mut found = Choice::from(0);
    for token in tokens {
        let token = token.as_bytes().get(scheme..).unwrap_or_default();
        let token = if scheme > 0 { token.strip_prefix(b" ").unwrap_or(token) } else { token };
        found |= token.ct_eq(shown);
    }
    if bool::from(found) && !shown.is_empty() { Ok(()) } else { Err(Unauthenticated::Wrong) }
}

/// Compares with every token, in a time that does not depend on where they differ.
fn bearer(shown: &[u8], scheme: usize, tokens: &[HeaderValue]) -> Result<(), Unauthenticated> {
    let mut found = Choice::from(0);
    for token in tokens {
        let (Some((known, token)), Some((named, shown))) =
            (token.as_bytes().split_at_checked(scheme), shown.split_at_checked(scheme))
        else {
            continue;
        };
        // The scheme is not secret, and its case does not matter (RFC 9110, 11.1).
        found |= Choice::from(u8::from(named.eq_ignore_ascii_case(known))) & token.ct_eq(shown);
    }
    if bool::from(found) { Ok(()) } else { Err(Unauthenticated::Wrong) }
}

async fn basic(
    users: Arc<Users>,
    hashing: &Semaphore,
    user: String,
    password: Vec<u8>,
) -> Result<(), Unauthenticated> {
    match users.verdict(&user, &password) {
        Verdict::Right => return Ok(()),
        Verdict::Wrong => return Err(Unauthenticated::Wrong),
        Verdict::Slow => {}
    }
    let Ok(_permit) = hashing.acquire().await else { return Err(Unauthenticated::Wrong) };
    let verified = tokio::task::spawn_blocking(move || users.verify(&user, &password));
    if verified.await.unwrap_or(false) { Ok(()) } else { Err(Unauthenticated::Wrong) }
}

/// The user and the password of `Basic ...` (RFC 7617).
fn decode(shown: &[u8]) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = shown.split_at_checked(BASIC.len())?;
    if !scheme.eq_ignore_ascii_case(BASIC) {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at_checked(colon)?;
    Some((String::from_utf8(user.to_vec()).ok()?, password.get(1..)?.to_vec()))
}

fn unusable(bearer: &Bearer) -> Fault {
    Fault { path: bearer.path.clone(), message: "has no usable header or scheme".to_owned() }
}

const BASIC: &[u8] = b"Basic ";

/// Slow hashes computed at a time: a flood of wrong passwords must not take all cores.
const HASHING: usize = 2;

#[cfg(test)]
mod tests {
    use podstamp_core::config::{Htpasswd, Place, Secret, Source};

    use super::*;

    fn inline(text: &str) -> Source {
        Source { path: "inline".to_owned(), place: Place::Inline(Secret::new(text)) }
    }

    fn tokens(header: &str, scheme: &str, tokens: &[&str]) -> Authenticator {
        let tokens = tokens.iter().map(|token| inline(token)).collect();
        let (header, scheme) = (header.to_owned(), scheme.to_owned());
        let bearer = Bearer { path: "extensions.bearertokenauth".to_owned(), header, scheme, tokens };
        Authenticator::new(&ServerAuth::Bearer(bearer)).unwrap()
    }

    fn users(sources: Vec<Source>) -> Result<Authenticator, Fault> {
        Authenticator::new(&ServerAuth::Basic(Htpasswd { path: "extensions.basicauth".to_owned(), sources }))
    }

    async fn shows(authenticator: &Authenticator, value: &str) -> Result<(), Unauthenticated> {
        let name = match &authenticator.kind {
            Kind::Bearer { header, .. } => header.clone(),
            Kind::Basic { .. } => AUTHORIZATION,
        };
        authenticator.check(&HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])).await
    }

    async fn logs_in(authenticator: &Authenticator, login: &str) -> bool {
        shows(authenticator, &format!("Basic {}", STANDARD.encode(login))).await.is_ok()
    }

    #[tokio::test]
    async fn any_of_the_tokens_opens_and_nothing_else() {
        let authenticator =
            tokens("authorization", "Bearer", &["t0p", "second\nthird"]).watch_files(&Arc::default());
        for right in ["Bearer t0p", "bearer t0p", "Bearer second", "Bearer third"] {
            assert_eq!(shows(&authenticator, right).await, Ok(()), "{right}");
        }
        for wrong in ["", "Bearer", "Bearer ", "t0p", "Bearer t0", "Bearer t0p2", "Bearer T0P", "Basic t0p"] {
            assert_eq!(shows(&authenticator, wrong).await, Err(Unauthenticated::Wrong), "{wrong}");
        }
        let missing = authenticator.check(&HeaderMap::new()).await.unwrap_err();
        assert_eq!(missing.to_string(), "no credentials: the header `authorization` is missing");
        assert_eq!(authenticator.challenge(), "Bearer");
        let authenticator = tokens("x-api-key", "", &["t0p"]);
        assert_eq!(shows(&authenticator, "t0p").await, Ok(()));
        assert_eq!(shows(&authenticator, "Bearer t0p").await, Err(Unauthenticated::Wrong));
        assert!(!format!("{authenticator:?}").contains("t0p"));
    }

    #[tokio::test]
    async fn users_log_in_by_their_passwords() {
        let bcrypt = "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
        let text = format!("plain:correct horse\nslow:{bcrypt}\n");
        let authenticator = users(vec![inline(&text)]).unwrap();
        for user in ["plain", "slow", "slow"] {
            assert!(logs_in(&authenticator, &format!("{user}:correct horse")).await, "{user}");
            assert!(!logs_in(&authenticator, &format!("{user}:Correct horse")).await, "{user}");
            assert!(!logs_in(&authenticator, &format!("{user}:")).await, "{user}");
        }
        assert!(!logs_in(&authenticator, "nobody:correct horse").await);
        for malformed in ["Basic", "Basic !", "Bearer eDp5", "Basic eA=="] {
            assert_eq!(
                shows(&authenticator, malformed).await,
                Err(Unauthenticated::Malformed(AUTHORIZATION))
            );
        }
        assert!(authenticator.challenge().to_str().unwrap().starts_with("Basic realm="));
    }

    #[tokio::test]
    async fn passwords_in_a_file_are_read_again_and_those_in_the_document_go_ahead() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("htpasswd");
        std::fs::write(&file, "a:one\nb:one\n").unwrap();
        let place = Place::File(file.to_str().unwrap().to_owned());
        let source = Source { path: "htpasswd.file".to_owned(), place };
        let authenticator = users(vec![source, inline("b:inline")]).unwrap().watch_files(&Arc::default());
        assert!(logs_in(&authenticator, "a:one").await && logs_in(&authenticator, "b:inline").await);
        assert!(!logs_in(&authenticator, "b:one").await);
        let Kind::Basic { users, .. } = &authenticator.kind else { panic!() };
        let metrics = Metrics::default();
        for (text, expected) in [("a:second\n", "a:second"), ("nonsense\n", "a:second")] {
            std::fs::write(&file, text).unwrap();
            users.look(&metrics);
            users.look(&metrics);
            assert!(
                logs_in(&authenticator, expected).await && !logs_in(&authenticator, "a:one").await,
                "{text}"
            );
        }
    }
}
