//! Buffers that are done become Arrow arrays, without a copy.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use change::{Column, ColumnType};

use crate::decode_error::DecodeError;

/// What no column that a table map announced runs into.
const UNFIT: DecodeError = DecodeError::Mismatch("a column that its type cannot hold");

/// An array of a type with a fixed width; booleans come as one byte each.
pub(super) fn fixed(
    column: &Column,
    values: MutableBuffer,
    rows: usize,
    validity: Option<NullBuffer>,
) -> Result<ArrayRef, DecodeError> {
    let part = Part { values: values.into(), rows, validity };
    Ok(match column.column_type {
        ColumnType::Boolean => {
            let bytes = part.values.as_slice();
            let bits = BooleanBuffer::collect_bool(rows, |row| bytes.get(row) == Some(&1));
            Arc::new(BooleanArray::new(bits, part.validity))
        }
        ColumnType::Int8 => Arc::new(part.primitive::<Int8Type>()?),
        ColumnType::Int16 => Arc::new(part.primitive::<Int16Type>()?),
        ColumnType::Int32 => Arc::new(part.primitive::<Int32Type>()?),
        ColumnType::Int64 => Arc::new(part.primitive::<Int64Type>()?),
        ColumnType::UInt8 => Arc::new(part.primitive::<UInt8Type>()?),
        ColumnType::UInt16 => Arc::new(part.primitive::<UInt16Type>()?),
        ColumnType::UInt32 => Arc::new(part.primitive::<UInt32Type>()?),
        ColumnType::UInt64 => Arc::new(part.primitive::<UInt64Type>()?),
        ColumnType::Float32 => Arc::new(part.primitive::<Float32Type>()?),
        ColumnType::Float64 => Arc::new(part.primitive::<Float64Type>()?),
        ColumnType::Date => Arc::new(part.primitive::<Date32Type>()?),
        ColumnType::TimeMicros => Arc::new(part.primitive::<DurationMicrosecondType>()?),
        ColumnType::TimestampMicrosLocal => Arc::new(part.primitive::<TimestampMicrosecondType>()?),
        ColumnType::TimestampMicrosUtc => {
            Arc::new(part.primitive::<TimestampMicrosecondType>()?.with_timezone("UTC"))
        }
        ColumnType::Decimal { precision, scale } => {
            let scale = i8::try_from(scale).map_err(|_| UNFIT)?;
            let array = part.primitive::<Decimal128Type>()?;
            Arc::new(array.with_precision_and_scale(precision, scale).map_err(|_| UNFIT)?)
        }
        ColumnType::Utf8 | ColumnType::Binary | ColumnType::Json => return Err(UNFIT),
    })
}

/// An array of text or bytes.
pub(super) fn variable(
    column: &Column,
    offsets: MutableBuffer,
    bytes: Vec<u8>,
    rows: usize,
    validity: Option<NullBuffer>,
) -> Result<ArrayRef, DecodeError> {
    let offsets = OffsetBuffer::new(ScalarBuffer::<i32>::new(offsets.into(), 0, rows + 1));
    let bytes = Buffer::from_vec(bytes);
    if column.column_type == ColumnType::Binary {
        let array = BinaryArray::try_new(offsets, bytes, validity).map_err(|_| UNFIT)?;
        return Ok(Arc::new(array));
    }
    // This is where text is checked to be UTF-8: once, for the whole column.
    let checked = StringArray::try_new(offsets.clone(), bytes.clone(), validity);
    let array = checked.map_err(|_| DecodeError::Text {
        column: column.name.clone(),
        charset: column.property("charset").unwrap_or("utf8mb4").to_owned(),
        image: first_broken(&offsets, &bytes),
    })?;
    Ok(Arc::new(array))
}

/// The first value that is no UTF-8.
fn first_broken(offsets: &[i32], bytes: &[u8]) -> usize {
    let at = |offset: Option<&i32>| offset.and_then(|o| usize::try_from(*o).ok()).unwrap_or(0);
    let is_broken = |pair: &[i32]| {
        let value = bytes.get(at(pair.first())..at(pair.last())).unwrap_or_default();
        std::str::from_utf8(value).is_err()
    };
    offsets.windows(2).position(is_broken).unwrap_or(0)
}

struct Part {
    values: Buffer,
    rows: usize,
    validity: Option<NullBuffer>,
}

impl Part {
    fn primitive<T: ArrowPrimitiveType>(self) -> Result<PrimitiveArray<T>, DecodeError> {
        let values = ScalarBuffer::<T::Native>::new(self.values, 0, self.rows);
        PrimitiveArray::try_new(values, self.validity).map_err(|_| UNFIT)
    }
}
