//! What the rows of a Parquet file take in memory once they are decoded, told by its footer alone.
//!
//! The compressed size says little of it: a dictionary or a run makes a thousand equal values as
//! small as one.

use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Rows read at once of a file whose footer does not tell how long its values are.
pub(crate) const UNTOLD_BATCH_ROWS: usize = 1024;

/// Bytes of an offset in a column of strings.
const OFFSET_BYTES: u64 = 4;

/// The weight of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Rows, dead ones included.
    pub(crate) rows: u64,
    /// Bytes of all rows, decoded.
    pub(crate) decoded_bytes: u64,
    /// Bytes of the largest row group as it lies: a reader holds one.
    pub(crate) group_bytes: u64,
    /// Whether the footer tells how long the values are; otherwise `decoded_bytes` is a guess.
    pub(crate) told: bool,
}

impl Weight {
    pub(crate) fn of(metadata: &ParquetMetaData) -> Self {
        let mut weight = Self { told: true, ..Self::default() };
        for group in metadata.row_groups() {
            let rows = unsigned(group.num_rows());
            weight.rows = weight.rows.saturating_add(rows);
            weight.group_bytes = weight.group_bytes.max(unsigned(group.compressed_size()));
            for chunk in group.columns() {
                let (bytes, told) = decoded(chunk, rows);
                weight.decoded_bytes = weight.decoded_bytes.saturating_add(bytes);
                weight.told &= told;
            }
        }
        weight
    }

    /// Bytes of a row, decoded, on average; at least one.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.decoded_bytes.checked_div(self.rows).unwrap_or(0).max(1)
    }

    /// Rows that `bytes` hold, at least one and at most `limit`.
    pub(crate) fn rows_in(&self, bytes: u64, limit: usize) -> usize {
        let limit = if self.told { limit } else { limit.min(UNTOLD_BATCH_ROWS) };
        let rows = usize::try_from(bytes / self.row_bytes()).unwrap_or(usize::MAX);
        rows.clamp(1, limit)
    }
}

fn decoded(chunk: &ColumnChunkMetaData, rows: u64) -> (u64, bool) {
    let width: u64 = match chunk.column_type() {
        PhysicalType::BOOLEAN => 1,
        PhysicalType::INT32 | PhysicalType::FLOAT => 4,
        PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
        // A decimal has 16 bytes in Arrow, however few it has in the file.
        PhysicalType::INT96 | PhysicalType::FIXED_LEN_BYTE_ARRAY => 16,
        PhysicalType::BYTE_ARRAY => {
            let told = chunk.unencoded_byte_array_data_bytes();
            let bytes = unsigned(told.unwrap_or_else(|| chunk.uncompressed_size()));
            let offsets = rows.saturating_mul(OFFSET_BYTES);
            return (bytes.saturating_add(offsets), told.is_some());
        }
    };
    (rows.saturating_mul(width), true)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn values_that_a_dictionary_makes_small_weigh_what_they_are() {
        let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(0..1000));
        let text = "x".repeat(1000);
        let texts: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); 1000]));
        let batch = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).expect("a batch");
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        let weight = Weight::of(&writer.close().expect("closed"));
        assert!(bytes.len() < 20_000, "{}", bytes.len());
        assert_eq!((weight.rows, weight.decoded_bytes, weight.told), (1000, 1_008_000, true));
        assert_eq!(weight.row_bytes(), 1008);
        assert_eq!((weight.rows_in(10_080, 64), weight.rows_in(1, 64)), (10, 1));
        let untold = Weight { told: false, ..weight };
        assert_eq!(untold.rows_in(u64::MAX, 50_000), UNTOLD_BATCH_ROWS);
    }
}
