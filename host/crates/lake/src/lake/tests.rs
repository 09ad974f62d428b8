//! Whole epochs against tables on disk.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::sources::{SourceKey, SourceKeys};
use crate::testing::{
    KEY_KINDS, KeyKind, Net, Simple, at, changes, delete, epoch, insert, options, put, rows,
    schema, target,
};

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_change_and_go() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(10)), (2, insert(20)), (3, insert(30))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 10), (2, 20), (3, 30)]);
    simple
        .commit(&[(1, put(11)), (2, delete()), (4, insert(40)), (9, delete())])
        .await
        .expect("committed");
    assert_eq!(simple.rows().await, [(1, 11), (3, 30), (4, 40)]);
    simple.reopen().await.expect("opened");
    simple.commit(&[(1, delete()), (3, put(31)), (4, put(41))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(3, 31), (4, 41)]);
}

/// One epoch of the model test: keys with their new value, none of it for a delete.
type ModelEpoch = Vec<(i32, Option<i32>)>;

fn model_epochs() -> impl Strategy<Value = Vec<ModelEpoch>> {
    let change = (-30..30i32, proptest::option::weighted(0.7, 0..1000i32));
    proptest::collection::vec(proptest::collection::vec(change, 1..25), 1..9)
}

async fn run_model(
    kind: KeyKind,
    epochs: &[ModelEpoch],
    (reopen, tidy): (u64, u64),
    bytes: u64,
    pace: Pace,
) {
    let root = tempfile::tempdir().expect("a folder");
    let mut options = options(root.path());
    options.maintenance.pace = pace;
    options.maintenance.file_bytes = bytes;
    options.maintenance.compact_commits = tidy;
    options.maintenance.small_files_max = 2;
    options.maintenance.checkpoint_commits = tidy + 1;
    let target = target(root.path(), "orders");
    let schema = schema(kind, &[]);
    let mut lake = Lake::open(options.clone()).await.expect("opened");
    let mut model: BTreeMap<i32, i32> = BTreeMap::new();
    for (number, changes_of) in (1..).zip(epochs) {
        let mut net = BTreeMap::new();
        for (key, value) in changes_of {
            // The fold says so only where the source inserted the key.
            let inserted = net.get(key).map_or(!model.contains_key(key), |n: &Net| n.inserted);
            net.insert(*key, Net { value: *value, inserted });
        }
        for (key, net) in &net {
            match net.value {
                Some(value) => model.insert(*key, value),
                None => model.remove(key),
            };
        }
        let epoch = epoch(number, vec![changes(&target, &schema, kind, &net)]);
        lake.commit(epoch).await.expect("committed");
        assert_eq!(rows(&target).await, model, "epoch {number} of {kind:?}");
        if number % reopen == 0 {
            lake = Lake::open(options.clone()).await.expect("opened");
            let recovered = &lake.recovered().targets[&target];
            assert_eq!(recovered.covered, Some(at(number * 100)));
            assert_eq!(recovered.all_durable, Some(at((number - 1) * 100)));
        }
        lake.maintain().await.expect("tidied");
        assert_eq!(rows(&target).await, model, "tidied after epoch {number} of {kind:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_table_is_always_what_a_map_would_be(
        kind in proptest::sample::select(KEY_KINDS.to_vec()),
        epochs in model_epochs(),
        reopen in 1u64..4,
        tidy in 1u64..4,
        bytes in proptest::sample::select(vec![1 << 10, 8 << 10]),
        pace in proptest::sample::select(vec![Pace::Beside, Pace::Wait]),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(run_model(kind, &epochs, (reopen, tidy), bytes, pace));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_is_found_among_many_files() {
    for kind in KEY_KINDS {
        let root = tempfile::tempdir().expect("a folder");
        let target = target(root.path(), "orders");
        let schema = schema(kind, &[]);
        let mut lake = Lake::open(options(root.path())).await.expect("opened");
        let mut model = BTreeMap::new();
        // Each epoch writes its own range, so that bounds rule most files out.
        for (number, first) in (1..).zip([-3000, -2000, -1000, -200, 1000, 3000]) {
            let net = (first..first + 500).map(|k| (k, insert(k))).collect();
            model.extend((first..first + 500).map(|k| (k, k)));
            let changes = changes(&target, &schema, kind, &net);
            lake.commit(epoch(number, vec![changes])).await.expect("committed");
        }
        let touched = [-3000, -2501, -1700, -200, -1, 0, 299, 1000, 3499, -3001, -2500, 300, 9000];
        let net = touched.iter().map(|k| (*k, put(-1))).collect();
        model.extend(touched.iter().map(|k| (*k, -1)));
        let changes = changes(&target, &schema, kind, &net);
        lake.commit(epoch(7, vec![changes])).await.expect("committed");
        assert_eq!(rows(&target).await, model, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_live_row_leaves_the_table() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1)), (2, insert(2))]).await.expect("committed");
    simple.commit(&[(3, insert(3))]).await.expect("committed");
    simple.commit(&[(1, delete())]).await.expect("committed");
    let report = crate::show(&simple.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!((report.files, report.deletion_vectors, report.dead_rows), (2, 1, 1));
    simple.commit(&[(2, delete())]).await.expect("committed");
    let report = crate::show(&simple.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!((report.files, report.deletion_vectors, report.rows), (1, 0, Some(1)));
    assert_eq!(simple.rows().await, [(3, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_vector_keeps_the_dead_rows_of_all_commits() {
    let mut simple = Simple::new().await;
    let all: Vec<_> = (0..100).map(|k| (k, insert(k))).collect();
    simple.commit(&all).await.expect("committed");
    for round in 0..5 {
        if round == 3 {
            simple.reopen().await.expect("opened");
        }
        simple.commit(&[(round * 7, delete()), (round * 7 + 1, delete())]).await.expect("done");
    }
    let left: Vec<(i32, i32)> =
        (0..100).filter(|k| *k >= 35 || k % 7 > 1).map(|k| (k, k)).collect();
    assert_eq!(simple.rows().await, left);
    let report = crate::show(&simple.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!((report.files, report.deletion_vectors, report.dead_rows), (1, 1, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_of_the_pipeline_fences_the_first() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1))]).await.expect("committed");
    let mut second = Lake::open(options(simple.root.path())).await.expect("opened");
    let changes = simple.changes(&[(1, put(2))]);
    second.commit(epoch(2, vec![changes])).await.expect("committed");
    let error = simple.commit(&[(1, put(3))]).await.expect_err("fenced");
    assert!(matches!(error, LakeError::Fenced { expected: 1, found: 2, .. }), "{error}");
    assert_eq!(simple.rows().await, [(1, 2)]);
    let error = simple.commit(&[(1, put(3))]).await.expect_err("refused");
    assert!(error.to_string().contains("open the lake again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_over_several_targets_commits_each_and_quiet_ones_follow() {
    let root = tempfile::tempdir().expect("a folder");
    let seconds = Arc::new(std::sync::atomic::AtomicU64::new(1_750_000_000));
    let mut options = options(root.path());
    let now = Arc::clone(&seconds);
    options.clock = Clock::new(move || {
        UNIX_EPOCH + Duration::from_secs(now.load(std::sync::atomic::Ordering::Relaxed))
    });
    let mut lake = Lake::open(options.clone()).await.expect("opened");
    let targets: Vec<TargetPath> = ["a", "b", "c"].map(|t| target(root.path(), t)).to_vec();
    let schema = schema(KeyKind::Text, &[]);
    let on = |targets: &[TargetPath], value: i32| -> Vec<TargetChanges> {
        let net = BTreeMap::from([(1, put(value))]);
        targets.iter().map(|t| changes(t, &schema, KeyKind::Text, &net)).collect()
    };
    lake.commit(epoch(1, on(&targets, 1))).await.expect("committed");
    for target in &targets {
        assert_eq!(rows(target).await, BTreeMap::from([(1, 1)]));
    }
    let covered = |target: TargetPath| async move {
        let report = crate::show(&target.0, &StoreOptions::default()).await.expect("shown");
        (report.version, report.position)
    };
    seconds.fetch_add(599, std::sync::atomic::Ordering::Relaxed);
    lake.commit(epoch(2, on(&targets[..1], 2))).await.expect("committed");
    assert_eq!(covered(targets[1].clone()).await, (1, Some(at(100))));
    seconds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    lake.commit(epoch(3, vec![])).await.expect("committed");
    assert_eq!(covered(targets[0].clone()).await, (2, Some(at(200))));
    assert_eq!(covered(targets[1].clone()).await, (2, Some(at(300))));
    let lake = Lake::open(options).await.expect("opened");
    assert_eq!(lake.recovered().targets.len(), 3);
    assert_eq!(lake.recovered().all_durable, Some(at(200)));
    assert_eq!(lake.recovered().epoch, 3);
    assert_eq!(lake.recovered().chains().into_iter().collect::<Vec<_>>(), ["chain-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_survives_its_log_entries() {
    let mut simple = Simple::new().await;
    for value in 0..4 {
        simple.commit(&[(1, put(value))]).await.expect("committed");
    }
    // Another engine compacts, writes a checkpoint and cleans up: no entry of ours is left.
    let mut table = simple.lake.tables.remove(&simple.target).expect("open");
    foreign::compact(&simple.folder(), 5);
    table.follow_for_test().await;
    table.write_checkpoint().await;
    for version in 0..5 {
        let entry = simple.folder().join(format!("_delta_log/{version:020}.json"));
        std::fs::remove_file(entry).expect("removed");
    }
    simple.reopen().await.expect("opened");
    let recovered = &simple.lake.recovered().targets[&simple.target];
    assert_eq!(recovered.covered, Some(at(400)));
    assert_eq!(recovered.all_durable, Some(at(300)));
    assert_eq!(recovered.counter, 4);
    // From here on a key that the source inserts is looked for as well.
    simple.commit(&[(1, insert(9))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 9)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_by_others_is_followed() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1)), (2, insert(2))]).await.expect("committed");
    foreign::compact(&simple.folder(), 2);
    simple.commit(&[(1, put(10)), (3, insert(3))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 10), (2, 2), (3, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_others_append_are_found() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1)), (2, insert(2))]).await.expect("committed");
    // A second copy of everything, as an append of equal keys would leave it.
    foreign::append_copy(&simple.folder(), 2);
    simple.commit(&[(1, put(10)), (2, insert(20)), (3, insert(3))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 10), (2, 20), (3, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_stops_and_undoing_it_goes_on() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1))]).await.expect("committed");
    simple.commit(&[(2, insert(2))]).await.expect("committed");
    let former = foreign::restore_to_one_file(&simple.folder(), 3);
    let error = simple.commit(&[(3, insert(3))]).await.expect_err("stopped");
    insta::assert_snapshot!(foreign::plain(&simple.target, &error), @"TARGET: version 3 was written by others: RESTORE replaced its rows");
    let error = simple.reopen().await.expect_err("stopped");
    insta::assert_snapshot!(foreign::plain(&simple.target, &error), @"TARGET: version 3 was written by others: RESTORE replaced its rows");
    let hint = change::Diagnose::hint(&error).expect("a hint");
    assert!(hint.contains("VERSION AS OF 2"), "{hint}");
    foreign::undo(&simple.folder(), 4, &former);
    simple.reopen().await.expect("opened");
    simple.commit(&[(3, insert(3))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 1), (2, 2), (3, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_columns_are_added_in_the_commit_that_brings_them() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1)), (2, insert(2))]).await.expect("committed");
    let wider = schema(KeyKind::Int64, &["at"]);
    let net = BTreeMap::from([(1, put(10)), (3, insert(3))]);
    let first = changes(&simple.target, &wider, KeyKind::Int64, &net);
    simple.lake.commit(epoch(2, vec![first])).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 10), (2, 2), (3, 3)]);
    let report = crate::show(&simple.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!(report.features, ["deletionVectors", "timestampNtz"]);
    let columns: Vec<(&str, &str, bool)> =
        report.columns.iter().map(|c| (c.name.as_str(), c.data_type.as_str(), c.id)).collect();
    let expected = [
        ("id0", "long", true),
        ("n", "integer", false),
        ("v", "integer", false),
        ("text", "string", false),
        ("at", "timestamp_ntz", false),
    ];
    assert_eq!(columns, expected);
    // A column that the source dropped is NULL from then on.
    simple.number = 2;
    simple.commit(&[(2, put(20))]).await.expect("committed");
    simple.reopen().await.expect("opened");
    simple.commit(&[(3, put(30))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 10), (2, 20), (3, 30)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_do_not_fit_are_named() {
    let simple = Simple::new().await;
    let (root, target) = (simple.root.path(), &simple.target);
    let net = BTreeMap::from([(1, put(1))]);
    let narrow = schema(KeyKind::Int64, &[]);
    let mut lake = Lake::open(options(root)).await.expect("opened");
    lake.commit(epoch(1, vec![changes(target, &narrow, KeyKind::Int64, &net)])).await.expect("ok");

    let mut refusing = options(root);
    refusing.new_columns = NewColumns::Refuse;
    let cases = [
        (options(root), KeyKind::Text, schema(KeyKind::Text, &[])),
        (options(root), KeyKind::Composite, schema(KeyKind::Composite, &[])),
        (refusing, KeyKind::Int64, schema(KeyKind::Int64, &["at"])),
    ];
    let mut texts = Vec::new();
    for (options, kind, schema) in cases {
        let mut lake = Lake::open(options).await.expect("opened");
        let changes = changes(target, &schema, kind, &net);
        let error = lake.commit(epoch(2, vec![changes])).await.expect_err("refused");
        texts.push(foreign::plain(target, &error));
        texts.push(change::Diagnose::hint(&error).expect("a hint"));
    }
    insta::assert_snapshot!(texts.join("\n"), @r"
    TARGET: the columns do not fit the table: column `id0` is long in the table and string in the changes
    cast `id0` back with a plugin, or rebuild the tables (docs/guide/rebuild.md): move all tables of the pipeline away, remove checkpoint.json from its checkpoint folder, and start again from before their first row
    TARGET: the columns do not fit the table: its id columns are id0, those of the changes are id0, id1
    put the former id columns back, or rebuild the tables (docs/guide/rebuild.md): move all tables of the pipeline away, remove checkpoint.json from its checkpoint folder, and start again from before their first row
    TARGET: the columns do not fit the table: column `at` (timestamp_ntz) is missing in the table
    set `sink.merge-schema = true`, or drop the column with a plugin
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_has_vanished_is_not_begun_in_its_middle() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1))]).await.expect("committed");
    std::fs::remove_dir_all(simple.folder()).expect("removed");
    let error = simple.commit(&[(2, insert(2))]).await.expect_err("stopped");
    insta::assert_snapshot!(foreign::plain(&simple.target, &error), @"TARGET: the table has vanished: log entry 1 is not there any more");
    assert!(!simple.folder().join("_delta_log/00000000000000000002.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_others_is_adopted_where_it_can_be_written() {
    let simple = Simple::new().await;
    let mut lake = Lake::open(options(simple.root.path())).await.expect("opened");
    let net: Vec<_> = (1..4).map(|k| (k, insert(k))).collect();
    lake.commit(epoch(1, vec![simple.changes(&net)])).await.expect("committed");
    let log = simple.folder().join("_delta_log");
    let made = foreign::strip_sluice(&log);
    let mut lake = Lake::open(options(simple.root.path())).await.expect("opened");
    assert!(lake.recovered().targets.is_empty());
    // All keys are looked for: the rows are not ours.
    let changes = simple.changes(&[(1, insert(10)), (2, delete()), (9, insert(9))]);
    lake.commit(epoch(2, vec![changes])).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 10), (3, 3), (9, 9)]);

    let refused = [
        ("\"delta.enableDeletionVectors\":\"true\"", "\"x\":\"true\""),
        ("\"partitionColumns\":[]", "\"partitionColumns\":[\"v\"]"),
        ("\"configuration\":{", "\"configuration\":{\"delta.appendOnly\":\"true\","),
        ("\"configuration\":{", "\"configuration\":{\"delta.columnMapping.mode\":\"name\","),
        ("\"configuration\":{", "\"configuration\":{\"sluice.pipeline\":\"other\","),
        ("\"writerFeatures\":[", "\"writerFeatures\":[\"clustering\",\"domainMetadata\","),
        ("\"configuration\":{", "\"configuration\":{\"delta.constraints.c\":\"v > 0\","),
    ];
    let mut texts = Vec::new();
    for (from, to) in refused {
        let first = made.replacen(from, to, 1);
        assert_ne!(first, made, "{from}");
        std::fs::write(log.join("00000000000000000000.json"), first).expect("written");
        // What the pipeline left in the log makes the table its own, unless another owns it now.
        let error = match Lake::open(options(simple.root.path())).await {
            Err(error) => error,
            Ok(mut lake) => {
                let epoch = epoch(3, vec![simple.changes(&[(1, put(1))])]);
                lake.commit(epoch).await.expect_err("refused")
            }
        };
        texts.push(foreign::plain(&simple.target, &error));
        texts.push(change::Diagnose::hint(&error).expect("a hint"));
    }
    insta::assert_snapshot!(texts.join("\n"), @r"
    TARGET: the table cannot be written: it does not allow deletion vectors
    set the table property `delta.enableDeletionVectors` to `true`
    TARGET: the table cannot be written: it is partitioned by v
    route to another path, or let Sluice make the table: move the existing one away
    TARGET: the table cannot be written: it is append-only
    unset the table property `delta.appendOnly`, or route to another path, or let Sluice make the table: move the existing one away
    TARGET: the table cannot be written: its columns are mapped to other names (column mapping)
    route to another path, or let Sluice make the table: move the existing one away
    TARGET: the table cannot be written: it belongs to pipeline `other`
    route to another path, or hand the table over: set its property `sluice.pipeline` to `shop`
    TARGET: the table cannot be written: it uses the table feature `clustering`
    route to another path, or let Sluice make the table: move the existing one away
    TARGET: the table cannot be written: it has a CHECK constraint
    drop the constraint `delta.constraints.c`, or route to another path, or let Sluice make the table: move the existing one away
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_our_own_that_cannot_be_written_any_more_is_told_when_it_is_opened() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1))]).await.expect("committed");
    let first = simple.folder().join("_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&first).expect("text");
    let set = "\"configuration\":{\"delta.appendOnly\":\"true\",";
    std::fs::write(&first, text.replacen("\"configuration\":{", set, 1)).expect("written");
    let error = simple.reopen().await.expect_err("told");
    insta::assert_snapshot!(foreign::plain(&simple.target, &error), @"TARGET: the table cannot be written: it is append-only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_keeps_every_row_and_leaves_no_dead_one() {
    let root = tempfile::tempdir().expect("a folder");
    let mut options = options(root.path());
    options.maintenance.small_files_max = 4;
    options.maintenance.compact_commits = 5;
    let target = target(root.path(), "orders");
    let schema = schema(KeyKind::Composite, &[]);
    let mut lake = Lake::open(options.clone()).await.expect("opened");
    let mut model = BTreeMap::new();
    for number in 1..=5 {
        let keys = (0..3000).filter(|k| k % 5 == number || k % 7 == 0);
        let net: BTreeMap<i32, Net> = keys.map(|k| (k, put(k * number))).collect();
        model.extend(net.iter().filter_map(|(k, n)| Some((*k, n.value?))));
        let number = u64::try_from(number).expect("positive");
        let changes = changes(&target, &schema, KeyKind::Composite, &net);
        lake.commit(epoch(number, vec![changes])).await.expect("committed");
    }
    // Files that others wrote are not sorted.
    model.extend(foreign::append_unsorted(&target, 6).await);
    let mut lake = Lake::open(options.clone()).await.expect("opened");
    lake.maintain().await.expect("tidied");
    assert_eq!(rows(&target).await, model);
    let report = crate::show(&target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!((report.files, report.dead_rows, report.version), (1, 0, 7));
    assert_eq!(report.position, Some(at(500)), "a compaction carries the position");
    assert!(foreign::is_sorted_by_key(&target).await);
    let recovered = Lake::open(options).await.expect("opened").recovered().clone();
    assert_eq!(recovered.targets[&target].covered, Some(at(500)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_ahead_never_goes_back() {
    let root = tempfile::tempdir().expect("a folder");
    let mut options = options(root.path());
    let target = target(root.path(), "orders");
    let schema = schema(KeyKind::Int32, &[]);
    let net = BTreeMap::from([(1, insert(1))]);
    let mut lake = Lake::open(options.clone()).await.expect("opened");
    let first = changes(&target, &schema, KeyKind::Int32, &net);
    lake.commit(epoch(5, vec![first])).await.expect("committed");
    // After a crash another target catches up; this one stays quiet for long meanwhile.
    let open = Arc::new(std::sync::atomic::AtomicU64::new(2_000_000_000));
    let now = Arc::clone(&open);
    options.clock = Clock::new(move || {
        UNIX_EPOCH + Duration::from_secs(now.load(std::sync::atomic::Ordering::Relaxed))
    });
    let mut lake = Lake::open(options.clone()).await.expect("opened");
    open.fetch_add(601, std::sync::atomic::Ordering::Relaxed);
    lake.commit(epoch(2, vec![])).await.expect("committed");
    let recovered = Lake::open(options).await.expect("opened").recovered().targets[&target].clone();
    assert_eq!((recovered.covered, recovered.counter, recovered.epoch), (Some(at(500)), 2, 5));
    assert_eq!(recovered.all_durable, Some(at(400)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_doubted_is_looked_for_even_after_a_restart() {
    let root = tempfile::tempdir().expect("a folder");
    let (orders, other) = (target(root.path(), "orders"), target(root.path(), "other"));
    let schema = schema(KeyKind::Int32, &[]);
    let inserted = |target: &TargetPath| {
        let net = [(1, insert(1)), (2, insert(2))].into_iter().collect();
        let mut changes = changes(target, &schema, KeyKind::Int32, &net);
        let source = SourceKey { table: TableName::new("shop", "orders"), constants: Vec::new() };
        let id_columns = vec!["id0".to_owned()];
        changes.sources =
            SourceKeys { id_columns, whole_row: false, incomplete: false, tables: vec![source] }
                .into();
        changes
    };
    let mut lake = Lake::open(options(root.path())).await.expect("opened");
    let both = vec![inserted(&orders), inserted(&other)];
    lake.commit(epoch(1, both)).await.expect("committed");
    // The source was emptied, and the operator said that the targets are dealt with.
    lake.doubt(&[TableName::new("shop", "*")]);
    lake.commit(epoch(2, Vec::new())).await.expect("committed");
    let mut lake = Lake::open(options(root.path())).await.expect("opened");
    lake.commit(epoch(3, vec![inserted(&orders)])).await.expect("committed");
    assert_eq!(rows(&orders).await, BTreeMap::from([(1, 1), (2, 2)]), "rows are doubled");
}

mod edits;
mod faults;
mod foreign;
mod gaps;
mod guest;
mod index;
mod maintenance;
mod model;
mod trust;
mod vacuum;
mod whole_rows;
