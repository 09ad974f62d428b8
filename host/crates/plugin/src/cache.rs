//! Compiled plugins on disk. Native code is loaded from here and run, so a file counts only where
//! the folder and the file belong to this user alone and its digest is right; anything else is
//! compiled anew. Never point it at a folder that others fill.

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::error::PluginError;

/// What a file of this cache starts with; the number is the version of its form.
const MAGIC: &[u8; 8] = b"sluicec1";

/// Bytes of a SHA-256.
const DIGEST_BYTES: usize = 32;

/// Permissions for anybody but the owner.
const OTHERS: u32 = 0o077;

/// The folder of compiled plugins.
pub(crate) struct Cache {
    folder: PathBuf,
    owner: u32,
    engine: String,
}

impl Cache {
    /// Opens the folder, or makes it with the mode 0700.
    pub(crate) fn open(folder: PathBuf, engine: &wasmtime::Engine) -> Result<Self, PluginError> {
        let refuse =
            |reason: String| PluginError::Cache { path: folder.display().to_string(), reason };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|e| refuse(e.to_string()))?;
        let meta = fs::metadata(&folder).map_err(|e| refuse(e.to_string()))?;
        if meta.mode() & OTHERS != 0 {
            return Err(refuse(format!("others may enter it (mode {:o})", meta.mode() & 0o777)));
        }
        let owner = own_user(&folder).map_err(|e| refuse(e.to_string()))?;
        if meta.uid() != owner {
            return Err(refuse("it belongs to another user".to_owned()));
        }
        Ok(Self { engine: engine_digest(engine), folder, owner })
    }

    /// The compiled component, from the folder or from the compiler.
    pub(crate) fn component(
        &self,
        engine: &wasmtime::Engine,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let path = self.folder.join(format!("{}-{}.cwasm", hex(bytes), self.engine));
        match self.read(engine, &path) {
            Ok(Some(component)) => return Ok(component),
            Ok(None) => {}
            Err(reason) => {
                tracing::warn!(path = %path.display(), %reason, "compiled plugin is not used");
            }
        }
        let compiled = engine.precompile_component(bytes)?;
        if let Err(error) = self.write(&path, &compiled) {
            tracing::warn!(path = %path.display(), %error, "compiled plugin is not kept");
        }
        deserialize(engine, &compiled)
    }

    /// None where there is no such file; an error says why the file does not count.
    fn read(&self, engine: &wasmtime::Engine, path: &Path) -> Result<Option<Component>, String> {
        let meta = match fs::symlink_metadata(path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        if !meta.is_file() || meta.uid() != self.owner || meta.mode() & OTHERS != 0 {
            return Err("it is not a file of this user alone".to_owned());
        }
        let mut content = Vec::new();
        let mut file = fs::File::open(path).map_err(|e| e.to_string())?;
        file.read_to_end(&mut content).map_err(|e| e.to_string())?;
        let compiled = unwrap(&content).ok_or("its digest is wrong")?;
        deserialize(engine, compiled).map(Some).map_err(|e| e.to_string())
    }

    /// Writes beside and renames, so that no reader ever sees a part.
    fn write(&self, path: &Path, compiled: &[u8]) -> io::Result<()> {
        let beside = self.folder.join(unique_name("new"));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let written = file
            .write_all(MAGIC)
            .and_then(|()| file.write_all(&Sha256::digest(compiled)))
            .and_then(|()| file.write_all(compiled))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // What is left over is harmless: nothing reads a file of this name.
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

/// The compiled code of a file, where its digest is right.
fn unwrap(content: &[u8]) -> Option<&[u8]> {
    let rest = content.strip_prefix(MAGIC)?;
    let (digest, compiled) = rest.split_at_checked(DIGEST_BYTES)?;
    (Sha256::digest(compiled).as_slice() == digest).then_some(compiled)
}

#[expect(unsafe_code, reason = "the only way to load compiled code; see SAFETY")]
fn deserialize(engine: &wasmtime::Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `compiled` came from `Engine::precompile_component` of this wasmtime: either a moment
    // ago, or in a file that only this user can have written (folder 0700, file 0600, both owned by
    // this user) and whose SHA-256 is the one written with it, so that a torn or rotten file does
    // not get here. wasmtime itself refuses code of another version or for other settings.
    unsafe { Component::deserialize(engine, compiled) }
}

/// The user that this process writes files as.
fn own_user(folder: &Path) -> io::Result<u32> {
    let probe = folder.join(unique_name("probe"));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe)?;
    let owner = file.metadata().map(|meta| meta.uid());
    fs::remove_file(&probe)?;
    owner
}

fn unique_name(purpose: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    format!(".{purpose}-{}-{}", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

fn engine_digest(engine: &wasmtime::Engine) -> String {
    struct Into256(Sha256);
    impl Hasher for Into256 {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Into256(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// The SHA-256 of some bytes, in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::guest::Guest;
    use crate::{Engine, EngineOptions, describe};

    fn options(folder: &Path) -> EngineOptions {
        EngineOptions { cache: Some(folder.to_path_buf()), ..EngineOptions::default() }
    }

    fn only_file(folder: &Path) -> PathBuf {
        let mut files: Vec<_> =
            fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    #[test]
    fn a_compiled_plugin_is_kept_and_a_rotten_or_foreign_file_is_written_anew() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("compiled");
        let engine = Engine::new(options(&folder)).expect("an engine");
        let plugin = Guest::filter().module();
        describe(&engine, &plugin).expect("a plugin");
        let file = only_file(&folder);
        let good = fs::read(&file).expect("a file");
        let inode = fs::metadata(&file).expect("a file").ino();
        describe(&engine, &plugin).expect("a plugin");
        assert_eq!(fs::metadata(&file).expect("a file").ino(), inode, "read, not written");
        let mut flipped = good.clone();
        flipped[5000] ^= 1;
        let cut = good[..good.len() / 2].to_vec();
        for bad in [flipped, cut, b"sluicec1".to_vec(), Vec::new()] {
            fs::write(&file, &bad).expect("written");
            describe(&engine, &plugin).expect("a plugin");
            assert_eq!(fs::read(only_file(&folder)).expect("a file"), good);
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("changed");
        describe(&engine, &plugin).expect("a plugin");
        assert_eq!(fs::metadata(&file).expect("a file").mode() & 0o777, 0o600, "written anew");
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("changed");
        let error = Engine::new(options(folder.path())).err().expect("refused").to_string();
        assert!(error.ends_with("others may enter it (mode 755)"), "{error}");
    }
}
