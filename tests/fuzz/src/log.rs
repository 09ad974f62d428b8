//! Logs made of events: the head that a server wrote, then whatever is put in, without checksums.
//!
//! Formats: MySQL source, libs/mysql/binlog/event (`Log_event_header`, `Query_event`, `Table_map_event`).

/// A closed log of each server that was recorded without checksums; only its head is used.
const MYSQL: &[u8] = include_bytes!("../../fixtures/corpus/mysql-9.7/19_checksum_none.binlog");
const MARIADB: &[u8] = include_bytes!("../../fixtures/corpus/mariadb-11.8/19_checksum_none.binlog");

const MAGIC_BYTES: usize = 4;
pub(crate) const HEADER_BYTES: usize = 19;

/// Event types that targets put around what the fuzzer chose.
pub(crate) const QUERY: u8 = 2;
pub(crate) const XID: u8 = 16;
pub(crate) const TABLE_MAP: u8 = 19;
pub(crate) const WRITE_ROWS: u8 = 30;
const ANONYMOUS_GTID: u8 = 34;
pub(crate) const PARTIAL_UPDATE_ROWS: u8 = 39;
pub(crate) const TRANSACTION_PAYLOAD: u8 = 40;

/// All types of row events: version 1 and 2, and the update with parts of documents.
pub(crate) const ROW_EVENTS: [u8; 7] = [23, 24, 25, WRITE_ROWS, 31, 32, PARTIAL_UPDATE_ROWS];

/// The table that all rows are of.
pub(crate) const TABLE_ID: [u8; 6] = [9, 0, 0, 0, 0, 0];

/// A log in the making.
pub(crate) struct Log(Vec<u8>);

impl Log {
    /// The head; an odd number stands for MariaDB.
    pub(crate) fn of(vendor: u8) -> Self {
        let recorded = if vendor.is_multiple_of(2) { MYSQL } else { MARIADB };
        let length = event_bytes(recorded.get(MAGIC_BYTES..).unwrap_or_default()).unwrap_or(0);
        Self(recorded.get(..MAGIC_BYTES + length).unwrap_or_default().to_vec())
    }

    /// No head: what stands within a payload.
    pub(crate) fn empty() -> Self {
        Self(Vec::new())
    }

    /// Appends an event.
    pub(crate) fn event(mut self, kind: u8, body: &[u8]) -> Self {
        let length = u32::try_from(HEADER_BYTES + body.len()).unwrap_or(u32::MAX);
        let end = u32::try_from(self.0.len()).unwrap_or(u32::MAX).wrapping_add(length);
        self.0.extend([0x60, 0xbe, 2, 0x6b, kind, 1, 0, 0, 0]);
        self.0.extend(length.to_le_bytes());
        self.0.extend(end.to_le_bytes());
        self.0.extend([0, 0]);
        self.0.extend_from_slice(body);
        self
    }

    /// Appends what stands in front of a transaction: an event without a GTID.
    pub(crate) fn gtid(self) -> Self {
        self.event(ANONYMOUS_GTID, &[&[0; 25][..], &[2], &[0; 16]].concat())
    }

    /// Appends a statement.
    pub(crate) fn query(self, text: &[u8]) -> Self {
        let body = [&[0; 8][..], &[1, 0, 0, 0, 0], b"c\0", text].concat();
        self.event(QUERY, &body)
    }

    /// Appends a transaction of one table map and one row event.
    pub(crate) fn rows(self, map: &[u8], kind: u8, rows: &[u8]) -> Self {
        let log = self.query(b"BEGIN").event(TABLE_MAP, map).event(kind, rows);
        log.event(XID, &[7, 0, 0, 0, 0, 0, 0, 0])
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The payload of a transaction whose events are not compressed: size and kind of compression (none), then the
/// events (`Transaction_payload_event`).
pub(crate) fn plain_payload(events: &[u8]) -> Vec<u8> {
    let length = u64::try_from(events.len()).unwrap_or(u64::MAX).to_le_bytes();
    let size = |field: u8| [&[field, 9, 254][..], &length].concat();
    [&size(1)[..], &[2, 3, 252, 255, 0], &size(3), &[0], events].concat()
}

/// The length that the head of an event tells, where there is one and the event is all there.
pub(crate) fn event_bytes(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(9..13)?.try_into().map(u32::from_le_bytes).ok()?;
    let length = usize::try_from(length).ok()?;
    (HEADER_BYTES..=bytes.len()).contains(&length).then_some(length)
}

/// The events of a recorded log behind its head, type and body without checksum.
pub(crate) fn events_of(log: &[u8]) -> Vec<(u8, &[u8])> {
    let mut rest = log.get(MAGIC_BYTES..).unwrap_or_default();
    let mut checksum_bytes = 0;
    let mut events = Vec::new();
    while let Some((event, behind)) = event_bytes(rest).and_then(|n| rest.split_at_checked(n)) {
        rest = behind;
        if events.is_empty() && checksum_bytes == 0 {
            // The byte in front of the format description's own checksum names the algorithm.
            let algorithm = event.len().checked_sub(5).and_then(|at| event.get(at));
            checksum_bytes = if algorithm == Some(&1) { 4 } else { 0 };
            if event.get(4) == Some(&15) {
                continue;
            }
        }
        let body = event.get(HEADER_BYTES..event.len() - checksum_bytes).unwrap_or_default();
        events.push((event.get(4).copied().unwrap_or_default(), body));
    }
    events
}

/// A table map of one nullable column called `a`: its type, what describes the type, and what else is told of it
/// (optional metadata fields: type, length, value).
pub(crate) fn one_column(kind: u8, metadata: &[u8], told: &[u8]) -> Vec<u8> {
    let length = u8::try_from(metadata.len()).unwrap_or(0);
    let name = [4, 2, 1, b'a'];
    let front = [&TABLE_ID[..], &[1, 0], &[1, b'c', 0, 1, b't', 0], &[1, kind, length]].concat();
    [&front[..], metadata, &[1], &name, told].concat()
}

/// What stands in front of the rows of a version 2 row event of one column.
pub(crate) fn rows_front(is_pair: bool) -> Vec<u8> {
    let bitmaps: &[u8] = if is_pair { &[1, 1] } else { &[1] };
    [&TABLE_ID[..], &[0, 0, 2, 0, 1], bitmaps].concat()
}
