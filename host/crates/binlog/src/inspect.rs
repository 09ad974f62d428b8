//! What a recorded log holds, event by event and in sum, for people and for tests.
//!
//! Rows are counted, never shown; statements are shown only where they are about definitions.

use std::collections::BTreeMap;
use std::path::Path;

use change::{Definitions, GtidSet, TableName};
use serde::Serialize;

use crate::compression::{Inner, Packed, PayloadReader, unpacked_query};
use crate::control::{ControlReader, GroupShape, GroupStart};
use crate::error::BinlogError;
use crate::event::{Checksum, Event, EventKind, Header, Vendor};
use crate::file::EventFile;
use crate::rows::{RowsEvent, RowsVersion, rows_head};
use crate::statement::{Statement, classify, is_about_definitions};
use crate::table_map::TableMap;
use table::Tables;

mod table;

/// Characters of a statement that are shown.
const STATEMENT_CHARACTERS: usize = 200;

/// One event of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventLine {
    /// Where it starts, in bytes from the start of the file.
    pub offset: u64,
    /// Where the next one starts.
    pub end: u64,
    /// The server's name of its kind.
    pub kind: String,
    /// Seconds since 1970-01-01T00:00Z.
    pub timestamp_seconds: u32,
    /// The server that made it first.
    pub server_id: u32,
    /// The transaction that starts here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gtid: Option<String>,
    /// Everything executed before this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed: Option<GtidSet>,
    /// The table that it describes or has rows of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableName>,
    /// Row changes, where they can be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// The statement, where it is about definitions, otherwise its first word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The file that the log goes on in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_file: Option<String>,
    /// Whether a position behind it lies between two transactions.
    pub is_boundary: bool,
}

/// What a table's events come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableSum {
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// Events with rows.
    pub events: u64,
    /// Those of them whose rows cannot be counted, as where the log does not name the columns.
    pub uncounted_events: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// What a file comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileSum {
    /// The file's name.
    pub file: String,
    /// Bytes read.
    pub bytes: u64,
    /// The server's version.
    pub version: String,
    /// Who made the server; none for a file without any event.
    pub vendor: Option<Vendor>,
    /// Whether events have checksums; all that were read are right.
    pub has_checksums: bool,
    /// Whether the server was still writing it.
    pub is_in_use: bool,
    /// Everything executed before the file, where it says so.
    pub executed_before: Option<GtidSet>,
    /// Transactions.
    pub transactions: u64,
    /// Time of the first transaction, seconds since 1970-01-01T00:00Z.
    pub first_seconds: Option<u32>,
    /// Time of the last one.
    pub last_seconds: Option<u32>,
    /// How many events there are of each kind.
    pub events: BTreeMap<String, u64>,
    /// The tables that have rows.
    pub tables: BTreeMap<String, TableSum>,
    /// Where statements about definitions start.
    pub definitions: Vec<(u64, String)>,
}

/// Reads the events of a file, one line each, and sums them up.
pub struct Inspector {
    file: EventFile,
    control: ControlReader,
    tables: Tables,
    /// Whether a transaction is open that ends with an event of its own.
    is_open: bool,
    sum: FileSum,
}

impl Inspector {
    /// Opens a file.
    ///
    /// # Errors
    /// Where it cannot be read, is no binlog, or is encrypted.
    pub fn open(path: &Path) -> Result<Self, BinlogError> {
        let file = EventFile::open(path)?;
        let sum = FileSum {
            file: file.name().to_string(),
            bytes: 0,
            version: String::new(),
            vendor: None,
            has_checksums: false,
            is_in_use: false,
            executed_before: None,
            transactions: 0,
            first_seconds: None,
            last_seconds: None,
            events: BTreeMap::new(),
            tables: BTreeMap::new(),
            definitions: Vec::new(),
        };
        let (control, tables) = (ControlReader::default(), Tables::default());
        Ok(Self { file, control, tables, is_open: false, sum })
    }

    /// With the definitions of tables at the head of the file, so that rows can be counted where the log
    /// does not name columns.
    #[must_use]
    pub fn knowing(mut self, definitions: Definitions) -> Self {
        self.tables = Tables::knowing(definitions);
        self
    }

    /// The definitions of tables behind what was read, as far as they are known.
    #[must_use]
    pub fn definitions(&self) -> &Definitions {
        self.tables.definitions()
    }

