//! A live server: encrypted connections, the end of a run, going on, and a server that goes away and comes back.

use std::path::PathBuf;

use sluice_tests::checkout;
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

/// A server whose certificate names `localhost` and `db.example`, with a user that may only come encrypted.
struct Encrypted {
    server: Server,
    sql: Sql,
    database: String,
    start: (String, u64),
}

impl Encrypted {
    fn start(kind: Kind) -> Self {
        let tls = |file: &str| certificates().join(file).display().to_string();
        let options = [
            format!("--ssl-ca={}", tls("ca.pem")),
            format!("--ssl-cert={}", tls("server.pem")),
            format!("--ssl-key={}", tls("server-key.pem")),
        ];
        let server = Server::start(kind, &options.each_ref().map(String::as_str));
        let (database, mut sql) = server.database("tls");
        sql.run("CREATE USER covered IDENTIFIED BY 'secret-1' REQUIRE SSL");
        sql.run("GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO covered");
        let start = sql.log_end();
        sql.run(TABLE);
        sql.run("INSERT INTO t VALUES (1, 'under cover')");
        Self { server, sql, database, start }
    }

    /// A run from the start with a mode, and an authority to trust.
    fn run(&self, host: &str, mode: &str, ca: Option<&str>) -> (Outcome, Pipeline) {
        let mut address = self.server.address.clone();
        (address.host, address.user, address.password) =
            (host.into(), "covered".into(), "secret-1".into());
        let ca = ca.map(|file| format!("tls-ca = \"{}\"\n", certificates().join(file).display()));
        let pipeline = Pipeline::new("tls").from_server(
            &address,
            61_007,
            &self.start,
            &format!("{}.*", self.database),
        );
        let pipeline =
            pipeline.with(&format!("tls = \"{mode}\"\n{}", ca.unwrap_or_default())).written();
        (pipeline.until_end().run(), pipeline)
    }
}

fn certificates() -> PathBuf {
    checkout::root().join("tests/fixtures/tls")
}

fn encryption_is_as_strict_as_it_is_asked_to_be(kind: Kind) {
    let mut scene = Encrypted::start(kind);
    let good = [
        ("127.0.0.1", "required", None),
        ("127.0.0.1", "verify-ca", Some("ca.pem")),
        ("localhost", "verify-identity", Some("ca.pem")),
    ];
    for (host, mode, ca) in good {
        let (outcome, pipeline) = scene.run(host, mode, ca);
        let _ = outcome.done();
        right(&pipeline, &mut scene.sql, &scene.database);
    }
    let bad = [
        ("127.0.0.1", "verify-identity", Some("ca.pem"), "does not name this host"),
        ("127.0.0.1", "verify-ca", Some("other-ca.pem"), "certificate"),
        ("127.0.0.1", "verify-ca", None, "tls-ca"),
        ("127.0.0.1", "disabled", None, "the server refused the user"),
    ];
    for (host, mode, ca, text) in bad {
        let (outcome, pipeline) = scene.run(host, mode, ca);
        let _ = outcome.failed(3, &[text, "error: ", "help: "]);
        assert!(!pipeline.lake().join(&scene.database).exists(), "{mode}: something was written");
    }
}

#[test]
fn an_encrypted_mysql_is_checked_as_strictly_as_asked() {
    encryption_is_as_strict_as_it_is_asked_to_be(Kind::Mysql);
}

#[test]
fn an_encrypted_mariadb_is_checked_as_strictly_as_asked() {
    encryption_is_as_strict_as_it_is_asked_to_be(Kind::Mariadb);
}
