//! Control events: what says where a transaction starts, which one it is, and where the log goes on.
//!
//! `mysql_cdc` reads those it knows (ROTATE, QUERY, MySQL's untagged GTID, MariaDB's GTID and GTID_LIST).
//! It decides nothing: the header's type says what an event is before the library is asked, it gets
//! bodies without checksum, its error never ends or skips anything, and what it reads is compared with
//! our own reading of the few fields that positions hang on. Where they differ, ours counts. Tagged
//! GTIDs, anonymous GTIDs and lists of previous GTIDs with tags are unknown to it and read here alone.

use std::borrow::Cow;

use change::gtid::{MariaDbPosition, MysqlGtidSet};
use change::{Gtid, GtidSet};
use mysql_cdc::events::binlog_event::BinlogEvent;
use mysql_cdc::events::event_parser::EventParser;
use tracing::warn;
use uuid::Uuid;

use crate::event::{Event, EventKind};
use crate::value::charset::Charset;
use crate::wire::{Wire, WireFault};

/// What is wrong with a control event.
pub(crate) type Fault = &'static str;

const SHORT: Fault = "the event is too short";

impl From<WireFault> for Short {
    fn from(_: WireFault) -> Self {
        Self
    }
}

/// The event ends too early.
struct Short;

/// The text of a statement, and the database that it was issued in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    pub(crate) database: Cow<'a, str>,
    pub(crate) text: Cow<'a, str>,
    pub(crate) reading: Reading,
    /// What the session had set, as status variables.
    pub(crate) status: &'a [u8],
}

/// How the text of a statement was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Each character is what the client meant.
    Exact,
    /// It is not in the character set that it says: characters may be lost.
    Guessed,
}

/// The event that a transaction starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupStart {
    /// Its id; none where it is anonymous.
    pub(crate) gtid: Option<Gtid>,
    /// When it was first committed, where the event says so.
    pub(crate) commit_micros: Option<i64>,
    /// What the events behind it are.
    pub(crate) shape: GroupShape,
}

/// What follows the event that a transaction starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupShape {
    /// BEGIN and what ends it, or one statement: the next event tells (MySQL).
    Told,
    /// Events up to one that ends the transaction (MariaDB).
    Open,
    /// One statement (MariaDB).
    Standalone,
    /// The first half of an ALTER TABLE that takes effect when its second half arrives (MariaDB).
    AlterStarts,
    /// The second half of an ALTER TABLE that failed (MariaDB).
    AlterFails,
}

/// Reads control events.
pub(crate) struct ControlReader {
    /// Never sees a format description, and so never expects checksums: it gets none.
    library: EventParser,
    /// The source of MySQL GTIDs that both readings last agreed on.
    known_source: Option<Uuid>,
}

impl Default for ControlReader {
    fn default() -> Self {
        Self { library: EventParser::new(), known_source: None }
    }
}

impl ControlReader {
    /// What the library makes of an event; none where it fails.
    fn ask(&mut self, event: &Event<'_>) -> Option<BinlogEvent> {
        self.library.parse_event(&event.header.for_library(), event.body).ok()
    }

    /// The next file and where to start in it.
    pub(crate) fn rotate(&mut self, event: &Event<'_>) -> Result<(String, u64), Fault> {
        let own = own_rotate(event.body)?;
        if let Some(BinlogEvent::RotateEvent(read)) = self.ask(event) {
            if (read.binlog_filename.as_str(), read.binlog_position) == (own.0.as_str(), own.1) {
                return Ok((read.binlog_filename, read.binlog_position));
            }
            differs(event);
        }
        Ok(own)
    }

