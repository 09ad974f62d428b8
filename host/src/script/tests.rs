//! Scripts, right and wrong: what they become, and every message as its reader sees it.

use super::*;
use crate::manifest::{SourceFrom, StartAt};

/// The two statements of the page that scripts come from, as they stand there.
const PAGE: &str = r#"
set streamName="binlog";

load binlog.`` where 
host="127.0.0.1"
and port="3306"
and userName="xxx"
and password="xxxx"
and bingLogNamePrefix="mysql-bin"
and binlogIndex="4"
and binlogFileOffset="4"
and databaseNamePattern="mlsql_console"
and tableNamePattern="script_file"
as table1;

save append table1  
as binlogRate.`/tmp/binlog1/{db}/{table}` 
options mode="Append"
and idCols="id"
and duration="5"
and checkpointLocation="/tmp/cpl-binlog";
"#;

fn read(text: &str) -> Result<Vec<Manifest>, ManifestError> {
    let environment = |name: &str| (name == "PW").then(|| "hunter2-secret".to_owned());
    manifests(text, Path::new("sync.mlsql"), Path::new("/etc/sluice"), &environment)
}

fn problems(text: &str) -> String {
    read(text).expect_err("the script is wrong").to_string()
}

fn texts(text: &str) -> Vec<Converted> {
    converted(text, Path::new("sync.mlsql")).expect("the script is right")
}

#[test]
fn the_page_s_script_is_a_pipeline() {
    let manifests = read(PAGE).expect("the script is right");
    let [manifest] = manifests.as_slice() else { panic!("{} pipelines", manifests.len()) };
    assert_eq!(manifest.pipeline.name, "binlog");
    assert_eq!(manifest.pipeline.checkpoint, Path::new("/tmp/cpl-binlog"));
    assert_eq!(manifest.pipeline.trigger.as_secs(), 5);
    assert_eq!(manifest.sink.path.source(), "/tmp/binlog1/{db}/{table}");
    assert!(!manifest.sink.merge_schema);
    let start = StartAt::File { file: "mysql-bin.000004".to_owned(), offset: 4 };
    assert_eq!(manifest.source.start, start);
    let SourceFrom::Server(server) = &manifest.source.from else { panic!("not a server") };
    assert_eq!(
        (server.host.as_str(), server.port, server.user.as_str()),
        ("127.0.0.1", 3306, "xxx")
    );
    assert_eq!(server.password.as_ref().map(|p| p.reveal()), Some("xxxx"));
    let rule = manifest.rule(&change::TableName::new("mlsql_console", "script_file"));
    let ids = rule.and_then(|rule| rule.id_columns.clone());
    assert_eq!(ids, Some(vec!["id".to_owned()]));
}

