//! What a statement that changes a table, or its rows without row events, means for the pipeline.
//!
//! No row may be lost in silence: what is not known to leave the rows of a target as they are stops the
//! pipeline at that statement, behind a commit of everything before it.

use std::collections::BTreeSet;

use change::{Position, SchemaChange, SchemaChangeKind, TableName};
use tracing::info;

use super::error::RunError;

/// Bytes of a statement that an error shows.
const STATEMENT_BYTES_MAX: usize = 300;

/// Source tables that had rows in the life of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SeenTables {
    /// Their names.
    pub names: BTreeSet<TableName>,
    /// Whether others may have had some too: the record of them was lost.
    #[serde(default)]
    pub others: bool,
}

impl SeenTables {
    /// Whether a table may have had rows.
    #[must_use]
    pub fn may_hold(&self, table: &TableName) -> bool {
        // `db.*` stands for every table of a database.
        let whole = table.table == "*";
        let named = |name: &TableName| name == table || whole && name.database == table.database;
        self.others || self.names.iter().any(named)
    }
}

/// Decides about schema changes.
#[derive(Clone, Debug, Default)]
pub struct SchemaPolicy {
    /// The position of a statement that the operator has dealt with.
    accepted: Option<Position>,
}

impl SchemaPolicy {
    /// Goes on behind the statement whose transaction begins at this position.
    #[must_use]
    pub fn accepting(accepted: Option<Position>) -> Self {
        Self { accepted }
    }

    /// Whether the pipeline goes on behind a statement. `seen` are the source tables that had rows.
    ///
    /// # Errors
    /// [`RunError::SchemaChange`] with the statement, the reason and the remedy.
    pub fn decide(&self, change: SchemaChange, seen: &SeenTables) -> Result<(), RunError> {
        let position = &change.position;
        let before = &change.before;
        let is_there = |a: &Position| a.file == before.file && a.offset == before.offset;
        let accepted = self.accepted.as_ref().is_some_and(is_there);
        // A table that never had rows here has none in a target that the statement could make wrong.
        let touched = change.tables.iter().find(|table| seen.may_hold(table));
        match touched {
            Some(table) if change.kind != SchemaChangeKind::Create && !accepted => {
                Err(RunError::SchemaChange {
                    kind: change.kind,
                    table: table.clone(),
                    position: position.clone(),
                    statement: shortened(&change.statement),
                })
            }
            _ => {
                info!(position = %position, kind = ?change.kind, "schema change passed");
                Ok(())
            }
        }
    }
}

fn shortened(statement: &str) -> String {
    let one_line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.len() <= STATEMENT_BYTES_MAX {
        return one_line;
    }
    let end = one_line.floor_char_boundary(STATEMENT_BYTES_MAX);
    format!("{} …", one_line.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: SchemaChangeKind) -> SchemaChange {
        SchemaChange {
            kind,
            tables: vec![TableName::new("shop", "orders")],
            statement: "ALTER TABLE orders\n  DROP COLUMN note".to_owned(),
            position: Position::at("log.000001", 400),
            before: Position::at("log.000001", 380),
        }
    }

    fn seen() -> SeenTables {
        let names = BTreeSet::from([TableName::new("shop", "orders")]);
        SeenTables { names, others: false }
    }

    #[test]
    fn a_lost_record_counts_as_rows_everywhere() {
        let lost = SeenTables { others: true, ..SeenTables::default() };
        assert!(SchemaPolicy::default().decide(change(SchemaChangeKind::Drop), &lost).is_err());
    }

    #[test]
    fn a_table_with_rows_stops_at_every_change_but_its_creation() {
        let seen = seen();
        let policy = SchemaPolicy::default();
        use SchemaChangeKind::{Alter, Create, Drop, Other, Rename, Truncate};
        for kind in [Alter, Drop, Other, Rename, Truncate] {
            assert!(policy.decide(change(kind), &seen).is_err(), "{kind:?}");
            assert!(policy.decide(change(kind), &SeenTables::default()).is_ok(), "{kind:?}");
        }
        assert!(policy.decide(change(Create), &seen).is_ok());
    }

    #[test]
    fn an_accepted_statement_is_passed_and_the_next_one_is_not() {
        let seen = seen();
        let policy = SchemaPolicy::accepting(Some(Position::at("log.000001", 380)));
        assert!(policy.decide(change(SchemaChangeKind::Alter), &seen).is_ok());
        let mut next = change(SchemaChangeKind::Alter);
        next.before.offset = 500;
        assert!(policy.decide(next, &seen).is_err());
    }
}
