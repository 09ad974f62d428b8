//! Merges the live rows of several files into one stream that is sorted by key.
//!
//! Files of Sluice are sorted already: of each, one batch is in memory, and who opens a run says how
//! many rows it has. A file that others wrote is read whole and sorted first, or sorted piece by piece.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::interleave::interleave_record_batch;
use arrow_select::take::take_record_batch;
use futures::StreamExt;
use futures::stream::BoxStream;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::errors::ParquetError;
use roaring::RoaringTreemap;

use crate::error::LakeError;
use crate::storage::Home;
use crate::table::read;

/// Rows of a merged batch, where memory allows.
pub(crate) const BATCH_ROWS_MAX: usize = 16 * 1024;

fn wrong(source: ArrowError) -> LakeError {
    LakeError::Arrow { action: "merge rows by key", source }
}

/// The live rows of one file.
pub(crate) struct Run {
    home: Home,
    name: String,
    stream: BoxStream<'static, Result<RecordBatch, ParquetError>>,
    schema: SchemaRef,
    dead: Arc<RoaringTreemap>,
    /// Rows of the file that have been read.
    read: u64,
    sorted: bool,
    /// Where each row comes from is noted in a last column, counted from here.
    noting: Option<u64>,
}

impl Run {
    pub(crate) fn open(
        home: &Home,
        name: &str,
        footer: &ArrowReaderMetadata,
        schema: &SchemaRef,
        ids: &[usize],
        dead: Arc<RoaringTreemap>,
        batch_rows: usize,
    ) -> Result<Self, LakeError> {
        let groups = (0..footer.metadata().num_row_groups()).collect();
        let stream = read::row_groups_by(home, name, footer, schema, groups, batch_rows)?.boxed();
        let sorted = is_sorted(footer, schema, ids);
        let (schema, name) = (Arc::clone(schema), name.to_owned());
        Ok(Self { home: home.clone(), name, stream, schema, dead, read: 0, sorted, noting: None })
    }

    /// Adds a last column with the number of each row in the file, counted from `first`.
    pub(crate) fn noting(self, first: u64) -> Self {
        Self { noting: Some(first), ..self }
    }

    /// The next batch with a live row.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        while let Some(batch) = self.stream.next().await {
            let batch = batch.map_err(|e| read::read_error(&self.home, &self.name, e))?;
            let batch = read::align(&batch, &self.schema)?;
            let start = self.read;
            self.read = self.read.saturating_add(batch.num_rows() as u64);
            let batch = match self.noting {
                None => batch,
                Some(first) => numbered(&batch, first.saturating_add(start))?,
            };
            let live = if self.dead.range_cardinality(start..self.read) == 0 {
                batch
            } else {
                let keep = (start..self.read).map(|row| Some(!self.dead.contains(row)));
                filter_record_batch(&batch, &keep.collect::<BooleanArray>()).map_err(wrong)?
            };
            if live.num_rows() > 0 {
                return Ok(Some(live));
            }
        }
        Ok(None)
    }

    /// The next rows, until they hold `bytes_max`; none at the end.
    async fn piece(&mut self, bytes_max: usize) -> Result<Option<RecordBatch>, LakeError> {
        let mut batches = Vec::new();
        let mut bytes = 0_usize;
        while bytes < bytes_max {
            let Some(batch) = self.next().await? else { break };
            bytes = bytes.saturating_add(batch.get_array_memory_size());
            batches.push(batch);
        }
        let Some(first) = batches.first() else { return Ok(None) };
        concat_batches(&first.schema(), &batches).map(Some).map_err(wrong)
    }
}

/// The batch with a last column that counts its rows.
fn numbered(batch: &RecordBatch, first: u64) -> Result<RecordBatch, LakeError> {
    let end = first.saturating_add(batch.num_rows() as u64);
    let numbers = UInt64Array::from_iter_values(first..end);
    let field = Arc::new(Field::new("row", DataType::UInt64, false));
    let fields = batch.schema().fields().iter().cloned().chain([field]).collect::<Vec<_>>();
    let columns = batch.columns().iter().cloned().chain([Arc::new(numbers) as ArrayRef]).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(wrong)
}

/// Whether a file says that it is sorted by the id columns: only Sluice's own are believed.
pub(crate) fn is_sorted(footer: &ArrowReaderMetadata, schema: &SchemaRef, ids: &[usize]) -> bool {
    let metadata = footer.metadata();
    let own = metadata.file_metadata().created_by().is_some_and(|by| by == crate::ENGINE);
    let names: Vec<Option<&str>> =
        ids.iter().map(|i| schema.fields().get(*i).map(|f| f.name().as_str())).collect();
    own && metadata.row_groups().iter().all(|group| {
        let columns = group.sorting_columns().map_or(&[][..], Vec::as_slice);
        let sorted_by = columns.iter().map(|c| {
            let index = usize::try_from(c.column_idx).ok()?;
            group.columns().get(index).map(|c| c.column_descr().name())
        });
        sorted_by.eq(names.iter().copied())
    })
}

