//! Tidying up: what it takes, what it costs, and when.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_commits_before_it_tidies_up() {
    let mut simple = Simple::new().await;
    for key in 0..20 {
        simple.commit(&[(key, insert(key))]).await.expect("committed");
    }
    simple.reopen().await.expect("opened");
    simple.commit(&[(99, insert(99))]).await.expect("committed");
    let report = crate::show(&simple.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!((report.version, report.files), (21, 21), "nothing but the commit");
    simple.lake.maintain().await.expect("tidied");
    let report = crate::show(&simple.target.0, &StoreOptions::default()).await.expect("shown");
    assert_eq!((report.version, report.files), (22, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn little_memory_is_enough_to_compact_files_of_any_size() {
    // Bytes of a compaction, and the files that one step leaves.
    for (memory_bytes_max, files) in [(128 << 20, 1..2), (256 << 10, 3..12)] {
        let root = tempfile::tempdir().expect("a folder");
        let mut options = options(root.path());
        options.maintenance.small_files_max = 2;
        options.maintenance.compact_commits = 1;
        options.maintenance.memory_bytes_max = memory_bytes_max;
        let target = target(root.path(), "orders");
        let schema = schema(KeyKind::Composite, &[]);
        let mut lake = Lake::open(options.clone()).await.expect("opened");
        let mut model = BTreeMap::new();
        for number in 1..=3 {
            let net: BTreeMap<i32, Net> = (0..200).map(|k| (k * 3 + number, put(k))).collect();
            model.extend(net.iter().filter_map(|(k, n)| Some((*k, n.value?))));
            let number = u64::try_from(number).expect("positive");
            let changes = changes(&target, &schema, KeyKind::Composite, &net);
            lake.commit(epoch(number, vec![changes])).await.expect("committed");
        }
        // Of others and not sorted: 100 rows, and more than a quarter of 256 KiB.
        model.extend(foreign::append_unsorted(&target, 4).await);
        model
            .extend(foreign::append_unsorted_of(&target, 5, "large.parquet", 10_000..12_000).await);
        let mut lake = Lake::open(options.clone()).await.expect("opened");
        lake.commit(epoch(4, vec![])).await.expect("committed");
        lake.maintain().await.expect("tidied");
        assert_eq!(rows(&target).await, model, "{memory_bytes_max} bytes");
        assert!(foreign::is_sorted_by_key(&target).await, "{memory_bytes_max} bytes");
        let report = crate::show(&target.0, &StoreOptions::default()).await.expect("shown");
        assert!(files.contains(&report.files), "{memory_bytes_max} bytes: {}", report.files);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_an_empty_row_group_loses_the_right_rows() {
    let mut simple = Simple::new().await;
    simple.commit(&[(100, insert(100))]).await.expect("committed");
    foreign::append_with_empty_groups(&simple.folder(), 2);
    simple.reopen().await.expect("opened");
    simple.commit(&[(4, delete()), (2, put(20))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 1), (2, 20), (3, 3), (5, 5), (6, 6), (100, 100)]);
}

/// A table of small files whose compaction runs beside the flow.
async fn beside() -> Simple {
    let mut simple = Simple::new().await;
    let mut options = options(simple.root.path());
    options.maintenance.pace = Pace::Beside;
    options.maintenance.compact_commits = 1;
    options.maintenance.small_files_max = 2;
    options.maintenance.step_bytes_max = u64::MAX;
    simple.lake = Lake::open(options).await.expect("opened");
    for round in 0..4 {
        let rows: Vec<_> = (0..50).map(|k| (k * 4 + round, insert(k))).collect();
        simple.commit(&rows).await.expect("committed");
    }
    simple
}

async fn report(simple: &Simple) -> crate::TableReport {
    crate::show(&simple.target.0, &StoreOptions::default()).await.expect("shown")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_epochs_delete_meanwhile_is_carried_over_to_the_new_file() {
    let mut simple = beside().await;
    let mut model: BTreeMap<i32, i32> = simple.rows().await.into_iter().collect();
    simple.lake.maintain().await.expect("begun");
    // Each of the four files loses rows; of the last one none is left.
    let mut net = vec![(0, put(-1)), (5, delete()), (2, delete())];
    net.extend((0..50).map(|k| (k * 4 + 3, delete())));
    for (key, net) in &net {
        match net.value {
            Some(value) => model.insert(*key, value),
            None => model.remove(key),
        };
    }
    simple.commit(&net).await.expect("committed");
    simple.lake.settle().await.expect("taken up");
    let after = report(&simple).await;
    assert_eq!((after.files, after.deletion_vectors, after.dead_rows), (2, 1, 53));
    let model: Vec<_> = model.into_iter().collect();
    assert_eq!(simple.rows().await, model);
    // The vector is the new file's own, and grows with it.
    simple.commit(&[(4, delete()), (0, delete())]).await.expect("committed");
    let left: Vec<_> = model.into_iter().filter(|(k, _)| ![0, 4].contains(k)).collect();
    assert_eq!(simple.rows().await, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_of_which_no_row_is_left_does_not_enter_the_table() {
    let mut simple = beside().await;
    simple.lake.maintain().await.expect("begun");
    let all: Vec<_> = (0..200).map(|k| (k, delete())).collect();
    simple.commit(&all).await.expect("committed");
    simple.lake.settle().await.expect("taken up");
    assert_eq!((report(&simple).await.files, simple.rows().await), (0, Vec::new()));
    let left = std::fs::read_dir(simple.folder()).expect("a folder");
    let names = left.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8"));
    assert_eq!(names.filter(|n| n.ends_with(".parquet")).count(), 4, "only the old files");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_that_others_overtook_changes_nothing() {
    let mut simple = beside().await;
    let before = simple.rows().await;
    simple.lake.maintain().await.expect("begun");
    foreign::compact(&simple.folder(), 5);
    simple.commit(&[(1, put(-1))]).await.expect("committed");
    simple.lake.settle().await.expect("dropped");
    assert_eq!((report(&simple).await.version, report(&simple).await.files), (6, 5));
    let expected: Vec<_> =
        before.into_iter().map(|(k, v)| (k, if k == 1 { -1 } else { v })).collect();
    assert_eq!(simple.rows().await, expected);
    // Others are faster at the very end.
    simple.lake.maintain().await.expect("begun");
    foreign::compact(&simple.folder(), 7);
    simple.lake.settle().await.expect("dropped");
    assert_eq!(report(&simple).await.version, 7);
    simple.commit(&[(1, put(-2))]).await.expect("committed");
    assert_eq!(simple.rows().await[1], (1, -2));
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_touch_every_file_do_not_starve_a_compaction() {
    let mut simple = beside().await;
    let mut most = 0;
    for round in 0..30 {
        let net: Vec<_> = (0..200).step_by(7).map(|k| (k, put(round))).collect();
        simple.commit(&net).await.expect("committed");
        simple.lake.maintain().await.expect("tidied");
        if round % 3 == 2 {
            simple.lake.settle().await.expect("taken up");
            most = most.max(report(&simple).await.files);
        }
    }
    assert!(most <= 9, "{most} files");
    assert_eq!(simple.rows().await.len(), 200);
}
