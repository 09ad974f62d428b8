//! The data files of a table as of one version: names, sizes, rows, and which of the rows are dead.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use arrow_schema::SchemaRef;
use deltalake::kernel::{Add, DeletionVectorDescriptor, Remove};
use serde_json::Value;

use crate::table::bounds::Bounds;

/// One data file.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    add: Add,
    /// Rows in the file, dead ones included; none where the log does not say.
    rows: Option<u64>,
    /// The bounds of the id columns, once they were asked for; which columns they are never changes.
    bounds: OnceLock<Bounds>,
}

/// What tells one state of a file from others: its name and its deletion vector.
pub(crate) type Identity = (String, Option<(String, Option<i32>)>);

impl DataFile {
    pub(crate) fn new(add: Add) -> Self {
        let rows = add.stats.as_deref().and_then(|s| {
            let stats: Value = serde_json::from_str(s).ok()?;
            stats.get("numRecords")?.as_u64()
        });
        Self { add, rows, bounds: OnceLock::new() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.add.path
    }

    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.add.size).unwrap_or(0)
    }

    pub(crate) fn rows(&self) -> Option<u64> {
        self.rows
    }

    pub(crate) fn vector(&self) -> Option<&DeletionVectorDescriptor> {
        self.add.deletion_vector.as_ref()
    }

    pub(crate) fn dead_rows(&self) -> u64 {
        self.vector().and_then(|v| u64::try_from(v.cardinality).ok()).unwrap_or(0)
    }

    fn identity(&self) -> Identity {
        let vector = self.vector().map(|v| (v.path_or_inline_dv.clone(), v.offset));
        (self.add.path.clone(), vector)
    }

    /// The bounds of the id columns that the log itself tells.
    pub(crate) fn bounds(&self, ids: &SchemaRef) -> &Bounds {
        self.bounds.get_or_init(|| {
            let stats = self.add.stats.as_deref().and_then(|s| serde_json::from_str(s).ok());
            stats.map_or_else(Bounds::default, |stats| Bounds::of_stats(&stats, ids))
        })
    }

    /// The action that takes the file, in this state, out of the table.
    pub(crate) fn remove(&self, change: DataChange, now_ms: i64) -> Remove {
        Remove {
            path: self.add.path.clone(),
            data_change: change == DataChange::Yes,
            deletion_timestamp: Some(now_ms),
            extended_file_metadata: Some(true),
            partition_values: Some(self.add.partition_values.clone()),
            size: Some(self.add.size),
            tags: self.add.tags.clone(),
            deletion_vector: self.add.deletion_vector.clone(),
            base_row_id: self.add.base_row_id,
            default_row_commit_version: self.add.default_row_commit_version,
        }
    }

    /// The action that brings a copy of the file into a table.
    pub(crate) fn add_as(&self, name: String, now_ms: i64) -> Add {
        Add { path: name, modification_time: now_ms, data_change: true, ..self.add.clone() }
    }

    /// The action that brings the file back with another deletion vector. Its bounds stay right,
    /// though perhaps wider than the live rows: the statistics say so (Delta protocol, "Per-file
    /// Statistics", `tightBounds`).
    pub(crate) fn add_with_vector(&self, vector: DeletionVectorDescriptor, rows: u64) -> Add {
        let stats = self.add.stats.as_deref().and_then(|s| serde_json::from_str(s).ok());
        let mut stats = match stats {
            Some(Value::Object(stats)) => stats,
            _ => serde_json::Map::new(),
        };
        stats.insert("numRecords".into(), rows.into());
        stats.insert("tightBounds".into(), false.into());
        Add {
            deletion_vector: Some(vector),
            stats: Some(Value::Object(stats).to_string()),
            data_change: true,
            ..self.add.clone()
        }
    }
}

/// Whether an action changes what the table says, or only how it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataChange {
    /// Rows come or go.
    Yes,
    /// The same rows in other files.
    No,
}

/// The data files by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files(BTreeMap<String, DataFile>);

impl Files {
    pub(crate) fn insert(&mut self, add: Add) {
        self.0.insert(add.path.clone(), DataFile::new(add));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&DataFile> {
        self.0.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DataFile> {
        self.0.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What the table holds, whatever its version.
    pub(crate) fn identity(&self) -> Vec<Identity> {
        self.iter().map(DataFile::identity).collect()
    }
}