/// A run with the batch that it stands in.
struct Head {
    run: Run,
    rows: Rows,
    /// Index of the batch among those that are held.
    batch: usize,
    next: usize,
}

/// The merge of some runs.
pub(crate) struct Merge {
    converter: RowConverter,
    ids: Vec<usize>,
    waiting: Vec<Run>,
    heads: Vec<Head>,
    /// The least key of each run, with the run's index.
    queue: BinaryHeap<Reverse<(Box<[u8]>, usize)>>,
    held: Vec<RecordBatch>,
    batch_rows: usize,
}

impl Merge {
    /// Gives batches of `batch_rows`.
    pub(crate) fn new(
        schema: &SchemaRef,
        ids: &[usize],
        runs: Vec<Run>,
        batch_rows: usize,
    ) -> Result<Self, LakeError> {
        if ids.is_empty() {
            // Without a key no row has a place, and none would come out.
            return Err(LakeError::Internal("rows cannot be merged without id columns".into()));
        }
        let fields = ids.iter().filter_map(|i| schema.fields().get(*i));
        let fields = fields.map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(Self {
            converter: RowConverter::new(fields).map_err(wrong)?,
            ids: ids.to_vec(),
            waiting: runs,
            heads: Vec::new(),
            queue: BinaryHeap::new(),
            held: Vec::new(),
            batch_rows,
        })
    }

    /// The next rows in order of key; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        for run in std::mem::take(&mut self.waiting) {
            self.start(run).await?;
        }
        let mut picked: Vec<(usize, usize)> = Vec::with_capacity(self.batch_rows);
        while picked.len() < self.batch_rows {
            let Some(Reverse((_, index))) = self.queue.pop() else { break };
            let Some(head) = self.heads.get_mut(index) else { break };
            picked.push((head.batch, head.next));
            head.next = head.next.saturating_add(1);
            if head.next >= head.rows.num_rows() {
                let Some(batch) = head.run.next().await? else { continue };
                let rows = self.keys(&batch)?;
                let Some(head) = self.heads.get_mut(index) else { break };
                (head.rows, head.batch, head.next) = (rows, self.held.len(), 0);
                self.held.push(batch);
            }
            self.enqueue(index);
        }
        if picked.is_empty() {
            return Ok(None);
        }
        let held: Vec<&RecordBatch> = self.held.iter().collect();
        let merged = interleave_record_batch(&held, &picked).map_err(wrong)?;
        self.forget();
        Ok(Some(merged))
    }

    async fn start(&mut self, mut run: Run) -> Result<(), LakeError> {
        let batch = if run.sorted {
            run.next().await?
        } else {
            let all = run.piece(usize::MAX).await?;
            all.map(|batch| self.sort(&batch)).transpose()?
        };
        let Some(batch) = batch else { return Ok(()) };
        let rows = self.keys(&batch)?;
        self.heads.push(Head { run, rows, batch: self.held.len(), next: 0 });
        self.held.push(batch);
        self.enqueue(self.heads.len().saturating_sub(1));
        Ok(())
    }

    /// The next rows of a file that is not sorted, sorted among themselves: as many as hold
    /// `bytes_max`. They take up to three times as much meanwhile.
    pub(crate) async fn sorted_piece(
        &self,
        run: &mut Run,
        bytes_max: usize,
    ) -> Result<Option<RecordBatch>, LakeError> {
        let piece = run.piece(bytes_max).await?;
        piece.map(|rows| self.sort(&rows)).transpose()
    }

    fn enqueue(&mut self, index: usize) {
        if let Some(head) = self.heads.get(index)
            && head.next < head.rows.num_rows()
        {
            let key = head.rows.row(head.next).data().into();
            self.queue.push(Reverse((key, index)));
        }
    }

    fn keys(&self, batch: &RecordBatch) -> Result<Rows, LakeError> {
        let columns = batch.project(&self.ids).map_err(wrong)?;
        self.converter.convert_columns(columns.columns()).map_err(wrong)
    }

    fn sort(&self, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let rows = self.keys(batch)?;
        let mut order: Vec<(usize, arrow_row::Row<'_>)> = rows.iter().enumerate().collect();
        order.sort_by(|a, b| a.1.cmp(&b.1));
        let order: Result<Vec<u32>, _> = order.iter().map(|(i, _)| u32::try_from(*i)).collect();
        let order = order.map_err(|_| {
            LakeError::Internal("a file of more than 4 billion rows cannot be sorted".into())
        })?;
        take_record_batch(batch, &UInt32Array::from(order)).map_err(wrong)
    }

    /// Lets go of the batches that no run stands in any more.
    fn forget(&mut self) {
        let mut held = Vec::with_capacity(self.heads.len());
        for head in &mut self.heads {
            if head.next < head.rows.num_rows()
                && let Some(batch) = self.held.get(head.batch)
            {
                head.batch = held.len();
                held.push(batch.clone());
            }
        }
        self.held = held;
    }
}
