//! The initial load: tables of every type as the log would give them, under fire from a writer while the host is
//! killed, through a changed definition, and what is refused.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::servers::{self, Address, Kind, Server};
use sluice_tests::sql::Sql;
use sluice_tests::{readers, report};

mod every_type;

/// `[source]` of a pipeline that loads.
fn loading(name: &str, address: &Address, server_id: u32, tables: &str, more: &str) -> Pipeline {
    let Address { host, port, user, password } = address;
    let password = match password.as_str() {
        "" => String::new(),
        some => format!("password = \"{some}\"\n"),
    };
    Pipeline::new(name).with(&format!(
        "[source]\nhost = \"{host}\"\nport = {port}\nuser = \"{user}\"\n{password}server-id = {server_id}\n\
         tables = [\"{tables}\"]\nsnapshot = \"initial\"\n{more}"
    ))
}

/// What the first reader finds in a lake.
fn found(lake: &Path) -> Expected {
    let lake = readers::read(lake).into_values().next().expect("a reader");
    lake.into_iter().map(|(target, table)| (target, table.rows)).collect()
}

#[track_caller]
fn right(pipeline: &mut Pipeline, expected: &Expected, told: &str) {
    let rows: usize = expected.values().map(Vec::len).sum();
    assert!(rows > 0, "nothing is compared");
    if let Err(differences) = oracle::compare(&pipeline.lake(), expected) {
        panic!("{}\n{differences}\n{told}", pipeline.keep().display());
    }
}

fn every_type_is_loaded_as_the_log_gives_it(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("types");
    let start = sql.log_end();
    every_type::write(&mut sql, kind);
    let tables = format!("{database}.*");
    let from_log = Pipeline::new("types-log")
        .from_server(&server.address, server_id, &start, &tables)
        .with("zero-dates = \"null\"")
        .written();
    let _ = from_log.until_end().run().done();
    let expected = found(&from_log.lake());
    assert!(expected.len() >= every_type::TABLES_MIN, "{:?}", expected.keys());
    let zero_dates = "zero-dates = \"null\"\n";
    let mut loaded =
        loading("types-load", &server.address, server_id, &tables, zero_dates).written();
    let told = loaded.until_end().run().done();
    right(&mut loaded, &expected, &told.stderr);
}

#[test]
fn every_type_of_mysql_is_loaded_as_the_log_gives_it() {
    every_type_is_loaded_as_the_log_gives_it(Kind::Mysql, 71_001);
}

#[test]
fn every_type_of_mariadb_is_loaded_as_the_log_gives_it() {
    every_type_is_loaded_as_the_log_gives_it(Kind::Mariadb, 71_002);
}

/// How the rows of a test are told apart.
#[derive(Clone, Copy)]
enum Key {
    /// A number.
    Number,
    /// A text in a collation that folds case, and a number.
    Text,
}

impl Key {
    fn table(self) -> &'static str {
        match self {
            Self::Number => {
                "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, v VARCHAR(40) NOT NULL, n INT NOT NULL)"
            }
            Self::Text => {
                "CREATE TABLE t (id VARCHAR(20) CHARACTER SET latin1 NOT NULL, part INT NOT NULL, v VARCHAR(40) NOT NULL, \
                 n INT NOT NULL, PRIMARY KEY (id, part))"
            }
        }
    }

    /// The values of the key's columns.
    fn values(self, row: u32) -> String {
        match self {
            Self::Number => format!("{}", i64::from(row) * 7 - 1_000),
            Self::Text => {
                let head = ["Ä", "b", "B ", "zz", "'' x", "ß"];
                let head = head.get(row as usize % head.len()).copied().unwrap_or_default();
                format!("'{head}{}', {}", row / 12, row % 2)
            }
        }
    }

    /// The row in a WHERE clause.
    fn row(self, row: u32) -> String {
        match self {
            Self::Number => format!("id = {}", self.values(row)),
            Self::Text => {
                let values = self.values(row);
                let (id, part) = values.rsplit_once(", ").expect("two columns");
                format!("id = {id} AND part = {part}")
            }
        }
    }
}

