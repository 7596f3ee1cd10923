//! The parameters of a query.

use podstamp_pods::listing;

/// The parameters of a query, each with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

/// Why a query is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// It is longer than any that the page asks.
    #[error("the query is too long")]
    Long,
    /// A part is not text.
    #[error("the query is not readable: percent signs are followed by two digits, and make UTF-8")]
    Escape,
    /// A parameter is no number.
    #[error("`{0}` is no number")]
    Number(&'static str),
}

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Unreadable> {
        let query = query.unwrap_or_default();
        if query.len() > MAX_QUERY {
            return Err(Unreadable::Long);
        }
        let unescape = |text: &str| {
            let spaced = text.replace('+', " ");
            listing::unescape(&spaced).map(|text| text.into_owned()).map_err(|_| Unreadable::Escape)
        };
        let parts = query.split('&').filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((unescape(name)?, unescape(value)?))
        });
        Ok(Self(pairs.collect::<Result<_, _>>()?))
    }

    /// A parameter's value; `None` where it is missing or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// A whole number; `None` where it is missing.
    pub(super) fn count(&self, name: &'static str) -> Result<Option<u64>, Unreadable> {
        self.text(name).map(|text| text.parse().map_err(|_| Unreadable::Number(name))).transpose()
    }

    /// A number that is not negative; `None` where it is missing.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<f64>, Unreadable> {
        let read = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        self.text(name).map(|text| read(text).ok_or(Unreadable::Number(name))).transpose()
    }

    /// Whether a flag is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| matches!(text, "1" | "true"))
    }
}

/// Bytes.
const MAX_QUERY: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_unescaped() {
        let query =
            Query::parse(Some("q=a+b%2Fc&limit=5&min_ms=1.5&error=1&empty=&flag&q=second&%71=x")).unwrap();
        assert_eq!(query.text("q"), Some("a b/c"));
        assert_eq!((query.text("empty"), query.text("missing")), (None, None));
        assert_eq!(query.count("limit"), Ok(Some(5)));
        assert_eq!(query.count("missing"), Ok(None));
        assert_eq!(query.number("min_ms"), Ok(Some(1.5)));
        assert!(query.flag("error") && !query.flag("flag") && !query.flag("missing"));
        assert_eq!(Query::parse(None), Ok(Query::default()));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (query, expected) in [
            ("q=%".to_owned(), Unreadable::Escape),
            ("q=%zz".to_owned(), Unreadable::Escape),
            ("%ff=1".to_owned(), Unreadable::Escape),
            ("q=".to_owned() + &"a".repeat(MAX_QUERY), Unreadable::Long),
        ] {
            assert_eq!(Query::parse(Some(&query)), Err(expected), "{query}");
        }
        for wrong in ["a=x", "a=-1", "a=1e999", "a=NaN", "a=18446744073709551616x"] {
            let query = Query::parse(Some(wrong)).unwrap();
            assert_eq!(query.count("a"), Err(Unreadable::Number("a")), "{wrong}");
            assert_eq!(query.number("a"), Err(Unreadable::Number("a")), "{wrong}");
        }
    }
}
