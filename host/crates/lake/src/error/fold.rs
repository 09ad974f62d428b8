//! What can go wrong between a transformed batch and the net changes of a target.
//!
//! Texts name tables, columns and positions, never the value of a row.

use change::diagnose::REBUILD;
use std::sync::Arc;

use arrow_schema::{ArrowError, DataType};
use change::batch::BatchError;
use change::route::RouteError;
use change::{Diagnose, Fault, Mark, TableName, TargetPath};

/// Where in the log an image stood: the start of its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The log file.
    pub file: Arc<str>,
    /// Bytes from the start of the file.
    pub offset: u64,
}

impl Place {
    pub(crate) fn of(mark: &Mark) -> Self {
        Self { file: Arc::clone(&mark.transaction.file), offset: mark.event_offset }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

/// Why images cannot be stored or folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// A table whose rows nothing identifies.
    #[error("table {table} has no id columns")]
    NoIdColumns {
        /// The source table.
        table: TableName,
    },
    /// An id column that is none of the output columns, or is named twice.
    #[error("id column number {index} of table {table} {reason}")]
    IdColumn {
        /// The source table.
        table: TableName,
        /// The index that does not fit.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A float as an id column.
    #[error("id column `{column}` of table {table} is a {column_type}, and floats identify no row")]
    FloatId {
        /// The source table.
        table: TableName,
        /// The column.
        column: String,
        /// Its logical type.
        column_type: change::ColumnType,
    },
    /// A name that Delta readers or Parquet do not take.
    #[error("column `{column}` of table {table} {reason}")]
    ColumnName {
        /// The source table.
        table: TableName,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two names that differ by case at most.
    #[error("columns `{first}` and `{second}` of table {table} differ by case at most")]
    NameTwice {
        /// The source table.
        table: TableName,
        /// The column that came first.
        first: String,
        /// The other one.
        second: String,
    },
    /// A column of another Arrow type than its logical type has.
    #[error("column `{column}` of table {table} arrived as {found}, its type is {expected}")]
    ColumnType {
        /// The source table.
        table: TableName,
        /// The column.
        column: String,
        /// The Arrow type that belongs to its logical type.
        expected: DataType,
        /// The Arrow type that came.
        found: DataType,
    },
    /// A batch that is not in order.
    #[error("a batch of table {table} is not in order")]
    Batch {
        /// The source table.
        table: TableName,
        /// What is not.
        source: BatchError,
    },
    /// A row that says not who it is.
    #[error("id column `{column}` of table {table} is NULL in a row at {place}")]
    NullId {
        /// The source table.
        table: TableName,
        /// The column.
        column: String,
        /// The event of the row.
        place: Place,
    },
    /// A value that the log left out and that nothing else tells.
    #[error(
        "the log left out the value of `{column}` in a row of table {table} at {place}, and target {target} {reason}"
    )]
    LeftOut {
        /// The source table.
        table: TableName,
        /// The first column that was left out.
        column: String,
        /// The event of the row.
        place: Place,
        /// The target that the row goes to.
        target: TargetPath,
        /// Why the target does not tell it.
        reason: &'static str,
    },
    /// A decimal with more digits than its type has.
    #[error(
        "a value of column `{column}` of table {table} has more digits than decimal({precision}) holds, in a row at {place}"
    )]
    DecimalRange {
        /// The source table.
        table: TableName,
        /// The column.
        column: String,
        /// Digits of the type.
        precision: u8,
        /// The event of the row.
        place: Place,
    },
    /// A route that gives no path.
    #[error("a row of table {table} at {place} has no target")]
    Route {
        /// The source table.
        table: TableName,
        /// The event of the row.
        place: Place,
        /// Why.
        source: RouteError,
    },
    /// Two table definitions that do not go into one table.
    #[error(
        "target {target} gets different columns from table {first} and table {second}: {reason}"
    )]
    SchemasDiffer {
        /// The target.
        target: TargetPath,
        /// The table that reached it first.
        first: TableName,
        /// The other one; the same name where its definition changed within an epoch.
        second: TableName,
        /// The column, and what differs.
        reason: String,
    },
    /// Two tables whose keys are not kept apart.
    #[error(
        "tables {first} and {second} both write to target {target}, and no id column tells them apart"
    )]
    SharedTarget {
        /// The target.
        target: TargetPath,
        /// The table that reached it first.
        first: TableName,
        /// The other one.
        second: TableName,
    },
    /// A target whose rows are identified in another way than before.
    #[error("target {target} has the id columns ({known}), table {table} now brings ({found})")]
    IdColumnsChanged {
        /// The target.
        target: TargetPath,
        /// The table that brings others.
        table: TableName,
        /// Names of the id columns so far.
        known: String,
        /// Names that came.
        found: String,
    },
    /// More targets than the manifest allows.
    #[error("rows of table {table} would make more targets than `max-targets` = {limit} allows")]
    TooManyTargets {
        /// The source table.
        table: TableName,
        /// The limit.
        limit: usize,
    },
    /// Two paths that are one on some file systems.
    #[error("target {target} of table {table} differs from target {other} by case only")]
    TargetCase {
        /// The source table.
        table: TableName,
        /// The path that came second.
        target: TargetPath,
        /// The path that there is.
        other: TargetPath,
    },
    /// More images in one epoch than indexes reach.
    #[error("an epoch of target {target} holds more than {limit} {what}")]
    EpochTooLarge {
        /// The target.
        target: TargetPath,
        /// What there is too much of.
        what: &'static str,
        /// How much may be.
        limit: u64,
    },
    /// An earlier push failed, so what was folded is a part of an epoch.
    #[error("the open epoch failed earlier and cannot go on")]
    EpochFailed,
    /// Changes that do not fit the rows that there are.
    #[error("the changes of target {target} are not honest: {reason}")]
    Changes {
        /// The target.
        target: TargetPath,
        /// What does not fit.
        reason: &'static str,
    },
    /// An Arrow kernel refused.
    #[error("the rows of target {target} could not be put together")]
    Arrow {
        /// The target.
        target: TargetPath,
        /// Why.
        source: ArrowError,
    },
}