/// Rows before the load: few enough for every run of the tests; `SLUICE_TEST_LOAD_ROWS` for more.
fn rows() -> u32 {
    let named = std::env::var("SLUICE_TEST_LOAD_ROWS").ok();
    named.map_or(24_000, |rows| rows.parse().expect("SLUICE_TEST_LOAD_ROWS is a number"))
}

/// A writer at full speed, until it is stopped.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u32>,
}

impl Writer {
    fn start(server: &Server, database: &str, key: Key, rows: u32, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(Barrier::new(2));
        let mut sql = server.sql();
        sql.run(&format!("USE {database}"));
        let (stopped, ready) = (Arc::clone(&stop), Arc::clone(&begun));
        let thread = std::thread::spawn(move || {
            let mut dice = StdRng::seed_from_u64(seed);
            let mut statements = 0;
            ready.wait();
            while !stopped.load(Ordering::Relaxed) {
                sql.run(&statement(&mut dice, key, rows));
                statements += 1;
            }
            statements
        });
        begun.wait();
        Self { stop, thread }
    }

    fn end(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer ended")
    }
}

fn statement(dice: &mut StdRng, key: Key, rows: u32) -> String {
    let row = dice.random_range(0..rows + rows / 10);
    let (at, n) = (key.row(row), dice.random_range(0..1_000_000));
    match dice.random_range(0..10) {
        0..=4 => format!("UPDATE t SET n = {n}, v = CONCAT('fire ', {n}) WHERE {at}"),
        5..=6 => format!("DELETE FROM t WHERE {at}"),
        7..=8 => format!(
            "INSERT INTO t VALUES ({}, 'new', {n}) ON DUPLICATE KEY UPDATE n = {n}",
            key.values(row)
        ),
        _ => {
            // Another key for a row, where that is free.
            let other = key.values(dice.random_range(0..rows + rows / 10));
            let id = other.split(", ").next().unwrap_or_default();
            format!("UPDATE IGNORE t SET id = {id} WHERE {at}")
        }
    }
}

fn fill(sql: &mut Sql, key: Key, rows: u32) {
    sql.run(key.table());
    for first in (0..rows).step_by(1_000) {
        let values = (first..rows.min(first + 1_000))
            .map(|row| format!("({}, 'row {row}', {row})", key.values(row)));
        sql.run(&format!("INSERT IGNORE INTO t VALUES {}", values.collect::<Vec<_>>().join(", ")));
    }
}

/// Steps at which runs are killed, and how often each is passed before.
const KILLS: [(&str, u32); 10] = [
    ("load.chunk", 1),
    ("load.chunk", 2),
    ("commit.before-log-entry", 2),
    ("commit.after-log-entry", 1),
    ("checkpoint.before-rename", 2),
    ("commit.after-log-entry", 2),
    ("checkpoint.after-rename", 1),
    ("commit.end", 1),
    ("load.chunk", 3),
    ("commit.begin", 2),
];

fn a_table_under_fire_is_loaded_through_kills(kind: Kind, key: Key, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("fire");
    let rows = rows();
    fill(&mut sql, key, rows);
    let paced = format!("snapshot-rows-per-second = {}\n", (rows / 5).max(2_000));
    let tables = format!("{database}.*");
    let mut pipeline = loading("fire", &server.address, server_id, &tables, &paced).written();
    let writer = Writer::start(server, &database, key, rows, u64::from(server_id));
    let mut killed = 0;
    let mut told = String::new();
    for (marker, n) in KILLS {
        let outcome = pipeline.until_end().killed_at(marker, n).run();
        killed += u32::from(outcome.was_killed());
        told.push_str(&outcome.stderr);
        if !outcome.was_killed() {
            let _ = outcome.done();
        }
    }
    told.push_str(&pipeline.until_end().run().done().stderr);
    let statements = writer.end();
    told.push_str(&pipeline.until_end().run().done().stderr);
    let expected = Expected::from([(format!("{database}/t"), sql.rows("SELECT * FROM t"))]);
    right(&mut pipeline, &expected, &told);
    assert!(killed >= 5 && statements > 50, "{killed} kills, {statements} statements");
    assert!(told.contains("all tables are loaded"), "{told}");
    report(&format!(
        "load on {}: {rows} rows, {statements} statements, {killed} kills",
        kind.name()
    ));
}

