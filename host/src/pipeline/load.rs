//! A source that loads tables while it follows the log (`docs/adr/0010-load-beside-the-log.md`).
//!
//! Rows come in chunks by key and go on as slices among those of the log. A chunk is asked for at a point that
//! the stream has passed, and sees at least that; from then on the keys that the stream changes are noted.
//! Once the stream has passed everything that the chunk may show, the chunk goes on without those keys: for
//! them the stream has the last word. Nothing here compares the order of keys.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_select::filter::filter;
use binlog::live::{Chunk, LoadTable};
use binlog::{BinlogError, ReadOptions, ServerOptions};
use change::definition::same_name;
use change::{
    Batch, ImageKind, Images, LoadState, LogSlice, Mark, Position, SchemaChange, TableLoad,
    TableName, TableSchema, Transaction,
};
use tokio::sync::mpsc;
use tracing::{info, trace};

use super::error::RunError;
use super::schema_merge::Renames;
use super::source::{LiveEnd, Reconnecting, Source};

mod report;
mod touched;
mod worker;

use report::Report;
use touched::Touched;
use worker::{Answer, Question, Reply, Worker};

/// Rows of a chunk: some megabytes, read in a fraction of a second.
const CHUNK_ROWS: usize = 20_000;

/// Tables that are read at once; more only compete for the server's disk and our cores.
const WORKERS_MAX: usize = 4;

/// How soon it is looked again whether the stream has passed a chunk: an idle server tells nothing.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How often in a row a table may turn out to be another one than it was just before.
const CHANGES_MAX: u32 = 20;

/// What a load is to do besides.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Rows a second at most, of all tables together.
    pub rows_per_second: Option<u64>,
    /// What comes behind it.
    pub end: LiveEnd,
}

/// A live source whose tables are being loaded.
pub struct Loading {
    stream: Reconnecting,
    workers: Vec<Place>,
    replies: mpsc::UnboundedReceiver<Reply>,
    /// Tables that nobody has begun in this run.
    queue: VecDeque<LoadTable>,
    /// Tables whose columns may be others than when they were listed.
    stale: BTreeSet<TableName>,
    state: LoadState,
    /// Behind the last slice of the stream.
    end: Position,
    /// What that slice said of where to go on.
    resume: Option<Position>,
    /// Whether its last transaction is not whole yet.
    is_partial: bool,
    options: LoadOptions,
    /// The end of the server's log when the load began in this run.
    until: Position,
    /// No chunk is asked for before.
    not_before: Instant,
    last_ticket: u64,
}

/// A worker and what it reads.
struct Place {
    worker: Worker,
    at: Option<At>,
}

/// A table that is being read.
struct At {
    schema: Arc<TableSchema>,
    touched: Touched,
    /// The number of the open question.
    asked: Option<u64>,
    /// A chunk that waits for the stream.
    chunk: Option<Chunk>,
    /// The end of the log when there was no such table.
    gone: Option<Position>,
    /// Whether the columns have to be asked for anew.
    is_stale: bool,
    /// How often it was another table in a row.
    changes: u32,
    report: Report,
}

impl Loading {
    /// Begins, or goes on with what an earlier run left.
    ///
    /// # Errors
    /// Where the server cannot be asked, or a captured table cannot be loaded.
    pub async fn begin(
        stream: Reconnecting,
        server: ServerOptions,
        read: ReadOptions,
        state: LoadState,
        options: LoadOptions,
    ) -> Result<Self, RunError> {
        let end = stream.position().unwrap_or_else(|| Position::at("", 0));
        let (mut tables, until) = worker::tables(&server, &read, &end).await?;
        let is_done = |table: &LoadTable| {
            state.tables.get(&table.schema.name).is_some_and(|load| load.is_done)
        };
        tables.retain(|table| !is_done(table));
        info!(tables = tables.len(), "loading tables");
        let (answers, replies) = mpsc::unbounded_channel();
        // One at least: the log may still tell of tables that are to be loaded under other names.
        let workers = (0..tables.len().clamp(1, WORKERS_MAX)).map(|number| {
            let worker = Worker::start(number, server.clone(), read.clone(), answers.clone());
            Place { worker, at: None }
        });
        Ok(Self {
            workers: workers.collect(),
            replies,
            queue: tables.into(),
            stale: BTreeSet::new(),
            state,
            end,
            resume: None,
            is_partial: false,
            options,
            until,
            not_before: Instant::now(),
            last_ticket: 0,
            stream,
        })
    }

    /// The stream below.
    #[must_use]
    pub fn stream(&self) -> &Reconnecting {
        &self.stream
    }

