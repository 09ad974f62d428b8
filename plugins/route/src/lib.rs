//! Sets route variables, the placeholders of the target path, from names and column values.
//!
//! It must never let a value through that is not one path segment: it is replaced or its row is
//! rejected, as configured.

mod pattern;
mod segment;
mod template;

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_guest::{
    Attachment, Batch, ConfigError, DataType, Decision, Edit, Failure, Field, Limits, Plan,
    RowRoutes, TableSchema, Transform, Value, config,
};

use crate::pattern::NamePattern;
use crate::template::{Piece, Template};

/// The manifest's `config` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Variable to template.
    pub set: BTreeMap<String, String>,
    /// Patterns that take the source's names apart.
    #[serde(rename = "match", default)]
    pub names: Names,
    /// What is done with a table that the patterns do not match.
    #[serde(default)]
    pub unmatched: Unmatched,
    /// Stands for NULL; without it a row with NULL is rejected.
    pub null: Option<String>,
    /// What is done with a value that is not one path segment.
    #[serde(rename = "unsafe", default)]
    pub unsafe_value: Unsafe,
}

/// Patterns such as `shop_{shard}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// For the database's name at the source.
    pub db: Option<String>,
    /// For the table's name at the source.
    pub table: Option<String>,
}

/// What is done with a table that the patterns do not match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmatched {
    /// The pipeline stops at it.
    #[default]
    Stop,
    /// It is left alone.
    Pass,
}

/// What is done with a value that is not one path segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsafe {
    /// Its row is rejected with the code `route-value`.
    #[default]
    Reject,
    /// Each character that cannot stand becomes `_`.
    Replace,
}

/// The plugin.
#[derive(Clone, Debug)]
pub struct Route {
    set: Vec<(String, Template)>,
    names: Vec<(Name, NamePattern)>,
    unmatched: Unmatched,
    null: Option<String>,
    unsafe_value: Unsafe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Database,
    Table,
}

/// The variables of a table that differ from row to row.
#[derive(Clone, Debug)]
pub struct PerRow {
    /// Columns are places in what `process` reads.
    variables: Vec<(String, Vec<Piece<usize>>)>,
    reads: Vec<String>,
}

/// The texts of a row's columns; none = NULL.
type Texts = Vec<Option<String>>;

impl Transform for Route {
    type Config = Config;
    type Table = PerRow;
    const NAME: &'static str = "route";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn configure(config: Config, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        let mut set = Vec::new();
        for (variable, text) in config.set {
            match Template::parse(&text) {
                Ok(template) => set.push((variable, template)),
                Err(message) => {
                    error.push(format!("/set{}", config::segment(&variable)), message);
                }
            }
        }
        if set.is_empty() && error.problems.is_empty() {
            error.push("/set", "set at least one variable");
        }
        let mut names = Vec::new();
        let given =
            [("db", Name::Database, config.names.db), ("table", Name::Table, config.names.table)];
        for (key, name, text) in given {
            match text.as_deref().map(NamePattern::parse) {
                Some(Ok(pattern)) => names.push((name, pattern)),
                Some(Err(message)) => error.push(format!("/match/{key}"), message),
                None => {}
            }
        }
        if let Some(text) = &config.null
            && let Err(why) = segment::safe(text, Unsafe::Reject)
        {
            error.push("/null", format!("the value {why}"));
        }
        let Config { unmatched, null, unsafe_value, .. } = config;
        error.unless_empty(Self { set, names, unmatched, null, unsafe_value })
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<PerRow>, Failure> {
        let Some(captures) = self.captures(table) else { return self.unmatched(table) };
        let mut plan = Plan::of(table);
        let mut rows = PerRow { variables: Vec::new(), reads: Vec::new() };
        for (variable, template) in &self.set {
            let pieces = template
                .resolve(|name| known(name, &captures, table), |column| rows.slot(column, table))?;
            match template::constant(&pieces) {
                Some(value) => {
                    let value = segment::safe(&value, self.unsafe_value)
                        .map_err(|why| refused(variable, &value, why))?;
                    plan = plan.route(variable, &value);
                }
                None => {
                    plan = plan.row_route(variable);
                    rows.variables.push((variable.clone(), pieces));
                }
            }
        }
        if !rows.variables.is_empty() {
            plan = plan.reads(&rows.reads);
        }
        Ok(plan.build()?.with(rows))
    }

