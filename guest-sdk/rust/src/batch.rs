//! One batch of row images of one table: the columns that the plan reads.

use crate::bitmap::Bitmap;
use crate::column::{Column, ColumnBuffers};
use crate::failure::Failure;
use crate::schema::DataType;

/// The rows of one call of `process`.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    rows: usize,
    columns: Vec<Column<'a>>,
}

impl<'a> Batch<'a> {
    /// Checks that the columns are those that the plan reads, and as long as they should be.
    ///
    /// # Errors
    /// `column-length`, `column-count`: the host broke the interface.
    pub fn new(
        rows: usize,
        columns: &'a [ColumnBuffers],
        types: &[DataType],
    ) -> Result<Self, Failure> {
        if columns.len() != types.len() {
            let (got, planned) = (columns.len(), types.len());
            let detail = format!("the plan reads {planned} columns, {got} came");
            return Err(Failure::new("column-count", detail));
        }
        let views = columns.iter().zip(types).map(|(c, t)| Column::new(c, *t, rows));
        Ok(Self { rows, columns: views.collect::<Result<_, _>>()? })
    }

    /// How many rows there are; at least one.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A column, by its place in the plan's `reads`.
    ///
    /// # Errors
    /// `column-count` where the plan reads fewer.
    pub fn column(&self, slot: usize) -> Result<Column<'a>, Failure> {
        self.columns.get(slot).copied().ok_or_else(|| {
            let read = self.columns.len();
            Failure::new("column-count", format!("column {slot} was asked, the plan reads {read}"))
        })
    }

    /// All columns, in the order of the plan's `reads`.
    #[must_use]
    pub fn columns(&self) -> &[Column<'a>] {
        &self.columns
    }

    /// A bit from each row's index, for [`crate::Edit::keep`].
    pub fn keep(&self, accept: impl FnMut(usize) -> bool) -> Bitmap {
        Bitmap::from_fn(self.rows, accept)
    }
}
