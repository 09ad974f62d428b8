//! Tables that change their names or places, go and come again, and lose partitions: each target holds what the server
//! has under that name, also where the host is killed on the way.

use std::collections::BTreeSet;

use sluice_tests::manifest::Pipeline;
use sluice_tests::readers;
use sluice_tests::servers::{self, Kind, Server};
use sluice_tests::sql::{Row, Sql};
use sluice_tests::{markers, report};

/// Each step is statements and rows around them.
const STEPS: [&str; 12] = [
    "CREATE TABLE a (id INT PRIMARY KEY, v INT);
     CREATE TABLE b (id INT, k VARCHAR(9), w VARCHAR(20), PRIMARY KEY (k, id));
     CREATE TABLE heap (n INT, word VARCHAR(20));
     INSERT INTO a VALUES (1, 10), (2, 20), (3, 30);
     INSERT INTO b VALUES (1, 'x', 'one'), (2, 'y', 'two');
     INSERT INTO heap VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
     DELETE FROM a WHERE id = 2",
    "RENAME TABLE a TO c;
     INSERT INTO c VALUES (4, 40);
     UPDATE c SET v = 11 WHERE id = 1;
     DELETE FROM c WHERE id = 3",
    // Each takes the place of the other.
    "RENAME TABLE c TO t, b TO c, t TO b;
     INSERT INTO b VALUES (5, 50);
     INSERT INTO c VALUES (3, 'z', 'three');
     DELETE FROM c WHERE id = 1;
     UPDATE b SET v = 41 WHERE id = 4",
    "ALTER TABLE b RENAME TO d, ADD COLUMN n INT DEFAULT 5;
     INSERT INTO d (id) VALUES (6);
     UPDATE d SET n = 7 WHERE id = 1",
    // A fresh table takes the place of a full one.
    "CREATE TABLE e LIKE d;
     RENAME TABLE d TO old, e TO d;
     INSERT INTO d VALUES (1, 100, 1)",
    "RENAME TABLE heap TO pile;
     DELETE FROM pile WHERE n = 1 LIMIT 1;
     INSERT INTO pile VALUES (2, 'y')",
    "DROP TABLE old;
     CREATE TABLE old (k VARCHAR(9) PRIMARY KEY, z DATE);
     INSERT INTO old VALUES ('k', '2026-11-23'), ('l', NULL)",
    // Three in a circle.
    "RENAME TABLE c TO t, d TO c, old TO d, t TO old;
     INSERT INTO c VALUES (9, 9, 9);
     DELETE FROM d WHERE k = 'l';
     UPDATE old SET w = 'changed' WHERE id = 2",
    "CREATE TABLE a (name VARCHAR(5) PRIMARY KEY);
     INSERT INTO a VALUES ('new')",
    "CREATE TABLE parts (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id)
       (PARTITION p0 VALUES LESS THAN (0), PARTITION p1 VALUES LESS THAN (10), PARTITION p2 VALUES LESS THAN MAXVALUE);
     INSERT INTO parts VALUES (-5, 1), (0, 2), (9, 3), (10, 4), (99, 5);
     ALTER TABLE parts TRUNCATE PARTITION p1;
     INSERT INTO parts VALUES (5, 6);
     ALTER TABLE parts DROP PARTITION p0",
    "CREATE TABLE rests (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3;
     INSERT INTO rests VALUES (-4), (-3), (-1), (0), (1), (2), (3), (4);
     ALTER TABLE rests TRUNCATE PARTITION p1",
    "DROP TABLE rests;
     TRUNCATE TABLE pile",
];

/// What a server has now.
struct Source {
    server: &'static Server,
    server_id: u32,
    start: (String, u64),
    database: String,
    sql: Sql,
}

impl Source {
    fn new(kind: Kind, name: &str, server_id: u32) -> Self {
        let server = servers::shared(kind);
        let (database, mut sql) = server.database(name);
        let start = sql.log_end();
        Self { server, server_id, start, database, sql }
    }

