//! Values as text (docs/reference/text-values.md): for constants in a plan, and for casts from and
//! to text. What is written here reads back as the same value.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use change::ColumnType;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime};
use serde::de::IgnoredAny;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Reads texts as values of a type; tells the rows whose text is none.
pub(crate) fn parse(column_type: ColumnType, texts: &[Option<&str>]) -> (ArrayRef, Vec<usize>) {
    match column_type {
        ColumnType::Boolean => {
            let (values, wrong) = read(texts, |t| t.parse::<bool>().ok());
            (Arc::new(BooleanArray::from(values)), wrong)
        }
        ColumnType::Int8 => numbers::<Int8Type>(column_type, texts, |t| t.parse().ok()),
        ColumnType::Int16 => numbers::<Int16Type>(column_type, texts, |t| t.parse().ok()),
        ColumnType::Int32 => numbers::<Int32Type>(column_type, texts, |t| t.parse().ok()),
        ColumnType::Int64 => numbers::<Int64Type>(column_type, texts, |t| t.parse().ok()),
        ColumnType::UInt8 => numbers::<UInt8Type>(column_type, texts, |t| t.parse().ok()),
        ColumnType::UInt16 => numbers::<UInt16Type>(column_type, texts, |t| t.parse().ok()),
        ColumnType::UInt32 => numbers::<UInt32Type>(column_type, texts, |t| t.parse().ok()),
        ColumnType::UInt64 => numbers::<UInt64Type>(column_type, texts, |t| t.parse().ok()),
        ColumnType::Float32 => numbers::<Float32Type>(column_type, texts, |t| {
            t.parse().ok().filter(|v: &f32| holds(t, f64::from(*v)))
        }),
        ColumnType::Float64 => numbers::<Float64Type>(column_type, texts, |t| {
            t.parse().ok().filter(|v: &f64| holds(t, *v))
        }),
        ColumnType::Decimal { precision, scale } => {
            numbers::<Decimal128Type>(column_type, texts, |t| read_decimal(t, precision, scale))
        }
        ColumnType::Date => numbers::<Date32Type>(column_type, texts, read_date),
        ColumnType::TimeMicros => numbers::<DurationMicrosecondType>(column_type, texts, read_time),
        ColumnType::TimestampMicrosLocal => {
            numbers::<TimestampMicrosecondType>(column_type, texts, read_datetime)
        }
        ColumnType::TimestampMicrosUtc => {
            let read = |t: &str| t.strip_suffix('Z').and_then(read_datetime);
            numbers::<TimestampMicrosecondType>(column_type, texts, read)
        }
        ColumnType::Utf8 => (Arc::new(StringArray::from(texts.to_vec())), Vec::new()),
        ColumnType::Json => {
            let json = |t: &str| serde_json::from_str::<IgnoredAny>(t).ok().map(|_| t.to_owned());
            let (values, wrong) = read(texts, json);
            (Arc::new(StringArray::from(values)), wrong)
        }
        ColumnType::Binary => {
            let (values, wrong) = read(texts, read_hex);
            (Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>()), wrong)
        }
    }
}

/// Writes the values of a column as texts. Null stays null.
pub(crate) fn format(array: &ArrayRef, column_type: ColumnType) -> StringArray {
    match column_type {
        ColumnType::Boolean => {
            array.as_boolean().iter().map(|v| v.map(|v| v.to_string())).collect()
        }
        ColumnType::Int8 => write::<Int8Type>(array, |v| v.to_string()),
        ColumnType::Int16 => write::<Int16Type>(array, |v| v.to_string()),
        ColumnType::Int32 => write::<Int32Type>(array, |v| v.to_string()),
        ColumnType::Int64 => write::<Int64Type>(array, |v| v.to_string()),
        ColumnType::UInt8 => write::<UInt8Type>(array, |v| v.to_string()),
        ColumnType::UInt16 => write::<UInt16Type>(array, |v| v.to_string()),
        ColumnType::UInt32 => write::<UInt32Type>(array, |v| v.to_string()),
        ColumnType::UInt64 => write::<UInt64Type>(array, |v| v.to_string()),
        ColumnType::Float32 => write::<Float32Type>(array, |v| format!("{v:?}")),
        ColumnType::Float64 => write::<Float64Type>(array, |v| format!("{v:?}")),
        ColumnType::Decimal { scale, .. } => {
            write::<Decimal128Type>(array, |v| write_decimal(v, scale))
        }
        ColumnType::Date => write::<Date32Type>(array, write_date),
        ColumnType::TimeMicros => write::<DurationMicrosecondType>(array, write_time),
        ColumnType::TimestampMicrosLocal => {
            write::<TimestampMicrosecondType>(array, write_datetime)
        }
        ColumnType::TimestampMicrosUtc => {
            write::<TimestampMicrosecondType>(array, |v| format!("{}Z", write_datetime(v)))
        }
        ColumnType::Utf8 | ColumnType::Json => array.as_string::<i32>().clone(),
        ColumnType::Binary => {
            let hex = |v: &[u8]| v.iter().map(|b| format!("{b:02x}")).collect::<String>();
            array.as_binary::<i32>().iter().map(|v| v.map(hex)).collect()
        }
    }
}

