//! Where the checkout is and what lies in it. It reads; it never writes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that hold what was built or what git keeps.
const NOT_OURS: [&str; 5] = ["target", ".git", "node_modules", "__pycache__", ".venv"];

/// The root of the checkout that these tests were built from.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A bundled plugin or hostile guest, as `make plugins` laid it down.
///
/// # Panics
/// Where it is not there, with the command that makes it.
#[must_use]
pub fn plugin(name: &str) -> PathBuf {
    let path = root().join("target/plugins").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `make plugins`", path.display());
    path
}

/// One text file of the checkout.
#[derive(Clone, Debug)]
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// The text files of the checkout.
#[derive(Debug)]
pub struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// Reads every text file that is ours.
    ///
    /// # Errors
    /// Where a folder or a file cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        collect(root, "", &mut files)?;
        files.sort_by(|a: &File, b: &File| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// The files with one of these extensions.
    pub fn with_extension<'a>(&'a self, extensions: &'a [&str]) -> impl Iterator<Item = &'a File> {
        let extension = |f: &File| f.path.rsplit_once('.').map(|(_, e)| e.to_owned());
        self.files
            .iter()
            .filter(move |f| extension(f).is_some_and(|e| extensions.contains(&e.as_str())))
    }

    /// The files of this name, wherever they lie.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |f| f.path.rsplit('/').next() == Some(name))
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            files.push(File { path, text });
        }
    }
    Ok(())
}
