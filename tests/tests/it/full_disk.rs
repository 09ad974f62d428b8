//! A disk that is full when the host commits: a real file system of a few kilobytes, in a name space of its own, so that
//! no mount outlives the test however it ends.

use std::process::Command;

use sluice_tests::host;
use sluice_tests::oracle;
use sluice_tests::shop::{self, Shop};

/// Runs the host on a disk that is too small again and again, each time a little larger, then on one that is large
/// enough; what it wrote is copied out, since the disk goes with the name space. Prints `disk KILOBYTES CODE`.
const SCRIPT: &str = r#"
set -u
mkdir lake
mount -t tmpfs -o size=24k tmpfs lake || { echo "no disk can be mounted here"; exit 97; }
for kilobytes in 24 40 56 72 88 104 65536; do
  mount -o "remount,size=${kilobytes}k" lake || exit 97
  "$SLUICE" run sluice.toml --until-end >"said.$kilobytes" 2>&1
  echo "disk $kilobytes $?"
done
cp -r lake kept
"#;

#[test]
fn a_full_disk_at_commit_is_told_and_the_next_run_goes_on() {
    let shop = Shop::copy();
    // Root needs no user name space, and may not be allowed one; everybody else needs it to mount anything.
    let whose = if is_root() { "-m" } else { "-Urm" };
    let mut script = Command::new("unshare");
    script.args([whose, "bash", "-c", SCRIPT]).current_dir(shop.folder());
    let output =
        script.env("SLUICE", host::binary()).output().expect("unshare runs (package util-linux)");
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a small disk needs root or user name spaces: {said}{wrong}");
    let codes: Vec<(&str, &str)> =
        said.lines().filter_map(|l| l.strip_prefix("disk ")?.split_once(' ')).collect();
    let full: Vec<_> = codes.iter().filter(|(_, code)| *code != "0").collect();
    assert!(full.len() >= 3, "the disk was never full: {codes:?}");
    for (kilobytes, code) in full {
        let text = std::fs::read_to_string(shop.folder().join(format!("said.{kilobytes}")))
            .expect("what it said");
        assert_eq!(*code, "3", "{kilobytes} KB: {text}");
        let told = text.contains("error: ") && text.contains("help: ") && text.contains("space");
        assert!(told && !text.contains("panicked"), "{kilobytes} KB: {text}");
    }
    assert_eq!(codes.last(), Some(&("65536", "0")), "the last run did not go on");
    if let Err(differences) = oracle::compare(&shop.folder().join("kept"), &shop::expected()) {
        panic!("{differences}");
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|o| o.stdout.starts_with(b"0"))
}
