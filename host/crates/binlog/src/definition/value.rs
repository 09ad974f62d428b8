//! Constants of a definition as values of a column. Only what is exactly a value of the column's type is
//! one; what a server would round, cut or reinterpret is not known.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array, new_null_array,
};
use change::definition::{ColumnDefinition, Constant, DeclaredType, DefaultValue, same_name};
use change::{Column, ColumnType};

use crate::value::temporal::days_of;

/// Bytes of a BINARY or CHAR: no server makes a longer one.
const FIXED_BYTES_MAX: usize = 255;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What an INSERT that leaves a column out gives it, as an array of one value in the column's Arrow type;
/// none where it is computed or not known.
#[must_use]
pub fn default_of(definition: &ColumnDefinition, column: &Column) -> Option<ArrayRef> {
    if definition.generated || definition.auto_increment {
        return None;
    }
    let constant = match super::alter::implied(definition) {
        DefaultValue::Null => return Some(new_null_array(&column.column_type.arrow(), 1)),
        DefaultValue::Constant(constant) => constant,
        DefaultValue::Absent | DefaultValue::Computed => return None,
    };
    array(&constant, &definition.declared, column.column_type)
}

fn array(
    constant: &Constant,
    declared: &DeclaredType,
    column_type: ColumnType,
) -> Option<ArrayRef> {
    Some(match column_type {
        ColumnType::Boolean => match integer(constant)? {
            0 => Arc::new(BooleanArray::from(vec![false])),
            1 => Arc::new(BooleanArray::from(vec![true])),
            _ => return None,
        },
        ColumnType::Int8 => Arc::new(Int8Array::from(vec![i8::try_from(integer(constant)?).ok()?])),
        ColumnType::Int16 if declared.word == "year" => {
            let year = integer(constant).filter(|y| *y == 0 || (1901..=2155).contains(y))?;
            Arc::new(Int16Array::from(vec![i16::try_from(year).ok()?]))
        }
        ColumnType::Int16 => {
            Arc::new(Int16Array::from(vec![i16::try_from(integer(constant)?).ok()?]))
        }
        ColumnType::Int32 => {
            Arc::new(Int32Array::from(vec![i32::try_from(integer(constant)?).ok()?]))
        }
        ColumnType::Int64 => {
            Arc::new(Int64Array::from(vec![i64::try_from(integer(constant)?).ok()?]))
        }
        ColumnType::UInt8 => {
            Arc::new(UInt8Array::from(vec![u8::try_from(integer(constant)?).ok()?]))
        }
        ColumnType::UInt16 => {
            Arc::new(UInt16Array::from(vec![u16::try_from(integer(constant)?).ok()?]))
        }
        ColumnType::UInt32 => {
            Arc::new(UInt32Array::from(vec![u32::try_from(integer(constant)?).ok()?]))
        }
        ColumnType::UInt64 => {
            Arc::new(UInt64Array::from(vec![u64::try_from(integer(constant)?).ok()?]))
        }
        // With digits of its own the server rounds.
        ColumnType::Float32 | ColumnType::Float64 if !declared.arguments.is_empty() => return None,
        ColumnType::Float32 => {
            Arc::new(Float32Array::from(vec![text(constant)?.parse::<f32>().ok()?]))
        }
        ColumnType::Float64 => {
            Arc::new(Float64Array::from(vec![text(constant)?.parse::<f64>().ok()?]))
        }
        ColumnType::Decimal { precision, scale } => {
            let digits = decimal_text(text(constant)?, scale)?.replace('.', "");
            let value = digits.parse::<i128>().ok()?;
            let array = Decimal128Array::from(vec![value]);
            Arc::new(array.with_precision_and_scale(precision, i8::try_from(scale).ok()?).ok()?)
        }
        ColumnType::Date => Arc::new(Date32Array::from(vec![date(text(constant)?)?])),
        ColumnType::TimeMicros => {
            let micros = time_micros(text(constant)?)?;
            fits_fraction(micros, declared)?;
            Arc::new(DurationMicrosecondArray::from(vec![micros]))
        }
        ColumnType::TimestampMicrosLocal | ColumnType::TimestampMicrosUtc => {
            let micros = datetime_micros(text(constant)?)?;
            fits_fraction(micros, declared)?;
            let array = TimestampMicrosecondArray::from(vec![micros]);
            if column_type == ColumnType::TimestampMicrosUtc {
                Arc::new(array.with_timezone("UTC"))
            } else {
                Arc::new(array)
            }
        }
        ColumnType::Utf8 => Arc::new(StringArray::from(vec![utf8(constant, declared)?])),
        ColumnType::Binary => Arc::new(BinaryArray::from_vec(vec![&bytes(constant, declared)?])),
        ColumnType::Json => return None,
    })
}

/// The digits of a number, or a text.
fn text(constant: &Constant) -> Option<&str> {
    match constant {
        Constant::Text(text) | Constant::Number(text) => Some(text.trim()),
        Constant::Bytes(_) => None,
    }
}

/// A whole number; bytes are one with the most significant first.
fn integer(constant: &Constant) -> Option<i128> {
    match constant {
        Constant::Text(text) | Constant::Number(text) => text.trim().parse().ok(),
        Constant::Bytes(bytes) if bytes.len() <= 8 => {
            Some(bytes.iter().fold(0, |all, byte| all << 8 | i128::from(*byte)))
        }
        Constant::Bytes(_) => None,
    }
}

