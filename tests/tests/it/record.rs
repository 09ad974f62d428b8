//! A slice of a live log as a file: what `run` makes of the recording is what the server has, with and without names in
//! the log, and nothing of other tables is in it.

use sluice_tests::host;
use sluice_tests::manifest::Pipeline;
use sluice_tests::readers;
use sluice_tests::servers::{self, Kind, Server};
use sluice_tests::sql::Row;

const TABLES: &str =
    "CREATE TABLE orders (id INT PRIMARY KEY, word VARCHAR(20), price DECIMAL(6,2));
CREATE TABLE secrets (id INT PRIMARY KEY, word VARCHAR(40))";

const ROWS: &str = "
INSERT INTO orders VALUES (1, 'one', 1.50), (2, 'two', NULL);
UPDATE orders SET word = 'changed', price = 2 WHERE id = 2;
INSERT INTO secrets VALUES (1, 'never-to-be-recorded');
START TRANSACTION;
INSERT INTO orders VALUES (3, 'three', 3);
INSERT INTO secrets VALUES (2, 'never-to-be-recorded');
COMMIT;
ALTER TABLE orders ADD COLUMN more INT DEFAULT 7;
INSERT INTO orders VALUES (4, 'four', 4, 4);
DELETE FROM orders WHERE id = 1";

/// The rows of `orders` in the lake of a pipeline, as both readers see them.
#[track_caller]
fn right(pipeline: &Pipeline, database: &str, mut expected: Vec<Row>) {
    expected.sort();
    for (reader, found) in readers::read(&pipeline.lake()) {
        let targets: Vec<&String> = found.keys().collect();
        assert_eq!(targets, [&format!("{database}/orders")], "{reader}");
        let mut rows: Vec<Row> = found.into_values().next().expect("a target").rows;
        rows.sort();
        assert_eq!(rows, expected, "{reader}");
    }
}

fn a_recording_runs_as_the_log_does(server: &Server, kind: Kind, server_id: u32) {
    let (database, mut sql) = server.database("record");
    sql.run_all(TABLES);
    let start = sql.log_end();
    if kind == Kind::Mysql {
        // What another table has in the same transaction is in the same compressed event.
        sql.run("SET SESSION binlog_transaction_compression = ON");
    }
    sql.run_all(ROWS);
    let recorder = Pipeline::new("record")
        .from_server(&server.address, server_id, &start, &format!("{database}.orders"))
        .with("definitions = \"given.sql\"")
        .written();
    let given = format!("USE {database};\n{TABLES};\n");
    std::fs::write(recorder.folder().join("given.sql"), given).expect("written");
    let arguments =
        ["record", "sluice.toml", "--output", "slice.binlog", "--until", "end", "--json"];
    let said = host::sluice(arguments).within(recorder.folder()).run().done().stdout;
    assert!(said.contains("\"transactions\""), "{said}");
    let log = recorder.folder().join("slice.binlog");
    let bytes = std::fs::read(&log).expect("a recording");
    let secret = b"never-to-be-recorded";
    assert!(!bytes.windows(secret.len()).any(|w| w == secret), "another table is in the recording");
    let inspected =
        host::sluice(["inspect", "slice.binlog"]).within(recorder.folder()).run().done().stdout;
    assert!(inspected.contains("orders") && !inspected.contains("secrets"), "{inspected}");
    let rule = "[sink]\npath = \"lake/{db}/{table}\"\nmerge-schema = true";
    let known = format!("definitions = \"{}.definitions\"", log.display());
    let replay =
        Pipeline::new("replay").from_files(&log).with(&known).with(rule).written_as_it_is();
    let _ = replay.until_end().run().done();
    right(&replay, &database, sql.rows("SELECT * FROM orders"));
    // A second recording of the same name is refused.
    let _ =
        host::sluice(arguments).within(recorder.folder()).run().failed(2, &["is there already"]);
}

#[test]
fn a_recording_of_mysql_runs_as_the_log_does() {
    a_recording_runs_as_the_log_does(servers::shared(Kind::Mysql), Kind::Mysql, 61_101);
}

#[test]
fn a_recording_of_mariadb_runs_as_the_log_does() {
    a_recording_runs_as_the_log_does(servers::shared(Kind::Mariadb), Kind::Mariadb, 61_102);
}

#[test]
fn a_recording_of_mysql_without_names_runs_by_the_definitions_beside_it() {
    let server = Server::start(Kind::Mysql, &["--binlog-row-metadata=MINIMAL"]);
    a_recording_runs_as_the_log_does(&server, Kind::Mysql, 61_103);
}

#[test]
fn a_recording_of_mariadb_without_names_runs_by_the_definitions_beside_it() {
    let server = Server::start(Kind::Mariadb, &["--binlog-row-metadata=MINIMAL"]);
    a_recording_runs_as_the_log_does(&server, Kind::Mariadb, 61_104);
}
