//! Scripts of `load binlog` and `save … as binlogRate`, on live servers.

use std::path::{Path, PathBuf};

use sluice_tests::host::{Call, sluice};
use sluice_tests::oracle::{self, Expected};
use sluice_tests::servers::{self, Address, Kind};
use tempfile::TempDir;

/// The folder of a script with its tables and checkpoints.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("sluice-script-").tempdir();
        Self { folder: folder.expect("a folder") }
    }

    fn write(&self, text: &str) {
        std::fs::write(self.script(), text).expect("written");
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("sync.mlsql")
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn call(&self, command: &str) -> Call {
        sluice([Path::new(command), &self.script()])
    }

    fn until_end(&self) -> Call {
        self.call("run").and("--until-end")
    }
}

/// The page's two statements, for a server and a place in its log. `save` is what its second one has more.
fn page(
    scene: &Scene,
    address: &Address,
    start: &(String, u64),
    databases: &str,
    save: &str,
) -> String {
    let (prefix, index) = start.0.rsplit_once('.').expect("a log file's name");
    let index: u64 = index.parse().expect("its number");
    let Address { host, port, user, password } = address;
    let (lake, checkpoint) = (scene.path("binlog1"), scene.path("cpl-binlog"));
    format!(
        r#"
set streamName="binlog";

load binlog.`` where 
host="{host}"
and port="{port}"
and userName="{user}"
and password="{password}"
and bingLogNamePrefix="{prefix}"
and binlogIndex="{index}"
and binlogFileOffset="{offset}"
and databaseNamePattern="{databases}"
and tableNamePattern="script_file|orders"
as table1;

save append table1  
as binlogRate.`{lake}/{{db}}/{{table}}` 
options mode="Append"
and idCols="id"
and duration="5"
and checkpointLocation="{checkpoint}"{save};
"#,
        offset = start.1,
        lake = lake.display(),
        checkpoint = checkpoint.display(),
    )
}

fn a_script_follows_two_databases_through_a_schema_change_and_a_restart(kind: Kind) {
    let server = servers::shared(kind);
    let (first, mut sql) = server.database("mlsql_console");
    let (second, mut other) = server.database("mlsql_console");
    let (third, mut outside) = server.database("elsewhere");
    let start = sql.log_end();
    let scene = Scene::new();
    let databases = format!("{first}|{second}");
    scene.write(&page(&scene, &server.address, &start, &databases, ""));
    for (sql, table) in
        [(&mut sql, "script_file"), (&mut other, "orders"), (&mut outside, "orders")]
    {
        sql.run(&format!("CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))"));
        sql.run(&format!("INSERT INTO {table} VALUES (1,'a'), (2,'b'), (3,'c')"));
        sql.run(&format!("UPDATE {table} SET name = 'z' WHERE id = 2"));
        sql.run(&format!("DELETE FROM {table} WHERE id = 3"));
    }
    let _ = scene.until_end().run().done();
    let compare = |files: Vec<_>, orders: Vec<_>| {
        assert!(!files.is_empty() && !orders.is_empty(), "nothing is compared");
        let expected = Expected::from([
            (format!("{first}/script_file"), files),
            (format!("{second}/orders"), orders),
        ]);
        if let Err(differences) = oracle::compare(&scene.path("binlog1"), &expected) {
            panic!("{differences}");
        }
    };
    compare(sql.rows("SELECT * FROM script_file"), other.rows("SELECT * FROM orders"));
    assert!(!scene.path("binlog1").join(&third).exists(), "a database that is not meant");

    // Without the option a changed table stops the stream, as the page says; with it the stream goes on.
    sql.run("ALTER TABLE script_file ADD COLUMN owner VARCHAR(10) NOT NULL DEFAULT 'me'");
    sql.run("INSERT INTO script_file VALUES (4, 'd', 'you')");
    other.run("INSERT INTO orders VALUES (4, 'd')");
    let _ = scene.until_end().run().failed(1, &["ADD COLUMN owner", "help: "]);
    scene.write(&page(&scene, &server.address, &start, &databases, "\nand mergeSchema=\"true\""));
    let _ = scene.until_end().run().done();
    compare(sql.rows("SELECT * FROM script_file"), other.rows("SELECT * FROM orders"));
}

