//! `sluice test`: the offline case of every bundled plugin, and what a case that differs looks like.

use std::fs;
use std::path::Path;

use sluice_tests::{checkout, host};

#[test]
fn the_offline_cases_of_all_bundled_plugins_pass() {
    let outcome = host::sluice(["test", "plugins"]).within(&checkout::root()).run().done();
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains("5 passed"), "{said}");
}

#[test]
fn a_case_that_differs_fails_and_names_target_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = folder.path().join("plugins");
    copy(&checkout::root().join("plugins/rename/tests"), &plugins.join("rename/tests"));
    // A case names its log and its plugin by paths from where it lies.
    for linked in ["target", "tests"] {
        std::os::unix::fs::symlink(checkout::root().join(linked), folder.path().join(linked))
            .expect("a link");
    }
    let outcome = host::sluice(["test", "plugins"]).within(folder.path()).run().done();
    assert!(format!("{}{}", outcome.stdout, outcome.stderr).contains("1 passed"));
    let spoiled = spoil(&plugins);
    let outcome = host::sluice(["test", "plugins"]).within(folder.path()).run();
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, Some(1), "{spoiled}: {said}");
    assert!(said.contains("FAIL") && said.contains("1 failed"), "{said}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the case").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Takes the last line off an expected table.
fn spoil(folder: &Path) -> String {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("the case").flatten() {
            let path = entry.path();
            let expected = path.components().any(|part| part.as_os_str() == "lake");
            if path.is_dir() {
                open.push(path);
            } else if expected && path.extension().is_some_and(|e| e == "jsonl") {
                let text = fs::read_to_string(&path).expect("an expected table");
                let (rest, _) =
                    text.trim_end().rsplit_once('\n').expect("rows below the first line");
                fs::write(&path, format!("{rest}\n")).expect("the case");
                return path.display().to_string();
            }
        }
    }
    panic!("the case expects no table")
}
