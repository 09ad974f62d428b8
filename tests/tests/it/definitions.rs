//! Statements of a live server that change tables, and where a pipeline begins: what stops, what the operator accepts,
//! and that no row is lost or doubled behind it.

use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::servers::{self, Kind, Server};
use sluice_tests::sql::Sql;

const TABLE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(40) NOT NULL)";

fn pipeline(server: &Server, sql: &mut Sql, database: &str, server_id: u32) -> Pipeline {
    let start = sql.log_end();
    let tables = format!("{database}.*");
    Pipeline::new("definitions").from_server(&server.address, server_id, &start, &tables)
}

#[track_caller]
fn right(pipeline: &Pipeline, sql: &mut Sql, database: &str, table: &str) {
    let rows = sql.rows(&format!("SELECT id, v FROM {table}"));
    let expected = Expected::from([(format!("{database}/{table}"), rows)]);
    if let Err(differences) = oracle::compare(&pipeline.lake(), &expected) {
        panic!("{differences}");
    }
}

fn a_statement_stops_and_is_accepted_once(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("definitions");
    let pipeline = pipeline(server, &mut sql, &database, server_id).written();
    sql.run(TABLE);
    sql.run("INSERT INTO t VALUES (1,'a'), (2,'b'), (3,'c')");
    let _ = pipeline.until_end().run().done();
    sql.run("UPDATE t SET v='before' WHERE id=1");
    sql.run("ALTER TABLE t MODIFY v VARCHAR(60) NOT NULL");
    sql.run("TRUNCATE TABLE t");
    sql.run("INSERT INTO t VALUES (1,'again'), (2,'again'), (3,'again'), (4,'new')");
    // It stops at the first of the two, however often it is tried, behind a commit of all before it.
    for _ in 0..2 {
        let stopped = pipeline.until_end().run();
        let _ = stopped.failed(1, &["Alter of", "MODIFY", "--accept-schema-change"]);
    }
    let accepting = || pipeline.call("run").and("--until-end").and("--accept-schema-change");
    let _ = accepting().run().failed(1, &["Truncate of", "--accept-schema-change"]);
    // The target is as it was: accepting says that this is dealt with, and the source's new rows take
    // the places of the old ones of the same id.
    let _ = accepting().run().done();
    right(&pipeline, &mut sql, &database, "t");
    sql.run("INSERT INTO t VALUES (5,'more')");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database, "t");
}

#[test]
fn a_statement_of_mysql_stops_and_is_accepted_once() {
    a_statement_stops_and_is_accepted_once(Kind::Mysql, 64_001);
}

#[test]
fn a_statement_of_mariadb_stops_and_is_accepted_once() {
    a_statement_stops_and_is_accepted_once(Kind::Mariadb, 64_002);
}

fn latest_means_the_end_of_the_log_at_the_first_run(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("latest");
    sql.run(TABLE);
    sql.run("INSERT INTO t VALUES (1,'before')");
    let pipeline = pipeline(server, &mut sql, &database, server_id).latest().written();
    // It commits nothing, and remembers where it began.
    let _ = pipeline.until_end().run().done();
    sql.run("DELETE FROM t");
    sql.run("INSERT INTO t VALUES (2,'between the runs')");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database, "t");
    sql.run("INSERT INTO t VALUES (3,'after')");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database, "t");
}

#[test]
fn latest_means_the_end_of_mysqls_log_at_the_first_run() {
    latest_means_the_end_of_the_log_at_the_first_run(Kind::Mysql, 64_003);
}

#[test]
fn latest_means_the_end_of_mariadbs_log_at_the_first_run() {
    latest_means_the_end_of_the_log_at_the_first_run(Kind::Mariadb, 64_004);
}

