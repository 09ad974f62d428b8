//! Events in, slices of whole transactions out: the part that files and live servers share.
//!
//! A transaction is everything from the event that starts it to the one that ends it. Nothing of it is
//! seen before it is committed, and an event that is not understood stops the reading: nothing is
//! skipped but what its header allows to skip and what is known to carry no rows.

use std::sync::Arc;

use change::{Fingerprint, Gtid, GtidSet, LogFile, Position, SchemaChange, Transaction};

use self::definition::may_concern;
use crate::capture::Capture;
use crate::compression::Packed;
use crate::control::ControlReader;
use crate::definition::{History, NameCase};
use crate::error::{BinlogError, Place};
use crate::event::{Event, EventKind, FIRST_EVENT_OFFSET, Format, Vendor};
use crate::options::ReadOptions;
use crate::rows::{RowsEvent, RowsVersion};
use group::{Group, Outcome};
use packed::Suspended;
use sought::Sought;
use xa::Held;

mod definition;
mod group;
mod packed;
mod query;
mod refusal;
mod slice;
mod sought;
mod xa;

pub(crate) use xa::HeldTransactions;

/// A slice closes once it has come over this many bytes of log, even where none of them was of a captured
/// table: positions have to move on.
const SLICE_LOG_BYTES_MAX: u64 = 64 << 20;

/// Whether a slice is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Not yet.
    NotYet,
    /// Now: it is full, or a statement about definitions ends it.
    Now,
}

/// What the slice in the making has come to.
#[derive(Default)]
struct Fill {
    images: usize,
    row_bytes: usize,
    log_bytes: u64,
    commit_micros: Option<i64>,
    schema_change: Option<SchemaChange>,
    has_moved: bool,
}

/// Reads the events of a log.
pub(crate) struct Reader {
    options: ReadOptions,
    control: ControlReader,
    capture: Capture,
    history: History,
    /// Whether statements before the start carry the definitions on as well: nothing was known there.
    learns_before_start: bool,
    vendor: Option<Vendor>,
    server: Option<String>,
    file: Arc<str>,
    /// Where the last transaction ended, or the head of the file.
    boundary: u64,
    executed: Option<GtidSet>,
    fingerprint: Option<Fingerprint>,
    /// Whether transactions without GTID stand among others: then no set tells what was executed, until
    /// the head of a file lists it anew.
    has_anonymous: bool,
    /// Whether GTIDs are no measure of what was executed at all: the server does not give one to every
    /// transaction, so what a file's head lists is not all that lies before it.
    ignores_gtids: bool,
    names: NameCase,
    /// Transactions that lie before the start, where it is known by its GTID set alone.
    covered: Option<GtidSet>,
    /// Where the start lies in this file, while the reader is on its way there.
    scan_to: Option<u64>,
    sought: Sought,
    group: Option<Group>,
    fill: Fill,
    /// The position before the transaction that may be spread over slices.
    before_parts: Option<Position>,
    /// XA transactions that are prepared and neither committed nor rolled back, the oldest first.
    held: Vec<Held>,
    /// A compressed transaction that a slice closed in the middle of.
    suspended: Option<Suspended>,
    /// What the last compressed event or payload was unpacked into.
    unpacked: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(options: ReadOptions, server: Option<String>) -> Self {
        let capture = Capture::new(&options);
        let mut history = History::new(options.definitions.clone());
        history.keep(|table| may_concern(&options, NameCase::default(), table));
        Self {
            learns_before_start: options.definitions.is_empty(),
            history,
            vendor: None,
            options,
            control: ControlReader::default(),
            capture,
            server,
            file: "".into(),
            boundary: FIRST_EVENT_OFFSET,
            executed: None,
            fingerprint: None,
            has_anonymous: false,
            ignores_gtids: false,
            names: NameCase::default(),
            covered: None,
            scan_to: None,
            sought: Sought::default(),
            group: None,
            fill: Fill::default(),
            before_parts: None,
            held: Vec::new(),
            suspended: None,
            unpacked: Vec::new(),
        }
    }

    /// Sets where the reading goes on.
    pub(crate) fn resume(&mut self, position: &Position) {
        self.file = position.file.as_str().into();
        self.boundary = position.offset;
        self.executed.clone_from(&position.gtids);
        // Without a set, the transactions from here on are not all that were executed.
        self.has_anonymous = position.gtids.is_none() && position.offset > FIRST_EVENT_OFFSET;
        self.fingerprint.clone_from(&position.fingerprint);
    }

    /// Positions are told by file and offset alone.
    pub(crate) fn ignore_gtids(&mut self) {
        self.ignores_gtids = true;
        self.has_anonymous = true;
        self.executed = None;
    }

    /// What the letter case of tables' names means.
    pub(crate) fn names_are(&mut self, names: NameCase) {
        self.names = names;
        self.history.names_are(names);
    }

