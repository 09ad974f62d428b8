//! What is kept, what is refused, and how it is told.

use sluice_guest::testing::{Harness, Json, json, table};
use sluice_guest::{DataType, TableSchema};

use super::*;

fn schema() -> TableSchema {
    table("shop", "orders")
        .column("id", DataType::Int32)
        .column("status", DataType::Utf8)
        .column("total", DataType::Decimal { precision: 10, scale: 2 })
        .column("big", DataType::UInt64)
        .column("note", DataType::Utf8)
        .column("paid", DataType::Boolean)
        .column("day", DataType::Date)
        .column("created", DataType::TimestampMicrosUtc)
        .column("opened", DataType::TimestampMicrosLocal)
        .column("ratio", DataType::Float64)
        .column("share", DataType::Float32)
        .column("token", DataType::Binary)
        .column("took", DataType::TimeMicros)
        .column("doc", DataType::Json)
        .column("order", DataType::Int32)
}

fn samples() -> Json {
    json!([
        [
            1,
            "paid",
            "10.00",
            u64::MAX,
            null,
            true,
            "2024-01-31",
            "2024-01-31 12:00:00",
            "2024-01-31 12:00:00",
            0.1,
            0.1,
            "00ff",
            "25:00:00",
            "{}",
            2
        ],
        [
            2,
            "sent",
            "0.10",
            0,
            "abc",
            false,
            "2024-02-01",
            "2024-02-01 00:00:00",
            "2024-02-01 00:00:00",
            0.5,
            0.5,
            "",
            "-00:00:01",
            "[1]",
            2
        ],
        [-3, "it's", "-5.25", 7, "a_c", null, null, null, null, null, null, null, null, null, null],
        [null, null, null, null, null, null, null, null, null, null, null, null, null, null, 4],
    ])
}

fn kept(condition: &str) -> Result<Vec<usize>, String> {
    let plugin = Harness::<Filter>::configured(&json!({ "where": condition }))
        .map_err(|error| error.to_string())?;
    let outcome = plugin.run(&schema(), &samples()).map_err(|error| error.to_string())?;
    Ok(outcome.kept_rows())
}

#[track_caller]
fn check(cases: &[(&str, &[usize])]) {
    for (condition, expected) in cases {
        assert_eq!(kept(condition).as_deref(), Ok(*expected), "{condition}");
    }
}

#[test]
fn the_example_of_the_issue_works() {
    let condition =
        "status in ('paid','sent') and total >= 10 and (note is null or note like 'a%')";
    check(&[(condition, &[0])]);
}

#[test]
fn integers_compare_as_integers() {
    check(&[
        ("id = 1", &[0]),
        ("id <> 1", &[1, 2]),
        ("id != 1", &[1, 2]),
        ("id < 2", &[0, 2]),
        ("2 > id", &[0, 2]),
        ("id <= 1.5", &[0, 2]),
        ("id < 1.5", &[0, 2]),
        ("id > 1.5", &[1]),
        ("id >= 1.5", &[1]),
        ("id > -3.5", &[0, 1, 2]),
        ("id < -2.5", &[2]),
        ("id = 1.5", &[]),
        ("id <> 1.5", &[0, 1, 2]),
        ("id = 1.00", &[0]),
        ("id = 1e0", &[0]),
        ("id < 99999999999999999999999999", &[0, 1, 2]),
        ("id > 99999999999999999999999999", &[]),
        ("id <> 99999999999999999999999999", &[0, 1, 2]),
        ("id > -99999999999999999999999999", &[0, 1, 2]),
        ("id between -3 and 1", &[0, 2]),
        ("id not between -3 and 1", &[1]),
        ("id in (1, 2.0, 2.5, 99999999999999999999)", &[0, 1]),
        ("id not in (1, 2)", &[2]),
        ("id < `order`", &[0]),
        ("id = \"order\"", &[1]),
    ]);
}

#[test]
fn the_top_half_of_unsigned_numbers_is_exact() {
    check(&[
        ("big = 18446744073709551615", &[0]),
        ("big > 18446744073709551614", &[0]),
        ("big < 18446744073709551615", &[1, 2]),
        ("big >= 0", &[0, 1, 2]),
        ("big > -1", &[0, 1, 2]),
        ("big < 0", &[]),
        ("big > id", &[0, 2]),
    ]);
}

#[test]
fn decimals_compare_digit_by_digit() {
    check(&[
        ("total = 0.1", &[1]),
        ("total = 0.100000000000000000000000000000001", &[]),
        ("total > 0.0999999999999999999999999999", &[0, 1]),
        ("total < 0.1000000000000000000000000001", &[1, 2]),
        ("total = -5.25", &[2]),
        ("total < -5.249", &[2]),
        ("total <= -5.251", &[]),
        ("total in (0.1, 10)", &[0, 1]),
        ("total < 1e30", &[0, 1, 2]),
        ("total < 99999999999999999999999999999999999999", &[0, 1, 2]),
        ("total < 0.00000000000000000000000000000000000001", &[2]),
        ("total > id", &[0]),
    ]);
}

#[test]
fn floats_compare_with_the_nearest_float_of_their_width() {
    check(&[
        ("ratio = 0.1", &[0]),
        ("share = 0.1", &[0]),
        ("ratio >= 0.5", &[1]),
        ("share in (0.1, 0.5)", &[0, 1]),
        ("ratio <> 0.1", &[1]),
        ("ratio = share", &[1]),
    ]);
}

