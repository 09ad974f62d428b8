//! Tests of the stored types and their conversion.

use std::collections::HashSet;

use arrow_array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::NullBuffer;
use change::{Column, Diagnose};
use delta_kernel::engine::arrow_conversion::TryIntoKernel;
use serde_json::json;

use super::*;

const PAGE: &str = include_str!("../../../../../docs/reference/types.md");

/// Every logical type once, decimals with a few digits.
fn all() -> Vec<ColumnType> {
    vec![
        ColumnType::Boolean,
        ColumnType::Int8,
        ColumnType::Int16,
        ColumnType::Int32,
        ColumnType::Int64,
        ColumnType::UInt8,
        ColumnType::UInt16,
        ColumnType::UInt32,
        ColumnType::UInt64,
        ColumnType::Float32,
        ColumnType::Float64,
        ColumnType::Decimal { precision: 9, scale: 2 },
        ColumnType::Date,
        ColumnType::TimeMicros,
        ColumnType::TimestampMicrosUtc,
        ColumnType::TimestampMicrosLocal,
        ColumnType::Utf8,
        ColumnType::Binary,
        ColumnType::Json,
    ]
}

fn output(columns: &[(&str, ColumnType)], ids: &[usize]) -> OutputSchema {
    OutputSchema {
        source: TableName::new("shop", "orders"),
        columns: columns.iter().map(|(n, t)| Column::made(*n, *t, true)).collect(),
        id_columns: ids.to_vec(),
        key_proof: KeyProof::Source,
    }
}

fn one(column_type: ColumnType) -> StoredSchema {
    let columns = [("id", ColumnType::Int64), ("c", column_type)];
    StoredSchema::of(&output(&columns, &[0])).expect("valid")
}

fn converted(column_type: ColumnType, column: ArrayRef) -> ArrayRef {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![0; column.len()]));
    let mut columns = one(column_type).convert(&[ids, column]).expect("no value makes it fail");
    columns.pop().expect("two columns")
}

fn values(column_type: ColumnType, column: ArrayRef) -> Vec<serde_json::Value> {
    let stored = converted(column_type, column);
    let integer = column_type == ColumnType::UInt64;
    (0..stored.len()).map(|row| text::value(&stored, row, integer).expect("stored")).collect()
}

#[test]
fn the_page_of_types_says_what_the_code_does() {
    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .skip_while(|l| !l.starts_with("| MySQL or MariaDB"))
        .skip(2)
        .take_while(|l| l.starts_with('|'))
        .map(|l| l.split('|').map(str::trim).collect())
        .collect();
    let mut told = HashSet::new();
    for row in &rows {
        let (logical, delta) = (row[2], row[3]);
        let (logical, delta) = (logical.replace("(p,s)", "(9,2)"), delta.replace("(p,s)", "(9,2)"));
        let column_type: ColumnType = logical.parse().expect(row[2]);
        assert_eq!(delta_type(column_type), delta, "{}", row[1]);
        told.insert(column_type);
    }
    assert_eq!(told, all().into_iter().collect(), "every logical type has a row");
}

#[test]
fn the_stored_arrow_type_is_the_delta_type() {
    for column_type in all() {
        let field = Field::new("c", stored_type(column_type), true);
        let kernel: delta_kernel::schema::StructField = (&field).try_into_kernel().expect("known");
        assert_eq!(kernel.data_type().to_string(), delta_type(column_type), "{column_type}");
    }
}

#[test]
fn every_type_converts_to_what_it_says_even_where_slots_hold_anything() {
    for column_type in all() {
        let nulls = NullBuffer::new_null(3);
        let column: ArrayRef = match column_type {
            ColumnType::UInt64 => {
                Arc::new(UInt64Array::new(vec![u64::MAX, 0, 1].into(), Some(nulls)))
            }
            ColumnType::TimeMicros => Arc::new(DurationMicrosecondArray::new(
                vec![i64::MIN, i64::MAX, 0].into(),
                Some(nulls),
            )),
            other => arrow_array::new_null_array(&other.arrow(), 3),
        };
        let stored = converted(column_type, column);
        assert_eq!(*stored.data_type(), stored_type(column_type), "{column_type}");
        assert_eq!(stored.null_count(), 3, "{column_type}");
    }
}

