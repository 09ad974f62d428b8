//! Rewrites small files and files with many dead rows into few files sorted by key, without changing
//! a row.
//!
//! Files are read and written beside the flow; epochs go on meanwhile, and what they delete of the rows
//! that are being moved is carried over to the new files when these take their place, in the writer's
//! own order: no commit can starve a compaction, and none waits for one. A step takes a bounded number
//! of files, rows and bytes; what is left is the next step's.

mod carry;
mod guest;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_schema::SchemaRef;
use deltalake::kernel::{Action, Add};
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use crate::error::LakeError;
use crate::lake::{Maintenance, Pace};
use crate::marker;
use crate::storage::Published;
use crate::table::entry::Operation;
use crate::table::files::{DataChange, DataFile, Files};
use crate::table::rewrite::{Origins, Rewriter, Rewritten};
use crate::table::state::PIPELINE_PROPERTY;
use crate::table::write::NewFile;
use crate::table::{FileChanges, Table, read, rewrite};

/// Files that one step takes: each keeps a row group and a decoded batch in memory.
const FILES_MAX: usize = 64;

/// Rows that one step moves while epochs go on: where each comes from is noted, in eight bytes. A
/// larger file is moved alone, between two epochs.
const ROWS_BESIDE_MAX: u64 = 4 << 20;

/// What a step takes, and whether there is more.
#[derive(Debug, Default, PartialEq, Eq)]
struct Choice {
    /// What gains most comes first.
    names: Vec<String>,
    rows: u64,
    more: bool,
}

/// A compaction that runs beside the flow.
#[derive(Debug)]
pub(crate) struct Job {
    handle: JoinHandle<Outcome>,
    stop: Arc<AtomicBool>,
    /// The columns as they were when it began.
    schema: SchemaRef,
    /// The table's files were changed otherwise than by epochs: what is written is of no use.
    is_stale: bool,
}