    /// The statement of a QUERY event.
    pub(crate) fn query<'a>(&mut self, event: &Event<'a>) -> Result<Query<'a>, Fault> {
        let own = own_query(event.body)?;
        // BEGIN and COMMIT stand in every transaction: nothing of them is worth a copy.
        if matches!(&*own.text, "BEGIN" | "COMMIT") {
            return Ok(own);
        }
        // The library takes all text for UTF-8.
        if own.reading == Reading::Guessed || matches!(own.text, Cow::Owned(_)) {
            return Ok(own);
        }
        if let Some(BinlogEvent::QueryEvent(read)) = self.ask(event) {
            if (read.database_name.as_str(), read.sql_statement.as_str())
                == (&*own.database, &*own.text)
            {
                let (database, text) = (read.database_name.into(), read.sql_statement.into());
                return Ok(Query { database, text, ..own });
            }
            differs(event);
        }
        Ok(own)
    }

    /// The GTID event of either vendor, tagged and anonymous ones too.
    pub(crate) fn group_start(&mut self, event: &Event<'_>) -> Result<GroupStart, Fault> {
        match event.header.kind {
            EventKind::GTID => self.mysql_gtid(event),
            EventKind::ANONYMOUS_GTID => {
                let own = own_mysql_gtid(event.body)?;
                Ok(GroupStart { gtid: None, ..own })
            }
            EventKind::GTID_TAGGED => tagged::read(event.body),
            _ => self.mariadb_gtid(event),
        }
    }

    fn mysql_gtid(&mut self, event: &Event<'_>) -> Result<GroupStart, Fault> {
        let mut own = own_mysql_gtid(event.body)?;
        let Some(Gtid::Mysql { source, .. }) = &own.gtid else {
            return Ok(own);
        };
        // The library writes the source out as text each time, which would be a third of the cost of a
        // transaction of one row: it is asked again where the source is another one.
        if self.known_source == Some(*source) {
            return Ok(own);
        }
        if let Some(BinlogEvent::MySqlGtidEvent(read)) = self.ask(event) {
            let source = Uuid::from_bytes(read.gtid.source_id.data);
            let sequence = read.gtid.transaction_id;
            let gtid = Some(Gtid::Mysql { source, tag: String::new(), sequence });
            if gtid == own.gtid {
                own.gtid = gtid;
                self.known_source = Some(source);
            } else {
                differs(event);
            }
        }
        Ok(own)
    }

    fn mariadb_gtid(&mut self, event: &Event<'_>) -> Result<GroupStart, Fault> {
        let mut own = own_mariadb_gtid(event.body, event.header.server_id)?;
        if let Some(BinlogEvent::MariaDbGtidEvent(read)) = self.ask(event) {
            let domain = read.gtid.domain_id;
            let (server, sequence) = (read.gtid.server_id, read.gtid.sequence);
            let gtid = Some(Gtid::MariaDb { domain, server, sequence });
            if gtid == own.gtid {
                own.gtid = gtid;
            } else {
                differs(event);
            }
        }
        Ok(own)
    }

    /// Everything executed before this file: PREVIOUS_GTIDS of MySQL, GTID_LIST of MariaDB.
    pub(crate) fn executed_before(&mut self, event: &Event<'_>) -> Result<GtidSet, Fault> {
        if event.header.kind == EventKind::PREVIOUS_GTIDS {
            return previous_gtids(event.body).map(GtidSet::Mysql);
        }
        let own = own_gtid_list(event.body)?;
        if let Some(BinlogEvent::MariaDbGtidListEvent(read)) = self.ask(event) {
            let mut list = MariaDbPosition::default();
            for gtid in read.gtid_list.gtids {
                list.domains.insert(gtid.domain_id, (gtid.server_id, gtid.sequence));
            }
            if list == own {
                return Ok(GtidSet::MariaDb(list));
            }
            differs(event);
        }
        Ok(GtidSet::MariaDb(own))
    }
}

fn differs(event: &Event<'_>) {
    warn!(event = %event.header.kind, offset = event.offset, "two readings of a control event differ");
}

fn own_rotate(body: &[u8]) -> Result<(String, u64), Fault> {
    let mut wire = Wire::new(body);
    let offset = wire.u64().map_err(|_| SHORT)?;
    let file = std::str::from_utf8(wire.rest()).map_err(|_| "the next file's name is no text")?;
    if file.is_empty() {
        return Err("the next file has no name");
    }
    Ok((file.to_owned(), offset))
}

