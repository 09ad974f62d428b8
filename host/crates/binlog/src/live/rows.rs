//! Rows of tables as a server has them now, in chunks by key: what an initial load reads.
//!
//! No table and no row is locked, and writers are never waited for. What makes a chunk fit a log is known
//! on both sides of it: it sees everything up to a position that the caller names, and nothing behind the
//! one that it brings along. Keys are ordered and compared by the server alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use arrow_array::ArrayRef;
use change::{LogFile, Position, TableName, TableSchema};
use mysql_async::Row;
use mysql_async::prelude::Queryable as _;

use super::catalog::schemas;
use super::connection::{Connection, Failure};
use super::facts::ServerFacts;
use crate::error::{BinlogError, LoadFault, ServerCause};
use crate::event::Vendor;
use crate::options::{ReadOptions, ServerOptions};

mod column;
mod literal;

use column::column;
use literal::{is_literal, literal};

/// How long the server may take until what is in its log can be seen in its tables.
const SEEN_MAX: Duration = Duration::from_secs(60);

/// Between two looks at it.
const SEEN_PAUSE: Duration = Duration::from_millis(5);

/// How long a chunk may take: a table whose key has no order that can be gone along is read at once.
const CHUNK_MAX: Duration = Duration::from_secs(3_600);

/// Text comes as its column stores it, instants in UTC, CHAR without the blanks behind it, and all rows of
/// a statement's own view: whatever the server's defaults are.
const SESSION: &str = "SET SESSION autocommit = 1, sql_select_limit = DEFAULT, sql_mode = '', \
     time_zone = '+00:00', character_set_client = utf8mb4, character_set_connection = utf8mb4, \
     character_set_results = NULL";

const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

const VERSIONED: &str = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
     WHERE TABLE_TYPE = 'SYSTEM VERSIONED'";

const ROWS: &str = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS FROM information_schema.TABLES \
     WHERE TABLE_TYPE = 'BASE TABLE'";

/// Some rows of a table.
#[derive(Debug)]
pub struct Chunk {
    /// One array for each column of the table, in the types of its schema.
    pub columns: Vec<ArrayRef>,
    /// The number of rows.
    pub rows: usize,
    /// The key of the last row, where there may be more behind it.
    pub behind: Option<Vec<String>>,
    /// Nothing that the chunk shows lies behind this point of the log: server, file and offset.
    pub end: Position,
}

/// A table to load.
#[derive(Clone, Debug)]
pub struct LoadTable {
    /// Its columns and keys as they are now.
    pub schema: TableSchema,
    /// About how many rows it has, as the server guesses.
    pub rows: u64,
}

/// A connection that reads tables.
pub struct TableReader {
    connection: Connection,
    facts: ServerFacts,
    options: ReadOptions,
}

impl TableReader {
    /// Connects.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses the account, or its log does not tell enough to
    /// bring rows and changes together.
    pub async fn open(server: &ServerOptions, options: &ReadOptions) -> Result<Self, BinlogError> {
        let mut connection = Connection::open(server).await?;
        let facts = ServerFacts::ask(&mut connection).await?;
        let address = facts.address.clone();
        let refuse =
            |fault| Err(BinlogError::Load { address: address.clone(), table: None, fault });
        if facts.vendor == Vendor::Mysql && !facts.has_gtids() {
            return refuse(LoadFault::NoGtids);
        }
        if !facts.binlog_row_image.eq_ignore_ascii_case("FULL") {
            return refuse(LoadFault::RowImage);
        }
        connection.run(SESSION).await?;
        connection.run(ISOLATION).await?;
        Ok(Self { connection, facts, options: options.clone() })
    }

