//! The definitions of a server's tables as they stand at the end of its log.
//!
//! A catalogue shows tables as they are now, which is right for rows from the end of the log on and for no
//! others. Between reading it and asking for the end of the log a table may change, so both are asked until
//! the catalogue is the same before and behind that end. SHOW CREATE TABLE waits for a statement that is
//! changing the table, and such a statement is in the log before it lets go.

use std::collections::BTreeMap;
use std::sync::Arc;

use change::definition::{DatabaseDefinition, Known};
use change::{Definitions, Position, TableName};
use mysql_async::Row;
use tracing::{debug, warn};

use super::connection::Connection;
use super::facts::ServerFacts;
use crate::definition::History;
use crate::error::BinlogError;
use crate::event::Vendor;
use crate::options::{ReadOptions, ServerOptions};
use crate::statement::definition::{Around, Definition, read};
use crate::statement::environment::Environment;

/// How often the catalogue is read before it is given up: tables change all the time then.
const ATTEMPTS_MAX: usize = 5;

const TABLES: &str = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
     WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') \
     AND TABLE_SCHEMA NOT IN ('sys', 'performance_schema', 'information_schema', 'mysql')";

const DATABASES: &str =
    "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA";

/// The text of each table's definition, and the character set of each database.
type Catalogue = (BTreeMap<TableName, String>, BTreeMap<String, String>);

/// The tables of every database that some captured table may be in, and the end of the log that they are
/// of. None where tables change faster than they can be read. An account sees the tables that it has some
/// privilege on, and no others.
///
/// # Errors
/// Where the server cannot be reached or refuses the account.
pub async fn definitions_at_end(
    server: &ServerOptions,
    options: &ReadOptions,
) -> Result<Option<(Definitions, Position)>, BinlogError> {
    let mut connection = Connection::open(server).await?;
    connection.run("SET SESSION sql_mode = '', time_zone = '+00:00'").await?;
    let mut before = catalogue(&mut connection, options).await?;
    for attempt in 0..ATTEMPTS_MAX {
        let facts = ServerFacts::ask(&mut connection).await?;
        let Some(end) = facts.position else {
            return Ok(None);
        };
        let behind = catalogue(&mut connection, options).await?;
        if before == behind {
            debug!(tables = behind.0.len(), %end, attempt, "definitions read");
            return Ok(Some((definitions(&behind, facts.vendor), end)));
        }
        before = behind;
    }
    warn!(server = connection.address(), "definitions change faster than they can be read");
    Ok(None)
}

/// Whether a position is the end of the log that definitions are of.
pub(super) fn is_end(position: &Position, end: &Position) -> bool {
    let is_same_place =
        position.server.as_ref().is_none_or(|server| end.server.as_ref() == Some(server))
            && (position.file.as_str(), position.offset) == (end.file.as_str(), end.offset);
    let is_same_set = position.gtids.is_some() && position.gtids == end.gtids;
    is_same_place || is_same_set
}

async fn catalogue(
    connection: &mut Connection,
    options: &ReadOptions,
) -> Result<Catalogue, BinlogError> {
    let mut tables = BTreeMap::new();
    for (database, table) in connection.rows::<(String, String)>(TABLES).await? {
        if !options.may_capture_in(&database) {
            continue;
        }
        let name = TableName::new(database, table);
        let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
        let query = format!("SHOW CREATE TABLE {}.{}", quoted(&name.database), quoted(&name.table));
        match connection.try_rows::<Row>(&query).await {
            Ok(rows) => {
                let row = rows.into_iter().next();
                let text = row.and_then(|row| row.get_opt::<String, _>(1)).and_then(Result::ok);
                tables.extend(text.map(|text| (name, text)));
            }
            Err(failure) if failure.code().is_some_and(is_out_of_sight) => {
                warn!(table = %name, code = failure.code(), "the definition cannot be read");
            }
            Err(failure) => return Err(failure.into_error(connection.address())),
        }
    }
    let databases = connection.rows::<(String, String)>(DATABASES).await?;
    let databases = databases.into_iter().filter(|(name, _)| options.may_capture_in(name));
    Ok((tables, databases.collect()))
}

/// Whether an error means that a table is gone meanwhile, or not for this account to see: then it is not
/// known.
fn is_out_of_sight(code: u16) -> bool {
    const DATABASE_DENIED: u16 = 1044;
    const NO_DATABASE: u16 = 1049;
    const TABLE_DENIED: u16 = 1142;
    const COLUMN_DENIED: u16 = 1143;
    const NO_TABLE: u16 = 1146;
    const PRIVILEGE_MISSING: u16 = 1227;
    const NO_TABLE_IN_ENGINE: u16 = 1932;
    matches!(
        code,
        DATABASE_DENIED
            | NO_DATABASE
            | TABLE_DENIED
            | COLUMN_DENIED
            | NO_TABLE
            | PRIVILEGE_MISSING
            | NO_TABLE_IN_ENGINE
    )
}

fn definitions((tables, databases): &Catalogue, vendor: Vendor) -> Definitions {
    let mut history = History::default();
    let environment = Environment::plain(Some(vendor));
    for (table, text) in tables {
        let around = Around { database: &table.database, environment: &environment };
        match read(text, around) {
            Some(definition @ Definition::Create { .. }) => {
                history.apply(&definition, &environment, "the start");
            }
            _ => history.lose(std::slice::from_ref(table), "the server's words could not be read"),
        }
    }
    let mut found = history.definitions().clone();
    for (name, charset) in databases {
        let charset = Some(charset.clone());
        // An account may not see each table.
        found.databases.insert(name.clone(), DatabaseDefinition { charset, is_complete: false });
    }
    forget_others(&mut found, tables);
    found
}

/// SHOW CREATE names the table without its database, and as the server spells it.
fn forget_others(found: &mut Definitions, tables: &BTreeMap<TableName, String>) {
    let is_known = |name: &TableName, _: &mut Known| tables.contains_key(name);
    Arc::make_mut(&mut found.tables).retain(is_known);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_table_that_is_gone_or_not_to_be_seen_is_left_out() {
        let codes = [1044, 1049, 1142, 1143, 1146, 1227, 1932, 1205, 1317, 1040, 3100];
        let found: Vec<_> = codes.into_iter().filter(|code| is_out_of_sight(*code)).collect();
        assert_eq!(found, [1044, 1049, 1142, 1143, 1146, 1227, 1932]);
    }
}
