//! Folds row images and upserts them into Delta tables, merge-on-read, one writer a table.
//!
//! This crate never reads a binlog, never runs a plugin, and never tells that something is durable
//! before the commit that covers it is on disk.
//!
//! The way of an epoch: [`Fold`] gathers transformed batches and gives the net changes of each
//! target; [`Lake::commit`] writes new rows to Parquet files sorted by key, finds the old versions of
//! rows by reading the key columns of files that may hold them, marks these in deletion vectors, and
//! commits both with the position in one log entry a target. Its answer, [`Durable`], is the only
//! proof that a position may be stored.
//!
//! A crash at any point loses nothing; the points that tests kill the process at are those of
//! [`marker`]. In an epoch they come in this order: `commit.begin`; for a new target
//! `create.before-log-entry`, `create.after-log-entry`; for each target, several at once,
//! `commit.after-data-file`, `commit.after-deletion-vector`; then target by target
//! `commit.before-log-entry`, `commit.after-log-entry`, and between two of them
//! `commit.between-targets`; for quiet targets `advance.before-log-entry`; `commit.end`. At a change
//! of columns: `edit.before-log-entry`, `edit.after-log-entry`. Between epochs: `compact.before-log-entry`, `compact.after-log-entry`, `checkpoint.before`,
//! `checkpoint.before-cleanup`, `checkpoint.after`.

mod cache;
pub mod changes;
pub mod compact;
pub mod edit;
pub mod error;
pub mod fold;
pub mod history;
pub mod index;
pub mod lake;
pub mod marker;
pub mod memory;
pub mod notes;
mod patch;
pub mod recover;
pub mod show;
pub mod sources;
pub mod storage;
pub mod stored;
mod sync;
mod table;
#[cfg(test)]
mod testing;
pub mod vacuum;

pub use changes::{ChangeCounts, Gaps, LeftOut, TargetChanges};
pub use compact::{CompactReport, compact};
pub use edit::{ColumnEdit, RowsEdit, TableEdit};
pub use error::{FoldError, LakeError};
pub use fold::{Deletes, Fold, FoldOptions};
pub use history::{Version, history};
pub use index::KeyIndexes;
pub use lake::{
    Clock, Durable, Epoch, Lake, LakeOptions, Maintenance, NewColumns, Pace, Statement,
};
pub use memory::MemoryTables;
pub use notes::Notes;
pub use recover::{Recovered, RecoveredTarget};
pub use show::{TableReport, show};
pub use sources::SourceKeys;
pub use storage::StoreOptions;
pub use stored::StoredSchema;
pub use vacuum::{ShortRetention, Vacuum, VacuumReport, vacuum};

/// What Sluice calls itself in log entries and in the files that it writes.
pub(crate) const ENGINE: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));
