//! Reads the live rows of some files and writes them anew, sorted by key, in bounded memory.
//!
//! Files that are sorted are merged, a batch of each in memory. A file that is not sorted is sorted
//! whole where it is small enough, otherwise piece by piece: each piece is sorted in itself and can be
//! merged later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use roaring::RoaringTreemap;

use crate::error::LakeError;
use crate::storage::Home;
use crate::table::files::{DataChange, DataFile};
use crate::table::locate;
use crate::table::merge::{self, BATCH_ROWS_MAX, Merge, Run};
use crate::table::weight::Weight;
use crate::table::write::{self, Encoder, Layout, NewFile};
use crate::table::{Shared, Table, read};

/// Rows of a run that have to fit at least: below that a merge is all overhead.
const RUN_ROWS_MIN: u64 = 64;

/// To sort rows takes the rows, their keys and the sorted rows.
const SORT_COPIES: u64 = 3;

/// The files that are read, and how.
#[derive(Default)]
pub(crate) struct Sources {
    runs: Vec<Source>,
    pieces: Vec<Source>,
    /// Bytes that the runs hold which are sorted whole.
    whole_bytes: u64,
    /// Whether some file had to wait for want of memory.
    pub(crate) left_out: bool,
    /// Files that no amount of waiting brings into memory.
    pub(crate) too_large: Vec<String>,
}

struct Source {
    file: DataFile,
    footer: ArrowReaderMetadata,
    weight: Weight,
}

impl Sources {
    /// The names of all files that are read.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().chain(&self.pieces).map(|s| s.file.name())
    }

    /// Takes in a file where memory allows it.
    fn admit(&mut self, source: Source, sorted: bool, memory_bytes: u64) {
        let share = memory_bytes / 2;
        let row_bytes = |s: &Source| s.weight.row_bytes().saturating_mul(RUN_ROWS_MIN);
        let runs: u64 = self.runs.iter().map(row_bytes).sum();
        let held = runs.saturating_add(self.whole_bytes);
        let whole = source.weight.decoded_bytes.saturating_mul(SORT_COPIES);
        if source.weight.group_bytes > share {
            tracing::debug!(
                file = source.file.name(),
                bytes = source.weight.group_bytes,
                "a row group is too large to be rewritten within the memory of a compaction"
            );
            self.too_large.push(source.file.name().to_owned());
        } else if !sorted && (!source.weight.told || held.saturating_add(whole) > share) {
            self.pieces.push(source);
        } else if !sorted {
            self.whole_bytes = self.whole_bytes.saturating_add(whole);
            self.runs.push(source);
        } else if self.runs.is_empty() || held.saturating_add(row_bytes(&source)) <= share {
            self.runs.push(source);
        } else {
            self.left_out = true;
        }
    }
}

/// Whether it is noted from where each row comes: eight bytes a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    Noted,
    Unknown,
}

/// What came out of a rewrite, durable but not in the log.
#[derive(Debug, Default)]
pub(crate) struct Rewritten {
    pub(crate) sources: Vec<ReadFile>,
    pub(crate) files: Vec<NewFile>,
    /// For each row of the new files, one after the other, the row that it was; empty where that was
    /// not noted.
    pub(crate) origins: Vec<Origin>,
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub(crate) struct ReadFile {
    pub(crate) name: String,
    /// The rows that were left out.
    pub(crate) dead: Arc<RoaringTreemap>,
}

/// A row of one of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin(u64);

/// Bits of a row's number within its file; the number of the file lies above them.
const ROW_BITS: u32 = 40;

impl Origin {
    /// The first row of a source.
    pub(crate) fn first_of(source: usize) -> u64 {
        (source as u64) << ROW_BITS
    }

