//! Values of key columns as SQL literals. They go to the server and come back from commits, so only the
//! forms made here are let through.

use change::{Column, ColumnType};
use mysql_async::Value;

use super::column::text;

/// Whether a server orders the values of a column in the way in which it compares them with a literal.
/// An ENUM is ordered by number and compared as text.
pub(super) fn has_order(column: &Column) -> bool {
    let of_text = |word: &str| {
        matches!(word, "char" | "varchar" | "uuid" | "inet4" | "inet6" | "binary" | "varbinary")
    };
    match column.column_type {
        ColumnType::Int8
        | ColumnType::Int16
        | ColumnType::Int32
        | ColumnType::Int64
        | ColumnType::UInt8
        | ColumnType::UInt16
        | ColumnType::UInt32
        | ColumnType::Decimal { .. }
        | ColumnType::Date
        | ColumnType::TimestampMicrosLocal
        | ColumnType::TimestampMicrosUtc => true,
        ColumnType::UInt64 => column.source_type.as_deref() == Some("bigint"),
        ColumnType::Utf8 | ColumnType::Binary => column.source_type.as_deref().is_some_and(of_text),
        _ => false,
    }
}

/// A value of a key column as a literal; none for a type without order, and for NULL.
pub(super) fn literal(column: &Column, value: &Value) -> Option<String> {
    Some(match (column.column_type, value) {
        (_, Value::Int(number)) => number.to_string(),
        (_, Value::UInt(number)) => number.to_string(),
        (_, Value::Date(year, month, day, hour, minute, second, micros)) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            match column.column_type {
                ColumnType::Date => format!("'{date}'"),
                _ => format!("'{date} {hour:02}:{minute:02}:{second:02}.{micros:06}'"),
            }
        }
        (ColumnType::Decimal { .. }, Value::Bytes(digits)) => {
            let digits = String::from_utf8(digits.clone()).ok()?;
            is_number(&digits).then_some(digits)?
        }
        (ColumnType::Utf8, Value::Bytes(bytes)) => {
            let mut utf8 = Vec::new();
            text(column, bytes, &mut utf8).ok()?;
            match utf8.as_slice() {
                [] => "_utf8mb4 ''".to_owned(),
                utf8 => format!("_utf8mb4 0x{}", hex(utf8)),
            }
        }
        (ColumnType::Binary, Value::Bytes(bytes)) => format!("x'{}'", hex(bytes)),
        _ => return None,
    })
}

/// Whether a text is a literal of those made here, and nothing else.
pub(super) fn is_literal(text: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let quoted = |text: &str| text.strip_suffix('\'').map(str::to_owned);
    if let Some(digits) = text.strip_prefix("_utf8mb4 0x") {
        return !digits.is_empty() && is_hex(digits);
    }
    if let Some(rest) = text.strip_prefix("x'") {
        return quoted(rest).is_some_and(|digits| is_hex(&digits));
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let is_time = |b: u8| b.is_ascii_digit() || b"-: .".contains(&b);
        return quoted(rest).is_some_and(|time| time.bytes().all(is_time));
    }
    text == "_utf8mb4 ''" || is_number(text)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(column_type: ColumnType, word: &str, charset: Option<&str>) -> Column {
        let charset = charset.map(|name| ("charset".to_owned(), name.to_owned()));
        Column {
            source_type: Some(word.to_owned()),
            properties: charset.into_iter().collect(),
            ..Column::made("k", column_type, false)
        }
    }

    #[test]
    fn every_literal_is_one_of_those_that_are_let_through() {
        let cases = [
            (column(ColumnType::Int64, "bigint", None), Value::Int(-7), "-7"),
            (
                column(ColumnType::UInt64, "bigint", None),
                Value::UInt(u64::MAX),
                "18446744073709551615",
            ),
            (
                column(ColumnType::Utf8, "varchar", Some("latin1")),
                Value::Bytes(b"\xe4'".to_vec()),
                "_utf8mb4 0xC3A427",
            ),
            (
                column(ColumnType::Utf8, "char", Some("utf8mb4")),
                Value::Bytes(Vec::new()),
                "_utf8mb4 ''",
            ),
            (column(ColumnType::Binary, "binary", None), Value::Bytes(vec![0, 255]), "x'00FF'"),
            (
                column(ColumnType::Decimal { precision: 5, scale: 2 }, "decimal", None),
                Value::Bytes(b"-12.50".to_vec()),
                "-12.50",
            ),
            (
                column(ColumnType::Date, "date", None),
                Value::Date(2026, 1, 2, 0, 0, 0, 0),
                "'2026-01-02'",
            ),
            (
                column(ColumnType::TimestampMicrosLocal, "datetime", None),
                Value::Date(2026, 1, 2, 3, 4, 5, 6),
                "'2026-01-02 03:04:05.000006'",
            ),
        ];
        for (column, value, expected) in cases {
            assert!(has_order(&column), "{column:?}");
            let found = literal(&column, &value);
            assert_eq!(found.as_deref(), Some(expected));
            assert!(is_literal(expected), "{expected}");
        }
        for other in
            ["", "1 OR 1", "x'zz'", "_utf8mb4 0x", "'a'", "sleep(1)", "1; DROP", "''' OR '"]
        {
            assert!(!is_literal(other), "{other}");
        }
        assert!(!has_order(&column(ColumnType::Utf8, "enum", Some("utf8mb4"))));
        assert!(!has_order(&column(ColumnType::UInt64, "bit", None)));
    }
}
