//! What targets follow, and why they do not.

use std::fmt::Write as _;

use arrow_array::Array;
use change::definition::{Constant, DeclaredType, DefaultValue};
use change::{Position, SchemaChangeKind};

use super::super::schema_policy::{Passed, SchemaPolicy};
use super::*;

fn merge(path: &str) -> SchemaMerge {
    let plugins = vec![(
        "mask".to_owned(),
        TablePatterns::parse(&["shop.users".to_owned()]).expect("a pattern"),
    )];
    SchemaMerge { path: PathTemplate::parse(path).expect("a template"), plugins }
}

fn name(table: &str) -> TableName {
    TableName::new("shop", table)
}

fn seen() -> SeenTables {
    SeenTables { names: ["orders", "users", "lines"].map(name).into(), others: false }
}

fn statement(actions: Option<Vec<TableAction>>) -> SchemaChange {
    SchemaChange {
        kind: SchemaChangeKind::Alter,
        tables: vec![name("orders")],
        receives: Vec::new(),
        actions,
        statement: "ALTER TABLE orders".to_owned(),
        position: Position::at("log.000001", 400),
        before: Position::at("log.000001", 380),
    }
}

fn column(name: &str, word: &str, default: DefaultValue) -> ColumnDefinition {
    let declared = DeclaredType::of(word);
    let nullable = Some(true);
    ColumnDefinition { name: name.to_owned(), declared, nullable, default, ..Default::default() }
}

fn altered(table: &str, edits: Vec<change::ColumnEdit>) -> TableAction {
    TableAction::Altered { table: name(table), edits, rows: RowsEffect::None }
}

fn added(column: ColumnDefinition) -> change::ColumnEdit {
    change::ColumnEdit::Added { column, at: None }
}

fn renamed(from: &str, to: &str) -> change::ColumnEdit {
    change::ColumnEdit::Renamed { from: from.to_owned(), to: to.to_owned() }
}

/// The edits as text.
fn told(actions: Vec<TableAction>) -> Result<String, String> {
    let mut text = String::new();
    for edit in merge("lake/{db}/{table}").edits(&statement(Some(actions)), &seen())? {
        let _ = write!(text, "{} of {}: {:?}", edit.target, edit.source, edit.rows);
        for column in edit.columns {
            let _ = match column {
                ColumnEdit::Add { column, default } => {
                    let null = default.is_none_or(|value| value.is_null(0));
                    write!(text, ", add {} {} null: {null}", column.name, column.column_type)
                }
                ColumnEdit::Drop { name } => write!(text, ", drop {name}"),
                ColumnEdit::Rename { from, to } => write!(text, ", {from} is {to}"),
                ColumnEdit::Retype { name, column_type } => {
                    write!(text, ", {name} as {column_type}")
                }
            };
        }
    }
    Ok(text)
}

#[test]
fn columns_follow_in_an_order_in_which_no_value_is_lost() {
    let nine = DefaultValue::Constant(Constant::Number("9".to_owned()));
    let edits = vec![
        added(column("a", "int", DefaultValue::Absent)),
        added(column("n", "bigint", nine)),
        change::ColumnEdit::Retyped {
            name: "b".to_owned(),
            from: None,
            to: column("b", "bigint", DefaultValue::Absent),
        },
        renamed("a", "b"),
        change::ColumnEdit::Dropped { name: "b".to_owned() },
        change::ColumnEdit::Reordered,
        change::ColumnEdit::KeyChanged,
    ];
    insta::assert_snapshot!(told(vec![altered("orders", edits)]).expect("told"), @"lake/shop/orders of shop.orders: Keep, a is b, add a int32 null: true, add n int64 null: false, b as int64, drop b");
    let chain = vec![renamed("a", "b"), renamed("b", "c"), renamed("c", "d")];
    insta::assert_snapshot!(told(vec![altered("orders", chain)]).expect("told"), @"lake/shop/orders of shop.orders: Keep, c is d, b is c, a is b");
    insta::assert_snapshot!(told(vec![TableAction::Truncated { table: name("lines") }]).expect("told"), @"lake/shop/lines of shop.lines: Remove");
}

