//! Where rows go, and what is refused.

use sluice_guest::TableSchema;
use sluice_guest::testing::{Harness, Json, Outcome, json, table};

use super::*;

fn orders() -> TableSchema {
    table("shop_7", "orders")
        .column("id", DataType::Int64)
        .column("tenant", DataType::Utf8)
        .column("day", DataType::Date)
        .column("ratio", DataType::Float64)
}

fn run(config: &Json, rows: &Json) -> Result<Outcome, String> {
    let plugin = Harness::<Route>::configured(config).map_err(|e| e.to_string())?;
    plugin.run(&orders(), rows).map_err(|e| e.to_string())
}

fn told(outcome: &Outcome) -> Vec<String> {
    let row = |row: &sluice_guest::testing::Row| match &row.rejected {
        Some(failure) => failure.to_string(),
        None => row.route.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "),
    };
    outcome.rows.iter().map(row).collect()
}

#[test]
fn names_alone_are_settled_in_the_plan() {
    let config = json!({
        "match": { "db": "shop_{shard}" },
        "set": { "db": "shop", "table": "{table}_v2", "part": "{shard}-{db}" },
    });
    let out = run(&config, &json!([[1, "a", null, null]])).expect("runs");
    assert_eq!(told(&out), ["db=shop part=7-shop_7 table=orders_v2"]);
    assert!(format!("{:?}", out.decision).contains("reads: None"), "{:?}", out.decision);
}

#[test]
fn each_row_goes_where_its_columns_say() {
    let config = json!({
        "set": { "tenant": "t-{column:tenant}", "day": "{column:day}", "db": "eu" },
        "null": "unknown",
    });
    let rows = json!([
        [1, "a", "2024-01-31", null],
        [2, "a", "2024-01-31", null],
        [3, "b", "2024-01-31", null],
        [4, null, null, null],
        [5, "a", "2024-01-31", null],
    ]);
    let out = run(&config, &rows).expect("runs");
    let first = "db=eu day=2024-01-31 tenant=t-a";
    let expected = [
        first,
        first,
        "db=eu day=2024-01-31 tenant=t-b",
        "db=eu day=unknown tenant=t-unknown",
        first,
    ];
    assert_eq!(told(&out), expected);
}

#[test]
fn a_value_that_is_no_segment_is_rejected_or_replaced() {
    let rows = json!([
        [1, "a/b", null, null],
        [2, "..", null, null],
        [3, "", null, null],
        [4, null, null, null],
        [5, "ok", null, null]
    ]);
    let set = json!({ "tenant": "{column:tenant}" });
    let rejected = run(&json!({ "set": set }), &rows).expect("runs");
    insta::assert_snapshot!(told(&rejected).join("\n"), @r#"
route-value: the value "a/b" of `tenant` contains a slash, backslash or control character
route-value: the value ".." of `tenant` is `.` or `..`
route-value: the value "" of `tenant` is empty
route-null: `tenant`, which `tenant` is made of, is NULL
tenant=ok
"#);
    assert_eq!(rejected.kept_rows(), [4]);
    let replaced = run(&json!({ "set": set, "unsafe": "replace", "null": "none" }), &rows);
    let expected = ["tenant=a_b", "tenant=__", "tenant=_", "tenant=none", "tenant=ok"];
    assert_eq!(told(&replaced.expect("runs")), expected);
}

#[test]
fn a_table_that_does_not_fit_stops_or_passes() {
    let config = |unmatched: &str| json!({ "match": { "table": "clicks_{n}" }, "set": { "n": "{n}" }, "unmatched": unmatched });
    let rows = json!([[1, "a", null, null]]);
    insta::assert_snapshot!(run(&config("stop"), &rows).expect_err("stops"), @r#"route-pattern: table shop_7.orders does not fit `match`: set `unmatched = "pass"`, or name other tables"#);
    assert_eq!(told(&run(&config("pass"), &rows).expect("passes")), [""]);
}

#[test]
fn what_an_earlier_plugin_sets_row_by_row_is_no_constant() {
    let config = json!({ "set": { "tenant": "{column:tenant}", "table": "{column:day}" } });
    let first = Harness::<Route>::configured(&config).expect("valid").plan(&orders());
    let text = format!("{:?}", first.expect("a plan"));
    assert!(text.contains(r#"[("row-route", "table"), ("row-route", "tenant")]"#), "{text}");
    let mut seen = orders();
    seen.route.retain(|(name, _)| name != "table");
    seen.properties.push(("row-route".to_owned(), "table".to_owned()));
    let second = json!({ "set": { "table": "{table}_v2" } });
    let second = Harness::<Route>::configured(&second).expect("valid").plan(&seen);
    insta::assert_snapshot!(second.expect_err("refused"), @"row-variable: `table` differs from row to row since a plugin before this one: make the value there");
}

#[test]
fn mistakes_are_named() {
    let configs = [
        json!({ "set": {} }),
        json!({ "set": { "a": "{", "b": "{column:}", "c": "}" }, "match": { "db": "{x}{y}" }, "null": "a/b" }),
        json!({ "set": { "a": "x" }, "unsafe": "keep" }),
        json!({ "set": { "a": "{tenant}" } }),
        json!({ "set": { "a": "{column:tenat}" } }),
        json!({ "set": { "a": "{column:ratio}" } }),
        json!({ "set": { "a": "x/{db}" } }),
    ];
    let rows = json!([[1, "a", null, null]]);
    let told: Vec<String> = configs.iter().map(|c| run(c, &rows).expect_err("a mistake")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
/set: set at least one variable
/set/a: placeholders are written `{variable}` or `{column:name}`
/set/b: placeholders are written `{variable}` or `{column:name}`
/set/c: placeholders are written `{variable}` or `{column:name}`
/match/db: `{y}` follows a part directly: nothing tells where it begins
/null: the value contains a slash, backslash or control character
/unsafe: unknown variant `keep`, expected `reject` or `replace`
unknown-variable: there is no variable `tenant` (there are: db, table; a column is written {column:tenant})
unknown-column: table shop_7.orders has no column `tenat` (it has: id, tenant, day, ratio)
route-type: `ratio` is float64 and cannot be a part of a path: equal floats may print differently
route-value: the value "x/shop_7" of `a` contains a slash, backslash or control character
"#);
}

#[test]
fn the_example_of_the_readme_is_valid() {
    let readme = include_str!("../README.md");
    let example = readme.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
    let manifest: toml::Table = example.expect("an example").parse().expect("TOML");
    let plugin = manifest["plugin"][0].as_table().expect("a plugin");
    let config: Config = plugin["config"].clone().try_into().expect("a configuration");
    assert_eq!(config.unsafe_value, Unsafe::Replace);
}
