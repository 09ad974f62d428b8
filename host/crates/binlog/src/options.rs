//! What a caller decides about reading: which tables, how much at once, which server and from where.

use std::path::PathBuf;
use std::time::Duration;

use change::{Definitions, Position, TableName, TablePatterns};

pub use crate::value::ZeroDates;

/// How a log is read, wherever it comes from.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The tables that are captured; empty: all but those of the server's own databases.
    pub tables: TablePatterns,
    /// A slice closes at the first end of a transaction at which it holds this many row images.
    pub slice_images_max: usize,
    /// A slice closes at the first end of a transaction at which it has read this many bytes of row
    /// events of captured tables.
    pub slice_bytes_max: usize,
    /// Inside a transaction a batch closes once it holds this many row images.
    pub batch_images_max: usize,
    /// Inside a transaction a batch closes once its columns hold this many bytes.
    pub batch_bytes_max: usize,
    /// Rows of transactions that have not ended go to a file without a name, in the folder for temporary
    /// files, once they hold more bytes than this.
    pub transaction_bytes_max: usize,
    /// A transaction that would take more bytes of that file is refused.
    pub spill_bytes_max: u64,
    /// What becomes of the commit of an XA transaction that was prepared before the reading began.
    pub unknown_xa: UnknownXa,
    /// What becomes of a date that no calendar has.
    pub zero_dates: ZeroDates,
    /// The definitions of tables at the start, as far as they are known.
    pub definitions: Definitions,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            tables: TablePatterns::default(),
            slice_images_max: 8_192,
            slice_bytes_max: 32 << 20,
            batch_images_max: 8_192,
            batch_bytes_max: 8 << 20,
            transaction_bytes_max: 256 << 20,
            spill_bytes_max: 1 << 40,
            unknown_xa: UnknownXa::Refuse,
            zero_dates: ZeroDates::Error,
            definitions: Definitions::default(),
        }
    }
}

/// What becomes of the commit of an XA transaction that was prepared before the reading began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownXa {
    /// It stops the reading: its rows may be of captured tables.
    #[default]
    Refuse,
    /// It is passed over. Right where the reading goes on at [`change::LogSlice::resume_position`]: no
    /// transaction that was open there had rows of captured tables.
    Pass,
}

/// The databases that a server keeps for itself.
const SYSTEM_DATABASES: [&str; 4] = ["mysql", "sys", "performance_schema", "information_schema"];

impl ReadOptions {
    /// Whether a table is captured. A table of the server's own databases is captured only where a
    /// pattern names its database in full.
    #[must_use]
    pub fn captures(&self, name: &TableName) -> bool {
        let own = SYSTEM_DATABASES.contains(&name.database.as_str());
        match self.tables.matching(name) {
            Some(pattern) if own => pattern.starts_with(&format!("{}.", name.database)),
            Some(_) => true,
            None => self.tables.is_empty() && !own,
        }
    }

    /// Whether some table of a database may be captured.
    #[must_use]
    pub fn may_capture_in(&self, database: &str) -> bool {
        let own = SYSTEM_DATABASES.contains(&database);
        !own && (self.tables.is_empty() || self.tables.may_match_database(database))
    }
}

/// Whether a connection is encrypted, in the words of MySQL's clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disabled,
    /// Where the server offers it; its certificate is not checked.
    #[default]
    Preferred,
    /// Always; the certificate is not checked.
    Required,
    /// Always; the certificate has to come from a trusted authority.
    VerifyCa,
    /// Always; the certificate has to name the host as well.
    VerifyIdentity,
}

/// Encryption of a connection.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// How much of it.
    pub mode: TlsMode,
    /// Certificates of the authorities to trust, PEM or DER; none: the public ones.
    pub ca: Option<PathBuf>,
    /// The client's certificate and its key, PEM or DER.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// How to reach a server. The password is in no text that this crate makes, its `Debug` included.
#[derive(Clone)]
pub struct ServerOptions {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: Option<String>,
    /// Encryption.
    pub tls: TlsOptions,
    /// The id under which this replica registers; no two replicas of a server may share one. None: a
    /// random one of [`RANDOM_SERVER_IDS`] for each source.
    pub server_id: Option<u32>,
    /// How long to wait for a connection, and for the answer to a question.
    pub connect_timeout: Duration,
    /// How often an idle server says that it is still there. After three silent periods the connection
    /// counts as lost.
    pub heartbeat: Duration,
}

/// The range of server ids that are chosen at random: 2,000,000,000 to 2,147,483,647, far from those
/// that people give to servers.
pub const RANDOM_SERVER_IDS: std::ops::RangeInclusive<u32> = 2_000_000_000..=2_147_483_647;

impl ServerOptions {
    /// An account at a server, with everything else as by default (port 3306, encryption where the
    /// server offers it, 30 s to connect, a heartbeat every 10 s).
    #[must_use]
    pub fn new(host: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: 3306,
            user: user.into(),
            password: None,
            tls: TlsOptions::default(),
            server_id: None,
            connect_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
        }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("tls", &self.tls)
            .field("server_id", &self.server_id)
            .field("connect_timeout", &self.connect_timeout)
            .field("heartbeat", &self.heartbeat)
            .finish()
    }
}

/// Where a live source begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// At the oldest log that the server still has.
    Earliest,
    /// At the end of the newest log.
    Latest,
    /// Behind a position: by its GTID set where it has one, otherwise by file and offset. An empty file
    /// name stands for a position that is known by its GTID set alone.
    At(Position),
    /// Before the first transaction at or behind a time, seconds since 1970-01-01T00:00Z; at the end of
    /// the log where there is none.
    Time(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(patterns: &[&str], database: &str, table: &str) -> bool {
        let tables = TablePatterns::parse(patterns).expect("valid");
        ReadOptions { tables, ..ReadOptions::default() }.captures(&TableName::new(database, table))
    }

    #[test]
    fn the_servers_own_tables_are_captured_only_by_name() {
        assert!(captures(&[], "shop", "orders"));
        assert!(!captures(&[], "mysql", "user"));
        assert!(!captures(&["*.*"], "mysql", "user"));
        assert!(captures(&["mysql.user"], "mysql", "user"));
        assert!(captures(&["*.*"], "shop", "orders"));
        assert!(!captures(&["shop.*"], "other", "orders"));
    }

    #[test]
    fn a_password_is_not_printed() {
        let mut server = ServerOptions::new("db", "sluice");
        server.password = Some("secret".into());
        assert!(!format!("{server:?}").contains("secret"));
    }
}