    /// The next event; none at the end of the file.
    ///
    /// # Errors
    /// Where the file is damaged.
    #[expect(
        clippy::should_implement_trait,
        reason = "an error does not make the next call useless, as an iterator would suggest"
    )]
    pub fn next(&mut self) -> Result<Option<EventLine>, BinlogError> {
        let Self { file, control, tables, is_open, sum } = self;
        let Some(event) = file.next()? else {
            return Ok(None);
        };
        let mut line = line_of(&event);
        *sum.events.entry(line.kind.clone()).or_default() += 1;
        describe(&mut line, &event, control, tables, is_open, sum);
        sum.bytes = line.end;
        // The first event is a format description.
        if let Some(format) = file.format()
            && sum.vendor.is_none()
        {
            sum.vendor = Some(format.vendor);
            sum.version.clone_from(&format.version);
            sum.has_checksums = format.checksum == Checksum::Crc32;
            sum.is_in_use = file.is_in_use();
        }
        Ok(Some(line))
    }

    /// What was read so far comes to.
    #[must_use]
    pub fn sum(&self) -> &FileSum {
        &self.sum
    }
}

/// Reads a whole file.
///
/// # Errors
/// Where it cannot be read or is damaged.
pub fn inspect(path: &Path) -> Result<FileSum, BinlogError> {
    let mut inspector = Inspector::open(path)?;
    while inspector.next()?.is_some() {}
    Ok(inspector.sum)
}

fn line_of(event: &Event<'_>) -> EventLine {
    EventLine {
        offset: event.offset,
        end: event.end(),
        kind: event.header.kind.to_string(),
        timestamp_seconds: event.header.timestamp_seconds,
        server_id: event.header.server_id,
        gtid: None,
        executed: None,
        table: None,
        rows: None,
        statement: None,
        next_file: None,
        is_boundary: false,
    }
}

/// Adds what an event says. What cannot be read of it is left out: showing a log is not reading it.
fn describe(
    line: &mut EventLine,
    event: &Event<'_>,
    control: &mut ControlReader,
    tables: &mut Tables,
    is_open: &mut bool,
    sum: &mut FileSum,
) {
    use EventKind as Kind;
    match event.header.kind {
        Kind::GTID | Kind::GTID_TAGGED | Kind::ANONYMOUS_GTID | Kind::MARIADB_GTID => {
            if let Ok(start) = control.group_start(event) {
                *is_open = start.shape == GroupShape::Open;
                tables.begin(start.shape);
                line.gtid = gtid_of(&start);
            }
        }
        Kind::PREVIOUS_GTIDS | Kind::GTID_LIST => {
            line.executed = control.executed_before(event).ok();
            sum.executed_before.clone_from(&line.executed);
            line.is_boundary = true;
        }
        Kind::ROTATE => {
            line.next_file = control.rotate(event).ok().map(|(file, _)| file);
            line.is_boundary = true;
        }
        Kind::FORMAT_DESCRIPTION => {
            tables.forget_maps();
            line.is_boundary = true;
        }
        Kind::TABLE_MAP => {
            table_map(line, event, tables, sum);
        }
        Kind::TRANSACTION_PAYLOAD => {
            line.rows = payload(event, tables, sum);
            ended(line, is_open, sum);
        }
        Kind::XID | Kind::XA_PREPARE => ended(line, is_open, sum),
        Kind::QUERY => query(line, event, control, tables, is_open, sum),
        Kind::QUERY_COMPRESSED => {
            let mut plain = Vec::new();
            if unpacked_query(event.body, &mut plain).is_ok() {
                let header = Header { kind: Kind::QUERY, ..event.header };
                query(line, &event.with(header, &plain), control, tables, is_open, sum);
            }
        }
        kind => {
            if let Some(change) = change_of(kind) {
                rows(line, event, change, tables, sum);
            }
        }
    }
}

/// The row changes of a compressed transaction; none where it cannot be unpacked.
fn payload(event: &Event<'_>, tables: &mut Tables, sum: &mut FileSum) -> Option<u32> {
    let mut count: u32 = 0;
    let mut events = PayloadReader::new(event.body, Vec::new()).ok()?;
    while let Some(Inner { header, body }) = events.next().ok()? {
        let inner = Event { header, body, offset: event.offset, checksum: None };
        let mut line = line_of(&inner);
        if header.kind == EventKind::TABLE_MAP {
            table_map(&mut line, &inner, tables, sum);
        } else if let Some(change) = change_of(header.kind) {
            rows(&mut line, &inner, change, tables, sum);
            count = count.saturating_add(line.rows.unwrap_or(0));
        }
    }
    Some(count)
}

