//! Tests of the tables in memory.

use arrow_array::{ArrayRef, Int32Array, UInt64Array};
use change::{Column, KeyProof, OutputSchema, TableName};

use super::*;
use crate::changes::ChangeCounts;
use crate::sources::SourceKeys;

fn schema(extra: bool) -> Arc<StoredSchema> {
    let mut columns = vec![
        Column::made("total", ColumnType::UInt64, true),
        Column::made("id", ColumnType::Int32, false),
    ];
    if extra {
        columns.insert(0, Column::made("note", ColumnType::Int32, true));
    }
    let output = OutputSchema {
        source: TableName::new("shop", "orders"),
        id_columns: vec![columns.len() - 1],
        columns,
        key_proof: KeyProof::Source,
    };
    Arc::new(StoredSchema::of(&output).expect("valid"))
}

fn changes(rows: &[(i32, u64, bool)], gone: &[(i32, bool)], extra: bool) -> TargetChanges {
    let schema = schema(extra);
    let totals = UInt64Array::from_iter_values(rows.iter().map(|r| r.1));
    let ids = Int32Array::from_iter_values(rows.iter().map(|r| r.0));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(totals), Arc::new(ids)];
    if extra {
        columns.insert(0, Arc::new(Int32Array::from(vec![Some(7); rows.len()])));
    }
    let columns = schema.convert(&columns).expect("fits");
    let keys = Int32Array::from_iter_values(gone.iter().map(|g| g.0));
    TargetChanges {
        target: TargetPath("/lake/orders".into()),
        rows: RecordBatch::try_new(Arc::clone(schema.arrow()), columns).expect("fits"),
        rows_inserted: rows.iter().map(|r| r.2).collect(),
        gone: RecordBatch::try_new(schema.id_arrow(), vec![Arc::new(keys)]).expect("fits"),
        gone_inserted: gone.iter().map(|g| g.1).collect(),
        gone_counts: None,
        schema,
        counts: ChangeCounts::default(),
        sources: Arc::new(SourceKeys::default()),
        absent: std::collections::BTreeSet::default(),
        gaps: None,
    }
}

#[test]
fn a_table_reads_as_an_expected_file() {
    let mut tables = MemoryTables::new();
    let first = changes(&[(1, 10, true), (2, 20, true), (3, u64::MAX, true)], &[], false);
    let second = changes(&[(2, 21, false), (9, 90, true)], &[(1, false), (4, false)], true);
    tables.apply(&[first, second]).expect("honest");
    let table = tables.get(&TargetPath("/lake/orders".into())).expect("there");
    insta::assert_snapshot!(table.to_lines(), @r#"
    {"columns":{"total":"uint64","id":"int32","note":"int32"},"id-columns":["id"]}
    {"total":21,"id":2,"note":7}
    {"total":"18446744073709551615","id":3,"note":null}
    {"total":90,"id":9,"note":7}
    "#);
}

#[test]
fn changes_that_are_not_honest_are_refused() {
    let mut tables = MemoryTables::new();
    tables.apply(&[changes(&[(1, 10, true)], &[], false)]).expect("honest");
    let cases = [
        ("written again", changes(&[(1, 11, true)], &[], false)),
        ("gone", changes(&[], &[(1, true)], false)),
        ("not sorted", changes(&[(3, 1, false), (2, 1, false)], &[], false)),
        ("twice", changes(&[(3, 1, false), (3, 1, false)], &[], false)),
        ("both", changes(&[(3, 1, false)], &[(3, false)], false)),
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|(name, changes)| {
            let error = tables.apply(std::slice::from_ref(changes)).expect_err(name);
            format!("{name}: {error}")
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    written again: the changes of target /lake/orders are not honest: a row that exists is marked as one that cannot exist
    gone: the changes of target /lake/orders are not honest: a row that exists is marked as one that cannot exist
    not sorted: the changes of target /lake/orders are not honest: the keys are not strictly ascending
    twice: the changes of target /lake/orders are not honest: the keys are not strictly ascending
    both: the changes of target /lake/orders are not honest: a key is written and gone at once
    "#);
    let mut short = changes(&[(5, 1, false)], &[], false);
    short.rows_inserted = BooleanBuffer::new_unset(0);
    assert!(tables.apply(&[short]).is_err());
}
