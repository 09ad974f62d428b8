//! Tables by position: their definitions as they stand at a point of the log, carried on by each statement
//! that the log holds.
//!
//! A definition is never believed alone: [`fit`] compares it with each table map before a row is read by
//! it. Nothing here asks a server: definitions come from the text of statements, and what such a text does
//! not tell is lost, with the reason.

use std::sync::Arc;

use change::definition::{DatabaseDefinition, IndexKind, Known, TableDefinition};
use change::{Definitions, TableAction, TableName};

use crate::statement::create::version_columns;
use crate::statement::definition::{Body, Clause, Definition, Made};
use crate::statement::environment::Environment;

mod alter;
mod edit;
mod given;
mod names;
pub(crate) mod value;

pub use given::{GivenError, parse, to_text};
pub(crate) use names::{NameCase, changed_tables};
pub use value::default_of as default_value;

/// Definitions at a position of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    definitions: Definitions,
    has_changed: bool,
    names: NameCase,
}

impl History {
    pub(crate) fn new(definitions: Definitions) -> Self {
        Self { definitions, ..Self::default() }
    }

    /// What is known here.
    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Whether it is not what it was when [`Self::take_changed`] was asked last.
    pub(crate) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// What is known here, where it is not what it was when this was asked last.
    pub(crate) fn take_changed(&mut self) -> Option<Definitions> {
        std::mem::take(&mut self.has_changed).then(|| self.definitions.clone())
    }

    /// A table's definition.
    pub(crate) fn get(&self, table: &TableName) -> Option<&Arc<TableDefinition>> {
        match self.find(table)? {
            (_, Known::Defined(definition)) => Some(definition),
            (_, Known::Lost(_)) => None,
        }
    }

    /// Why a table's definition is not known.
    pub(crate) fn reason(&self, table: &TableName) -> String {
        match self.find(table) {
            Some((_, Known::Lost(reason))) => reason.clone(),
            _ => "no definition of it was given or stands in the log before".to_owned(),
        }
    }

    /// Carries the definitions on behind a statement, and tells what it does. `place` names the statement
    /// where a definition is lost by it.
    pub(crate) fn apply(
        &mut self,
        statement: &Definition,
        environment: &Environment,
        place: &str,
    ) -> Vec<TableAction> {
        match statement {
            Definition::Create { table, if_not_exists, replaces, body } => {
                let found = self.find(table).map(|(name, _)| name);
                // Nobody may tell whether one in another letter case is the same.
                let is_sure = found == Some(table) || self.names != NameCase::Unsaid;
                let is_known = found.is_some();
                let has_no_effect = *if_not_exists && !environment.has_changed_definitions;
                let may_be_there = has_no_effect
                    && !(is_known && is_sure)
                    && (is_known || !self.is_complete(&table.database));
                if has_no_effect && is_known && is_sure {
                    return Vec::new();
                }
                let known = if may_be_there {
                    let what = "which changes nothing where there was one before";
                    Known::Lost(format!("it was made at {place} IF NOT EXISTS, {what}"))
                } else {
                    self.created(&table.database, body, environment, place)
                };
                // A server that folds names has no other of that name, unless it replaces it.
                if *replaces || *if_not_exists {
                    self.doubt_alike(table, place);
                }
                self.add(table.clone(), known);
                vec![TableAction::Created {
                    table: table.clone(),
                    replaces: *replaces,
                    may_exist: may_be_there,
                }]
            }
            Definition::Alter { table, clauses } => self.alter(table, clauses, environment, place),
            Definition::Rename { pairs, if_exists } => {
                let absent = if *if_exists { Absent::Possible } else { Absent::Impossible };
                pairs.iter().map(|(from, to)| self.rename(from, to, absent, place)).collect()
            }
            Definition::Drop(tables) => {
                for table in tables {
                    self.doubted_or_found(table, place);
                    self.remove(table);
                }
                tables.iter().map(|table| TableAction::Dropped { table: table.clone() }).collect()
            }
            Definition::Truncate(table) => vec![TableAction::Truncated { table: table.clone() }],
            Definition::Database { name, charset, made, if_not_exists } => {
                let mut actions = Vec::new();
                if *made == Made::Replaced {
                    self.drop_database(name);
                    actions.push(TableAction::Dropped { table: TableName::new(name, "*") });
                }
                let is_new = *made != Made::Before
                    && (!if_not_exists || environment.has_changed_definitions);
                let name = self.database(name).map_or(name, |(known, _)| known).clone();
                let database = self.definitions.databases.entry(name).or_default();
                database.is_complete |= is_new;
                database.charset = charset.clone().or_else(|| database.charset.take());
                self.has_changed = true;
                actions
            }
            Definition::DropDatabase(name) => {
                self.drop_database(name);
                vec![TableAction::Dropped { table: TableName::new(name, "*") }]
            }
        }
    }

