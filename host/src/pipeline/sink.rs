//! Where epochs end: the tables and the checkpoint, or memory.

use std::collections::BTreeMap;

use change::Position;
use lake::{Lake, MemoryTables};

use super::dead_letter;
use super::error::RunError;
use super::fold_step::EpochWork;
use crate::checkpoint::{AfterEpoch, Checkpoint};

/// Takes epochs in order.
pub trait Sink: Send {
    /// Makes an epoch durable before it returns.
    ///
    /// # Errors
    /// Where it is not durable; nothing after it may be committed then.
    fn commit(&mut self, work: EpochWork) -> impl Future<Output = Result<(), RunError>>;
}

/// Delta tables with a checkpoint, or a look at what would be written.
pub enum AnySink {
    /// Writes.
    Tables(Box<TableSink>),
    /// Applies the changes to tables in memory.
    DryRun(Box<MemorySink>),
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
}

impl Sink for AnySink {
    async fn commit(&mut self, work: EpochWork) -> Result<(), RunError> {
        match self {
            Self::Tables(sink) => sink.commit(work).await,
            Self::DryRun(sink) => sink.commit(work).await,
        }
    }
}

/// Delta tables and the checkpoint folder.
pub struct TableSink {
    lake: Lake,
    checkpoint: Checkpoint,
    digest: String,
}

impl TableSink {
    /// A sink that stores positions under the digest of the chain.
    #[must_use]
    pub fn new(lake: Lake, checkpoint: Checkpoint, digest: String) -> Self {
        Self { lake, checkpoint, digest }
    }
}

impl Sink for TableSink {
    /// Dead letters first, then one commit a target, then the checkpoint: a crash in between repeats
    /// work, it never loses any.
    async fn commit(&mut self, work: EpochWork) -> Result<(), RunError> {
        dead_letter::store(self.checkpoint.folder(), &work.dead_letters)?;
        let epoch = work.epoch.number;
        if !work.doubted.is_empty() {
            self.lake.doubt(&work.doubted);
        }
        let proof = self.lake.commit(work.epoch).await?;
        let targets = self.lake.counters().map(|(path, n)| (path.to_string(), n));
        let after = AfterEpoch {
            epoch,
            chain: self.digest.clone(),
            sources: work.sources,
            targets: targets.collect::<BTreeMap<_, _>>(),
        };
        self.checkpoint.advance(&proof, after)?;
        // Tidying up can wait until the position is stored.
        self.lake.maintain().await?;
        Ok(())
    }
}

/// Tables in memory: for `--dry-run` and tests.
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
        self.position = Some(work.epoch.end);
        Ok(())
    }
}
