//! From a plugin's answer to Arrow. Every length, offset, index, bit, character and digit is checked
//! here; nothing behind this file trusts a guest less or more than any other input.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use change::ColumnType;
use serde::de::IgnoredAny;

use crate::bindings::sluice::transform::types::ColumnResult;
use crate::bindings::transform::{Edit, RejectedRow, RowRouting};
use crate::limits::check_route_names;

/// A computed column that the plan promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) column_type: ColumnType,
    pub(crate) nullable: bool,
}

/// What an answer has to fit.
pub(crate) struct Expected<'a> {
    pub(crate) rows: usize,
    pub(crate) slots: &'a [Slot],
}

/// Per-row routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowRoutes {
    /// The different sets of variables.
    pub(crate) routes: Vec<Vec<(String, String)>>,
    /// For each row an index into `routes`.
    pub(crate) rows: Vec<u32>,
}

/// An edit that has been checked.
#[derive(Clone, Debug)]
pub(crate) struct CheckedEdit {
    pub(crate) rows: usize,
    /// None = all; rejected rows are not kept.
    pub(crate) keep: Option<BooleanBuffer>,
    pub(crate) computed: Vec<ArrayRef>,
    pub(crate) routing: Option<RowRoutes>,
    /// Ascending by row: the row, the code and the detail.
    pub(crate) rejected: Vec<(u32, String, String)>,
}

/// The rule that an answer breaks. It never holds a value of a row.
pub(crate) type Broken = String;

/// Checks an edit and makes its columns.
pub(crate) fn lift(edit: Edit, expected: &Expected<'_>) -> Result<CheckedEdit, Broken> {
    let rows = expected.rows;
    let rejected = check_rejected(edit.rejected, rows)?;
    let keep = edit.keep.map(|bytes| bits(bytes, rows, "the keep bitmap")).transpose()?;
    let keep = without(keep, &rejected, rows);
    let (found, wanted) = (edit.computed.len(), expected.slots.len());
    if found != wanted {
        return Err(format!("{found} computed columns, the plan has {wanted}"));
    }
    let mut computed = Vec::with_capacity(wanted);
    for (column, slot) in edit.computed.into_iter().zip(expected.slots) {
        let array = lift_column(column, slot, rows, keep.as_ref())
            .map_err(|what| format!("computed column `{}`: {what}", slot.name))?;
        computed.push(array);
    }
    let routing = edit.routing.map(|r| check_routing(r, rows)).transpose()?;
    Ok(CheckedEdit { rows, keep, computed, routing, rejected })
}

/// A code of a plugin: `[a-z0-9-]{1,64}`.
pub(crate) fn check_code(code: &str) -> Result<(), Broken> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&code.len()) && code.bytes().all(fits) {
        return Ok(());
    }
    Err("a failure's code is not of the form [a-z0-9-]{1,64}".to_owned())
}

fn check_rejected(
    rejected: Vec<RejectedRow>,
    rows: usize,
) -> Result<Vec<(u32, String, String)>, Broken> {
    let mut next = 0_u64;
    for one in &rejected {
        if u64::from(one.row) < next {
            return Err("rejected rows are not ascending".to_owned());
        }
        if one.row as usize >= rows {
            return Err(format!("row {} is rejected, there are {rows}", one.row));
        }
        next = u64::from(one.row) + 1;
        check_code(&one.failure.code)?;
    }
    Ok(rejected.into_iter().map(|r| (r.row, r.failure.code, r.failure.detail)).collect())
}

fn without(
    keep: Option<BooleanBuffer>,
    rejected: &[(u32, String, String)],
    rows: usize,
) -> Option<BooleanBuffer> {
    if rejected.is_empty() {
        return keep;
    }
    let mut out = vec![true; rows];
    for (row, ..) in rejected {
        if let Some(slot) = out.get_mut(*row as usize) {
            *slot = false;
        }
    }
    let accepted = BooleanBuffer::from(out);
    Some(keep.map_or_else(|| accepted.clone(), |k| &k & &accepted))
}

fn check_routing(routing: RowRouting, rows: usize) -> Result<RowRoutes, Broken> {
    let (indexes, rest) = routing.rows.as_chunks::<4>();
    if indexes.len() != rows || !rest.is_empty() {
        let (found, wanted) = (routing.rows.len(), rows.saturating_mul(4));
        return Err(format!("the routing has {found} bytes of indexes, {wanted} are needed"));
    }
    let count = routing.routes.len();
    let indexes: Vec<u32> = indexes.iter().map(|c| u32::from_le_bytes(*c)).collect();
    if indexes.iter().any(|i| *i as usize >= count) {
        return Err(format!("the routing points behind its {count} routes"));
    }
    if count > rows {
        return Err(format!("the routing has {count} routes for {rows} rows"));
    }
    for route in &routing.routes {
        check_route_names(route.iter().map(|(name, _)| name.as_str()))?;
    }
    Ok(RowRoutes { routes: routing.routes, rows: indexes })
}

