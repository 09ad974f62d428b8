//! What the definition of a table tells and its log does not: the hook that a history of definitions
//! answers.
//!
//! Without one, everything is read as the log tells it, and what it does not tell is refused.

use std::fmt;
use std::sync::Arc;

use arrow_array::ArrayRef;
use change::{TableName, TableSchema};

/// A type that a log shows as another one: MariaDB writes these as BINARY, under FULL metadata too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredType {
    /// UUID: 16 bytes, read as text in lower case.
    Uuid,
    /// INET6: 16 bytes, read as the text that the server gives.
    Inet6,
    /// INET4: four bytes, read as the text that the server gives.
    Inet4,
}

impl DeclaredType {
    /// The type, from the first word of a column's declaration; none for those that a log tells.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Uuid, Self::Inet6, Self::Inet4];
        all.into_iter().find(|declared| word.eq_ignore_ascii_case(declared.name()))
    }

    /// The source's word for it, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Inet6 => "inet6",
            Self::Inet4 => "inet4",
        }
    }

    /// Bytes of a value.
    pub(crate) fn bytes(self) -> u16 {
        match self {
            Self::Uuid | Self::Inet6 => 16,
            Self::Inet4 => 4,
        }
    }
}

/// The definitions of tables as they were where the log is being read. A reader reads a log once, from
/// its start on, and asks anew after each statement that changes a captured table.
pub trait TableDefinitions: Send + Sync {
    /// The declared type of a column, where the log shows another one.
    fn declared_type(&self, table: &TableName, column: &str) -> Option<DeclaredType>;

    /// The value that an INSERT which leaves out a column gave it, as an array of one value in the Arrow
    /// type of the column: its constant default, or NULL. None where it is not known.
    fn default_of(&self, schema: &TableSchema, column: usize) -> Option<ArrayRef>;
}

/// Shared definitions; by default nothing is known.
#[derive(Clone, Default)]
pub struct Definitions(Option<Arc<dyn TableDefinitions>>);

impl Definitions {
    /// Definitions that somebody knows.
    #[must_use]
    pub fn new(known: Arc<dyn TableDefinitions>) -> Self {
        Self(Some(known))
    }

    pub(crate) fn declared_type(&self, table: &TableName, column: &str) -> Option<DeclaredType> {
        self.0.as_ref()?.declared_type(table, column)
    }

    /// A default that fits its column.
    pub(crate) fn default_of(&self, schema: &TableSchema, index: usize) -> Option<ArrayRef> {
        let value = self.0.as_ref()?.default_of(schema, index)?;
        let column = schema.columns.get(index)?;
        let fits = value.len() == 1
            && *value.data_type() == column.column_type.arrow()
            && (column.nullable || value.null_count() == 0);
        fits.then_some(value)
    }
}

impl fmt::Debug for Definitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Definitions(known)" } else { "Definitions(none)" })
    }
}
