//! Why a log cannot be read: what happened, where, and the step that mends it.
//!
//! No text here holds a row value, a password or the text of a statement about rows.

use std::fmt;
use std::io;
use std::sync::Arc;

use change::batch::BatchError;
use change::{Diagnose, Fault, Retry, TableName};

pub use crate::capture::SpillError;
pub use crate::decode_error::{DecodeError, ValueFault};
pub use crate::event::EventKind;
pub use load::LoadFault;
pub use server::{ServerCause, ServerFailure};

use load::of_table;

mod load;
pub(crate) mod server;

/// A place in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The log file.
    pub file: Arc<str>,
    /// Where the event starts, in bytes from the start of the file.
    pub offset: u64,
    /// The kind of the event, where there is one.
    pub event: Option<EventKind>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.event {
            Some(kind) => write!(f, "{}, offset {}, event {kind}", self.file, self.offset),
            None => write!(f, "{}, offset {}", self.file, self.offset),
        }
    }
}

/// Why a log cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinlogError {
    /// A file cannot be opened or read.
    #[error("{place}: the file cannot be read")]
    Read {
        /// How far it was read.
        place: Place,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A recording cannot be written.
    #[error("{path}: the recording cannot be written")]
    Record {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Tables cannot be loaded.
    #[error("{address}: {}{fault}", of_table(table.as_ref()))]
    Load {
        /// `host:port`.
        address: String,
        /// The table; none where it is the server.
        table: Option<TableName>,
        /// Why.
        fault: LoadFault,
    },
    /// There is no file to read.
    #[error("no binlog file was given")]
    NoFiles,
    /// The file does not start like a binlog.
    #[error("{file}: not a binlog file, its first bytes are {found} and not fe 62 69 6e")]
    NotABinlog {
        /// The file.
        file: Arc<str>,
        /// Its first bytes, in hexadecimal.
        found: String,
    },
    /// The file is encrypted.
    #[error("{place}: the binlog file is encrypted")]
    Encrypted {
        /// Where that shows.
        place: Place,
    },
    /// The file ends in the middle of an event.
    #[error("{place}: the file ends in the middle of the event, {missing} bytes are missing")]
    Truncated {
        /// The event.
        place: Place,
        /// Bytes that are missing, as far as they can be told.
        missing: u64,
    },
    /// The file ends before the transaction does.
    #[error("{place}: the file ends before the transaction that starts here does")]
    OpenTransaction {
        /// Where the transaction starts.
        place: Place,
    },
    /// The checksum of an event is another one.
    #[error("{place}: the checksum of the event is {computed:08x}, the log says {stored:08x}")]
    Checksum {
        /// The event.
        place: Place,
        /// What the log says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// Bytes that no server writes.
    #[error("{place}: {what}")]
    Malformed {
        /// The event.
        place: Place,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A table map or row event that cannot be decoded.
    #[error(transparent)]
    Decode(Box<DecodeFailure>),
    /// Something that is not read yet, or never.
    #[error("{place}: {what}")]
    Unsupported {
        /// The event.
        place: Place,
        /// What it is.
        what: &'static str,
        /// The step that mends it.
        remedy: &'static str,
    },
    /// Row changes as SQL text.
    #[error("{place}: the server logged the text of a {statement} statement instead of its rows")]
    StatementFormat {
        /// The event.
        place: Place,
        /// The statement's first word, or the event that only such statements have.
        statement: &'static str,
    },
    /// A statement that is not understood.
    #[error("{place}: a statement that is not known{}", head.as_deref().map(|h| format!(": {h}")).unwrap_or_default())]
    UnknownStatement {
        /// The event.
        place: Place,
        /// Its first characters, where it is about definitions.
        head: Option<String>,
    },
    /// A transaction that is too large.
    #[error("{place}: the transaction takes more than {limit_bytes} bytes on disk")]
    TransactionTooLarge {
        /// How far it was read.
        place: Place,
        /// The limit.
        limit_bytes: u64,
    },
    /// A transaction that is larger than memory, and no disk for it.
    #[error("{place}: the rows of a large transaction cannot be kept on disk")]
    Spill {
        /// How far it was read.
        place: Place,
        /// Why.
        #[source]
        source: SpillError,
    },
    /// The commit of an XA transaction whose rows were never seen.
    #[error("{place}: the XA transaction that ends here was prepared before the reading began")]
    UnknownXa {
        /// The event.
        place: Place,
    },
    /// A start position that is no end of a transaction.
    #[error(
        "{file}: offset {offset} is not between two transactions, the nearest such offsets are {before}{}",
        after.map(|a| format!(" and {a}")).unwrap_or_default()
    )]
    NotABoundary {
        /// The file.
        file: Arc<str>,
        /// The offset asked for.
        offset: u64,
        /// The last boundary before it.
        before: u64,
        /// The first one behind it, where the file has one.
        after: Option<u64>,
    },
    /// A start position in a file that was not given.
    #[error("the start position lies in {file}, which is not among the files given ({given})")]
    NoSuchFile {
        /// The file of the position.
        file: String,
        /// The names of the files given.
        given: String,
    },
    /// Two consecutive files between which others are missing.
    #[error("{file} does not follow the file before it: {reason}")]
    Gap {
        /// The file.
        file: Arc<str>,
        /// How that shows.
        reason: String,
    },
    /// The log is not the one that the position is of.
    #[error(
        "{place}: the transaction here is not the one that the position remembers ({difference})"
    )]
    AnotherLog {
        /// Where the transaction of the position would stand.
        place: Place,
        /// What differs.
        difference: &'static str,
    },
    /// Columns and images that do not fit each other.
    #[error("{place}: the rows of {table} make no batch")]
    Batch {
        /// Where the slice ends.
        place: Place,
        /// The table.
        table: Box<TableName>,
        /// Why.
        #[source]
        source: BatchError,
    },
    /// The server refused, or is out of reach.
    #[error(transparent)]
    Server(Box<ServerFailure>),
}

