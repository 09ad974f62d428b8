//! Tests of the fold, case by case; `oracle` has the random ones.

use arrow_array::{
    Array, ArrayRef, Decimal128Array, Int32Array, Int64Array, StringArray, UInt64Array,
};
use arrow_buffer::BooleanBuffer;
use change::{
    Column, ColumnType, Diagnose, Images, KeyProof, Presence, Route, TableName, TableSchema,
};
use serde_json::{Value, json};

use super::*;
use crate::changes::ChangeCounts;
use crate::stored::text;

use ImageKind::{After, Before, Delete, Insert};

fn options() -> FoldOptions {
    FoldOptions {
        path: PathTemplate::parse("/lake/{table}").expect("valid"),
        targets_max: 4,
        deletes: Deletes::Remove,
        covered: HashMap::new(),
        sources: HashMap::new(),
    }
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// A batch of one event in one transaction that goes whole to `/lake/all`.
fn batch(
    table: &str,
    kinds: &[ImageKind],
    columns: Vec<(&str, ColumnType, ArrayRef)>,
    ids: &[usize],
) -> Transformed {
    let transaction = Transaction {
        file: "bin.000007".into(),
        start: 100,
        end: 900,
        gtid: None,
        commit_micros: 0,
        server_id: 1,
    };
    let mark = Mark {
        images_end: u32::try_from(kinds.len()).expect("small"),
        transaction: Arc::new(transaction),
        event_offset: 200,
        first_row: 0,
    };
    let name = TableName::new("shop", table);
    let output = |(n, t, _): &(&str, ColumnType, ArrayRef)| Column::made(*n, *t, true);
    let schema = OutputSchema {
        source: name.clone(),
        columns: columns.iter().map(output).collect(),
        id_columns: ids.to_vec(),
        key_proof: KeyProof::Source,
    };
    let source = TableSchema {
        name,
        columns: Vec::new(),
        primary_key: None,
        unique_keys: None,
        properties: Vec::new(),
    };
    Transformed {
        source: Arc::new(source),
        images: Arc::new(Images::new(kinds.to_vec(), vec![mark]).expect("in order")),
        schema: Arc::new(schema),
        columns: columns.into_iter().map(|(_, _, c)| c).collect(),
        presence: Presence::default(),
        keep: None,
        routing: Routing::Whole(Arc::new(Route::of_table("shop", "all"))),
        rejected: Vec::new(),
    }
}

fn numbered(table: &str, changes: &[(ImageKind, i64, i64)]) -> Transformed {
    let kinds: Vec<_> = changes.iter().map(|c| c.0).collect();
    let id = ints(&changes.iter().map(|c| c.1).collect::<Vec<_>>());
    let value = ints(&changes.iter().map(|c| c.2).collect::<Vec<_>>());
    let columns = vec![("id", ColumnType::Int64, id), ("value", ColumnType::Int64, value)];
    batch(table, &kinds, columns, &[0])
}

fn sharded(table: &str, shard: &str, ids: &[i64]) -> Transformed {
    let columns = vec![
        ("shard", ColumnType::Utf8, texts(&vec![shard; ids.len()])),
        ("id", ColumnType::Int64, ints(ids)),
    ];
    batch(table, &vec![Insert; ids.len()], columns, &[0, 1])
}

fn routed(mut batch: Transformed, names: &[&str]) -> Transformed {
    let routes = names.iter().map(|n| Arc::new(Route::of_table("shop", n))).collect();
    let images = (0..batch.images.len()).map(|i| u32::try_from(i % names.len()).expect("small"));
    batch.routing = Routing::PerImage { routes, images: images.collect() };
    batch
}

fn kept(mut batch: Transformed, keep: &[bool]) -> Transformed {
    batch.keep = Some(BooleanBuffer::from(keep.to_vec()));
    batch
}

fn fold(batches: &[Transformed]) -> Result<Vec<TargetChanges>, LakeError> {
    let mut fold = Fold::new(options());
    batches.iter().try_for_each(|b| fold.push(b))?;
    fold.take()
}

fn told(error: &LakeError) -> String {
    format!("{error}\n  {}", error.hint().unwrap_or_default())
}

fn rows(changes: &TargetChanges) -> Vec<Value> {
    lines(&changes.rows)
}

fn lines(rows: &arrow_array::RecordBatch) -> Vec<Value> {
    let row = |r| rows.columns().iter().map(|c| text::value(c, r, false)).collect::<Option<_>>();
    (0..rows.num_rows()).map(|r| Value::Array(row(r).expect("stored types"))).collect()
}

#[test]
fn the_last_change_of_a_key_wins_and_its_first_one_decides_the_flag() {
    let changes = fold(&[
        numbered("t", &[(Insert, 3, 30), (Before, 1, 10), (After, 1, 11), (Delete, 2, 20)]),
        numbered("t", &[(Insert, 2, 21), (Insert, 4, 40), (Delete, 4, 40), (Delete, 5, 50)]),
        numbered("t", &[(Before, 3, 30), (After, 6, 30)]),
    ]);
    let changes = changes.expect("folds");
    let [all] = changes.as_slice() else { panic!("one target") };
    assert_eq!(rows(all), [json!([1, 11]), json!([2, 21]), json!([6, 30])]);
    assert_eq!(all.rows_inserted, BooleanBuffer::from(vec![false, false, false]));
    assert_eq!(lines(&all.gone), [json!([3]), json!([4]), json!([5])]);
    assert_eq!(all.gone_inserted, BooleanBuffer::from(vec![true, true, false]));
    assert_eq!(all.counts, ChangeCounts { inserted: 3, updated: 2, deleted: 4 });
}

#[test]
fn inserts_are_flagged_only_where_the_key_is_proven() {
    let mut batch = numbered("t", &[(Insert, 1, 10)]);
    assert!(fold(&[batch.clone()]).expect("folds")[0].rows_inserted.value(0));
    Arc::make_mut(&mut batch.schema).key_proof = KeyProof::Trusted;
    assert!(!fold(&[batch]).expect("folds")[0].rows_inserted.value(0));
}

#[test]
fn a_before_image_counts_as_deleted_unless_its_own_row_is_written() {
    let batch = numbered("t", &[(Before, 1, 0), (After, 1, 1), (Before, 1, 1), (After, 1, 2)]);
    let counts = |keep: &[bool]| fold(&[kept(batch.clone(), keep)]).expect("folds")[0].counts;
    let of = |updated, deleted| ChangeCounts { inserted: 0, updated, deleted };
    assert_eq!(counts(&[true, true, true, true]), of(2, 0));
    assert_eq!(counts(&[true, false, false, true]), of(1, 1));
    assert_eq!(counts(&[true, true, true, false]), of(1, 1));
}

#[test]
fn keys_are_values_bit_by_bit() {
    let columns = |a: &[&str], b: &[&str]| {
        vec![("a", ColumnType::Utf8, texts(a)), ("b", ColumnType::Utf8, texts(b))]
    };
    let a = ["a", "A", "1", "12", "", "a "];
    let b = ["", "", "23", "3", "a", ""];
    let changes = fold(&[batch("t", &[Insert; 6], columns(&a, &b), &[0, 1])]).expect("folds");
    let expected =
        [["", "a"], ["1", "23"], ["12", "3"], ["A", ""], ["a", ""], ["a ", ""]].map(|r| json!(r));
    assert_eq!(rows(&changes[0]), expected);
}

#[test]
fn keys_of_every_kind_are_sorted_by_value() {
    let max = u64::MAX;
    let columns: Vec<(ColumnType, ArrayRef, Value)> = vec![
        (
            ColumnType::Int64,
            ints(&[5, i64::MIN, -1, i64::MAX, 0]),
            json!(["-9223372036854775808", -1, 0, 5, "9223372036854775807"]),
        ),
        (
            ColumnType::Int32,
            Arc::new(Int32Array::from(vec![3, -3, i32::MIN])),
            json!([i32::MIN, -3, 3]),
        ),
        (
            ColumnType::UInt64,
            Arc::new(UInt64Array::from(vec![max, 0, 1 << 63, 7])),
            json!(["0", "7", "9223372036854775808", "18446744073709551615"]),
        ),
        (
            ColumnType::Utf8,
            // They differ behind the first sixteen bytes.
            texts(&["0123456789abcdefz", "0123456789abcdefa", "0123456789abcdef", "\u{e4}"]),
            json!(["0123456789abcdef", "0123456789abcdefa", "0123456789abcdefz", "\u{e4}"]),
        ),
    ];
    for (column_type, column, expected) in columns {
        let kinds = vec![Insert; column.len()];
        let changes = fold(&[batch("t", &kinds, vec![("k", column_type, column)], &[0])]);
        let changes = changes.expect("folds");
        let found: Vec<Value> = rows(&changes[0]).into_iter().map(|r| r[0].clone()).collect();
        assert_eq!(Value::Array(found), expected, "{column_type}");
    }
}

#[test]
fn rows_of_many_batches_come_out_in_order_however_they_lie() {
    // Ascending runs are sliced, scattered rows interleaved, rows of one batch taken.
    for step in [1, 7, 499] {
        let ids: Vec<i64> = (0..500).map(|i| i * step % 500).collect();
        let batches: Vec<_> = ids
            .chunks(90)
            .map(|ids| numbered("t", &ids.iter().map(|i| (Insert, *i, i * 10)).collect::<Vec<_>>()))
            .collect();
        let changes = fold(&batches).expect("folds");
        let expected: Vec<Value> = (0..500).map(|i| json!([i, i * 10])).collect();
        assert_eq!(rows(&changes[0]), expected, "step {step}");
    }
    let ids: Vec<_> = (0..100).map(|i| (Insert, i * 3 % 100, i)).collect();
    let changes = fold(&[numbered("t", &ids)]).expect("folds");
    assert_eq!(changes[0].rows.num_rows(), 100);
}

#[test]
fn null_in_an_id_column_stops_with_the_place_unless_the_image_is_not_kept() {
    let id: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let batch = batch("t", &[Insert; 2], vec![("id", ColumnType::Int64, id)], &[0]);
    let error = fold(std::slice::from_ref(&batch)).unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    id column `id` of table shop.t is NULL in a row at bin.000007:200
      name id columns that are never NULL, or add a filter plugin that drops rows without `id`
    "#);
    assert_eq!(fold(&[kept(batch, &[true, false])]).expect("folds")[0].rows.num_rows(), 1);
}

#[test]
fn a_decimal_beyond_its_type_stops_unless_the_image_is_not_kept() {
    let price = Decimal128Array::from(vec![9999, 10000]).with_precision_and_scale(4, 2);
    let columns = vec![
        ("id", ColumnType::Int64, ints(&[1, 2])),
        (
            "price",
            ColumnType::Decimal { precision: 4, scale: 2 },
            Arc::new(price.expect("valid")) as ArrayRef,
        ),
    ];
    let batch = batch("t", &[Insert; 2], columns, &[0]);
    let error = fold(std::slice::from_ref(&batch)).unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    a value of column `price` of table shop.t has more digits than decimal(4) holds, in a row at bin.000007:200
      give `price` a wider decimal type in the plugin that makes it
    "#);
    assert_eq!(fold(&[kept(batch, &[true, false])]).expect("folds")[0].rows.num_rows(), 1);
}

#[test]
fn targets_are_limited_in_number_and_told_apart_by_more_than_case() {
    let rows: Vec<_> = (0..5).map(|i| (Insert, i, 0)).collect();
    let batch = numbered("t", &rows);
    let error = fold(&[routed(batch.clone(), &["a", "b", "c", "d", "e"])]).unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    rows of table shop.t would make more targets than `max-targets` = 4 allows
      raise `max-targets`, or route by a column with fewer values
    "#);
    let error = fold(&[routed(batch.clone(), &["orders", "Orders"])]).unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    target /lake/Orders of table shop.t differs from target /lake/orders by case only
      make the route variables differ by more than case, for example with a prefix
    "#);
    let error = fold(&[routed(batch.clone(), &[".."])]).unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    a row of table shop.t at bin.000007:200 has no target
      mend the route variables of the plugin, or the placeholders of `sink.path`
    "#);

    // Targets of earlier runs count, and so do those of earlier epochs.
    let mut options = options();
    options.targets_max = 2;
    options.covered.insert(TargetPath("/lake/old".into()), Position::at("bin.000001", 4));
    let mut fold = Fold::new(options);
    fold.push(&routed(batch.clone(), &["new"])).expect("the second target");
    assert_eq!(fold.take().expect("folds").len(), 1);
    assert!(fold.push(&routed(batch, &["newer"])).is_err());
}

#[test]
fn a_target_takes_only_what_it_has_not_covered() {
    let rows: Vec<_> = (0..4).map(|i| (Insert, i, 0)).collect();
    for (offset, expected) in [(899, &["/lake/a", "/lake/b"][..]), (900, &["/lake/b"])] {
        let mut options = options();
        let position = Position::at("bin.000007", offset);
        options.covered.insert(TargetPath("/lake/a".into()), position);
        let mut fold = Fold::new(options);
        fold.push(&routed(numbered("t", &rows), &["a", "b"])).expect("folds");
        let targets: Vec<String> =
            fold.take().expect("folds").iter().map(|c| c.target.to_string()).collect();
        assert_eq!(targets, expected, "covered up to {offset}");
    }
}

#[test]
fn tables_that_share_a_target_need_an_id_column_that_tells_them_apart() {
    let apart = [sharded("s1", "one", &[1, 2]), sharded("s2", "two", &[1, 2])];
    assert_eq!(fold(&apart).expect("apart")[0].rows.num_rows(), 4);

    let same = [sharded("s1", "one", &[1, 2]), sharded("s2", "one", &[1])];
    insta::assert_snapshot!(told(&fold(&same).unwrap_err()), @r#"
    tables shop.s1 and shop.s2 both write to target /lake/all, and no id column tells them apart
      add an id column that is constant per source table and differs between them, such as the shard's name, or route them to different targets
    "#);

    // So far each had but one id, and not the same; from the second on nothing keeps them apart.
    let mut fold = Fold::new(options());
    fold.push(&numbered("s1", &[(Insert, 1, 0)])).expect("one table");
    fold.push(&numbered("s2", &[(Insert, 2, 0)])).expect("another id");
    let error = fold.push(&numbered("s1", &[(Insert, 1, 0), (Insert, 2, 0)])).unwrap_err();
    insta::assert_snapshot!(error, @"tables shop.s1 and shop.s2 both write to target /lake/all, and no id column tells them apart");
}

#[test]
fn what_tells_tables_apart_is_remembered_over_epochs_and_runs() {
    let mut first = Fold::new(options());
    first.push(&sharded("s1", "one", &[1, 2])).expect("one table");
    first.take().expect("folds");
    first.push(&sharded("s1", "two", &[1])).expect("a table may vary while it is alone");
    let carried = Arc::clone(&first.take().expect("folds")[0].sources);
    assert!(first.push(&sharded("s2", "three", &[1])).is_err(), "the next epoch knows");

    let json = serde_json::to_string(&*carried).expect("plain data");
    insta::assert_snapshot!(json, @r#"{"id_columns":["shard","id"],"tables":[{"table":{"database":"shop","table":"s1"},"constants":[null,null]}]}"#);
    let carried: SourceKeys = serde_json::from_str(&json).expect("reads back");
    let mut options = options();
    options.sources.insert(TargetPath("/lake/all".into()), Arc::new(carried));
    let mut second = Fold::new(options.clone());
    assert!(second.push(&sharded("s2", "three", &[1])).is_err(), "the next run knows");
    let error = Fold::new(options).push(&numbered("s1", &[(Insert, 1, 0)])).unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    target /lake/all has the id columns (shard, id), table shop.s1 now brings (id)
      put the former id columns back, or rebuild the tables (docs/guide/rebuild.md): move all tables of the pipeline away, remove checkpoint.json from its checkpoint folder, and start again from before their first row
    "#);
}

#[test]
fn columns_of_a_second_table_are_brought_into_the_order_of_the_first() {
    let other = |columns| batch("s2", &[Insert], columns, &[1, 0]);
    let second = other(vec![
        ("id", ColumnType::Int64, ints(&[1])),
        ("shard", ColumnType::Utf8, texts(&["two"])),
    ]);
    let changes = fold(&[sharded("s1", "one", &[7]), second]).expect("folds");
    assert_eq!(rows(&changes[0]), [json!(["one", 7]), json!(["two", 1])]);

    let shard = || ("shard", ColumnType::Utf8, texts(&["two"]));
    let id = || ("id", ColumnType::Int64, ints(&[1]));
    let noted = |name| ("s1", vec![shard(), id(), (name, ColumnType::Int64, ints(&[1]))]);
    let with = |(table, columns)| batch(table, &[Insert], columns, &[0, 1]);
    let cases = [
        (other(vec![("id", ColumnType::Utf8, texts(&["1"])), shard()]), None),
        (other(vec![("ID", ColumnType::Int64, ints(&[1])), shard()]), None),
        (batch("s2", &[Insert], vec![shard(), id()], &[1]), None),
        (with(noted("Note")), Some(with(noted("note")))),
    ];
    let reasons: Vec<String> = cases
        .into_iter()
        .map(|(c, d)| {
            let all: Vec<_> = [sharded("s1", "one", &[7]), c].into_iter().chain(d).collect();
            fold(&all).expect_err("differs").to_string()
        })
        .collect();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    target /lake/all gets different columns from table shop.s1 and table shop.s2: column `id` is stored as Int64 and as Utf8
    target /lake/all gets different columns from table shop.s1 and table shop.s2: their id columns are (shard, id) and (shard, ID)
    target /lake/all gets different columns from table shop.s1 and table shop.s2: their id columns are (shard, id) and (id)
    target /lake/all gets different columns from table shop.s1 and table shop.s1: column `note` differs from `Note` by case only
    "#);
}

#[test]
fn tables_of_a_target_need_not_change_their_columns_at_once() {
    let table = |name: &str, id, columns| batch(name, &[Insert], columns, &[0, id]);
    let shard = |s: &str| ("shard", ColumnType::Utf8, texts(&[s]));
    let small = |v: i32| -> ArrayRef { Arc::new(Int32Array::from(vec![v])) };
    let old = || {
        let note = ("note", ColumnType::Int32, small(5));
        table("s1", 1, vec![shard("one"), ("id", ColumnType::Int32, small(-7)), note])
    };
    let new = || {
        let more = ("more", ColumnType::Utf8, texts(&["x"]));
        table("s2", 2, vec![shard("two"), more, ("id", ColumnType::Int64, ints(&[1 << 40]))])
    };
    let expected = [
        (
            vec![old(), new(), old()],
            [json!(["one", -7, 5, null]), json!(["two", 1_099_511_627_776_i64, null, "x"])],
        ),
        (
            vec![new(), old()],
            [json!(["one", null, -7, 5]), json!(["two", "x", 1_099_511_627_776_i64, null])],
        ),
    ];
    for (batches, expected) in expected {
        let changes = fold(&batches).expect("folds");
        assert_eq!(rows(&changes[0]), expected);
        assert_eq!(changes[0].absent.iter().collect::<Vec<_>>(), ["more", "note"]);
    }
}

#[test]
fn a_target_keeps_the_order_of_its_id_columns() {
    let turned = |shard: &str| {
        let columns = vec![
            ("id", ColumnType::Int64, ints(&[1])),
            ("shard", ColumnType::Utf8, texts(&[shard])),
        ];
        batch("s2", &[Insert], columns, &[0, 1])
    };
    let mut fold = Fold::new(options());
    fold.push(&sharded("s1", "one", &[7])).expect("folds");
    fold.push(&turned("two")).expect("folds");
    fold.take().expect("folds");
    // In the next epoch the other table comes first.
    fold.push(&turned("two")).expect("folds");
    fold.push(&sharded("s1", "one", &[7])).expect("folds");
    let changes = fold.take().expect("folds");
    assert_eq!(changes[0].schema.id_names().collect::<Vec<_>>(), ["shard", "id"]);
    assert_eq!(rows(&changes[0]), [json!([7, "one"]), json!([1, "two"])]);
}

/// A batch that lacks the values of these images.
fn lacking(mut batch: Transformed, images: &[usize]) -> Transformed {
    let told = (0..batch.images.len()).map(|i| !images.contains(&i));
    batch.presence = Presence::new(vec![None, Some(told.collect())]);
    batch
}

#[test]
fn a_value_that_was_left_out_is_that_of_the_row_before() {
    // In the epoch, over a changed key and two steps; in the target; in the target at another key.
    let changes = fold(&[
        numbered("t", &[(Insert, 1, 10)]),
        lacking(
            numbered("t", &[(Before, 1, 0), (After, 5, 0), (Before, 5, 0), (After, 6, 0)]),
            &[0, 1, 2, 3],
        ),
        lacking(
            numbered("t", &[(Before, 2, 0), (After, 2, 0), (Before, 2, 0), (After, 2, 0)]),
            &[0, 1, 2, 3],
        ),
        lacking(numbered("t", &[(Before, 3, 0), (After, 4, 0), (Delete, 9, 0)]), &[0, 1, 2]),
        lacking(
            numbered("t", &[(Before, 7, 0), (After, 7, 0), (Before, 7, 0), (After, 7, 70)]),
            &[0, 1, 2],
        ),
    ]);
    let changes = changes.expect("folds");
    let [all] = changes.as_slice() else { panic!("one target") };
    let gaps = all.gaps.as_ref().expect("two rows are not known in full");
    let ids: Vec<Value> = rows(all).into_iter().map(|r| r[0].clone()).collect();
    assert_eq!(ids, [2, 4, 6, 7]);
    assert_eq!(rows(all)[2..], [json!([6, 10]), json!([7, 70])]);
    assert_eq!(gaps.rows, [0, 1]);
    assert_eq!(lines(&gaps.keys), [json!([2]), json!([3])]);
    let known = (0..4).map(|row| gaps.presence.has(1, row));
    assert_eq!(known.collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(lines(&all.gone), [json!([1]), json!([3]), json!([5]), json!([9])]);
    insta::assert_snapshot!(gaps.places[0].place, @"bin.000007:200");
}

#[test]
fn a_value_that_nothing_tells_stops_with_the_place() {
    let update = [(Before, 1, 0), (After, 1, 0)];
    let pair = || lacking(numbered("t", &update), &[0, 1]);
    let cases = [
        // The chain dropped the row before; the row came from another target; it is not there.
        fold(&[kept(pair(), &[false, true])]),
        fold(&[routed(pair(), &["a", "b"])]),
        fold(&[numbered("t", &[(Delete, 1, 0)]), pair()]),
        fold(&[lacking(numbered("t", &[(Insert, 1, 0)]), &[0])]),
        fold(&[{
            let mut batch = numbered("t", &update);
            batch.presence = Presence::new(vec![Some(BooleanBuffer::new_unset(2))]);
            batch
        }]),
    ];
    let texts: Vec<String> = cases.into_iter().map(|c| c.expect_err("stops").to_string()).collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    the log left out the value of `value` in a row of table shop.t at bin.000007:200, and target /lake/all did not have the row before
    the log left out the value of `value` in a row of table shop.t at bin.000007:200, and target /lake/b did not have the row before
    the log left out the value of `value` in a row of table shop.t at bin.000007:200, and target /lake/all did not have the row before
    the log left out the value of `value` in a row of table shop.t at bin.000007:200, and target /lake/all did not have the row before
    the log left out the value of `id` in a row of table shop.t at bin.000007:200, and target /lake/all cannot tell a row without its key
    "#);
    let tables = fold(&[pair()]).expect("folds");
    let error = crate::memory::MemoryTables::new().apply(&tables).expect_err("no such row");
    insta::assert_snapshot!(told(&error), @r#"
    the log left out the value of `value` in a row of table shop.t at bin.000007:200, and target /lake/all has no row with its former key
      set `binlog_row_image = FULL` at the server, and start from an initial load so that the target has every row
    "#);
}

#[test]
fn after_an_error_the_epoch_is_lost() {
    let mut fold = Fold::new(options());
    fold.push(&numbered("t", &[(Insert, 1, 0)])).expect("folds");
    assert!(fold.push(&routed(numbered("t", &[(Insert, 2, 0)]), &["a/b"])).is_err());
    insta::assert_snapshot!(fold.take().unwrap_err(), @"the open epoch failed earlier and cannot go on");
    assert!(fold.push(&numbered("t", &[(Insert, 3, 0)])).is_err());
}

#[test]
fn memory_is_told_while_an_epoch_is_open() {
    let mut fold = Fold::new(options());
    let rows: Vec<_> = (0..1000).map(|i| (Insert, i, 0)).collect();
    fold.push(&kept(numbered("t", &rows), &[false; 1000])).expect("folds");
    assert!(fold.is_empty());
    assert_eq!(fold.memory_bytes(), 0, "a batch of which nothing is kept is not held");
    fold.push(&numbered("t", &rows)).expect("folds");
    // Two columns and the keys of 8 bytes each, 16 bytes an entry, 4 bytes and a control byte of index.
    assert!(fold.memory_bytes() >= 1000 * (3 * 8 + 16 + 5), "{}", fold.memory_bytes());
    assert!(fold.memory_bytes() <= 1000 * 120, "{}", fold.memory_bytes());
    fold.take().expect("folds");
    assert_eq!(fold.memory_bytes(), 0);
}
