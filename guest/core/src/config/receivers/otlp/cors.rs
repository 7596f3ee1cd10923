//! `cors`: from which pages browsers may send.

use crate::config::document::{ENABLED, Entry, is_token};
use crate::interface::Level;

/// Permissions for scripts of web pages: which may send, which headers they may set and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Origins, for example `https://*.example.com`: a `*` stands for any text. Alone it stands for any origin.
    pub allowed_origins: Vec<String>,
    /// Names of headers that a script may set. `*`: any. Empty: those of rs/cors.
    pub allowed_headers: Vec<String>,
    /// Names of headers of responses that a script may read.
    pub exposed_headers: Vec<String>,
    /// Seconds for which a browser may keep what it was told; 0: it decides.
    pub max_age: u32,
}

/// Reads `cors`. `None`: browsers get no permission.
pub(crate) fn read_cors(entry: &Entry<'_>) -> Option<Cors> {
    if !entry.is_set() {
        return None;
    }
    let mut section = entry.section();
    section.pass(&[ENABLED]);
    let origins = section.take("allowed_origins");
    let allowed_origins: Vec<_> = origins.list().iter().filter_map(read_origin).collect();
    let allowed_headers = read_names(&section.take("allowed_headers"));
    let exposed_headers = read_names(&section.take("exposed_headers"));
    let max_age = section.take("max_age").count().unwrap_or_default();
    section.close();
    if origins.list().is_empty() {
        let message = "has no effect, as it allows no origin: add allowed_origins";
        entry.notice(Level::Warning, "config-no-effect", message);
        return None;
    }
    Some(Cors { allowed_origins, allowed_headers, exposed_headers, max_age })
}

fn read_origin(entry: &Entry<'_>) -> Option<String> {
    let origin = entry.filled_text()?;
    if origin.matches('*').count() > 1 {
        entry.fault("has more than one `*`");
        return None;
    }
    // Pages in files and sandboxes have the origin `null`.
    if !origin.contains('*') && origin != "null" && (!origin.contains("://") || origin.ends_with('/')) {
        entry.fault("is no origin, so no browser sends it: write it as https://host or https://host:port");
        return None;
    }
    Some(origin)
}

fn read_names(entry: &Entry<'_>) -> Vec<String> {
    let read = |item: &Entry<'_>| {
        let name = item.filled_text()?;
        if !is_token(&name) {
            item.fault("is no name of a header");
            return None;
        }
        Some(name)
    };
    entry.list().iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::document::Findings;

    fn cors(document: Value) -> (Option<Cors>, Vec<String>) {
        let findings = Findings::default();
        let cors = read_cors(&Entry::root(&document, &findings));
        let said = match findings.conclude() {
            Ok(notices) => notices.into_iter().map(|notice| notice.message).collect(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        };
        (cors, said)
    }

    #[test]
    fn pages_are_allowed_by_origin() {
        let (read, said) = cors(json!({
            "allowed_origins": ["https://*.example.com", "http://localhost:3000"],
            "allowed_headers": ["X-Token", "*"], "exposed_headers": ["Retry-After"], "max_age": 7200,
        }));
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let expected = Cors {
            allowed_origins: texts(&["https://*.example.com", "http://localhost:3000"]),
            allowed_headers: texts(&["X-Token", "*"]),
            exposed_headers: texts(&["Retry-After"]),
            max_age: 7200,
        };
        assert_eq!((read, said), (Some(expected), vec![]));
        assert_eq!(cors(json!(null)), (None, vec![]));
    }

    #[test]
    fn what_allows_nobody_is_told() {
        let (read, said) = cors(json!({"allowed_headers": ["X"]}));
        assert!(read.is_none() && said[0].contains("allows no origin"), "{said:?}");
        for (document, expected) in [
            (json!({"allowed_origins": ["https://*.*.com"]}), "allowed_origins[0]: has more than one `*`"),
            (json!({"allowed_origins": ["example.com"]}), "allowed_origins[0]: is no origin"),
            (json!({"allowed_origins": ["https://a/"]}), "allowed_origins[0]: is no origin"),
            (json!({"allowed_origins": ["*"], "allowed_headers": ["a b"]}), "allowed_headers[0]: is no name"),
            (json!({"allowed_origins": ["*"], "max_age": "1h"}), "max_age: expected a whole number"),
            (json!({"allowed_origin": ["*"], "allowed_origins": ["*"]}), "allowed_origin: unknown key; did"),
        ] {
            let (_, faults) = cors(document.clone());
            assert!(faults.len() == 1 && faults[0].starts_with(expected), "{document} {faults:?}");
        }
    }
}
