//! What a reader of a log hands on at once: whole transactions, or some consecutive batches of one that
//! is too large for that.

use crate::batch::Batch;
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

/// A statement of the log that concerns captured tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// What it does.
    pub kind: SchemaChangeKind,
    /// The captured tables that it names.
    pub tables: Vec<TableName>,
    /// Those of them that may hold rows behind it that no row event tells of.
    pub receives: Vec<TableName>,
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
