//! What a statement of the source does to a target without telling it in rows: columns come, go,
//! change their name or type, or all rows go.
//!
//! Here it is decided which columns a table has afterwards and what becomes of each row; `table`
//! rewrites the files that it concerns, in one commit with the position behind the statement.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;
use arrow_select::zip::zip;
use change::definition::same_name;
use change::diagnose::REBUILD;
use change::{Column, ColumnType, IntegerSet, TableName, TargetPath};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde_json::Value;

use crate::error::LakeError;
use crate::lake::NewColumns;
use crate::sources::SourceKeys;
use crate::stored::{self, stored_type, text, wider};

/// What a statement does to one target.
#[derive(Clone, Debug)]
pub struct TableEdit {
    /// The target. One that does not exist yet needs no edit.
    pub target: TargetPath,
    /// The table that the statement changes. Where several write to the target, only its rows are
    /// meant.
    pub source: TableName,
    /// What becomes of its rows; comes before the columns.
    pub rows: RowsEdit,
    /// What becomes of the columns, by their names in the target, in this order.
    pub columns: Vec<ColumnEdit>,
}

/// What becomes of the rows that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RowsEdit {
    /// They stay.
    #[default]
    Keep,
    /// They go, as with TRUNCATE.
    Remove,
    /// Those with these values go.
    RemoveWhere {
        /// A column with integers.
        column: String,
        /// Its values.
        values: IntegerSet,
    },
    /// They go, and the columns stay only until the next table of that name brings its own.
    Vacate,
    /// They stay, with the columns, until the next table of that name brings its first row.
    Abandon,
    /// They go; the target holds instead what another one held before the statement, columns and id
    /// columns included, as a renamed table takes its rows along.
    Take {
        /// The other target.
        from: TargetPath,
        /// The table whose rows it held.
        source: TableName,
    },
    /// They stay: the target is the same one under both names of the table.
    Renamed {
        /// The name so far; `TableEdit::source` is the new one.
        from: TableName,
    },
}

/// What becomes of a column.
#[derive(Clone, Debug)]
pub enum ColumnEdit {
    /// It comes: nullable, at the end. All rows of the source get the default, or NULL; so do they
    /// where the target has the column already, be it from another table or from before it was
    /// dropped.
    Add {
        /// The column.
        column: Column,
        /// A column of one value, in the Arrow type of [`ColumnType::arrow`].
        default: Option<ArrayRef>,
    },
    /// It stays in the target and is NULL in rows that are written from now on.
    Drop {
        /// Its name.
        name: String,
    },
    /// A column of the new name gets the values; the old one stays, as a dropped one.
    Rename {
        /// Its name so far.
        from: String,
        /// Its name from now on.
        to: String,
    },
    /// Its type becomes wider. A narrower one changes nothing: the target keeps its own.
    Retype {
        /// Its name.
        name: String,
        /// Its type from now on.
        column_type: ColumnType,
    },
}

/// The rows of a target that a statement means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    All,
    /// Those with these constants in their id columns.
    Where(Vec<(String, Value)>),
    Nothing,
}

#[derive(Clone, Debug)]
enum Step {
    /// A column gets one value, or NULL.
    Fill { column: usize, value: Option<ArrayRef> },
    /// A column gets the values of another one.
    Copy { from: usize, to: usize },
}

/// An edit against the columns of one table.
#[derive(Clone, Debug)]
pub(crate) struct Recast {
    /// The columns so far.
    before: SchemaRef,
    /// The columns afterwards: those so far, perhaps wider, then the new ones.
    pub(crate) after: SchemaRef,
    steps: Vec<Step>,
    rows: RowsEdit,
    scope: Scope,
}

fn wrong(source: ArrowError) -> LakeError {
    LakeError::Arrow { action: "change the columns of rows", source }
}

