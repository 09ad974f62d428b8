//! What plugins log. Lines may hold row values: they go to whoever asked for them and nowhere else.

use std::sync::Arc;

use crate::bindings::sluice::transform::logging::Level;
use crate::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// The finest.
    Trace,
    /// For the author.
    Debug,
    /// What happened.
    Info,
    /// What should not have happened.
    Warn,
    /// What went wrong; a panic's message.
    Error,
}

/// A line that a plugin wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The plugin's name in the manifest.
    pub plugin: Arc<str>,
    /// How much it matters.
    pub level: LogLevel,
    /// Its text, at most [`LOG_LINE_BYTES_MAX`] bytes.
    pub message: String,
}

/// Who gets the log lines of plugins.
pub type LogSink = Arc<dyn Fn(LogLine) + Send + Sync>;

/// The lines of one instance.
pub(crate) struct Logs {
    plugin: Arc<str>,
    sink: Option<LogSink>,
    lines: u32,
    last_error: Option<String>,
    /// What was printed without an end of line yet: standard output, standard error.
    printed: [Vec<u8>; 2],
}

impl Logs {
    pub(crate) fn new(plugin: Arc<str>, sink: Option<LogSink>) -> Self {
        Self { plugin, sink, lines: 0, last_error: None, printed: Default::default() }
    }

    /// A call begins: it may write its lines.
    pub(crate) fn start_call(&mut self) {
        self.lines = 0;
        self.last_error = None;
    }

    /// A call is over: what it printed without an end of line is a line too.
    pub(crate) fn end_call(&mut self) {
        for is_error in [false, true] {
            self.end_line(is_error);
        }
    }

    pub(crate) fn write(&mut self, level: Level, mut message: String) {
        message.truncate(message.floor_char_boundary(LOG_LINE_BYTES_MAX));
        if level == Level::Error {
            self.last_error = Some(message.clone());
        }
        self.send(level, message);
    }

    /// What a plugin prints, where its language brings WASI along.
    pub(crate) fn print(&mut self, is_error: bool, bytes: &[u8]) {
        for (at, part) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if at > 0 {
                self.end_line(is_error);
            }
            let [output, error] = &mut self.printed;
            let line = if is_error { error } else { output };
            let room = LOG_LINE_BYTES_MAX.saturating_sub(line.len());
            line.extend(part.iter().take(room));
        }
    }

    fn end_line(&mut self, is_error: bool) {
        let [output, error] = &mut self.printed;
        let line = std::mem::take(if is_error { error } else { output });
        if line.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        if !is_error {
            return self.send(Level::Info, line);
        }
        // The first line tells what happened, those behind it where; and what the plugin logs itself
        // tells more.
        self.last_error.get_or_insert_with(|| line.clone());
        self.send(Level::Error, line);
    }

    fn send(&mut self, level: Level, message: String) {
        self.lines = self.lines.saturating_add(1);
        if self.lines > LOG_LINES_MAX {
            return;
        }
        if let Some(sink) = &self.sink {
            let plugin = Arc::clone(&self.plugin);
            sink(LogLine { plugin, level: level_of(level), message });
        }
    }

    /// The last error of this call: a panic's message.
    pub(crate) fn take_last_error(&mut self) -> Option<String> {
        self.last_error.take()
    }
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}