#[test]
fn a_converted_script_is_the_same_pipeline() {
    let converted = texts(PAGE);
    let [Converted { name, text }] = converted.as_slice() else { panic!("one pipeline") };
    assert_eq!(name, "binlog");
    insta::assert_snapshot!(text, @r#"
    # From sync.mlsql by `sluice convert`.

    [pipeline]
    name = "binlog"
    checkpoint = "/tmp/cpl-binlog"
    trigger = "5s"

    [source]
    host = "127.0.0.1"
    user = "xxx"
    port = 3306
    password = "${SLUICE_PASSWORD}" # the script holds it as text
    start = { file = "mysql-bin.000004", offset = 4 }
    tables = ["mlsql_console.script_file"]

    [[table]]
    match = ["mlsql_console.script_file"]
    id-columns = ["id"]

    [sink]
    path = "/tmp/binlog1/{db}/{table}"
    "#);
    let problems = Problems::default();
    let tree = crate::manifest::tree::parse(text, &problems).expect("it is TOML");
    let environment = |_: &str| Some("xxxx".to_owned());
    let folder = Path::new("/etc/sluice");
    let again = Manifest::of_tree(tree, Path::new("m.toml"), folder, &environment, &problems);
    let again = again.expect("the manifest is right");
    let script = read(PAGE).expect("the script is right").remove(0);
    assert_eq!(again.digest(), script.digest());
    assert_eq!(again.source.start, script.source.start);
}

#[test]
fn several_pairs_are_several_pipelines_with_variables_and_references() {
    let text = r#"
-- Two kinds of tables /* with other keys */
set streamName = "shop";
set lake = '/lake';
set secret="${PW}";
load binlog.`` where host="h" and userName="u" and password="${secret}"
  and databaseNamePattern="shop_[0-9]+" and tableNamePattern="orders|lines" as orders;
load binlog.`` where host="h" and userName="u" as everything;
save append orders as binlogRate.`${lake}/{db}/{table}` options idCols="id, line"
  and checkpointLocation="/c/1" and mergeSchema="true";
save append everything as binlogRate.`${lake}/all/{table}` where checkpointLocation="/c/2"
"#;
    let manifests = read(text).expect("the script is right");
    let names: Vec<_> = manifests.iter().map(|m| m.pipeline.name.as_str()).collect();
    assert_eq!(names, ["shop", "shop-everything"]);
    let [orders, everything] = manifests.as_slice() else { panic!("two pipelines") };
    assert_eq!(orders.source.tables_written, ["/(?:shop_[0-9]+)\\.(?:orders|lines)/"]);
    for (table, expected) in [("orders", true), ("lines", true), ("orders2", false)] {
        let name = change::TableName::new("shop_12", table);
        assert_eq!(orders.source.tables.matches(&name), expected, "{table}");
    }
    assert!(orders.sink.merge_schema);
    assert_eq!(orders.sink.path.source(), "/lake/{db}/{table}");
    let SourceFrom::Server(server) = &orders.source.from else { panic!("not a server") };
    assert_eq!(server.password.as_ref().map(|p| p.reveal()), Some("hunter2-secret"));
    assert_eq!(everything.source.tables_written, ["*.*"]);
    assert_eq!(everything.source.start, StartAt::Latest);
    assert!(everything.tables.is_empty());
    let texts = texts(text);
    assert!(texts.iter().any(|c| c.text.contains("password = \"${PW}\"")), "{texts:?}");
    assert!(!format!("{texts:?}").contains("hunter2"));
}

#[test]
fn mistakes_are_told_with_their_places_and_suggestions() {
    let text = r#"
set streamname="x";
load binlog.`` where host="h" and user="u" and prot="x"
  and binlogIndex="4" and binlogFileOffset="four" as t1;
save append t2 as binlogRate.`/lake/{db}` options mode="Append";
svae append t1 as binlogRate.`/lake/{db}`;
save append t1 as binlogRate.`/lake/{db}` options mode="Complete" and idCol="id"
  and duration="5s" and mergeSchema="yes" and port="1";
load jdbc.`x` as t3;
save overwrite t1 as binlogRate.`/lake/{db}`;
select 1 as a;
set y=5;
"#;
    insta::assert_snapshot!(problems(text), @r#"
    17 problems in sync.mlsql
    sync.mlsql:3:1: `userName` is missing: name the server and the account that may read its log
    sync.mlsql:3:35: unknown option `user` of `load binlog`: it has `host`, `port`, `userName`, `password`, `bingLogNamePrefix`, `binlogIndex`, `binlogFileOffset`, `databaseNamePattern`, `tableNamePattern`; for more write a manifest (`sluice convert`)
    sync.mlsql:3:48: unknown option `prot` of `load binlog`: did you mean `port`?
    sync.mlsql:4:19: `bingLogNamePrefix` is missing: the log files' name before the point, such as "mysql-bin"
    sync.mlsql:5:13: nothing is loaded as `t2`: did you mean `t1`?
    sync.mlsql:6:1: unknown statement `svae`: did you mean `save`?
    sync.mlsql:7:1: `checkpointLocation` is missing: name a folder that outlives the process
    sync.mlsql:7:1: the pipeline has no name: write `set streamName="…";` before this statement
    sync.mlsql:7:56: `mode` has to be "Append"
    sync.mlsql:7:71: unknown option `idCol` of `save … as binlogRate`: did you mean `idCols`?
    sync.mlsql:8:16: `duration` is a whole number of seconds above 0, such as "5"
    sync.mlsql:8:37: `mergeSchema` has to be "true" or "false"
    sync.mlsql:8:47: unknown option `port` of `save … as binlogRate`: it belongs to the other statement
    sync.mlsql:9:6: `jdbc` is not read here: write `binlog`
    sync.mlsql:10:6: `save overwrite` replaces a table as a whole, which is not built: a stream is `save append`
    sync.mlsql:11:1: unknown statement `select`: a script has `set`, `load binlog` and `save … as binlogRate`
    sync.mlsql:12:7: the value of `y` in quotes is expected, not `5`
    "#);
}

#[test]
fn what_a_manifest_refuses_is_told_at_its_place_in_the_script() {
    let pair = |load: &str, save: &str| {
        format!(
            "set streamName=\"x\";\nload binlog.`` where host=\"h\" and userName=\"u\"\n{load} as t;\n\
             save append t as binlogRate.`/lake/{{db}}/{{table}}` options checkpointLocation=\"/c\"\n{save};"
        )
    };
    let twice = format!(
        "{}\nsave append t as binlogRate.`/b/{{table}}` options checkpointLocation=\"/c/\";",
        pair("", "")
    );
    let cases = [
        pair("and port=\"99999\"", ""),
        pair("and tableNamePattern=\"(a\"", ""),
        pair("and tableNamePattern=\"(?=a)b\"", "and duration=\"0\""),
        pair(
            "and bingLogNamePrefix=\"mysql-bin\" and binlogIndex=\"4\" and binlogFileOffset=\"3\"",
            "",
        ),
        pair("and password=\"${NOT_THERE}\"", ""),
        pair("and host=\"i\"", "and checkpointLocation"),
        twice,
        "load binlog.`` where host=\"h".to_owned(),
        "-- nothing".to_owned(),
    ];
    let told: Vec<_> = cases.iter().map(|text| problems(text)).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    1 problem in sync.mlsql
    sync.mlsql:3:10: `port` has to be a whole number from 1 to 65535
    1 problem in sync.mlsql
    sync.mlsql:3:22: `/(?:.*)\.(?:(a)/` is not a regular expression: unclosed group
    2 problems in sync.mlsql
    sync.mlsql:3:22: `/(?:.*)\.(?:(?=a)b)/` is not a regular expression: look-around, including look-ahead and look-behind, is not supported
    sync.mlsql:5:14: `duration` is a whole number of seconds above 0, such as "5"
    1 problem in sync.mlsql
    sync.mlsql:3:76: `binlogFileOffset` has to be at least 4: there the first event of a file starts
    1 problem in sync.mlsql
    sync.mlsql:3:14: the environment variable NOT_THERE is not set
    2 problems in sync.mlsql
    sync.mlsql:3:5: `host` is there twice
    sync.mlsql:5:5: `=` is expected, the statement ends here
    1 problem in sync.mlsql
    sync.mlsql:6:69: `checkpointLocation` is the one of line 4: each pipeline needs its own
    2 problems in sync.mlsql
    sync.mlsql:1:27: `as` is expected, the statement ends here
    sync.mlsql:1:27: this text is not closed: `"` is missing
    1 problem in sync.mlsql
    sync.mlsql:1:1: the script has no `load binlog` and `save … as binlogRate`
    "#);
}