    /// A statement that could not be read at all may have done anything to the tables that it names.
    pub(crate) fn lose(&mut self, tables: &[TableName], reason: &str) {
        for table in tables {
            self.set(table.clone(), Known::Lost(reason.to_owned()));
        }
    }

    /// A table is not followed any more.
    pub(crate) fn forget(&mut self, table: &TableName) {
        self.remove(table);
    }

    /// Follows these tables alone; `*` stands for a database.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(&TableName) -> bool) {
        if self.definitions.tables.keys().any(|table| !is_kept(table)) {
            Arc::make_mut(&mut self.definitions.tables).retain(|table, _| is_kept(table));
        }
        self.definitions.databases.retain(|name, _| is_kept(&TableName::new(name, "*")));
    }

    /// Whether a table of a database that is not known is not there.
    fn is_complete(&self, database: &str) -> bool {
        self.database(database).is_some_and(|(_, known)| known.is_complete)
    }

    fn database(&self, name: &str) -> Option<(&String, &DatabaseDefinition)> {
        let mut all = self.definitions.databases.iter();
        all.find(|(known, _)| self.is_database(known, name))
    }

    fn created(
        &self,
        database: &str,
        body: &Body,
        environment: &Environment,
        place: &str,
    ) -> Known {
        match body {
            Body::Columns(table) => {
                let mut table = table.clone();
                let of_database = self.database(database);
                let of_database = of_database.and_then(|(_, database)| database.charset.clone());
                let told = environment.database_charset.map(str::to_owned);
                table.charset = table.charset.or(of_database).or(told);
                settle(&mut table);
                Known::Defined(Arc::new(table))
            }
            Body::Like(other) => match self.find(other) {
                Some((_, known)) => known.clone(),
                None => {
                    Known::Lost(format!("it was made at {place} like {other}, which is not known"))
                }
            },
            Body::Unread(what) => Known::Lost(format!("it was made at {place}, and {what}")),
        }
    }

    fn alter(
        &mut self,
        name: &TableName,
        clauses: &[Clause],
        environment: &Environment,
        place: &str,
    ) -> Vec<TableAction> {
        self.doubted_or_found(name, place);
        let before = self.get(name).cloned();
        let after = before.as_ref().map(|before| alter::apply(before, clauses));
        let (edits, rows) = match (&before, &after) {
            (Some(before), Some(Ok(after))) => edit::between(before, after, clauses, environment),
            _ => edit::told(clauses),
        };
        match after {
            Some(Ok(after)) if before.as_deref() != Some(&after.table) => {
                self.set(name.clone(), Known::Defined(Arc::new(after.table)));
            }
            Some(Err(what)) => {
                self.set(
                    name.clone(),
                    Known::Lost(format!("it was altered at {place}, and {what}")),
                );
            }
            _ => {}
        }
        let mut actions = vec![TableAction::Altered { table: name.clone(), edits, rows }];
        for clause in clauses {
            if let Clause::RenameTable(to) = clause {
                // Renaming alone alters nothing.
                actions.retain(|action| !action.is_harmless());
                actions.push(self.rename(name, to, Absent::Impossible, place));
            }
        }
        actions
    }

    fn rename(
        &mut self,
        from: &TableName,
        to: &TableName,
        absent: Absent,
        place: &str,
    ) -> TableAction {
        self.doubted_or_found(from, place);
        let known = self.find(from).map(|(name, known)| (name.clone(), known.clone()));
        match (known, absent) {
            (Some((name, known)), _) => {
                self.remove(&name);
                self.add(to.clone(), known);
            }
            // It may be that there was none, and a name that is taken is given to no other.
            (None, Absent::Possible) => {}
            // What it was is not known, so what the new name stands for is not known either.
            (None, Absent::Impossible) => self.remove(to),
        }
        TableAction::Renamed { from: from.clone(), to: to.clone() }
    }

    fn drop_database(&mut self, name: &str) {
        self.has_changed = true;
        let mut tables = std::mem::take(&mut self.definitions.tables);
        Arc::make_mut(&mut tables).retain(|table, _| !self.is_database(&table.database, name));
        self.definitions.tables = tables;
        let mut databases = std::mem::take(&mut self.definitions.databases);
        databases.retain(|known, _| !self.is_database(known, name));
        self.definitions.databases = databases;
    }

    /// Where a statement names no table that is known, those that it may mean are in doubt.
    fn doubted_or_found(&mut self, table: &TableName, place: &str) {
        if self.find(table).is_none() {
            self.doubt_alike(table, place);
        }
    }

    /// Takes in what became of a table that may be known, under the name that the statement has for it.
    fn set(&mut self, table: TableName, known: Known) {
        self.remove(&table);
        self.insert(table, known);
    }

    /// Takes in a table that was not there before. Where a server folds names, it has no other of that
    /// name.
    fn add(&mut self, table: TableName, known: Known) {
        match self.names {
            NameCase::Folds => self.set(table, known),
            NameCase::Counts | NameCase::Unsaid => self.insert(table, known),
        }
    }

    fn insert(&mut self, table: TableName, known: Known) {
        self.has_changed = true;
        Arc::make_mut(&mut self.definitions.tables).insert(table, known);
    }

    fn remove(&mut self, table: &TableName) {
        let Some((name, _)) = self.find(table) else {
            return;
        };
        let name = name.clone();
        self.has_changed = true;
        Arc::make_mut(&mut self.definitions.tables).remove(&name);
    }
}

