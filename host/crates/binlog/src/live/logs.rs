//! The log files that a server has: from when each is, behind which transactions it begins, and how long
//! the server keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use change::{GtidSet, LogFile, Position};
use futures::{StreamExt, TryStreamExt};

use super::LiveSource;
use super::connection::Connection;
use super::facts::ServerFacts;
use super::request::{Request, open_dump};
use crate::control::ControlReader;
use crate::error::{BinlogError, Place, ServerCause};
use crate::event::{EventKind, FIRST_EVENT_OFFSET};
use crate::options::{ReadOptions, ServerOptions, Start};

/// Files whose heads are read at once, a connection each.
const HEADS_AT_ONCE: usize = 4;

/// A log file of a server.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ServerLog {
    /// Its name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// When it was begun, seconds since 1970-01-01T00:00Z.
    pub begun_seconds: u64,
    /// Everything executed before it, where the server has GTIDs.
    pub before: Option<GtidSet>,
}

impl ServerLog {
    /// Whether nothing was ever logged before it.
    fn is_first(&self) -> bool {
        match &self.before {
            Some(GtidSet::Mysql(set)) => set.is_empty(),
            Some(GtidSet::MariaDb(set)) => set.domains.is_empty(),
            None => LogFile(&self.file).index() <= 1,
        }
    }
}

/// What a server has of its log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ServerLogs {
    /// What it says of itself.
    pub facts: ServerFacts,
    /// Its clock, seconds since 1970-01-01T00:00Z.
    pub now_seconds: u64,
    /// How long it keeps a file that it does not write to any more; none: until somebody removes it.
    pub kept_seconds: Option<u64>,
    /// Bytes of log beyond which MariaDB removes the oldest files whatever their age; none: no matter
    /// how many.
    pub kept_bytes: Option<u64>,
    /// The files, oldest first.
    pub files: Vec<ServerLog>,
}

impl ServerLogs {
    /// The file that holds what follows on a position; none where that is not there any more.
    #[must_use]
    pub fn holding(&self, position: &Position) -> Option<usize> {
        let is_here = position.server.as_ref().is_none_or(|server| *server == self.facts.identity);
        let by_name = self.files.iter().position(|log| log.file == position.file);
        if let (true, Some(index)) = (is_here && !position.file.is_empty(), by_name) {
            return Some(index);
        }
        let covered = position.gtids.as_ref()?;
        // What follows begins in the newest file that lacks nothing before it.
        let lacks_nothing = |log: &ServerLog| {
            log.before.as_ref().is_some_and(|before| covered.contains_all(before))
        };
        self.files.iter().rposition(lacks_nothing)
    }

    /// In how many seconds a file may be removed for its age, 0 where it may be now. None: not before it
    /// is full, or never.
    #[must_use]
    pub fn removed_in_seconds(&self, index: usize) -> Option<u64> {
        let kept = self.kept_seconds?;
        // It was last written to when the next one was begun.
        let next = self.files.get(index.checked_add(1)?)?;
        Some(next.begun_seconds.saturating_add(kept).saturating_sub(self.now_seconds))
    }
}

/// Asks a server for its log files. It is not taken for a replica by the id of `server`.
///
/// # Errors
/// Where the server cannot be reached, writes no log, or the account may not read it.
pub async fn logs(server: &ServerOptions) -> Result<ServerLogs, BinlogError> {
    let mut connection = Connection::open(server).await?;
    let facts = ServerFacts::ask(&mut connection).await?;
    super::require(&facts)?;
    let (kept_seconds, kept_bytes) = kept(&mut connection).await?;
    let now = connection.rows::<u64>("SELECT UNIX_TIMESTAMP()").await?;
    let listed = connection.rows::<mysql_async::Row>("SHOW BINARY LOGS").await?;
    let listed = listed.into_iter().filter_map(|row| {
        let bytes = row.get_opt::<u64, _>(1)?.ok()?;
        Some((row.get_opt::<String, _>(0)?.ok()?, bytes))
    });
    let mut listed: Vec<_> = listed.collect();
    listed.sort_by(|a, b| LogFile(&a.0).cmp(&LogFile(&b.0)));
    // A running pipeline must not lose its place to this one.
    let server = ServerOptions { server_id: None, ..server.clone() };
    let heads =
        futures::stream::iter(listed).map(|(file, bytes)| head(&server, &facts, file, bytes));
    let files = heads.buffered(HEADS_AT_ONCE).try_collect().await?;
    let now_seconds = now.into_iter().next().unwrap_or(0);
    Ok(ServerLogs { facts, now_seconds, kept_seconds, kept_bytes, files })
}

/// The position before the first transaction at or behind a time, seconds since 1970-01-01T00:00Z; the end
/// of the log where there is none. The server is not disturbed more than by [`logs`].
///
/// # Errors
/// Where the server cannot be reached, or has removed log that is not older than that time.
pub async fn position_at(
    server: &ServerOptions,
    logs: &ServerLogs,
    seconds: u64,
) -> Result<Position, BinlogError> {
    let refuse = |cause| BinlogError::server(&logs.facts.address, cause, None);
    let begun_before = logs.files.iter().rfind(|log| log.begun_seconds < seconds);
    let first = logs.files.first().filter(|log| log.is_first());
    let log = begun_before.or(first).ok_or_else(|| refuse(ServerCause::Purged))?;
    let server = ServerOptions { server_id: None, ..server.clone() };
    let identity = Some(logs.facts.identity.clone());
    let head = Position { server: identity, ..Position::at(&*log.file, FIRST_EVENT_OFFSET) };
    let source = LiveSource::connect(&server, Start::At(head), None, ReadOptions::default());
    source.await?.find_time(seconds).await
}

