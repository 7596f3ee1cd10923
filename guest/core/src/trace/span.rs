//! The walk through a span's own fields, which takes most of a walk's time.

mod step;

use super::field::{skip, tag};
use super::met::Met;
use crate::bounds::{Bound, MAX_DEPTH, MAX_EDITS};
use crate::fault::{Broken, FaultKind};
use crate::guard::checks::Checks;
use crate::guard::peers::Peer;
use crate::message::Message;
use crate::wire::{self, FIXED64, Field, LENGTH, VARINT};
use step::{BEHIND, step_over, step_over_head};

/// Walks a span, and notes the fields that rules may change. `wide` is the body from where the span begins.
///
/// Fields as encoders write them are stepped over; all other ways to write a field take [`walk_field`].
#[inline(always)]
pub(super) fn walk_span<'a>(
    span: &'a [u8],
    wide: &'a [u8],
    checks: &Checks,
    met: &mut Met<'a>,
) -> Result<(), Broken> {
    let mut times = Stand { start: None, end: None };
    let wide = wide.get(..span.len() + BEHIND).unwrap_or(wide);
    let behind = wide.len() - span.len();
    let rest = step_over_head(wide, behind, &mut times);
    let rest = step_over(rest, checks.peer_family, &mut times);
    if rest.len() != behind {
        return walk_rest(span, rest, behind, times, checks, met);
    }
    note_times(&times, checks, met);
    Ok(())
}

/// Walks the rest of a span, from a field that needs a closer look.
#[inline(never)]
fn walk_rest<'a>(
    span: &'a [u8],
    mut rest: &'a [u8],
    behind: usize,
    mut times: Stand<'a>,
    checks: &Checks,
    met: &mut Met<'a>,
) -> Result<(), Broken> {
    while rest.len() > behind {
        let from = rest.get(..rest.len() - behind).unwrap_or_default();
        let after = walk_field(span, from, checks, &mut times, met)?;
        rest = rest.get(from.len() - after.len()..).unwrap_or_default();
        rest = step_over(rest, checks.peer_family, &mut times);
    }
    if rest.len() < behind {
        return walk_fields(span, checks, met);
    }
    note_times(&times, checks, met);
    Ok(())
}

/// Notes the times of a span, if they are odd.
#[inline(always)]
fn note_times<'a>(times: &Stand<'a>, checks: &Checks, met: &mut Met<'a>) {
    let value = |time: Option<&[u8; 8]>| time.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if checks.times.are_odd(value(times.start), value(times.end)) {
        met.times.note(&checks.times, times.start, times.end);
    }
}

/// Walks a span in which some field goes on behind the span, which that field's place tells.
#[cold]
fn walk_fields<'a>(span: &'a [u8], checks: &Checks, met: &mut Met<'a>) -> Result<(), Broken> {
    let mut times = Stand { start: None, end: None };
    let mut rest = span;
    while !rest.is_empty() {
        rest = walk_field(span, rest, checks, &mut times, met)?;
    }
    Ok(())
}

/// The bytes of a span's times; of several the last ones.
struct Stand<'a> {
    start: Option<&'a [u8; 8]>,
    end: Option<&'a [u8; 8]>,
}

/// Tags.
const KIND: u8 = 6 << 3 | VARINT;
const START: u8 = 7 << 3 | FIXED64;
const END: u8 = 8 << 3 | FIXED64;
const ATTRIBUTE: u8 = 9 << 3 | LENGTH;
/// Field 16, 32 bits: the one known field whose tag takes two bytes, 0x85 and 0x01.
const FLAGS: u8 = 0x85;

impl<'a> Met<'a> {
    #[inline]
    fn kind(&mut self, kind: u64, after: &'a [u8], tail: &[u8]) {
        // protobuf reads an enum as the low 32 bits of its varint.
        if kind as u32 > 5
            && let Some(bytes) = after.get(..after.len() - tail.len())
        {
            self.kinds.push(bytes);
        }
    }
}

/// Walks one field of a span, however it is written; gives the bytes that follow.
fn walk_field<'a>(
    span: &'a [u8],
    start: &'a [u8],
    checks: &Checks,
    times: &mut Stand<'a>,
    met: &mut Met<'a>,
) -> Result<&'a [u8], Broken> {
    let (number, wire, after) = tag(start)?;
    match (number, wire) {
        (6, VARINT) => {
            let (kind, tail) = wire::varint(after).map_err(|kind| Broken::at(start, kind))?;
            if checks.clear_kinds {
                met.kind(kind, after, tail);
                if met.kinds.len() > MAX_EDITS {
                    return Err(Broken::at(start, FaultKind::TooMany(Bound::Edits)));
                }
            }
            Ok(tail)
        }
        (9, LENGTH) => {
            let field = Field::read(start, number, wire, after)?;
            if checks.peer_family {
                met.peers.extend(Peer::read(span, field.content));
            }
            Ok(field.rest(start))
        }
        (7 | 8, FIXED64) => {
            let tail = wire::fixed(after, 8).map_err(|kind| Broken::at(start, kind))?;
            *(if number == 7 { &mut times.start } else { &mut times.end }) = after.first_chunk();
            Ok(tail)
        }
        _ => skip(Message::Span, start, number, wire, after, MAX_DEPTH - 3),
    }
}

#[cfg(test)]
mod tests {
    use crate::guard::Rules;
    use crate::trace::walk;
    use crate::wire::{put_field, put_varint};

