//! A live server's log as slices of whole transactions.
//!
//! Nothing here retries: a lost connection is an error that says so, and the caller connects again at
//! the position behind the last slice. A replica with the same server id is never answered by connecting
//! again, since the two would throw each other out for ever.

use std::sync::Arc;
use std::time::Duration;

use change::{Fingerprint, GtidSet, LogFile, LogSlice, Position};
use mysql_async::{BinlogStreamRequest, Conn, GnoInterval, Sid};
use mysql_common::packets::Tag;
use tracing::{debug, info};
use uuid::Uuid;

use crate::error::{BinlogError, Place, ServerCause};
use crate::event::{EventKind, FIRST_EVENT_OFFSET, Vendor};
use crate::options::{RANDOM_SERVER_IDS, ReadOptions, ServerOptions, Start};
use crate::reader::{Due, Reader, difference};
use connection::{Connection, Failure};
use dump::{Dump, Sent};

pub use check::{Finding, Severity, check};
pub use facts::ServerFacts;

mod catalog;
mod check;
mod connection;
mod dump;
mod facts;

pub use catalog::table_schemas;

/// Heartbeats that may stay away before the connection counts as lost.
const SILENT_HEARTBEATS_MAX: u32 = 3;

/// Reads a server's log as it grows.
pub struct LiveSource {
    dump: Dump,
    reader: Reader,
    facts: ServerFacts,
    until: Option<Position>,
    /// What stopped the reading, told once everything before it is handed out.
    failed: Option<BinlogError>,
    is_done: bool,
}

/// How the server is asked for its log.
#[derive(Clone, Debug)]
enum Request {
    /// Behind the transactions of a set.
    Gtids(GtidSet),
    /// From an offset of a file.
    File { file: String, offset: u64 },
}

/// What has to be found before anything is handed out.
#[derive(Clone, Debug)]
enum Arrival {
    /// Nothing: the stream starts where it was asked to.
    There,
    /// The last event of the transaction before the start, which has to be the remembered one.
    Remembered(Fingerprint),
    /// An end of a transaction at the start's offset; the file is read from its head.
    Boundary,
}

impl LiveSource {
    /// Connects, checks that the server's log can be read, and asks for it. Reading ends at `until`
    /// where there is one, otherwise never.
    ///
    /// # Errors
    /// Where the server cannot be reached, refuses, writes no log that can be read, or does not have the
    /// start position (any more).
    pub async fn connect(
        server: &ServerOptions,
        start: Start,
        until: Option<Position>,
        options: ReadOptions,
    ) -> Result<Self, BinlogError> {
        let mut connection = Connection::open(server).await?;
        let facts = ServerFacts::ask(&mut connection).await?;
        require(&facts)?;
        let position = resolve(&mut connection, &facts, start).await?;
        within(&facts, &position)?;
        let (request, arrival) = plan(&facts, &position)?;
        if let (Request::Gtids(_), Some(expected)) = (&request, &position.fingerprint) {
            compare_remembered(server, &facts, &mut connection, &position, expected).await?;
        }
        let mut reader = Reader::new(options, Some(facts.identity.clone()));
        reader.resume(&reading_from(&facts, &position, &arrival));
        reader.format_of(facts.vendor);
        let dump = open_dump(connection, server, &facts, &request).await?;
        let mut source = Self { dump, reader, facts, until, failed: None, is_done: false };
        source.arrive(&position, arrival).await?;
        source.is_done = source.has_reached();
        info!(server = %source.facts.address, version = %source.facts.version, start = %position, "reading the log");
        Ok(source)
    }

