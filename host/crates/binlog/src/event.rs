//! One event of the log: its header, its kind, and the format description that says how to read the
//! events behind it (checksum algorithm, server version).
//!
//! Nothing here trusts a length: every number of a header is checked against the bytes that there are.
//! Format: <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html>.

use std::fmt;

/// Bytes of an event's header (binlog version 4).
pub(crate) const HEADER_BYTES: usize = 19;

/// Bytes of the checksum behind an event.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// The first bytes of a binlog file.
pub(crate) const MAGIC: [u8; 4] = [0xfe, b'b', b'i', b'n'];

/// The first bytes of an encrypted binlog file of MySQL.
pub(crate) const MAGIC_ENCRYPTED: [u8; 4] = [0xfd, b'b', b'i', b'n'];

/// Where the first event of a file starts.
pub(crate) const FIRST_EVENT_OFFSET: u64 = 4;

/// The largest event that is read. A server packs no more than `max_allowed_packet` (at most 1 GiB)
/// plus its overhead into one; a larger length in a header is damage, not data.
pub(crate) const EVENT_BYTES_MAX: u32 = (1 << 30) + (1 << 20);

/// The file is still being written (only in a format description event).
const FLAG_IN_USE: u16 = 0x1;
/// The event was made for this connection; it stands in no file.
const FLAG_ARTIFICIAL: u16 = 0x20;
/// A reader that does not know the event may skip it.
const FLAG_IGNORABLE: u16 = 0x80;

/// What kind of event it is, as the header's type byte tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKind(pub(crate) u8);

