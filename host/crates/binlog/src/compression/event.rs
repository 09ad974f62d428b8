//! MariaDB's compressed events (`log_bin_compress`): what the plain event would be.
//!
//! Format: MariaDB source, `binlog_buf_compress` and `row_log_event_uncompress` in sql/log_event.cc. One
//! byte (0x80, the algorithm, how many bytes the length takes), the length, most significant byte first,
//! then zlib's data. Of a statement its text is packed so, of rows all that stands behind the bitmaps of
//! columns.

use super::{PackFault, Wrap, inflate};
use crate::event::EventKind;
use crate::rows::{RowsEvent, RowsVersion, front_bytes};
use crate::wire::{Wire, WireFault};

/// Which event a compressed one stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    /// QUERY.
    Query,
    /// An event with rows.
    Rows(RowsEvent, RowsVersion),
}

impl Packed {
    /// None where the kind is not a compressed one.
    pub(crate) fn of(kind: EventKind) -> Option<Self> {
        use EventKind as Kind;
        use RowsEvent::{Delete, Update, Write};
        use RowsVersion::{V1, V2};
        Some(match kind {
            Kind::QUERY_COMPRESSED => Self::Query,
            Kind::WRITE_ROWS_COMPRESSED_V1 => Self::Rows(Write, V1),
            Kind::UPDATE_ROWS_COMPRESSED_V1 => Self::Rows(Update, V1),
            Kind::DELETE_ROWS_COMPRESSED_V1 => Self::Rows(Delete, V1),
            Kind::WRITE_ROWS_COMPRESSED => Self::Rows(Write, V2),
            Kind::UPDATE_ROWS_COMPRESSED => Self::Rows(Update, V2),
            Kind::DELETE_ROWS_COMPRESSED => Self::Rows(Delete, V2),
            _ => return None,
        })
    }
}

/// Post-header of a QUERY: thread, duration, length of the database's name, error, length of the
/// status variables.
const QUERY_HEAD_BYTES: usize = 4 + 4 + 1 + 2 + 2;

/// The body that the plain QUERY would have.
///
/// # Errors
/// A text that says what is wrong.
pub(crate) fn unpacked_query(body: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let front = || -> Result<usize, WireFault> {
        let mut wire = Wire::new(body);
        wire.take(8)?;
        let database = usize::from(wire.u8()?);
        wire.u16()?;
        let status = usize::from(wire.u16()?);
        // A zero byte stands behind the database's name.
        wire.take(status.saturating_add(database).saturating_add(1))?;
        Ok(wire.at().max(QUERY_HEAD_BYTES))
    };
    unpacked(body, front().map_err(|_| SHORT)?, out)
}

/// The body that the plain row event would have.
///
/// # Errors
/// A text that says what is wrong.
pub(crate) fn unpacked_rows(
    event: RowsEvent,
    version: RowsVersion,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let front = front_bytes(event, version, body).map_err(|_| SHORT)?;
    unpacked(body, front, out)
}

const SHORT: &str = "the event is too short";

/// `front` bytes as they are, then what the rest was.
fn unpacked(body: &[u8], front: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    out.clear();
    let (head, packed) = body.split_at_checked(front).ok_or(SHORT)?;
    out.extend_from_slice(head);
    let (length, data) = head_of(packed)?;
    inflate(data, Wrap::Zlib, length, out).map_err(PackFault::text)
}

/// The announced length, and the data behind it.
fn head_of(packed: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    let mut wire = Wire::new(packed);
    let first = wire.u8().map_err(|_| SHORT)?;
    let (marker, algorithm, bytes) = (first & 0x80, (first & 0x70) >> 4, usize::from(first & 7));
    if marker == 0 || algorithm != 0 || !(1..=4).contains(&bytes) {
        return Err("a compression that is not zlib");
    }
    let length = wire.uint_be(bytes).map_err(|_| SHORT)?;
    Ok((length, wire.rest()))
}
