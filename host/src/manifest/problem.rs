//! What is wrong with a manifest: every mistake with its line and column, and how that reads.
//!
//! A message never holds a value that came from the environment or from a `file:` reference.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

use change::{Diagnose, Fault};

/// A point in the manifest's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What is wrong, with the remedy.
    pub message: String,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file itself cannot be read.
    #[error("cannot read the manifest {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has mistakes.
    #[error("{}", Listing { path, problems })]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its mistakes, ordered by place.
        problems: Vec<Problem>,
    },
}

impl ManifestError {
    /// The mistakes, where the file could be read.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Wrong { problems, .. } => problems,
        }
    }
}

impl Diagnose for ManifestError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => {
                Some("give the path of a manifest, such as `sluice run sluice.toml`".to_owned())
            }
            Self::Wrong { .. } => None,
        }
    }

    fn fault(&self) -> Fault {
        Fault::Usage
    }
}

/// The count, then one mistake a line in the form that editors and terminals turn into a link.
struct Listing<'a> {
    path: &'a std::path::Path,
    problems: &'a [Problem],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        write!(f, "{} problem{plural} in {path}", self.problems.len())?;
        for Problem { place, message } in self.problems {
            write!(f, "\n{path}:{}:{}: {message}", place.line, place.column)?;
        }
        Ok(())
    }
}

/// Collects mistakes while a manifest is read.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(crate) fn add(&self, place: Place, message: impl Into<String>) {
        self.0.borrow_mut().push(Problem { place, message: message.into() });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All of them by place, each once.
    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort();
        problems.dedup();
        problems
    }
}