fn read<T>(
    texts: &[Option<&str>],
    read: impl Fn(&str) -> Option<T>,
) -> (Vec<Option<T>>, Vec<usize>) {
    let mut wrong = Vec::new();
    let mut one = |(row, text): (usize, &Option<&str>)| {
        let value = text.map(&read)?;
        if value.is_none() {
            wrong.push(row);
        }
        value
    };
    let values = texts.iter().enumerate().map(&mut one).collect();
    (values, wrong)
}

fn numbers<T: ArrowPrimitiveType>(
    column_type: ColumnType,
    texts: &[Option<&str>],
    read_one: impl Fn(&str) -> Option<T::Native>,
) -> (ArrayRef, Vec<usize>) {
    let (values, wrong) = read(texts, read_one);
    let array: PrimitiveArray<T> = PrimitiveArray::from_iter(values);
    (Arc::new(array.with_data_type(column_type.arrow())), wrong)
}

fn write<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    write: impl Fn(T::Native) -> String,
) -> StringArray {
    array.as_primitive::<T>().iter().map(|v| v.map(&write)).collect()
}

fn read_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    let unscaled: i128 = format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()?;
    let limit = 10_i128.checked_pow(u32::from(precision))?;
    (unscaled < limit).then_some(if negative { -unscaled } else { unscaled })
}

fn write_decimal(value: i128, scale: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let width = usize::from(scale) + 1;
    let digits = format!("{:0width$}", value.unsigned_abs());
    match digits.split_at_checked(digits.len() - usize::from(scale)) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{digits}"),
    }
}

fn read_date(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(epoch()).num_days()).ok()
}

fn write_date(days: i32) -> String {
    let distance = Days::new(u64::from(days.unsigned_abs()));
    let date = if days < 0 {
        epoch().checked_sub_days(distance)
    } else {
        epoch().checked_add_days(distance)
    };
    // Beyond the calendar's years there is only the number.
    date.map_or_else(|| format!("{days} days"), |d| d.format("%Y-%m-%d").to_string())
}

fn epoch() -> NaiveDate {
    DateTime::UNIX_EPOCH.date_naive()
}

fn read_time(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut parts = rest.splitn(3, ':');
    let (hours, minutes) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let (seconds, micros) = read_seconds(parts.next()?)?;
    if minutes > 59 {
        return None;
    }
    let whole = hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)?;
    Some(sign * whole.checked_mul(SECOND)?.checked_add(micros)?)
}

/// Seconds below 60 and their microseconds: one to six digits behind the point, or no point.
fn read_seconds(text: &str) -> Option<(i64, i64)> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds = digits(seconds).filter(|s| *s < 60)?;
    let places = 6_usize.checked_sub(fraction.len())?;
    let micros = digits(fraction)?.checked_mul(10_i64.checked_pow(u32::try_from(places).ok()?)?)?;
    Some((seconds, micros))
}

/// A number of nothing but digits.
fn digits(text: &str) -> Option<i64> {
    let all = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

/// Whether a float has what its text says: digits that are too large or too small would become
/// infinite or zero.
fn holds(text: &str, value: f64) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let has_digits = text.bytes().any(|b| b.is_ascii_digit());
    let is_zero = !mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b));
    !has_digits || (value.is_finite() && (is_zero || value != 0.0))
}

fn write_time(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let all = micros.unsigned_abs();
    let (seconds, fraction) = (all / SECOND.unsigned_abs(), all % SECOND.unsigned_abs());
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let text = format!("{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if fraction == 0 { text } else { format!("{text}.{fraction:06}") }
}

fn read_datetime(text: &str) -> Option<i64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let (minutes, seconds) = time.rsplit_once(':')?;
    let minutes = NaiveTime::parse_from_str(minutes, "%H:%M").ok()?;
    let (seconds, micros) = read_seconds(seconds)?;
    let start = NaiveDateTime::new(date, minutes).and_utc().timestamp_micros();
    start.checked_add(seconds.checked_mul(SECOND)?)?.checked_add(micros)
}

