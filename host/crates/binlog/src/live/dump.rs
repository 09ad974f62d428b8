//! The events that a server sends, each checked against its checksum and placed in its file.
//!
//! The library is the transport: it joins packets and hands over header and bytes. Nothing of its own
//! decoding is used: what it makes of a compressed transaction, behind the event itself, is passed over.
//! It may stumble over bytes that no server sends, so its panics end here as errors.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use mysql_async::BinlogStream;
use mysql_async::binlog::BinlogChecksumAlg;
use mysql_async::binlog::events::Event as Received;

use crate::error::server::cause_of;
use crate::error::{BinlogError, Place, ServerCause};
use crate::event::{CHECKSUM_BYTES, Event, EventKind, FIRST_EVENT_OFFSET, Format, Header};
use crate::file::verify;

/// An open dump.
pub(crate) struct Dump {
    stream: BinlogStream,
    address: String,
    silence_max: Duration,
    track: Track,
}

/// Where in its file the stream is.
pub(crate) struct Track {
    file: Arc<str>,
    /// Where the next event starts; too small inside a group of MariaDB.
    cursor: u64,
    has_format: bool,
    /// Whether a compressed transaction was the last event that stands in the log.
    in_payload: bool,
}

/// An event as it was sent.
pub(crate) struct Sent {
    header: Header,
    received: Received,
    /// Where the body is not what the library handed over.
    other_body: Option<Vec<u8>>,
    checksum: Option<u32>,
    offset: u64,
    /// Of a format description: what it says.
    pub(crate) format: Option<Format>,
}

impl Sent {
    pub(crate) fn event(&self) -> Event<'_> {
        Event {
            header: self.header,
            body: self.other_body.as_deref().unwrap_or_else(|| self.received.data()),
            offset: self.offset,
            checksum: self.checksum,
        }
    }
}

/// What an event is made of, beyond what the library hands over.
struct Parts {
    other_body: Option<Vec<u8>>,
    checksum: Option<u32>,
    format: Option<Format>,
}

impl Dump {
    pub(crate) fn new(
        stream: BinlogStream,
        address: &str,
        silence_max: Duration,
        file: &str,
        offset: u64,
    ) -> Self {
        let track =
            Track { file: file.into(), cursor: offset, has_format: false, in_payload: false };
        Self { stream, address: address.to_owned(), silence_max, track }
    }

    /// Waits for the next event. Dropping the future loses none.
    ///
    /// # Errors
    /// Where the connection is lost, the server refuses to go on, or an event is damaged.
    pub(crate) async fn wait(&mut self) -> Result<Sent, BinlogError> {
        let Self { stream, address, silence_max, track } = self;
        loop {
            let next = AssertUnwindSafe(stream.next()).catch_unwind();
            let taken = match tokio::time::timeout(*silence_max, next).await {
                Ok(Ok(received)) => track.take(received, address)?,
                Ok(Err(_)) => {
                    return Err(BinlogError::server(address, ServerCause::Protocol, None));
                }
                Err(_) => return Err(BinlogError::server(address, ServerCause::Silent, None)),
            };
            if let Some(sent) = taken {
                return Ok(sent);
            }
        }
    }

    /// The next event where it is there already.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub(crate) fn ready(&mut self) -> Result<Option<Sent>, BinlogError> {
        let Self { stream, address, track, .. } = self;
        let waker = futures::task::noop_waker();
        loop {
            // Outside of the runtime's budget: an exhausted one would look like an idle server.
            let next = tokio::task::unconstrained(stream.next());
            let mut next = AssertUnwindSafe(next).catch_unwind();
            let taken = match next.poll_unpin(&mut Context::from_waker(&waker)) {
                Poll::Pending => return Ok(None),
                Poll::Ready(Ok(received)) => track.take(received, address)?,
                Poll::Ready(Err(_)) => {
                    return Err(BinlogError::server(address, ServerCause::Protocol, None));
                }
            };
            if taken.is_some() {
                return Ok(taken);
            }
        }
    }
}

