//! What a statement that changes a table, or its rows without row events, means for the pipeline.
//!
//! No row may be lost in silence: what is not known to leave the rows of a target as they are stops the
//! pipeline at that statement, behind a commit of everything before it.

use std::collections::BTreeSet;

use change::definition::same_name;
use change::{Position, SchemaChange, SchemaChangeKind, TableAction, TableName};
use tracing::info;

use lake::TableEdit;

use super::error::RunError;
use super::schema_merge::SchemaMerge;

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
    /// Tables that the log saw come into being: before their first row they have none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub new: BTreeSet<TableName>,
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

    /// Whether each of a table's rows stands in the log.
    #[must_use]
    pub fn is_new(&self, table: &TableName) -> bool {
        self.new.contains(table)
    }

    /// The tables with rows that a name stands for, `db.*` for those of a database; none where they are
    /// not known.
    #[must_use]
    pub fn meant<'a>(&'a self, table: &'a TableName) -> Option<Vec<&'a TableName>> {
        if table.table != "*" {
            return Some(vec![table]);
        }
        let of_database = |name: &&TableName| name.database == table.database;
        (!self.others).then(|| self.names.iter().filter(of_database).collect())
    }

    /// What is seen behind a statement.
    #[must_use]
    pub fn behind(&self, change: &SchemaChange) -> Self {
        let mut seen = self.clone();
        for action in spelled(change.clone(), self).actions.iter().flatten() {
            match action {
                TableAction::Created { table, may_exist: false, .. } => {
                    seen.new.insert(table.clone());
                }
                // The old name stays: a run that meets the statement again has to know it.
                TableAction::Renamed { from, to } => {
                    let new = seen.new.contains(from);
                    if seen.may_hold(from) {
                        seen.names.insert(to.clone());
                    } else if new {
                        seen.new.insert(to.clone());
                    }
                }
                TableAction::Created { .. }
                | TableAction::Dropped { .. }
                | TableAction::Truncated { .. }
                | TableAction::Altered { .. } => {}
            }
        }
        seen
    }
}

/// Decides about schema changes.
#[derive(Clone, Debug, Default)]
pub struct SchemaPolicy {
    /// The position of a statement that the operator has dealt with.
    accepted: Option<Position>,
    /// How targets follow a statement, where they are to.
    merge: Option<SchemaMerge>,
}

impl SchemaPolicy {
    /// Goes on behind the statement whose transaction begins at this position.
    #[must_use]
    pub fn accepting(accepted: Option<Position>) -> Self {
        Self { accepted, merge: None }
    }

    /// Lets targets follow a statement as far as that can be told.
    #[must_use]
    pub fn merging(self, merge: Option<SchemaMerge>) -> Self {
        Self { merge, ..self }
    }

    /// Whether the pipeline goes on behind a statement. `seen` are the source tables that had rows.
    ///
    /// # Errors
    /// [`RunError::SchemaChange`] with the statement, the reason and the remedy.
    pub fn decide(&self, change: SchemaChange, seen: &SeenTables) -> Result<Passed, RunError> {
        let change = spelled(change, seen);
        let position = &change.position;
        let before = &change.before;
        let is_there = |a: &Position| a.file == before.file && a.offset == before.offset;
        let accepted = self.accepted.as_ref().is_some_and(is_there);
        // A table that never had rows here has none in a target that the statement could make wrong,
        // unless it gets some by the statement itself.
        let had_rows = |table: &&TableName| seen.may_hold(table);
        let touched = match change.kind {
            SchemaChangeKind::Create => None,
            _ => change.tables.iter().find(had_rows).or_else(|| change.receives.first()),
        };
        let kind = change.kind;
        let Some(table) = touched.cloned().filter(|_| !is_harmless(&change, seen)) else {
            info!(position = %position, ?kind, "schema change passed");
            return Ok(Passed::Harmless);
        };
        if accepted {
            info!(position = %position, ?kind, "schema change accepted");
            return Ok(Passed::Accepted(change.tables));
        }
        let edits = |merge: &SchemaMerge| match (merge.edits(&change, seen), untold(&change, seen))
        {
            (Ok(_), Some(table)) => Err(format!("what it does to {table} is not told")),
            (edits, _) => edits,
        };
        let reason = match self.merge.as_ref().map(edits) {
            Some(Ok(edits)) if edits.is_empty() => return Ok(Passed::Harmless),
            Some(Ok(edits)) => {
                info!(position = %position, ?kind, targets = edits.len(), "schema change followed");
                let statement = shortened(&change.statement);
                return Ok(Passed::Edited(Followed {
                    edits,
                    position: position.clone(),
                    statement,
                }));
            }
            Some(Err(reason)) => Some(reason),
            None => None,
        };
        let statement = shortened(&change.statement);
        Err(RunError::SchemaChange { kind, table, position: position.clone(), statement, reason })
    }
}

/// The statement with the names that rows had. A server that folds names leaves them in a statement as
/// they were typed.
fn spelled(mut change: SchemaChange, seen: &SeenTables) -> SchemaChange {
    let alike = |a: &TableName, b: &TableName| {
        same_name(&a.database, &b.database) && same_name(&a.table, &b.table)
    };
    let held: Vec<TableName> =
        change.tables.iter().filter(|table| seen.may_hold(table)).cloned().collect();
    let spell = |name: &mut TableName| {
        if let Some(known) = held.iter().find(|known| alike(known, name))
            && !held.contains(name)
        {
            name.clone_from(known);
        }
    };
    for action in change.actions.iter_mut().flatten() {
        match action {
            TableAction::Renamed { from, to } => {
                spell(from);
                spell(to);
            }
            TableAction::Created { table, .. }
            | TableAction::Dropped { table }
            | TableAction::Truncated { table }
            | TableAction::Altered { table, .. } => spell(table),
        }
    }
    change
}