    /// The index of the source, and the row within it.
    pub(crate) fn split(self) -> (usize, u64) {
        let source = usize::try_from(self.0 >> ROW_BITS).unwrap_or(usize::MAX);
        (source, self.0 & ((1 << ROW_BITS) - 1))
    }
}

/// All that a rewrite needs of a table: it can run while the table goes on.
#[derive(Clone, Debug)]
pub(crate) struct Rewriter {
    pub(crate) home: Home,
    pub(crate) shared: Shared,
    pub(crate) schema: SchemaRef,
    /// Set where nobody waits for the result any more.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Rewriter {
    /// How some files are read within the memory of a compaction; some may have to wait.
    pub(crate) async fn sources(
        &self,
        files: impl Iterator<Item = &DataFile>,
        ids: &[usize],
    ) -> Result<Sources, LakeError> {
        let memory_bytes = self.shared.settings.maintenance.memory_bytes_max;
        let footers = &self.shared.caches.footers;
        let mut sources = Sources::default();
        for file in files {
            let footer = read::footer(&self.home, footers, file.name(), file.size()).await?;
            let sorted = merge::is_sorted(&footer, &self.schema, ids);
            let weight = Weight::of(footer.metadata());
            sources.admit(Source { file: file.clone(), footer, weight }, sorted, memory_bytes);
        }
        Ok(sources)
    }

    /// Writes the live rows of the sources to new files, and makes these durable.
    pub(crate) async fn rewrite(
        &self,
        sources: &Sources,
        ids: &[usize],
        origins: Origins,
    ) -> Result<Rewritten, LakeError> {
        let mut rewritten = Rewritten::default();
        match self.rewrite_into(sources, ids, origins, &mut rewritten).await {
            Ok(()) => Ok(rewritten),
            Err(error) => {
                discard(&self.home, &rewritten.files).await;
                Err(error)
            }
        }
    }

    async fn rewrite_into(
        &self,
        sources: &Sources,
        ids: &[usize],
        origins: Origins,
        rewritten: &mut Rewritten,
    ) -> Result<(), LakeError> {
        let memory_bytes = self.shared.settings.maintenance.memory_bytes_max;
        let file_bytes = self.shared.settings.maintenance.file_bytes;
        let schema = Arc::clone(&self.schema);
        let mut out = Out {
            rewriter: self,
            encoder: Encoder::new(Layout { schema, ids: ids.to_vec(), file_bytes }),
            origins,
            rewritten,
        };
        // Half for the runs, an eighth for what is merged, the rest for who encodes it.
        let runs = u64::try_from(sources.runs.len().max(1)).unwrap_or(u64::MAX);
        let share = (memory_bytes / 2).saturating_sub(sources.whole_bytes) / runs;
        let mut merged_rows = BATCH_ROWS_MAX;
        let mut opened = Vec::new();
        for source in &sources.runs {
            merged_rows = merged_rows.min(source.weight.rows_in(memory_bytes / 8, BATCH_ROWS_MAX));
            let rows = source.weight.rows_in(share, read::BATCH_ROWS);
            opened.push(out.open(source, ids, rows).await?);
        }
        let mut merge = Merge::new(&self.schema, ids, opened, merged_rows)?;
        while let Some(batch) = merge.next().await? {
            out.push(batch).await?;
        }
        out.end_file().await?;
        let piece_bytes = usize::try_from(memory_bytes / 2 / SORT_COPIES).unwrap_or(usize::MAX);
        for source in &sources.pieces {
            let rows = source.weight.rows_in(memory_bytes / 8, read::BATCH_ROWS);
            let mut run = out.open(source, ids, rows).await?;
            while let Some(piece) = merge.sorted_piece(&mut run, piece_bytes).await? {
                out.push(piece).await?;
                // The next piece begins with other keys: it is a file of its own.
                out.end_file().await?;
            }
        }
        let written: Vec<String> = rewritten.files.iter().map(|f| f.add.path.clone()).collect();
        self.home.disk().sync_files(&written).await?;
        self.home.disk().sync_folder("").await
    }
}

/// The new files of a rewrite, one after the other.
struct Out<'a> {
    rewriter: &'a Rewriter,
    encoder: Encoder,
    origins: Origins,
    rewritten: &'a mut Rewritten,
}

