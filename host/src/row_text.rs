//! Values of row images as JSON, in the text form of `docs/reference/types.md`: for `inspect --rows`
//! and for test cases. Never for a log line or an error.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use change::Batch;
use lake::stored::text;
use serde_json::{Map, Value};

/// A value of the source; none for a row beyond the column, or a type that no source has.
#[must_use]
pub fn value(column: &ArrayRef, row: usize) -> Option<Value> {
    let cast = |to: DataType| arrow_cast::cast(column, &to).ok();
    match column.data_type() {
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            text::value(&cast(DataType::Int64)?, row, false)
        }
        DataType::UInt64 => text::value(&cast(DataType::Decimal128(20, 0))?, row, true),
        DataType::Duration(_) => duration(column, row),
        _ => text::value(column, row, false),
    }
}

/// A TIME as MySQL writes it: `-838:59:59.000000`.
fn duration(column: &ArrayRef, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return Some(Value::Null);
    }
    let micros = arrow_cast::cast(column, &DataType::Int64).ok()?;
    let micros = text::value(&micros, row, false)?.as_i64()?;
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    Some(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{fraction:06}").into())
}

/// Some columns of a row image, by name; `columns` are indexes into the schema.
#[must_use]
pub fn row(batch: &Batch, image: usize, columns: &[usize]) -> Map<String, Value> {
    let cell = |index: &usize| {
        let (column, array) = (batch.schema().columns.get(*index)?, batch.columns().get(*index)?);
        Some((column.name.clone(), value(array, image)?))
    };
    columns.iter().filter_map(cell).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{DurationMicrosecondArray, StringArray, UInt8Array, UInt64Array};

    use super::*;

    #[test]
    fn values_of_every_width_keep_their_digits() {
        let number: ArrayRef = Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]));
        assert_eq!(
            value(&number, 0).map(|v| v.to_string()),
            Some("\"18446744073709551615\"".into())
        );
        assert_eq!(value(&number, 1), Some(Value::Null));
        assert_eq!(value(&number, 2), None);
        let small: ArrayRef = Arc::new(UInt8Array::from(vec![255]));
        assert_eq!(value(&small, 0), Some(255.into()));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["é"]));
        assert_eq!(value(&text, 0), Some("é".into()));
    }

    #[test]
    fn a_time_goes_beyond_a_day_and_below_zero() {
        let times = vec![Some(0), Some(-1), Some(3_020_399_000_000), None];
        let times: ArrayRef = Arc::new(DurationMicrosecondArray::from(times));
        let texts: Vec<_> = (0..4).filter_map(|row| value(&times, row)).collect();
        let expected = ["00:00:00.000000", "-00:00:00.000001", "838:59:59.000000"];
        assert_eq!(texts.iter().filter_map(Value::as_str).collect::<Vec<_>>(), expected);
        assert_eq!(texts.last(), Some(&Value::Null));
    }
}
