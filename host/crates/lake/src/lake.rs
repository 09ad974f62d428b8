//! The sink of a pipeline: all of its targets, an epoch at a time.
//!
//! The one way to a [`Durable`] is a finished [`Lake::commit`]: what is not on disk cannot be told to
//! be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use change::{LoadState, PathTemplate, Position, TableName, TargetPath};
use futures::StreamExt;

use crate::changes::TargetChanges;
use crate::edit::{RowsEdit, TableEdit};
use crate::error::LakeError;
use crate::index::KeyIndexes;
use crate::marker;
use crate::recover::{self, Recovered};
use crate::storage::{Home, StoreOptions};
use crate::table::locate::Caches;
use crate::table::upsert::Prepared;
use crate::table::{Shared, Step, Table};

/// Targets whose rows are written at once; more only compete for the same disk and cores.
const TARGETS_AT_ONCE: usize = 4;

/// How long a target may go without a commit of its own: then a small one carries its position, so
/// that it still knows where it stands when old log entries are deleted.
pub const QUIET_MAX: Duration = Duration::from_secs(600);

/// What becomes of columns that a target does not have (`sink.merge-schema`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewColumns {
    /// They are added, nullable, at the end; one that the source dropped is NULL from then on.
    #[default]
    Add,
    /// The pipeline stops.
    Refuse,
}

/// Whether a commit waits for a compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// No: it runs beside the flow, one at a time over all targets.
    #[default]
    Beside,
    /// Yes: [`Lake::maintain`] ends with it.
    Wait,
}

/// When and how far tables are tidied up.
#[derive(Clone, Debug)]
pub struct Maintenance {
    /// Whether a commit waits for a compaction.
    pub pace: Pace,
    /// Bytes at which a data file is ended.
    pub file_bytes: u64,
    /// Commits to a target after which it is looked at for compaction.
    pub compact_commits: u64,
    /// Files below half of `file_bytes` that a target may have before they are merged.
    pub small_files_max: usize,
    /// Share of dead rows from which on a file is rewritten, 0 to 1.
    pub dead_share_max: f64,
    /// Bytes of data files that one compaction takes.
    pub step_bytes_max: u64,
    /// Bytes that a compaction may hold of the rows that it reads. What it writes comes on top: up to
    /// twice `file_bytes`.
    pub memory_bytes_max: u64,
    /// Log entries of a target after which a log checkpoint is written.
    pub checkpoint_commits: u64,
    /// Commits to a target after which files are deleted that no version within its retention needs;
    /// 0: never.
    pub vacuum_commits: u64,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            file_bytes: 64 << 20,
            compact_commits: 25,
            small_files_max: 16,
            dead_share_max: 0.2,
            // One to two seconds of work.
            step_bytes_max: 32 << 20,
            memory_bytes_max: 128 << 20,
            checkpoint_commits: 100,
            vacuum_commits: 1000,
        }
    }
}

/// Tells the time; a test has its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// How a pipeline writes its targets.
#[derive(Clone, Debug)]
pub struct LakeOptions {
    /// Where targets lie.
    pub path: PathTemplate,
    /// The pipeline's name: tables carry it as the Delta application id `sluice:<name>`.
    pub pipeline: String,
    /// The digest of the chain that makes the rows.
    pub chain: String,
    /// The digest of the chain of the run before, where a checkpoint knows it. Where it is another
    /// one, no table is trusted to have every change.
    pub last_chain: Option<String>,
    /// What becomes of columns that a target does not have.
    pub new_columns: NewColumns,
    /// When tables are tidied up.
    pub maintenance: Maintenance,
    /// Where key indexes lie; none: keys are looked for by reading the key columns.
    pub key_indexes: Option<KeyIndexes>,
    /// How stores are reached.
    pub store: StoreOptions,
    /// Tells the time of commits.
    pub clock: Clock,
}

impl LakeOptions {
    /// With all defaults.
    #[must_use]
    pub fn new(path: PathTemplate, pipeline: impl Into<String>, chain: impl Into<String>) -> Self {
        Self {
            path,
            pipeline: pipeline.into(),
            chain: chain.into(),
            last_chain: None,
            new_columns: NewColumns::default(),
            maintenance: Maintenance::default(),
            key_indexes: None,
            store: StoreOptions::default(),
            clock: Clock::default(),
        }
    }
}

/// What every table needs of the options.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) pipeline: String,
    pub(crate) chain: String,
    pub(crate) last_chain: Option<String>,
    pub(crate) new_columns: NewColumns,
    pub(crate) maintenance: Maintenance,
    pub(crate) quiet: Duration,
    clock: Clock,
}

