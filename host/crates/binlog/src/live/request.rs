//! How a server is asked for its log: from where, as whom, and what has to be seen before anything is
//! believed.

use std::time::Duration;

use change::{Fingerprint, GtidSet, LogFile, Position};
use mysql_async::{BinlogStreamRequest, Conn, GnoInterval, Sid};
use mysql_common::packets::Tag;
use uuid::Uuid;

use super::connection::{Connection, Failure};
use super::dump::Dump;
use super::facts::ServerFacts;
use crate::error::{BinlogError, ServerCause};
use crate::event::{FIRST_EVENT_OFFSET, Vendor};
use crate::options::{RANDOM_SERVER_IDS, ServerOptions};

/// Heartbeats that may stay away before the connection counts as lost.
const SILENT_HEARTBEATS_MAX: u32 = 3;

/// How the server is asked for its log.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Behind the transactions of a set.
    Gtids(GtidSet),
    /// From an offset of a file.
    File { file: String, offset: u64 },
}

/// What has to be found before anything is handed out.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    /// Nothing: the stream starts where it was asked to.
    There,
    /// The last event of the transaction before the start, which has to be the remembered one.
    Remembered(Fingerprint),
    /// An end of a transaction at the start's offset; the file is read from its head.
    Boundary,
}

/// The position as this server can be asked for it: where its transactions have no GTIDs (any more), a
/// set that was remembered of it is left aside for file, offset and fingerprint.
pub(super) fn askable(facts: &ServerFacts, position: Position) -> Position {
    let is_here = position.server.as_ref() == Some(&facts.identity) && !position.file.is_empty();
    if is_here && !facts.has_gtids() {
        return Position { gtids: None, ..position };
    }
    position
}

/// Whether the server has come as far as the position. One that has not was reset, restored, or is a
/// replica that lags behind; asked for what is not there it would send nothing, or start anew.
pub(super) fn within(facts: &ServerFacts, position: &Position) -> Result<(), BinlogError> {
    let Some(end) = &facts.position else {
        return Ok(());
    };
    let is_here = position.server.as_ref().is_none_or(|server| *server == facts.identity);
    let cause = match (&position.gtids, &end.gtids) {
        (Some(covered), Some(executed)) if executed.contains_all(covered) => return Ok(()),
        (Some(_), _) if !facts.has_gtids() => return Ok(()),
        (Some(_), _) => ServerCause::Diverged,
        (None, _) if !is_here => return Ok(()),
        (None, _) if LogFile(&end.file) < LogFile(&position.file) => ServerCause::NoSuchLog,
        (None, _) if end.file == position.file && end.offset < position.offset => {
            ServerCause::BeyondEnd
        }
        (None, _) => return Ok(()),
    };
    Err(BinlogError::server(&facts.address, cause, None))
}

/// Where the reader starts from: the position itself, the head of its file where it has to prove itself,
/// and no file at all where its file is another server's.
pub(super) fn reading_from(
    facts: &ServerFacts,
    position: &Position,
    arrival: &Arrival,
) -> Position {
    let is_here = position.server.as_ref() == Some(&facts.identity);
    if matches!(arrival, Arrival::Boundary) {
        return Position::at(position.file.as_str(), FIRST_EVENT_OFFSET);
    }
    if position.gtids.is_some() && !is_here {
        let file = String::new();
        return Position { file, offset: FIRST_EVENT_OFFSET, ..position.clone() };
    }
    position.clone()
}

