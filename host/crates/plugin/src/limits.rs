//! What the operator allows a plugin, and the bounds that the host sets on every plugin alike.

use std::time::Duration;

/// Bytes of a component file. A Python guest is 18 MB; ten times that is no plugin any more.
pub const COMPONENT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Core instances of one component instance. A Python guest without WASI takes 21.
pub(crate) const CORE_INSTANCES_MAX: usize = 400;

/// Tables of one component instance; each core instance may bring its own.
pub(crate) const TABLES_MAX: usize = 400;

/// Linear memories of one component instance; their sum counts against the memory limit.
pub(crate) const MEMORIES_MAX: usize = 100;

/// Elements of one table: function references, of which an interpreter has some ten thousand.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 1_000_000;

/// Bytes of the host's memory that one element of a table takes: a pointer.
pub(crate) const TABLE_ELEMENT_BYTES: u64 = 8;

/// Log lines that one call may write; the rest is dropped.
pub const LOG_LINES_MAX: u32 = 100;

/// Bytes of a log line that are kept.
pub const LOG_LINE_BYTES_MAX: usize = 4096;

/// Columns that a plan may give a table: what MySQL allows.
pub const OUTPUT_COLUMNS_MAX: usize = 4096;

/// Variables that a plan, or one route of a row, may set.
pub const ROUTE_VARIABLES_MAX: usize = 64;

/// Bytes of the name of a route variable.
const ROUTE_NAME_BYTES_MAX: usize = 64;

/// Fuel for instantiating, configuring and planning: high enough for an interpreter that reads a
/// table of a million rows, so that the deadline decides.
pub(crate) const SETUP_FUEL: u64 = 1_000_000_000_000;

/// A batch may fill this part of a plugin's memory: the copy that is pushed, what the plugin makes
/// of it, its answer, and as much again for its own tables.
pub(crate) const MEMORY_SHARE: u64 = 4;

/// Recovering one batch may lose this many deadlines to calls that did not return; a plugin that traps on row after
/// row is broken, and finding each of them would take hours.
pub(crate) const RECOVERY_DEADLINES: u32 = 10;

/// Whether state may live on between two batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// One instance for all batches.
    #[default]
    Instance,
    /// A fresh instance for each call of `process`: for languages whose runtime keeps state.
    Batch,
}

/// What the operator allows one plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory and of tables, over all memories and tables of the component.
    pub memory_bytes: u64,
    /// Wall-clock time of one call. It never decides what becomes of a row.
    pub deadline: Duration,
    /// Instructions of one call of `process`, besides those for its rows.
    pub fuel_base: u64,
    /// Instructions for each row of a call of `process`.
    pub fuel_per_row: u64,
    /// Row images of one call.
    pub rows_max: u32,
    /// Bytes that one call may answer with.
    pub output_bytes_max: u64,
}

/// Whether names of route variables can stand in a path template, and are not too many.
pub(crate) fn check_route_names<'a>(
    names: impl ExactSizeIterator<Item = &'a str>,
) -> Result<(), String> {
    let count = names.len();
    if count > ROUTE_VARIABLES_MAX {
        return Err(format!("a route of {count} variables, more than {ROUTE_VARIABLES_MAX}"));
    }
    let is_wrong = |name: &str| {
        name.is_empty()
            || name.len() > ROUTE_NAME_BYTES_MAX
            || name.chars().any(|c| c.is_control() || matches!(c, '{' | '}'))
    };
    let mut names = names;
    if names.any(is_wrong) {
        return Err("a route variable's name is empty, too long or holds a brace".to_owned());
    }
    Ok(())
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 * 1024 * 1024,
            deadline: Duration::from_secs(2),
            // A compiled guest takes about 100 a row, an interpreted one some thousands.
            fuel_base: 50_000_000,
            fuel_per_row: 100_000,
            rows_max: 65_536,
            output_bytes_max: 64 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// The fuel of a call of `process` with so many rows.
    pub(crate) fn fuel(&self, rows: usize) -> u64 {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.fuel_base.saturating_add(self.fuel_per_row.saturating_mul(rows))
    }

    /// Bytes that one call may be given.
    pub(crate) fn pushed_bytes_max(&self) -> u64 {
        self.memory_bytes / MEMORY_SHARE
    }
}