impl Recast {
    /// # Errors
    /// Where the edit would change an id column's name, or values would not fit.
    pub(crate) fn of(
        edit: &TableEdit,
        before: &SchemaRef,
        ids: &[String],
        sources: Option<&SourceKeys>,
        policy: NewColumns,
    ) -> Result<Self, LakeError> {
        let mut recast = Self {
            before: Arc::clone(before),
            after: Arc::clone(before),
            steps: Vec::new(),
            rows: edit.rows.clone(),
            scope: Scope::Nothing,
        };
        let mut fields: Vec<Field> = before.fields().iter().map(|f| f.as_ref().clone()).collect();
        if let RowsEdit::RemoveWhere { column, .. } = &mut recast.rows {
            let Some(field) = before.fields().iter().find(|f| same_name(f.name(), column)) else {
                let reason = format!("the column `{column}`, which tells the rows, is not there");
                return Err(refuse(edit, reason, REBUILD));
            };
            column.clone_from(field.name());
        }
        for column in &edit.columns {
            recast.plan(edit, column, &mut fields, ids)?;
        }
        recast.after = Arc::new(Schema::new(fields));
        // A type alone becomes wider in all rows: it does not matter whose they are.
        if recast.removes() || recast.changes_values() {
            recast.scope = scope_of(edit, sources)?;
        }
        if policy == NewColumns::Refuse && recast.after != recast.before {
            return Err(refuse(
                edit,
                format!("a statement on table {} changes them", edit.source),
                "set `sink.merge-schema = true`, or keep the change from the target with a plugin",
            ));
        }
        Ok(recast)
    }

    fn plan(
        &mut self,
        edit: &TableEdit,
        column: &ColumnEdit,
        fields: &mut Vec<Field>,
        ids: &[String],
    ) -> Result<(), LakeError> {
        // Statements name columns in any letter case.
        let position =
            |fields: &[Field], name: &str| fields.iter().position(|f| same_name(f.name(), name));
        let id = |name: &str, what: &str| match ids.iter().any(|id| same_name(id, name)) {
            true => Err(refuse(edit, format!("id column `{name}` is {what}"), REBUILD)),
            false => Ok(()),
        };
        match column {
            ColumnEdit::Add { column, default } => {
                id(&column.name, "added")?;
                let stored = stored_type(column.column_type);
                let known = fields.len();
                let at = take_up(edit, fields, &column.name, &stored)?;
                let data_type = fields.get(at).map(Field::data_type).cloned().unwrap_or(stored);
                let value = match default {
                    Some(value) if value.is_valid(0) => {
                        let value = stored::convert_column(column.column_type, value)?;
                        Some(arrow_cast::cast(&value, &data_type).map_err(wrong)?)
                    }
                    _ => None,
                };
                // A new column is NULL everywhere as it is.
                if value.is_some() || at < known {
                    self.steps.push(Step::Fill { column: at, value });
                }
            }
            ColumnEdit::Drop { name } => id(name, "dropped")?,
            ColumnEdit::Rename { from, to } => {
                id(from, "renamed")?;
                id(to, "taken by another column")?;
                let Some(source) = position(fields, from) else {
                    let reason = format!("column `{from}`, which gets another name, is not there");
                    return Err(refuse(edit, reason, REBUILD));
                };
                let stored = fields.get(source).map(|f| f.data_type().clone());
                let stored = stored.unwrap_or(DataType::Null);
                let target = take_up(edit, fields, to, &stored)?;
                self.steps.push(Step::Copy { from: source, to: target });
            }
            ColumnEdit::Retype { name, column_type } => {
                let known = position(fields, name).and_then(|at| fields.get(at));
                if let Some(name) = known.map(|field| field.name().clone()) {
                    take_up(edit, fields, &name, &stored_type(*column_type))?;
                }
            }
        }
        Ok(())
    }

