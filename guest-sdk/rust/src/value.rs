//! One value of a row, whatever its type, and its text form.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::calendar::{date_text, time_text, timestamp_text};
use crate::decimal::Decimal;

/// One value of a row. Reading a whole column through it is several times slower than through the
/// typed views of [`crate::Column`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// BIT(1).
    Boolean(bool),
    /// The signed integers.
    Int(i64),
    /// The unsigned integers.
    UInt(u64),
    /// FLOAT.
    Float32(f32),
    /// DOUBLE.
    Float64(f64),
    /// DECIMAL.
    Decimal(Decimal),
    /// Days since 1970-01-01.
    Date(i32),
    /// Signed microseconds.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00Z.
    TimestampUtc(i64),
    /// Microseconds since 1970-01-01T00:00 on the wall.
    TimestampLocal(i64),
    /// Text.
    Utf8(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// JSON text.
    Json(&'a str),
}

impl<'a> Value<'a> {
    /// Whether it is NULL.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text form of the documentation (`docs/reference/text-values.md`); none for NULL.
    /// Bytes become lower-case hexadecimal digits.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let text = match *self {
            Self::Null => return None,
            Self::Utf8(text) | Self::Json(text) => return Some(Cow::Borrowed(text)),
            Self::Boolean(bit) => bit.to_string(),
            Self::Int(number) => number.to_string(),
            Self::UInt(number) => number.to_string(),
            Self::Float32(number) => format!("{number:?}"),
            Self::Float64(number) => format!("{number:?}"),
            Self::Decimal(number) => number.to_string(),
            Self::Date(days) => date_text(days),
            Self::Time(micros) => time_text(micros),
            Self::TimestampUtc(micros) => format!("{}Z", timestamp_text(micros)),
            Self::TimestampLocal(micros) => timestamp_text(micros),
            Self::Binary(bytes) => hex(bytes),
        };
        Some(Cow::Owned(text))
    }

    /// The bytes that stand for the value in a hash: text and bytes as they are, every other type by
    /// its text form; none for NULL.
    #[must_use]
    pub fn hash_bytes(&self) -> Option<Cow<'a, [u8]>> {
        match *self {
            Self::Binary(bytes) => Some(Cow::Borrowed(bytes)),
            _ => self.text().map(|text| match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
        }
    }
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_one_text() {
        let cases = [
            (Value::Boolean(true), "true"),
            (Value::Int(-7), "-7"),
            (Value::UInt(u64::MAX), "18446744073709551615"),
            (Value::Float32(0.1), "0.1"),
            (Value::Float64(1.0), "1.0"),
            (Value::Float64(1e300), "1e300"),
            (Value::Decimal(Decimal { unscaled: -1230, scale: 2 }), "-12.30"),
            (Value::Date(0), "1970-01-01"),
            (Value::Time(-1_500_000), "-00:00:01.500000"),
            (Value::TimestampUtc(0), "1970-01-01 00:00:00Z"),
            (Value::TimestampLocal(0), "1970-01-01 00:00:00"),
            (Value::Utf8("ü"), "ü"),
            (Value::Binary(&[0, 255]), "00ff"),
        ];
        for (value, text) in cases {
            assert_eq!(value.text().as_deref(), Some(text), "{value:?}");
        }
        assert_eq!(Value::Null.text(), None);
    }
}
