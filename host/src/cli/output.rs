//! Standard output: data for people or for scripts.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use crate::error::HostError;

/// How a command prints its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

impl Form {
    /// The form that `--json` asks for.
    pub(super) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// What a reader that went away means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithoutReader {
    /// There is nothing left to do: the output is all that the command is for.
    Ends,
    /// The command goes on: its exit code says something too.
    GoesOn,
}

/// Standard output, buffered; [`Output::finish`] writes out what is left.
pub(super) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    without_reader: WithoutReader,
}

impl Output {
    /// For a command that only shows something.
    pub(super) fn new() -> Self {
        let stdout = BufWriter::new(io::stdout().lock());
        Self { stdout, without_reader: WithoutReader::Ends }
    }

    /// For a command whose exit code is a verdict, heard or not.
    pub(super) fn of_verdict() -> Self {
        Self { without_reader: WithoutReader::GoesOn, ..Self::new() }
    }

    fn outcome(&self, written: io::Result<()>) -> Result<(), HostError> {
        match written {
            Err(error)
                if error.kind() == io::ErrorKind::BrokenPipe
                    && self.without_reader == WithoutReader::GoesOn =>
            {
                Ok(())
            }
            written => written.map_err(HostError::Output),
        }
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), HostError> {
        let written = self.stdout.write_all(text.as_bytes());
        self.outcome(written)
    }

    pub(super) fn line(&mut self, line: &str) -> Result<(), HostError> {
        self.text(line)?;
        self.text("\n")
    }

    /// One JSON value on one line.
    pub(super) fn json<T: Serialize>(&mut self, value: &T) -> Result<(), HostError> {
        let line = serde_json::to_string(value).map_err(|e| HostError::Output(e.into()))?;
        self.line(&line)
    }

    /// Writes out what is held back, before an error is told.
    pub(super) fn flush(&mut self) -> Result<(), HostError> {
        let written = self.stdout.flush();
        self.outcome(written)
    }

    pub(super) fn finish(mut self) -> Result<(), HostError> {
        self.flush()
    }
}
