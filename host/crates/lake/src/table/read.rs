//! Reads Parquet files of a table: footers through a bounded cache, and rows of chosen columns and
//! row groups.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use roaring::RoaringTreemap;

use crate::cache::Cache;
use crate::error::LakeError;
use crate::storage::Home;

/// Rows of a decoded batch: large enough that the calls around it do not count.
pub(crate) const BATCH_ROWS: usize = 32 * 1024;

/// Bytes read at a file's end at once: a footer with page index of a few hundred columns.
const FOOTER_PREFETCH_BYTES: usize = 64 * 1024;

/// Bytes of footers that are kept, over all tables: about 10,000 files of ten columns.
pub(crate) const FOOTERS_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Footers by the file's name; names of data files are never used again.
pub(crate) type Footers = Cache<String, ArrowReaderMetadata>;

struct StoreReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for StoreReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move { self.store.get_range(&self.path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        // Every reader is built with the footer at hand.
        async { Err(ParquetError::General("a footer is read by size".into())) }.boxed()
    }
}

/// Arrow's own schema in the footer is left aside: the types then follow from the Parquet types
/// alone, whoever wrote the file.
pub(crate) fn reader_options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

/// The footer of a file of `size` bytes.
pub(crate) async fn footer(
    home: &Home,
    footers: &Footers,
    name: &str,
    size: u64,
) -> Result<ArrowReaderMetadata, LakeError> {
    let key = format!("{}{name}", home.url());
    if let Some(found) = footers.get(&key) {
        return Ok(found);
    }
    let mut reader = StoreReader { store: Arc::clone(home.store()), path: home.path(name)? };
    let read = async {
        let metadata = ParquetMetaDataReader::new()
            .with_prefetch_hint(Some(FOOTER_PREFETCH_BYTES))
            .load_and_finish(&mut reader, size)
            .await?;
        ArrowReaderMetadata::try_new(Arc::new(metadata), reader_options())
    };
    let found = read.await.map_err(|e| read_error(home, name, e))?;
    keep_footer(home, footers, name, &found);
    Ok(found)
}

/// Keeps a footer that is known because the file was just written.
pub(crate) fn keep_footer(
    home: &Home,
    footers: &Footers,
    name: &str,
    footer: &ArrowReaderMetadata,
) {
    let bytes = footer.metadata().memory_size();
    footers.put(format!("{}{name}", home.url()), footer.clone(), bytes);
}

pub(crate) fn read_error(home: &Home, name: &str, source: ParquetError) -> LakeError {
    let target = home.target().to_string();
    LakeError::Parquet { target, action: format!("read {name}"), source }
}

/// The rows of some columns and row groups of a file, one reader a row group.
pub(crate) fn row_groups(
    home: &Home,
    name: &str,
    footer: &ArrowReaderMetadata,
    columns: &SchemaRef,
    groups: Vec<usize>,
) -> Result<ParquetRecordBatchStream<impl AsyncFileReader + Unpin + use<>>, LakeError> {
    row_groups_by(home, name, footer, columns, groups, BATCH_ROWS)
}

/// As [`row_groups`], in batches of so many rows.
pub(crate) fn row_groups_by(
    home: &Home,
    name: &str,
    footer: &ArrowReaderMetadata,
    columns: &SchemaRef,
    groups: Vec<usize>,
    batch_rows: usize,
) -> Result<ParquetRecordBatchStream<impl AsyncFileReader + Unpin + use<>>, LakeError> {
    let reader = StoreReader { store: Arc::clone(home.store()), path: home.path(name)? };
    ParquetRecordBatchStreamBuilder::new_with_metadata(reader, footer.clone())
        .with_projection(projection(footer, columns))
        .with_row_groups(groups)
        .with_batch_size(batch_rows)
        .build()
        .map_err(|e| read_error(home, name, e))
}

/// Some rows of a file, ascending.
pub(crate) fn rows_at(
    home: &Home,
    name: &str,
    footer: &ArrowReaderMetadata,
    columns: &SchemaRef,
    rows: &RoaringTreemap,
) -> Result<ParquetRecordBatchStream<impl AsyncFileReader + Unpin + use<>>, LakeError> {
    let damaged = |_| home.damaged(name, "it has more rows than can be counted");
    let all = usize::try_from(footer.metadata().file_metadata().num_rows()).map_err(damaged)?;
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for row in rows {
        let row = usize::try_from(row).map_err(damaged)?;
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end = row.saturating_add(1),
            _ => ranges.push(row..row.saturating_add(1)),
        }
    }
    let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), all);
    let reader = StoreReader { store: Arc::clone(home.store()), path: home.path(name)? };
    ParquetRecordBatchStreamBuilder::new_with_metadata(reader, footer.clone())
        .with_projection(projection(footer, columns))
        .with_row_selection(selection)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| read_error(home, name, e))
}

/// The columns of a file that have these names.
fn projection(footer: &ArrowReaderMetadata, columns: &SchemaRef) -> ProjectionMask {
    let wanted = footer.schema().fields().iter().enumerate();
    let roots = wanted.filter(|(_, f)| columns.column_with_name(f.name()).is_some());
    ProjectionMask::roots(footer.parquet_schema(), roots.map(|(i, _)| i))
}

/// The columns of a batch in the order and types of `columns`; a column that the file does not have
/// is all NULL.
pub(crate) fn align(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, LakeError> {
    let rows = batch.num_rows();
    let aligned: Result<Vec<ArrayRef>, ArrowError> = columns
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), rows)),
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => arrow_cast::cast(column, field.data_type()),
        })
        .collect();
    let wrong = |source| LakeError::Arrow { action: "bring columns into the table's form", source };
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    // Every field may be NULL here: an older file lacks the columns that came later.
    let fields = columns.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    aligned
        .and_then(|columns| RecordBatch::try_new_with_options(schema, columns, &options))
        .map_err(wrong)
}
