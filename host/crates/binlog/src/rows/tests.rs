//! Row events: golden bytes of each type, and bytes that are damaged.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use change::ImageKind;

use super::*;
use crate::row_buffer::Taken;
use crate::table_map::{MapRules, Vendor, Written};
use crate::value::ZeroDates;

mod mutation;

/// A version 1 event of one-column rows: post-header, width, bitmap of the columns, then `rows`.
fn event(rows: &[u8]) -> Vec<u8> {
    [&[9, 0, 0, 0, 0, 0, 1, 0, 1, 0xff], rows].concat()
}

/// The column that some rows of one value each lead to.
fn column(map: &TableMap, values: &[&[u8]]) -> Result<ArrayRef, DecodeError> {
    let rows: Vec<u8> = values.iter().flat_map(|v| [&[0xfe][..], v].concat()).collect();
    let mut buffer = RowBuffer::new(map);
    let event = event(&rows);
    let changes = decode_rows(RowsEvent::Write, RowsVersion::V1, &event, map, &mut buffer)?;
    assert_eq!(usize::try_from(changes), Ok(values.len()));
    let Taken { columns, kinds, .. } = buffer.take(values.len())?;
    assert!(kinds.iter().all(|kind| *kind == ImageKind::Insert));
    Ok(Arc::clone(columns.first().expect("a column")))
}

fn one(code: u8, metadata: &[u8]) -> Written {
    Written::new(&[code], metadata)
}

fn unsigned(code: u8) -> Written {
    one(code, &[]).with(1, &[0x80])
}

