//! A plugin's unit tests without a host: tables and rows from literals, plan and process run, the
//! outcome read back.
//!
//! Rows are JSON arrays in the table's column order. Dates, times, timestamps and decimals are
//! their text forms, bytes are hexadecimal digits, json columns are JSON text. Every run is done
//! three times, over the whole batch, row by row and in a fresh instance, and must give the same
//! answer each time, as the host's replays demand.

mod literal;

use crate::column::{Column, ColumnBuffers};
use crate::edit::Edit;
use crate::failure::{ConfigError, Failure};
use crate::instance::Instance;
use crate::log::Level;
use crate::plan::{ColumnSource, Decision, OutputColumn, Plan};
use crate::schema::{DataType, Field, TableSchema, UniqueKey};
use crate::{Attachment, Limits, Transform};

pub use self::literal::rows;
pub use serde_json::{Value as Json, json};

/// A table without columns yet.
#[must_use]
pub fn table(database: &str, name: &str) -> TableSchema {
    let variable = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    TableSchema {
        database: database.to_owned(),
        table: name.to_owned(),
        primary_key: Some(Vec::new()),
        unique_keys: Some(Vec::new()),
        route: vec![variable("db", database), variable("table", name)],
        ..TableSchema::default()
    }
}

/// The lines that plugins of this thread logged since the last call.
#[must_use]
pub fn take_log() -> Vec<(Level, String)> {
    crate::log::sink::take()
}

impl TableSchema {
    /// One more nullable column.
    #[must_use]
    pub fn column(mut self, name: &str, data_type: DataType) -> Self {
        self.fields.push(Field {
            name: name.to_owned(),
            data_type,
            nullable: true,
            source_type: None,
            properties: Vec::new(),
        });
        self
    }

    /// The primary key, which becomes the id columns too; its columns cannot be null. Columns that
    /// the table has not are left out.
    #[must_use]
    pub fn primary_key<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let key = self.key(names);
        self.id_columns.clone_from(&key);
        self.primary_key = Some(key);
        self
    }

    /// One more unique key; its columns cannot be null.
    #[must_use]
    pub fn unique_key<'n>(
        mut self,
        name: &str,
        columns: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let fields = self.key(columns);
        let key = UniqueKey { name: name.to_owned(), fields };
        self.unique_keys.get_or_insert_default().push(key);
        self
    }

    fn key<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Vec<u32> {
        let mut key = Vec::new();
        for name in names {
            let found = (0_u32..).zip(&mut self.fields).find(|(_, field)| field.name == name);
            if let Some((at, field)) = found {
                field.nullable = false;
                key.push(at);
            }
        }
        key
    }
}

/// A configured plugin.
#[derive(Debug)]
pub struct Harness<P: Transform> {
    config: String,
    attachments: Vec<Attachment>,
    plugin: std::marker::PhantomData<P>,
}

impl<P: Transform> Harness<P> {
    /// A plugin with this configuration and no files.
    ///
    /// # Errors
    /// The mistakes that the plugin finds in it.
    pub fn configured(config: &Json) -> Result<Self, ConfigError> {
        Self::with_files(config, Vec::new())
    }

    /// The same with files.
    ///
    /// # Errors
    /// The mistakes that the plugin finds in them.
    pub fn with_files(config: &Json, attachments: Vec<Attachment>) -> Result<Self, ConfigError> {
        let plugin = std::marker::PhantomData;
        let harness = Self { config: config.to_string(), attachments, plugin };
        harness.instance()?;
        Ok(harness)
    }

    /// What the plugin decides for a table.
    ///
    /// # Errors
    /// The plugin's own.
    pub fn plan(&self, table: &TableSchema) -> Result<Decision<()>, Failure> {
        self.fresh()?.plan(0, table)
    }

    /// Plans and processes rows.
    ///
    /// # Errors
    /// The plugin's own; `literal` where a value does not fit its column; `impure` where the answer
    /// for a row depends on its batch or on the instance.
    pub fn run(&self, table: &TableSchema, literals: &Json) -> Result<Outcome, Failure> {
        let whole = self.run_once(table, literals)?;
        if self.run_once(table, literals)? != whole {
            return Err(Failure::new("impure", "a fresh instance answers otherwise"));
        }
        let alone = literals.as_array().into_iter().flatten();
        let alone: Result<Vec<Outcome>, Failure> =
            alone.map(|row| self.run_once(table, &Json::Array(vec![row.clone()]))).collect();
        let alone: Vec<Row> = alone?.into_iter().flat_map(|outcome| outcome.rows).collect();
        match whole.rows.iter().zip(&alone).position(|(a, b)| a != b) {
            Some(row) => {
                Err(Failure::new("impure", format!("row {row} alone is answered otherwise")))
            }
            None => Ok(whole),
        }
    }

