//! A slice of a server's log as a file: whole transactions with the rows of captured tables, read as any
//! other on the way, so that what is recorded is known to be readable.
//!
//! Events keep their bytes; place and checksum are made anew. What says more than the rows of captured
//! tables is left out: the text of the statements that made rows, and everything of other tables.
//! Compressed transactions of MySQL are written unpacked, since they may hold other tables as well.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use change::{Definitions, Position};

use super::LiveSource;
use super::dump::Sent;
use crate::compression::{PayloadReader, unpacked_query};
use crate::control::ControlReader;
use crate::error::{BinlogError, Place};
use crate::event::{
    CHECKSUM_BYTES, Event, EventKind, FIRST_EVENT_OFFSET, HEADER_BYTES, Header, MAGIC,
};
use crate::options::ReadOptions;
use crate::reader::Due;
use crate::statement::definition::{Around, Definition, read};
use crate::statement::environment::Environment;
use crate::statement::{Statement, classify};
use crate::table_map::TableMap;

/// When a recording ends, besides its source's own end.
#[derive(Clone, Debug)]
pub struct RecordLimits {
    /// Before the file is larger than this. The first transaction is always whole.
    pub bytes_max: u64,
    /// After this time.
    pub time_max: Option<Duration>,
    /// Before the first transaction that was written at or behind this time, seconds since
    /// 1970-01-01T00:00Z.
    pub until_seconds: Option<u64>,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Bytes of the file.
    pub bytes: u64,
    /// Transactions in it.
    pub transactions: u64,
    /// The definitions of tables as they were at its beginning; empty where none are known.
    pub definitions: Definitions,
    /// Where in the server's log it begins.
    pub begin: Position,
    /// Where it ends.
    pub end: Position,
}

/// What an event is to a recording.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Its transaction is recorded for its sake.
    Content,
    /// It goes along with what is recorded.
    Frame,
    /// It is left out.
    Out,
}

