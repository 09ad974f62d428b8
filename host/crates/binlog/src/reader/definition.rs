//! What a statement does to the definitions that rows are read by, and what is told of it.

use change::{TableAction, TableName};

use super::Reader;
use crate::control::{GroupShape, Query, Reading};
use crate::definition::{History, NameCase, changed_tables};
use crate::event::Event;
use crate::options::ReadOptions;
use crate::statement::definition::{Around, Definition, read};
use crate::statement::environment::Environment;
use crate::statement::{Statement, classify};

/// A statement about definitions, as far as it could be read.
pub(super) struct Told {
    environment: Environment,
    definition: Option<Definition>,
}

impl Reader {
    /// Reads a statement.
    pub(super) fn told(&self, query: &Query<'_>) -> Told {
        let environment = Environment::read(query.status, self.vendor);
        let around = Around { database: &query.database, environment: &environment };
        // Where characters may be lost, so may names be.
        let is_exact = query.reading == Reading::Exact;
        let definition = is_exact.then(|| read(&query.text, around)).flatten();
        Told { environment, definition }
    }

    /// Carries the definitions on behind a statement. Returns what it does to captured tables; none where
    /// it names some and cannot be read: then nothing is known of them any more.
    pub(super) fn carry_on(
        &mut self,
        event: &Event<'_>,
        named: &[TableName],
        told: &Told,
    ) -> Option<Vec<TableAction>> {
        let place = format!("{}:{}", self.file, event.offset);
        let Some(definition) = &told.definition else {
            let concerned = named.iter().filter(|table| self.follows(table));
            let concerned: Vec<_> = concerned.cloned().collect();
            if !concerned.is_empty() {
                let reason = format!("a statement at {place} could not be read");
                self.history.lose(&concerned, &reason);
                self.capture.definition_changed();
            }
            return None;
        };
        let changed = changed_tables(definition);
        let (followed, others): (Vec<_>, Vec<_>) =
            changed.iter().partition(|table| self.follows(table));
        if followed.is_empty() {
            return Some(Vec::new());
        }
        let actions = self.history.apply(definition, &told.environment, &place);
        // What becomes of them elsewhere is not followed.
        others.into_iter().for_each(|table| self.history.forget(table));
        self.capture.definition_changed();
        let is_captured = |action: &TableAction| {
            action.tables().into_iter().any(|table| self.captures_folded(table))
        };
        Some(actions.into_iter().filter(is_captured).collect())
    }

    /// Carries the definitions on behind a statement before the start.
    pub(super) fn learn(&mut self, event: &Event<'_>, query: &Query<'_>) {
        let shape = self.group.as_ref().map(|group| group.shape);
        if matches!(shape, Some(GroupShape::AlterStarts | GroupShape::AlterFails)) {
            return;
        }
        let told = self.told(query);
        match classify(&query.text, &query.database) {
            Statement::Schema { tables, .. } => drop(self.carry_on(event, &tables, &told)),
            Statement::Harmless | Statement::DropDatabase(_) => {
                drop(self.carry_on(event, &[], &told));
            }
            _ => {}
        }
    }

    /// Whether a table's definition is followed: its database may have captured ones. Every definition
    /// that changes is stored with all others, so those that no row can need are left out.
    fn follows(&self, table: &TableName) -> bool {
        may_concern(&self.options, self.names, table)
    }

    /// Whether a table is captured under its name, or under that which a server that folds names gives it;
    /// of `*` whether some table of the database may be.
    fn captures_folded(&self, table: &TableName) -> bool {
        if table.table == "*" {
            return self.options.may_capture_in(&table.database);
        }
        let folded = TableName::new(table.database.to_lowercase(), table.table.to_lowercase());
        let folds = self.names != NameCase::Counts;
        self.options.captures(table) || (folds && self.options.captures(&folded))
    }

    /// The definitions behind what was handed out.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }
}

/// Whether some table of a table's database may be captured, or the table itself.
pub(super) fn may_concern(options: &ReadOptions, names: NameCase, table: &TableName) -> bool {
    let folded = table.database.to_lowercase();
    let folds = names != NameCase::Counts;
    options.may_capture_in(&table.database)
        || options.captures(table)
        || (folds && options.may_capture_in(&folded))
}