/// <https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Query__event.html>
fn own_query(body: &[u8]) -> Result<Query<'_>, Fault> {
    type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8]);
    let read = || -> Result<Parts<'_>, Short> {
        let mut wire = Wire::new(body);
        // Thread id and duration.
        wire.take(8)?;
        let database_bytes = usize::from(wire.u8()?);
        // Error code.
        wire.u16()?;
        let status_bytes = usize::from(wire.u16()?);
        let status = wire.take(status_bytes)?;
        let database = wire.take(database_bytes)?;
        wire.u8()?;
        Ok((status, database, wire.rest()))
    };
    let (status, database, text) = read().map_err(|Short| SHORT)?;
    let (text, reading) = statement_text(status, text);
    Ok(Query { database: String::from_utf8_lossy(database), text, reading, status })
}

/// What a server writes into statements that it makes itself; their names are in UTF-8, whatever the
/// session's character set is.
const GENERATED: &[u8] = b"generated by server";

/// The text of a statement as its client meant it.
fn statement_text<'a>(status: &[u8], text: &'a [u8]) -> (Cow<'a, str>, Reading) {
    let is_generated = || text.windows(GENERATED.len()).any(|part| part == GENERATED);
    let charset = client_collation(status).and_then(Charset::of_collation);
    let charset = charset.filter(|c| !c.is_utf8() && !c.is_binary());
    if let Some(charset) = charset.filter(|_| !text.is_ascii() && !is_generated()) {
        return match charset.text(text) {
            Ok(text) => (Cow::Owned(text), Reading::Exact),
            Err(_) => (String::from_utf8_lossy(text), Reading::Guessed),
        };
    }
    match std::str::from_utf8(text) {
        Ok(text) => (Cow::Borrowed(text), Reading::Exact),
        Err(_) => (String::from_utf8_lossy(text), Reading::Guessed),
    }
}

/// Status variables of a statement (`Query_event::Query_event_status_vars`), and the bytes of those that
/// have a fixed length.
mod status {
    pub(super) const CATALOG: u8 = 2;
    pub(super) const CHARSET: u8 = 4;
    pub(super) const TIME_ZONE: u8 = 5;
    pub(super) const CATALOG_WITHOUT_ZERO: u8 = 6;
    /// Flags, SQL mode, auto increment, names of times, the database's character set, tables to
    /// update, bytes of the original event; MariaDB's fractions of a second.
    pub(super) const FIXED: [(u8, usize); 8] =
        [(0, 4), (1, 8), (3, 4), (7, 2), (8, 2), (9, 8), (10, 4), (128, 3)];
}

/// The collation of the client's character set; none where it is not told.
fn client_collation(status: &[u8]) -> Option<u64> {
    let mut wire = Wire::new(status);
    loop {
        let code = wire.u8().ok()?;
        let bytes = match code {
            status::CHARSET => return wire.u16().ok().map(u64::from),
            status::CATALOG => usize::from(wire.u8().ok()?).saturating_add(1),
            status::TIME_ZONE | status::CATALOG_WITHOUT_ZERO => usize::from(wire.u8().ok()?),
            // Others stand behind it.
            _ => status::FIXED.iter().find(|(known, _)| *known == code)?.1,
        };
        wire.take(bytes).ok()?;
    }
}

/// Flags, uuid, sequence and the two logical clocks stand before the commit times.
const LOGICAL_CLOCK_BYTES: usize = 1 + 8 + 8;

/// In a commit time: another one follows, that of the server it was first committed on.
const HAS_ORIGINAL_TIME: u64 = 1 << 55;

/// <https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Gtid__event.html>
fn own_mysql_gtid(body: &[u8]) -> Result<GroupStart, Fault> {
    let mut wire = Wire::new(body);
    let mut read = || -> Result<(Uuid, u64), Short> {
        wire.u8()?;
        let source = Uuid::from_bytes(wire.array()?);
        Ok((source, wire.u64()?))
    };
    let (source, sequence) = read().map_err(|Short| SHORT)?;
    // Servers before MySQL 8.0 write no commit times; nothing of the kind follows then.
    let commit_micros = wire.take(LOGICAL_CLOCK_BYTES).ok().and_then(|_| {
        let immediate = wire.uint_le(7).ok()?;
        let original = (immediate & HAS_ORIGINAL_TIME != 0).then(|| wire.uint_le(7).ok());
        i64::try_from(original.flatten().unwrap_or(immediate & !HAS_ORIGINAL_TIME)).ok()
    });
    let gtid = Some(Gtid::Mysql { source, tag: String::new(), sequence });
    Ok(GroupStart { gtid, commit_micros, shape: GroupShape::Told })
}

