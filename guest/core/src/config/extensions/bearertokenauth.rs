//! `bearertokenauth`.

use crate::config::document::{Entry, Source, is_token};
use crate::interface::Level;

/// Tokens, and how they travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The extension's section, for example `extensions.bearertokenauth`.
    pub path: String,
    /// The header, in lower case.
    pub header: String,
    /// The word ahead of the token. Empty: the token stands alone.
    pub scheme: String,
    /// Where the tokens are: each in the document, or all of them in one file, a line each.
    pub tokens: Vec<Source>,
}

pub(super) fn read_bearer(entry: &Entry<'_>) -> Option<Bearer> {
    let mut section = entry.section();
    let header = section.take("header");
    let name = header.filled_text().unwrap_or_else(|| AUTHORIZATION.to_owned()).to_ascii_lowercase();
    if !is_token(&name) {
        header.fault("is no name for a header");
    }
    let scheme = section.take("scheme");
    // An empty one is meant: the token stands alone then.
    let word = if scheme.value().is_some() { scheme.text()? } else { "Bearer".to_owned() };
    if !word.is_empty() && !is_token(&word) {
        scheme.fault("is no name of a scheme: one word, such as Bearer");
    }
    let token = section.take("token");
    let several = section.take("tokens");
    let filename = section.take("filename");
    section.without_effect(
        &["retry_on_failure", "file_retry", "wait_for_token_file"],
        "podstamp starts only once the file is there",
    );
    section.close();

    let file = Source::named(&filename);
    let mut inline: Vec<_> = several.list().iter().filter_map(inline_token).collect();
    if let Some(one) = inline_token(&token) {
        if !inline.is_empty() {
            token.fault("stands beside `tokens`: keep one of them");
        }
        inline.push(one);
    }
    let tokens = match file {
        // As in the Collector, which says so as well.
        Some(file) => {
            for ignored in [&token, &several] {
                if ignored.is_filled() {
                    ignored.notice(Level::Warning, "config-no-effect", "has no effect beside `filename`");
                }
            }
            vec![file]
        }
        None => inline,
    };
    if tokens.is_empty() {
        // One that cannot be used has been reported.
        if token.filled_text().is_none() && several.list().is_empty() {
            entry.fault("has no token: add `token`, `tokens` or `filename`");
        }
        return None;
    }
    Some(Bearer { path: entry.path().to_owned(), header: name, scheme: word, tokens })
}

fn inline_token(entry: &Entry<'_>) -> Option<Source> {
    let source = Source::inline(entry)?;
    if entry.text().is_some_and(|text| !text.bytes().all(|byte| (b' '..=b'~').contains(&byte))) {
        entry.fault("a token has characters that no header can carry (a line break?)");
        return None;
    }
    Some(source)
}

/// The header of credentials, in lower case.
pub(super) const AUTHORIZATION: &str = "authorization";
