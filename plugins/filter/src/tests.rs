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
        " ",
        "note = 'ü' and ?",
        "id = 1 and\n  total ==\n  5",
        "note like 'a' escape 'xy'",
        "id = 1.2.3",
    ];
    let told: Vec<String> = mistakes.iter().map(|m| kept(m).expect_err(m)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
/where: column 31: expected a value after `=`, found the end
  status in ('paid') and total =
                                ^
/where: column 8: expected a value after `=`, found `>`
  total => 10
         ^
/where: column 13: expected `and`, `or` or the end, found `note`
  total >= 10 note is null
              ^
/where: column 8: expected `)`, found the end
  (id = 1
         ^
/where: column 8: expected a value in the list, found `)`
  id in ()
         ^
/where: column 12: expected `)`, found the end
  id in (1, 2
             ^
/where: column 8: nothing compares with null: write `is null` or `is not null`
  note = null
         ^
/where: column 3: two constants are compared: one side must be a column
  1 = 1
    ^
/where: column 10: this ' is never closed (double it to have one inside)
  status = 'paid
           ^
/where: column 8: expected a pattern in single quotes after `like`, found the end
  id like
         ^
/where: column 8: expected `in`, `like` or `between` after `not`, found `5`
  id not 5
         ^
/where: column 7: expected `null`, `true` or `false` after `is`, found `5`
  id is 5
        ^
/where: column 14: expected `and` and the upper bound, found the keyword `or`
  id between 1 or 2
               ^
/where: column 4: `+` has no meaning here
  id + 1 = 2
     ^
/where: column 2: expected a comparison, such as `=`, found the end
  5
   ^
/where: column 1: a name cannot begin with a digit; put it in backticks
  2nd = 1
  ^
/where: column 1: expected a column or a value, found the keyword `and`
  and
  ^
/where: column 1: expected a column or a value, found the end
/where: column 16: `?` has no meaning here
  note = 'ü' and ?
                 ^
/where: line 2, column 10: expected a value after `=`, found `=`
    total ==
           ^
/where: column 22: an escape is one character, or '' for none
  note like 'a' escape 'xy'
                       ^
/where: column 6: expected a number of at most 38 digits, such as 12.50
  id = 1.2.3
       ^
");
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
    insta::assert_snapshot!(told.join("\n"), @r"
filter-type: column 9: `total` is decimal(10,2): compare it with a number without quotes
  total = '10'
          ^
filter-type: column 10: `status` is utf8: compare it with a text in single quotes
  status = 10
           ^
filter-type: column 7: `day` is date: compare it with a date such as '2024-01-31'
  day = '2024-02-31'
        ^
filter-type: column 10: `opened` is timestamp-micros-local: compare it with a timestamp such as '2024-01-31 12:30:00', without a zone
  opened = '2024-01-31T00:00:00Z'
           ^
filter-type: column 11: `created` is timestamp-micros-utc: compare it with an instant such as '2024-01-31 12:30:00Z'
  created = 'noon'
            ^
filter-type: column 1: `id` is int32; alone it is no condition, compare it
  id and paid
  ^
filter-type: column 7: `doc` is json: only `is null` and `like` look at it
  doc = '{}'
        ^
filter-type: column 1: `id` is int32; `like` needs a text column
  id like '1%'
  ^
filter-type: column 8: truth values are equal or not, never smaller
  paid > true
         ^
filter-type: column 8: `paid` is boolean: compare it with true, false, 1 or 0
  paid = 2
         ^
filter-type: column 6: `id` is int32 and `note` is utf8: they cannot be compared
  id = note
       ^
filter-type: column 11: `created` is timestamp-micros-utc and `opened` is timestamp-micros-local: they cannot be compared
  created < opened
            ^
unknown-column: table shop.orders has no column `missing` (it has: id, status, total, big, note, paid, day, created, opened, ratio, share, token, took, doc, order; names are case-sensitive)
unknown-column: table shop.orders has no column `Status`, `total_` (it has: id, status, total, big, note, paid, day, created, opened, ratio, share, token, took, doc, order; names are case-sensitive)
");
}

#[test]
fn a_text_that_no_binary_column_holds_is_refused() {
    let mut table = table("shop", "devices")
        .column("device", DataType::Binary)
        .column("text", DataType::Binary);
    table.fields[0].source_type = Some("binary".to_owned());
    table.fields[1].source_type = Some("varbinary".to_owned());
    let plan = |condition: &str| {
        let plugin = Harness::<Filter>::configured(&json!({ "where": condition })).expect("valid");
        plugin.plan(&table).map(|_| ()).map_err(|error| error.to_string())
    };
    let uuid = "'123e4567-e89b-12d3-a456-426655440000'";
    insta::assert_snapshot!(plan(&format!("device = {uuid}")).expect_err("refused"), @r"
    filter-type: column 10: `device` is binary: a UUID or INET column arrives as its bytes and equals no text; compare it with bytes such as x'00ff'
      device = '123e4567-e89b-12d3-a456-426655440000'
               ^
    ");
    for condition in ["device in ('x', '192.168.0.1')", "device <> '::1'"] {
        assert!(plan(condition).is_err_and(|e| e.contains("equals no text")), "{condition}");
    }
    for condition in [
        "device = x'123e4567e89b12d3a456426655440000'",
        "device = 'abc'",
        &format!("text = {uuid}"),
    ] {
        assert_eq!(plan(condition), Ok(()), "{condition}");
    }
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
fn a_long_list_accepts_what_a_short_one_does() {
    let texts = (0..40).map(|n| format!("'t{n}'")).collect::<Vec<_>>().join(", ");
    assert_eq!(kept(&format!("status in ({texts}, 'paid', 'it''s')")), Ok(vec![0, 2]));
    assert_eq!(kept(&format!("status in ({texts})")), Ok(vec![]));
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
