//! A connection that runs SQL and gives rows as text, exactly as the server writes its values: what tests write with,
//! and the oracle that they compare with.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};
use tokio::runtime::{Builder, Runtime};

use crate::servers::Address;

/// A row: every column's value as text, none for NULL.
pub type Row = BTreeMap<String, Option<String>>;

/// One session.
#[derive(Debug)]
pub struct Sql {
    runtime: Runtime,
    connection: Conn,
}

impl Sql {
    /// Logs in; the session's time zone is UTC.
    ///
    /// # Panics
    /// Where the server cannot be reached.
    #[must_use]
    pub fn connect(address: &Address) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = OptsBuilder::default()
            .ip_or_hostname(&address.host)
            .tcp_port(address.port)
            .user(Some(&address.user))
            .pass(Some(&address.password).filter(|p| !p.is_empty()))
            .prefer_socket(false);
        let connection = runtime.block_on(Conn::new(options));
        let connection =
            connection.unwrap_or_else(|e| panic!("{}:{}: {e}", address.host, address.port));
        let mut sql = Self { runtime, connection };
        sql.run("SET time_zone='+00:00'");
        sql
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// What the server says.
    pub fn try_run(&mut self, statement: &str) -> Result<(), mysql_async::Error> {
        self.runtime.block_on(self.connection.query_drop(statement))
    }

    /// Runs one statement.
    ///
    /// # Panics
    /// Where the server refuses it.
    pub fn run(&mut self, statement: &str) {
        if let Err(error) = self.try_run(statement) {
            panic!("{error}\n  in: {statement}");
        }
    }

    /// Runs statements that are separated by `;` at the ends of lines.
    pub fn run_all(&mut self, statements: &str) {
        let ends = statements.split(";\n").map(|s| s.trim().trim_end_matches(';'));
        for statement in ends.filter(|s| !s.is_empty()) {
            self.run(statement);
        }
    }

    /// The rows of a query as the server writes them; binary values belong into `HEX()`.
    ///
    /// # Panics
    /// Where the server refuses it, or a value is not text.
    pub fn rows(&mut self, query: &str) -> Vec<Row> {
        let rows: Result<Vec<mysql_async::Row>, _> =
            self.runtime.block_on(self.connection.query(query));
        let rows = rows.unwrap_or_else(|e| panic!("{e}\n  in: {query}"));
        rows.into_iter().map(|row| text_row(row, query)).collect()
    }

    /// One value of one row.
    ///
    /// # Panics
    /// Where there is no row, or the value is NULL.
    pub fn value(&mut self, query: &str) -> String {
        let row = self.rows(query).into_iter().next();
        let value = row.and_then(|r| r.into_values().next()).flatten();
        value.unwrap_or_else(|| panic!("no value: {query}"))
    }

    /// Where the server's log ends now: file and offset.
    pub fn log_end(&mut self) -> (String, u64) {
        let status = match self.value("SELECT VERSION()").contains("MariaDB") {
            true => "SHOW MASTER STATUS",
            false => "SHOW BINARY LOG STATUS",
        };
        let row = self.rows(status).into_iter().next().unwrap_or_default();
        let field = |name: &str| row.get(name).cloned().flatten().unwrap_or_default();
        let offset = field("Position")
            .parse()
            .unwrap_or_else(|_| panic!("{status} gives no position: is log_bin on?"));
        (field("File"), offset)
    }
}

fn text_row(row: mysql_async::Row, query: &str) -> Row {
    let names: Vec<_> = row.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
    let text = |value: Value| match value {
        Value::NULL => None,
        Value::Bytes(bytes) => {
            Some(String::from_utf8(bytes).unwrap_or_else(|_| panic!("binary: {query}")))
        }
        other => panic!("the text protocol gives text, not {other:?}"),
    };
    names.into_iter().zip(row.unwrap().into_iter().map(text)).collect()
}
