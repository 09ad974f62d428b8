//! The ids of XA transactions, as events and statements write them.
//!
//! Event: MySQL source, `XA_prepare_event` in libs/mysql/binlog/event/control_events.h; MariaDB writes the
//! same. Statements: `XA COMMIT X'6731',X'6231',7`, where a server writes both parts in hexadecimal.

use crate::wire::{Wire, WireFault};

/// The id of an XA transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Xid {
    format: u32,
    global: Vec<u8>,
    branch: Vec<u8>,
}

/// What the end of an XA transaction's first half says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// It is committed at once.
    OnePhase,
    /// Its second half comes later.
    Open(Xid),
}

/// What an XA statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum XaStatement {
    Start,
    End,
    Prepare(Xid),
    Commit(Xid),
    /// Prepared and committed at once.
    CommitOnePhase,
    Rollback(Xid),
}

/// No part of an id is longer.
const PART_BYTES_MAX: u32 = 64;

/// Reads an XA_PREPARE event.
///
/// # Errors
/// A text that says what is wrong.
pub(crate) fn prepared(body: &[u8]) -> Result<Prepared, &'static str> {
    let read = || -> Result<Option<Prepared>, WireFault> {
        let mut wire = Wire::new(body);
        let is_one_phase = wire.u8()? != 0;
        let format = wire.u32()?;
        let (global, branch) = (wire.u32()?, wire.u32()?);
        if global > PART_BYTES_MAX || branch > PART_BYTES_MAX {
            return Ok(None);
        }
        let global = wire.take_long(global.into())?.to_vec();
        let branch = wire.take_long(branch.into())?.to_vec();
        let xid = Xid { format, global, branch };
        Ok(Some(if is_one_phase { Prepared::OnePhase } else { Prepared::Open(xid) }))
    };
    match read() {
        Ok(Some(prepared)) => Ok(prepared),
        Ok(None) => Err("an XA id that is too long"),
        Err(_) => Err("the event is too short"),
    }
}

/// Reads an XA statement; none where it is none that a server logs.
pub(crate) fn statement(text: &str) -> Option<XaStatement> {
    let text = text.trim().trim_end_matches(';');
    let (first, rest) = text.split_once(|c: char| c.is_ascii_whitespace())?;
    if !first.eq_ignore_ascii_case("XA") {
        return None;
    }
    let rest = rest.trim_start();
    let (verb, id) = rest.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((rest, ""));
    Some(match verb.to_ascii_uppercase().as_str() {
        "START" | "BEGIN" => XaStatement::Start,
        "END" => XaStatement::End,
        "PREPARE" => XaStatement::Prepare(xid(id)?.0),
        "ROLLBACK" => XaStatement::Rollback(xid(id)?.0),
        "COMMIT" => match xid(id)? {
            (xid, "") => XaStatement::Commit(xid),
            (_, rest) if is_one_phase(rest) => XaStatement::CommitOnePhase,
            _ => return None,
        },
        _ => return None,
    })
}

fn is_one_phase(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let is = |word: Option<&str>, name: &str| word.is_some_and(|w| w.eq_ignore_ascii_case(name));
    is(words.next(), "ONE") && is(words.next(), "PHASE") && words.next().is_none()
}

/// `global[, branch[, format]]`, and the trimmed text behind it.
fn xid(text: &str) -> Option<(Xid, &str)> {
    let (global, rest) = part(text)?;
    let (mut branch, mut format) = (Vec::new(), 1);
    let mut rest = rest.trim_start();
    if let Some(behind) = rest.strip_prefix(',') {
        (branch, rest) = part(behind)?;
        rest = rest.trim_start();
    }
    if let Some(behind) = rest.strip_prefix(',') {
        let behind = behind.trim_start();
        let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        let (digits, after) = behind.split_at_checked(end)?;
        (format, rest) = (digits.parse().ok()?, after);
    }
    Some((Xid { format, global, branch }, rest.trim()))
}

/// `X'6731'`, `0x6731` or `'g1'`.
fn part(text: &str) -> Option<(Vec<u8>, &str)> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix("X'").or_else(|| text.strip_prefix("x'")) {
        let (digits, rest) = quoted.split_once('\'')?;
        return Some((bytes_of(digits)?, rest));
    }
    if let Some(rest) = text.strip_prefix("0x") {
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at_checked(end)?;
        return Some((bytes_of(digits)?, rest));
    }
    let (plain, rest) = text.strip_prefix('\'')?.split_once('\'')?;
    // What would need an escape is written in hexadecimal.
    (!plain.contains('\\') && !rest.starts_with('\'')).then(|| (plain.as_bytes().to_vec(), rest))
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.len().is_multiple_of(2).then(|| pairs.map(byte).collect::<Option<_>>()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(format: u32, global: &str, branch: &str) -> Xid {
        Xid { format, global: global.into(), branch: branch.into() }
    }

    #[test]
    fn statements_and_events_name_the_same_id() {
        let event = [0, 7, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, b'g', b'1', b'b', b'1'];
        let expected = id(7, "g1", "b1");
        assert_eq!(prepared(&event), Ok(Prepared::Open(expected.clone())));
        let texts =
            ["XA COMMIT X'6731',X'6231',7", "xa commit 'g1', 'b1', 7", "XA COMMIT 0x6731,0x6231,7"];
        for text in texts {
            assert_eq!(statement(text), Some(XaStatement::Commit(expected.clone())), "{text}");
        }
        for cut in 0..event.len() {
            assert!(prepared(event.get(..cut).expect("shorter")).is_err(), "{cut}");
        }
        assert_eq!(prepared(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Ok(Prepared::OnePhase));
        assert!(prepared(&[0, 1, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let cases = [
            ("XA ROLLBACK X'6732',X'',1", Some(XaStatement::Rollback(id(1, "g2", "")))),
            ("XA PREPARE 'g2'", Some(XaStatement::Prepare(id(1, "g2", "")))),
            ("XA COMMIT 'g2' ONE PHASE", Some(XaStatement::CommitOnePhase)),
            ("XA START X'6731',X'6231',7", Some(XaStatement::Start)),
            ("XA END X'6731',X'6231',7", Some(XaStatement::End)),
            ("XA COMMIT X'673',X'',1", None),
            ("XA COMMIT 'g2' TWO PHASE", None),
            ("XA RECOVER", None),
        ];
        for (text, expected) in cases {
            assert_eq!(statement(text), expected, "{text}");
        }
    }
}
