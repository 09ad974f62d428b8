//! Rewrites small files and files with many dead rows into few files sorted by key, without changing
//! a row.
//!
//! It happens in the writer's own order, between two epochs, so that it never races with one. A step
//! takes a bounded number of files and bytes; what is left is the next step's.

use std::collections::BTreeSet;

use deltalake::kernel::Action;
use serde_json::{Map, Value};

use crate::error::LakeError;
use crate::lake::Maintenance;
use crate::marker;
use crate::storage::Published;
use crate::table::entry::Operation;
use crate::table::files::{DataChange, DataFile, Files};
use crate::table::state::PIPELINE_PROPERTY;
use crate::table::write::NewFile;
use crate::table::{FileChanges, Table, read};

/// Files that one step takes: each keeps a row group and a decoded batch in memory.
const FILES_MAX: usize = 64;

/// What a step takes, and whether there is more.
#[derive(Debug, Default, PartialEq, Eq)]
struct Choice {
    /// What gains most comes first.
    names: Vec<String>,
    more: bool,
}

impl Table {
    /// Whether the pipeline made the table.
    pub(crate) fn is_own(&self) -> bool {
        self.state.property(PIPELINE_PROPERTY) == Some(self.settings().pipeline.as_str())
    }

    /// Tidies up where that is due. What fails before the log is touched is a warning: the table is
    /// as it was, and the next epoch is worth more than a tidy table.
    pub(crate) async fn maintain(&mut self) -> Result<(), LakeError> {
        let rules = self.settings().maintenance.clone();
        if self.wear.commits >= rules.compact_commits.max(1) {
            let choice = choose(&self.state.files, &rules, &self.unfit);
            if !choice.more {
                self.wear.commits = 0;
            }
            if !choice.names.is_empty() && self.progress.counter > 0 {
                self.compact(&choice).await?;
            }
        }
        if self.wear.entries >= rules.checkpoint_commits.max(1) {
            self.wear.entries = 0;
            self.write_checkpoint().await;
        }
        Ok(())
    }

    async fn compact(&mut self, choice: &Choice) -> Result<(), LakeError> {
        let target = self.home.target().clone();
        let Some(ids) = self.known_ids() else {
            return Ok(());
        };
        let chosen: Vec<DataFile> =
            choice.names.iter().filter_map(|n| self.state.files.get(n)).cloned().collect();
        let mut unfit = Vec::new();
        let rewritten = async {
            let mut sources = self.sources(chosen.iter(), &ids).await?;
            unfit.append(&mut sources.too_large);
            let names: Vec<String> = sources.names().map(str::to_owned).collect();
            // One file that memory allows, of many that would gain together, gains nothing alone.
            let rules = &self.settings().maintenance;
            let alone = sources.left_out
                && names.len() < 2
                && !chosen.iter().any(|f| names.iter().any(|n| n == f.name()) && is_worn(f, rules));
            if names.is_empty() || alone {
                return Ok((Vec::new(), Vec::new()));
            }
            self.rewrite(&sources, &ids).await.map(|files| (names, files))
        };
        let rewritten = rewritten.await;
        self.unfit.extend(unfit);
        let (names, files) = match rewritten {
            Ok((names, _)) if names.is_empty() => return Ok(()),
            Ok(rewritten) => rewritten,
            Err(error) => {
                tracing::warn!(target = %target, %error, "compaction failed, going on without");
                return Ok(());
            }
        };
        let (changes, metrics) = self.exchange(&names, &files);
        let next = self.next_progress(None);
        marker::pass(marker::COMPACT_BEFORE_LOG_ENTRY);
        let published = self.publish(Operation::Compact, metrics, changes, next).await?;
        if published == Published::Taken {
            // Others were faster, and their files are not what was read: leave it for next time.
            self.discard(&files).await;
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
    fn exchange(&self, names: &[String], files: &[NewFile]) -> (FileChanges, Map<String, Value>) {
        let now_ms = self.now_ms();
        let mut changes = FileChanges::default();
        for file in names.iter().filter_map(|n| self.state.files.get(n)) {
            changes.actions.push(Action::Remove(file.remove(DataChange::No, now_ms)));
            changes.gone.push(file.name().to_owned());
        }
        changes.come.extend(files.iter().map(|f| f.add.clone()));
        changes.actions.extend(changes.come.iter().cloned().map(Action::Add));
        let metrics = [
            ("numRemovedFiles", names.len().to_string()),
            ("numAddedFiles", files.len().to_string()),
        ];
        let metrics = metrics.map(|(k, v)| (k.to_owned(), Value::String(v)));
        (changes, metrics.into_iter().collect())
    }
}

fn is_worn(file: &DataFile, rules: &Maintenance) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a share of rows needs no exactness")]
    let share = |rows: u64| file.dead_rows() as f64 / rows as f64;
    file.rows().is_some_and(|rows| rows > 0 && share(rows) >= rules.dead_share_max)
}

/// The files that gain by being rewritten: the worn ones and with them the small ones, or the small
/// ones alone once there are many.
fn choose(files: &Files, rules: &Maintenance, unfit: &BTreeSet<String>) -> Choice {
    let files = || files.iter().filter(|f| !unfit.contains(f.name()));
    let mut worn: Vec<&DataFile> = files().filter(|f| is_worn(f, rules)).collect();
    let is_small = |f: &&DataFile| f.size() < rules.file_bytes / 2 && !is_worn(f, rules);
    let mut small: Vec<&DataFile> = files().filter(is_small).collect();
    // Where files are rewritten anyway, small ones come along for little.
    if worn.is_empty() && small.len() < rules.small_files_max.max(2) {
        small.clear();
    }
    small.sort_unstable_by_key(|f| f.size());
    worn.sort_unstable_by_key(|f| std::cmp::Reverse(f.dead_rows()));
    let mut choice = Choice::default();
    let mut bytes = 0_u64;
    for file in worn.into_iter().chain(small) {
        bytes = bytes.saturating_add(file.size());
        let full = bytes > rules.step_bytes_max || choice.names.len() >= FILES_MAX;
        if full && !choice.names.is_empty() {
            choice.more = true;
            break;
        }
        choice.names.push(file.name().to_owned());
    }
    choice
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
        let mut files = Files::default();
        adds.iter().for_each(|a| files.insert(a.clone()));
        let rules = Maintenance {
            file_bytes: 100,
            small_files_max: 3,
            dead_share_max: 0.25,
            step_bytes_max: 250,
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
        let many = [big("a", 30), big("b", 40), big("c", 50)];
        assert_eq!(chosen(&many), ["b", "c", "more"], "the most worn first, up to a step's bytes");
    }
}