impl Settings {
    /// Milliseconds since 1970-01-01T00:00Z.
    pub(crate) fn now_ms(&self) -> i64 {
        let since = (self.clock.0)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// All changes of the log between two positions.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Counts up; lets readers align targets.
    pub number: u64,
    /// A point that every target had passed when the epoch began.
    pub all_durable: Position,
    /// The end of the epoch: the end of a transaction.
    pub end: Position,
    /// One for each target that gets something, in order of target.
    pub changes: Vec<TargetChanges>,
}

/// What a statement does to targets without telling it in rows.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The number of the epoch before it.
    pub number: u64,
    /// A point that every target has passed: the end of the epoch before it.
    pub all_durable: Position,
    /// The position behind it.
    pub end: Position,
    /// One edit for each target that it concerns. Several statements at one position are several
    /// columns of one edit.
    pub edits: Vec<TableEdit>,
}

/// The proof that everything up to a position is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    position: Position,
}

impl Durable {
    /// The position.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }
}

/// The targets of one pipeline.
#[derive(Debug)]
pub struct Lake {
    shared: Shared,
    store: StoreOptions,
    tables: BTreeMap<TargetPath, Table>,
    recovered: Recovered,
    /// How far the load of tables was when the next epoch begins.
    load: Option<Arc<LoadState>>,
    /// A commit failed half-way: what is in the tables is known only after they are read again.
    broken: bool,
}

