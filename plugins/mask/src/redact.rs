//! The constant that stands for a redacted value.

use sluice_guest::calendar::{parse_date, parse_time, parse_timestamp};
use sluice_guest::{DataType, Decimal, Failure, Field};

/// The text form of the constant: the one that was given, where it fits the type, or the type's own.
///
/// # Errors
/// `mask-type`, where it does not fit.
pub(crate) fn constant(field: &Field, given: Option<&str>) -> Result<String, Failure> {
    let text = given.unwrap_or_else(|| default(field.data_type));
    if fits(text, field.data_type) {
        return Ok(text.to_owned());
    }
    let Field { name, data_type, .. } = field;
    let detail = format!(
        "`{name}` is {data_type}: `with` is no value of it (its default is `{}`)",
        default(*data_type)
    );
    Err(Failure::new("mask-type", detail))
}

fn default(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Utf8 => "***",
        DataType::Json => "\"***\"",
        DataType::Binary => "",
        DataType::Boolean => "false",
        DataType::Date => "1970-01-01",
        DataType::TimeMicros => "00:00:00",
        DataType::TimestampMicrosUtc => "1970-01-01 00:00:00Z",
        DataType::TimestampMicrosLocal => "1970-01-01 00:00:00",
        _ => "0",
    }
}

/// Whether the host reads it as a value of the type; it checks the finer points (digits, JSON) too.
fn fits(text: &str, data_type: DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::Json => true,
        DataType::Boolean => text == "true" || text == "false",
        DataType::Binary => {
            text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
        }
        DataType::Date => parse_date(text).is_some(),
        DataType::TimeMicros => parse_time(text).is_some(),
        DataType::TimestampMicrosUtc => {
            text.strip_suffix('Z').is_some_and(|t| parse_timestamp(t).is_some())
        }
        DataType::TimestampMicrosLocal => parse_timestamp(text).is_some(),
        DataType::Float32 | DataType::Float64 => text.parse::<f64>().is_ok(),
        DataType::Decimal { precision, scale } => {
            let number = text.parse().ok().and_then(|d: Decimal| d.rescaled(scale));
            let limit = 10_i128.checked_pow(u32::from(precision));
            number.zip(limit).is_some_and(|(n, limit)| -limit < n.unscaled && n.unscaled < limit)
        }
        DataType::Int8 => text.parse::<i8>().is_ok(),
        DataType::Int16 => text.parse::<i16>().is_ok(),
        DataType::Int32 => text.parse::<i32>().is_ok(),
        DataType::Int64 => text.parse::<i64>().is_ok(),
        DataType::UInt8 => text.parse::<u8>().is_ok(),
        DataType::UInt16 => text.parse::<u16>().is_ok(),
        DataType::UInt32 => text.parse::<u32>().is_ok(),
        DataType::UInt64 => text.parse::<u64>().is_ok(),
    }
}
