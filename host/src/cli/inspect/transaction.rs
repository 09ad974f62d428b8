//! The transactions of a file, made of its events: never a value of a row.

use std::collections::BTreeMap;

use binlog::inspect::EventLine;
use serde::Serialize;

use crate::moment;
use crate::progress::grouped;

/// Row changes of a table in a transaction.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Changes {
    inserted: u64,
    updated: u64,
    deleted: u64,
    /// Events whose rows cannot be counted.
    #[serde(skip_serializing_if = "is_none")]
    uncounted_events: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A transaction.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Transaction {
    /// The file.
    file: String,
    /// Where it starts: a run may begin here.
    offset: u64,
    /// Where it ends: a run may begin here.
    end: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gtid: Option<String>,
    /// When it ended, seconds since 1970-01-01T00:00Z.
    timestamp_seconds: u32,
    server_id: u32,
    /// How it ended: the kind of its last event, or that event's first word.
    ended_by: String,
    /// Statements about definitions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statements: Vec<String>,
    /// Row changes by table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<String, Changes>,
    /// Row changes of a compressed transaction, whose tables are not told one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    compressed_rows: Option<u32>,
}

impl Transaction {
    /// As a line for people.
    pub(super) fn line(&self) -> String {
        let mut parts = vec![format!("{:>10} to {:<10}", self.offset, self.end)];
        parts.push(moment::text(self.timestamp_seconds.into()));
        parts.extend(self.gtid.clone());
        for (name, changes) in &self.tables {
            let Changes { inserted, updated, deleted, uncounted_events } = changes;
            let counts = [("+", inserted), ("~", updated), ("-", deleted), ("?", uncounted_events)];
            let counts = counts.iter().filter(|(_, count)| **count > 0);
            let counts: Vec<_> =
                counts.map(|(mark, n)| format!("{mark}{}", grouped(**n))).collect();
            parts.push(format!("{name} {}", counts.join(" ")));
        }
        parts.extend(self.compressed_rows.map(|rows| format!("rows {}", grouped(rows.into()))));
        let on_one_line = |s: &String| s.split_whitespace().collect::<Vec<_>>().join(" ");
        parts.extend(self.statements.iter().map(on_one_line));
        if self.tables.is_empty() && self.statements.is_empty() && self.compressed_rows.is_none() {
            parts.push(self.ended_by.clone());
        }
        parts.join("  ")
    }
}

/// Puts the events of a file together.
#[derive(Default)]
pub(super) struct Transactions {
    /// Where the open one starts.
    start: Option<u64>,
    gtid: Option<String>,
    statements: Vec<String>,
    tables: BTreeMap<String, Changes>,
    compressed_rows: Option<u32>,
}

impl Transactions {
    /// Takes an event in; gives the transaction that it ends.
    pub(super) fn take(&mut self, event: EventLine, file: &str) -> Option<Transaction> {
        if is_beside(&event) {
            return None;
        }
        self.start.get_or_insert(event.offset);
        if event.gtid.is_some() {
            self.gtid = event.gtid;
        }
        let ended_by = match &event.statement {
            Some(word) if !word.contains(char::is_whitespace) => word.clone(),
            _ => event.kind.clone(),
        };
        // What is more than a word is a statement about definitions.
        self.statements.extend(event.statement.filter(|text| text.contains(char::is_whitespace)));
        // A comment before rows names no table.
        if let (Some(table), true) = (&event.table, event.kind.contains("ROWS")) {
            let changes = self.tables.entry(table.to_string()).or_default();
            let count = match (event.rows, &event.kind) {
                (None, _) => &mut changes.uncounted_events,
                (_, kind) if kind.contains("WRITE") => &mut changes.inserted,
                (_, kind) if kind.contains("DELETE") => &mut changes.deleted,
                _ => &mut changes.updated,
            };
            *count = count.saturating_add(event.rows.unwrap_or(1).into());
        } else if event.rows.is_some() {
            self.compressed_rows = event.rows;
        }
        if !event.is_boundary {
            return None;
        }
        let Self { start, gtid, statements, tables, compressed_rows } = std::mem::take(self);
        Some(Transaction {
            file: file.to_owned(),
            offset: start.unwrap_or(event.offset),
            end: event.end,
            gtid,
            timestamp_seconds: event.timestamp_seconds,
            server_id: event.server_id,
            ended_by,
            statements,
            tables,
            compressed_rows,
        })
    }
}