    /// Up to where the stream has been handed out.
    fn passed(&self) -> Position {
        match self.stream.drained() {
            Some(position) if !self.is_partial => position,
            _ => self.end.clone(),
        }
    }

    /// A part of the load that is due.
    fn due(&mut self) -> Result<Option<LogSlice>, RunError> {
        if self.is_partial || self.state.is_finished {
            return Ok(None);
        }
        let passed = self.passed();
        self.drop_foreign(&passed);
        self.end_of_gone(&passed);
        let ready = |at: &At| at.chunk.as_ref().is_some_and(|chunk| passed.reaches(&chunk.end));
        let place = self.workers.iter_mut().find(|p| p.at.as_ref().is_some_and(ready));
        let mut batches = Vec::new();
        if let Some(at) = place.and_then(|place| place.at.as_mut())
            && let Some(chunk) = at.chunk.take()
        {
            let table = at.schema.name.clone();
            let load = self.state.tables.entry(table.clone()).or_default();
            let rows = u64::try_from(chunk.rows).unwrap_or(u64::MAX);
            load.rows = load.rows.saturating_add(rows);
            load.is_done = chunk.behind.is_none();
            load.behind.clone_from(&chunk.behind);
            at.report.loaded(&table, load, rows);
            at.changes = 0;
            let is_done = load.is_done;
            batches.extend(batch(at, chunk)?);
            if is_done {
                self.leave(&table);
            }
            self.throttle(rows);
            trace!(target: "sluice::marker", marker = "load.chunk");
        } else if !self.has_all(&passed) {
            return Ok(None);
        }
        if self.has_all(&passed) {
            self.state = LoadState { is_finished: true, ..LoadState::default() };
            self.workers.clear();
            info!("all tables are loaded");
        }
        Ok(Some(LogSlice {
            batches,
            schema_change: None,
            end: self.end.clone(),
            resume: self.resume.clone(),
            is_partial: false,
            definitions: None,
            load: Some(Arc::new(self.state.clone())),
            log_bytes: 0,
            commit_micros: None,
        }))
    }

    /// Whether nothing is left to load. The log that there was at the begin may tell of tables that are
    /// known as loaded, and have changed places since with others that are not.
    fn has_all(&self, passed: &Position) -> bool {
        let is_idle = self.queue.is_empty() && self.workers.iter().all(|place| place.at.is_none());
        is_idle && passed.reaches(&self.until)
    }

    /// Tables that are gone, and of which the stream has told all that there was to tell.
    fn end_of_gone(&mut self, passed: &Position) {
        let is_over = |at: &&At| at.gone.as_ref().is_some_and(|end| passed.reaches(end));
        let over = self.workers.iter().filter_map(|place| place.at.as_ref()).filter(is_over);
        for table in over.map(|at| at.schema.name.clone()).collect::<Vec<_>>() {
            info!(%table, "the table is gone, its load ends");
            let done = TableLoad { is_done: true, ..TableLoad::default() };
            self.state.tables.insert(table.clone(), done);
            self.leave(&table);
        }
    }

    /// What another server than the stream's showed says nothing of this one's log: it is asked for again.
    fn drop_foreign(&mut self, passed: &Position) {
        let is_other = |end: &Position| matches!((&end.server, &passed.server), (Some(theirs), Some(own)) if theirs != own);
        for at in self.workers.iter_mut().filter_map(|place| place.at.as_mut()) {
            at.chunk.take_if(|chunk| is_other(&chunk.end));
            at.gone.take_if(|end| is_other(end));
        }
    }

    fn throttle(&mut self, rows: u64) {
        if let Some(limit) = self.options.rows_per_second {
            let micros = rows.saturating_mul(1_000_000).checked_div(limit).unwrap_or(0);
            let from = self.not_before.max(Instant::now());
            self.not_before = from + Duration::from_micros(micros);
        }
    }

    fn leave(&mut self, table: &TableName) {
        for place in &mut self.workers {
            if place.at.as_ref().is_some_and(|at| at.schema.name == *table) {
                place.at = None;
            }
        }
    }

