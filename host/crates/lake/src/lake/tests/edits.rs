//! Columns that come, go and change, and rows that go without row events; read back by two readers.

use arrow_array::{
    ArrayRef, Float32Array, Int16Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
use change::{Column, ColumnType, KeyProof, OutputSchema, TableName};

use super::*;
use crate::changes::ChangeCounts;
use crate::edit::{ColumnEdit, Recast, RowsEdit, TableEdit};
use crate::sources::{SourceKey, SourceKeys};
use crate::stored::StoredSchema;
use crate::testing::lines;

/// Rows of `shop.<table>` with these columns; the first two, `shard` and `id`, identify a row.
fn rows_of(
    target: &TargetPath,
    table: &str,
    keys: &[i64],
    columns: Vec<(&str, ColumnType, ArrayRef)>,
) -> TargetChanges {
    let shards: ArrayRef = Arc::new(StringArray::from(vec![table; keys.len()]));
    let ids: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
    let all = [("shard", ColumnType::Utf8, shards), ("id", ColumnType::Int64, ids)];
    let all: Vec<_> = all.into_iter().chain(columns).collect();
    let output = OutputSchema {
        source: TableName::new("shop", table),
        columns: all.iter().map(|(n, t, _)| Column::made(*n, *t, true)).collect(),
        id_columns: vec![0, 1],
        key_proof: KeyProof::Source,
    };
    let schema = Arc::new(StoredSchema::of(&output).expect("a schema"));
    let stored: Vec<ArrayRef> = all.into_iter().map(|(_, _, c)| c).collect();
    let stored = schema.convert(&stored).expect("converted");
    TargetChanges {
        target: target.clone(),
        rows: RecordBatch::try_new(Arc::clone(schema.arrow()), stored).expect("a batch"),
        rows_inserted: arrow_buffer::BooleanBuffer::new_unset(keys.len()),
        gone: RecordBatch::new_empty(schema.id_arrow()),
        gone_inserted: arrow_buffer::BooleanBuffer::new_unset(0),
        gone_counts: None,
        counts: ChangeCounts::default(),
        sources: Arc::new(SourceKeys {
            id_columns: vec!["shard".into(), "id".into()],
            whole_row: false,
            incomplete: false,
            tables: ["a", "b"].map(source_key).to_vec(),
        }),
        absent: Default::default(),
        gaps: None,
        schema,
    }
}

fn source_key(table: &str) -> SourceKey {
    let constants = vec![Some(format!("\"{table}\"")), None];
    SourceKey { table: TableName::new("shop", table), constants }
}

fn int16(values: &[Option<i16>]) -> ArrayRef {
    Arc::new(Int16Array::from(values.to_vec()))
}

fn add(name: &str, column_type: ColumnType, default: Option<ArrayRef>) -> ColumnEdit {
    ColumnEdit::Add { column: Column::made(name, column_type, true), default }
}

struct Edited {
    root: tempfile::TempDir,
    lake: Lake,
    target: TargetPath,
    number: u64,
}

impl Edited {
    /// Rows a:1, a:2 and b:1 with `v` = 1, NULL and 3, in two files, a dead row among them.
    async fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(options(root.path())).await.expect("opened");
        let target = target(root.path(), "t");
        let mut edited = Self { root, lake, target, number: 0 };
        edited
            .write(
                "a",
                &[1, 2, 3],
                vec![("v", ColumnType::Int16, int16(&[Some(9), None, Some(8)]))],
            )
            .await;
        edited.write("b", &[1], vec![("v", ColumnType::Int16, int16(&[Some(3)]))]).await;
        edited.write("a", &[1], vec![("v", ColumnType::Int16, int16(&[Some(1)]))]).await;
        let mut gone = rows_of(&edited.target, "a", &[3], vec![]);
        gone.gone = gone.rows.clone();
        gone.gone_inserted = gone.rows_inserted.clone();
        gone.rows = RecordBatch::new_empty(gone.rows.schema());
        gone.rows_inserted = arrow_buffer::BooleanBuffer::new_unset(0);
        edited.commit(gone).await;
        edited
    }

    async fn write(
        &mut self,
        table: &str,
        keys: &[i64],
        columns: Vec<(&str, ColumnType, ArrayRef)>,
    ) {
        let changes = rows_of(&self.target, table, keys, columns);
        self.commit(changes).await;
    }

    async fn commit(&mut self, changes: TargetChanges) {
        self.number += 1;
        self.lake.commit(epoch(self.number, vec![changes])).await.expect("committed");
    }

    /// A statement on table `a`.
    async fn edit(&mut self, rows: RowsEdit, columns: Vec<ColumnEdit>) -> Result<(), LakeError> {
        self.number += 1;
        let edit = TableEdit {
            target: self.target.clone(),
            source: TableName::new("shop", "a"),
            rows,
            columns,
        };
        let statement = Statement {
            number: self.number - 1,
            all_durable: at((self.number - 1) * 100),
            end: at(self.number * 100),
            edits: vec![edit],
        };
        let durable = self.lake.edit(statement.clone()).await?;
        assert_eq!(durable.position(), &statement.end);
        // A replay, as after a crash before the checkpoint, changes nothing.
        let version =
            crate::show(&self.target.0, &StoreOptions::default()).await.expect("shown").version;
        let mut again = Lake::open(options(self.root.path())).await.expect("opened");
        assert_eq!(again.recovered().targets[&self.target].covered, Some(statement.end.clone()));
        again.edit(statement).await.expect("nothing to do");
        self.lake = again;
        let report = crate::show(&self.target.0, &StoreOptions::default()).await.expect("shown");
        assert_eq!(report.version, version, "a statement is applied once");
        Ok(())
    }

    async fn columns(&mut self, columns: Vec<ColumnEdit>) {
        self.edit(RowsEdit::Keep, columns).await.expect("edited");
    }

    async fn lines(&self) -> String {
        lines(&self.target).await
    }
}

