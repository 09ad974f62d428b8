//! Why a table map or a row event cannot be decoded. Says what and where inside the event, never a
//! value; file, offset, event type and table are the caller's to add.

use change::{Diagnose, Fault};

use crate::wire::WireFault;

/// Why a table map or a row event cannot be decoded.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// A length or a count leads past the event's end.
    #[error("the event ends in the middle of its content")]
    End,
    /// Something that no server writes.
    #[error("the event holds {what} at byte {at}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Bytes from the end of the event's header.
        at: usize,
    },
    /// The table map carries no column names, and no definition of the table is known here.
    #[error("the log does not name the columns of this table, and {reason}")]
    NoDefinition {
        /// Why there is no definition.
        reason: String,
    },
    /// The table map carries no column names, and the definition of the table does not fit it.
    #[error(
        "the log does not name the columns of this table, and its definition does not fit: {what}"
    )]
    Misfit {
        /// The first thing that does not fit.
        what: String,
    },
    /// A character set that nobody here can read.
    #[error("column {column} has the collation {collation}, which is not known")]
    Collation {
        /// The column.
        column: String,
        /// The server's number of the collation.
        collation: u64,
    },
    /// A column type that is not read yet.
    #[error("column {column} has the type {source_type}, which cannot be read")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type, in the words of SQL.
        source_type: String,
        /// One imperative sentence that mends it.
        remedy: &'static str,
    },
    /// An INSERT without a column, whose default is not known.
    #[error("the log leaves out column {column} of an INSERT, and its default is not known")]
    Omitted {
        /// The first such column.
        column: String,
    },
    /// A value that cannot be read.
    #[error("column {column} of row {row} of the event, at byte {at}: {fault}")]
    Value {
        /// The column.
        column: String,
        /// The ordinal of the row change within the event, from 0.
        row: u32,
        /// Bytes from the end of the event's header.
        at: usize,
        /// What is wrong.
        fault: ValueFault,
    },
    /// Bytes that are no text in the column's character set.
    #[error("column {column} holds bytes that are no {charset} text")]
    Text {
        /// The column.
        column: String,
        /// The character set, in the server's words.
        charset: String,
        /// The first image that holds such bytes, as an index into what was to be taken.
        image: usize,
    },
    /// A table map and a buffer that were not made for each other.
    #[error("the rows do not fit the columns that were announced for them: {0}")]
    Mismatch(&'static str),
}

/// Why one value cannot be read.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ValueFault {
    /// Its length leads past the event's end.
    #[error("the event ends in the middle of a value")]
    End,
    /// A month or day of zero, or a day that the calendar lacks.
    #[error("a zero or partial date, which no calendar has")]
    ZeroDate,
    /// Hours, minutes, seconds or fractions out of their range.
    #[error("a time of day out of range")]
    Time,
    /// A year, month or day out of its range.
    #[error("a date out of range")]
    Date,
    /// A decimal with groups of more than nine digits.
    #[error("a decimal with digits out of range")]
    Decimal,
    /// A BIT value wider than its column.
    #[error("more bits than the column has")]
    Bits,
    /// An ENUM or SET value that the column's labels do not cover.
    #[error("a number beyond the column's labels")]
    Label,
    /// A NULL in a column that is NOT NULL.
    #[error("null in a column that allows none")]
    Null,
    /// A value longer than its column.
    #[error("a value longer than the column allows")]
    Length,
    /// Bytes that are no text in the column's character set.
    #[error("bytes that are no text in the column's character set")]
    Text,
    /// A JSON document that breaks its binary format.
    #[error("a JSON document that breaks the binary format")]
    Json,
    /// A change of a JSON document that does not fit the document.
    #[error("a partial JSON update that does not fit the document before it")]
    JsonDiff,
    /// A change of a JSON document whose image before is not in the log.
    #[error("a partial JSON update without the document before it")]
    NoDocument,
    /// A value of a COMPRESSED column that is not what it announces.
    #[error("a compressed value that is damaged")]
    Compressed,
    /// The column's text or bytes would pass 2 GiB in one batch.
    #[error("more than 2 GiB in one column of one batch")]
    Full,
}

impl From<WireFault> for ValueFault {
    #[inline]
    fn from(_: WireFault) -> Self {
        Self::End
    }
}

impl DecodeError {
    /// The error for a fault met at `at`.
    pub(crate) fn wire(fault: WireFault, at: usize) -> Self {
        match fault {
            WireFault::End => Self::End,
            WireFault::Length => Self::Malformed { what: "a length that is none", at },
        }
    }
}

impl Diagnose for DecodeError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoDefinition { .. } | Self::Misfit { .. } => {
                "set binlog_row_metadata = FULL on the server and start behind the rows that were \
                 written before it, start at a log that holds the CREATE TABLE, or name a file with the \
                 definitions as they were where the reading begins (source.definitions; for a pipeline \
                 that goes on, sluice run --definitions)"
            }
            Self::Omitted { .. } => {
                "set binlog_row_image = FULL on the server, reconnect the sessions that write, and \
                 start behind the rows that were written before it"
            }
            Self::Value { fault: ValueFault::NoDocument, .. } => {
                "set binlog_row_image = FULL or binlog_row_value_options = '' on the server, reconnect \
                 the sessions that write, and start behind the rows that were written before it"
            }
            Self::Collation { .. } => {
                "convert the column to utf8mb4, or leave the table out of source.tables"
            }
            Self::ColumnType { remedy, .. } => remedy,
            Self::Value { fault: ValueFault::ZeroDate, .. } => {
                "mend the row at the source, or choose the policy that reads such dates as null"
            }
            Self::Value { fault: ValueFault::Full, .. } => "make the batches smaller",
            Self::Text { .. } | Self::Value { fault: ValueFault::Text, .. } => {
                "mend the row at the source, or give the column the character set that it really holds"
            }
            Self::End | Self::Malformed { .. } | Self::Value { .. } | Self::Mismatch(_) => {
                return None;
            }
        };
        Some(hint.to_owned())
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoDefinition { .. }
            | Self::Misfit { .. }
            | Self::Omitted { .. }
            | Self::Value { fault: ValueFault::NoDocument, .. } => Fault::Environment,
            _ => Fault::Run,
        }
    }
}