    /// The captured tables that the server has, as they are once it has carried out what its log tells up
    /// to `seen`.
    ///
    /// # Errors
    /// Where one of them cannot be loaded, or the server cannot be asked.
    pub async fn tables(&mut self, seen: &Position) -> Result<Vec<LoadTable>, BinlogError> {
        self.see(seen).await?;
        self.release().await?;
        let versioned = self.connection.rows::<(String, String)>(VERSIONED).await?;
        let versioned: BTreeSet<TableName> = versioned
            .into_iter()
            .map(|(database, table)| TableName::new(database, table))
            .collect();
        let counts = self.connection.rows::<(String, String, Option<u64>)>(ROWS).await?;
        let mut tables = Vec::new();
        for schema in schemas(&mut self.connection, &self.options).await? {
            let fault = if versioned.contains(&schema.name) {
                Some(LoadFault::Versioned)
            } else if schema.natural_key().is_none() {
                Some(LoadFault::NoKey)
            } else {
                None
            };
            if let Some(fault) = fault {
                return Err(self.refused(&schema.name, fault));
            }
            let name = &schema.name;
            let is_it = |(database, table, _): &&(String, String, Option<u64>)| {
                *database == name.database && *table == name.table
            };
            let rows = counts.iter().find(is_it).and_then(|(_, _, rows)| *rows).unwrap_or(0);
            tables.push(LoadTable { schema, rows });
        }
        Ok(tables)
    }

