//! Writes rows to new Parquet files, in the order given and cut at the target size.
//!
//! Files are sorted by key and their footers hold exact bounds for it, so that later epochs can leave
//! most of them unread.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use deltalake::kernel::Add;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use crate::error::LakeError;
use crate::storage::Home;
use crate::table::files::DataChange;
use crate::table::read;
use crate::table::stats::Stats;

/// Rows of a row group: the grain at which later epochs leave parts of a file unread.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Bytes of a bound in a footer: the longest key that InnoDB has, so that no key is ever shortened.
const BOUND_BYTES_MAX: usize = 3072;

/// Rows that are encoded before the file's size is looked at again.
const SLICE_ROWS: usize = 16 * 1024;

/// How the files of a table are written.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// All columns, in the table's order.
    pub(crate) schema: SchemaRef,
    /// The id columns, in key order.
    pub(crate) ids: Vec<usize>,
    /// Bytes at which a file is ended.
    pub(crate) file_bytes: u64,
}

impl Layout {
    fn properties(&self) -> WriterProperties {
        let sorting = self.ids.iter().map(|i| SortingColumn {
            column_idx: i32::try_from(*i).unwrap_or(i32::MAX),
            descending: false,
            nulls_first: true,
        });
        let mut properties = WriterProperties::builder()
            .set_created_by(crate::ENGINE.to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_statistics_truncate_length(Some(BOUND_BYTES_MAX))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_sorting_columns(Some(sorting.collect()));
        // The only column of a key never repeats: a dictionary would be tried in vain.
        if let [only] = self.ids.as_slice()
            && let Some(field) = self.schema.fields().get(*only)
        {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties.set_column_dictionary_enabled(path.clone(), false);
            if matches!(field.data_type(), DataType::Int32 | DataType::Int64) {
                properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
        }
        properties.build()
    }
}

/// A data file that is encoded but not stored yet.
pub(crate) struct Encoded {
    bytes: Vec<u8>,
    stats: Stats,
    footer: ArrowReaderMetadata,
}

#[cfg(test)]
impl Encoded {
    pub(crate) fn footer(&self) -> &ArrowReaderMetadata {
        &self.footer
    }
}

struct Open {
    writer: ArrowWriter<Vec<u8>>,
    stats: Stats,
}

/// Turns batches into files.
pub(crate) struct Encoder {
    layout: Layout,
    open: Option<Open>,
}

impl Encoder {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, open: None }
    }

    /// Adds rows; gives the files that became full.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<Encoded>, ParquetError> {
        let mut full = Vec::new();
        let mut start = 0;
        while start < batch.num_rows() {
            let rows = SLICE_ROWS.min(batch.num_rows().saturating_sub(start));
            let slice = batch.slice(start, rows);
            start = start.saturating_add(rows);
            let open = match self.open.as_mut() {
                Some(open) => open,
                None => {
                    let opened = self.open()?;
                    self.open.insert(opened)
                }
            };
            open.writer.write(&slice)?;
            open.stats.update(&slice);
            let size = open.writer.bytes_written().saturating_add(open.writer.in_progress_size());
            if size as u64 >= self.layout.file_bytes {
                full.extend(self.finish()?);
            }
        }
        Ok(full)
    }

    fn open(&self) -> Result<Open, ParquetError> {
        let options = ArrowWriterOptions::new()
            .with_properties(self.layout.properties())
            .with_skip_arrow_metadata(true);
        let schema = Arc::clone(&self.layout.schema);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
        let stats = Stats::new(Arc::clone(&self.layout.schema), &self.layout.ids);
        Ok(Open { writer, stats })
    }

    /// Ends the file that is open, if there is one.
    pub(crate) fn finish(&mut self) -> Result<Option<Encoded>, ParquetError> {
        let Some(Open { mut writer, stats }) = self.open.take() else { return Ok(None) };
        let metadata = writer.finish()?;
        let bytes = std::mem::take(writer.inner_mut());
        let footer = ArrowReaderMetadata::try_new(Arc::new(metadata), read::reader_options())?;
        Ok(Some(Encoded { bytes, stats, footer }))
    }
}

/// A data file that is stored, but not yet durable nor part of the table.
#[derive(Clone, Debug)]
pub(crate) struct NewFile {
    pub(crate) add: Add,
    pub(crate) rows: u64,
    /// Where it is worth being kept.
    pub(crate) footer: Option<ArrowReaderMetadata>,
}

/// Encodes all rows of a batch.
pub(crate) async fn encode(
    home: &Home,
    layout: &Layout,
    rows: RecordBatch,
) -> Result<Vec<Encoded>, LakeError> {
    let layout = layout.clone();
    let encoded = tokio::task::spawn_blocking(move || {
        let mut encoder = Encoder::new(layout);
        let mut files = encoder.push(&rows)?;
        files.extend(encoder.finish()?);
        Ok(files)
    });
    let encoded = encoded.await;
    let encoded = encoded.map_err(|e| LakeError::Internal(format!("a writer did not end: {e}")))?;
    encoded.map_err(|e| write_error(home, e))
}

pub(crate) fn write_error(home: &Home, source: ParquetError) -> LakeError {
    let target = home.target().to_string();
    LakeError::Parquet { target, action: "encode rows".into(), source }
}

/// Stores an encoded file under a new name.
pub(crate) async fn store(
    home: &Home,
    file: Encoded,
    change: DataChange,
    now_ms: i64,
) -> Result<NewFile, LakeError> {
    let name = format!("part-00000-{}-c000.snappy.parquet", Uuid::new_v4());
    let size = i64::try_from(file.bytes.len()).unwrap_or(i64::MAX);
    let rows = file.stats.rows();
    home.put(&name, file.bytes).await?;
    let add = Add {
        path: name,
        partition_values: HashMap::new(),
        size,
        modification_time: now_ms,
        data_change: change == DataChange::Yes,
        stats: Some(file.stats.to_json()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    };
    Ok(NewFile { add, rows, footer: Some(file.footer) })
}
