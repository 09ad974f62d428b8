//! Folds row images and upserts them into Delta tables, merge-on-read, one writer a table.
//!
//! This crate never reads a binlog, never runs a plugin, and never tells that something is durable
//! before the commit that covers it is on disk.

mod cache;
pub mod changes;
pub mod error;
pub mod fold;
pub mod lake;
pub mod marker;
pub mod memory;
pub mod recover;
pub mod show;
pub mod sources;
pub mod storage;
pub mod stored;
mod sync;
mod table;
#[cfg(test)]
mod testing;

pub use changes::{ChangeCounts, TargetChanges};
pub use error::{FoldError, LakeError};
pub use fold::{Deletes, Fold, FoldOptions};
pub use lake::{Clock, Durable, Epoch, Lake, LakeOptions, Maintenance, NewColumns};
pub use memory::MemoryTables;
pub use recover::{Recovered, RecoveredTarget};
pub use show::{TableReport, show};
pub use sources::SourceKeys;
pub use storage::StoreOptions;
pub use stored::StoredSchema;

/// What Sluice calls itself in log entries and in the files that it writes.
pub(crate) const ENGINE: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));
