//! Wire bytes of an ExportTraceServiceRequest, in all the ways in which protobuf lets one write them.
//!
//! The bytes are written by hand and not by prost, which knows only the plainest way: fields come in any order, singular
//! messages in pieces, varints padded, members of a oneof several times, unknown fields and groups anywhere.

pub(crate) mod signals;

use crate::choices::Choices;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const START_GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// Keys that attributes, changes and entity references share, so that they meet often.
pub(crate) const KEYS: [&str; 9] = [
    "app.host.ip",
    "k8s.pod.ip",
    "host.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "service.name",
    "a",
    "",
    "schlüssel",
];

/// Keys in spans, half of which are about the peer.
const SPAN_KEYS: [&str; 10] = [
    "net.peer.ip",
    "net.peer.ip",
    "network.peer.address",
    "network.peer.address",
    "net.sock.peer.addr",
    "net.sock.host.addr",
    "app.host.ip",
    "net.host.ip",
    "net_peer_ip",
    "",
];

/// Field numbers that no message of the export has. 1000 is reserved in ResourceSpans and was once in use.
const UNKNOWN_FIELDS: [u32; 5] = [17, 100, 1000, 5000, (1 << 29) - 1];

/// Kinds that exist and kinds that do not: the last ones count as their low 32 bits.
const KINDS: [u64; 15] = [
    3,
    0,
    1,
    2,
    4,
    5,
    6,
    7,
    1000,
    u64::MAX,
    -2_i64 as u64,
    i32::MIN as i64 as u64,
    1 << 32,
    (1 << 32) + 2,
    (1 << 32) + 6,
];

/// A request that every reader of protobuf accepts.
pub(crate) fn request(bytes: &[u8]) -> Vec<u8> {
    let mut generator = Generator { choices: Choices::new(bytes) };
    generator.request()
}

struct Generator<'a> {
    choices: Choices<'a>,
}

