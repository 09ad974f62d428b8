//! Sluice: MySQL and MariaDB binlogs through WebAssembly plugins into Delta Lake tables.
//!
//! This crate is the only place that knows every stage. It holds no wire format, no guest call and no
//! Delta action of its own: those are the crates `binlog`, `plugin` and `lake`.

pub mod error;
pub mod manifest;
pub mod marker;
pub mod progress;
