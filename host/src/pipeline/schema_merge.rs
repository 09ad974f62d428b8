//! What a statement of the source becomes in the targets under `merge-schema`: edits of their columns and
//! rows, or the reason why it cannot be told. Nothing is guessed: what is not known stops the pipeline.

use arrow_array::Array;
use binlog::definition::default_value;
use change::definition::same_name;
use change::{
    Column, ColumnDefinition, PathTemplate, Route, RowsEffect, SchemaChange, TableAction,
    TableName, TablePatterns,
};
use lake::{ColumnEdit, RowsEdit, TableEdit};

use super::schema_policy::SeenTables;
use crate::manifest::Manifest;

/// What has to be known of a manifest to carry statements over.
#[derive(Clone, Debug)]
pub struct SchemaMerge {
    path: PathTemplate,
    /// The tables that plugins see: what a statement means behind a plugin is not known.
    plugins: Vec<(String, TablePatterns)>,
}

impl SchemaMerge {
    /// None where the manifest says that columns of targets stay as they are.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let plugins = manifest.plugins.iter().map(|p| (p.name.clone(), p.tables.clone()));
        let merge = || Self { path: manifest.sink.path.clone(), plugins: plugins.collect() };
        manifest.sink.merge_schema.then(merge)
    }

    /// For a pipeline without plugins.
    #[cfg(test)]
    pub(super) fn without_plugins(path: PathTemplate) -> Self {
        Self { path, plugins: Vec::new() }
    }

    /// The edits of a statement, one for each target.
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
            let Some(edit) = self.edit(action)? else { continue };
            match edits.iter_mut().find(|known| known.target == edit.target) {
                None => edits.push(edit),
                Some(known) if known.source == edit.source && known.rows == edit.rows => {
                    known.columns.extend(edit.columns);
                }
                Some(_) => return Err(format!("it changes the target {} twice", edit.target)),
            }
        }
        match change.receives.first() {
            None => Ok(edits),
            Some(table) => Err(format!("rows come into {table} that no row event tells of")),
        }
    }

    fn edit(&self, action: &TableAction) -> Result<Option<TableEdit>, String> {
        let (table, rows, columns) = match action {
            TableAction::Created { replaces: false, .. } => return Ok(None),
            TableAction::Created { .. } => return Err("it replaces the table".to_owned()),
            TableAction::Dropped { .. } => {
                return Err("the target of a dropped table is not removed".to_owned());
            }
            TableAction::Renamed { .. } => {
                return Err("a renamed table takes its rows along".to_owned());
            }
            TableAction::Altered { rows: RowsEffect::Unknown(reason), .. } => {
                return Err((*reason).to_owned());
            }
            TableAction::Truncated { table } => (table, RowsEdit::Remove, Vec::new()),
            TableAction::Altered { table, edits, .. } => (table, RowsEdit::Keep, columns(edits)?),
        };
        if rows == RowsEdit::Keep && columns.is_empty() {
            return Ok(None);
        }
        self.check_plugins(table)?;
        let route = Route::of_table(&table.database, &table.table);
        let target = self.path.render(&route).map_err(|error| error.to_string())?;
        Ok(Some(TableEdit { target, source: table.clone(), rows, columns }))
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
