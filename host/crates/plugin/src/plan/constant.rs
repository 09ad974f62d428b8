//! A value that is the same in every row.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_schema::ArrowError;
use change::ColumnType;

use crate::text;

/// A value that is the same in every row. The column is made once and cut to each batch.
#[derive(Debug)]
pub(crate) struct Constant {
    value: ArrayRef,
    rows: Mutex<ArrayRef>,
}

impl Constant {
    /// From the text form of docs/reference/text-values.md; none = null.
    ///
    /// # Errors
    /// Names the type that the text does not fit.
    pub(crate) fn parse(column_type: ColumnType, text: Option<&str>) -> Result<Self, String> {
        let (value, wrong) = text::parse(column_type, &[text]);
        if !wrong.is_empty() {
            return Err(format!("`{}` is no {column_type}", text.unwrap_or_default()));
        }
        Ok(Self { rows: Mutex::new(Arc::clone(&value)), value })
    }

    /// The column for so many rows.
    pub(crate) fn column(&self, rows: usize) -> Result<ArrayRef, ArrowError> {
        let mut made = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() < rows {
            let indexes = UInt32Array::from(vec![0; rows.next_power_of_two()]);
            *made = arrow_select::take::take(&self.value, &indexes, None)?;
        }
        Ok(made.slice(0, rows))
    }
}
