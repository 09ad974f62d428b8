//! Partial updates of JSON documents: a list of changes applied to the document as it was before.
//!
//! Format: MySQL source, `Json_diff::write_binary` and `apply_json_diffs` in sql-common/json_diff.cc. An
//! operation, a path as text behind its length and, but for a removal, a value in the binary format
//! behind its length.

use std::borrow::Cow;

use change::json_patch::{self, Change, Step};

use super::{Broken, Container, DEPTH_MAX, Printer, Width, is_inline};
use crate::decode_error::ValueFault;
use crate::wire::Wire;

const REPLACE: u8 = 0;
const INSERT: u8 = 1;
const REMOVE: u8 = 2;

/// Appends the text of a document after some changes; on an error `out` holds a part of it.
pub(crate) fn append_changed(
    document: &[u8],
    diffs: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ValueFault> {
    changed(document, diffs, out).map_err(|Broken| ValueFault::JsonDiff)
}

/// Appends some changes as a patch ([`change::json_patch`]), for a document that is not known here; on an
/// error `out` holds a part of it.
pub(crate) fn append_patch(diffs: &[u8], out: &mut Vec<u8>) -> Result<(), ValueFault> {
    patch(diffs, out).map_err(|Broken| ValueFault::JsonDiff)
}

fn patch(diffs: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
    let mut wire = Wire::new(diffs);
    let mut text = String::new();
    while !wire.is_empty() {
        let operation = wire.u8()?;
        let path = path_of(wire.lenenc_bytes()?)?.into_iter().map(Leg::step);
        let path = path.collect::<Result<Vec<_>, _>>()?;
        let value = match operation {
            REPLACE | INSERT => printed(wire.lenenc_bytes()?)?,
            REMOVE => String::new(),
            _ => return Err(Broken),
        };
        let change = match operation {
            REPLACE => Change::Replace(&value),
            INSERT => Change::Insert(&value),
            _ => Change::Remove,
        };
        json_patch::push(&mut text, &path, change).ok_or(Broken)?;
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn printed(document: &[u8]) -> Result<String, Broken> {
    let mut out = Vec::new();
    parsed(document)?.print(&mut Printer { out: &mut out, unread: usize::MAX })?;
    String::from_utf8(out).map_err(|_| Broken)
}

fn changed(document: &[u8], diffs: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
    let mut root = parsed(document)?;
    let mut wire = Wire::new(diffs);
    while !wire.is_empty() {
        let operation = wire.u8()?;
        let path = path_of(wire.lenenc_bytes()?)?;
        match operation {
            REPLACE => *root.find(&path)? = parsed(wire.lenenc_bytes()?)?,
            INSERT => root.insert(&path, parsed(wire.lenenc_bytes()?)?)?,
            REMOVE => root.remove(&path)?,
            _ => return Err(Broken),
        }
    }
    root.print(&mut Printer { out, unread: usize::MAX })
}

/// A document taken apart; scalars stay the bytes that they are.
enum Node<'a> {
    Object(Vec<(Cow<'a, [u8]>, Node<'a>)>),
    Array(Vec<Node<'a>>),
    Scalar(u8, &'a [u8]),
}

/// One step of a path.
enum Leg {
    Member(Vec<u8>),
    Cell(usize),
}

impl Leg {
    fn step(self) -> Result<Step, Broken> {
        match self {
            Self::Member(name) => String::from_utf8(name).map(Step::Member).map_err(|_| Broken),
            Self::Cell(at) => Ok(Step::Cell(at)),
        }
    }
}

impl<'a> Node<'a> {
    /// The node that a path leads to.
    fn find(&mut self, path: &[Leg]) -> Result<&mut Node<'a>, Broken> {
        path.iter().try_fold(self, |node, leg| match (node, leg) {
            (Node::Object(members), Leg::Member(key)) => {
                let found = members.iter_mut().find(|(name, _)| **name == **key);
                found.map(|(_, value)| value).ok_or(Broken)
            }
            (Node::Array(cells), Leg::Cell(at)) => cells.get_mut(*at).ok_or(Broken),
            _ => Err(Broken),
        })
    }

    fn insert(&mut self, path: &[Leg], value: Node<'a>) -> Result<(), Broken> {
        let (last, before) = path.split_last().ok_or(Broken)?;
        match (self.find(before)?, last) {
            (Node::Object(members), Leg::Member(key)) => {
                // Members are ordered by the length of their names, then by their bytes.
                let order = |name: &[u8]| (name.len(), name.to_vec());
                let at = members.binary_search_by_key(&order(key), |(name, _)| order(name));
                let at = at.err().ok_or(Broken)?;
                members.insert(at, (Cow::Owned(key.clone()), value));
            }
            (Node::Array(cells), Leg::Cell(at)) => cells.insert((*at).min(cells.len()), value),
            _ => return Err(Broken),
        }
        Ok(())
    }

    fn remove(&mut self, path: &[Leg]) -> Result<(), Broken> {
        let (last, before) = path.split_last().ok_or(Broken)?;
        match (self.find(before)?, last) {
            (Node::Object(members), Leg::Member(key)) => {
                let at = members.iter().position(|(name, _)| **name == **key);
                members.remove(at.ok_or(Broken)?);
            }
            (Node::Array(cells), Leg::Cell(at)) if *at < cells.len() => {
                cells.remove(*at);
            }
            _ => return Err(Broken),
        }
        Ok(())
    }

    /// The depth is bound: by the format's limit for each document and each path.
    fn print(&self, printer: &mut Printer<'_>) -> Result<(), Broken> {
        match self {
            Self::Scalar(kind, body) => return printer.value(*kind, body, 0),
            Self::Object(members) => {
                printer.out.push(b'{');
                for (index, (name, value)) in members.iter().enumerate() {
                    printer.comma(index);
                    printer.string(name);
                    printer.out.extend_from_slice(b": ");
                    value.print(printer)?;
                }
                printer.out.push(b'}');
            }
            Self::Array(cells) => {
                printer.out.push(b'[');
                for (index, value) in cells.iter().enumerate() {
                    printer.comma(index);
                    value.print(printer)?;
                }
                printer.out.push(b']');
            }
        }
        Ok(())
    }
}

/// Takes a document apart.
fn parsed(document: &[u8]) -> Result<Node<'_>, Broken> {
    let (kind, body) = document.split_first().ok_or(Broken)?;
    Parser { unread: document.len() }.value(*kind, body, 0)
}

struct Parser {
    /// Bytes of the document that may still be read.
    unread: usize,
}

impl Parser {
    fn spend(&mut self, bytes: usize) -> Result<(), Broken> {
        self.unread = self.unread.checked_sub(bytes).ok_or(Broken)?;
        Ok(())
    }

    fn value<'a>(&mut self, kind: u8, body: &'a [u8], depth: u32) -> Result<Node<'a>, Broken> {
        if depth > DEPTH_MAX {
            return Err(Broken);
        }
        match kind {
            0x00 => self.container(Container::Object, Width::Small, body, depth),
            0x01 => self.container(Container::Object, Width::Large, body, depth),
            0x02 => self.container(Container::Array, Width::Small, body, depth),
            0x03 => self.container(Container::Array, Width::Large, body, depth),
            _ => {
                self.spend(1)?;
                Ok(Node::Scalar(kind, body))
            }
        }
    }

    /// As [`Printer::container`].
    fn container<'a>(
        &mut self,
        container: Container,
        width: Width,
        body: &'a [u8],
        depth: u32,
    ) -> Result<Node<'a>, Broken> {
        let mut wire = Wire::new(body);
        let count = width.read(&mut wire)?;
        let size = width.read(&mut wire)?;
        let body = body.get(..size).ok_or(Broken)?;
        let key_entry = match container {
            Container::Object => width.bytes() + 2,
            Container::Array => 0,
        };
        let entries = count.checked_mul(key_entry + 1 + width.bytes()).ok_or(Broken)?;
        self.spend(entries.checked_add(2 * width.bytes()).ok_or(Broken)?)?;
        let mut keys = Wire::new(wire.take(count.checked_mul(key_entry).ok_or(Broken)?)?);
        let (mut members, mut cells) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let key = match container {
                Container::Object => {
                    let (start, length) = (width.read(&mut keys)?, usize::from(keys.u16()?));
                    self.spend(length)?;
                    let end = start.checked_add(length).ok_or(Broken)?;
                    Some(body.get(start..end).ok_or(Broken)?)
                }
                Container::Array => None,
            };
            let kind = wire.u8()?;
            let value = if is_inline(kind, width) {
                Node::Scalar(kind, wire.take(width.bytes())?)
            } else {
                let offset = width.read(&mut wire)?;
                self.value(kind, body.get(offset..).ok_or(Broken)?, depth + 1)?
            };
            match key {
                Some(key) => members.push((Cow::Borrowed(key), value)),
                None => cells.push(value),
            }
        }
        Ok(match container {
            Container::Object => Node::Object(members),
            Container::Array => Node::Array(cells),
        })
    }
}