/// Flags of MariaDB's GTID event (`Gtid_log_event`, `sql/log_event.h`).
mod mariadb_flag {
    pub(super) const STANDALONE: u8 = 1;
    pub(super) const GROUP_COMMIT_ID: u8 = 2;
    pub(super) const PREPARED_XA: u8 = 64;
    pub(super) const COMPLETED_XA: u8 = 128;
    pub(super) const EXTRA_START_ALTER: u8 = 2;
    pub(super) const EXTRA_ROLLBACK_ALTER: u8 = 8;
}

/// <https://mariadb.com/kb/en/gtid_event/>
fn own_mariadb_gtid(body: &[u8], server: u32) -> Result<GroupStart, Fault> {
    use mariadb_flag::{
        COMPLETED_XA, EXTRA_ROLLBACK_ALTER, EXTRA_START_ALTER, GROUP_COMMIT_ID, PREPARED_XA,
        STANDALONE,
    };
    let mut wire = Wire::new(body);
    let mut read = || -> Result<(u64, u32, u8), Short> {
        let (sequence, domain) = (wire.u64()?, wire.u32()?);
        let flags = wire.u8()?;
        if flags & GROUP_COMMIT_ID != 0 {
            wire.u64()?;
        }
        if flags & (PREPARED_XA | COMPLETED_XA) != 0 {
            // Format, then the lengths of the id's two parts.
            wire.u32()?;
            let bytes = usize::from(wire.u8()?).saturating_add(usize::from(wire.u8()?));
            wire.take(bytes)?;
        }
        Ok((sequence, domain, flags))
    };
    let (sequence, domain, flags) = read().map_err(|Short| SHORT)?;
    let extra = wire.u8().unwrap_or(0);
    let shape = if flags & COMPLETED_XA != 0 {
        GroupShape::Standalone
    } else if flags & STANDALONE == 0 || flags & PREPARED_XA != 0 {
        GroupShape::Open
    } else if extra & EXTRA_START_ALTER != 0 {
        GroupShape::AlterStarts
    } else if extra & EXTRA_ROLLBACK_ALTER != 0 {
        GroupShape::AlterFails
    } else {
        GroupShape::Standalone
    };
    let gtid = Some(Gtid::MariaDb { domain, server, sequence });
    Ok(GroupStart { gtid, commit_micros: None, shape })
}

/// <https://mariadb.com/kb/en/gtid_list_event/>: the upper four bits of the count are flags.
fn own_gtid_list(body: &[u8]) -> Result<MariaDbPosition, Fault> {
    let read = || -> Result<MariaDbPosition, Short> {
        let mut wire = Wire::new(body);
        let count = wire.u32()? & 0x0fff_ffff;
        let mut list = MariaDbPosition::default();
        for _ in 0..count {
            let (domain, server) = (wire.u32()?, wire.u32()?);
            list.domains.insert(domain, (server, wire.u64()?));
        }
        Ok(list)
    };
    read().map_err(|Short| SHORT)
}

/// The set before a file. Its first byte tells the format where the last byte of the count is 1: then
/// each source has a tag, and the count is the six bytes between.
fn previous_gtids(body: &[u8]) -> Result<MysqlGtidSet, Fault> {
    let read = || -> Result<Option<MysqlGtidSet>, Short> {
        let mut wire = Wire::new(body);
        let head = wire.u64()?;
        let is_tagged = head >> 56 == 1;
        let count = if is_tagged { (head >> 8) & 0xffff_ffff_ffff } else { head };
        let mut set = MysqlGtidSet::default();
        for _ in 0..count {
            let source = Uuid::from_bytes(wire.array()?);
            let mut tag = "";
            if is_tagged {
                let bytes = tagged::unsigned(&mut wire)?;
                let Ok(text) = std::str::from_utf8(wire.take_long(bytes)?) else {
                    return Ok(None);
                };
                tag = text;
            }
            for _ in 0..wire.u64()? {
                let (first, end) = (wire.u64()?, wire.u64()?);
                if first == 0 || first >= end {
                    return Ok(None);
                }
                set.insert_range(source, tag, first, end.saturating_sub(1));
            }
        }
        Ok(Some(set))
    };
    match read() {
        Ok(Some(set)) => Ok(set),
        Ok(None) => Err("the list of previous GTIDs is malformed"),
        Err(Short) => Err(SHORT),
    }
}