/// A table map or row event that cannot be decoded.
#[derive(Debug)]
pub struct DecodeFailure {
    /// The event.
    pub place: Place,
    /// The table, where it is known.
    pub table: Option<TableName>,
    source: DecodeError,
}

impl fmt::Display for DecodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.table {
            Some(table) => write!(f, "{}: table {table} cannot be read", self.place),
            None => write!(f, "{}: the event cannot be read", self.place),
        }
    }
}

impl std::error::Error for DecodeFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

const WHOLE_FILE: &str = "copy the file again from the server, whole; \
     if it is so on the server too, resume behind it and rebuild the tables that it touches";

impl BinlogError {
    pub(crate) fn decode(place: Place, table: Option<&TableName>, source: DecodeError) -> Self {
        Self::Decode(Box::new(DecodeFailure { place, table: table.cloned(), source }))
    }

    pub(crate) fn server(
        address: &str,
        cause: ServerCause,
        source: Option<mysql_async::Error>,
    ) -> Self {
        Self::Server(Box::new(ServerFailure::new(address, cause, source)))
    }
}

impl BinlogError {
    /// Whether a table was asked for as it is not any more: a column or the table itself is gone, or it
    /// was changed under a snapshot.
    #[must_use]
    pub fn is_another_table(&self) -> bool {
        match self {
            Self::Server(failure) => failure.code().is_some_and(|code| OTHER_TABLE.contains(&code)),
            _ => false,
        }
    }
}

/// The servers' errors for an unknown table, an unknown column, and a table that a snapshot does not know.
const OTHER_TABLE: [u16; 3] = [1146, 1054, 1412];

impl Diagnose for BinlogError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { .. } => "check the path and the permissions of the file",
            Self::Record { .. } => {
                "name a file that is not there yet, in a folder that may be written"
            }
            Self::NoFiles => {
                "name at least one file, for instance files = [\"binlogs/mysql-bin.*\"]"
            }
            Self::NotABinlog { .. } => {
                "give the server's binary log itself, neither its index, nor its text form, nor a packed copy"
            }
            Self::Encrypted { .. } => {
                "read from the live server, which sends the log in clear, or copy the log with \
                 mysqlbinlog --read-from-remote-server --raw"
            }
            Self::Truncated { .. } | Self::Checksum { .. } | Self::Malformed { .. } => WHOLE_FILE,
            Self::OpenTransaction { .. } => {
                "give the file behind it too, or copy it again after the server closed it (FLUSH BINARY LOGS)"
            }
            Self::Decode(failure) => return failure.source.hint(),
            Self::Unsupported { remedy, .. } => remedy,
            Self::Load { fault, .. } => fault.hint(),
            Self::StatementFormat { .. } => {
                "set binlog_format = ROW on the server, reconnect the sessions that write, \
                 and start behind this position with the tables rebuilt"
            }
            Self::UnknownStatement { .. } => {
                "look at the statement with mysqlbinlog; if it changes no captured table, \
                 start behind this position"
            }
            Self::TransactionTooLarge { .. } => {
                "split the transaction at the source, and start behind this one with the tables rebuilt"
            }
            Self::Spill { .. } => {
                "make room in the folder for temporary files, or name another one in TMPDIR"
            }
            Self::UnknownXa { .. } => {
                "start before its XA PREPARE, or behind this position with the tables rebuilt"
            }
            Self::NotABoundary { .. } => "start at one of these offsets",
            Self::NoSuchFile { .. } => "give that file too, or choose another start",
            Self::Gap { .. } => "give all files of the server in their order, none left out",
            Self::AnotherLog { .. } => {
                "the server was reset or restored, or the files are another server's: rebuild the \
                 tables with a new checkpoint, or point the source at the old server"
            }
            Self::Batch { .. } => return None,
            Self::Server(failure) => return failure.hint(),
        };
        Some(hint.to_owned())
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Server(failure) => failure.retry(),
            _ => Retry::Never,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoFiles
            | Self::NotABinlog { .. }
            | Self::NotABoundary { .. }
            | Self::NoSuchFile { .. }
            | Self::Gap { .. } => Fault::Usage,
            Self::Read { .. }
            | Self::Record { .. }
            | Self::Encrypted { .. }
            | Self::Spill { .. }
            | Self::StatementFormat { .. }
            | Self::AnotherLog { .. }
            | Self::Load { .. }
            | Self::Unsupported { .. } => Fault::Environment,
            Self::Decode(failure) => failure.source.fault(),
            Self::Server(failure) => failure.fault(),
            _ => Fault::Run,
        }
    }
}
