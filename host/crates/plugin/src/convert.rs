//! Types across the border: the interface's `data-type` and the host's `ColumnType`, one to one.

use change::ColumnType;

use crate::bindings::sluice::transform::types::{DataType, DecimalType};

/// As the interface names it.
pub(crate) fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Int8 => DataType::Int8,
        ColumnType::Int16 => DataType::Int16,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::UInt8 => DataType::Uint8,
        ColumnType::UInt16 => DataType::Uint16,
        ColumnType::UInt32 => DataType::Uint32,
        ColumnType::UInt64 => DataType::Uint64,
        ColumnType::Float32 => DataType::Float32,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Decimal { precision, scale } => {
            DataType::Decimal(DecimalType { precision, scale })
        }
        ColumnType::Date => DataType::Date,
        ColumnType::TimeMicros => DataType::TimeMicros,
        ColumnType::TimestampMicrosUtc => DataType::TimestampMicrosUtc,
        ColumnType::TimestampMicrosLocal => DataType::TimestampMicrosLocal,
        ColumnType::Utf8 => DataType::Utf8,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Json => DataType::Json,
    }
}

/// As the host names it.
///
/// # Errors
/// Names the rule that a decimal type breaks.
pub(crate) fn column_type(data_type: DataType) -> Result<ColumnType, String> {
    Ok(match data_type {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int8 => ColumnType::Int8,
        DataType::Int16 => ColumnType::Int16,
        DataType::Int32 => ColumnType::Int32,
        DataType::Int64 => ColumnType::Int64,
        DataType::Uint8 => ColumnType::UInt8,
        DataType::Uint16 => ColumnType::UInt16,
        DataType::Uint32 => ColumnType::UInt32,
        DataType::Uint64 => ColumnType::UInt64,
        DataType::Float32 => ColumnType::Float32,
        DataType::Float64 => ColumnType::Float64,
        DataType::Decimal(DecimalType { precision, scale }) => {
            if !(1..=38).contains(&precision) || scale > precision {
                return Err(format!("there is no decimal({precision},{scale})"));
            }
            ColumnType::Decimal { precision, scale }
        }
        DataType::Date => ColumnType::Date,
        DataType::TimeMicros => ColumnType::TimeMicros,
        DataType::TimestampMicrosUtc => ColumnType::TimestampMicrosUtc,
        DataType::TimestampMicrosLocal => ColumnType::TimestampMicrosLocal,
        DataType::Utf8 => ColumnType::Utf8,
        DataType::Binary => ColumnType::Binary,
        DataType::Json => ColumnType::Json,
    })
}
