//! Rows from JSON literals, and values back as JSON.

use std::str::FromStr;

use super::Json;
use crate::builder::{BooleanBuilder, BytesBuilder, ComputedColumn, NumberBuilder, TextBuilder};
use crate::calendar::{parse_date, parse_instant, parse_time, parse_timestamp};
use crate::column::{Column, ColumnBuffers, Native};
use crate::decimal::Decimal;
use crate::failure::Failure;
use crate::schema::{DataType, Field, TableSchema};
use crate::value::Value;

/// The columns of rows given as JSON arrays in the table's column order.
///
/// # Errors
/// `literal`, with the row and the column.
pub fn rows(table: &TableSchema, literals: &Json) -> Result<Vec<ColumnBuffers>, Failure> {
    let rows: Vec<&[Json]> = literals
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| row.as_array().map_or(&[] as &[Json], Vec::as_slice))
        .collect();
    if let Some(row) = rows.iter().position(|row| row.len() != table.fields.len()) {
        let columns = table.fields.len();
        return Err(Failure::new("literal", format!("row {row} has not {columns} values")));
    }
    let column = |(at, field): (usize, &Field)| {
        let values: Vec<&Json> = rows.iter().filter_map(|row| row.get(at)).collect();
        build(&values, field).map(|column| column.buffers)
    };
    table.fields.iter().enumerate().map(column).collect()
}

/// A value as JSON: NULL, numbers and truth values as such, the others as their text forms.
pub(super) fn json_of(buffers: &ColumnBuffers, data_type: DataType, row: usize) -> Json {
    let rows = match data_type.fixed_width() {
        Some(width) => buffers.data.len() / width,
        None if data_type.is_variable() => (buffers.offsets.len() / 4).saturating_sub(1),
        None => (row + 1).max(buffers.data.len().saturating_sub(1) * 8 + 1),
    };
    let Ok(column) = Column::new(buffers, data_type, rows) else { return Json::Null };
    match column.value(row) {
        Value::Boolean(bit) => bit.into(),
        Value::Int(number) => number.into(),
        Value::UInt(number) => number.into(),
        Value::Float32(number) => f64::from(number).into(),
        Value::Float64(number) => number.into(),
        other => other.text().map_or(Json::Null, |text| text.into_owned().into()),
    }
}

fn build(values: &[&Json], field: &Field) -> Result<ComputedColumn, Failure> {
    let rows = values.len();
    match field.data_type {
        DataType::Boolean => {
            let mut builder = BooleanBuilder::new();
            each(values, field, Json::as_bool, |bit| builder.push_option(bit))?;
            Ok(builder.finish())
        }
        DataType::Int8 => numbers::<i8>(values, field, integer),
        DataType::Int16 => numbers::<i16>(values, field, integer),
        DataType::Int32 => numbers::<i32>(values, field, integer),
        DataType::Int64 => numbers::<i64>(values, field, integer),
        DataType::UInt8 => numbers::<u8>(values, field, integer),
        DataType::UInt16 => numbers::<u16>(values, field, integer),
        DataType::UInt32 => numbers::<u32>(values, field, integer),
        DataType::UInt64 => numbers::<u64>(values, field, integer),
        DataType::Float32 => numbers::<f32>(values, field, |v| v.to_string().parse().ok()),
        DataType::Float64 => numbers::<f64>(values, field, Json::as_f64),
        DataType::Decimal { scale, .. } => numbers::<i128>(values, field, |value| {
            let number: Decimal = value.as_str()?.parse().ok()?;
            number.rescaled(scale).map(|number| number.unscaled)
        }),
        DataType::Date => numbers::<i32>(values, field, |v| parse_date(v.as_str()?)),
        DataType::TimeMicros => numbers::<i64>(values, field, |v| parse_time(v.as_str()?)),
        DataType::TimestampMicrosUtc => {
            numbers::<i64>(values, field, |v| parse_instant(v.as_str()?))
        }
        DataType::TimestampMicrosLocal => {
            numbers::<i64>(values, field, |v| parse_timestamp(v.as_str()?))
        }
        DataType::Utf8 | DataType::Json => {
            let text = if field.data_type == DataType::Utf8 {
                TextBuilder::utf8
            } else {
                TextBuilder::json
            };
            let mut builder = text(rows);
            each(values, field, Json::as_str, |text| builder.push_option(text))?;
            Ok(builder.finish())
        }
        DataType::Binary => {
            let mut builder = BytesBuilder::new(rows);
            each(values, field, unhex, |bytes| builder.push_option(bytes.as_deref()))?;
            Ok(builder.finish())
        }
    }
}

fn numbers<T: Native>(
    values: &[&Json],
    field: &Field,
    read: impl Fn(&Json) -> Option<T>,
) -> Result<ComputedColumn, Failure> {
    let mut builder = NumberBuilder::<T>::new(field.data_type, values.len())?;
    each(values, field, read, |number| builder.push_option(number))?;
    Ok(builder.finish())
}

fn each<'v, T>(
    values: &[&'v Json],
    field: &Field,
    read: impl Fn(&'v Json) -> Option<T>,
    mut push: impl FnMut(Option<T>),
) -> Result<(), Failure> {
    for (row, value) in values.iter().copied().enumerate() {
        let read = if value.is_null() { None } else { read(value) };
        if read.is_none() && !value.is_null() {
            let Field { name, data_type, .. } = field;
            let detail = format!("row {row}, column `{name}`: {value} is no {data_type}");
            return Err(Failure::new("literal", detail));
        }
        push(read);
    }
    Ok(())
}

fn integer<T: FromStr>(value: &Json) -> Option<T> {
    value.is_number().then(|| value.to_string().parse().ok()).flatten()
}

fn unhex(value: &Json) -> Option<Vec<u8>> {
    let (pairs, rest) = value.as_str()?.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}
