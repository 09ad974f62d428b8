//! Which plugins decided what about a target: whoever reads a difference wants to know where to look. Nothing here is
//! compared.

use std::collections::BTreeMap;

use plugin::{Decision, TablePlan};

/// The plugins that had a part in a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deciders {
    /// The plugin that makes a column; where several do, the last.
    columns: BTreeMap<String, String>,
    /// The plugins that see its rows, and so may have dropped one.
    called: Vec<String>,
}

impl Deciders {
    /// Takes note of what the plugins do with a table whose rows reach the target.
    pub fn add(&mut self, plan: &TablePlan) {
        for (plugin, decision) in plan.decisions() {
            let Decision::Applied { reads, computes } = decision else { continue };
            let made = computes.iter().map(|column| (column.clone(), plugin.to_string()));
            self.columns.extend(made);
            if reads.is_some() && !self.called.iter().any(|known| **known == **plugin) {
                self.called.push(plugin.to_string());
            }
        }
    }

    /// Who made a column; none: its values came through as they were.
    #[must_use]
    pub fn of_column(&self, column: &str) -> Option<String> {
        self.columns.get(column).cloned()
    }

    /// Who decided whether a row stays; none: no plugin saw it.
    #[must_use]
    pub fn of_rows(&self) -> Option<String> {
        (!self.called.is_empty()).then(|| self.called.join(", "))
    }
}
