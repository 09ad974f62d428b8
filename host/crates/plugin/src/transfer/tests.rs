//! What crosses the border, in both directions.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use change::ColumnType;

use super::lift::Slot;
use super::{Expected, Pushed, lift, lower};
use crate::bindings::sluice::transform::types::ColumnResult;
use crate::bindings::transform::Edit;
use crate::text;

fn edit(columns: Vec<ColumnResult>) -> Edit {
    Edit { keep: None, computed: columns, routing: None, rejected: Vec::new() }
}

fn answer(pushed: &Pushed) -> ColumnResult {
    ColumnResult {
        validity: pushed.validity.as_ref().map(|v| v.to_vec()),
        offsets: pushed.offsets.to_vec(),
        data: pushed.data.to_vec(),
    }
}

fn slot(column_type: ColumnType, nullable: bool) -> Slot {
    Slot { name: "c".to_owned(), column_type, nullable }
}

fn back(array: &ArrayRef, column_type: ColumnType) -> ArrayRef {
    let slots = [slot(column_type, true)];
    let expected = Expected { rows: array.len(), slots: &slots };
    let pushed = lower(array, column_type);
    let checked = lift(edit(vec![answer(&pushed)]), &expected).expect("its own buffers");
    Arc::clone(checked.computed.first().expect("a column"))
}

#[test]
fn every_type_comes_back_as_it_went_out_of_any_slice() {
    let cases: [(&str, [Option<&str>; 5]); 9] = [
        ("boolean", [Some("true"), None, Some("false"), Some("true"), None]),
        ("int8", [Some("-1"), None, Some("2"), Some("3"), Some("4")]),
        ("uint64", [Some("18446744073709551615"), Some("0"), None, Some("3"), Some("4")]),
        ("float64", [Some("1.5"), None, None, Some("-0.0"), Some("4.0")]),
        ("decimal(20,3)", [Some("-1.500"), None, Some("2.000"), Some("3.000"), None]),
        ("date", [Some("2024-01-31"), None, Some("1969-12-31"), None, None]),
        ("time-micros", [Some("-838:59:59"), None, Some("00:00:01"), None, None]),
        ("utf8", [Some("héllo"), None, Some(""), Some("x"), Some("ü")]),
        ("binary", [Some("00ff"), None, Some(""), Some("01"), Some("02")]),
    ];
    for (name, texts) in cases {
        let column_type: ColumnType = name.parse().expect("a type");
        let (array, wrong) = text::parse(column_type, &texts);
        assert!(wrong.is_empty(), "{name}");
        for (start, length) in [(0, 5), (1, 4), (2, 2), (0, 1), (3, 0)] {
            let slice = array.slice(start, length);
            assert_eq!(&back(&slice, column_type), &slice, "{name} {start}+{length}");
        }
    }
}