    fn run_once(&self, table: &TableSchema, literals: &Json) -> Result<Outcome, Failure> {
        let buffers = rows(table, literals)?;
        let count = literals.as_array().map_or(0, Vec::len);
        let mut instance = self.fresh()?;
        let plan = match instance.plan(0, table)? {
            Decision::Exclude => return Ok(Outcome { decision: Decision::Exclude, rows: vec![] }),
            Decision::Pass => Plan::default(),
            Decision::Apply(plan, ()) => plan,
        };
        let edit = match &plan.reads {
            Some(reads) => {
                let read = |at: &u32| buffers.get(*at as usize).cloned().unwrap_or_default();
                let columns: Vec<ColumnBuffers> = reads.iter().map(read).collect();
                instance.process(0, count, &columns)?
            }
            None => Edit::default(),
        };
        let rows = (0..count).map(|row| answer(table, &plan, &edit, &buffers, row)).collect();
        Ok(Outcome { decision: Decision::Apply(plan, ()), rows })
    }

    fn instance(&self) -> Result<Instance<P>, ConfigError> {
        let limits =
            Limits { memory_bytes: 64 << 20, rows_max: 65_536, output_bytes_max: 64 << 20 };
        let mut instance = Instance::default();
        instance.configure(&self.config, &self.attachments, limits)?;
        Ok(instance)
    }

    fn fresh(&self) -> Result<Instance<P>, Failure> {
        self.instance().map_err(|error| Failure::new("impure", error.to_string()))
    }
}

/// What became of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The plugin's decision; a passed table counts as a plan that changes nothing.
    pub decision: Decision<()>,
    /// One for each row that went in.
    pub rows: Vec<Row>,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Whether it reaches the target.
    pub kept: bool,
    /// The output columns; those that the host makes are told as `<cast>` and `<op>`.
    pub values: Json,
    /// The route variables that the plugin set for it.
    pub route: Vec<(String, String)>,
    /// Why it cannot be transformed.
    pub rejected: Option<Failure>,
}

impl Outcome {
    /// The rows that reach the target, as a JSON array of objects.
    #[must_use]
    pub fn kept(&self) -> Json {
        let kept = self.rows.iter().filter(|row| row.kept);
        Json::Array(kept.map(|row| row.values.clone()).collect())
    }

    /// The places of the rows that reach the target.
    #[must_use]
    pub fn kept_rows(&self) -> Vec<usize> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.kept).map(|(at, _)| at).collect()
    }
}

fn answer(
    table: &TableSchema,
    plan: &Plan,
    edit: &Edit,
    buffers: &[ColumnBuffers],
    row: usize,
) -> Row {
    let place = u32::try_from(row).unwrap_or(u32::MAX);
    let rejected = edit.rejected.get(&place).cloned();
    let kept = rejected.is_none() && edit.keep.as_ref().is_none_or(|keep| keep.get(row));
    let input = |at: u32| {
        let field = table.fields.get(at as usize)?;
        let buffers = buffers.get(at as usize)?;
        Some(literal::json_of(buffers, field.data_type, row))
    };
    let value = |column: &OutputColumn| match &column.source {
        ColumnSource::Input(at) => input(*at),
        ColumnSource::Cast { to, .. } => Some(Json::String(format!("<cast to {to}>"))),
        ColumnSource::Computed { slot, .. } => {
            let column = edit.computed.get(*slot as usize)?;
            Some(literal::json_of(&column.buffers, column.data_type, row))
        }
        ColumnSource::Constant { text, .. } => text.clone().map(Json::String),
        ColumnSource::Metadata(fact) => Some(Json::String(format!("<{fact}>"))),
    };
    let identity: Vec<OutputColumn> = (0..)
        .zip(&table.fields)
        .map(|(at, f)| OutputColumn { name: f.name.clone(), source: ColumnSource::Input(at) })
        .collect();
    let columns = plan.output.as_ref().unwrap_or(&identity);
    let values = columns.iter().map(|c| (c.name.clone(), value(c).unwrap_or(Json::Null)));
    let mut route = plan.route.clone();
    if let Some(routes) = &edit.routes {
        let own = routes.rows.get(row).and_then(|at| routes.routes.get(*at as usize));
        for (key, value) in own.into_iter().flatten() {
            route.retain(|(known, _)| known != key);
            route.push((key.clone(), value.clone()));
        }
    }
    Row { kept, values: Json::Object(values.collect()), route, rejected }
}

/// A column that checks its own lengths, for tests that look at buffers.
///
/// # Errors
/// `column-length` where they do not fit.
pub fn view(
    buffers: &ColumnBuffers,
    data_type: DataType,
    rows: usize,
) -> Result<Column<'_>, Failure> {
    Column::new(buffers, data_type, rows)
}

#[cfg(test)]
mod tests;
