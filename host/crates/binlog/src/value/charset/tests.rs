//! Character sets: what the server converts is what comes out.

use super::*;

fn text(collation: u64, bytes: &[u8]) -> Result<String, ValueFault> {
    Charset::of_collation(collation).expect("a known collation").text(bytes)
}

/// The bytes are what MySQL 9.7 stores for the text (`SELECT HEX(CONVERT('..' USING cs))`).
#[test]
fn text_of_every_family_converts() {
    let golden: [(u64, &str, &[u8], &str); 26] = [
        (8, "latin1", &[0x63, 0xe9, 0x80, 0x81, 0xff], "cé€\u{81}ÿ"),
        (255, "utf8mb4", "é😀".as_bytes(), "é😀"),
        (2304, "utf8mb4", "é".as_bytes(), "é"),
        (33, "utf8mb3", "é".as_bytes(), "é"),
        (11, "ascii", b"abc", "abc"),
        (28, "gbk", &[0xd6, 0xd0, 0xce, 0xc4], "中文"),
        (248, "gb18030", &[0xd6, 0xd0, 0x94, 0x39, 0xfc, 0x36, 0x41], "中😀A"),
        (24, "gb2312", &[0xd6, 0xd0, 0xa1, 0xa4], "中・"),
        (1, "big5", &[0xa4, 0xa4, 0xa1, 0x45, 0x41], "中•A"),
        (13, "sjis", &[0x83, 0x4a, 0xb6, 0x81, 0x60, 0x5c], "カｶ〜\\"),
        (95, "cp932", &[0x83, 0x4a, 0x81, 0x60], "カ～"),
        (12, "ujis", &[0xa5, 0xab, 0x8e, 0xb6, 0xa1, 0xc1, 0xf5, 0xa1], "カｶ〜\u{e000}"),
        (97, "eucjpms", &[0xa5, 0xab, 0x8f, 0xf3, 0xf3], "カⅰ"),
        (19, "euckr", &[0xc7, 0xd1], "한"),
        (54, "utf16", &[0x00, 0x41, 0xd8, 0x3d, 0xde, 0x00], "A😀"),
        (56, "utf16le", &[0x41, 0x00, 0x3d, 0xd8, 0x00, 0xde], "A😀"),
        (35, "ucs2", &[0x20, 0xac], "€"),
        (60, "utf32", &[0, 0, 0, 0x41, 0, 1, 0xf6, 0], "A😀"),
        (51, "cp1251", &[0xcf, 0xf0], "Пр"),
        (7, "koi8r", &[0xf0, 0xd2], "Пр"),
        (36, "cp866", &[0x8f, 0xfc], "Пⁿ"),
        (25, "greek", &[0xc1, 0xa1], "Αʽ"),
        (30, "latin5", &[0xdd, 0x80], "İ\u{80}"),
        (4, "cp850", &[0x80, 0xff, 0x41], "Ç\u{a0}A"),
        (92, "geostd8", &[0xc0], "ა"),
        (10, "swe7", b"A[", "AÄ"),
    ];
    for (collation, name, bytes, expected) in golden {
        assert_eq!(Charset::of_collation(collation).map(Charset::name), Some(name));
        assert_eq!(text(collation, bytes).as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn bytes_that_are_no_text_are_a_fault() {
    let cases: [(u64, &[u8]); 8] = [
        (255, &[0xff]),
        (11, &[0x80]),
        (28, &[0x81]),
        (54, &[0x00]),
        (54, &[0xd8, 0x3d]),
        (60, &[0, 0, 0xd8, 0]),
        (60, &[0, 0, 0]),
        (3, &[0xff]),
    ];
    for (collation, bytes) in cases {
        assert_eq!(text(collation, bytes), Err(ValueFault::Text), "{collation} {bytes:?}");
    }
}

#[test]
fn every_table_is_whole_and_every_run_ascends() {
    for charset in CHARSETS {
        if let Form::Table(high) = charset.form {
            assert_eq!(high.chars().count(), 128, "{}", charset.name);
        }
        let ascends = charset.runs.windows(2).all(|w| matches!(w, [a, b] if a.1 < b.0));
        assert!(ascends, "{}", charset.name);
    }
}

#[test]
fn a_collation_belongs_to_one_character_set() {
    for id in 1..4096 {
        let folded = fold_collation(id);
        let holds = |c: &&Charset| c.collations.iter().any(|(a, b)| (*a..=*b).contains(&folded));
        assert!(CHARSETS.iter().filter(holds).count() <= 1, "{id}");
    }
    assert!(Charset::of_collation(0).is_none());
    assert!(Charset::of_collation(17).is_none());
    assert!(Charset::of_collation(9_999).is_none());
}
