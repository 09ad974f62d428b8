//! Packed bytes: what they were, and what lies about its length.

use std::io::Write as _;

use super::payload::LENGTH;
use super::*;
use crate::event::{EventKind, Header};
use crate::rows::{RowsEvent, RowsVersion};

pub(crate) fn deflated(bytes: &[u8], wrap: Wrap) -> Vec<u8> {
    let level = flate2::Compression::default();
    match wrap {
        Wrap::Zlib => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).expect("memory");
            encoder.finish().expect("memory")
        }
        Wrap::Raw => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).expect("memory");
            encoder.finish().expect("memory")
        }
    }
}

#[test]
fn what_comes_out_is_as_long_as_was_announced() {
    for wrap in [Wrap::Zlib, Wrap::Raw] {
        let packed = deflated(b"a row of bytes, a row of bytes", wrap);
        let mut out = b"before ".to_vec();
        assert_eq!(inflate(&packed, wrap, 30, &mut out), Ok(()));
        assert_eq!(out, b"before a row of bytes, a row of bytes");
        for wrong in [0, 29, 31, 1 << 30] {
            assert_eq!(inflate(&packed, wrap, wrong, &mut Vec::new()), Err(PackFault::Length));
        }
        assert_eq!(inflate(&packed, wrap, u64::MAX, &mut Vec::new()), Err(PackFault::TooLong));
    }
    assert_eq!(inflate(&[0xff; 9], Wrap::Zlib, 9, &mut Vec::new()), Err(PackFault::Data));
}

#[test]
fn a_bomb_takes_no_more_than_it_announces() {
    let packed = deflated(&vec![0; 10 << 20], Wrap::Zlib);
    let mut out = Vec::new();
    assert_eq!(inflate(&packed, Wrap::Zlib, 100, &mut out), Err(PackFault::Length));
    assert!(out.capacity() <= 1 << 20, "{}", out.capacity());
}

#[test]
fn a_packed_statement_keeps_what_stands_in_front_of_it() {
    // Thread, duration, "db", no error, three status bytes.
    let mut plain = vec![1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 3, 0, 7, 8, 9, b'd', b'b', 0];
    let mut packed = plain.clone();
    plain.extend_from_slice(b"CREATE TABLE t (a INT)");
    packed.extend([0x82, 0, 22]);
    packed.extend(deflated(b"CREATE TABLE t (a INT)", Wrap::Zlib));
    let mut out = Vec::new();
    assert_eq!(unpacked_query(&packed, &mut out), Ok(()));
    assert_eq!(out, plain);
    for cut in 0..packed.len() {
        let part = packed.get(..cut).expect("shorter");
        assert!(unpacked_query(part, &mut out).is_err(), "{cut}");
    }
}

#[test]
fn packed_rows_keep_their_bitmaps() {
    let front = [9, 0, 0, 0, 0, 0, 1, 0, 2, 3];
    let rows = [0xfc, 1, 0, 0, 0, 1, 0, b'x'];
    let mut packed = front.to_vec();
    packed.extend([0x81, 8]);
    packed.extend(deflated(&rows, Wrap::Zlib));
    let mut out = Vec::new();
    assert_eq!(unpacked_rows(RowsEvent::Write, RowsVersion::V1, &packed, &mut out), Ok(()));
    assert_eq!(out, [front.as_slice(), &rows].concat());
    let other = packed.get_mut(10).expect("the head of the packed part");
    *other = 0x91;
    let refused = unpacked_rows(RowsEvent::Write, RowsVersion::V1, &packed, &mut out);
    assert_eq!(refused, Err("a compression that is not zlib"));
}

/// A payload event's body around some events.
pub(crate) fn payload(events: &[(EventKind, &[u8])], announced: Option<u16>) -> Vec<u8> {
    let mut plain = Vec::new();
    for (kind, body) in events {
        let length = u32::try_from(19 + body.len()).expect("short");
        let header =
            Header { timestamp_seconds: 1, kind: *kind, server_id: 1, length, end: 0, flags: 0 };
        plain.extend(header.to_bytes());
        plain.extend_from_slice(body);
    }
    let packed = zstd::stream::encode_all(plain.as_slice(), 3).expect("memory");
    let unpacked = announced.unwrap_or_else(|| u16::try_from(plain.len()).expect("short"));
    let mut body = vec![2, 1, 0];
    for (field, value) in [(3, unpacked), (1, u16::try_from(packed.len()).expect("short"))] {
        body.extend([field, 3, 0xfc]);
        body.extend(value.to_le_bytes());
    }
    body.push(0);
    body.extend(packed);
    body
}

fn read(body: &[u8]) -> Result<Vec<(EventKind, Vec<u8>)>, &'static str> {
    let mut reader = PayloadReader::new(body, Vec::new())?;
    let mut events = Vec::new();
    while let Some(Inner { header, body }) = reader.next()? {
        events.push((header.kind, body.to_vec()));
    }
    Ok(events)
}

#[test]
fn a_payload_is_its_events() {
    let events: [(EventKind, &[u8]); 2] = [(EventKind::QUERY, b"BEGIN"), (EventKind::XID, &[1; 8])];
    let body = payload(&events, None);
    let found = read(&body).expect("whole");
    let expected: Vec<_> = events.iter().map(|(kind, body)| (*kind, body.to_vec())).collect();
    assert_eq!(found, expected);
    for cut in 0..body.len() {
        assert!(read(body.get(..cut).expect("shorter")).is_err(), "{cut}");
    }
}

#[test]
fn a_payload_that_lies_about_its_length_is_refused() {
    let events: [(EventKind, &[u8]); 1] = [(EventKind::XID, &[1; 8])];
    for announced in [0, 19, 26, 28, 200] {
        assert_eq!(read(&payload(&events, Some(announced))).err(), Some(LENGTH));
    }
    let nested: [(EventKind, &[u8]); 1] = [(EventKind::TRANSACTION_PAYLOAD, &[0])];
    let refused = read(&payload(&nested, None)).err();
    assert_eq!(refused, Some("a compressed transaction within a compressed transaction"));
}
