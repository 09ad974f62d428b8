//! The least and greatest value of id columns in a file or row group, where they are exact enough to
//! leave the file out.
//!
//! From `Add.stats` only integers and dates count: other writers cut timestamps to milliseconds,
//! clamp decimals and shorten strings. From a Parquet footer also timestamps in microseconds,
//! decimals, and strings whose bounds are marked as exact. What is not known means: read the file.

use arrow_schema::{DataType, SchemaRef, TimeUnit};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde_json::Value;

/// A value of an id column, ordered as the column is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bound {
    /// Integers, days, microseconds, or the digits of a decimal.
    Number(i128),
    /// UTF-8 or raw bytes.
    Bytes(Vec<u8>),
}

/// Least and greatest value of id columns by name, where they are known. By name, since source tables
/// that share a target may have its id columns in another order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds(Vec<(String, (Bound, Bound))>);

impl Bounds {
    pub(crate) fn of(&self, column: &str) -> Option<&(Bound, Bound)> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, bounds)| bounds)
    }

    /// From the text of `Add.stats`.
    pub(crate) fn of_stats(stats: &Value, ids: &SchemaRef) -> Self {
        let number = |kind: &str, name: &str| {
            let value = stats.get(kind)?.get(name)?;
            match value {
                Value::Number(n) => n.as_i64().map(i128::from),
                Value::String(date) => days_of(date),
                _ => None,
            }
        };
        let columns = ids.fields().iter().filter_map(|field| {
            let name = field.name();
            let bounds = match field.data_type() {
                DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Date32 => {
                    let (low, high) = (number("minValues", name)?, number("maxValues", name)?);
                    Some((Bound::Number(low), Bound::Number(high)))
                }
                _ => None,
            };
            Some((name.clone(), bounds?))
        });
        Self(columns.collect())
    }

    /// From the footer of a Parquet file. A column that the file does not have has no bounds.
    pub(crate) fn of_row_group(group: &RowGroupMetaData, ids: &SchemaRef) -> Self {
        let columns = ids.fields().iter().filter_map(|field| {
            let chunk = group
                .columns()
                .iter()
                .find(|c| matches!(c.column_path().parts(), [only] if only == field.name()))?;
            Some((field.name().clone(), chunk_bounds(chunk, field.data_type())?))
        });
        Self(columns.collect())
    }
}

fn chunk_bounds(chunk: &ColumnChunkMetaData, data_type: &DataType) -> Option<(Bound, Bound)> {
    let statistics = chunk.statistics()?;
    // Bounds of the first version of the format: their order is not defined for all types.
    if statistics.is_min_max_deprecated() {
        return None;
    }
    let descriptor = chunk.column_descr();
    let logical = descriptor.logical_type_ref();
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32 => {
            numbers(statistics)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = matches!(
                logical,
                Some(LogicalType::Timestamp(t)) if t.unit == parquet::basic::TimeUnit::MICROS
            );
            micros.then(|| numbers(statistics)).flatten()
        }
        DataType::Decimal128(_, scale) => {
            let same = descriptor.type_scale() == i32::from(*scale);
            same.then(|| digits(statistics, descriptor.physical_type())).flatten()
        }
        DataType::Utf8 | DataType::Binary => {
            let Statistics::ByteArray(values) = statistics else { return None };
            if !values.min_is_exact() || !values.max_is_exact() {
                return None;
            }
            let bytes = |b: &[u8]| Bound::Bytes(b.to_vec());
            Some((bytes(values.min_bytes_opt()?), bytes(values.max_bytes_opt()?)))
        }
        _ => None,
    }
}

fn numbers(statistics: &Statistics) -> Option<(Bound, Bound)> {
    let (low, high): (i128, i128) = match statistics {
        Statistics::Int32(v) => ((*v.min_opt()?).into(), (*v.max_opt()?).into()),
        Statistics::Int64(v) => ((*v.min_opt()?).into(), (*v.max_opt()?).into()),
        _ => return None,
    };
    Some((Bound::Number(low), Bound::Number(high)))
}