/// How to ask for a position, and what has to be seen before it counts as found.
pub(super) fn plan(
    facts: &ServerFacts,
    position: &Position,
) -> Result<(Request, Arrival), BinlogError> {
    let refuse = |cause| BinlogError::server(&facts.address, cause, None);
    if let Some(gtids) = &position.gtids {
        let is_same_vendor = match gtids {
            GtidSet::Mysql(_) => facts.vendor == Vendor::Mysql,
            GtidSet::MariaDb(_) => facts.vendor == Vendor::MariaDb,
        };
        if !is_same_vendor {
            return Err(refuse(ServerCause::AnotherServer));
        }
        if !facts.has_gtids() {
            return Err(refuse(ServerCause::GtidsOff));
        }
        return Ok((Request::Gtids(gtids.clone()), Arrival::There));
    }
    if position.server.as_ref().is_some_and(|server| *server != facts.identity) {
        return Err(refuse(ServerCause::AnotherServer));
    }
    let file = position.file.clone();
    let at = |offset: u64| Request::File { file: file.clone(), offset };
    // What the server itself just told is the end of a transaction.
    let is_end = facts
        .position
        .as_ref()
        .is_some_and(|end| (&end.file, end.offset) == (&position.file, position.offset));
    let (offset, arrival) = match &position.fingerprint {
        Some(remembered) if remembered.event_offset < position.offset => {
            (remembered.event_offset, Arrival::Remembered(remembered.clone()))
        }
        _ if is_end || position.offset <= FIRST_EVENT_OFFSET => (position.offset, Arrival::There),
        _ => (FIRST_EVENT_OFFSET, Arrival::Boundary),
    };
    if u32::try_from(offset).is_err() {
        return Err(refuse(ServerCause::BeyondFourGigabytes));
    }
    Ok((at(offset), arrival))
}

/// Sets up the session and asks for the log.
pub(super) async fn open_dump(
    mut connection: Connection,
    server: &ServerOptions,
    facts: &ServerFacts,
    request: &Request,
) -> Result<Dump, BinlogError> {
    for statement in session(server, facts, request) {
        connection.run(&statement).await?;
    }
    let address = connection.address().to_owned();
    let silence_max = server.heartbeat.saturating_mul(SILENT_HEARTBEATS_MAX);
    let silence_max = silence_max.max(Duration::from_secs(1));
    let id = server.server_id.unwrap_or_else(random_server_id);
    let wanted = BinlogStreamRequest::new(id);
    let (file, offset) = match request {
        Request::Gtids(_) => ("", FIRST_EVENT_OFFSET),
        Request::File { file, offset } => (file.as_str(), *offset),
    };
    let wanted = match request {
        Request::Gtids(GtidSet::Mysql(set)) => {
            let sids = sids(set)
                .ok_or_else(|| BinlogError::server(&address, ServerCause::Protocol, None))?;
            wanted.with_gtid().with_gtid_set(sids)
        }
        Request::Gtids(GtidSet::MariaDb(_)) => wanted,
        Request::File { .. } => wanted.with_filename(file.as_bytes()).with_pos(offset),
    };
    let conn: Conn = connection.into_inner();
    let asked = tokio::time::timeout(server.connect_timeout, conn.get_binlog_stream(wanted)).await;
    let stream = match asked {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Failure::Driver(error)),
        Err(_) => Err(Failure::Silent),
    };
    let stream = stream.map_err(|failure| may_dump(failure.into_error(&address)))?;
    Ok(Dump::new(stream, &address, silence_max, file, offset))
}

/// After the login a denied access is about the dump, not about the password.
pub(super) fn may_dump(error: BinlogError) -> BinlogError {
    match error {
        BinlogError::Server(mut failure) if failure.cause == ServerCause::AccessDenied => {
            failure.cause = ServerCause::NoReplicationSlave;
            BinlogError::Server(failure)
        }
        other => other,
    }
}

/// What the session says of the replica before it asks for the log.
pub(super) fn session(
    server: &ServerOptions,
    facts: &ServerFacts,
    request: &Request,
) -> Vec<String> {
    let heartbeat_ns = server.heartbeat.as_nanos();
    let mut statements = Vec::new();
    match facts.vendor {
        Vendor::Mysql => {
            let replica = Uuid::new_v4();
            statements.push(format!(
                "SET @master_heartbeat_period = {heartbeat_ns}, \
                 @source_heartbeat_period = {heartbeat_ns}, \
                 @source_binlog_checksum = 'CRC32', \
                 @slave_uuid = '{replica}', @replica_uuid = '{replica}'"
            ));
        }
        Vendor::MariaDb => {
            // Without the capability the server rewrites GTID events, and gives up at some of them.
            statements.push(format!(
                "SET @master_heartbeat_period = {heartbeat_ns}, @mariadb_slave_capability = 4"
            ));
            if let Request::Gtids(set) = request {
                statements.push(format!("SET @slave_connect_state = '{set}'"));
                statements.push("SET @slave_gtid_strict_mode = 1".to_owned());
            }
        }
    }
    statements
}

