//! Numbers, as tokens or in strings.

/// A number as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Unsigned(u64),
    /// An integer below 0.
    Signed(i64),
    /// A number with a fraction or an exponent, or beyond 64 bits.
    Float(f64),
}

impl Number {
    /// Reads a number in a string: digits, or any number that JSON has.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(number) = digits(text) {
            return Some(Self::Unsigned(number));
        }
        if let Ok(number) = text.parse() {
            return Some(Self::Unsigned(number));
        }
        if let Ok(number) = text.parse() {
            return Some(Self::Signed(number));
        }
        float(text).map(Self::Float)
    }

    pub(super) fn unsigned(self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(number),
            Self::Signed(_) => None,
            // Both limits are exact as doubles; above 2^53 a double is all that the client had.
            Self::Float(number) => {
                (number.trunc() == number && (0.0..TWO_TO_64).contains(&number)).then_some(number as u64)
            }
        }
    }

    pub(super) fn signed(self) -> Option<i64> {
        match self {
            Self::Unsigned(number) => i64::try_from(number).ok(),
            Self::Signed(number) => Some(number),
            Self::Float(number) => (number.trunc() == number && (-TWO_TO_63..TWO_TO_63).contains(&number))
                .then_some(number as i64),
        }
    }

    pub(super) fn double(self) -> f64 {
        match self {
            Self::Unsigned(number) => number as f64,
            Self::Signed(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// Reads a number of at most 19 digits, as all times have: none of them overflows, and checking each step for that would cost
/// wasm a product of 128 bits.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.bytes().try_fold(0, |number, byte| match byte.wrapping_sub(b'0') {
        digit @ 0..=9 => Some(10 * number + u64::from(digit)),
        _ => None,
    })
}

/// Reads a double in a string.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => float(text),
    }
}

/// Reads a float as Rust does, but not by the names `inf`, `infinity` and `nan`.
fn float(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_end_where_sixty_four_bits_do() {
        for (text, unsigned, signed) in [
            ("0", Some(0), Some(0)),
            ("-1", None, Some(-1)),
            ("9223372036854775807", Some(i64::MAX as u64), Some(i64::MAX)),
            ("9223372036854775808", Some(1 << 63), None),
            ("-9223372036854775808", None, Some(i64::MIN)),
            // This number is one below the lowest, but the same double.
            ("-9223372036854775809", None, Some(i64::MIN)),
            ("18446744073709551615", Some(u64::MAX), None),
            ("18446744073709551616", None, None),
            ("9999999999999999999", Some(9_999_999_999_999_999_999), None),
            ("00000000000000000000007", Some(7), Some(7)),
            ("1e3", Some(1000), Some(1000)),
            ("-1.5e1", None, Some(-15)),
            ("1.5", None, None),
            ("1e19", Some(10_000_000_000_000_000_000), None),
            ("1e20", None, None),
        ] {
            let number = Number::parse(text).unwrap();
            assert_eq!((number.unsigned(), number.signed()), (unsigned, signed), "{text}");
        }
        assert_eq!(Number::Float(-0.0).unsigned(), Some(0));
    }

    #[test]
    fn what_rust_alone_takes_for_a_number_is_none() {
        for text in ["", " 1", "1 ", "0x10", "1_000", "inf", "nan", "infinity", "+", "e3", "1e400"] {
            assert_eq!(Number::parse(text), None, "{text}");
            assert_eq!(double(text), None, "{text}");
        }
    }

    #[test]
    fn doubles_have_three_names_and_keep_their_sign() {
        assert!(double("NaN").unwrap().is_nan());
        assert_eq!(double("Infinity"), Some(f64::INFINITY));
        assert_eq!(double("-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(double("-0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
        assert_eq!(double("0.30000000000000004"), Some(0.1 + 0.2));
    }
}
