//! What becomes of a table's columns.

use sluice_guest::testing::{Harness, Json, json, table};
use sluice_guest::{DataType, Decision, TableSchema};

use super::*;

fn orders() -> TableSchema {
    table("shop", "orders")
        .column("id", DataType::Int64)
        .column("cust_no", DataType::Int64)
        .column("qty", DataType::Int32)
        .column("note", DataType::Utf8)
        .primary_key(["id"])
}

fn names(config: &Json) -> Result<Vec<String>, String> {
    let plugin = Harness::<Rename>::configured(config).map_err(|e| e.to_string())?;
    match plugin.plan(&orders()).map_err(|e| e.to_string())? {
        Decision::Apply(plan, ()) => match plan.output() {
            Some(columns) => Ok(columns.iter().map(|c| c.name.clone()).collect()),
            None => Ok(vec!["(unchanged)".to_owned()]),
        },
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn a_name_in_another_case_is_never_passed_over() {
    for config in [
        json!({ "if-exists": true, "drop": ["Note"] }),
        json!({ "if-exists": true, "keep-only": ["id", "NOTE"] }),
        json!({ "if-exists": true, "columns": { "Note": "remark" } }),
    ] {
        let error = names(&config).expect_err("refused");
        assert!(error.contains("`note` differs in case only"), "{config}: {error}");
    }
}

#[test]
fn columns_leave_as_configured() {
    let cases = [
        (json!({}), "(unchanged)"),
        (json!({ "columns": { "qty": "quantity" } }), "id cust_no quantity note"),
        (json!({ "columns": { "qty": "note", "note": "qty" } }), "id cust_no note qty"),
        (json!({ "drop": ["note", "qty"] }), "id cust_no"),
        (json!({ "keep-only": ["note", "id"] }), "id note"),
        (json!({ "prefix": "src_" }), "src_id src_cust_no src_qty src_note"),
        (
            json!({ "prefix": "s_", "columns": { "id": "key" }, "drop": ["qty"] }),
            "key s_cust_no s_note",
        ),
        (json!({ "order": ["note"] }), "note id cust_no qty"),
        (json!({ "prefix": "s_", "order": ["s_note", "qty"] }), "s_note s_qty s_id s_cust_no"),
        (
            json!({ "columns": { "qty": "note", "note": "qty" }, "order": ["note"] }),
            "note id cust_no qty",
        ),
        (
            json!({ "if-exists": true, "drop": ["x"], "columns": { "y": "z" }, "order": ["w", "qty"] }),
            "qty id cust_no note",
        ),
        (json!({ "if-exists": true, "keep-only": ["x", "id"], "order": ["note"] }), "id"),
    ];
    for (config, expected) in cases {
        assert_eq!(
            names(&config).map(|names| names.join(" ")).as_deref(),
            Ok(expected),
            "{config}"
        );
    }
}

#[test]
fn the_plugin_is_never_called() {
    let plugin =
        Harness::<Rename>::configured(&json!({ "columns": { "qty": "n" } })).expect("valid");
    let out = plugin.run(&orders(), &json!([[1, 2, 3, null]])).expect("runs");
    assert_eq!(out.kept(), json!([{ "id": 1, "cust_no": 2, "n": 3, "note": null }]));
    let Decision::Apply(plan, ()) = plugin.plan(&orders()).expect("a plan") else {
        panic!("the table is passed")
    };
    assert!(format!("{plan:?}").contains("reads: None"), "{plan:?}");
}

#[test]
fn mistakes_are_named() {
    let error = |config: Json| names(&config).expect_err("a mistake");
    insta::assert_snapshot!(error(json!({ "columns": { "quantity": "n" } })), @"plan: table shop.orders has no column `quantity` (it has: id, cust_no, qty, note)");
    insta::assert_snapshot!(error(json!({ "drop": ["id"] })), @"plan: the id column `id` does not reach the output: keep it or name other id columns");
    insta::assert_snapshot!(error(json!({ "columns": { "qty": "Note" } })), @"plan: the output has both `Note` and `note`: names must differ by more than case");
    insta::assert_snapshot!(error(json!({ "colums": {} })), @"/colums: unknown field `colums`, expected one of `columns`, `drop`, `keep-only`, `order`, `prefix`, `if-exists`");
    insta::assert_snapshot!(error(json!({ "drop": ["a"], "keep-only": ["b"], "columns": { "a": "" } })), @r"
    /drop: `drop` and `keep-only` exclude each other: give one of them
    /columns/a: a name cannot be empty
    /drop/0: `a` is renamed and dropped
    ");
}

#[test]
fn the_example_of_the_readme_is_valid() {
    let readme = include_str!("../README.md");
    let example = readme.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
    let manifest: toml::Table = example.expect("an example").parse().expect("TOML");
    let plugin = manifest["plugin"][0].as_table().expect("a plugin");
    let config: Config = plugin["config"].clone().try_into().expect("a configuration");
    assert_eq!(config.columns.len(), 2);
}
