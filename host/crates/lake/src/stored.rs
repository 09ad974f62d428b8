//! How columns lie in a Delta table: from the logical types of a chain's output to the Arrow types
//! that are written, and the conversion between them.
//!
//! Every conversion is exact. It runs over whole columns, so it also meets the slots of NULLs and of
//! images that are not kept; these may hold anything and never make it fail. The types are those of
//! `docs/reference/types.md`; a test compares the page with this file.

pub mod text;
mod union;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, DurationMicrosecondType, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use change::{ColumnType, KeyProof, OutputSchema, TableName};

use crate::error::{FoldError, LakeError};

pub use union::wider;

/// Digits of 2^64-1: what a BIGINT UNSIGNED needs.
const UINT64_DIGITS: u8 = 20;

/// Characters that Parquet or Delta readers do not take in a column's name (`docs/reference/types.md`).
const NAME_CHARACTERS_REFUSED: [char; 10] = [' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// The stored form of a chain's output columns.
///
/// Every stored field is nullable, the id columns too: a `NOT NULL` field binds a Delta table to the
/// `invariants` feature, which fewer writers take, and forbids to add columns to it later. The fold
/// checks instead that no id column of a kept row is NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSchema {
    arrow: SchemaRef,
    column_types: Vec<ColumnType>,
    id_columns: Vec<usize>,
    source: TableName,
    key_proof: KeyProof,
}

impl StoredSchema {
    /// The stored form of an output schema.
    ///
    /// # Errors
    /// Where there are no id columns, one is a float or named twice, or a column's name cannot be
    /// written. Floats are refused as id columns: two values that print alike may differ, -0.0 and
    /// 0.0 are one value and two, and file bounds say nothing of NaN. Where whole rows are compared
    /// they are compared bit by bit.
    pub fn of(output: &OutputSchema) -> Result<Self, LakeError> {
        check_names(output)?;
        let id_columns = match output.key_proof {
            KeyProof::WholeRow => (0..output.columns.len()).collect(),
            KeyProof::Source | KeyProof::Trusted => {
                check_id_columns(output)?;
                output.id_columns.clone()
            }
        };
        let fields = output.columns.iter().map(|c| {
            let stored = stored_type(c.column_type);
            Field::new(&c.name, stored, true)
        });
        Ok(Self {
            arrow: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            column_types: output.columns.iter().map(|c| c.column_type).collect(),
            id_columns,
            source: output.source.clone(),
            key_proof: output.key_proof,
        })
    }

    /// Names and stored Arrow types, in column order; every field is nullable.
    #[must_use]
    pub fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// The logical types, in column order.
    #[must_use]
    pub fn column_types(&self) -> &[ColumnType] {
        &self.column_types
    }

    /// Indexes of the id columns, in key order; at least one.
    #[must_use]
    pub fn id_columns(&self) -> &[usize] {
        &self.id_columns
    }

    /// The same columns in the types of a table where these hold all of their values; none where
    /// nothing differs.
    pub(crate) fn in_types_of(&self, table: &SchemaRef) -> Option<Self> {
        let fields = self.arrow.fields().iter().map(|field| {
            let known = table.field_with_name(field.name()).ok().map(Field::data_type);
            match known {
                Some(known) if wider(known, field.data_type()).as_ref() == Some(known) => {
                    Field::new(field.name(), known.clone(), true)
                }
                _ => field.as_ref().clone(),
            }
        });
        let arrow = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        (arrow != self.arrow).then(|| Self { arrow, ..self.clone() })
    }

    /// The same columns with the id columns in another key order; none where these are not the id
    /// columns.
    pub(crate) fn with_id_order(&self, names: &[String]) -> Option<Self> {
        let indexes = names.iter().map(|n| self.arrow.index_of(n).ok());
        let id_columns: Vec<usize> = indexes.collect::<Option<_>>()?;
        let all = |of: &[usize]| {
            let mut of = of.to_vec();
            of.sort_unstable();
            of
        };
        let same = all(&id_columns) == all(&self.id_columns);
        same.then(|| Self { id_columns, ..self.clone() })
    }

