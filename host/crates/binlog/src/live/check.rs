//! Whether a server can be read, setting by setting, for people who set one up.

use change::{GtidSet, Position};

use super::connection::Connection;
use super::facts::ServerFacts;
use super::request::{Request, plan, within};
use super::resolve;
use crate::error::{BinlogError, ServerCause};
use crate::event::Vendor;
use crate::options::{ServerOptions, Start};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Works, but something is lost or may stop later.
    Warning,
    /// Reading is not possible, or stops at the first row.
    Error,
}

/// What was found out about one setting or privilege.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What was found.
    pub what: String,
    /// The step that mends it; empty where nothing has to be mended.
    pub remedy: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Finding {
    fn new(severity: Severity, what: impl Into<String>, remedy: &str) -> Self {
        Self { what: what.into(), remedy: remedy.to_owned(), severity }
    }
}

/// Looks at a server's settings and at the account's privileges.
///
/// # Errors
/// Where the server cannot be reached, refuses the account, or sends what no server sends.
pub async fn check(server: &ServerOptions) -> Result<Vec<Finding>, BinlogError> {
    let mut connection = Connection::open(server).await?;
    let facts = ServerFacts::settings(&mut connection).await?;
    let mut findings = findings(&facts);
    if facts.vendor == Vendor::MariaDb {
        let strict = "SHOW GLOBAL VARIABLES LIKE 'gtid_strict_mode'";
        let strict = connection.rows::<(String, String)>(strict).await?;
        let value = strict.first().map(|(_, value)| value.as_str()).unwrap_or_default();
        let is_on = value.eq_ignore_ascii_case("ON");
        let severity = if is_on { Severity::Fine } else { Severity::Warning };
        let remedy = "set gtid_strict_mode = ON: a sequence out of order stops the pipeline";
        findings.push(setting(severity, "gtid_strict_mode", value, remedy));
    }
    findings.extend(privileges(&mut connection, &facts).await?);
    Ok(findings)
}

/// Whether the log can be read from a start, without asking for it: no replica is registered. Gives the
/// position that the start stands for.
///
/// # Errors
/// Where the server cannot be reached, does not have the start's log any more, or was never there.
pub async fn check_start(server: &ServerOptions, start: Start) -> Result<Position, BinlogError> {
    let mut connection = Connection::open(server).await?;
    let facts = ServerFacts::ask(&mut connection).await?;
    let position = resolve(server, &mut connection, &facts, start).await?;
    within(&facts, &position)?;
    let (request, _) = plan(&facts, &position)?;
    let refuse = |cause| BinlogError::server(&facts.address, cause, None);
    match request {
        Request::Gtids(GtidSet::Mysql(_)) => {
            let purged = connection.rows::<String>("SELECT @@GLOBAL.gtid_purged").await?;
            let purged = purged.concat().replace('\n', "");
            let purged: GtidSet = purged.parse().map_err(|_| refuse(ServerCause::Protocol))?;
            if position.gtids.as_ref().is_none_or(|covered| !covered.contains_all(&purged)) {
                return Err(refuse(ServerCause::Purged));
            }
        }
        // Which transactions its logs go back to, MariaDB tells only to who asks for the log.
        Request::Gtids(GtidSet::MariaDb(_)) => {}
        Request::File { file, .. } => {
            let logs = connection.rows::<mysql_async::Row>("SHOW BINARY LOGS").await?;
            let mut names = logs.iter().filter_map(|row| row.get_opt::<String, _>(0)?.ok());
            if !names.any(|name| name == file) {
                return Err(refuse(ServerCause::NoSuchLog));
            }
        }
    }
    Ok(position)
}

/// What the settings mean.
fn findings(facts: &ServerFacts) -> Vec<Finding> {
    let mut findings = vec![Finding::new(
        Severity::Fine,
        format!("{} {} at {}", facts.vendor, facts.version, facts.address),
        "",
    )];
    let binlog = if facts.has_binlog { Severity::Fine } else { Severity::Error };
    let remedy = "start the server with log_bin and a server_id";
    findings.push(setting(binlog, "log_bin", if facts.has_binlog { "ON" } else { "OFF" }, remedy));
    let wanted = |value: &str, wanted: &str| {
        if value.eq_ignore_ascii_case(wanted) { Severity::Fine } else { Severity::Error }
    };
    for (name, value, wants, remedy) in [
        (
            "binlog_format",
            &facts.binlog_format,
            "ROW",
            "set binlog_format = ROW and reconnect the sessions that write",
        ),
        (
            "binlog_row_image",
            &facts.binlog_row_image,
            "FULL",
            "set binlog_row_image = FULL and reconnect the sessions that write: what a row image \
             leaves out is taken from the target, and no plugin can read it",
        ),
        (
            "binlog_row_metadata",
            &facts.binlog_row_metadata,
            "FULL",
            "set binlog_row_metadata = FULL: without it columns are named by the definitions of tables and \
             the statements of the log, and one that cannot be read stops the run",
        ),
    ] {
        let severity = match (name, wanted(value, wants)) {
            // It is read as far as rows can be completed or named; what cannot is refused by name.
            ("binlog_row_image" | "binlog_row_metadata", Severity::Error) => Severity::Warning,
            (_, severity) => severity,
        };
        findings.push(setting(severity, name, value, remedy));
    }
    if let Some(mode) = &facts.gtid_mode {
        let severity = if facts.has_gtids() { Severity::Fine } else { Severity::Warning };
        let remedy = "set gtid_mode = ON: without GTIDs a position holds on this server alone";
        findings.push(setting(severity, "gtid_mode", mode, remedy));
    }
    let checksum = if facts.binlog_checksum.eq_ignore_ascii_case("CRC32") {
        Severity::Fine
    } else {
        Severity::Warning
    };
    let remedy = "set binlog_checksum = CRC32: without it a damaged log is not always noticed";
    findings.push(setting(checksum, "binlog_checksum", &facts.binlog_checksum, remedy));
    if facts.has_compression && facts.vendor == Vendor::Mysql {
        let remedy =
            "leave memory for it: a compressed transaction comes from the server in one piece";
        findings.push(setting(Severity::Warning, "binlog_transaction_compression", "ON", remedy));
    }
    if facts.has_partial_json && !facts.binlog_row_image.eq_ignore_ascii_case("FULL") {
        let remedy = "set binlog_row_image = FULL or binlog_row_value_options = '': a part of a \
                      document needs the document before it";
        findings.push(setting(Severity::Error, "binlog_row_value_options", "PARTIAL_JSON", remedy));
    }
    findings
}

