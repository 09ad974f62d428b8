//! A key column made of others.
//!
//! Each part is written as its length in bytes, a colon, its text form and a comma, so that
//! ("1","23") and ("12","3") differ. A row with a NULL among the parts has no key and is rejected.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use sluice_guest::{Batch, DataType, Edit, Failure, TableSchema, TextBuilder, hex};

use crate::{Computed, How};

/// How a table's key column is made; the parts are the columns that `process` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    how: How,
    parts: Vec<String>,
}

impl KeyColumn {
    /// # Errors
    /// `key-type`, where a part has no text of its own.
    pub(crate) fn of(computed: &Computed, table: &TableSchema) -> Result<Self, Failure> {
        for name in &computed.columns {
            let (_, field) = table.field(name)?;
            let why = match field.data_type {
                DataType::Float32 | DataType::Float64 => "equal floats may print differently",
                DataType::Json => "one document has many texts",
                _ => continue,
            };
            let detail = format!("`{name}` is {} and cannot be a key: {why}", field.data_type);
            return Err(Failure::new("key-type", detail));
        }
        Ok(Self { how: computed.how, parts: computed.columns.clone() })
    }

    pub(crate) fn run(&self, batch: &Batch<'_>) -> Result<Edit, Failure> {
        let mut edit = Edit::new();
        let mut made = TextBuilder::utf8(batch.rows());
        let mut key = String::new();
        for row in 0..batch.rows() {
            key.clear();
            for (column, name) in batch.columns().iter().zip(&self.parts) {
                match column.value(row).text() {
                    // Writing to a String cannot fail.
                    Some(text) => {
                        let _ = write!(key, "{}:{text},", text.len());
                    }
                    None => edit.reject(row, Failure::new("key-null", format!("`{name}` is NULL"))),
                }
            }
            match self.how {
                How::Concat => made.push(&key),
                How::Sha256 => made.push(&hex(&Sha256::digest(&key))),
            }
        }
        Ok(edit.with_column(made.finish()))
    }
}