/// The steps of a path as `Json_path::to_string` writes it: `$`, `.name`, `."any name"`, `[0]`.
fn path_of(text: &[u8]) -> Result<Vec<Leg>, Broken> {
    let mut rest = text.strip_prefix(b"$").ok_or(Broken)?;
    let mut legs = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        if legs.len() >= usize::try_from(DEPTH_MAX).unwrap_or(usize::MAX) {
            return Err(Broken);
        }
        let (leg, next) = match first {
            b'.' => member(behind)?,
            b'[' => cell(behind)?,
            _ => return Err(Broken),
        };
        legs.push(leg);
        rest = next;
    }
    Ok(legs)
}

fn cell(text: &[u8]) -> Result<(Leg, &[u8]), Broken> {
    let end = text.iter().position(|byte| *byte == b']').ok_or(Broken)?;
    let (digits, rest) = text.split_at_checked(end).ok_or(Broken)?;
    let digits = std::str::from_utf8(digits).map_err(|_| Broken)?;
    let index = digits.trim().parse().map_err(|_| Broken)?;
    Ok((Leg::Cell(index), rest.get(1..).unwrap_or_default()))
}

fn member(text: &[u8]) -> Result<(Leg, &[u8]), Broken> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| matches!(byte, b'.' | b'['));
        let (name, rest) = text.split_at_checked(end.unwrap_or(text.len())).ok_or(Broken)?;
        return if name.is_empty() { Err(Broken) } else { Ok((Leg::Member(name.to_vec()), rest)) };
    };
    let mut is_escaped = false;
    let end = quoted.iter().position(|byte| match byte {
        b'"' => !std::mem::take(&mut is_escaped),
        b'\\' => {
            is_escaped = !is_escaped;
            false
        }
        _ => {
            is_escaped = false;
            false
        }
    });
    // The text with both of its quotes.
    let (name, rest) = text.split_at_checked(end.ok_or(Broken)? + 2).ok_or(Broken)?;
    let name: String = serde_json::from_slice(name).map_err(|_| Broken)?;
    Ok((Leg::Member(name.into_bytes()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"a": 1, "bc": [10, 20]}` in the small format.
    const DOCUMENT: [u8; 32] = [
        0x00, // an object, whose bytes follow
        2, 0, 31, 0, // members, size
        18, 0, 1, 0, 19, 0, 2, 0, // where the names are, and how long
        0x05, 1, 0, 0x02, 21, 0, // an integer here, an array at 21
        b'a', b'b', b'c', // 18 to 20
        2, 0, 10, 0, 0x05, 10, 0, 0x05, 20, 0,
    ];

    fn diff(operation: u8, path: &str, value: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = vec![operation, u8::try_from(path.len()).expect("short")];
        bytes.extend(path.as_bytes());
        if let Some(value) = value {
            bytes.push(u8::try_from(value.len()).expect("short"));
            bytes.extend(value);
        }
        bytes
    }

    fn apply(diffs: &[Vec<u8>]) -> Result<String, ValueFault> {
        let mut out = Vec::new();
        append_changed(&DOCUMENT, &diffs.concat(), &mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn changes_are_applied_one_after_the_other() {
        const SEVEN: &[u8] = &[0x05, 7, 0];
        const TEXT: &[u8] = &[0x0c, 2, b'h', b'i'];
        let cases: [(&[Vec<u8>], &str); 8] = [
            (&[], r#"{"a": 1, "bc": [10, 20]}"#),
            (&[diff(REPLACE, "$.a", Some(TEXT))], r#"{"a": "hi", "bc": [10, 20]}"#),
            (&[diff(REPLACE, "$", Some(SEVEN))], "7"),
            (&[diff(REMOVE, "$.bc[0]", None)], r#"{"a": 1, "bc": [20]}"#),
            (&[diff(INSERT, "$.bc[0]", Some(SEVEN))], r#"{"a": 1, "bc": [7, 10, 20]}"#),
            (&[diff(INSERT, "$.bc[9]", Some(SEVEN))], r#"{"a": 1, "bc": [10, 20, 7]}"#),
            (
                &[diff(INSERT, "$.\"b \\\"c\"", Some(SEVEN)), diff(REMOVE, "$.a", None)],
                r#"{"bc": [10, 20], "b \"c": 7}"#,
            ),
            (&[diff(INSERT, "$.b", Some(SEVEN))], r#"{"a": 1, "b": 7, "bc": [10, 20]}"#),
        ];
        for (diffs, expected) in cases {
            assert_eq!(apply(diffs).as_deref(), Ok(expected));
            let mut patch = Vec::new();
            append_patch(&diffs.concat(), &mut patch).expect("a patch");
            let patch = String::from_utf8(patch).expect("text");
            let document = r#"{"a": 1, "bc": [10, 20]}"#;
            assert_eq!(json_patch::apply(document, &patch).as_deref(), Some(expected), "{patch}");
        }
    }

    #[test]
    fn a_change_that_leads_nowhere_is_an_error() {
        const SEVEN: &[u8] = &[0x05, 7, 0];
        let deep = format!("${}", ".a".repeat(120));
        let broken = [
            diff(REPLACE, "$.x", Some(SEVEN)),
            diff(REPLACE, "$.bc[2]", Some(SEVEN)),
            diff(INSERT, "$.a", Some(SEVEN)),
            diff(INSERT, "$", Some(SEVEN)),
            diff(INSERT, "$.a.b", Some(SEVEN)),
            diff(REMOVE, "$", None),
            diff(REMOVE, "$[0]", None),
            diff(REMOVE, "a", None),
            diff(REMOVE, "$.\"a", None),
            diff(3, "$.a", None),
            diff(REPLACE, "$.a", Some(&[])),
            diff(REMOVE, &deep, None),
            vec![REPLACE, 200],
        ];
        for diff in broken {
            assert_eq!(apply(std::slice::from_ref(&diff)), Err(ValueFault::JsonDiff), "{diff:?}");
        }
    }
}
