//! Hashes, redacts, truncates and nulls values before they reach a table.
//!
//! It must never let a value through that a rule names, and never make two different keys equal:
//! an id column can be hashed, nothing else.

mod redact;
mod rule;

use serde::Deserialize;
use sluice_guest::{
    Attachment, Batch, ConfigError, DataType, Decision, Edit, Failure, Limits, Plan, TableSchema,
    Transform,
};

use crate::rule::{Hasher, Work};

/// The manifest's `config` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What is done to which column.
    pub columns: Vec<Rule>,
    /// Goes into every hash.
    #[serde(default)]
    pub salt: String,
    /// Whether a column that a table lacks is passed over instead of stopping the pipeline.
    #[serde(default)]
    pub if_exists: bool,
}

/// What is done to one column.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The column.
    pub name: String,
    /// What is done.
    pub how: How,
    /// For `redact`: the text that takes the value's place.
    #[serde(rename = "with")]
    pub replacement: Option<String>,
    /// For `truncate`: how many characters stay.
    pub length: Option<usize>,
}

/// What is done to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// SHA-256 of salt, a zero byte and the value, in hexadecimal digits.
    Hash,
    /// The same constant in every row.
    Redact,
    /// The first characters.
    Truncate,
    /// NULL in every row.
    Null,
}

/// The plugin.
#[derive(Debug)]
pub struct Mask {
    config: Config,
    hasher: Hasher,
}

/// What `process` does to the columns that it reads, in their order.
#[derive(Debug)]
pub struct Steps(Vec<Work>);

impl Transform for Mask {
    type Config = Config;
    type Table = Steps;
    const NAME: &'static str = "mask";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn configure(config: Config, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        for (at, rule) in config.columns.iter().enumerate() {
            check(rule, at, &mut error);
            if config.columns.iter().take(at).any(|earlier| earlier.name == rule.name) {
                let message = format!("`{}` has a rule already", rule.name);
                error.push(format!("/columns/{at}/name"), message);
            }
        }
        if config.columns.is_empty() {
            error.push("/columns", "name at least one column");
        }
        if config.salt.is_empty() && config.columns.iter().any(|rule| rule.how == How::Hash) {
            error.push("/salt", "a hash without a salt is found out by trying: give a secret text");
        }
        let hasher = Hasher::salted(&config.salt);
        error.unless_empty(Self { config, hasher })
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<Steps>, Failure> {
        let mut plan = Plan::of(table);
        let mut steps = Vec::new();
        let mut is_key_hashed = false;
        for rule in &self.config.columns {
            if self.config.if_exists && table.lacks(&rule.name) {
                continue;
            }
            let (at, field) = table.field(&rule.name)?;
            let is_key = table.id_columns.contains(&at);
            if is_key && rule.how != How::Hash {
                let detail = format!(
                    "`{}` is an id column of {}.{}: only `hash` keeps its values apart",
                    rule.name, table.database, table.table
                );
                return Err(Failure::new("mask-key", detail));
            }
            is_key_hashed |= is_key;
            match rule.how {
                How::Null => plan = plan.replace_constant(&rule.name, field.data_type, None),
                How::Redact => {
                    let text = redact::constant(field, rule.replacement.as_deref())?;
                    plan = plan.replace_constant(&rule.name, field.data_type, Some(&text));
                }
                How::Hash | How::Truncate => {
                    steps.push(Work::of(rule, field)?);
                    plan = plan
                        .replace(&rule.name, DataType::Utf8, field.nullable)
                        .reads([&rule.name]);
                }
            }
        }
        if is_key_hashed {
            let keys = table.id_columns.iter().filter_map(|at| table.fields.get(*at as usize));
            plan = plan.id_columns(keys.map(|field| field.name.clone()));
        }
        Ok(plan.build()?.with(Steps(steps)))
    }

    fn process(&self, Steps(steps): &Steps, batch: &Batch<'_>) -> Result<Edit, Failure> {
        let mut edit = Edit::new();
        for (column, step) in batch.columns().iter().zip(steps) {
            edit = edit.with_column(step.run(column, &self.hasher)?);
        }
        Ok(edit)
    }
}

fn check(rule: &Rule, at: usize, error: &mut ConfigError) {
    let here = |key: &str| format!("/columns/{at}/{key}");
    match (rule.how, rule.length) {
        (How::Truncate, None) => error.push(here("length"), "`truncate` needs a `length`"),
        (How::Truncate, Some(_)) | (_, None) => {}
        (_, Some(_)) => error.push(here("length"), "`length` is for `truncate` only"),
    }
    if rule.replacement.is_some() && rule.how != How::Redact {
        error.push(here("with"), "`with` is for `redact` only");
    }
}

sluice_guest::export_transform!(Mask);

#[cfg(test)]
mod tests;
