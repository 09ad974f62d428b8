//! Binary JSON: the text that the server prints.

use super::*;

fn text(document: &[u8]) -> Result<String, ValueFault> {
    let mut out = Vec::new();
    append_text(document, &mut out)?;
    Ok(String::from_utf8(out).expect("text"))
}

/// An opaque value of eight bytes.
fn packed(field_type: u8, value: i64) -> Vec<u8> {
    [&[15, field_type, 8][..], &value.to_le_bytes()].concat()
}

#[test]
fn scalars_print_as_the_server_casts_them() {
    let long = [&[0x0f, 252, 61][..], &[0xff; 61]].concat();
    let date = packed(10, ((2024 * 13 + 2) << 22 | 29 << 17) << 24);
    let moment =
        packed(12, (((2024 * 13 + 2) << 22 | 29 << 17 | 12 << 12 | 34 << 6 | 56) << 24) + 987_654);
    let time = packed(11, -(((12 << 12 | 34 << 6 | 56) << 24) + 500_000));
    let golden: [(&[u8], &str); 15] = [
        (&[], "null"),
        (&[4, 0], "null"),
        (&[4, 1], "true"),
        (&[4, 2], "false"),
        (&[5, 0xff, 0xff], "-1"),
        (&[10, 255, 255, 255, 255, 255, 255, 255, 255], "18446744073709551615"),
        (&[12, 3, b'a', b'"', b'\n'], r#""a\"\n""#),
        (&[12, 2, 0x01, 0x1f], r#""\u0001\u001f""#),
        (&[15, 246, 4, 3, 2, 0x81, 0x32], "1.50"),
        (&[15, 15, 3, 0, 0xff, 0x10], r#""base64:type15:AP8Q""#),
        (&[15, 11, 8, 0, 0, 0, 0x00, 0, 0, 0, 0], r#""00:00:00.000000""#),
        (&date, r#""2024-02-29""#),
        (&moment, r#""2024-02-29 12:34:56.987654""#),
        (&time, r#""-12:34:56.500000""#),
        (
            &long,
            "\"base64:type252:////////////////////////////////////////////////////////////////////////////\\n/////w==\"",
        ),
    ];
    for (document, shown) in golden {
        assert_eq!(text(document).as_deref(), Ok(shown), "{document:?}");
    }
}

#[test]
fn doubles_print_the_shortest_digits_in_the_layout_of_the_server() {
    let golden = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (100.0, "100.0"),
        (0.1, "0.1"),
        (-1.25, "-1.25"),
        (1e14, "100000000000000.0"),
        (1e15, "1e15"),
        (1e22, "1e22"),
        (1e100, "1e100"),
        (-1e-300, "-1e-300"),
        (1e-14, "0.00000000000001"),
        (1e-15, "0.000000000000001"),
        (1e-16, "1e-16"),
        (1.234_567_890_123_456_8e29, "1.2345678901234568e29"),
        (123_456_789_012_345.6, "123456789012345.6"),
        (1_234_567_890_123_456.0, "1.234567890123456e15"),
        (f64::MAX, "1.7976931348623157e308"),
    ];
    for (value, shown) in golden {
        let document = [&[0x0b][..], &value.to_le_bytes()].concat();
        assert_eq!(text(&document).as_deref(), Ok(shown));
    }
}

#[test]
fn containers_keep_the_order_of_their_keys() {
    // {"a": 1, "bb": [true, "x"]}
    let array = [2, 0, 12, 0, 4, 1, 0, 12, 10, 0, 1, b'x'];
    let object =
        [&[0, 2, 0, 33, 0][..], &[18, 0, 1, 0, 19, 0, 2, 0], &[5, 1, 0, 2, 21, 0], b"abb", &array]
            .concat();
    assert_eq!(text(&object).as_deref(), Ok(r#"{"a": 1, "bb": [true, "x"]}"#));
}

#[test]
fn a_document_cannot_grow_by_overlapping_itself() {
    // An array whose two elements are itself would print 2^depth values.
    let document = [2, 2, 0, 10, 0, 2, 0, 0, 2, 0, 0];
    assert_eq!(text(&document), Err(ValueFault::Json));
}

/// Arrays within each other.
fn nested(depth: usize) -> Vec<u8> {
    let innermost = [0_u8, 0, 4, 0].to_vec();
    let body = (1..depth).fold(innermost, |child, _| {
        let size = u16::try_from(child.len() + 7).expect("small");
        [&[1, 0][..], &size.to_le_bytes(), &[2, 7, 0], &child].concat()
    });
    [&[2][..], &body].concat()
}

#[test]
fn depth_ends_where_the_server_ends_it() {
    assert_eq!(text(&nested(3)).as_deref(), Ok("[[[]]]"));
    assert_eq!(text(&nested(100)).map(|t| t.len()), Ok(200));
    assert_eq!(text(&nested(200)), Err(ValueFault::Json));
}

#[test]
fn broken_documents_are_refused() {
    let cases: [&[u8]; 8] = [
        &[4],
        &[4, 3],
        &[13, 0],
        &[12, 5, b'a'],
        &[12, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
        &[0, 1, 0, 4, 0],
        &[3, 255, 255, 255, 255, 255, 255, 255, 255],
        &[0x0b, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f],
    ];
    for document in cases {
        assert_eq!(text(document), Err(ValueFault::Json), "{document:?}");
    }
}
