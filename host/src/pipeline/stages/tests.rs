//! The concurrent form against the reference, and what a failing stage leaves.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use change::{
    Batch, Column, ColumnType, Diagnose, ImageKind, Images, Mark, PathTemplate, Position,
    SchemaChange, SchemaChangeKind, TableAction, TableName, TableSchema, TargetPath, Transaction,
};
use lake::{Fold, FoldOptions, Lake, LakeOptions};
use plugin::{Chain, Engine, EngineOptions};

use super::*;
use crate::checkpoint::Checkpoint;
use crate::pipeline::fold_step::EpochLimits;
use crate::pipeline::schema_history::SchemaHistory;
use crate::pipeline::schema_merge::SchemaMerge;
use crate::pipeline::schema_policy::{SchemaPolicy, SeenTables};
use crate::pipeline::sink::{AnySink, MemorySink, TableSink};

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
        load: None,
        batches: vec![Batch::new(schema(), columns, images).expect("fits")],
        schema_change: None,
        end: Position::at("log.000001", end),
        resume: None,
        is_partial: false,
        definitions: None,
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

/// Room for one of the slices at a time.
const BYTES: usize = 1;

async fn run_both<S: Source + Clone + 'static>(
    source: S,
    trigger: Duration,
) -> [(MemorySink, Result<(), RunError>); 2] {
    let meter = Arc::new(Meter::default());
    let (mut a, mut b) = (MemorySink::default(), MemorySink::default());
    let one = in_order(source.clone(), transform(), fold(trigger), &mut a, &meter, never()).await;
    let all = concurrent(source, transform(), fold(trigger), &mut b, BYTES, meter, never()).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn no_epoch_ends_inside_a_transaction() {
    use ImageKind::Insert;
    let torn = |end| LogSlice {
        is_partial: true,
        end: Position::at("log.000001", 100),
        ..slice(end, &[(Insert, i64::try_from(end).expect("small"), "torn")])
    };
    let first = slice(100, &[(Insert, 1, "new")]);
    let last = slice(200, &[(Insert, 3, "whole")]);
    for (slices, position, count) in [
        (vec![first.clone(), torn(200), torn(201)], 100, 1),
        (vec![first, torn(200), torn(201), last], 200, 4),
    ] {
        for (sink, outcome) in run_both(slices.into_iter(), Duration::ZERO).await {
            outcome.expect("nothing fails");
            assert_eq!(sink.position, Some(Position::at("log.000001", position)));
            let table = sink.tables.get(&TargetPath("/lake/orders".into())).expect("the table");
            assert_eq!(table.rows().count(), count);
        }
    }
}

#[test]
fn what_is_prepared_holds_back_where_a_run_goes_on() {
    let mut fold = fold(Duration::ZERO);
    let prepared = Some(Position::at("log.000001", 60));
    let ends = [(100, prepared.clone()), (200, prepared.clone()), (300, None)];
    let epochs = ends.map(|(end, resume)| {
        let slice = LogSlice { resume, ..slice(end, &[]) };
        let slice = transform().apply(slice).expect("nothing to transform");
        let mut closed = fold.push(slice).expect("folds").closed;
        closed.pop().expect("an epoch")
    });
    let durable: Vec<_> = epochs.iter().map(|work| work.epoch.all_durable.offset).collect();
    assert_eq!(durable, [4, 60, 60]);
    let resume: Vec<_> = epochs.iter().map(|work| work.resume.clone()).collect();
    assert_eq!(resume, [prepared.clone(), prepared, None]);
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
        receives: Vec::new(),
        actions: None,
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

/// Runs slices into tables and a checkpoint below a folder; gives how it ended and what the checkpoint
/// knows then.
async fn run_into_tables(
    root: &std::path::Path,
    slices: Vec<LogSlice>,
    accepted: Option<Position>,
) -> (Result<(), RunError>, crate::checkpoint::State) {
    let text = root.to_str().expect("UTF-8");
    let path = PathTemplate::parse(&format!("{text}/lake/{{table}}")).expect("a template");
    let lake = Lake::open(LakeOptions::new(path.clone(), "shop", "chain")).await.expect("opens");
    let folder = root.join("checkpoint");
    let checkpoint = Checkpoint::open(&folder, "shop").expect("opens");
    let known = checkpoint.state().cloned();
    let (beside, store) = (format!("{text}/lake/_sluice/shop"), lake::StoreOptions::default());
    let history = SchemaHistory::of(&format!("{text}/definitions"), &beside, &store).await;
    let mut sink = TableSink::new(
        lake,
        checkpoint,
        history.expect("opens"),
        "chain".to_owned(),
        format!("{text}/lake"),
    );
    let options = FoldOptions {
        path: path.clone(),
        targets_max: 10,
        deletes: lake::Deletes::Remove,
        covered: std::collections::HashMap::new(),
        sources: std::collections::HashMap::new(),
    };
    let fold = FoldStep::new(
        Fold::new(options),
        EpochLimits { trigger: TRIGGERS[1], bytes_max: 1 << 20 },
        SchemaPolicy::accepting(accepted).merging(Some(SchemaMerge::without_plugins(path))),
        known.as_ref().map_or(1, |state| state.epoch + 1),
        known.as_ref().map_or(Position::at("log.000001", 4), |state| state.position.clone()),
        known.map(|state| state.sources).unwrap_or_default(),
    );
    let meter = Arc::new(Meter::default());
    let ended = in_order(slices.into_iter(), transform(), fold, &mut sink, &meter, never()).await;
    let state = Checkpoint::peek(&folder, "shop").expect("read").expect("stored");
    (ended, state)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_a_target_refuses_can_be_accepted() {
    let orders = TableName::new("shop", "orders");
    let edit = change::ColumnEdit::Renamed { from: "id".to_owned(), to: "number".to_owned() };
    let rows = change::RowsEffect::None;
    let mut refused = slice(200, &[]);
    refused.schema_change = Some(SchemaChange {
        kind: SchemaChangeKind::Alter,
        tables: vec![orders.clone()],
        receives: Vec::new(),
        actions: Some(vec![TableAction::Altered { table: orders, edits: vec![edit], rows }]),
        statement: "ALTER TABLE orders RENAME COLUMN id TO number".to_owned(),
        position: Position::at("log.000001", 190),
        before: Position::at("log.000001", 180),
    });
    let root = tempfile::tempdir().expect("a folder");
    let rows = slice(100, &[(ImageKind::Insert, 1, "new")]);
    // The rows before it come in the same run.
    let (ended, state) = run_into_tables(root.path(), vec![rows, refused.clone()], None).await;
    let error = ended.expect_err("refused");
    assert!(matches!(error, RunError::Follow { .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("--accept-schema-change")));
    assert_eq!(state.position, Position::at("log.000001", 180));
    let accepted = Some(state.position);
    let (ended, state) = run_into_tables(root.path(), vec![refused], accepted).await;
    ended.expect("accepted");
    assert_eq!(state.position, Position::at("log.000001", 200));
}

/// Hands out some slices, and is then as silent as an idle server; it says when it has come there.
struct Idle {
    slices: std::vec::IntoIter<LogSlice>,
    is_idle: watch::Sender<bool>,
}

impl Idle {
    fn after(count: usize) -> (Self, watch::Receiver<bool>) {
        let (is_idle, idle) = watch::channel(false);
        let slices = history().into_iter().take(count).collect::<Vec<_>>().into_iter();
        (Self { slices, is_idle }, idle)
    }
}

impl Source for Idle {
    async fn next(&mut self) -> Result<Option<LogSlice>, RunError> {
        match Iterator::next(&mut self.slices) {
            Some(slice) => Ok(Some(slice)),
            None => {
                self.is_idle.send_replace(true);
                std::future::pending().await
            }
        }
    }
}

/// A flow that hangs fails, instead of the whole test run.
const HANG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_what_was_read_be_committed() {
    for form in ["in order", "concurrent"] {
        let (source, mut idle) = Idle::after(1);
        let (stop, stopped) = watch::channel(false);
        let mut sink = MemorySink::default();
        let meter = Arc::new(Meter::default());
        let fold = fold(TRIGGERS[1]);
        let stopping = async {
            idle.wait_for(|idle| *idle).await.expect("the source is there");
            stop.send_replace(true);
        };
        let flow = async {
            match form {
                "in order" => in_order(source, transform(), fold, &mut sink, &meter, stopped).await,
                _ => {
                    let meter = Arc::clone(&meter);
                    concurrent(source, transform(), fold, &mut sink, BYTES, meter, stopped).await
                }
            }
        };
        let both = tokio::time::timeout(HANG, async { tokio::join!(flow, stopping).0 }).await;
        both.expect("it stops while the source is idle").expect("a stop is no failure");
        assert_eq!(sink.position, Some(Position::at("log.000001", 100)), "{form}");
    }
}

/// Takes what it is given and says up to where.
struct Telling(watch::Sender<Option<Position>>);

impl Sink for Telling {
    async fn commit(&mut self, work: EpochWork) -> Result<(), RunError> {
        self.0.send_replace(Some(work.epoch.end));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_is_committed_in_time_while_the_source_is_idle() {
    for form in ["in order", "concurrent"] {
        let (source, _idle) = Idle::after(2);
        let (stop, stopped) = watch::channel(false);
        let (told, mut committed) = watch::channel(None);
        let mut sink = Telling(told);
        let meter = Arc::new(Meter::default());
        let fold = fold(Duration::from_millis(200));
        let stopping = async {
            let end = Some(Position::at("log.000001", 200));
            let found = committed.wait_for(|position| *position == end).await;
            assert!(found.is_ok(), "the sink is there");
            drop(found);
            stop.send_replace(true);
        };
        let flow = async {
            match form {
                "in order" => in_order(source, transform(), fold, &mut sink, &meter, stopped).await,
                _ => {
                    let meter = Arc::clone(&meter);
                    concurrent(source, transform(), fold, &mut sink, BYTES, meter, stopped).await
                }
            }
        };
        let both = tokio::time::timeout(HANG, async { tokio::join!(flow, stopping).0 }).await;
        both.unwrap_or_else(|_| panic!("{form}: nothing is committed")).expect("nothing fails");
    }
}

/// Refuses everything.
struct Refusing;

impl Sink for Refusing {
    async fn commit(&mut self, _work: EpochWork) -> Result<(), RunError> {
        Err(RunError::StagePanicked)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_while_the_source_is_idle() {
    let (source, _idle) = Idle::after(1);
    let meter = Arc::new(Meter::default());
    let at_once = fold(Duration::ZERO);
    let mut sink = Refusing;
    let flow = concurrent(source, transform(), at_once, &mut sink, BYTES, meter, never());
    let outcome = tokio::time::timeout(HANG, flow).await.expect("it does not hang");
    assert!(matches!(outcome, Err(RunError::StagePanicked)));

    // A stage in the middle fails: the one behind it has nothing to tell.
    let (mut source, _idle) = Idle::after(2);
    let mut slices: Vec<_> = source.slices.by_ref().collect();
    let bad = slices.last_mut().expect("a slice");
    bad.batches = vec![rekeyed(&bad.batches[0])];
    source.slices = slices.into_iter();
    let meter = Arc::new(Meter::default());
    let mut sink = MemorySink::default();
    let fold = fold(TRIGGERS[1]);
    let flow = concurrent(source, transform(), fold, &mut sink, BYTES, meter, never());
    let outcome = tokio::time::timeout(HANG, flow).await.expect("it does not hang");
    assert!(matches!(outcome, Err(RunError::Lake(_))), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_keeps_the_first_rows_and_no_others() {
    let mut sink = AnySink::DryRun(Box::default());
    let rows: Vec<_> = (1..100).map(|id| (ImageKind::Insert, id, "new")).collect();
    let source = vec![slice(100, &rows), slice(200, &[(ImageKind::Insert, 200, "late")])];
    let meter = Meter::default();
    let (at_once, source) = (fold(Duration::ZERO), source.into_iter());
    in_order(source, transform(), at_once, &mut sink, &meter, never()).await.expect("read");
    assert_eq!(sink.position(), Some(&Position::at("log.000001", 200)));
    let rows = sink.first_rows(&TargetPath("/lake/orders".into()));
    let rows: Vec<_> = rows.into_iter().map(serde_json::Value::from).collect();
    let expected = [1, 2, 3].map(|id| serde_json::json!({ "id": id, "status": "new" }));
    assert_eq!(rows, expected);
}
