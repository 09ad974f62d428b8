//! Logs that do not name columns, and logs with statements that change tables: by the definitions that
//! the log itself holds.

use binlog::{FileSource, ReadOptions};
use change::Position;

use super::model::{Expected, Tables};
use super::{MARIADB, MYSQL, check_against, corpus, files, first_error, options, told};

#[test]
fn logs_without_column_names_lead_to_the_same_tables() {
    let both = ["01_numeric", "02_temporal", "03_strings", "04_json", "06_geometry", "07_vector"];
    let scenarios = both.into_iter().flat_map(|name| [(MYSQL, name), (MARIADB, name)]);
    let others = [
        (MYSQL, "09_generated_invisible"),
        (MARIADB, "09_generated_invisible"),
        (MARIADB, "08_mariadb_types"),
    ];
    for (server, scenario) in scenarios.chain(others) {
        check_against(server, &format!("{scenario}-minmeta"), scenario, options());
    }
}

/// The schemas that a log is read by, in their order.
fn schemas(server: &str, scenario: &str) -> Vec<String> {
    let mut source = FileSource::open(&files(server, scenario), None, options()).expect("opens");
    let mut found = Vec::new();
    while let Some(slice) = source.next().unwrap_or_else(|e| panic!("{}", told(&e))) {
        for batch in &slice.batches {
            let schema = batch.schema();
            let columns = schema.columns.iter().map(|column| {
                let properties = column.properties.iter().filter(|(k, _)| k != "charset");
                let properties = properties.map(|(k, v)| format!(" {k}={v}"));
                let null = if column.nullable { " null" } else { "" };
                let (name, of) = (&column.name, column.column_type);
                format!("{name} {of}{null}{}", properties.collect::<String>())
            });
            let columns = columns.collect::<Vec<_>>().join(", ");
            let (primary, unique) = (&schema.primary_key, &schema.unique_keys);
            let unique =
                unique.as_ref().map(|keys| keys.iter().map(|k| &k.columns).collect::<Vec<_>>());
            let line = format!("{} ({columns}) key {primary:?} unique {unique:?}", schema.name);
            if !found.contains(&line) {
                found.push(line);
            }
        }
    }
    found
}

#[test]
fn names_keys_and_properties_are_the_same_with_and_without_names_in_the_log() {
    for server in [MYSQL, MARIADB] {
        for scenario in ["01_numeric", "02_temporal", "03_strings", "09_generated_invisible"] {
            let full = schemas(server, scenario);
            assert_eq!(
                schemas(server, &format!("{scenario}-minmeta")),
                full,
                "{server} {scenario}"
            );
        }
    }
    assert_eq!(schemas(MARIADB, "08_mariadb_types-minmeta"), schemas(MARIADB, "08_mariadb_types"));
}

#[test]
fn statements_that_change_tables_lead_to_the_tables_that_select_gave() {
    for server in [MYSQL, MARIADB] {
        let mut source =
            FileSource::open(&files(server, "12_ddl"), None, options()).expect("opens");
        let mut tables = Tables::default();
        while let Some(slice) = source.next().unwrap_or_else(|e| panic!("{server}: {}", told(&e))) {
            slice.batches.iter().for_each(|batch| tables.apply(batch));
            if let Some(change) = &slice.schema_change {
                tables.change(change);
            }
        }
        let expected = Expected::read(&corpus(server), "12_ddl");
        let differences = expected.differences(&tables);
        assert!(differences.is_empty(), "{server}:\n{}", differences.join("\n"));
    }
}

#[test]
fn what_a_log_holds_before_the_start_is_read_for_its_definitions() {
    for server in [MYSQL, MARIADB] {
        let path = files(server, "01_numeric-minmeta");
        let mut source = FileSource::open(&path, None, options()).expect("opens");
        let first = loop {
            let slice = source.next().expect("reads").expect("has rows");
            if slice.schema_change.is_some() {
                break slice;
            }
        };
        let start = Position::at(first.end.file.clone(), first.end.offset);
        let mut again = FileSource::open(&path, Some(&start), options()).expect("opens");
        let slice = again.next().expect("reads").expect("has rows");
        let names = slice.batches[0].schema().columns.iter().map(|c| c.name.as_str());
        assert_eq!(names.take(3).collect::<Vec<_>>(), ["id", "ti", "tu"]);
        // With definitions of that point the statement before it is not read again.
        let known = source.definitions().clone();
        let given = ReadOptions { definitions: known.clone(), ..options() };
        let source = FileSource::open(&path, Some(&start), given).expect("opens");
        assert_eq!(source.definitions(), &known);
    }
}

