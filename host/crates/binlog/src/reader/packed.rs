//! Events that come packed: MySQL's transactions in one event, MariaDB's events one by one.
//!
//! What is unpacked stands, for every position, where the packed event stands.

use std::sync::Arc;

use super::{Due, Reader, malformed};
use crate::compression::{Inner, Packed, PayloadReader, unpacked_query, unpacked_rows};
use crate::error::BinlogError;
use crate::event::{Event, EventKind, Header};

/// A buffer for unpacked events that is larger than this is not kept.
const BUFFER_KEPT_BYTES: usize = 1 << 20;

/// A payload whose first events are read.
pub(super) struct Suspended {
    header: Header,
    body: Vec<u8>,
    offset: u64,
    checksum: Option<u32>,
    done: usize,
}

impl Reader {
    /// A transaction in one event.
    pub(super) fn payload(&mut self, event: &Event<'_>) -> Result<Due, BinlogError> {
        if self.group.is_none() {
            let what = "a compressed transaction that has not begun";
            return Err(malformed(&self.file, event, what));
        }
        self.payload_from(event, 0)
    }

    /// Goes on behind the event that closed a slice.
    pub(super) fn continue_payload(&mut self, suspended: Suspended) -> Result<Due, BinlogError> {
        let Suspended { header, body, offset, checksum, done } = suspended;
        self.payload_from(&Event { header, body: &body, offset, checksum }, done)
    }

    /// Reads the events of a payload but for the first `skipped`.
    fn payload_from(&mut self, event: &Event<'_>, skipped: usize) -> Result<Due, BinlogError> {
        let file = Arc::clone(&self.file);
        let fault = |what| malformed(&file, event, what);
        let buffer = std::mem::take(&mut self.unpacked);
        let mut events = PayloadReader::new(event.body, buffer).map_err(fault)?;
        let (mut due, mut done) = (Due::NotYet, 0_usize);
        while let Some(Inner { header, body }) = events.next().map_err(fault)? {
            done = done.saturating_add(1);
            if done <= skipped {
                continue;
            }
            if self.group.is_none() {
                return Err(fault("events behind the end of a compressed transaction"));
            }
            due = self.plain_event(&event.with(header, body))?;
            if due == Due::Now && self.group.is_some() {
                // A definition changed: the rows behind it come with the next slice.
                let (header, offset, checksum) = (event.header, event.offset, event.checksum);
                let body = event.body.to_vec();
                self.suspended = Some(Suspended { header, body, offset, checksum, done });
                break;
            }
        }
        self.keep(events.into_buffer());
        Ok(due)
    }

    /// A compressed event of MariaDB, as the plain one that it stands for.
    pub(super) fn packed_event(
        &mut self,
        event: &Event<'_>,
        packed: Packed,
    ) -> Result<Due, BinlogError> {
        if let Packed::Rows(..) = packed
            && !self.capture.captured_table(event, || super::place(&self.file, event))?
        {
            return Ok(Due::NotYet);
        }
        let mut buffer = std::mem::take(&mut self.unpacked);
        let unpacked = match packed {
            Packed::Query => unpacked_query(event.body, &mut buffer),
            Packed::Rows(kind, version) => unpacked_rows(kind, version, event.body, &mut buffer),
        };
        unpacked.map_err(|what| malformed(&self.file, event, what))?;
        let due = match packed {
            Packed::Query => {
                let header = Header { kind: EventKind::QUERY, ..event.header };
                self.query(&event.with(header, &buffer))
            }
            Packed::Rows(kind, version) => {
                let plain = event.with(event.header, &buffer);
                self.rows(&plain, kind, version).map(|()| Due::NotYet)
            }
        };
        self.keep(buffer);
        due
    }

    pub(super) fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= BUFFER_KEPT_BYTES {
            self.unpacked = buffer;
        }
    }
}