impl Track {
    /// None: the event is none that was sent.
    fn take(
        &mut self,
        received: Option<Result<Received, mysql_async::Error>>,
        address: &str,
    ) -> Result<Option<Sent>, BinlogError> {
        match received {
            Some(Ok(event)) if self.is_unpacked(&header_of(&event)) => Ok(None),
            Some(Ok(event)) => self.place(event).map(Some),
            Some(Err(error)) => {
                let cause = match cause_of(&error, ServerCause::Lost) {
                    // The login is long past: what is denied is the dump.
                    ServerCause::AccessDenied => ServerCause::NoReplicationSlave,
                    cause => cause,
                };
                Err(BinlogError::server(address, cause, Some(error)))
            }
            None => Err(BinlogError::server(address, ServerCause::Lost, None)),
        }
    }

    /// Whether the library made an event out of a compressed transaction: these have no position, and
    /// follow at once on the event that was sent.
    fn is_unpacked(&mut self, header: &Header) -> bool {
        if header.kind != EventKind::TRANSACTION_PAYLOAD && header.end == 0 && !is_beside(header) {
            return self.in_payload;
        }
        self.in_payload = header.kind == EventKind::TRANSACTION_PAYLOAD;
        false
    }

    /// Checks an event and finds out where it stands.
    fn place(&mut self, received: Received) -> Result<Sent, BinlogError> {
        let header = header_of(&received);
        let (file, event) = (Arc::clone(&self.file), Some(header.kind));
        let at = Place { file, offset: self.cursor, event };
        let parts = self.parts(&header, &received);
        let Parts { other_body, checksum, format } =
            parts.map_err(|what| BinlogError::Malformed { place: at.clone(), what })?;
        let body = other_body.as_deref().unwrap_or_else(|| received.data());
        verify(&header, body, checksum, || at)?;
        self.has_format |= format.is_some();
        let offset = self.advance(&header);
        Ok(Sent { header, received, other_body, checksum, offset, format })
    }

    /// Takes apart what the library hands over.
    fn parts(&self, header: &Header, received: &Received) -> Result<Parts, &'static str> {
        let stored = received.checksum();
        let data = received.data();
        if header.kind == EventKind::FORMAT_DESCRIPTION {
            // The library cuts the algorithm's byte off together with the checksum.
            let mut payload = data.to_vec();
            if let (Some(stored), Ok(Some(algorithm))) =
                (stored, received.footer().get_checksum_alg())
            {
                payload.push(u8::from(algorithm == BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32));
                payload.extend(stored);
            }
            let (body, checksum, format) = Format::parse(&payload)?;
            let (other_body, format) = (Some(body.to_vec()), Some(format));
            return Ok(Parts { other_body, checksum, format });
        }
        if self.has_format {
            let checksum = stored.map(u32::from_le_bytes);
            return Ok(Parts { other_body: None, checksum, format: None });
        }
        // Before the first format description a server may or may not add a checksum.
        let split = data.len().saturating_sub(CHECKSUM_BYTES);
        let (head, tail) = data.split_at_checked(split).unwrap_or_default();
        let stored = tail.try_into().map(u32::from_le_bytes).ok();
        let has_one = stored == Some(header.checksum_of(head));
        let other_body = has_one.then(|| head.to_vec());
        Ok(Parts { other_body, checksum: stored.filter(|_| has_one), format: None })
    }

    /// Where the event starts; moves the cursor behind it.
    fn advance(&mut self, header: &Header) -> u64 {
        if is_beside(header) {
            return self.cursor;
        }
        if header.end == 0 {
            let offset = self.cursor;
            self.cursor = offset.saturating_add(header.length.into());
            return offset;
        }
        let end = widen(header.end, self.cursor);
        self.cursor = end;
        end.saturating_sub(header.length.into())
    }

    /// The stream goes on in a file.
    pub(crate) fn enter(&mut self, file: Arc<str>, offset: u64) {
        self.file = file;
        self.cursor = offset.max(FIRST_EVENT_OFFSET);
    }
}

