//! What can be wrong with a JSON text.

use std::fmt;

/// What is wrong with a request in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The text begins with a byte order mark.
    Bom,
    /// The text ends too early.
    End,
    /// Something follows the request.
    Trailing,
    /// Objects and lists nest too deep.
    TooDeep,
    /// A comma with nothing after it.
    TrailingComma,
    /// A line break or another control character stands in a string as it is.
    ControlCharacter,
    /// A backslash that begins no escape of JSON.
    Escape,
    /// A number that no double can hold.
    NumberRange,
    /// Anything else that is not JSON.
    Syntax,
    /// A value that its field cannot have.
    Expected(Expected),
}

/// What a field has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Expected {
    Object,
    Objects,
    Text,
    Texts,
    Numbers,
    /// An id of so many bytes, in hexadecimal.
    Hex(u8),
    Base64,
    Bool,
    Enum,
    Uint32,
    Int32,
    Int64,
    Uint64,
    Double,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bom => "begins with a byte order mark, which JSON must not: encode it as UTF-8 without one",
            Self::End => "the JSON ends too early: it was cut off, or a bracket is not closed",
            Self::Trailing => "something follows the request: one body holds one JSON object",
            Self::TooDeep => {
                return write!(formatter, "nested deeper than {MAX_LEVELS} objects and lists");
            }
            Self::TrailingComma => "a comma has nothing after it",
            Self::ControlCharacter => {
                "a control character stands in a string: write it as \\n, \\u0000 or the like"
            }
            Self::Escape => "a backslash begins no escape that JSON has",
            Self::NumberRange => "a number is too large for a double",
            Self::Syntax => "this is not JSON",
            Self::Expected(expected) => return expected.fmt(formatter),
        })
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Object => "has to be an object",
            Self::Objects => "has to be a list of objects",
            Self::Text => "has to be a string",
            Self::Texts => "has to be a list of strings",
            Self::Numbers => "has to be a list of numbers",
            Self::Hex(bytes) => {
                return write!(formatter, "has to be a string of {} hexadecimal digits, or empty; base64, as protobuf's own JSON has ids, is not OTLP's", 2 * bytes);
            }
            Self::Base64 => "has to be a string in base64",
            Self::Bool => "has to be true or false",
            Self::Enum => "has to be the number of a value that the enum has, or its name",
            Self::Uint32 => "has to be an integer from 0 to 4294967295",
            Self::Int32 => "has to be an integer from -2147483648 to 2147483647",
            Self::Int64 => "has to be a signed 64-bit integer, as a decimal string or a number",
            Self::Uint64 => "has to be an unsigned 64-bit integer, as a decimal string or a number",
            Self::Double => "has to be a number, or one of \"NaN\", \"Infinity\" and \"-Infinity\"",
        })
    }
}

/// How deep objects and lists nest: as deep as serde_json has it.
pub(crate) const MAX_LEVELS: u32 = 127;
