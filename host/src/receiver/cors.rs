//! Permission for scripts in browsers to send from other origins, in the way of rs/cors, which the Collector uses.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use podstamp_core::config;

/// Which origins may send what.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Origins,
    /// The headers that may be sent; `None`: any.
    headers: Option<Vec<String>>,
    exposed: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

#[derive(Debug)]
enum Origins {
    Any,
    Only(Vec<Pattern>),
}

/// An origin in lower case: whole, or what it begins and ends with.
#[derive(Debug)]
enum Pattern {
    Exact(String),
    Around(String, String),
}

impl Cors {
    pub(crate) fn new(settings: &config::Cors) -> Self {
        let any = |texts: &[String]| texts.iter().any(|text| text == "*");
        let origins = if any(&settings.allowed_origins) {
            Origins::Any
        } else {
            Origins::Only(settings.allowed_origins.iter().map(|text| Pattern::new(text)).collect())
        };
        let listed = settings.allowed_headers.iter().map(|name| name.to_ascii_lowercase());
        let also = if settings.allowed_headers.is_empty() { &DEFAULT_HEADERS[..] } else { IMPLIED_HEADERS };
        let also = also.iter().map(|name| (*name).to_owned());
        let exposed = settings.exposed_headers.join(", ");
        Self {
            origins,
            headers: (!any(&settings.allowed_headers)).then(|| listed.chain(also).collect()),
            exposed: HeaderValue::from_str(&exposed).ok().filter(|value| !value.is_empty()),
            max_age: (settings.max_age > 0).then(|| HeaderValue::from(settings.max_age)),
        }
    }

    /// Whether a browser asks what a script may do, ahead of the script's own request. Browsers send no credentials with
    /// it.
    pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The answer to a preflight request. Without permission it is empty, and the browser refuses.
    pub(crate) fn preflight(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let allowed = response.headers_mut();
        allowed.insert(VARY, HeaderValue::from_static(PREFLIGHT_VARY));
        let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD);
        let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        let usable = method.is_some_and(|method| METHODS.contains(&method.as_bytes()))
            && asked.is_none_or(|asked| self.allows_headers(asked.as_bytes()));
        if !usable || !self.allow_origin(headers, allowed) {
            return response;
        }
        if let Some(method) = method {
            allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        }
        if let Some(asked) = asked {
            allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        if let Some(max_age) = &self.max_age {
            allowed.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
        response
    }

    /// Adds the headers that let a script read the response. Refusals get them too: a script may see why.
    pub(crate) fn decorate(&self, request: &HeaderMap, response: &mut HeaderMap) {
        response.append(VARY, HeaderValue::from_static("Origin"));
        if self.allow_origin(request, response)
            && let Some(exposed) = &self.exposed
        {
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    /// Names the origin of `request` in `response`; false if it may not send.
    fn allow_origin(&self, request: &HeaderMap, response: &mut HeaderMap) -> bool {
        let Some(origin) = request.get(ORIGIN).filter(|origin| !origin.is_empty()) else { return false };
        match &self.origins {
            // Browsers take no credentials together with `*`.
            Origins::Any => {
                response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
                true
            }
            Origins::Only(patterns) => {
                let Ok(text) = origin.to_str() else { return false };
                let text = text.to_ascii_lowercase();
                if !patterns.iter().any(|pattern| pattern.matches(&text)) {
                    return false;
                }
                response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
                true
            }
        }
    }

    fn allows_headers(&self, asked: &[u8]) -> bool {
        let Some(allowed) = &self.headers else { return true };
        asked
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .filter(|name| !name.is_empty())
            .all(|name| allowed.iter().any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(name)))
    }
}

impl Pattern {
    fn new(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.split_once('*') {
            Some((before, after)) => Self::Around(before.to_owned(), after.to_owned()),
            None => Self::Exact(text),
        }
    }

    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exact(text) => origin == text,
            Self::Around(before, after) => {
                origin.strip_prefix(before.as_str()).is_some_and(|rest| rest.ends_with(after.as_str()))
            }
        }
    }
}

/// Those of rs/cors.
const DEFAULT_HEADERS: [&str; 3] = ["accept", "content-type", "x-requested-with"];

/// The headers that are always allowed, as the Collector documents. OTLP cannot be sent without `content-type`.
const IMPLIED_HEADERS: &[&str] = &["accept", "accept-language", "content-language", "content-type"];

/// The methods of rs/cors; only POST leads anywhere.
const METHODS: &[&[u8]] = &[b"GET", b"POST", b"HEAD"];

