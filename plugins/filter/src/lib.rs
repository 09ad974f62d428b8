//! Keeps the rows that an expression accepts.
//!
//! The text is parsed once an instance, resolved once a table and then run column by column. It must
//! never compare through floats what is exact, and never take an unknown (NULL) for true.

mod compile;
mod expression;
mod lexer;
mod like;
mod mistake;
mod parser;
mod truth;

use serde::Deserialize;
use sluice_guest::{
    Attachment, Batch, ConfigError, Decision, Edit, Failure, Limits, Plan, TableSchema, Transform,
};

use crate::expression::Expression;
use crate::truth::Test;

/// The manifest's `config` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What a row must meet to be kept.
    #[serde(rename = "where")]
    pub condition: String,
}

/// The plugin.
#[derive(Debug)]
pub struct Filter {
    text: String,
    expression: Expression,
}

/// The expression as one table's columns need it.
#[derive(Debug)]
pub struct Compiled(Test);

impl Transform for Filter {
    type Config = Config;
    type Table = Compiled;
    const NAME: &'static str = "filter";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn configure(config: Config, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        let text = config.condition;
        match parser::parse(&text) {
            Ok(expression) => Ok(Self { text, expression }),
            Err(mistake) => Err(ConfigError::at("/where", mistake.show(&text))),
        }
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<Compiled>, Failure> {
        let reads = compile::columns(&self.expression, table)?;
        let test = compile::compile(&self.expression, table, &reads)
            .map_err(|mistake| Failure::new("filter-type", mistake.show(&self.text)))?;
        Ok(Plan::of(table).reads(&reads).build()?.with(Compiled(test)))
    }

    fn process(&self, Compiled(test): &Compiled, batch: &Batch<'_>) -> Result<Edit, Failure> {
        Ok(Edit::keep(test.run(batch)?.yes))
    }
}

sluice_guest::export_transform!(Filter);

#[cfg(test)]
mod tests;
