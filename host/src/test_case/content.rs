//! What a case brings: tables, rejected rows and net changes, as JSON in the text form of
//! `docs/reference/types.md`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::decider::Deciders;

/// What stands for the id columns of a table without a key.
pub(super) const WHOLE_ROW: &str = "whole-row";

/// A row: its columns by name.
pub(super) type Row = Map<String, Value>;

/// All that comes out of a case, or is expected to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// Tables by the rendered path of their target.
    pub tables: BTreeMap<String, TableContent>,
    /// Rejected rows, in log order.
    pub rejected: Vec<RejectedRow>,
    /// Net changes of each transaction, in log order: by target, then deleted keys before written
    /// rows, each by key.
    pub changes: Vec<Value>,
    /// Which plugins had a part in each target; never expected, only shown.
    pub deciders: BTreeMap<String, Deciders>,
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableContent {
    /// Names and logical types, in order.
    pub columns: Vec<(String, String)>,
    /// The columns that identify a row; none: nothing does, and equal rows are counted.
    pub id_columns: Option<Vec<String>>,
    /// By key.
    pub rows: Vec<Row>,
}

impl TableContent {
    /// The values of a row's id columns; all of them where rows have no key.
    #[must_use]
    pub fn key(&self, row: &Row) -> Row {
        let value = |name: &String| row.get(name).cloned().unwrap_or(Value::Null);
        match &self.id_columns {
            Some(ids) => ids.iter().map(|name| (name.clone(), value(name))).collect(),
            None => self.columns.iter().map(|(name, _)| (name.clone(), value(name))).collect(),
        }
    }

    /// `{"columns":{…},"id-columns":[…]}`, without a key `"id-columns":"whole-row"`.
    #[must_use]
    pub fn header(&self) -> Value {
        let columns: Row =
            self.columns.iter().map(|(name, t)| (name.clone(), t.as_str().into())).collect();
        let ids = match &self.id_columns {
            Some(ids) => serde_json::json!(ids),
            None => WHOLE_ROW.into(),
        };
        serde_json::json!({ "columns": columns, "id-columns": ids })
    }
}

/// A row that a plugin could not transform.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedRow {
    /// The source table, `database.table`.
    pub table: String,
    /// The plugin's name in the manifest.
    pub plugin: String,
    /// The plugin's constant.
    pub code: String,
    /// The source's key of the row; all of its columns where the source has none.
    pub row: Row,
    /// What the plugin said; never expected, only shown.
    #[serde(skip)]
    pub detail: String,
}
