//! Reads MySQL and MariaDB binlogs, recorded or live, into Arrow batches of row images.
//!
//! Bytes become events, events become transactions, and only what was committed goes on, as
//! [`change::LogSlice`]s of whole transactions in log order. This crate knows nothing of plugins or
//! tables of the lake. Whatever a file or a server sends, the outcome is rows or a
//! [`BinlogError`] that names file, offset and event.

pub mod definition;
pub mod error;
pub mod file;
pub mod inspect;
pub mod live;
pub mod options;

mod capture;
mod compression;
mod control;
mod decode_error;
mod event;
mod reader;
mod row_buffer;
mod rows;
mod statement;
mod table_map;
mod value;
mod wire;
mod xa;

pub use error::BinlogError;
pub use event::Vendor;
pub use file::FileSource;
pub use inspect::{Inspector, inspect};
pub use live::{Held, LiveSource, ServerFacts};
pub use options::{ReadOptions, ServerOptions, Start, TlsMode, TlsOptions, UnknownXa, ZeroDates};