    /// Whether rows get other values, not only other types.
    pub(crate) fn changes_values(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether rows may go.
    fn removes(&self) -> bool {
        matches!(self.rows, RowsEdit::Remove | RowsEdit::RemoveWhere { .. })
    }

    /// Whether all rows go, so that none has to be read.
    pub(crate) fn empties(&self) -> bool {
        self.rows == RowsEdit::Remove && self.scope == Scope::All
    }

    /// Whether rows of a file may change.
    pub(crate) fn touches(&self, file: &ParquetMetaData) -> bool {
        let has = |index: usize| {
            self.after.fields().get(index).is_some_and(|f| holds_values(file, f.name()))
        };
        let retyped = self.before.fields().iter().zip(self.after.fields()).enumerate();
        let retyped =
            retyped.filter(|(_, (a, b))| a.data_type() != b.data_type()).any(|(i, _)| has(i));
        let moved = self.scope != Scope::Nothing
            && (self.may_remove(file)
                || self.steps.iter().any(|step| match step {
                    Step::Fill { value: Some(_), .. } => true,
                    Step::Fill { column, value: None } => has(*column),
                    Step::Copy { from, to } => has(*from) || has(*to),
                }));
        retyped || moved
    }

    /// Whether rows of a file may go.
    fn may_remove(&self, file: &ParquetMetaData) -> bool {
        match &self.rows {
            RowsEdit::RemoveWhere { column, values } => file
                .row_groups()
                .iter()
                .any(|group| bounds(group, column).is_none_or(|(a, b)| values.may_hold(a, b))),
            _ => self.removes(),
        }
    }

    /// Rows that have the columns of `after` already, as they are afterwards.
    pub(crate) fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let scope = match &self.scope {
            Scope::Nothing => return Ok(rows.clone()),
            Scope::All => None,
            Scope::Where(constants) => Some(meant(rows, constants)),
        };
        let scope = match &self.rows {
            RowsEdit::RemoveWhere { column, values } => Some(valued(rows, column, values, scope)?),
            _ => scope,
        };
        if self.removes() {
            let keep: BooleanArray = match &scope {
                None => vec![false; rows.num_rows()].into(),
                Some(scope) => scope.values().iter().map(|meant| Some(!meant)).collect(),
            };
            let left = filter_record_batch(rows, &keep).map_err(wrong)?;
            return Ok(left);
        }
        let mut columns = rows.columns().to_vec();
        for step in &self.steps {
            let (to, new) = match step {
                Step::Copy { from, to } => (*to, columns.get(*from).cloned()),
                Step::Fill { column, value } => {
                    let field = self.after.fields().get(*column);
                    let all =
                        |v: &ArrayRef| take(v, &UInt32Array::from(vec![0; rows.num_rows()]), None);
                    let new = match (value, field) {
                        (Some(value), _) => Some(all(value).map_err(wrong)?),
                        (None, Some(f)) => Some(new_null_array(f.data_type(), rows.num_rows())),
                        (None, None) => None,
                    };
                    (*column, new)
                }
            };
            let (Some(new), Some(slot)) = (new, columns.get_mut(to)) else { continue };
            let new = match new.data_type() == slot.data_type() {
                true => new,
                false => arrow_cast::cast(&new, slot.data_type()).map_err(wrong)?,
            };
            *slot = match &scope {
                None => new,
                Some(scope) => zip(scope, &new, &*slot).map_err(wrong)?,
            };
        }
        RecordBatch::try_new(rows.schema(), columns).map_err(wrong)
    }
}

/// A column that comes under a name: the one that is there, widened, or a new one at the end.
fn take_up(
    edit: &TableEdit,
    fields: &mut Vec<Field>,
    name: &str,
    stored: &DataType,
) -> Result<usize, LakeError> {
    if let Some(at) = fields.iter().position(|f| f.name() == name) {
        let field = fields.get_mut(at);
        let known = field.as_ref().map(|f| f.data_type().clone()).unwrap_or(DataType::Null);
        let Some(wide) = wider(&known, stored) else {
            return Err(refuse(
                edit,
                format!("column `{name}` is {known} in the target and becomes {stored}"),
                "rebuild the target, or cast the column back with a plugin",
            ));
        };
        if let Some(field) = field {
            *field = Field::new(name, wide, true);
        }
        return Ok(at);
    }
    if let Some(other) = fields.iter().find(|f| f.name().to_lowercase() == name.to_lowercase()) {
        return Err(refuse(
            edit,
            format!("column `{name}` differs from the target's `{}` by case only", other.name()),
            "rename one of the two with the rename plugin",
        ));
    }
    if let Some(reason) = stored::refused_name(name) {
        let reason = format!("column `{name}` {reason}");
        return Err(refuse(edit, reason, "rename the column in the source"));
    }
    fields.push(Field::new(name, stored.clone(), true));
    Ok(fields.len().saturating_sub(1))
}

fn refuse(edit: &TableEdit, reason: String, hint: &str) -> LakeError {
    LakeError::Schema { target: edit.target.to_string(), reason, hint: hint.to_owned() }
}