    /// Gives every idle worker something to do.
    fn ask(&mut self) -> Result<(), RunError> {
        if self.workers.iter().any(|place| place.worker.is_gone()) {
            return Err(RunError::StagePanicked);
        }
        // What is inside of an open transaction is not noted for a chunk that is asked for now.
        if self.is_partial || Instant::now() < self.not_before {
            return Ok(());
        }
        for place in &mut self.workers {
            if place.at.is_none() {
                let Some(table) = self.queue.pop_front() else { continue };
                let is_stale = self.stale.remove(&table.schema.name);
                place.at = Some(At::new(table, is_stale)?);
            }
            let Some(at) = place.at.as_mut().filter(|at| at.is_idle()) else { continue };
            self.last_ticket = self.last_ticket.saturating_add(1);
            let question = if at.is_stale {
                Question::Table(at.schema.name.clone())
            } else {
                let behind = self.state.tables.get(&at.schema.name);
                let behind = behind.and_then(|load| load.behind.clone());
                // Several a second, so that a server feels no bursts.
                let limit = self.options.rows_per_second.map_or(u64::MAX, |limit| limit / 10);
                let rows_max = usize::try_from(limit).unwrap_or(CHUNK_ROWS).clamp(1, CHUNK_ROWS);
                Question::Chunk { schema: Arc::clone(&at.schema), behind, rows_max }
            };
            at.touched.clear();
            at.asked = Some(self.last_ticket);
            place.worker.ask(self.last_ticket, question, self.end.clone());
        }
        Ok(())
    }

