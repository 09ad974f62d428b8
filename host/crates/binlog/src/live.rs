//! A live server's log as slices of whole transactions.
//!
//! Nothing here retries: a lost connection is an error that says so, and the caller connects again at
//! the position behind the last slice. A replica with the same server id is never answered by connecting
//! again, since the two would throw each other out for ever.

use std::sync::Arc;

use change::{Definitions, Fingerprint, LogFile, LogSlice, Position};
use tracing::{debug, info};

use crate::definition::NameCase;
use crate::error::{BinlogError, Place, ServerCause};
use crate::event::{EventKind, FIRST_EVENT_OFFSET, Header};
use crate::options::{ReadOptions, ServerOptions, Start};
use crate::reader::{Due, HeldTransactions, Reader, difference};
use connection::Connection;
use dump::{Dump, Sent};
use request::{Arrival, Request, askable, open_dump, plan, reading_from, within};

pub use check::{Finding, Severity, check, check_start};
pub use definition::definitions_at_end;
pub use facts::ServerFacts;
pub use logs::{ServerLog, ServerLogs, logs, position_at};
pub use record::{RecordLimits, Recorded};

mod catalog;
mod check;
mod connection;
mod definition;
mod dump;
mod facts;
mod logs;
mod record;
mod request;
mod rows;

pub use catalog::{Cascade, cascades, table_schemas};
pub use rows::{Chunk, LoadTable, TableReader};

/// XA transactions that are prepared and neither committed nor rolled back.
#[derive(Default)]
pub struct Held(HeldTransactions);

/// Reads a server's log as it grows.
pub struct LiveSource {
    dump: Dump,
    reader: Reader,
    facts: ServerFacts,
    until: Option<Position>,
    /// What stopped the reading, told once everything before it is handed out.
    failed: Option<BinlogError>,
    is_done: bool,
    /// The first format description that the server sent: a recording begins with it.
    head: Option<(Header, Vec<u8>)>,
}

impl LiveSource {
    /// Connects, checks that the server's log can be read, and asks for it. Reading ends at `until`
    /// where there is one, otherwise never. Where no definitions are given and the start is the end of the
    /// log, the server's catalogue gives them.
    ///
    /// # Errors
    /// Where the server cannot be reached, refuses, writes no log that can be read, or does not have the
    /// start position (any more).
    pub async fn connect(
        server: &ServerOptions,
        start: Start,
        until: Option<Position>,
        mut options: ReadOptions,
    ) -> Result<Self, BinlogError> {
        let mut connection = Connection::open(server).await?;
        let mut facts = ServerFacts::ask(&mut connection).await?;
        require(&facts)?;
        if let Some((definitions, end)) = seed(server, &start, &facts, &options).await? {
            options.definitions = definitions;
            facts.position = Some(end);
        }
        let position = askable(&facts, resolve(server, &mut connection, &facts, start).await?);
        within(&facts, &position)?;
        let (request, arrival) = plan(&facts, &position)?;
        if let (Request::Gtids(_), Some(expected)) = (&request, &position.fingerprint) {
            compare_remembered(server, &facts, &mut connection, &position, expected).await?;
        }
        let mut reader = Reader::new(options, Some(facts.identity.clone()));
        reader.resume(&reading_from(&facts, &position, &arrival));
        reader.format_of(facts.vendor);
        if !facts.has_gtids() {
            reader.ignore_gtids();
        }
        reader.names_are(match facts.lower_case_table_names {
            0 => NameCase::Counts,
            _ => NameCase::Folds,
        });
        let dump = open_dump(connection, server, &facts, &request).await?;
        let mut source =
            Self { dump, reader, facts, until, failed: None, is_done: false, head: None };
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
        if self.reader.is_handing_out() {
            return self.slice();
        }
        loop {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.reader.go_on()? == Due::Now {
                return self.slice();
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

    /// Whether everything up to [`Self::position`] is handed out.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let reader = &self.reader;
        !reader.is_handing_out() && !reader.has_slice() && reader.open_group().is_none()
    }

    /// Takes out the XA transactions that are prepared and not ended, for [`Self::hold`] of the source
    /// that goes on at [`Self::position`] when the connection is lost.
    #[must_use]
    pub fn take_held(&mut self) -> Held {
        Held(self.reader.take_held())
    }

    /// Goes on with the prepared XA transactions of a source that stopped where this one begins.
    pub fn hold(&mut self, held: Held) {
        self.reader.give_held(held.0);
    }

    /// What the server said of itself when the source connected.
    #[must_use]
    pub fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// The definitions of tables behind what was handed out.
    #[must_use]
    pub fn definitions(&self) -> &Definitions {
        self.reader.history().definitions()
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
                self.head.get_or_insert_with(|| (event.header, event.body.to_vec()));
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

impl LiveSource {
    /// Reads on, without rows, up to the first transaction at or behind a time, and at most to where the
    /// log ended when the source connected.
    async fn find_time(mut self, seconds: u64) -> Result<Position, BinlogError> {
        self.reader.seek_time(seconds);
        self.until.clone_from(&self.facts.position);
        while !self.reader.has_found_time() && !self.has_reached() {
            let sent = self.dump.wait().await?;
            self.take(&sent)?;
        }
        Ok(self.reader.position())
    }
}

/// Where a server's log ends now; none where it has none.
///
/// # Errors
/// Where the server cannot be reached or refuses the account.
pub async fn end_of(server: &ServerOptions) -> Result<Option<Position>, BinlogError> {
    let mut connection = Connection::open(server).await?;
    Ok(ServerFacts::ask(&mut connection).await?.position)
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

/// The definitions at the end of the log, where the reading starts there and none are given.
async fn seed(
    server: &ServerOptions,
    start: &Start,
    facts: &ServerFacts,
    options: &ReadOptions,
) -> Result<Option<(Definitions, Position)>, BinlogError> {
    let may_be_end = match (start, &facts.position) {
        (Start::Latest, _) => true,
        (Start::At(position), Some(end)) => definition::is_end(position, end),
        (Start::At(_), None) | (Start::Earliest | Start::Time(_), _) => false,
    };
    if !may_be_end || !options.definitions.is_empty() {
        return Ok(None);
    }
    let found = definitions_at_end(server, options).await?;
    Ok(found.filter(|(_, end)| match start {
        Start::At(position) => definition::is_end(position, end),
        Start::Latest | Start::Earliest | Start::Time(_) => true,
    }))
}

/// The position that a start stands for.
async fn resolve(
    server: &ServerOptions,
    connection: &mut Connection,
    facts: &ServerFacts,
    start: Start,
) -> Result<Position, BinlogError> {
    let no_binlog = || BinlogError::server(&facts.address, ServerCause::NoBinlog, None);
    match start {
        Start::At(position) => Ok(position),
        Start::Latest => facts.position.clone().ok_or_else(no_binlog),
        // It connects for itself, to the log's files.
        Start::Time(seconds) => {
            let logs = logs(server).await?;
            Box::pin(position_at(server, &logs, seconds)).await
        }
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
    let is_before = expected.event_offset < position.offset;
    if !is_same || !is_before || u32::try_from(expected.event_offset).is_err() {
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
