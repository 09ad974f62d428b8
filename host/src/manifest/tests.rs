//! Manifests, right and wrong: every message as its reader sees it.

use std::collections::BTreeMap;

use super::*;

const FOLDER: &str = "/etc/sluice";

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    parse_with(text, &[("PW", "hunter2-secret"), ("PORT", "3307"), ("SALT", "salt-secret")])
}

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Manifest, ManifestError> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let environment = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Manifest::parse(text, Path::new("sluice.toml"), Path::new(FOLDER), Purpose::Run, &environment)
}

fn problems(text: &str) -> String {
    parse(text).expect_err("the manifest is wrong").to_string()
}

/// A right manifest with one section replaced or added.
fn with(section: &str, content: &str) -> String {
    let mut sections = vec![
        ("pipeline", "name = \"shop\"\ncheckpoint = \"state\""),
        ("source", "files = [\"logs/*.binlog\"]"),
        ("sink", "path = \"/lake/{db}/{table}\""),
    ];
    match sections.iter_mut().find(|(name, _)| *name == section) {
        Some(found) => found.1 = content,
        None => sections.push((section, content)),
    }
    let header = |name: &str| match name {
        "plugin" | "table" => format!("[[{name}]]"),
        _ => format!("[{name}]"),
    };
    sections.iter().map(|(name, content)| format!("{}\n{content}\n", header(name))).collect()
}

const WHOLE: &str = r#"
[pipeline]
name = "shop"
checkpoint = "/var/lib/sluice/shop"
trigger = "500ms"
memory = "64MiB"
max-targets = 12

[source]
host = "db.example"
port = "${PORT}"
user = "sluice"
password = "${PW}"
tls = "verify-ca"
tls-ca = "ca.pem"
server-id = 5400
start = { file = "mysql-bin.000004", offset = 4 }
tables = ["shop.orders", "/shop_[0-9]+\\.orders/"]
snapshot = "never"
zero-dates = "null"

[[plugin]]
name = "mask-pii"
component = "plugins/mask.wasm"
tables = "shop.users"
isolation = "batch"
on-row-error = "dead-letter"
memory = "64MiB"
deadline = "2s"
fuel-per-row = 1_000
[plugin.config]
columns = ["email", { name = "phone" }]
salt = "${SALT}"
[plugin.files]
countries = "ref/countries.csv"

[[plugin]]
name = "route"
component = "/opt/route.wasm"

[[table]]
match = "shop.order_lines"
id-columns = ["order_id", "line_no"]
trust-ids = true
without-key = "whole-row"
deletes = "remove"

[sink]
path = "lake/{db}/{table}"
mode = "upsert"
merge-schema = true
compact-after = 50
compact-deleted-share = 0.25
target-file-size = "128MiB"
log-checkpoint-interval = 10
vacuum-after = 0
key-index = "auto"
"#;

#[test]
fn every_key_becomes_its_setting() {
    let manifest = parse(WHOLE).expect("the manifest is right");
    let pipeline = &manifest.pipeline;
    assert_eq!((pipeline.trigger.as_millis(), pipeline.memory_bytes), (500, 64 << 20));
    assert_eq!(pipeline.targets_max, 12);
    let SourceFrom::Server(server) = &manifest.source.from else { panic!("a server") };
    assert_eq!(
        (server.host.as_str(), server.port, server.server_id),
        ("db.example", 3307, Some(5400))
    );
    assert_eq!(server.password.as_ref().map(Secret::reveal), Some("hunter2-secret"));
    assert_eq!(server.tls, TlsMode::VerifyCa);
    assert_eq!(server.tls_ca.as_deref(), Some(Path::new("/etc/sluice/ca.pem")));
    let start = StartAt::File { file: "mysql-bin.000004".into(), offset: 4 };
    assert_eq!(manifest.source.start, start);
    assert!(manifest.source.tables.matches(&TableName::new("shop_7", "orders")));
    assert_eq!(manifest.source.zero_dates, ZeroDates::Null);
    let [mask, route] = manifest.plugins.as_slice() else { panic!("two plugins") };
    assert_eq!(mask.component, Path::new("/etc/sluice/plugins/mask.wasm"));
    assert_eq!(mask.isolation, Isolation::Batch);
    assert_eq!(mask.on_row_error, OnRowError::DeadLetter);
    assert_eq!((mask.memory_bytes, mask.fuel_per_row), (Some(64 << 20), Some(1_000)));
    assert_eq!(mask.config["salt"], "salt-secret");
    assert_eq!(mask.config["columns"][1]["name"], "phone");
    assert_eq!(mask.files["countries"], Path::new("/etc/sluice/ref/countries.csv"));
    assert_eq!(route.component, Path::new("/opt/route.wasm"));
    assert!(route.tables.matches(&TableName::new("any", "table")) && route.memory_bytes.is_none());
    let rule = manifest.rule(&TableName::new("shop", "order_lines")).expect("a rule");
    assert_eq!(
        rule.id_columns.as_deref(),
        Some(&["order_id".to_owned(), "line_no".to_owned()][..])
    );
    assert!(rule.trust_ids);
    assert_eq!(rule.without_key, WithoutKey::WholeRow);
    let sink = &manifest.sink;
    assert_eq!((sink.vacuum_commits, sink.key_index), (Some(0), KeyIndex::Auto));
    assert_eq!(sink.path.source(), "/etc/sluice/lake/{db}/{table}");
    assert_eq!(sink.path_written.source(), "lake/{db}/{table}");
    assert_eq!((sink.compact_commits, sink.compact_deleted_share), (Some(50), Some(0.25)));
    assert!(sink.merge_schema);
}

