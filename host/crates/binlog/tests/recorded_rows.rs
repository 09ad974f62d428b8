//! Recorded logs of real servers, replayed into the tables that they lead to, against what SELECT gave.
//!
//! The replay is a model of a table by its primary key; it knows no schema changes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what stands below a test fails it with a message"
)]

#[path = "recorded_rows/model.rs"]
mod model;

use std::path::PathBuf;
use std::sync::Arc;

use binlog::{Definitions, FileSource, ReadOptions, ZeroDates};
use model::{Declared, Expected, Tables};

fn corpus(server: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/corpus").join(server)
}

/// The log files of a scenario, in their order.
fn files(server: &str, scenario: &str) -> Vec<PathBuf> {
    let folder = corpus(server);
    let whole = folder.join(format!("{scenario}.binlog"));
    if whole.exists() {
        return vec![whole];
    }
    let parts = (1..).map(|part| folder.join(format!("{scenario}.{part}.binlog")));
    parts.take_while(|path| path.exists()).collect()
}

fn options() -> ReadOptions {
    ReadOptions { zero_dates: ZeroDates::Null, ..ReadOptions::default() }
}

fn replay(server: &str, scenario: &str, options: ReadOptions) -> Tables {
    let files = files(server, scenario);
    let mut source = FileSource::open(&files, None, options).expect("the files open");
    let mut tables = Tables::default();
    while let Some(slice) = source.next().unwrap_or_else(|e| panic!("{server} {scenario}: {}", told(&e))) {
        for batch in &slice.batches {
            tables.apply(batch);
        }
    }
    tables
}

fn check(server: &str, scenario: &str, options: ReadOptions) {
    let tables = replay(server, scenario, options);
    let expected = Expected::read(&corpus(server), scenario);
    let mut differences = expected.differences(&tables);
    differences.truncate(20);
    assert!(differences.is_empty(), "{server} {scenario}:\n{}", differences.join("\n"));
}

const MYSQL: &str = "mysql-9.7";
const MARIADB: &str = "mariadb-11.8";

#[test]
fn numbers_equal_what_select_gives() {
    check(MYSQL, "01_numeric", options());
    check(MARIADB, "01_numeric", options());
}

#[test]
fn dates_and_times_equal_what_select_gives() {
    check(MYSQL, "02_temporal", options());
    check(MARIADB, "02_temporal", options());
}

#[test]
fn text_and_bytes_equal_what_select_gives() {
    check(MYSQL, "03_strings", options());
    check(MARIADB, "03_strings", options());
}

#[test]
fn json_equals_what_cast_as_char_gives() {
    check(MYSQL, "04_json", options());
    check(MARIADB, "04_json", options());
}

#[test]
fn geometry_and_vectors_keep_their_bytes() {
    for scenario in ["06_geometry", "07_vector"] {
        check(MYSQL, scenario, options());
        check(MARIADB, scenario, options());
    }
}

#[test]
fn columns_that_the_log_shows_as_bytes_read_as_their_definition_says() {
    let known = Definitions::new(Arc::new(Declared::read(&corpus(MARIADB), "08_mariadb_types")));
    check(MARIADB, "08_mariadb_types", ReadOptions { definitions: known, ..options() });
}

#[test]
fn generated_and_invisible_columns_equal_what_select_gives() {
    check(MYSQL, "09_generated_invisible", options());
    check(MARIADB, "09_generated_invisible", options());
}

#[test]
fn changes_of_every_kind_lead_to_the_same_table() {
    for scenario in ["10_row_image_full", "11_multi_table_tx", "25_wide_partition"] {
        check(MYSQL, scenario, options());
        check(MARIADB, scenario, options());
    }
    check(MYSQL, "17_load_data", options());
    check(MARIADB, "17_load_data", options());
    check(MYSQL, "18_fk_cascade", options());
}

#[test]
fn compressed_transactions_and_events_lead_to_the_same_table() {
    check(MYSQL, "14_compression", options());
    check(MARIADB, "14_compression", options());
}

#[test]
fn slices_of_any_size_lead_to_the_same_table() {
    for images in [1, 7, 100] {
        let options = ReadOptions { slice_images_max: images, ..options() };
        check(MYSQL, "11_multi_table_tx", options.clone());
        check(MARIADB, "11_multi_table_tx", options);
    }
}

#[test]
fn logs_without_checksums_and_logs_of_many_files_are_read() {
    for scenario in ["19_checksum_none", "20_rotation"] {
        check(MYSQL, scenario, options());
        check(MARIADB, scenario, options());
    }
}

/// The first error of a scenario, without the part that names the place.
fn first_error(server: &str, scenario: &str, options: ReadOptions) -> String {
    let files = files(server, scenario);
    let mut source = match FileSource::open(&files, None, options) {
        Ok(source) => source,
        Err(error) => return told(&error),
    };
    loop {
        match source.next() {
            Ok(Some(_)) => {}
            Ok(None) => return "no error".to_owned(),
            Err(error) => return told(&error),
        }
    }
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn images_that_lack_columns_stop_the_reading() {
    let absent = [
        (MYSQL, "10_row_image_minimal", "n"),
        (MYSQL, "10_row_image_noblob", "t"),
        (MARIADB, "10_row_image_minimal", "n"),
        (MARIADB, "10_row_image_noblob", "t"),
        (MARIADB, "10_row_image_full_nodup", "id"),
    ];
    for (server, scenario, column) in absent {
        let error = first_error(server, scenario, options());
        let expected = format!("the row images lack columns, the first is {column}");
        assert!(error.contains(&expected), "{server} {scenario}: {error}");
    }
}

#[test]
fn a_log_without_column_names_stops_the_reading() {
    for (server, scenario) in [(MYSQL, "01_numeric-minmeta"), (MARIADB, "02_temporal-minmeta")] {
        let error = first_error(server, scenario, options());
        assert!(error.contains("does not name the columns"), "{server}: {error}");
    }
}

#[test]
fn a_zero_date_is_an_error_that_names_column_and_row() {
    let error = first_error(MYSQL, "02_temporal", ReadOptions::default());
    assert!(error.contains("column d of row 0 of the event"), "{error}");
    assert!(error.contains("a zero or partial date"), "{error}");
}