fn rows_that_come_in_by_a_rename_stop(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("renamed");
    let start = sql.log_end();
    let tables = format!("{database}.orders_*");
    let pipeline = Pipeline::new("definitions")
        .from_server(&server.address, server_id, &start, &tables)
        .written();
    sql.run("CREATE TABLE load_tmp (id INT NOT NULL PRIMARY KEY, v VARCHAR(40) NOT NULL)");
    sql.run("INSERT INTO load_tmp VALUES (1,'loaded')");
    sql.run("RENAME TABLE load_tmp TO orders_2025");
    sql.run("INSERT INTO orders_2025 VALUES (2,'seen')");
    let stopped = pipeline.until_end().run();
    let _ = stopped.failed(1, &["Rename of", "orders_2025", "--accept-schema-change"]);
    assert!(!pipeline.lake().join(&database).exists(), "rows without their neighbours");
}

#[test]
fn rows_that_come_in_by_a_rename_of_mysql_stop() {
    rows_that_come_in_by_a_rename_stop(Kind::Mysql, 64_005);
}

#[test]
fn rows_that_come_in_by_a_rename_of_mariadb_stop() {
    rows_that_come_in_by_a_rename_stop(Kind::Mariadb, 64_006);
}

#[test]
fn a_statement_about_a_table_that_the_chain_leaves_out_passes() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("left_out");
    let pipeline = pipeline(server, &mut sql, &database, 64_007);
    let left_out = format!("{database}.scratch");
    let pipeline = pipeline.plugin("guest", "guests", &left_out, "do = \"exclude\"").written();
    sql.run(TABLE);
    sql.run("INSERT INTO t VALUES (1,'a')");
    sql.run("CREATE TABLE scratch (id INT NOT NULL PRIMARY KEY, v INT NOT NULL)");
    sql.run("INSERT INTO scratch VALUES (1, 1)");
    sql.run("TRUNCATE TABLE scratch");
    sql.run("INSERT INTO t VALUES (2,'b')");
    let _ = pipeline.until_end().run().done();
    sql.run("DROP TABLE scratch");
    sql.run("INSERT INTO t VALUES (3,'c')");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database, "t");
}

const PARENT: &str = "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY) ENGINE=InnoDB";
const CHILD: &str = "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, p INT, \
     CONSTRAINT of_parent FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE) ENGINE=InnoDB";

#[test]
fn foreign_keys_whose_actions_are_not_logged_are_refused_until_they_are_accepted() {
    let server = servers::shared(Kind::Mariadb);
    let (database, mut sql) = server.database("cascades");
    let start = sql.log_end();
    let tables = format!("{database}.*");
    let pipeline =
        || Pipeline::new("cascades").from_server(&server.address, 64_008, &start, &tables);
    sql.run(PARENT);
    sql.run(CHILD);
    let refused = pipeline().written();
    for command in ["check", "run"] {
        let outcome = refused.call(command).run();
        let _ = outcome.failed(3, &["of_parent", "child", "foreign-key-cascades"]);
    }
    let accepted = pipeline().with("foreign-key-cascades = \"accept\"").written();
    let outcome = accepted.call("check").run().done();
    assert!(outcome.stdout.contains("of_parent"), "no warning:\n{}", outcome.stdout);
    let _ = accepted.until_end().run().done();
}

#[test]
fn foreign_keys_whose_actions_are_logged_leave_no_ghost() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("cascades");
    let pipeline = pipeline(server, &mut sql, &database, 64_009).written();
    sql.run(PARENT);
    sql.run(CHILD);
    sql.run("INSERT INTO parent VALUES (1), (2)");
    sql.run("INSERT INTO child VALUES (1, 1), (2, 2)");
    let _ = pipeline.until_end().run().done();
    sql.run("DELETE FROM parent WHERE id = 1");
    let _ = pipeline.until_end().run().done();
    let rows = |sql: &mut Sql, query: &str| sql.rows(query);
    let expected = Expected::from([
        (format!("{database}/parent"), rows(&mut sql, "SELECT id FROM parent")),
        (format!("{database}/child"), rows(&mut sql, "SELECT id, p FROM child")),
    ]);
    if let Err(differences) = oracle::compare(&pipeline.lake(), &expected) {
        panic!("{differences}");
    }
}