macro_rules! kinds {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        impl EventKind {
            $(pub(crate) const $name: Self = Self($code);)*

            /// The server's name of the kind.
            pub(crate) fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    QUERY = 2, "QUERY";
    STOP = 3, "STOP";
    ROTATE = 4, "ROTATE";
    INTVAR = 5, "INTVAR";
    LOAD = 6, "LOAD";
    CREATE_FILE = 8, "CREATE_FILE";
    APPEND_BLOCK = 9, "APPEND_BLOCK";
    EXEC_LOAD = 10, "EXEC_LOAD";
    DELETE_FILE = 11, "DELETE_FILE";
    NEW_LOAD = 12, "NEW_LOAD";
    RAND = 13, "RAND";
    USER_VAR = 14, "USER_VAR";
    FORMAT_DESCRIPTION = 15, "FORMAT_DESCRIPTION";
    XID = 16, "XID";
    BEGIN_LOAD_QUERY = 17, "BEGIN_LOAD_QUERY";
    EXECUTE_LOAD_QUERY = 18, "EXECUTE_LOAD_QUERY";
    TABLE_MAP = 19, "TABLE_MAP";
    WRITE_ROWS_V1 = 23, "WRITE_ROWS_V1";
    UPDATE_ROWS_V1 = 24, "UPDATE_ROWS_V1";
    DELETE_ROWS_V1 = 25, "DELETE_ROWS_V1";
    INCIDENT = 26, "INCIDENT";
    HEARTBEAT = 27, "HEARTBEAT";
    IGNORABLE = 28, "IGNORABLE";
    ROWS_QUERY = 29, "ROWS_QUERY";
    WRITE_ROWS = 30, "WRITE_ROWS";
    UPDATE_ROWS = 31, "UPDATE_ROWS";
    DELETE_ROWS = 32, "DELETE_ROWS";
    GTID = 33, "GTID";
    ANONYMOUS_GTID = 34, "ANONYMOUS_GTID";
    PREVIOUS_GTIDS = 35, "PREVIOUS_GTIDS";
    TRANSACTION_CONTEXT = 36, "TRANSACTION_CONTEXT";
    VIEW_CHANGE = 37, "VIEW_CHANGE";
    XA_PREPARE = 38, "XA_PREPARE";
    PARTIAL_UPDATE_ROWS = 39, "PARTIAL_UPDATE_ROWS";
    TRANSACTION_PAYLOAD = 40, "TRANSACTION_PAYLOAD";
    HEARTBEAT_V2 = 41, "HEARTBEAT_V2";
    GTID_TAGGED = 42, "GTID_TAGGED";
    ANNOTATE_ROWS = 160, "ANNOTATE_ROWS";
    BINLOG_CHECKPOINT = 161, "BINLOG_CHECKPOINT";
    MARIADB_GTID = 162, "MARIADB_GTID";
    GTID_LIST = 163, "GTID_LIST";
    START_ENCRYPTION = 164, "START_ENCRYPTION";
    QUERY_COMPRESSED = 165, "QUERY_COMPRESSED";
    WRITE_ROWS_COMPRESSED_V1 = 166, "WRITE_ROWS_COMPRESSED_V1";
    UPDATE_ROWS_COMPRESSED_V1 = 167, "UPDATE_ROWS_COMPRESSED_V1";
    DELETE_ROWS_COMPRESSED_V1 = 168, "DELETE_ROWS_COMPRESSED_V1";
    WRITE_ROWS_COMPRESSED = 169, "WRITE_ROWS_COMPRESSED";
    UPDATE_ROWS_COMPRESSED = 170, "UPDATE_ROWS_COMPRESSED";
    DELETE_ROWS_COMPRESSED = 171, "DELETE_ROWS_COMPRESSED";
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

impl fmt::Debug for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The 19 bytes before every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Seconds since 1970-01-01T00:00Z; 0 in artificial events.
    pub(crate) timestamp_seconds: u32,
    /// The kind.
    pub(crate) kind: EventKind,
    /// The server that made it first.
    pub(crate) server_id: u32,
    /// Bytes of header, body and checksum.
    pub(crate) length: u32,
    /// The low 32 bits of where the next event starts; 0 where the server does not say (row events of
    /// MariaDB from 11.4 on, artificial events).
    pub(crate) end: u32,
    /// Flags.
    pub(crate) flags: u16,
}

impl Header {
    /// None where there are fewer than [`HEADER_BYTES`] bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let parsed = mysql_cdc::events::event_header::EventHeader::parse(bytes).ok()?;
        Some(Self {
            timestamp_seconds: parsed.timestamp,
            kind: EventKind(parsed.event_type),
            server_id: parsed.server_id,
            length: parsed.event_length,
            end: parsed.next_event_position,
            flags: parsed.event_flags,
        })
    }

    /// The header as the library that reads control events has it.
    pub(crate) fn for_library(&self) -> mysql_cdc::events::event_header::EventHeader {
        mysql_cdc::events::event_header::EventHeader {
            timestamp: self.timestamp_seconds,
            event_type: self.kind.0,
            server_id: self.server_id,
            event_length: self.length,
            next_event_position: self.end,
            event_flags: self.flags,
        }
    }

    /// The header's bytes.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let [t0, t1, t2, t3] = self.timestamp_seconds.to_le_bytes();
        let [s0, s1, s2, s3] = self.server_id.to_le_bytes();
        let [l0, l1, l2, l3] = self.length.to_le_bytes();
        let [e0, e1, e2, e3] = self.end.to_le_bytes();
        let [f0, f1] = self.flags.to_le_bytes();
        let kind = self.kind.0;
        [t0, t1, t2, t3, kind, s0, s1, s2, s3, l0, l1, l2, l3, e0, e1, e2, e3, f0, f1]
    }

    /// Whether the file is still being written.
    pub(crate) fn is_in_use(&self) -> bool {
        self.kind == EventKind::FORMAT_DESCRIPTION && self.flags & FLAG_IN_USE != 0
    }

    /// Whether the event stands in no file.
    pub(crate) fn is_artificial(&self) -> bool {
        self.flags & FLAG_ARTIFICIAL != 0
    }

    /// Whether a reader that does not know the event may skip it.
    pub(crate) fn is_ignorable(&self) -> bool {
        self.flags & FLAG_IGNORABLE != 0
    }

    /// CRC-32 of the event. The in-use flag counts as not set: the server clears it when it closes the
    /// file, and does not mend the checksum.
    pub(crate) fn checksum_of(&self, body: &[u8]) -> u32 {
        let mut header = *self;
        if header.is_in_use() {
            header.flags &= !FLAG_IN_USE;
        }
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header.to_bytes());
        hasher.update(body);
        hasher.finalize()
    }
}

/// An event of the log, checked against its checksum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// Its header.
    pub(crate) header: Header,
    /// Its post-header and payload, without the checksum.
    pub(crate) body: &'a [u8],
    /// Where it starts in its file. Inside a group of a live MariaDB server this may be too small:
    /// that server sends neither annotations nor the true position there.
    pub(crate) offset: u64,
    /// Its checksum, where the log has them.
    pub(crate) checksum: Option<u32>,
}

impl<'a> Event<'a> {
    /// An event that came packed in this one: it stands where this one stands, and ends where it ends.
    pub(crate) fn with(&self, header: Header, body: &'a [u8]) -> Self {
        let checksum = self.checksum.unwrap_or_else(|| self.header.checksum_of(self.body));
        let header = Header { length: self.header.length, ..header };
        Self { header, body, offset: self.offset, checksum: Some(checksum) }
    }

    /// Where it ends in its file.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.header.length))
    }
}

/// What stands behind every event of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// Nothing.
    None,
    /// Its CRC-32.
    Crc32,
}