    /// A field whose length takes `padding` bytes more than it has to.
    fn field(tag: u8, padding: usize, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        put_varint(&mut bytes, content.len() as u64);
        if padding > 0 {
            *bytes.last_mut().unwrap() |= 0x80;
            bytes.extend(std::iter::repeat_n(0x80, padding - 1));
            bytes.push(0);
        }
        [bytes, content.to_vec()].concat()
    }

    #[test]
    fn a_peers_key_is_found_however_its_attribute_is_written() {
        let value = |text: &str| field(0x12, 0, &field(0x0a, 0, text.as_bytes()));
        let plain = |padding, name: &str| field(0x0a, padding, name.as_bytes());
        let long = field(0x7a, 0, &[7; 200]);
        for name in crate::guard::peers::KEYS {
            let (key, address) = (plain(0, name), value("2001:db8::7"));
            let forms = [
                [key.clone(), address.clone()].concat(),
                [address.clone(), key.clone()].concat(),
                [plain(0, "http.method"), key.clone(), address.clone()].concat(),
                [plain(0, name).as_slice(), &value("GET"), &key, &address].concat(),
                [plain(0, "a"), address.clone(), key.clone()].concat(),
                [plain(2, name), address.clone()].concat(),
                [key.clone(), field(0x12, 1, &field(0x0a, 3, b"2001:db8::7"))].concat(),
                [vec![0x78, 1], key.clone(), address.clone()].concat(),
                [key.clone(), address.clone(), vec![0x78, 1]].concat(),
                [long.clone(), key.clone(), address.clone()].concat(),
                [key.clone(), long.clone(), address.clone()].concat(),
                [key.clone(), address.clone(), long.clone()].concat(),
                [plain(0, &"a".repeat(150)), address.clone(), key.clone()].concat(),
            ];
            for (number, form) in forms.iter().enumerate() {
                for padding in [0, 1, 3] {
                    let other = field(0x4a, 0, &[plain(0, "network.type"), value("ipv6")].concat());
                    let attribute = field(0x4a, padding, form);
                    let span = [other.clone(), attribute, other].concat();
                    let mut resource = Vec::new();
                    let own = [plain(0, "app.host.ip"), value("10.1.2.3")].concat();
                    put_field(&mut resource, 1, &own);
                    let spans = field(0x12, 0, &field(0x12, 0, &span));
                    let body = field(0x0a, 0, &[field(0x0a, 0, &resource), spans].concat());
                    let walked = walk(&body, &Rules::AGENT.checks(None), |_| ()).unwrap();
                    assert_eq!(walked.peers_renamed, 1, "{name}, form {number}, {padding} bytes longer");
                    let out = walked.edits.apply(&body).unwrap();
                    let read = out.windows(name.len()).rposition(|part| part == name.as_bytes());
                    // Where the key comes twice (form 3), the last one counts.
                    assert_eq!(read.is_some(), number == 3, "{name}, form {number}, {padding} bytes longer");
                }
            }
        }
    }

    /// The fields of a span as encoders write them, each of which is stepped over.
    fn fields() -> Vec<Vec<u8>> {
        let text = |key: &str, value: &str| {
            let value = field(0x0a, 0, value.as_bytes());
            field(0x4a, 0, &[field(0x0a, 0, key.as_bytes()), field(0x12, 0, &value)].concat())
        };
        let fixed = |tag: u8| [&[tag][..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat();
        vec![
            field(0x0a, 0, &[7; 16]),
            field(0x12, 0, &[7; 8]),
            field(0x22, 0, &[7; 8]),
            field(0x2a, 0, b"GET /"),
            vec![0x30, 3],
            fixed(0x39),
            fixed(0x41),
            text("http.method", "GET"),
            text("http.url", &"x".repeat(100)),
            text("db.statement", &"x".repeat(300)),
            text("network.type", "ipv6"),
            text(&"k".repeat(90), ""),
            field(0x5a, 0, &[0x78, 1]),
            field(0x7a, 0, b""),
            [&[0x85, 0x01][..], &[1, 3, 0, 0]].concat(),
        ]
    }

    /// A request with these spans.
    fn request(spans: &[&[u8]]) -> Vec<u8> {
        let spans: Vec<_> = spans.iter().flat_map(|span| field(0x12, 0, span)).collect();
        field(0x0a, 0, &field(0x12, 0, &spans))
    }

    #[test]
    fn a_field_that_ends_behind_its_span_is_told_whatever_follows() {
        let (fields, checks) = (fields(), Rules::AGENT.checks(None));
        let whole = fields.concat();
        for skipped in 0..fields.len() {
            let mut span = Vec::new();
            for next in fields.iter().skip(skipped) {
                for end in 1..next.len() {
                    let cut = [span.as_slice(), &next[..end]].concat();
                    let expected = walk(&request(&[&cut]), &checks, |_| ()).unwrap_err();
                    for others in [&[0xff; 300][..], &whole, &next[end..], b"\x30"] {
                        let body = request(&[&cut, others]);
                        let fault = walk(&body, &checks, |_| ()).unwrap_err();
                        assert_eq!((&fault.path, &fault.kind), (&expected.path, &expected.kind));
                        let behind = field(0x12, 0, others).len();
                        assert_eq!(fault.offset, body.len() - behind - cut.len() + span.len());
                    }
                }
                span.extend_from_slice(next);
            }
            let walked = walk(&request(&[&span, &whole, &span]), &checks, |_| ()).unwrap();
            assert_eq!(walked.spans, 3);
        }
    }
}