    /// The names of the id columns, in key order.
    pub fn id_names(&self) -> impl Iterator<Item = &str> {
        self.id_columns
            .iter()
            .filter_map(|i| self.arrow.fields().get(*i))
            .map(|f| f.name().as_str())
    }

    /// The schema of keys alone: the id columns in key order.
    #[must_use]
    pub fn id_arrow(&self) -> SchemaRef {
        let fields = self.id_columns.iter().filter_map(|i| self.arrow.fields().get(*i)).cloned();
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The source table; the first of them where several share a target.
    #[must_use]
    pub fn source(&self) -> &TableName {
        &self.source
    }

    /// Why the id columns identify a row.
    #[must_use]
    pub fn key_proof(&self) -> KeyProof {
        self.key_proof
    }

    /// Whether the target is a multiset of whole rows: the id columns are all columns, may be NULL and
    /// may be floats, and equal rows are counted.
    #[must_use]
    pub fn is_whole_row(&self) -> bool {
        self.key_proof == KeyProof::WholeRow
    }

    /// The stored form of columns in the Arrow types of [`ColumnType::arrow`]. Columns whose stored
    /// type is the same are shared, not copied.
    ///
    /// # Errors
    /// Where the columns are not those of the schema. No value makes it fail.
    pub fn convert(&self, columns: &[ArrayRef]) -> Result<Vec<ArrayRef>, LakeError> {
        if columns.len() != self.column_types.len() {
            let (found, expected) = (columns.len(), self.column_types.len());
            let source = change::batch::BatchError::Width { found, expected };
            return Err(FoldError::Batch { table: self.source.clone(), source }.into());
        }
        let named = self.arrow.fields().iter().zip(&self.column_types).zip(columns);
        named
            .map(|((field, column_type), column)| {
                if *column.data_type() != column_type.arrow() {
                    return Err(LakeError::from(FoldError::ColumnType {
                        table: self.source.clone(),
                        column: field.name().clone(),
                        expected: column_type.arrow(),
                        found: column.data_type().clone(),
                    }));
                }
                convert_column(*column_type, column)
            })
            .collect()
    }
}

/// The Arrow type that a logical type is written as.
#[must_use]
pub fn stored_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::UInt8 => DataType::Int16,
        ColumnType::UInt16 => DataType::Int32,
        ColumnType::UInt32 => DataType::Int64,
        ColumnType::UInt64 => DataType::Decimal128(UINT64_DIGITS, 0),
        ColumnType::TimeMicros => DataType::Utf8,
        same => same.arrow(),
    }
}

/// The name of a stored type in a Delta schema (Delta protocol, "Primitive Types").
#[must_use]
pub fn delta_type(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Boolean => "boolean".into(),
        ColumnType::Int8 => "byte".into(),
        ColumnType::Int16 | ColumnType::UInt8 => "short".into(),
        ColumnType::Int32 | ColumnType::UInt16 => "integer".into(),
        ColumnType::Int64 | ColumnType::UInt32 => "long".into(),
        ColumnType::UInt64 => format!("decimal({UINT64_DIGITS},0)"),
        ColumnType::Float32 => "float".into(),
        ColumnType::Float64 => "double".into(),
        ColumnType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        ColumnType::Date => "date".into(),
        ColumnType::TimestampMicrosUtc => "timestamp".into(),
        ColumnType::TimestampMicrosLocal => "timestamp_ntz".into(),
        ColumnType::TimeMicros | ColumnType::Utf8 | ColumnType::Json => "string".into(),
        ColumnType::Binary => "binary".into(),
    }
}

/// Why a Delta table cannot have a column of this name; none where it can.
pub(crate) fn refused_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("has an empty name");
    }
    let refused = "has one of the characters ` ,;{}()=`, a tab or a newline in its name, which Delta \
                   tables cannot have";
    name.contains(NAME_CHARACTERS_REFUSED).then_some(refused)
}

