//! A table without a key against its SELECT: equal rows that come, change and go one at a time.

use std::fs;

use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::servers::{self, Kind};
use sluice_tests::sql::Sql;
use sluice_tests::{markers, report};

/// Floats and NULLs among the columns, since all of them are compared.
const TABLES: &str = "
CREATE TABLE readings (device INT, level DOUBLE, note VARCHAR(20), seen DATETIME(6));
CREATE TABLE hits (n INT)";

/// Each line is a transaction.
const CHANGES: [&str; 6] = [
    "INSERT INTO readings VALUES (1, 0.5, NULL, '2026-01-02 03:04:05.000006'), (1, 0.5, NULL, '2026-01-02 03:04:05.000006'), (1, 0.5, NULL, '2026-01-02 03:04:05.000006'), (2, NULL, '', NULL), (2, NULL, '', NULL), (NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL)",
    "INSERT INTO hits VALUES (1), (1), (1), (NULL), (NULL), (2)",
    "DELETE FROM readings WHERE device = 1 LIMIT 1",
    "UPDATE readings SET level = -2.25 WHERE device = 2 LIMIT 1",
    "DELETE FROM readings WHERE device IS NULL LIMIT 1",
    "DELETE FROM hits WHERE n = 1 LIMIT 2",
];

/// What comes once the first rows lie in files.
const LATER: [&str; 5] = [
    "UPDATE readings SET note = 'moved' WHERE device = 1 LIMIT 1",
    "DELETE FROM readings WHERE device = 2 AND level IS NULL LIMIT 1",
    "DELETE FROM hits WHERE n IS NULL LIMIT 1",
    "INSERT INTO hits VALUES (1), (2)",
    "DELETE FROM hits WHERE n = 2 LIMIT 1",
];

#[track_caller]
fn right(pipeline: &Pipeline, sql: &mut Sql, database: &str) {
    let mut expected = Expected::new();
    for table in ["readings", "hits"] {
        expected.insert(format!("{database}/{table}"), sql.rows(&format!("SELECT * FROM {table}")));
    }
    match oracle::compare(&pipeline.lake(), &expected) {
        Ok(compared) => assert_eq!((compared.readers, compared.targets), (2, 2)),
        Err(differences) => panic!("{differences}"),
    }
}

fn equal_rows_come_change_and_go_one_at_a_time(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("whole_rows");
    let start = sql.log_end();
    let live = |rule: &str| {
        let pipeline = Pipeline::new("whole-rows");
        let tables = format!("{database}.*");
        pipeline.from_server(&server.address, server_id, &start, &tables).with(rule).written()
    };
    sql.run_all(TABLES);
    CHANGES.iter().for_each(|change| sql.run(change));
    let _ = live("").until_end().run().failed(2, &["without-key = \"whole-row\""]);
    let rule = format!("[[table]]\nmatch = \"{database}.*\"\nwithout-key = \"whole-row\"");
    let pipeline = live(&rule);
    let checked = pipeline.call("check").run().done();
    let told = "whole-row: no key, equal rows are counted";
    assert!(checked.stdout.contains(told), "{}", checked.stdout);
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database);
    for change in LATER {
        sql.run(change);
        let _ = pipeline.until_end().run().done();
        right(&pipeline, &mut sql, &database);
    }
}

#[test]
fn equal_rows_of_mysql_come_change_and_go_one_at_a_time() {
    equal_rows_come_change_and_go_one_at_a_time(Kind::Mysql, 61_071);
}

#[test]
fn equal_rows_of_mariadb_come_change_and_go_one_at_a_time() {
    equal_rows_come_change_and_go_one_at_a_time(Kind::Mariadb, 61_072);
}

/// Equal rows come into both tables; of those that are in files since earlier rounds some go and some change.
const ROUND: &str = "
BEGIN;
INSERT INTO readings VALUES (1, 0.5, NULL, NULL), (1, 0.5, NULL, NULL), (1, 0.5, NULL, NULL);
INSERT INTO hits VALUES (1), (1), (1), (NULL);
DELETE FROM readings WHERE device = 1 AND note IS NULL LIMIT 1;
UPDATE readings SET note = 'moved' WHERE device = 1 AND note IS NULL LIMIT 1;
DELETE FROM hits WHERE n = 1 LIMIT 2;
COMMIT;
DELETE FROM hits WHERE n IS NULL LIMIT 1;
INSERT INTO readings VALUES (NULL, 0.25, '', NULL)";

/// A change that is applied twice shows: nothing but the position keeps an equal row from being added again.
fn no_equal_row_is_counted_twice(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("whole_rows_killed");
    let start = sql.log_end();
    let tables = format!("{database}.*");
    let rule = format!("[[table]]\nmatch = \"{database}.*\"\nwithout-key = \"whole-row\"");
    let pipeline = Pipeline::new("whole-rows");
    let pipeline =
        pipeline.from_server(&server.address, server_id, &start, &tables).with(&rule).written();
    sql.run_all(TABLES);
    let mut killed = 0;
    for (round, marker) in markers::all().iter().enumerate() {
        for step in [marker.as_str(), markers::BETWEEN_TARGETS] {
            sql.run_all(ROUND);
            killed += u32::from(pipeline.until_end().killed_at(step, 1).run().was_killed());
        }
        if round % 3 == 0 {
            drop(fs::remove_dir_all(pipeline.folder().join("checkpoint")));
        }
        if round % 5 == 0 {
            let _ = pipeline.until_end().run().done();
            right(&pipeline, &mut sql, &database);
        }
    }
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database);
    report(&format!("whole rows: killed {killed} times"));
    assert!(killed >= 15, "only {killed} kills");
}

#[test]
fn killed_at_every_step_no_equal_row_of_mysql_is_counted_twice() {
    no_equal_row_is_counted_twice(Kind::Mysql, 61_073);
}

#[test]
fn killed_at_every_step_no_equal_row_of_mariadb_is_counted_twice() {
    no_equal_row_is_counted_twice(Kind::Mariadb, 61_074);
}