fn utf8<const N: usize>(values: [&str; N]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn binary<const N: usize>(values: [&[u8]; N]) -> ArrayRef {
    Arc::new(BinaryArray::from(values.to_vec()))
}

/// A table map, the bytes of its values, and the column that they are.
type Golden<'a> = (Written, &'a [&'a [u8]], ArrayRef);

fn check(golden: Vec<Golden<'_>>) {
    for (written, values, expected) in golden {
        let map = written.map();
        assert_eq!(column(&map, values).as_ref(), Ok(&expected), "{:?}", written.types);
    }
}

#[test]
fn integers_keep_sign_and_width() {
    check(vec![
        (one(1, &[]), &[&[0x80], &[0x7f]], Arc::new(Int8Array::from(vec![-128, 127]))),
        (unsigned(1), &[&[0xff]], Arc::new(UInt8Array::from(vec![255]))),
        (one(2, &[]), &[&[0, 0x80]], Arc::new(Int16Array::from(vec![-32_768]))),
        (unsigned(2), &[&[0xff, 0xff]], Arc::new(UInt16Array::from(vec![65_535]))),
        (
            one(9, &[]),
            &[&[0xff, 0xff, 0xff], &[0, 0, 0x80], &[0xff, 0xff, 0x7f]],
            Arc::new(Int32Array::from(vec![-1, -8_388_608, 8_388_607])),
        ),
        (unsigned(9), &[&[0xff, 0xff, 0xff]], Arc::new(UInt32Array::from(vec![16_777_215]))),
        (one(3, &[]), &[&[0, 0, 0, 0x80]], Arc::new(Int32Array::from(vec![i32::MIN]))),
        (unsigned(3), &[&[0xff; 4]], Arc::new(UInt32Array::from(vec![u32::MAX]))),
        (one(8, &[]), &[&[0xff; 8]], Arc::new(Int64Array::from(vec![-1]))),
        (unsigned(8), &[&[0xff; 8]], Arc::new(UInt64Array::from(vec![u64::MAX]))),
        (one(13, &[]), &[&[0], &[1], &[255]], Arc::new(Int16Array::from(vec![0, 1901, 2155]))),
    ]);
}

#[test]
fn other_numbers_keep_every_digit() {
    let float = 0.1_f32.to_le_bytes();
    let double = 1e-300_f64.to_le_bytes();
    let decimal = Decimal128Array::from(vec![-105]).with_precision_and_scale(5, 2).expect("fits");
    let wide = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    check(vec![
        (one(4, &[4]), &[&float], Arc::new(Float32Array::from(vec![0.1]))),
        (one(5, &[8]), &[&double], Arc::new(Float64Array::from(vec![1e-300]))),
        (one(246, &[5, 2]), &[&[0x7f, 0xfe, 0xfa]], Arc::new(decimal)),
        (one(246, &[39, 9]), &[&wide], utf8(["1.000000007"])),
        (one(16, &[1, 0]), &[&[1], &[0]], Arc::new(BooleanArray::from(vec![true, false]))),
        (one(16, &[1, 2]), &[&[1, 0, 1]], Arc::new(UInt64Array::from(vec![65_537]))),
        (one(16, &[0, 8]), &[&[0xff; 8]], Arc::new(UInt64Array::from(vec![u64::MAX]))),
    ]);
}

#[test]
fn times_are_micros_and_dates_are_days() {
    let utc = TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("UTC");
    let date = [0x5d, 0xd0, 0x0f];
    check(vec![
        (one(10, &[]), &[&date], Arc::new(Date32Array::from(vec![19_782]))),
        (
            one(19, &[2]),
            &[&[0x7f, 0xff, 0xfe, 0xce]],
            Arc::new(DurationMicrosecondArray::from(vec![-1_500_000])),
        ),
        (one(17, &[0]), &[&[0, 0, 0, 1]], Arc::new(utc)),
        (
            one(18, &[0]),
            &[&[0x99, 0x02, 0xc2, 0, 0]],
            Arc::new(TimestampMicrosecondArray::from(vec![0])),
        ),
    ]);
}

#[test]
fn text_and_bytes_keep_what_select_shows() {
    let text = |code, metadata: &[u8], collation| one(code, metadata).with(3, &[collation]);
    check(vec![
        (text(15, &[10, 0], 45), &[&[2, 0xc3, 0xa9], &[0]], utf8(["é", ""])),
        (text(15, &[0, 2], 8), &[&[1, 0, 0xe9]], utf8(["é"])),
        (text(254, &[254, 10], 45), &[&[1, b'x']], utf8(["x"])),
        (text(254, &[254, 4], 63), &[&[2, 1, 2]], binary([&[1, 2, 0, 0]])),
        (text(252, &[3], 28), &[&[2, 0, 0, 0xd6, 0xd0]], utf8(["中"])),
        (text(252, &[4], 63), &[&[1, 0, 0, 0, 0xff]], binary([&[0xff]])),
        (text(15, &[4, 0], 63), &[&[1, 0xff]], binary([&[0xff]])),
        (one(255, &[4]), &[&[2, 0, 0, 0, 1, 2]], binary([&[1, 2]])),
        (one(242, &[4]), &[&[4, 0, 0, 0, 0, 0, 0x80, 0x3f]], binary([&[0, 0, 0x80, 0x3f]])),
        (one(245, &[4]), &[&[3, 0, 0, 0, 5, 7, 0]], utf8(["7"])),
    ]);
}

#[test]
fn enums_and_sets_become_their_labels() {
    let labels = [3, 1, b'x', 1, b'y', 1, b'z'];
    check(vec![
        (
            one(254, &[247, 1]).with(6, &labels).with(10, &[45]),
            &[&[1], &[3], &[0]],
            utf8(["x", "z", ""]),
        ),
        (one(254, &[247, 2]).with(6, &labels).with(10, &[45]), &[&[2, 0]], utf8(["y"])),
        (
            one(254, &[248, 1]).with(5, &labels).with(10, &[45]),
            &[&[0], &[0b101], &[0b111]],
            utf8(["", "x,z", "x,y,z"]),
        ),
    ]);
}

#[test]
fn an_update_is_a_pair_of_images_and_extra_information_is_skipped() {
    let map = Written::new(&[3, 1], &[]).map();
    let front = [9, 0, 0, 0, 0, 0, 1, 0, 5, 0, 0xaa, 0xbb, 0xcc, 2, 3, 3];
    let rows = [0xfc, 1, 0, 0, 0, 7, 0xfe, 2, 0, 0, 0];
    let mut rows = rows.to_vec();
    // The after image has a NULL in its second column.
    if let Some(nulls) = rows.get_mut(6) {
        *nulls = 0xfe;
    }
    let body = [&front[..], &rows].concat();
    let mut buffer = RowBuffer::new(&map);
    let changes = decode_rows(RowsEvent::Update, RowsVersion::V2, &body, &map, &mut buffer);
    assert_eq!(changes, Ok(1));
    let Taken { columns, kinds, .. } = buffer.take(2).expect("columns");
    assert_eq!(kinds, [ImageKind::Before, ImageKind::After]);
    let expected: ArrayRef = Arc::new(Int8Array::from(vec![Some(7), None]));
    assert_eq!(columns.get(1), Some(&expected));
    let head = rows_head(&body).expect("a head");
    assert_eq!(head, RowsHead { table_id: 9 });
}

#[test]
fn an_error_names_column_row_and_byte_and_leaves_nothing_behind() {
    let map = Written::new(&[10], &[]).map();
    let good = [0xfe, 0x5d, 0xd0, 0x0f];
    let mut buffer = RowBuffer::new(&map);
    let write = |rows: &[u8], buffer: &mut RowBuffer| {
        decode_rows(RowsEvent::Write, RowsVersion::V1, &event(rows), &map, buffer)
    };
    assert_eq!(write(&good, &mut buffer), Ok(1));
    let zero = [&good[..], &[0xfe, 0, 0, 0]].concat();
    let cases: [(&[u8], &str); 3] = [
        (
            &zero,
            "column a of row 1 of the event, at byte 18: a zero or partial date, which no calendar has",
        ),
        (
            &[0xfe, 1],
            "column a of row 0 of the event, at byte 11: the event ends in the middle of a value",
        ),
        (
            &[0xfe, 0xff, 0xff, 0xff],
            "column a of row 0 of the event, at byte 14: a date out of range",
        ),
    ];
    for (rows, message) in cases {
        assert_eq!(write(rows, &mut buffer).expect_err(message).to_string(), message);
        assert_eq!(buffer.images(), 1);
    }
    let Taken { columns, .. } = buffer.take(1).expect("columns");
    assert_eq!(columns.first().map(|c| c.len()), Some(1));
}

#[test]
fn zero_dates_become_null_where_the_policy_says_so_and_are_counted() {
    let rules = MapRules { zero_dates: ZeroDates::Null, vendor: Vendor::MySql };
    let mut written = one(10, &[]);
    written.nullable = vec![0];
    let map = written.parsed(rules).expect("a map");
    let mut buffer = RowBuffer::new(&map);
    let rows = [0xfe, 0, 0, 0, 0xfe, 0x5d, 0xd0, 0x0f];
    decode_rows(RowsEvent::Write, RowsVersion::V1, &event(&rows), &map, &mut buffer).expect("rows");
    assert_eq!((buffer.take_zero_dates(), buffer.take_zero_dates()), (1, 0));
    let Taken { columns, .. } = buffer.take(2).expect("columns");
    let expected: ArrayRef = Arc::new(Date32Array::from(vec![None, Some(19_782)]));
    assert_eq!(columns.first(), Some(&expected));
}

#[test]
fn what_no_server_writes_is_refused() {
    let not_null = {
        let mut written = one(3, &[]);
        written.nullable = vec![0];
        written.map()
    };
    let enumeration = one(254, &[247, 1]).with(6, &[1, 1, b'x']).with(10, &[45]).map();
    let bit = one(16, &[1, 0]).map();
    let bits = one(16, &[3, 0]).map();
    let binary = one(254, &[254, 1]).with(3, &[63]).map();
    let cases: [(&TableMap, &[u8], ValueFault); 5] = [
        (&not_null, &[0xff], ValueFault::Null),
        (&enumeration, &[0xfe, 2], ValueFault::Label),
        (&bit, &[0xfe, 2], ValueFault::Bits),
        (&bits, &[0xfe, 8], ValueFault::Bits),
        (&binary, &[0xfe, 2, 1, 1], ValueFault::Length),
    ];
    for (map, rows, expected) in cases {
        let mut buffer = RowBuffer::new(map);
        let found = decode_rows(RowsEvent::Write, RowsVersion::V1, &event(rows), map, &mut buffer);
        assert!(matches!(found, Err(DecodeError::Value { fault, .. }) if fault == expected));
    }
    let text = one(15, &[9, 0]).with(3, &[45]).map();
    let found = column(&text, &[&[1, b'x'], &[2, 0xc3, 0x28]]).expect_err("no UTF-8");
    assert_eq!(found.to_string(), "column a holds bytes that are no utf8mb4 text");
    assert!(matches!(found, DecodeError::Text { image: 1, .. }));
}

#[test]
fn an_insert_without_a_column_needs_its_default() {
    let map = Written::new(&[3, 3], &[]).map();
    let mut buffer = RowBuffer::new(&map);
    let body = [9, 0, 0, 0, 0, 0, 1, 0, 2, 1, 0xfc, 1, 0, 0, 0];
    let found = decode_rows(RowsEvent::Write, RowsVersion::V1, &body, &map, &mut buffer);
    assert_eq!(found, Err(DecodeError::Omitted { column: "b".to_owned() }));
    let body = [9, 0, 0, 0, 0, 0, 1, 0, 1, 1];
    let found = decode_rows(RowsEvent::Write, RowsVersion::V1, &body, &map, &mut buffer);
    assert_eq!(found, Err(DecodeError::Mismatch("another number of columns")));
}

#[test]
fn what_no_image_has_is_not_told_and_what_the_first_has_is_taken_from_it() {
    let map = Written::new(&[3, 252, 3], &[2]).with(2, &[45]).map();
    let mut buffer = RowBuffer::new(&map);
    // Before: a and b. After: c, and in the second change NULL.
    let front = [9, 0, 0, 0, 0, 0, 1, 0, 3, 0b011, 0b100];
    let first = [0xfc, 1, 0, 0, 0, 2, 0, b'x', b'y', 0xfe, 7, 0, 0, 0];
    let second = [0xfe, 2, 0, 0, 0, 0xff];
    let body = [&front[..], &first, &second].concat();
    let changes = decode_rows(RowsEvent::Update, RowsVersion::V1, &body, &map, &mut buffer);
    assert_eq!(changes, Ok(2));
    let Taken { columns, presence, .. } = buffer.take(4).expect("columns");
    let expected: [ArrayRef; 3] = [
        Arc::new(Int32Array::from(vec![1, 1, 2, 2])),
        Arc::new(StringArray::from(vec![Some("xy"), Some("xy"), None, None])),
        Arc::new(Int32Array::from(vec![None, Some(7), None, None])),
    ];
    assert_eq!(columns, expected);
    let told = |column: usize| (0..4).map(move |image| (column, image));
    let absent: Vec<_> =
        (0..3).flat_map(told).filter(|(column, image)| !presence.has(*column, *image)).collect();
    assert_eq!(absent, [(2, 0), (2, 2)], "NULL is told");
}

#[test]
fn an_event_may_be_read_in_steps() {
    let map = one(3, &[]).map();
    let rows: Vec<u8> = (0..5_u8).flat_map(|n| [0xfe, n, 0, 0, 0]).collect();
    let body = event(&rows);
    let event = RowsEvent::Write;
    let mut rows = RowsDecoder::new(event, RowsVersion::V1, &body, &map).expect("rows");
    let mut buffer = RowBuffer::new(&map);
    let mut steps = Vec::new();
    while !rows.is_done() {
        steps.push(rows.read(&mut buffer, 2).expect("rows"));
    }
    assert_eq!((steps, buffer.images()), (vec![2, 2, 1], 5));
}

#[test]
fn rows_without_a_column_are_an_error_not_endless() {
    let map = one(3, &[]).map();
    for (kind, event) in [
        (RowsEvent::Write, [9, 0, 0, 0, 0, 0, 1, 0, 1, 0, 7].as_slice()),
        (RowsEvent::Update, [9, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 7].as_slice()),
        (RowsEvent::Delete, [9, 0, 0, 0, 0, 0, 1, 0, 1, 0].as_slice()),
    ] {
        let mut buffer = RowBuffer::new(&map);
        let read = decode_rows(kind, RowsVersion::V1, event, &map, &mut buffer);
        assert_eq!(read, Err(DecodeError::Mismatch("rows without a column")), "{kind:?}");
    }
}
