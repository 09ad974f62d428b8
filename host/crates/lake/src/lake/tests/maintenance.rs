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