impl Generator<'_> {
    fn request(&mut self) -> Vec<u8> {
        self.request_of(Self::scope_spans)
    }

    /// A request of any signal, since all have the same shape down to their scopes; `scope` makes these.
    fn request_of(&mut self, scope: impl Fn(&mut Self) -> Vec<u8>) -> Vec<u8> {
        let spans = self.many(4, |generator| generator.resource_spans(&scope));
        let fields = spans.iter().map(|content| self.delimited(1, content)).collect();
        self.message(fields)
    }

    fn resource_spans(&mut self, scope: impl Fn(&mut Self) -> Vec<u8>) -> Vec<u8> {
        let mut fields = Vec::new();
        let pieces = match self.choices.below(8) {
            0..=4 => 1,
            5 => 0,
            _ => 2 + self.choices.below(2),
        };
        for _ in 0..pieces {
            let piece = self.resource();
            fields.push(self.delimited(1, &piece));
        }
        for content in self.many(3, scope) {
            fields.push(self.delimited(2, &content));
        }
        for _ in 0..self.choices.below(6) / 4 {
            fields.push(self.text_field(3));
        }
        self.message(fields)
    }

    fn resource(&mut self) -> Vec<u8> {
        let mut fields = Vec::new();
        for content in self.many(5, |generator| generator.key_value(3)) {
            fields.push(self.delimited(1, &content));
        }
        if self.choices.one_in(5) {
            fields.push(self.number_field(2));
        }
        if self.choices.one_in(5) {
            let content = self.entity_ref();
            fields.push(self.delimited(3, &content));
        }
        self.message(fields)
    }

    fn entity_ref(&mut self) -> Vec<u8> {
        let mut fields = vec![self.text_field(1), self.text_field(2)];
        for field in [3, 3, 4] {
            if self.choices.one_in(2) {
                let key = self.choices.pick(&KEYS);
                fields.push(self.delimited(field, key.as_bytes()));
            }
        }
        self.message(fields)
    }

    fn scope_spans(&mut self) -> Vec<u8> {
        let mut fields = Vec::new();
        for _ in 0..self.choices.below(5) / 3 {
            let content = self.scope();
            fields.push(self.delimited(1, &content));
        }
        for content in self.many(3, Self::span) {
            fields.push(self.delimited(2, &content));
        }
        if self.choices.one_in(6) {
            fields.push(self.text_field(3));
        }
        self.message(fields)
    }

    fn scope(&mut self) -> Vec<u8> {
        let mut fields = vec![self.text_field(1), self.text_field(2)];
        if self.choices.one_in(3) {
            let content = self.key_value(2);
            fields.push(self.delimited(3, &content));
            fields.push(self.number_field(4));
        }
        self.message(fields)
    }

    fn span(&mut self) -> Vec<u8> {
        let mut fields = Vec::new();
        let kinds = if self.choices.one_in(6) { self.choices.below(4) } else { 1 };
        for _ in 0..kinds {
            let kind = self.choices.pick(&KINDS);
            fields.push(self.number(6, kind));
        }
        for field in [1, 2, 4] {
            if self.choices.one_in(2) {
                fields.push(self.delimited(field, &[0xa5; 8]));
            }
        }
        for field in [3, 5] {
            if self.choices.one_in(2) {
                fields.push(self.text_field(field));
            }
        }
        for field in [7, 8] {
            if self.choices.one_in(2) {
                fields.push(self.fixed64(field));
            }
        }
        for content in self.many(4, |generator| generator.key_value_of(&SPAN_KEYS, 3)) {
            fields.push(self.delimited(9, &content));
        }
        for field in [10, 12, 14] {
            if self.choices.one_in(6) {
                fields.push(self.number_field(field));
            }
        }
        if self.choices.one_in(4) {
            let content = self.event();
            fields.push(self.delimited(11, &content));
        }
        if self.choices.one_in(4) {
            let content = self.link();
            fields.push(self.delimited(13, &content));
        }
        for _ in 0..self.choices.below(6) / 4 {
            let parts = vec![self.text_field(2), self.number_field(3)];
            let content = self.message(parts);
            fields.push(self.delimited(15, &content));
        }
        if self.choices.one_in(4) {
            fields.push(self.fixed32(16));
        }
        self.message(fields)
    }

    fn event(&mut self) -> Vec<u8> {
        let attribute = self.key_value(2);
        let fields =
            vec![self.fixed64(1), self.text_field(2), self.delimited(3, &attribute), self.number_field(4)];
        self.message(fields)
    }

    fn link(&mut self) -> Vec<u8> {
        let attribute = self.key_value(2);
        let fields = vec![
            self.delimited(1, &[1; 16]),
            self.delimited(2, &[2; 8]),
            self.text_field(3),
            self.delimited(4, &attribute),
            self.number_field(5),
            self.fixed32(6),
        ];
        self.message(fields)
    }

    /// Key and value, each also missing or given twice; `depth` levels of values may follow.
    fn key_value(&mut self, depth: usize) -> Vec<u8> {
        self.key_value_of(&KEYS, depth)
    }

    fn key_value_of(&mut self, keys: &[&str], depth: usize) -> Vec<u8> {
        let mut fields = Vec::new();
        for _ in 0..self.zero_to_two() {
            let key = self.choices.pick(keys);
            fields.push(self.delimited(1, key.as_bytes()));
        }
        if self.choices.one_in(40) {
            // `string_value_strindex`, alone: readers that know it and readers that do not would differ on the rest.
            let value = self.number_field(8);
            fields.push(self.delimited(2, &value));
        } else {
            for _ in 0..self.zero_to_two() {
                let value = self.any_value(depth);
                fields.push(self.delimited(2, &value));
            }
        }
        if self.choices.one_in(40) {
            fields.push(self.number_field(3));
        }
        self.message(fields)
    }

    fn any_value(&mut self, depth: usize) -> Vec<u8> {
        let mut fields = Vec::new();
        for _ in 0..self.zero_to_two() {
            fields.push(match self.choices.below(if depth == 0 { 6 } else { 8 }) {
                0 | 1 => self.text_field(1),
                2 => self.number_field(2),
                3 => self.number_field(3),
                4 => self.fixed64(4),
                5 => {
                    let word = self.choices.word().to_be_bytes();
                    self.delimited(7, &word)
                }
                6 => {
                    let values = self.many(3, |generator| generator.any_value(depth - 1));
                    self.list(5, &values)
                }
                _ => {
                    let values = self.many(3, |generator| generator.key_value(depth - 1));
                    self.list(6, &values)
                }
            });
        }
        self.message(fields)
    }

    /// An ArrayValue or a KeyValueList.
    fn list(&mut self, field: u32, values: &[Vec<u8>]) -> Vec<u8> {
        let fields = values.iter().map(|content| self.delimited(1, content)).collect();
        let content = self.message(fields);
        self.delimited(field, &content)
    }

    /// Puts fields end to end, at times in another order and with unknown ones among them.
    fn message(&mut self, mut fields: Vec<Vec<u8>>) -> Vec<u8> {
        if self.choices.one_in(4) {
            self.choices.shuffle(&mut fields);
        }
        let mut out = Vec::new();
        for field in fields {
            if self.choices.one_in(16) {
                self.unknown(&mut out, 3);
            }
            out.extend(field);
        }
        if self.choices.one_in(16) {
            self.unknown(&mut out, 3);
        }
        out
    }

    fn unknown(&mut self, out: &mut Vec<u8>, depth: usize) {
        let field = self.choices.pick(&UNKNOWN_FIELDS);
        self.any_field(out, field, depth);
    }

    /// A field of any wire type. Within groups the numbers may be those of the message around them.
    fn any_field(&mut self, out: &mut Vec<u8>, field: u32, depth: usize) {
        match self.choices.below(if depth == 0 { 4 } else { 5 }) {
            0 => out.extend(self.number_field(field)),
            1 => out.extend(self.fixed64(field)),
            2 => out.extend(self.text_field(field)),
            3 => out.extend(self.fixed32(field)),
            _ => {
                self.tag(out, field, START_GROUP);
                for _ in 0..self.choices.below(3) {
                    let inner = self.choices.pick(&[1, 2, 6, 17, 1000]);
                    self.any_field(out, inner, depth - 1);
                }
                self.tag(out, field, END_GROUP);
            }
        }
    }

    fn many(&mut self, end: usize, mut make: impl FnMut(&mut Self) -> Vec<u8>) -> Vec<Vec<u8>> {
        let count = self.choices.below(end);
        (0..count).map(|_| make(self)).collect()
    }

    /// A number from 0 to 2, mostly 1.
    fn zero_to_two(&mut self) -> usize {
        match self.choices.below(12) {
            10 => 0,
            11 => 2,
            _ => 1,
        }
    }

    fn text_field(&mut self, field: u32) -> Vec<u8> {
        let text = self.text();
        self.delimited(field, text.as_bytes())
    }

    /// A text, of a length around those at which the length takes one byte more, or an address.
    fn text(&mut self) -> String {
        match self.choices.below(16) {
            0 => "a".to_owned(),
            1 => String::new(),
            2 => "größe 日本語 🦀".to_owned(),
            3 => "x".repeat(126 + self.choices.below(4)),
            4 => "é".repeat(64),
            5 => "10.1.2.3".to_owned(),
            6 => "::ffff:10.1.2.3".to_owned(),
            7 => "fe80::1%eth0".to_owned(),
            8 => "2001:DB8:0::7".to_owned(),
            9 => "127.0.0.6".to_owned(),
            10 => "10.0.0.1".to_owned(),
            11 => "0.0.0.0".to_owned(),
            12 => "::1".to_owned(),
            _ => "item-5d9c7".to_owned(),
        }
    }

    fn number_field(&mut self, field: u32) -> Vec<u8> {
        let value = match self.choices.below(4) {
            0 => 1,
            1 => 0,
            2 => 200,
            _ => self.choices.word(),
        };
        self.number(field, value)
    }

    fn number(&mut self, field: u32, value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        self.tag(&mut out, field, VARINT);
        self.varint(&mut out, value, 10);
        out
    }

    fn fixed64(&mut self, field: u32) -> Vec<u8> {
        let mut out = Vec::new();
        self.tag(&mut out, field, FIXED64);
        out.extend(self.choices.word().to_le_bytes());
        out
    }

    fn fixed32(&mut self, field: u32) -> Vec<u8> {
        let mut out = Vec::new();
        self.tag(&mut out, field, FIXED32);
        out.extend((self.choices.word() as u32).to_le_bytes());
        out
    }

    fn delimited(&mut self, field: u32, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.tag(&mut out, field, LENGTH);
        self.varint(&mut out, content.len() as u64, 10);
        out.extend_from_slice(content);
        out
    }

    fn tag(&mut self, out: &mut Vec<u8>, field: u32, wire: u32) {
        self.varint(out, u64::from(field << 3 | wire), 5);
    }

    /// Appends a varint, at times longer than it has to be.
    fn varint(&mut self, out: &mut Vec<u8>, mut value: u64, longest: usize) {
        let begin = out.len();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        let room = longest - (out.len() - begin);
        if room > 0 && self.choices.one_in(24) {
            let last = out.len() - 1;
            out[last] |= 0x80;
            let padding = self.choices.below(room);
            out.resize(out.len() + padding, 0x80);
            out.push(0);
        }
    }
}
