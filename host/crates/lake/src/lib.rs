//! Folds row images and upserts them into Delta tables, merge-on-read, one writer a table.
//!
//! This crate never reads a binlog, never runs a plugin, and never tells that something is durable
//! before the commit that covers it is on disk.

pub mod changes;
pub mod error;
pub mod sources;
pub mod stored;

pub use changes::{ChangeCounts, TargetChanges};
pub use error::LakeError;
pub use stored::StoredSchema;
