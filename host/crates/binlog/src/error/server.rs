//! What a server's refusals and a lost connection mean, by cause.
//!
//! The server tells most causes of a broken dump by one error number (1236) and a text; the texts are
//! matched here and nowhere else.

use std::fmt;
use std::io;

use change::{Diagnose, Fault, Retry};
use mysql_async::{DriverError, Error, IoError};

/// Why a server does not send its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerCause {
    /// It cannot be reached.
    Unreachable,
    /// The connection ended.
    Lost,
    /// It said nothing for longer than three heartbeats.
    Silent,
    /// It is busy or shutting down.
    Busy,
    /// Encryption failed: its certificate is not trusted, or it speaks no version that we do.
    Tls,
    /// Its certificate is another host's.
    TlsName,
    /// It offers no encryption.
    NoTls,
    /// A certificate or key file of ours cannot be used.
    TlsFiles,
    /// Wrong user or password.
    AccessDenied,
    /// The account lacks REPLICATION SLAVE.
    NoReplicationSlave,
    /// The account lacks REPLICATION CLIENT (MariaDB: BINLOG MONITOR).
    NoReplicationClient,
    /// It writes no log.
    NoBinlog,
    /// Its binlog_format is not ROW.
    NotRowFormat,
    /// The log file asked for does not exist, any more or ever.
    NoSuchLog,
    /// The transactions asked for have been purged.
    Purged,
    /// It never executed some of the transactions that the position covers.
    Diverged,
    /// The offset lies behind the end of the file.
    BeyondEnd,
    /// The offset lies inside an event.
    InsideEvent,
    /// The offset is beyond 4 GiB and the position has no GTID set.
    BeyondFourGigabytes,
    /// Another replica has the same server id.
    SameServerId,
    /// An event is larger than the largest packet.
    PacketTooLarge,
    /// The position is another server's and has no GTID set.
    AnotherServer,
    /// The position has a GTID set and the server has GTIDs off.
    GtidsOff,
    /// It answered something else than expected.
    Protocol,
    /// Any other error of the server.
    Other,
}

/// A refusal of a server, or its loss.
#[derive(Debug)]
pub struct ServerFailure {
    /// `host:port`.
    pub address: String,
    /// Why.
    pub cause: ServerCause,
    source: Option<Error>,
}

impl ServerFailure {
    pub(crate) fn new(address: &str, cause: ServerCause, source: Option<Error>) -> Self {
        Self { address: address.to_owned(), cause, source }
    }

    /// The number of the server's error.
    pub(crate) fn code(&self) -> Option<u16> {
        match &self.source {
            Some(Error::Server(said)) => Some(said.code),
            _ => None,
        }
    }

    fn what(&self) -> &'static str {
        match self.cause {
            ServerCause::Unreachable => "the server cannot be reached",
            ServerCause::Lost => "the connection was lost",
            ServerCause::Silent => "the server has said nothing for three heartbeats",
            ServerCause::Busy => "the server takes no work now",
            ServerCause::Tls => "the encrypted connection failed",
            ServerCause::TlsName => "the server's certificate does not name this host",
            ServerCause::NoTls => "the server offers no encryption",
            ServerCause::TlsFiles => "a certificate or key file cannot be used",
            ServerCause::AccessDenied => "the server refused the user or the password",
            ServerCause::NoReplicationSlave => "the account lacks the privilege REPLICATION SLAVE",
            ServerCause::NoReplicationClient => {
                "the account lacks the privilege REPLICATION CLIENT"
            }
            ServerCause::NoBinlog => "the server writes no binary log",
            ServerCause::NotRowFormat => "the server's binlog_format is not ROW",
            ServerCause::NoSuchLog => "the server does not have the log file of the position",
            ServerCause::Purged => "the server has purged logs that are still needed",
            ServerCause::Diverged => {
                "the position covers transactions that the server does not have"
            }
            ServerCause::BeyondEnd => "the position lies behind the end of the log file",
            ServerCause::InsideEvent => "the position lies in the middle of an event",
            ServerCause::BeyondFourGigabytes => {
                "the position lies beyond 4 GiB of its file, where only a GTID set can lead"
            }
            ServerCause::SameServerId => "another replica has the same server id",
            ServerCause::PacketTooLarge => "an event is larger than the largest packet",
            ServerCause::AnotherServer => {
                "the position is another server's and has no GTID set that would hold here"
            }
            ServerCause::GtidsOff => "the position is a GTID set and the server has GTIDs off",
            ServerCause::Protocol => "the server sent what no server sends",
            ServerCause::Other => "the server refused",
        }
    }
}