/// How long, and how much of it, the server keeps.
async fn kept(connection: &mut Connection) -> Result<(Option<u64>, Option<u64>), BinlogError> {
    let query = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds', \
                 'binlog_expire_logs_auto_purge', 'max_binlog_total_size')";
    let variables: BTreeMap<String, String> =
        connection.rows::<(String, String)>(query).await?.into_iter().collect();
    let number = |name: &str| variables.get(name).and_then(|v| v.parse::<u64>().ok());
    let is_off = variables.get("binlog_expire_logs_auto_purge").is_some_and(|v| v == "OFF");
    let seconds = number("binlog_expire_logs_seconds").filter(|seconds| *seconds > 0 && !is_off);
    Ok((seconds, number("max_binlog_total_size").filter(|bytes| *bytes > 0)))
}

/// Reads the head of a file.
async fn head(
    server: &ServerOptions,
    facts: &ServerFacts,
    file: String,
    bytes: u64,
) -> Result<ServerLog, BinlogError> {
    let connection = Connection::open(server).await?;
    let request = Request::File { file: file.clone(), offset: FIRST_EVENT_OFFSET };
    let mut dump = open_dump(connection, server, facts, &request).await?;
    let mut control = ControlReader::default();
    let mut begun_seconds = 0;
    loop {
        let sent = dump.wait().await?;
        let event = sent.event();
        match event.header.kind {
            EventKind::ROTATE => dump.enter(Arc::from(file.as_str()), FIRST_EVENT_OFFSET),
            EventKind::FORMAT_DESCRIPTION => {
                begun_seconds = u64::from(event.header.timestamp_seconds);
            }
            EventKind::PREVIOUS_GTIDS | EventKind::GTID_LIST => {
                let place = || Place {
                    file: Arc::from(file.as_str()),
                    offset: event.offset,
                    event: Some(event.header.kind),
                };
                let before = control.executed_before(&event);
                let malformed = |what| BinlogError::Malformed { place: place(), what };
                let before = Some(before.map_err(malformed)?).filter(|_| facts.has_gtids());
                return Ok(ServerLog { file, bytes, begun_seconds, before });
            }
            // A file without such a list: the first event behind the head, or none at all.
            _ => return Ok(ServerLog { file, bytes, begun_seconds, before: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Vendor;

    fn facts() -> ServerFacts {
        ServerFacts {
            address: "db:3306".to_owned(),
            vendor: Vendor::MariaDb,
            version: "11.8".to_owned(),
            identity: "here".to_owned(),
            server_id: 1,
            has_binlog: true,
            binlog_format: "ROW".to_owned(),
            binlog_row_image: "FULL".to_owned(),
            binlog_row_metadata: "FULL".to_owned(),
            gtid_mode: None,
            binlog_checksum: "CRC32".to_owned(),
            has_compression: false,
            has_partial_json: false,
            lower_case_table_names: 0,
            position: None,
        }
    }

    fn logs() -> ServerLogs {
        let file = |number: u64, before: Option<&str>| ServerLog {
            file: format!("log.{number:06}"),
            bytes: 100,
            begun_seconds: 1_000 * number,
            before: before.map(|set| set.parse().expect("a set")),
        };
        ServerLogs {
            facts: facts(),
            now_seconds: 5_000,
            kept_seconds: Some(2_500),
            kept_bytes: None,
            files: vec![file(2, Some("0-1-10")), file(3, Some("0-1-20")), file(4, Some("0-1-30"))],
        }
    }

    #[test]
    fn a_position_is_held_by_its_file_or_by_the_newest_that_lacks_nothing_before_it() {
        let logs = logs();
        let at = |file: &str, server: &str, gtids: Option<&str>| Position {
            server: Some(server.to_owned()),
            gtids: gtids.map(|set| set.parse().expect("a set")),
            ..Position::at(file, 50)
        };
        let cases = [
            (at("log.000003", "here", None), Some(1)),
            (at("log.000003", "here", Some("0-1-25")), Some(1)),
            (at("log.000001", "here", None), None),
            (at("log.000001", "here", Some("0-1-9")), None),
            (at("other.000004", "there", Some("0-1-25")), Some(1)),
            (at("log.000002", "there", Some("0-1-99")), Some(2)),
            (at("log.000002", "there", None), None),
        ];
        for (position, expected) in cases {
            assert_eq!(logs.holding(&position), expected, "{position:?}");
        }
    }

    #[test]
    fn a_file_is_removed_once_it_was_left_alone_for_long_enough() {
        let mut logs = logs();
        // Left at 3,000 and 4,000, kept for 2,500, and it is 5,000.
        assert_eq!([0, 1, 2].map(|i| logs.removed_in_seconds(i)), [Some(500), Some(1_500), None]);
        logs.now_seconds = 6_000;
        assert_eq!(logs.removed_in_seconds(0), Some(0));
        logs.kept_seconds = None;
        assert_eq!(logs.removed_in_seconds(0), None);
    }
}
