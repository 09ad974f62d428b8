//! The keys of a table that the stream has changed: compared bit by bit, never by order or collation.

use std::collections::HashSet;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType};
use change::{Batch, TableName, TableSchema};

/// Why keys cannot be told apart.
#[derive(Debug)]
pub(super) struct KeyError {
    pub(super) table: TableName,
    pub(super) source: ArrowError,
}

/// Keys that were changed since the last [`Touched::clear`].
pub(super) struct Touched {
    /// The key's columns as the load reads them: name, index and type.
    columns: Vec<(String, usize, DataType)>,
    converter: RowConverter,
    keys: HashSet<Box<[u8]>>,
}

impl Touched {
    pub(super) fn of(schema: &TableSchema) -> Result<Self, KeyError> {
        let key = schema.natural_key().unwrap_or_default();
        let columns = key.iter().filter_map(|at| {
            let column = schema.columns.get(*at)?;
            Some((column.name.clone(), *at, column.column_type.arrow()))
        });
        let columns: Vec<_> = columns.collect();
        let fields = columns.iter().map(|(_, _, of)| SortField::new(of.clone())).collect();
        let failed = |source| KeyError { table: schema.name.clone(), source };
        let converter = RowConverter::new(fields).map_err(failed)?;
        Ok(Self { columns, converter, keys: HashSet::new() })
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    /// Notes every key of a batch; false where its columns are not those of the load.
    #[must_use]
    pub(super) fn add(&mut self, batch: &Batch) -> bool {
        let column = |(name, _, of): &(String, usize, DataType)| {
            let at = batch.schema().index_of(name)?;
            batch.columns().get(at).filter(|column| column.data_type() == of).cloned()
        };
        let Some(columns) = self.columns.iter().map(column).collect::<Option<Vec<_>>>() else {
            return false;
        };
        let Ok(rows) = self.converter.convert_columns(&columns) else { return false };
        self.keys.extend(rows.iter().map(|row| row.as_ref().into()));
        true
    }

    /// Which rows of a chunk the stream has not changed; none where that is all of them.
    pub(super) fn untouched(&self, chunk: &[ArrayRef]) -> Result<Option<BooleanArray>, ArrowError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let columns = self.columns.iter().filter_map(|(_, at, _)| chunk.get(*at).cloned());
        let rows = self.converter.convert_columns(&columns.collect::<Vec<_>>())?;
        let untouched = rows.iter().map(|row| Some(!self.keys.contains(row.as_ref())));
        Ok(Some(untouched.collect()))
    }
}
