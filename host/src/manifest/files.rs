//! The recorded files that a manifest's patterns name.

use std::path::{Path, PathBuf};

use change::{Diagnose, Fault, LogFile};

use super::{SourceFrom, SourceSettings};

impl SourceSettings {
    /// The recorded files, in the order of their numbers.
    ///
    /// # Errors
    /// Where a pattern matches no file, or a folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>, FilesError> {
        let SourceFrom::Files(patterns) = &self.from else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        for pattern in patterns {
            let missing = || FilesError::NoMatch { pattern: pattern.clone() };
            let text = pattern.to_str().ok_or_else(missing)?;
            let found = glob::glob(text).map_err(|_| missing())?;
            let before = files.len();
            for path in found {
                let path = path.map_err(|source| FilesError::Unreadable {
                    path: source.path().to_owned(),
                    source: source.into(),
                })?;
                files.push(path);
            }
            if files.len() == before {
                return Err(missing());
            }
        }
        files.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.cmp(b)));
        files.dedup();
        Ok(files)
    }
}

/// A log file's place among others: by its name, whose number counts.
fn order(path: &Path) -> LogFile<'_> {
    LogFile(path.file_name().and_then(|name| name.to_str()).unwrap_or_default())
}

/// Recorded files that are not there.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A pattern without a file.
    #[error("no recorded log matches {}", pattern.display())]
    NoMatch {
        /// The pattern, with the manifest's folder before it.
        pattern: PathBuf,
    },
    /// A folder that cannot be listed.
    #[error("cannot look for recorded logs at {}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Diagnose for FilesError {
    fn hint(&self) -> Option<String> {
        let hint = "mend `files` in [source]: paths are relative to the manifest's folder";
        Some(hint.to_owned())
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoMatch { .. } => Fault::Usage,
            Self::Unreadable { .. } => Fault::Environment,
        }
    }
}
