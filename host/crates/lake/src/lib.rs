//! Folds row images and upserts them into Delta tables, merge-on-read, one writer a table.
//!
//! This crate never reads a binlog, never runs a plugin, and never tells that something is durable
//! before the commit that covers it is on disk.

pub mod changes;
pub mod error;
pub mod fold;
pub mod memory;
pub mod sources;
pub mod stored;

pub use changes::{ChangeCounts, TargetChanges};
pub use error::{FoldError, LakeError};
pub use fold::{Deletes, Fold, FoldOptions};
pub use memory::MemoryTables;
pub use sources::SourceKeys;
pub use stored::StoredSchema;
