//! The net changes of one epoch: what the fold hands to a table, and all that a table needs to know.
//!
//! Nothing here is computed; `fold` makes these and `table` or `memory` applies them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_schema::SchemaRef;
use change::{Presence, TableName, TargetPath};

use crate::error::{FoldError, LakeError, Place};
use crate::patch;
use crate::sources::SourceKeys;
use crate::stored::StoredSchema;
use crate::table::read;

/// How many changes of the source reached a target; for logs and summaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Rows that the source inserted.
    pub inserted: u64,
    /// Rows that an update wrote: in place, or because it brought them into the target.
    pub updated: u64,
    /// Rows that the source deleted, or that an update took out of the target or to another key.
    pub deleted: u64,
}

/// One target's net changes of one epoch. Every key is in `rows` or in `gone`, never in both, and
/// at most once.
///
/// A target without a key (`schema.is_whole_row()`) is a multiset, and a key is a whole row, NULLs
/// included: `rows` holds each as often as it is added, and nothing is looked for on their account;
/// `gone` holds each once, with the count of those to be deleted. No row is in both.
#[derive(Clone, Debug)]
pub struct TargetChanges {
    /// Where they go.
    pub target: TargetPath,
    /// What the columns are. All of `rows` has the order of this schema.
    pub schema: Arc<StoredSchema>,
    /// The rows that exist after the epoch, in the stored Arrow types (`schema.arrow()`): strictly
    /// ascending by the id columns in Arrow row order, no NULL in an id column.
    pub rows: RecordBatch,
    /// One bit for each of `rows`: the key's first change in the epoch was an INSERT of the source
    /// and its key is proven ([`change::KeyProof::Source`]), so that no older row can exist unless
    /// the target itself cannot be trusted.
    pub rows_inserted: BooleanBuffer,
    /// Keys that do not exist after the epoch: the id columns only, in the order of
    /// `schema.id_columns()`, strictly ascending. A key need not have existed before.
    pub gone: RecordBatch,
    /// One bit for each of `gone`, as `rows_inserted`.
    pub gone_inserted: BooleanBuffer,
    /// For each of `gone` how many rows are to be deleted, 1 at least; none where rows have a key.
    pub gone_counts: Option<Vec<u32>>,
    /// Changes folded.
    pub counts: ChangeCounts,
    /// How the source tables of this target are told apart, as of the end of this epoch. To be
    /// carried by the same commit and handed back to the next run in `FoldOptions::sources`; it
    /// changes rarely, so that comparing with the last one carried saves most writes.
    pub sources: Arc<SourceKeys>,
    /// Columns of `schema` that some source table of the epoch does not have: NULL in its rows.
    pub absent: BTreeSet<String>,
    /// What the log left out of `rows`; none where it told all of it, which is the usual case.
    pub gaps: Option<Gaps>,
}

/// Values of rows that only the rows' old versions in the target tell: whoever applies the changes
/// fills them in before anything else happens to the target, or refuses the changes.
#[derive(Clone, Debug)]
pub struct Gaps {
    /// Which values of `rows` are known; the slots of the others hold anything, those of JSON documents
    /// the changes that are to be made, or NULL.
    pub presence: Presence,
    /// The rows with a value that is not known: indexes into `rows`, ascending.
    pub rows: Vec<u32>,
    /// For each of them the key that its old version has, which is another one where the key was
    /// changed: the id columns only, in the order of `schema.id_columns()`.
    pub keys: RecordBatch,
    /// For each of them where the log left it out.
    pub places: Vec<Arc<LeftOut>>,
}

/// Where the log left something out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The source table.
    pub table: TableName,
    /// The event of the row.
    pub place: Place,
}

impl Gaps {
    /// What is found in the place of a column's gaps, with the changes that its slots tell; the row of the
    /// first document that they do not fit is the error.
    pub(crate) fn patched(
        &self,
        column: usize,
        told: &ArrayRef,
        whole: &ArrayRef,
    ) -> Result<ArrayRef, usize> {
        let rows = self.rows.iter().map(|row| *row as usize);
        patch::applied(whole, told, rows.filter(|row| !self.presence.has(column, *row)))
    }

    /// The error of a row whose document is not the one that the log changed.
    pub(crate) fn misfit(&self, row: usize, column: &str, target: TargetPath) -> LakeError {
        let at = self.rows.iter().position(|known| *known as usize == row);
        let Some(left) = at.and_then(|at| self.places.get(at)) else {
            return LakeError::Internal(format!("a row with a gap in {target} has no place"));
        };
        LakeError::from(FoldError::LeftOut {
            table: left.table.clone(),
            column: column.to_owned(),
            place: left.place.clone(),
            target,
            reason: "has another document than the one that it changes",
        })
    }

    /// The error of a row that has no old version.
    pub(crate) fn unknown(
        &self,
        rows: &RecordBatch,
        row: u32,
        left: &LeftOut,
        target: TargetPath,
    ) -> FoldError {
        let schema = rows.schema();
        let mut fields = schema.fields().iter().enumerate();
        let column = fields.find(|(c, _)| !self.presence.has(*c, row as usize));
        FoldError::LeftOut {
            table: left.table.clone(),
            column: column.map_or_else(String::new, |(_, f)| f.name().clone()),
            place: left.place.clone(),
            target,
            reason: "has no row with its former key",
        }
    }
}

impl TargetChanges {
    /// The changes in the types of a table whose columns are wider.
    pub(crate) fn in_types_of(self, table: &SchemaRef) -> Result<Self, LakeError> {
        let Some(schema) = self.schema.in_types_of(table) else { return Ok(self) };
        let ids = schema.id_arrow();
        let rows = read::align(&self.rows, schema.arrow())?;
        let gone = read::align(&self.gone, &ids)?;
        let gaps = match self.gaps {
            None => None,
            Some(gaps) => Some(Gaps { keys: read::align(&gaps.keys, &ids)?, ..gaps }),
        };
        Ok(Self { schema: Arc::new(schema), rows, gone, gaps, ..self })
    }

    /// Whether nothing is left to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.num_rows() == 0 && self.gone.num_rows() == 0
    }
}
