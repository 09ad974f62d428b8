//! Points in a binlog, and what it means that one is at or before another.

use std::cmp::Ordering;
use std::fmt;

use crate::batch::Transaction;
use crate::gtid::GtidSet;

/// A log file's name, ordered by the number at its end (`mysql-bin.000999` before `mysql-bin.001000`,
/// and `mysql-bin.999999` before `mysql-bin.1000000`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFile<'a>(pub &'a str);

impl LogFile<'_> {
    /// The number: the last part between dots that is all digits; 0 where there is none.
    #[must_use]
    pub fn index(self) -> u64 {
        let digits = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
        self.0.rsplit('.').find(digits).and_then(|p| p.parse().ok()).unwrap_or(0)
    }
}

impl PartialOrd for LogFile<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LogFile<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.index().cmp(&other.index()).then_with(|| self.0.cmp(other.0))
    }
}

/// What the last transaction before a position looked like: a server that was reset or restored from a
/// backup answers with another one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fingerprint {
    /// Where its last event starts.
    pub event_offset: u64,
    /// Its commit time, microseconds since 1970-01-01T00:00Z.
    pub commit_micros: i64,
    /// The CRC-32 of its last event.
    pub checksum: u32,
}

/// A point between two transactions of a log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The server's uuid or, where it has none, what identifies it; none for recorded files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The log file.
    pub file: String,
    /// Bytes from the start of the file.
    pub offset: u64,
    /// Everything executed up to here, where the server has GTIDs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtids: Option<GtidSet>,
    /// What the last transaction before it looked like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

impl Position {
    /// A position known by file and offset alone.
    #[must_use]
    pub fn at(file: impl Into<String>, offset: u64) -> Self {
        Self { server: None, file: file.into(), offset, gtids: None, fingerprint: None }
    }

    /// Whether the transaction lies at or before this position: by GTID where both have one, else by
    /// file number and offset. Nothing covers rows that are not of the log.
    #[must_use]
    pub fn covers(&self, transaction: &Transaction) -> bool {
        match (&self.gtids, &transaction.gtid) {
            _ if transaction.end == Transaction::NOT_OF_THE_LOG => false,
            (Some(set), Some(gtid)) => set.contains(gtid),
            _ => {
                let end = (LogFile(&transaction.file), transaction.end);
                end <= (LogFile(&self.file), self.offset)
            }
        }
    }

    /// Whether this position is at or past the other one: by GTID sets where both have them, else by
    /// file number and offset.
    #[must_use]
    pub fn reaches(&self, other: &Self) -> bool {
        match (&self.gtids, &other.gtids) {
            (Some(own), Some(theirs)) => own.contains_all(theirs),
            _ => (LogFile(&other.file), other.offset) <= (LogFile(&self.file), self.offset),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gtid::Gtid;

    #[test]
    fn files_are_ordered_by_number() {
        assert!(LogFile("bin.999999") < LogFile("bin.1000000"));
        assert!(LogFile("bin.000002") < LogFile("bin.000010"));
        assert_eq!(LogFile("20_rotation.2.binlog").index(), 2);
        assert_eq!(LogFile("shop.binlog").index(), 0);
    }

    fn transaction(file: &str, end: u64, sequence: Option<u64>) -> Transaction {
        let gtid = sequence.map(|sequence| Gtid::MariaDb { domain: 0, server: 1, sequence });
        Transaction { file: file.into(), start: 4, end, gtid, commit_micros: 0, server_id: 1 }
    }

    #[test]
    fn a_position_covers_what_ends_at_or_before_it() {
        let position = Position::at("bin.000002", 100);
        assert!(position.covers(&transaction("bin.000001", 5000, None)));
        assert!(position.covers(&transaction("bin.000002", 100, None)));
        assert!(!position.covers(&transaction("bin.000002", 101, None)));
        assert!(!position.covers(&transaction("bin.000003", 50, None)));
    }

    #[test]
    fn gtids_decide_where_both_have_them() {
        let mut position = Position::at("bin.000009", 9);
        position.gtids = "0-1-10".parse().ok();
        assert!(position.covers(&transaction("other.000099", 999, Some(10))));
        assert!(!position.covers(&transaction("bin.000001", 4, Some(11))));
        assert!(position.covers(&transaction("bin.000001", 4, None)));
    }

    #[test]
    fn no_position_covers_what_a_table_held_on_a_server_with_older_files() {
        let mut position = Position::at("mysql-bin.000120", 9);
        let loaded = transaction("binlog.000007", Transaction::NOT_OF_THE_LOG, None);
        assert!(!position.covers(&loaded));
        position.gtids = "0-1-10".parse().ok();
        assert!(!position.covers(&loaded));
    }
}
