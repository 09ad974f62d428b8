//! The letter case of names: which table a row or a statement means, and which databases a statement is
//! about. Never taken for sure where nobody tells what the server makes of it.

use change::TableName;
use change::definition::Known;

use super::History;
use crate::statement::definition::{Clause, Definition};

/// What the letter case of a table's name means in a statement; rows carry the name as the server keeps
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NameCase {
    /// Another letter case is another table (`lower_case_table_names` = 0).
    Counts,
    /// It is the same table.
    Folds,
    /// Nobody tells, as in a file.
    #[default]
    Unsaid,
}

impl History {
    /// What the letter case of names means.
    pub(crate) fn names_are(&mut self, names: NameCase) {
        self.names = names;
    }

    /// A table's definition, and its name as it was defined: where a server folds names to lower case,
    /// statements keep the case that they were typed in and rows do not. Where nobody tells, a name in
    /// lower case alone may be a folded one.
    pub(crate) fn find(&self, table: &TableName) -> Option<(&TableName, &Known)> {
        if let Some(found) = self.definitions.tables.get_key_value(table) {
            return Some(found);
        }
        let may_be_folded = match self.names {
            NameCase::Counts => false,
            NameCase::Folds => true,
            NameCase::Unsaid => folded(table) == *table,
        };
        let mut alike = self.alike(table).filter(|_| may_be_folded);
        alike.next().filter(|_| alike.next().is_none())
    }

    /// The tables whose names differ from another one in their letter case alone.
    fn alike<'a>(
        &'a self,
        table: &TableName,
    ) -> impl Iterator<Item = (&'a TableName, &'a Known)> + use<'a> {
        let (table, wanted) = (table.clone(), folded(table));
        let tables = self.definitions.tables.iter();
        tables.filter(move |(known, _)| **known != table && folded(known) == wanted)
    }

    /// Where nobody tells whether a name that a statement at `place` brings is that of a table which is
    /// known in another letter case, nothing is known of that one any more.
    pub(super) fn doubt_alike(&mut self, table: &TableName, place: &str) {
        if self.names != NameCase::Unsaid {
            return;
        }
        let doubted: Vec<_> = self.alike(table).map(|(name, _)| name.clone()).collect();
        for name in doubted {
            // Rows of a server that folds names ask for this one whatever else is known.
            if folded(&name) == name {
                let what = "which may be another table or the same";
                let reason = format!("a statement at {place} names {table}, {what}");
                self.insert(name, Known::Lost(reason));
            } else {
                self.remove(&name);
            }
        }
    }

    /// Whether two names are those of one database.
    pub(super) fn is_database(&self, known: &str, name: &str) -> bool {
        let folds = self.names == NameCase::Folds;
        known == name || (folds && known.to_lowercase() == name.to_lowercase())
    }
}

/// A name as a server that folds names keeps it.
fn folded(name: &TableName) -> TableName {
    TableName::new(name.database.to_lowercase(), name.table.to_lowercase())
}

/// The tables that a statement changes something of; `*` for all of a database.
pub(crate) fn changed_tables(statement: &Definition) -> Vec<TableName> {
    match statement {
        Definition::Create { table, .. } | Definition::Truncate(table) => vec![table.clone()],
        Definition::Alter { table, clauses } => {
            let renamed = clauses.iter().filter_map(|clause| match clause {
                Clause::RenameTable(to) => Some(to),
                _ => None,
            });
            std::iter::once(table).chain(renamed).cloned().collect()
        }
        Definition::Rename { pairs, .. } => {
            pairs.iter().flat_map(|(from, to)| [from, to]).cloned().collect()
        }
        Definition::Drop(tables) => tables.clone(),
        Definition::Database { name, .. } | Definition::DropDatabase(name) => {
            vec![TableName::new(name, "*")]
        }
    }
}
