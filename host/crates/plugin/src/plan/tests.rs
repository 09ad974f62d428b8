//! Decisions of plugins applied one after the other, without any plugin: what a target gets, and what
//! is refused.

use std::sync::Arc;

use change::{Column, ColumnType, Diagnose, KeyProof, TableName, TableSchema, UniqueKey};

use super::{Decision, Draft, TableSettings, WithoutKey};
use crate::bindings::sluice::transform::types::{DataType, DecimalType};
use crate::bindings::transform::{
    ColumnCast, ColumnSource, ComputedColumn, ConstantValue, OutputColumn, ProcessPlan, TablePlan,
};

fn table() -> TableSchema {
    let column = |name: &str, column_type, nullable| Column::made(name, column_type, nullable);
    TableSchema {
        name: TableName::new("shop", "orders"),
        columns: vec![
            column("id", ColumnType::Int64, false),
            column("email", ColumnType::Utf8, false),
            column("amount", ColumnType::Float64, true),
        ],
        primary_key: Some(vec![0]),
        unique_keys: Some(vec![UniqueKey { name: "by_email".to_owned(), columns: vec![1] }]),
        properties: Vec::new(),
    }
}

fn draft(table: TableSchema) -> Draft {
    Draft::new(&Arc::new(table))
}

fn nothing() -> TablePlan {
    TablePlan {
        output: None,
        id_columns: None,
        route: Vec::new(),
        process: None,
        properties: Vec::new(),
    }
}

fn output(columns: Vec<(&str, ColumnSource)>) -> TablePlan {
    let column = |(name, source): (&str, _)| OutputColumn { name: name.to_owned(), source };
    TablePlan { output: Some(columns.into_iter().map(column).collect()), ..nothing() }
}

fn computed(slot: u32) -> ColumnSource {
    ColumnSource::Computed(ComputedColumn { slot, data_type: DataType::Utf8, nullable: false })
}

fn cast(field: u32, to: DataType) -> ColumnSource {
    ColumnSource::Cast(ColumnCast { field, to })
}

fn constant(data_type: DataType, text: &str) -> ColumnSource {
    ColumnSource::Constant(ConstantValue { data_type, text: Some(text.to_owned()) })
}

fn metadata(fact: &str) -> ColumnSource {
    ColumnSource::Metadata(fact.to_owned())
}

use ColumnSource::Input;

/// Names of the columns, names of the id columns, and the proof; or the error with its remedy.
fn finish(draft: &Draft, settings: &TableSettings) -> Result<(String, String, KeyProof), String> {
    let (columns, ids, proof) =
        draft.identity(settings).map_err(|e| format!("{e}; {}", e.hint().unwrap_or_default()))?;
    let names: Vec<_> = columns.iter().map(|c| c.name.clone()).collect();
    let ids: Vec<_> = ids.iter().map(|i| names[*i].clone()).collect();
    Ok((names.join(" "), ids.join(" "), proof))
}

fn after(plans: Vec<TablePlan>) -> Draft {
    let mut draft = draft(table());
    for (index, plan) in plans.into_iter().enumerate() {
        draft.apply(index, plan, false).unwrap_or_else(|e| panic!("{}", e.what));
    }
    draft
}

fn refused(plan: TablePlan) -> String {
    draft(table()).apply(0, plan, false).err().map(|b| b.what).unwrap_or_default()
}

/// A plan that says that a variable differs from row to row.
fn by_row(variable: &str) -> TablePlan {
    TablePlan { properties: vec![("row-route".to_owned(), variable.to_owned())], ..nothing() }
}

#[test]
fn id_columns_follow_their_column_through_renames_and_orders() {
    let first = output(vec![("mail", Input(1)), ("order_id", Input(0)), ("amount", Input(2))]);
    let second = output(vec![("oid", Input(1)), ("mail", Input(0))]);
    let done = finish(&after(vec![first, second]), &TableSettings::default());
    assert_eq!(done, Ok(("oid mail".to_owned(), "oid".to_owned(), KeyProof::Source)));
}

