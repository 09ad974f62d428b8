//! The text's tokens.

use sluice_guest::Decimal;

use crate::mistake::Mistake;

/// One token and its byte offset.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A bare word in its own spelling: a keyword or a column.
    Word(String),
    /// A name in backticks or double quotes: always a column.
    Name(String),
    /// In single quotes.
    Text(String),
    /// `x'00ff'`.
    Bytes(Vec<u8>),
    Number(Decimal),
    /// An operator, a parenthesis or a comma.
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 11] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "-"];

/// All tokens; the last is [`Kind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let (kind, after) = token(rest, at)?;
        tokens.push(Token { at, kind });
        rest = after.trim_start();
    }
    tokens.push(Token { at: text.trim_end().len(), kind: Kind::End });
    Ok(tokens)
}

fn token(rest: &str, at: usize) -> Result<(Kind, &str), Mistake> {
    let first = rest.chars().next().unwrap_or_default();
    match first {
        '\'' => quoted(rest, '\'', at).map(|(text, after)| (Kind::Text(text), after)),
        '`' | '"' => quoted(rest, first, at).map(|(name, after)| (Kind::Name(name), after)),
        _ if rest.starts_with("x'") || rest.starts_with("X'") => bytes(rest, at),
        _ if first.is_ascii_digit() || first == '.' => number(rest, at),
        _ if is_word(first) => {
            let (word, after) = split(rest, is_word);
            Ok((Kind::Word(word.to_owned()), after))
        }
        _ => match SIGNS.iter().find_map(|sign| Some((*sign, rest.strip_prefix(sign)?))) {
            Some((sign, after)) => Ok((Kind::Sign(sign), after)),
            None => Err(Mistake::new(at, format!("`{first}` has no meaning here"))),
        },
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn split(text: &str, part: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Up to the closing quote; a doubled quote is one. A backslash is a character like any other.
fn quoted(rest: &str, quote: char, at: usize) -> Result<(String, &str), Mistake> {
    let mut inner = String::new();
    let mut after = rest.strip_prefix(quote).unwrap_or(rest);
    while let Some((part, tail)) = after.split_once(quote) {
        inner.push_str(part);
        match tail.strip_prefix(quote) {
            Some(more) => {
                inner.push(quote);
                after = more;
            }
            None => return Ok((inner, tail)),
        }
    }
    Err(Mistake::new(at, format!("this {quote} is never closed (double it to have one inside)")))
}

fn bytes(rest: &str, at: usize) -> Result<(Kind, &str), Mistake> {
    let quoted_part = rest.strip_prefix(['x', 'X']).unwrap_or(rest);
    let (digits, after) = quoted(quoted_part, '\'', at)?;
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    match bytes.filter(|_| odd.is_empty() && !digits.contains('+')) {
        Some(bytes) => Ok((Kind::Bytes(bytes), after)),
        None => Err(Mistake::new(at, "expected pairs of hexadecimal digits, such as x'00ff'")),
    }
}

fn number(rest: &str, at: usize) -> Result<(Kind, &str), Mistake> {
    let wrong = || Mistake::new(at, "expected a number of at most 38 digits, such as 12.50");
    let (digits, mut after) = split(rest, |c| c.is_ascii_digit() || c == '.');
    let mut number: Decimal = digits.parse().map_err(|_| wrong())?;
    if let Some(tail) = after.strip_prefix(['e', 'E']) {
        let (sign, unsigned) = match tail.strip_prefix('-') {
            Some(unsigned) => (-1, unsigned),
            None => (1, tail.strip_prefix('+').unwrap_or(tail)),
        };
        let (exponent, end) = split(unsigned, |c| c.is_ascii_digit());
        let exponent: i32 = exponent.parse().map_err(|_| wrong())?;
        number = shift(number, sign * exponent).ok_or_else(wrong)?;
        after = end;
    }
    if after.starts_with(is_word) {
        return Err(Mistake::new(at, "a name cannot begin with a digit; put it in backticks"));
    }
    Ok((Kind::Number(number), after))
}

/// `number` times ten to the power of `exponent`, exactly.
fn shift(number: Decimal, exponent: i32) -> Option<Decimal> {
    let scale = i32::from(number.scale).checked_sub(exponent)?;
    if let Ok(scale) = u8::try_from(scale) {
        return (scale <= 38).then_some(Decimal { unscaled: number.unscaled, scale });
    }
    let factor = 10_i128.checked_pow(scale.unsigned_abs()).filter(|_| scale < 0)?;
    number.unscaled.checked_mul(factor).map(Decimal::integer)
}
