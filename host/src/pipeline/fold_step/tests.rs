//! Where epochs end around a statement that targets follow.

use std::collections::HashMap;

use change::{ColumnEdit, PathTemplate, RowsEffect, SchemaChange, SchemaChangeKind, TableAction};
use lake::FoldOptions;

use super::super::schema_merge::SchemaMerge;
use super::*;

fn at(offset: u64) -> Position {
    Position::at("log.000001", offset)
}

fn step() -> FoldStep {
    let path = PathTemplate::parse("/lake/{table}").expect("a template");
    let options = FoldOptions {
        path: path.clone(),
        targets_max: 10,
        deletes: lake::Deletes::Remove,
        covered: HashMap::new(),
        sources: HashMap::new(),
    };
    let limits = EpochLimits { trigger: Duration::from_secs(3600), bytes_max: 1 << 20 };
    let merge = SchemaMerge::without_plugins(path);
    let policy = SchemaPolicy::default().merging(Some(merge));
    let names = [TableName::new("shop", "orders")].into();
    let seen = SeenTables { names, ..SeenTables::default() };
    FoldStep::new(Fold::new(options), limits, policy, 5, at(4), seen)
}

fn slice(end: u64, resume: Option<u64>, edits: Option<Vec<ColumnEdit>>) -> TransformedSlice {
    let table = TableName::new("shop", "orders");
    let schema_change = edits.map(|edits| SchemaChange {
        kind: SchemaChangeKind::Alter,
        tables: vec![table.clone()],
        receives: Vec::new(),
        actions: Some(vec![TableAction::Altered { table, edits, rows: RowsEffect::None }]),
        statement: "ALTER TABLE orders".to_owned(),
        position: at(end - 15),
        before: at(end - 20),
    });
    TransformedSlice {
        load: None,
        batches: Vec::new(),
        dead_letters: Vec::new(),
        schema_change,
        end: at(end),
        resume: resume.map(at),
        is_partial: false,
        definitions: None,
        sources: Vec::new(),
    }
}

fn drop() -> Option<Vec<ColumnEdit>> {
    Some(vec![ColumnEdit::Dropped { name: "a".to_owned() }])
}

#[test]
fn an_epoch_ends_before_a_statement_and_the_next_begins_behind_it() {
    let mut step = step();
    let first = step.push(slice(100, None, None)).expect("folds");
    assert!(first.closed.is_empty());
    let outcome = step.push(slice(200, None, drop())).expect("folds");
    assert!(outcome.stop.is_none());
    let [work] = outcome.closed.as_slice() else { panic!("one epoch ends") };
    assert_eq!((work.epoch.end.clone(), work.epoch.all_durable.clone()), (at(180), at(4)));
    let statement = &work.following.as_ref().expect("a statement").statement;
    let found = (statement.number, statement.all_durable.clone(), statement.end.clone());
    assert_eq!(found, (5, at(180), at(200)));
    assert_eq!(work.end(), &at(200));
    // Two statements in a row: the epoch between them is empty.
    let outcome = step.push(slice(220, None, drop())).expect("folds");
    let [work] = outcome.closed.as_slice() else { panic!("one epoch ends") };
    assert_eq!((work.epoch.end.clone(), work.epoch.all_durable.clone()), (at(200), at(200)));
    let _ = step.push(slice(300, None, None)).expect("folds");
    let next = step.close().expect("gathers").expect("an epoch");
    assert_eq!((next.epoch.number, next.epoch.all_durable), (7, at(220)));
    assert!(next.following.is_none());
}

/// Where definitions are known behind in an epoch.
fn known(work: &EpochWork) -> Vec<Position> {
    work.definitions.iter().map(|(behind, _)| behind.clone()).collect()
}

#[test]
fn an_epoch_brings_the_definitions_that_a_run_may_begin_with_and_no_others() {
    let defining = |end: u64, resume: Option<u64>| TransformedSlice {
        definitions: Some(Definitions::default()),
        ..slice(end, resume, None)
    };
    // However many statements there are, they close no epoch.
    let mut step = step();
    for end in 1..200 {
        assert!(step.push(defining(end * 10, None)).expect("folds").closed.is_empty());
    }
    let work = step.close().expect("gathers").expect("an epoch");
    assert_eq!(known(&work), [at(1990)]);
    // What holds the point to go on from needs those that hold there.
    for end in [2000, 2010, 2020, 2030] {
        let _ = step.push(defining(end, Some(2015))).expect("folds");
    }
    let work = step.close().expect("gathers").expect("an epoch");
    assert_eq!(known(&work), [at(2010), at(2030)]);
    // A run that stops before a statement that targets follow begins there.
    for end in [2100, 2110] {
        let _ = step.push(defining(end, None)).expect("folds");
    }
    let altering =
        TransformedSlice { definitions: Some(Definitions::default()), ..slice(2200, None, drop()) };
    let outcome = step.push(altering).expect("folds");
    let [work] = outcome.closed.as_slice() else { panic!("one epoch ends") };
    assert_eq!(known(work), [at(2110), at(2200)]);
}

#[test]
fn what_is_prepared_and_open_holds_the_point_to_go_on_from_behind_a_statement_too() {
    let mut step = step();
    let outcome = step.push(slice(200, Some(60), drop())).expect("folds");
    let [work] = outcome.closed.as_slice() else { panic!("one epoch ends") };
    assert_eq!((work.resume.clone(), work.end()), (Some(at(60)), &at(200)));
    assert_eq!(work.following.as_ref().map(|f| f.statement.all_durable.clone()), Some(at(60)));
    let _ = step.push(slice(300, None, None)).expect("folds");
    let next = step.close().expect("gathers").expect("an epoch");
    assert_eq!(next.epoch.all_durable, at(60));
}
