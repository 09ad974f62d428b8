//! Literals in a definition.

use change::definition::Constant;

use super::Cursor;
use crate::statement::token::Token;

/// Parentheses around a literal; the text behind each of them is looked through once more.
const PARENTHESES_MAX: usize = 64;

/// A literal that is all there is, within parentheses; none within too many of them.
pub(super) fn whole(mut cursor: Cursor<'_>) -> Option<Constant> {
    for _ in 0..PARENTHESES_MAX {
        let Some(inside) = cursor.group() else {
            let value = read(&mut cursor)?;
            return cursor.is_empty().then_some(value);
        };
        if !cursor.is_empty() {
            return None;
        }
        cursor = inside;
    }
    None
}

/// The literal that comes next; nothing is passed over where there is none.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Constant> {
    let mut ahead = *cursor;
    let value = literal(&mut ahead)?;
    *cursor = ahead;
    Some(value)
}

/// A label that is no plain text: `x'6162'`, `_utf8mb4'a'`.
pub(super) fn label(mut cursor: Cursor<'_>) -> Option<String> {
    match literal(&mut cursor)? {
        Constant::Text(text) => Some(text),
        Constant::Bytes(bytes) => String::from_utf8(bytes).ok(),
        Constant::Number(_) => None,
    }
}

fn literal(cursor: &mut Cursor<'_>) -> Option<Constant> {
    let is_negative = cursor.skip_mark('-');
    if is_negative || cursor.skip_mark('+') || cursor.peek_mark('.') {
        return number(cursor, is_negative);
    }
    match cursor.next()? {
        Token::Text(text) | Token::Double(text) => Some(Constant::Text(joined(text, cursor))),
        Token::Word(word) => worded(word, cursor),
        Token::Quoted(_) | Token::Mark(_) => None,
    }
}

/// A literal that starts with a word: a number, or what says how to take the text behind it.
fn worded(word: &str, cursor: &mut Cursor<'_>) -> Option<Constant> {
    let lower = word.to_ascii_lowercase();
    match lower.as_str() {
        "true" => return Some(Constant::Number("1".to_owned())),
        "false" => return Some(Constant::Number("0".to_owned())),
        _ => {}
    }
    if let Some(digits) = lower.strip_prefix("0x") {
        return from_hexadecimal(digits).map(Constant::Bytes);
    }
    if let Some(digits) = lower.strip_prefix("0b") {
        return from_binary(digits).map(Constant::Bytes);
    }
    if lower.starts_with(|c: char| c.is_ascii_digit()) {
        return number_from(lower, cursor, false);
    }
    let (Token::Text(text) | Token::Double(text)) = cursor.peek()? else {
        return None;
    };
    let text = text.as_str();
    let value = match lower.as_str() {
        "x" => Constant::Bytes(from_hexadecimal(text)?),
        "b" => Constant::Bytes(from_binary(text)?),
        "n" | "date" | "time" | "timestamp" => Constant::Text(text.to_owned()),
        "_binary" => Constant::Bytes(text.as_bytes().to_vec()),
        // The text came in the statement's own character set unless it is plain.
        introducer
            if introducer.starts_with('_')
                && (text.is_ascii() || introducer.starts_with("_utf8")) =>
        {
            Constant::Text(text.to_owned())
        }
        _ => return None,
    };
    let _ = cursor.next();
    Some(value)
}

/// Texts that follow each other are one.
fn joined(first: &str, cursor: &mut Cursor<'_>) -> String {
    let mut text = first.to_owned();
    while let Some(Token::Text(more)) = cursor.peek() {
        text.push_str(more);
        let _ = cursor.next();
    }
    text
}

/// A number behind its sign.
fn number(cursor: &mut Cursor<'_>, is_negative: bool) -> Option<Constant> {
    if cursor.peek_mark('.') {
        return number_from(String::new(), cursor, is_negative);
    }
    match cursor.next()? {
        Token::Word(word) => number_from(word.to_ascii_lowercase(), cursor, is_negative),
        _ => None,
    }
}

/// `12`, `1.5`, `.5`, `1e-3`: the tokens between fractions and exponents belong together.
fn number_from(whole: String, cursor: &mut Cursor<'_>, is_negative: bool) -> Option<Constant> {
    let mut text = if is_negative { format!("-{whole}") } else { whole };
    if cursor.skip_mark('.') {
        text.push('.');
        if let Some(Token::Word(digits)) = cursor.peek()
            && digits.starts_with(|c: char| c.is_ascii_digit())
        {
            text.push_str(&digits.to_ascii_lowercase());
            let _ = cursor.next();
        }
    }
    if text.ends_with('e') {
        let sign = if cursor.skip_mark('-') { "-" } else { "" };
        let _ = cursor.skip_mark('+');
        let Some(Token::Word(exponent)) = cursor.next() else {
            return None;
        };
        text.push_str(sign);
        text.push_str(exponent);
    }
    text.parse::<f64>().ok().map(|_| Constant::Number(text))
}

fn from_hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digits =
        if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    from_digits(&digits, 2, 16)
}

fn from_binary(digits: &str) -> Option<Vec<u8>> {
    let missing = digits.len().next_multiple_of(8).saturating_sub(digits.len());
    from_digits(&format!("{}{digits}", "0".repeat(missing)), 8, 2)
}

fn from_digits(digits: &str, width: usize, radix: u32) -> Option<Vec<u8>> {
    let mut rest = digits;
    let mut bytes = Vec::new();
    while !rest.is_empty() {
        let (byte, behind) = rest.split_at_checked(width)?;
        bytes.push(u8::from_str_radix(byte, radix).ok().filter(|_| !byte.starts_with('+'))?);
        rest = behind;
    }
    Some(bytes)
}

/// The value of a TIMESTAMP, given in a session's time zone, in UTC; none where the zone is not known.
pub(super) fn timestamp_in_utc(value: &Constant, offset_seconds: Option<i64>) -> Option<Constant> {
    let text = match value {
        Constant::Text(text) => text.trim(),
        // A number such as 20200101000000, and 0 for the zero date.
        Constant::Number(text) if text == "0" => "0000-00-00 00:00:00",
        Constant::Number(_) | Constant::Bytes(_) => return None,
    };
    if text.starts_with("0000-00-00") {
        return Some(Constant::Text("0000-00-00 00:00:00".to_owned()));
    }
    // A value may bring its own zone.
    let micros = crate::definition::value::datetime_micros(text)?;
    let utc = micros.checked_sub(offset_seconds?.checked_mul(1_000_000)?)?;
    Some(Constant::Text(crate::definition::value::datetime_text(utc)))
}