    /// Leaves out the transactions of a set.
    pub(crate) fn leave_out(&mut self, covered: GtidSet) {
        self.executed = Some(covered.clone());
        self.covered = Some(covered);
    }

    /// Passes over everything before an offset of the file, without looking at its rows.
    pub(crate) fn scan_to(&mut self, offset: u64) {
        self.scan_to = Some(offset);
    }

    /// Starts handing out what follows. The last transaction has to be the one that the position
    /// remembers.
    ///
    /// # Errors
    /// Where it is another one.
    pub(crate) fn start_here(&mut self, start: &Position) -> Result<(), BinlogError> {
        if let (Some(found), Some(expected)) = (&self.fingerprint, &start.fingerprint)
            && let Some(difference) = difference(found, expected)
        {
            let (file, offset) = (Arc::clone(&self.file), found.event_offset);
            let place = Place { file, offset, event: None };
            return Err(BinlogError::AnotherLog { place, difference });
        }
        self.scan_to = None;
        self.fill = Fill::default();
        // What was learnt on the way is what is known at the start.
        drop(self.history.take_changed());
        if self.executed.is_none() && !self.ignores_gtids {
            self.executed.clone_from(&start.gtids);
        }
        Ok(())
    }

    /// The file that is being read.
    pub(crate) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// Where the last transaction ended.
    pub(crate) fn boundary(&self) -> u64 {
        self.boundary
    }

    /// Everything executed up to here, where the log tells.
    pub(crate) fn executed(&self) -> Option<&GtidSet> {
        self.executed.as_ref()
    }

    /// How many dates that no calendar has became NULL in what was handed out.
    pub(crate) fn nulled_dates(&self) -> u64 {
        self.capture.nulled_dates()
    }

    /// The start of a transaction that has not ended.
    pub(crate) fn open_group(&self) -> Option<Place> {
        let group = self.group.as_ref()?;
        Some(Place { file: Arc::clone(&self.file), offset: group.start, event: None })
    }

    /// The position behind the last transaction.
    pub(crate) fn position(&self) -> Position {
        Position {
            server: self.server.clone(),
            file: self.file.to_string(),
            offset: self.boundary,
            gtids: self.executed.clone(),
            fingerprint: self.fingerprint.clone(),
        }
    }

    pub(crate) fn place(&self, event: &Event<'_>) -> Place {
        place(&self.file, event)
    }

    /// The log goes on in another file.
    ///
    /// # Errors
    /// Where a transaction has not ended.
    pub(crate) fn enter_file(&mut self, file: Arc<str>) -> Result<(), BinlogError> {
        if let Some(place) = self.open_group() {
            return Err(BinlogError::OpenTransaction { place });
        }
        self.file = file;
        self.boundary = FIRST_EVENT_OFFSET;
        // What is remembered of a transaction is where it ends in its file.
        self.fingerprint = None;
        Ok(())
    }

    /// A format description: the head of a file, or of what a server sends of one.
    pub(crate) fn format(&mut self, format: &Format) {
        self.vendor = Some(format.vendor);
        self.capture.restart(format.vendor);
    }

    /// The vendor, before the first format description tells it.
    pub(crate) fn format_of(&mut self, vendor: Vendor) {
        self.vendor = Some(vendor);
        self.capture.restart(vendor);
    }

    /// Whether the reading has come to a position: to its file and offset on its server, or past all
    /// transactions of its set.
    pub(crate) fn reaches(&self, until: &Position) -> bool {
        let is_same_server = until.server == self.server;
        let is_there = !self.file.is_empty()
            && (LogFile(&until.file), until.offset) <= (LogFile(&self.file), self.boundary);
        let has_all = match (&self.executed, &until.gtids) {
            (Some(own), Some(theirs)) => own.contains_all(theirs),
            _ => false,
        };
        (is_same_server && is_there) || has_all
    }

    /// The position is worth telling even where no transaction moved it.
    pub(crate) fn has_moved(&mut self) {
        self.fill.has_moved = true;
    }

    /// Counts bytes of log that hold no event of this reader's (heads of files, format descriptions).
    pub(crate) fn count_bytes(&mut self, bytes: u64) {
        self.fill.log_bytes = self.fill.log_bytes.saturating_add(bytes);
    }

    /// Moves on behind an event that lies outside of transactions.
    pub(crate) fn pass(&mut self, end: u64) {
        if self.group.is_none() {
            self.boundary = self.boundary.max(end);
        }
    }

    /// Where the file goes on, from a ROTATE event.
    pub(crate) fn rotate(&mut self, event: &Event<'_>) -> Result<(String, u64), BinlogError> {
        self.control.rotate(event).map_err(|what| malformed(&self.file, event, what))
    }

