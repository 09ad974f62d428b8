//! Targets that follow the statements of their source: columns added, dropped, renamed and retyped, TRUNCATE; killed on
//! the way. What cannot be followed stops with the reason.

use sluice_tests::manifest::Pipeline;
use sluice_tests::readers;
use sluice_tests::servers::{self, Kind, Server};
use sluice_tests::sql::{Row, Sql};
use sluice_tests::{host, markers, report};

const TABLES: &str = "
CREATE TABLE items (id INT PRIMARY KEY, a TINYINT, b VARCHAR(20));
CREATE TABLE notes (n INT, word VARCHAR(20));
INSERT INTO items VALUES (1, 1, 'one'), (2, 2, 'two'), (3, NULL, NULL);
INSERT INTO notes VALUES (1, 'x'), (1, 'x'), (NULL, NULL)";

/// Each step is a statement, then rows by the new definition, and rows of before that change.
const STEPS: [&str; 10] = [
    "ALTER TABLE items ADD COLUMN c INT DEFAULT 9, ADD COLUMN d VARCHAR(5) DEFAULT 'new' AFTER id;
     INSERT INTO items (id, a) VALUES (4, 4);
     UPDATE items SET c = 10 WHERE id = 2",
    "ALTER TABLE items RENAME COLUMN b TO bb;
     UPDATE items SET bb = 'changed' WHERE id = 1",
    "ALTER TABLE items MODIFY a BIGINT;
     INSERT INTO items (id, a, bb) VALUES (5, 5000000000, 'five');
     DELETE FROM items WHERE id = 3",
    "ALTER TABLE items DROP COLUMN c;
     INSERT INTO items (id, a) VALUES (6, 6)",
    "ALTER TABLE items ADD COLUMN c INT;
     UPDATE items SET c = 11 WHERE id = 6",
    "ALTER TABLE items CHANGE COLUMN c cc BIGINT, ADD COLUMN e DECIMAL(8, 2) DEFAULT 1.50 FIRST;
     INSERT INTO items (id, cc) VALUES (7, 12)",
    "ALTER TABLE notes ADD COLUMN more INT DEFAULT 3;
     DELETE FROM notes WHERE n = 1 LIMIT 1;
     INSERT INTO notes VALUES (1, 'x', 3)",
    "ALTER TABLE notes RENAME COLUMN word TO text;
     UPDATE notes SET text = 'y' WHERE n = 1 LIMIT 1",
    "TRUNCATE TABLE notes;
     INSERT INTO notes VALUES (2, 'z', 4), (2, 'z', 4)",
    "CREATE INDEX by_a ON items (a);
     INSERT INTO items (id) VALUES (8)",
];

/// Both readers see the rows of the source; columns that it dropped may stay in the target.
#[track_caller]
fn right(pipeline: &Pipeline, source: &mut Source) {
    let Source { database, sql, .. } = source;
    for table in ["items", "notes"] {
        let mut expected = sql.rows(&format!("SELECT * FROM {table}"));
        expected.sort();
        let columns: Vec<String> =
            expected.first().map(|row| row.keys().cloned().collect()).unwrap_or_default();
        for (reader, found) in readers::read(&pipeline.lake()) {
            let rows = &found.get(&format!("{database}/{table}")).expect("a target").rows;
            let present = |row: &Row| -> Row {
                columns.iter().filter_map(|c| Some((c.clone(), row.get(c)?.clone()))).collect()
            };
            let mut rows: Vec<Row> = rows.iter().map(present).collect();
            rows.sort();
            assert_eq!(rows, expected, "{reader}: {table}");
        }
    }
}

/// A database with rows, and what a pipeline needs to read it from its beginning.
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
        sql.run_all(TABLES);
        Self { server, server_id, start, database, sql }
    }

    fn pipeline(&self) -> Pipeline {
        let database = &self.database;
        let rule = format!("[[table]]\nmatch = \"{database}.*\"\nwithout-key = \"whole-row\"");
        let tables = format!("{database}.*");
        Pipeline::new("merge-schema")
            .from_server(&self.server.address, self.server_id, &self.start, &tables)
            .with(&rule)
            .with("[sink]\npath = \"lake/{db}/{table}\"\nmerge-schema = true")
            .written_as_it_is()
    }
}

fn targets_follow_statements(kind: Kind, server_id: u32) {
    let mut source = Source::new(kind, "merge_schema", server_id);
    let pipeline = source.pipeline();
    let _ = pipeline.until_end().run().done();
    right(&pipeline, &mut source);
    for step in STEPS {
        source.sql.run_all(step);
        let _ = pipeline.until_end().run().done();
        right(&pipeline, &mut source);
    }
}

/// All statements in one run, killed at each named step, and again in the run that goes on.
fn killed_targets_follow_statements(kind: Kind, server_id: u32) {
    let mut source = Source::new(kind, "merge_schema_killed", server_id);
    for step in STEPS {
        source.sql.run_all(step);
    }
    let (mut killed, mut edits) = (0, 0);
    for marker in markers::all() {
        let pipeline = source.pipeline();
        let mut deaths = 0;
        for n in [1, 2, 3, 1] {
            deaths += u32::from(pipeline.until_end().killed_at(&marker, n).run().was_killed());
        }
        if deaths > 0 {
            let _ = pipeline.until_end().run().done();
            right(&pipeline, &mut source);
        }
        killed += deaths;
        edits += if marker.starts_with("edit.") { deaths } else { 0 };
    }
    report(&format!("merge-schema: killed {killed} times, {edits} of them around an edit"));
    assert!(edits >= 6, "only {edits} kills around an edit");
    assert!(killed >= 30, "only {killed} kills");
}

fn what_cannot_be_followed_stops(kind: Kind, server_id: u32) {
    let mut source = Source::new(kind, "merge_schema_stops", server_id);
    let pipeline = source.pipeline().with("dropped-tables = \"stop\"").written_as_it_is();
    let _ = pipeline.until_end().run().done();
    let cases = [
        ("ALTER TABLE items MODIFY a VARCHAR(10)", "a column changes its type"),
        ("ALTER TABLE items RENAME COLUMN id TO number", "id column `id` is renamed"),
        ("DROP TABLE `items`", "is gone, and `dropped-tables` is"),
    ];
    for (statement, reason) in cases {
        source.sql.run(statement);
        let _ = pipeline.until_end().run().failed(1, &[statement, reason]);
        let accepting = ["run", "sluice.toml", "--until-end", "--accept-schema-change"];
        let _ = host::sluice(accepting).within(pipeline.folder()).run().done();
    }
}

#[test]
fn targets_follow_the_statements_of_mysql() {
    targets_follow_statements(Kind::Mysql, 61_081);
}

#[test]
fn targets_follow_the_statements_of_mariadb() {
    targets_follow_statements(Kind::Mariadb, 61_082);
}

#[test]
fn killed_at_every_step_targets_follow_the_statements_of_mysql() {
    killed_targets_follow_statements(Kind::Mysql, 61_083);
}

#[test]
fn killed_at_every_step_targets_follow_the_statements_of_mariadb() {
    killed_targets_follow_statements(Kind::Mariadb, 61_084);
}

#[test]
fn what_cannot_be_followed_stops_with_the_reason_on_mysql() {
    what_cannot_be_followed_stops(Kind::Mysql, 61_085);
}

#[test]
fn what_cannot_be_followed_stops_with_the_reason_on_mariadb() {
    what_cannot_be_followed_stops(Kind::Mariadb, 61_086);
}