/// Whether an event belongs to no transaction: the head and the end of a file, and what stands between.
fn is_beside(event: &EventLine) -> bool {
    let is_head = matches!(
        event.kind.as_str(),
        "FORMAT_DESCRIPTION"
            | "PREVIOUS_GTIDS"
            | "GTID_LIST"
            | "ROTATE"
            | "STOP"
            | "BINLOG_CHECKPOINT"
    );
    is_head || event.next_file.is_some() || event.executed.is_some()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use binlog::Inspector;

    use super::*;

    fn corpus(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/corpus").join(name)
    }

    fn transactions(path: &Path) -> Vec<Transaction> {
        let mut inspector = Inspector::open(path).expect("opens");
        let mut transactions = Transactions::default();
        let mut found = Vec::new();
        while let Some(event) = inspector.next().expect("reads") {
            let file = inspector.sum().file.clone();
            found.extend(transactions.take(event, &file));
        }
        let sum = inspector.sum();
        assert_eq!(u64::try_from(found.len()).expect("fits"), sum.transactions, "{}", sum.file);
        let rows = |t: &Changes| t.inserted + t.updated + t.deleted;
        let told: u64 = found.iter().flat_map(|t| t.tables.values()).map(rows).sum();
        let packed: u64 = found.iter().filter_map(|t| t.compressed_rows).map(u64::from).sum();
        let all = sum.tables.values().map(|t| t.inserted + t.updated + t.deleted).sum::<u64>();
        assert_eq!(told + packed, all, "{}", sum.file);
        found
    }

    #[test]
    fn every_transaction_is_told_with_its_tables_and_ends() {
        let servers = ["mysql-9.7", "mariadb-11.8"];
        for file in ["12_ddl", "15_xa", "14_compression", "16_savepoints", "20_rotation.1"] {
            for server in servers {
                let found = transactions(&corpus(&format!("{server}/{file}.binlog")));
                assert!(found.is_sorted_by(|a, b| a.end <= b.offset), "{server} {file}");
                let has_name = |t: &Transaction| t.tables.keys().all(|name| name.contains('.'));
                assert!(found.iter().all(has_name), "{server} {file}");
            }
        }
    }

    #[test]
    fn a_transaction_is_a_line() {
        let found = transactions(&corpus("mysql-9.7/12_ddl.binlog"));
        let lines: Vec<_> = found.iter().take(6).map(Transaction::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
         295 to 493         2026-11-22T10:06:44Z  d25cc465-e65a-11f1-b244-02fc00000001:502  CREATE DATABASE c CHARACTER SET utf8mb4
         493 to 710         2026-11-22T10:06:44Z  d25cc465-e65a-11f1-b244-02fc00000001:503  CREATE TABLE d1 (id int primary key, a int, b varchar(10))
         710 to 1007        2026-11-22T10:06:44Z  d25cc465-e65a-11f1-b244-02fc00000001:504  c.d1 +1
        1007 to 1207        2026-11-22T10:06:44Z  d25cc465-e65a-11f1-b244-02fc00000001:505  ALTER TABLE d1 ADD COLUMN c int DEFAULT 9
        1207 to 1511        2026-11-22T10:06:44Z  d25cc465-e65a-11f1-b244-02fc00000001:506  c.d1 +1
        1511 to 1748        2026-11-22T10:06:44Z  d25cc465-e65a-11f1-b244-02fc00000001:507  ALTER TABLE d1 ADD COLUMN first_ int FIRST, ADD COLUMN mid_ varchar(5) AFTER a
        ");
        let json = serde_json::to_string(found.get(2).expect("more than two")).expect("JSON");
        insta::assert_snapshot!(json, @r#"{"file":"12_ddl.binlog","offset":710,"end":1007,"gtid":"d25cc465-e65a-11f1-b244-02fc00000001:504","timestamp_seconds":1795342004,"server_id":33097,"ended_by":"XID","tables":{"c.d1":{"inserted":1,"updated":0,"deleted":0}}}"#);
    }
}
