//! Conversions that the host makes for a plan (docs/reference/casts.md). A value goes over exactly
//! or not at all: one that does not fit rejects its row, it never becomes NULL or another value.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, BinaryArray, Date32Array, StringArray, TimestampMicrosecondArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::ArrowError;
use change::ColumnType;

use crate::text;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Whether the host can convert one type to another.
pub(crate) fn is_allowed(from: ColumnType, to: ColumnType) -> bool {
    use ColumnType::{Boolean, Date, TimestampMicrosLocal, Utf8};
    match (from, to) {
        (Utf8, _) | (_, Utf8) => true,
        (Date, TimestampMicrosLocal) | (TimestampMicrosLocal, Date) => true,
        (Boolean, other) | (other, Boolean) => is_integer(other),
        _ => is_number(from) && is_number(to),
    }
}

fn is_integer(column_type: ColumnType) -> bool {
    use ColumnType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
    matches!(column_type, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64)
}

fn is_number(column_type: ColumnType) -> bool {
    use ColumnType::{Decimal, Float32, Float64};
    is_integer(column_type) || matches!(column_type, Float32 | Float64 | Decimal { .. })
}

/// The converted column, and the rows whose value does not fit (their slots hold anything).
///
/// # Errors
/// Where Arrow does not know the conversion, which [`is_allowed`] rules out.
pub(crate) fn cast(
    array: &ArrayRef,
    from: ColumnType,
    to: ColumnType,
) -> Result<(ArrayRef, Vec<usize>), ArrowError> {
    use ColumnType::{Binary, Date, Json, TimestampMicrosLocal, Utf8};
    match (from, to) {
        (Json, Utf8) => Ok((Arc::clone(array), Vec::new())),
        (Binary, Utf8) => Ok(binary_to_text(array)),
        (Utf8, Binary) => {
            let bytes = array.as_string::<i32>().iter().map(|v| v.map(str::as_bytes));
            Ok((Arc::new(bytes.collect::<BinaryArray>()), Vec::new()))
        }
        (_, Utf8) => Ok((Arc::new(text::format(array, from)), Vec::new())),
        (Utf8, _) => {
            let texts: Vec<_> = array.as_string::<i32>().iter().collect();
            Ok(text::parse(to, &texts))
        }
        (Date, TimestampMicrosLocal) => Ok(date_to_midnight(array)),
        (TimestampMicrosLocal, Date) => Ok(midnight_to_date(array)),
        _ => numbers(array, from, to),
    }
}

/// There and back again: what does not come back as itself does not fit.
fn numbers(
    array: &ArrayRef,
    from: ColumnType,
    to: ColumnType,
) -> Result<(ArrayRef, Vec<usize>), ArrowError> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let there = cast_with_options(array, &to.arrow(), &options)?;
    let back = cast_with_options(&there, &from.arrow(), &options)?;
    let differs = arrow_ord::cmp::distinct(array, &back)?;
    Ok((there, differs.values().set_indices().collect()))
}

fn binary_to_text(array: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    let mut wrong = Vec::new();
    let mut one = |(row, value): (usize, Option<&[u8]>)| {
        let text = value.map(std::str::from_utf8)?;
        if text.is_err() {
            wrong.push(row);
        }
        text.ok().map(str::to_owned)
    };
    let texts: StringArray = array.as_binary::<i32>().iter().enumerate().map(&mut one).collect();
    (Arc::new(texts), wrong)
}

fn date_to_midnight(array: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    let mut wrong = Vec::new();
    let mut one = |(row, value): (usize, Option<i32>)| {
        let micros = i64::from(value?).checked_mul(DAY);
        if micros.is_none() {
            wrong.push(row);
        }
        micros
    };
    let values = array.as_primitive::<Date32Type>();
    let micros: TimestampMicrosecondArray = values.iter().enumerate().map(&mut one).collect();
    (Arc::new(micros), wrong)
}

