//! What a statement of the source becomes in the targets under `merge-schema`: edits of their columns and
//! rows, or the reason why it cannot be told. Nothing is guessed: what is not known stops the pipeline.

use std::collections::BTreeMap;

use arrow_array::Array;
use binlog::definition::default_value;
use change::definition::same_name;
use change::{
    Column, ColumnDefinition, PathTemplate, Route, RowsEffect, SchemaChange, TableAction,
    TableName, TablePatterns, TargetPath,
};
use lake::{ColumnEdit, RowsEdit, TableEdit};

use super::schema_policy::SeenTables;
use crate::manifest::{DroppedTables, Manifest};

/// What has to be known of a manifest to carry statements over.
#[derive(Clone, Debug)]
pub struct SchemaMerge {
    path: PathTemplate,
    /// The tables that plugins see: what a statement means behind a plugin is not known.
    plugins: Vec<(String, TablePatterns)>,
    dropped: DroppedTables,
}

impl SchemaMerge {
    /// None where the manifest says that columns of targets stay as they are.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let plugins = manifest.plugins.iter().map(|p| (p.name.clone(), p.tables.clone()));
        let merge = || Self {
            path: manifest.sink.path.clone(),
            plugins: plugins.collect(),
            dropped: manifest.sink.dropped_tables,
        };
        manifest.sink.merge_schema.then(merge)
    }

    /// For a pipeline without plugins.
    #[cfg(test)]
    pub(super) fn without_plugins(path: PathTemplate) -> Self {
        Self { path, plugins: Vec::new(), dropped: DroppedTables::Keep }
    }

    /// The edits of a statement, one for each target; two where a table is changed and renamed at once.
    ///
    /// # Errors
    /// Why the targets cannot follow it.
    pub fn edits(
        &self,
        change: &SchemaChange,
        seen: &SeenTables,
    ) -> Result<Vec<TableEdit>, String> {
        let actions = change.actions.as_ref().ok_or("the statement is not understood")?;
        let mut edits: Vec<TableEdit> = Vec::new();
        for action in actions {
            let touched = action.tables().into_iter().any(|table| seen.may_hold(table));
            if action.is_harmless() || !touched {
                continue;
            }
            for edit in self.edit(action, seen)? {
                match edits.iter_mut().find(|known| known.target == edit.target) {
                    None => edits.push(edit),
                    Some(known) if known.source == edit.source && known.rows == edit.rows => {
                        known.columns.extend(edit.columns);
                    }
                    Some(_) => return Err(format!("it changes the target {} twice", edit.target)),
                }
            }
        }
        let renames = Renames::of(actions);
        if renames.is_empty() {
            let Some(table) = change.receives.first() else { return Ok(edits) };
            return Err(format!("rows come into {table} that no row event tells of"));
        }
        let is_renamed = |e: &ColumnEdit| matches!(e, ColumnEdit::Rename { .. });
        if edits.iter().flat_map(|edit| &edit.columns).any(is_renamed) {
            return Err("it renames columns and the table at once".to_owned());
        }
        edits.extend(self.moves(&renames, change, seen)?);
        Ok(edits)
    }

    /// The edits of one action, other than the renaming of tables.
    fn edit(&self, action: &TableAction, seen: &SeenTables) -> Result<Vec<TableEdit>, String> {
        let (table, rows, columns) = match action {
            TableAction::Created { replaces: false, .. } | TableAction::Renamed { .. } => {
                return Ok(Vec::new());
            }
            TableAction::Created { table, .. } => (table, RowsEdit::Vacate, Vec::new()),
            TableAction::Dropped { table } => {
                let tables =
                    seen.meant(table).ok_or("which tables it had is not known any more")?;
                let edits = tables.into_iter().map(|table| self.gone(table));
                return edits.collect();
            }
            TableAction::Altered { rows: RowsEffect::Unknown(reason), .. } => {
                return Err((*reason).to_owned());
            }
            TableAction::Truncated { table } => (table, RowsEdit::Remove, Vec::new()),
            TableAction::Altered { table, rows: RowsEffect::Gone { column, values }, .. } => {
                let (column, values) = (column.clone(), values.clone());
                (table, RowsEdit::RemoveWhere { column, values }, Vec::new())
            }
            TableAction::Altered { table, edits, rows: RowsEffect::None } => {
                (table, RowsEdit::Keep, columns(edits)?)
            }
        };
        if rows == RowsEdit::Keep && columns.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![self.of_table(table, rows, columns)?])
    }

    /// The edit of a table that is gone.
    fn gone(&self, table: &TableName) -> Result<TableEdit, String> {
        let rows = match self.dropped {
            DroppedTables::Keep => RowsEdit::Abandon,
            DroppedTables::Empty => RowsEdit::Vacate,
            DroppedTables::Stop => {
                return Err(format!("{table} is gone, and `dropped-tables` is \"stop\""));
            }
        };
        self.of_table(table, rows, Vec::new())
    }

    /// The edits by which targets change places as their tables do.
    fn moves(
        &self,
        renames: &Renames,
        change: &SchemaChange,
        seen: &SeenTables,
    ) -> Result<Vec<TableEdit>, String> {
        let is_captured = |table: &TableName| change.tables.contains(table);
        let mut edits: Vec<TableEdit> = Vec::new();
        for (name, held) in renames.behind() {
            if !is_captured(name) {
                continue;
            }
            check_spelling(name, change, seen)?;
            let edit = match held {
                Some(from) if !is_captured(from) => {
                    return Err(format!("rows come into {name} that no row event tells of"));
                }
                Some(from) if seen.may_hold(from) => self.moved(name, from)?,
                Some(from) if seen.is_new(from) => {
                    self.of_table(name, RowsEdit::Vacate, Vec::new())?
                }
                Some(from) => {
                    return Err(format!(
                        "which rows {from} had before the log begins is not known"
                    ));
                }
                None if !seen.may_hold(name) => continue,
                None => match renames.where_is(name) {
                    Some(to) if is_captured(to) => {
                        self.of_table(name, RowsEdit::Vacate, Vec::new())?
                    }
                    _ => self.gone(name)?,
                },
            };
            edits.push(edit);
        }
        // One target under several names stays as it is.
        let is_shared =
            |e: &TableEdit| edits.iter().filter(|other| other.target == e.target).count() > 1;
        if let Some(edit) = edits.iter().find(|edit| is_shared(edit)) {
            let renamed = |e: &&TableEdit| matches!(&e.rows, RowsEdit::Take { from, .. } if *from == e.target);
            let (takes, rest): (Vec<_>, Vec<_>) = edits.iter().partition(renamed);
            let ([take], true) =
                (takes.as_slice(), rest.iter().all(|e| e.rows == RowsEdit::Vacate))
            else {
                return Err(format!("tables change places within the target {}", edit.target));
            };
            let RowsEdit::Take { source: from, .. } = &take.rows else { return Ok(edits) };
            let rows = RowsEdit::Renamed { from: from.clone() };
            return Ok(vec![TableEdit { rows, ..TableEdit::clone(take) }]);
        }
        Ok(edits)
    }

    fn moved(&self, name: &TableName, from: &TableName) -> Result<TableEdit, String> {
        self.check_plugins(from)?;
        let rows = RowsEdit::Take { from: self.target(from)?, source: from.clone() };
        self.of_table(name, rows, Vec::new())
    }

    fn of_table(
        &self,
        table: &TableName,
        rows: RowsEdit,
        columns: Vec<ColumnEdit>,
    ) -> Result<TableEdit, String> {
        self.check_plugins(table)?;
        Ok(TableEdit { target: self.target(table)?, source: table.clone(), rows, columns })
    }

    fn target(&self, table: &TableName) -> Result<TargetPath, String> {
        let route = Route::of_table(&table.database, &table.table);
        self.path.render(&route).map_err(|error| error.to_string())
    }

    fn check_plugins(&self, table: &TableName) -> Result<(), String> {
        match self.plugins.iter().find(|(_, tables)| tables.matches(table)) {
            None => Ok(()),
            Some((plugin, _)) => {
                Err(format!("what it means behind the plugin `{plugin}` is not known"))
            }
        }
    }
}