/// A decimal with exactly `scale` digits behind the point, and none in front that is not needed.
fn decimal_text(text: &str, scale: u8) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let scale = usize::from(scale);
    let (kept, cut) = fraction.split_at_checked(scale.min(fraction.len()))?;
    if cut.bytes().any(|b| b != b'0') {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let is_zero = whole == "0" && kept.bytes().all(|b| b == b'0');
    let sign = if is_zero { "" } else { sign };
    let point = if scale == 0 { "" } else { "." };
    Some(format!("{sign}{whole}{point}{kept:0<scale$}"))
}

/// `YYYY-MM-DD` in days since 1970; none for a date that no calendar has.
fn date(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let mut next = |width: usize| {
        let part = parts.next().filter(|part| part.len() == width)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok())?
    };
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    parts.next().is_none().then(|| days_of(year, month, day).ok())?
}

/// `[-]hours:minutes:seconds[.fraction]` in microseconds.
fn time_micros(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Option<Vec<i64>> = clock.split(':').map(digits).collect();
    let [hours, minutes, seconds] = parts?.try_into().ok()?;
    if minutes > 59 || seconds > 59 || hours > 838 || fraction.len() > 6 {
        return None;
    }
    let micros = digits(&format!("{fraction:0<6}"))?;
    Some(sign * ((hours * 60 + minutes) * 60 + seconds) * SECOND + sign * micros)
}

fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.len() <= 6 && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// `YYYY-MM-DD[ hh:mm:ss[.fraction]]` in microseconds since 1970.
pub(crate) fn datetime_micros(text: &str) -> Option<i64> {
    let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let micros = time_micros(clock).filter(|micros| (0..DAY).contains(micros))?;
    i64::from(date(day)?).checked_mul(DAY)?.checked_add(micros)
}

/// The text of such a time.
pub(crate) fn datetime_text(micros: i64) -> String {
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let (seconds, fraction) = (rest / SECOND, rest % SECOND);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let clock = format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}");
    if fraction == 0 { clock } else { format!("{clock}.{fraction:06}") }
}

/// The date of a day since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms",
/// `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Whether a time has no more digits behind the second than its column; the server rounds others.
fn fits_fraction(micros: i64, declared: &DeclaredType) -> Option<()> {
    let digits = declared.arguments.first().copied().unwrap_or(0).min(6);
    let unit = 10_i64.pow(6_u32.saturating_sub(digits));
    (micros % unit == 0).then_some(())
}

fn utf8(constant: &Constant, declared: &DeclaredType) -> Option<String> {
    let word = declared.word.as_str();
    match (word, constant) {
        ("enum", Constant::Text(label)) => label_of(declared, label),
        ("enum", Constant::Number(number)) => {
            let at = number.parse::<usize>().ok()?.checked_sub(1)?;
            declared.labels.get(at).cloned()
        }
        ("set", Constant::Text(labels)) => set_of(declared, labels),
        ("decimal", _) => decimal_text(text(constant)?, declared.precision_and_scale().1),
        ("uuid", Constant::Text(text)) => {
            uuid::Uuid::try_parse(text).ok().map(|uuid| uuid.to_string())
        }
        ("inet4", Constant::Text(text)) => {
            text.parse::<std::net::Ipv4Addr>().ok().map(|address| address.to_string())
        }
        ("enum" | "set" | "uuid" | "inet4" | "inet6", _) => None,
        ("char", Constant::Text(text)) => Some(text.trim_end_matches(' ').to_owned()),
        (_, Constant::Text(text)) => Some(text.clone()),
        (_, Constant::Number(number)) => is_canonical(number).then(|| number.clone()),
        (_, Constant::Bytes(bytes)) => {
            String::from_utf8(bytes.clone()).ok().filter(|text| text.is_ascii())
        }
    }
}

/// A label as the definition spells it; servers find it by the column's collation.
fn label_of(declared: &DeclaredType, label: &str) -> Option<String> {
    let wanted = label.trim_end_matches(' ');
    let exact = declared.labels.iter().find(|known| *known == wanted);
    let mut alike = declared.labels.iter().filter(|known| same_name(known, wanted));
    exact.or_else(|| alike.next().filter(|_| alike.next().is_none())).cloned()
}

/// Whether a number is written as the server writes it where it becomes text: others it writes anew.
fn is_canonical(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_short = whole == "0" || !whole.starts_with('0');
    is_digits(whole) && is_short && fraction.is_none_or(is_digits) && number != "-0"
}

/// The labels of a set in the order of the definition.
fn set_of(declared: &DeclaredType, labels: &str) -> Option<String> {
    let wanted = labels.split(',').filter(|label| !label.is_empty());
    let wanted: Option<Vec<_>> = wanted.map(|label| label_of(declared, label)).collect();
    let wanted = wanted?;
    let kept = declared.labels.iter().filter(|label| wanted.contains(label));
    Some(kept.map(String::as_str).collect::<Vec<_>>().join(","))
}

fn bytes(constant: &Constant, declared: &DeclaredType) -> Option<Vec<u8>> {
    let mut bytes = match constant {
        Constant::Bytes(bytes) => bytes.clone(),
        // Other text stands in the session's character set.
        Constant::Text(text) if text.is_ascii() => text.as_bytes().to_vec(),
        Constant::Number(number) if is_canonical(number) => number.as_bytes().to_vec(),
        Constant::Text(_) | Constant::Number(_) => return None,
    };
    let is_fixed = declared.word == "binary"
        || (declared.word == "char" && declared.charset.as_deref() == Some("binary"));
    match declared.word.as_str() {
        _ if is_fixed => {
            let width = usize::try_from(declared.arguments.first().copied().unwrap_or(1)).ok()?;
            if width > FIXED_BYTES_MAX {
                return None;
            }
            bytes.resize(width.max(bytes.len()), 0);
        }
        "vector" | "geometry" | "point" | "linestring" | "polygon" => return None,
        _ => {}
    }
    Some(bytes)
}