fn setting(severity: Severity, name: &str, value: &str, remedy: &str) -> Finding {
    let shown = if value.is_empty() { "not known to this server" } else { value };
    let remedy = if severity == Severity::Fine { "" } else { remedy };
    Finding::new(severity, format!("{name} = {shown}"), remedy)
}

/// What the account may do, as SHOW GRANTS tells.
async fn privileges(
    connection: &mut Connection,
    facts: &ServerFacts,
) -> Result<Vec<Finding>, BinlogError> {
    let grants = connection.rows::<String>("SHOW GRANTS").await?;
    Ok(granted(&grants, facts.vendor))
}

/// The privileges that a grant gives on everything; only these count for reading the log.
fn global_privileges(grant: &str) -> impl Iterator<Item = String> {
    let list = grant.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON "));
    let list = list.filter(|(_, object)| object.starts_with("*.* TO ")).map(|(list, _)| list);
    list.into_iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_uppercase())
}

fn granted(grants: &[String], vendor: Vendor) -> Vec<Finding> {
    let global: Vec<String> = grants.iter().flat_map(|grant| global_privileges(grant)).collect();
    let has = |names: &[&str]| {
        let is_one = |name: &String| name == "ALL PRIVILEGES" || names.contains(&name.as_str());
        global.iter().any(is_one)
    };
    let client: &[&str] = match vendor {
        Vendor::Mysql => &["REPLICATION CLIENT"],
        Vendor::MariaDb => &["REPLICATION CLIENT", "BINLOG MONITOR"],
    };
    let slave: &[&str] = &["REPLICATION SLAVE"];
    [
        (slave, "GRANT REPLICATION SLAVE ON *.* to the account"),
        (client, "GRANT REPLICATION CLIENT ON *.* to the account"),
    ]
    .into_iter()
    .map(|(names, remedy)| {
        let name = names.last().copied().unwrap_or_default();
        if has(names) {
            Finding::new(Severity::Fine, format!("the account has {name}"), "")
        } else {
            Finding::new(Severity::Error, format!("the account lacks {name}"), remedy)
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_privileges_on_everything_count() {
        let told = |vendor, grants: &[&str]| {
            let grants: Vec<String> = grants.iter().map(|g| (*g).to_owned()).collect();
            granted(&grants, vendor).into_iter().map(|finding| finding.severity).collect::<Vec<_>>()
        };
        use Severity::{Error, Fine};
        let (mysql, mariadb) = (Vendor::Mysql, Vendor::MariaDb);
        let cases = [
            (
                mysql,
                vec!["GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `r`@`%`"],
                [Fine, Fine],
            ),
            (mysql, vec!["GRANT ALL PRIVILEGES ON *.* TO `r`@`%` WITH GRANT OPTION"], [Fine, Fine]),
            (
                mysql,
                vec![
                    "GRANT USAGE ON *.* TO `r`@`%`",
                    "GRANT ALL PRIVILEGES ON `shop`.* TO `r`@`%`",
                ],
                [Error, Error],
            ),
            (
                mysql,
                vec!["GRANT SELECT ON `REPLICATION SLAVE`.* TO `r ON *.* TO x`@`%`"],
                [Error, Error],
            ),
            (
                mariadb,
                vec!["GRANT REPLICATION SLAVE ADMIN, BINLOG MONITOR ON *.* TO `r`@`%`"],
                [Error, Fine],
            ),
            (mariadb, vec!["GRANT SELECT, REPLICATION SLAVE ON *.* TO `r`@`%`"], [Fine, Error]),
        ];
        for (vendor, grants, wanted) in cases {
            assert_eq!(told(vendor, &grants), wanted, "{grants:?}");
        }
    }
}