/// Which table's rows each name stands for behind a statement.
pub(super) struct Renames(BTreeMap<TableName, Option<TableName>>);

impl Renames {
    pub(super) fn of(actions: &[TableAction]) -> Self {
        let mut names = BTreeMap::new();
        for action in actions {
            let TableAction::Renamed { from, to } = action else { continue };
            let held = names.insert(from.clone(), None).unwrap_or_else(|| Some(from.clone()));
            names.insert(to.clone(), held);
        }
        Self(names)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names that stand for other rows than before, or for none.
    pub(super) fn behind(&self) -> impl Iterator<Item = (&TableName, Option<&TableName>)> {
        let all = self.0.iter().map(|(name, held)| (name, held.as_ref()));
        all.filter(|(name, held)| *held != Some(name))
    }

    /// The name that a table's rows have now.
    fn where_is(&self, table: &TableName) -> Option<&TableName> {
        self.0.iter().find(|(_, held)| held.as_ref() == Some(table)).map(|(name, _)| name)
    }
}

/// A server that folds names has a new one in lower case in its rows.
fn check_spelling(
    name: &TableName,
    change: &SchemaChange,
    seen: &SeenTables,
) -> Result<(), String> {
    let alike = |other: &&TableName| {
        *other != name
            && same_name(&other.database, &name.database)
            && same_name(&other.table, &name.table)
    };
    match change.tables.iter().find(alike) {
        Some(other) if !seen.may_hold(name) => {
            Err(format!("whether rows come as {name} or as {other} is not known"))
        }
        _ => Ok(()),
    }
}

/// The edits of the target's columns: first what stays under another name, then what has another type or
/// comes, so that a name may be given away and taken again in one statement. What goes changes nothing.
fn columns(edits: &[change::ColumnEdit]) -> Result<Vec<ColumnEdit>, String> {
    let (mut renames, mut columns) = (Vec::new(), Vec::with_capacity(edits.len()));
    for edit in edits {
        match edit {
            change::ColumnEdit::Renamed { from, to } => renames.push((from.as_str(), to.as_str())),
            change::ColumnEdit::Dropped { name } => {
                columns.push(ColumnEdit::Drop { name: name.clone() });
            }
            change::ColumnEdit::Added { column, .. } => columns.push(added(column)?),
            change::ColumnEdit::Retyped { name, to, .. } => {
                let unknown = || format!("the new type of the column `{name}` is not known");
                let column_type = to.declared.column_type().ok_or_else(unknown)?;
                columns.push(ColumnEdit::Retype { name: name.clone(), column_type });
            }
            // Columns are found by name. Other id columns are met with the first row that has them.
            change::ColumnEdit::Redefined { .. }
            | change::ColumnEdit::Reordered
            | change::ColumnEdit::KeyChanged => {}
        }
    }
    let mut all = renamed(renames)?;
    all.extend(columns);
    Ok(all)
}

fn added(column: &ColumnDefinition) -> Result<ColumnEdit, String> {
    let unknown = |what: &str| format!("the {what} of the column `{}` is not known", column.name);
    let column_type = column.declared.column_type().ok_or_else(|| unknown("type"))?;
    let made = Column::made(&column.name, column_type, true);
    let default = default_value(column, &made).ok_or_else(|| unknown("default"))?;
    let default = Some(default).filter(|value| value.is_valid(0));
    Ok(ColumnEdit::Add { column: made, default })
}

/// Renames one after the other: none takes a name before its values have gone to another one.
fn renamed(mut open: Vec<(&str, &str)>) -> Result<Vec<ColumnEdit>, String> {
    let mut edits = Vec::with_capacity(open.len());
    while let Some((first, to)) = open.first().copied() {
        let is_free = |to: &str| open.iter().all(|(from, _)| !same_name(from, to));
        let Some(at) = open.iter().position(|(_, to)| is_free(to)) else {
            return Err(format!("`{first}` takes the name `{to}`, and the other way round"));
        };
        let (from, to) = open.remove(at);
        edits.push(ColumnEdit::Rename { from: from.to_owned(), to: to.to_owned() });
    }
    Ok(edits)
}

#[cfg(test)]
mod tests;
