//! Where a pipeline stands in a server's log: what `sluice positions` tells, a start by time, and a replica that takes the
//! place of its source.

use serde_json::Value;
use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::servers::{Kind, Server};
use sluice_tests::sql::Sql;

const TABLE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(40) NOT NULL)";

/// How long the servers of these tests keep their logs, seconds.
const KEPT: u64 = 3_600;

fn server(kind: Kind) -> Server {
    let kept = format!("--binlog-expire-logs-seconds={KEPT}");
    match kind {
        Kind::Mysql => Server::start(kind, &[&kept]),
        // By default it removes nothing that no replica has asked for.
        Kind::Mariadb => Server::start(kind, &[&kept, "--slave-connections-needed-for-purge=0"]),
    }
}

#[track_caller]
fn right(pipeline: &Pipeline, database: &str, rows: Vec<sluice_tests::sql::Row>) {
    assert!(!rows.is_empty(), "nothing is compared");
    let expected = Expected::from([(format!("{database}/t"), rows)]);
    if let Err(differences) = oracle::compare(&pipeline.lake(), &expected) {
        panic!("{differences}");
    }
}

fn positions(pipeline: &Pipeline) -> Value {
    let told = pipeline.call("positions").and("--json").run().done();
    serde_json::from_str(&told.stdout).expect("one JSON value")
}

fn a_pipeline_s_place_is_told_until_it_is_gone(kind: Kind, server_id: u32) {
    let server = server(kind);
    let (database, mut sql) = server.database("places");
    let start = sql.log_end();
    let tables = format!("{database}.*");
    let pipeline = Pipeline::new("places").from_server(&server.address, server_id, &start, &tables);
    let pipeline = pipeline.written();
    sql.run(TABLE);
    sql.run("INSERT INTO t VALUES (1,'a')");
    let told = pipeline.call("positions").run().done().stdout;
    assert!(told.contains("has not begun") && told.contains(&start.0), "{told}");
    assert!(!pipeline.lake().exists(), "a look makes nothing");

    let _ = pipeline.until_end().run().done();
    let told = positions(&pipeline);
    let place = told.pointer("/resume/file").and_then(Value::as_str);
    assert_eq!(place, Some(start.0.as_str()), "{told}");
    assert_eq!(told.pointer("/resume/removed_in_seconds"), Some(&Value::Null), "{told}");
    assert_eq!(told.pointer("/resume/bytes_behind"), Some(&Value::from(0)), "{told}");
    assert_eq!(told.get("kept_seconds"), Some(&Value::from(KEPT)), "{told}");

    sql.run("FLUSH BINARY LOGS");
    sql.run("INSERT INTO t VALUES (2,'b')");
    let told = positions(&pipeline);
    assert_eq!(told.pointer("/resume/file").and_then(Value::as_str), Some(start.0.as_str()));
    let removed = told.pointer("/resume/removed_in_seconds").and_then(Value::as_u64);
    assert!(removed.is_some_and(|left| left > KEPT / 2 && left <= KEPT), "{told}");
    let behind = told.pointer("/resume/bytes_behind").and_then(Value::as_u64);
    assert!(behind.is_some_and(|bytes| bytes > 0), "{told}");

    sql.run("FLUSH BINARY LOGS");
    let (newest, _) = sql.log_end();
    purge(&mut sql, &newest);
    let told = positions(&pipeline);
    assert_eq!(told.pointer("/resume/file"), Some(&Value::Null), "{told}");
    let told = pipeline.call("positions").run().done().stdout;
    assert!(told.contains("the server does not have that any more"), "{told}");
    let _ = pipeline.until_end().run().failed(3, &["error:"]);
}

/// Removes all files before one. A server keeps what it believes somebody to read: a connection that was closed is
/// noticed when it is written to.
fn purge(sql: &mut Sql, newest: &str) {
    for attempt in 0.. {
        sql.run(&format!("PURGE BINARY LOGS TO '{newest}'"));
        let first = sql.rows("SHOW BINARY LOGS").into_iter().next().unwrap_or_default();
        if first.get("Log_name").is_some_and(|name| name.as_deref() == Some(newest)) {
            return;
        }
        assert!(attempt < 600, "{newest} is not the first file: {first:?}");
        sql.run("DO SLEEP(0.1)");
    }
}

#[test]
fn a_pipeline_s_place_in_mysqls_log_is_told_until_it_is_gone() {
    a_pipeline_s_place_is_told_until_it_is_gone(Kind::Mysql, 67_001);
}

#[test]
fn a_pipeline_s_place_in_mariadbs_log_is_told_until_it_is_gone() {
    a_pipeline_s_place_is_told_until_it_is_gone(Kind::Mariadb, 67_002);
}

