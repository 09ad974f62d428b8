//! The quickstart as its README tells it, and `make demo`.

use std::process::Command;

use sluice_tests::shop::{self, Shop};
use sluice_tests::{checkout, oracle, tidy};

#[test]
fn every_command_of_the_quickstart_works_and_its_tables_are_right() {
    let shop = Shop::copy();
    let page = checkout::root().join("examples/quickstart/README.md");
    let page = std::fs::read_to_string(page).expect("the quickstart's README");
    let mut ran = 0;
    for (line, command) in tidy::shell_commands(&page) {
        let words: Vec<_> = command.split_whitespace().collect();
        let Some((program, arguments)) = words.split_first() else { continue };
        if !program.ends_with("sluice") {
            continue;
        }
        let outcome = shop.sluice(arguments).run();
        assert_eq!(
            outcome.code,
            Some(0),
            "README.md:{line}: {command}\n{}{}",
            outcome.stdout,
            outcome.stderr
        );
        ran += 1;
    }
    assert!(ran >= 3, "the README has {ran} commands of sluice");
    if let Err(differences) = oracle::compare(&shop.lake(), &shop::expected()) {
        panic!("{differences}");
    }
}

#[test]
fn make_demo_shows_every_table_and_a_summary() {
    let demo =
        Command::new("make").arg("demo").current_dir(checkout::root()).output().expect("make runs");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&demo.stdout), String::from_utf8_lossy(&demo.stderr));
    assert!(demo.status.success(), "{stdout}{stderr}");
    for target in shop::expected().keys() {
        assert!(stdout.contains(target.as_str()), "{target} is not shown:\n{stdout}");
    }
    assert!(stdout.contains("Delta tables in target/demo/lake"), "{stdout}");
    if let Err(differences) =
        oracle::compare(&checkout::root().join("target/demo/lake"), &shop::expected())
    {
        panic!("{differences}");
    }
}
