//! Definitions of tables that an operator names in a file.

use std::io;
use std::path::{Path, PathBuf};

use change::{Definitions, Diagnose, Fault};

/// Bytes of a file: a hundred thousand tables fit; what is larger holds rows.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Why a file gives no definitions.
#[derive(Debug, thiserror::Error)]
pub enum GivenFileError {
    /// It cannot be read.
    #[error("cannot read the definitions {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be understood.
    #[error("the definitions {} cannot be used", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: binlog::definition::GivenError,
    },
}

impl Diagnose for GivenFileError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => {
                Some("name a file with CREATE TABLE statements (`mysqldump --no-data`)".to_owned())
            }
            Self::Text { source, .. } => source.hint(),
        }
    }

    fn fault(&self) -> Fault {
        Fault::Usage
    }
}

/// Reads a file of CREATE TABLE statements.
///
/// # Errors
/// Where it is not there, is too large, or holds a definition that cannot be read.
pub fn definitions(path: &Path) -> Result<Definitions, GivenFileError> {
    let io = |source| GivenFileError::Io { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(io)?.len() > FILE_BYTES_MAX {
        return Err(io(io::Error::other("it is larger than 256 MiB: leave the rows out")));
    }
    let text = std::fs::read_to_string(path).map_err(io)?;
    let wrong = |source| GivenFileError::Text { path: path.to_owned(), source };
    binlog::definition::parse(&text).map_err(wrong)
}