#[test]
fn a_table_of_mysql_under_fire_is_loaded_through_kills() {
    a_table_under_fire_is_loaded_through_kills(Kind::Mysql, Key::Number, 71_003);
}

#[test]
fn a_table_of_mariadb_under_fire_is_loaded_through_kills() {
    a_table_under_fire_is_loaded_through_kills(Kind::Mariadb, Key::Number, 71_004);
}

#[test]
fn a_table_of_mysql_with_texts_for_keys_is_loaded_through_kills() {
    a_table_under_fire_is_loaded_through_kills(Kind::Mysql, Key::Text, 71_005);
}

#[test]
fn a_table_of_mariadb_with_texts_for_keys_is_loaded_through_kills() {
    a_table_under_fire_is_loaded_through_kills(Kind::Mariadb, Key::Text, 71_006);
}

#[test]
fn a_load_goes_on_where_a_lost_checkpoint_left_it_and_is_not_done_twice() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("lost");
    fill(&mut sql, Key::Number, 12_000);
    let paced = "snapshot-rows-per-second = 4000\n";
    let mut pipeline =
        loading("lost", &server.address, 71_007, &format!("{database}.*"), paced).written();
    let killed = pipeline.until_end().killed_at("load.chunk", 3).run();
    assert!(killed.was_killed(), "{}", killed.stderr);
    let checkpoint = pipeline.folder().join("checkpoint");
    let _ = std::fs::remove_dir_all(checkpoint);
    sql.run("DELETE FROM t WHERE id < 0");
    let told = pipeline.until_end().run().done();
    let expected = Expected::from([(format!("{database}/t"), sql.rows("SELECT * FROM t"))]);
    right(&mut pipeline, &expected, &told.stderr);
    let again = pipeline.until_end().run().done();
    assert!(again.stdout.contains(": 0 row images"), "{}", again.stdout);
    assert!(!again.stderr.contains("loading tables"), "{}", again.stderr);
}

#[test]
fn a_table_that_changes_while_it_is_loaded_is_loaded_as_it_is_behind_that() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("altered");
    fill(&mut sql, Key::Number, 12_000);
    let pipeline = loading(
        "altered",
        &server.address,
        71_008,
        &format!("{database}.*"),
        "snapshot-rows-per-second = 3000\n",
    );
    let mut pipeline = pipeline
        .with("[sink]\npath = \"lake/{db}/{table}\"\nmerge-schema = true\n")
        .written_as_it_is();
    let mut running = pipeline.until_end().with("SLUICE_MARKERS", "/dev/stderr").start();
    running.wait_for("load.chunk");
    sql.run("ALTER TABLE t ADD COLUMN extra INT NOT NULL DEFAULT 5");
    sql.run("UPDATE t SET extra = 6 WHERE id > 70000");
    let told = running.end().done();
    assert!(told.stderr.contains("its load begins anew"), "{}", told.stderr);
    let expected = Expected::from([(format!("{database}/t"), sql.rows("SELECT * FROM t"))]);
    right(&mut pipeline, &expected, &told.stderr);
}