/// A set as the dump command takes it; none where a tag is none.
pub(super) fn sids(set: &change::gtid::MysqlGtidSet) -> Option<Vec<Sid<'static>>> {
    let sid = |(source, tag, ranges): (&Uuid, &str, &[(u64, u64)])| {
        let intervals = ranges
            .iter()
            .map(|(first, last)| GnoInterval::check_and_new(*first, last.saturating_add(1)).ok());
        let sid = Sid::new(*source.as_bytes()).with_intervals(intervals.collect::<Option<_>>()?);
        if tag.is_empty() {
            return Some(sid);
        }
        Tag::new(tag.to_owned()).ok().map(|tag| sid.with_tag(tag))
    };
    set.iter().map(sid).collect()
}

pub(super) fn random_server_id() -> u32 {
    let (low, high) = (*RANDOM_SERVER_IDS.start(), *RANDOM_SERVER_IDS.end());
    let span = u128::from(high.saturating_sub(low)).saturating_add(1);
    let pick = Uuid::new_v4().as_u128().checked_rem(span).unwrap_or(0);
    low.saturating_add(u32::try_from(pick).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(gtid_mode: &str) -> ServerFacts {
        ServerFacts {
            address: "db:3306".to_owned(),
            vendor: Vendor::Mysql,
            version: "8.0.36".to_owned(),
            identity: "one".to_owned(),
            server_id: 1,
            has_binlog: true,
            binlog_format: "ROW".to_owned(),
            binlog_row_image: "FULL".to_owned(),
            binlog_row_metadata: "FULL".to_owned(),
            gtid_mode: Some(gtid_mode.to_owned()),
            binlog_checksum: "CRC32".to_owned(),
            has_compression: false,
            has_partial_json: false,
            lower_case_table_names: 0,
            position: Some(Position::at("log.000009", 5_000)),
        }
    }

    fn remembered(server: &str) -> Position {
        let set = "d25cc465-e65a-11f1-b244-02fc00000001:1-375".parse().expect("a set");
        let fingerprint = Fingerprint { event_offset: 869, commit_micros: 7, checksum: 9 };
        Position {
            server: Some(server.to_owned()),
            gtids: Some(set),
            fingerprint: Some(fingerprint),
            ..Position::at("log.000007", 900)
        }
    }

    #[test]
    fn a_server_whose_gtids_were_switched_off_goes_on_by_file_and_offset() {
        for mode in ["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE"] {
            let facts = facts(mode);
            let position = askable(&facts, remembered("one"));
            assert!(within(&facts, &position).is_ok(), "{mode}");
            let planned = plan(&facts, &position).expect("it can be asked for");
            let (Request::File { file, offset }, Arrival::Remembered(_)) = planned else {
                panic!("{mode}: {planned:?}");
            };
            assert_eq!((file.as_str(), offset), ("log.000007", 869), "{mode}");
            let elsewhere = askable(&facts, remembered("another"));
            let error = plan(&facts, &elsewhere).expect_err("a set that it does not know");
            assert!(error.to_string().contains("GTID"), "{mode}: {error}");
        }
    }

    #[test]
    fn a_server_with_gtids_is_asked_by_them() {
        let facts = facts("ON");
        let planned = plan(&facts, &askable(&facts, remembered("another"))).expect("it can");
        assert!(matches!(planned, (Request::Gtids(_), Arrival::There)), "{planned:?}");
    }
}
