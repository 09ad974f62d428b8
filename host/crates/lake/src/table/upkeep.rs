//! The writer's own vacuum: from time to time, beside the flow. It touches no log entry, so that epochs
//! and a vacuum need not know of each other.

use tokio::task::JoinHandle;

use crate::error::LakeError;
use crate::table::{Table, garbage};

/// Between two vacuums of one process, at least: each lists the table's whole folder.
const PAUSE_MS: i64 = 3_600_000;

/// A vacuum that runs, and when the next is due.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    running: Option<JoinHandle<Result<(usize, u64), LakeError>>>,
    /// What the pipeline's counter was at the last one, in vacuums.
    mark: u64,
    at_ms: Option<i64>,
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

impl Table {
    /// Commits are counted over all runs, so that a pipeline of many short ones is tidied up too.
    fn vacuum_mark(&self) -> u64 {
        let counter = u64::try_from(self.progress.counter).unwrap_or(0);
        counter.checked_div(self.settings().maintenance.vacuum_commits).unwrap_or(0)
    }

    /// As if the table had just been vacuumed.
    pub(crate) fn put_off_vacuum(&mut self) {
        self.upkeep.mark = self.vacuum_mark();
    }

    /// Whether a vacuum runs.
    pub(crate) fn is_vacuuming(&self) -> bool {
        self.upkeep.running.is_some()
    }

    /// Whether enough has been committed since the last vacuum.
    pub(crate) fn vacuum_due(&self) -> bool {
        let paused = |at: i64| self.now_ms().saturating_sub(at) >= PAUSE_MS;
        self.vacuum_mark() > self.upkeep.mark && self.upkeep.at_ms.is_none_or(paused)
    }

    /// Begins a vacuum, with the retention that the table sets.
    pub(crate) fn begin_vacuum(&mut self) {
        self.upkeep.mark = self.vacuum_mark();
        let now_ms = self.now_ms();
        self.upkeep.at_ms = Some(now_ms);
        let target = self.home.target().to_string();
        let retention = match garbage::retention(&target, &self.state) {
            Ok(retention) => retention,
            Err(error) => {
                tracing::warn!(target = %target, %error, "the table is not vacuumed");
                return;
            }
        };
        let home = self.home.clone();
        self.upkeep.running = Some(tokio::spawn(async move {
            let files = garbage::find(&home, retention, now_ms).await?;
            garbage::delete(&home, &files).await?;
            Ok((files.len(), files.iter().map(|file| file.bytes).sum()))
        }));
    }

    /// Says what became of a vacuum that has ended.
    pub(crate) async fn take_up_vacuum(&mut self) {
        if self.upkeep.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.end_vacuum().await;
        }
    }

    /// Waits for the vacuum that runs. A failure is a warning.
    pub(crate) async fn end_vacuum(&mut self) {
        let Some(running) = self.upkeep.running.take() else { return };
        let target = self.home.target();
        match running.await {
            Ok(Ok((0, _))) => tracing::debug!(target = %target, "vacuumed, nothing was to delete"),
            Ok(Ok((files, bytes))) => tracing::info!(target = %target, files, bytes, "vacuumed"),
            Ok(Err(error)) => {
                tracing::warn!(target = %target, %error, "a vacuum failed, going on without")
            }
            Err(error) => tracing::warn!(target = %target, %error, "a vacuum did not end"),
        }
    }
}
