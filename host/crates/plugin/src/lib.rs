//! WebAssembly plugins over batches of row images: wasmtime, its limits, and the chain.
//!
//! A plugin is a pure function of its configuration, a table's schema and one row image
//! (`wit/transform.wit`). Nothing a plugin does can hurt the host: every call is bounded, and every
//! value that it answers with is checked before it becomes a column. This crate knows neither the
//! log that batches come from nor the lake that they go to.

mod bindings;
mod cache;
mod cast;
mod chain;
mod component;
mod config;
mod convert;
mod engine;
mod error;
#[cfg(test)]
mod guest;
mod instance;
mod limits;
mod log;
mod metadata;
mod plan;
mod process;
mod text;
mod transfer;
mod wasi;
mod worker;

pub use chain::{Chain, ChainCounters, PluginSpec};
pub use component::{Description, Form, describe, encode};
pub use engine::{Allocator, Engine, EngineOptions};
pub use error::{Call, Cause, ConfigProblem, GuestFailure, PluginError, Site};
pub use limits::{
    COMPONENT_BYTES_MAX, Isolation, LOG_LINE_BYTES_MAX, LOG_LINES_MAX, Limits, OUTPUT_COLUMNS_MAX,
    ROUTE_VARIABLES_MAX,
};
pub use log::{LogLevel, LogLine, LogSink};
pub use plan::{Decision, TablePlan, TableSettings, WithoutKey};
pub use worker::Attachment;
