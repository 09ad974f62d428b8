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
    let path = PathTemplate::parse(path).expect("a template");
    SchemaMerge { path, plugins, dropped: DroppedTables::Keep }
}

fn name(table: &str) -> TableName {
    TableName::new("shop", table)
}

fn seen() -> SeenTables {
    let names = ["orders", "users", "lines"].map(name).into();
    SeenTables { names, new: [name("fresh")].into(), ..SeenTables::default() }
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
    let new = TableAction::Created { table: name("orders"), replaces: false, may_exist: false };
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
    let stopping = SchemaMerge { dropped: DroppedTables::Stop, ..merge("lake/{table}") };
    let stopping = SchemaPolicy::default().merging(Some(stopping));
    insta::assert_snapshot!(stopping.decide(drop(), &seen()).expect_err("stops"), @r#"Alter of shop.orders at log.000001:400: ALTER TABLE orders (the target cannot follow: shop.orders is gone, and `dropped-tables` is "stop")"#);
    let before = Position::at("log.000001", 380);
    let accepting = SchemaPolicy::accepting(Some(before)).merging(Some(merge("lake/{table}")));
    assert!(matches!(accepting.decide(rename(), &seen()), Ok(Passed::Accepted(_))));
}

fn moved(from: &str, to: &str) -> TableAction {
    TableAction::Renamed { from: name(from), to: name(to) }
}

/// The edits of a RENAME TABLE of captured tables; `x…` are not captured.
fn told_of_renames(path: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
    let tables = pairs.iter().flat_map(|(from, to)| [*from, *to]);
    let captured: Vec<TableName> = tables.filter(|t| !t.starts_with('x')).map(name).collect();
    let receives = pairs.iter().map(|(_, to)| name(to)).filter(|t| captured.contains(t)).collect();
    let actions = pairs.iter().map(|(from, to)| moved(from, to)).collect();
    let change = SchemaChange { tables: captured, receives, ..statement(Some(actions)) };
    let edits = merge(path).edits(&change, &seen())?;
    let told = |edit: TableEdit| match edit.rows {
        RowsEdit::Take { from, .. } => format!("{} takes {from}", edit.target),
        rows => format!("{} {rows:?}", edit.target),
    };
    Ok(edits.into_iter().map(told).collect::<Vec<_>>().join(", "))
}

#[test]
fn rows_go_where_their_table_goes() {
    let cases: [&[(&str, &str)]; 9] = [
        &[("orders", "old")],
        &[("orders", "tmp"), ("lines", "orders"), ("tmp", "lines")],
        &[("orders", "old"), ("fresh", "orders")],
        &[("fresh", "other")],
        &[("orders", "xelsewhere")],
        &[("xelsewhere", "other")],
        &[("silent", "other")],
        &[("users", "people")],
        &[("orders", "Lines"), ("lines", "b")],
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|pairs| {
            told_of_renames("lake/{table}", pairs).unwrap_or_else(|why| format!("! {why}"))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    lake/old takes lake/orders, lake/orders Vacate
    lake/lines takes lake/orders, lake/orders takes lake/lines
    lake/old takes lake/orders, lake/orders Vacate
    lake/other Vacate
    lake/orders Abandon
    ! rows come into shop.other that no row event tells of
    ! which rows shop.silent had before the log begins is not known
    ! what it means behind the plugin `mask` is not known
    ! whether rows come as shop.Lines or as shop.lines is not known
    ");
    let shared = [
        told_of_renames("lake/{db}", &[("orders", "old")]),
        told_of_renames("lake/{db}", &[("orders", "t"), ("lines", "orders"), ("t", "lines")]),
    ];
    insta::assert_snapshot!(format!("{shared:?}"), @r#"[Ok("lake/shop Renamed { from: TableName { database: \"shop\", table: \"orders\" } }"), Err("tables change places within the target lake/shop")]"#);
}

#[test]
fn what_is_seen_of_a_table_goes_with_its_name() {
    let renamed = SchemaChange {
        tables: vec![name("orders"), name("old"), name("fresh"), name("newer")],
        ..statement(Some(vec![moved("orders", "old"), moved("fresh", "newer")]))
    };
    let behind = seen().behind(&renamed);
    // A run that meets the statement again still has to know the old name.
    assert!(behind.may_hold(&name("old")) && behind.may_hold(&name("orders")));
    assert!(behind.is_new(&name("newer")) && !behind.may_hold(&name("newer")));
    let made = |may_exist| TableAction::Created { table: name("made"), replaces: false, may_exist };
    assert!(seen().behind(&statement(Some(vec![made(false)]))).is_new(&name("made")));
    assert!(!seen().behind(&statement(Some(vec![made(true)]))).is_new(&name("made")));
}