/// Which server wrote the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// MySQL or Percona Server.
    Mysql,
    /// MariaDB.
    MariaDb,
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mysql => "MySQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

impl Vendor {
    /// The vendor, from the text of `SELECT VERSION()` or of a format description.
    pub(crate) fn of_version(version: &str) -> Self {
        if version.to_ascii_lowercase().contains("mariadb") { Self::MariaDb } else { Self::Mysql }
    }
}

/// A format description event: how to read what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// The server's version text.
    pub(crate) version: String,
    /// Who wrote it.
    pub(crate) vendor: Vendor,
    /// What stands behind every event.
    pub(crate) checksum: Checksum,
}

/// Version, text of the server's version, time, header length: what stands before the list of
/// post-header lengths.
const FORMAT_FIXED_BYTES: usize = 2 + 50 + 4 + 1;

/// The checksum algorithm's byte and the checksum.
const FORMAT_TAIL_BYTES: usize = 1 + CHECKSUM_BYTES;

impl Format {
    /// Splits the bytes behind the header of a format description event: its body with the algorithm's
    /// byte, the checksum (none from servers that knew none), and what they say.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub(crate) fn parse(payload: &[u8]) -> Result<(&[u8], Option<u32>, Self), &'static str> {
        let (fixed, lengths) =
            payload.split_at_checked(FORMAT_FIXED_BYTES).ok_or("it is too short")?;
        if !fixed.starts_with(&4_u16.to_le_bytes()) {
            return Err("it is not of binlog version 4, the only one since MySQL 5.0");
        }
        if fixed.last() != Some(&19) {
            return Err("it announces event headers of another length than 19 bytes");
        }
        let text = fixed.get(2..52).unwrap_or_default();
        let text = text.split(|b| *b == 0).next().unwrap_or_default();
        let version = String::from_utf8_lossy(text).into_owned();
        let vendor = Vendor::of_version(&version);
        // The event's own entry in the list of post-header lengths is the length of fixed part and list
        // (modulo 256), which tells whether a tail stands behind them.
        let own = usize::from(EventKind::FORMAT_DESCRIPTION.0).saturating_sub(1);
        let own =
            lengths.get(own).copied().ok_or("its list of post-header lengths is too short")?;
        let low = |length: usize| u8::try_from(length & 0xff).unwrap_or_default();
        if own == low(payload.len()) {
            let format = Self { version, vendor, checksum: Checksum::None };
            return Ok((payload, None, format));
        }
        if payload.len().checked_sub(FORMAT_TAIL_BYTES).map(low) != Some(own) {
            return Err("its length does not fit its list of post-header lengths");
        }
        let split = payload.len().saturating_sub(CHECKSUM_BYTES);
        let (body, crc) = payload.split_at_checked(split).ok_or("it is too short")?;
        let checksum = match body.last() {
            Some(0) => Checksum::None,
            Some(1) => Checksum::Crc32,
            _ => return Err("it names an unknown checksum algorithm"),
        };
        let crc = crc.try_into().map(u32::from_le_bytes).map_err(|_| "it is too short")?;
        Ok((body, Some(crc), Self { version, vendor, checksum }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back() {
        let header = Header {
            timestamp_seconds: 0x0102_0304,
            kind: EventKind::XID,
            server_id: 7,
            length: 31,
            end: 0xffff_fff0,
            flags: 0x81,
        };
        assert_eq!(Header::parse(&header.to_bytes()), Some(header));
        assert!(header.is_ignorable() && !header.is_artificial() && !header.is_in_use());
        assert_eq!(Header::parse(&[0; 18]), None);
    }

    #[test]
    fn kinds_have_the_servers_names() {
        assert_eq!(EventKind(38).to_string(), "XA_PREPARE");
        assert_eq!(EventKind(99).to_string(), "type 99");
    }

    #[test]
    fn a_format_description_is_checked_before_it_is_believed() {
        let mut payload = vec![0; FORMAT_FIXED_BYTES + 40];
        assert!(Format::parse(&payload).is_err());
        payload.splice(..2, [4, 0]);
        payload.splice(2..8, *b"9.7.4\0");
        payload.splice(56..57, [19]);
        payload.splice(71..72, [97]);
        let plain = Format::parse(&payload).map(|(body, crc, f)| (body.len(), crc, f.checksum));
        assert_eq!(plain, Ok((97, None, Checksum::None)));
        payload.extend([1, 0xaa, 0, 0, 0]);
        let checked = Format::parse(&payload).map(|(body, crc, f)| (body.len(), crc, f.checksum));
        assert_eq!(checked, Ok((98, Some(0xaa), Checksum::Crc32)));
        payload.pop();
        assert!(Format::parse(&payload).is_err());
    }
}
