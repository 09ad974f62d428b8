//! Where a run goes on, case by case.

use super::*;

const CHAIN: &str = "chain";

fn at(offset: u64) -> Position {
    Position::at("log.000001", offset)
}

fn target(name: &str) -> TargetPath {
    TargetPath(name.into())
}

fn knows(covered: u64, all_durable: u64, chain: &str) -> RecoveredTarget {
    RecoveredTarget {
        covered: Some(at(covered)),
        all_durable: Some(at(all_durable)),
        epoch: 5,
        counter: 3,
        chain: chain.to_owned(),
        sources: None,
    }
}

fn recovered(targets: &[(&str, RecoveredTarget)]) -> Recovered {
    let all_durable = targets.iter().filter_map(|(_, t)| t.all_durable.clone());
    Recovered {
        load: None,
        all_durable: all_durable.max_by_key(|p| p.offset),
        epoch: targets.iter().map(|(_, t)| t.epoch).max().unwrap_or(0),
        targets: targets.iter().map(|(name, t)| (target(name), t.clone())).collect(),
    }
}

fn state(offset: u64, epoch: u64, counters: &[(&str, i64)]) -> State {
    let targets: BTreeMap<_, _> = counters.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect();
    let state = serde_json::json!({
        "form": 1, "pipeline": "shop", "epoch": epoch, "position": at(offset), "chain": CHAIN,
        "sources": { "names": [] }, "targets": targets,
    });
    serde_json::from_value(state).expect("the form of a checkpoint")
}

#[test]
fn a_new_pipeline_begins_where_the_manifest_says() {
    let resume = decide(None, &Recovered::default(), CHAIN).expect("nothing stands against it");
    assert_eq!(resume, Resume { epoch: 1, ..Resume::default() });
}

#[test]
fn the_later_of_checkpoint_and_targets_holds() {
    // Killed between two targets' commits: the checkpoint and `all_durable` agree.
    let torn = recovered(&[("a", knows(200, 100, CHAIN)), ("b", knows(100, 50, CHAIN))]);
    let resume = decide(Some(&state(100, 4, &[])), &torn, CHAIN).expect("goes on");
    assert_eq!((resume.position, resume.epoch), (Some(at(100)), 6));
    // The checkpoint folder is lost.
    let resume = decide(None, &torn, CHAIN).expect("goes on");
    assert_eq!(resume.position, Some(at(100)));
    // Everything was filtered since: only the checkpoint moved.
    let resume = decide(Some(&state(900, 9, &[])), &torn, CHAIN).expect("goes on");
    assert_eq!((resume.position, resume.epoch), (Some(at(900)), 10));
    // An old copy of the checkpoint folder came back.
    let resume = decide(Some(&state(20, 2, &[])), &torn, CHAIN).expect("goes on");
    assert_eq!(resume.position, Some(at(100)));
}

#[test]
fn a_lost_checkpoint_counts_every_table_of_unknown_sources_as_seen() {
    let resume = decide(None, &recovered(&[("a", knows(9, 5, CHAIN))]), CHAIN).expect("goes on");
    assert!(resume.sources.others);
}

fn sources_of(table: &str) -> Option<lake::SourceKeys> {
    let table = change::TableName::new("shop", table);
    let tables = vec![lake::sources::SourceKey { table, constants: Vec::new() }];
    Some(lake::SourceKeys {
        id_columns: vec!["id".to_owned()],
        whole_row: false,
        incomplete: false,
        tables,
    })
}

#[test]
fn an_older_copy_of_the_checkpoint_forgets_no_table_that_a_target_knows() {
    let target = |sources| RecoveredTarget { sources, ..knows(100, 50, CHAIN) };
    let found = recovered(&[("a", target(sources_of("orders")))]);
    let resume = decide(Some(&state(100, 4, &[])), &found, CHAIN).expect("goes on");
    assert!(resume.sources.names.contains(&change::TableName::new("shop", "orders")));
    assert!(!resume.sources.others);
    // The target has commits that the checkpoint does not know, and forgot what they were of.
    let found = recovered(&[("a", target(None))]);
    let resume = decide(Some(&state(100, 4, &[("a", 2)])), &found, CHAIN).expect("goes on");
    assert!(resume.sources.others);
    let resume = decide(Some(&state(100, 4, &[("a", 3)])), &found, CHAIN).expect("goes on");
    assert!(!resume.sources.others, "the checkpoint has seen all of them");
    // The table still tells its id columns, which says nothing of the source tables.
    let lost = lake::SourceKeys { incomplete: true, ..sources_of("orders").expect("known") };
    let found = recovered(&[("a", target(Some(lost)))]);
    let resume = decide(Some(&state(100, 4, &[("a", 2)])), &found, CHAIN).expect("goes on");
    assert!(resume.sources.others);
    assert!(decide(None, &found, CHAIN).expect("goes on").sources.others);
}

