//! What becomes of values, and what is refused.

use sluice_guest::testing::{Harness, Json, json, table};
use sluice_guest::{Decision, TableSchema};

use super::*;

fn users() -> TableSchema {
    table("shop", "users")
        .column("id", DataType::Int64)
        .column("email", DataType::Utf8)
        .column("plan", DataType::Decimal { precision: 6, scale: 2 })
        .column("born", DataType::Date)
        .column("seen", DataType::TimestampMicrosUtc)
        .column("key", DataType::Binary)
        .column("ratio", DataType::Float64)
        .column("active", DataType::Boolean)
        .column("doc", DataType::Json)
        .primary_key(["id"])
}

fn rows() -> Json {
    json!([
        [1, "a@x.io", "9.00", "2000-01-31", "2024-01-31 12:00:00", "00ff", 0.5, true, "{}"],
        [2, null, null, null, null, null, null, null, null],
        [3, "üöä", "-0.50", "1999-12-31", "2024-01-31 12:00:00", "", 0.5, true, "{}"],
    ])
}

fn run(config: &Json) -> Result<Json, String> {
    let plugin = Harness::<Mask>::configured(config).map_err(|e| e.to_string())?;
    plugin.run(&users(), &rows()).map(|out| out.kept()).map_err(|e| e.to_string())
}

#[test]
fn a_hash_is_what_sha256sum_prints() {
    let columns = json!([
        { "name": "email", "how": "hash" },
        { "name": "plan", "how": "hash" },
        { "name": "born", "how": "hash" },
        { "name": "key", "how": "hash" },
    ]);
    let out = run(&json!({ "salt": "test", "columns": columns })).expect("runs");
    // printf 'test\000%s' a@x.io | sha256sum, and so on; the last is printf 'test\000\000\377'
    assert_eq!(out[0]["email"], "549f7546c6c8ff6ec8e3d6c8a86fb3788787795e98a461c279da79e0349749a3");
    assert_eq!(out[0]["plan"], "fefd655fa5f20bfaa1ed86eaba0674689ec7aec130668d5945ca10ce884a597e");
    assert_eq!(out[0]["born"], "d80ebfc8630acbf2f5241f1033f0b08ef8b87558221b218b21b36c4bc5f89cfe");
    assert_eq!(out[0]["key"], "fa72186d5fc38162e8bb77cb7c1aaf45c3d015780f04b839bc7b7079181e6d9d");
    assert_eq!(out[1]["email"], Json::Null);
    assert_ne!(out[2]["email"], out[0]["email"]);
}

#[test]
fn the_salt_changes_every_hash() {
    let config =
        |salt: &str| json!({ "salt": salt, "columns": [{ "name": "email", "how": "hash" }] });
    let hash = |salt: &str| run(&config(salt)).expect("runs")[0]["email"].clone();
    assert_ne!(hash("a"), hash("b"));
    assert_eq!(hash("a"), hash("a"));
}

#[test]
fn a_text_is_cut_after_characters() {
    let cut = |length: usize| {
        let rule = json!({ "name": "email", "how": "truncate", "length": length });
        let out = run(&json!({ "columns": [rule] })).expect("runs");
        (out[0]["email"].clone(), out[1]["email"].clone(), out[2]["email"].clone())
    };
    assert_eq!(cut(2), (json!("a@"), Json::Null, json!("üö")));
    assert_eq!(cut(0), (json!(""), Json::Null, json!("")));
    assert_eq!(cut(99), (json!("a@x.io"), Json::Null, json!("üöä")));
}

#[test]
fn redacting_and_nulling_cost_no_call() {
    let columns = json!([
        { "name": "email", "how": "redact", "with": "hidden" },
        { "name": "plan", "how": "redact" },
        { "name": "seen", "how": "redact" },
        { "name": "doc", "how": "redact" },
        { "name": "born", "how": "null" },
    ]);
    let config = json!({ "columns": columns });
    let out = run(&config).expect("runs");
    for row in 0..3 {
        assert_eq!(out[row]["email"], "hidden");
        assert_eq!(out[row]["plan"], "0");
        assert_eq!(out[row]["seen"], "1970-01-01 00:00:00Z");
        assert_eq!(out[row]["doc"], "\"***\"");
        assert_eq!(out[row]["born"], Json::Null);
    }
    let plan = Harness::<Mask>::configured(&config).expect("valid").plan(&users()).expect("a plan");
    assert!(format!("{plan:?}").contains("reads: None"), "{plan:?}");
}

