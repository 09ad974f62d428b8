//! What inspecting shows of recorded logs.

use std::path::{Path, PathBuf};

use change::definition::TableDefinition;

use super::*;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/corpus").join(name)
}

#[test]
fn a_file_is_summed_up() {
    let sum = inspect(&corpus("mysql-9.7/20_rotation.3.binlog")).expect("reads");
    insta::assert_snapshot!(serde_json::to_string_pretty(&sum).expect("writes"), @r#"
    {
      "file": "20_rotation.3.binlog",
      "bytes": 564,
      "version": "9.7.4-2",
      "vendor": "mysql",
      "has_checksums": true,
      "is_in_use": false,
      "executed_before": "d25cc465-e65a-11f1-b244-02fc00000001:1-376",
      "transactions": 1,
      "first_seconds": 1795341921,
      "last_seconds": 1795341921,
      "events": {
        "FORMAT_DESCRIPTION": 1,
        "GTID": 1,
        "PREVIOUS_GTIDS": 1,
        "QUERY": 1,
        "ROTATE": 1,
        "TABLE_MAP": 1,
        "UPDATE_ROWS": 1,
        "XID": 1
      },
      "tables": {
        "c.ro": {
          "inserted": 0,
          "updated": 2,
          "deleted": 0,
          "events": 1,
          "uncounted_events": 0,
          "bytes": 72
        }
      },
      "definitions": []
    }
    "#);
}

#[test]
fn boundaries_are_those_of_the_reader() {
    for file in ["mysql-9.7/12_ddl.binlog", "mariadb-11.8/12_ddl.binlog", "mysql-9.7/15_xa.binlog"]
    {
        let mut inspector = Inspector::open(&corpus(file)).expect("opens");
        let mut boundaries = Vec::new();
        while let Some(line) = inspector.next().expect("whole") {
            if line.is_boundary {
                boundaries.push(line.end);
            }
        }
        let options = crate::ReadOptions { slice_images_max: 1, ..crate::ReadOptions::default() };
        let mut source = crate::FileSource::open(&[corpus(file)], None, options).expect("opens");
        while let Ok(Some(slice)) = source.next() {
            assert!(boundaries.contains(&slice.end.offset), "{file} {}", slice.end);
        }
    }
}

#[test]
fn rows_are_counted_where_the_log_does_not_name_columns() {
    for (server, scenario) in
        [("mysql-9.7", "01_numeric"), ("mariadb-11.8", "09_generated_invisible")]
    {
        let path = corpus(server).join(format!("{scenario}-minmeta.binlog"));
        let mut inspector = Inspector::open(&path).expect("opens");
        while inspector.next().expect("reads").is_some() {}
        let full = inspect(&corpus(server).join(format!("{scenario}.binlog"))).expect("reads");
        let counts = |sum: &FileSum| {
            let tables = sum.tables.iter();
            let counts = tables.map(|(name, t)| (name.clone(), [t.inserted, t.updated, t.deleted]));
            counts.collect::<Vec<_>>()
        };
        assert_eq!(counts(inspector.sum()), counts(&full), "{server} {scenario}");
        assert!(!inspector.definitions().is_empty());
    }
}

#[test]
fn what_cannot_be_decoded_is_counted_as_such() {
    let path = corpus("mysql-9.7/01_numeric-minmeta.binlog");
    let name = TableName::new("c", "t_num");
    let mut inspector = Inspector::open(&path).expect("opens");
    while inspector.next().expect("reads").is_some_and(|line| line.table.is_none()) {}
    let known = inspector.definitions().clone();
    assert!(known.get(&name).is_some());
    // A definition that the log's bytes do not fit is as good as none.
    let mut wrong = TableDefinition::clone(known.get(&name).expect("known"));
    wrong.columns.truncate(1);
    let tables = [(name, change::definition::Known::Defined(wrong.into()))];
    let wrong = Definitions { tables: std::sync::Arc::new(tables.into()), ..known };
    let vendor = Vendor::Mysql;
    let mut tables = Tables::knowing(wrong);
    let mut file = EventFile::open(&path).expect("opens");
    let mut counted = Vec::new();
    while let Some(event) = file.next().expect("reads") {
        if event.header.kind == EventKind::TABLE_MAP {
            let (id, name) = TableMap::peek_name(event.body).expect("a name");
            tables.describe(id, name, event.body, vendor);
        } else if let Some((kind, version)) = change_of(event.header.kind) {
            let id = rows_head(event.body).expect("a head").table_id;
            counted.push(tables.of_id(id).expect("described").count(&event, kind, version));
        }
    }
    assert!(!counted.is_empty() && counted.iter().all(Option::is_none), "{counted:?}");
}

#[test]
fn what_is_compressed_is_counted_too() {
    for server in ["mysql-9.7", "mariadb-11.8"] {
        let sum = inspect(&corpus(server).join("14_compression.binlog")).expect("reads");
        for (name, table) in &sum.tables {
            assert!(table.inserted > 0 && table.uncounted_events == 0, "{server} {name} {table:?}");
        }
        assert!(!sum.tables.is_empty(), "{server}");
    }
}

#[test]
fn no_statement_about_rows_is_shown() {
    let mut inspector =
        Inspector::open(&corpus("mysql-9.7/23_statement_format.binlog")).expect("opens");
    let mut words = Vec::new();
    while let Some(line) = inspector.next().expect("whole") {
        words.extend(line.statement);
    }
    assert!(
        words.contains(&"INSERT".to_owned()) && words.contains(&"UPDATE".to_owned()),
        "{words:?}"
    );
}
