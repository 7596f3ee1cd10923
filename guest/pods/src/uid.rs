//! Uids: nearly always a UUID in lower case, which fits 16 bytes.

/// A pod's uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uid<'a> {
    /// A UUID in canonical text.
    Uuid(&'a [u8; 16]),
    /// Anything else, or nothing.
    Text(&'a [u8]),
}

impl<'a> Uid<'a> {
    /// Whether the pod has no uid.
    pub(crate) fn is_empty(self) -> bool {
        self.key().is_empty()
    }

    /// The text that it was made from.
    pub(crate) fn text(self) -> String {
        let mut text = Vec::new();
        self.append_to(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Appends the text that it was made from.
    pub(crate) fn append_to(self, out: &mut Vec<u8>) {
        match self {
            Self::Uuid(bytes) => out.extend_from_slice(&unpack(*bytes)),
            Self::Text(text) => out.extend_from_slice(text),
        }
    }

    /// The bytes to hash: equal uids have equal ones.
    pub(crate) fn key(self) -> &'a [u8] {
        match self {
            Self::Uuid(bytes) => bytes,
            Self::Text(text) => text,
        }
    }

    /// Whether the uid was made from that text.
    pub(crate) fn is(self, text: &str) -> bool {
        match self {
            Self::Uuid(bytes) => pack(text).as_ref() == Some(bytes),
            Self::Text(known) => known == text.as_bytes(),
        }
    }
}

/// A canonical UUID as bytes: exactly the text that [`unpack`] makes.
pub(crate) fn pack(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut rest = text.as_bytes();
    for (index, byte) in bytes.iter_mut().enumerate() {
        if DASHES.contains(&index) {
            rest = rest.strip_prefix(b"-")?;
        }
        let (pair, after) = rest.split_first_chunk()?;
        let [high, low] = pair.map(|digit| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        });
        *byte = high? << 4 | low?;
        rest = after;
    }
    rest.is_empty().then_some(bytes)
}

fn unpack(bytes: [u8; 16]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut places = text.iter_mut();
    for (index, byte) in bytes.into_iter().enumerate() {
        if DASHES.contains(&index) {
            places.next();
        }
        for (digit, place) in [byte >> 4, byte & 15].into_iter().zip(&mut places) {
            *place = digit + if digit < 10 { b'0' } else { b'a' - 10 };
        }
    }
    text
}

/// Bytes ahead of which a dash stands.
const DASHES: [usize; 4] = [4, 6, 8, 10];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uid_comes_back_as_it_was() {
        let texts = [
            "0d3adb2e-70f1-4c7e-9a5f-1234567890ab",
            "0D3ADB2E-70F1-4C7E-9A5F-1234567890AB",
            "0d3adb2e70f14c7e9a5f1234567890ab",
            "0d3adb2e-70f1-4c7e-9a5f-1234567890abc",
            "static",
            "",
        ];
        assert!(
            texts.into_iter().map(|text| pack(text).is_some()).eq([true, false, false, false, false, false])
        );
        for text in texts {
            let packed = pack(text);
            let uid = packed.as_ref().map_or(Uid::Text(text.as_bytes()), Uid::Uuid);
            assert_eq!(uid.text(), text);
            assert!(texts.iter().all(|other| uid.is(other) == (*other == text)));
        }
    }
}
