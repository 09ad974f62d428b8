//! One target: a Delta table that one pipeline upserts into.
//!
//! An epoch's changes are prepared (new rows to Parquet, old versions found and marked dead), made
//! durable, and committed by one log entry. Nothing that is not in a log entry is ever read, so a
//! crash at any point leaves the table as it was.

pub(crate) mod bounds;
pub(crate) mod checkpoint;
pub(crate) mod columns;
pub(crate) mod compact;
pub(crate) mod compat;
pub(crate) mod complete;
pub(crate) mod conflict;
pub(crate) mod deletion;
pub(crate) mod entry;
pub(crate) mod evolve;
pub(crate) mod files;
pub(crate) mod garbage;
pub(crate) mod identity;
pub(crate) mod keys;
pub(crate) mod locate;
pub(crate) mod merge;
pub(crate) mod multiset;
pub(crate) mod open;
pub(crate) mod progress;
pub(crate) mod read;
pub(crate) mod rewrite;
pub(crate) mod state;
pub(crate) mod stats;
pub(crate) mod take;
pub(crate) mod upkeep;
pub(crate) mod upsert;
pub(crate) mod weight;
pub(crate) mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use change::{LoadState, Position};
use deltalake::kernel::{Action, Add};
use serde_json::{Map, Value};

use crate::error::LakeError;
use crate::lake::Settings;
use crate::marker;
use crate::sources::SourceKeys;
use crate::storage::{Home, Published};
use crate::table::entry::Operation;
use crate::table::identity::RowIdentity;
use crate::table::locate::Caches;
use crate::table::progress::{Lookups, Progress};
use crate::table::state::State;

/// Times that a commit is done again because others were faster.
pub(crate) const ATTEMPTS_MAX: usize = 10;

/// What all tables of a pipeline share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) caches: Arc<Caches>,
}

/// What has gathered in a table since it was last tidied up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wear {
    /// Commits since the last compaction was looked at.
    pub(crate) commits: u64,
    /// Commits since the last log checkpoint.
    pub(crate) entries: u64,
}

/// Who writes to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The pipeline: its commits carry its progress.
    Pipeline,
    /// Somebody who tidies up, while the pipeline may be running: as any other writer would.
    Guest,
}

/// A table that is open for writing.
#[derive(Debug)]
pub(crate) struct Table {
    home: Home,
    shared: Shared,
    state: State,
    /// As of the pipeline's newest commit.
    progress: Progress,
    /// The names of the id columns, where they are known.
    ids: Option<Vec<String>>,
    wear: Wear,
    /// Data files that are too large to be rewritten within the memory of a compaction.
    unfit: BTreeSet<String>,
    /// A compaction that runs beside the flow.
    job: Option<compact::Job>,
    role: Role,
    upkeep: upkeep::Upkeep,
    /// When the pipeline last committed, milliseconds since 1970.
    committed_ms: i64,
}

/// What an epoch brings to every target.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) epoch: u64,
    pub(crate) covered: Position,
    pub(crate) all_durable: Position,
    /// How far the load of tables was when the epoch began; none where the pipeline loads none.
    pub(crate) load: Option<Arc<LoadState>>,
}

/// What a log entry does to the list of files.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileChanges {
    pub(crate) actions: Vec<Action>,
    pub(crate) gone: Vec<String>,
    pub(crate) come: Vec<Add>,
}

impl Table {
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> &SchemaRef {
        &self.state.arrow
    }

    /// How the source tables are told apart, as far as the log still knows; the order of the id
    /// columns stands in the table's properties as well.
    pub(crate) fn source_keys(&self) -> Option<SourceKeys> {
        if self.progress.vacant {
            return self.progress.sources.clone();
        }
        // Of a table that others made not even the id columns are left.
        let known = self.progress.sources.clone().filter(|known| !known.id_columns.is_empty());
        let whole_row = self.is_whole_row();
        let of = |id_columns| SourceKeys { id_columns, whole_row, ..SourceKeys::default() };
        known.or_else(|| self.state.id_columns().map(of))
    }

    /// Whether the pipeline wrote rows of which nothing tells the source table any more.
    pub(crate) fn sources_are_lost(&self) -> bool {
        let has_rows = self.state.files.iter().next().is_some();
        has_rows && self.progress.sources.as_ref().is_some_and(|sources| sources.incomplete)
    }

    /// Whether the table is a multiset of whole rows.
    pub(crate) fn is_whole_row(&self) -> bool {
        match self.state.identity() {
            Some(identity) => identity == RowIdentity::WholeRow,
            // A table that others made says nothing of it; the pipeline's commits do.
            None => self.progress.sources.as_ref().is_some_and(|s| s.whole_row),
        }
    }

    fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    fn now_ms(&self) -> i64 {
        self.settings().now_ms()
    }

    /// Whether the table has not heard of the pipeline for as long as a target may stay quiet.
    pub(crate) fn is_quiet(&self) -> bool {
        let quiet_ms = i64::try_from(self.settings().quiet.as_millis()).unwrap_or(i64::MAX);
        self.now_ms().saturating_sub(self.committed_ms) >= quiet_ms
    }

    /// The table may hold other rows than the pipeline wrote. The next epoch tells it in the table, even
    /// where it brings no change.
    pub(crate) fn doubt(&mut self) {
        if self.progress.lookups == Lookups::WhereNeeded {
            self.progress.lookups = Lookups::Always;
            self.committed_ms = 0;
        }
    }

