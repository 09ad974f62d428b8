//! Values of a query as the columns that a log's rows would give.
//!
//! Values come by the binary protocol: numbers as they are stored, a FLOAT with all of its bits.

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use change::{Column, ColumnType};
use mysql_async::{Row, Value};

use crate::decode_error::ValueFault;
use crate::value::ZeroDates;
use crate::value::charset::Charset;
use crate::value::temporal::days_of;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A column of some rows.
pub(super) fn column(
    column: &Column,
    index: usize,
    rows: &[Row],
    zero_dates: ZeroDates,
) -> Result<ArrayRef, ValueFault> {
    let cells = Cells { rows, index, nullable: column.nullable, zero_dates };
    Ok(match column.column_type {
        ColumnType::Boolean => {
            let bits = cells.map(|value| bits(value).map(|bits| bits != 0))?;
            Arc::new(BooleanArray::from(bits))
        }
        ColumnType::Int8 => cells.numbers::<Int8Type>()?,
        ColumnType::Int16 => cells.numbers::<Int16Type>()?,
        ColumnType::Int32 => cells.numbers::<Int32Type>()?,
        ColumnType::Int64 => cells.numbers::<Int64Type>()?,
        ColumnType::UInt8 => cells.numbers::<UInt8Type>()?,
        ColumnType::UInt16 => cells.numbers::<UInt16Type>()?,
        ColumnType::UInt32 => cells.numbers::<UInt32Type>()?,
        ColumnType::UInt64 => cells.numbers::<UInt64Type>()?,
        ColumnType::Float32 => cells.primitive::<Float32Type>(column, |value| match value {
            Value::Float(number) => Ok(*number),
            _ => Err(ValueFault::Length),
        })?,
        ColumnType::Float64 => cells.primitive::<Float64Type>(column, |value| match value {
            Value::Double(number) => Ok(*number),
            _ => Err(ValueFault::Length),
        })?,
        ColumnType::Decimal { .. } => cells.primitive::<Decimal128Type>(column, digits)?,
        ColumnType::Date => cells.primitive::<Date32Type>(column, |value| match value {
            Value::Date(year, month, day, ..) => {
                days_of((*year).into(), (*month).into(), (*day).into())
            }
            _ => Err(ValueFault::Date),
        })?,
        ColumnType::TimeMicros => cells.primitive::<DurationMicrosecondType>(column, time)?,
        ColumnType::TimestampMicrosLocal | ColumnType::TimestampMicrosUtc => {
            cells.primitive::<TimestampMicrosecondType>(column, moment)?
        }
        ColumnType::Utf8 | ColumnType::Json => {
            let texts = cells.map(|value| {
                let mut utf8 = Vec::new();
                text(column, bytes(value)?, &mut utf8)?;
                String::from_utf8(utf8).map_err(|_| ValueFault::Text)
            })?;
            Arc::new(StringArray::from(texts))
        }
        ColumnType::Binary => Arc::new(cells.map(bytes)?.into_iter().collect::<BinaryArray>()),
    })
}

/// A text of a column as UTF-8.
pub(super) fn text(column: &Column, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ValueFault> {
    match column.property("charset") {
        Some(name) => Charset::of_name(name).ok_or(ValueFault::Text)?.append(bytes, out),
        // ZEROFILL is a way of showing a number.
        None if column.source_type.as_deref() == Some("decimal") => {
            let point = bytes.iter().position(|b| *b == b'.').unwrap_or(bytes.len());
            let digits = bytes.iter().take(point.saturating_sub(1)).take_while(|b| **b == b'0');
            out.extend_from_slice(bytes.get(digits.count()..).unwrap_or_default());
            Ok(())
        }
        // Addresses and JSON.
        None => {
            out.extend_from_slice(bytes);
            Ok(())
        }
    }
}

/// The cells of one column.
struct Cells<'r> {
    rows: &'r [Row],
    index: usize,
    nullable: bool,
    zero_dates: ZeroDates,
}

impl<'r> Cells<'r> {
    fn map<T>(
        &self,
        read: impl Fn(&'r Value) -> Result<T, ValueFault>,
    ) -> Result<Vec<Option<T>>, ValueFault> {
        let cell = |row: &'r Row| match row.as_ref(self.index) {
            Some(Value::NULL) if self.nullable => Ok(None),
            Some(Value::NULL) => Err(ValueFault::Null),
            Some(value) => match read(value) {
                Err(ValueFault::ZeroDate) if self.zero_dates == ZeroDates::Null => Ok(None),
                read => read.map(Some),
            },
            None => Err(ValueFault::End),
        };
        self.rows.iter().map(cell).collect()
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        column: &Column,
        read: impl Fn(&'r Value) -> Result<T::Native, ValueFault>,
    ) -> Result<ArrayRef, ValueFault> {
        let values = self.map(read)?.into_iter().collect::<PrimitiveArray<T>>();
        Ok(Arc::new(values.with_data_type(column.column_type.arrow())))
    }

    fn numbers<T: ArrowPrimitiveType>(&self) -> Result<ArrayRef, ValueFault>
    where
        T::Native: TryFrom<i64> + TryFrom<u64>,
    {
        let values = self.map(|value| match value {
            Value::Int(number) => (*number).try_into().map_err(|_| ValueFault::Bits),
            Value::UInt(number) => (*number).try_into().map_err(|_| ValueFault::Bits),
            // BIT comes as bytes.
            other => bits(other)?.try_into().map_err(|_| ValueFault::Bits),
        })?;
        Ok(Arc::new(values.into_iter().collect::<PrimitiveArray<T>>()))
    }
}

fn bytes(value: &Value) -> Result<&[u8], ValueFault> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(ValueFault::Length),
    }
}

/// A BIT, the most significant byte first.
fn bits(value: &Value) -> Result<u64, ValueFault> {
    let bytes = bytes(value)?;
    if bytes.len() > size_of::<u64>() {
        return Err(ValueFault::Bits);
    }
    Ok(bytes.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
}

/// A DECIMAL; the server writes as many digits behind the point as the column has.
fn digits(value: &Value) -> Result<i128, ValueFault> {
    let text = std::str::from_utf8(bytes(value)?).map_err(|_| ValueFault::Text)?;
    i128::from_str(&text.replace('.', "")).map_err(|_| ValueFault::Decimal)
}

fn time(value: &Value) -> Result<i64, ValueFault> {
    let Value::Time(is_negative, days, hours, minutes, seconds, micros) = value else {
        return Err(ValueFault::Time);
    };
    let hours = i64::from(*days) * 24 + i64::from(*hours);
    let seconds = (hours * 60 + i64::from(*minutes)) * 60 + i64::from(*seconds);
    let micros = seconds * SECOND + i64::from(*micros);
    Ok(if *is_negative { -micros } else { micros })
}

fn moment(value: &Value) -> Result<i64, ValueFault> {
    let Value::Date(year, month, day, hour, minute, second, micros) = value else {
        return Err(ValueFault::Date);
    };
    let days = days_of((*year).into(), (*month).into(), (*day).into())?;
    let minutes = i64::from(*hour) * 60 + i64::from(*minute);
    Ok(i64::from(days) * DAY + (minutes * 60 + i64::from(*second)) * SECOND + i64::from(*micros))
}
