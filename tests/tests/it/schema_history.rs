//! Logs that do not name columns (`binlog_row_metadata = MINIMAL`): rows are read by the definitions of their place in
//! the log, also by a run that begins in the middle of old logs, and what is not known stops.

use std::path::Path;

use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::proxy::{Fault, Proxy};
use sluice_tests::servers::{Kind, Server};
use sluice_tests::sql::Sql;

/// Statements that change what a row means: the target follows some, a run has to be told to go on behind others.
const STATEMENTS: usize = 6;

const TABLE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(40) NOT NULL, \
     e ENUM('x','y') NOT NULL, w VARCHAR(40) NOT NULL) CHARACTER SET latin1";

/// Each changes what a row of the log means; all rows are written again behind each.
const CHANGES: &str = "ALTER TABLE t ADD COLUMN n INT NOT NULL DEFAULT 7 AFTER id;
     UPDATE t SET n = n + id;
     INSERT INTO t VALUES (11, 11, 'é', 'y', 'w11');
     ALTER TABLE t MODIFY e ENUM('z','y','x') NOT NULL;
     UPDATE t SET n = n + 1;
     INSERT INTO t VALUES (12, 12, 'v12', 'z', 'w12');
     ALTER TABLE t MODIFY w VARCHAR(40) NOT NULL AFTER id;
     UPDATE t SET n = n + 1;
     ALTER TABLE t RENAME COLUMN v TO w2, RENAME COLUMN w TO v;
     UPDATE t SET n = n + 1, v = CONCAT(v, '!');
     DELETE FROM t WHERE id = 2;
     ALTER TABLE t DROP COLUMN n;
     UPDATE t SET e = 'x' WHERE e <> 'x';
     UPDATE t SET e = 'y';
     ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (e, id), ADD UNIQUE KEY of_id (id);
     UPDATE t SET w2 = CONCAT(w2, '?');
     INSERT INTO t VALUES (13, 'v13', 'w13', 'z')";

fn server(kind: Kind) -> Server {
    Server::start(kind, &["--binlog-row-metadata=MINIMAL"])
}

fn with_sink(pipeline: Pipeline) -> Pipeline {
    let rule = "[[table]]\nmatch = \"*.t\"\nid-columns = [\"id\"]\n";
    let sink = "[sink]\npath = \"lake/{db}/{table}\"\nmerge-schema = true\n";
    pipeline.with(rule).with(sink).written_as_it_is()
}

#[track_caller]
fn right(pipeline: &Pipeline, sql: &mut Sql, database: &str, columns: &str) {
    let rows = sql.rows(&format!("SELECT {columns} FROM t"));
    assert!(rows.len() > 2, "nothing is compared");
    let expected = Expected::from([(format!("{database}/t"), rows)]);
    if let Err(differences) = oracle::compare(&pipeline.lake(), &expected) {
        panic!("{differences}");
    }
}

fn accepting(pipeline: &Pipeline) -> sluice_tests::host::Call {
    pipeline.call("run").and("--until-end").and("--accept-schema-change")
}

fn lose(folder: &Path) {
    std::fs::remove_dir_all(folder).expect("the folder is there");
}

/// What becomes of the folders between two runs.
#[derive(Clone, Copy, PartialEq)]
enum Lost {
    Nothing,
    Checkpoint,
    BesideTargets,
}

/// Runs behind one statement after the other to the end, and is killed on the way.
fn go_on_to_the_end(pipeline: &Pipeline, lost: Lost) {
    let mut kills = 0;
    for round in 0..8 * STATEMENTS {
        let call = accepting(pipeline);
        let is_killed = round % 8 < 7;
        let steps = ["commit.after-log-entry", "checkpoint.before-rename"];
        let step = if round / 2 % 2 == 0 { steps.first() } else { steps.last() };
        let step = step.expect("two steps");
        let outcome = if is_killed { call.killed_at(step, 1).run() } else { call.run() };
        if outcome.was_killed() {
            kills += 1;
            match lost {
                Lost::Nothing => {}
                Lost::Checkpoint => lose(&pipeline.folder().join("checkpoint")),
                Lost::BesideTargets => lose(&pipeline.lake().join("_sluice")),
            }
        } else if outcome.code == Some(0) {
            assert!(kills >= STATEMENTS / 2, "only {kills} kills");
            return;
        } else {
            let _ = outcome.failed(1, &["Alter of", "--accept-schema-change"]);
        }
    }
    panic!("it does not come to the end: {kills} kills");
}