fn midnight_to_date(array: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    let mut wrong = Vec::new();
    let mut one = |(row, value): (usize, Option<i64>)| {
        let micros = value?;
        let days = i32::try_from(micros / DAY).ok().filter(|_| micros % DAY == 0);
        if days.is_none() {
            wrong.push(row);
        }
        days
    };
    let values = array.as_primitive::<TimestampMicrosecondType>();
    let dates: Date32Array = values.iter().enumerate().map(&mut one).collect();
    (Arc::new(dates), wrong)
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;

    use super::*;

    /// From, to, texts, the texts that they become, and the rows that do not fit.
    type Case = (
        &'static str,
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
        &'static [usize],
    );

    #[test]
    fn a_value_goes_over_exactly_or_its_row_is_told() {
        let cases: &[Case] = &[
            ("int32", "int8", &["127", "128", "-128"], &["127", "", "-128"], &[1]),
            ("int64", "uint64", &["5", "-1"], &["5", ""], &[1]),
            (
                "int64",
                "float64",
                &["9007199254740992", "9007199254740993"],
                &["9007199254740992.0", ""],
                &[1],
            ),
            ("float64", "int32", &["3.0", "3.5", "NaN"], &["3", "", ""], &[1, 2]),
            ("float64", "float32", &["0.5", "0.1"], &["0.5", ""], &[1]),
            ("float64", "decimal(5,2)", &["12.3", "1000.0", "0.001"], &["12.30", "", ""], &[1, 2]),
            ("decimal(5,2)", "decimal(5,1)", &["1.50", "1.25"], &["1.5", ""], &[1]),
            ("decimal(5,2)", "int32", &["7.00", "7.10"], &["7", ""], &[1]),
            ("decimal(5,2)", "float64", &["12.30"], &["12.3"], &[]),
            ("int32", "decimal(4,2)", &["99", "100"], &["99.00", ""], &[1]),
            ("int8", "boolean", &["0", "1", "2"], &["false", "true", ""], &[2]),
            ("boolean", "int8", &["true", "false"], &["1", "0"], &[]),
            ("date", "timestamp-micros-local", &["2024-01-31"], &["2024-01-31 00:00:00"], &[]),
            (
                "timestamp-micros-local",
                "date",
                &["2024-01-31 00:00:00", "2024-01-31 00:00:01"],
                &["2024-01-31", ""],
                &[1],
            ),
            ("utf8", "int16", &["12", "twelve"], &["12", ""], &[1]),
            ("time-micros", "utf8", &["-01:00:00"], &["-01:00:00"], &[]),
        ];
        for (from, to, given, wanted, misfits) in cases {
            let (from, to): (ColumnType, ColumnType) =
                (from.parse().expect("a type"), to.parse().expect("a type"));
            assert!(is_allowed(from, to), "{from} {to}");
            let texts: Vec<_> = given.iter().map(|t| Some(*t)).chain([None]).collect();
            let (array, _) = text::parse(from, &texts);
            let (out, wrong) = cast(&array, from, to).expect("known");
            assert_eq!(wrong, *misfits, "{from} {to}");
            assert_eq!(*out.data_type(), to.arrow(), "{from} {to}");
            let out = text::format(&out, to);
            for (row, wanted) in wanted.iter().enumerate().filter(|(row, _)| !misfits.contains(row))
            {
                assert_eq!(out.value(row), *wanted, "{from} {to}");
            }
            assert!(out.is_null(given.len()), "null stays null: {from} {to}");
        }
    }

    #[test]
    fn a_date_beyond_the_timestamps_is_told() {
        let dates: ArrayRef =
            Arc::new(Date32Array::from(vec![Some(i32::MAX), Some(0), None, Some(i32::MIN)]));
        let (out, wrong) =
            cast(&dates, ColumnType::Date, ColumnType::TimestampMicrosLocal).expect("known");
        assert_eq!(wrong, [0, 3]);
        assert_eq!(out.as_primitive::<TimestampMicrosecondType>().value(1), 0);
        assert!(out.is_null(2));
    }

    #[test]
    fn what_is_no_conversion_is_refused() {
        for (from, to) in [
            ("date", "int32"),
            ("timestamp-micros-utc", "timestamp-micros-local"),
            ("json", "binary"),
            ("boolean", "float64"),
        ] {
            let (from, to): (ColumnType, ColumnType) =
                (from.parse().expect("a type"), to.parse().expect("a type"));
            assert!(!is_allowed(from, to), "{from} {to}");
        }
    }
}