impl Job {
    pub(crate) fn spoil(&mut self) {
        self.is_stale = true;
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Outcome {
    rewritten: Option<Rewritten>,
    /// Files that no memory is enough for.
    too_large: Vec<String>,
}

impl Table {
    /// Whether the pipeline made the table.
    pub(crate) fn is_own(&self) -> bool {
        self.state.property(PIPELINE_PROPERTY) == Some(self.settings().pipeline.as_str())
    }

    /// Commits since the last look for a compaction, where one is due.
    pub(crate) fn compaction_due(&self) -> Option<u64> {
        let due = self.wear.commits >= self.settings().maintenance.compact_commits.max(1);
        (due && self.job.is_none() && self.progress.counter > 0).then_some(self.wear.commits)
    }

    /// Whether a compaction runs beside the flow.
    pub(crate) fn is_compacting(&self) -> bool {
        self.job.is_some()
    }

    /// Begins a compaction where something gains by it. What fails before the log is touched is a
    /// warning: the table is as it was, and the next epoch is worth more than a tidy table.
    pub(crate) async fn begin_compaction(&mut self) -> Result<(), LakeError> {
        let rules = self.settings().maintenance.clone();
        let choice = choose(&self.state.files, &rules, &self.unfit);
        // What is left waits behind the tables that have waited longer.
        self.wear.commits = if choice.more { rules.compact_commits.max(1) } else { 0 };
        let Some(ids) = self.known_ids().filter(|_| !choice.names.is_empty()) else {
            self.wear.commits = 0;
            return Ok(());
        };
        let beside = rules.pace == Pace::Beside && choice.rows <= ROWS_BESIDE_MAX;
        let origins = if beside { Origins::Noted } else { Origins::Unknown };
        let chosen = choice.names.iter().filter_map(|n| self.state.files.get(n)).cloned().collect();
        let stop = Arc::new(AtomicBool::new(false));
        let rewriter = self.rewriter(&stop);
        // Mostly long, plain work: not on a thread that others wait for.
        let runtime = tokio::runtime::Handle::current();
        let handle = tokio::task::spawn_blocking(move || {
            runtime.block_on(compact(&rewriter, chosen, &ids, origins))
        });
        let schema = Arc::clone(&self.state.arrow);
        self.job = Some(Job { handle, stop, schema, is_stale: false });
        if beside { Ok(()) } else { self.end_compaction().await }
    }

    fn rewriter(&self, stop: &Arc<AtomicBool>) -> Rewriter {
        Rewriter {
            home: self.home.clone(),
            shared: self.shared.clone(),
            schema: Arc::clone(&self.state.arrow),
            stop: Arc::clone(stop),
        }
    }

    /// Puts the files of a compaction that is done in the place of the old ones.
    pub(crate) async fn take_up_compaction(&mut self) -> Result<(), LakeError> {
        if self.job.as_ref().is_some_and(|job| job.handle.is_finished()) {
            return self.end_compaction().await;
        }
        Ok(())
    }

    /// Waits for the compaction that runs, and puts its files in the place of the old ones.
    pub(crate) async fn end_compaction(&mut self) -> Result<(), LakeError> {
        let Some(mut job) = self.job.take() else { return Ok(()) };
        let ended = (&mut job.handle).await;
        let outcome =
            ended.map_err(|e| LakeError::Internal(format!("a compaction did not end: {e}")))?;
        self.unfit.extend(outcome.too_large);
        let Some(rewritten) = outcome.rewritten else { return Ok(()) };
        if job.is_stale || job.schema != self.state.arrow {
            tracing::debug!(target = %self.home.target(), "a compaction was overtaken");
            rewrite::discard(&self.home, &rewritten.files).await;
            return Ok(());
        }
        let adds = match self.carry_over(&rewritten).await {
            Ok(adds) => adds,
            Err(error) => {
                tracing::warn!(target = %self.home.target(), %error, "compaction failed, going on without");
                rewrite::discard(&self.home, &rewritten.files).await;
                return Ok(());
            }
        };
        self.publish_compaction(rewritten, adds).await
    }

    async fn publish_compaction(
        &mut self,
        rewritten: Rewritten,
        adds: Vec<Add>,
    ) -> Result<(), LakeError> {
        let target = self.home.target().clone();
        let names: Vec<&str> = rewritten.sources.iter().map(|s| s.name.as_str()).collect();
        let (changes, metrics) = self.exchange(&names, adds);
        // New files of which no row is left do not enter the table.
        let enters = |file: &NewFile| changes.come.iter().any(|add| add.path == file.add.path);
        let (files, dead): (Vec<_>, Vec<_>) = rewritten.files.iter().cloned().partition(enters);
        rewrite::discard(&self.home, &dead).await;
        if changes.actions.is_empty() {
            return Ok(());
        }
        let next = self.next_progress(None);
        marker::pass(marker::COMPACT_BEFORE_LOG_ENTRY);
        let published = self.publish(Operation::Compact, metrics, changes, next).await?;
        if published == Published::Taken {
            // Others were faster, and their files are not what was read: leave it for next time.
            rewrite::discard(&self.home, &files).await;
            return self.follow().await;
        }
        marker::pass(marker::COMPACT_AFTER_LOG_ENTRY);
        for file in &files {
            let footers = &self.shared.caches.footers;
            if let Some(footer) = &file.footer {
                read::keep_footer(&self.home, footers, &file.add.path, footer);
            }
        }
        tracing::info!(target = %target, files = names.len(), into = files.len(),
            rows = files.iter().map(|f| f.rows).sum::<u64>(), "compacted");
        Ok(())
    }

    /// The id columns by name, where the table, its commits or the changes of an epoch told them.
    pub(crate) fn id_names(&self) -> Option<Vec<String>> {
        let told = || self.progress.sources.as_ref().map(|sources| sources.id_columns.clone());
        self.ids.clone().or_else(told)
    }

    /// The id columns by index, where they are known.
    pub(crate) fn known_ids(&self) -> Option<Vec<usize>> {
        if self.is_whole_row() {
            return Some((0..self.state.arrow.fields().len()).collect());
        }
        let names = self.id_names().filter(|names| !names.is_empty())?;
        let indexes: Result<Vec<usize>, _> =
            names.iter().map(|n| self.state.arrow.index_of(n)).collect();
        indexes.ok()
    }

    /// The actions that put new files in the place of old ones, and what the log says of it.
    fn exchange(&self, names: &[&str], adds: Vec<Add>) -> (FileChanges, Map<String, Value>) {
        let now_ms = self.now_ms();
        let mut changes = FileChanges::default();
        for file in names.iter().filter_map(|n| self.state.files.get(n)) {
            changes.actions.push(Action::Remove(file.remove(DataChange::No, now_ms)));
            changes.gone.push(file.name().to_owned());
        }
        let metrics = [
            ("numRemovedFiles", changes.gone.len().to_string()),
            ("numAddedFiles", adds.len().to_string()),
        ];
        changes.come = adds;
        changes.actions.extend(changes.come.iter().cloned().map(Action::Add));
        let metrics = metrics.map(|(k, v)| (k.to_owned(), Value::String(v)));
        (changes, metrics.into_iter().collect())
    }
}

/// Reads the chosen files and writes their live rows anew. A failure is a warning.
async fn compact(
    rewriter: &Rewriter,
    chosen: Vec<DataFile>,
    ids: &[usize],
    origins: Origins,
) -> Outcome {
    let mut outcome = Outcome::default();
    let rewritten = async {
        let mut sources = rewriter.sources(chosen.iter(), ids).await?;
        outcome.too_large.append(&mut sources.too_large);
        let names: BTreeSet<&str> = sources.names().collect();
        // One file that memory allows, of many that would gain together, gains nothing alone.
        let rules = &rewriter.shared.settings.maintenance;
        let worn = chosen.iter().any(|f| names.contains(f.name()) && is_worn(f, rules));
        let alone = sources.left_out && names.len() < 2 && !worn;
        if names.is_empty() || alone {
            return Ok(None);
        }
        rewriter.rewrite(&sources, ids, origins).await.map(Some)
    };
    match rewritten.await {
        Ok(rewritten) => outcome.rewritten = rewritten,
        Err(_) if rewriter.stop.load(Ordering::Relaxed) => {}
        Err(error) => {
            let target = rewriter.home.target();
            tracing::warn!(target = %target, %error, "compaction failed, going on without");
        }
    }
    outcome
}

fn is_worn(file: &DataFile, rules: &Maintenance) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a share of rows needs no exactness")]
    let share = |rows: u64| file.dead_rows() as f64 / rows as f64;
    let is_dead = |rows: u64| file.dead_rows() > 0 && share(rows) >= rules.dead_share_max;
    file.rows().is_some_and(|rows| rows > 0 && is_dead(rows))
}

/// The files that gain by being rewritten: the worn ones and with them the small ones, or the small
/// ones alone once there are many.
fn choose(files_by_name: &Files, rules: &Maintenance, unfit: &BTreeSet<String>) -> Choice {
    let files = || files_by_name.iter().filter(|f| !unfit.contains(f.name()));
    let mut worn: Vec<&DataFile> = files().filter(|f| is_worn(f, rules)).collect();
    let is_small = |f: &&DataFile| f.size() < rules.file_bytes / 2 && !is_worn(f, rules);
    let mut small: Vec<&DataFile> = files().filter(is_small).collect();
    // Where files are rewritten anyway, small ones come along for little.
    if worn.is_empty() && small.len() < rules.small_files_max.max(2) {
        small.clear();
    }
    small.sort_unstable_by_key(|f| f.size());
    worn.sort_unstable_by_key(|f| std::cmp::Reverse(f.dead_rows()));
    let is_worn_by = |name: &str| files_by_name.get(name).is_some_and(|f| is_worn(f, rules));
    let mut choice = Choice::default();
    let mut bytes = 0_u64;
    for file in worn.into_iter().chain(small) {
        bytes = bytes.saturating_add(file.size());
        // Of a file that does not say how many rows it has, no more is taken beside the flow.
        let rows = choice.rows.saturating_add(file.rows().unwrap_or(ROWS_BESIDE_MAX));
        let full = bytes > rules.step_bytes_max
            || rows > ROWS_BESIDE_MAX
            || choice.names.len() >= FILES_MAX;
        if full && !choice.names.is_empty() {
            choice.more = true;
            break;
        }
        choice.rows = rows;
        choice.names.push(file.name().to_owned());
    }
    // A small file alone stays what it is, and those behind it are larger.
    let alone = choice.names.len() == 1 && choice.names.iter().all(|n| !is_worn_by(n));
    if alone { Choice::default() } else { choice }
}

#[cfg(test)]
mod tests {
    use deltalake::kernel::{Add, DeletionVectorDescriptor, StorageType};