fn rows_are_read_by_the_definitions_of_their_place(kind: Kind, server_id: u32) {
    let server = server(kind);
    for (at, lost) in (0_u32..).zip([Lost::Nothing, Lost::Checkpoint, Lost::BesideTargets]) {
        let (database, mut sql) = server.database("by_place");
        let start = sql.log_end();
        let pipeline = Pipeline::new("by-place");
        let tables = format!("{database}.*");
        let pipeline = pipeline.from_server(&server.address, server_id + at, &start, &tables);
        let pipeline = with_sink(pipeline);
        sql.run(TABLE);
        sql.run("INSERT INTO t VALUES (1,'v1','x','w1'), (2,'v2','y','w2'), (3,'ü','x','w3')");
        let _ = pipeline.until_end().run().done();
        right(&pipeline, &mut sql, &database, "id, v, e, w");
        // All of it is in the log, and the tables are as they are at its end, before the next run begins.
        sql.run_all(CHANGES);
        go_on_to_the_end(&pipeline, lost);
        right(&pipeline, &mut sql, &database, "id, v, w2, e, NULL AS w, NULL AS n");
        sql.run("UPDATE t SET v = 'last' WHERE id = 13");
        let _ = pipeline.until_end().run().done();
        right(&pipeline, &mut sql, &database, "id, v, w2, e, NULL AS w, NULL AS n");
    }
}

#[test]
fn rows_of_mysql_are_read_by_the_definitions_of_their_place() {
    rows_are_read_by_the_definitions_of_their_place(Kind::Mysql, 66_001);
}

#[test]
fn rows_of_mariadb_are_read_by_the_definitions_of_their_place() {
    rows_are_read_by_the_definitions_of_their_place(Kind::Mariadb, 66_011);
}

fn at_the_end_of_the_log_the_server_tells_the_definitions(kind: Kind, server_id: u32) {
    let server = server(kind);
    let (database, mut sql) = server.database("at_end");
    sql.run(TABLE);
    // The log that the pipeline reads does not hold the CREATE TABLE.
    sql.run("FLUSH BINARY LOGS");
    let start = sql.log_end();
    let tables = format!("{database}.*");
    let pipeline = Pipeline::new("at-end").from_server(&server.address, server_id, &start, &tables);
    let pipeline = with_sink(pipeline.latest());
    let _ = pipeline.until_end().run().done();
    sql.run("INSERT INTO t VALUES (1,'v1','x','w1'), (2,'v2','y','w2'), (3,'ü','x','w3')");
    sql.run_all(CHANGES);
    go_on_to_the_end(&pipeline, Lost::Checkpoint);
    right(&pipeline, &mut sql, &database, "id, v, w2, e, NULL AS w, NULL AS n");
}

#[test]
fn at_the_end_of_mysqls_log_the_server_tells_the_definitions() {
    at_the_end_of_the_log_the_server_tells_the_definitions(Kind::Mysql, 66_021);
}

#[test]
fn at_the_end_of_mariadbs_log_the_server_tells_the_definitions() {
    at_the_end_of_the_log_the_server_tells_the_definitions(Kind::Mariadb, 66_022);
}

