//! What a reader of a log hands on at once: whole transactions, or some consecutive batches of one that
//! is too large for that.

use std::sync::Arc;

use crate::batch::Batch;
use crate::definition::{ColumnDefinition, Definitions};
use crate::load::LoadState;
use crate::partition::IntegerSet;
use crate::position::Position;
use crate::schema::TableName;

/// What a statement does to a table's definition or to its rows without row events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaChangeKind {
    /// CREATE TABLE.
    Create,
    /// ALTER TABLE, other than what leaves columns and rows as they are.
    Alter,
    /// DROP TABLE or DATABASE.
    Drop,
    /// RENAME TABLE.
    Rename,
    /// Rows come in that no row event tells of: EXCHANGE PARTITION, CONVERT TABLE or PARTITION, IMPORT
    /// TABLESPACE.
    Import,
    /// TRUNCATE TABLE.
    Truncate,
    /// Something that names a captured table and is none of these.
    Other,
}

/// What a statement does to the rows that a table has, without row events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsEffect {
    /// Nothing: each row keeps its values, and an added column holds its default.
    None,
    /// Rows with these values go.
    Gone {
        /// The column.
        column: String,
        /// Its values.
        values: IntegerSet,
    },
    /// Something that the statement alone does not tell.
    Unknown(&'static str),
}

/// What a statement does to a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnEdit {
    /// A new one. The rows that are there get its default.
    Added {
        /// What it is.
        column: ColumnDefinition,
        /// Its index in the table; none where the other columns are not known.
        at: Option<usize>,
    },
    /// It is gone, with its values.
    Dropped {
        /// Its name.
        name: String,
    },
    /// Its values stay under another name.
    Renamed {
        /// The old name.
        from: String,
        /// The new one.
        to: String,
    },
    /// Another type, another character set, or NULL allowed or not any more.
    Retyped {
        /// Its name behind the statement.
        name: String,
        /// What it was, where that is known.
        from: Option<ColumnDefinition>,
        /// What it is.
        to: ColumnDefinition,
    },
    /// Another default, for rows to come; another visibility.
    Redefined {
        /// Its name behind the statement.
        name: String,
    },
    /// The columns that stay stand in another order.
    Reordered,
    /// Another primary key, or other unique keys.
    KeyChanged,
}

/// What a statement does to one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableAction {
    /// A new table without rows, in place of one of that name where the statement says so.
    Created {
        /// Its name.
        table: TableName,
        /// Whether a table of that name, with its rows, is gone.
        replaces: bool,
        /// Whether the statement may have changed nothing, since there was such a table: IF NOT EXISTS.
        may_exist: bool,
    },
    /// The table and its rows are gone.
    Dropped {
        /// Its name; `*` for each table of a database.
        table: TableName,
    },
    /// The table has another name, and takes its rows along.
    Renamed {
        /// The old name.
        from: TableName,
        /// The new one.
        to: TableName,
    },
    /// Its rows are gone.
    Truncated {
        /// Its name.
        table: TableName,
    },
    /// Its definition changes.
    Altered {
        /// Its name before the statement.
        table: TableName,
        /// What changes; empty where only indexes and options do.
        edits: Vec<ColumnEdit>,
        /// What it does to its rows.
        rows: RowsEffect,
    },
}

impl TableAction {
    /// Whether neither columns, nor keys, nor rows change.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        let none = RowsEffect::None;
        matches!(self, Self::Altered { edits, rows, .. } if edits.is_empty() && *rows == none)
    }

    /// The tables that it is about.
    #[must_use]
    pub fn tables(&self) -> Vec<&TableName> {
        match self {
            Self::Renamed { from, to } => vec![from, to],
            Self::Created { table, .. }
            | Self::Dropped { table }
            | Self::Truncated { table }
            | Self::Altered { table, .. } => vec![table],
        }
    }
}

/// A statement of the log that concerns captured tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// What it does.
    pub kind: SchemaChangeKind,
    /// The captured tables that it names.
    pub tables: Vec<TableName>,
    /// Those of them that may hold rows behind it that no row event tells of.
    pub receives: Vec<TableName>,
    /// What it does to captured tables, in its order. None: the statement could not be read so far, and
    /// may do anything to the tables that it names.
    pub actions: Option<Vec<TableAction>>,
    /// Its text, as the server logged it.
    pub statement: String,
    /// Where its event starts.
    pub position: Position,
    /// The end of the transaction before it: who goes on from here meets the statement again.
    pub before: Position,
}

/// Whole transactions of the log, in its order. One that is larger than a slice comes in several, all
/// but the last of which say so ([`LogSlice::is_partial`]): nothing may be committed between them.
#[derive(Clone, Debug)]
pub struct LogSlice {
    /// Batches of captured tables. The batches of one table are in log order; those of different
    /// tables interleave in the log, but not here.
    pub batches: Vec<Batch>,
    /// The statement that closed the slice: it stands after all of its batches.
    pub schema_change: Option<SchemaChange>,
    /// The position behind its last whole transaction.
    pub end: Position,
    /// Where to go on after a restart, if that is not `end`: the start of the oldest XA transaction that
    /// is prepared, has rows of captured tables, and is neither committed nor rolled back. Its rows come
    /// with the transaction that commits it.
    pub resume: Option<Position>,
    /// Whether the last transaction goes on in the next slice. `end` lies before it then.
    pub is_partial: bool,
    /// The definitions of all tables behind it, where they differ from those before it. The statement that
    /// changed them is its last transaction.
    pub definitions: Option<Definitions>,
    /// How far the load of tables is behind it, where the slice is a part of that: its batches are rows that
    /// tables had, not changes.
    pub load: Option<Arc<LoadState>>,
    /// Bytes of log that it came from, those of other tables included.
    pub log_bytes: u64,
    /// Commit time of its last transaction, microseconds since 1970-01-01T00:00Z.
    pub commit_micros: Option<i64>,
}

impl LogSlice {
    /// Where a reader that has to begin anew goes on, so that nothing behind `end` is missed.
    #[must_use]
    pub fn resume_position(&self) -> &Position {
        self.resume.as_ref().unwrap_or(&self.end)
    }

    /// Row images in all of its batches.
    #[must_use]
    pub fn images(&self) -> usize {
        self.batches.iter().map(Batch::len).sum()
    }

    /// Bytes that its columns hold.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.batches.iter().map(Batch::memory_bytes).sum()
    }
}