#[test]
fn an_id_column_can_be_hashed_and_stays_one() {
    let config = json!({ "salt": "s", "columns": [{ "name": "id", "how": "hash" }] });
    let plugin = Harness::<Mask>::configured(&config).expect("valid");
    let Decision::Apply(plan, ()) = plugin.plan(&users()).expect("a plan") else {
        panic!("the table is passed")
    };
    assert!(format!("{plan:?}").contains("id_columns: Some([0])"), "{plan:?}");
}

#[test]
fn what_makes_no_sense_is_refused_when_the_table_is_known() {
    let rules = [
        json!({ "name": "id", "how": "null" }),
        json!({ "name": "id", "how": "redact" }),
        json!({ "name": "ratio", "how": "hash" }),
        json!({ "name": "active", "how": "hash" }),
        json!({ "name": "doc", "how": "hash" }),
        json!({ "name": "plan", "how": "truncate", "length": 3 }),
        json!({ "name": "plan", "how": "redact", "with": "0.001" }),
        json!({ "name": "phone", "how": "null" }),
    ];
    let told =
        rules.map(|rule| run(&json!({ "salt": "s", "columns": [rule] })).expect_err("refused"));
    insta::assert_snapshot!(told.join("\n"), @r"
mask-key: `id` is an id column of shop.users: only `hash` keeps its values apart
mask-key: `id` is an id column of shop.users: only `hash` keeps its values apart
mask-type: `ratio` is float64: equal floats may print differently, so they have no stable hash
mask-type: `active` is boolean: a hash of two values hides nothing, use `redact`
mask-type: `doc` is json: one document has many texts, so it has no stable hash
mask-type: `plan` is decimal(6,2): only text can be truncated
mask-type: `plan` is decimal(6,2): `with` is no value of it (its default is `0`)
unknown-column: table shop.users has no column `phone` (it has: id, email, plan, born, seen, key, ratio, active, doc)
");
}

#[test]
fn mistakes_of_the_configuration_are_told_at_once() {
    let columns = json!([
        { "name": "a", "how": "hash", "length": 3 },
        { "name": "b", "how": "truncate", "with": "x" },
        { "name": "a", "how": "null" },
    ]);
    insta::assert_snapshot!(run(&json!({ "columns": columns })).expect_err("wrong"), @r"
/columns/0/length: `length` is for `truncate` only
/columns/1/length: `truncate` needs a `length`
/columns/1/with: `with` is for `redact` only
/columns/2/name: `a` has a rule already
/salt: a hash without a salt is found out by trying: give a secret text
");
    insta::assert_snapshot!(run(&json!({ "columns": [{ "name": "a", "how": "md5" }] })).expect_err("wrong"), @"/columns/0/how: unknown variant `md5`, expected one of `hash`, `redact`, `truncate`, `null`");
}

#[test]
fn a_column_that_a_table_lacks_may_be_passed_over() {
    let config = json!({ "if-exists": true, "columns": [{ "name": "phone", "how": "null" }] });
    assert_eq!(run(&config).expect("runs")[0]["id"], 1);
}

#[test]
fn a_column_in_another_case_is_never_passed_over() {
    let rule =
        |name: &str| json!({ "if-exists": true, "columns": [{ "name": name, "how": "redact" }] });
    insta::assert_snapshot!(run(&rule("Email")).expect_err("refused"), @"unknown-column: table shop.users has no column `Email` (it has: id, email, plan, born, seen, key, ratio, active, doc); `email` differs in case only");
}

#[test]
fn the_example_of_the_readme_is_valid() {
    let readme = include_str!("../README.md");
    let example = readme.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
    let manifest: toml::Table = example.expect("an example").parse().expect("TOML");
    let plugin = manifest["plugin"][0].as_table().expect("a plugin");
    let config: Config = plugin["config"].clone().try_into().expect("a configuration");
    assert_eq!(config.columns.len(), 4);
}