/// A table with rows that the statement names and of which no action tells what becomes of it.
fn untold<'a>(change: &'a SchemaChange, seen: &SeenTables) -> Option<&'a TableName> {
    let actions = change.actions.as_deref().unwrap_or_default();
    let told = |table: &TableName| actions.iter().any(|action| action.tables().contains(&table));
    change.tables.iter().find(|table| seen.may_hold(table) && !told(table))
}

/// Whether it is known to leave columns, keys and rows as they are.
fn is_harmless(change: &SchemaChange, seen: &SeenTables) -> bool {
    if untold(change, seen).is_some() {
        return false;
    }
    let known = change.actions.as_ref().filter(|_| change.receives.is_empty());
    known.is_some_and(|all| !all.is_empty() && all.iter().all(TableAction::is_harmless))
}

/// Why the pipeline goes on behind a statement.
#[derive(Clone, Debug)]
pub enum Passed {
    /// No row that a target has, or should have, is touched by it.
    Harmless,
    /// The operator has dealt with it. What the targets of these tables hold now is not what the
    /// pipeline wrote there.
    Accepted(Vec<TableName>),
    /// The targets follow it, with these edits between the epoch before it and the next one.
    Edited(Followed),
}

/// A statement that targets follow.
#[derive(Clone, Debug)]
pub struct Followed {
    /// What it does to them.
    pub edits: Vec<TableEdit>,
    /// Where it stands.
    pub position: Position,
    /// Its text.
    pub statement: String,
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
            receives: Vec::new(),
            actions: None,
            statement: "ALTER TABLE orders\n  DROP COLUMN note".to_owned(),
            position: Position::at("log.000001", 400),
            before: Position::at("log.000001", 380),
        }
    }

    fn seen() -> SeenTables {
        let names = BTreeSet::from([TableName::new("shop", "orders")]);
        SeenTables { names, ..SeenTables::default() }
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
        use SchemaChangeKind::{Alter, Create, Drop, Import, Other, Rename, Truncate};
        for kind in [Alter, Drop, Import, Other, Rename, Truncate] {
            assert!(policy.decide(change(kind), &seen).is_err(), "{kind:?}");
            assert!(policy.decide(change(kind), &SeenTables::default()).is_ok(), "{kind:?}");
        }
        assert!(policy.decide(change(Create), &seen).is_ok());
    }

    #[test]
    fn a_statement_that_brings_rows_into_a_table_without_rows_so_far_stops() {
        let policy = SchemaPolicy::default();
        for kind in [SchemaChangeKind::Rename, SchemaChangeKind::Import] {
            let mut change = change(kind);
            change.receives.clone_from(&change.tables);
            let error = policy.decide(change, &SeenTables::default()).expect_err("rows come in");
            assert!(matches!(error, RunError::SchemaChange { .. }), "{error}");
        }
    }

    /// An ALTER of this name, which may mean these tables.
    fn altered(name: &str, tables: &[&str], edits: Vec<change::ColumnEdit>) -> SchemaChange {
        let table = |name: &str| TableName::new("shop", name);
        let rows = change::RowsEffect::None;
        SchemaChange {
            actions: Some(vec![TableAction::Altered { table: table(name), edits, rows }]),
            tables: tables.iter().copied().map(table).collect(),
            ..change(SchemaChangeKind::Alter)
        }
    }

    #[test]
    fn a_statement_in_another_letter_case_is_followed_by_the_table_that_had_rows() {
        let path = change::PathTemplate::parse("lake/{table}").expect("a template");
        let merge = SchemaMerge::without_plugins(path);
        let policy = SchemaPolicy::default().merging(Some(merge));
        let drop = || vec![change::ColumnEdit::Dropped { name: "note".to_owned() }];
        let passed = policy.decide(altered("ORDERS", &["ORDERS", "orders"], drop()), &seen());
        let Ok(Passed::Edited(followed)) = passed else { panic!("not followed: {passed:?}") };
        let edits = followed.edits.iter();
        let targets: Vec<_> = edits.map(|e| (e.target.to_string(), e.source.to_string())).collect();
        assert_eq!(targets, [("lake/orders".to_owned(), "shop.orders".to_owned())]);
        let harmless = altered("ORDERS", &["ORDERS", "orders"], Vec::new());
        assert!(matches!(policy.decide(harmless, &seen()), Ok(Passed::Harmless)));
    }

    #[test]
    fn a_table_of_which_no_action_tells_stops() {
        let path = change::PathTemplate::parse("lake/{table}").expect("a template");
        let merge = SchemaMerge::without_plugins(path);
        let policy = SchemaPolicy::default().merging(Some(merge));
        for edits in [Vec::new(), vec![change::ColumnEdit::Reordered]] {
            let other = altered("lines", &["lines", "orders"], edits);
            let error = policy.decide(other, &seen()).expect_err("orders may have changed");
            assert!(
                error.to_string().contains("what it does to shop.orders is not told"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_accepted_statement_is_passed_and_the_next_one_is_not() {
        let seen = seen();
        let policy = SchemaPolicy::accepting(Some(Position::at("log.000001", 380)));
        let tables = change(SchemaChangeKind::Alter).tables;
        let passed = policy.decide(change(SchemaChangeKind::Alter), &seen).expect("accepted");
        assert!(matches!(passed, Passed::Accepted(found) if found == tables));
        let mut next = change(SchemaChangeKind::Alter);
        next.before.offset = 500;
        assert!(policy.decide(next, &seen).is_err());
    }
}