    fn pipeline(&self, dropped: &str) -> Pipeline {
        let database = &self.database;
        let rule = format!("[[table]]\nmatch = \"{database}.*\"\nwithout-key = \"whole-row\"");
        let sink = "[sink]\npath = \"lake/{db}/{table}\"\nmerge-schema = true";
        Pipeline::new("renamed-tables")
            .from_server(
                &self.server.address,
                self.server_id,
                &self.start,
                &format!("{database}.*"),
            )
            .with(&rule)
            .with(&format!("{sink}\ndropped-tables = \"{dropped}\""))
            .written_as_it_is()
    }

    /// The server's tables, with their rows.
    fn tables(&mut self) -> Vec<(String, Vec<Row>)> {
        let query = format!(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = '{}'",
            self.database
        );
        let names = self.sql.rows(&query).into_iter().filter_map(|row| row.into_values().next()?);
        let names: Vec<String> = names.collect();
        let rows = |name: String| {
            let mut rows = self.sql.rows(&format!("SELECT * FROM `{name}`"));
            rows.sort();
            (name, rows)
        };
        names.into_iter().map(rows).collect()
    }

    /// Both readers see under each name what the server has there, and nothing under other names but
    /// `kept`.
    #[track_caller]
    fn check(&mut self, pipeline: &Pipeline, kept: &[&str]) {
        let tables = self.tables();
        for (reader, found) in readers::read(&pipeline.lake()) {
            for (table, expected) in &tables {
                let target = found.get(&format!("{}/{table}", self.database));
                let columns: BTreeSet<&String> = expected.iter().flat_map(Row::keys).collect();
                let mut rows = target.map(|target| target.rows.clone()).unwrap_or_default();
                rows.iter_mut().for_each(|row| row.retain(|name, _| columns.contains(name)));
                rows.sort();
                assert_eq!(&rows, expected, "{reader}: {table}");
            }
            for (target, content) in &found {
                let name = target.rsplit('/').next().unwrap_or_default();
                let is_there = tables.iter().any(|(table, _)| table == name);
                let is_empty = content.rows.is_empty();
                assert!(is_there || kept.contains(&name) != is_empty, "{reader}: {target}");
            }
        }
    }
}

fn targets_go_where_their_tables_go(kind: Kind, server_id: u32) {
    let mut source = Source::new(kind, "renamed_tables", server_id);
    let pipeline = source.pipeline("keep");
    for step in STEPS {
        source.sql.run_all(step);
        let _ = pipeline.until_end().run().done();
        let kept: &[&str] = if step.contains("DROP TABLE rests") { &["rests"] } else { &[] };
        source.check(&pipeline, kept);
    }
}

fn killed_targets_go_where_their_tables_go(kind: Kind, server_id: u32) {
    let mut source = Source::new(kind, "renamed_tables_killed", server_id);
    for step in STEPS {
        source.sql.run_all(step);
    }
    let mut killed = 0;
    for marker in markers::all().into_iter().filter(|m| m.starts_with("edit.")) {
        // Each run dies at the same step, a little further on.
        for n in [1, 2, 3, 5, 8] {
            let pipeline = source.pipeline("empty");
            let mut deaths = 0;
            for _ in 0..3 {
                deaths += u32::from(pipeline.until_end().killed_at(&marker, n).run().was_killed());
            }
            if deaths > 0 {
                let _ = pipeline.until_end().run().done();
                source.check(&pipeline, &[]);
            }
            killed += deaths;
        }
    }
    report(&format!("renamed tables: killed {killed} times around an edit"));
    assert!(killed >= 30, "only {killed} kills");
}

#[test]
fn targets_go_where_their_tables_go_on_mysql() {
    targets_go_where_their_tables_go(Kind::Mysql, 61_091);
}

#[test]
fn targets_go_where_their_tables_go_on_mariadb() {
    targets_go_where_their_tables_go(Kind::Mariadb, 61_092);
}

#[test]
fn killed_at_every_step_targets_go_where_their_tables_go_on_mysql() {
    killed_targets_go_where_their_tables_go(Kind::Mysql, 61_093);
}

#[test]
fn killed_at_every_step_targets_go_where_their_tables_go_on_mariadb() {
    killed_targets_go_where_their_tables_go(Kind::Mariadb, 61_094);
}
