//! What a chain decided about one table under one schema version: a graph of columns that is worked
//! out once. Columns that are only renamed, moved or dropped are never touched again.

mod compose;
mod constant;
mod identity;
mod view;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use change::{ColumnType, OutputSchema, Route, TableSchema};

use crate::metadata::Metadata;
use crate::transfer::Slot;

pub(crate) use compose::{Broken, Draft};
pub(crate) use constant::Constant;
pub(crate) use view::{ROW_ROUTE_PROPERTY, View};

/// What becomes of a table for which nothing identifies a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutKey {
    /// It is refused.
    #[default]
    Stop,
    /// Its target is a multiset of whole rows.
    WholeRow,
}

/// What the manifest says about a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSettings {
    /// Names of the OUTPUT columns that identify a row; they win over every plugin.
    pub id_columns: Option<Vec<String>>,
    /// Whether the operator vouches that the id columns are unique.
    pub trust_ids: bool,
    /// What becomes of the table where the source has no key and nobody gives id columns.
    pub without_key: WithoutKey,
}

/// Where a column of the graph comes from.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A column of the batch.
    Input(usize),
    /// Another node, converted. Worked out in the stage that asked for it.
    Cast {
        /// The node.
        from: usize,
        /// Its name, for the rejected row.
        name: String,
        /// Its type.
        from_type: ColumnType,
        /// The type that it becomes.
        to: ColumnType,
    },
    /// A slot of a stage's edit.
    Computed(ColumnType),
    /// The same value in every row.
    Constant(Arc<Constant>),
    /// A fact about the change.
    Metadata(Metadata),
}

/// A plugin's part in a plan.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// The plugin, as an index into the chain.
    pub(crate) plugin: usize,
    /// Variables that it sets for all rows.
    pub(crate) route: Vec<(String, String)>,
    /// What is called for each batch.
    pub(crate) process: Option<Process>,
    /// Nodes to be converted after the call.
    pub(crate) casts: Vec<usize>,
}

/// A call for each batch.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Nodes that are pushed, in order.
    pub(crate) reads: Vec<usize>,
    /// Their types.
    pub(crate) types: Vec<ColumnType>,
    /// The computed columns that come back.
    pub(crate) slots: Vec<Slot>,
    /// The node of each slot.
    pub(crate) computed: Vec<usize>,
    /// Route variables that the next plugin was shown with one value for all rows: no row may get
    /// another one here. Empty where no plugin follows.
    pub(crate) shown_as_fixed: Vec<String>,
}

/// What a plugin decided about a table, for `sluice check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The plugin's table patterns leave the table out; it was not asked.
    NotAsked,
    /// It leaves the table alone.
    Passed,
    /// It changes the table.
    Applied {
        /// Columns that it reads of every row image; none = it is never called for a batch.
        reads: Option<Vec<String>>,
        /// Columns that it makes.
        computes: Vec<String>,
    },
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("not asked"),
            Self::Passed => f.write_str("passed"),
            Self::Applied { reads: None, .. } => f.write_str("planned, no call a batch"),
            Self::Applied { reads: Some(reads), computes } => {
                write!(f, "called, reads {}", or_nothing(reads))?;
                if !computes.is_empty() {
                    write!(f, ", makes {}", computes.join(", "))?;
                }
                Ok(())
            }
        }
    }
}

fn or_nothing(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// What a chain decided about one table under one schema version.
#[derive(Debug)]
pub struct TablePlan {
    pub(crate) id: u32,
    pub(crate) source: Arc<TableSchema>,
    pub(crate) schema: Arc<OutputSchema>,
    pub(crate) base_route: Arc<Route>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) output: Vec<usize>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) decisions: Vec<(Arc<str>, Decision)>,
}

impl TablePlan {
    /// The source table that it is for.
    #[must_use]
    pub fn source(&self) -> &Arc<TableSchema> {
        &self.source
    }

    /// The output columns and what identifies a row.
    #[must_use]
    pub fn schema(&self) -> &Arc<OutputSchema> {
        &self.schema
    }

    /// The route of every row that no plugin routes by itself.
    #[must_use]
    pub fn base_route(&self) -> &Route {
        &self.base_route
    }

    /// What each plugin decided, in order.
    #[must_use]
    pub fn decisions(&self) -> &[(Arc<str>, Decision)] {
        &self.decisions
    }

    /// Whether any plugin is called for a batch.
    #[must_use]
    pub fn calls_plugins(&self) -> bool {
        self.stages.iter().any(|s| s.process.is_some())
    }

    /// Where each output column comes from, in words: `input id`, `computed`, `constant`.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        self.output.iter().map(|node| self.origin(*node)).collect()
    }

    fn origin(&self, node: usize) -> String {
        match self.nodes.get(node) {
            Some(Node::Input(index)) => {
                let name = self.source.columns.get(*index).map_or("", |c| c.name.as_str());
                format!("input {name}")
            }
            Some(Node::Cast { from, to, .. }) => format!("{} as {to}", self.origin(*from)),
            Some(Node::Computed(_)) => "computed".to_owned(),
            Some(Node::Constant(_)) => "constant".to_owned(),
            Some(Node::Metadata(metadata)) => format!("metadata {}", metadata.name()),
            None => String::new(),
        }
    }
}
