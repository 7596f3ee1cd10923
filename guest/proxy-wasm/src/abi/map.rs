//! Headers as they cross the boundary: a count, the sizes of each name and value, then all texts, each ended by a zero. All
//! numbers are little-endian, of 32 bits.

use podstamp_core::interface::Header;

/// Encodes headers for a host.
pub(crate) fn encode(headers: &[Header]) -> Vec<u8> {
    let texts: usize = headers.iter().map(|header| header.name.len() + header.value.len() + 2).sum();
    let mut bytes = Vec::with_capacity(4 + 8 * headers.len() + texts);
    bytes.extend((headers.len() as u32).to_le_bytes());
    for header in headers {
        bytes.extend((header.name.len() as u32).to_le_bytes());
        bytes.extend((header.value.len() as u32).to_le_bytes());
    }
    for header in headers {
        bytes.extend(header.name.as_bytes());
        bytes.push(0);
        bytes.extend(&header.value);
        bytes.push(0);
    }
    bytes
}

/// Headers of a host, where it has put them.
#[derive(Debug, Default)]
pub(crate) struct Pairs<'b> {
    pairs: Vec<(&'b [u8], &'b [u8])>,
    /// A bit for each length that a name has. Most names that are asked for are not there, and few have a length that is.
    lengths: u64,
}

impl<'b> Pairs<'b> {
    /// Finds the headers in their bytes, up to the first that makes no sense.
    pub(crate) fn read(bytes: &'b [u8]) -> Self {
        let mut numbers = bytes;
        let count = number(&mut numbers).unwrap_or_default() as usize;
        let Some(mut texts) = count.checked_mul(8).and_then(|sizes| numbers.get(sizes..)) else {
            return Self::default();
        };
        let (mut pairs, mut lengths) = (Vec::with_capacity(count), 0);
        for _ in 0..count {
            let (Some(name), Some(value)) = (number(&mut numbers), number(&mut numbers)) else { break };
            let (Some(name), Some(value)) = (text(&mut texts, name), text(&mut texts, value)) else { break };
            pairs.push((name, value));
            lengths |= bit(name.len());
        }
        Self { pairs, lengths }
    }

    /// The value of the first header of that name.
    pub(crate) fn value(&self, name: &str) -> Option<&'b [u8]> {
        if self.lengths & bit(name.len()) == 0 {
            return None;
        }
        self.pairs.iter().find(|(known, _)| *known == name.as_bytes()).map(|(_, value)| *value)
    }

    /// All headers, to keep.
    pub(crate) fn headers(&self) -> Vec<Header> {
        let header = |(name, value): &(&[u8], &[u8])| Header {
            name: String::from_utf8_lossy(name).into_owned(),
            value: value.to_vec(),
        };
        self.pairs.iter().map(header).collect()
    }

    /// The headers of these names, to keep.
    pub(crate) fn named(&self, names: &[String]) -> Vec<Header> {
        let mut headers = Vec::with_capacity(names.len());
        for (name, value) in &self.pairs {
            if let Some(name) = names.iter().find(|known| known.as_bytes() == *name) {
                headers.push(Header { name: name.clone(), value: value.to_vec() });
            }
        }
        headers
    }
}

/// The bit of a length. Those of 63 bytes and more have one together.
fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

fn text<'b>(bytes: &mut &'b [u8], size: u32) -> Option<&'b [u8]> {
    let (text, rest) = bytes.split_at_checked(size as usize)?;
    *bytes = rest.get(1..)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_cross_and_come_back() {
        let headers = [Header::new(":status", "200"), Header::new("x", ""), Header::new("", "y")];
        let bytes = encode(&headers);
        let pairs = Pairs::read(&bytes);
        assert_eq!(pairs.headers(), headers);
        assert_eq!(pairs.named(&["y", "x", "x"].map(str::to_owned)), headers[1..2]);
        assert_eq!((pairs.value(":status"), pairs.value("x")), (Some(&b"200"[..]), Some(&b""[..])));
        assert_eq!(pairs.value("status"), None);
        assert_eq!(Pairs::read(&encode(&[])).headers(), []);
        assert_eq!(encode(&[Header::new("a", "bc")]), b"\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0");
    }

    #[test]
    fn nonsense_gives_the_headers_before_it() {
        let whole = encode(&[Header::new("name", "value"), Header::new("other", "text")]);
        for end in 0..whole.len() {
            assert!(Pairs::read(&whole[..end]).headers().len() <= 1, "{end}");
        }
        assert_eq!(Pairs::read(&[0xff; 64]).headers(), []);
    }
}
