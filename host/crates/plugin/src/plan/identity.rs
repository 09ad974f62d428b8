//! The end of a plan: what identifies a row of the output and why, and whether a target can have
//! these columns.

use std::collections::{HashMap, HashSet};

use change::{Column, KeyProof, TableSchema};

use crate::error::PluginError;
use crate::plan::view::Field;
use crate::plan::{Draft, Node, TableSettings, WithoutKey};

/// Characters that a Delta column name cannot hold (Delta protocol, "Column Names": those that
/// Parquet readers refuse).
const NAME_CHARS_REFUSED: [char; 10] = [' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// The output columns, the id columns among them, and why these identify a row.
pub(crate) type Identity = (Vec<Column>, Vec<usize>, KeyProof);

impl Draft {
    /// What identifies a row of the output.
    pub(crate) fn identity(&self, settings: &TableSettings) -> Result<Identity, PluginError> {
        let source = &self.view.source;
        let columns: Vec<Column> = self.view.fields.iter().map(|f| f.column.clone()).collect();
        check_names(source, &columns)?;
        let id_columns = match &settings.id_columns {
            Some(names) => self.named_ids(names)?,
            None => self.view.id_columns.clone(),
        };
        if id_columns.is_empty() {
            return match settings.without_key {
                WithoutKey::WholeRow if !is_key_unknown(source) => self.whole_row(columns),
                _ => Err(no_ids(source)),
            };
        }
        let proof = if self.holds_source_key(&id_columns) {
            KeyProof::Source
        } else if settings.trust_ids {
            KeyProof::Trusted
        } else {
            return Err(unproven(source, &columns, &id_columns));
        };
        Ok((columns, id_columns, proof))
    }

    /// Every column identifies the row, so that each has to say the same in all images of it.
    fn whole_row(&self, columns: Vec<Column>) -> Result<Identity, PluginError> {
        if let Some(fact) = self.view.fields.iter().find(|f| f.is_metadata()) {
            let (table, name) = (self.view.source.name.clone(), &fact.column.name);
            let what = format!(
                "the metadata column `{name}` differs between the images of a row, and rows without a key are compared as a whole"
            );
            let remedy = format!("drop `{name}` in the plugin that adds it, or give id columns");
            return Err(PluginError::Table { table, what, remedy });
        }
        let id_columns = (0..columns.len()).collect();
        Ok((columns, id_columns, KeyProof::WholeRow))
    }

    /// What the manifest's names stand for in the table as a plugin sees it; none where some of them
    /// are made by a later plugin.
    pub(crate) fn shown_ids(&self, names: &[String]) -> Option<Vec<usize>> {
        names.iter().map(|name| self.view.index_of(name)).collect()
    }

    fn named_ids(&self, names: &[String]) -> Result<Vec<usize>, PluginError> {
        let table = &self.view.source.name;
        let refuse = |what: String| {
            let known: Vec<_> = self.view.fields.iter().map(|f| f.column.name.as_str()).collect();
            let remedy = format!("name columns of the target: {}", known.join(", "));
            PluginError::Table { table: table.clone(), what, remedy }
        };
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            let index = self
                .view
                .index_of(name)
                .ok_or_else(|| refuse(format!("the id column `{name}` is not in the target")))?;
            if self.view.fields.get(index).is_some_and(Field::is_metadata) {
                return Err(refuse(format!("the metadata column `{name}` cannot be an id column")));
            }
            if ids.contains(&index) {
                return Err(refuse(format!("`{name}` is an id column twice")));
            }
            ids.push(index);
        }
        Ok(ids)
    }

    fn holds_source_key(&self, id_columns: &[usize]) -> bool {
        let input = |id: &usize| match self.nodes.get(self.view.fields.get(*id)?.node)? {
            Node::Input(index) => Some(*index),
            _ => None,
        };
        let held: HashSet<usize> = id_columns.iter().filter_map(input).collect();
        let source = &self.view.source;
        let primary = source.primary_key.as_deref();
        let unique = source.unique_keys.as_deref().unwrap_or_default();
        let mut keys = primary.into_iter().chain(unique.iter().map(|k| k.columns.as_slice()));
        keys.any(|key| !key.is_empty() && key.iter().all(|column| held.contains(column)))
    }
}

fn check_names(source: &TableSchema, columns: &[Column]) -> Result<(), PluginError> {
    let refuse = |what: String, instead: String| PluginError::Table {
        table: source.name.clone(),
        what,
        remedy: format!("rename it with a plugin, for instance to `{instead}`"),
    };
    let mut seen: HashMap<String, &str> = HashMap::new();
    for column in columns {
        let name = column.name.as_str();
        if name.is_empty() {
            let what = "a column without a name cannot be in a target".to_owned();
            return Err(refuse(what, "column".to_owned()));
        }
        if name.contains(NAME_CHARS_REFUSED) {
            let what = format!(
                "the column `{}` has a character that a Delta column cannot have",
                name.escape_debug()
            );
            return Err(refuse(what, name.replace(NAME_CHARS_REFUSED, "_")));
        }
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            let what = format!("the columns `{other}` and `{name}` differ by no more than case");
            return Err(refuse(what, format!("{name}_2")));
        }
    }
    Ok(())
}

fn is_key_unknown(source: &TableSchema) -> bool {
    source.primary_key.is_none() && source.unique_keys.as_ref().is_none_or(Vec::is_empty)
}

fn no_ids(source: &TableSchema) -> PluginError {
    let table = source.name.clone();
    if is_key_unknown(source) {
        let what = "the log does not tell its key, and no id columns are given".to_owned();
        let remedy = format!(
            "set binlog_row_metadata=FULL on the server, or give `id-columns` and `trust-ids = true` in a [[table]] that matches {table}"
        );
        return PluginError::Table { table, what, remedy };
    }
    let what = "it has no primary or unique key, and no id columns are given".to_owned();
    let remedy = format!(
        "give `id-columns` and `trust-ids = true`, or `without-key = \"whole-row\"`, in a [[table]] that matches {table}"
    );
    PluginError::Table { table, what, remedy }
}

fn unproven(source: &TableSchema, columns: &[Column], ids: &[usize]) -> PluginError {
    let names: Vec<_> =
        ids.iter().filter_map(|i| columns.get(*i)).map(|c| c.name.as_str()).collect();
    let (table, names) = (source.name.clone(), names.join(", "));
    let trust =
        format!("set `trust-ids = true` in a [[table]] that matches {table} if they are unique");
    if is_key_unknown(source) {
        let what = format!(
            "whether the id columns ({names}) identify a row is unknown: the log does not tell its key"
        );
        let remedy = format!("set binlog_row_metadata=FULL on the server, or {trust}");
        return PluginError::Table { table, what, remedy };
    }
    let what =
        format!("the id columns ({names}) hold no primary or unique key of the source unchanged");
    PluginError::Table { table, what, remedy: format!("add the source's key to them, or {trust}") }
}
