//! Hashes columns that name people and drops rows that nobody downstream may have. It must never let a
//! value through that its configuration names, and never make two different keys equal.

use std::collections::BTreeSet;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use sluice_guest::{
    Attachment, Batch, ConfigError, DataType, Decision, Edit, Failure, Limits, Plan, TableSchema,
    TextBuilder, Transform, hex,
};

/// The manifest's `config` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The columns whose values are replaced by SHA-256(salt, 0, value) in hexadecimal digits.
    #[serde(default)]
    pub mask: Vec<String>,
    /// Goes into every hash.
    #[serde(default)]
    pub salt: String,
    /// The rows that do not reach the target.
    pub drop: Option<Drop>,
}

/// Which rows are dropped.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    /// The column that is looked at.
    pub column: String,
    /// The values whose rows are dropped.
    pub values: BTreeSet<String>,
}

/// The plugin.
#[derive(Debug)]
pub struct PiiMaskAndFilter(Config);

impl Transform for PiiMaskAndFilter {
    type Config = Config;
    /// The place of the column that decides about a row, among those that are read.
    type Table = Option<usize>;
    const NAME: &'static str = "pii-mask-and-filter";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn configure(config: Config, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        if config.mask.is_empty() && config.drop.is_none() {
            error.push("", "nothing to do: give `mask` or `drop`");
        }
        if !config.mask.is_empty() && config.salt.is_empty() {
            error.push("/salt", "a hash without a salt is found out by trying: give a secret text");
        }
        error.unless_empty(Self(config))
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<Option<usize>>, Failure> {
        let Self(config) = self;
        let mut plan = Plan::of(table);
        let mut reads: Vec<&str> = Vec::new();
        for name in &config.mask {
            let (_, field) = table.field(name)?;
            if field.data_type != DataType::Utf8 {
                let detail = format!("`{name}` is {}, only utf8 can be masked", field.data_type);
                return Err(Failure::new("mask-type", detail));
            }
            plan = plan.replace(name, DataType::Utf8, field.nullable);
            reads.push(name);
        }
        let mut drop_at = None;
        if let Some(Drop { column, .. }) = &config.drop {
            let (_, field) = table.field(column)?;
            if field.data_type != DataType::Utf8 {
                let detail =
                    format!("`{column}` is {}, only utf8 can be compared", field.data_type);
                return Err(Failure::new("drop-type", detail));
            }
            let known = reads.iter().position(|name| name == column);
            drop_at = Some(known.unwrap_or(reads.len()));
            if known.is_none() {
                reads.push(column);
            }
        }
        // A hashed key stays a key, but the plan has to say so.
        let ids = table.id_columns.iter().filter_map(|at| table.fields.get(*at as usize));
        let ids: Vec<&str> = ids.map(|field| field.name.as_str()).collect();
        let plan = plan.reads(reads);
        let plan = if ids.is_empty() { plan } else { plan.id_columns(ids) };
        Ok(plan.build()?.with(drop_at))
    }

    fn process(&self, drop_at: &Option<usize>, batch: &Batch<'_>) -> Result<Edit, Failure> {
        let Self(config) = self;
        let mut edit = Edit::new();
        if let (Some(at), Some(Drop { values, .. })) = (*drop_at, &config.drop) {
            let is_dropped =
                |value: &[u8]| std::str::from_utf8(value).is_ok_and(|value| values.contains(value));
            edit = Edit::keep(!batch.column(at)?.bytes()?.matching(is_dropped));
        }
        for column in batch.columns().iter().take(config.mask.len()) {
            let mut masked = TextBuilder::utf8(batch.rows());
            for value in column.bytes()?.iter() {
                masked.push_option(value.map(|value| self.hash(value)).as_deref());
            }
            edit = edit.with_column(masked.finish());
        }
        Ok(edit)
    }
}

impl PiiMaskAndFilter {
    fn hash(&self, value: &[u8]) -> String {
        let hasher = Sha256::new().chain_update(self.0.salt.as_bytes()).chain_update([0]);
        hex(&hasher.chain_update(value).finalize())
    }
}

sluice_guest::export_transform!(PiiMaskAndFilter);

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_guest::testing::{Harness, json, table};

    #[test]
    fn named_columns_are_hashed_and_named_rows_dropped() {
        let people = table("shop", "people")
            .column("email", DataType::Utf8)
            .column("country", DataType::Utf8);
        let config = json!({
            "mask": ["email"], "salt": "s", "drop": { "column": "country", "values": ["SE"] }
        });
        let plugin = Harness::<PiiMaskAndFilter>::configured(&config).expect("a configuration");
        let rows = json!([["a@x.io", "DE"], [null, null], ["b@x.io", "SE"]]);
        let out = plugin.run(&people, &rows).expect("rows");
        let hash = "016c0c48626fbad9e4682cc4e2ffc63c621728693208d8adb17ff0705590c36b";
        let kept = json!([{ "email": hash, "country": "DE" }, { "email": null, "country": null }]);
        assert_eq!(out.kept(), kept);
    }

    #[test]
    fn a_hash_without_a_salt_is_refused() {
        let config = json!({ "mask": ["email"] });
        let error = Harness::<PiiMaskAndFilter>::configured(&config).expect_err("no salt");
        assert!(error.to_string().starts_with("/salt: "), "{error}");
    }
}