#[test]
fn values_arrive_exactly_and_have_one_text() {
    use ColumnType as T;
    let cases: Vec<(T, ArrayRef, serde_json::Value)> = vec![
        (T::Boolean, Arc::new(BooleanArray::from(vec![Some(true), None])), json!([true, null])),
        (T::Int8, Arc::new(Int8Array::from(vec![i8::MIN, i8::MAX])), json!([-128, 127])),
        (T::Int16, Arc::new(Int16Array::from(vec![i16::MIN])), json!([-32768])),
        (T::Int32, Arc::new(Int32Array::from(vec![i32::MIN])), json!([-2_147_483_648_i64])),
        (
            T::Int64,
            Arc::new(Int64Array::from(vec![1 << 53, (1 << 53) + 1, -(1 << 53), i64::MIN])),
            json!([
                9_007_199_254_740_992_i64,
                "9007199254740993",
                -9_007_199_254_740_992_i64,
                "-9223372036854775808"
            ]),
        ),
        (T::UInt8, Arc::new(UInt8Array::from(vec![Some(255), None])), json!([255, null])),
        (T::UInt16, Arc::new(UInt16Array::from(vec![u16::MAX])), json!([65535])),
        (T::UInt32, Arc::new(UInt32Array::from(vec![u32::MAX])), json!([4_294_967_295_i64])),
        (
            T::UInt64,
            Arc::new(UInt64Array::from(vec![Some(0), Some(u64::MAX), None])),
            json!([0, "18446744073709551615", null]),
        ),
        (T::Float32, Arc::new(Float32Array::from(vec![0.1, -0.0])), json!([0.1, -0.0])),
        (
            T::Float64,
            Arc::new(Float64Array::from(vec![0.1, f64::NAN, f64::NEG_INFINITY])),
            json!([0.1, "NaN", "-Infinity"]),
        ),
        (
            T::Decimal { precision: 5, scale: 2 },
            Arc::new(
                Decimal128Array::from(vec![-50, 12345, 0])
                    .with_precision_and_scale(5, 2)
                    .expect("valid"),
            ),
            json!(["-0.50", "123.45", "0.00"]),
        ),
        (
            T::Date,
            Arc::new(Date32Array::from(vec![19_782, -719_162, 2_932_896, 0])),
            json!(["2024-02-29", "0001-01-01", "9999-12-31", "1970-01-01"]),
        ),
        (
            T::TimestampMicrosUtc,
            Arc::new(TimestampMicrosecondArray::from(vec![1, -1]).with_timezone("UTC")),
            json!(["1970-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.999999Z"]),
        ),
        (
            T::TimestampMicrosLocal,
            Arc::new(TimestampMicrosecondArray::from(vec![253_402_300_799_999_999])),
            json!(["9999-12-31T23:59:59.999999"]),
        ),
        (
            T::TimeMicros,
            Arc::new(DurationMicrosecondArray::from(vec![
                Some(0),
                Some(-3_020_399_000_000),
                Some(360_000_000_001),
                Some(-1),
                None,
            ])),
            json!([
                "00:00:00.000000",
                "-838:59:59.000000",
                "100:00:00.000001",
                "-00:00:00.000001",
                null
            ]),
        ),
        (T::Utf8, Arc::new(StringArray::from(vec!["", "ä"])), json!(["", "ä"])),
        (T::Json, Arc::new(StringArray::from(vec!["{\"a\": 1}"])), json!(["{\"a\": 1}"])),
        (T::Binary, Arc::new(BinaryArray::from_vec(vec![b"", b"\x00\xff"])), json!(["", "00ff"])),
    ];
    assert_eq!(
        cases.iter().map(|(t, ..)| std::mem::discriminant(t)).collect::<HashSet<_>>().len(),
        all().len()
    );
    for (column_type, column, expected) in cases {
        assert_eq!(json!(values(column_type, column)), expected, "{column_type}");
    }
}

#[test]
fn columns_that_stay_as_they_are_are_not_copied() {
    let column: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    assert!(Arc::ptr_eq(&converted(ColumnType::Utf8, Arc::clone(&column)), &column));
}

#[test]
fn every_field_is_nullable_and_keys_have_their_own_schema() {
    let columns =
        [("a", ColumnType::Int8), ("b", ColumnType::UInt64), ("c", ColumnType::TimeMicros)];
    let stored = StoredSchema::of(&output(&columns, &[2, 0])).expect("valid");
    assert!(stored.arrow().fields().iter().all(|f| f.is_nullable()));
    assert_eq!(stored.id_names().collect::<Vec<_>>(), ["c", "a"]);
    let keys = stored.id_arrow();
    assert_eq!(keys.field(0).data_type(), &DataType::Utf8);
    assert_eq!(keys.field(1).data_type(), &DataType::Int8);
}

#[test]
fn a_column_of_another_arrow_type_is_refused() {
    let column: ArrayRef = Arc::new(Int8Array::from(vec![1]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![0]));
    let error = one(ColumnType::Utf8).convert(&[ids, column]).unwrap_err();
    insta::assert_snapshot!(error, @"column `c` of table shop.orders arrived as Int8, its type is Utf8");
    assert!(one(ColumnType::Utf8).convert(&[]).is_err());
}

#[test]
fn what_cannot_be_a_table_is_refused_with_the_way_out() {
    use ColumnType::{Float64, Int64};
    let cases = [
        output(&[("id", Int64)], &[]),
        output(&[("id", Int64)], &[1]),
        output(&[("id", Int64)], &[0, 0]),
        output(&[("f", Float64)], &[0]),
        output(&[("id", Int64), ("ID", Int64)], &[0]),
        output(&[("id", Int64), ("unit price", Int64)], &[0]),
        output(&[("id", Int64), ("", Int64)], &[0]),
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|c| {
            let error = StoredSchema::of(c).expect_err("refused");
            assert_eq!(error.fault(), change::Fault::Usage);
            format!("{error}\n  {}", error.hint().expect("a hint"))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    table shop.orders has no id columns
      name columns that identify a row: `[[table]] match = "shop.orders" id-columns = [..]`
    id column number 1 of table shop.orders is beyond its output columns
      name columns that identify a row: `[[table]] match = "shop.orders" id-columns = [..]`
    id column number 0 of table shop.orders is named twice
      name columns that identify a row: `[[table]] match = "shop.orders" id-columns = [..]`
    id column `f` of table shop.orders is a float64, and floats identify no row
      name other id columns for shop.orders, or add a plugin that casts the column to decimal or utf8
    columns `id` and `ID` of table shop.orders differ by case at most
      rename `ID` with the rename plugin
    column `unit price` of table shop.orders has one of the characters ` ,;{}()=`, a tab or a newline in its name, which Delta tables cannot have
      rename `unit price` with the rename plugin
    column `` of table shop.orders has an empty name
      rename `` with the rename plugin
    "#);
}
