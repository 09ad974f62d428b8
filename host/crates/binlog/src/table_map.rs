//! TABLE_MAP events: what the rows that follow are made of.
//!
//! Format: MySQL source, `Table_map_event` in libs/mysql/binlog/event/rows_event.h; MariaDB writes the
//! same with differences in the optional metadata, which [`Vendor`] decides. What the event leaves out
//! (column names, with binlog_row_metadata = MINIMAL) comes from the definition that the table has at this
//! point of the log, and only from one that fits the event in every column.

mod cache;
mod column;
mod metadata;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array as _, ArrayRef};
use change::{TableDefinition, TableName, TableSchema};

use crate::decode_error::DecodeError;
use crate::definition::{self, History};
use crate::value::ZeroDates;
use crate::wire::{Wire, WireFault};

pub(crate) use cache::SchemaCache;
pub(crate) use column::{Cell, Labels, Prefix};

/// Who wrote the log. MariaDB counts GEOMETRY columns among those with a character set, MySQL does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    MySql,
    MariaDb,
}

/// How table maps are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MapRules {
    pub(crate) zero_dates: ZeroDates,
    pub(crate) vendor: Vendor,
}

/// One table as a TABLE_MAP event describes it.
#[derive(Debug)]
pub(crate) struct TableMap {
    /// The table and its columns.
    pub(crate) schema: Arc<TableSchema>,
    /// How the cells of a row are read, one for each column.
    pub(super) cells: Vec<Cell>,
    /// The definition, where it is known and fits: of each column of a row.
    definition: Option<Arc<TableDefinition>>,
    /// Different for every table map that was ever parsed: equal schemas may have different cells.
    pub(super) id: u64,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl TableMap {
    /// Reads the event's post-header and payload, behind the 19-byte header and without checksum.
    /// Returns the table id too.
    ///
    /// # Errors
    /// Where the event breaks its format, names no columns, or has a column that cannot be read.
    pub(crate) fn parse(
        body: &[u8],
        rules: MapRules,
        history: &History,
    ) -> Result<(u64, Self), DecodeError> {
        let mut wire = Wire::new(body);
        let head = Head::read(&mut wire).map_err(|fault| DecodeError::wire(fault, wire.at()))?;
        let id = head.table_id;
        let column::Built { schema, cells, definition } =
            column::build(&head, &mut wire, rules, history)?;
        let map_id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok((id, Self { schema: Arc::new(schema), cells, definition, id: map_id }))
    }

    /// What an INSERT that leaves a column out gives it, as an array of one value in the column's Arrow
    /// type; none where that is computed or not known.
    pub(crate) fn default_of(&self, index: usize) -> Option<ArrayRef> {
        let (column, known) = (self.schema.columns.get(index)?, self.definition.as_ref()?);
        let value = definition::value::default_of(known.columns.get(index)?, column)?;
        (column.nullable || value.null_count() == 0).then_some(value)
    }

    /// The table's id and name, without reading its columns.
    ///
    /// # Errors
    /// Where the event breaks its format.
    pub(crate) fn peek_name(body: &[u8]) -> Result<(u64, TableName), DecodeError> {
        let mut wire = Wire::new(body);
        let head = Head::read(&mut wire).map_err(|fault| DecodeError::wire(fault, wire.at()))?;
        Ok((head.table_id, head.name()))
    }
}

/// What stands in front of the columns.
struct Head<'a> {
    table_id: u64,
    database: &'a [u8],
    table: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(wire: &mut Wire<'a>) -> Result<Self, WireFault> {
        let table_id = wire.u48()?;
        wire.take(FLAG_BYTES)?;
        let database = wire.lenenc_bytes()?;
        wire.take(1)?;
        let table = wire.lenenc_bytes()?;
        wire.take(1)?;
        Ok(Self { table_id, database, table })
    }

    /// Identifiers are utf8mb3 on the wire; one that is not keeps what can be read of it.
    fn name(&self) -> TableName {
        TableName::new(String::from_utf8_lossy(self.database), String::from_utf8_lossy(self.table))
    }
}

/// The table map's flags; none of them changes how rows are read.
const FLAG_BYTES: usize = 2;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::Written;