/// Keys of the types that chunks go along, and one that is read at once.
const KEYS: [(&str, &str); 12] = [
    ("bigint unsigned", "18446744073709551615 - n * 3"),
    ("int", "n - 60"),
    ("decimal(12,3)", "n / 8 - 5"),
    ("varchar(20) character set utf8mb4", "CONCAT(ELT(n % 4 + 1, 'a', 'Ä', 'ß ', '😀'), n)"),
    ("char(20) character set utf16", "CONCAT('x', n, ' ')"),
    ("varchar(30) character set latin1 collate latin1_german2_ci", "CONCAT('Ö', n, CHAR(39))"),
    ("binary(8)", "UNHEX(LPAD(HEX(n * 7919), 16, '0'))"),
    ("varbinary(20)", "CONCAT(UNHEX('00FF'), n)"),
    ("date", "DATE_ADD('1999-12-01', INTERVAL n DAY)"),
    ("datetime(6)", "TIMESTAMPADD(MICROSECOND, n * 333333, '1999-12-31 23:59:50')"),
    (
        "timestamp(3) not null default '2001-01-01'",
        "TIMESTAMPADD(SECOND, n * 777, '2024-03-30 23:59:50')",
    ),
    ("enum('z','a','m')", "n % 3 + 1"),
];

fn keys_of_every_type_are_gone_along(kind: Kind, server_id: u32) {
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("keys");
    sql.run("CREATE TABLE numbers (n int primary key)");
    let numbers: Vec<_> = (1..=130).map(|n| format!("({n})")).collect();
    sql.run(&format!("INSERT INTO numbers VALUES {}", numbers.join(",")));
    for (at, (declared, value)) in KEYS.iter().enumerate() {
        sql.run(&format!("CREATE TABLE k{at} (v int, k {declared}, n int, primary key (k, n))"));
        sql.run(&format!("INSERT INTO k{at} SELECT n, {value}, n FROM numbers"));
    }
    if kind == Kind::Mariadb {
        sql.run("CREATE TABLE ku (u uuid primary key, i6 inet6)");
        sql.run("INSERT INTO ku SELECT CONCAT('123e4567-e89b-12d3-a456-4266554400', LPAD(HEX(n), 2, '0')), '::1' FROM numbers");
    }
    let pipeline = loading(
        "keys",
        &server.address,
        server_id,
        &format!("{database}.*"),
        "snapshot-rows-per-second = 600\n",
    )
    .written();
    let told = pipeline.until_end().run().done();
    let lake = found(&pipeline.lake());
    for (at, (declared, _)) in KEYS.iter().enumerate() {
        let rows = lake.get(&format!("{database}/k{at}")).map_or(0, Vec::len);
        assert_eq!(rows, 130, "{declared}\n{}", told.stderr);
    }
    let uuids = if kind == Kind::Mariadb { 130 } else { 0 };
    assert_eq!(lake.get(&format!("{database}/ku")).map_or(0, Vec::len), uuids);
    let by_number = Expected::from([(format!("{database}/k1"), sql.rows("SELECT * FROM k1"))]);
    let mut found = Expected::new();
    found.extend(lake.into_iter().filter(|(target, _)| target.ends_with("/k1")));
    let sorted = |expected: Expected| {
        expected
            .into_values()
            .map(|mut rows| {
                rows.sort();
                rows
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(sorted(found), sorted(by_number));
}

#[test]
fn keys_of_every_type_of_mysql_are_gone_along() {
    keys_of_every_type_are_gone_along(Kind::Mysql, 71_010);
}

#[test]
fn keys_of_every_type_of_mariadb_are_gone_along() {
    keys_of_every_type_are_gone_along(Kind::Mariadb, 71_011);
}

#[test]
fn a_table_that_is_renamed_while_it_is_loaded_is_loaded_under_its_new_name() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("renamed");
    fill(&mut sql, Key::Number, 6_000);
    let tables = format!("{database}.*");
    let paced = "snapshot-rows-per-second = 3000\n";
    let pipeline = loading("renamed", &server.address, 71_012, &tables, paced);
    let mut pipeline = pipeline
        .with("[sink]\npath = \"lake/{db}/{table}\"\nmerge-schema = true\n")
        .written_as_it_is();
    let mut running = pipeline.until_end().with("SLUICE_MARKERS", "/dev/stderr").start();
    running.wait_for("load.chunk");
    sql.run("RENAME TABLE t TO u");
    sql.run("DELETE FROM u WHERE id < 500");
    let told = running.end().done();
    let expected = Expected::from([(format!("{database}/u"), sql.rows("SELECT * FROM u"))]);
    right(&mut pipeline, &expected, &told.stderr);
}

#[test]
fn a_table_that_takes_the_name_of_a_loaded_one_is_loaded_to_its_end() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("swapped");
    fill(&mut sql, Key::Number, 6_000);
    sql.run("CREATE TABLE small LIKE t");
    sql.run("INSERT INTO small SELECT * FROM t WHERE id < 10");
    let paced = "snapshot-rows-per-second = 1500\n";
    let pipeline = loading("swapped", &server.address, 71_014, &format!("{database}.*"), paced);
    let mut pipeline = pipeline
        .with("[sink]\npath = \"lake/{db}/{table}\"\nmerge-schema = true\n")
        .written_as_it_is();
    let mut running = pipeline.until_end().with("SLUICE_MARKERS", "/dev/stderr").start();
    // The small table's only chunk is among the first two.
    running.wait_for("load.chunk");
    running.wait_for("load.chunk");
    sql.run("RENAME TABLE t TO aside, small TO t, aside TO small");
    let told = running.end().done();
    let expected = ["t", "small"]
        .map(|table| (format!("{database}/{table}"), sql.rows(&format!("SELECT * FROM {table}"))));
    right(&mut pipeline, &Expected::from(expected), &told.stderr);
}

#[test]
fn what_cannot_be_loaded_is_refused_before_anything_is_written() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("refused");
    sql.run("CREATE TABLE no_key (a INT, b INT)");
    let tables = format!("{database}.*");
    let pipeline = loading("refused", &server.address, 71_009, &tables, "").written();
    let texts = ["no_key", "neither a primary key nor a unique key", "help: give the table a key"];
    let _ = pipeline.until_end().run().failed(3, &texts);
    assert!(!pipeline.lake().exists(), "something was written");
    sql.run("DROP TABLE no_key");
    let _ = pipeline.until_end().run().done();
}