#[test]
fn a_short_manifest_has_defaults() {
    let manifest = parse(&with("table", "match = \"a.b\"")).expect("the manifest is right");
    assert_eq!(manifest.pipeline.trigger, Duration::from_secs(5));
    assert_eq!(manifest.pipeline.memory_bytes, 256 << 20);
    assert_eq!(manifest.pipeline.targets_max, 1_000);
    assert_eq!(manifest.source.start, StartAt::Earliest);
    assert!(manifest.source.tables.is_empty());
    assert!(!manifest.tables[0].trust_ids && manifest.tables[0].id_columns.is_none());
    assert_eq!(manifest.tables[0].without_key, WithoutKey::Stop);
}

#[test]
fn five_mistakes_are_told_at_once() {
    insta::assert_snapshot!(problems(r#"
[pipeline]
name = "shop"
checkpoint = "state"
trigger = "5 parsecs"

[source]
hots = "db.example"
user = "sluice"
tables = ["orders"]
snapshot = "initialy"

[sink]
path = "/lake/{db/{table}"
"#), @r#"
        5 problems in sluice.toml
        sluice.toml:5:11: `trigger` is not a duration: write a number above 0 with ms, s, m, h or d, such as "500ms" or "5s"
        sluice.toml:8:1: unknown key `hots` in [source]: did you mean `host`?
        sluice.toml:10:11: `orders` is not a table pattern: write `database.table`, with `*` for any text, or a regular expression between slashes
        sluice.toml:11:12: `snapshot` has to be one of `never`, `initial`, `only`: did you mean `initial`?
        sluice.toml:14:8: `path` is not a path template: a placeholder is a name in braces, such as {table}
    "#);
}

#[test]
fn names_of_other_tools_say_ours() {
    insta::assert_snapshot!(problems(r#"
debezium.source.database.port = 3306
[pipeline]
name = "shop"
checkpointLocation = "state"
[source]
hostname = "db"
user = "sluice"
database.hostname = "db"
"table.include.list" = "shop.orders"
binlogIndex = 4
[sink]
path = "/lake/{table}"
idCols = "id"
files = "x"
"#), @r#"
        8 problems in sluice.toml
        sluice.toml:2:26: unknown key `debezium.source.database.port`: write `source.port`
        sluice.toml:5:1: unknown key `pipeline.checkpointLocation`: write `pipeline.checkpoint`
        sluice.toml:7:1: unknown key `source.hostname`: write `source.host`
        sluice.toml:9:10: unknown key `source.database.hostname`: write `source.host`
        sluice.toml:10:1: unknown key `source.table.include.list`: write `source.tables`, an expression between slashes
        sluice.toml:11:1: unknown key `source.binlogIndex`: write `source.start = { file = …, offset = … }`
        sluice.toml:14:1: unknown key `sink.idCols`: write `id-columns` in a `[[table]]`
        sluice.toml:15:1: unknown key `files` in [sink]: it belongs in [source]
    "#);
}

#[test]
fn an_empty_manifest_says_what_it_has_to_have() {
    insta::assert_snapshot!(problems(""), @r#"
        3 problems in sluice.toml
        sluice.toml:1:1: section [pipeline] is missing: it has name = "…" and checkpoint = "…"
        sluice.toml:1:1: section [sink] is missing: it has path = "/lake/{db}/{table}"
        sluice.toml:1:1: section [source] is missing: it has host = "…" or files = […]
    "#);
    insta::assert_snapshot!(problems("[pipeline]\n[source]\n[[plugin]]\n[[table]]\n[sink]\n"), @r#"
        8 problems in sluice.toml
        sluice.toml:1:2: `checkpoint` is missing: name a folder that outlives the process, such as "/var/lib/sluice/shop"
        sluice.toml:1:2: `name` is missing: give the pipeline a name, such as name = "shop"
        sluice.toml:2:2: `host` is missing: name the server, or write files = ["logs/*.binlog"] for recorded logs
        sluice.toml:2:2: `user` is missing: name the account that may read the log
        sluice.toml:3:1: `component` is missing: name its file, such as component = "plugins/mask.wasm"
        sluice.toml:3:1: `name` is missing: give the plugin a name, such as name = "mask"
        sluice.toml:4:1: `match` is missing: name the tables, such as match = "shop.orders"
        sluice.toml:5:2: `path` is missing: say where the tables lie, such as path = "/lake/{db}/{table}"
    "#);
}

#[test]
fn wrong_toml_is_told_at_its_place() {
    insta::assert_snapshot!(problems("[pipeline]\nname = \nmemory = = 2\nname = \"x\"\n[source\n"), @r#"
        5 problems in sluice.toml
        sluice.toml:2:8: not TOML: string values must be quoted, expected literal string
        sluice.toml:3:10: not TOML: extra `=`, expected nothing
        sluice.toml:3:12: not TOML: unexpected key or value, expected newline, `#`
        sluice.toml:4:1: not TOML: duplicate key
        sluice.toml:5:8: not TOML: unclosed table, expected `]`
    "#);
}

#[test]
fn wrong_types_name_what_is_expected() {
    insta::assert_snapshot!(problems(r#"
pipeline = "shop"
plugin = [1]
table = "x"
[source]
host = ["a"]
user = ""
password = 5
port = 70000
server-id = -1
tls = "verify_ca"
start = { file = 5, ofset = 2 }
tables = [1, "a.b", ""]
zero-dates = true
connect-timeout = "0s"
tls-cert = "cert.pem"
[sink]
path = 5
merge-schema = "yes"
compact-after = 0
compact-deleted-share = 1.5
target-file-size = "1KiB"
"#), @r#"
        21 problems in sluice.toml
        sluice.toml:2:12: `pipeline` has to be a table, not a string
        sluice.toml:3:11: `plugin` has to be a list of tables, `[[plugin]]`, not a number
        sluice.toml:4:9: `table` has to be a list of tables, `[[table]]`, not a string
        sluice.toml:6:8: `host` has to be a string, not a list
        sluice.toml:7:8: `user` is empty
        sluice.toml:8:12: `password` has to be a string, not a number
        sluice.toml:9:8: `port` has to be a whole number from 1 to 65535
        sluice.toml:10:13: `server-id` has to be a whole number from 1 to 4294967295
        sluice.toml:11:7: `tls` has to be one of `disabled`, `preferred`, `required`, `verify-ca`, `verify-identity`: did you mean `verify-ca`?
        sluice.toml:12:18: `file` has to be a string, not a number
        sluice.toml:12:21: unknown key `ofset` in `start`: it has `file` and `offset`, or `gtid`, or `timestamp`
        sluice.toml:13:11: `tables` has to be a list of strings, not a number
        sluice.toml:13:21: `tables` has an empty entry
        sluice.toml:14:14: `zero-dates` has to be a string, not true or false
        sluice.toml:15:19: `connect-timeout` is not a duration: write a number above 0 with ms, s, m, h or d, such as "500ms" or "5s"
        sluice.toml:16:12: `tls-cert` needs `tls-key` beside it
        sluice.toml:18:8: `path` has to be a string, not a number
        sluice.toml:19:16: `merge-schema` has to be true or false, not a string
        sluice.toml:20:17: `compact-after` has to be a whole number from 1 to 4294967295
        sluice.toml:21:25: `compact-deleted-share` has to be a number from 0 to 1, such as 0.2
        sluice.toml:22:20: `target-file-size` has to be at least 1048576 bytes
    "#);
}

#[test]
fn plugins_and_tables_are_checked_each() {
    insta::assert_snapshot!(problems(&with("plugin", r#"
name = "a b"
component = "x.wasm"
sha256 = "abc"
tables = ["/(/", "a.b"]
isolation = "none"
deadline = "2"
memory = "1KiB"
fuel-per-row = 0
[plugin.config]
ratio = nan
[[plugin]]
name = "twice"
component = "x.wasm"
on-row-error = "skip"
[[plugin]]
name = "twice"
component = "y.wasm"
[[table]]
match = []
id-columns = []
deletes = "mark"
"#)), @r#"
        13 problems in sluice.toml
        sluice.toml:10:8: `name` takes up to 64 letters, digits, `-`, `_` and `.`
        sluice.toml:12:10: `sha256` takes 64 hexadecimal digits, as `sluice plugin info` prints them
        sluice.toml:13:11: `/(/` is not a regular expression: unclosed group
        sluice.toml:14:13: `isolation` has to be one of `instance`, `batch`
        sluice.toml:15:12: `deadline` is not a duration: write a number above 0 with ms, s, m, h or d, such as "500ms" or "5s"
        sluice.toml:16:10: `memory` has to be at least 65536 bytes
        sluice.toml:17:16: `fuel-per-row` has to be a whole number of at least 1
        sluice.toml:19:9: a configuration cannot hold `inf` or `nan`
        sluice.toml:23:16: `on-row-error` has to be one of `stop`, `dead-letter`
        sluice.toml:25:8: there are two plugins named `twice`: name them apart
        sluice.toml:28:9: `match` names no table
        sluice.toml:29:14: `id-columns` names no column: leave it out to take the source's key
        sluice.toml:30:11: only deletes = "remove" (the default) is built: a deleted row leaves the target
    "#);
}

#[test]
fn a_load_takes_the_place_of_a_start_and_needs_a_server() {
    let server = "host = \"db\"\nuser = \"u\"\nsnapshot = \"initial\"";
    let manifest = parse(&with("source", server)).expect("the manifest is right");
    assert_eq!(manifest.source.snapshot, Snapshot::Initial);
    assert_eq!(manifest.source.start, StartAt::Latest);
    let started = format!("{server}\nstart = \"earliest\"");
    let recorded = "files = [\"a.binlog\"]\nsnapshot = \"initial\"";
    let told = [started.as_str(), recorded].map(|text| problems(&with("source", text)));
    insta::assert_snapshot!(told.join("\n"), @r#"
    1 problem in sluice.toml
    sluice.toml:8:9: a load begins at the end of the log: leave `start` out, or write snapshot = "never"
    1 problem in sluice.toml
    sluice.toml:6:12: recorded files have no tables to load: write snapshot = "never", or name a server
    "#);
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    insta::assert_snapshot!(problems(r#"
[pipeline]
name = "shop"
checkpoint = "s3://bucket/state"
[source]
files = ["a.binlog"]
host = "db"
start = { timestamp = "new year" }
snapshot = "only"
[[table]]
match = "a.b"
deletes = "ignore"
[sink]
path = "s3://bucket/{table}"
mode = "append"
"#), @r#"
        7 problems in sluice.toml
        sluice.toml:4:14: `checkpoint` has to be a local folder; object stores come later
        sluice.toml:7:1: `host` and `files` exclude each other: a log is read from recorded files or from a server
        sluice.toml:8:23: `timestamp` needs a point in time: write start = { timestamp = "2026-11-22T10:00:00Z" }, or seconds since 1970 as text
        sluice.toml:9:12: a load without a stream is not built yet: write snapshot = "initial", and run it with --until-end
        sluice.toml:12:11: only deletes = "remove" (the default) is built: a deleted row leaves the target
        sluice.toml:14:8: `path` has to be a local path; object stores come later
        sluice.toml:15:8: only mode = "upsert" (the default) is built; a change log comes later
    "#);
}

#[test]
fn a_start_by_time_is_a_point_in_time_and_nothing_else() {
    let start = |start: &str| with("source", &format!("files = [\"a\"]\nstart = {start}"));
    for written in ["2026-11-22T10:00:00Z", "2026-11-22T11:00:00+01:00", "1795341600"] {
        let manifest = parse(&start(&format!("{{ timestamp = \"{written}\" }}"))).expect("valid");
        assert_eq!(manifest.source.start, StartAt::Time(1_795_341_600), "{written}");
    }
    let both = start("{ timestamp = \"1\", file = \"a\" }");
    for (wrong, problem) in [
        (both, "`timestamp` stands alone"),
        (start("{ timestamp = \"now\" }"), "`timestamp` needs a point in time"),
        (start("\"timestamp\""), "`timestamp` needs a point in time"),
    ] {
        assert!(problems(&wrong).contains(problem), "{}", problems(&wrong));
    }
}

#[test]
fn definitions_are_a_file_below_the_manifest_s_folder() {
    let manifest = parse(&with("source", "files = [\"a\"]\ndefinitions = \"schema.sql\""));
    let definitions = manifest.expect("valid").source.definitions.expect("named");
    assert!(definitions.ends_with("schema.sql") && definitions.components().count() > 1);
}

#[test]
fn recorded_files_have_no_latest() {
    let latest = |source: &str| with("source", &format!("{source}\nstart = \"latest\""));
    assert!(parse(&latest("host = \"db\"\nuser = \"u\"")).is_ok());
    insta::assert_snapshot!(problems(&latest("files = \"x\"")), @r#"
        1 problem in sluice.toml
        sluice.toml:6:9: recorded files have nothing behind their end: write "earliest", { file = "…", offset = 4 } or { gtid = "…" }
    "#);
}

#[test]
fn a_reference_that_leads_nowhere_is_told_by_name_only() {
    insta::assert_snapshot!(problems(&with("source", r#"
host = "${HOST}"
port = "${PW}"
user = "${}"
password = "file:no/such/file"
tables = ["${PW}", "${UNCLOSED"]
start = { gtid = "${PW}" }
zero-dates = "${PW}"
connect-timeout = "${PW}"
"#)), @r#"
        9 problems in sluice.toml
        sluice.toml:6:8: the environment variable HOST is not set
        sluice.toml:7:8: `port` has to be a whole number from 1 to 65535
        sluice.toml:8:8: `${…}` takes the name of an environment variable: letters, digits and `_`; write `$${` for the text itself
        sluice.toml:9:12: cannot read /etc/sluice/no/such/file: No such file or directory (os error 2)
        sluice.toml:10:11: this is not a table pattern, with its references replaced
        sluice.toml:10:20: `${` without `}`: write `${NAME}`, or `$${` for the text itself
        sluice.toml:11:18: `gtid` is not a set of GTIDs: write it as the server shows it, such as "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-23" or "0-1-42"
        sluice.toml:12:14: `zero-dates` has to be one of `error`, `null`
        sluice.toml:13:19: `connect-timeout` is not a duration: write a number above 0 with ms, s, m, h or d, such as "500ms" or "5s"
    "#);
}

#[test]
fn a_secret_is_shown_nowhere() {
    let manifest = parse(WHOLE).expect("the manifest is right");
    let shown = format!("{manifest:?}");
    assert!(!shown.contains("secret"), "{shown}");
    let secret = Secret::new("hunter2");
    assert_eq!((format!("{secret}"), format!("{secret:?}")), ("***".into(), "***".into()));
}

#[test]
fn references_are_replaced_and_can_be_written_as_text() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("pw"), "from file\n").expect("written");
    let text = with(
        "plugin",
        r#"
name = "p"
component = "p.wasm"
[plugin.config]
variable = "a-${SALT}-${SALT}"
literal = "$${SALT} and $ and $$"
file = "file:pw"
no-file = "$$file:pw"
nested = [{ deep = "${SALT}" }]
"#,
    );
    let environment = |name: &str| (name == "SALT").then(|| "s".to_owned());
    let path = Path::new("sluice.toml");
    let manifest = Manifest::parse(&text, path, folder.path(), Purpose::Run, &environment);
    let config = manifest.expect("the manifest is right").plugins[0].config.clone();
    insta::assert_snapshot!(config, @r#"{"variable":"a-s-s","literal":"${SALT} and $ and $$","file":"from file","no-file":"file:pw","nested":[{"deep":"s"}]}"#);
}

#[test]
fn a_configuration_value_is_found_at_its_line() {
    let manifest = parse(WHOLE).expect("the manifest is right");
    let at = |pointer| manifest.locate("mask-pii", pointer).map(|p| (p.line, p.column));
    let line = |needle: &str| {
        WHOLE.lines().position(|line| line.starts_with(needle)).map(|at| at + 1).expect("a line")
    };
    assert_eq!(at("/salt"), Some((line("salt"), 1)));
    assert_eq!(at("/columns/0"), Some((line("columns"), 12)));
    assert_eq!(at("/columns/1/name"), Some((line("columns"), 23)));
    assert_eq!(at("/columns/1/missing"), at("/columns/1"));
    assert_eq!(at("/missing"), Some((line("[plugin.config]"), 9)));
    assert_eq!(manifest.locate("route", "/any").map(|p| p.line), Some(line("[[plugin]]") + 15));
    assert_eq!(manifest.locate("nobody", ""), None);
    let place = manifest.locate_component("route").expect("a place");
    insta::assert_snapshot!(manifest.refuse(place, "no such component"), @r#"
        1 problem in sluice.toml
        sluice.toml:39:13: no such component
    "#);
}

#[test]
fn the_digest_changes_with_what_decides_results_alone() {
    let digest = |text: &str| parse(text).expect("the manifest is right").digest();
    let base = digest(WHOLE);
    for (from, to) in [
        ("trigger = \"500ms\"", "trigger = \"1s\""),
        ("host = \"db.example\"", "host = \"other\""),
        ("compact-after = 50", "compact-after = 51"),
        ("\"${PW}\"", "\"other\""),
    ] {
        assert_eq!(digest(&WHOLE.replace(from, to)), base, "{from}");
    }
    for (from, to) in [
        ("trust-ids = true", "trust-ids = false"),
        ("without-key = \"whole-row\"", "without-key = \"stop\""),
        ("\"line_no\"", "\"line\""),
        ("tables = \"shop.users\"", "tables = \"shop.user\""),
        ("path = \"lake/{db}/{table}\"", "path = \"lake/{db}_{table}\""),
        ("zero-dates = \"null\"", "zero-dates = \"error\""),
        ("\"shop.orders\", ", ""),
    ] {
        assert_ne!(digest(&WHOLE.replace(from, to)), base, "{from}");
    }
}

#[test]
fn an_offline_test_needs_neither_the_server_nor_its_password() {
    let text = WHOLE.replace("\"${PW}\"", "\"${NOT_SET}\"").replace("host = ", "hots = ");
    let environment = |name: &str| (name == "SALT").then(|| "test".to_owned());
    let (path, folder) = (Path::new("sluice.toml"), Path::new(FOLDER));
    let manifest = Manifest::parse(&text, path, folder, Purpose::Test, &environment);
    let manifest = manifest.expect("the manifest is right");
    assert!(matches!(&manifest.source.from, SourceFrom::Files(files) if files.is_empty()));
    assert!(manifest.source.tables.matches(&TableName::new("shop", "orders")));
    assert_eq!(manifest.plugins[0].config["salt"], "test");
    let error = Manifest::parse(&text, path, folder, Purpose::Test, &|_| None);
    insta::assert_snapshot!(error.expect_err("the salt is not set"), @r#"
        1 problem in sluice.toml
        sluice.toml:33:8: the environment variable SALT is not set
    "#);
}

#[test]
fn recorded_files_are_found_in_the_order_of_their_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["bin.000010", "bin.000009", "bin.1000000", "other.txt"] {
        fs::write(folder.path().join(name), "").expect("written");
    }
    let text = with("source", "files = [\"bin.*\", \"bin.000009\"]");
    let path = Path::new("sluice.toml");
    let manifest = Manifest::parse(&text, path, folder.path(), Purpose::Run, &|_| None);
    let source = manifest.expect("the manifest is right").source;
    let names: Vec<_> = source.files().expect("found").into_iter().collect();
    let names: Vec<_> = names.iter().filter_map(|p| p.file_name()?.to_str()).collect();
    assert_eq!(names, ["bin.000009", "bin.000010", "bin.1000000"]);
    fs::remove_file(folder.path().join("bin.000009")).expect("removed");
    assert!(source.files().is_err());
}

#[test]
fn a_manifest_that_is_not_there_is_named() {
    let error = Manifest::load(Path::new("no/such.toml")).expect_err("not there");
    insta::assert_snapshot!(error, @"cannot read the manifest no/such.toml");
}
