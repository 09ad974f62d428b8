//! Where epochs end: the tables and the checkpoint, or memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use change::{ColumnType, LoadState, Position, TargetPath};
use lake::stored::text;
use lake::{Durable, Lake, MemoryTables, TargetChanges};
use serde_json::{Map, Value};

use super::dead_letter;
use super::error::RunError;
use super::fold_step::{EpochWork, Following};
use super::resume;
use super::schema_history::SchemaHistory;
use super::schema_policy::SeenTables;
use crate::checkpoint::{AfterEpoch, Checkpoint};

/// Takes epochs in order.
pub trait Sink: Send {
    /// Makes an epoch durable before it returns.
    ///
    /// # Errors
    /// Where it is not durable; nothing after it may be committed then.
    fn commit(&mut self, work: EpochWork) -> impl Future<Output = Result<(), RunError>>;

    /// Ends what still runs beside the flow, once the last epoch is durable.
    ///
    /// # Errors
    /// Where a table turns out to have been taken over by others.
    fn finish(&mut self) -> impl Future<Output = Result<(), RunError>> {
        async { Ok(()) }
    }
}

/// Delta tables with a checkpoint, or a look at what would be written.
pub enum AnySink {
    /// Writes.
    Tables(Box<TableSink>),
    /// Keeps a look at what would be written, and nothing else.
    DryRun(Box<DryRunSink>),
}

impl AnySink {
    /// The last position that is covered everywhere.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        match self {
            Self::Tables(sink) => sink.checkpoint.state().map(|state| &state.position),
            Self::DryRun(sink) => sink.position.as_ref(),
        }
    }

    /// The first rows that a dry run would have written to a target.
    #[must_use]
    pub fn first_rows(&self, target: &TargetPath) -> Vec<Map<String, Value>> {
        match self {
            Self::Tables(_) => Vec::new(),
            Self::DryRun(sink) => sink.first_rows.get(target).cloned().unwrap_or_default(),
        }
    }
}

impl Sink for AnySink {
    async fn commit(&mut self, work: EpochWork) -> Result<(), RunError> {
        match self {
            Self::Tables(sink) => sink.commit(work).await,
            Self::DryRun(sink) => sink.commit(work).await,
        }
    }

    async fn finish(&mut self) -> Result<(), RunError> {
        match self {
            Self::Tables(sink) => sink.finish().await,
            Self::DryRun(sink) => sink.finish().await,
        }
    }
}

/// Delta tables and the checkpoint folder.
pub struct TableSink {
    lake: Lake,
    checkpoint: Checkpoint,
    history: SchemaHistory,
    digest: String,
    /// The folder below which the targets lie.
    prefix: String,
}

impl TableSink {
    /// A sink that stores positions under the digest of the chain; the targets lie below `prefix`.
    #[must_use]
    pub fn new(
        lake: Lake,
        checkpoint: Checkpoint,
        history: SchemaHistory,
        digest: String,
        prefix: String,
    ) -> Self {
        Self { lake, checkpoint, history, digest, prefix }
    }

    /// Stores how far all targets have come.
    fn advance(
        &mut self,
        proof: &Durable,
        epoch: u64,
        resume: &Option<Position>,
        sources: &SeenTables,
        load: &Option<Arc<LoadState>>,
    ) -> Result<(), RunError> {
        let targets = self.lake.counters();
        let targets = targets.map(|(path, n)| (resume::below(path, &self.prefix), n));
        let after = AfterEpoch {
            epoch,
            resume: resume.clone(),
            chain: self.digest.clone(),
            sources: sources.clone(),
            targets: targets.collect::<BTreeMap<_, _>>(),
            load: load.clone(),
        };
        Ok(self.checkpoint.advance(proof, after)?)
    }
}

impl Sink for TableSink {
    /// Dead letters and definitions first, then one commit a target, then the checkpoint: a crash in
    /// between repeats work, it never loses any.
    async fn commit(&mut self, work: EpochWork) -> Result<(), RunError> {
        dead_letter::store(self.checkpoint.folder(), &work.dead_letters)?;
        let has_targets = !work.epoch.changes.is_empty() || self.lake.counters().next().is_some();
        self.history.store(work.definitions, has_targets).await?;
        let epoch = work.epoch.number;
        if !work.doubted.is_empty() {
            self.lake.doubt(&work.doubted);
        }
        let (resume, load) = (work.resume, work.load);
        self.lake.carry(work.load_before);
        let proof = self.lake.commit(work.epoch).await?;
        self.advance(&proof, epoch, &resume, &work.sources, &load)?;
        if let Some(Following { statement, position, text, sources }) = work.following {
            // A statement that a target refuses is where the next run begins: there the operator may
            // accept it.
            let edited = self.lake.edit(statement).await;
            let cannot = |source| RunError::Follow { position, statement: text, source };
            let proof = edited.map_err(cannot)?;
            self.advance(&proof, epoch, &resume, &sources, &load)?;
        }
        // Without the checkpoint a run goes on where the targets say, which is never past it.
        let floor = self.lake.all_durable().or_else(|| {
            let state = self.checkpoint.state();
            state.map(|state| state.position.clone())
        });
        if let Some(floor) = floor {
            self.history.forget_before(&floor).await?;
        }
        // Tidying up can wait until the position is stored.
        self.lake.maintain().await?;
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), RunError> {
        Ok(self.lake.settle().await?)
    }
}

/// Rows of a target that a dry run shows.
const FIRST_ROWS_MAX: usize = 3;

/// Targets of which a dry run shows rows: more of them make no picture.
const TARGETS_SHOWN_MAX: usize = 20;

/// Nowhere: for `--dry-run`. It keeps a few rows, however long the log is.
#[derive(Default)]
pub struct DryRunSink {
    /// The first rows of each of the first targets.
    first_rows: BTreeMap<TargetPath, Vec<Map<String, Value>>>,
    /// The end of the last epoch.
    position: Option<Position>,
}

impl Sink for DryRunSink {
    async fn commit(&mut self, work: EpochWork) -> Result<(), RunError> {
        for changes in &work.epoch.changes {
            let is_new = !self.first_rows.contains_key(&changes.target);
            if is_new && self.first_rows.len() >= TARGETS_SHOWN_MAX {
                continue;
            }
            let shown = self.first_rows.entry(changes.target.clone()).or_default();
            let left = FIRST_ROWS_MAX.saturating_sub(shown.len());
            shown.extend((0..changes.rows.num_rows().min(left)).map(|row| as_json(changes, row)));
        }
        self.position = Some(work.end().clone());
        Ok(())
    }
}

/// A row as `docs/reference/types.md` writes it.
fn as_json(changes: &TargetChanges, row: usize) -> Map<String, Value> {
    let fields = changes.schema.arrow().fields().iter();
    let columns = fields.zip(changes.schema.column_types()).zip(changes.rows.columns());
    let cells = columns.filter_map(|((field, logical), column)| {
        let value = text::value(column, row, *logical == ColumnType::UInt64)?;
        Some((field.name().clone(), value))
    });
    cells.collect()
}

/// Tables in memory: for tests.
#[derive(Default)]
pub struct MemorySink {
    /// What the tables hold.
    pub tables: MemoryTables,
    /// The end of the last epoch.
    pub position: Option<Position>,
}

impl Sink for MemorySink {
    async fn commit(&mut self, work: EpochWork) -> Result<(), RunError> {
        self.tables.apply(&work.epoch.changes)?;
        self.position = Some(work.end().clone());
        Ok(())
    }
}
