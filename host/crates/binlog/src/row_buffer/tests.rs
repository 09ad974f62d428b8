//! Column buffers: partial takes, cut-backs, NULLs, text that is no UTF-8.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;

use super::*;
use crate::rows::{RowsEvent, RowsVersion, decode_rows};
use crate::table_map::Written;

/// `a INT, b TEXT`, and one row for each number: the number and its text, or two NULLs.
fn filled(rows: &[Option<i32>]) -> RowBuffer {
    let map = Written::new(&[3, 252], &[2]).with(2, &[45]).map();
    let mut buffer = RowBuffer::new(&map);
    for row in rows {
        let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0, 2, 3];
        match row {
            Some(number) => {
                let text = number.to_string();
                body.push(0xfc);
                body.extend(number.to_le_bytes());
                body.extend([u8::try_from(text.len()).expect("short"), 0]);
                body.extend(text.as_bytes());
            }
            None => body.push(0xff),
        }
        decode_rows(RowsEvent::Write, RowsVersion::V1, &body, &map, &mut buffer).expect("a row");
    }
    buffer
}

fn taken(buffer: &mut RowBuffer, images: usize) -> Vec<(Option<i32>, Option<String>)> {
    let Taken { columns, kinds, .. } = buffer.take(images).expect("columns");
    let [numbers, texts] = columns.as_slice() else { panic!("two columns") };
    let numbers = numbers.as_primitive::<Int32Type>().iter();
    let texts = texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned));
    let rows: Vec<_> = numbers.zip(texts).collect();
    assert_eq!(rows.len(), kinds.len());
    rows
}

fn row(number: i32) -> (Option<i32>, Option<String>) {
    (Some(number), Some(number.to_string()))
}

#[test]
fn images_come_out_as_they_went_in_however_they_are_taken() {
    let rows: Vec<_> = (0..40).map(|n| (n % 3 != 0).then_some(n * 1_000)).collect();
    let expected: Vec<_> = rows.iter().map(|n| n.map_or((None, None), row)).collect();
    for step in [1, 7, 8, 40, 100] {
        let mut buffer = filled(&rows);
        let mut found = Vec::new();
        while buffer.images() > 0 {
            found.extend(taken(&mut buffer, step));
        }
        assert_eq!(found, expected, "{step} at a time");
    }
}

#[test]
fn what_is_cut_back_leaves_nothing() {
    let mut buffer = filled(&[Some(1), None, Some(3), None, Some(5)]);
    buffer.truncate(1);
    buffer.truncate(3);
    assert_eq!(buffer.images(), 1, "cutting never adds");
    assert_eq!(taken(&mut buffer, 9), [row(1)]);
    assert_eq!(buffer.images(), 0);
    assert_eq!(taken(&mut buffer, 1), []);
}

#[test]
fn columns_without_nulls_have_no_bitmap() {
    let mut buffer = filled(&[Some(1), Some(2), None]);
    let Taken { columns, .. } = buffer.take(2).expect("columns");
    assert!(columns.iter().all(|column| column.nulls().is_none()));
    let Taken { columns, .. } = buffer.take(1).expect("columns");
    assert!(columns.iter().all(|column| column.null_count() == 1));
}
