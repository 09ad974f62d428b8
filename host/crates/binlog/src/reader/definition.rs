//! What a statement does to the definitions that rows are read by, and what is told of it.

use change::{TableAction, TableName};

use super::Reader;
use crate::control::{GroupShape, Query, Reading};
use crate::definition::{History, NameCase};
use crate::event::Event;
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
            if !named.is_empty() {
                self.history.lose(named, &format!("a statement at {place} could not be read"));
                self.capture.definition_changed();
            }
            return None;
        };
        let actions = self.history.apply(definition, &told.environment, &place);
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
