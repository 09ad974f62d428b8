//! Connections that read tables: one question each at a time, asked again where a connection is lost.

use std::sync::Arc;
use std::time::Duration;

use binlog::live::{Chunk, LoadTable, TableReader};
use binlog::{BinlogError, ReadOptions, ServerFacts, ServerOptions};
use change::{Position, TableName, TableSchema};
use tokio::sync::mpsc;
use tracing::warn;

use super::is_passing;

/// Between two attempts to reach the server.
const PAUSE: Duration = Duration::from_secs(1);

/// Attempts in a row; with the time that each waits itself about ten minutes.
const ATTEMPTS_MAX: u32 = 300;

/// What a worker is asked for.
pub(super) enum Question {
    /// The next rows of a table.
    Chunk { schema: Arc<TableSchema>, behind: Option<Vec<String>>, rows_max: usize },
    /// The columns of a table as they are now.
    Table(TableName),
}

/// What it says.
pub(super) enum Answer {
    Chunk(Chunk),
    Table(Box<LoadTable>),
    /// There is no such table any more, or none of this name yet; which, the log tells up to here.
    NoTable(Position),
}

/// An answer and what it belongs to.
pub(super) struct Reply {
    pub(super) worker: usize,
    pub(super) ticket: u64,
    pub(super) answer: Result<Answer, BinlogError>,
}

struct Asked {
    ticket: u64,
    question: Question,
    /// The answer sees at least this.
    seen: Position,
}

/// A connection of its own; it ends when it is dropped.
pub(super) struct Worker {
    questions: mpsc::UnboundedSender<Asked>,
}

impl Worker {
    pub(super) fn start(
        number: usize,
        server: ServerOptions,
        read: ReadOptions,
        replies: mpsc::UnboundedSender<Reply>,
    ) -> Self {
        let (questions, mut asked) = mpsc::unbounded_channel::<Asked>();
        tokio::spawn(async move {
            let mut desk = Desk { server, read, reader: None };
            while let Some(Asked { ticket, question, seen }) = asked.recv().await {
                let answer = desk.answer(&question, &seen).await;
                if replies.send(Reply { worker: number, ticket, answer }).is_err() {
                    return;
                }
            }
        });
        Self { questions }
    }

    /// Whether it has ended, which only a panic makes it do.
    pub(super) fn is_gone(&self) -> bool {
        self.questions.is_closed()
    }

    pub(super) fn ask(&self, ticket: u64, question: Question, seen: Position) {
        // A worker that is gone is found out before the next question.
        let _ = self.questions.send(Asked { ticket, question, seen });
    }
}

struct Desk {
    server: ServerOptions,
    read: ReadOptions,
    reader: Option<TableReader>,
}

impl Desk {
    async fn answer(
        &mut self,
        question: &Question,
        seen: &Position,
    ) -> Result<Answer, BinlogError> {
        let mut attempts = 0;
        loop {
            match self.try_answer(question, seen).await {
                Err(error) if is_passing(&error) && attempts < ATTEMPTS_MAX => {
                    warn!(attempts, %error, "a table cannot be read, trying again");
                    self.reader = None;
                    attempts = attempts.saturating_add(1);
                    tokio::time::sleep(PAUSE).await;
                }
                // A snapshot may be open.
                Err(error) => {
                    self.reader = None;
                    return Err(error);
                }
                answer => return answer,
            }
        }
    }

    async fn try_answer(
        &mut self,
        question: &Question,
        seen: &Position,
    ) -> Result<Answer, BinlogError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(TableReader::open(&self.server, &self.read).await?),
        };
        match question {
            Question::Chunk { schema, behind, rows_max } => {
                let chunk = reader.chunk(schema, behind.as_deref(), *rows_max, seen).await?;
                Ok(Answer::Chunk(chunk))
            }
            Question::Table(name) => {
                let tables = reader.tables(seen).await?;
                let table = tables.into_iter().find(|table| table.schema.name == *name);
                match table {
                    Some(table) => Ok(Answer::Table(Box::new(table))),
                    None => reader.end().await.map(Answer::NoTable),
                }
            }
        }
    }
}

/// The captured tables as they are once the server has carried out what its log tells up to `seen`, and
/// the end of the log behind that.
pub(super) async fn tables(
    server: &ServerOptions,
    read: &ReadOptions,
    seen: &Position,
) -> Result<(Vec<LoadTable>, Position), BinlogError> {
    let tables = TableReader::open(server, read).await?.tables(seen).await?;
    let end = ServerFacts::read(server).await?.position;
    let end = end.unwrap_or_else(|| seen.clone());
    Ok((tables, Position::at(end.file, end.offset)))
}