#[test]
fn shards_of_several_databases_are_loaded_into_one_target() {
    let server = servers::shared(Kind::Mysql);
    let (first, mut sql) = server.database("shards");
    let (second, _) = server.database("shards");
    let mut expected = Vec::new();
    for (number, (database, table)) in
        [(&first, "orders_00"), (&first, "orders_01"), (&second, "orders_00")].iter().enumerate()
    {
        sql.run(&format!(
            "CREATE TABLE {database}.{table} (shard INT NOT NULL, id INT NOT NULL, v VARCHAR(10), PRIMARY KEY (shard, id))"
        ));
        sql.run(&format!(
            "INSERT INTO {database}.{table} VALUES ({number},1,'a'), ({number},2,'b')"
        ));
    }
    let pipeline = loading("shards", &server.address, 71_013, "shards_*.orders_*", "");
    let config =
        "match = { table = \"orders_{shard}\" }\nset = { db = \"shop\", table = \"orders\" }";
    let mut pipeline = pipeline.plugin("together", "route", "*.*", config).written();
    let _ = pipeline.until_end().run().done();
    sql.run(&format!("UPDATE {second}.orders_00 SET v = 'changed' WHERE id = 1"));
    sql.run(&format!("DELETE FROM {first}.orders_01 WHERE id = 2"));
    let told = pipeline.until_end().run().done();
    for table in
        [format!("{first}.orders_00"), format!("{first}.orders_01"), format!("{second}.orders_00")]
    {
        expected.extend(sql.rows(&format!("SELECT * FROM {table}")));
    }
    assert_eq!(expected.len(), 5);
    right(&mut pipeline, &Expected::from([("shop/orders".to_owned(), expected)]), &told.stderr);
}
