//! Sluice: MySQL and MariaDB binlogs through WebAssembly plugins into Delta Lake tables.
//!
//! This crate is the only place that knows every stage. It holds no wire format, no guest call and no
//! Delta action of its own: those are the crates `binlog`, `plugin` and `lake`.

pub mod chain;
pub mod check;
pub mod checkpoint;
pub mod cli;
pub mod error;
pub mod manifest;
pub mod marker;
pub mod moment;
pub mod pipeline;
pub mod positions;
pub mod progress;
pub mod row_text;
pub mod script;
pub mod test_case;