/// The unscaled value of a decimal: an integer, or big-endian bytes with their sign.
fn digits(statistics: &Statistics, physical: PhysicalType) -> Option<(Bound, Bound)> {
    if physical != PhysicalType::FIXED_LEN_BYTE_ARRAY {
        return numbers(statistics);
    }
    let number = |bytes: &[u8]| {
        let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xFF };
        let mut whole = [sign; 16];
        let tail = whole.len().checked_sub(bytes.len())?;
        whole.get_mut(tail..)?.copy_from_slice(bytes);
        Some(Bound::Number(i128::from_be_bytes(whole)))
    };
    Some((number(statistics.min_bytes_opt()?)?, number(statistics.max_bytes_opt()?)?))
}

/// Days since 1970-01-01 of `yyyy-mm-dd`, in the proleptic Gregorian calendar.
pub(crate) fn days_of(date: &str) -> Option<i128> {
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let (year, month, day): (i64, i64, i64) =
        (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Counted in years that begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(i128::from(era * 146_097 + day_of_era - 719_468))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::RecordBatch;
    use arrow_schema::{Field, Schema};
    use serde_json::json;

    use super::*;
    use crate::table::write::{Encoder, Layout};
    use crate::testing::KeyKind;

    #[test]
    fn dates_become_days() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("2024-03-01", Some(19_783)),
            ("0001-01-01", Some(-719_162)),
            ("9999-12-31", Some(2_932_896)),
            ("2024-13-01", None),
            ("2024-01-01T00:00", None),
            ("", None),
        ];
        for (text, days) in cases {
            assert_eq!(days_of(text), days, "{text}");
        }
    }

    #[test]
    fn only_integers_and_dates_are_taken_from_the_log() {
        let types = [
            DataType::Int64,
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Decimal128(20, 0),
            DataType::Utf8,
        ];
        let stats = |v: Value| json!({"minValues": {"id": v}, "maxValues": {"id": v}});
        for data_type in types {
            let ids = Arc::new(Schema::new(vec![Field::new("id", data_type.clone(), true)]));
            let value = match data_type {
                DataType::Int64 | DataType::Decimal128(..) => json!(7),
                DataType::Date32 => json!("1970-01-08"),
                _ => json!("2024-01-01T00:00:00.123Z"),
            };
            let trusted = matches!(data_type, DataType::Int64 | DataType::Date32);
            let expected = trusted.then_some((Bound::Number(7), Bound::Number(7)));
            let found = Bounds::of_stats(&stats(value), &ids);
            assert_eq!(found.of("id"), expected.as_ref(), "{data_type}");
        }
    }

    #[test]
    fn a_footer_tells_exact_bounds_or_none() {
        let bound = |kind: KeyKind, keys: &[i32]| {
            let fields = kind.columns().into_iter().map(|c| {
                Field::new(c.name.clone(), crate::stored::stored_type(c.column_type), true)
            });
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let layout = Layout { schema: Arc::clone(&schema), ids: vec![0], file_bytes: 1 << 20 };
            let mut encoder = Encoder::new(layout);
            let rows = RecordBatch::try_new(Arc::clone(&schema), kind.arrays(keys));
            encoder.push(&rows.expect("a batch")).expect("encoded");
            let file = encoder.finish().expect("encoded").expect("a file");
            let group = file.footer().metadata().row_group(0).clone();
            Bounds::of_row_group(&group, &schema).of("id0").cloned()
        };
        let number = |low: i128, high: i128| Some((Bound::Number(low), Bound::Number(high)));
        let scale = 10_i128.pow(20);
        let cases = [
            (KeyKind::Int64, number(-2 * 10_000_000_000, 10_000_000_000)),
            (KeyKind::Int32, number(-2, 1)),
            (KeyKind::Date, number(-2, 1)),
            (KeyKind::Timestamp, number(1_699_999_999_999_998, 1_700_000_000_000_001)),
            (KeyKind::Decimal, number(-2 * scale, scale)),
            (KeyKind::HugeText, None),
        ];
        for (kind, expected) in cases {
            assert_eq!(bound(kind, &[1, -2, 0]), expected, "{kind:?}");
        }
        let text = |text: &str| Bound::Bytes(text.as_bytes().to_vec());
        assert_eq!(bound(KeyKind::Text, &[1, -2, 0]), Some((text("-2"), text("1"))));
        let bytes = |k: i32| Bound::Bytes(k.to_be_bytes().to_vec());
        assert_eq!(bound(KeyKind::Binary, &[1, -2, 0]), Some((bytes(0), bytes(-2))));
    }
}
