//! Columns read in place: values, NULLs, and buffers that do not fit.

use super::*;
use crate::testing::{json, rows, table};

#[test]
fn every_type_reads_back_as_its_value() {
    let cases = [
        (DataType::Boolean, json!([[true], [null]]), Value::Boolean(true)),
        (DataType::Int8, json!([[-3], [null]]), Value::Int(-3)),
        (DataType::Int16, json!([[-3], [null]]), Value::Int(-3)),
        (DataType::Int32, json!([[-3], [null]]), Value::Int(-3)),
        (DataType::Int64, json!([[i64::MIN], [null]]), Value::Int(i64::MIN)),
        (DataType::UInt8, json!([[200], [null]]), Value::UInt(200)),
        (DataType::UInt16, json!([[200], [null]]), Value::UInt(200)),
        (DataType::UInt32, json!([[200], [null]]), Value::UInt(200)),
        (DataType::UInt64, json!([[u64::MAX], [null]]), Value::UInt(u64::MAX)),
        (DataType::Float32, json!([[1.5], [null]]), Value::Float32(1.5)),
        (DataType::Float64, json!([[1.5], [null]]), Value::Float64(1.5)),
        (
            DataType::Decimal { precision: 10, scale: 2 },
            json!([["-1.5"], [null]]),
            Value::Decimal(Decimal { unscaled: -150, scale: 2 }),
        ),
        (DataType::Date, json!([["1970-01-02"], [null]]), Value::Date(1)),
        (DataType::TimeMicros, json!([["00:00:01"], [null]]), Value::Time(1_000_000)),
        (DataType::TimestampMicrosUtc, json!([["1970-01-01"], [null]]), Value::TimestampUtc(0)),
        (DataType::TimestampMicrosLocal, json!([["1970-01-01"], [null]]), Value::TimestampLocal(0)),
        (DataType::Utf8, json!([["ü"], [null]]), Value::Utf8("ü")),
        (DataType::Binary, json!([["00ff"], [null]]), Value::Binary(&[0, 255])),
        (DataType::Json, json!([["{}"], [null]]), Value::Json("{}")),
    ];
    for (data_type, literals, expected) in cases {
        let schema = table("d", "t").column("x", data_type);
        let buffers = rows(&schema, &literals).expect("literals");
        let column = Column::new(&buffers[0], data_type, 2).expect("fits");
        assert_eq!(column.value(0), expected, "{data_type}");
        assert_eq!(column.value(1), Value::Null, "{data_type}");
        assert_eq!(column.value(2), Value::Null, "{data_type} beyond the end");
        assert!(!column.is_null(0) && column.is_null(1) && column.is_null(2));
    }
}

#[test]
fn typed_views_skip_nulls() {
    let schema = table("d", "t").column("n", DataType::Int64).column("s", DataType::Utf8);
    let literals = json!([[1, "a"], [null, null], [3, ""], [-4, "dd"]]);
    let buffers = rows(&schema, &literals).expect("literals");
    let numbers = Column::new(&buffers[0], DataType::Int64, 4).expect("fits");
    let values = numbers.values::<i64>().expect("int64");
    assert_eq!(values.iter().collect::<Vec<_>>(), [Some(1), None, Some(3), Some(-4)]);
    assert_eq!(values.matching(|n| n < 2).set_rows().collect::<Vec<_>>(), [0, 3]);
    assert_eq!((values.get(1), values.get(3), values.get(4)), (None, Some(-4), None));

    let texts = Column::new(&buffers[1], DataType::Utf8, 4).expect("fits");
    let expected = [Some("a"), None, Some(""), Some("dd")];
    assert_eq!(texts.texts().expect("text").iter().collect::<Vec<_>>(), expected);
    let bytes = texts.bytes().expect("bytes");
    assert_eq!(bytes.iter().collect::<Vec<_>>(), expected.map(|t| t.map(str::as_bytes)));
    assert_eq!(bytes.matching(|b| b.len() < 2).set_rows().collect::<Vec<_>>(), [0, 2]);
    assert_eq!((texts.utf8(3), texts.i64(3), numbers.i64(3)), (Some("dd"), None, Some(-4)));
}

#[test]
fn buffers_of_the_wrong_length_are_refused() {
    let short = ColumnBuffers { data: vec![0; 15], ..ColumnBuffers::default() };
    let error = Column::new(&short, DataType::Int64, 2).expect_err("short");
    insta::assert_snapshot!(error, @"column-length: a column of type int64 is not 2 rows long");
    assert!(Column::new(&short, DataType::Utf8, 2).is_err());
    assert!(Column::new(&short, DataType::Boolean, 2).is_err());
    let no_bitmap = ColumnBuffers { validity: Some(vec![]), data: vec![0; 16], ..short };
    assert!(Column::new(&no_bitmap, DataType::Int64, 2).is_err());
}

#[test]
fn a_view_of_the_wrong_type_is_refused() {
    let buffers = ColumnBuffers { data: vec![0; 8], ..ColumnBuffers::default() };
    let column = Column::new(&buffers, DataType::UInt64, 1).expect("fits");
    insta::assert_snapshot!(column.values::<i64>().expect_err("unsigned"), @"column-type: a column of type uint64 cannot be read as i64");
    assert!(column.texts().is_err() && column.bytes().is_err() && column.booleans().is_err());
}
