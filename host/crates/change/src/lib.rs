//! The nouns of Sluice: what a position, a table, a batch of row images and a target are.
//!
//! Everything here is a value. This crate does no I/O, starts no task and reads no clock; the crates
//! that do (`binlog`, `plugin`, `lake`) share these types and know nothing of each other.

pub mod batch;
pub mod column;
pub mod definition;
pub mod diagnose;
pub mod gtid;
pub mod json_patch;
pub mod load;
pub mod partition;
pub mod pattern;
pub mod position;
pub mod presence;
pub mod route;
pub mod schema;
pub mod slice;
pub mod transformed;

pub use batch::{Batch, ImageKind, Images, Mark, Transaction};
pub use column::{Column, ColumnType};
pub use definition::{ColumnDefinition, DefaultValue, Definitions, TableDefinition};
pub use diagnose::{Diagnose, Fault, Retry};
pub use gtid::{Gtid, GtidSet};
pub use load::{LoadState, TableLoad};
pub use partition::{IntegerSet, Partitioning};
pub use pattern::TablePatterns;
pub use position::{Fingerprint, LogFile, Position};
pub use presence::Presence;
pub use route::{PathTemplate, Route, TargetPath};
pub use schema::{TableName, TableSchema, UniqueKey};
pub use slice::{ColumnEdit, LogSlice, RowsEffect, SchemaChange, SchemaChangeKind, TableAction};
pub use transformed::{KeyProof, OutputSchema, Rejected, Routing, Transformed};
