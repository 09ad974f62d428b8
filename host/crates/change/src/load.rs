//! How far the initial load of tables is.

use std::collections::BTreeMap;

use crate::schema::TableName;

/// The load of a pipeline's tables. What it says is loaded has reached the targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadState {
    /// Whether all tables are loaded; `tables` is empty then.
    #[serde(default)]
    pub is_finished: bool,
    /// The tables that are begun.
    #[serde(default, with = "as_list", skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<TableName, TableLoad>,
}

/// How far the load of a table is.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableLoad {
    /// Rows that are loaded.
    pub rows: u64,
    /// Whether all of them are.
    #[serde(default)]
    pub is_done: bool,
    /// The key of the last one, as SQL literals in key order; none where nothing is loaded yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Vec<String>>,
}

/// JSON has no maps by table.
mod as_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{BTreeMap, TableLoad, TableName};

    #[derive(Serialize, Deserialize)]
    struct Entry {
        #[serde(flatten)]
        name: TableName,
        #[serde(flatten)]
        load: TableLoad,
    }

    pub(super) fn serialize<S: Serializer>(
        tables: &BTreeMap<TableName, TableLoad>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let entries = tables.iter();
        let entries = entries.map(|(name, load)| Entry { name: name.clone(), load: load.clone() });
        serializer.collect_seq(entries)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<TableName, TableLoad>, D::Error> {
        let entries = <Vec<Entry> as Deserialize>::deserialize(deserializer)?;
        Ok(entries.into_iter().map(|entry| (entry.name, entry.load)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_from_its_text() {
        let behind = Some(vec!["7".to_owned(), "_utf8mb4 0x61".to_owned()]);
        let load = TableLoad { rows: 12, is_done: false, behind };
        let tables = BTreeMap::from([(TableName::new("shop", "orders"), load)]);
        for state in [LoadState { is_finished: false, tables }, LoadState::default()] {
            let text = serde_json::to_string(&state).expect("JSON");
            assert_eq!(serde_json::from_str::<LoadState>(&text).expect("JSON"), state, "{text}");
        }
        let older: LoadState = serde_json::from_str("{}").expect("JSON");
        assert_eq!(older, LoadState::default());
    }
}
