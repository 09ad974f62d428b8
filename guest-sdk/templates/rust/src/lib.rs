//! Keeps the rows whose column has one value.

use serde::Deserialize;
use sluice_guest::{Attachment, Batch, ConfigError, Decision, Edit, Failure, Limits, Plan, TableSchema, Transform};

/// The manifest's [plugin.config].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepWhere {
    column: String,
    value: String,
}

impl Transform for KeepWhere {
    type Config = Self;
    type Table = ();
    const NAME: &'static str = "@NAME@";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Self, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        Ok(config)
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<()>, Failure> {
        Ok(Plan::of(table).reads([&self.column]).build()?.with(()))
    }

    fn process(&self, (): &(), batch: &Batch<'_>) -> Result<Edit, Failure> {
        let column = batch.column(0)?.bytes()?;
        Ok(Edit::keep(column.matching(|value| value == self.value.as_bytes())))
    }
}

sluice_guest::export_transform!(KeepWhere);

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_guest::{DataType, testing::{Harness, json, table}};

    #[test]
    fn only_rows_with_the_value_are_kept() {
        let orders = table("shop", "orders").column("id", DataType::Int64).column("region", DataType::Utf8);
        let config = json!({ "column": "region", "value": "eu" });
        let plugin = Harness::<KeepWhere>::configured(&config).expect("a configuration");
        let out = plugin.run(&orders, &json!([[1, "eu"], [2, "us"], [3, null]])).expect("rows");
        assert_eq!(out.kept_rows(), [0]);
    }
}
