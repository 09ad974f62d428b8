//! `sluice table compact`: a compaction from outside, beside a pipeline that goes on.

use super::*;

async fn small_files() -> Simple {
    let mut simple = Simple::new().await;
    for round in 0..5 {
        let rows: Vec<_> = (0..40).map(|k| (k * 5 + round, insert(k))).collect();
        simple.commit(&rows).await.expect("committed");
    }
    simple.commit(&[(0, delete()), (6, delete()), (7, put(70))]).await.expect("committed");
    simple
}

fn rules() -> Maintenance {
    Maintenance { small_files_max: 2, dead_share_max: 0.01, ..Maintenance::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_compacts_and_the_pipeline_follows() {
    let mut simple = small_files().await;
    let before = simple.rows().await;
    let store = StoreOptions::default();
    let report = crate::compact(&simple.target.0, &store, rules()).await.expect("compacted");
    assert_eq!((report.files_before, report.files_after, report.rows), (6, 1, 198));
    assert_eq!(simple.rows().await, before);
    let shown = crate::show(&simple.target.0, &store).await.expect("shown");
    assert_eq!((shown.files, shown.dead_rows, shown.position), (1, 0, Some(at(600))));
    let newest = crate::history(&simple.target.0, &store, 1).await.expect("read").remove(0);
    assert_eq!((newest.operation.as_deref(), newest.pipeline), (Some("OPTIMIZE"), None));
    assert!(!newest.data_change);
    // The pipeline does not know of it, commits, and is not fenced.
    simple.commit(&[(1, put(-1)), (2, delete())]).await.expect("committed");
    let again = crate::compact(&simple.target.0, &store, rules()).await.expect("compacted");
    assert_eq!((again.files_before, again.files_after), (2, 1));
    let idle = crate::compact(&simple.target.0, &store, rules()).await.expect("looked");
    assert_eq!(idle.commits, 0);
    simple.reopen().await.expect("opened");
    simple.commit(&[(1, put(-2))]).await.expect("committed");
    assert_eq!((simple.rows().await[0], simple.rows().await.len()), ((1, -2), 197));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_and_a_busy_pipeline_lose_nothing_of_each_other() {
    let mut simple = small_files().await;
    let mut model: BTreeMap<i32, i32> = simple.rows().await.into_iter().collect();
    let path = simple.target.0.to_string();
    let guest = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let mut commits = 0;
        for _ in 0..6 {
            // Where the pipeline took a whole file away it is told to run again.
            let store = StoreOptions::default();
            let report = runtime.block_on(crate::compact(&path, &store, rules()));
            commits += report.map_or(0, |r| r.commits);
        }
        commits
    });
    for round in 0..25 {
        let net: Vec<_> = (0..200).skip(round % 7).step_by(9).collect();
        let value = i32::try_from(round).expect("small");
        let net: Vec<_> = net.into_iter().map(|k| (k, put(value))).collect();
        model.extend(net.iter().map(|(k, _)| (*k, value)));
        simple.commit(&net).await.expect("committed");
    }
    assert!(guest.await.expect("ended") > 0, "the guest never came to its turn");
    assert_eq!(simple.rows().await, model.into_iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_whose_files_were_vacuumed_behind_a_compaction_looks_again() {
    let mut simple = small_files().await;
    let store = StoreOptions::default();
    crate::compact(&simple.target.0, &store, rules()).await.expect("compacted");
    let at_once = crate::Vacuum {
        retention: Some(Duration::ZERO),
        short_retention: crate::ShortRetention::Accept,
        dry_run: false,
    };
    let report = crate::vacuum(&simple.target.0, &store, &at_once).await.expect("vacuumed");
    assert!(report.files.len() >= 6, "{report:?}");
    simple.commit(&[(1, put(-1)), (2, delete())]).await.expect("committed");
    assert_eq!((simple.rows().await[0], simple.rows().await.len()), ((1, -1), 197));
}