impl Dump {
    /// The stream goes on in a file.
    pub(crate) fn enter(&mut self, file: Arc<str>, offset: u64) {
        self.track.enter(file, offset);
    }
}

/// Whether an event stands in no file: heartbeats, what a server made for this connection, and the head of
/// a file told again.
fn is_beside(header: &Header) -> bool {
    let is_heartbeat = matches!(header.kind, EventKind::HEARTBEAT | EventKind::HEARTBEAT_V2);
    is_heartbeat || header.is_artificial() || (header.end == 0 && is_head(header.kind))
}

/// Kinds at a file's head that a server sends again, without position, where it starts in the middle.
fn is_head(kind: EventKind) -> bool {
    matches!(kind, EventKind::FORMAT_DESCRIPTION | EventKind::PREVIOUS_GTIDS | EventKind::GTID_LIST)
}

/// The full position whose low 32 bits an event's header tells: the first one that is not before
/// `from`.
pub(crate) fn widen(low: u32, from: u64) -> u64 {
    let high = from & !u64::from(u32::MAX);
    let candidate = high | u64::from(low);
    if candidate >= from { candidate } else { candidate.saturating_add(1 << 32) }
}

fn header_of(received: &Received) -> Header {
    let header = received.header();
    Header {
        timestamp_seconds: header.timestamp(),
        kind: EventKind(header.event_type_raw()),
        server_id: header.server_id(),
        length: header.event_size(),
        end: header.log_pos(),
        flags: header.flags_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a track makes of events (kind, length, end): where each stands, none where it is passed over.
    fn placed(track: &mut Track, events: &[(EventKind, u32, u32)]) -> Vec<Option<u64>> {
        let place = |(kind, length, end): &(EventKind, u32, u32)| {
            let (kind, length, end) = (*kind, *length, *end);
            let header = Header { timestamp_seconds: 0, kind, server_id: 1, length, end, flags: 0 };
            (!track.is_unpacked(&header)).then(|| track.advance(&header))
        };
        events.iter().map(place).collect()
    }

    #[test]
    fn what_the_library_makes_of_a_compressed_transaction_moves_nothing() {
        let track = || Track {
            file: "log.000001".into(),
            cursor: 200,
            has_format: true,
            in_payload: false,
        };
        let inner =
            [(EventKind::QUERY, 60, 0), (EventKind::TABLE_MAP, 70, 0), (EventKind::XID, 31, 0)];
        let mut events =
            vec![(EventKind::GTID, 80, 280), (EventKind::TRANSACTION_PAYLOAD, 90, 370)];
        events.extend(inner);
        events.extend([(EventKind::GTID, 80, 450), (EventKind::HEARTBEAT, 40, 0)]);
        let mut compressed = track();
        let wanted = [Some(200), Some(280), None, None, None, Some(370), Some(450)];
        assert_eq!(placed(&mut compressed, &events), wanted);
        assert_eq!(compressed.cursor, 450);
        // MariaDB sends the events of a group without their positions.
        let group = [(EventKind::MARIADB_GTID, 42, 242), inner[0], inner[1], inner[2]];
        assert_eq!(placed(&mut track(), &group), [Some(200), Some(242), Some(302), Some(372)]);
    }

    #[test]
    fn positions_beyond_four_gibibytes_are_told_from_their_low_half() {
        let wrap = 1_u64 << 32;
        let cases = [
            (500, 0, 500),
            (500, 499, 500),
            (100, wrap - 50, wrap + 100),
            (100, 2 * wrap + 7, 2 * wrap + 100),
            (u32::MAX, wrap - 1, wrap - 1),
        ];
        for (low, from, expected) in cases {
            assert_eq!(widen(low, from), expected, "{low} from {from}");
        }
    }
}
