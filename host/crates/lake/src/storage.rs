//! Where a table lies, and the store that reaches it.
//!
//! Everything goes through the object store of the table's URL; only [`crate::sync`] knows that a
//! local disk needs more than that.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use change::TargetPath;
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::{
    CommitOrBytes, LogStoreRef, StorageConfig, commit_uri_from_version, logstore_for, logstore_with,
};
use deltalake::{DeltaTableError, ObjectStoreError};
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;
use uuid::Uuid;

use crate::error::LakeError;
use crate::sync::Disk;

/// The log's folder below a table.
pub(crate) const LOG_FOLDER: &str = "_delta_log";

/// How stores are reached.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// Credentials and settings of an object store, by the names that `object_store` has for them.
    pub settings: HashMap<String, String>,
    /// The store at the root of every target's URL instead of the one that the URL names: for tests
    /// that let it fail, refuse or wait.
    pub root: Option<Arc<dyn ObjectStore>>,
}

/// What became of an attempt to write a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is in the log, and durable.
    Done,
    /// Another writer has that version.
    Taken,
}

/// One table's place.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    target: TargetPath,
    log: LogStoreRef,
    store: Arc<dyn ObjectStore>,
    disk: Disk,
}

impl Home {
    /// The place of a target; nothing is read or created.
    pub(crate) fn new(target: TargetPath, options: &StoreOptions) -> Result<Self, LakeError> {
        let url = table_url(&target)?;
        let wrong = |e: DeltaTableError| LakeError::Location {
            target: target.to_string(),
            reason: e.to_string(),
        };
        let config = StorageConfig::parse_options(&options.settings).map_err(wrong)?;
        let log = match &options.root {
            Some(root) => logstore_with(Arc::clone(root), &url, config),
            None => logstore_for(&url, config),
        }
        .map_err(wrong)?;
        let store = log.object_store(None);
        let disk = Disk::of(&url);
        Ok(Self { target, log, store, disk })
    }

    pub(crate) fn target(&self) -> &TargetPath {
        &self.target
    }

    pub(crate) fn log(&self) -> &LogStoreRef {
        &self.log
    }

    /// The store whose root is the table's folder.
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The table's root URL, ending in a slash.
    pub(crate) fn url(&self) -> &Url {
        self.log.root_url()
    }

    pub(crate) fn storage_error(
        &self,
        action: impl Into<String>,
        source: ObjectStoreError,
    ) -> LakeError {
        LakeError::Storage {
            target: self.target.to_string(),
            action: action.into(),
            source: Box::new(source),
        }
    }

    pub(crate) fn delta_error(
        &self,
        action: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> LakeError {
        LakeError::Delta {
            target: self.target.to_string(),
            action: action.into(),
            source: Box::new(source),
        }
    }

    pub(crate) fn damaged(
        &self,
        object: impl Into<String>,
        reason: impl Into<String>,
    ) -> LakeError {
        LakeError::Damaged {
            target: self.target.to_string(),
            object: object.into(),
            reason: reason.into(),
        }
    }

    /// Writes a new object. It is not durable yet.
    pub(crate) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        let path = self.path(name)?;
        self.store
            .put(&path, bytes.into())
            .await
            .map(|_| ())
            .map_err(|e| self.storage_error(format!("write {name}"), e))
    }

    /// The store's path of an object that is named as in the table's log, already decoded.
    pub(crate) fn path(&self, name: &str) -> Result<StorePath, LakeError> {
        StorePath::parse(name).map_err(|e| self.damaged(name, e.to_string()))
    }

