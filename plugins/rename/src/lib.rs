//! Renames, drops, prefixes and reorders columns.
//!
//! Everything is decided in the plan: it must never read a row, so that it costs nothing per batch.

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_guest::{
    Attachment, ConfigError, Decision, Failure, Limits, Plan, TableSchema, Transform, config,
};

/// The manifest's `config` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Old name to new name.
    pub columns: BTreeMap<String, String>,
    /// Columns to leave out.
    pub drop: Vec<String>,
    /// The only columns to let through, where given.
    pub keep_only: Option<Vec<String>>,
    /// Columns that come first, by either name; the others follow as they were.
    pub order: Vec<String>,
    /// Put before the name of every column that `columns` does not name.
    pub prefix: String,
    /// Whether a column that a table lacks is passed over instead of stopping the pipeline.
    pub if_exists: bool,
}

/// The plugin.
#[derive(Clone, Debug)]
pub struct Rename {
    config: Config,
}

impl Transform for Rename {
    type Config = Config;
    type Table = ();
    const NAME: &'static str = "rename";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn configure(config: Config, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        if config.keep_only.is_some() && !config.drop.is_empty() {
            error.push("/drop", "`drop` and `keep-only` exclude each other: give one of them");
        }
        for (old, new) in &config.columns {
            if new.is_empty() {
                error.push(format!("/columns{}", config::segment(old)), "a name cannot be empty");
            }
        }
        for (at, name) in config.drop.iter().enumerate() {
            if config.columns.contains_key(name) {
                error.push(format!("/drop/{at}"), format!("`{name}` is renamed and dropped"));
            }
        }
        error.unless_empty(Self { config })
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<()>, Failure> {
        let there = |name: &&String| !(self.config.if_exists && table.lacks(name));
        let mut plan = Plan::of(table);
        if let Some(kept) = &self.config.keep_only {
            plan = plan.keep_only(kept.iter().filter(there));
        }
        for name in self.config.drop.iter().filter(there) {
            plan = plan.drop(name);
        }
        for (old, new) in self.config.columns.iter().filter(|(old, _)| there(old)) {
            plan = plan.rename(old, new);
        }
        for field in table.fields.iter().filter(|field| self.is_prefixed(&field.name)) {
            plan = plan.rename(&field.name, &self.output_name(&field.name));
        }
        let order = self.config.order.iter().filter(|name| self.is_ordered(table, name));
        let plan = plan.order(order.map(|name| self.ordered_name(table, name))).build()?;
        Ok(plan.with(()))
    }
}

impl Rename {
    fn is_prefixed(&self, name: &str) -> bool {
        !self.config.prefix.is_empty()
            && !self.config.columns.contains_key(name)
            && self.passes(name)
    }

    /// Whether an input column reaches the output.
    fn passes(&self, name: &str) -> bool {
        let kept = |names: &Vec<String>| names.iter().any(|kept| kept == name);
        self.config.keep_only.as_ref().is_none_or(kept) && !kept(&self.config.drop)
    }

    fn output_name(&self, name: &str) -> String {
        match self.config.columns.get(name) {
            Some(new) => new.clone(),
            None => format!("{}{name}", self.config.prefix),
        }
    }

    /// Under `if-exists` a name that no output column has is passed over.
    fn is_ordered(&self, table: &TableSchema, name: &str) -> bool {
        let leaves_as = |field: &sluice_guest::Field| {
            self.passes(&field.name)
                && (field.name == name || self.output_name(&field.name) == name)
        };
        !self.config.if_exists || table.fields.iter().any(leaves_as)
    }

    /// `order` may name a column as it goes out or as it came in; the name that goes out wins.
    fn ordered_name(&self, table: &TableSchema, name: &str) -> String {
        let outputs = table.fields.iter().filter(|field| self.passes(&field.name));
        let mut outputs = outputs.map(|field| self.output_name(&field.name));
        if outputs.any(|output| output == name) || table.find(name).is_none() {
            return name.to_owned();
        }
        self.output_name(name)
    }
}

sluice_guest::export_transform!(Rename);

#[cfg(test)]
mod tests;
