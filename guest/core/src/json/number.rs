//! Numbers, as tokens or in strings.

use super::read::Fault;
use crate::fault::Problem;

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
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if let Some(number) = digits(text) {
            return Some(Self::Unsigned(number));
        }
        let text = std::str::from_utf8(text).ok()?;
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
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0, |number, byte| match byte.wrapping_sub(b'0') {
        digit @ 0..=9 => Some(10 * number + u64::from(digit)),
        _ => None,
    })
}

/// Reads the number that begins at an offset of a JSON text with a digit or a minus, and gives the offset behind it.
pub(super) fn read(text: &[u8], at: usize) -> Result<(Number, usize), Fault> {
    let token = Token::read(text, at)?;
    let Token { end, .. } = token;
    let number = match token.whole() {
        Some(number) => number,
        None => Number::Float(token.double(text, at)?),
    };
    Ok((number, end))
}

/// The offset behind the number that begins at an offset, whatever it is.
pub(super) fn end(text: &[u8], at: usize) -> Result<usize, Fault> {
    Token::read(text, at).map(|token| token.end)
}

/// The parts of a number.
#[derive(Clone, Copy, Debug)]
struct Token {
    is_negative: bool,
    /// The digits as one number, without the point; `None` where that has over 19 of them.
    significand: Option<u64>,
    /// How many digits stand behind the point.
    decimals: u32,
    /// Offset of the exponent's digits, where there is one.
    exponent: Option<usize>,
    end: usize,
}

impl Token {
    fn read(text: &[u8], begin: usize) -> Result<Self, Fault> {
        let byte = |at: usize| text.get(at).copied().unwrap_or_default();
        let is_negative = byte(begin) == b'-';
        let first = begin + usize::from(is_negative);
        let mut significand = Digits::default();
        let mut end = significand.read(text, first);
        if end == first {
            return Err(unexpected(text, end));
        }
        // There is one leading zero at most.
        if byte(first) == b'0' && end > first + 1 {
            return Err(unexpected(text, first + 1));
        }
        let mut decimals = 0;
        if byte(end) == b'.' {
            let point = end;
            end = significand.read(text, point + 1);
            decimals = (end - point - 1) as u32;
            if decimals == 0 {
                return Err(unexpected(text, end));
            }
        }
        let mut exponent = None;
        if matches!(byte(end), b'e' | b'E') {
            let digits = end + 1 + usize::from(matches!(byte(end + 1), b'+' | b'-'));
            end = Digits::default().read(text, digits);
            if end == digits {
                return Err(unexpected(text, end));
            }
            exponent = Some(digits);
        }
        Ok(Self { is_negative, significand: significand.number(), decimals, exponent, end })
    }

    /// The number, if it is an integer of 64 bits and written as one.
    fn whole(self) -> Option<Number> {
        let Self { is_negative, significand: Some(number), decimals: 0, exponent: None, .. } = self else {
            return None;
        };
        if !is_negative {
            return Some(Number::Unsigned(number));
        }
        // The negative zero is a double, as is what lies below 64 bits.
        let number = 0_i64.checked_sub_unsigned(number).filter(|number| *number != 0)?;
        Some(Number::Signed(number))
    }

    fn double(self, text: &[u8], begin: usize) -> Result<f64, Fault> {
        if let Some(number) = self.short_double() {
            return Ok(number);
        }
        // What makes up a number is ASCII.
        let token = text.get(begin..self.end).unwrap_or_default();
        let number: f64 = std::str::from_utf8(token).unwrap_or_default().parse().unwrap_or(f64::INFINITY);
        if number.is_finite() {
            return Ok(number);
        }
        Err(Fault { offset: self.range_fault(text), problem: Problem::NumberRange })
    }

    /// Where a number is found to be too large: at its last digit, or where the exponent leaves 32 bits.
    #[cold]
    fn range_fault(self, text: &[u8]) -> usize {
        let first = self.exponent.unwrap_or(self.end);
        let digits = text.get(first..self.end).unwrap_or_default();
        let mut exponent = 0_i32;
        let leaves = digits.iter().position(|digit| {
            let next = exponent.checked_mul(10).and_then(|tens| tens.checked_add((digit - b'0').into()));
            exponent = next.unwrap_or_default();
            next.is_none()
        });
        leaves.map_or(self.end - 1, |index| first + index)
    }

    /// The number, if two doubles that are exact give it in one operation, which rounds once (Clinger, "How to Read Floating
    /// Point Numbers Accurately", 1990).
    fn short_double(self) -> Option<f64> {
        let Self { is_negative, significand, decimals, exponent: None, .. } = self else { return None };
        let number = significand.filter(|number| *number < 1 << 53)? as f64;
        let number = number / POWERS_OF_TEN.get(decimals as usize)?;
        Some(if is_negative { -number } else { number })
    }
}

/// Digits as one number.
#[derive(Clone, Copy, Debug, Default)]
struct Digits {
    number: u64,
    overflows: bool,
}

impl Digits {
    /// Reads digits, and gives the offset behind them.
    fn read(&mut self, text: &[u8], from: usize) -> usize {
        let mut at = from;
        while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            at += 1;
            // Below this, one digit more fits.
            if self.number < u64::MAX / 10 {
                self.number = 10 * self.number + u64::from(digit);
            } else {
                self.add_last(digit);
            }
        }
        at
    }

    #[cold]
    fn add_last(&mut self, digit: u8) {
        match self.number.checked_mul(10).and_then(|number| number.checked_add(digit.into())) {
            Some(number) => self.number = number,
            None => (self.number, self.overflows) = (u64::MAX, true),
        }
    }

    fn number(self) -> Option<u64> {
        Some(self.number).filter(|_| !self.overflows)
    }
}

#[cold]
fn unexpected(text: &[u8], at: usize) -> Fault {
    if at >= text.len() {
        Fault { offset: text.len(), problem: Problem::End }
    } else {
        Fault { offset: at, problem: Problem::Syntax }
    }
}

/// Reads a double in a string.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    match text {
        b"NaN" => Some(f64::NAN),
        b"Infinity" => Some(f64::INFINITY),
        b"-Infinity" => Some(f64::NEG_INFINITY),
        _ => float(std::str::from_utf8(text).ok()?),
    }
}

/// Reads a float as Rust does, but not by the names `inf`, `infinity` and `nan`.
fn float(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
/// The powers of ten that a double has exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

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
            let number = Number::parse(text.as_bytes()).unwrap();
            assert_eq!((number.unsigned(), number.signed()), (unsigned, signed), "{text}");
        }
        assert_eq!(Number::Float(-0.0).unsigned(), Some(0));
    }

    #[test]
    fn what_rust_alone_takes_for_a_number_is_none() {
        for text in ["", " 1", "1 ", "0x10", "1_000", "inf", "nan", "infinity", "+", "e3", "1e400"] {
            assert_eq!(Number::parse(text.as_bytes()), None, "{text}");
            assert_eq!(double(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_have_three_names_and_keep_their_sign() {
        assert!(double(b"NaN").unwrap().is_nan());
        assert_eq!(double(b"Infinity"), Some(f64::INFINITY));
        assert_eq!(double(b"-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(double(b"-0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
        assert_eq!(double(b"0.30000000000000004"), Some(0.1 + 0.2));
    }
}