    /// The next rows of a table: up to `rows_max` with keys above `behind`, from the lowest one where that
    /// is none. It sees everything up to `seen`.
    ///
    /// # Errors
    /// Where the table is not what `schema` says any more ([`BinlogError::is_another_table`]), a value
    /// cannot be read, or the server cannot be asked.
    pub async fn chunk(
        &mut self,
        schema: &TableSchema,
        behind: Option<&[String]>,
        rows_max: usize,
        seen: &Position,
    ) -> Result<Chunk, BinlogError> {
        self.see(seen).await?;
        let key = schema.natural_key().unwrap_or_default();
        let has_order =
            key.iter().all(|at| schema.columns.get(*at).is_some_and(literal::has_order));
        let limit = has_order.then_some(rows_max);
        let query = self.query(schema, key, behind, limit)?;
        let conn = self.connection.conn();
        let asked = tokio::time::timeout(CHUNK_MAX, conn.exec::<Row, _, _>(query, ()));
        let rows = asked.await.map_or(Err(Failure::Silent), |rows| rows.map_err(Failure::Driver));
        let rows = rows.map_err(|failure| failure.into_error(&self.facts.address))?;
        self.release().await?;
        let end = self.end().await?;
        let zero_dates = |index| match key.contains(&index) {
            true => crate::value::ZeroDates::Error,
            false => self.options.zero_dates,
        };
        let columns = schema.columns.iter().enumerate().map(|(index, c)| {
            column(c, index, &rows, zero_dates(index)).map_err(|fault| {
                let fault = LoadFault::Value { column: c.name.clone(), what: fault.to_string() };
                self.refused(&schema.name, fault)
            })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let is_last = limit.is_none_or(|limit| rows.len() < limit);
        let behind = match rows.last() {
            Some(row) if !is_last => {
                let parts =
                    key.iter().map(|at| literal(schema.columns.get(*at)?, row.as_ref(*at)?));
                let parts: Option<Vec<String>> = parts.collect();
                Some(parts.ok_or_else(|| self.refused(&schema.name, LoadFault::Bound))?)
            }
            _ => None,
        };
        Ok(Chunk { columns, rows: rows.len(), behind, end })
    }

    /// The end of the server's log: server, file and offset.
    ///
    /// # Errors
    /// Where the server cannot be asked, or has no log.
    pub async fn end(&mut self) -> Result<Position, BinlogError> {
        let end = ServerFacts::ask(&mut self.connection).await?.position;
        let no_log = || BinlogError::server(&self.facts.address, ServerCause::NoBinlog, None);
        let end = end.ok_or_else(no_log)?;
        Ok(Position { server: end.server, ..Position::at(end.file, end.offset) })
    }

    fn query(
        &self,
        schema: &TableSchema,
        key: &[usize],
        behind: Option<&[String]>,
        limit: Option<usize>,
    ) -> Result<String, BinlogError> {
        let names: Vec<_> = schema.columns.iter().map(|c| quoted(&c.name)).collect();
        let keys: Vec<_> = key.iter().filter_map(|at| names.get(*at)).cloned().collect();
        let table = format!("{}.{}", quoted(&schema.name.database), quoted(&schema.name.table));
        let mut query = format!("SELECT {} FROM {table}", names.join(", "));
        if let Some(bound) = behind {
            if bound.len() != keys.len() || !bound.iter().all(|part| is_literal(part)) {
                return Err(self.refused(&schema.name, LoadFault::Bound));
            }
            // (a, b) > (x, y) in the form that servers find in an index.
            let above = keys.iter().zip(bound).enumerate().map(|(at, (name, part))| {
                let equal = keys.iter().zip(bound).take(at);
                let equal: String = equal.map(|(n, p)| format!("{n} = {p} AND ")).collect();
                format!("({equal}{name} > {part})")
            });
            // Writing to a String cannot fail.
            let _ = write!(query, " WHERE {}", above.collect::<Vec<_>>().join(" OR "));
        }
        if let Some(limit) = limit {
            let _ = write!(query, " ORDER BY {} LIMIT {limit}", keys.join(", "));
        }
        Ok(query)
    }

    /// Waits until what the log tells up to a position can be seen in tables. A server writes its log first:
    /// a transaction that a replica has got may not be there for a SELECT yet.
    async fn see(&mut self, seen: &Position) -> Result<(), BinlogError> {
        let begun = tokio::time::Instant::now();
        loop {
            let is_seen = match self.facts.vendor {
                Vendor::Mysql => self.sees_gtids(seen).await?,
                Vendor::MariaDb => self.sees_snapshot(seen).await?,
            };
            if is_seen {
                return Ok(());
            }
            if begun.elapsed() >= SEEN_MAX {
                let fault = LoadFault::NotSeen { position: seen.to_string() };
                return Err(BinlogError::Load {
                    address: self.facts.address.clone(),
                    table: None,
                    fault,
                });
            }
            tokio::time::sleep(SEEN_PAUSE).await;
        }
    }

    /// MySQL adds a transaction to `gtid_executed` once it is committed in its tables.
    async fn sees_gtids(&mut self, seen: &Position) -> Result<bool, BinlogError> {
        // A place without a set is the begin of a log.
        let query = match &seen.gtids {
            Some(set) => format!("SELECT GTID_SUBSET('{set}', @@GLOBAL.gtid_executed)"),
            None => "SELECT @@GLOBAL.gtid_executed = ''".to_owned(),
        };
        let answers = self.connection.rows::<Option<i64>>(&query).await?;
        Ok(answers.first() == Some(&Some(1)))
    }

    /// MariaDB says of a consistent snapshot which point of the log it is.
    async fn sees_snapshot(&mut self, seen: &Position) -> Result<bool, BinlogError> {
        self.release().await?;
        self.connection.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        let status = "SHOW STATUS LIKE 'binlog\\_snapshot\\_%'";
        let told = self.connection.rows::<(String, String)>(status).await?;
        let value = |name: &str| {
            let found = told.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let file = value("binlog_snapshot_file");
        let offset: u64 = value("binlog_snapshot_position").parse().unwrap_or(0);
        Ok((LogFile(&seen.file), seen.offset) <= (LogFile(&file), offset))
    }

    /// Ends a snapshot.
    async fn release(&mut self) -> Result<(), BinlogError> {
        match self.facts.vendor {
            Vendor::Mysql => Ok(()),
            Vendor::MariaDb => self.connection.run("COMMIT").await,
        }
    }

    fn refused(&self, table: &TableName, fault: LoadFault) -> BinlogError {
        let address = self.facts.address.clone();
        BinlogError::Load { address, table: Some(table.clone()), fault }
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