impl Lake {
    /// Finds the targets below the template's prefix and what each knows of this pipeline.
    ///
    /// # Errors
    /// Where a store cannot be read, or a table of this pipeline cannot be written any more.
    pub async fn open(options: LakeOptions) -> Result<Self, LakeError> {
        let settings = Arc::new(Self::settings(&options));
        let LakeOptions { path, store, key_indexes, .. } = options;
        let shared = Shared { settings, caches: Arc::new(Caches::new(key_indexes)) };
        let mut tables = BTreeMap::new();
        let found = futures::stream::iter(recover::targets(&path, &store).await?);
        let opened = found.map(|target| {
            let (shared, store) = (&shared, &store);
            async move {
                let home = Home::new(target, store)?;
                recover::open_own(home, shared).await
            }
        });
        let mut opened = opened.buffer_unordered(TARGETS_AT_ONCE);
        // All of them come to their end, also behind an error: the Delta kernel's threads do not take it
        // well that nobody waits for them.
        let mut failed = None;
        while let Some(table) = opened.next().await {
            match table {
                Ok(Some(table)) => drop(tables.insert(table.home().target().clone(), table)),
                Ok(None) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        drop(opened);
        failed.map_or(Ok(()), Err)?;
        shared.caches.indexes.keep_only_tables(tables.values().map(Table::home));
        let recovered = Recovered::of(tables.values());
        Ok(Self { shared, store, tables, recovered, load: None, broken: false })
    }

    pub(crate) fn settings(options: &LakeOptions) -> Settings {
        Settings {
            pipeline: options.pipeline.clone(),
            chain: options.chain.clone(),
            last_chain: options.last_chain.clone(),
            new_columns: options.new_columns,
            maintenance: options.maintenance.clone(),
            quiet: QUIET_MAX,
            clock: options.clock.clone(),
        }
    }

    /// What the targets knew when the lake was opened.
    #[must_use]
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// The number of this pipeline's commits to each target so far.
    pub fn counters(&self) -> impl Iterator<Item = (&TargetPath, i64)> {
        self.tables.iter().map(|(target, table)| (target, table.progress().counter))
    }

    /// The furthest point that every target had passed, as the targets know it: nobody who has nothing
    /// but them goes on before it. None where nothing is committed.
    #[must_use]
    pub fn all_durable(&self) -> Option<Position> {
        Recovered::of(self.tables.values()).all_durable
    }

    /// Says how far the load of tables was when the next epoch began: each of its commits carries that, so that
    /// what it says is loaded lies in commits before it.
    pub fn carry(&mut self, load: Option<Arc<LoadState>>) {
        self.load = load;
    }

    /// Commits an epoch: one atomic commit for each target in `changes`, in their order, and small
    /// ones for targets that have been quiet too long.
    ///
    /// Nothing is tidied up here: that is [`Self::maintain`]'s, so that a table which cannot be tidied
    /// up never stands in the way of its rows.
    ///
    /// # Errors
    /// Whatever stops a commit. Some targets may have theirs then and others not: open the lake
    /// again before going on, this one refuses to.
    pub async fn commit(&mut self, epoch: Epoch) -> Result<Durable, LakeError> {
        self.check_sound()?;
        let Epoch { number, all_durable, end, changes } = epoch;
        if !changes.is_sorted_by(|a, b| a.target < b.target) {
            let text = "the changes of an epoch are not in order of target";
            return Err(LakeError::Internal(text.into()));
        }
        self.broken = true;
        marker::pass(marker::COMMIT_BEGIN);
        let step =
            Step { epoch: number, covered: end.clone(), all_durable, load: self.load.clone() };
        let changes = self.open_targets(changes).await?;
        let prepared = match self.prepare(&changes).await {
            // Others rearranged files, and deleted the old ones at once.
            Err(error) if error.is_missing_file() => {
                for table in changes.iter().map(|c| &c.target) {
                    if let Some(table) = self.tables.get_mut(table) {
                        table.catch_up_with_others().await?;
                    }
                }
                self.prepare(&changes).await
            }
            prepared => prepared,
        };
        let mut prepared = prepared?;
        for (i, changes) in changes.iter().enumerate() {
            if i > 0 {
                marker::pass(marker::COMMIT_BETWEEN_TARGETS);
            }
            let (Some(table), Some(prepared)) =
                (self.tables.get_mut(&changes.target), prepared.remove(&changes.target))
            else {
                return Err(LakeError::Internal(format!("{} is not open", changes.target)));
            };
            table.commit(prepared, changes, &step).await?;
        }
        for (target, table) in &mut self.tables {
            let busy = changes.binary_search_by(|c| c.target.cmp(target)).is_ok();
            if !busy && table.is_quiet() {
                table.advance(&step).await?;
            }
        }
        marker::pass(marker::COMMIT_END);
        self.broken = false;
        Ok(Durable { position: end })
    }

    /// Applies what a statement does to targets, one atomic commit each, with the position behind it.
    ///
    /// The statement stands between two epochs: the one before ends at `SchemaChange::before`, and
    /// `end` is the position behind the statement. A target that has that position already has the
    /// edit as well and is left as it is, so that a replay changes nothing. Targets that are not
    /// named are not touched; the next epoch brings them the position.
    ///
    /// # Errors
    /// As [`Self::commit`]; also where the columns do not allow the edit. Nothing of this target has
    /// changed then.
    pub async fn edit(&mut self, statement: Statement) -> Result<Durable, LakeError> {
        self.check_sound()?;
        let Statement { number, all_durable, end, edits } = statement;
        self.broken = true;
        let step =
            Step { epoch: number, covered: end.clone(), all_durable, load: self.load.clone() };
        for (at, edit) in edits.iter().enumerate() {
            if at > 0 {
                marker::pass(marker::EDIT_BETWEEN_TARGETS);
            }
            if let RowsEdit::Take { from, source } = &edit.rows {
                self.take(edit, (from, source), &step).await?;
                continue;
            }
            let goes_on = edits.iter().skip(at.saturating_add(1)).any(|e| e.target == edit.target);
            if let Some(table) = self.known(&edit.target).await? {
                match goes_on {
                    true => table.edit_first(edit, &step).await?,
                    false => table.edit(edit, &step).await?,
                }
            }
        }
        self.broken = false;
        Ok(Durable { position: end })
    }

    /// A target that is there.
    async fn known(&mut self, target: &TargetPath) -> Result<Option<&mut Table>, LakeError> {
        if !self.tables.contains_key(target) {
            let home = Home::new(target.clone(), &self.store)?;
            if let Some(table) = Table::open(home, &self.shared).await? {
                self.tables.insert(target.clone(), table);
            }
        }
        Ok(self.tables.get_mut(target))
    }

    /// A target gets what another one held before the statement, wherever that one is by now.
    async fn take(
        &mut self,
        edit: &TableEdit,
        (from, source): (&TargetPath, &TableName),
        step: &Step,
    ) -> Result<(), LakeError> {
        if self.known(&edit.target).await?.is_some_and(|table| table.follows(step)) {
            return Ok(());
        }
        let origin = match self.known(from).await? {
            Some(table) => table.before(source, step).await?,
            // Not one of its rows ever reached a target.
            None => None,
        };
        let Some(origin) = origin else {
            let vacate = TableEdit { rows: RowsEdit::Vacate, ..edit.clone() };
            return match self.known(&edit.target).await? {
                Some(table) => table.edit(&vacate, step).await,
                None => Ok(()),
            };
        };
        if !self.tables.contains_key(&edit.target) {
            let home = Home::new(edit.target.clone(), &self.store)?;
            let table = Table::open_or_create_like(home, &self.shared, origin.state()).await?;
            self.tables.insert(edit.target.clone(), table);
        }
        match self.tables.get_mut(&edit.target) {
            Some(table) => table.take(edit, &origin, step).await,
            None => Err(LakeError::Internal(format!("{} is not open", edit.target))),
        }
    }

    fn check_sound(&self) -> Result<(), LakeError> {
        if !self.broken {
            return Ok(());
        }
        let text = "a commit failed before: open the lake again to see how far it came";
        Err(LakeError::Internal(text.into()))
    }

    /// What the targets of these source tables hold is not known any more: the operator has dealt with a
    /// statement that the log's rows do not tell of. From now on every key is looked for there, and the
    /// next commit says so in each of them. `db.*` stands for every table of a database.
    pub fn doubt(&mut self, tables: &[TableName]) {
        let is_meant = |source: &TableName| {
            let of_all = |t: &TableName| t.table == "*" && t.database == source.database;
            tables.iter().any(|table| table == source || of_all(table))
        };
        for table in self.tables.values_mut() {
            let sources = table.progress().sources.as_ref();
            if sources.is_none_or(|k| k.incomplete || k.tables.iter().any(|s| is_meant(&s.table))) {
                table.doubt();
            }
        }
    }

    /// Tidies up where that is due; to be called after each commit, once its position has been stored, so
    /// that nobody waits for it. The files of a compaction that has ended take the place of the old
    /// ones, the next compaction begins, log checkpoints are written. A failure to tidy up is a warning.
    ///
    /// # Errors
    /// Where a table has been taken over by others.
    pub async fn maintain(&mut self) -> Result<(), LakeError> {
        let maintained = self.try_maintain().await;
        self.broken |= maintained.is_err();
        maintained
    }

    async fn try_maintain(&mut self) -> Result<(), LakeError> {
        for table in self.tables.values_mut() {
            table.take_up_compaction().await?;
            table.take_up_vacuum().await;
        }
        // One at a time, that of the table with the most commits since its last: they share the memory
        // that a compaction may take.
        while !self.tables.values().any(Table::is_compacting) {
            let due = self.tables.values_mut().filter_map(|t| Some((t.compaction_due()?, t)));
            let Some((_, table)) = due.max_by_key(|(commits, _)| *commits) else { break };
            table.begin_compaction().await?;
            if table.compaction_due().is_some() {
                // There is more to do, for the next time.
                break;
            }
        }
        for table in self.tables.values_mut() {
            table.checkpoint_where_due().await;
        }
        if !self.tables.values().any(Table::is_vacuuming)
            && let Some(table) = self.tables.values_mut().find(|t| t.vacuum_due())
        {
            table.begin_vacuum();
        }
        Ok(())
    }

    /// Ends what runs beside the flow: a compaction and a vacuum that have begun come to their end. To be
    /// called when the last epoch is committed.
    ///
    /// # Errors
    /// As [`Self::maintain`].
    pub async fn settle(&mut self) -> Result<(), LakeError> {
        for table in self.tables.values_mut() {
            if let Err(error) = table.end_compaction().await {
                self.broken = true;
                return Err(error);
            }
            table.end_vacuum().await;
        }
        Ok(())
    }

    /// Opens or makes the tables of an epoch; gives the changes in the types of their tables.
    async fn open_targets(
        &mut self,
        changes: Vec<TargetChanges>,
    ) -> Result<Vec<TargetChanges>, LakeError> {
        let mut fitted = Vec::with_capacity(changes.len());
        for changes in changes {
            if !self.tables.contains_key(&changes.target) {
                let home = Home::new(changes.target.clone(), &self.store)?;
                let table = Table::open_or_create(home, &self.shared, &changes.schema).await?;
                self.tables.insert(changes.target.clone(), table);
            }
            let Some(table) = self.tables.get_mut(&changes.target) else { continue };
            table.occupy(&changes.schema).await?;
            table.widen_for(&changes).await?;
            fitted.push(changes.in_types_of(table.columns())?);
        }
        Ok(fitted)
    }

    /// Writes the rows of all targets; nothing is in a log yet.
    async fn prepare(
        &self,
        changes: &[TargetChanges],
    ) -> Result<BTreeMap<TargetPath, Prepared>, LakeError> {
        let work = changes.iter().filter_map(|c| Some((self.tables.get(&c.target)?, c)));
        let work = futures::stream::iter(work)
            .map(|(table, changes)| async move { (table, changes, table.prepare(changes).await) });
        let done: Vec<_> = work.buffer_unordered(TARGETS_AT_ONCE).collect().await;
        let (mut prepared, mut failed) = (Vec::new(), None);
        for (table, changes, result) in done {
            match result {
                Ok(one) => prepared.push((table, changes.target.clone(), one)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let Some(error) = failed else {
            return Ok(prepared.into_iter().map(|(_, target, one)| (target, one)).collect());
        };
        for (table, _, one) in prepared {
            table.forsake(one).await;
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests;
