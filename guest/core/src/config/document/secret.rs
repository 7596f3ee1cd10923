//! Secrets, and texts that stand in the document or in a file.

use std::fmt;

use super::entry::Entry;
use super::section::Section;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[REDACTED]")
    }
}

/// A text that the document has itself or by the name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The key where it stands, for example `exporters.otlphttp.tls.ca_file`.
    pub path: String,
    /// Its text, or the name of the file.
    pub place: Place,
}

/// Where a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the document.
    Inline(Secret),
    /// In a file.
    File(String),
}

impl Source {
    /// The name of the file, if the text is in one.
    pub fn file(&self) -> Option<&str> {
        match &self.place {
            Place::File(name) => Some(name),
            Place::Inline(_) => None,
        }
    }

    /// A text that stands at `entry`.
    pub(crate) fn inline(entry: &Entry<'_>) -> Option<Self> {
        let text = entry.filled_text()?;
        Some(Self { path: entry.path().to_owned(), place: Place::Inline(Secret::new(text)) })
    }

    /// A file that is named at `entry`.
    pub(crate) fn named(entry: &Entry<'_>) -> Option<Self> {
        let name = entry.filled_text()?;
        Some(Self { path: entry.path().to_owned(), place: Place::File(name) })
    }

    /// A text under one of two keys, the name of a file or inline.
    pub(crate) fn either(
        section: &mut Section<'_>,
        file: &'static str,
        inline: &'static str,
    ) -> Option<Self> {
        let named = Self::named(&section.take(file));
        let entry = section.take(inline);
        let inline = Self::inline(&entry);
        if named.is_some() && inline.is_some() {
            entry.fault(format!("stands beside `{file}`: keep one of them"));
        }
        named.or(inline)
    }
}
