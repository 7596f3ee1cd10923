//! Texts and values as they are told: cut to a length.

use crate::base64;
use crate::processors::resource::as_text;
use crate::resource::Value;

/// Cuts texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts {
    longest: usize,
}

impl Texts {
    /// Texts of at most `longest` bytes.
    pub(super) fn new(longest: u32) -> Self {
        Self { longest: longest as usize }
    }

    /// A text, cut between two characters where it is too long.
    pub(super) fn cut(self, text: &str) -> String {
        text.get(..text.floor_char_boundary(self.longest)).unwrap_or_default().to_owned()
    }

    /// A text of spans, which the walk does not check. What is not UTF-8 in it becomes U+FFFD.
    pub(super) fn cut_bytes(self, bytes: &[u8]) -> String {
        // A character that the end of this range may tear begins at the cut or behind it.
        let enough = bytes.get(..self.longest.saturating_add(3)).unwrap_or(bytes);
        self.cut(&String::from_utf8_lossy(enough))
    }

    /// A value as text.
    pub(super) fn value(self, value: &Value<'_>) -> String {
        match value {
            Value::String(text) => self.cut(text),
            Value::Bytes(bytes) => self.cut(&base64::encode(bytes.get(..self.longest).unwrap_or(bytes))),
            Value::Array(bytes) if bytes.len() > MAX_NESTED => self.cut("[...]"),
            Value::Map(bytes) if bytes.len() > MAX_NESTED => self.cut("{...}"),
            Value::Empty
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Double(_)
            | Value::Array(_)
            | Value::Map(_) => self.cut(&as_text(value).unwrap_or_default()),
        }
    }

    /// Several values of one key.
    pub(super) fn values<'v>(self, values: impl Iterator<Item = &'v Value<'v>>) -> Option<String> {
        let mut joined: Option<String> = None;
        for value in values {
            match &mut joined {
                None => joined = Some(self.value(value)),
                Some(text) if text.len() >= self.longest => break,
                Some(text) => {
                    text.push_str(", ");
                    text.push_str(&self.value(value));
                }
            }
        }
        joined.map(|text| self.cut(&text))
    }
}

/// Bytes of an array or a map that is written out. Written out, it can be six times as long before it is cut.
const MAX_NESTED: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        for (longest, text, expected) in
            [(4, "äöü", "äö"), (3, "äöü", "ä"), (6, "äöü", "äöü"), (0, "ä", ""), (9, "ab", "ab")]
        {
            let texts = Texts::new(longest);
            assert_eq!(texts.cut(text), expected);
            assert_eq!(texts.cut_bytes(text.as_bytes()), expected);
            assert_eq!(texts.value(&Value::string(text)), expected);
        }
        assert_eq!(Texts::new(9).cut_bytes(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(Texts::new(4).cut_bytes("😀😀".as_bytes()), "😀");
    }

    #[test]
    fn values_are_texts_however_large() {
        let texts = Texts::new(8);
        assert_eq!(texts.value(&Value::Int(-7)), "-7");
        assert_eq!(texts.value(&Value::Bytes(vec![0; 1 << 20].into())), "AAAAAAAA");
        assert_eq!(texts.value(&Value::Bytes(vec![0; 2].into())), "AAA=");
        assert_eq!(texts.value(&Value::Map(vec![0; 1 << 20].into())), "{...}");
        let values = [Value::string("one"), Value::Int(2), Value::string("three"), Value::Int(4)];
        assert_eq!(texts.values(values.iter()).as_deref(), Some("one, 2, "));
        assert_eq!(texts.values([].iter()), None);
    }
}
