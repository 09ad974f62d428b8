//! Per-file statistics for `Add.stats` (Delta protocol, "Per-file Statistics"), exact or left out.
//!
//! What cannot be written exactly in JSON is not written at all: no timestamp finer than a
//! millisecond, no decimal with a fraction or more than 18 digits, no long string, no NaN.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use serde_json::{Map, Value};

/// Columns from the left that get bounds, besides the id columns: Delta's default
/// (`delta.dataSkippingNumIndexedCols`).
const COLUMNS_MAX: usize = 32;

/// Bytes of a string that are still written as a bound: Spark's and Delta's prefix length.
const STRING_BYTES_MAX: usize = 32;

/// Digits of a decimal that an `i64` always holds.
const DECIMAL_DIGITS_MAX: u8 = 18;

/// Least and greatest value of a column so far.
#[derive(Clone, Debug, PartialEq)]
enum Range {
    /// No value yet.
    Empty,
    /// Integers, days, microseconds.
    Integer(i64, i64),
    /// Finite floats.
    Float(f64, f64),
    /// Strings.
    Text(String, String),
    /// There is none, or none that JSON holds exactly.
    Unknown,
}

/// Statistics of the rows written to a file so far.
#[derive(Debug)]
pub(crate) struct Stats {
    schema: SchemaRef,
    rows: u64,
    nulls: Vec<u64>,
    ranges: Vec<Range>,
}

