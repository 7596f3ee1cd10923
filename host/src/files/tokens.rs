//! The values of headers that carry bearer tokens.

use http::HeaderValue;
use podstamp_core::config::{Bearer, Fault, Source};

use super::{fault, read_source};

/// The header value for each token, in their order; at least one. Blocks while files are read.
pub(crate) fn headers(bearer: &Bearer) -> Result<Vec<HeaderValue>, Fault> {
    let mut headers = Vec::new();
    for source in &bearer.tokens {
        let text = text(source)?;
        // An empty token would let in whoever sends none.
        let tokens: Vec<_> = text.lines().map(str::trim).filter(|token| !token.is_empty()).collect();
        if tokens.is_empty() {
            return Err(fault(source, "holds no token"));
        }
        for token in tokens {
            let separator = if bearer.scheme.is_empty() { "" } else { " " };
            headers.push(header(source, &format!("{}{separator}{token}", bearer.scheme))?);
        }
    }
    Ok(headers)
}

/// The text of a source, trimmed.
pub(crate) fn text(source: &Source) -> Result<String, Fault> {
    let text = String::from_utf8(read_source(source)?).map_err(|_| fault(source, "is no UTF-8 text"))?;
    Ok(text.trim().to_owned())
}

/// A header value that is marked sensitive, so that it is never logged.
pub(crate) fn header(source: &Source, text: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| fault(source, "holds characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}
