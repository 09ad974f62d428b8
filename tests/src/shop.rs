//! The quickstart's shop: its recorded log in a folder of one's own, and the rows that its server had in the end.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::checkout;
use crate::host::{self, Call};
use crate::oracle::Expected;
use crate::readers;

/// A copy of `examples/quickstart`, with the plugins where its manifest looks for them.
#[derive(Debug)]
pub struct Shop {
    folder: TempDir,
}

impl Shop {
    /// Copies it.
    ///
    /// # Panics
    /// Where the checkout or the plugins are not there.
    #[must_use]
    pub fn copy() -> Self {
        let folder = tempfile::Builder::new().prefix("sluice-shop-").tempdir().expect("a folder");
        let shop = Self { folder };
        let plugins = checkout::plugin("filter");
        let plugins = plugins.parent().expect("target/plugins");
        fs::create_dir_all(shop.folder().join("log")).expect("a folder");
        fs::create_dir_all(shop.folder.path().join("target")).expect("a folder");
        std::os::unix::fs::symlink(plugins, shop.folder.path().join("target/plugins"))
            .expect("a link");
        let original = checkout::root().join("examples/quickstart");
        fs::copy(original.join("sluice.toml"), shop.manifest()).expect("its manifest");
        for file in Self::log_files() {
            fs::copy(original.join("log").join(&file), shop.log(&file)).expect("its log");
        }
        shop
    }

    /// The names of its log files, in order.
    ///
    /// # Panics
    /// Where the quickstart has none.
    #[must_use]
    pub fn log_files() -> Vec<String> {
        let log = checkout::root().join("examples/quickstart/log");
        let entries = fs::read_dir(log).expect("examples/quickstart/log").flatten();
        let mut names: Vec<_> =
            entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        assert!(names.len() >= 2, "the recorded shop has two files, not {names:?}");
        names
    }

    /// Where the manifest lies.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("examples/quickstart")
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.folder().join("sluice.toml")
    }

    /// A file of its log.
    #[must_use]
    pub fn log(&self, file: &str) -> PathBuf {
        self.folder().join("log").join(file)
    }

    /// The tables.
    #[must_use]
    pub fn lake(&self) -> PathBuf {
        self.folder().join("lake")
    }

    /// Changes the manifest's text.
    ///
    /// # Panics
    /// Where the text does not hold `old`.
    pub fn edit(&self, old: &str, new: &str) {
        let text = fs::read_to_string(self.manifest()).expect("its manifest");
        assert!(text.contains(old), "the quickstart's manifest has no `{old}`");
        fs::write(self.manifest(), text.replace(old, new)).expect("its manifest");
    }

    /// `sluice` with some arguments, within the folder.
    #[must_use]
    pub fn sluice(&self, arguments: &[&str]) -> Call {
        host::sluice(arguments).within(&self.folder())
    }

    /// `sluice run sluice.toml --until-end`.
    #[must_use]
    pub fn until_end(&self) -> Call {
        self.sluice(&["run", "sluice.toml", "--until-end"])
    }
}

/// What the server said at the end of the recording, the manifest's chain written as SQL.
///
/// # Panics
/// Where the recording left nothing.
#[must_use]
pub fn expected() -> Expected {
    let file = checkout::root().join("tests/fixtures/quickstart.jsonl");
    let text = fs::read_to_string(&file).expect("tests/fixtures/quickstart.jsonl");
    let mut expected = Expected::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let target = line.get("target").and_then(Value::as_str).expect("a target");
        let row = readers::row_of(line.get("row").expect("a row"));
        expected.entry(target.to_owned()).or_default().push(row);
    }
    assert!(expected.len() >= 3, "the recording has {} targets", expected.len());
    expected
}

/// The versions of every table below a folder: their log entries.
///
/// # Panics
/// Where a folder cannot be read.
#[must_use]
pub fn log_entries(lake: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![lake.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if folder.ends_with("_delta_log")
                && path.extension().is_some_and(|e| e == "json")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
