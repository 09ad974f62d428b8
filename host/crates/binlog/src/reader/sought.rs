//! The position of a time: a log is read without its rows up to the first transaction at or behind it.

use super::Reader;
use crate::event::{Event, EventKind};

/// A time that is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sought {
    /// Nothing is.
    #[default]
    Nothing,
    /// The first transaction at or behind this, seconds since 1970-01-01T00:00Z.
    Seconds(u64),
    /// The next transaction is that one: nothing more is taken in.
    Found,
}

impl Reader {
    /// Reads no rows from here on, and stops before the first transaction at or behind a time.
    pub(crate) fn seek_time(&mut self, seconds: u64) {
        self.scan_to(u64::MAX);
        self.sought = Sought::Seconds(seconds);
    }

    /// Whether the transaction of the time that is looked for comes next.
    pub(crate) fn has_found_time(&self) -> bool {
        self.sought == Sought::Found
    }

    /// Whether an event is not to be taken in: it begins the transaction that is looked for, or stands
    /// behind that.
    pub(super) fn is_behind_time(&mut self, event: &Event<'_>) -> bool {
        let Sought::Seconds(seconds) = self.sought else {
            return self.sought == Sought::Found;
        };
        let begins = matches!(
            event.header.kind,
            EventKind::GTID
                | EventKind::ANONYMOUS_GTID
                | EventKind::GTID_TAGGED
                | EventKind::MARIADB_GTID
                | EventKind::QUERY
                | EventKind::QUERY_COMPRESSED
        );
        let is_due = u64::from(event.header.timestamp_seconds) >= seconds;
        if begins && is_due && self.group.is_none() {
            self.sought = Sought::Found;
        }
        self.sought == Sought::Found
    }
}
