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

/// Standard output, buffered; [`Output::finish`] writes out what is left.
pub(super) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), HostError> {
        self.0.write_all(text.as_bytes()).map_err(HostError::Output)
    }

    pub(super) fn line(&mut self, line: &str) -> Result<(), HostError> {
        self.text(line)?;
        self.text("\n")
    }

    /// One JSON value on one line.
    pub(super) fn json<T: Serialize>(&mut self, value: &T) -> Result<(), HostError> {
        serde_json::to_writer(&mut self.0, value).map_err(|e| HostError::Output(e.into()))?;
        self.text("\n")
    }

    /// Writes out what is held back, before an error is told.
    pub(super) fn flush(&mut self) -> Result<(), HostError> {
        self.0.flush().map_err(HostError::Output)
    }

    pub(super) fn finish(mut self) -> Result<(), HostError> {
        self.flush()
    }
}
