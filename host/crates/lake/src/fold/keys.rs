//! Keys of a batch's rows: integers as they are, everything else in Arrow's row format.
//!
//! Two rows have the same key where their stored id columns are bit-equal. The order is Arrow's row
//! order, ascending. Slots of NULLs and of images that are not kept have a key too; nobody asks for it.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use change::KeyProof;

/// Flipping the sign bit makes the order of two's complement that of unsigned integers.
const SIGN_BIT: u64 = 1 << 63;

/// Hashes keys; seeded anew for each fold, since rows are what users wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyHasher(hashbrown::DefaultHashBuilder);

impl KeyHasher {
    /// The hash of a [`Keys::code`].
    pub(super) fn of_code(&self, code: u64) -> u32 {
        let hash = self.0.hash_one(code).to_le_bytes();
        let (low, _) = hash.split_first_chunk().unwrap_or((&[0; 4], &[]));
        u32::from_le_bytes(*low)
    }
}

/// The keys of all rows of a batch.
#[derive(Debug)]
pub(super) enum Keys {
    /// One column of at most 64 bits, with the sign bit flipped.
    Integers(Vec<u64>),
    /// Any columns.
    Rows(Rows),
}

impl Keys {
    /// The keys of these id columns, in key order. Whole rows may hold NULLs, which only the row format
    /// tells from values.
    pub(super) fn of(id_columns: &[ArrayRef], proof: KeyProof) -> Result<Self, ArrowError> {
        if let [column] = id_columns
            && proof != KeyProof::WholeRow
            && let Some(integers) = integers(column)
        {
            return Ok(Self::Integers(integers));
        }
        let fields = id_columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
        RowConverter::new(fields)?.convert_columns(id_columns).map(Self::Rows)
    }

    /// What an index keeps of a key: all of it for integers, a hash for rows.
    pub(super) fn code(&self, row: usize, hasher: &KeyHasher) -> Option<u64> {
        match self {
            Self::Integers(keys) => keys.get(row).copied(),
            Self::Rows(_) => self.bytes(row).map(|b| hasher.0.hash_one(b)),
        }
    }

    /// The row format of a key; empty for integers.
    pub(super) fn bytes(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Integers(_) => Some(&[]),
            Self::Rows(rows) => (row < rows.num_rows()).then(|| rows.row(row).data()),
        }
    }

    /// The first bytes of a key as a number: where two differ, they order the keys.
    pub(super) fn prefix(&self, row: usize) -> u128 {
        match self {
            Self::Integers(keys) => keys.get(row).map_or(0, |k| u128::from(*k)),
            Self::Rows(_) => {
                let mut prefix = [0; 16];
                let bytes = self.bytes(row).unwrap_or_default();
                prefix.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                u128::from_be_bytes(prefix)
            }
        }
    }

    /// The order of two keys whose prefixes are equal.
    pub(super) fn compare_rest(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        self.bytes(row).cmp(&other.bytes(other_row))
    }

    /// Bytes that they take.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Integers(keys) => size_of_val(keys.as_slice()),
            Self::Rows(rows) => rows.size(),
        }
    }
}

fn integers(column: &ArrayRef) -> Option<Vec<u64>> {
    fn codes(values: impl Iterator<Item = i64>) -> Vec<u64> {
        values.map(|v| v.cast_unsigned() ^ SIGN_BIT).collect()
    }
    Some(match column.data_type() {
        DataType::Int8 => {
            codes(column.as_primitive::<Int8Type>().values().iter().map(|v| i64::from(*v)))
        }
        DataType::Int16 => {
            codes(column.as_primitive::<Int16Type>().values().iter().map(|v| i64::from(*v)))
        }
        DataType::Int32 => {
            codes(column.as_primitive::<Int32Type>().values().iter().map(|v| i64::from(*v)))
        }
        DataType::Date32 => {
            codes(column.as_primitive::<Date32Type>().values().iter().map(|v| i64::from(*v)))
        }
        DataType::Int64 => codes(column.as_primitive::<Int64Type>().values().iter().copied()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            codes(column.as_primitive::<TimestampMicrosecondType>().values().iter().copied())
        }
        _ => return None,
    })
}