    /// Everything executed before this file, from its PREVIOUS_GTIDS or GTID_LIST.
    pub(crate) fn executed_before(&mut self, event: &Event<'_>) -> Result<GtidSet, BinlogError> {
        self.control.executed_before(event).map_err(|what| malformed(&self.file, event, what))
    }

    /// Sets what was executed before a file, where nothing is known yet. An empty set says nothing: a
    /// server without GTIDs writes it too.
    pub(crate) fn set_executed(&mut self, executed: GtidSet) {
        let is_empty = match &executed {
            GtidSet::Mysql(set) => set.is_empty(),
            GtidSet::MariaDb(set) => set.domains.is_empty(),
        };
        if !is_empty && !self.ignores_gtids {
            self.has_anonymous = false;
            self.executed.get_or_insert(executed);
        }
    }

    /// Takes an event in. Format descriptions and rotations are the caller's.
    ///
    /// # Errors
    /// Where the event is damaged, or means something that is not read.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> Result<Due, BinlogError> {
        if self.is_behind_time(event) {
            return Ok(Due::NotYet);
        }
        self.fill.log_bytes = self.fill.log_bytes.saturating_add(event.header.length.into());
        if self.scan_to.is_some() && self.group.is_none() && event.header.kind == EventKind::QUERY {
            self.group = Some(Group { is_covered: true, ..Group::new(event) });
        }
        if self.group.as_ref().is_some_and(|group| group.is_covered) {
            return self.covered_event(event);
        }
        self.plain_event(event)
    }

    /// Takes an event in that counts.
    fn plain_event(&mut self, event: &Event<'_>) -> Result<Due, BinlogError> {
        use EventKind as Kind;
        use RowsEvent::{Delete, PartialUpdate, Update, Write};
        use RowsVersion::{V1, V2};
        if let Some(packed) = Packed::of(event.header.kind) {
            return self.packed_event(event, packed);
        }
        match event.header.kind {
            Kind::TABLE_MAP => self.table_map(event)?,
            Kind::WRITE_ROWS => self.rows(event, Write, V2)?,
            Kind::UPDATE_ROWS => self.rows(event, Update, V2)?,
            Kind::PARTIAL_UPDATE_ROWS => self.rows(event, PartialUpdate, V2)?,
            Kind::DELETE_ROWS => self.rows(event, Delete, V2)?,
            Kind::WRITE_ROWS_V1 => self.rows(event, Write, V1)?,
            Kind::UPDATE_ROWS_V1 => self.rows(event, Update, V1)?,
            Kind::DELETE_ROWS_V1 => self.rows(event, Delete, V1)?,
            Kind::XA_PREPARE => return self.xa_prepare(event),
            Kind::XID => return self.finish(event, Outcome::Committed),
            Kind::QUERY => return self.query(event),
            Kind::TRANSACTION_PAYLOAD => return self.payload(event),
            Kind::GTID | Kind::ANONYMOUS_GTID | Kind::GTID_TAGGED | Kind::MARIADB_GTID => {
                self.group_start(event)?;
            }
            Kind::PREVIOUS_GTIDS | Kind::GTID_LIST => {
                let executed = self.executed_before(event)?;
                self.set_executed(executed);
                self.outside(event);
            }
            Kind::STOP
            | Kind::BINLOG_CHECKPOINT
            | Kind::ROWS_QUERY
            | Kind::ANNOTATE_ROWS
            | Kind::TRANSACTION_CONTEXT
            | Kind::VIEW_CHANGE
            | Kind::IGNORABLE
            | Kind::HEARTBEAT
            | Kind::HEARTBEAT_V2 => self.outside(event),
            _ => refusal::of(event, self.place(event))?,
        }
        Ok(Due::NotYet)
    }

    /// An event that carries no rows: outside of a transaction it moves the position on.
    fn outside(&mut self, event: &Event<'_>) {
        // A heartbeat and what a server made for this connection stand in no file.
        let stands = !matches!(event.header.kind, EventKind::HEARTBEAT | EventKind::HEARTBEAT_V2);
        if stands && event.header.end != 0 && !event.header.is_artificial() {
            self.pass(event.end());
        }
    }

    fn group_start(&mut self, event: &Event<'_>) -> Result<(), BinlogError> {
        if self.group.is_some() {
            let what = "a transaction starts before the one before it ends";
            return Err(malformed(&self.file, event, what));
        }
        let start = self.control.group_start(event);
        let start = start.map_err(|what| malformed(&self.file, event, what))?;
        let covered = |gtid: &Gtid| self.covered.as_ref().is_some_and(|set| set.contains(gtid));
        let is_covered = self.scan_to.is_some() || start.gtid.as_ref().is_some_and(covered);
        if let (false, Some(gtid @ Gtid::MariaDb { .. })) = (is_covered, &start.gtid)
            && self.executed.as_ref().is_some_and(|set| set.contains(gtid))
        {
            return Err(refusal::out_of_order(self.place(event)));
        }
        self.group = Some(Group {
            gtid: start.gtid,
            commit_micros: start.commit_micros,
            shape: start.shape,
            is_covered,
            ..Group::new(event)
        });
        Ok(())
    }

    fn table_map(&mut self, event: &Event<'_>) -> Result<(), BinlogError> {
        if self.group.is_none() {
            return Err(malformed(&self.file, event, "rows outside of a transaction"));
        }
        let file = &self.file;
        self.capture.table_map(event, &self.options, &self.history, || place(file, event))
    }

    fn rows(
        &mut self,
        event: &Event<'_>,
        kind: RowsEvent,
        version: RowsVersion,
    ) -> Result<(), BinlogError> {
        let file = &self.file;
        let Some(group) = self.group.as_mut() else {
            return Err(malformed(file, event, "rows outside of a transaction"));
        };
        let first_row = group.rows;
        let added = self.capture.rows(event, kind, version, first_row, || place(file, event))?;
        group.rows = group.rows.saturating_add(added.rows);
        self.fill.images = self.fill.images.saturating_add(added.images);
        self.fill.row_bytes = self.fill.row_bytes.saturating_add(added.bytes);
        Ok(())
    }

    /// The end of a transaction.
    fn finish(&mut self, event: &Event<'_>, outcome: Outcome) -> Result<Due, BinlogError> {
        let Some(group) = self.group.take() else {
            let what = "a transaction ends that has not begun";
            return Err(malformed(&self.file, event, what));
        };
        let seconds = i64::from(event.header.timestamp_seconds);
        let commit_micros = group.commit_micros.unwrap_or(seconds.saturating_mul(1_000_000));
        let end = event.end();
        match outcome {
            Outcome::Committed => self.commit(event, &group, commit_micros)?,
            Outcome::RolledBack => self.capture.rollback(),
        }
        self.executed_now(group.gtid.as_ref());
        self.fingerprint = Some(fingerprint(event, commit_micros));
        self.boundary = end;
        self.fill.has_moved = true;
        self.fill.commit_micros = Some(commit_micros);
        let fill = &self.fill;
        let is_full = fill.images >= self.options.slice_images_max
            || fill.row_bytes >= self.options.slice_bytes_max
            || fill.log_bytes >= SLICE_LOG_BYTES_MAX
            || fill.schema_change.is_some()
            // Whoever goes on from the end of a slice has to know the definitions there.
            || self.history.has_changed();
        Ok(if is_full { Due::Now } else { Due::NotYet })
    }

    fn commit(
        &mut self,
        event: &Event<'_>,
        group: &Group,
        commit_micros: i64,
    ) -> Result<(), BinlogError> {
        let place = self.place(event);
        let in_parts = self.capture.commit(&place, || Transaction {
            file: Arc::clone(&self.file),
            start: group.start,
            end: event.end(),
            gtid: group.gtid.clone(),
            commit_micros,
            server_id: group.server_id,
        })?;
        if in_parts && self.before_parts.is_none() {
            self.before_parts = Some(self.position());
        }
        Ok(())
    }

    /// Counts a transaction as executed.
    fn executed_now(&mut self, gtid: Option<&Gtid>) {
        match gtid {
            Some(_) if self.has_anonymous => {}
            Some(gtid) => {
                self.executed.get_or_insert_with(|| GtidSet::of(gtid)).insert(gtid);
            }
            None => {
                self.has_anonymous = true;
                self.executed = None;
            }
        }
    }
}

fn place(file: &Arc<str>, event: &Event<'_>) -> Place {
    Place { file: Arc::clone(file), offset: event.offset, event: Some(event.header.kind) }
}

fn malformed(file: &Arc<str>, event: &Event<'_>, what: &'static str) -> BinlogError {
    BinlogError::Malformed { place: place(file, event), what }
}

/// What differs between two memories of a transaction; none where they are the same.
pub(crate) fn difference(found: &Fingerprint, expected: &Fingerprint) -> Option<&'static str> {
    if found.event_offset != expected.event_offset {
        Some("it ends elsewhere")
    } else if found.checksum != expected.checksum {
        Some("its last event has another checksum")
    } else if found.commit_micros != expected.commit_micros {
        Some("it was committed at another time")
    } else {
        None
    }
}

/// What is remembered of the transaction that an event ends.
pub(crate) fn fingerprint(event: &Event<'_>, commit_micros: i64) -> Fingerprint {
    let checksum = event.checksum.unwrap_or_else(|| event.header.checksum_of(event.body));
    Fingerprint { event_offset: event.offset, commit_micros, checksum }
}

#[cfg(test)]
mod tests;
