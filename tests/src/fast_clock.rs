//! A wall clock that runs fast, for what the host does only after minutes: a library that is loaded before it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::checkout;

/// The library, built once a run by the C compiler that the host's build asks for anyway.
///
/// # Panics
/// Where there is no C compiler.
#[must_use]
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = checkout::root().join("target/tests");
        std::fs::create_dir_all(&folder).expect("target/tests");
        let library = folder.join("fast_clock.so");
        let source = checkout::root().join("tests/src/fast_clock.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(source)
            .status();
        assert!(
            built.is_ok_and(|s| s.success()),
            "cc does not build tests/src/fast_clock.c: install a C compiler"
        );
        library
    })
}
