//! Slices into epochs: what is folded together, and when it is committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use change::{Definitions, LoadState, Position, TableName, TargetPath};
use lake::{Epoch, Fold, LakeError, Statement};

use super::dead_letter::DeadLetter;
use super::error::RunError;
use super::schema_policy::{Followed, Passed, SchemaPolicy, SeenTables};
use super::transform_step::TransformedSlice;

/// Statements that changed definitions in one epoch: each of them holds the definitions of all tables.
const DEFINITIONS_MAX: usize = 64;

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
    /// Where a run goes on behind the epoch, if that is not its end (see [`change::LogSlice::resume`]).
    pub resume: Option<Position>,
    /// Source tables that had rows so far in this pipeline's life.
    pub sources: SeenTables,
    /// What a statement behind the epoch does to targets; the position to store is the one behind it then.
    pub following: Option<Following>,
    /// Source tables whose targets the operator has dealt with: what they hold is not known any more.
    pub doubted: Vec<TableName>,
    /// What statements of the epoch made of the definitions of tables, and behind what that holds: in log
    /// order, stored before the epoch's commits.
    pub definitions: Vec<(Position, Definitions)>,
    /// How far the load of tables was when the epoch began.
    pub load_before: Option<Arc<LoadState>>,
    /// How far it is behind the epoch.
    pub load: Option<Arc<LoadState>>,
}

