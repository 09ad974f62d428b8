//! What is kept of definitions, where, and for how long.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use change::definition::{Known, TableDefinition};
use change::{ColumnDefinition, TableName};

use super::*;

/// A table with one column of this name.
fn definitions(column: &str) -> Definitions {
    let columns = vec![ColumnDefinition { name: column.to_owned(), ..ColumnDefinition::default() }];
    let table = TableDefinition { columns, ..TableDefinition::default() };
    let known = Known::Defined(Arc::new(table));
    let tables = BTreeMap::from([(TableName::new("shop", "orders"), known)]);
    Definitions { tables: Arc::new(tables), ..Definitions::default() }
}

fn at(offset: u64) -> Position {
    Position::at("log.000001", offset)
}

struct Folders {
    root: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a folder") }
    }

    fn checkpoint(&self) -> std::path::PathBuf {
        self.root.path().join("checkpoint")
    }

    fn targets(&self) -> std::path::PathBuf {
        self.root.path().join("lake/_sluice/shop")
    }

    async fn open(&self) -> Result<SchemaHistory, HistoryError> {
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let (checkpoint, targets) = (text(&self.checkpoint()), text(&self.targets()));
        SchemaHistory::of(&checkpoint, &targets, &StoreOptions::default()).await
    }

    async fn opened(&self) -> SchemaHistory {
        self.open().await.expect("opens")
    }

    fn files(&self, folder: &Path) -> usize {
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

/// A pipeline that began at 4, with statements that end at 100, 200 and 300.
async fn three_statements(folders: &Folders) -> SchemaHistory {
    let mut history = folders.opened().await;
    history.begin(&at(4), &definitions("a"), true).await.expect("begun");
    let changes = [(100, "b"), (200, "c"), (300, "d")];
    let changes = changes.map(|(end, column)| (at(end), definitions(column)));
    history.store(changes.into(), true).await.expect("stored");
    history
}

#[tokio::test]
async fn a_run_goes_on_with_the_definitions_of_its_point() {
    let folders = Folders::new();
    drop(three_statements(&folders).await);
    let history = folders.opened().await;
    let cases = [(4, "a"), (99, "a"), (100, "b"), (250, "c"), (300, "d"), (9_000, "d")];
    for (offset, column) in cases {
        assert_eq!(history.at(&at(offset)), Some(&definitions(column)), "{offset}");
    }
    assert_eq!(history.at(&Position::at("log.000000", 50)), None, "before all that is known");
    assert_eq!(history.at(&Position::at("log.000002", 4)), Some(&definitions("d")));
}

#[tokio::test]
async fn either_folder_may_be_lost() {
    for lost in ["checkpoint", "lake"] {
        let folders = Folders::new();
        drop(three_statements(&folders).await);
        std::fs::remove_dir_all(folders.root.path().join(lost)).expect("removed");
        let history = folders.opened().await;
        assert_eq!(history.at(&at(150)), Some(&definitions("b")), "{lost}");
        assert_eq!(history.at(&at(300)), Some(&definitions("d")), "{lost}");
    }
}

#[tokio::test]
async fn what_lies_behind_a_run_is_met_again_by_it() {
    let folders = Folders::new();
    let mut history = three_statements(&folders).await;
    history.begin(&at(150), &definitions("b"), false).await.expect("begun");
    assert_eq!(folders.opened().await.at(&at(9_000)), Some(&definitions("b")));
    // The same statements, in the same places.
    let again = vec![(at(200), definitions("c")), (at(300), definitions("d"))];
    history.store(again, true).await.expect("stored");
    let history = folders.opened().await;
    for (offset, column) in [(150, "b"), (200, "c"), (300, "d")] {
        assert_eq!(history.at(&at(offset)), Some(&definitions(column)), "{offset}");
    }
}

#[tokio::test]
async fn definitions_that_an_operator_gives_hold_from_there_on() {
    let folders = Folders::new();
    let mut history = three_statements(&folders).await;
    history.begin(&at(250), &definitions("given"), false).await.expect("begun");
    let history = folders.opened().await;
    assert_eq!(history.at(&at(250)), Some(&definitions("given")));
    assert_eq!(history.at(&at(120)), Some(&definitions("b")));
}

#[tokio::test]
async fn a_pipeline_that_begins_knows_nothing_of_one_before() {
    let folders = Folders::new();
    drop(three_statements(&folders).await);
    let mut history = folders.opened().await;
    history.begin(&at(500), &Definitions::default(), true).await.expect("begun");
    assert_eq!(folders.opened().await.at(&at(9_000)), None);
    assert_eq!(folders.files(&folders.checkpoint()), 0);
    assert_eq!(folders.files(&folders.targets()), 0);
}

#[tokio::test]
async fn only_what_some_run_can_need_is_kept() {
    let folders = Folders::new();
    let mut history = three_statements(&folders).await;
    for (floor, files) in [(50, 4), (100, 3), (199, 3), (299, 2), (9_000, 1), (9_000, 1)] {
        history.forget_before(&at(floor)).await.expect("forgotten");
        assert_eq!(folders.files(&folders.checkpoint()), files, "{floor}");
        assert_eq!(folders.files(&folders.targets()), files, "{floor}");
    }
    assert_eq!(folders.opened().await.at(&at(300)), Some(&definitions("d")));
    // A floor before everything takes nothing.
    history.forget_before(&Position::at("log.000000", 4)).await.expect("forgotten");
    assert_eq!(folders.files(&folders.checkpoint()), 1);
}

#[tokio::test]
async fn nothing_is_written_where_nothing_is_known_or_changed() {
    let folders = Folders::new();
    let mut history = folders.opened().await;
    history.begin(&at(4), &Definitions::default(), true).await.expect("begun");
    history.store(Vec::new(), true).await.expect("stored");
    assert!(!folders.checkpoint().exists() && !folders.targets().exists());
    let same = vec![(at(10), definitions("a")), (at(20), definitions("a"))];
    history.store(same, false).await.expect("stored");
    assert_eq!(folders.files(&folders.checkpoint()), 1);
    assert!(!folders.targets().exists(), "there is no target to lie beside");
    history.store(Vec::new(), true).await.expect("stored");
    assert_eq!(folders.files(&folders.targets()), 1);
}

#[tokio::test]
async fn a_damaged_file_is_no_reason_to_take_an_older_one() {
    let folders = Folders::new();
    drop(three_statements(&folders).await);
    let newest = |folder: &Path| folder.join("00000000000000000004.json");
    std::fs::write(newest(&folders.checkpoint()), "{\"form\":1,").expect("written");
    let history = folders.opened().await;
    assert_eq!(history.at(&at(300)), Some(&definitions("d")), "the other folder has it whole");
    std::fs::remove_file(newest(&folders.targets())).expect("removed");
    let error = folders.open().await.expect_err("it is damaged");
    assert!(error.to_string().ends_with("00000000000000000004.json cannot be read"), "{error}");
    std::fs::write(newest(&folders.checkpoint()), "{\"form\":2,\"new\":1}").expect("written");
    let error = folders.open().await.expect_err("it is of a newer form");
    assert!(error.to_string().ends_with("have form 2, this build knows 1"), "{error}");
}