fn table_map(line: &mut EventLine, event: &Event<'_>, tables: &mut Tables, sum: &FileSum) {
    if let Ok((id, name)) = TableMap::peek_name(event.body) {
        line.table = Some(name.clone());
        let vendor = sum.vendor.unwrap_or(Vendor::Mysql);
        tables.describe(id, name, event.body, vendor);
    }
}

fn gtid_of(start: &GroupStart) -> Option<String> {
    start.gtid.as_ref().map(ToString::to_string)
}

fn ended(line: &mut EventLine, is_open: &mut bool, sum: &mut FileSum) {
    *is_open = false;
    line.is_boundary = true;
    sum.transactions = sum.transactions.saturating_add(1);
    sum.first_seconds.get_or_insert(line.timestamp_seconds);
    sum.last_seconds = Some(line.timestamp_seconds);
}

fn query(
    line: &mut EventLine,
    event: &Event<'_>,
    control: &mut ControlReader,
    tables: &mut Tables,
    is_open: &mut bool,
    sum: &mut FileSum,
) {
    let Ok(query) = control.query(event) else {
        return;
    };
    let statement = classify(&query.text, &query.database);
    if is_about_definitions(&query.text) {
        let text: String = query.text.chars().take(STATEMENT_CHARACTERS).collect();
        sum.definitions.push((line.offset, text.clone()));
        line.statement = Some(text);
        tables.learn(&query, &statement, sum.vendor);
    } else {
        // Only the first word: the rest may hold values.
        let word = query.text.split_whitespace().next().unwrap_or_default();
        line.statement = Some(word.chars().take(STATEMENT_CHARACTERS).collect());
    }
    match statement {
        Statement::Begin => *is_open = true,
        Statement::Commit | Statement::Rollback => ended(line, is_open, sum),
        Statement::Xa(what) => match what.as_str() {
            "START" | "BEGIN" => *is_open = true,
            "END" => {}
            _ => ended(line, is_open, sum),
        },
        _ if !*is_open => ended(line, is_open, sum),
        _ => {}
    }
}

/// What an event does to rows, and how it is written.
fn change_of(kind: EventKind) -> Option<(RowsEvent, RowsVersion)> {
    use EventKind as Kind;
    use RowsEvent::{Delete, PartialUpdate, Update, Write};
    use RowsVersion::{V1, V2};
    Some(match kind {
        Kind::WRITE_ROWS => (Write, V2),
        Kind::UPDATE_ROWS => (Update, V2),
        Kind::DELETE_ROWS => (Delete, V2),
        Kind::WRITE_ROWS_V1 => (Write, V1),
        Kind::UPDATE_ROWS_V1 => (Update, V1),
        Kind::DELETE_ROWS_V1 => (Delete, V1),
        Kind::PARTIAL_UPDATE_ROWS => (PartialUpdate, V2),
        kind => match Packed::of(kind) {
            Some(Packed::Rows(change, version)) => (change, version),
            _ => return None,
        },
    })
}

fn rows(
    line: &mut EventLine,
    event: &Event<'_>,
    (kind, version): (RowsEvent, RowsVersion),
    tables: &mut Tables,
    sum: &mut FileSum,
) {
    let head = rows_head(event.body).ok();
    let Some(described) = head.and_then(|head| tables.of_id(head.table_id)) else {
        return;
    };
    line.rows = described.count(event, kind, version);
    line.table = Some(described.name.clone());
    let table = sum.tables.entry(described.name.to_string()).or_default();
    table.events = table.events.saturating_add(1);
    table.bytes = table.bytes.saturating_add(event.header.length.into());
    let Some(rows) = line.rows else {
        table.uncounted_events = table.uncounted_events.saturating_add(1);
        return;
    };
    let counted = match kind {
        RowsEvent::Write => &mut table.inserted,
        RowsEvent::Update | RowsEvent::PartialUpdate => &mut table.updated,
        RowsEvent::Delete => &mut table.deleted,
    };
    *counted = counted.saturating_add(u64::from(rows));
}

#[cfg(test)]
mod tests;