impl Diagnose for FoldError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoIdColumns { table } | Self::IdColumn { table, .. } => format!(
                "name columns that identify a row: `[[table]] match = \"{table}\" id-columns = [..]`"
            ),
            Self::FloatId { table, .. } => format!(
                "name other id columns for {table}, or add a plugin that casts the column to decimal or utf8"
            ),
            Self::ColumnName { column, .. } | Self::NameTwice { second: column, .. } => {
                format!("rename `{column}` with the rename plugin")
            }
            Self::NullId { column, .. } => format!(
                "name id columns that are never NULL, or add a filter plugin that drops rows without `{column}`"
            ),
            Self::LeftOut { .. } => {
                "set `binlog_row_image = FULL` at the server, and start from an initial load so that the target has every row".into()
            }
            Self::DecimalRange { column, .. } => {
                format!("give `{column}` a wider decimal type in the plugin that makes it")
            }
            Self::Route { .. } => {
                "mend the route variables of the plugin, or the placeholders of `sink.path`".into()
            }
            Self::SchemasDiffer { first, second, .. } if first == second => {
                "end the epoch before a schema change".into()
            }
            Self::SchemasDiffer { .. } => {
                "give both tables the same columns with a plugin, or route them to different targets"
                    .into()
            }
            Self::SharedTarget { .. } => {
                "add an id column that is constant per source table and differs between them, such as the shard's name, or route them to different targets".into()
            }
            Self::IdColumnsChanged { .. } => {
                format!("put the former id columns back, or {REBUILD}")
            }
            Self::TooManyTargets { .. } => {
                "raise `max-targets`, or route by a column with fewer values".into()
            }
            Self::TargetCase { .. } => {
                "make the route variables differ by more than case, for example with a prefix".into()
            }
            Self::EpochTooLarge { .. } => "lower `trigger` or the memory of an epoch".into(),
            Self::ColumnType { .. }
            | Self::Batch { .. }
            | Self::EpochFailed
            | Self::Changes { .. }
            | Self::Arrow { .. } => return None,
        })
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoIdColumns { .. }
            | Self::IdColumn { .. }
            | Self::FloatId { .. }
            | Self::ColumnName { .. }
            | Self::NameTwice { .. } => Fault::Usage,
            _ => Fault::Run,
        }
    }
}
