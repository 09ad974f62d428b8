//! Scripts in the language that came before manifests: `set`, `load binlog` and `save … as binlogRate`.
//!
//! A script is another way to write manifests: it becomes the same tree of settings, in which everything
//! knows its place in the script, and is read by the same rules. Nothing here opens a log or a table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::manifest::problem::Problems;
use crate::manifest::tree::Table;
use crate::manifest::{Manifest, ManifestError};

mod pair;
mod print;
mod statement;
mod token;

#[cfg(test)]
mod tests;

/// How the name of a script's file ends.
const EXTENSION: &str = "mlsql";

/// A pipeline as a manifest's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The pipeline's name.
    pub name: String,
    /// The manifest.
    pub text: String,
}

/// Whether a file is a script, by its name.
#[must_use]
pub fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(EXTENSION))
}

/// Reads a script for a run, with the process's environment: a manifest for each `save`.
///
/// # Errors
/// Names every mistake with its line and column.
pub fn load(path: &Path) -> Result<Vec<Manifest>, ManifestError> {
    let unreadable = |source| ManifestError::Unreadable { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let folder = std::path::absolute(path).map_err(unreadable)?;
    let folder = folder.parent().unwrap_or(Path::new("/"));
    manifests(&text, path, folder, &|name| std::env::var(name).ok())
}

/// Reads a script and gives what each of its pipelines is as a manifest. The environment is not asked:
/// references stay as they are.
///
/// # Errors
/// Names every mistake with its line and column.
pub fn convert(path: &Path) -> Result<Vec<Converted>, ManifestError> {
    let unreadable = |source| ManifestError::Unreadable { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    converted(&text, path)
}

fn converted(text: &str, path: &Path) -> Result<Vec<Converted>, ManifestError> {
    let problems = Problems::default();
    let trees = trees(text, &problems);
    told(path, problems)?;
    Ok(trees.iter().map(|tree| print::manifest(tree, path)).collect())
}

fn manifests(
    text: &str,
    path: &Path,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Manifest>, ManifestError> {
    let problems = Problems::default();
    let trees = trees(text, &problems).into_iter();
    let read = |tree| Manifest::of_tree(tree, path, folder, environment, &problems);
    let manifests: Vec<_> = trees.filter_map(read).collect();
    told(path, problems)?;
    Ok(manifests)
}

fn told(path: &Path, problems: Problems) -> Result<(), ManifestError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(ManifestError::Wrong { path: path.to_owned(), problems: problems.into_sorted() })
}

/// The settings of each pipeline, as far as they can be read.
fn trees(text: &str, problems: &Problems) -> Vec<Table> {
    let statements = statement::parse(&token::tokens(text, problems), problems);
    pair::pipelines(statements, problems)
}

/// The variables that `set` statements made so far.
type Variables = BTreeMap<String, String>;