    fn process(&self, rows: &PerRow, batch: &Batch<'_>) -> Result<Edit, Failure> {
        let mut edit = Edit::new();
        let mut routes = RowRoutes::new();
        let mut known: BTreeMap<Texts, Result<u32, Failure>> = BTreeMap::new();
        let mut last: Option<(Vec<Value<'_>>, Result<u32, Failure>)> = None;
        for row in 0..batch.rows() {
            let values: Vec<Value<'_>> = batch.columns().iter().map(|c| c.value(row)).collect();
            let route = match last.take().filter(|(before, _)| *before == values) {
                Some((_, route)) => route,
                None => {
                    let texts: Texts =
                        values.iter().map(|v| v.text().map(|text| text.into_owned())).collect();
                    let found = known.get(&texts).cloned();
                    found.unwrap_or_else(|| {
                        let route = self.variables(rows, &texts).map(|set| routes.route(set));
                        known.insert(texts, route.clone());
                        route
                    })
                }
            };
            match &route {
                Ok(route) => routes.push(*route),
                Err(failure) => {
                    edit.reject(row, failure.clone());
                    let nothing = routes.route(Vec::new());
                    routes.push(nothing);
                }
            }
            last = Some((values, route));
        }
        Ok(edit.with_routes(routes))
    }
}

impl Route {
    /// What the patterns take from the source's names; none where one does not match.
    fn captures(&self, table: &TableSchema) -> Option<BTreeMap<String, String>> {
        let mut captures = BTreeMap::new();
        for (name, pattern) in &self.names {
            let text = match name {
                Name::Database => &table.database,
                Name::Table => &table.table,
            };
            captures.extend(pattern.captures(text)?);
        }
        Some(captures)
    }

    fn unmatched(&self, table: &TableSchema) -> Result<Decision<PerRow>, Failure> {
        match self.unmatched {
            Unmatched::Pass => Ok(Decision::Pass),
            Unmatched::Stop => {
                let name = format!("{}.{}", table.database, table.table);
                let detail = format!(
                    "table {name} does not fit `match`: set `unmatched = \"pass\"`, or name other tables"
                );
                Err(Failure::new("route-pattern", detail))
            }
        }
    }

    fn variables(&self, rows: &PerRow, texts: &Texts) -> Result<Vec<(String, String)>, Failure> {
        let mut variables = Vec::with_capacity(rows.variables.len());
        for (variable, pieces) in &rows.variables {
            let mut value = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(text) => value.push_str(text),
                    Piece::Column(slot) => {
                        let text = texts.get(*slot).and_then(Option::as_ref);
                        let text = text.or(self.null.as_ref()).ok_or_else(|| {
                            let column = rows.reads.get(*slot).map_or("", String::as_str);
                            let detail =
                                format!("`{column}`, which `{variable}` is made of, is NULL");
                            Failure::new("route-null", detail)
                        })?;
                        value.push_str(text);
                    }
                }
            }
            let safe = segment::safe(&value, self.unsafe_value)
                .map_err(|why| refused(variable, &value, why))?;
            variables.push((variable.clone(), safe.into_owned()));
        }
        Ok(variables)
    }
}

impl PerRow {
    /// The place of a column in what `process` reads.
    fn slot(&mut self, name: &str, table: &TableSchema) -> Result<usize, Failure> {
        let (_, Field { data_type, .. }) = table.field(name)?;
        let why = match data_type {
            DataType::Float32 | DataType::Float64 => "equal floats may print differently",
            DataType::Json => "one document has many texts",
            _ => {
                let known = self.reads.iter().position(|read| read == name);
                return Ok(known.unwrap_or_else(|| {
                    self.reads.push(name.to_owned());
                    self.reads.len() - 1
                }));
            }
        };
        let detail = format!("`{name}` is {data_type} and cannot be a part of a path: {why}");
        Err(Failure::new("route-type", detail))
    }
}

fn known(
    name: &str,
    captures: &BTreeMap<String, String>,
    table: &TableSchema,
) -> Result<String, Failure> {
    let captured = captures.get(name).map(String::as_str);
    if let Some(value) = captured.or_else(|| table.variable(name)) {
        return Ok(value.to_owned());
    }
    if table.differs_by_row(name) {
        let detail = format!(
            "`{name}` differs from row to row since a plugin before this one: make the value there"
        );
        return Err(Failure::new("row-variable", detail));
    }
    let captured = captures.keys().map(String::as_str);
    let known: Vec<&str> = captured.chain(table.route.iter().map(|(k, _)| k.as_str())).collect();
    let detail = format!(
        "there is no variable `{name}` (there are: {}; a column is written {{column:{name}}})",
        known.join(", ")
    );
    Err(Failure::new("unknown-variable", detail))
}

fn refused(variable: &str, value: &str, why: &str) -> Failure {
    Failure::new("route-value", format!("the value {value:?} of `{variable}` {why}"))
}

sluice_guest::export_transform!(Route);

#[cfg(test)]
mod tests;