#[test]
fn a_reading_begins_behind_any_slice_with_the_definitions_that_were_told_there() {
    let mut told_more_than_once = 0;
    for (server, scenario) in
        [(MYSQL, "12_ddl"), (MARIADB, "12_ddl"), (MYSQL, "09_generated_invisible-minmeta")]
    {
        let path = files(server, scenario);
        let single = ReadOptions { slice_images_max: 1, ..options() };
        let mut source = FileSource::open(&path, None, single.clone()).expect("opens");
        let mut known = source.definitions().clone();
        let mut points = Vec::new();
        let mut told = 0;
        while let Some(slice) = source.next().expect("reads") {
            told += usize::from(slice.definitions.is_some());
            known = slice.definitions.unwrap_or(known);
            points.push((slice.end, known.clone(), source.definitions().clone()));
        }
        told_more_than_once += usize::from(told > 1);
        let (end, ..) = points.last().expect("has slices");
        let (end, last) = (end.clone(), source.definitions().clone());
        for (point, known, behind) in points {
            assert_eq!(known, behind, "{server} {scenario} {point}: a slice does not tell");
            let options = ReadOptions { definitions: known, ..single.clone() };
            let mut again = FileSource::open(&path, Some(&point), options).expect("opens");
            while let Some(slice) = again.next().unwrap_or_else(|e| panic!("{}", super::told(&e))) {
                assert!(slice.end.reaches(&point), "{server} {scenario} {point}");
            }
            assert_eq!(again.position().offset, end.offset, "{server} {scenario} {point}");
            assert_eq!(*again.definitions(), last, "{server} {scenario} {point}");
        }
    }
    assert!(told_more_than_once >= 2, "no scenario changes definitions on its way");
}

#[test]
fn a_log_without_names_and_definitions_stops_the_reading() {
    // The last file of a rotated log has no CREATE TABLE.
    let path = corpus(MYSQL).join("01_numeric-minmeta.binlog");
    let mut lost = change::Definitions::default();
    let table = change::TableName::new("c", "other");
    std::sync::Arc::make_mut(&mut lost.tables)
        .insert(table, change::definition::Known::Lost(String::new()));
    let start = create_end(&path);
    let given = ReadOptions { definitions: lost, ..options() };
    let mut source = FileSource::open(&[path], Some(&start), given).expect("opens");
    let error = loop {
        match source.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it is read"),
            Err(error) => break error,
        }
    };
    let hint = change::Diagnose::hint(&error).expect("a remedy");
    insta::assert_snapshot!(format!("{}\n{hint}", told(&error)), @"
    01_numeric-minmeta.binlog, offset 1223, event TABLE_MAP: table c.t_num cannot be read: the log does not name the columns of this table, and no definition of it was given or stands in the log before
    set binlog_row_metadata = FULL on the server and start behind the rows that were written before it, start at a log that holds the CREATE TABLE, or name a file with the definitions as they were where the reading begins (source.definitions; for a pipeline that goes on, sluice run --definitions)
    ");
}

/// The end of the first CREATE TABLE.
fn create_end(path: &std::path::Path) -> Position {
    let mut source = FileSource::open(&[path.to_owned()], None, options()).expect("opens");
    loop {
        let slice = source.next().expect("reads").expect("a statement");
        if slice.schema_change.is_some() {
            return Position::at(slice.end.file, slice.end.offset);
        }
    }
}

#[test]
fn an_insert_without_a_column_whose_default_is_not_known_stops_the_reading() {
    // With names in the log the rows are read without a definition, but for what an INSERT leaves out.
    let mut lost = change::Definitions::default();
    let table = change::TableName::new("c", "other");
    std::sync::Arc::make_mut(&mut lost.tables)
        .insert(table, change::definition::Known::Lost(String::new()));
    for server in [MYSQL, MARIADB] {
        let path = corpus(server).join("10_row_image_minimal.binlog");
        let start = create_end(&path);
        let given = ReadOptions { definitions: lost.clone(), ..options() };
        let mut source = FileSource::open(&[path], Some(&start), given).expect("opens");
        let error = loop {
            match source.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it is read"),
                Err(error) => break error,
            }
        };
        let expected = "the log leaves out column n of an INSERT, and its default is not known";
        assert!(told(&error).contains(expected), "{server}: {}", told(&error));
    }
    assert_eq!(first_error(MARIADB, "10_row_image_minimal", options()), "no error");
}
