//! How the source tables of one target are told apart: by an id column that is constant in each of
//! them and differs between them.
//!
//! Guarantee. Of all rows that were folded since this state began, no two of different source tables
//! share a key; the first row that would break it is refused before anything of its epoch is
//! written. The state begins with the target where the table carries it in its commits and hands it
//! back (`FoldOptions::sources`); where it does not, it begins at the start of the process, and rows
//! written before that are not known to it.

use change::TableName;
use serde::{Deserialize, Serialize};

/// What is known of the id columns of every source table of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceKeys {
    /// The names of the id columns, in key order.
    pub id_columns: Vec<String>,
    /// The source tables, in the order in which they reached the target.
    pub tables: Vec<SourceKey>,
}

/// What one source table has written into the id columns so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceKey {
    /// The source table.
    pub table: TableName,
    /// One for each id column: the only value so far, as JSON text; none where there were several.
    pub constants: Vec<Option<String>>,
}