fn scope_of(edit: &TableEdit, sources: Option<&SourceKeys>) -> Result<Scope, LakeError> {
    if sources.is_some_and(|sources| sources.incomplete) {
        let reason = "which of its rows are of which source table is not known any more";
        return Err(refuse(edit, reason.to_owned(), REBUILD));
    }
    let Some(sources) = sources.filter(|s| !s.tables.is_empty()) else { return Ok(Scope::All) };
    let Some(own) = sources.tables.iter().find(|t| t.table == edit.source) else {
        return Ok(Scope::Nothing);
    };
    if sources.tables.len() == 1 {
        return Ok(Scope::All);
    }
    if sources.whole_row {
        let reason = format!("nothing tells the rows of {} from those of other tables", own.table);
        return Err(refuse(edit, reason, REBUILD));
    }
    let named = sources.id_columns.iter().zip(&own.constants);
    let constants = named.filter_map(|(name, constant)| {
        let constant = serde_json::from_str(constant.as_deref()?).ok()?;
        Some((name.clone(), constant))
    });
    let constants: Vec<_> = constants.collect();
    // A table that has written no row yet has no constants.
    let others = || sources.tables.iter().filter(|t| t.table != own.table);
    match constants.is_empty() {
        _ if own.constants.is_empty() => Ok(Scope::Nothing),
        _ if others().all(|other| other.constants.is_empty()) => Ok(Scope::All),
        false => Ok(Scope::Where(constants)),
        true => {
            let reason = format!("no id column tells the rows of {} from others", own.table);
            Err(refuse(edit, reason, REBUILD))
        }
    }
}

/// The rows whose id columns hold all constants.
fn meant(rows: &RecordBatch, constants: &[(String, Value)]) -> BooleanArray {
    let columns: Vec<(Option<&ArrayRef>, &Value)> =
        constants.iter().map(|(name, constant)| (rows.column_by_name(name), constant)).collect();
    let is_meant = |row: usize| {
        columns.iter().all(|(column, constant)| {
            let value = column.and_then(|c| text::constant(c, row));
            value.is_some_and(|v| v == **constant)
        })
    };
    (0..rows.num_rows()).map(|row| Some(is_meant(row))).collect()
}

/// The rows, of those that are meant, that have one of some values.
fn valued(
    rows: &RecordBatch,
    column: &str,
    values: &IntegerSet,
    scope: Option<BooleanArray>,
) -> Result<BooleanArray, LakeError> {
    let integers = match rows.column_by_name(column) {
        Some(found) => arrow_cast::cast(found, &DataType::Int64).map_err(wrong)?,
        None => new_null_array(&DataType::Int64, rows.num_rows()),
    };
    let integers = integers.as_primitive::<Int64Type>();
    let is_meant = |row: usize| scope.as_ref().is_none_or(|scope| scope.value(row));
    let found = integers.iter().enumerate();
    Ok(found.map(|(row, value)| Some(is_meant(row) && values.contains(value))).collect())
}

/// The least and the greatest integer of a column; none where that is not told, or there may be a NULL.
fn bounds(group: &RowGroupMetaData, column: &str) -> Option<(i64, i64)> {
    let chunk = group.columns().iter().find(|c| c.column_path().string() == column)?;
    let statistics = chunk.statistics().filter(|s| s.null_count_opt() == Some(0))?;
    match statistics {
        Statistics::Int32(s) => Some((i64::from(*s.min_opt()?), i64::from(*s.max_opt()?))),
        Statistics::Int64(s) => Some((*s.min_opt()?, *s.max_opt()?)),
        _ => None,
    }
}

/// Whether a file has a column with a value other than NULL, as far as its footer tells.
fn holds_values(file: &ParquetMetaData, name: &str) -> bool {
    file.row_groups().iter().filter(|g| g.num_rows() > 0).any(|group| {
        let named = group.columns().iter().find(|c| c.column_path().string() == name);
        named.is_some_and(|chunk| {
            let nulls = chunk.statistics().and_then(|s| s.null_count_opt());
            let rows = u64::try_from(group.num_rows()).ok();
            nulls.is_none() || nulls != rows
        })
    })
}