#[test]
fn a_script_follows_two_databases_of_mysql_through_a_schema_change_and_a_restart() {
    a_script_follows_two_databases_through_a_schema_change_and_a_restart(Kind::Mysql);
}

#[test]
fn a_script_follows_two_databases_of_mariadb_through_a_schema_change_and_a_restart() {
    a_script_follows_two_databases_through_a_schema_change_and_a_restart(Kind::Mariadb);
}

#[test]
fn an_offset_inside_of_an_event_names_the_places_around_it() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("offsets");
    let start = sql.log_end();
    sql.run("CREATE TABLE orders (id INT NOT NULL PRIMARY KEY)");
    sql.run("INSERT INTO orders VALUES (1)");
    let scene = Scene::new();
    let inside = (start.0.clone(), start.1 + 5);
    scene.write(&page(&scene, &server.address, &inside, &database, ""));
    let before = start.1.to_string();
    let told = scene.until_end().run().failed(2, &["error: ", &before]);
    assert!(!scene.path("binlog1").exists(), "something was written: {}", told.stderr);
    scene.write(&page(&scene, &server.address, &start, &database, ""));
    let _ = scene.until_end().run().done();
    let now = sql.value("SELECT UNIX_TIMESTAMP() + 100");
    let told = scene.call("positions").and("--at").and(&now).run().done().stdout;
    assert!(told.contains(&start.0), "{told}");
    let _ = scene.call("check").run().done();
}

#[test]
fn several_pairs_of_a_script_run_as_several_pipelines() {
    let server = servers::shared(Kind::Mysql);
    let (database, mut sql) = server.database("pairs");
    let start = sql.log_end();
    for table in ["orders", "items"] {
        sql.run(&format!("CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, v INT)"));
        sql.run(&format!("INSERT INTO {table} VALUES (1,1), (2,2)"));
    }
    let scene = Scene::new();
    let first = page(&scene, &server.address, &start, &database, "");
    let second = first.replace("script_file|orders", "items").replace("cpl-binlog", "cpl-items");
    let second = second.replace("table1", "table2").replace("\nset streamName=\"binlog\";", "");
    scene.write(&format!("{first}{second}"));
    let outcome = scene.until_end().run().done();
    assert!(outcome.stdout.contains("binlog: 2 row images"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("binlog-table2: 2 row images"), "{}", outcome.stdout);
    let expected = Expected::from([
        (format!("{database}/orders"), sql.rows("SELECT * FROM orders")),
        (format!("{database}/items"), sql.rows("SELECT * FROM items")),
    ]);
    if let Err(differences) = oracle::compare(&scene.path("binlog1"), &expected) {
        panic!("{differences}");
    }
    let _ = scene.call("convert").run().failed(2, &["binlog, binlog-table2", "--out"]);
    let out = scene.path("manifests");
    std::fs::create_dir(&out).expect("a folder");
    let out_text = out.display().to_string();
    let _ = scene.call("convert").and("--out").and(&out_text).run().done();
    // The manifest is the same pipeline: it goes on where the script's stopped.
    sql.run("DELETE FROM orders WHERE id = 1");
    let manifest = out.join("binlog.toml");
    let call = sluice([Path::new("run"), &manifest]).and("--until-end");
    let outcome = call.with("SLUICE_PASSWORD", &server.address.password).run().done();
    assert!(outcome.stdout.contains("binlog: 1 row images"), "{}", outcome.stdout);
    let expected = Expected::from([
        (format!("{database}/orders"), sql.rows("SELECT * FROM orders")),
        (format!("{database}/items"), sql.rows("SELECT * FROM items")),
    ]);
    if let Err(differences) = oracle::compare(&scene.path("binlog1"), &expected) {
        panic!("{differences}");
    }
}
