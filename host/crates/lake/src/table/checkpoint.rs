//! Log checkpoints: what makes opening a table cheap however many entries its log has.
//!
//! A failure here never fails a commit: the log is whole without a checkpoint.

use deltalake::checkpoints::{cleanup_metadata, create_checkpoint};
use deltalake::table::config::TablePropertiesExt;
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::path::Path;

use crate::error::LakeError;
use crate::marker;
use crate::storage::LOG_FOLDER;
use crate::table::Table;

impl Table {
    /// Writes a checkpoint where enough entries have gathered.
    pub(crate) async fn checkpoint_where_due(&mut self) {
        if self.wear.entries >= self.settings().maintenance.checkpoint_commits.max(1) {
            self.wear.entries = 0;
            self.write_checkpoint().await;
        }
    }

    /// Writes a checkpoint of the newest version, and deletes log entries that are older than the
    /// table's retention (`delta.logRetentionDuration`) and that a durable checkpoint stands for.
    pub(crate) async fn write_checkpoint(&self) {
        let (target, version) = (self.home.target().clone(), self.state.version);
        marker::pass(marker::CHECKPOINT_BEFORE);
        match self.try_checkpoint(version).await {
            Ok(()) => tracing::debug!(target = %target, version, "wrote a log checkpoint"),
            Err(error) => {
                tracing::warn!(target = %target, version, %error, "a log checkpoint failed, going on without");
            }
        }
        marker::pass(marker::CHECKPOINT_AFTER);
    }

    async fn try_checkpoint(&self, version: u64) -> Result<(), LakeError> {
        let wrong =
            |action: &'static str| move |e: DeltaTableError| self.home.delta_error(action, e);
        let mut table = DeltaTable::new(self.home.log().clone());
        table.load_version(version).await.map_err(wrong("read the table's log"))?;
        create_checkpoint(&table, None).await.map_err(wrong("write a log checkpoint"))?;
        self.sync_checkpoint(version).await?;
        marker::pass(marker::CHECKPOINT_BEFORE_CLEANUP);
        let state = table.snapshot().map_err(wrong("read the table's log"))?;
        if state.table_config().enable_expired_log_cleanup() {
            cleanup_metadata(&table, None).await.map_err(wrong("delete old log entries"))?;
        }
        Ok(())
    }

    /// Before an entry is deleted that a checkpoint stands for, the checkpoint is on disk.
    async fn sync_checkpoint(&self, version: u64) -> Result<(), LakeError> {
        if !self.home.disk().is_local() {
            return Ok(());
        }
        let log = Path::from(LOG_FOLDER);
        let listed: Vec<_> = self
            .home
            .store()
            .list(Some(&log))
            .try_collect()
            .await
            .map_err(|e| self.home.storage_error("list the log", e))?;
        let prefix = format!("{version:020}.checkpoint");
        let names = listed
            .iter()
            .filter_map(|m| m.location.filename())
            .filter(|name| name.starts_with(&prefix) || *name == "_last_checkpoint");
        let names: Vec<String> = names.map(|n| format!("{LOG_FOLDER}/{n}")).collect();
        self.home.disk().sync_files(&names).await?;
        self.home.disk().sync_folder(LOG_FOLDER).await
    }
}