/// CREATE OR REPLACE TABLE … SELECT of MariaDB: the statement and the rows are one transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_opens_a_transaction_is_followed_where_the_target_ended_before_it() {
    let mut t = Edited::new().await;
    let edit = TableEdit {
        target: t.target.clone(),
        source: TableName::new("shop", "a"),
        rows: RowsEdit::Remove,
        columns: Vec::new(),
    };
    let before = t.lines().await.lines().count();
    let place = at(t.number * 100);
    let (number, all_durable) = (t.number, place.clone());
    let statement = Statement { number, all_durable, end: place, edits: vec![edit] };
    t.lake.edit(statement.clone()).await.expect("followed");
    assert_eq!(t.lines().await.lines().count(), before - 2, "both rows of the table are gone");
    t.write("a", &[7], vec![("v", ColumnType::Int16, int16(&[Some(7)]))]).await;
    let rows = t.lines().await;
    assert_eq!(rows.lines().count(), before - 1);
    t.lake.edit(statement).await.expect("nothing to do");
    assert_eq!(t.lines().await, rows, "rows behind it stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_column_has_its_default_in_the_rows_of_its_table() {
    let mut t = Edited::new().await;
    t.columns(vec![add("plain", ColumnType::Utf8, None)]).await;
    let five: ArrayRef = Arc::new(UInt64Array::from(vec![5]));
    t.columns(vec![add("w", ColumnType::UInt64, Some(five.clone()))]).await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":1,"plain":null,"w":"5"}
    {"shard":"a","id":2,"v":null,"plain":null,"w":"5"}
    {"shard":"b","id":1,"v":3,"plain":null,"w":null}
    "#);
    // The other table follows with another default; a row that is written later has its own value.
    t.write(
        "a",
        &[2],
        vec![("v", ColumnType::Int16, int16(&[Some(2)])), ("w", ColumnType::UInt64, five)],
    )
    .await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":1,"plain":null,"w":"5"}
    {"shard":"a","id":2,"v":2,"plain":null,"w":"5"}
    {"shard":"b","id":1,"v":3,"plain":null,"w":null}
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_comes_again_brings_no_old_values() {
    let mut t = Edited::new().await;
    t.columns(vec![ColumnEdit::Drop { name: "v".into() }]).await;
    t.write("a", &[4], vec![]).await;
    t.columns(vec![add("v", ColumnType::Int16, None)]).await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":null}
    {"shard":"a","id":2,"v":null}
    {"shard":"a","id":4,"v":null}
    {"shard":"b","id":1,"v":3}
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_column_takes_its_values_along() {
    let mut t = Edited::new().await;
    t.columns(vec![ColumnEdit::Rename { from: "v".into(), to: "w".into() }]).await;
    t.write("a", &[4], vec![("w", ColumnType::Int16, int16(&[Some(4)]))]).await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":1,"w":1}
    {"shard":"a","id":2,"v":null,"w":null}
    {"shard":"a","id":4,"v":null,"w":4}
    {"shard":"b","id":1,"v":3,"w":null}
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_becomes_wider_and_never_narrower() {
    let mut t = Edited::new().await;
    let retype = |column_type| vec![ColumnEdit::Retype { name: "v".into(), column_type }];
    t.columns(retype(ColumnType::Int32)).await;
    // The other table still sends the narrow type.
    t.write("b", &[2], vec![("v", ColumnType::Int16, int16(&[Some(-7)]))]).await;
    t.columns(retype(ColumnType::Int8)).await;
    // A wider type comes with rows alone.
    let big: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
    t.write("a", &[5], vec![("v", ColumnType::UInt64, big)]).await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":"1"}
    {"shard":"a","id":2,"v":null}
    {"shard":"a","id":5,"v":"18446744073709551615"}
    {"shard":"b","id":1,"v":"3"}
    {"shard":"b","id":2,"v":"-7"}
    "#);
    let report = crate::show(&t.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!(report.columns[2].data_type, "decimal(20,0)");
    let error = t.edit(RowsEdit::Keep, retype(ColumnType::Utf8)).await.expect_err("refused");
    insta::assert_snapshot!(foreign::plain(&t.target, &error), @"TARGET: the columns do not fit the table: column `v` is Decimal128(20, 0) in the target and becomes Utf8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_float_becomes_a_double() {
    let mut t = Edited::new().await;
    let half: ArrayRef = Arc::new(Float32Array::from(vec![0.1]));
    t.write("a", &[1], vec![("f", ColumnType::Float32, half)]).await;
    t.columns(vec![ColumnEdit::Retype { name: "f".into(), column_type: ColumnType::Float64 }])
        .await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":null,"f":0.10000000149011612}
    {"shard":"a","id":2,"v":null,"f":null}
    {"shard":"b","id":1,"v":3,"f":null}
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn truncate_takes_the_rows_of_its_table_alone() {
    let mut t = Edited::new().await;
    t.edit(RowsEdit::Remove, vec![]).await.expect("edited");
    insta::assert_snapshot!(t.lines().await, @r#"{"shard":"b","id":1,"v":3}"#);
    // Alone in its target, it leaves no file.
    let mut alone = Simple::new().await;
    alone.commit(&[(1, insert(1)), (2, insert(2))]).await.expect("committed");
    let edit = TableEdit {
        target: alone.target.clone(),
        source: TableName::new("shop", "orders"),
        rows: RowsEdit::Remove,
        columns: vec![],
    };
    let statement = Statement { number: 1, all_durable: at(100), end: at(200), edits: vec![edit] };
    alone.lake.edit(statement).await.expect("edited");
    let report = crate::show(&alone.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!((report.files, report.position), (0, Some(at(200))));
    alone.number = 2;
    alone.commit(&[(1, insert(7))]).await.expect("committed");
    assert_eq!(alone.rows().await, [(1, 7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_does_not_fit_changes_nothing() {
    let cases = [
        ColumnEdit::Drop { name: "id".into() },
        ColumnEdit::Rename { from: "shard".into(), to: "x".into() },
        add("V", ColumnType::Int16, None),
        add("v", ColumnType::Utf8, None),
    ];
    let mut texts = Vec::new();
    for case in cases {
        let mut t = Edited::new().await;
        let before = t.lines().await;
        let error = t.edit(RowsEdit::Keep, vec![case]).await.expect_err("refused");
        texts.push(foreign::plain(&t.target, &error));
        assert_eq!(t.lines().await, before);
    }
    let mut t = Edited::new().await;
    let mut refusing = options(t.root.path());
    refusing.new_columns = NewColumns::Refuse;
    t.lake = Lake::open(refusing).await.expect("opened");
    let error = t.edit(RowsEdit::Keep, vec![add("x", ColumnType::Int16, None)]).await;
    texts.push(foreign::plain(&t.target, &error.expect_err("refused")));
    insta::assert_snapshot!(texts.join("\n"), @r#"
    TARGET: the columns do not fit the table: id column `id` is dropped
    TARGET: the columns do not fit the table: id column `shard` is renamed
    TARGET: the columns do not fit the table: column `V` differs from the target's `v` by case only
    TARGET: the columns do not fit the table: column `v` is Int16 in the target and becomes Utf8
    TARGET: the columns do not fit the table: a statement on table shop.a changes them
    "#);
}

#[test]
fn rows_without_a_key_follow_in_a_target_of_their_own_only() {
    let edit = TableEdit {
        target: TargetPath("/lake/t".into()),
        source: TableName::new("shop", "a"),
        rows: RowsEdit::Remove,
        columns: vec![],
    };
    let sources = |tables: &[&str]| {
        let table = |table: &&str| SourceKey {
            table: TableName::new("shop", *table),
            constants: Vec::new(),
        };
        let tables = tables.iter().map(table).collect();
        SourceKeys { id_columns: vec!["v".into()], whole_row: true, incomplete: false, tables }
    };
    let columns = Arc::new(Schema::new(vec![Field::new("v", DataType::Int16, true)]));
    let recast =
        |tables: &[&str]| Recast::of(&edit, &columns, &[], Some(&sources(tables)), NewColumns::Add);
    assert!(recast(&["a"]).expect("its own target").empties());
    assert!(!recast(&["b"]).expect("none of its rows").empties());
    insta::assert_snapshot!(recast(&["a", "b"]).expect_err("refused"), @"/lake/t: the columns do not fit the table: nothing tells the rows of shop.a from those of other tables");
}

/// As if others had made the table: it tells neither its id columns nor a pipeline.
async fn made_by_others() -> Edited {
    let root = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(options(root.path())).await.expect("opened");
    let target = target(root.path(), "t");
    let mut t = Edited { root, lake, target, number: 0 };
    let values = vec![("v", ColumnType::Int16, int16(&[Some(1), Some(2)]))];
    t.write("a", &[1, 2], values).await;
    foreign::strip_sluice(&std::path::Path::new(&*t.target.0).join("_delta_log"));
    t.lake = Lake::open(options(t.root.path())).await.expect("opened");
    t
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_others_made_keeps_its_rows_where_its_columns_change() {
    // A wider type comes with the first row.
    let mut t = made_by_others().await;
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
    t.number = 0;
    t.write("a", &[3], vec![("v", ColumnType::Int64, wide)]).await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":1}
    {"shard":"a","id":2,"v":2}
    {"shard":"a","id":3,"v":1099511627776}
    "#);
    // Behind a restart the table still tells no id columns, its commits do.
    t.lake = Lake::open(options(t.root.path())).await.expect("opened");
    let five: ArrayRef = Arc::new(Int64Array::from(vec![5]));
    t.columns(vec![add("w", ColumnType::Int64, Some(five.clone()))]).await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":1,"w":5}
    {"shard":"a","id":2,"v":2,"w":5}
    {"shard":"a","id":3,"v":1099511627776,"w":5}
    "#);
    // A statement before any row: nothing at all is known of them.
    let mut t = made_by_others().await;
    t.columns(vec![add("w", ColumnType::Int64, Some(five))]).await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":1,"w":5}
    {"shard":"a","id":2,"v":2,"w":5}
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_null_everywhere_rewrites_no_file() {
    let mut t = Edited::new().await;
    let files = |folder: &str| {
        let names = std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = files(&t.target.0);
    let null: ArrayRef = Arc::new(Int64Array::from(vec![None]));
    t.columns(vec![add("w", ColumnType::Int64, Some(null))]).await;
    assert_eq!(files(&t.target.0), before, "no data file is new");
    let log = std::path::Path::new(&*t.target.0).join("_delta_log/00000000000000000005.json");
    let entry = std::fs::read_to_string(log).expect("the newest entry");
    assert!(entry.contains("\"w\"") || entry.contains("\\\"w\\\""), "{entry}");
    assert!(!entry.contains("\"remove\":"), "{entry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_found_in_any_letter_case_and_missing_ones_stop() {
    let mut t = Edited::new().await;
    t.columns(vec![ColumnEdit::Rename { from: "V".into(), to: "w".into() }]).await;
    t.columns(vec![ColumnEdit::Retype { name: "W".into(), column_type: ColumnType::Int64 }]).await;
    insta::assert_snapshot!(t.lines().await, @r#"
    {"shard":"a","id":1,"v":1,"w":1}
    {"shard":"a","id":2,"v":null,"w":null}
    {"shard":"b","id":1,"v":3,"w":null}
    "#);
    let report = crate::show(&t.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!(report.columns[3].data_type, "long");
    let cases = [
        ColumnEdit::Drop { name: "ID".into() },
        ColumnEdit::Rename { from: "gone".into(), to: "x".into() },
        ColumnEdit::Rename { from: "v".into(), to: "x y".into() },
        add("x=y", ColumnType::Int16, None),
        add("id", ColumnType::Int64, None),
    ];
    let mut texts = Vec::new();
    for case in cases {
        let mut t = Edited::new().await;
        let error = t.edit(RowsEdit::Keep, vec![case]).await.expect_err("refused");
        texts.push(foreign::plain(&t.target, &error));
    }
    insta::assert_snapshot!(texts.join("\n"), @r"
    TARGET: the columns do not fit the table: id column `ID` is dropped
    TARGET: the columns do not fit the table: column `gone`, which gets another name, is not there
    TARGET: the columns do not fit the table: column `x y` has one of the characters ` ,;{}()=`, a tab or a newline in its name, which Delta tables cannot have
    TARGET: the columns do not fit the table: column `x=y` has one of the characters ` ,;{}()=`, a tab or a newline in its name, which Delta tables cannot have
    TARGET: the columns do not fit the table: id column `id` is added
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_source_tables_that_are_not_known_any_more_are_not_removed() {
    let mut t = Edited::new().await;
    t.lake.tables.get_mut(&t.target).expect("open").forget_sources_for_test();
    // What is known from here on tells nothing of the rows from before.
    t.write("a", &[9], vec![]).await;
    t.lake = Lake::open(options(t.root.path())).await.expect("opened");
    let before = t.lines().await;
    let error = t.edit(RowsEdit::Remove, vec![]).await.expect_err("refused");
    insta::assert_snapshot!(foreign::plain(&t.target, &error), @"TARGET: the columns do not fit the table: which of its rows are of which source table is not known any more");
    assert_eq!(t.lines().await, before);
}

#[test]
fn a_number_is_the_same_constant_in_a_wider_type() {
    let columns = |data_type| Arc::new(Schema::new(vec![Field::new("shard", data_type, true)]));
    let mut keys = SourceKeys {
        id_columns: vec!["shard".into()],
        whole_row: false,
        incomplete: false,
        tables: ["a", "b"].map(source_key).to_vec(),
    };
    for (known, wide) in [("7", "7"), ("\"7\"", "7"), ("\"7.00\"", "7"), ("\"7.50\"", "\"7.5\"")] {
        keys.tables[0].constants = vec![Some(known.to_owned())];
        keys.settle(&columns(DataType::Decimal128(20, 2)));
        assert_eq!(keys.tables[0].constants, [Some(wide.to_owned())], "{known}");
    }
    keys.tables[0].constants = vec![Some("\"7.50\"".to_owned())];
    keys.settle(&columns(DataType::Utf8));
    assert_eq!(keys.tables[0].constants, [Some("\"7.50\"".to_owned())], "a text stays");
    // TRUNCATE finds the rows of a table whose constant was remembered of an integer.
    let before = columns(DataType::Decimal128(20, 0));
    keys.tables[0].constants = vec![Some("7".to_owned())];
    keys.tables[1].constants = vec![Some("8".to_owned())];
    let edit = TableEdit {
        target: TargetPath("/lake/t".into()),
        source: TableName::new("shop", "a"),
        rows: RowsEdit::Remove,
        columns: vec![],
    };
    let recast = Recast::of(&edit, &before, &[], Some(&keys), NewColumns::Add).expect("told");
    let shards = arrow_array::Decimal128Array::from(vec![7, 8, 7]);
    let shards: ArrayRef = Arc::new(shards.with_precision_and_scale(20, 0).expect("fits"));
    let rows = RecordBatch::try_new(before.clone(), vec![shards]).expect("a batch");
    assert_eq!(recast.apply(&rows).expect("applied").num_rows(), 1);
    // Rows were written, and no column tells them.
    keys.tables[0].constants = vec![None];
    let error = Recast::of(&edit, &before, &[], Some(&keys), NewColumns::Add);
    insta::assert_snapshot!(error.expect_err("refused"), @"/lake/t: the columns do not fit the table: no id column tells the rows of shop.a from others");
}

#[test]
fn whole_rows_of_two_tables_become_wider_together() {
    let edit = |columns| TableEdit {
        target: TargetPath("/lake/t".into()),
        source: TableName::new("shop", "a"),
        rows: RowsEdit::Keep,
        columns,
    };
    let sources = SourceKeys {
        id_columns: vec!["v".into()],
        whole_row: true,
        incomplete: false,
        tables: ["a", "b"].map(source_key).to_vec(),
    };
    let columns = Arc::new(Schema::new(vec![Field::new("v", DataType::Int16, true)]));
    let recast =
        |columns_| Recast::of(&edit(columns_), &columns, &[], Some(&sources), NewColumns::Add);
    let wide = vec![ColumnEdit::Retype { name: "v".into(), column_type: ColumnType::Int64 }];
    assert_eq!(recast(wide).expect("wider").after.field(0).data_type(), &DataType::Int64);
    recast(vec![add("w", ColumnType::Int16, None)]).expect("NULL everywhere");
    recast(vec![ColumnEdit::Rename { from: "v".into(), to: "w".into() }]).expect_err("whose rows?");
}
