//! The pipelines that a file names: a manifest is one, a script may be several.

use std::path::Path;

use crate::manifest::{Manifest, ManifestError};
use crate::script;

/// Reads a manifest or a script; never empty.
///
/// # Errors
/// Names every mistake with its line and column.
pub(super) fn load(path: &Path) -> Result<Vec<Manifest>, ManifestError> {
    if script::is_script(path) {
        return script::load(path);
    }
    Ok(vec![Manifest::load(path)?])
}

/// A line before what is told of one pipeline among several.
pub(super) fn heading(manifest: &Manifest, among: &[Manifest]) -> String {
    match among {
        [] | [_] => String::new(),
        _ => format!("pipeline {}\n", manifest.pipeline.name),
    }
}
