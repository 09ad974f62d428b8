//! What a test case is: its folder, its `case.toml`, and where they are found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use change::{Diagnose, Fault, LogFile};
use serde::Deserialize;

/// The file that makes a folder a test case.
const CASE_FILE: &str = "case.toml";

/// Folders below each other that are looked through; more is a loop of links.
const DEPTH_MAX: usize = 32;

/// An offline test.
#[derive(Clone, Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// The manifest that it tests.
    pub manifest: PathBuf,
    /// The recorded log, in order.
    pub input: Vec<PathBuf>,
    /// Variables for the references of the manifest; no others are seen.
    pub variables: BTreeMap<String, String>,
    /// The plugins of the chain that take part; none: all.
    pub plugins: Option<Vec<String>>,
}

/// Why a case cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file or folder cannot be used.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the case cannot be read.
    #[error("{}:{line}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The input matches no file.
    #[error("{}: no recorded log matches `{pattern}`", path.display())]
    NoInput {
        /// The case's file.
        path: PathBuf,
        /// The pattern.
        pattern: String,
    },
    /// Written changes as input.
    #[error("{}: `{pattern}` is not a recorded log, and written changes as input are not built yet", path.display())]
    WrittenChanges {
        /// The case's file.
        path: PathBuf,
        /// The pattern.
        pattern: String,
    },
    /// The case names a plugin that the manifest does not have.
    #[error("{}: the manifest has no plugin `{plugin}` (it has: {known})", path.display())]
    UnknownPlugin {
        /// The case's file.
        path: PathBuf,
        /// The name.
        plugin: String,
        /// The names that there are.
        known: String,
    },
    /// Two targets would have the same expected file.
    #[error("targets {first} and {second} would share the expected file {}", path.display())]
    SharedFile {
        /// A target.
        first: String,
        /// Another one.
        second: String,
        /// The file.
        path: PathBuf,
    },
}

impl Diagnose for CaseError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::File { .. } => "check the path and its permissions",
            Self::Content { .. } => return None,
            Self::NoInput { .. } => {
                "mend `input`: it is a path or pattern relative to the case's folder"
            }
            Self::WrittenChanges { .. } => {
                "record a binlog with these changes and name it, such as input = \"shop.*.binlog\""
            }
            Self::UnknownPlugin { .. } => "mend `plugins` in case.toml",
            Self::SharedFile { .. } => "give the targets paths that differ without case and dots",
        };
        Some(hint.to_owned())
    }

    fn fault(&self) -> Fault {
        match self {
            Self::File { .. } => Fault::Environment,
            _ => Fault::Usage,
        }
    }
}

/// `case.toml`, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CaseFile {
    manifest: PathBuf,
    input: Input,
    #[serde(default)]
    env: BTreeMap<String, String>,
    plugins: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Several(Vec<String>),
}

/// All cases below some folders, ordered by folder. A folder of a case may hold further ones.
///
/// # Errors
/// Where a folder cannot be listed or a `case.toml` cannot be read.
pub fn find(folders: &[PathBuf]) -> Result<Vec<Case>, CaseError> {
    let mut found = Vec::new();
    for folder in folders {
        search(folder, 0, &mut found)?;
    }
    found.sort();
    found.dedup();
    found.iter().map(|folder| Case::load(folder)).collect()
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), CaseError> {
    let list = |source| CaseError::File { doing: "list", path: folder.to_owned(), source };
    if folder.join(CASE_FILE).is_file() {
        found.push(folder.to_owned());
    }
    if depth >= DEPTH_MAX {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(list)? {
        let path = entry.map_err(list)?.path();
        if path.is_dir() {
            search(&path, depth.saturating_add(1), found)?;
        }
    }
    Ok(())
}

impl Case {
    /// Reads the `case.toml` of a folder.
    ///
    /// # Errors
    /// Where it cannot be read, has mistakes, or names no recorded log.
    pub fn load(folder: &Path) -> Result<Self, CaseError> {
        let path = folder.join(CASE_FILE);
        let text = fs::read_to_string(&path).map_err(|source| CaseError::File {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        let file: CaseFile = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|b| *b == b'\n').count().saturating_add(1);
            CaseError::Content { path: path.clone(), line, message: error.message().to_owned() }
        })?;
        let patterns = match file.input {
            Input::One(pattern) => vec![pattern],
            Input::Several(patterns) => patterns,
        };
        let folder_path = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let name = folder_path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            name: name.unwrap_or_else(|| folder.display().to_string()),
            manifest: folder.join(file.manifest),
            input: input(&path, folder, &patterns)?,
            variables: file.env,
            plugins: file.plugins,
            folder: folder.to_owned(),
        })
    }

    /// Where its expected tables lie.
    #[must_use]
    pub fn expected_folder(&self) -> PathBuf {
        self.folder.join("expected")
    }

    /// Its `case.toml`.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join(CASE_FILE)
    }
}

/// The recorded files of some patterns, in the order of their numbers.
fn input(case: &Path, folder: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, CaseError> {
    let mut files = Vec::new();
    for pattern in patterns {
        if [".jsonl", ".sql"].iter().any(|end| pattern.ends_with(end)) {
            let (path, pattern) = (case.to_owned(), pattern.clone());
            return Err(CaseError::WrittenChanges { path, pattern });
        }
        let none = || CaseError::NoInput { path: case.to_owned(), pattern: pattern.clone() };
        let before = files.len();
        let full = folder.join(pattern);
        let found = glob::glob(full.to_str().ok_or_else(none)?).map_err(|_| none())?;
        files.extend(found.filter_map(Result::ok));
        if files.len() == before {
            return Err(none());
        }
    }
    let name = |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned());
    files.sort_by(|a, b| {
        let (a, b) = (name(a).unwrap_or_default(), name(b).unwrap_or_default());
        LogFile(&a).cmp(&LogFile(&b))
    });
    files.dedup();
    Ok(files)
}
