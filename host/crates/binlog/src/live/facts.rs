//! What a server says of itself before its log is read.

use std::collections::BTreeMap;

use change::{GtidSet, Position};

use super::connection::Connection;
use crate::error::{BinlogError, ServerCause};
use crate::event::Vendor;
use crate::options::ServerOptions;

/// Settings that decide how a server's log can be read, and where that log ends.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ServerFacts {
    /// `host:port`.
    pub address: String,
    /// Who made it.
    pub vendor: Vendor,
    /// The text of its version.
    pub version: String,
    /// What identifies it: MySQL's `server_uuid`, MariaDB's `server_uid`, else host name, port and
    /// server id.
    pub identity: String,
    /// Its own server id.
    pub server_id: u32,
    /// Whether it writes a log.
    pub has_binlog: bool,
    /// `binlog_format`; only ROW can be read.
    pub binlog_format: String,
    /// `binlog_row_image`; with another than FULL images lack columns.
    pub binlog_row_image: String,
    /// `binlog_row_metadata`; only FULL names columns.
    pub binlog_row_metadata: String,
    /// `gtid_mode` of MySQL; none on MariaDB, which always has GTIDs.
    pub gtid_mode: Option<String>,
    /// `binlog_checksum`.
    pub binlog_checksum: String,
    /// Whether it may write compressed transactions or events.
    pub has_compression: bool,
    /// Whether it may write parts of JSON documents.
    pub has_partial_json: bool,
    /// `lower_case_table_names`: 0 where the letter case of a table's name counts.
    pub lower_case_table_names: u8,
    /// The end of its log; none where it writes none.
    pub position: Option<Position>,
}

/// The variables that are asked for; those that a server does not have stay away.
const VARIABLES: [&str; 16] = [
    "server_id",
    "server_uuid",
    "server_uid",
    "hostname",
    "port",
    "log_bin",
    "binlog_format",
    "binlog_row_image",
    "binlog_row_metadata",
    "gtid_mode",
    "binlog_checksum",
    "binlog_transaction_compression",
    "log_bin_compress",
    "binlog_row_value_options",
    "binlog_gtid_simple_recovery",
    "lower_case_table_names",
];

/// The server's error for a statement that it does not know.
const PARSE_ERROR: u16 = 1064;

impl ServerFacts {
    /// Asks a server.
    ///
    /// # Errors
    /// Where it cannot be reached, refuses the account, or the account may not ask for the end of the
    /// log.
    pub async fn read(server: &ServerOptions) -> Result<Self, BinlogError> {
        let mut connection = Connection::open(server).await?;
        Self::ask(&mut connection).await
    }

    /// Whether its transactions have GTIDs.
    #[must_use]
    pub fn has_gtids(&self) -> bool {
        self.gtid_mode.as_deref().is_none_or(|mode| mode.eq_ignore_ascii_case("ON"))
    }

    pub(crate) async fn ask(connection: &mut Connection) -> Result<Self, BinlogError> {
        let mut facts = Self::settings(connection).await?;
        if facts.has_binlog {
            facts.position = facts.end_of_log(connection).await?;
        }
        Ok(facts)
    }

    /// Everything but the end of the log, which needs a privilege.
    pub(crate) async fn settings(connection: &mut Connection) -> Result<Self, BinlogError> {
        let version = connection.rows::<String>("SELECT VERSION()").await?;
        let version = version.into_iter().next().unwrap_or_default();
        let names = VARIABLES.map(|name| format!("'{name}'")).join(",");
        let query = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})");
        let variables: BTreeMap<String, String> =
            connection.rows::<(String, String)>(&query).await?.into_iter().collect();
        let value = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
        let is_on = |name: &str| matches!(value(name), "ON" | "1");
        let identity = [value("server_uuid"), value("server_uid")];
        let identity = identity.into_iter().find(|id| !id.is_empty()).map_or_else(
            || format!("{}:{}/{}", value("hostname"), value("port"), value("server_id")),
            str::to_owned,
        );
        Ok(Self {
            address: connection.address().to_owned(),
            vendor: Vendor::of_version(&version),
            version,
            identity,
            server_id: value("server_id").parse().unwrap_or(0),
            has_binlog: is_on("log_bin"),
            binlog_format: value("binlog_format").to_owned(),
            binlog_row_image: value("binlog_row_image").to_owned(),
            binlog_row_metadata: value("binlog_row_metadata").to_owned(),
            gtid_mode: variables.get("gtid_mode").cloned(),
            binlog_checksum: value("binlog_checksum").to_owned(),
            has_compression: is_on("binlog_transaction_compression") || is_on("log_bin_compress"),
            has_partial_json: value("binlog_row_value_options").contains("PARTIAL_JSON"),
            // Unknown counts as folding: then a statement is taken to mean more tables, not fewer.
            lower_case_table_names: value("lower_case_table_names").parse().unwrap_or(1),
            position: None,
        })
    }

    async fn end_of_log(
        &self,
        connection: &mut Connection,
    ) -> Result<Option<Position>, BinlogError> {
        let newer = connection.try_rows::<mysql_async::Row>("SHOW BINARY LOG STATUS").await;
        let rows = match newer {
            Ok(rows) => rows,
            // MySQL before 8.2, MariaDB.
            Err(failure) if failure.code() == Some(PARSE_ERROR) => {
                connection.rows::<mysql_async::Row>("SHOW MASTER STATUS").await?
            }
            Err(failure) => return Err(failure.into_error(connection.address())),
        };
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let text = |index: usize| row.get_opt::<String, _>(index).and_then(Result::ok);
        let file = text(0).unwrap_or_default();
        let offset = row.get_opt::<u64, _>(1).and_then(Result::ok).unwrap_or_default();
        let gtids = match self.vendor {
            Vendor::Mysql if self.has_gtids() => text(4),
            Vendor::Mysql => None,
            Vendor::MariaDb => mariadb_gtids(connection, &file, offset).await?,
        };
        let protocol = || BinlogError::server(connection.address(), ServerCause::Protocol, None);
        let gtids = match gtids.as_deref().map(|text| text.replace('\n', "")) {
            Some(text) if !text.trim().is_empty() => {
                Some(text.parse::<GtidSet>().map_err(|_| protocol())?)
            }
            _ => None,
        };
        let server = Some(self.identity.clone());
        Ok(Some(Position { server, file, offset, gtids, fingerprint: None }))
    }
}

/// What MariaDB had executed at a position of its log.
pub(crate) async fn mariadb_gtids(
    connection: &mut Connection,
    file: &str,
    offset: u64,
) -> Result<Option<String>, BinlogError> {
    let file = file.replace('\\', "\\\\").replace('\'', "''");
    let query = format!("SELECT BINLOG_GTID_POS('{file}', {offset})");
    let rows = connection.rows::<Option<String>>(&query).await?;
    Ok(rows.into_iter().next().flatten())
}
