//! Small files that a pipeline keeps in a folder of its own, such as one beside its targets.
//!
//! A file is written once and whole, and is durable when that returns; nothing here is ever changed in
//! place, and nothing here is part of a table.

use change::TargetPath;
use deltalake::ObjectStoreError;
use object_store::ObjectStoreExt;
use object_store::path::Path as StorePath;

use crate::error::LakeError;
use crate::storage::{Home, StoreOptions};

/// The end of a name while the file is written.
const STAGED: &str = ".tmp";

/// A folder of small files, on a disk or in a store.
#[derive(Clone, Debug)]
pub struct Notes {
    home: Home,
}

impl Notes {
    /// The folder of this path or URL; nothing is read or made.
    ///
    /// # Errors
    /// Where it is neither a path nor a URL.
    pub fn at(folder: &str, options: &StoreOptions) -> Result<Self, LakeError> {
        Ok(Self { home: Home::new(TargetPath(folder.into()), options)? })
    }

    /// The names of all files, in their order; none where there is no such folder.
    ///
    /// # Errors
    /// Where the folder cannot be listed.
    pub async fn names(&self) -> Result<Vec<String>, LakeError> {
        let listed = match self.home.store().list_with_delimiter(None).await {
            Ok(listed) => listed,
            Err(ObjectStoreError::NotFound { .. }) => return Ok(Vec::new()),
            Err(e) => return Err(self.home.storage_error("list its files", e)),
        };
        let name = |path: &StorePath| path.filename().map(str::to_owned);
        let names = listed.objects.iter().filter_map(|object| name(&object.location));
        let mut names: Vec<_> = names.filter(|name| !name.ends_with(STAGED)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// What a file holds.
    ///
    /// # Errors
    /// Where it is not there or cannot be read.
    pub async fn read(&self, name: &str) -> Result<Vec<u8>, LakeError> {
        let failed = |e| self.home.storage_error(format!("read {name}"), e);
        let found = self.home.store().get(&self.home.path(name)?).await.map_err(failed)?;
        Ok(found.bytes().await.map_err(failed)?.to_vec())
    }

    /// Writes a file, in place of one of that name. A crash leaves the old one, the new one or none, and
    /// never a part.
    ///
    /// # Errors
    /// Where it cannot be written or synced.
    pub async fn write(&self, name: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        let (home, disk) = (&self.home, self.home.disk());
        if !disk.is_local() {
            return home.put(name, bytes).await;
        }
        disk.create_folder("").await?;
        let staged = format!("{name}{STAGED}");
        home.put(&staged, bytes).await?;
        disk.sync_files(std::slice::from_ref(&staged)).await?;
        let (from, to) = (home.path(&staged)?, home.path(name)?);
        let renamed = home.store().rename(&from, &to).await;
        renamed.map_err(|e| home.storage_error(format!("write {name}"), e))?;
        disk.sync_folder("").await
    }

    /// Removes a file, where it is there.
    ///
    /// # Errors
    /// Where the store refuses.
    pub async fn remove(&self, name: &str) -> Result<(), LakeError> {
        match self.home.store().delete(&self.home.path(name)?).await {
            Ok(()) | Err(ObjectStoreError::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.home.storage_error(format!("remove {name}"), e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_there_once_and_whole() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("_own").join("notes");
        let options = StoreOptions::default();
        let notes = Notes::at(folder.to_str().expect("UTF-8"), &options).expect("a place");
        assert_eq!(notes.names().await.expect("lists"), Vec::<String>::new());
        assert!(!folder.exists(), "a look makes nothing");
        for (name, text) in [("b", "1"), ("a", "2"), ("b", "3")] {
            notes.write(name, text.into()).await.expect("written");
        }
        // What a crash left while it was written.
        std::fs::write(folder.join("c.tmp"), "").expect("written");
        assert_eq!(notes.names().await.expect("lists"), ["a", "b"]);
        assert_eq!(notes.read("b").await.expect("reads"), b"3");
        for _ in 0..2 {
            notes.remove("b").await.expect("removed");
        }
        assert_eq!(notes.names().await.expect("lists"), ["a"]);
        let error = notes.read("b").await.expect_err("it is gone");
        assert!(error.to_string().ends_with("cannot read b"), "{error}");
    }
}