    /// The next slice: closed as soon as it is full or the server has nothing more at hand. None where
    /// `until` was reached. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Where the connection is lost, the server refuses to go on, or the log cannot be read; every
    /// transaction before that point was handed out.
    pub async fn next(&mut self) -> Result<Option<LogSlice>, BinlogError> {
        loop {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.is_done {
                return if self.reader.has_slice() { self.slice() } else { Ok(None) };
            }
            let may_close = self.reader.has_slice() && self.reader.open_group().is_none();
            let sent = if may_close {
                match self.dump.ready() {
                    Ok(Some(sent)) => Ok(sent),
                    Ok(None) => return self.slice(),
                    Err(error) => Err(error),
                }
            } else {
                self.dump.wait().await
            };
            match sent.and_then(|sent| self.take(&sent)) {
                Ok(Due::Now) => return self.slice(),
                Ok(Due::NotYet) => {}
                Err(error) if self.reader.has_slice() => {
                    self.failed = Some(error);
                    return self.slice();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The position behind the last transaction that was read; before the first one, where the reading
    /// started.
    #[must_use]
    pub fn position(&self) -> Position {
        self.reader.position()
    }

    /// What the server said of itself when the source connected.
    #[must_use]
    pub fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// How many dates that no calendar has became NULL in what was handed out (`ZeroDates::Null`).
    #[must_use]
    pub fn nulled_dates(&self) -> u64 {
        self.reader.nulled_dates()
    }

    fn slice(&mut self) -> Result<Option<LogSlice>, BinlogError> {
        self.reader.take_slice().map(Some)
    }

    fn take(&mut self, sent: &Sent) -> Result<Due, BinlogError> {
        let event = sent.event();
        let due = match event.header.kind {
            EventKind::FORMAT_DESCRIPTION => {
                if let Some(place) = self.reader.open_group() {
                    return Err(BinlogError::OpenTransaction { place });
                }
                if let Some(format) = &sent.format {
                    self.reader.format(format);
                }
                if event.header.end != 0 && !event.header.is_artificial() {
                    self.reader.pass(event.end());
                }
                Due::NotYet
            }
            EventKind::ROTATE => {
                let (file, offset) = self.reader.rotate(&event)?;
                self.rotate(file, offset)?;
                Due::NotYet
            }
            EventKind::HEARTBEAT => {
                self.heartbeat(&event);
                Due::NotYet
            }
            _ => self.reader.event(&event)?,
        };
        self.is_done |= self.has_reached();
        Ok(due)
    }

    /// The server goes on in a file: told once at the end of the file before, and once more, artificially,
    /// at the head of the new one.
    fn rotate(&mut self, file: String, offset: u64) -> Result<(), BinlogError> {
        if **self.reader.file() != *file {
            debug!(file, offset, "the log goes on in another file");
            let is_first = self.reader.file().is_empty();
            self.reader.enter_file(Arc::from(file.as_str()))?;
            if !is_first {
                self.reader.has_moved();
            }
        }
        self.reader.pass(offset);
        self.dump.enter(Arc::clone(self.reader.file()), offset);
        Ok(())
    }

    /// An idle server says where its log ends.
    fn heartbeat(&mut self, event: &crate::event::Event<'_>) {
        let is_here = event.body == self.reader.file().as_bytes();
        if is_here && self.reader.open_group().is_none() && event.header.end != 0 {
            let end = dump::widen(event.header.end, self.reader.boundary());
            self.reader.pass(end);
        }
    }

    fn has_reached(&self) -> bool {
        let is_between = self.reader.open_group().is_none();
        self.until.as_ref().is_some_and(|until| is_between && self.reader.reaches(until))
    }

    /// Reads up to the start where it has to prove itself first.
    async fn arrive(&mut self, start: &Position, arrival: Arrival) -> Result<(), BinlogError> {
        match arrival {
            Arrival::There => Ok(()),
            Arrival::Remembered(expected) => self.expect(&expected).await,
            Arrival::Boundary => self.scan(start).await,
        }
    }

    /// The first event has to be the last one of the remembered transaction.
    async fn expect(&mut self, expected: &Fingerprint) -> Result<(), BinlogError> {
        loop {
            let sent = self.dump.wait().await?;
            let event = sent.event();
            if is_preamble(&sent) {
                self.take(&sent)?;
                continue;
            }
            let found = crate::reader::fingerprint(&event, expected.commit_micros);
            return match difference(&found, expected) {
                None => {
                    self.reader.pass(event.end());
                    Ok(())
                }
                Some(difference) => {
                    let place = self.reader.place(&event);
                    Err(BinlogError::AnotherLog { place, difference })
                }
            };
        }
    }

    /// Reads a file from its head to the start, which has to lie between two transactions.
    async fn scan(&mut self, start: &Position) -> Result<(), BinlogError> {
        let (file, offset) = (Arc::from(start.file.as_str()), start.offset);
        self.reader.scan_to(offset);
        while self.reader.boundary() < offset {
            let before = self.reader.boundary();
            let sent = self.dump.wait().await?;
            let is_idle = sent.event().header.kind == EventKind::HEARTBEAT;
            self.take(&sent)?;
            let after = self.reader.boundary();
            let is_elsewhere = **self.reader.file() != *start.file;
            if is_elsewhere || (is_idle && after < offset) {
                return Err(BinlogError::NotABoundary { file, offset, before, after: None });
            }
            if after > offset {
                return Err(BinlogError::NotABoundary { file, offset, before, after: Some(after) });
            }
        }
        self.reader.start_here(start)
    }
}

/// Whether an event only introduces the stream.
fn is_preamble(sent: &Sent) -> bool {
    let header = sent.event().header;
    let is_head = matches!(
        header.kind,
        EventKind::FORMAT_DESCRIPTION | EventKind::HEARTBEAT | EventKind::HEARTBEAT_V2
    );
    is_head || header.is_artificial() || (header.kind == EventKind::GTID_LIST && header.end == 0)
}

/// Whether the server writes a log that can be read.
fn require(facts: &ServerFacts) -> Result<(), BinlogError> {
    let cause = if !facts.has_binlog || facts.position.is_none() {
        ServerCause::NoBinlog
    } else if !facts.binlog_format.eq_ignore_ascii_case("ROW") {
        ServerCause::NotRowFormat
    } else {
        return Ok(());
    };
    Err(BinlogError::server(&facts.address, cause, None))
}

/// The position that a start stands for.
async fn resolve(
    connection: &mut Connection,
    facts: &ServerFacts,
    start: Start,
) -> Result<Position, BinlogError> {
    let no_binlog = || BinlogError::server(&facts.address, ServerCause::NoBinlog, None);
    match start {
        Start::At(position) => Ok(position),
        Start::Latest => facts.position.clone().ok_or_else(no_binlog),
        Start::Earliest => {
            let rows = connection.rows::<mysql_async::Row>("SHOW BINARY LOGS").await?;
            let first = rows.into_iter().next().and_then(|row| row.get_opt::<String, _>(0));
            let file = first.and_then(Result::ok).ok_or_else(no_binlog)?;
            Ok(Position {
                server: Some(facts.identity.clone()),
                ..Position::at(file, FIRST_EVENT_OFFSET)
            })
        }
    }
}

/// Whether the server has come as far as the position. One that has not was reset, restored, or is a
/// replica that lags behind; asked for what is not there it would send nothing, or start anew.
fn within(facts: &ServerFacts, position: &Position) -> Result<(), BinlogError> {
    let Some(end) = &facts.position else {
        return Ok(());
    };
    let is_here = position.server.as_ref().is_none_or(|server| *server == facts.identity);
    let cause = match (&position.gtids, &end.gtids) {
        (Some(covered), Some(executed)) if executed.contains_all(covered) => return Ok(()),
        (Some(_), _) if !facts.has_gtids() => return Ok(()),
        (Some(_), _) => ServerCause::Diverged,
        (None, _) if !is_here => return Ok(()),
        (None, _) if LogFile(&end.file) < LogFile(&position.file) => ServerCause::NoSuchLog,
        (None, _) if end.file == position.file && end.offset < position.offset => {
            ServerCause::BeyondEnd
        }
        (None, _) => return Ok(()),
    };
    Err(BinlogError::server(&facts.address, cause, None))
}

/// Where the reader starts from: the position itself, the head of its file where it has to prove itself,
/// and no file at all where its file is another server's.
fn reading_from(facts: &ServerFacts, position: &Position, arrival: &Arrival) -> Position {
    let is_here = position.server.as_ref() == Some(&facts.identity);
    if matches!(arrival, Arrival::Boundary) {
        return Position::at(position.file.as_str(), FIRST_EVENT_OFFSET);
    }
    if position.gtids.is_some() && !is_here {
        let file = String::new();
        return Position { file, offset: FIRST_EVENT_OFFSET, ..position.clone() };
    }
    position.clone()
}

/// How to ask for a position, and what has to be seen before it counts as found.
fn plan(facts: &ServerFacts, position: &Position) -> Result<(Request, Arrival), BinlogError> {
    let refuse = |cause| BinlogError::server(&facts.address, cause, None);
    if let Some(gtids) = &position.gtids {
        let is_same_vendor = match gtids {
            GtidSet::Mysql(_) => facts.vendor == Vendor::Mysql,
            GtidSet::MariaDb(_) => facts.vendor == Vendor::MariaDb,
        };
        if !is_same_vendor {
            return Err(refuse(ServerCause::AnotherServer));
        }
        if !facts.has_gtids() {
            return Err(refuse(ServerCause::GtidsOff));
        }
        return Ok((Request::Gtids(gtids.clone()), Arrival::There));
    }
    if position.server.as_ref().is_some_and(|server| *server != facts.identity) {
        return Err(refuse(ServerCause::AnotherServer));
    }
    let file = position.file.clone();
    let at = |offset: u64| Request::File { file: file.clone(), offset };
    // What the server itself just told is the end of a transaction.
    let is_end = facts
        .position
        .as_ref()
        .is_some_and(|end| (&end.file, end.offset) == (&position.file, position.offset));
    let (offset, arrival) = match &position.fingerprint {
        Some(remembered) => (remembered.event_offset, Arrival::Remembered(remembered.clone())),
        None if is_end || position.offset <= FIRST_EVENT_OFFSET => {
            (position.offset, Arrival::There)
        }
        None => (FIRST_EVENT_OFFSET, Arrival::Boundary),
    };
    if u32::try_from(offset).is_err() {
        return Err(refuse(ServerCause::BeyondFourGigabytes));
    }
    Ok((at(offset), arrival))
}

/// Sets up the session and asks for the log.
async fn open_dump(
    mut connection: Connection,
    server: &ServerOptions,
    facts: &ServerFacts,
    request: &Request,
) -> Result<Dump, BinlogError> {
    for statement in session(server, facts, request) {
        connection.run(&statement).await?;
    }
    let address = connection.address().to_owned();
    let silence_max = server.heartbeat.saturating_mul(SILENT_HEARTBEATS_MAX);
    let silence_max = silence_max.max(Duration::from_secs(1));
    let id = server.server_id.unwrap_or_else(random_server_id);
    let wanted = BinlogStreamRequest::new(id);
    let (file, offset) = match request {
        Request::Gtids(_) => ("", FIRST_EVENT_OFFSET),
        Request::File { file, offset } => (file.as_str(), *offset),
    };
    let wanted = match request {
        Request::Gtids(GtidSet::Mysql(set)) => {
            let sids = sids(set)
                .ok_or_else(|| BinlogError::server(&address, ServerCause::Protocol, None))?;
            wanted.with_gtid().with_gtid_set(sids)
        }
        Request::Gtids(GtidSet::MariaDb(_)) => wanted,
        Request::File { .. } => wanted.with_filename(file.as_bytes()).with_pos(offset),
    };
    let conn: Conn = connection.into_inner();
    let asked = tokio::time::timeout(server.connect_timeout, conn.get_binlog_stream(wanted)).await;
    let stream = match asked {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Failure::Driver(error)),
        Err(_) => Err(Failure::Silent),
    };
    let stream = stream.map_err(|failure| failure.into_error(&address))?;
    Ok(Dump::new(stream, &address, silence_max, file, offset))
}

/// What the session says of the replica before it asks for the log.
fn session(server: &ServerOptions, facts: &ServerFacts, request: &Request) -> Vec<String> {
    let heartbeat_ns = server.heartbeat.as_nanos();
    let mut statements = Vec::new();
    match facts.vendor {
        Vendor::Mysql => {
            let replica = Uuid::new_v4();
            statements.push(format!(
                "SET @master_heartbeat_period = {heartbeat_ns}, \
                 @source_heartbeat_period = {heartbeat_ns}, \
                 @source_binlog_checksum = 'CRC32', \
                 @slave_uuid = '{replica}', @replica_uuid = '{replica}'"
            ));
        }
        Vendor::MariaDb => {
            // Without the capability the server rewrites GTID events, and gives up at some of them.
            statements.push(format!(
                "SET @master_heartbeat_period = {heartbeat_ns}, @mariadb_slave_capability = 4"
            ));
            if let Request::Gtids(set) = request {
                statements.push(format!("SET @slave_connect_state = '{set}'"));
                statements.push("SET @slave_gtid_strict_mode = 1".to_owned());
            }
        }
    }
    statements
}

/// A set as the dump command takes it; none where a tag is none.
fn sids(set: &change::gtid::MysqlGtidSet) -> Option<Vec<Sid<'static>>> {
    let sid = |(source, tag, ranges): (&Uuid, &str, &[(u64, u64)])| {
        let intervals = ranges
            .iter()
            .map(|(first, last)| GnoInterval::check_and_new(*first, last.saturating_add(1)).ok());
        let sid = Sid::new(*source.as_bytes()).with_intervals(intervals.collect::<Option<_>>()?);
        if tag.is_empty() {
            return Some(sid);
        }
        Tag::new(tag.to_owned()).ok().map(|tag| sid.with_tag(tag))
    };
    set.iter().map(sid).collect()
}

fn random_server_id() -> u32 {
    let (low, high) = (*RANDOM_SERVER_IDS.start(), *RANDOM_SERVER_IDS.end());
    let span = u128::from(high.saturating_sub(low)).saturating_add(1);
    let pick = Uuid::new_v4().as_u128().checked_rem(span).unwrap_or(0);
    low.saturating_add(u32::try_from(pick).unwrap_or(0))
}

/// A server that was reset or restored may have given the same GTIDs to other transactions: the last
/// one that the position covers is read again, where its file still is there, and compared.
async fn compare_remembered(
    server: &ServerOptions,
    facts: &ServerFacts,
    connection: &mut Connection,
    position: &Position,
    expected: &Fingerprint,
) -> Result<(), BinlogError> {
    let is_same = position.server.as_ref() == Some(&facts.identity);
    if !is_same || u32::try_from(expected.event_offset).is_err() {
        return Ok(());
    }
    let logs = connection.rows::<mysql_async::Row>("SHOW BINARY LOGS").await?;
    let names = logs.iter().filter_map(|row| row.get_opt::<String, _>(0).and_then(Result::ok));
    let mut names: Vec<_> = names.collect();
    names.sort_by(|a, b| LogFile(a).cmp(&LogFile(b)));
    if !names.contains(&position.file) {
        return Ok(());
    }
    let another = |difference| {
        let (file, offset) = (position.file.as_str().into(), expected.event_offset);
        BinlogError::AnotherLog { place: Place { file, offset, event: None }, difference }
    };
    let request = Request::File { file: position.file.clone(), offset: expected.event_offset };
    let probe = Connection::open(server).await?;
    let mut dump = open_dump(probe, server, facts, &request).await?;
    loop {
        let sent = match dump.wait().await {
            Ok(sent) => sent,
            Err(BinlogError::Server(failure)) if is_refused(failure.cause) => {
                return Err(another("the log ends before it, or other events stand there"));
            }
            Err(error) => return Err(error),
        };
        if is_preamble(&sent) || sent.event().header.kind == EventKind::PREVIOUS_GTIDS {
            continue;
        }
        let found = crate::reader::fingerprint(&sent.event(), expected.commit_micros);
        return difference(&found, expected).map_or(Ok(()), |what| Err(another(what)));
    }
}

fn is_refused(cause: ServerCause) -> bool {
    matches!(cause, ServerCause::BeyondEnd | ServerCause::InsideEvent)
}
