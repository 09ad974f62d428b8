//! Rows without a key, folded and applied in memory, against a plain list.

use change::{Diagnose, ImageKind, PathTemplate, Presence, TargetPath};
use proptest::prelude::*;

use crate::error::LakeError;
use crate::fold::Fold;
use crate::memory::MemoryTables;
use crate::stored::text;
use crate::testing::whole_rows::{Case, Form, Model, Row, batch, cases, fold};

use ImageKind::{After, Before, Delete, Insert};

fn target() -> TargetPath {
    TargetPath("/lake/orders".into())
}

fn open() -> Fold {
    fold(PathTemplate::parse("/lake/{table}").expect("valid"), &target(), None)
}

fn number(n: i32) -> Row {
    Row { n: Some(n), ..Row::default() }
}

/// Rows in the text form, in which a NaN is a NaN; the case of the bits is the fold's own.
fn lines(case: &Case, epoch: usize, rows: &[Row]) -> Vec<String> {
    let form = case.form(epoch);
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let row = form.of(row);
            let batch = batch(0, Form::Wider, &[(Insert, row)]);
            let values = batch.columns.iter().map(|c| text::value(c, 0, false).expect("a text"));
            format!("{:?}", values.collect::<Vec<_>>())
        })
        .collect();
    lines.sort();
    lines
}

fn found(case: &Case, epoch: usize, tables: &MemoryTables) -> Vec<String> {
    let with_x = case.form(epoch) == Form::Wider;
    let table = tables.get(&target()).into_iter();
    let mut lines: Vec<String> = table
        .flat_map(crate::memory::MemoryTable::rows)
        .map(|row| {
            let value = |name: &str| match row.get(name) {
                Some(value) if name != "x" || with_x => value.clone(),
                _ => serde_json::Value::Null,
            };
            format!("{:?}", ["x", "n", "f", "s"].map(value).to_vec())
        })
        .collect();
    lines.sort();
    lines
}

fn run(case: &Case) -> Result<(), TestCaseError> {
    let (mut model, mut tables, mut fold) = (Model::default(), MemoryTables::new(), open());
    let fail = |e: LakeError| TestCaseError::fail(e.to_string());
    for number in 0..case.epochs.len() {
        for batch in model.play(case, number) {
            fold.push(&batch).map_err(fail)?;
        }
        let changes = fold.take().map_err(fail)?;
        prop_assert_eq!(fold.memory_bytes(), 0);
        tables.apply(&changes).map_err(fail)?;
        let expected = lines(case, number, &model.rows());
        prop_assert_eq!(found(case, number, &tables), expected, "epoch {}", number);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_without_a_key_are_what_a_list_would_hold(case in cases()) {
        run(&case)?;
    }
}

#[test]
fn what_comes_and_goes_within_an_epoch_leaves_its_sum() {
    let mut fold = open();
    let images = [
        (Insert, number(1)),
        (Insert, number(1)),
        (Insert, Row::default()),
        (Delete, number(2)),
        (Before, number(2)),
        (After, number(1)),
        (Insert, number(3)),
        (Delete, number(3)),
        (Delete, number(2)),
    ];
    fold.push(&batch(0, Form::Number, &images)).expect("folds");
    let changes = fold.take().expect("gathers");
    let [changes] = changes.as_slice() else { panic!("one target") };
    let rows = |batch: &arrow_array::RecordBatch| {
        let mut rows = Vec::new();
        crate::testing::whole_rows::read(batch, &mut rows);
        rows.into_iter().map(|row| row.n).collect::<Vec<_>>()
    };
    assert_eq!(rows(&changes.rows), [None, Some(1), Some(1), Some(1)]);
    assert_eq!(rows(&changes.gone), [Some(2)]);
    assert_eq!(changes.gone_counts, Some(vec![3]));
    let counts = changes.counts;
    assert_eq!((counts.inserted, counts.updated, counts.deleted), (4, 1, 3));
    assert!(changes.sources.whole_row);
}

#[test]
fn what_the_log_left_out_of_a_row_without_a_key_is_refused() {
    let mut lacking = batch(0, Form::Wide, &[(Delete, number(1))]);
    lacking.presence = Presence::new(vec![None, Some([false].as_slice().into()), None]);
    let error = open().push(&lacking).expect_err("refused");
    insta::assert_snapshot!(error, @"the log left out the value of `f` in a row of table shop.orders0 at bin.000001:200, and target /lake/orders has no key and compares whole rows");
    insta::assert_snapshot!(error.hint().expect("a remedy"), @"set `binlog_row_image = FULL` at the server, and start from an initial load so that the target has every row");
}

#[test]
fn a_target_is_a_multiset_or_has_a_key_and_stays_so() {
    let whole = batch(0, Form::Wide, &[(Insert, number(1))]);
    let mut keyed = batch(1, Form::Wide, &[(Insert, number(1))]);
    let schema = std::sync::Arc::make_mut(&mut keyed.schema);
    (schema.id_columns, schema.key_proof) = (vec![0], change::KeyProof::Source);
    // Within an epoch.
    let mut one = open();
    one.push(&whole).expect("folds");
    insta::assert_snapshot!(one.push(&keyed).expect_err("refused"), @"target /lake/orders gets different columns from table shop.orders0 and table shop.orders1: the rows of one have id columns, those of the other no key");
    // From one epoch to the next.
    let mut two = open();
    two.push(&whole).expect("folds");
    two.take().expect("gathers");
    insta::assert_snapshot!(two.push(&keyed).expect_err("refused"), @"target /lake/orders has the id columns (the whole row), table shop.orders1 now brings (n)");
    let mut three = open();
    three.push(&keyed).expect("folds");
    three.take().expect("gathers");
    insta::assert_snapshot!(three.push(&whole).expect_err("refused"), @"target /lake/orders has the id columns (n), table shop.orders0 now brings (the whole row)");
}

#[test]
fn one_table_has_one_set_of_columns_in_an_epoch() {
    let mut fold = open();
    fold.push(&batch(0, Form::Wide, &[(Insert, number(1))])).expect("folds");
    fold.push(&batch(1, Form::Wider, &[(Insert, number(1))])).expect("another table has its own");
    let error = fold.push(&batch(0, Form::Wider, &[(Delete, number(1))])).expect_err("refused");
    insta::assert_snapshot!(error, @"target /lake/orders gets different columns from table shop.orders0 and table shop.orders0: rows without a key are compared over one set of columns");
}