#[test]
fn the_last_word_on_id_columns_counts_and_the_manifest_has_it() {
    let by_email = TablePlan { id_columns: Some(vec![1]), ..nothing() };
    let by_both = TablePlan { id_columns: Some(vec![0, 1]), ..nothing() };
    let draft = after(vec![by_email, by_both]);
    let ids = |settings: &TableSettings| finish(&draft, settings).map(|d| (d.1, d.2));
    assert_eq!(ids(&TableSettings::default()), Ok(("id email".to_owned(), KeyProof::Source)));
    let manifest = TableSettings {
        id_columns: Some(vec!["email".to_owned()]),
        trust_ids: false,
        ..TableSettings::default()
    };
    assert_eq!(ids(&manifest), Ok(("email".to_owned(), KeyProof::Source)));
}

#[test]
fn dropping_or_replacing_an_id_column_without_a_new_list_is_refused() {
    let dropped = refused(output(vec![("email", Input(1))]));
    let wanted = "it drops or replaces the id column `id` and gives no new id columns";
    assert_eq!(dropped, wanted);
    assert_eq!(refused(output(vec![("id", cast(0, DataType::Utf8)), ("email", Input(1))])), wanted);
    let chosen = TablePlan { id_columns: Some(vec![0]), ..output(vec![("email", Input(1))]) };
    let done = finish(&after(vec![chosen]), &TableSettings::default());
    assert_eq!(done, Ok(("email".to_owned(), "email".to_owned(), KeyProof::Source)));
    let mut draft = draft(table());
    let outcome = draft.apply(0, output(vec![("email", Input(1))]), true);
    assert!(outcome.is_ok(), "the manifest names the id columns");
}

#[test]
fn without_a_key_the_whole_row_is_compared_where_the_manifest_says_so() {
    let keyless = || TableSchema { primary_key: Some(vec![]), unique_keys: None, ..table() };
    let whole = TableSettings { without_key: WithoutKey::WholeRow, ..TableSettings::default() };
    let ids = |table, settings: &TableSettings| finish(&draft(table), settings).map(|d| (d.1, d.2));
    let all = "id email amount".to_owned();
    assert_eq!(ids(keyless(), &whole), Ok((all, KeyProof::WholeRow)));
    assert_eq!(ids(table(), &whole), Ok(("id".to_owned(), KeyProof::Source)), "a key is a key");
    let id_columns = Some(vec!["id".to_owned()]);
    let named = TableSettings { id_columns, trust_ids: true, ..whole.clone() };
    assert_eq!(ids(keyless(), &named), Ok(("id".to_owned(), KeyProof::Trusted)));
    let unknown = TableSchema { primary_key: None, unique_keys: None, ..table() };
    let error = ids(unknown, &whole).unwrap_err();
    assert!(error.contains("the log does not tell its key"), "{error}");
    let mut stamped = draft(keyless());
    let plan = output(vec![("id", Input(0)), ("at", metadata("commit-timestamp"))]);
    stamped.apply(0, plan, false).unwrap_or_else(|e| panic!("{}", e.what));
    insta::assert_snapshot!(finish(&stamped, &whole).unwrap_err(), @"table shop.orders: the metadata column `at` differs between the images of a row, and rows without a key are compared as a whole; drop `at` in the plugin that adds it, or give id columns");
}

