//! Standard error, shared by log lines and the progress bar so that neither tears the other.

use std::io::{self, IsTerminal, Write};

use indicatif::MultiProgress;
use tracing_subscriber::fmt::MakeWriter;

/// Standard error of the process.
#[derive(Clone, Default)]
pub struct Screen {
    bars: MultiProgress,
}

impl Screen {
    /// Whether a person is watching.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Writes a line above the bar. What standard error refuses is lost: there is nobody to tell.
    pub fn write_line(&self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    fn write(&self, bytes: &[u8]) {
        let write = || {
            let _ = io::stderr().lock().write_all(bytes);
        };
        self.bars.suspend(write);
    }
}

/// Gathers one log line and writes it above the bar.
pub struct LogWriter {
    screen: Screen,
    line: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = LogWriter;

    fn make_writer(&'a self) -> LogWriter {
        LogWriter { screen: self.clone(), line: Vec::new() }
    }
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.screen.write(&self.line);
    }
}
