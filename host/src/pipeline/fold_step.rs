//! Slices into epochs: what is folded together, and when it is committed.

use std::time::{Duration, Instant};

use change::{Position, TableName, TargetPath};
use lake::{Epoch, Fold};

use super::dead_letter::DeadLetter;
use super::error::RunError;
use super::schema_policy::{Passed, SchemaPolicy, SeenTables};
use super::transform_step::TransformedSlice;

/// When an epoch ends.
#[derive(Clone, Copy, Debug)]
pub struct EpochLimits {
    /// After this time since its first slice.
    pub trigger: Duration,
    /// As soon as what is folded holds this many bytes.
    pub bytes_max: usize,
}

/// One round of commits, ready to be written.
pub struct EpochWork {
    /// What goes to the targets.
    pub epoch: Epoch,
    /// Rows that are set aside; stored before the epoch's commits.
    pub dead_letters: Vec<DeadLetter>,
    /// Source tables that had rows so far in this pipeline's life.
    pub sources: SeenTables,
    /// Source tables whose targets the operator has dealt with: what they hold is not known any more.
    pub doubted: Vec<TableName>,
}

impl EpochWork {
    /// Row images of each target: inserted, updated, deleted; and the rows set aside.
    #[must_use]
    pub fn counts(&self) -> EpochCounts {
        let targets = self.epoch.changes.iter();
        let counts = targets.map(|c| {
            let n = &c.counts;
            (c.target.clone(), [n.inserted, n.updated, n.deleted])
        });
        EpochCounts { targets: counts.collect(), dead_letters: self.dead_letters.len() as u64 }
    }
}

/// What an epoch brought, for the summary.
#[derive(Clone, Debug, Default)]
pub struct EpochCounts {
    /// Inserted, updated, deleted by target.
    pub targets: Vec<(TargetPath, [u64; 3])>,
    /// Rows set aside.
    pub dead_letters: u64,
}

/// What became of a slice.
#[derive(Default)]
pub struct FoldOutcome {
    /// Epochs that ended.
    pub closed: Vec<EpochWork>,
    /// Why nothing may follow them.
    pub stop: Option<RunError>,
}

/// The open epoch.
pub struct FoldStep {
    fold: Fold,
    limits: EpochLimits,
    policy: SchemaPolicy,
    /// The number of the open epoch.
    number: u64,
    /// The end of the epoch before: what every target has passed when the open one begins.
    reached: Position,
    /// The end of the last slice of the open epoch, and when its first one came.
    open: Option<(Position, Instant)>,
    dead_letters: Vec<DeadLetter>,
    dead_letters_bytes: usize,
    sources: SeenTables,
    doubted: Vec<TableName>,
}

impl FoldStep {
    /// A step whose first epoch has `number` and begins at `reached`.
    #[must_use]
    pub fn new(
        fold: Fold,
        limits: EpochLimits,
        policy: SchemaPolicy,
        number: u64,
        reached: Position,
        sources: SeenTables,
    ) -> Self {
        Self {
            fold,
            limits,
            policy,
            number,
            reached,
            open: None,
            dead_letters: Vec::new(),
            dead_letters_bytes: 0,
            sources,
            doubted: Vec::new(),
        }
    }

    /// Folds a slice into the open epoch, and closes it where a limit or a schema change says so.
    ///
    /// # Errors
    /// Where the slice cannot be folded; nothing of the open epoch may be committed then.
    pub fn push(&mut self, slice: TransformedSlice) -> Result<FoldOutcome, RunError> {
        for batch in &slice.batches {
            self.fold.push(batch)?;
        }
        let letters = slice.dead_letters.iter().map(DeadLetter::memory_bytes);
        self.dead_letters_bytes = self.dead_letters_bytes.saturating_add(letters.sum());
        self.dead_letters.extend(slice.dead_letters);
        self.sources.names.extend(slice.sources);
        let since = self.open.take().map_or_else(Instant::now, |(_, since)| since);
        let refused = slice.schema_change.map(|change| {
            let before = change.before.clone();
            (before, self.policy.decide(change, &self.sources))
        });
        let mut outcome = FoldOutcome::default();
        let (end, must_close) = match refused {
            // The next run has to meet the statement again.
            Some((before, Err(stop))) => {
                outcome.stop = Some(stop);
                (before, true)
            }
            Some((_, Ok(passed))) => {
                if let Passed::Accepted(tables) = passed {
                    self.doubted.extend(tables);
                }
                (slice.end, true)
            }
            None => (slice.end, false),
        };
        self.open = Some((end, since));
        let held = self.fold.memory_bytes().saturating_add(self.dead_letters_bytes);
        let is_full = held >= self.limits.bytes_max;
        if must_close || is_full || since.elapsed() >= self.limits.trigger {
            outcome.closed.extend(self.close()?);
        }
        Ok(outcome)
    }

    /// Ends the open epoch; none where nothing was read since the last one.
    ///
    /// # Errors
    /// Where what was folded cannot be gathered.
    pub fn close(&mut self) -> Result<Option<EpochWork>, RunError> {
        let Some((end, _)) = self.open.take() else { return Ok(None) };
        let epoch = Epoch {
            number: self.number,
            all_durable: std::mem::replace(&mut self.reached, end.clone()),
            end,
            changes: self.fold.take()?,
        };
        self.number = self.number.saturating_add(1);
        self.dead_letters_bytes = 0;
        let dead_letters = std::mem::take(&mut self.dead_letters);
        let doubted = std::mem::take(&mut self.doubted);
        Ok(Some(EpochWork { epoch, dead_letters, sources: self.sources.clone(), doubted }))
    }

    /// How long the open epoch may still wait; none where nothing is open.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let (_, since) = self.open.as_ref()?;
        Some(self.limits.trigger.saturating_sub(since.elapsed()))
    }
}