impl Stats {
    /// `ids`: columns that get bounds wherever they stand.
    pub(crate) fn new(schema: SchemaRef, ids: &[usize]) -> Self {
        let width = schema.fields().len();
        let range = |i: usize| {
            if i < COLUMNS_MAX || ids.contains(&i) { Range::Empty } else { Range::Unknown }
        };
        let ranges = (0..width).map(range).collect();
        Self { schema, rows: 0, nulls: vec![0; width], ranges }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds the rows of a batch of the same schema.
    pub(crate) fn update(&mut self, batch: &RecordBatch) {
        self.rows = self.rows.saturating_add(batch.num_rows() as u64);
        let columns = batch.columns().iter().zip(&mut self.nulls).zip(&mut self.ranges);
        for ((column, nulls), range) in columns {
            *nulls = nulls.saturating_add(column.null_count() as u64);
            if column.null_count() < column.len() && *range != Range::Unknown {
                let former = std::mem::replace(range, Range::Unknown);
                *range = join(former, range_of(column));
            }
        }
    }

    /// The text of `Add.stats`.
    pub(crate) fn to_json(&self) -> String {
        let (mut low, mut high, mut nulls) = (Map::new(), Map::new(), Map::new());
        let fields = self.schema.fields().iter().zip(&self.ranges).zip(&self.nulls);
        for ((field, range), count) in fields {
            nulls.insert(field.name().clone(), (*count).into());
            if let Some((least, greatest)) = bounds(range, field.data_type()) {
                low.insert(field.name().clone(), least);
                high.insert(field.name().clone(), greatest);
            }
        }
        let mut stats = Map::new();
        stats.insert("numRecords".into(), self.rows.into());
        stats.insert("minValues".into(), low.into());
        stats.insert("maxValues".into(), high.into());
        stats.insert("nullCount".into(), nulls.into());
        stats.insert("tightBounds".into(), true.into());
        Value::Object(stats).to_string()
    }
}

fn integers<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> Range
where
    T::Native: Into<i64> + Ord,
{
    let wide = |v: T::Native| v.into();
    if array.null_count() > 0 {
        let values = || array.iter().flatten();
        return match (values().min(), values().max()) {
            (Some(low), Some(high)) => Range::Integer(wide(low), wide(high)),
            _ => Range::Empty,
        };
    }
    let values = array.values();
    match (values.iter().min(), values.iter().max()) {
        (Some(low), Some(high)) => Range::Integer(wide(*low), wide(*high)),
        _ => Range::Empty,
    }
}

fn floats(values: impl Iterator<Item = f64>) -> Range {
    let mut range = Range::Empty;
    for value in values {
        range = join(range, Range::Float(value, value));
        if range == Range::Unknown {
            break;
        }
    }
    range
}

fn range_of(column: &ArrayRef) -> Range {
    match column.data_type() {
        DataType::Int8 => integers(column.as_primitive::<Int8Type>()),
        DataType::Int16 => integers(column.as_primitive::<Int16Type>()),
        DataType::Int32 => integers(column.as_primitive::<Int32Type>()),
        DataType::Int64 => integers(column.as_primitive::<Int64Type>()),
        DataType::Date32 => integers(column.as_primitive::<Date32Type>()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            integers(column.as_primitive::<TimestampMicrosecondType>())
        }
        DataType::Float32 => {
            floats(column.as_primitive::<Float32Type>().iter().flatten().map(f64::from))
        }
        DataType::Float64 => floats(column.as_primitive::<Float64Type>().iter().flatten()),
        DataType::Decimal128(precision, 0) if *precision <= DECIMAL_DIGITS_MAX => {
            let mut range = Range::Empty;
            for value in column.as_primitive::<Decimal128Type>().iter().flatten() {
                let value = i64::try_from(value);
                range = join(range, value.map_or(Range::Unknown, |v| Range::Integer(v, v)));
            }
            range
        }
        DataType::Utf8 => {
            let values = || column.as_string::<i32>().iter().flatten();
            match (values().min(), values().max()) {
                (Some(low), Some(high)) if low.len().max(high.len()) <= STRING_BYTES_MAX => {
                    Range::Text(low.to_owned(), high.to_owned())
                }
                (None, _) => Range::Empty,
                _ => Range::Unknown,
            }
        }
        _ => Range::Unknown,
    }
}

fn join(a: Range, b: Range) -> Range {
    match (a, b) {
        (Range::Empty, Range::Float(low, _)) if !low.is_finite() => Range::Unknown,
        (Range::Empty, other) | (other, Range::Empty) => other,
        (Range::Integer(a, b), Range::Integer(c, d)) => Range::Integer(a.min(c), b.max(d)),
        (Range::Float(a, b), Range::Float(c, d)) if c.is_finite() && d.is_finite() => {
            Range::Float(a.min(c), b.max(d))
        }
        (Range::Text(a, b), Range::Text(c, d)) => Range::Text(a.min(c), b.max(d)),
        _ => Range::Unknown,
    }
}

fn bounds(range: &Range, data_type: &DataType) -> Option<(Value, Value)> {
    let pair = |low: Option<String>, high: Option<String>| Some((low?.into(), high?.into()));
    match (range, data_type) {
        (Range::Integer(low, high), DataType::Date32) => pair(date_text(*low), date_text(*high)),
        (Range::Integer(low, high), DataType::Timestamp(_, zone)) => {
            let zone = if zone.is_some() { "Z" } else { "" };
            pair(millis_text(*low, zone), millis_text(*high, zone))
        }
        (Range::Integer(low, high), _) => Some(((*low).into(), (*high).into())),
        (Range::Float(low, high), _) => {
            // Zero has two forms that readers may order: the bounds take the outer ones.
            let low = if *low == 0.0 { -0.0 } else { *low };
            let high = if *high == 0.0 { 0.0 } else { *high };
            Some((low.into(), high.into()))
        }
        (Range::Text(low, high), _) => Some((low.clone().into(), high.clone().into())),
        (Range::Empty | Range::Unknown, _) => None,
    }
}

/// `yyyy-mm-dd` of days since 1970-01-01, for years 1 to 9999.
fn date_text(days: i64) -> Option<String> {
    let days = days.checked_add(719_468)?;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era.checked_mul(400)?.checked_add(year_of_era)? + i64::from(month <= 2);
    (1..=9999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// A time of whole milliseconds; none where it is finer.
fn millis_text(micros: i64, zone: &str) -> Option<String> {
    let (millis, rest) = (micros.div_euclid(1000), micros.rem_euclid(1000));
    if rest != 0 {
        return None;
    }
    let date = date_text(millis.div_euclid(86_400_000))?;
    let time = millis.rem_euclid(86_400_000);
    let (seconds, millis) = (time / 1000, time % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(format!("{date}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}{zone}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use arrow_schema::{Field, Schema};

    use super::*;
    use crate::table::bounds::days_of;

    fn stats(columns: Vec<ArrayRef>) -> String {
        let fields = columns
            .iter()
            .enumerate()
            .map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
        let mut stats = Stats::new(schema, &[0]);
        stats.update(&batch.slice(0, 1));
        stats.update(&batch.slice(1, batch.num_rows() - 1));
        stats.to_json()
    }

    #[test]
    fn what_is_exact_is_written() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
            Arc::new(StringArray::from(vec!["b", "a", "ü"])),
            Arc::new(TimestampMicrosecondArray::from(vec![-1000, 0, 951_782_400_123_000])),
            Arc::new(Float64Array::from(vec![0.0, 1.5, 0.1])),
        ];
        insta::assert_snapshot!(stats(columns), @r#"{"numRecords":3,"minValues":{"c0":-9223372036854775808,"c1":"a","c2":"1969-12-31T23:59:59.999","c3":-0.0},"maxValues":{"c0":9223372036854775807,"c1":"ü","c2":"2000-02-29T00:00:00.123","c3":1.5},"nullCount":{"c0":1,"c1":0,"c2":0,"c3":0},"tightBounds":true}"#);
    }

    #[test]
    fn what_is_not_exact_is_left_out() {
        let wide = Decimal128Array::from(vec![1, u64::MAX.into()]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(wide.with_precision_and_scale(20, 0).expect("fits")),
            Arc::new(StringArray::from(vec!["a", "this string is longer than 32 bytes"])),
            Arc::new(TimestampMicrosecondArray::from(vec![0, 123_456])),
            Arc::new(Float64Array::from(vec![f64::NAN, 1.0])),
        ];
        insta::assert_snapshot!(stats(columns), @r#"{"numRecords":2,"minValues":{},"maxValues":{},"nullCount":{"c0":0,"c1":0,"c2":0,"c3":0},"tightBounds":true}"#);
    }

    #[test]
    fn dates_are_written_as_they_are_read() {
        for days in [-719_162, -1, 0, 59, 60, 11_016, 19_783, 2_932_896] {
            let text = date_text(days).expect("in range");
            assert_eq!(days_of(&text), Some(days.into()), "{text}");
        }
        assert_eq!(date_text(2_932_897), None);
    }
}