    use super::*;

    fn add(name: &str, size: i64, rows: u64, dead: i64) -> Add {
        let vector = DeletionVectorDescriptor {
            storage_type: StorageType::UuidRelativePath,
            path_or_inline_dv: String::new(),
            offset: None,
            size_in_bytes: 0,
            cardinality: dead,
        };
        Add {
            path: name.into(),
            size,
            stats: Some(format!("{{\"numRecords\":{rows}}}")),
            deletion_vector: (dead > 0).then_some(vector),
            ..Add::default()
        }
    }

    fn chosen(adds: &[Add]) -> Vec<String> {
        chosen_in(adds, 250)
    }

    fn chosen_in(adds: &[Add], step_bytes_max: u64) -> Vec<String> {
        let mut files = Files::default();
        adds.iter().for_each(|a| files.insert(a.clone()));
        let rules = Maintenance {
            file_bytes: 100,
            small_files_max: 3,
            dead_share_max: 0.25,
            step_bytes_max,
            ..Maintenance::default()
        };
        let mut choice = choose(&files, &rules, &BTreeSet::from(["unfit".to_owned()]));
        choice.names.sort_unstable();
        choice.names.into_iter().chain(choice.more.then(|| "more".to_owned())).collect()
    }

    #[test]
    fn only_files_that_gain_are_chosen() {
        let big = |name: &str, dead| add(name, 90, 100, dead);
        let small = |name: &str| add(name, 10, 10, 0);
        assert!(chosen(&[big("a", 24), small("b"), small("c")]).is_empty());
        assert_eq!(chosen(&[big("a", 25), small("b"), small("c")]), ["a", "b", "c"]);
        assert_eq!(chosen(&[big("a", 0), small("b"), small("c"), small("d")]), ["b", "c", "d"]);
        assert!(chosen(&[big("unfit", 99)]).is_empty());
        let twice_too_large = [add("a", 45, 10, 0), add("b", 46, 10, 0), add("c", 47, 10, 0)];
        assert_eq!(chosen_in(&twice_too_large, 60), [""; 0], "one alone gains nothing");
        let many = [big("a", 30), big("b", 40), big("c", 50)];
        assert_eq!(chosen(&many), ["b", "c", "more"], "the most worn first, up to a step's bytes");
    }
}