impl LiveSource {
    /// Copies the log into a new file until its end, a limit, or `stop`.
    ///
    /// # Errors
    /// As [`Self::next`]; where the file cannot be written.
    pub async fn record(
        mut self,
        path: &Path,
        options: &ReadOptions,
        limits: &RecordLimits,
        stop: impl Future<Output = ()>,
    ) -> Result<Recorded, BinlogError> {
        let begin = self.position();
        let definitions = self.definitions().clone();
        let mut recording = Recording::create(path, options.clone())?;
        if let Some((header, body)) = self.head.take() {
            recording.head(header, &body)?;
        }
        let deadline = async {
            match limits.time_max {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        let mut ended = std::pin::pin!(async {
            tokio::select! { () = stop => {}, () = deadline => {} }
        });
        while !self.is_done {
            let sent = tokio::select! {
                biased;
                () = &mut ended => break,
                sent = self.dump.wait() => sent?,
            };
            if !recording.goes_on(&sent, limits) {
                break;
            }
            let event = sent.event();
            if event.header.kind == EventKind::FORMAT_DESCRIPTION {
                recording.head(event.header, event.body)?;
            } else {
                recording.event(&event)?;
            }
            // What cannot be read is not recorded.
            let mut due = self.take(&sent)?;
            while due == Due::Now || self.reader.is_handing_out() {
                drop(self.reader.take_slice()?);
                due = self.reader.go_on()?;
            }
            if self.reader.open_group().is_none() {
                recording.end_group(limits)?;
                if self.reader.has_slice() {
                    drop(self.reader.take_slice()?);
                }
                recording.end = Some(self.position());
            }
            if recording.is_full {
                break;
            }
        }
        let (bytes, transactions, end) = recording.finish()?;
        let end = end.unwrap_or_else(|| begin.clone());
        Ok(Recorded { bytes, transactions, definitions, begin, end })
    }
}

/// A file on its way.
struct Recording {
    path: PathBuf,
    /// Under this name until it is whole.
    partial: PathBuf,
    file: BufWriter<File>,
    options: ReadOptions,
    control: ControlReader,
    /// Where the next event goes.
    offset: u64,
    /// Where the open group begins, and whether it has content.
    group: Option<(u64, bool)>,
    has_head: bool,
    /// Which table ids are those of captured tables.
    tables: HashMap<u64, bool>,
    transactions: u64,
    end: Option<Position>,
    is_full: bool,
}

impl Recording {
    fn create(path: &Path, options: ReadOptions) -> Result<Self, BinlogError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let wrong = |source| unwritten(&partial, source);
        if path.exists() {
            return Err(unwritten(path, io::ErrorKind::AlreadyExists.into()));
        }
        let mut file = BufWriter::new(File::create(&partial).map_err(wrong)?);
        file.write_all(&MAGIC).map_err(wrong)?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            file,
            options,
            control: ControlReader::default(),
            offset: FIRST_EVENT_OFFSET,
            group: None,
            has_head: false,
            tables: HashMap::new(),
            transactions: 0,
            end: None,
            is_full: false,
        })
    }

    /// Whether the event, and what follows it, lies within the limits.
    fn goes_on(&self, sent: &Sent, limits: &RecordLimits) -> bool {
        let seconds = sent.event().header.timestamp_seconds;
        let is_late = limits.until_seconds.is_some_and(|until| u64::from(seconds) >= until);
        self.group.is_some() || seconds == 0 || !is_late
    }

    /// The format description, once. Every event gets a checksum, whatever the server's log has.
    fn head(&mut self, header: Header, body: &[u8]) -> Result<(), BinlogError> {
        if std::mem::replace(&mut self.has_head, true) {
            return Ok(());
        }
        let mut body = body.to_vec();
        if let Some(algorithm) = body.last_mut() {
            *algorithm = 1;
        }
        self.write(Header { flags: 0, ..header }, &body)
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), BinlogError> {
        use EventKind as Kind;
        let kind = event.header.kind;
        if event.header.is_artificial()
            || matches!(
                kind,
                Kind::ROTATE
                    | Kind::STOP
                    | Kind::HEARTBEAT
                    | Kind::HEARTBEAT_V2
                    | Kind::PREVIOUS_GTIDS
                    | Kind::GTID_LIST
                    | Kind::BINLOG_CHECKPOINT
            )
        {
            return Ok(());
        }
        let begin = self.offset;
        let (begin, mut has_content) = *self.group.get_or_insert((begin, false));
        if kind == Kind::TRANSACTION_PAYLOAD {
            let wrong = |what| self.malformed(event, what);
            let mut inner = PayloadReader::new(event.body, Vec::new()).map_err(wrong)?;
            loop {
                let next = inner.next().map_err(|what| self.malformed(event, what))?;
                let Some(next) = next else { break };
                let packed = Event { header: next.header, body: next.body, ..*event };
                has_content |= self.keep(&packed)?;
            }
        } else {
            has_content |= self.keep(event)?;
        }
        self.group = Some((begin, has_content));
        Ok(())
    }

    /// Writes an event where it is to be kept; whether its transaction is recorded for its sake.
    fn keep(&mut self, event: &Event<'_>) -> Result<bool, BinlogError> {
        let keep = self.what_is(event)?;
        if keep != Keep::Out {
            self.write(event.header, event.body)?;
        }
        Ok(keep == Keep::Content)
    }

    fn what_is(&mut self, event: &Event<'_>) -> Result<Keep, BinlogError> {
        use EventKind as Kind;
        let kind = event.header.kind;
        Ok(match kind {
            // The texts of statements, which hold values of rows.
            Kind::ROWS_QUERY | Kind::ANNOTATE_ROWS | Kind::IGNORABLE => Keep::Out,
            Kind::TABLE_MAP => {
                let named = TableMap::peek_name(event.body);
                let (id, name) = named.map_err(|_| self.malformed(event, "it is too short"))?;
                let is_captured = self.options.captures(&name);
                self.tables.insert(id, is_captured);
                if is_captured { Keep::Content } else { Keep::Out }
            }
            Kind::QUERY => self.what_is_query(event)?,
            Kind::QUERY_COMPRESSED => {
                let mut unpacked = Vec::new();
                let read = unpacked_query(event.body, &mut unpacked);
                read.map_err(|what| self.malformed(event, what))?;
                let header = Header { kind: Kind::QUERY, ..event.header };
                self.what_is_query(&event.with(header, &unpacked))?
            }
            _ if is_rows(kind) => {
                let id = event
                    .body
                    .first_chunk::<6>()
                    .map(|[a, b, c, d, e, f]| u64::from_le_bytes([*a, *b, *c, *d, *e, *f, 0, 0]));
                let is_captured = id.and_then(|id| self.tables.get(&id)).copied();
                if is_captured.unwrap_or(false) { Keep::Content } else { Keep::Out }
            }
            _ => Keep::Frame,
        })
    }

    fn what_is_query(&mut self, event: &Event<'_>) -> Result<Keep, BinlogError> {
        let query = self.control.query(event);
        let (database, text) = match query {
            Ok(query) => (query.database.into_owned(), query.text.into_owned()),
            Err(what) => return Err(self.malformed(event, what)),
        };
        Ok(self.what_is_statement(&database, &text))
    }

    /// A statement is content where it may say something of a captured table, or of its database.
    fn what_is_statement(&self, database: &str, text: &str) -> Keep {
        match classify(text, database) {
            Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Savepoint(_)
            | Statement::RollbackTo(_) => Keep::Frame,
            Statement::Schema { tables, .. } => {
                let concerns = |table: &change::TableName| {
                    self.options.captures(table) || self.options.may_capture_in(&table.database)
                };
                if tables.iter().any(concerns) { Keep::Content } else { Keep::Out }
            }
            Statement::DropDatabase(name) if !self.options.may_capture_in(&name) => Keep::Out,
            // Accounts, views, procedures: nothing that rows are read by.
            Statement::Harmless => {
                let environment = Environment::plain(None);
                let around = Around { database, environment: &environment };
                let is_about = read(text, around).is_some_and(|definition| match definition {
                    Definition::Database { name, .. } => self.options.may_capture_in(&name),
                    _ => self.options.may_capture_in(database),
                });
                if is_about { Keep::Content } else { Keep::Out }
            }
            _ => Keep::Content,
        }
    }

    /// A transaction is whole: it stays, or is taken back.
    fn end_group(&mut self, limits: &RecordLimits) -> Result<(), BinlogError> {
        let Some((begin, has_content)) = self.group.take() else { return Ok(()) };
        let is_first = self.transactions == 0;
        self.is_full = has_content && !is_first && self.offset > limits.bytes_max;
        if !has_content || self.is_full {
            return self.cut(begin);
        }
        self.transactions = self.transactions.saturating_add(1);
        self.is_full = self.offset >= limits.bytes_max;
        Ok(())
    }

    fn cut(&mut self, offset: u64) -> Result<(), BinlogError> {
        let cut = self.file.seek(SeekFrom::Start(offset));
        let cut = cut.and_then(|_| self.file.get_ref().set_len(offset));
        cut.map_err(|source| unwritten(&self.partial, source))?;
        self.offset = offset;
        Ok(())
    }

    /// Writes an event with the place that it has here.
    fn write(&mut self, header: Header, body: &[u8]) -> Result<(), BinlogError> {
        let length = HEADER_BYTES.saturating_add(body.len()).saturating_add(CHECKSUM_BYTES);
        let too_long = |_| unwritten(&self.partial, io::ErrorKind::FileTooLarge.into());
        let length = u32::try_from(length).map_err(too_long)?;
        let end = self.offset.saturating_add(u64::from(length));
        let low = u32::try_from(end & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        let header = Header { length, end: low, ..header };
        let checksum = header.checksum_of(body).to_le_bytes();
        for bytes in [&header.to_bytes()[..], body, &checksum[..]] {
            self.file.write_all(bytes).map_err(|source| unwritten(&self.partial, source))?;
        }
        self.offset = end;
        Ok(())
    }

    /// Cuts off what is not whole, and gives the file its name.
    fn finish(mut self) -> Result<(u64, u64, Option<Position>), BinlogError> {
        if let Some((begin, _)) = self.group.take() {
            self.cut(begin)?;
        }
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        let named = written.and_then(|()| std::fs::rename(&self.partial, &self.path));
        named.map_err(|source| unwritten(&self.path, source))?;
        Ok((self.offset, self.transactions, self.end.take()))
    }

    fn malformed(&self, event: &Event<'_>, what: &'static str) -> BinlogError {
        let file = self.path.to_string_lossy().as_ref().into();
        let place = Place { file, offset: event.offset, event: Some(event.header.kind) };
        BinlogError::Malformed { place, what }
    }
}

impl Drop for Recording {
    /// What failed half-way leaves nothing; a whole recording has its name by now.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.partial);
    }
}

fn unwritten(path: &Path, source: io::Error) -> BinlogError {
    BinlogError::Record { path: path.to_string_lossy().into_owned(), source }
}

fn is_rows(kind: EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::WRITE_ROWS_V1
            | Kind::UPDATE_ROWS_V1
            | Kind::DELETE_ROWS_V1
            | Kind::WRITE_ROWS
            | Kind::UPDATE_ROWS
            | Kind::DELETE_ROWS
            | Kind::PARTIAL_UPDATE_ROWS
            | Kind::WRITE_ROWS_COMPRESSED_V1
            | Kind::UPDATE_ROWS_COMPRESSED_V1
            | Kind::DELETE_ROWS_COMPRESSED_V1
            | Kind::WRITE_ROWS_COMPRESSED
            | Kind::UPDATE_ROWS_COMPRESSED
            | Kind::DELETE_ROWS_COMPRESSED
    )
}
