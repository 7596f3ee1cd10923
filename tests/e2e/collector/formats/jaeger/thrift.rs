//! Thrift's two encodings, as far as a batch takes them.
//!
//! <https://github.com/apache/thrift/tree/master/doc/specs>

/// A value; the fields of a struct have ascending numbers below 16 apart, and a list's items are structs.
pub(super) enum Value {
    I32(i32),
    I64(i64),
    Text(String),
    Struct(Vec<(i16, Self)>),
    List(Vec<Self>),
}

/// A call that wants no answer, with one argument, in the compact encoding.
pub(super) fn call(name: &str, argument: &Value) -> Vec<u8> {
    const ONE_WAY: u8 = 4;
    let mut out = vec![0x82, 1 | ONE_WAY << 5];
    write_varint(&mut out, 0);
    write_compact(&mut out, &Value::Text(name.to_owned()));
    out.push(1 << 4 | STRUCT_COMPACT);
    write_compact(&mut out, argument);
    out.push(0);
    out
}

/// A value in the binary encoding.
pub(super) fn binary(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_binary(&mut out, value);
    out
}

fn write_compact(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::I32(number) => write_varint(out, zigzag(i64::from(*number))),
        Value::I64(number) => write_varint(out, zigzag(*number)),
        Value::Text(text) => {
            write_varint(out, text.len() as u64);
            out.extend(text.bytes());
        }
        Value::Struct(fields) => {
            let mut before = 0;
            for (number, value) in fields {
                let kind = match value {
                    Value::I32(_) => 5,
                    Value::I64(_) => 6,
                    Value::Text(_) => 8,
                    Value::List(_) => 9,
                    Value::Struct(_) => STRUCT_COMPACT,
                };
                out.push(((number - before) as u8) << 4 | kind);
                before = *number;
                write_compact(out, value);
            }
            out.push(0);
        }
        Value::List(items) => {
            assert!(items.len() < 15);
            out.push((items.len() as u8) << 4 | STRUCT_COMPACT);
            items.iter().for_each(|item| write_compact(out, item));
        }
    }
}

fn write_binary(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::I32(number) => out.extend(number.to_be_bytes()),
        Value::I64(number) => out.extend(number.to_be_bytes()),
        Value::Text(text) => {
            out.extend((text.len() as u32).to_be_bytes());
            out.extend(text.bytes());
        }
        Value::Struct(fields) => {
            for (number, value) in fields {
                out.push(match value {
                    Value::I32(_) => 8,
                    Value::I64(_) => 10,
                    Value::Text(_) => 11,
                    Value::Struct(_) => STRUCT_BINARY,
                    Value::List(_) => 15,
                });
                out.extend(number.to_be_bytes());
                write_binary(out, value);
            }
            out.push(0);
        }
        Value::List(items) => {
            out.push(STRUCT_BINARY);
            out.extend((items.len() as u32).to_be_bytes());
            items.iter().for_each(|item| write_binary(out, item));
        }
    }
}

fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

const STRUCT_COMPACT: u8 = 12;

const STRUCT_BINARY: u8 = 12;