/// Tagged GTIDs (MySQL 8.3 and later), in the format of the server's serialization library:
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/PageLibsMysqlSerialization.html>.
mod tagged {
    use super::{Fault, GroupShape, GroupStart, Gtid, SHORT, Short, Uuid, Wire};

    /// Numbers of the fields (`Gtid_event`).
    const FLAGS: u64 = 0;
    const SOURCE: u64 = 1;
    const SEQUENCE: u64 = 2;
    const TAG: u64 = 3;
    const IMMEDIATE_COMMIT: u64 = 6;
    const ORIGINAL_COMMIT: u64 = 7;

    /// A number whose first byte's trailing ones count the bytes that follow.
    pub(super) fn unsigned(wire: &mut Wire<'_>) -> Result<u64, Short> {
        let first = wire.u8()?;
        let more = first.trailing_ones();
        let rest = wire.uint_le(usize::try_from(more).unwrap_or(8))?;
        // A first byte with n trailing ones has 7 - n bits of the value, and none where n is 7 or 8.
        let bits = 7_u32.saturating_sub(more);
        let low = u64::from(first.checked_shr(more.saturating_add(1)).unwrap_or(0));
        Ok(rest.checked_shl(bits).unwrap_or(0) | low)
    }

    /// The same with the sign in the lowest bit.
    fn signed(wire: &mut Wire<'_>) -> Result<i64, Short> {
        let value = unsigned(wire)?;
        let half = i64::try_from(value >> 1).map_err(|_| Short)?;
        Ok(if value & 1 == 0 { half } else { !half })
    }

    pub(super) fn read(body: &[u8]) -> Result<GroupStart, Fault> {
        fields(body).map_err(|Short| SHORT)?.ok_or("the tagged GTID is malformed")
    }

    fn fields(body: &[u8]) -> Result<Option<GroupStart>, Short> {
        let mut wire = Wire::new(body);
        // Version of the format, size of the message, number of the last field that must be known.
        for _ in 0..3 {
            unsigned(&mut wire)?;
        }
        let (mut source, mut sequence, mut tag) = (None, None, None);
        let (mut immediate, mut original) = (None, None);
        while !wire.is_empty() {
            match unsigned(&mut wire)? {
                FLAGS => {
                    unsigned(&mut wire)?;
                }
                SOURCE => {
                    let mut bytes = [0; 16];
                    for byte in &mut bytes {
                        let Ok(value) = u8::try_from(unsigned(&mut wire)?) else {
                            return Ok(None);
                        };
                        *byte = value;
                    }
                    source = Some(Uuid::from_bytes(bytes));
                }
                SEQUENCE => sequence = u64::try_from(signed(&mut wire)?).ok(),
                TAG => {
                    let bytes = unsigned(&mut wire)?;
                    let text = std::str::from_utf8(wire.take_long(bytes)?);
                    tag = text.ok().map(str::to_owned);
                }
                // The logical clocks.
                4 | 5 => {
                    signed(&mut wire)?;
                }
                IMMEDIATE_COMMIT => immediate = Some(unsigned(&mut wire)?),
                ORIGINAL_COMMIT => original = Some(unsigned(&mut wire)?),
                // Fields come in ascending order, and none of the later ones is wanted.
                _ => break,
            }
        }
        let (Some(source), Some(sequence), Some(tag)) = (source, sequence, tag) else {
            return Ok(None);
        };
        let commit_micros = original.or(immediate).and_then(|t| i64::try_from(t).ok());
        let gtid = Some(Gtid::Mysql { source, tag, sequence });
        Ok(Some(GroupStart { gtid, commit_micros, shape: GroupShape::Told }))
    }
}

#[cfg(test)]
mod tests;
