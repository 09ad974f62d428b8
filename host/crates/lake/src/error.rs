//! What can go wrong between folded changes and a durable commit, with the step that mends it.
//!
//! No text here ever names a row value.

mod fold;

use std::path::PathBuf;

use change::diagnose::REBUILD;
use change::{Diagnose, Fault, Retry};

pub use fold::{FoldError, Place};

/// An error of the lake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// Images that cannot be stored or folded.
    #[error(transparent)]
    Fold(#[from] Box<FoldError>),
    /// A target's path is neither an absolute path nor a URL.
    #[error("target `{target}` is not a path or URL: {reason}")]
    Location {
        /// The target as the template renders it.
        target: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store refused to read or write.
    #[error("{target}: cannot {action}")]
    Storage {
        /// The target.
        target: String,
        /// What was tried, with the object's name.
        action: String,
        /// The store's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or folder could not be made durable.
    #[error("{}: cannot create or sync it on disk", path.display())]
    Sync {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The Delta library could not read the table or write to its log.
    #[error("{target}: cannot {action}")]
    Delta {
        /// The target.
        target: String,
        /// What was tried.
        action: String,
        /// The library's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A Parquet file could not be read or written.
    #[error("{target}: cannot {action}")]
    Parquet {
        /// The target.
        target: String,
        /// What was tried, with the file's name.
        action: String,
        /// The library's answer.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// Columns could not be combined; a fault of Sluice.
    #[error("cannot {action}")]
    Arrow {
        /// What was tried.
        action: &'static str,
        /// The library's answer.
        #[source]
        source: arrow_schema::ArrowError,
    },
    /// An existing table is of a kind that Sluice does not write.
    #[error("{target}: the table cannot be written: {reason}")]
    Incompatible {
        /// The target.
        target: String,
        /// What is in the way.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// The columns of the changes do not fit those of the table.
    #[error("{target}: the columns do not fit the table: {reason}")]
    Schema {
        /// The target.
        target: String,
        /// The columns with their old and new types.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// Another process writes to the table under the same pipeline name.
    #[error(
        "{target}: another process of pipeline `{pipeline}` commits to this table (its counter is {found}, ours {expected})"
    )]
    Fenced {
        /// The target.
        target: String,
        /// The pipeline.
        pipeline: String,
        /// Our counter.
        expected: i64,
        /// The counter in the table.
        found: i64,
    },
    /// Someone changed the table in a way that cannot be followed.
    #[error("{target}: version {version} was written by others: {what}")]
    Foreign {
        /// The target.
        target: String,
        /// The version of the commit.
        version: u64,
        /// What it did.
        what: String,
        /// The ways on.
        hint: String,
    },
    /// Others commit faster than we can follow.
    #[error("{target}: {attempts} commits in a row were overtaken by other writers")]
    Contended {
        /// The target.
        target: String,
        /// How many were tried.
        attempts: usize,
    },
    /// The table's folder or log has gone while it was in use.
    #[error("{target}: the table has vanished: {missing} is not there any more")]
    Vanished {
        /// The target.
        target: String,
        /// The file that should be there.
        missing: String,
    },
    /// A file that the table's log names holds something else.
    #[error("{target}: {object} is damaged: {reason}")]
    Damaged {
        /// The target.
        target: String,
        /// The file.
        object: String,
        /// What is wrong.
        reason: String,
    },
    /// A position does not fit the form in which tables keep it.
    #[error("{target}: position {position} cannot be stored: {reason}")]
    Position {
        /// The target.
        target: String,
        /// The position.
        position: String,
        /// Why not.
        reason: &'static str,
    },
    /// A retention below the one that the table sets.
    #[error("{target}: a retention of {asked_hours} hours is below the table's of {least_hours}")]
    Retention {
        /// The target.
        target: String,
        /// What was asked for, rounded up.
        asked_hours: u64,
        /// What the table promises, rounded up.
        least_hours: u64,
        /// The property that sets it.
        property: &'static str,
    },
    /// A state that must not come about; a fault of Sluice.
    #[error("{0}")]
    Internal(String),
}

/// Tells `No space left on device` and its like from other answers of a store.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    let mut next = Some(error);
    // Errors nest a handful of levels; the bound only guards against a loop.
    for _ in 0..16 {
        let current = next?;
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            // An I/O error may wrap another, more telling one.
            let inner = io.get_ref().and_then(|e| {
                let e: &(dyn std::error::Error + 'static) = e;
                e.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
            });
            return Some(inner.unwrap_or_else(|| io.kind()));
        }
        next = current.source();
    }
    None
}

impl LakeError {
    /// Whether a file is not there that was to be read.
    pub(crate) fn is_missing_file(&self) -> bool {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(current) = next {
            if let Some(object_store::Error::NotFound { .. }) = current.downcast_ref() {
                return true;
            }
            next = current.source();
        }
        self.io_kind() == Some(std::io::ErrorKind::NotFound)
    }

    fn io_kind(&self) -> Option<std::io::ErrorKind> {
        match self {
            Self::Storage { source, .. } | Self::Delta { source, .. } => io_kind(source.as_ref()),
            Self::Sync { source, .. } => Some(source.kind()),
            Self::Parquet { source, .. } => io_kind(source),
            _ => None,
        }
    }
}

impl From<FoldError> for LakeError {
    fn from(error: FoldError) -> Self {
        Self::Fold(Box::new(error))
    }
}

impl Diagnose for LakeError {
    fn hint(&self) -> Option<String> {
        use std::io::ErrorKind as Kind;
        match self {
            Self::Fold(error) => error.hint(),
            Self::Incompatible { hint, .. }
            | Self::Schema { hint, .. }
            | Self::Foreign { hint, .. } => Some(hint.clone()),
            Self::Fenced { pipeline, .. } => Some(format!(
                "stop the other process of pipeline `{pipeline}`, or give one of the two another `pipeline.name`"
            )),
            Self::Vanished { .. } => {
                Some(format!("bring the folder back from a backup, or {REBUILD}"))
            }
            Self::Damaged { .. } => Some(format!("restore the file from a backup, or {REBUILD}")),
            Self::Contended { .. } => {
                Some("pause the other writers of this table, then start again".into())
            }
            Self::Retention { least_hours, property, .. } => Some(format!(
                "ask for at least {least_hours} hours, set the table property `{property}`, or give up the older versions with --accept-short-retention"
            )),
            Self::Location { .. } => Some("write `sink.path` as an absolute path or a URL".into()),
            _ => match self.io_kind()? {
                Kind::StorageFull | Kind::QuotaExceeded => {
                    Some("free some space where the tables lie, then start again".into())
                }
                Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
                    Some("give the user that runs sluice write access to the table's folder".into())
                }
                Kind::NotFound => {
                    Some("check that the disk with the tables is mounted, then start again".into())
                }
                _ => None,
            },
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Storage { .. } | Self::Contended { .. } => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Fold(error) => error.fault(),
            Self::Location { .. } | Self::Retention { .. } => Fault::Usage,
            Self::Storage { .. }
            | Self::Sync { .. }
            | Self::Incompatible { .. }
            | Self::Vanished { .. }
            | Self::Damaged { .. } => Fault::Environment,
            Self::Delta { .. } | Self::Parquet { .. } if self.io_kind().is_some() => {
                Fault::Environment
            }
            _ => Fault::Run,
        }
    }
}