impl EpochWork {
    /// The position behind all of it.
    #[must_use]
    pub fn end(&self) -> &Position {
        self.following.as_ref().map_or(&self.epoch.end, |following| &following.statement.end)
    }

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

/// How far the open epoch is.
struct Open {
    /// The end of its last slice.
    end: Position,
    /// Where a run goes on behind that, if not there.
    resume: Option<Position>,
    /// When its first slice came.
    since: Instant,
    /// Whether its last transaction is not whole yet.
    is_partial: bool,
}

/// What a statement does to targets.
pub struct Following {
    /// The edits, with the position behind it.
    pub statement: Statement,
    /// Where it stands.
    pub position: Position,
    /// Its text.
    pub text: String,
    /// Source tables that had rows, as of behind it.
    pub sources: SeenTables,
}

/// What follows a slice.
enum Next {
    /// The open epoch goes on, up to its limits.
    GoOn,
    /// It ends.
    Close,
    /// It ends, and targets follow a statement, behind which is this position.
    Edit(Box<(Followed, SeenTables)>, Position),
}

/// The open epoch.
pub struct FoldStep {
    fold: Fold,
    limits: EpochLimits,
    policy: SchemaPolicy,
    /// The number of the open epoch.
    number: u64,
    /// Where a run goes on behind the epoch before: what every target has passed when the open one
    /// begins.
    reached: Position,
    /// What the open epoch has come to.
    open: Option<Open>,
    dead_letters: Vec<DeadLetter>,
    dead_letters_bytes: usize,
    sources: SeenTables,
    doubted: Vec<TableName>,
    definitions: Vec<(Position, Definitions)>,
    /// How far the load of tables was when the open epoch began.
    load_before: Option<Arc<LoadState>>,
    /// How far it is.
    load: Option<Arc<LoadState>>,
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
            definitions: Vec::new(),
            load_before: None,
            load: None,
        }
    }

    /// Goes on with the load of tables where it is.
    #[must_use]
    pub fn loading(self, load: Option<LoadState>) -> Self {
        let load = load.map(Arc::new);
        Self { load_before: load.clone(), load, ..self }
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
        self.load = slice.load.or(self.load.take());
        let since = self.open.take().map_or_else(Instant::now, |open| open.since);
        let (resume, is_partial) = (slice.resume, slice.is_partial);
        let decided = slice.schema_change.map(|change| {
            let before = change.before.clone();
            let behind = self.sources.behind(&change);
            (before, behind, self.policy.decide(change, &self.sources))
        });
        let mut outcome = FoldOutcome::default();
        let definitions = slice.definitions.map(|known| (slice.end.clone(), known));
        let (end, next) = match decided {
            // The next run has to meet the statement again.
            Some((before, _, Err(stop))) => {
                outcome.stop = Some(stop);
                (before, Next::Close)
            }
            Some((before, behind, Ok(Passed::Edited(followed)))) => {
                self.definitions.extend(definitions);
                (before, Next::Edit(Box::new((followed, behind)), slice.end))
            }
            Some((_, behind, Ok(passed))) => {
                self.sources = behind;
                if let Passed::Accepted(tables) = passed {
                    self.doubted.extend(tables);
                }
                self.definitions.extend(definitions);
                (slice.end, Next::Close)
            }
            None => {
                self.definitions.extend(definitions);
                (slice.end, Next::GoOn)
            }
        };
        self.forget_before(resume.as_ref().unwrap_or(&end));
        self.open = Some(Open { end, resume, since, is_partial });
        match next {
            Next::Edit(followed, end) => {
                let (followed, behind) = *followed;
                outcome.closed.push(self.close_before(followed, end, behind)?);
            }
            Next::Close => outcome.closed.extend(self.close()?),
            Next::GoOn if self.is_full() || since.elapsed() >= self.limits.trigger => {
                outcome.closed.extend(self.close()?);
            }
            Next::GoOn => {}
        }
        Ok(outcome)
    }

    /// Drops the definitions that no run begins with any more: none goes on before `place`.
    fn forget_before(&mut self, place: &Position) {
        let oldest = self.definitions.iter().rposition(|(behind, _)| place.reaches(behind));
        self.definitions.drain(..oldest.unwrap_or(0));
    }

    fn is_full(&self) -> bool {
        let held = self.fold.memory_bytes().saturating_add(self.dead_letters_bytes);
        held >= self.limits.bytes_max || self.definitions.len() >= DEFINITIONS_MAX
    }

    /// Ends the open epoch; none where nothing was read since the last one, or a transaction is not
    /// whole yet.
    ///
    /// # Errors
    /// Where what was folded cannot be gathered.
    pub fn close(&mut self) -> Result<Option<EpochWork>, RunError> {
        let Some(Open { end, resume, .. }) = self.open.take_if(|open| !open.is_partial) else {
            return Ok(None);
        };
        let definitions = self.needed(&end, resume.as_ref());
        let reached = resume.clone().unwrap_or_else(|| end.clone());
        let epoch = Epoch {
            number: self.number,
            all_durable: std::mem::replace(&mut self.reached, reached),
            end,
            changes: self.fold.take()?,
        };
        self.number = self.number.saturating_add(1);
        self.dead_letters_bytes = 0;
        let dead_letters = std::mem::take(&mut self.dead_letters);
        let doubted = std::mem::take(&mut self.doubted);
        let sources = self.sources.clone();
        let following = None;
        let load = self.load.clone();
        let load_before = std::mem::replace(&mut self.load_before, load.clone());
        Ok(Some(EpochWork {
            epoch,
            resume,
            dead_letters,
            sources,
            following,
            doubted,
            definitions,
            load_before,
            load,
        }))
    }

    /// Of the definitions that statements of the epoch made, those that a run may begin with: at the
    /// epoch's end, where it goes on before that, and behind the last statement.
    fn needed(
        &mut self,
        end: &Position,
        resume: Option<&Position>,
    ) -> Vec<(Position, Definitions)> {
        let all = std::mem::take(&mut self.definitions);
        let at = |place: &Position| all.iter().rposition(|(behind, _)| place.reaches(behind));
        let needed = [resume.and_then(at), at(end), all.len().checked_sub(1)];
        let numbered = all.iter().enumerate();
        let kept = numbered.filter(|(number, _)| needed.contains(&Some(*number)));
        kept.map(|(_, known)| known.clone()).collect()
    }

    /// Ends the open epoch before a statement that targets follow; `end` lies behind it.
    fn close_before(
        &mut self,
        followed: Followed,
        end: Position,
        behind: SeenTables,
    ) -> Result<EpochWork, RunError> {
        let within = || LakeError::Internal("a statement stands inside a transaction".into());
        let mut work = self.close()?.ok_or_else(within)?;
        let all_durable = self.reached.clone();
        self.reached = work.resume.clone().unwrap_or_else(|| end.clone());
        let Followed { edits, position, statement: text } = followed;
        self.fold.follow(&edits);
        self.sources.clone_from(&behind);
        let statement = Statement { number: work.epoch.number, all_durable, end, edits };
        work.following = Some(Following { statement, position, text, sources: behind });
        Ok(work)
    }

    /// How long the open epoch may still wait; none where nothing is open, or a transaction is not whole
    /// yet.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let open = self.open.as_ref().filter(|open| !open.is_partial)?;
        Some(self.limits.trigger.saturating_sub(open.since.elapsed()))
    }
}

#[cfg(test)]
mod tests;
