//! Keeps the rows of region `eu` with an amount above 150: the same predicate that the benchmark has as a native
//! closure.

use serde::Deserialize;
use sluice_guest::{
    Attachment, Batch, ConfigError, Decision, Edit, Failure, Limits, Plan, TableSchema, Transform,
};

/// Takes no options.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The plugin.
#[derive(Debug)]
pub struct Predicate;

impl Transform for Predicate {
    type Config = Config;
    type Table = ();
    const NAME: &'static str = "predicate";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(_: Config, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<()>, Failure> {
        Ok(Plan::of(table).reads(["amount", "region"]).build()?.with(()))
    }

    fn process(&self, (): &(), batch: &Batch<'_>) -> Result<Edit, Failure> {
        let large = batch.column(0)?.values::<i64>()?.matching(|amount| amount > 150);
        let near = batch.column(1)?.bytes()?.matching(|region| region == b"eu");
        Ok(Edit::keep(large.and(&near)))
    }
}

sluice_guest::export_transform!(Predicate);
