//! Reads the live rows of some files and writes them anew, sorted by key, in bounded memory.
//!
//! Files that are sorted are merged, a batch of each in memory. A file that is not sorted is sorted
//! whole where it is small enough, otherwise piece by piece: each piece is sorted in itself and can be
//! merged later.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use crate::error::LakeError;
use crate::table::files::{DataChange, DataFile};
use crate::table::locate;
use crate::table::merge::{self, BATCH_ROWS_MAX, Merge, Run};
use crate::table::weight::Weight;
use crate::table::write::{self, Encoder, Layout, NewFile};
use crate::table::{Table, read};

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

impl Table {
    /// How some files are read within the memory of a compaction; some may have to wait.
    pub(crate) async fn sources(
        &self,
        files: impl Iterator<Item = &DataFile>,
        ids: &[usize],
    ) -> Result<Sources, LakeError> {
        let memory_bytes = self.settings().maintenance.memory_bytes_max;
        let footers = &self.shared.caches.footers;
        let mut sources = Sources::default();
        for file in files {
            let footer = read::footer(&self.home, footers, file.name(), file.size()).await?;
            let sorted = merge::is_sorted(&footer, &self.state.arrow, ids);
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
    ) -> Result<Vec<NewFile>, LakeError> {
        let mut files = Vec::new();
        match self.rewrite_into(sources, ids, &mut files).await {
            Ok(()) => Ok(files),
            Err(error) => {
                self.discard(&files).await;
                Err(error)
            }
        }
    }

    async fn rewrite_into(
        &self,
        sources: &Sources,
        ids: &[usize],
        files: &mut Vec<NewFile>,
    ) -> Result<(), LakeError> {
        let memory_bytes = self.settings().maintenance.memory_bytes_max;
        let schema = Arc::clone(&self.state.arrow);
        let file_bytes = self.settings().maintenance.file_bytes;
        let mut encoder =
            Encoder::new(Layout { schema: Arc::clone(&schema), ids: ids.to_vec(), file_bytes });
        // Half for the runs, an eighth for what is merged, the rest for who encodes it.
        let runs = u64::try_from(sources.runs.len().max(1)).unwrap_or(u64::MAX);
        let share = (memory_bytes / 2).saturating_sub(sources.whole_bytes) / runs;
        let mut merged_rows = BATCH_ROWS_MAX;
        let mut opened = Vec::new();
        for source in &sources.runs {
            merged_rows = merged_rows.min(source.weight.rows_in(memory_bytes / 8, BATCH_ROWS_MAX));
            let rows = source.weight.rows_in(share, read::BATCH_ROWS);
            opened.push(self.run(source, &schema, ids, rows).await?);
        }
        let mut merge = Merge::new(&schema, ids, opened, merged_rows)?;
        while let Some(batch) = merge.next().await? {
            self.encode_into(&mut encoder, &batch, DataChange::No, files).await?;
        }
        self.finish_into(&mut encoder, DataChange::No, files).await?;
        let piece_bytes = usize::try_from(memory_bytes / 2 / SORT_COPIES).unwrap_or(usize::MAX);
        for source in &sources.pieces {
            let rows = source.weight.rows_in(memory_bytes / 8, read::BATCH_ROWS);
            let mut run = self.run(source, &schema, ids, rows).await?;
            while let Some(piece) = merge.sorted_piece(&mut run, piece_bytes).await? {
                self.encode_into(&mut encoder, &piece, DataChange::No, files).await?;
                // The next piece begins with other keys: it is a file of its own.
                self.finish_into(&mut encoder, DataChange::No, files).await?;
            }
        }
        let written: Vec<String> = files.iter().map(|f| f.add.path.clone()).collect();
        self.home.disk().sync_files(&written).await?;
        self.home.disk().sync_folder("").await
    }

    async fn run(
        &self,
        source: &Source,
        schema: &SchemaRef,
        ids: &[usize],
        batch_rows: usize,
    ) -> Result<Run, LakeError> {
        let Source { file, footer, .. } = source;
        let dead = locate::dead_rows(&self.home, &self.shared.caches, file).await?;
        Run::open(&self.home, file.name(), footer, schema, ids, dead, batch_rows)
    }

    /// Encodes rows, and stores the files that became full.
    pub(crate) async fn encode_into(
        &self,
        encoder: &mut Encoder,
        batch: &arrow_array::RecordBatch,
        change: DataChange,
        files: &mut Vec<NewFile>,
    ) -> Result<(), LakeError> {
        for full in encoder.push(batch).map_err(|e| write::write_error(&self.home, e))? {
            files.push(write::store(&self.home, full, change, self.now_ms()).await?);
        }
        Ok(())
    }

    /// Stores the file that is open.
    pub(crate) async fn finish_into(
        &self,
        encoder: &mut Encoder,
        change: DataChange,
        files: &mut Vec<NewFile>,
    ) -> Result<(), LakeError> {
        let last = encoder.finish().map_err(|e| write::write_error(&self.home, e))?;
        if let Some(last) = last {
            files.push(write::store(&self.home, last, change, self.now_ms()).await?);
        }
        Ok(())
    }

    /// Deletes files that no log entry names; what stays behind is litter that a vacuum finds.
    pub(crate) async fn discard(&self, files: &[NewFile]) {
        use object_store::ObjectStoreExt as _;
        for file in files {
            if let Ok(path) = self.home.path(&file.add.path) {
                let _ = self.home.store().delete(&path).await;
            }
        }
    }
}
