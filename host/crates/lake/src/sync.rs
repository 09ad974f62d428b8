//! Makes files of local tables durable: the object store writes them, but never syncs.
//!
//! Order, for a commit: data files, deletion vectors, their folder, the log entry, the log's folder.
//! A store that is not local is durable once it has answered; everything here does nothing for it.

use std::fs::File;
use std::path::{Path, PathBuf};

use url::Url;

use crate::error::LakeError;

/// The local folder of a table, if it has one.
#[derive(Clone, Debug)]
pub(crate) enum Disk {
    /// A folder on this machine.
    Local(PathBuf),
    /// A store that answers only once it is durable.
    Remote,
}

impl Disk {
    pub(crate) fn of(url: &Url) -> Self {
        match url.to_file_path() {
            Ok(folder) if url.scheme() == "file" => Self::Local(folder),
            _ => Self::Remote,
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// When a file of a local table got its name, in milliseconds since 1970: a copy that is a second name
    /// of the same bytes is as old as these, but has not had its name for as long.
    pub(crate) fn named_ms(&self, name: &str) -> Option<i64> {
        use std::os::unix::fs::MetadataExt;
        let Self::Local(root) = self else { return None };
        let metadata = std::fs::metadata(root.join(name)).ok()?;
        let millis = metadata.ctime_nsec() / 1_000_000;
        Some(metadata.ctime().saturating_mul(1000).saturating_add(millis))
    }

    /// Syncs the contents of files, given by their names below the table.
    pub(crate) async fn sync_files(&self, names: &[String]) -> Result<(), LakeError> {
        let Self::Local(root) = self else { return Ok(()) };
        let paths: Vec<PathBuf> = names.iter().map(|n| root.join(n)).collect();
        blocking(move || paths.iter().try_for_each(|p| sync(p))).await
    }

    /// Syncs the entries of a folder below the table (the table's own by the empty name): without
    /// it a new file may be gone after a power cut, its contents synced or not.
    pub(crate) async fn sync_folder(&self, name: &str) -> Result<(), LakeError> {
        let Self::Local(root) = self else { return Ok(()) };
        let folder = if name.is_empty() { root.clone() } else { root.join(name) };
        blocking(move || sync(&folder)).await
    }

    /// Creates a folder below the table and whatever is missing above it, durably.
    pub(crate) async fn create_folder(&self, name: &str) -> Result<(), LakeError> {
        let Self::Local(root) = self else { return Ok(()) };
        let folder = root.join(name);
        blocking(move || {
            let missing: Vec<PathBuf> =
                folder.ancestors().take_while(|f| !f.is_dir()).map(Path::to_owned).collect();
            std::fs::create_dir_all(&folder)
                .map_err(|source| LakeError::Sync { path: folder.clone(), source })?;
            // From the top: each new folder is an entry of the one above it.
            let mut parents = missing.iter().rev().filter_map(|f| f.parent());
            parents.try_for_each(sync)
        })
        .await
    }
}

fn sync(path: &Path) -> Result<(), LakeError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| LakeError::Sync { path: path.to_owned(), source })
}

async fn blocking(
    work: impl FnOnce() -> Result<(), LakeError> + Send + 'static,
) -> Result<(), LakeError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| LakeError::Internal(format!("a sync did not end: {e}")))?
}
