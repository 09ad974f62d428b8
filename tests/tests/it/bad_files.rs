//! Logs and manifests that are wrong: each ends with one clear message and the right exit code, what came before the
//! fault is kept, and the next run goes on.

use std::fs;

use sluice_tests::oracle;
use sluice_tests::shop::{self, Shop};

/// The second file of the log, so that something comes before the fault.
fn second() -> String {
    Shop::log_files().get(1).cloned().unwrap_or_default()
}

/// Spoils the log's second file, sees the run fail, mends the file, and sees the next run go on to the right end.
#[track_caller]
fn fails_then_goes_on(code: i32, spoil: impl FnOnce(&mut Vec<u8>), texts: &[&str]) {
    let shop = Shop::copy();
    let path = shop.log(&second());
    let whole = fs::read(&path).expect("the log");
    let mut bytes = whole.clone();
    spoil(&mut bytes);
    fs::write(&path, bytes).expect("the log");
    let mut texts = texts.to_vec();
    let name = second();
    texts.push(&name);
    let _ = shop.until_end().run().failed(code, &texts);
    // What came before the fault was not thrown away by it: the tables are there and can be read.
    fs::write(&path, whole).expect("the log");
    let _ = shop.until_end().run().done();
    if let Err(differences) = oracle::compare(&shop.lake(), &shop::expected()) {
        panic!("{differences}");
    }
}

#[test]
fn a_truncated_file_names_file_and_offset_and_the_whole_one_goes_on() {
    fails_then_goes_on(1, |bytes| bytes.truncate(bytes.len() / 2 + 7), &["offset"]);
}

#[test]
fn a_flipped_bit_is_found_by_the_checksum() {
    fails_then_goes_on(
        1,
        |bytes| {
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 0x10;
            }
        },
        &["checksum"],
    );
}

#[test]
fn a_file_that_is_no_binlog_is_called_that() {
    fails_then_goes_on(
        2,
        |bytes| *bytes = b"PAR1 this is something else entirely".to_vec(),
        &["not a binlog"],
    );
}

#[test]
fn an_empty_file_is_called_that() {
    fails_then_goes_on(2, Vec::clear, &["not a binlog"]);
}

#[test]
fn a_flipped_bit_anywhere_never_panics_and_never_loses_what_came_before() {
    let shop = Shop::copy();
    let path = shop.log(&second());
    let whole = fs::read(&path).expect("the log");
    for step in 1..=12 {
        let mut bytes = whole.clone();
        let place = whole.len() / 13 * step + step;
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << (step % 8);
        }
        fs::write(&path, bytes).expect("the log");
        let outcome = shop.until_end().run();
        assert_eq!(outcome.code, Some(1), "byte {place}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("panicked"), "byte {place}: {}", outcome.stderr);
    }
    fs::write(&path, whole).expect("the log");
    let _ = shop.until_end().run().done();
    if let Err(differences) = oracle::compare(&shop.lake(), &shop::expected()) {
        panic!("{differences}");
    }
}

#[test]
fn a_pattern_without_files_says_so() {
    let shop = Shop::copy();
    shop.edit("log/shop-bin.*", "log/nothing-here.*");
    let outcome = shop.until_end().run();
    assert!(matches!(outcome.code, Some(2 | 3)), "{:?} {}", outcome.code, outcome.stderr);
    assert!(outcome.stderr.contains("nothing-here"), "{}", outcome.stderr);
}

#[test]
fn a_manifest_with_five_mistakes_tells_all_five_at_their_lines() {
    let shop = Shop::copy();
    let manifest = "[pipeline]\nname = \"shop\"\ncheckpoint = \"checkpoint\"\ntriger = \"5s\"\n\n\
        [source]\nfiles = [\"log/shop-bin.*\"]\ntables = [\"orders\"]\nserver-id = \"five\"\n\n\
        [[plugin]]\nname = \"f\"\ncomponent = \"../../target/plugins/filter.wasm\"\nmemory = \"lots\"\n\n\
        [sink]\npath = \"lake/{db/{table}\"\n";
    fs::write(shop.manifest(), manifest).expect("the manifest");
    for command in [&["check", "sluice.toml"][..], &["run", "sluice.toml", "--until-end"]] {
        let outcome = shop
            .sluice(command)
            .run()
            .failed(2, &["triger", "trigger", "orders", "server-id", "memory", "path"]);
        for line in ["4", "8", "9", "14", "17"] {
            let told = outcome.stderr.contains(&format!("sluice.toml:{line}"));
            assert!(told, "line {line} is not named:\n{}", outcome.stderr);
        }
    }
    assert!(!shop.lake().exists());
}

#[test]
fn a_secret_is_never_printed() {
    let shop = Shop::copy();
    shop.edit("[pipeline]", "[pipeline]\nmemory = \"${SLUICE_TEST_SECRET}\"");
    let outcome =
        shop.sluice(&["check", "sluice.toml"]).with("SLUICE_TEST_SECRET", "hunter2-hunter2").run();
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(
        !outcome.stderr.contains("hunter2") && !outcome.stdout.contains("hunter2"),
        "{}",
        outcome.stderr
    );
}