fn definitions_that_nobody_knows_are_asked_for(kind: Kind, server_id: u32) {
    let server = server(kind);
    let (database, mut sql) = server.database("not_known");
    sql.run(TABLE);
    let schema = sql.rows("SHOW CREATE TABLE t").into_iter().next().unwrap_or_default();
    let schema = schema.get("Create Table").cloned().flatten().expect("a definition");
    sql.run("FLUSH BINARY LOGS");
    let start = sql.log_end();
    sql.run("INSERT INTO t VALUES (1,'v1','x','w1'), (2,'v2','y','w2'), (3,'ü','x','w3')");
    sql.run("INSERT INTO t VALUES (4,'v4','x','w4')");
    let tables = format!("{database}.*");
    let make = || Pipeline::new("asked").from_server(&server.address, server_id, &start, &tables);
    let unknown = with_sink(make());
    let table = format!("{database}.t");
    let refused = unknown.until_end().run();
    let _ = refused.failed(3, &[&table, &start.0, "offset", "source.definitions", "--definitions"]);
    let checked = unknown.call("check").run().done();
    assert!(checked.stdout.contains("does not name columns"), "{}", checked.stdout);

    let given = with_sink(make().with("definitions = \"schema.sql\""));
    let text = format!("USE `{database}`;\n{schema};\n");
    let write = |text: &str| std::fs::write(given.folder().join("schema.sql"), text);
    write("CREATE TABLE t (id").expect("written");
    for command in ["check", "run"] {
        let wrong = given.call(command).run();
        let _ = wrong.failed(2, &["schema.sql", "line 1: the table"]);
    }
    write(&text).expect("written");
    let _ = given.call("check").run().done();
    let _ = given.until_end().run().done();
    right(&given, &mut sql, &database, "id, v, e, w");

    // What was kept is lost with both folders, and the log goes on.
    lose(&given.folder().join("checkpoint"));
    lose(&given.lake().join("_sluice"));
    sql.run("INSERT INTO t VALUES (5,'v5','y','w5')");
    let refused = given.until_end().run();
    let _ = refused.failed(3, &[&table, "--definitions"]);
    let told = given.until_end().and("--definitions").and("schema.sql").run();
    let _ = told.done();
    sql.run("INSERT INTO t VALUES (6,'v6','y','w6')");
    let _ = given.until_end().run().done();
    right(&given, &mut sql, &database, "id, v, e, w");
}

#[test]
fn definitions_that_nobody_knows_of_mysqls_tables_are_asked_for() {
    definitions_that_nobody_knows_are_asked_for(Kind::Mysql, 66_031);
}

#[test]
fn definitions_that_nobody_knows_of_mariadbs_tables_are_asked_for() {
    definitions_that_nobody_knows_are_asked_for(Kind::Mariadb, 66_032);
}

/// Columns that come while the connection is cut.
const CUTS: usize = 8;
/// Transactions that may pass before a cut has met the connection.
const TRANSACTIONS_MAX: usize = 20_000;

fn a_connection_that_is_cut_goes_on_with_the_definitions_of_its_place(kind: Kind, server_id: u32) {
    let server = server(kind);
    let (database, mut sql) = server.database("cut");
    sql.run(TABLE);
    sql.run("FLUSH BINARY LOGS");
    let start = sql.log_end();
    let proxy = Proxy::before(&server.address);
    let tables = format!("{database}.*");
    let pipeline = Pipeline::new("cut").from_server(&proxy.address, server_id, &start, &tables);
    let pipeline = with_sink(pipeline.latest());
    let mut running = pipeline.call("run").with("SLUICE_MARKERS", "/dev/stderr").start();
    running.wait_for("reading position");
    let mut id = 0;
    let mut insert = |sql: &mut Sql| {
        id += 1;
        sql.run(&format!("INSERT INTO t (id, v, e, w) VALUES ({id}, 'v{id}', 'y', 'w{id}')"));
    };
    insert(&mut sql);
    running.wait_for("commit.end");
    for cut in 0..CUTS {
        // Some cuts meet the statement, some the rows before or behind it.
        proxy.strike(if cut % 2 == 0 { Fault::Cut } else { Fault::Truncate }, 1 + 120 * cut);
        insert(&mut sql);
        let place = if cut % 3 == 0 { "FIRST" } else { "AFTER id" };
        sql.run(&format!("ALTER TABLE t ADD COLUMN c{cut} INT {place}"));
        sql.run(&format!("UPDATE t SET c{cut} = id + {cut} WHERE id % 2 = 0"));
        let mut transactions = 0;
        while !proxy.has_struck() {
            assert!(transactions < TRANSACTIONS_MAX, "cut {cut} met no connection");
            insert(&mut sql);
            transactions += 1;
        }
        // The next cut is one of a reader that has come past this statement.
        running.wait_for("connected again");
        insert(&mut sql);
        running.wait_for("commit.end");
    }
    running.interrupt();
    let _ = running.end().done();
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database, "*");
}

#[test]
fn a_connection_to_mysql_that_is_cut_goes_on_with_the_definitions_of_its_place() {
    a_connection_that_is_cut_goes_on_with_the_definitions_of_its_place(Kind::Mysql, 66_041);
}

#[test]
fn a_connection_to_mariadb_that_is_cut_goes_on_with_the_definitions_of_its_place() {
    a_connection_that_is_cut_goes_on_with_the_definitions_of_its_place(Kind::Mariadb, 66_042);
}