#[test]
fn text_compares_byte_by_byte() {
    check(&[
        ("status = 'paid'", &[0]),
        ("status = 'PAID'", &[]),
        ("status <> 'paid'", &[1, 2]),
        ("status > 'j'", &[0, 1]),
        ("status = 'it''s'", &[2]),
    ]);
    check(&[
        ("note like 'a%'", &[1, 2]),
        ("note like 'a_c'", &[1, 2]),
        ("note like 'a\\_c'", &[2]),
        ("note like 'a!_c' escape '!'", &[2]),
        ("note not like '%b%'", &[2]),
        ("note like ''", &[]),
        ("token = x'00ff'", &[0]),
        ("token = ''", &[1]),
        ("token > x'00'", &[0]),
        ("doc like '%1%'", &[1]),
    ]);
}

#[test]
fn times_compare_with_their_text() {
    check(&[
        ("day = '2024-01-31'", &[0]),
        ("day > '2024-01-31'", &[1]),
        ("created >= '2024-01-31T13:00:00+01:00'", &[0, 1]),
        ("created > '2024-01-31 12:00:00'", &[1]),
        ("opened < '2024-02-01'", &[0]),
        ("opened in ('2024-01-31 12:00:00.000000')", &[0]),
        ("took > '24:00:00'", &[0]),
        ("took < '00:00:00'", &[1]),
    ]);
}

#[test]
fn unknown_is_never_kept() {
    check(&[
        ("note is null", &[0, 3]),
        ("note is not null", &[1, 2]),
        ("not note = 'abc'", &[2]),
        ("id = 1 or note = 'abc'", &[0, 1]),
        ("not (id = 1 and note = 'abc')", &[1, 2]),
        ("(note = 'abc') is null", &[0, 3]),
        ("(note = 'abc') is not true", &[0, 2, 3]),
        ("(note = 'abc') is false", &[2]),
        ("id in (1, null)", &[0]),
        ("id not in (1, null)", &[]),
        ("id in (null)", &[]),
        ("null", &[]),
        ("not null", &[]),
        ("null is null", &[0, 1, 2, 3]),
        ("true", &[0, 1, 2, 3]),
        ("false or not false", &[0, 1, 2, 3]),
        ("id = 1 and false", &[]),
    ]);
}

#[test]
fn truth_values_are_conditions() {
    check(&[
        ("paid", &[0]),
        ("not paid", &[1]),
        ("paid = true", &[0]),
        ("paid = 0", &[1]),
        ("paid <> false", &[0]),
        ("paid is null", &[2, 3]),
        ("paid is not true", &[1, 2, 3]),
        ("paid in (true, false)", &[0, 1]),
    ]);
}

#[test]
fn not_binds_before_and_before_or() {
    check(&[
        ("id = 1 or id = 2 and status = 'x'", &[0]),
        ("(id = 1 or id = 2) and status = 'x'", &[]),
        ("not id = 1 and id = 2", &[1]),
    ]);
}

#[test]
fn a_mistake_is_shown_under_its_place() {
    let mistakes = [
        "status in ('paid') and total =",
        "total => 10",
        "total >= 10 note is null",
        "(id = 1",
        "id in ()",
        "id in (1, 2",
        "note = null",
        "1 = 1",
        "status = 'paid",
        "id like",
        "id not 5",
        "id is 5",
        "id between 1 or 2",
        "id + 1 = 2",
        "5",
        "2nd = 1",
        "and",
        "",
        "note = 'ü' and ?",
        "id = 1 and\n  total ==\n  5",
        "note like 'a' escape 'xy'",
        "id = 1.2.3",
    ];
    let told: Vec<String> = mistakes.iter().map(|m| kept(m).expect_err(m)).collect();
    insta::assert_snapshot!(told.join("\n"), @"");
}

#[test]
fn a_type_that_does_not_fit_is_told_when_the_table_is_known() {
    let mistakes = [
        "total = '10'",
        "status = 10",
        "day = '2024-02-31'",
        "opened = '2024-01-31T00:00:00Z'",
        "created = 'noon'",
        "id and paid",
        "doc = '{}'",
        "id like '1%'",
        "paid > true",
        "paid = 2",
        "id = note",
        "created < opened",
        "note = token or missing = 1",
        "Status = 'paid' or total_ = 1",
    ];
    let told: Vec<String> = mistakes.iter().map(|m| kept(m).expect_err(m)).collect();
    insta::assert_snapshot!(told.join("\n"), @"");
}

#[test]
fn nesting_has_a_limit() {
    let deep = format!("{}id = 1{}", "(".repeat(99), ")".repeat(99));
    assert_eq!(kept(&deep), Ok(vec![0]));
    let deeper = format!("{}id = 1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(kept(&deeper).expect_err("too deep").contains("more than 100 levels"));
    assert!(kept(&format!("{}true", "not ".repeat(100_000))).is_err());
}

#[test]
fn only_the_columns_of_the_condition_are_read() {
    let plugin = Harness::<Filter>::configured(&json!({ "where": "id = 1 or id = 2 or big > id" }));
    let plan = plugin.expect("valid").plan(&schema()).expect("a plan");
    assert!(format!("{plan:?}").contains("reads: Some([0, 3])"), "{plan:?}");
}

#[test]
fn the_example_of_the_readme_is_valid() {
    let readme = include_str!("../README.md");
    let example = readme.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
    let manifest: toml::Table = example.expect("an example").parse().expect("TOML");
    let plugin = manifest["plugin"][0].as_table().expect("a plugin");
    let config: Config = plugin["config"].clone().try_into().expect("a configuration");
    assert!(parser::parse(&config.condition).is_ok());
}
