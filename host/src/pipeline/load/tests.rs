//! What decides which rows of a chunk go on.

use arrow_array::{Array as _, ArrayRef, Int64Array, StringArray};
use change::{Column, ColumnType};

use super::*;

fn schema() -> TableSchema {
    TableSchema {
        name: TableName::new("shop", "orders"),
        columns: vec![
            Column::made("note", ColumnType::Utf8, true),
            Column::made("id", ColumnType::Int64, false),
            Column::made("part", ColumnType::Utf8, false),
        ],
        primary_key: Some(vec![1, 2]),
        unique_keys: None,
        properties: Vec::new(),
    }
}

fn columns(rows: &[(i64, &str)]) -> Vec<ArrayRef> {
    let notes = rows.iter().map(|_| None::<&str>);
    vec![
        Arc::new(notes.collect::<StringArray>()),
        Arc::new(rows.iter().map(|(id, _)| Some(*id)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|(_, part)| Some(*part)).collect::<StringArray>()),
    ]
}

/// Rows that the stream deleted.
fn deleted(schema: TableSchema, rows: &[(i64, &str)]) -> Batch {
    let transaction = Transaction {
        file: "log.000001".into(),
        start: 4,
        end: 400,
        gtid: None,
        commit_micros: 0,
        server_id: 1,
    };
    let images_end = u32::try_from(rows.len()).expect("few");
    let transaction = Arc::new(transaction);
    let mark = Mark { images_end, transaction, event_offset: 100, first_row: 0 };
    let images = Images::new(vec![ImageKind::Delete; rows.len()], vec![mark]).expect("images");
    Batch::new(Arc::new(schema), columns(rows), Arc::new(images)).expect("a batch")
}

fn at() -> At {
    At::new(LoadTable { schema: schema(), rows: 0 }, false).expect("a key")
}

fn chunk(rows: &[(i64, &str)]) -> Chunk {
    let end = Position::at("log.000002", 99);
    Chunk { columns: columns(rows), rows: rows.len(), behind: None, end }
}

#[test]
fn rows_that_the_stream_has_changed_since_stay_away() {
    let mut at = at();
    assert!(at.touched.add(&deleted(schema(), &[(1, "a"), (2, "B")])));
    let batch = batch(&at, chunk(&[(1, "a"), (1, "b"), (2, "b"), (2, "B")])).expect("a chunk");
    let batch = batch.expect("rows are left");
    assert_eq!(batch.columns().get(1).map(|ids| ids.len()), Some(2));
    assert_eq!(batch.columns(), columns(&[(1, "b"), (2, "b")]));
    assert!(batch.images().kinds().iter().all(|kind| *kind == ImageKind::Insert));
}

#[test]
fn a_chunk_of_which_nothing_is_left_makes_no_batch() {
    let mut at = at();
    assert!(at.touched.add(&deleted(schema(), &[(1, "a")])));
    assert!(batch(&at, chunk(&[(1, "a")])).expect("a chunk").is_none());
    at.touched.clear();
    assert!(batch(&at, chunk(&[(1, "a")])).expect("a chunk").is_some());
    assert!(batch(&at, chunk(&[])).expect("a chunk").is_none());
}

#[test]
fn no_position_of_the_server_s_log_covers_a_chunk() {
    let batch = batch(&at(), chunk(&[(1, "a")])).expect("a chunk").expect("rows");
    let mark = batch.images().marks().first().expect("a mark").clone();
    assert!(!Position::at("log.000002", u64::MAX - 1).covers(&mark.transaction));
    let mut executed = Position::at("log.000002", 500);
    executed.gtids = "0-1-10".parse().ok();
    assert!(!executed.covers(&mark.transaction));
}

#[test]
fn another_type_of_a_key_column_is_another_table() {
    let mut other = schema();
    other.columns.retain(|column| column.name != "part");
    other.primary_key = Some(vec![1]);
    let mut columns = columns(&[(1, "a")]);
    columns.pop();
    let images = deleted(schema(), &[(1, "a")]).images().clone();
    let batch = Batch::new(Arc::new(other), columns, images).expect("a batch");
    assert!(!at().touched.add(&batch));
}

#[test]
fn a_statement_means_a_table_in_any_letter_case_and_a_database_all_of_its_tables() {
    let table = TableName::new("shop", "orders");
    for (database, name, expected) in [
        ("shop", "ORDERS", true),
        ("Shop", "*", true),
        ("web", "*", false),
        ("shop", "lines", false),
    ] {
        assert_eq!(is_same(&TableName::new(database, name), &table), expected, "{database}.{name}");
    }
}