    fn take(&mut self, reply: Reply) -> Result<(), RunError> {
        let place = self.workers.get_mut(reply.worker);
        let at = place.and_then(|place| place.at.as_mut());
        // An answer to what is not asked any more.
        let Some(at) = at.filter(|at| at.asked == Some(reply.ticket)) else { return Ok(()) };
        at.asked = None;
        match reply.answer {
            Ok(Answer::Chunk(chunk)) => at.chunk = Some(chunk),
            Ok(Answer::Table(table)) => {
                let changes = at.changes;
                *at = At { changes, ..At::new(*table, false)? };
                self.state.tables.remove(&at.schema.name);
            }
            // The stream may be about to tell under which name its rows go on.
            Ok(Answer::NoTable(end)) => at.gone = Some(end),
            Err(error) if error.is_another_table() && at.changes < CHANGES_MAX => {
                at.changes = at.changes.saturating_add(1);
                at.is_stale = true;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Notes what a slice of the stream changes.
    fn observe(&mut self, slice: &mut LogSlice) {
        self.end.clone_from(&slice.end);
        self.resume.clone_from(&slice.resume);
        self.is_partial = slice.is_partial;
        for at in self.workers.iter_mut().filter_map(|place| place.at.as_mut()) {
            if at.asked.is_none() && at.chunk.is_none() {
                continue;
            }
            for batch in slice.batches.iter().filter(|b| b.schema().name == at.schema.name) {
                if !at.touched.add(batch) {
                    at.begin_anew();
                    break;
                }
            }
        }
        if let Some(change) = &slice.schema_change
            && self.changed(change)
        {
            // Told at once: the run may end here.
            slice.load = Some(Arc::new(self.state.clone()));
        }
    }

    /// A statement about a table that is not loaded: its load begins anew with the columns behind it.
    /// Answers whether there is one.
    fn changed(&mut self, change: &SchemaChange) -> bool {
        let is_meant = |table: &TableName| change.tables.iter().any(|t| is_same(t, table));
        let mut anew: Vec<TableSchema> = Vec::new();
        for at in self.workers.iter_mut().filter_map(|place| place.at.as_mut()) {
            if is_meant(&at.schema.name) {
                at.begin_anew();
                anew.push(TableSchema::clone(&at.schema));
            }
        }
        let waiting = self.queue.iter().filter(|table| is_meant(&table.schema.name));
        let waiting: Vec<_> = waiting.map(|table| table.schema.clone()).collect();
        self.stale.extend(waiting.iter().map(|schema| schema.name.clone()));
        anew.extend(waiting);
        for schema in &anew {
            info!(table = %schema.name, position = %change.position, "the table changed, its load begins anew");
            self.state.tables.remove(&schema.name);
        }
        let moved = self.renamed(change, &anew);
        moved || !anew.is_empty()
    }

    /// Tables go on under other names: those that they have behind the whole statement, in which they may
    /// change places. Of one that is loaded nothing is left to do under its new name; any other one is
    /// loaded anew, whether it was being read, waited, or was not listed. Answers whether there is one.
    fn renamed(&mut self, change: &SchemaChange, unloaded: &[TableSchema]) -> bool {
        if self.state.is_finished {
            return false;
        }
        let renames = Renames::of(change.actions.as_deref().unwrap_or_default());
        let is_done = |table: &TableName| {
            self.state.tables.iter().any(|(known, load)| is_same(table, known) && load.is_done)
        };
        let moved = renames.behind().filter(|(to, _)| change.tables.contains(to));
        let moved = moved.filter_map(|(to, from)| Some((to.clone(), is_done(from?))));
        let moved: Vec<_> = moved.collect();
        let any = !moved.is_empty();
        for (to, is_done) in moved {
            self.state.tables.remove(&to);
            if unloaded.iter().any(|schema| is_same(&to, &schema.name)) || self.stale.contains(&to)
            {
                continue;
            }
            if is_done {
                let done = TableLoad { is_done: true, ..TableLoad::default() };
                self.state.tables.insert(to, done);
                continue;
            }
            // Its columns are asked for before they are used.
            self.stale.insert(to.clone());
            let schema = TableSchema {
                name: to,
                columns: Vec::new(),
                primary_key: None,
                unique_keys: None,
                properties: Vec::new(),
            };
            self.queue.push_back(LoadTable { schema, rows: 0 });
        }
        any
    }

    /// Whether a run that is to stop where the log ended has nothing left to do.
    fn is_over(&self) -> bool {
        let stops = self.options.end == LiveEnd::Now && self.state.is_finished;
        stops && !self.is_partial && self.passed().reaches(&self.until)
    }
}

impl Source for Loading {
    async fn next(&mut self) -> Result<Option<LogSlice>, RunError> {
        if self.state.is_finished && self.options.end == LiveEnd::Never {
            return self.stream.next().await;
        }
        loop {
            if self.is_over() {
                return Ok(None);
            }
            if let Some(slice) = self.due()? {
                return Ok(Some(slice));
            }
            self.ask()?;
            // A connection that is being made again must not be given up every few milliseconds.
            let looks = self.stream.is_connected();
            tokio::select! {
                biased;
                Some(reply) = self.replies.recv() => self.take(reply)?,
                slice = self.stream.next() => {
                    let mut slice = slice?;
                    if let Some(slice) = &mut slice {
                        self.observe(slice);
                    }
                    return Ok(slice);
                }
                () = tokio::time::sleep(LOOK_EVERY), if looks => {}
            }
        }
    }
}

impl At {
    fn new(table: LoadTable, is_stale: bool) -> Result<Self, RunError> {
        let LoadTable { schema, rows } = table;
        Ok(Self {
            touched: Touched::of(&schema)?,
            schema: Arc::new(schema),
            asked: None,
            chunk: None,
            gone: None,
            is_stale,
            changes: 0,
            report: Report::new(rows),
        })
    }

    /// Whether nothing is asked for and nothing has come.
    fn is_idle(&self) -> bool {
        self.asked.is_none() && self.chunk.is_none() && self.gone.is_none()
    }

    /// What was asked for and what came is of another table.
    fn begin_anew(&mut self) {
        self.asked = None;
        self.chunk = None;
        self.gone = None;
        self.is_stale = true;
    }
}

/// The rows of a chunk that the stream has not changed since; none where it has changed all of them.
fn batch(at: &At, chunk: Chunk) -> Result<Option<Batch>, RunError> {
    let wrong = |error: &dyn std::fmt::Display| RunError::Load {
        table: at.schema.name.clone(),
        what: error.to_string(),
    };
    let mut columns = chunk.columns;
    let mut rows = chunk.rows;
    if let Some(untouched) = at.touched.untouched(&columns).map_err(|e| wrong(&e))? {
        rows = untouched.true_count();
        let kept = columns.iter().map(|column| filter(column, &untouched));
        columns = kept.collect::<Result<_, _>>().map_err(|e| wrong(&e))?;
    }
    let images_end = u32::try_from(rows).map_err(|e| wrong(&e))?;
    if rows == 0 {
        return Ok(None);
    }
    let transaction = Transaction {
        file: chunk.end.file.as_str().into(),
        start: chunk.end.offset,
        end: Transaction::NOT_OF_THE_LOG,
        gtid: None,
        commit_micros: 0,
        server_id: 0,
    };
    let event_offset = chunk.end.offset;
    let transaction = Arc::new(transaction);
    let mark = Mark { images_end, transaction, event_offset, first_row: 0 };
    let images = Images::new(vec![ImageKind::Insert; rows], vec![mark]).map_err(|e| wrong(&e))?;
    let batch = Batch::new(Arc::clone(&at.schema), columns, Arc::new(images));
    batch.map(Some).map_err(|e| wrong(&e))
}

/// Whether a statement's name may mean a table, in whatever letter case the server reads it.
fn is_same(named: &TableName, table: &TableName) -> bool {
    let is_all = named.table == "*";
    same_name(&named.database, &table.database) && (is_all || same_name(&named.table, &table.table))
}

impl From<touched::KeyError> for RunError {
    fn from(error: touched::KeyError) -> Self {
        Self::Load { what: error.source.to_string(), table: error.table }
    }
}

/// Whether an error is one that a new connection may mend.
fn is_passing(error: &BinlogError) -> bool {
    use change::{Diagnose as _, Retry};
    error.retry() != Retry::Never
}

#[cfg(test)]
mod tests;
