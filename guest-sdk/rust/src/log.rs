//! Lines for the plugin's author: shown by `sluice test` and `--plugin-logs`, otherwise dropped.
//!
//! They may hold row values and never affect a result. The host takes at most 100 a call. Natively
//! they are kept for [`crate::testing::take_log`].

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Each row.
    Trace,
    /// Each batch.
    Debug,
    /// Changes of state.
    Info,
    /// Something to look at.
    Warn,
    /// A defect.
    Error,
}

/// Writes one line.
pub fn log(level: Level, message: &str) {
    sink::log(level, message);
}

/// A line of [`Level::Debug`].
pub fn debug(message: impl AsRef<str>) {
    log(Level::Debug, message.as_ref());
}

/// A line of [`Level::Info`].
pub fn info(message: impl AsRef<str>) {
    log(Level::Info, message.as_ref());
}

/// A line of [`Level::Warn`].
pub fn warn(message: impl AsRef<str>) {
    log(Level::Warn, message.as_ref());
}

/// A line of [`Level::Error`].
pub fn error(message: impl AsRef<str>) {
    log(Level::Error, message.as_ref());
}

#[cfg(target_arch = "wasm32")]
use crate::abi as sink;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod sink {
    //! Where lines go in a unit test.

    use std::cell::RefCell;

    use super::Level;

    thread_local! {
        static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn log(level: Level, message: &str) {
        LINES.with_borrow_mut(|lines| lines.push((level, message.to_owned())));
    }

    pub(crate) fn take() -> Vec<(Level, String)> {
        LINES.take()
    }
}
