//! Where a pipeline stands in its server's log, and for how long the server keeps that place.
//!
//! Checkpoint and targets are only read, and no running pipeline is disturbed.

use binlog::ServerFacts;
use binlog::live::{self, ServerLogs};
use change::{GtidSet, Position};
use lake::Lake;
use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::error::{CommandError, HostError};
use crate::manifest::{Manifest, SourceFrom};
use crate::pipeline::{RunError, open, resume};

/// What `sluice positions` tells.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What the server says of itself, the end of its log included.
    pub server: ServerFacts,
    /// Its clock, seconds since 1970-01-01T00:00Z.
    pub now_seconds: u64,
    /// How long a file is kept that is not written to any more; none: until somebody removes it.
    pub kept_seconds: Option<u64>,
    /// Bytes of log beyond which the oldest files are removed whatever their age.
    pub kept_bytes: Option<u64>,
    /// The log files, oldest first.
    pub files: Vec<File>,
    /// Where the pipeline goes on; none where it has not begun.
    pub resume: Option<Place>,
    /// The point that was asked for by its time.
    pub at: Option<Position>,
}

/// A log file.
#[derive(Debug, Serialize)]
pub struct File {
    /// Its name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// When it was begun, seconds since 1970-01-01T00:00Z.
    pub begun_seconds: u64,
    /// In how many seconds it may be removed for its age; none: not before it is full, or never.
    pub removed_in_seconds: Option<u64>,
    /// Everything executed before it, where the server has GTIDs.
    pub before: Option<GtidSet>,
}

/// A position among the files.
#[derive(Debug, Serialize)]
pub struct Place {
    /// The position.
    pub position: Position,
    /// The file that holds what follows; none: the server does not have it any more.
    pub file: Option<String>,
    /// In how many seconds that file may be removed for its age.
    pub removed_in_seconds: Option<u64>,
    /// Bytes of log behind it, as far as they can be told.
    pub bytes_behind: Option<u64>,
}

/// Asks the server of a manifest. `at_seconds`: find the first transaction at or behind this time, too.
///
/// # Errors
/// Where the manifest names no server, or the server, the checkpoint or the targets cannot be read.
pub async fn positions(
    manifest: &Manifest,
    at_seconds: Option<u64>,
) -> Result<Report, CommandError> {
    let SourceFrom::Server(settings) = &manifest.source.from else {
        return Err(HostError::Usage {
            message: format!("{} reads recorded files", manifest.path().display()),
            hint: "look at them with `sluice inspect`".to_owned(),
        }
        .into());
    };
    let server = open::server_options(settings);
    let resume = reached(manifest).await?;
    let logs = live::logs(&server).await?;
    let at = match at_seconds {
        Some(seconds) => Some(live::position_at(&server, &logs, seconds).await?),
        None => None,
    };
    let place = resume.map(|position| place(&logs, position));
    let files = logs.files.iter().enumerate().map(|(index, log)| File {
        file: log.file.clone(),
        bytes: log.bytes,
        begun_seconds: log.begun_seconds,
        removed_in_seconds: logs.removed_in_seconds(index),
        before: log.before.clone(),
    });
    Ok(Report {
        files: files.collect(),
        now_seconds: logs.now_seconds,
        kept_seconds: logs.kept_seconds,
        kept_bytes: logs.kept_bytes,
        resume: place,
        at,
        server: logs.facts,
    })
}

/// Where the pipeline goes on.
async fn reached(manifest: &Manifest) -> Result<Option<Position>, RunError> {
    let (folder, name) = (&manifest.pipeline.checkpoint, &manifest.pipeline.name);
    let state = resume::usable(Checkpoint::peek(folder, name)?, manifest);
    let lake = Lake::open(open::lake_options(manifest, "")).await?;
    Ok(resume::reached(state.as_ref(), lake.recovered())?.cloned())
}

fn place(logs: &ServerLogs, position: Position) -> Place {
    let holding = logs.holding(&position);
    let rest = holding.and_then(|index| logs.files.get(index..)).unwrap_or_default();
    // Another server may have a file of that name.
    let is_here = position.server.as_ref().is_none_or(|server| *server == logs.facts.identity);
    let is_exact = is_here && rest.first().is_some_and(|log| log.file == position.file);
    let bytes: u64 = rest.iter().map(|log| log.bytes).sum();
    Place {
        file: rest.first().map(|log| log.file.clone()),
        removed_in_seconds: holding.and_then(|index| logs.removed_in_seconds(index)),
        bytes_behind: is_exact.then(|| bytes.saturating_sub(position.offset)),
        position,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> ServerLogs {
        let facts = ServerFacts {
            address: "db:3306".to_owned(),
            vendor: binlog::Vendor::MariaDb,
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
        };
        let log = live::ServerLog {
            file: "log.000003".to_owned(),
            bytes: 100,
            begun_seconds: 1_000,
            before: "0-1-20".parse().ok(),
        };
        let (now_seconds, kept_seconds, kept_bytes) = (5_000, None, None);
        ServerLogs { facts, now_seconds, kept_seconds, kept_bytes, files: vec![log] }
    }

    #[test]
    fn an_offset_of_another_server_measures_no_distance() {
        let behind = |server: &str| {
            let (server, gtids) = (Some(server.to_owned()), "0-1-25".parse().ok());
            let place =
                place(&logs(), Position { server, gtids, ..Position::at("log.000003", 30) });
            (place.file, place.bytes_behind)
        };
        let file = || Some("log.000003".to_owned());
        assert_eq!(behind("here"), (file(), Some(70)));
        assert_eq!(behind("there"), (file(), None));
    }
}
