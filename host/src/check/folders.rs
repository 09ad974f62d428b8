//! Whether checkpoint and targets can be written.

use std::fs;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::error::HostError;
use crate::manifest::Manifest;

pub(super) fn check(manifest: &Manifest, findings: &mut Vec<Finding>) {
    let places = [
        ("checkpoint", manifest.pipeline.checkpoint.clone()),
        ("sink", PathBuf::from(manifest.sink.path.prefix())),
    ];
    for (subject, folder) in places {
        findings.push(match probe(&folder) {
            Ok(message) => Finding::ok(subject, message),
            Err(error) => Finding::error(subject, error),
        });
    }
}

/// Creates and removes a file where the folder is or will be.
fn probe(folder: &Path) -> Result<String, HostError> {
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let file = there.join(format!(".sluice-check-{}", std::process::id()));
    let failed = |source| HostError::File { doing: "write to", path: there.to_owned(), source };
    fs::write(&file, b"sluice check").map_err(failed)?;
    fs::remove_file(&file).map_err(failed)?;
    Ok(match there == folder {
        true => format!("{} can be written", folder.display()),
        false => format!("{} will be made below {}", folder.display(), there.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let new = folder.path().join("a").join("b");
        assert!(probe(&new).expect("writable").contains("will be made below"));
        assert!(probe(folder.path()).expect("writable").contains("can be written"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        let error = probe(&file.join("below")).expect_err("a file is no folder");
        assert!(error.to_string().ends_with("file"), "{error}");
    }
}
