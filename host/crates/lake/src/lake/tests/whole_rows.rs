//! Tables on disk whose rows have no key.

use change::ImageKind;

use super::*;
use crate::testing::by_both;
use crate::testing::whole_rows::{Case, Form, Model, Row, batch, cases, fold, read};

async fn run(case: &Case, reopen: usize, tidy: u64, bytes: u64) {
    let root = tempfile::tempdir().expect("a folder");
    let mut options = options(root.path());
    options.maintenance.file_bytes = bytes;
    options.maintenance.compact_commits = tidy;
    options.maintenance.small_files_max = 2;
    options.maintenance.checkpoint_commits = tidy + 1;
    let target = target(root.path(), "orders");
    let mut lake = Lake::open(options.clone()).await.expect("opened");
    let mut open = fold(options.path.clone(), &target, None);
    let mut model = Model::default();
    let mut made = false;
    for number in 0..case.epochs.len() {
        for batch in model.play(case, number) {
            open.push(&batch).expect("folds");
            made = true;
        }
        let changes = open.take().expect("gathers");
        lake.commit(epoch(number as u64 + 1, changes)).await.expect("committed");
        if !made {
            continue;
        }
        let expected = model.rows();
        let form = case.form(number);
        for tidied in [false, true] {
            if tidied {
                lake.maintain().await.expect("tidied");
            }
            let mut found: Vec<Row> =
                by_both(&target, read).await.iter().map(|row| form.of(row)).collect();
            found.sort();
            assert_eq!(found, expected, "epoch {number}, tidied: {tidied}");
        }
        if (number + 1) % reopen == 0 {
            lake = Lake::open(options.clone()).await.expect("opened");
            let sources = lake.recovered().targets[&target].sources.clone();
            assert!(sources.as_ref().is_some_and(|s| s.whole_row));
            open = fold(options.path.clone(), &target, sources);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_table_without_a_key_is_always_what_a_list_would_be(
        case in cases(),
        reopen in 1usize..4,
        tidy in 1u64..4,
        bytes in proptest::sample::select(vec![256, 8 << 10]),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(run(&case, reopen, tidy, bytes));
    }
}

fn number(n: i32) -> Row {
    Row { n: Some(n), ..Row::default() }
}

/// Commits the images of one epoch.
async fn commit(lake: &mut Lake, root: &std::path::Path, n: u64, images: &[(ImageKind, Row)]) {
    let mut fold = fold(options(root).path, &target(root, "orders"), None);
    fold.push(&batch(0, Form::Number, images)).expect("folds");
    lake.commit(epoch(n, fold.take().expect("gathers"))).await.expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_take_their_count_over_many_files_and_no_more() {
    let root = tempfile::tempdir().expect("a folder");
    let target = target(root.path(), "orders");
    let mut lake = Lake::open(options(root.path())).await.expect("opened");
    use ImageKind::{Delete, Insert};
    for n in 1..=4 {
        let images = [(Insert, number(7)), (Insert, number(7)), (Insert, Row::default())];
        commit(&mut lake, root.path(), n, &images).await;
    }
    let seven = |rows: &[Row]| rows.iter().filter(|r| **r == number(7)).count();
    let five = vec![(Delete, number(7)); 5];
    commit(&mut lake, root.path(), 5, &five).await;
    let rows = by_both(&target, read).await;
    assert_eq!((seven(&rows), rows.len()), (3, 7));
    // One NULL row of four, and a row that is not there at all.
    commit(&mut lake, root.path(), 6, &[(Delete, Row::default()), (Delete, number(8))]).await;
    let rows = by_both(&target, read).await;
    assert_eq!((seven(&rows), rows.len()), (3, 6));
    // More than there are: all go, and what cannot be found is no error.
    commit(&mut lake, root.path(), 7, &five).await;
    let rows = by_both(&target, read).await;
    assert_eq!((seven(&rows), rows.len()), (0, 3));
    let report = crate::show(&target.0, &StoreOptions::default()).await.expect("shown");
    assert!(report.whole_row && report.columns.iter().all(|c| c.id));
    assert_eq!(report.properties["sluice.id-columns"], "whole-row");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_on_disk_is_a_multiset_or_has_a_key_and_stays_so() {
    let root = tempfile::tempdir().expect("a folder");
    let mut lake = Lake::open(options(root.path())).await.expect("opened");
    commit(&mut lake, root.path(), 1, &[(ImageKind::Insert, number(1))]).await;
    let mut keyed = batch(0, Form::Number, &[(ImageKind::Insert, number(1))]);
    let schema = Arc::make_mut(&mut keyed.schema);
    schema.key_proof = change::KeyProof::Source;
    let mut fold = fold(options(root.path()).path, &target(root.path(), "orders"), None);
    fold.push(&keyed).expect("the fold knows nothing of the table");
    let changes = fold.take().expect("gathers");
    let error = lake.commit(epoch(2, changes)).await.expect_err("refused");
    insta::assert_snapshot!(foreign::plain(&target(root.path(), "orders"), &error), @"TARGET: the columns do not fit the table: its id columns are the whole row, those of the changes are n");
}
