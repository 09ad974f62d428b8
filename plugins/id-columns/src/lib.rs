//! Chooses the columns that identify a row in the target, by table pattern.
//!
//! It must never make two different keys equal: computed keys are built from length-prefixed parts.

mod key;
mod pattern;

use serde::Deserialize;
use sluice_guest::{
    Attachment, Batch, ConfigError, DataType, Decision, Edit, Failure, Limits, Plan, TableSchema,
    Transform,
};

use crate::key::KeyColumn;
use crate::pattern::TablePattern;

/// The manifest's `config` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// For every table that no entry of `tables` matches.
    pub columns: Option<Vec<String>>,
    /// `primary`, or `unique:` and the key's name.
    pub from: Option<String>,
    /// A key column made of others.
    pub computed: Option<Computed>,
    /// The first that matches a table holds for it.
    #[serde(default)]
    pub tables: Vec<Rule>,
}

/// The choice for the tables that a pattern matches.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `db.table` with `*` for any text, by the names at the source.
    #[serde(rename = "match")]
    pub pattern: String,
    /// The id columns.
    pub columns: Option<Vec<String>>,
    /// `primary`, or `unique:` and the key's name.
    pub from: Option<String>,
    /// A key column made of others.
    pub computed: Option<Computed>,
}

/// A key column that is a function of others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Computed {
    /// Its name in the target.
    pub name: String,
    /// What it is made of, in this order.
    pub columns: Vec<String>,
    /// How it is made.
    pub how: How,
}

/// How a key column is made of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// SHA-256 of what `concat` would give, in hexadecimal digits.
    Sha256,
    /// The parts, each with its length before it.
    Concat,
}

/// The plugin.
#[derive(Debug)]
pub struct IdColumns {
    rules: Vec<(TablePattern, Choice)>,
    otherwise: Option<Choice>,
}

#[derive(Clone, Debug)]
struct Choice {
    columns: Vec<String>,
    from: Option<Key>,
    computed: Option<Computed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Primary,
    Unique(String),
}

impl Transform for IdColumns {
    type Config = Config;
    type Table = Option<KeyColumn>;
    const NAME: &'static str = "id-columns";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn configure(config: Config, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        let mut rules = Vec::new();
        for (at, rule) in config.tables.into_iter().enumerate() {
            let path = format!("/tables/{at}");
            let Some(pattern) = TablePattern::parse(&rule.pattern) else {
                let message = "write `database.table`, with `*` for any text";
                error.push(format!("{path}/match"), message);
                continue;
            };
            let choice = choice(&path, rule.columns, rule.from, rule.computed, &mut error);
            match choice {
                Some(choice) => rules.push((pattern, choice)),
                None => error.push(path, "say what identifies a row: columns, from or computed"),
            }
        }
        let otherwise = choice("", config.columns, config.from, config.computed, &mut error);
        if rules.is_empty() && otherwise.is_none() && error.problems.is_empty() {
            error.push("", "say what identifies a row: columns, from, computed or tables");
        }
        error.unless_empty(Self { rules, otherwise })
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<Option<KeyColumn>>, Failure> {
        let matching =
            |(pattern, _): &&(TablePattern, Choice)| pattern.matches(&table.database, &table.table);
        let rule = self.rules.iter().find(matching).map(|(_, choice)| choice);
        let Some(choice) = rule.or(self.otherwise.as_ref()) else { return Ok(Decision::Pass) };
        let mut names = choice.columns.clone();
        if let Some(key) = &choice.from {
            names.extend(key.columns(table)?);
        }
        let mut plan = Plan::of(table);
        let mut made = None;
        if let Some(computed) = &choice.computed {
            names.push(computed.name.clone());
            plan = plan.computed(&computed.name, DataType::Utf8, false).reads(&computed.columns);
            made = Some(KeyColumn::of(computed, table)?);
        }
        Ok(plan.id_columns(names).build()?.with(made))
    }

    fn process(&self, made: &Option<KeyColumn>, batch: &Batch<'_>) -> Result<Edit, Failure> {
        match made {
            Some(key) => key.run(batch),
            None => Ok(Edit::new()),
        }
    }
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "primary" => Some(Self::Primary),
            Some(("unique", name)) if !name.is_empty() => Some(Self::Unique(name.to_owned())),
            _ => None,
        }
    }

    /// The key's columns by name.
    fn columns(&self, table: &TableSchema) -> Result<Vec<String>, Failure> {
        let refuse = |what: String| {
            let detail = format!("table {}.{} {what}", table.database, table.table);
            Err(Failure::new("unknown-key", detail))
        };
        let unknown = "has keys that are not known here: its log has no full metadata, or a plugin before this one dropped a part";
        let fields = match self {
            Self::Primary => match &table.primary_key {
                Some(key) if !key.is_empty() => key,
                Some(_) => return refuse("has no primary key".to_owned()),
                None => return refuse(unknown.to_owned()),
            },
            Self::Unique(name) => {
                let Some(keys) = &table.unique_keys else { return refuse(unknown.to_owned()) };
                let Some(key) = keys.iter().find(|key| key.name == *name) else {
                    let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    return refuse(format!(
                        "has no unique key `{name}` without nullable or partial columns (it has: {known})"
                    ));
                };
                &key.fields
            }
        };
        let names = fields.iter().filter_map(|at| table.fields.get(*at as usize));
        Ok(names.map(|field| field.name.clone()).collect())
    }
}

/// None where nothing is chosen.
fn choice(
    path: &str,
    columns: Option<Vec<String>>,
    from: Option<String>,
    computed: Option<Computed>,
    error: &mut ConfigError,
) -> Option<Choice> {
    let is_given = columns.is_some() || from.is_some() || computed.is_some();
    if columns.is_some() && from.is_some() {
        error.push(format!("{path}/from"), "`columns` and `from` exclude each other");
    }
    if columns.as_ref().is_some_and(Vec::is_empty) {
        error.push(format!("{path}/columns"), "name at least one column");
    }
    let key = from.as_deref().and_then(Key::parse);
    if from.is_some() && key.is_none() {
        let message = "write `primary`, or `unique:` and the name of a unique key";
        error.push(format!("{path}/from"), message);
    }
    if computed.as_ref().is_some_and(|computed| computed.columns.is_empty()) {
        error.push(format!("{path}/computed/columns"), "name at least one column");
    }
    let columns = columns.unwrap_or_default();
    is_given.then_some(Choice { columns, from: key, computed })
}

sluice_guest::export_transform!(IdColumns);

#[cfg(test)]
mod tests;