fn check_names(output: &OutputSchema) -> Result<(), LakeError> {
    let table = || output.source.clone();
    let mut seen: std::collections::HashMap<String, &str> = std::collections::HashMap::new();
    for column in &output.columns {
        let name = column.name.as_str();
        let Some(reason) = refused_name(name) else {
            if let Some(first) = seen.insert(name.to_lowercase(), name) {
                let (first, second) = (first.to_owned(), name.to_owned());
                return Err(FoldError::NameTwice { table: table(), first, second }.into());
            }
            continue;
        };
        let column = name.to_owned();
        return Err(FoldError::ColumnName { table: table(), column, reason }.into());
    }
    Ok(())
}

fn check_id_columns(output: &OutputSchema) -> Result<(), LakeError> {
    let table = || output.source.clone();
    if output.id_columns.is_empty() {
        return Err(FoldError::NoIdColumns { table: table() }.into());
    }
    let mut seen = std::collections::HashSet::new();
    for index in output.id_columns.iter().copied() {
        let Some(column) = output.columns.get(index) else {
            let reason = "is beyond its output columns";
            return Err(FoldError::IdColumn { table: table(), index, reason }.into());
        };
        if !seen.insert(index) {
            let reason = "is named twice";
            return Err(FoldError::IdColumn { table: table(), index, reason }.into());
        }
        if matches!(column.column_type, ColumnType::Float32 | ColumnType::Float64) {
            return Err(LakeError::from(FoldError::FloatId {
                table: table(),
                column: column.name.clone(),
                column_type: column.column_type,
            }));
        }
    }
    Ok(())
}

/// The caller has checked the Arrow type.
pub(crate) fn convert_column(
    column_type: ColumnType,
    column: &ArrayRef,
) -> Result<ArrayRef, LakeError> {
    Ok(match column_type {
        ColumnType::UInt8 => {
            let wider: PrimitiveArray<Int16Type> =
                column.as_primitive::<UInt8Type>().unary(i16::from);
            Arc::new(wider)
        }
        ColumnType::UInt16 => {
            let wider: PrimitiveArray<Int32Type> =
                column.as_primitive::<UInt16Type>().unary(i32::from);
            Arc::new(wider)
        }
        ColumnType::UInt32 => {
            let wider: PrimitiveArray<Int64Type> =
                column.as_primitive::<UInt32Type>().unary(i64::from);
            Arc::new(wider)
        }
        ColumnType::UInt64 => {
            let wider: PrimitiveArray<Decimal128Type> =
                column.as_primitive::<UInt64Type>().unary(i128::from);
            Arc::new(wider.with_data_type(stored_type(column_type)))
        }
        ColumnType::TimeMicros => {
            Arc::new(time_texts(column.as_primitive::<DurationMicrosecondType>())?)
        }
        _ => Arc::clone(column),
    })
}

/// `[-]HH:MM:SS.ffffff`, as the servers print a TIME(6): two digits of hours, three from 100 on.
fn time_texts(times: &PrimitiveArray<DurationMicrosecondType>) -> Result<StringArray, LakeError> {
    let wrong = |source| LakeError::Arrow { action: "write times as text", source };
    // "-838:59:59.000000" has 17 bytes.
    let mut bytes: Vec<u8> = Vec::with_capacity(times.len().saturating_mul(17));
    let mut offsets: Vec<i32> = Vec::with_capacity(times.len().saturating_add(1));
    offsets.push(0);
    for (row, micros) in times.values().iter().enumerate() {
        if times.is_valid(row) {
            text::push_time(&mut bytes, *micros);
        }
        let end = i32::try_from(bytes.len());
        offsets.push(end.map_err(|_| wrong(ArrowError::OffsetOverflowError(bytes.len())))?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    StringArray::try_new(offsets, Buffer::from_vec(bytes), times.nulls().cloned()).map_err(wrong)
}

#[cfg(test)]
mod tests;
