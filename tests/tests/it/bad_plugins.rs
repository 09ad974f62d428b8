//! Plugins that are missing, of the wrong kind, or hostile: each is named with its remedy, and the host is unhurt.
//! Nothing that was there is lost, and a run with the plugin mended goes on where the last good one ended.

use std::fs;

use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::servers::{self, Kind};
use sluice_tests::sql::Sql;

/// The hostile guest keeps rows whose `v` is not 0 and makes a text of it.
const EXPECTED: &str = "SELECT id, v, CONCAT('<', v, '>') AS made FROM t WHERE v <> 0";

/// A pipeline through the hostile guest that has made one good run, and a row that it has not seen yet.
struct Scene {
    pipeline: Pipeline,
    sql: Sql,
    database: String,
}

impl Scene {
    fn new(server_id: u32) -> Self {
        let server = servers::shared(Kind::Mysql);
        let (database, mut sql) = server.database("guest");
        let start = sql.log_end();
        sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT NOT NULL)");
        sql.run("INSERT INTO t VALUES (1, 5), (2, 0), (3, 7)");
        let pipeline = Pipeline::new("guest").from_server(
            &server.address,
            server_id,
            &start,
            &format!("{database}.*"),
        );
        let pipeline = pipeline
            .plugin("guest", "guests", &format!("{database}.*"), "do = \"nothing\"")
            .written();
        let scene = Self { pipeline, sql, database };
        let _ = scene.pipeline.until_end().run().done();
        scene
    }

    fn edit(&self, old: &str, new: &str) {
        let text = fs::read_to_string(self.pipeline.manifest()).expect("the manifest");
        assert!(text.contains(old), "the manifest has no `{old}`:\n{text}");
        fs::write(self.pipeline.manifest(), text.replace(old, new)).expect("the manifest");
    }

    #[track_caller]
    fn right(&mut self) {
        let expected = Expected::from([(format!("{}/t", self.database), self.sql.rows(EXPECTED))]);
        if let Err(differences) = oracle::compare(&self.pipeline.lake(), &expected) {
            panic!("{differences}");
        }
    }

    /// With this behaviour the run fails and says these texts; without it the next run goes on.
    #[track_caller]
    fn misbehaves(&mut self, behaviour: &str, texts: &[&str]) {
        let changed = format!("do = \"{behaviour}\"\n");
        self.edit("do = \"nothing\"\n", &changed);
        let outcome = self.pipeline.until_end().run();
        assert_eq!(outcome.code, Some(1), "{behaviour}: {}", outcome.stderr);
        let outcome = outcome.failed(1, texts).failed(1, &["error: ", "guest"]);
        assert!(outcome.took.as_secs() < 60, "{behaviour}: it took {:?}", outcome.took);
        self.edit(&changed, "do = \"nothing\"\n");
        let _ = self.pipeline.until_end().run().done();
        self.right();
    }
}

#[test]
fn each_way_to_misbehave_ends_with_its_name_and_the_next_run_goes_on() {
    let mut scene = Scene::new(63_001);
    scene.edit("[plugin.config]", "fuel-per-row = 1000000\nmemory = \"32MiB\"\n[plugin.config]");
    let _ = scene.pipeline.until_end().run().done();
    let ways: [(&str, &[&str]); 10] = [
        ("trap-in-process", &["trap"]),
        ("spin-in-process", &["fuel"]),
        ("grow-in-process", &["trap"]),
        ("recurse-in-process", &["trap"]),
        ("trap-on-13", &["trap"]),
        ("spin-on-13", &["fuel"]),
        ("keep-too-long", &["wrong answer"]),
        ("bad-utf8", &["wrong answer"]),
        ("short-offsets", &["wrong answer"]),
        ("fail", &["own-failure"]),
    ];
    for (number, (behaviour, texts)) in (10..).zip(ways) {
        scene.sql.run(&format!("INSERT INTO t VALUES ({number}, 13)"));
        scene.misbehaves(behaviour, texts);
    }
}

#[test]
fn a_plugin_that_is_merely_slow_is_stopped_by_its_deadline() {
    let mut scene = Scene::new(63_005);
    scene.edit(
        "[plugin.config]",
        "fuel-per-row = 1000000000000000\ndeadline = \"300ms\"\n[plugin.config]",
    );
    let _ = scene.pipeline.until_end().run().done();
    scene.sql.run("INSERT INTO t VALUES (10, 13)");
    scene.misbehaves("spin-in-process", &["did not end within", "deadline"]);
}

#[test]
fn a_plugin_that_is_not_there_is_named_with_its_path() {
    let mut scene = Scene::new(63_002);
    scene.edit("guests.wasm", "gone.wasm");
    for command in ["check", "run"] {
        let outcome = scene.pipeline.call(command).run();
        assert!(
            matches!(outcome.code, Some(2 | 3)),
            "{command}: {:?}\n{}",
            outcome.code,
            outcome.stderr
        );
        assert!(
            format!("{}{}", outcome.stdout, outcome.stderr).contains("gone.wasm"),
            "{}",
            outcome.stderr
        );
    }
    scene.edit("gone.wasm", "guests.wasm");
    let _ = scene.pipeline.until_end().run().done();
    scene.right();
}

#[test]
fn a_file_that_is_no_plugin_is_called_that() {
    let mut scene = Scene::new(63_003);
    let wrong: [(&str, &[u8]); 4] = [
        ("text.wasm", b"this is not WebAssembly at all"),
        ("empty.wasm", b""),
        ("bare.wasm", b"\0asm\x01\0\0\0"),
        ("cut.wasm", b"\0asm\x01\0\0\0\x01\xff"),
    ];
    let right = sluice_tests::checkout::plugin("guests");
    let right = right.to_string_lossy();
    for (name, bytes) in wrong {
        let path = scene.pipeline.folder().join(name);
        fs::write(&path, bytes).expect("a file");
        let path = path.to_string_lossy();
        scene.edit(&right, &path);
        for command in ["check", "run"] {
            let outcome = scene.pipeline.call(command).run();
            assert!(matches!(outcome.code, Some(1..=3)), "{command} {name}: {:?}", outcome.code);
            let said = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(said.contains("guest") && said.contains("help: "), "{command} {name}: {said}");
            assert!(!said.contains("panicked"), "{command} {name}: {said}");
        }
        scene.edit(&path, &right);
    }
    let _ = scene.pipeline.until_end().run().done();
    scene.right();
}

#[test]
fn a_mistake_in_a_condition_is_shown_at_its_place() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("mistake");
    let start = sql.log_end();
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT NOT NULL)");
    sql.run("INSERT INTO t VALUES (1, 5)");
    let pipeline = Pipeline::new("mistake").from_server(
        &server.address,
        63_004,
        &start,
        &format!("{database}.*"),
    );
    let pipeline = pipeline
        .plugin("only", "filter", &format!("{database}.*"), "where = \"v = = 3\"")
        .written();
    for command in ["check", "run"] {
        let outcome = pipeline.call(command).run();
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(2), "{command}: {said}");
        assert!(said.contains("only") && said.contains("v = = 3"), "{command}: {said}");
    }
    assert!(!pipeline.lake().join(&database).exists());
}