impl Out<'_> {
    async fn open(
        &mut self,
        source: &Source,
        ids: &[usize],
        batch_rows: usize,
    ) -> Result<Run, LakeError> {
        let Rewriter { home, shared, schema, .. } = self.rewriter;
        let Source { file, footer, .. } = source;
        let dead = locate::dead_rows(home, &shared.caches, file).await?;
        let index = self.rewritten.sources.len();
        let name = file.name().to_owned();
        self.rewritten.sources.push(ReadFile { name, dead: Arc::clone(&dead) });
        let run = Run::open(home, file.name(), footer, schema, ids, dead, batch_rows)?;
        Ok(match self.origins {
            Origins::Noted => run.noting(Origin::first_of(index)),
            Origins::Unknown => run,
        })
    }

    async fn push(&mut self, batch: RecordBatch) -> Result<(), LakeError> {
        if self.rewriter.stop.load(Ordering::Relaxed) {
            return Err(LakeError::Internal("nobody waits for this compaction any more".into()));
        }
        let batch = match self.origins {
            Origins::Unknown => batch,
            Origins::Noted => {
                let mut batch = batch;
                let last = batch.num_columns().saturating_sub(1);
                let origins = batch.remove_column(last);
                let origins = origins.as_primitive_opt::<UInt64Type>();
                let origins = origins.map(|o| o.values().as_ref()).unwrap_or_default();
                self.rewritten.origins.extend(origins.iter().copied().map(Origin));
                batch
            }
        };
        let Rewriter { home, shared, .. } = self.rewriter;
        let now_ms = shared.settings.now_ms();
        let files = &mut self.rewritten.files;
        encode_into(home, now_ms, &mut self.encoder, &batch, DataChange::No, files).await
    }

    async fn end_file(&mut self) -> Result<(), LakeError> {
        let Rewriter { home, shared, .. } = self.rewriter;
        let now_ms = shared.settings.now_ms();
        let files = &mut self.rewritten.files;
        finish_into(home, now_ms, &mut self.encoder, DataChange::No, files).await
    }
}

/// Encodes rows, and stores the files that became full.
async fn encode_into(
    home: &Home,
    now_ms: i64,
    encoder: &mut Encoder,
    batch: &RecordBatch,
    change: DataChange,
    files: &mut Vec<NewFile>,
) -> Result<(), LakeError> {
    for full in encoder.push(batch).map_err(|e| write::write_error(home, e))? {
        files.push(write::store(home, full, change, now_ms).await?);
    }
    Ok(())
}

/// Stores the file that is open.
async fn finish_into(
    home: &Home,
    now_ms: i64,
    encoder: &mut Encoder,
    change: DataChange,
    files: &mut Vec<NewFile>,
) -> Result<(), LakeError> {
    if let Some(last) = encoder.finish().map_err(|e| write::write_error(home, e))? {
        files.push(write::store(home, last, change, now_ms).await?);
    }
    Ok(())
}

/// Deletes files that no log entry names; what stays behind is litter that a vacuum finds.
pub(crate) async fn discard(home: &Home, files: &[NewFile]) {
    use object_store::ObjectStoreExt as _;
    for file in files {
        if let Ok(path) = home.path(&file.add.path) {
            let _ = home.store().delete(&path).await;
        }
    }
}

impl Table {
    /// Encodes rows, and stores the files that became full.
    pub(crate) async fn encode_into(
        &self,
        encoder: &mut Encoder,
        batch: &RecordBatch,
        change: DataChange,
        files: &mut Vec<NewFile>,
    ) -> Result<(), LakeError> {
        encode_into(&self.home, self.now_ms(), encoder, batch, change, files).await
    }

    /// Stores the file that is open.
    pub(crate) async fn finish_into(
        &self,
        encoder: &mut Encoder,
        change: DataChange,
        files: &mut Vec<NewFile>,
    ) -> Result<(), LakeError> {
        finish_into(&self.home, self.now_ms(), encoder, change, files).await
    }

    /// Deletes files that no log entry names.
    pub(crate) async fn discard(&self, files: &[NewFile]) {
        discard(&self.home, files).await;
    }
}
