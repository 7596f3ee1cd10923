//! `GET /pods?fields=namespace,uid`: the pod table, as far as somebody needs it.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use podstamp_core::directory::{Field, Fields};

use super::listings::{Listing, Listings, NoListing};
use super::text;

pub(super) async fn answer(
    query: Option<&str>,
    headers: &HeaderMap,
    listings: &Listings,
) -> Response<Full<Bytes>> {
    let fields = match fields(query.unwrap_or_default()) {
        Ok(fields) => fields,
        Err(message) => return text(StatusCode::BAD_REQUEST, message),
    };
    match listings.listing(fields).await {
        Ok(listing) => listed(listing, headers),
        Err(NoListing::NoTable) => text(StatusCode::NOT_FOUND, NO_PODS),
        Err(NoListing::Failed(error)) => {
            tracing::error!(%error, "listing the pods failed");
            text(StatusCode::INTERNAL_SERVER_ERROR, "listing the pods failed\n")
        }
    }
}

fn listed(Listing { text: listed, tag }: Listing, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let mut response = if is_known(headers, &tag) {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        text(StatusCode::OK, listed)
    };
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The fields that a query asks for; all where it names none.
fn fields(query: &str) -> Result<Fields, String> {
    let mut asked = query.split('&').filter_map(|part| part.strip_prefix("fields=")).peekable();
    if asked.peek().is_none() {
        return Ok(Fields::ALL);
    }
    let mut fields = Fields::NONE;
    for list in asked {
        // Some clients escape commas.
        let list = list.replace("%2C", ",").replace("%2c", ",");
        for name in list.split(',').filter(|name| !name.is_empty()) {
            let field = Field::of_name(name)
                .ok_or_else(|| format!("there is no field {name:?}; fields are {}\n", Fields::ALL))?;
            fields = fields.with(field);
        }
    }
    Ok(fields)
}

/// Whether the client has the text of that tag already (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = values.flat_map(|value| value.split(',')).map(str::trim);
    known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes())
}

const NO_PODS: &str =
    "there are no pods here: set podstamp.pods.from or podstamp.pods.file, or start with --pods\n";

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
            assert_eq!(fields(query).unwrap().to_string(), expected, "{query}");
        }
        let expected = "there is no field \"ip\"; fields are namespace,uid,node,hostname,deployment,phase,labels,annotations,containers\n";
        assert_eq!(fields("fields=uid,ip").unwrap_err(), expected);
    }

    #[test]
    fn a_client_knows_what_it_has_the_tag_of() {
        let tag = HeaderValue::from_static("\"a\"");
        for (values, expected) in [
            (&[][..], false),
            (&["\"b\""], false),
            (&["\"a\""], true),
            (&["\"b\", W/\"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["*"], true),
            (&["a"], false),
        ] {
            let values = values.iter().map(|value| (IF_NONE_MATCH, HeaderValue::from_static(value)));
            assert_eq!(is_known(&values.collect(), &tag), expected);
        }
    }
}
