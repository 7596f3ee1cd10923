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

/// Decodes headers of a host, up to the first that makes no sense; of those only the ones whose name is `wanted`.
pub(crate) fn decode(bytes: &[u8], wanted: &dyn Fn(&[u8]) -> bool) -> Vec<Header> {
    let mut numbers = bytes;
    let count = number(&mut numbers).unwrap_or_default() as usize;
    let Some(mut texts) = count.checked_mul(8).and_then(|sizes| numbers.get(sizes..)) else {
        return Vec::new();
    };
    let mut headers = Vec::new();
    for _ in 0..count {
        let (Some(name), Some(value)) = (number(&mut numbers), number(&mut numbers)) else { break };
        let (Some(name), Some(value)) = (text(&mut texts, name), text(&mut texts, value)) else { break };
        if wanted(name) {
            let name = String::from_utf8_lossy(name).into_owned();
            headers.push(Header { name, value: value.to_vec() });
        }
    }
    headers
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
        assert_eq!(decode(&encode(&headers), &|_| true), headers);
        assert_eq!(decode(&encode(&headers), &|name| name == b"x"), headers[1..2]);
        assert_eq!(decode(&encode(&[]), &|_| true), []);
        assert_eq!(encode(&[Header::new("a", "bc")]), b"\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0");
    }

    #[test]
    fn nonsense_gives_the_headers_before_it() {
        let whole = encode(&[Header::new("name", "value"), Header::new("other", "text")]);
        for end in 0..whole.len() {
            assert!(decode(&whole[..end], &|_| true).len() <= 1, "{end}");
        }
        assert_eq!(decode(&[0xff; 64], &|_| true), []);
    }
}