/// Whether a table that a statement names may not be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    Possible,
    Impossible,
}

/// What the parts of a definition mean for each other: text columns take the table's character set, and a
/// binary one makes them bytes; the columns of the primary key are never NULL.
fn settle(table: &mut TableDefinition) {
    let primary = table.indexes.iter().filter(|index| index.kind == IndexKind::Primary);
    let parts = primary.flat_map(|index| &index.parts).filter_map(|part| part.column.as_deref());
    let in_key: Vec<_> = parts.filter_map(|name| table.index_of(name)).collect();
    for at in in_key {
        if let Some(column) = table.columns.get_mut(at) {
            column.nullable = Some(false);
        }
    }
    let charset = table.charset.clone();
    for column in &mut table.columns {
        let declared = &mut column.declared;
        if declared.is_text() && declared.charset.is_none() {
            declared.charset.clone_from(&charset);
        }
    }
}

/// The columns that rows have, with those that MariaDB adds to a versioned table.
pub(crate) fn row_columns(table: &TableDefinition) -> TableDefinition {
    let names_own = table.columns.iter().any(|c| c.generated && c.declared.word == "timestamp");
    let mut table = table.clone();
    if table.versioned && !names_own {
        table.columns.extend(version_columns());
    }
    if table.versioned {
        add_row_end(&mut table);
    }
    table
}

/// Of a versioned table, each key holds the end of a version as well.
fn add_row_end(table: &mut TableDefinition) {
    use change::definition::IndexPart;
    let is_end = |c: &&change::ColumnDefinition| c.generated && c.declared.word == "timestamp";
    let Some(end) = table.columns.iter().rev().find(is_end).map(|c| c.name.clone()) else {
        return;
    };
    for index in table.indexes.iter_mut().filter(|index| index.kind != IndexKind::Other) {
        let part = IndexPart { column: Some(end.clone()), prefix: false };
        if !index.parts.contains(&part) {
            index.parts.push(part);
        }
    }
}

#[cfg(test)]
mod tests;