fn a_start_by_time_begins_with_the_first_transaction_from_then_on(kind: Kind, server_id: u32) {
    let server = server(kind);
    let (database, mut sql) = server.database("by_time");
    let start = sql.log_end();
    let now: u64 = sql.value("SELECT UNIX_TIMESTAMP()").parse().expect("a number");
    sql.run(TABLE);
    for (id, seconds) in [(1, now), (2, now + 1_000), (3, now + 2_000), (4, now + 3_000)] {
        sql.run(&format!("SET timestamp = {seconds}"));
        sql.run(&format!("INSERT INTO t VALUES ({id}, 'row {id}')"));
    }
    let tables = format!("{database}.*");
    let at = |seconds: u64| {
        let pipeline = Pipeline::new("by-time");
        let pipeline = pipeline.from_server(&server.address, server_id, &start, &tables);
        pipeline.starting(&format!("{{ timestamp = \"{seconds}\" }}")).written()
    };
    for (seconds, ids) in [(now + 1_500, "3, 4"), (now + 2_000, "3, 4"), (now + 2_001, "4")] {
        let pipeline = at(seconds);
        let _ = pipeline.call("check").run().done();
        let _ = pipeline.until_end().run().done();
        right(&pipeline, &database, sql.rows(&format!("SELECT * FROM t WHERE id IN ({ids})")));
    }
    // A time to come means the end of the log, at the first run.
    let later = at(now + 9_000);
    let _ = later.until_end().run().done();
    sql.run("INSERT INTO t VALUES (5, 'later')");
    let _ = later.until_end().run().done();
    right(&later, &database, sql.rows("SELECT * FROM t WHERE id = 5"));
    let told = later.call("positions").and("--at").and(&(now + 1_500).to_string()).run().done();
    let line = told.stdout.lines().find(|line| line.starts_with("at "));
    assert!(line.is_some_and(|line| line.contains(&start.0)), "{}", told.stdout);

    // The same of recorded files.
    let copy = later.folder().join("copied.000001");
    std::fs::copy(server.data().join(&start.0), &copy).expect("copied");
    let recorded = Pipeline::new("by-time").from_files(&copy);
    let seconds = now + 2_500;
    let begin = format!("start = {{ timestamp = \"{seconds}\" }}\ntables = [\"{tables}\"]");
    let recorded = recorded.with(&begin).written();
    let _ = recorded.call("run").run().done();
    right(&recorded, &database, sql.rows("SELECT * FROM t WHERE id IN (4, 5)"));
}

#[test]
fn a_start_by_time_begins_with_mysqls_first_transaction_from_then_on() {
    a_start_by_time_begins_with_the_first_transaction_from_then_on(Kind::Mysql, 67_011);
}

#[test]
fn a_start_by_time_begins_with_mariadbs_first_transaction_from_then_on() {
    a_start_by_time_begins_with_the_first_transaction_from_then_on(Kind::Mariadb, 67_012);
}

/// A server that follows another one.
fn replica_of(source: &Server) -> Server {
    let options: &[&str] = match source.kind {
        Kind::Mysql => &[],
        Kind::Mariadb => &["--log-slave-updates=ON"],
    };
    let replica = Server::start(source.kind, options);
    let mut sql = replica.sql();
    let port = source.address.port;
    match source.kind {
        Kind::Mysql => {
            sql.run(&format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, \
                 SOURCE_USER='root', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1"
            ));
            sql.run("START REPLICA");
        }
        Kind::Mariadb => {
            sql.run(&format!(
                "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, \
                 MASTER_USER='root', MASTER_USE_GTID=slave_pos, MASTER_SSL=0"
            ));
            sql.run("START SLAVE");
        }
    }
    replica
}

/// Waits until the replica has everything.
fn caught_up(source: &mut Sql, replica: &mut Sql, kind: Kind) {
    let (executed, wait) = match kind {
        Kind::Mysql => ("SELECT @@GLOBAL.gtid_executed", "WAIT_FOR_EXECUTED_GTID_SET"),
        Kind::Mariadb => ("SELECT @@GLOBAL.gtid_binlog_pos", "MASTER_GTID_WAIT"),
    };
    let executed = source.value(executed).replace('\n', "");
    let waited = replica.value(&format!("SELECT {wait}('{executed}', 60)"));
    assert_eq!(waited, "0", "the replica does not follow");
}

fn a_replica_takes_the_place_of_its_source(kind: Kind, server_id: u32) {
    let source = Server::start(kind, &[]);
    let replica = replica_of(&source);
    let (mut of_source, mut of_replica) = (source.sql(), replica.sql());
    let database = "failed_over";
    let start = of_source.log_end();
    of_source.run(&format!("CREATE DATABASE {database}"));
    of_source.run(&format!("USE {database}"));
    of_source.run(TABLE);
    of_source.run("INSERT INTO t VALUES (1,'a'), (2,'b'), (3,'c')");
    let tables = format!("{database}.*");
    let pipeline =
        Pipeline::new("failover").from_server(&source.address, server_id, &start, &tables);
    let pipeline = pipeline.written();
    let _ = pipeline.until_end().run().done();

    // The pipeline has not seen these when the source is gone.
    of_source.run("UPDATE t SET id = 20 WHERE id = 2");
    of_source.run("DELETE FROM t WHERE id = 1");
    caught_up(&mut of_source, &mut of_replica, kind);
    source.kill();
    of_replica.run(if kind == Kind::Mysql { "STOP REPLICA" } else { "STOP SLAVE" });
    of_replica.run(&format!("USE {database}"));
    of_replica.run("INSERT INTO t VALUES (4,'of the replica')");
    let manifest = std::fs::read_to_string(pipeline.manifest()).expect("a manifest");
    let port = |server: &Server| format!("port = {}\n", server.address.port);
    assert!(manifest.contains(&port(&source)), "{manifest}");
    let manifest = manifest.replace(&port(&source), &port(&replica));
    std::fs::write(pipeline.manifest(), manifest).expect("written");

    let _ = pipeline.call("check").run().done();
    let place = positions(&pipeline);
    assert!(place.pointer("/resume/file").is_some_and(Value::is_string), "{place}");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, database, of_replica.rows("SELECT * FROM t"));
    of_replica.run("UPDATE t SET v = 'again' WHERE id = 20");
    let _ = pipeline.until_end().run().done();
    right(&pipeline, database, of_replica.rows("SELECT * FROM t"));
}

#[test]
fn a_replica_of_mysql_takes_the_place_of_its_source() {
    a_replica_takes_the_place_of_its_source(Kind::Mysql, 67_021);
}

#[test]
fn a_replica_of_mariadb_takes_the_place_of_its_source() {
    a_replica_takes_the_place_of_its_source(Kind::Mariadb, 67_022);
}