    /// The progress that the next commit carries.
    fn next_progress(&self, step: Option<&Step>) -> Progress {
        let mut next = self.progress.clone();
        next.counter = next.counter.saturating_add(1);
        if let Some(step) = step {
            next.chain.clone_from(&self.settings().chain);
            next.epoch = step.epoch.max(next.epoch);
            next.covered = further(next.covered, &step.covered);
            next.all_durable = further(next.all_durable, &step.all_durable);
            if let Some(load) = &step.load {
                next.load = Some(LoadState::clone(load));
            }
        }
        next
    }

    /// A commit that carries nothing but a position.
    pub(crate) async fn advance(&mut self, step: &Step) -> Result<(), LakeError> {
        for _ in 0..ATTEMPTS_MAX {
            let next = self.next_progress(Some(step));
            marker::pass(marker::ADVANCE_BEFORE_LOG_ENTRY);
            let changes = FileChanges::default();
            match self.publish(Operation::Advance, Map::new(), changes, next).await? {
                Published::Done => return Ok(()),
                Published::Taken => self.follow().await?,
            }
        }
        Err(self.contended())
    }

    fn contended(&self) -> LakeError {
        LakeError::Contended { target: self.home.target().to_string(), attempts: ATTEMPTS_MAX }
    }

    /// Writes the next log entry and, where the version was free, takes it over into the state.
    async fn publish(
        &mut self,
        operation: Operation,
        metrics: Map<String, Value>,
        changes: FileChanges,
        progress: Progress,
    ) -> Result<Published, LakeError> {
        let now_ms = self.now_ms();
        let FileChanges { actions, gone, come } = changes;
        let told = (self.role == Role::Pipeline).then_some(&progress);
        let entry = entry::encode(&self.home, operation, metrics, told, actions, now_ms)?;
        // A store makes missing folders by itself: without this look a table that was deleted under
        // our feet would come back as a log that begins in its middle.
        if !self.home.has_entry(self.state.version).await? {
            let missing = format!("log entry {}", self.state.version);
            return Err(LakeError::Vanished { target: self.home.target().to_string(), missing });
        }
        let version = self.state.version.saturating_add(1);
        let published = self.home.publish(version, entry).await?;
        if published == Published::Done {
            // Only epochs let rows die one by one; whatever else takes a file away may put its rows elsewhere.
            let in_place = matches!(operation, Operation::Update | Operation::Advance);
            if let Some(job) = self.job.as_mut().filter(|_| !in_place) {
                job.spoil();
            }
            self.state.version = version;
            for name in &gone {
                self.state.files.remove(name);
                self.shared.caches.indexes.forget(&self.home, name);
            }
            for add in come {
                self.state.files.insert(add);
            }
            self.progress = progress;
            self.committed_ms = now_ms;
            self.wear.entries = self.wear.entries.saturating_add(1);
        }
        Ok(published)
    }

    /// Takes over what others committed, where there is something.
    pub(crate) async fn catch_up_with_others(&mut self) -> Result<(), LakeError> {
        match self.home.has_entry(self.state.version.saturating_add(1)).await? {
            true => self.follow().await,
            false => Ok(()),
        }
    }

    /// Takes over what others committed, or stops where that cannot be followed.
    async fn follow(&mut self) -> Result<(), LakeError> {
        let target = self.home.target().to_string();
        let Some(fresh) = State::load(&self.home, None).await? else {
            return Err(LakeError::Vanished { target, missing: "its log".into() });
        };
        for version in self.state.version.saturating_add(1)..=fresh.version {
            let Some(bytes) = self.home.read_entry(version).await? else {
                return Err(LakeError::Vanished {
                    target,
                    missing: format!("log entry {version}"),
                });
            };
            let entry = entry::decode(&self.home, version, &bytes)?;
            let seen = conflict::Seen {
                target: &target,
                pipeline: &self.settings().pipeline,
                counter: self.progress.counter,
            };
            match conflict::judge(&entry, &seen)? {
                conflict::Verdict::SameRows => {
                    tracing::info!(target = %target, version, operation = %entry.operation, "following a commit by others");
                }
                conflict::Verdict::OtherRows => {
                    tracing::warn!(target = %target, version, operation = %entry.operation, "others change rows of this table");
                    self.doubt();
                }
            }
        }
        if let Some(job) = &mut self.job {
            job.spoil();
        }
        self.state = fresh;
        Ok(())
    }
}

/// A position never goes back: while others catch up after a crash, a target that is ahead stays
/// where it is.
fn further(known: Option<Position>, next: &Position) -> Option<Position> {
    known.filter(|k| k.reaches(next)).or_else(|| Some(next.clone()))
}

#[cfg(test)]
impl Table {
    /// As where the newest commit of the pipeline is not in the log any more.
    pub(crate) fn forget_sources_for_test(&mut self) {
        self.progress.sources = Some(self.state.lost_sources());
    }

    /// From now on it writes as somebody else would.
    pub(crate) fn be_a_guest_for_test(&mut self) {
        self.role = Role::Guest;
    }

    /// Takes over what others committed.
    pub(crate) async fn follow_for_test(&mut self) {
        self.follow().await.expect("followed");
    }
}
