//! The concurrent form against the reference, and what a failing stage leaves.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use change::{
    Batch, Column, ColumnType, ImageKind, Images, Mark, PathTemplate, Position, SchemaChange,
    SchemaChangeKind, TableName, TableSchema, TargetPath, Transaction,
};
use lake::{Fold, FoldOptions};
use plugin::{Chain, Engine, EngineOptions};

use super::*;
use crate::pipeline::fold_step::EpochLimits;
use crate::pipeline::schema_policy::{SchemaPolicy, SeenTables};
use crate::pipeline::sink::MemorySink;

fn schema() -> Arc<TableSchema> {
    Arc::new(TableSchema {
        name: TableName::new("shop", "orders"),
        columns: vec![
            Column::made("id", ColumnType::Int64, false),
            Column::made("status", ColumnType::Utf8, true),
        ],
        primary_key: Some(vec![0]),
        unique_keys: Some(Vec::new()),
        properties: Vec::new(),
    })
}

/// A slice of one transaction that ends at `end` and does something to keys.
fn slice(end: u64, changes: &[(ImageKind, i64, &str)]) -> LogSlice {
    let transaction = Transaction {
        file: "log.000001".into(),
        start: end - 10,
        end,
        gtid: None,
        commit_micros: 0,
        server_id: 1,
    };
    let count = u32::try_from(changes.len()).expect("few");
    let mark = Mark {
        images_end: count,
        transaction: Arc::new(transaction),
        event_offset: end - 5,
        first_row: 0,
    };
    let kinds = changes.iter().map(|(kind, ..)| *kind).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(changes.iter().map(|(_, id, _)| *id))),
        Arc::new(StringArray::from_iter_values(changes.iter().map(|(.., status)| *status))),
    ];
    let images = Arc::new(Images::new(kinds, vec![mark]).expect("in order"));
    LogSlice {
        batches: vec![Batch::new(schema(), columns, images).expect("fits")],
        schema_change: None,
        end: Position::at("log.000001", end),
        log_bytes: 10,
        commit_micros: Some(0),
    }
}

fn history() -> Vec<LogSlice> {
    use ImageKind::{After, Before, Delete, Insert};
    vec![
        slice(100, &[(Insert, 1, "new"), (Insert, 2, "new")]),
        slice(200, &[(Before, 1, "new"), (After, 1, "paid"), (Delete, 2, "new")]),
        slice(300, &[(Insert, 2, "again"), (Before, 1, "paid"), (After, 7, "paid")]),
    ]
}

fn transform() -> TransformStep {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let chain = Chain::load(&engine, Vec::new()).expect("an empty chain");
    TransformStep::of(chain, Vec::new(), std::collections::HashMap::new())
}

fn fold(trigger: Duration) -> FoldStep {
    let options = FoldOptions {
        path: PathTemplate::parse("/lake/{table}").expect("a template"),
        targets_max: 10,
        deletes: lake::Deletes::Remove,
        covered: std::collections::HashMap::new(),
        sources: std::collections::HashMap::new(),
    };
    let limits = EpochLimits { trigger, bytes_max: 1 << 20 };
    let begin = Position::at("log.000001", 4);
    FoldStep::new(
        Fold::new(options),
        limits,
        SchemaPolicy::default(),
        1,
        begin,
        SeenTables::default(),
    )
}

/// A trigger that closes an epoch at each slice, and one that never does.
const TRIGGERS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(3600)];

fn never() -> watch::Receiver<bool> {
    watch::channel(false).1
}

async fn run_both<S: Source + Clone + 'static>(
    source: S,
    trigger: Duration,
) -> [(MemorySink, Result<(), RunError>); 2] {
    let meter = Arc::new(Meter::default());
    let (mut a, mut b) = (MemorySink::default(), MemorySink::default());
    let one = in_order(source.clone(), transform(), fold(trigger), &mut a, &meter, never()).await;
    let all = concurrent(source, transform(), fold(trigger), &mut b, meter, never()).await;
    [(a, one), (b, all)]
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_give_the_same_tables() {
    for trigger in TRIGGERS {
        for (sink, outcome) in run_both(history().into_iter(), trigger).await {
            outcome.expect("nothing fails");
            assert_eq!(sink.position, Some(Position::at("log.000001", 300)));
            let table = sink.tables.get(&TargetPath("/lake/orders".into())).expect("the table");
            let rows: Vec<_> = table.rows().map(serde_json::Value::from).collect();
            let expected = [
                serde_json::json!({ "id": 2, "status": "again" }),
                serde_json::json!({ "id": 7, "status": "paid" }),
            ];
            assert_eq!(rows, expected, "{trigger:?}");
        }
    }
}

/// Hands out some slices, then fails.
#[derive(Clone)]
struct Failing(std::vec::IntoIter<LogSlice>);

impl Source for Failing {
    async fn next(&mut self) -> Result<Option<LogSlice>, RunError> {
        match Iterator::next(&mut self.0) {
            Some(slice) => Ok(Some(slice)),
            None => Err(RunError::StagePanicked),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_an_error_of_the_source_is_committed() {
    for trigger in TRIGGERS {
        for (sink, outcome) in run_both(Failing(history().into_iter()), trigger).await {
            assert!(matches!(outcome, Err(RunError::StagePanicked)));
            assert_eq!(sink.position, Some(Position::at("log.000001", 300)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_epoch_that_cannot_be_folded_is_committed() {
    let mut history = history();
    let mut bad = slice(400, &[(ImageKind::Insert, 9, "x")]);
    // Another key under the same table: the fold refuses it.
    bad.batches = vec![rekeyed(&bad.batches[0])];
    history.push(bad);
    for (sink, outcome) in run_both(history.into_iter(), TRIGGERS[1]).await {
        assert!(matches!(outcome, Err(RunError::Lake(_))), "{outcome:?}");
        assert_eq!(sink.position, None);
    }
}

fn rekeyed(batch: &Batch) -> Batch {
    let mut schema = TableSchema::clone(batch.schema());
    schema.primary_key = Some(vec![1]);
    let (columns, images) = (batch.columns().to_vec(), Arc::clone(batch.images()));
    Batch::new(Arc::new(schema), columns, images).expect("fits")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_change_stops_before_itself_and_after_a_commit_of_all_before_it() {
    let mut history = history();
    history[1].schema_change = Some(SchemaChange {
        kind: SchemaChangeKind::Truncate,
        tables: vec![TableName::new("shop", "orders")],
        statement: "TRUNCATE orders".to_owned(),
        position: Position::at("log.000001", 190),
        before: Position::at("log.000001", 180),
    });
    for trigger in TRIGGERS {
        for (sink, outcome) in run_both(history.clone().into_iter(), trigger).await {
            assert!(matches!(outcome, Err(RunError::SchemaChange { .. })));
            assert_eq!(sink.position, Some(Position::at("log.000001", 180)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_what_was_read_be_committed() {
    let (stop, stopped) = watch::channel(false);
    stop.send_replace(true);
    let mut sink = MemorySink::default();
    let meter = Arc::new(Meter::default());
    let source = history().into_iter();
    let outcome = concurrent(source, transform(), fold(TRIGGERS[1]), &mut sink, meter, stopped);
    outcome.await.expect("a stop is no failure");
    assert_eq!(sink.position, None);
}
