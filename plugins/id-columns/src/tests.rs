//! Which columns are chosen, and what computed keys look like.

use sluice_guest::TableSchema;
use sluice_guest::testing::{Harness, Json, json, table};

use super::*;

fn orders() -> TableSchema {
    table("shop", "orders_1")
        .column("id", DataType::Int64)
        .column("shard", DataType::Utf8)
        .column("number", DataType::Utf8)
        .column("ratio", DataType::Float64)
        .primary_key(["id"])
        .unique_key("by_number", ["shard", "number"])
}

fn ids(config: &Json, table: &TableSchema) -> Result<String, String> {
    let plugin = Harness::<IdColumns>::configured(config).map_err(|e| e.to_string())?;
    match plugin.plan(table).map_err(|e| e.to_string())? {
        Decision::Apply(plan, ()) => {
            let text = format!("{plan:?}");
            let ids =
                text.split("id_columns: ").nth(1).and_then(|rest| rest.split(", route").next());
            Ok(ids.unwrap_or_default().to_owned())
        }
        other => Ok(format!("{other:?}")),
    }
}

#[test]
fn the_first_rule_that_matches_holds() {
    let config = json!({
        "from": "primary",
        "tables": [
            { "match": "shop.orders_*", "columns": ["shard", "number"] },
            { "match": "shop.*", "columns": ["number"] },
        ],
    });
    let renamed = |name: &str| TableSchema { table: name.to_owned(), ..orders() };
    assert_eq!(ids(&config, &orders()).as_deref(), Ok("Some([1, 2])"));
    assert_eq!(ids(&config, &renamed("customers")).as_deref(), Ok("Some([2])"));
    let elsewhere = TableSchema { database: "crm".to_owned(), ..orders() };
    assert_eq!(ids(&config, &elsewhere).as_deref(), Ok("Some([0])"));
    let only = json!({ "tables": [{ "match": "shop.x", "columns": ["id"] }] });
    assert_eq!(ids(&only, &orders()).as_deref(), Ok("Pass"));
}

#[test]
fn a_key_of_the_source_may_be_named() {
    let config = json!({ "from": "unique:by_number" });
    assert_eq!(ids(&config, &orders()).as_deref(), Ok("Some([1, 2])"));
}

#[test]
fn computed_keys_keep_their_parts_apart() {
    let schema = table("d", "t").column("a", DataType::Utf8).column("b", DataType::Int32);
    let rows = json!([["1", 23], ["12", 3], ["", 0], ["1:1,", -1]]);
    let run = |how: &str| {
        let computed = json!({ "name": "row_key", "columns": ["a", "b"], "how": how });
        let plugin = Harness::<IdColumns>::configured(&json!({ "computed": computed }));
        let out = plugin.expect("valid").run(&schema, &rows).expect("runs").kept();
        let keys = out.as_array().into_iter().flatten();
        keys.map(|row| row["row_key"].as_str().expect("a key").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(run("concat"), ["1:1,2:23,", "2:12,1:3,", "0:,1:0,", "4:1:1,,2:-1,"]);
    let hashes = run("sha256");
    // printf '1:1,2:23,' | sha256sum
    assert_eq!(hashes[0], "d58e8c022ccf21bb3454adc950020995dfdc34286e738229b75239281999281e");
    assert!(hashes.iter().enumerate().all(|(at, hash)| !hashes[..at].contains(hash)));
}

#[test]
fn a_row_with_null_in_its_key_is_rejected() {
    let schema = table("d", "t").column("a", DataType::Utf8).column("b", DataType::Int32);
    let computed = json!({ "name": "k", "columns": ["a", "b"], "how": "concat" });
    let plugin = Harness::<IdColumns>::configured(&json!({ "computed": computed })).expect("valid");
    let out = plugin.run(&schema, &json!([[null, 1], ["x", 2], [null, null]])).expect("runs");
    assert_eq!(out.kept_rows(), [1]);
    let told = out.rows.iter().filter_map(|row| row.rejected.as_ref()).map(ToString::to_string);
    assert_eq!(told.collect::<Vec<_>>(), ["key-null: `a` is NULL"; 2]);
}

#[test]
fn a_computed_key_may_stand_beside_others() {
    let computed = json!({ "name": "k", "columns": ["number"], "how": "concat" });
    let config = json!({ "columns": ["shard"], "computed": computed });
    assert_eq!(ids(&config, &orders()).as_deref(), Ok("Some([1, 4])"));
}

#[test]
fn mistakes_are_named() {
    let unknown = TableSchema { primary_key: None, unique_keys: None, ..orders() };
    let without = TableSchema { primary_key: Some(vec![]), unique_keys: Some(vec![]), ..orders() };
    let float = json!({ "computed": { "name": "k", "columns": ["ratio"], "how": "sha256" } });
    let told = [
        ids(&json!({ "columns": ["nr"] }), &orders()),
        ids(&json!({ "from": "unique:by_name" }), &orders()),
        ids(&json!({ "from": "unique:by_number" }), &unknown),
        ids(&json!({ "from": "unique:by_number" }), &without),
        ids(&json!({ "from": "primary" }), &without),
        ids(&float, &orders()),
        ids(&json!({}), &orders()),
        ids(&json!({ "columns": [], "from": "key" }), &orders()),
        ids(
            &json!({ "tables": [{ "match": "orders", "columns": ["a"] }, { "match": "a.b" }] }),
            &orders(),
        ),
    ];
    let told: Vec<String> = told.into_iter().map(|t| t.expect_err("a mistake")).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
plan: id-columns names `nr`, which the output of shop.orders_1 has not (it has: id, shard, number, ratio)
unknown-key: table shop.orders_1 has no unique key `by_name` without nullable or partial columns (it has: by_number)
unknown-key: table shop.orders_1 has keys that are not known here: its log has no full metadata, or a plugin before this one dropped a part
unknown-key: table shop.orders_1 has no unique key `by_number` without nullable or partial columns (it has: none)
unknown-key: table shop.orders_1 has no primary key
key-type: `ratio` is float64 and cannot be a key: equal floats may print differently
the configuration: say what identifies a row: columns, from, computed or tables
/from: `columns` and `from` exclude each other
/columns: name at least one column
/from: write `primary`, or `unique:` and the name of a unique key
/tables/0/match: write `database.table`, with `*` for any text
/tables/1: say what identifies a row: columns, from or computed
");
}

#[test]
fn the_example_of_the_readme_is_valid() {
    let readme = include_str!("../README.md");
    let example = readme.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
    let manifest: toml::Table = example.expect("an example").parse().expect("TOML");
    let plugin = manifest["plugin"][0].as_table().expect("a plugin");
    let config: Config = plugin["config"].clone().try_into().expect("a configuration");
    assert_eq!(config.tables.len(), 2);
}
