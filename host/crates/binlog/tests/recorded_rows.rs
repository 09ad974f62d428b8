//! Recorded logs of real servers, replayed into the tables that they lead to, against what SELECT gave.
//!
//! The replay is a model of a table by its primary key; it knows no schema changes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what stands below a test fails it with a message"
)]

#[path = "recorded_rows/definition.rs"]
mod definition;
#[path = "recorded_rows/model.rs"]
mod model;

use std::path::PathBuf;

use arrow_array::cast::AsArray;
use binlog::{FileSource, Inspector, ReadOptions, ZeroDates};
use change::Position;
use model::{Expected, Tables};

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
    let (tables, error) = replay_to_end(server, scenario, options);
    error.map_or(tables, |error| panic!("{server} {scenario}: {error}"))
}

/// The tables up to the end or to the first error.
fn replay_to_end(server: &str, scenario: &str, options: ReadOptions) -> (Tables, Option<String>) {
    let files = files(server, scenario);
    let mut source = FileSource::open(&files, None, options).expect("the files open");
    let mut tables = Tables::default();
    loop {
        match source.next() {
            Ok(Some(slice)) => slice.batches.iter().for_each(|batch| tables.apply(batch)),
            Ok(None) => return (tables, None),
            Err(error) => return (tables, Some(told(&error))),
        }
    }
}

fn check(server: &str, scenario: &str, options: ReadOptions) {
    check_against(server, scenario, scenario, options);
}

fn check_against(server: &str, scenario: &str, expected: &str, options: ReadOptions) {
    let tables = replay(server, scenario, options);
    let expected = Expected::read(&corpus(server), expected);
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
    check(MARIADB, "08_mariadb_types", options());
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
fn images_that_lack_columns_lead_to_the_same_table_where_the_defaults_are_known() {
    let scenarios = [
        (MYSQL, "10_row_image_minimal"),
        (MYSQL, "10_row_image_noblob"),
        (MARIADB, "10_row_image_minimal"),
        (MARIADB, "10_row_image_noblob"),
        (MARIADB, "10_row_image_full_nodup"),
    ];
    for (server, scenario) in scenarios {
        check(server, scenario, options());
    }
}

#[test]
fn partial_updates_of_documents_lead_to_the_same_documents() {
    // With the documents before them in the log, and without.
    check(MYSQL, "05_json_partial", options());
}

#[test]
fn a_partial_update_in_a_compressed_transaction_is_read() {
    let path = corpus(MYSQL).join("05_json_partial.binlog");
    let mut inspector = Inspector::open(&path).expect("opens");
    let mut start = 4;
    while let Some(line) = inspector.next().expect("whole") {
        if line.kind == "TRANSACTION_PAYLOAD" {
            break;
        }
        start = if line.is_boundary { line.end } else { start };
    }
    let start = Position::at("05_json_partial.binlog", start);
    let mut source = FileSource::open(&[path], Some(&start), options()).expect("opens");
    let slice = source.next().expect("reads").expect("has rows");
    let batch = slice.batches.first().expect("rows");
    let document = batch.columns()[2].as_string::<i32>().value(1);
    let expected = Expected::read(&corpus(MYSQL), "05_json_partial");
    assert_eq!(Some(document), expected.text("c.t_pj", 1, "j"));
}

#[test]
fn a_zero_date_is_an_error_that_names_column_and_row() {
    let error = first_error(MYSQL, "02_temporal", ReadOptions::default());
    assert!(error.contains("column d of row 0 of the event"), "{error}");
    assert!(error.contains("a zero or partial date"), "{error}");
}

#[test]
fn prepared_and_rolled_back_rows_count_as_the_server_counts_them() {
    for scenario in ["15_xa", "16_savepoints"] {
        check(MYSQL, scenario, options());
        check(MARIADB, scenario, options());
    }
    check(MYSQL, "24_tagged_gtid", options());
    check(MARIADB, "24_maria_gtid", options());
}

#[test]
fn transactions_in_parts_in_memory_and_on_disk_lead_to_the_same_table() {
    let scenarios = ["03_strings", "10_row_image_full", "11_multi_table_tx", "14_compression"];
    let limits = [(1, 1 << 30), (3, 1 << 30), (100, 1_000), (1, 0)];
    for (batch_images_max, transaction_bytes_max) in limits {
        let options = ReadOptions {
            batch_images_max,
            transaction_bytes_max,
            slice_images_max: 2 * batch_images_max,
            ..options()
        };
        for server in [MYSQL, MARIADB] {
            for scenario in scenarios.into_iter().chain(["15_xa", "16_savepoints", "17_load_data"])
            {
                check(server, scenario, options.clone());
            }
            check(server, "10_row_image_minimal", options.clone());
        }
    }
}

#[test]
fn a_transaction_in_several_slices_moves_the_position_only_with_the_last() {
    let options = ReadOptions { batch_images_max: 10, slice_images_max: 20, ..options() };
    for server in [MYSQL, MARIADB] {
        let files = files(server, "17_load_data");
        let mut source = FileSource::open(&files, None, options.clone()).expect("the files open");
        let (mut before, mut partial) = (source.position().offset, 0);
        while let Some(slice) = source.next().expect("reads") {
            if slice.is_partial {
                assert!(slice.images() <= 20, "{server}: {}", slice.images());
                let starts: Vec<_> = (slice.batches.iter())
                    .flat_map(|batch| batch.images().marks())
                    .map(|mark| mark.transaction.end)
                    .collect();
                assert!(starts.iter().any(|end| *end > slice.end.offset), "{starts:?}");
                partial += 1;
            } else {
                assert!(slice.end.offset > before, "{server}");
            }
            before = slice.end.offset;
        }
        assert!(partial > 100, "{server}: {partial}");
    }
}
