//! Plans: names in, names out, and all mistakes at once.

use super::*;
use crate::testing::table;

fn orders() -> TableSchema {
    table("shop", "orders")
        .column("id", DataType::Int64)
        .column("qty", DataType::Int32)
        .column("note", DataType::Utf8)
        .primary_key(["id"])
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.output().unwrap_or_default().iter().map(|c| c.name.as_str()).collect()
}

#[test]
fn steps_name_columns_as_they_come_in() {
    let plan = Plan::of(&orders())
        .rename("qty", "note")
        .rename("note", "qty")
        .metadata("op", "_op")
        .constant("source", DataType::Utf8, Some("shop"))
        .order(["source", "qty"])
        .reads(["note"])
        .build()
        .expect("a plan");
    assert_eq!(names(&plan), ["source", "qty", "id", "note", "_op"]);
    let sources: Vec<&ColumnSource> =
        plan.output().unwrap_or_default().iter().map(|c| &c.source).collect();
    assert_eq!(sources[1], &ColumnSource::Input(2));
    assert_eq!(sources[3], &ColumnSource::Input(1));
    assert_eq!((plan.reads, plan.read_types), (Some(vec![2]), vec![DataType::Utf8]));
}

#[test]
fn a_plan_that_changes_nothing_says_so() {
    let plan = Plan::of(&orders()).order(["id"]).build().expect("a plan");
    assert_eq!(plan, Plan::default());
}

#[test]
fn id_columns_name_the_output() {
    let plan = Plan::of(&orders())
        .rename("id", "key")
        .computed("hash", DataType::Utf8, false)
        .id_columns(["hash", "key"])
        .build()
        .expect("a plan");
    assert_eq!(plan.id_columns, Some(vec![3, 0]));
    assert_eq!(plan.reads, Some(vec![]), "process is called for the computed column");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let error = Plan::of(&orders())
        .rename("Qty", "n")
        .rename("note", "QTY")
        .drop("id")
        .order(["total"])
        .build()
        .expect_err("mistakes");
    insta::assert_snapshot!(error.detail.replace("; ", "\n"), @r"
    table shop.orders has no column `Qty` (it has: id, qty, note)
    `qty` differs in case only
    order names `total`, which the output of shop.orders has not (it has: qty, QTY)
    the output has both `qty` and `QTY`: names must differ by more than case
    the id column `id` does not reach the output: keep it or name other id columns
    ");
}

#[test]
fn a_step_on_a_dropped_column_is_a_mistake() {
    let error = Plan::of(&orders()).drop("note").rename("note", "x").build().expect_err("dropped");
    insta::assert_snapshot!(error, @"plan: `note` was dropped or replaced by an earlier step");
}
