//! The targets: what the fuzzer's bytes stand for in each.

use change::GtidSet;

use crate::decode::{Manner, decode};
use crate::log::{
    Log, PARTIAL_UPDATE_ROWS, ROW_EVENTS, TABLE_ID, TRANSACTION_PAYLOAD, WRITE_ROWS, one_column,
    plain_payload, rows_front,
};

/// Bytes in front of an event in the input of `events`: its type and its length.
const FRAME_BYTES: usize = 3;

/// A way to feed bytes in.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Reads any bytes; returns how many row images came of them. A panic is a finding.
    pub run: fn(&[u8]) -> usize,
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target { name: "file", run: file },
    Target { name: "events", run: events },
    Target { name: "rows", run: rows },
    Target { name: "value", run: value },
    Target { name: "text", run: text },
    Target { name: "json", run: json },
    Target { name: "json-changes", run: json_changes },
    Target { name: "payload", run: payload },
    Target { name: "packed", run: packed },
    Target { name: "statement", run: statement },
    Target { name: "definitions", run: definitions },
    Target { name: "definitions-file", run: definitions_file },
    Target { name: "gtids", run: gtids },
];

/// The target of a name.
#[must_use]
pub fn named(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

/// A whole file.
fn file(bytes: &[u8]) -> usize {
    decode(bytes, Manner::Plain)
}

/// Vendor, then events: type, length (two bytes, little-endian), body.
fn events(bytes: &[u8]) -> usize {
    let (head, rest) = first(bytes);
    read(unframed(Log::of(head), rest), head)
}

/// As `events`, all of them in the payload of one transaction.
fn packed(bytes: &[u8]) -> usize {
    let (head, rest) = first(bytes);
    let inner = unframed(Log::empty(), rest).into_bytes();
    read(Log::of(0).gtid().event(TRANSACTION_PAYLOAD, &plain_payload(&inner)), head)
}

/// Appends the events of an input.
fn unframed(mut log: Log, mut rest: &[u8]) -> Log {
    while let Some((frame, behind)) = rest.split_first_chunk::<FRAME_BYTES>() {
        let [kind, low, high] = *frame;
        let length = usize::from(u16::from_le_bytes([low, high])).min(behind.len());
        let (body, behind) = behind.split_at(length);
        log = log.event(kind, body);
        rest = behind;
    }
    log
}

/// Vendor, which kind of row event, length of the table map (two bytes), table map, row event.
fn rows(bytes: &[u8]) -> usize {
    let (head, rest) = first(bytes);
    let (kind, rest) = first(rest);
    let (map, rows) = split(rest);
    let kind = ROW_EVENTS.get(usize::from(kind) % ROW_EVENTS.len()).copied().unwrap_or(WRITE_ROWS);
    read(Log::of(head).rows(&of_table(map), kind, &of_table(rows)), head)
}

/// Vendor, column type, two bytes that describe it, sign, then rows of one value.
fn value(bytes: &[u8]) -> usize {
    let Some(([head, kind, low, high, sign], cells)) = bytes.split_first_chunk::<5>() else {
        return 0;
    };
    let metadata: &[u8] = match kind {
        // Types that two bytes describe, one byte, or none.
        15 | 16 | 246 | 247 | 248 | 253 | 254 => &[*low, *high],
        4 | 5 | 17..=19 | 242 | 245 | 249..=252 | 255 => &[*low],
        _ => &[],
    };
    let map = one_column(*kind, metadata, &[1, 1, *sign, 6, 5, 2, 1, b'x', 1, b'y', 10, 1, 45]);
    let front = rows_front(false);
    read(Log::of(*head).rows(&map, WRITE_ROWS, &[&front, cells].concat()), *head)
}

/// Collation (two bytes), then text of its character set.
fn text(bytes: &[u8]) -> usize {
    let Some((collation, text)) = bytes.split_first_chunk::<2>() else { return 0 };
    let map = one_column(252, &[4], &[&[2, 3, 252], &collation[..]].concat());
    let row = [&rows_front(false)[..], &[0xfe], &long(text)].concat();
    read(Log::of(0).rows(&map, WRITE_ROWS, &row), 0)
}

/// A JSON document in the server's binary form.
fn json(bytes: &[u8]) -> usize {
    let row = [&rows_front(false)[..], &[0xfe], &long(bytes)].concat();
    read(Log::of(0).rows(&one_column(245, &[4], &[]), WRITE_ROWS, &row), 0)
}

/// Length of a document (two bytes), the document, then the changes that a partial update makes to it.
fn json_changes(bytes: &[u8]) -> usize {
    let (document, changes) = split(bytes);
    let before = [&[0xfe][..], &long(document)].concat();
    let after = [&[1, 1, 0xfe][..], &long(changes)].concat();
    let row = [&rows_front(true)[..], &before, &after].concat();
    read(Log::of(0).rows(&one_column(245, &[4], &[]), PARTIAL_UPDATE_ROWS, &row), 0)
}

/// A compressed transaction.
fn payload(bytes: &[u8]) -> usize {
    read(Log::of(0).gtid().event(TRANSACTION_PAYLOAD, bytes), 0)
}

/// Vendor, then a statement, outside and inside of a transaction.
fn statement(bytes: &[u8]) -> usize {
    let (head, text) = first(bytes);
    let log = Log::of(head).query(text).query(b"BEGIN").query(text).query(b"COMMIT");
    read(log, head)
}

/// Vendor, which kind of row event, length of a statement (two bytes), the statement, length of the table map, table
/// map, row event: rows of a table of which only the statement tells names, labels, keys and defaults.
fn definitions(bytes: &[u8]) -> usize {
    let (head, rest) = first(bytes);
    let (kind, rest) = first(rest);
    let (statement, rest) = split(rest);
    let (map, rows) = split(rest);
    let kind = ROW_EVENTS.get(usize::from(kind) % ROW_EVENTS.len()).copied().unwrap_or(WRITE_ROWS);
    read(Log::of(head).query(statement).rows(&of_table(map), kind, &of_table(rows)), head)
}

/// A file of definitions: what can be read reads back from its own text.
fn definitions_file(bytes: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    match binlog::definition::parse(text) {
        Ok(known) => {
            let written = binlog::definition::to_text(known.clone()).expect("text of definitions");
            assert_eq!(binlog::definition::parse(&written).expect("its own text"), known);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    0
}

/// The text of a GTID set: what can be read reads back from its own text, and holds itself.
fn gtids(bytes: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    if let Ok(set) = text.parse::<GtidSet>() {
        assert_eq!(set.to_string().parse::<GtidSet>().expect("its own text"), set);
        assert!(set.contains_all(&set));
    }
    0
}

/// Reads a log in the manner that the second bit of `head` names.
fn read(log: Log, head: u8) -> usize {
    let manner = if head & 2 == 0 { Manner::Plain } else { Manner::InPieces };
    decode(&log.into_bytes(), manner)
}

fn first(bytes: &[u8]) -> (u8, &[u8]) {
    bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest))
}

/// Two parts; the first has its length, two bytes, in front.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return (bytes, &[]) };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    rest.split_at(length)
}

/// Bytes behind a length of four bytes.
fn long(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], bytes].concat()
}

/// An event body that begins with the id of the one table.
fn of_table(body: &[u8]) -> Vec<u8> {
    [&TABLE_ID[..], body.get(TABLE_ID.len()..).unwrap_or_default()].concat()
}
