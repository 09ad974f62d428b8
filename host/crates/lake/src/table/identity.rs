//! What identifies a row of a table, as the table's property says: id columns, or nothing but the
//! whole row.

use std::fmt;

use serde_json::json;

use crate::stored::StoredSchema;

/// The property of a table whose rows are counted. No JSON array looks like it, so that neither is
/// taken for the other.
const WHOLE_ROW: &str = "whole-row";

/// What identifies a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowIdentity {
    /// Id columns, by name.
    Columns(Vec<String>),
    /// All columns that there are, also those that come later; equal rows are counted.
    WholeRow,
}

impl RowIdentity {
    /// That of changes.
    pub(crate) fn of(schema: &StoredSchema) -> Self {
        if schema.is_whole_row() {
            return Self::WholeRow;
        }
        Self::Columns(schema.id_names().map(str::to_owned).collect())
    }

    /// From the table's property; none where it says nothing that is known.
    pub(crate) fn parse(property: &str) -> Option<Self> {
        if property == WHOLE_ROW {
            return Some(Self::WholeRow);
        }
        serde_json::from_str(property).ok().map(Self::Columns)
    }

    /// The table's property.
    pub(crate) fn to_property(&self) -> String {
        match self {
            Self::Columns(names) => json!(names).to_string(),
            Self::WholeRow => WHOLE_ROW.to_owned(),
        }
    }

    /// Whether both are the same, in whatever order the id columns stand.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let sorted = |names: &Vec<String>| {
            let mut names = names.clone();
            names.sort_unstable();
            names
        };
        match (self, other) {
            (Self::Columns(a), Self::Columns(b)) => sorted(a) == sorted(b),
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for RowIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Columns(names) => f.write_str(&names.join(", ")),
            Self::WholeRow => f.write_str("the whole row"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_reads_back_and_a_column_of_that_name_is_not_the_whole_row() {
        let column = RowIdentity::Columns(vec!["whole-row".to_owned()]);
        for identity in [column.clone(), RowIdentity::WholeRow] {
            assert_eq!(RowIdentity::parse(&identity.to_property()), Some(identity));
        }
        assert!(!column.is_same(&RowIdentity::WholeRow));
        assert_eq!(RowIdentity::parse("something else"), None);
    }
}
