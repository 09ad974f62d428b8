//! Why tables cannot be loaded.

use change::TableName;

/// Why a table, or a server's tables, cannot be loaded beside the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadFault {
    /// Nothing tells which transactions a SELECT sees.
    #[error("without gtid_mode = ON nothing tells which transactions of the log a SELECT sees")]
    NoGtids,
    /// Changes of rows that are not loaded yet would have holes.
    #[error(
        "with another binlog_row_image than FULL a change of a row that is not loaded yet has holes"
    )]
    RowImage,
    /// Nothing identifies a row.
    #[error("has neither a primary key nor a unique key without NULL, which a load is told by")]
    NoKey,
    /// Rows of older versions are rows, too.
    #[error("keeps the versions of its rows, which a load does not read")]
    Versioned,
    /// A key from which the load cannot go on.
    #[error("its key cannot be gone on from: it is not of the form that loads store")]
    Bound,
    /// A value does not fit its column.
    #[error("column `{column}`: {what}")]
    Value {
        /// The column.
        column: String,
        /// What is wrong with it.
        what: String,
    },
    /// The server does not show what its log tells.
    #[error("its tables do not show what its log tells up to {position}")]
    NotSeen {
        /// Up to where.
        position: String,
    },
}

impl LoadFault {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::NoGtids => {
                "set gtid_mode = ON on the server, or write snapshot = \"never\" and load the tables by hand"
            }
            Self::RowImage => {
                "set binlog_row_image = FULL on the server and reconnect the sessions that write"
            }
            Self::NoKey | Self::Versioned => {
                "give the table a key, or leave it out of `tables` in [source]"
            }
            Self::Bound => "load the pipeline's tables anew (docs/guide/rebuild.md)",
            Self::Value { .. } => {
                "mend the value at the source, or set zero-dates = \"null\" in [source] where it is a date"
            }
            Self::NotSeen { .. } => "look for a replica or a plugin that holds commits back",
        }
    }
}

/// The table before what is wrong with it.
pub(super) fn of_table(table: Option<&TableName>) -> String {
    table.map_or_else(String::new, |table| format!("table {table} "))
}
