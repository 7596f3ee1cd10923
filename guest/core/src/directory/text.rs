//! Texts of pods.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;

use crate::words::same;

/// A text of a pod: a slice of bytes that the pod's other texts may share. A pod has eight texts and comes with each lookup, so that
/// one allocation for all of them is most of what handing it over costs.
#[derive(Clone, Default)]
pub struct Text {
    shared: Shared,
    from: u32,
    to: u32,
}

/// What a text is cut from; `None` stands for the empty text. Dropped at one place: eight copies of that in each place where a pod
/// is dropped would take kilobytes of the module for proxies.
#[derive(Clone, Default)]
struct Shared(ManuallyDrop<Option<Arc<str>>>);

impl Drop for Shared {
    #[inline(never)]
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

impl Text {
    /// Cuts `all` into texts of these lengths in bytes, one behind the other. A text that does not lie in `all`, or whose ends are
    /// within a character, is empty.
    pub fn split<const N: usize>(all: &str, lengths: [u32; N]) -> [Self; N] {
        let shared: Arc<str> = all.into();
        let mut from = 0_u32;
        lengths.map(|length| {
            let to = from.saturating_add(length);
            let begin = std::mem::replace(&mut from, to);
            if length == 0 {
                Self::default()
            } else {
                Self { shared: Shared(ManuallyDrop::new(Some(Arc::clone(&shared)))), from: begin, to }
            }
        })
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        let shared = self.shared.0.as_deref().unwrap_or_default();
        shared.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let [text] = Self::split(text, [u32::try_from(text.len()).unwrap_or(u32::MAX)]);
        text
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        *self == **other
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        same(self.as_bytes(), other.as_bytes())
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        *self == **other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), formatter)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_share_what_they_were_cut_from() {
        let [one, none, two, beyond, broken] = Text::split("shopäß", [4, 0, 2, 9, 1]);
        assert_eq!((&*one, &*none, &*two, &*beyond, &*broken), ("shop", "", "ä", "", ""));
        let [within] = Text::split("ä", [1]);
        assert_eq!(within, "");
        assert_eq!(Text::from("web-1".to_owned()), Text::from("web-1"));
        assert_eq!(
            (Text::from("web-1").to_string(), format!("{:?}", Text::from("x"))),
            ("web-1".to_owned(), "\"x\"".to_owned())
        );
    }
}