const PREFLIGHT_VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], headers: &[&str]) -> Cors {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Cors::new(&config::Cors {
            allowed_origins: texts(origins),
            allowed_headers: texts(headers),
            exposed_headers: texts(&["Retry-After", "X-Id"]),
            max_age: 7200,
        })
    }

    fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
        let entry = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        entries.iter().map(entry).collect()
    }

    fn asks(cors: &Cors, entries: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let headers = headers(entries);
        assert!(Cors::is_preflight(&Method::OPTIONS, &headers));
        let response = cors.preflight(&headers);
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()[VARY], PREFLIGHT_VARY);
        shown(response.headers())
    }

    fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
        let mut shown: Vec<_> = headers
            .iter()
            .filter_map(|(name, value)| {
                let name = name.as_str().strip_prefix("access-control-")?;
                Some((name.to_owned(), value.to_str().unwrap().to_owned()))
            })
            .collect();
        shown.sort();
        shown
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const POST: (&str, &str) = ("access-control-request-method", "POST");

    #[test]
    fn a_preflight_is_answered_with_what_it_asked_for() {
        let cors = cors(&["https://shop.example"], &["X-Token"]);
        let origin = ("origin", "https://shop.example");
        let asked = ("access-control-request-headers", "content-type,x-token");
        let expected = pairs(&[
            ("allow-credentials", "true"),
            ("allow-headers", "content-type,x-token"),
            ("allow-methods", "POST"),
            ("allow-origin", "https://shop.example"),
            ("max-age", "7200"),
        ]);
        assert_eq!(asks(&cors, &[origin, POST, asked]), expected);
        for refused in [
            &[("origin", "https://evil.example"), POST][..],
            &[POST],
            &[origin, ("access-control-request-method", "DELETE")],
            &[origin, POST, ("access-control-request-headers", "content-type,x-other")],
        ] {
            assert_eq!(asks(&cors, refused), [], "{refused:?}");
        }
    }

    #[test]
    fn other_requests_are_no_preflights() {
        assert!(!Cors::is_preflight(&Method::POST, &headers(&[POST])));
        assert!(!Cors::is_preflight(&Method::OPTIONS, &headers(&[("origin", "https://a")])));
    }

    #[test]
    fn a_star_stands_for_any_text_and_alone_for_any_origin() {
        let wild = cors(&["https://*.example.com", "http://localhost:*", "null"], &[]);
        for (origin, allowed) in [
            ("https://a.example.com", true),
            ("https://A.B.EXAMPLE.com", true),
            ("https://.example.com", true),
            ("https://example.com", false),
            ("https://a.example.com.evil", false),
            ("http://a.example.com", false),
            ("http://localhost:3000", true),
            ("http://localhost", false),
            ("null", true),
        ] {
            let mut response = HeaderMap::new();
            wild.decorate(&headers(&[("origin", origin)]), &mut response);
            assert_eq!(response.get(ACCESS_CONTROL_ALLOW_ORIGIN).is_some(), allowed, "{origin}");
            assert_eq!(response[VARY], "Origin");
        }
        let any = cors(&["https://a", "*"], &["*"]);
        let asked = ("access-control-request-headers", "anything");
        let expected = pairs(&[
            ("allow-headers", "anything"),
            ("allow-methods", "POST"),
            ("allow-origin", "*"),
            ("max-age", "7200"),
        ]);
        assert_eq!(asks(&any, &[("origin", "https://b"), POST, asked]), expected);
    }

    #[test]
    fn a_response_says_what_the_script_may_read() {
        let cors = cors(&["https://shop.example"], &[]);
        let mut response = headers(&[("vary", "accept-encoding")]);
        cors.decorate(&headers(&[("origin", "https://shop.example")]), &mut response);
        let expected = pairs(&[
            ("allow-credentials", "true"),
            ("allow-origin", "https://shop.example"),
            ("expose-headers", "Retry-After, X-Id"),
        ]);
        assert_eq!(shown(&response), expected);
        assert_eq!(response.get_all(VARY).iter().count(), 2);
        let mut response = HeaderMap::new();
        cors.decorate(&HeaderMap::new(), &mut response);
        assert_eq!(shown(&response), []);
    }

    #[test]
    fn without_a_list_the_headers_of_rs_cors_are_allowed() {
        let cors = cors(&["*"], &[]);
        for (asked, allowed) in
            [("content-type", true), ("X-Requested-With, accept", true), ("", true), ("authorization", false)]
        {
            let answered =
                asks(&cors, &[("origin", "https://a"), POST, ("access-control-request-headers", asked)]);
            assert_eq!(!answered.is_empty(), allowed, "{asked}");
        }
    }
}