fn write_datetime(micros: i64) -> String {
    let Some(instant) = DateTime::from_timestamp_micros(micros) else {
        return format!("{micros} microseconds");
    };
    let pattern = if micros % SECOND == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    instant.naive_utc().format(pattern).to_string()
}

fn read_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? * 16 + digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect::<Option<Vec<u8>>>())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_as_the_same_value() {
        let cases: &[(&str, &[&str])] = &[
            ("boolean", &["true", "false"]),
            ("int8", &["-128", "127", "0"]),
            ("uint64", &["18446744073709551615"]),
            ("float64", &["1.5", "-0.0", "1e300", "NaN", "inf"]),
            ("decimal(5,2)", &["-12.30", "999.99", "0.05"]),
            ("decimal(38,0)", &["99999999999999999999999999999999999999"]),
            ("date", &["2024-01-31", "1969-12-31", "0001-01-01"]),
            ("time-micros", &["-838:59:59", "00:00:00.000001", "120:00:00"]),
            ("timestamp-micros-local", &["2024-01-31 12:00:00", "1969-12-31 23:59:59.999999"]),
            ("timestamp-micros-utc", &["2024-01-31 12:00:00.500000Z"]),
            ("json", &["{\"a\": [1, null]}"]),
            ("binary", &["00ff10", ""]),
            ("utf8", &["", "x y"]),
        ];
        for (name, texts) in cases {
            let column_type: ColumnType = name.parse().expect("a type");
            let given: Vec<_> = texts.iter().map(|t| Some(*t)).chain([None]).collect();
            let (array, wrong) = parse(column_type, &given);
            assert_eq!(wrong, Vec::<usize>::new(), "{name}");
            assert_eq!(*array.data_type(), column_type.arrow(), "{name}");
            let back: Vec<_> =
                format(&array, column_type).iter().map(|t| t.map(str::to_owned)).collect();
            let wanted: Vec<_> = given.iter().map(|t| t.map(str::to_owned)).collect();
            assert_eq!(back, wanted, "{name}");
        }
    }

    #[test]
    fn other_forms_of_a_text_are_read_as_the_same_value() {
        let cases = [
            ("float64", "0e400", "0.0"),
            ("float64", "-inf", "-inf"),
            ("float32", "0.1", "0.1"),
            ("time-micros", "1:00:00.5", "01:00:00.500000"),
            ("timestamp-micros-local", "2024-01-31T12:00:00.5", "2024-01-31 12:00:00.500000"),
            ("timestamp-micros-utc", "2024-01-31 23:59:59.000001Z", "2024-01-31 23:59:59.000001Z"),
        ];
        for (name, text, wanted) in cases {
            let column_type: ColumnType = name.parse().expect("a type");
            let (array, wrong) = parse(column_type, &[Some(text)]);
            assert_eq!(wrong, Vec::<usize>::new(), "{name} {text}");
            assert_eq!(format(&array, column_type).value(0), wanted, "{name} {text}");
        }
    }

    #[test]
    fn a_text_of_another_form_is_told() {
        let cases = [
            ("boolean", "1"),
            ("int8", "128"),
            ("uint8", "-1"),
            ("decimal(5,2)", "1000"),
            ("decimal(5,2)", "1.234"),
            ("decimal(5,2)", ".5"),
            ("date", "2024-02-30"),
            ("float64", "1e400"),
            ("float64", "-1e400"),
            ("float64", "1e-400"),
            ("float32", "1e39"),
            ("float32", "1e-60"),
            ("time-micros", "12:60:00"),
            ("time-micros", "12:00:60"),
            ("time-micros", "12:00:00.1234567"),
            ("time-micros", "00:00:00.+5"),
            ("time-micros", "00:00:00."),
            ("time-micros", "+1:00:00"),
            ("time-micros", "4294967295:00:00"),
            ("time-micros", "9223372036854775807:00:00"),
            ("timestamp-micros-local", "2024-01-31 12:00:00.1234567"),
            ("timestamp-micros-local", "2024-01-31 12:00:60"),
            ("timestamp-micros-local", "2024-01-31 12:00:00.+5"),
            ("timestamp-micros-utc", "2016-12-31 23:59:60Z"),
            ("timestamp-micros-local", "2024-01-31"),
            ("timestamp-micros-utc", "2024-01-31 12:00:00"),
            ("json", "{"),
            ("binary", "0"),
            ("binary", "zz"),
        ];
        for (name, text) in cases {
            let column_type: ColumnType = name.parse().expect("a type");
            assert_eq!(parse(column_type, &[Some(text)]).1, [0], "{name} {text}");
        }
    }
}
