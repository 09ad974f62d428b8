//! A live server: encrypted connections, the end of a run, going on, and a server that goes away and comes back.

use sluice_tests::host::Outcome;
use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::servers::{self, Kind, Server};
use sluice_tests::shop;
use sluice_tests::sql::Sql;

const TABLE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(40) NOT NULL)";

/// The last step of an epoch, told on standard error by `SLUICE_MARKERS`.
const COMMITTED: &str = "commit.end";

/// A pipeline from a server's present end on; every test has a server id of its own.
fn pipeline(server: &Server, sql: &mut Sql, database: &str, server_id: u32) -> Pipeline {
    let start = sql.log_end();
    Pipeline::new("live").from_server(&server.address, server_id, &start, &format!("{database}.*"))
}

#[track_caller]
fn right(pipeline: &Pipeline, sql: &mut Sql, database: &str) {
    let expected = Expected::from([(format!("{database}/t"), sql.rows("SELECT id, v FROM t"))]);
    if let Err(differences) = oracle::compare(&pipeline.lake(), &expected) {
        panic!("{differences}");
    }
}

fn until_end_reads_what_is_there_and_the_next_run_goes_on(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("until_end");
    let pipeline = pipeline(server, &mut sql, &database, server_id).written();
    sql.run(TABLE);
    sql.run("INSERT INTO t VALUES (1,'a'), (2,'b'), (3,'c')");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database);
    sql.run("UPDATE t SET id=30 WHERE id=3");
    sql.run("DELETE FROM t WHERE id=1");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database);
    let before = shop::log_entries(&pipeline.lake());
    let _ = pipeline.until_end().run().done();
    assert_eq!(before, shop::log_entries(&pipeline.lake()), "a run without changes wrote versions");
}

#[test]
fn until_end_reads_what_mysql_has_and_the_next_run_goes_on() {
    until_end_reads_what_is_there_and_the_next_run_goes_on(Kind::Mysql, 61_001);
}

#[test]
fn until_end_reads_what_mariadb_has_and_the_next_run_goes_on() {
    until_end_reads_what_is_there_and_the_next_run_goes_on(Kind::Mariadb, 61_002);
}

fn a_run_goes_on_until_it_is_asked_to_stop(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("follow");
    let pipeline = pipeline(server, &mut sql, &database, server_id).written();
    sql.run(TABLE);
    let mut running = pipeline.call("run").with("SLUICE_MARKERS", "/dev/stderr").start();
    for round in 1..=3 {
        sql.run(&format!("INSERT INTO t VALUES ({round}, 'round {round}')"));
        running.wait_for(COMMITTED);
    }
    running.interrupt();
    let _ = running.end().done();
    right(&pipeline, &mut sql, &database);
}

#[test]
fn a_run_follows_mysql_until_it_is_asked_to_stop() {
    a_run_goes_on_until_it_is_asked_to_stop(Kind::Mysql, 61_003);
}

#[test]
fn a_run_follows_mariadb_until_it_is_asked_to_stop() {
    a_run_goes_on_until_it_is_asked_to_stop(Kind::Mariadb, 61_004);
}

fn a_server_that_comes_back_is_read_on(kind: Kind, server_id: u32) {
    let server = Server::start(kind, &[]);
    let (database, mut sql) = server.database("restart");
    let pipeline = pipeline(&server, &mut sql, &database, server_id).written();
    sql.run(TABLE);
    sql.run("INSERT INTO t VALUES (1, 'before')");
    let mut running = pipeline.call("run").with("SLUICE_MARKERS", "/dev/stderr").start();
    running.wait_for(COMMITTED);
    server.kill();
    running.wait_for("connection lost");
    server.start_again(&[]);
    let mut sql = server.sql();
    sql.run(&format!("USE {database}"));
    let before = shop::log_entries(&pipeline.lake());
    sql.run("INSERT INTO t VALUES (2, 'after')");
    // Epochs without rows pass, too: it is the one that writes to the table that counts.
    while shop::log_entries(&pipeline.lake()) == before {
        running.wait_for(COMMITTED);
    }
    running.interrupt();
    let _ = running.end().done();
    right(&pipeline, &mut sql, &database);
}

#[test]
fn a_mysql_that_comes_back_is_read_on() {
    a_server_that_comes_back_is_read_on(Kind::Mysql, 61_005);
}

#[test]
fn a_mariadb_that_comes_back_is_read_on() {
    a_server_that_comes_back_is_read_on(Kind::Mariadb, 61_006);
}

/// MySQL makes certificates of its own; who wants one gets them by a user that may only come encrypted.
fn encrypted(mode: &str, ca: bool) -> (Outcome, Pipeline, Sql, String) {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("tls");
    let user = format!("u_{}", database.replace("tls_", ""));
    sql.run(&format!("CREATE USER {user} IDENTIFIED BY 'secret-1' REQUIRE SSL"));
    sql.run(&format!("GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {user}"));
    let start = sql.log_end();
    let mut address = server.address.clone();
    (address.user, address.password) = (user, "secret-1".into());
    let ca = if ca {
        format!("tls-ca = \"{}\"\n", server.data().join("ca.pem").display())
    } else {
        String::new()
    };
    let pipeline = Pipeline::new("tls").from_server(
        &address,
        61_100 + start.1 as u32 % 800,
        &start,
        &format!("{database}.*"),
    );
    let pipeline = pipeline.with(&format!("tls = \"{mode}\"\n{ca}")).written();
    sql.run(TABLE);
    sql.run("INSERT INTO t VALUES (1, 'under cover')");
    let outcome = pipeline.until_end().run();
    (outcome, pipeline, sql, database)
}

#[test]
fn an_encrypted_connection_carries_the_log() {
    for (mode, ca) in [("required", false), ("verify-ca", true)] {
        let (outcome, pipeline, mut sql, database) = encrypted(mode, ca);
        let _ = outcome.done();
        right(&pipeline, &mut sql, &database);
    }
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let (outcome, pipeline, _, _) = encrypted("verify-ca", false);
    let _ = outcome.failed(3, &["certificate", "tls-ca"]);
    assert!(!pipeline.lake().exists());
}

#[test]
fn a_user_who_has_to_come_encrypted_is_told_so() {
    let (outcome, ..) = encrypted("disabled", false);
    let _ = outcome.failed(3, &["user", "help: "]);
}