#[test]
fn what_lies_in_null_slots_and_unused_bits_is_not_pushed() {
    let nulls = NullBuffer::from(vec![true, false, true]);
    let dirty: ArrayRef =
        Arc::new(Int32Array::new(ScalarBuffer::from(vec![1, 99, 3]), Some(nulls.clone())));
    let pushed = lower(&dirty, ColumnType::Int32);
    assert_eq!(pushed.data.as_slice(), [1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(pushed.validity.as_ref().map(|v| v.to_vec()), Some(vec![0b101]));
    let bits = BooleanBuffer::new(vec![0xff_u8].into(), 0, 3);
    let booleans: ArrayRef = Arc::new(BooleanArray::new(bits, Some(nulls.clone())));
    assert_eq!(lower(&booleans, ColumnType::Boolean).data.as_slice(), [0b101]);
    let full = StringArray::from(vec!["a", "secret", "b"]);
    let (offsets, values, _) = full.into_parts();
    let hidden: ArrayRef = Arc::new(StringArray::new(offsets, values, Some(nulls)));
    let pushed = lower(&hidden, ColumnType::Utf8);
    assert_eq!(pushed.data.as_slice(), b"ab");
    assert_eq!(pushed.offsets.as_slice(), [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
}

fn column(validity: Option<&[u8]>, offsets: &[i32], data: &[u8]) -> ColumnResult {
    ColumnResult {
        validity: validity.map(<[u8]>::to_vec),
        offsets: offsets.iter().flat_map(|o| o.to_le_bytes()).collect(),
        data: data.to_vec(),
    }
}

fn refusal(column: ColumnResult, slot: Slot, keep: Option<u8>) -> Option<String> {
    let slots = [slot];
    let mut edit = edit(vec![column]);
    edit.keep = keep.map(|k| vec![k]);
    lift(edit, &Expected { rows: 2, slots: &slots }).err()
}

#[test]
fn buffers_that_break_a_rule_are_refused_and_the_rule_is_named() {
    use ColumnType::{Boolean, Decimal, Int32, Json, Utf8};
    let decimal = Decimal { precision: 2, scale: 0 };
    let hundred: Vec<u8> = [100_i128, 1].iter().flat_map(|v| v.to_le_bytes()).collect();
    let cases = [
        (
            Int32,
            column(None, &[], &[0; 7]),
            "computed column `c`: the data has 7 bytes, 8 are needed",
        ),
        (Int32, column(None, &[0, 0, 0], &[0; 8]), "computed column `c`: int32 has no offsets"),
        (
            Int32,
            column(Some(&[3, 0]), &[], &[0; 8]),
            "computed column `c`: the validity bitmap has 2 bytes, 1 are needed",
        ),
        (
            Boolean,
            column(None, &[], &[]),
            "computed column `c`: the data has 0 bytes, 1 are needed",
        ),
        (decimal, column(None, &[], &hundred), "computed column `c`: row 0 has more than 2 digits"),
        (
            Utf8,
            column(None, &[0, 2], b"ab"),
            "computed column `c`: the offsets have 8 bytes, 12 are needed",
        ),
        (Utf8, column(None, &[1, 1, 2], b"ab"), "computed column `c`: the first offset is not 0"),
        (Utf8, column(None, &[0, 2, 1], b"ab"), "computed column `c`: the offsets decrease"),
        (Utf8, column(None, &[0, -1, 2], b"ab"), "computed column `c`: the offsets decrease"),
        (
            Utf8,
            column(None, &[0, 1, 3], b"ab"),
            "computed column `c`: the last offset is not the length of the data, 2 bytes",
        ),
        (Utf8, column(None, &[0, 1, 2], b"a\xff"), "computed column `c`: row 1 is not UTF-8"),
        (Utf8, column(None, &[0, 1, 2], "ü".as_bytes()), "computed column `c`: row 0 is not UTF-8"),
        (Json, column(None, &[0, 1, 2], b"1{"), "computed column `c`: row 1 is not JSON"),
        (
            Int32,
            column(Some(&[1]), &[], &[0; 8]),
            "computed column `c`: a kept row is null, the plan said that none is",
        ),
    ];
    for (column_type, column, wanted) in cases {
        assert_eq!(refusal(column, slot(column_type, false), None).as_deref(), Some(wanted));
    }
}

#[test]
fn slots_of_rows_that_are_not_kept_may_hold_anything() {
    use ColumnType::{Decimal, Int32, Json, Utf8};
    let decimal = Decimal { precision: 2, scale: 0 };
    let hundred: Vec<u8> = [1_i128, 100].iter().flat_map(|v| v.to_le_bytes()).collect();
    let cases = [
        (Int32, column(Some(&[1]), &[], &[0; 8])),
        (Utf8, column(None, &[0, 1, 2], b"a\xff")),
        (Json, column(None, &[0, 1, 2], b"1{")),
        (decimal, column(None, &[], &hundred)),
    ];
    for (column_type, column) in cases {
        assert_eq!(refusal(column.clone(), slot(column_type, false), Some(1)), None);
        assert!(refusal(column, slot(column_type, false), Some(3)).is_some(), "{column_type}");
    }
}

#[test]
fn rejected_rows_are_not_kept() {
    use crate::bindings::sluice::transform::types::Failure;
    use crate::bindings::transform::RejectedRow;
    let failure = Failure { code: "bad-date".to_owned(), detail: "x".to_owned() };
    let mut answer = edit(Vec::new());
    answer.rejected = vec![RejectedRow { row: 1, failure: failure.clone() }];
    let checked = lift(answer.clone(), &Expected { rows: 3, slots: &[] }).expect("valid");
    assert_eq!(checked.keep.map(|k| k.iter().collect::<Vec<_>>()), Some(vec![true, false, true]));
    answer.rejected.push(RejectedRow { row: 1, failure });
    let refused = lift(answer, &Expected { rows: 3, slots: &[] }).err();
    assert_eq!(refused.as_deref(), Some("rejected rows are not ascending"));
}
