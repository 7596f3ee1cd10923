//! `GET /pods?fields=namespace,uid`: the pod table, as far as somebody needs it; with `since`, what has changed.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use podstamp_core::directory::{Field, Fields};
use podstamp_pods::Version;

use super::coded::{Text, takes_gzip};
use super::feed::Question;
use super::listings::{Listing, Listings, NoListing};
use super::response::{Body, text};

/// What a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Query {
    fields: Fields,
    /// The version that the client has. `None`: it does not follow changes.
    since: Option<Option<Version>>,
    wait: Duration,
}

/// Answers a query; `stopping` ends waiting for changes.
pub(super) async fn answer(
    query: Option<&str>,
    headers: &HeaderMap,
    listings: &Listings,
    stopping: impl Future<Output = ()>,
) -> Response<Body> {
    let Query { fields, since, wait } = match Query::parse(query.unwrap_or_default()) {
        Ok(query) => query,
        Err(message) => return text(StatusCode::BAD_REQUEST, message),
    };
    let answered = match since {
        Some(since) => {
            let changes = listings.changes(Question { fields, since, wait }, stopping).await;
            match changes {
                Ok(changes) => Ok(coded(&changes, headers).await),
                Err(error) => Err(error),
            }
        }
        None => match listings.listing(fields).await {
            Ok(listing) => Ok(listed(&listing, headers).await),
            Err(error) => Err(error),
        },
    };
    answered.unwrap_or_else(|error| match error {
        NoListing::NoTable => text(StatusCode::NOT_FOUND, NO_PODS),
        NoListing::Crowded => {
            let mut response = text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"));
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
            response
        }
        NoListing::Failed(error) => {
            tracing::error!(%error, "listing the pods failed");
            text(StatusCode::INTERNAL_SERVER_ERROR, "listing the pods failed\n")
        }
    })
}

async fn listed(listing: &Listing, headers: &HeaderMap) -> Response<Body> {
    let mut response = if is_known(headers, &listing.hash) {
        let mut response = Response::new(Full::default().boxed());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    } else {
        coded(&listing.text, headers).await
    };
    // Another representation has another tag (RFC 9110, 8.8.3).
    let coding = if response.headers().contains_key(CONTENT_ENCODING) { GZIP_TAG } else { "" };
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}{coding}\"", listing.hash)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// A text, compressed where the client takes that and it pays.
async fn coded(written: &Text, headers: &HeaderMap) -> Response<Body> {
    let gzip = if takes_gzip(headers) { written.gzip().await } else { None };
    let is_gzip = gzip.is_some();
    let mut response = text(StatusCode::OK, gzip.unwrap_or_else(|| written.plain.clone()));
    if is_gzip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

impl Query {
    fn parse(query: &str) -> Result<Self, String> {
        let mut parsed = Self { fields: Fields::ALL, since: None, wait: Duration::ZERO };
        let mut named: Option<Fields> = None;
        for part in query.split('&') {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key {
                "fields" => named = Some(named.unwrap_or(Fields::NONE).union(read_fields(value)?)),
                // A version that cannot be read is not this process's: all pods are the answer to it.
                "since" => parsed.since = Some(value.parse().ok()),
                "wait" => {
                    let seconds =
                        value.parse().map_err(|_| format!("wait={value} is no number of seconds\n"))?;
                    parsed.wait = Duration::from_secs(seconds).min(LONGEST_WAIT);
                }
                _ => {}
            }
        }
        parsed.fields = named.unwrap_or(Fields::ALL);
        Ok(parsed)
    }
}

/// The fields that a list names.
fn read_fields(list: &str) -> Result<Fields, String> {
    // Some clients escape commas.
    let list = list.replace("%2C", ",").replace("%2c", ",");
    let field = |name: &str| {
        Field::of_name(name)
            .ok_or_else(|| format!("there is no field {name:?}; fields are {}\n", Fields::ALL))
    };
    list.split(',').filter(|name| !name.is_empty()).map(field).collect()
}

/// Whether the client has the text of that hash already (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, hash: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = values.flat_map(|value| value.split(',')).map(str::trim);
    known.any(|known| {
        let quoted = known.strip_prefix("W/").unwrap_or(known);
        let bare = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        known == "*" || bare.is_some_and(|bare| bare.strip_suffix(GZIP_TAG).unwrap_or(bare) == hash)
    })
}

pub(super) const NO_PODS: &str =
    "there are no pods here: set podstamp.pods.from or podstamp.pods.file, or start with --pods\n";

/// What a tag ends with where the text is compressed.
const GZIP_TAG: &str = "-gzip";

/// What is on the way forgets a connection on which nothing comes for longer, some of it after a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(55);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_fields() {
        for (query, expected) in [
            ("", Fields::ALL.to_string()),
            ("other=x", Fields::ALL.to_string()),
            ("fields=", String::new()),
            ("fields=uid,namespace", "namespace,uid".to_owned()),
            ("x=y&fields=uid&fields=node%2Cphase", "uid,node,phase".to_owned()),
        ] {
            assert_eq!(Query::parse(query).unwrap().fields.to_string(), expected, "{query}");
        }
        let expected = "there is no field \"ip\"; fields are namespace,uid,node,hostname,deployment,phase,labels,annotations,containers\n";
        assert_eq!(Query::parse("fields=uid,ip").unwrap_err(), expected);
    }

    #[test]
    fn a_query_says_since_when_and_how_long_to_wait() {
        let parse = |query| {
            let Query { since, wait, .. } = Query::parse(query).unwrap();
            (since, wait.as_secs())
        };
        assert_eq!(parse("fields=uid"), (None, 0));
        assert_eq!(parse("since="), (Some(None), 0));
        assert_eq!(parse("since=nonsense&wait=5"), (Some(None), 5));
        let version = Version { epoch: 0xab, number: 7 };
        assert_eq!(
            parse(&format!("since={version}&wait=3600")),
            (Some(Some(version)), LONGEST_WAIT.as_secs())
        );
        assert_eq!(Query::parse("wait=soon").unwrap_err(), "wait=soon is no number of seconds\n");
    }

    #[test]
    fn a_client_knows_what_it_has_the_tag_of() {
        for (values, expected) in [
            (&[][..], false),
            (&["\"b\""], false),
            (&["\"a\""], true),
            (&["\"a-gzip\""], true),
            (&["\"b\", W/\"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["*"], true),
            (&["a"], false),
        ] {
            let values = values.iter().map(|value| (IF_NONE_MATCH, HeaderValue::from_static(value)));
            assert_eq!(is_known(&values.collect(), "a"), expected);
        }
    }
}
