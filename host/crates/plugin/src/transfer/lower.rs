//! Arrow to the buffers of the plugin interface: no gaps, offsets from 0, the slots of null rows and
//! unused bits zero, so that a guest's answer cannot depend on what lies there.

use std::ops::Range;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use change::ColumnType;

use crate::bindings::sluice::transform::types::ColumnParam;

/// Bytes of one offset.
const OFFSET_BYTES: usize = 4;

/// The buffers of a column, shared with the array where they can be.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) validity: Option<Buffer>,
    pub(crate) offsets: Buffer,
    pub(crate) data: Buffer,
}

impl Pushed {
    /// As an argument of `process`; wasmtime copies each buffer once, into the guest.
    pub(crate) fn param(&self) -> ColumnParam<'_> {
        ColumnParam {
            validity: self.validity.as_ref().map(Buffer::as_slice),
            offsets: self.offsets.as_slice(),
            data: self.data.as_slice(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.validity.as_ref().map_or(0, Buffer::len) + self.offsets.len() + self.data.len()
    }
}

/// The buffers of a column.
pub(crate) fn lower(array: &ArrayRef, column_type: ColumnType) -> Pushed {
    let nulls = array.nulls().filter(|n| n.null_count() > 0);
    let validity = nulls.map(|n| bitmap(n.inner()));
    let empty = || Buffer::from(Vec::<u8>::new());
    if let Some(booleans) = array.as_any().downcast_ref::<BooleanArray>() {
        let values = match nulls {
            Some(nulls) => booleans.values() & nulls.inner(),
            None => booleans.values().clone(),
        };
        return Pushed { validity, offsets: empty(), data: bitmap(&values) };
    }
    let data = array.to_data();
    let first = data.buffers().first().cloned().unwrap_or_else(empty);
    if let Some(width) = column_type.fixed_width() {
        let values = first.slice_with_length(data.offset() * width, data.len() * width);
        let values = nulls.map_or_else(|| values.clone(), |n| zeroed(&values, width, n));
        return Pushed { validity, offsets: empty(), data: values };
    }
    let offsets =
        first.slice_with_length(data.offset() * OFFSET_BYTES, (data.len() + 1) * OFFSET_BYTES);
    let values = data.buffers().get(1).cloned().unwrap_or_else(empty);
    let (offsets, values) = variable(&offsets, &values, nulls);
    Pushed { validity, offsets, data: values }
}

/// A bitmap that starts at a byte and whose unused bits are zero.
fn bitmap(bits: &BooleanBuffer) -> Buffer {
    let bytes = bits.sliced();
    let used = bits.len() % 8;
    let last = bytes.last().copied().unwrap_or(0);
    if used == 0 || last >> used == 0 {
        return bytes;
    }
    let mut copy = bytes.to_vec();
    if let Some(last) = copy.last_mut() {
        *last &= (1_u8 << used) - 1;
    }
    Buffer::from(copy)
}

/// The same values with zeros in the slots of null rows; copied only where there is something else.
fn zeroed(values: &Buffer, width: usize, nulls: &NullBuffer) -> Buffer {
    let holes = || {
        (!nulls.inner()).set_indices().map(|row| row * width..(row + 1) * width).collect::<Vec<_>>()
    };
    let dirty =
        |hole: &Range<usize>| values.get(hole.clone()).is_some_and(|s| s.iter().any(|b| *b != 0));
    let holes = holes();
    if !holes.iter().any(dirty) {
        return values.clone();
    }
    let mut copy = values.to_vec();
    for hole in holes {
        if let Some(slot) = copy.get_mut(hole) {
            slot.fill(0);
        }
    }
    Buffer::from(copy)
}

/// Reads the first and the last offset only, unless a null row might hide something.
fn variable(offsets: &Buffer, values: &Buffer, nulls: Option<&NullBuffer>) -> (Buffer, Buffer) {
    let rows = (offsets.len() / OFFSET_BYTES).saturating_sub(1);
    let (first, last) = (offset_at(offsets, 0), offset_at(offsets, rows));
    let is_filled = |row: usize| offset_at(offsets, row) != offset_at(offsets, row + 1);
    if nulls.is_some_and(|n| (!n.inner()).set_indices().any(is_filled)) {
        return compact(&read_offsets(offsets), values, nulls);
    }
    let data = values.slice_with_length(first, last - first);
    if first == 0 {
        return (offsets.clone(), data);
    }
    let ends = read_offsets(offsets);
    (write_offsets(ends.into_iter().map(|end| end - first)), data)
}

/// One offset; 0 behind the last.
fn offset_at(offsets: &Buffer, index: usize) -> usize {
    let at = index * OFFSET_BYTES;
    let bytes = offsets.get(at..).and_then(|rest| rest.first_chunk::<OFFSET_BYTES>());
    bytes.and_then(|b| usize::try_from(i32::from_le_bytes(*b)).ok()).unwrap_or(0)
}

/// Without the bytes of null rows.
fn compact(ends: &[usize], values: &Buffer, nulls: Option<&NullBuffer>) -> (Buffer, Buffer) {
    let mut data = Vec::new();
    let mut offsets = vec![0];
    for (row, pair) in ends.windows(2).enumerate() {
        if let [start, end] = pair
            && nulls.is_none_or(|n| n.is_valid(row))
        {
            data.extend_from_slice(values.get(*start..*end).unwrap_or_default());
        }
        offsets.push(data.len());
    }
    (write_offsets(offsets.into_iter()), Buffer::from(data))
}

fn read_offsets(offsets: &Buffer) -> Vec<usize> {
    let read = |c: &[u8; OFFSET_BYTES]| usize::try_from(i32::from_le_bytes(*c)).unwrap_or(0);
    offsets.as_chunks::<OFFSET_BYTES>().0.iter().map(read).collect()
}

fn write_offsets(offsets: impl Iterator<Item = usize>) -> Buffer {
    // An Arrow column with 32-bit offsets holds less than 2 GiB, so none of them is larger.
    let bytes = offsets.flat_map(|o| i32::try_from(o).unwrap_or(i32::MAX).to_le_bytes());
    Buffer::from(bytes.collect::<Vec<u8>>())
}

/// How many bytes some rows of a few columns take when they are pushed.
pub(crate) struct Weights {
    fixed_bits: u64,
    variable: Vec<Buffer>,
}

impl Weights {
    pub(crate) fn new(columns: &[ArrayRef], types: &[ColumnType]) -> Self {
        let mut weights = Self { fixed_bits: 0, variable: Vec::new() };
        for (array, column_type) in columns.iter().zip(types) {
            let width = column_type.fixed_width().map_or(1, |w| w * 8);
            let validity = u64::from(array.null_count() > 0);
            weights.fixed_bits += validity;
            if column_type.is_variable() {
                weights.fixed_bits += 8 * OFFSET_BYTES as u64;
                let data = array.to_data();
                let Some(offsets) = data.buffers().first() else { continue };
                let start = data.offset() * OFFSET_BYTES;
                let length = (data.len() + 1) * OFFSET_BYTES;
                weights.variable.push(offsets.slice_with_length(start, length));
            } else {
                weights.fixed_bits += width as u64;
            }
        }
        weights
    }

    /// Bytes of these rows, without the last offset and rounding of each column.
    pub(crate) fn bytes(&self, rows: &Range<usize>) -> u64 {
        let fixed = (self.fixed_bits * rows.len() as u64).div_ceil(8);
        let between = |offsets: &Buffer| {
            let (start, end) = (offset_at(offsets, rows.start), offset_at(offsets, rows.end));
            end.saturating_sub(start) as u64
        };
        fixed + self.variable.iter().map(between).sum::<u64>()
    }
}