#[test]
fn what_concerns_no_row_and_no_column_asks_for_nothing() {
    let other = altered("nothing_yet", vec![renamed("a", "b")]);
    let order = altered("orders", vec![change::ColumnEdit::Reordered]);
    let new = TableAction::Created { table: name("orders"), replaces: false };
    for action in [other, order, new, altered("users", Vec::new())] {
        assert_eq!(told(vec![action.clone()]).as_deref(), Ok(""), "{action:?}");
    }
}

#[test]
fn what_cannot_be_told_stops_with_the_reason() {
    let unknown = RowsEffect::Unknown("a column changes its type");
    let drop = change::ColumnEdit::Dropped { name: "a".to_owned() };
    let cases = [
        vec![TableAction::Altered { table: name("orders"), edits: Vec::new(), rows: unknown }],
        vec![TableAction::Dropped { table: name("orders") }],
        vec![TableAction::Created { table: name("orders"), replaces: true }],
        vec![TableAction::Renamed { from: name("orders"), to: name("old") }],
        vec![altered("users", vec![drop])],
        vec![altered("orders", vec![renamed("a", "b"), renamed("b", "a")])],
        vec![altered("orders", vec![added(column("c", "hyper", DefaultValue::Null))])],
        vec![altered("orders", vec![added(column("c", "int", DefaultValue::Computed))])],
    ];
    let mut texts: Vec<String> =
        cases.into_iter().map(|case| told(case).expect_err("stops")).collect();
    texts.push(merge("lake/{db}").edits(&statement(None), &seen()).expect_err("stops"));
    let both =
        vec![altered("orders", vec![renamed("a", "b")]), altered("lines", vec![renamed("a", "b")])];
    texts.push(merge("lake/{db}").edits(&statement(Some(both)), &seen()).expect_err("stops"));
    let receiving = SchemaChange { receives: vec![name("lines")], ..statement(Some(Vec::new())) };
    texts.push(merge("lake/{db}").edits(&receiving, &seen()).expect_err("stops"));
    insta::assert_snapshot!(texts.join("\n"), @r"
    a column changes its type
    the target of a dropped table is not removed
    it replaces the table
    a renamed table takes its rows along
    what it means behind the plugin `mask` is not known
    `a` takes the name `b`, and the other way round
    the type of the column `c` is not known
    the default of the column `c` is not known
    the statement is not understood
    it changes the target lake/shop twice
    rows come into shop.lines that no row event tells of
    ");
}

#[test]
fn the_policy_passes_what_changes_nothing_follows_what_is_told_and_stops_at_the_rest() {
    let harmless = || statement(Some(vec![altered("orders", Vec::new())]));
    let rename = || statement(Some(vec![altered("orders", vec![renamed("a", "b")])]));
    let drop = || statement(Some(vec![TableAction::Dropped { table: name("orders") }]));
    let strict = SchemaPolicy::default();
    assert!(matches!(strict.decide(harmless(), &seen()), Ok(Passed::Harmless)));
    insta::assert_snapshot!(strict.decide(rename(), &seen()).expect_err("stops"), @"Alter of shop.orders at log.000001:400: ALTER TABLE orders");
    let following = SchemaPolicy::default().merging(Some(merge("lake/{table}")));
    assert!(matches!(following.decide(harmless(), &seen()), Ok(Passed::Harmless)));
    let followed = following.decide(rename(), &seen());
    assert!(matches!(followed, Ok(Passed::Edited(told)) if told.edits.len() == 1));
    insta::assert_snapshot!(following.decide(drop(), &seen()).expect_err("stops"), @"Alter of shop.orders at log.000001:400: ALTER TABLE orders (the target cannot follow: the target of a dropped table is not removed)");
    let before = Position::at("log.000001", 380);
    let accepting = SchemaPolicy::accepting(Some(before)).merging(Some(merge("lake/{table}")));
    assert!(matches!(accepting.decide(rename(), &seen()), Ok(Passed::Accepted(_))));
}