impl fmt::Display for ServerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.what())?;
        // What the server said belongs to the message: it names file, position or transactions.
        if let Some(Error::Server(said)) = &self.source {
            write!(f, " (error {}: {})", said.code, said.message.trim_end_matches('.'))?;
        }
        Ok(())
    }
}

impl std::error::Error for ServerFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            // Already part of the text.
            None | Some(Error::Server(_)) => None,
            Some(error) => Some(error),
        }
    }
}

impl Diagnose for ServerFailure {
    fn hint(&self) -> Option<String> {
        let hint = match self.cause {
            ServerCause::Unreachable => "check host, port and firewall, and that the server runs",
            ServerCause::Lost | ServerCause::Silent | ServerCause::Busy => {
                "see why the server or the network went away"
            }
            ServerCause::Tls => {
                "give the authority that signed the server's certificate (tls-ca), \
                 or choose a tls mode that checks less"
            }
            ServerCause::TlsName => {
                "use a host name that the certificate has, or choose tls = \"verify-ca\" or \"required\""
            }
            ServerCause::NoTls => "set up TLS on the server, or choose tls = \"disabled\"",
            ServerCause::TlsFiles => "check the paths of tls-ca, tls-cert and tls-key; PEM or DER",
            ServerCause::AccessDenied => {
                "check user and password, and the host that the account is for"
            }
            ServerCause::NoReplicationSlave => "GRANT REPLICATION SLAVE ON *.* to the account",
            ServerCause::NoReplicationClient => {
                "GRANT REPLICATION CLIENT ON *.* to the account (MariaDB: BINLOG MONITOR)"
            }
            ServerCause::NoBinlog => {
                "start the server with log_bin (MySQL: without skip-log-bin), and with server_id set"
            }
            ServerCause::NotRowFormat => {
                "set binlog_format = ROW on the server and reconnect the sessions that write"
            }
            ServerCause::NoSuchLog | ServerCause::Purged => {
                "rebuild the tables from a new start, and keep logs longer on the server \
                 (binlog_expire_logs_seconds)"
            }
            ServerCause::Diverged => {
                "wait until the server has caught up, if it is a replica that lags; where it was reset, \
                 restored or is not the one that the position is of, point the source at the right \
                 server, or rebuild the tables from a new start"
            }
            ServerCause::BeyondEnd => {
                "the server was reset or restored, or the offset is wrong: take one from sluice inspect"
            }
            ServerCause::InsideEvent => {
                "start between two transactions: sluice inspect lists their offsets"
            }
            ServerCause::BeyondFourGigabytes => {
                "turn GTIDs on at the server, or start at a file's beginning"
            }
            ServerCause::SameServerId => {
                "give every replica of the server its own server-id; leave it out to get a random one"
            }
            ServerCause::PacketTooLarge => "raise max_allowed_packet on the server",
            ServerCause::AnotherServer => {
                "point the source at the server of the position, or rebuild the tables from a new start"
            }
            ServerCause::GtidsOff => {
                "turn GTIDs on at the server (gtid_mode = ON), or start at a file and offset"
            }
            ServerCause::Protocol => "check that host and port are a MySQL or MariaDB server's",
            ServerCause::Other => return None,
        };
        Some(hint.to_owned())
    }

