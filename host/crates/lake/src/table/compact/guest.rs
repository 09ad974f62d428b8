//! A compaction by somebody who is not the pipeline, while the pipeline may go on committing.
//!
//! It is committed as any other writer would commit it: the pipeline's progress stays as it is. What was
//! committed meanwhile is looked at before each attempt; where it is more than rows that died, the
//! attempt is given up.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::error::LakeError;
use crate::storage::Published;
use crate::table::entry::Operation;
use crate::table::files::DataFile;
use crate::table::rewrite::{self, Origins, Rewritten};
use crate::table::state::State;
use crate::table::{ATTEMPTS_MAX, Role, Table, locate};

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) files_before: usize,
    pub(crate) files_after: usize,
    pub(crate) rows: u64,
    /// Whether there is more to do.
    pub(crate) more: bool,
}

impl Table {
    /// Whether the table can be compacted at all: its rows need an order.
    pub(crate) fn has_order(&self) -> bool {
        self.known_ids().is_some()
    }

    /// How many data files it has.
    pub(crate) fn files(&self) -> usize {
        self.state.files.len()
    }

    /// Compacts the files that gain most; none where nothing gains.
    pub(crate) async fn compact_as_guest(&mut self) -> Result<Option<Step>, LakeError> {
        self.role = Role::Guest;
        let rules = self.settings().maintenance.clone();
        let choice = super::choose(&self.state.files, &rules, &self.unfit);
        let Some(ids) = self.known_ids().filter(|_| !choice.names.is_empty()) else {
            return Ok(None);
        };
        let chosen: Vec<DataFile> =
            choice.names.iter().filter_map(|n| self.state.files.get(n)).cloned().collect();
        let rewriter = self.rewriter(&Arc::new(AtomicBool::new(false)));
        let mut sources = rewriter.sources(chosen.iter(), &ids).await?;
        self.unfit.append(&mut sources.too_large.drain(..).collect());
        if sources.names().next().is_none() {
            return Ok(Some(Step { more: choice.more, ..Step::default() }));
        }
        let rewritten = rewriter.rewrite(&sources, &ids, Origins::Noted).await?;
        let published = self.publish_as_guest(&rewritten).await;
        match published {
            Ok(after) => Ok(Some(Step {
                files_before: rewritten.sources.len(),
                files_after: after,
                rows: rewritten.files.iter().map(|f| f.rows).sum(),
                more: choice.more,
            })),
            Err(error) => {
                rewrite::discard(&self.home, &rewritten.files).await;
                Err(error)
            }
        }
    }

    /// The number of files that entered the table.
    async fn publish_as_guest(&mut self, rewritten: &Rewritten) -> Result<usize, LakeError> {
        for _ in 0..ATTEMPTS_MAX {
            self.catch_up(rewritten).await?;
            let adds = self.carry_over(rewritten).await?;
            let after = adds.len();
            let names: Vec<&str> = rewritten.sources.iter().map(|s| s.name.as_str()).collect();
            let (changes, metrics) = self.exchange(&names, adds);
            let progress = self.progress.clone();
            let published = self.publish(Operation::Compact, metrics, changes, progress).await?;
            if published == Published::Done {
                return Ok(after);
            }
        }
        Err(self.contended())
    }

    /// Reads the table anew.
    ///
    /// # Errors
    /// Where more has happened to the files that were read than that rows of them died.
    async fn catch_up(&mut self, rewritten: &Rewritten) -> Result<(), LakeError> {
        let target = self.home.target().to_string();
        let Some(fresh) = State::load(&self.home, None).await? else {
            return Err(LakeError::Vanished { target, missing: "its log".into() });
        };
        let overtaken = |what: &str| LakeError::Foreign {
            target: target.clone(),
            version: fresh.version,
            what: what.to_owned(),
            hint: "run it again".into(),
        };
        if fresh.arrow != self.state.arrow {
            return Err(overtaken("the columns changed during the compaction"));
        }
        for source in &rewritten.sources {
            let gone = "a file went during the compaction";
            let file = fresh.files.get(&source.name).ok_or_else(|| overtaken(gone))?;
            let dead = locate::dead_rows(&self.home, &self.shared.caches, file).await?;
            if !dead.is_superset(&source.dead) {
                return Err(overtaken("rows came back during the compaction"));
            }
        }
        self.state = fresh;
        Ok(())
    }
}
