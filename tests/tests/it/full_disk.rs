//! A disk that is full when the host commits: a real one, of a few hundred kilobytes. Where this system lets nobody but
//! root mount and the tests do not run as root, a limit on the size of files stands in for it.

use std::path::Path;
use std::process::Command;

use sluice_tests::oracle;
use sluice_tests::shop::{self, Shop};

/// A small file system at a folder; gone when dropped.
struct SmallDisk<'a> {
    folder: &'a Path,
}

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path, kilobytes: u32) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder");
        let mounted = mount(&["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"], folder);
        mounted.then_some(Self { folder })
    }

    fn grow(&self, kilobytes: u32) {
        assert!(
            mount(&["-o", &format!("remount,size={kilobytes}k")], self.folder),
            "the disk does not grow"
        );
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.folder).status());
    }
}

fn mount(options: &[&str], folder: &Path) -> bool {
    let output = Command::new("mount").args(options).arg(folder).output();
    output.is_ok_and(|o| o.status.success())
}

#[track_caller]
fn right(shop: &Shop) {
    if let Err(differences) = oracle::compare(&shop.lake(), &shop::expected()) {
        panic!("{differences}");
    }
}

#[test]
fn a_full_disk_at_commit_is_told_and_the_next_run_goes_on() {
    let shop = Shop::copy();
    let lake = shop.lake();
    let Some(disk) = SmallDisk::mount(&lake, 24) else {
        return files_that_may_not_grow(&shop);
    };
    for kilobytes in [24, 48, 72] {
        disk.grow(kilobytes);
        let outcome = shop.until_end().run().failed(3, &["space", "help: "]);
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    }
    disk.grow(64 * 1024);
    let _ = shop.until_end().run().done();
    right(&shop);
}

/// `ulimit -f` counts blocks of 1,024 bytes; the signal that comes with it is ignored, so that writing fails instead.
fn files_that_may_not_grow(shop: &Shop) {
    let binary = sluice_tests::host::binary();
    let line = format!(
        "trap '' XFSZ; ulimit -f 4; exec '{}' run sluice.toml --until-end",
        binary.display()
    );
    let limited = Command::new("bash")
        .args(["-c", &line])
        .current_dir(shop.folder())
        .output()
        .expect("bash runs");
    let stderr = String::from_utf8_lossy(&limited.stderr);
    assert_eq!(limited.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("help: ") && !stderr.contains("panicked"), "{stderr}");
    let _ = shop.until_end().run().done();
    right(shop);
}

#[test]
fn a_file_that_may_not_grow_is_told_and_the_next_run_goes_on() {
    files_that_may_not_grow(&Shop::copy());
}