    fn retry(&self) -> Retry {
        match self.cause {
            ServerCause::Unreachable
            | ServerCause::Lost
            | ServerCause::Silent
            | ServerCause::Busy => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    fn fault(&self) -> Fault {
        Fault::Environment
    }
}

/// Texts of error 1236 and its relatives, in lower case, and what they mean. The first that occurs in
/// the server's message decides.
const TEXTS: [(&str, ServerCause); 19] = [
    ("same server_uuid/server_id", ServerCause::SameServerId),
    ("could not find first log file name", ServerCause::NoSuchLog),
    ("could not open log file", ServerCause::NoSuchLog),
    ("could not find next log", ServerCause::NoSuchLog),
    ("purged required binary logs", ServerCause::Purged),
    ("purged binary logs containing gtids", ServerCause::Purged),
    ("could not find gtid state requested", ServerCause::Purged),
    ("more gtids than the", ServerCause::Diverged),
    ("not in the master's binlog", ServerCause::Diverged),
    ("has diverged", ServerCause::Diverged),
    ("position > file size", ServerCause::BeyondEnd),
    ("impossible position", ServerCause::BeyondEnd),
    ("position < 4", ServerCause::InsideEvent),
    ("truncated in the middle of event", ServerCause::InsideEvent),
    ("bogus data in log event", ServerCause::InsideEvent),
    ("binary log is not open", ServerCause::NoBinlog),
    ("not using binary logging", ServerCause::NoBinlog),
    ("exceeded max_allowed_packet", ServerCause::PacketTooLarge),
    ("global gtid_mode = off", ServerCause::GtidsOff),
];

/// What an error of the driver means. `lost` is the cause of one that only says that the connection is
/// gone: a server that was never reached, or one that was.
pub(crate) fn cause_of(error: &Error, lost: ServerCause) -> ServerCause {
    match error {
        Error::Server(said) => cause_of_code(said.code, &said.message.to_ascii_lowercase()),
        Error::Io(IoError::Tls(tls)) => match tls {
            mysql_async::TlsError::Pem(_) => ServerCause::TlsFiles,
            _ => ServerCause::Tls,
        },
        Error::Io(IoError::Io(error)) => match error.kind() {
            // rustls reports what it refuses as invalid data.
            io::ErrorKind::InvalidData => ServerCause::Tls,
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => ServerCause::TlsFiles,
            _ => lost,
        },
        Error::Driver(DriverError::ConnectionClosed) => lost,
        Error::Driver(DriverError::NoClientSslFlagFromServer) => ServerCause::NoTls,
        Error::Driver(DriverError::NoKeyFound) => ServerCause::TlsFiles,
        Error::Driver(DriverError::PacketTooLarge) => ServerCause::PacketTooLarge,
        Error::Driver(_) | Error::Other(_) | Error::Url(_) => ServerCause::Protocol,
    }
}

fn cause_of_code(code: u16, message: &str) -> ServerCause {
    match code {
        1044 | 1045 | 1130 | 1698 | 1862 | 4151 => ServerCause::AccessDenied,
        // ER_SPECIFIC_ACCESS_DENIED_ERROR names the privileges that would do.
        1227 if message.contains("replication slave") => ServerCause::NoReplicationSlave,
        1227 => ServerCause::NoReplicationClient,
        // MariaDB: a slave with the same server_uuid/server_id is already connected.
        4052 => ServerCause::SameServerId,
        1381 => ServerCause::NoBinlog,
        3159 => ServerCause::NoTls,
        1040 | 1053 | 1077 | 1203 | 1226 | 1317 => ServerCause::Busy,
        1152 | 1158 | 1159 | 1160 | 1161 | 1184 | 1927 | 4031 => ServerCause::Lost,
        _ => (TEXTS.iter().find(|(text, _)| message.contains(text)))
            .map_or(ServerCause::Other, |(_, cause)| *cause),
    }
}