#[test]
fn what_identifies_a_row_is_proven_or_trusted_or_refused() {
    let hashed = || {
        let mut plan = output(vec![("id", computed(0)), ("amount", Input(2))]);
        plan.process = Some(ProcessPlan { reads: vec![0] });
        plan.id_columns = Some(vec![0]);
        after(vec![plan])
    };
    insta::assert_snapshot!(finish(&hashed(), &TableSettings::default()).unwrap_err(), @"table shop.orders: the id columns (id) hold no primary or unique key of the source unchanged; add the source's key to them, or set `trust-ids = true` in a [[table]] that matches shop.orders if they are unique");
    let trust = TableSettings { id_columns: None, trust_ids: true, ..TableSettings::default() };
    assert_eq!(finish(&hashed(), &trust).map(|d| d.2), Ok(KeyProof::Trusted));
    let keyless = TableSchema { primary_key: Some(vec![]), unique_keys: Some(vec![]), ..table() };
    insta::assert_snapshot!(finish(&draft(keyless), &TableSettings::default()).unwrap_err(), @r#"table shop.orders: it has no primary or unique key, and no id columns are given; give `id-columns` and `trust-ids = true`, or `without-key = "whole-row"`, in a [[table]] that matches shop.orders"#);
    let unknown = || draft(TableSchema { primary_key: None, unique_keys: None, ..table() });
    insta::assert_snapshot!(finish(&unknown(), &TableSettings::default()).unwrap_err(), @"table shop.orders: the log does not tell its key, and no id columns are given; set binlog_row_metadata=FULL on the server, or give `id-columns` and `trust-ids = true` in a [[table]] that matches shop.orders");
    let named = |trust_ids| TableSettings {
        id_columns: Some(vec!["id".to_owned()]),
        trust_ids,
        ..TableSettings::default()
    };
    insta::assert_snapshot!(finish(&unknown(), &named(false)).unwrap_err(), @"table shop.orders: whether the id columns (id) identify a row is unknown: the log does not tell its key; set binlog_row_metadata=FULL on the server, or set `trust-ids = true` in a [[table]] that matches shop.orders if they are unique");
    assert_eq!(finish(&unknown(), &named(true)).map(|d| d.2), Ok(KeyProof::Trusted));
    let wrong = TableSettings {
        id_columns: Some(vec!["ID".to_owned()]),
        trust_ids: true,
        ..TableSettings::default()
    };
    insta::assert_snapshot!(finish(&draft(table()), &wrong).unwrap_err(), @"table shop.orders: the id column `ID` is not in the target; name columns of the target: id, email, amount");
}

#[test]
fn names_that_a_target_cannot_have_are_refused_with_a_better_one() {
    let renamed = |name: &str| {
        let draft = after(vec![output(vec![("id", Input(0)), (name, Input(1))])]);
        finish(&draft, &TableSettings::default()).unwrap_err()
    };
    insta::assert_snapshot!(renamed("e mail"), @"table shop.orders: the column `e mail` has a character that a Delta column cannot have; rename it with a plugin, for instance to `e_mail`");
    assert!(renamed("").contains("without a name"));
    for bad in ["a,b", "a;b", "a{b", "a}b", "a(b", "a)b", "a\nb", "a\tb", "a=b"] {
        assert!(renamed(bad).contains("`a_b`"), "{bad:?}");
    }
    let twice = refused(output(vec![("id", Input(0)), ("ID", Input(1))]));
    assert_eq!(twice, "the column `ID` appears twice (upper and lower case count as the same)");
    let mut source = table();
    source.columns[1].name = "Id".to_owned();
    let error = finish(&draft(source), &TableSettings::default()).unwrap_err();
    assert!(error.contains("the columns `id` and `Id` differ by no more than case"), "{error}");
}

#[test]
fn a_plan_that_breaks_a_rule_is_refused_and_the_rule_is_named() {
    let with_process = |reads: Vec<u32>, plan: TablePlan| TablePlan {
        process: Some(ProcessPlan { reads }),
        ..plan
    };
    let id = || ("id", Input(0));
    let cases = [
        (output(vec![]), "it has no output column; answer `exclude` to leave the table out"),
        (output(vec![("x", Input(3))]), "it names the input field 3, there are 3"),
        (with_process(vec![9], nothing()), "it names the input field 9, there are 3"),
        (output(vec![id(), ("x", computed(0))]), "`x` is computed, but the plan has no `process`"),
        (
            with_process(vec![], output(vec![id(), ("x", computed(1))])),
            "the slots of its computed columns are not 0, 1, 2 and so on",
        ),
        (
            with_process(vec![], output(vec![id(), ("x", computed(0)), ("y", computed(0))])),
            "the slot 0 is used by two columns",
        ),
        (
            output(vec![id(), ("x", cast(2, DataType::Date))]),
            "`amount` cannot be converted from float64 to date",
        ),
        (
            output(vec![
                id(),
                ("x", cast(2, DataType::Decimal(DecimalType { precision: 3, scale: 4 }))),
            ]),
            "there is no decimal(3,4)",
        ),
        (
            output(vec![id(), ("x", constant(DataType::Int8, "300"))]),
            "the constant `x`: `300` is no int8",
        ),
        (
            output(vec![id(), ("x", metadata("time"))]),
            "there is no metadata `time` (there are op, commit-timestamp, log-position, gtid, row-in-transaction, server-id)",
        ),
        (
            TablePlan { id_columns: Some(vec![7]), ..nothing() },
            "its id columns name the output column 7, there are 3",
        ),
        (TablePlan { id_columns: Some(vec![0, 0]), ..nothing() }, "`id` is an id column twice"),
        (
            TablePlan { id_columns: Some(vec![1]), ..output(vec![id(), ("op", metadata("op"))]) },
            "the metadata column `op` cannot be an id column",
        ),
        (with_process(vec![0, 2, 0], nothing()), "it reads `id` twice"),
        (
            TablePlan {
                route: (0..65).map(|n| (format!("v{n}"), "x".to_owned())).collect(),
                ..nothing()
            },
            "a route of 65 variables, more than 64",
        ),
        (by_row("tenant"), "it has the property `row-route`, but no `process`"),
        (
            with_process(vec![0], by_row("{")),
            "a route variable's name is empty, too long or holds a brace",
        ),
        (
            TablePlan { properties: vec![("sort".to_owned(), "id".to_owned())], ..nothing() },
            "the property `sort` is not known",
        ),
        (
            TablePlan { route: vec![("shard".to_owned(), "../x".to_owned())], ..nothing() },
            "the route variable `shard` contains a slash or backslash",
        ),
        (
            TablePlan { route: vec![("a}".to_owned(), "x".to_owned())], ..nothing() },
            "a route variable's name is empty, too long or holds a brace",
        ),
    ];
    for (plan, wanted) in cases {
        assert_eq!(refused(plan), wanted);
    }
}

#[test]
fn no_later_plugin_reads_a_metadata_column_but_it_may_rename_it() {
    let first = || output(vec![("id", Input(0)), ("op", metadata("op"))]);
    let reading = TablePlan { process: Some(ProcessPlan { reads: vec![1] }), ..nothing() };
    let casting = output(vec![("id", Input(0)), ("x", cast(1, DataType::Binary))]);
    for (plan, wanted) in [
        (reading, "it reads the metadata column `op`, which no plugin may"),
        (casting, "the metadata column `op` cannot be converted"),
    ] {
        let broken = after(vec![first()]).apply(1, plan, false).expect_err("refused");
        assert_eq!(broken.what, wanted);
    }
    let renaming = output(vec![("id", Input(0)), ("_op", Input(1))]);
    let done = finish(&after(vec![first(), renaming]), &TableSettings::default());
    assert_eq!(done.map(|d| d.0), Ok("id _op".to_owned()));
}

#[test]
fn a_later_plugin_sees_keys_and_route_as_the_earlier_ones_left_them() {
    let mut plan = output(vec![("mail", Input(1)), ("n", cast(2, DataType::Utf8))]);
    plan.id_columns = Some(vec![0]);
    plan.route = vec![("table".to_owned(), "clean".to_owned())];
    let draft = after(vec![plan]);
    draft.view.ask(|seen| {
        assert_eq!((seen.database, seen.table), ("shop", "orders"), "names at the source stay");
        assert_eq!(seen.primary_key, None, "a part of it was dropped");
        let keys: Vec<_> =
            seen.unique_keys.unwrap_or_default().iter().map(|k| (k.name, k.fields)).collect();
        assert_eq!(keys, [("by_email", [0].as_slice())]);
        assert_eq!(seen.id_columns, [0]);
        assert_eq!(seen.route, [("db", "shop"), ("table", "clean")]);
        let fields: Vec<_> = seen.fields.iter().map(|f| (f.name, f.nullable)).collect();
        assert_eq!(fields, [("mail", false), ("n", true)]);
    });
}

#[test]
fn a_variable_that_differs_by_row_is_not_told_to_later_plugins() {
    let mut first = by_row("table");
    first.process = Some(ProcessPlan { reads: vec![1] });
    let told =
        |draft: &Draft| draft.view.ask(|seen| format!("{:?} {:?}", seen.route, seen.properties));
    let draft = after(vec![first.clone()]);
    assert_eq!(told(&draft), r#"[("db", "shop")] [("row-route", "table")]"#);
    let settled = TablePlan { route: vec![("table".to_owned(), "all".to_owned())], ..nothing() };
    let draft = after(vec![first, settled]);
    assert_eq!(told(&draft), r#"[("db", "shop"), ("table", "all")] []"#);
}

#[test]
fn what_a_plugin_decided_can_be_told() {
    let mut draft = draft(table());
    let mut plan = output(vec![("id", Input(0)), ("hash", computed(0))]);
    plan.process = Some(ProcessPlan { reads: vec![1, 2] });
    let decision = draft.apply(0, plan, false).unwrap_or(Decision::Passed);
    assert_eq!(decision.to_string(), "called, reads email, amount, makes hash");
    let decision = draft.apply(1, nothing(), false).unwrap_or(Decision::Passed);
    assert_eq!(decision.to_string(), "planned, no call a batch");
}
