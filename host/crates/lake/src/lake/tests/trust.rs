//! Which tables are a pipeline's own, and how far it trusts what they hold.

use super::*;
use crate::table::progress::Lookups;

fn clock(seconds: u64) -> Clock {
    Clock::new(move || UNIX_EPOCH + Duration::from_secs(seconds))
}

fn lookups(lake: &Lake, target: &TargetPath) -> Lookups {
    lake.tables[target].progress().lookups
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_came_and_went_leaves_no_row_twice() {
    let root = tempfile::tempdir().expect("a folder");
    let (a, b) = (target(root.path(), "a"), target(root.path(), "b"));
    let schema = schema(KeyKind::Int64, &[]);
    let on = |target: &TargetPath, key, net| {
        changes(target, &schema, KeyKind::Int64, &BTreeMap::from([(key, net)]))
    };
    let chain = |chain: &str| {
        let mut options = options(root.path());
        options.chain = chain.into();
        options
    };
    let mut lake = Lake::open(chain("one")).await.expect("opened");
    let first = vec![on(&a, 1, insert(10)), on(&b, 1, insert(10))];
    lake.commit(epoch(1, first)).await.expect("committed");
    // Another chain, which leaves `b` out: the row is deleted at the source meanwhile.
    let mut lake = Lake::open(chain("two")).await.expect("opened");
    lake.commit(epoch(2, vec![on(&a, 2, insert(20))])).await.expect("committed");
    // The first chain again; a run that leaves `b` out before one that writes it.
    let mut lake = Lake::open(chain("one")).await.expect("opened");
    lake.commit(epoch(3, vec![on(&a, 3, insert(30))])).await.expect("committed");
    let mut lake = Lake::open(chain("one")).await.expect("opened");
    lake.commit(epoch(4, vec![on(&b, 1, insert(11))])).await.expect("committed");
    assert_eq!(rows(&b).await, BTreeMap::from([(1, 11)]));
    assert_eq!(rows(&a).await, BTreeMap::from([(1, 10), (2, 20), (3, 30)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_another_chain_elsewhere_takes_the_trust_away_for_good() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1))]).await.expect("committed");
    let mut options = options(simple.root.path());
    options.last_chain = Some("chain-1".into());
    let lake = Lake::open(options.clone()).await.expect("opened");
    assert_eq!(lookups(&lake, &simple.target), Lookups::WhereNeeded);
    options.last_chain = Some("chain-of-another-path".into());
    simple.lake = Lake::open(options).await.expect("opened");
    assert_eq!(lookups(&simple.lake, &simple.target), Lookups::Always);
    // An epoch without a row for it is enough for the next run to know.
    simple.lake.commit(epoch(2, vec![])).await.expect("committed");
    simple.reopen().await.expect("opened");
    assert_eq!(lookups(&simple.lake, &simple.target), Lookups::Always);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_short_runs_never_touch_gets_its_position_too() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1))]).await.expect("committed");
    for (number, seconds) in [(2, 1_750_000_400), (3, 1_750_000_800), (4, 1_750_001_000)] {
        let mut options = options(simple.root.path());
        options.clock = clock(seconds);
        let mut lake = Lake::open(options).await.expect("opened");
        lake.commit(epoch(number, vec![])).await.expect("committed");
    }
    simple.reopen().await.expect("opened");
    let recovered = &simple.lake.recovered().targets[&simple.target];
    assert_eq!(recovered.covered, Some(at(300)), "800 seconds behind its last commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_another_pipeline_adopted_is_its_own_business() {
    let root = tempfile::tempdir().expect("a folder");
    let theirs = target(root.path(), "theirs");
    let schema = schema(KeyKind::Int64, &[]);
    let row = |key| {
        let net = BTreeMap::from([(key, insert(1))]);
        changes(&theirs, &schema, KeyKind::Int64, &net)
    };
    let mut other = options(root.path());
    other.pipeline = "other".into();
    let mut lake = Lake::open(other.clone()).await.expect("opened");
    lake.commit(epoch(1, vec![row(1)])).await.expect("committed");
    // Adopted: nothing but the commits of the other one tells whose it is.
    let folder = std::path::Path::new(&*theirs.0).to_owned();
    foreign::strip_sluice(&folder.join("_delta_log"));
    let mut lake = Lake::open(other).await.expect("opened");
    lake.commit(epoch(2, vec![row(2)])).await.expect("committed");
    let lake = Lake::open(options(root.path())).await.expect("not in the way");
    assert!(lake.recovered().targets.is_empty());
    // A log that nobody understands, which does not name us, is nobody's business either.
    std::fs::write(folder.join("_delta_log/00000000000000000003.json"), "{").expect("written");
    let lake = Lake::open(options(root.path())).await.expect("not in the way");
    assert!(lake.recovered().targets.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_handed_over_is_taken() {
    let root = tempfile::tempdir().expect("a folder");
    let theirs = target(root.path(), "theirs");
    let schema = schema(KeyKind::Int64, &[]);
    let row = |key, value| {
        let net = BTreeMap::from([(key, insert(value))]);
        changes(&theirs, &schema, KeyKind::Int64, &net)
    };
    let mut other = options(root.path());
    other.pipeline = "other".into();
    let mut lake = Lake::open(other.clone()).await.expect("opened");
    lake.commit(epoch(1, vec![row(1, 1)])).await.expect("committed");
    let folder = std::path::Path::new(&*theirs.0).to_owned();
    foreign::hand_over(&folder, 2, "other", "shop");
    let mut lake = Lake::open(options(root.path())).await.expect("opened");
    assert!(lake.recovered().targets.contains_key(&theirs), "the property says so");
    lake.commit(epoch(1, vec![row(1, 2)])).await.expect("committed");
    assert_eq!(rows(&theirs).await, BTreeMap::from([(1, 2)]), "its rows are looked for");
    // The former owner goes on without it.
    assert!(Lake::open(other).await.expect("opened").recovered().targets.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_our_own_that_cannot_be_written_stops_at_once() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(1))]).await.expect("committed");
    let first = simple.folder().join("_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&first).expect("text");
    let on = "\"configuration\":{\"delta.appendOnly\":\"true\",";
    std::fs::write(&first, text.replacen("\"configuration\":{", on, 1)).expect("written");
    let error = simple.reopen().await.expect_err("refused");
    assert!(matches!(error, LakeError::Incompatible { .. }), "{error}");
    // The same with a log that cannot even be read.
    std::fs::write(&first, "{").expect("written");
    simple.reopen().await.expect_err("refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn id_columns_may_come_in_another_order() {
    let root = tempfile::tempdir().expect("a folder");
    let target = target(root.path(), "orders");
    let known = schema(KeyKind::Composite, &[]);
    let turned = known.with_id_order(&["id1".into(), "id0".into()]).expect("the same columns");
    let mut lake = Lake::open(options(root.path())).await.expect("opened");
    let net: BTreeMap<i32, Net> = (-50..50).map(|k| (k, insert(k))).collect();
    let first = changes(&target, &known, KeyKind::Composite, &net);
    lake.commit(epoch(1, vec![first])).await.expect("committed");
    // A file that rules itself out by its bounds, read with the columns the wrong way round.
    let mut second = changes(&target, &known, KeyKind::Composite, &BTreeMap::from([(7, put(70))]));
    second.gone = second.gone.project(&[1, 0]).expect("two columns");
    second.schema = Arc::new(turned);
    lake.commit(epoch(2, vec![second])).await.expect("committed");
    let expected = (-50..50).map(|k| (k, if k == 7 { 70 } else { k })).collect();
    assert_eq!(rows(&target).await, expected);
    // What is lost of the log leaves the order of the table's property to the fold.
    let mut lake = Lake::open(options(root.path())).await.expect("opened");
    lake.tables.get_mut(&target).expect("open").forget_sources_for_test();
    assert_eq!(lake.tables[&target].source_keys().expect("known").id_columns, ["id0", "id1"]);
}