#[test]
fn a_pipeline_that_has_only_begun_had_no_chain_before() {
    let mut known = state(100, 4, &[]);
    assert_eq!(last_chain(Some(&known)).as_deref(), Some(CHAIN));
    (known.start, known.chain) = (Some("latest".to_owned()), String::new());
    assert_eq!(last_chain(Some(&known)), None);
    assert_eq!(last_chain(None), None);
}

#[test]
fn a_target_is_known_below_the_sinks_folder_wherever_that_lies() {
    for (path, kept) in [("/lake/shop/t/", "./shop/t/"), ("/lake", "./"), ("/else/t", "/else/t")] {
        assert_eq!(below(&target(path), "/lake"), kept);
        assert_eq!(placed(kept, "/lake"), path);
    }
    assert_eq!(placed("./shop/t", "/moved/lake"), "/moved/lake/shop/t");
    assert_eq!(placed("/lake/shop/t", "/moved"), "/lake/shop/t", "as an older build kept it");
}

#[test]
fn a_begin_counts_only_for_the_start_that_it_stands_for() {
    let mut begun = state(100, 0, &[]);
    begun.start = Some("latest".to_owned());
    let file = StartAt::File { file: "log.000001".to_owned(), offset: 4 };
    assert!(holds(&begun, &StartAt::Latest));
    assert!(!holds(&begun, &StartAt::Earliest));
    assert!(!holds(&begun, &StartAt::Time(1)));
    assert!(!holds(&begun, &file));
    begun.start = moving(&StartAt::Time(1));
    assert!(holds(&begun, &StartAt::Time(1)) && !holds(&begun, &StartAt::Time(2)));
    begun.start = None;
    assert!(holds(&begun, &file), "an epoch is finished: the start has had its say");
}

#[test]
fn a_target_that_lost_commits_is_not_written_on() {
    let found = recovered(&[("a", knows(100, 50, CHAIN))]);
    let error = decide(Some(&state(100, 4, &[("a", 4)])), &found, CHAIN).unwrap_err();
    insta::assert_snapshot!(error, @"target a stands at commit 3 of this pipeline, the checkpoint has seen 4");
    let error = decide(Some(&state(100, 4, &[("gone", 1)])), &found, CHAIN).unwrap_err();
    insta::assert_snapshot!(error, @"target gone stands at commit 0 of this pipeline, the checkpoint has seen 1");
}

#[test]
fn another_chain_takes_over_only_where_all_targets_stand_at_one_point() {
    let level = recovered(&[("a", knows(100, 50, "old")), ("b", knows(70, 50, "older"))]);
    assert!(decide(Some(&state(100, 4, &[])), &level, CHAIN).is_ok());
    let torn = recovered(&[("a", knows(200, 100, "old")), ("b", knows(100, 50, "old"))]);
    let error = decide(Some(&state(100, 4, &[])), &torn, CHAIN).unwrap_err();
    insta::assert_snapshot!(error, @"the chain or the manifest changed, but target a is past log.000001:100, where this run would go on for the others");
    // The new chain itself was killed between two targets: that is not a change.
    let own = recovered(&[("a", knows(200, 100, CHAIN)), ("b", knows(100, 50, "old"))]);
    assert!(decide(Some(&state(100, 4, &[])), &own, CHAIN).is_ok());
}

#[test]
fn positions_of_two_histories_are_told_apart() {
    let mut state = state(100, 4, &[]);
    state.position.gtids = "0-1-5".parse().ok();
    let mut targets = recovered(&[("a", knows(90, 90, CHAIN))]);
    targets.all_durable.as_mut().expect("known").gtids = "1-1-3".parse().ok();
    assert!(matches!(decide(Some(&state), &targets, CHAIN), Err(RunError::Diverged { .. })));
}