    /// The bytes of a log entry; none where there is no such version (any more).
    pub(crate) async fn read_entry(&self, version: u64) -> Result<Option<bytes::Bytes>, LakeError> {
        let path = commit_uri_from_version(Some(version));
        let found = match self.store.get(&path).await {
            Ok(found) => found,
            Err(ObjectStoreError::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(self.storage_error(format!("read {path}"), e)),
        };
        let bytes = found.bytes().await;
        bytes.map(Some).map_err(|e| self.storage_error(format!("read {path}"), e))
    }

    /// Whether a version's log entry is there.
    pub(crate) async fn has_entry(&self, version: u64) -> Result<bool, LakeError> {
        let path = commit_uri_from_version(Some(version));
        match self.store.head(&path).await {
            Ok(_) => Ok(true),
            Err(ObjectStoreError::NotFound { .. }) => Ok(false),
            Err(e) => Err(self.storage_error(format!("look for {path}"), e)),
        }
    }

    /// Writes a log entry unless the version is taken; durable once this returns.
    ///
    /// On a local disk the entry is written beside the log, synced, and only then given its name: a
    /// power cut leaves either no entry or a whole one. Elsewhere the store's conditional put does
    /// it at once.
    pub(crate) async fn publish(
        &self,
        version: u64,
        entry: Vec<u8>,
    ) -> Result<Published, LakeError> {
        let path = commit_uri_from_version(Some(version));
        if self.disk.is_local() {
            return self.publish_locally(&path, entry).await;
        }
        let entry = CommitOrBytes::LogBytes(entry.into());
        match self.log.write_commit_entry(version, entry, Uuid::new_v4()).await {
            Ok(()) => Ok(Published::Done),
            Err(TransactionError::VersionAlreadyExists(_)) => Ok(Published::Taken),
            Err(e) => Err(self.delta_error(format!("write {path}"), e)),
        }
    }

    async fn publish_locally(
        &self,
        path: &StorePath,
        entry: Vec<u8>,
    ) -> Result<Published, LakeError> {
        // The name that delta-rs gives to its own staged commits: readers and clean-ups know it.
        let staged = format!("{LOG_FOLDER}/_commit_{}.json.tmp", Uuid::new_v4());
        self.put(&staged, entry).await?;
        let published = async {
            self.disk.sync_files(std::slice::from_ref(&staged)).await?;
            match self.store.copy_if_not_exists(&self.path(&staged)?, path).await {
                Ok(()) => Ok(Published::Done),
                Err(ObjectStoreError::AlreadyExists { .. }) => Ok(Published::Taken),
                Err(e) => Err(self.storage_error(format!("write {path}"), e)),
            }
        }
        .await;
        // Litter at worst: nothing ever reads it.
        let _ = self.store.delete(&self.path(&staged)?).await;
        if published.as_ref().is_ok_and(|p| *p == Published::Done) {
            self.disk.sync_folder(LOG_FOLDER).await?;
        }
        published
    }
}

/// The URL of a target: of an absolute path, or as it is written.
fn table_url(target: &TargetPath) -> Result<Url, LakeError> {
    let text: &str = &target.0;
    let wrong = |reason: String| LakeError::Location { target: target.to_string(), reason };
    if text.contains("://") {
        let mut url = Url::parse(text).map_err(|e| wrong(e.to_string()))?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        return Ok(url);
    }
    let path = local_path(text)?;
    Url::from_directory_path(&path).map_err(|()| wrong("it has no absolute form".into()))
}

/// A path as the operating system has it, absolute.
pub(crate) fn local_path(text: &str) -> Result<PathBuf, LakeError> {
    let wrong =
        |e: std::io::Error| LakeError::Location { target: text.to_owned(), reason: e.to_string() };
    std::path::absolute(Path::new(text)).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_any_characters_reaches_its_own_folder() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["plain", "with space", "hash#tag", "per%20cent", "ümlaut", "q?x", "a[b]*"] {
            let folder = root.path().join(name);
            let target = TargetPath(folder.to_str().expect("UTF-8").into());
            let home = Home::new(target, &StoreOptions::default()).expect("a place");
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(home.put("file name", b"x".to_vec())).expect("written");
            assert!(folder.join("file name").is_file(), "{name}");
            runtime.block_on(home.disk().sync_files(&["file name".into()])).expect("synced");
        }
    }

    #[tokio::test]
    async fn a_version_is_given_away_once() {
        let root = tempfile::tempdir().expect("a folder");
        let target = TargetPath(root.path().to_str().expect("UTF-8").into());
        let home = Home::new(target, &StoreOptions::default()).expect("a place");
        assert_eq!(home.publish(0, b"{}".to_vec()).await.expect("works"), Published::Done);
        assert_eq!(home.publish(0, b"[]".to_vec()).await.expect("works"), Published::Taken);
        assert_eq!(home.read_entry(0).await.expect("works").expect("there"), "{}");
        let log = std::fs::read_dir(root.path().join(LOG_FOLDER)).expect("a folder");
        assert_eq!(log.count(), 1, "no staged entry stays behind");
    }
}
