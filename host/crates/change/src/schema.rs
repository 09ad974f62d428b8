//! Tables as the source has them.

use std::fmt;

use crate::column::Column;

/// A table's name at the source.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct TableName {
    /// The database (schema) it lies in.
    pub database: String,
    /// Its own name.
    pub table: String,
}

impl TableName {
    /// `database.table`.
    #[must_use]
    pub fn new(database: impl Into<String>, table: impl Into<String>) -> Self {
        Self { database: database.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// A key that identifies a row: whole columns, none of them nullable.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UniqueKey {
    /// The key's name at the source.
    pub name: String,
    /// Indexes into the table's columns, in key order.
    pub columns: Vec<usize>,
}

/// One version of a table's definition. Two versions are the same when they are equal; a reader of a
/// log hands out one `Arc` for each, so that comparing pointers is enough to see that nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableSchema {
    /// The table's name.
    pub name: TableName,
    /// Its columns, in their order at the source.
    pub columns: Vec<Column>,
    /// Indexes into `columns`, in key order. None: not known. Empty: there is none.
    pub primary_key: Option<Vec<usize>>,
    /// None: not known. Empty: there is none.
    pub unique_keys: Option<Vec<UniqueKey>>,
    /// What else is known of the table, by documented keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
}

impl TableSchema {
    /// The index of a column, by its exact name.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// The columns that identify a row by default: the primary key, else the first unique key.
    #[must_use]
    pub fn natural_key(&self) -> Option<&[usize]> {
        let primary = self.primary_key.as_deref().filter(|k| !k.is_empty());
        let unique = || {
            let keys = self.unique_keys.as_deref()?;
            keys.iter().map(|k| k.columns.as_slice()).find(|k| !k.is_empty())
        };
        primary.or_else(unique)
    }
}
