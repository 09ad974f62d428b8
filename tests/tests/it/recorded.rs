//! The recorded shop through the real binary: what a second run, a lost checkpoint, a dry run and a changed chain do.

use std::fs;

use sluice_tests::report;
use sluice_tests::shop::{self, Shop};
use sluice_tests::{markers, oracle};

#[track_caller]
fn right(shop: &Shop) {
    if let Err(differences) = oracle::compare(&shop.lake(), &shop::expected()) {
        panic!("{differences}");
    }
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    let shop = Shop::copy();
    let _ = shop.until_end().run().done();
    let before = shop::log_entries(&shop.lake());
    assert!(before.len() >= 3, "{before:?}");
    let _ = shop.until_end().run().done();
    assert_eq!(before, shop::log_entries(&shop.lake()), "the second run wrote versions");
    right(&shop);
}

#[test]
fn losing_the_checkpoint_folder_loses_no_row() {
    let shop = Shop::copy();
    for (marker, n) in [("commit.after-log-entry", 1), (markers::BETWEEN_TARGETS, 2)] {
        let outcome = shop.until_end().killed_at(marker, n).run();
        assert!(outcome.was_killed(), "{marker} was not reached: {}", outcome.stderr);
        drop(fs::remove_dir_all(shop.folder().join("checkpoint")));
    }
    let _ = shop.until_end().run().done();
    right(&shop);
    fs::remove_dir_all(shop.folder().join("checkpoint")).expect("the run left a checkpoint");
    let before = shop::log_entries(&shop.lake());
    let _ = shop.until_end().run().done();
    right(&shop);
    let after = shop::log_entries(&shop.lake());
    assert_eq!(before, after, "changes that the targets had already were written again");
}

#[test]
fn killed_at_every_step_the_recorded_shop_is_right_in_the_end() {
    let mut killed = 0;
    for marker in markers::all() {
        // A run that passes no such step ends with nothing left to do: each step has a shop of its own.
        let shop = Shop::copy();
        let mut deaths = 0;
        for n in [1, 2, 1] {
            deaths += u32::from(shop.until_end().killed_at(&marker, n).run().was_killed());
        }
        if deaths > 0 {
            let _ = shop.until_end().run().done();
            right(&shop);
        }
        killed += deaths;
    }
    report(&format!("recorded shop: killed {killed} times"));
    assert!(killed >= 20, "only {killed} kills");
}

#[test]
fn a_dry_run_tells_what_would_be_written_and_writes_nothing() {
    let shop = Shop::copy();
    let outcome = shop.sluice(&["run", "sluice.toml", "--until-end", "--dry-run"]).run().done();
    for target in shop::expected().keys() {
        assert!(
            outcome.stdout.contains(target.as_str()),
            "{target} is not named:\n{}",
            outcome.stdout
        );
    }
    assert!(outcome.stdout.contains("\n    {\""), "no row is shown:\n{}", outcome.stdout);
    assert!(!shop.lake().exists(), "a dry run wrote tables");
    assert!(!shop.folder().join("checkpoint").exists(), "a dry run wrote a checkpoint");
}

#[test]
fn a_changed_chain_waits_until_all_targets_stand_at_one_point() {
    let shop = Shop::copy();
    let outcome = shop.until_end().killed_at(markers::BETWEEN_TARGETS, 1).run();
    assert!(outcome.was_killed(), "{}", outcome.stderr);
    shop.edit("status <> 'cart'", "status = 'paid'");
    let refused = shop.until_end().run();
    assert_ne!(refused.code, Some(0), "{}", refused.stderr);
    let _ = shop.until_end().run().failed(refused.code.unwrap_or(-1), &["chain"]);
    shop.edit("status = 'paid'", "status <> 'cart'");
    let _ = shop.until_end().run().done();
    right(&shop);
    shop.edit("status <> 'cart'", "status = 'paid'");
    let _ = shop.until_end().run().done();
}

#[test]
fn a_log_can_be_looked_into() {
    let shop = Shop::copy();
    let files = Shop::log_files();
    let file = files.first().map(|f| format!("log/{f}")).unwrap_or_default();
    let outcome = shop.sluice(&["inspect", &file]).run().done();
    for text in ["shop.customers", "shop.orders", "shop.order_lines"] {
        assert!(outcome.stdout.contains(text), "{text} is not named:\n{}", outcome.stdout);
    }
}

#[test]
fn a_moved_folder_is_the_same_pipeline() {
    let shop = Shop::copy();
    let _ = shop.until_end().run().done();
    let moved = tempfile::tempdir().expect("a folder");
    let folder = moved.path().join("deep/quickstart");
    fs::create_dir_all(moved.path().join("deep")).expect("a folder");
    let plugins = shop.folder().join("../../target");
    std::os::unix::fs::symlink(plugins.canonicalize().expect("there"), moved.path().join("target"))
        .expect("a link");
    fs::rename(shop.folder(), &folder).expect("moved");
    let before = shop::log_entries(&folder.join("lake"));
    let run = || sluice_tests::host::sluice(["run", "sluice.toml", "--until-end"]).within(&folder);
    let _ = run().run().done();
    assert_eq!(before, shop::log_entries(&folder.join("lake")), "it read everything again");
    if let Err(differences) = oracle::compare(&folder.join("lake"), &shop::expected()) {
        panic!("{differences}");
    }
}

#[test]
fn tables_are_rebuilt_as_the_hint_says() {
    let shop = Shop::copy();
    let _ = shop.until_end().run().done();
    let one = shop::log_entries(&shop.lake()).into_iter().next().expect("a version 0");
    let table = one.parent().and_then(|log| log.parent()).expect("a table").to_owned();
    fs::remove_dir_all(table).expect("removed");
    let outcome = shop.until_end().run();
    let hint = ["move all tables of the pipeline away", "remove checkpoint.json", "rebuild.md"];
    let _ = outcome.failed(1, &hint);
    fs::rename(shop.lake(), shop.folder().join("old")).expect("moved");
    fs::remove_file(shop.folder().join("checkpoint/checkpoint.json")).expect("removed");
    let _ = shop.until_end().run().done();
    right(&shop);
}
