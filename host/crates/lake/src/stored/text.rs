//! Stored values as JSON: the form of expected rows in `sluice test`, of dry runs, and of constants
//! that a target remembers.
//!
//! The form is exact (two values have the same text only where they are bit-equal, NaNs aside) and
//! documented in `docs/reference/types.md`.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde_json::{Number, Value};

/// The largest integer up to which JSON numbers are exact in every reader: 2^53.
const NUMBER_EXACT_MAX: i128 = 1 << 53;

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// One stored value as JSON; a row beyond the column, or a type that is never stored, gives none.
///
/// `integer` tells a decimal without digits behind the point that stands for an unsigned integer.
#[must_use]
pub fn value(column: &ArrayRef, row: usize, integer: bool) -> Option<Value> {
    if row >= column.len() {
        return None;
    }
    if column.is_null(row) {
        return Some(Value::Null);
    }
    Some(match column.data_type() {
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int8 => integer_value(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => integer_value(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => integer_value(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => integer_value(column.as_primitive::<Int64Type>().value(row).into()),
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            // Through the shortest text that reads back as the same float, so that 0.1 stays 0.1.
            float_value(value.to_string().parse().unwrap_or_else(|_| f64::from(value)))
        }
        DataType::Float64 => float_value(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            let value = column.as_primitive::<Decimal128Type>().value(row);
            if integer { integer_value(value) } else { Value::String(decimal(value, *scale)) }
        }
        DataType::Date32 => Value::String(date(column.as_primitive::<Date32Type>().value(row))),
        DataType::Timestamp(_, zone) => {
            let value = column.as_primitive::<TimestampMicrosecondType>().value(row);
            Value::String(timestamp(value, zone.is_some()))
        }
        DataType::Utf8 => Value::String(column.as_string::<i32>().value(row).to_owned()),
        DataType::Binary => Value::String(hex(column.as_binary::<i32>().value(row))),
        _ => return None,
    })
}

/// A value as a constant that a target remembers: a number has the same form whatever type it is stored
/// as, so that it stays itself where its column becomes wider.
pub(crate) fn constant(column: &ArrayRef, row: usize) -> Option<Value> {
    match column.data_type() {
        DataType::Decimal128(_, scale) if row < column.len() && column.is_valid(row) => {
            let value = column.as_primitive::<Decimal128Type>().value(row);
            Some(shortest(value, *scale))
        }
        _ => value(column, row, false),
    }
}

/// A constant as it was remembered of a number, in the form of [`constant`].
pub(crate) fn number_constant(known: Value) -> Value {
    let Value::String(text) = &known else { return known };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}").parse::<i128>();
    match (digits, i8::try_from(fraction.len())) {
        (Ok(digits), Ok(scale)) => shortest(digits, scale),
        _ => known,
    }
}

/// A decimal without zeros at its end; a whole one as an integer.
fn shortest(mut value: i128, mut scale: i8) -> Value {
    while scale > 0 && value % 10 == 0 {
        value /= 10;
        scale = scale.saturating_sub(1);
    }
    if scale == 0 { integer_value(value) } else { Value::String(decimal(value, scale)) }
}

/// Appends a TIME: `[-]HH:MM:SS.ffffff`, three or more digits of hours from 100 on.
pub(crate) fn push_time(out: &mut Vec<u8>, micros: i64) {
    if micros < 0 {
        out.push(b'-');
    }
    let all = micros.unsigned_abs();
    let (seconds, fraction) = (all / 1_000_000, all % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours >= 100 {
        push_digits(out, hours, hours.ilog10().saturating_add(1));
    } else {
        push_digits(out, hours, 2);
    }
    out.push(b':');
    push_digits(out, minutes, 2);
    out.push(b':');
    push_digits(out, seconds, 2);
    out.push(b'.');
    push_digits(out, fraction, 6);
}

fn push_digits(out: &mut Vec<u8>, value: u64, width: u32) {
    for place in (0..width).rev() {
        let digit = value / 10_u64.saturating_pow(place) % 10;
        out.push(b'0'.saturating_add(u8::try_from(digit).unwrap_or(0)));
    }
}

fn integer_value(value: i128) -> Value {
    let exact = value.unsigned_abs() <= NUMBER_EXACT_MAX.unsigned_abs();
    match i64::try_from(value) {
        Ok(small) if exact => Value::Number(small.into()),
        _ => Value::String(value.to_string()),
    }
}

fn float_value(value: f64) -> Value {
    let named = || {
        let name = match value {
            v if v.is_nan() => "NaN",
            v if v > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        Value::String(name.into())
    };
    Number::from_f64(value).map_or_else(named, Value::Number)
}

fn decimal(value: i128, scale: i8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale.saturating_add(1));
    let (whole, fraction) = padded.split_at(padded.len().saturating_sub(scale));
    format!("{sign}{whole}.{fraction}")
}

/// The proleptic Gregorian date of a day number (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn date(days: i32) -> String {
    let (year, month, day) = civil(days.into());
    let sign = if year < 0 { "-" } else { "" };
    format!("{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())
}

fn timestamp(micros: i64, utc: bool) -> String {
    let (days, rest) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    let (year, month, day) = civil(days);
    let sign = if year < 0 { "-" } else { "" };
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let zone = if utc { "Z" } else { "" };
    format!(
        "{sign}{:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{fraction:06}{zone}",
        year.unsigned_abs()
    )
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
