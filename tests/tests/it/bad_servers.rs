//! Servers that are not fit or go away: one clear message with the remedy, exit code 3 where the environment is at
//! fault, nothing lost, and the next run goes on.

use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::servers::{self, Address, Kind, Server};
use sluice_tests::sql::Sql;

const TABLE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(40) NOT NULL)";

#[track_caller]
fn right(pipeline: &Pipeline, sql: &mut Sql, database: &str) {
    let expected = Expected::from([(format!("{database}/t"), sql.rows("SELECT id, v FROM t"))]);
    if let Err(differences) = oracle::compare(&pipeline.lake(), &expected) {
        panic!("{differences}");
    }
}

fn from(address: &Address, sql: &mut Sql, database: &str, server_id: u32) -> Pipeline {
    let start = sql.log_end();
    Pipeline::new("bad").from_server(address, server_id, &start, &format!("{database}.*")).written()
}

fn statement_format_is_refused_with_the_setting(kind: Kind, server_id: u32) {
    let server = Server::start(kind, &["--binlog-format=STATEMENT"]);
    let (database, mut sql) = server.database("statement");
    let pipeline = from(&server.address, &mut sql, &database, server_id);
    sql.run(TABLE);
    for command in ["check", "run"] {
        let _ = pipeline.call(command).run().failed(3, &["binlog_format", "ROW"]);
    }
    assert!(!pipeline.lake().join(&database).exists(), "something was written");
    sql.run("SET GLOBAL binlog_format='ROW'");
    let (_, mut fresh) = (sql, server.sql());
    fresh.run(&format!("USE {database}"));
    fresh.run("INSERT INTO t VALUES (1, 'in rows')");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut fresh, &database);
    // One session may still write statements: their rows are not in the log, and that is said.
    fresh.run("SET SESSION binlog_format='STATEMENT'");
    fresh.run("INSERT INTO t VALUES (2, 'as a statement')");
    let _ = pipeline
        .until_end()
        .run()
        .failed(3, &["INSERT statement instead of its rows", "binlog_format"]);
}

#[test]
fn mysql_with_statement_format_is_refused_with_the_setting() {
    statement_format_is_refused_with_the_setting(Kind::Mysql, 62_001);
}

#[test]
fn mariadb_with_statement_format_is_refused_with_the_setting() {
    statement_format_is_refused_with_the_setting(Kind::Mariadb, 62_002);
}

fn a_missing_grant_is_named(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("grants");
    let user = format!("g_{}", std::process::id());
    sql.run(&format!("CREATE USER {user} IDENTIFIED BY 'secret-2'"));
    let mut address = server.address.clone();
    (address.user, address.password) = (user.clone(), "secret-2".into());
    let pipeline = from(&address, &mut sql, &database, server_id);
    sql.run(TABLE);
    sql.run("INSERT INTO t VALUES (1, 'a')");
    let client = if kind == Kind::Mariadb { "BINLOG MONITOR" } else { "REPLICATION CLIENT" };
    for (lacking, privilege) in
        [("REPLICATION CLIENT", client), ("REPLICATION SLAVE", "REPLICATION SLAVE")]
    {
        for command in ["check", "run"] {
            let outcome = pipeline.call(command).run().failed(3, &[lacking, "GRANT"]);
            assert!(!outcome.stderr.contains("secret-2"), "{}", outcome.stderr);
        }
        sql.run(&format!("GRANT {privilege} ON *.* TO {user}"));
    }
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database);
}

#[test]
fn a_grant_missing_on_mysql_is_named() {
    a_missing_grant_is_named(Kind::Mysql, 62_003);
}

#[test]
fn a_grant_missing_on_mariadb_is_named() {
    a_missing_grant_is_named(Kind::Mariadb, 62_004);
}

#[test]
fn a_wrong_password_is_told_without_showing_it() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("password");
    let mut address = server.address.clone();
    address.password = "not-the-password".into();
    let pipeline = from(&address, &mut sql, &database, 62_005);
    let outcome = pipeline.until_end().run().failed(3, &["password"]);
    assert!(!outcome.stderr.contains("not-the-password"), "{}", outcome.stderr);
}

#[test]
fn an_unreachable_server_is_named_with_its_port() {
    let port = servers::free_port();
    let address =
        Address { host: "127.0.0.1".into(), port, user: "root".into(), password: String::new() };
    let pipeline =
        Pipeline::new("bad").from_server(&address, 62_006, &("binlog.000001".into(), 4), "a.*");
    let pipeline = pipeline.with("connect-timeout = \"2s\"").written();
    for command in ["check", "run"] {
        let _ = pipeline.call(command).run().failed(3, &["127.0.0.1", &port.to_string()]);
    }
}

fn a_server_that_dies_in_mid_stream_loses_nothing(kind: Kind, server_id: u32) {
    let server = Server::start(kind, &[]);
    let (database, mut sql) = server.database("midstream");
    let pipeline = from(&server.address, &mut sql, &database, server_id);
    sql.run(TABLE);
    for block in 0..60 {
        let rows: Vec<_> =
            (0..500).map(|n| format!("({}, REPEAT('v', {}))", block * 500 + n, n % 40)).collect();
        sql.run(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
    }
    let mut running = pipeline.call("run").with("SLUICE_MARKERS", "/dev/stderr").start();
    running.wait_for("commit.end");
    server.kill();
    running.wait_for("connection lost");
    drop(running);
    server.start_again(&[]);
    let mut sql = server.sql();
    sql.run(&format!("USE {database}"));
    sql.run("UPDATE t SET v='last' WHERE id % 7 = 0");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut sql, &database);
}

#[test]
fn a_mysql_that_dies_in_mid_stream_loses_nothing() {
    a_server_that_dies_in_mid_stream_loses_nothing(Kind::Mysql, 62_007);
}

#[test]
fn a_mariadb_that_dies_in_mid_stream_loses_nothing() {
    a_server_that_dies_in_mid_stream_loses_nothing(Kind::Mariadb, 62_008);
}

#[test]
fn a_log_that_was_purged_is_named_with_the_way_out() {
    let server = Server::start(Kind::Mysql, &[]);
    let (database, mut sql) = server.database("purged");
    let pipeline = from(&server.address, &mut sql, &database, 62_009);
    sql.run(TABLE);
    sql.run("FLUSH BINARY LOGS");
    sql.run("INSERT INTO t VALUES (1, 'a')");
    let (file, _) = sql.log_end();
    sql.run(&format!("PURGE BINARY LOGS TO '{file}'"));
    let outcome = pipeline.until_end().run();
    assert!(matches!(outcome.code, Some(1 | 3)), "{:?}\n{}", outcome.code, outcome.stderr);
    assert!(
        outcome.stderr.contains("purged") || outcome.stderr.contains("start"),
        "{}",
        outcome.stderr
    );
}