fn bits(bytes: Vec<u8>, rows: usize, what: &str) -> Result<BooleanBuffer, Broken> {
    let wanted = rows.div_ceil(8);
    if bytes.len() != wanted {
        return Err(format!("{what} has {} bytes, {wanted} are needed", bytes.len()));
    }
    Ok(BooleanBuffer::new(Buffer::from_vec(bytes), 0, rows))
}

fn lift_column(
    column: ColumnResult,
    slot: &Slot,
    rows: usize,
    keep: Option<&BooleanBuffer>,
) -> Result<ArrayRef, Broken> {
    let nulls =
        column.validity.map(|bytes| bits(bytes, rows, "the validity bitmap")).transpose()?;
    let nulls = nulls.map(NullBuffer::new).filter(|n| n.null_count() > 0);
    if let (false, Some(nulls)) = (slot.nullable, &nulls) {
        let missing = !nulls.inner();
        let kept = keep.map_or_else(|| missing.clone(), |k| k & &missing);
        if kept.count_set_bits() > 0 {
            return Err("a kept row is null, the plan said that none is".to_owned());
        }
    }
    let variable = slot.column_type.is_variable();
    if !variable && !column.offsets.is_empty() {
        return Err(format!("{} has no offsets", slot.column_type));
    }
    // Rows whose slots count: the others may hold anything.
    let counts = |row: usize| {
        keep.is_none_or(|k| k.value(row)) && nulls.as_ref().is_none_or(|n| n.is_valid(row))
    };
    if variable {
        let (offsets, data) = (column.offsets, column.data);
        return lift_variable(slot.column_type, &offsets, data, rows, nulls.clone(), &counts);
    }
    lift_fixed(slot.column_type, column.data, rows, nulls.clone(), &counts)
}

fn lift_fixed(
    column_type: ColumnType,
    data: Vec<u8>,
    rows: usize,
    nulls: Option<NullBuffer>,
    counts: &dyn Fn(usize) -> bool,
) -> Result<ArrayRef, Broken> {
    let Some(width) = column_type.fixed_width() else {
        let values = bits(data, rows, "the data")?;
        return Ok(Arc::new(BooleanArray::new(values, nulls)));
    };
    let wanted = rows.saturating_mul(width);
    if data.len() != wanted {
        return Err(format!("the data has {} bytes, {wanted} are needed", data.len()));
    }
    Ok(match column_type {
        ColumnType::Int8 => primitive::<Int8Type>(data, rows, nulls, column_type),
        ColumnType::Int16 => primitive::<Int16Type>(data, rows, nulls, column_type),
        ColumnType::Int32 => primitive::<Int32Type>(data, rows, nulls, column_type),
        ColumnType::Int64 => primitive::<Int64Type>(data, rows, nulls, column_type),
        ColumnType::UInt8 => primitive::<UInt8Type>(data, rows, nulls, column_type),
        ColumnType::UInt16 => primitive::<UInt16Type>(data, rows, nulls, column_type),
        ColumnType::UInt32 => primitive::<UInt32Type>(data, rows, nulls, column_type),
        ColumnType::UInt64 => primitive::<UInt64Type>(data, rows, nulls, column_type),
        ColumnType::Float32 => primitive::<Float32Type>(data, rows, nulls, column_type),
        ColumnType::Float64 => primitive::<Float64Type>(data, rows, nulls, column_type),
        ColumnType::Date => primitive::<Date32Type>(data, rows, nulls, column_type),
        ColumnType::TimeMicros => {
            primitive::<DurationMicrosecondType>(data, rows, nulls, column_type)
        }
        ColumnType::TimestampMicrosUtc | ColumnType::TimestampMicrosLocal => {
            primitive::<TimestampMicrosecondType>(data, rows, nulls, column_type)
        }
        ColumnType::Decimal { precision, .. } => {
            check_digits(&data, precision, counts)?;
            primitive::<Decimal128Type>(data, rows, nulls, column_type)
        }
        ColumnType::Boolean | ColumnType::Utf8 | ColumnType::Binary | ColumnType::Json => {
            return Err(format!("{column_type} has no fixed width"));
        }
    })
}

