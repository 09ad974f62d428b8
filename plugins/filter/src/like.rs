//! `like` patterns: `%` is any text, `_` one character, compared byte by byte.

use crate::mistake::Mistake;

/// A pattern; the frequent shapes have their own, faster test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Contains(Vec<u8>),
    General(Vec<Part>),
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Byte(u8),
    One,
    Any,
}

/// What one `_` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// In text.
    Character,
    /// In binary columns.
    Byte,
}

impl Pattern {
    /// Reads a pattern; `at` is its place in the expression.
    pub(crate) fn new(text: &str, escape: Option<char>, at: usize) -> Result<Self, Mistake> {
        let parts = parts(text, escape, at)?;
        let literal = |parts: &[Part]| -> Option<Vec<u8>> {
            let byte = |part: &Part| if let Part::Byte(byte) = part { Some(*byte) } else { None };
            parts.iter().map(byte).collect()
        };
        let shape = match parts.as_slice() {
            [Part::Any, inner @ .., Part::Any] => literal(inner).map(Self::Contains),
            [Part::Any, suffix @ ..] => literal(suffix).map(Self::Suffix),
            [prefix @ .., Part::Any] => literal(prefix).map(Self::Prefix),
            all => literal(all).map(Self::Exact),
        };
        Ok(shape.unwrap_or(Self::General(parts)))
    }

    /// Whether a value fits.
    pub(crate) fn fits(&self, value: &[u8], unit: Unit) -> bool {
        match self {
            Self::Exact(text) => value == text,
            Self::Prefix(text) => value.starts_with(text),
            Self::Suffix(text) => value.ends_with(text),
            Self::Contains(text) => {
                text.is_empty() || value.windows(text.len()).any(|window| window == text)
            }
            Self::General(parts) => general(parts, value, unit),
        }
    }
}

fn parts(text: &str, escape: Option<char>, at: usize) -> Result<Vec<Part>, Mistake> {
    let mut parts = Vec::new();
    let mut buffer = [0; 4];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            c if Some(c) == escape => characters.next().ok_or_else(|| {
                Mistake::new(at, format!("the pattern for this column ends with the escape `{c}`"))
            })?,
            '%' => {
                if parts.last() != Some(&Part::Any) {
                    parts.push(Part::Any);
                }
                continue;
            }
            '_' => {
                parts.push(Part::One);
                continue;
            }
            c => c,
        };
        parts.extend(literal.encode_utf8(&mut buffer).bytes().map(Part::Byte));
    }
    Ok(parts)
}

/// Walks both at once and goes back to the last `%` where they part; at most length times length.
fn general(parts: &[Part], value: &[u8], unit: Unit) -> bool {
    let (mut pattern, mut rest) = (parts, value);
    // What follows the last `%`, and the text that it has not swallowed yet.
    let mut retry: Option<(&[Part], &[u8])> = None;
    loop {
        let stepped = match pattern.split_first() {
            Some((Part::Any, after)) => {
                retry = Some((after, rest));
                pattern = after;
                continue;
            }
            Some((Part::One, after)) => step(rest, unit).map(|tail| (after, tail)),
            Some((Part::Byte(byte), after)) => rest
                .split_first()
                .filter(|(first, _)| *first == byte)
                .map(|(_, tail)| (after, tail)),
            None if rest.is_empty() => return true,
            None => None,
        };
        (pattern, rest) = match (stepped, retry) {
            (Some(next), _) => next,
            (None, Some((after, swallowed))) => match step(swallowed, unit) {
                Some(tail) => {
                    retry = Some((after, tail));
                    (after, tail)
                }
                None => return false,
            },
            (None, None) => return false,
        };
    }
}

/// The rest after one unit.
fn step(rest: &[u8], unit: Unit) -> Option<&[u8]> {
    let (_, mut tail) = rest.split_first()?;
    while unit == Unit::Character
        && let Some((next, after)) = tail.split_first()
        && next & 0b1100_0000 == 0b1000_0000
    {
        tail = after;
    }
    Some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_sql() {
        let cases = [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a%", "a", true),
            ("a%", "ba", false),
            ("%a", "ba", true),
            ("%b%", "abc", true),
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
            ("_", "ü", true),
            ("__", "ü", false),
            ("a_c%", "abcdef", true),
            ("%a%b%c", "xxaxxbxxbxc", true),
            ("%a%b%c", "xxaxxbxxbx", false),
            ("%ü_", "aüüb", true),
            (r"100\%", "100%", true),
            (r"100\%", "1000", false),
            (r"a\_%", "a_b", true),
            (r"a\\%", r"a\b", true),
            ("%aab", "aaaab", true),
        ];
        for (pattern, value, fits) in cases {
            let parsed = Pattern::new(pattern, Some('\\'), 0).expect("a pattern");
            assert_eq!(parsed.fits(value.as_bytes(), Unit::Character), fits, "{pattern} {value}");
        }
    }

    #[test]
    fn an_escape_may_be_chosen_and_must_escape_something() {
        let pattern = Pattern::new("50!%", Some('!'), 0).expect("a pattern");
        assert_eq!(pattern, Pattern::Exact(b"50%".to_vec()));
        assert_eq!(Pattern::new("a\\", None, 0), Ok(Pattern::Exact(b"a\\".to_vec())));
        assert!(Pattern::new("a!", Some('!'), 3).is_err());
    }

    #[test]
    fn one_is_a_byte_in_binary() {
        let pattern = Pattern::new("__", None, 0).expect("a pattern");
        assert!(pattern.fits("ü".as_bytes(), Unit::Byte));
    }
}
