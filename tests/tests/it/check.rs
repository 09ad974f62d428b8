//! What `sluice check` finds besides the manifest: how far the pipeline is, whether it can go on, and that its verdict
//! holds where nobody reads it.

use std::fs;

use sluice_tests::manifest::Pipeline;
use sluice_tests::servers::{self, Kind};
use sluice_tests::shop::{self, Shop};

#[test]
fn a_check_tells_where_a_run_goes_on_and_reads_from_there() {
    let shop = Shop::copy();
    let check = || shop.sluice(&["check", "sluice.toml"]).run();
    let before = check().done();
    assert!(before.stdout.contains("begins at the oldest log"), "{}", before.stdout);
    let _ = shop.until_end().run().done();
    let entries = shop::log_entries(&shop.lake());
    let after = check().done();
    for text in ["goes on behind", " 0 row images left to read"] {
        assert!(after.stdout.contains(text), "nothing says `{text}`:\n{}", after.stdout);
    }
    assert!(after.stdout.contains("warnings: 0"), "{}", after.stdout);
    assert_eq!(entries, shop::log_entries(&shop.lake()), "a check wrote a version");
}

#[test]
fn a_check_tells_what_a_run_would_stumble_over() {
    let shop = Shop::copy();
    let _ = shop.until_end().run().done();
    let check = || shop.sluice(&["check", "sluice.toml"]);
    let checkpoint = shop.folder().join("checkpoint/checkpoint.json");
    let whole = fs::read_to_string(&checkpoint).expect("a checkpoint");
    fs::write(&checkpoint, "{\"form\": 1, \"pip").expect("written");
    let _ = check().run().failed(3, &["error", "checkpoint", "cannot be read"]);
    assert_eq!(check().without_reader(), Some(3), "the verdict holds where nobody reads it");
    fs::write(&checkpoint, whole).expect("written");
    // A table that somebody changed so that it cannot be written.
    let first = shop::log_entries(&shop.lake()).into_iter().next().expect("a version 0");
    let text = fs::read_to_string(&first).expect("text");
    let changed = text.replacen(
        "\"configuration\":{",
        "\"configuration\":{\"delta.appendOnly\":\"true\",",
        1,
    );
    assert_ne!(text, changed);
    fs::write(&first, changed).expect("written");
    for command in ["check", "run"] {
        let outcome = shop.sluice(&[command, "sluice.toml"]).run();
        let _ = outcome.failed(3, &["append-only", "unset the table property"]);
    }
    fs::write(&first, text).expect("written");
    fs::remove_dir_all(first.parent().and_then(|log| log.parent()).expect("a table"))
        .expect("gone");
    let _ = check().run().failed(3, &["progress", "the checkpoint has seen"]);
}

fn a_start_that_the_server_does_not_have_is_told(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("start");
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)");
    let (file, offset) = sql.log_end();
    let tables = format!("{database}.*");
    let pipeline = |start| {
        let pipeline =
            Pipeline::new("start").from_server(&server.address, server_id, start, &tables);
        pipeline.written()
    };
    let there = (file.clone(), offset);
    let _ = pipeline(&there).call("check").run().done();
    let gone = ("binlog.999999".to_owned(), 4);
    let _ = pipeline(&gone).call("check").run().failed(3, &["error", "start", "log file"]);
    let beyond = (file, offset + 1_000_000);
    let _ = pipeline(&beyond).call("check").run().failed(3, &["error", "start", "behind the end"]);
}

#[test]
fn a_start_that_mysql_does_not_have_is_told() {
    a_start_that_the_server_does_not_have_is_told(Kind::Mysql, 64_011);
}

#[test]
fn a_start_that_mariadb_does_not_have_is_told() {
    a_start_that_the_server_does_not_have_is_told(Kind::Mariadb, 64_012);
}