fn primitive<T: ArrowPrimitiveType>(
    data: Vec<u8>,
    rows: usize,
    nulls: Option<NullBuffer>,
    column_type: ColumnType,
) -> ArrayRef {
    let mut buffer = Buffer::from_vec(data);
    if buffer.as_ptr().align_offset(align_of::<T::Native>()) != 0 {
        // A list of bytes has no alignment of its own.
        buffer = Buffer::from(buffer.as_slice());
    }
    let values = ScalarBuffer::<T::Native>::new(buffer, 0, rows);
    Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(column_type.arrow()))
}

fn check_digits(data: &[u8], precision: u8, counts: &dyn Fn(usize) -> bool) -> Result<(), Broken> {
    let limit = 10_u128.checked_pow(u32::from(precision)).unwrap_or(u128::MAX);
    for (row, value) in data.as_chunks::<16>().0.iter().enumerate() {
        if i128::from_le_bytes(*value).unsigned_abs() >= limit && counts(row) {
            return Err(format!("row {row} has more than {precision} digits"));
        }
    }
    Ok(())
}

fn lift_variable(
    column_type: ColumnType,
    offsets: &[u8],
    data: Vec<u8>,
    rows: usize,
    nulls: Option<NullBuffer>,
    counts: &dyn Fn(usize) -> bool,
) -> Result<ArrayRef, Broken> {
    let ends = check_offsets(offsets, data.len(), rows)?;
    if column_type == ColumnType::Binary {
        return binary(ends, data, nulls);
    }
    let (ends, data) = match std::str::from_utf8(&data) {
        Ok(text) if ends.iter().all(|end| is_boundary(text, *end)) => (ends, data),
        _ => only_counting(&ends, &data, counts)?,
    };
    if column_type == ColumnType::Json {
        check_json(&ends, &data, counts)?;
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    let array = StringArray::try_new(offsets, Buffer::from_vec(data), nulls)
        .map_err(|_| "it is not text".to_owned())?;
    Ok(Arc::new(array))
}

fn binary(ends: Vec<i32>, data: Vec<u8>, nulls: Option<NullBuffer>) -> Result<ArrayRef, Broken> {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    let array = BinaryArray::try_new(offsets, Buffer::from_vec(data), nulls)
        .map_err(|_| "its offsets do not fit".to_owned())?;
    Ok(Arc::new(array))
}

fn is_boundary(text: &str, end: i32) -> bool {
    usize::try_from(end).is_ok_and(|end| text.is_char_boundary(end))
}

fn check_offsets(offsets: &[u8], data: usize, rows: usize) -> Result<Vec<i32>, Broken> {
    let (chunks, rest) = offsets.as_chunks::<4>();
    if chunks.len() != rows.saturating_add(1) || !rest.is_empty() {
        let wanted = rows.saturating_add(1).saturating_mul(4);
        return Err(format!("the offsets have {} bytes, {wanted} are needed", offsets.len()));
    }
    let ends: Vec<i32> = chunks.iter().map(|c| i32::from_le_bytes(*c)).collect();
    if ends.first() != Some(&0) {
        return Err("the first offset is not 0".to_owned());
    }
    if !ends.is_sorted() {
        return Err("the offsets decrease".to_owned());
    }
    if ends.last().and_then(|l| usize::try_from(*l).ok()) != Some(data) {
        return Err(format!("the last offset is not the length of the data, {data} bytes"));
    }
    Ok(ends)
}

/// The same column with nothing in the slots that do not count; those that count have to be text.
fn only_counting(
    ends: &[i32],
    data: &[u8],
    counts: &dyn Fn(usize) -> bool,
) -> Result<(Vec<i32>, Vec<u8>), Broken> {
    let (mut kept, mut offsets) = (Vec::with_capacity(data.len()), vec![0]);
    for (row, value) in values(ends, data).enumerate() {
        if counts(row) {
            if std::str::from_utf8(value).is_err() {
                return Err(format!("row {row} is not UTF-8"));
            }
            kept.extend_from_slice(value);
        }
        offsets.push(i32::try_from(kept.len()).map_err(|_| "it is too long".to_owned())?);
    }
    Ok((offsets, kept))
}

fn check_json(ends: &[i32], data: &[u8], counts: &dyn Fn(usize) -> bool) -> Result<(), Broken> {
    for (row, value) in values(ends, data).enumerate() {
        if counts(row) && serde_json::from_slice::<IgnoredAny>(value).is_err() {
            return Err(format!("row {row} is not JSON"));
        }
    }
    Ok(())
}

fn values<'a>(ends: &'a [i32], data: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    ends.windows(2).map(|pair| match pair {
        [start, end] => {
            let at = |i: i32| usize::try_from(i).unwrap_or(0);
            data.get(at(*start)..at(*end)).unwrap_or_default()
        }
        _ => &[],
    })
}
