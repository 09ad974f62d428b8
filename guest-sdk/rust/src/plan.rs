//! What a plugin decides once per table: output columns, id columns, route, and what it reads.
//!
//! A plan without reads and computed columns costs nothing a row: `process` is never called.

use crate::failure::Failure;
use crate::schema::{DataType, ROW_ROUTE_PROPERTY, TableSchema};

/// The answer to "what do you do with this table?". `T` is what the plugin keeps for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<T> {
    /// The table is not replicated; later plugins are not asked.
    Exclude,
    /// This plugin leaves the table alone.
    Pass,
    /// The table is transformed.
    Apply(Plan, T),
}

/// Where an output column comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSource {
    /// An input field, by index, unchanged.
    Input(u32),
    /// An input field, converted by the host; a value that does not fit rejects its row.
    Cast {
        /// The input field.
        field: u32,
        /// What it becomes.
        to: DataType,
    },
    /// Made by `process`.
    Computed {
        /// Its place among the edit's computed columns.
        slot: u32,
        /// Its type.
        data_type: DataType,
        /// Whether it may hold NULL.
        nullable: bool,
    },
    /// The same value in every row.
    Constant {
        /// Its type.
        data_type: DataType,
        /// Its text form; none = NULL.
        text: Option<String>,
    },
    /// A fact about the change, set by the host: "op", "commit-timestamp", "log-position", "gtid",
    /// "row-in-transaction", "server-id".
    Metadata(String),
}

/// One output column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name; differs from every other by more than case.
    pub name: String,
    /// Where it comes from.
    pub source: ColumnSource,
}

/// A plan as the host gets it; made by [`Plan::of`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub(crate) output: Option<Vec<OutputColumn>>,
    pub(crate) id_columns: Option<Vec<u32>>,
    pub(crate) route: Vec<(String, String)>,
    /// None: `process` is never called.
    pub(crate) reads: Option<Vec<u32>>,
    pub(crate) read_types: Vec<DataType>,
    pub(crate) properties: Vec<(String, String)>,
}

impl Plan {
    /// Starts from the table as it comes: all columns, same id columns, same route.
    #[must_use]
    pub fn of(table: &TableSchema) -> PlanBuilder<'_> {
        let draft = |(at, field): (u32, &crate::Field)| OutputColumn {
            name: field.name.clone(),
            source: ColumnSource::Input(at),
        };
        PlanBuilder {
            table,
            columns: (0..).zip(&table.fields).map(draft).collect(),
            order: Vec::new(),
            id_columns: None,
            slots: 0,
            plan: Self::default(),
            mistakes: Vec::new(),
        }
    }

    /// The decision to apply this plan, with what `process` needs to know of the table.
    #[must_use]
    pub fn with<T>(self, table: T) -> Decision<T> {
        Decision::Apply(self, table)
    }

    /// The output columns; none = the input unchanged.
    #[must_use]
    pub fn output(&self) -> Option<&[OutputColumn]> {
        self.output.as_deref()
    }
}

/// Builds a plan. Steps that change a column (`rename`, `drop`, `cast`, `replace`, `reads`) name it
/// as it comes IN; `order` and `id_columns` name columns as they go OUT. Mistakes are collected and
/// reported together by [`PlanBuilder::build`].
#[derive(Clone, Debug)]
pub struct PlanBuilder<'a> {
    table: &'a TableSchema,
    columns: Vec<OutputColumn>,
    order: Vec<String>,
    id_columns: Option<Vec<String>>,
    slots: u32,
    plan: Plan,
    mistakes: Vec<String>,
}

impl PlanBuilder<'_> {
    /// Gives an input column another name. Renames do not follow one another: `a` to `b` and `b` to
    /// `a` swaps the two.
    #[must_use]
    pub fn rename(mut self, from: &str, to: &str) -> Self {
        if let Some(column) = self.column(from) {
            to.clone_into(&mut column.name);
        }
        self
    }

    /// Leaves an input column out.
    #[must_use]
    pub fn drop(mut self, name: &str) -> Self {
        if let Some(at) = self.known(name) {
            self.columns.retain(|column| column.source.field() != Some(at));
        }
        self
    }

    /// Leaves out all input columns but these. Columns that the plan added stay.
    #[must_use]
    pub fn keep_only<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let kept: Vec<u32> =
            names.into_iter().filter_map(|name| self.known(name.as_ref())).collect();
        self.columns.retain(|c| c.source.field().is_none_or(|at| kept.contains(&at)));
        self
    }

    /// Output columns that come first, in this order; the others follow as they were.
    #[must_use]
    pub fn order<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.order.extend(names.into_iter().map(Into::into));
        self
    }

    /// Converts an input column; a value that does not fit rejects its row with the code `cast`.
    #[must_use]
    pub fn cast(mut self, name: &str, to: DataType) -> Self {
        if let Some(column) = self.column(name)
            && let Some(field) = column.source.field()
        {
            column.source = ColumnSource::Cast { field, to };
        }
        self
    }

    /// A new column that `process` makes. The edit gives computed columns in the order in which
    /// `computed` and `replace` were called.
    #[must_use]
    pub fn computed(mut self, name: &str, data_type: DataType, nullable: bool) -> Self {
        let source = self.slot(data_type, nullable);
        self.push(name, source)
    }

    /// Puts a column that `process` makes in the place and under the name of an input column.
    #[must_use]
    pub fn replace(mut self, name: &str, data_type: DataType, nullable: bool) -> Self {
        let source = self.slot(data_type, nullable);
        if let Some(column) = self.column(name) {
            column.source = source;
        }
        self
    }

    /// A new column with the same value in every row, in its text form; none = NULL.
    #[must_use]
    pub fn constant(self, name: &str, data_type: DataType, text: Option<&str>) -> Self {
        self.push(name, ColumnSource::Constant { data_type, text: text.map(str::to_owned) })
    }

    /// Puts a constant in the place and under the name of an input column.
    #[must_use]
    pub fn replace_constant(mut self, name: &str, data_type: DataType, text: Option<&str>) -> Self {
        if let Some(column) = self.column(name) {
            column.source = ColumnSource::Constant { data_type, text: text.map(str::to_owned) };
        }
        self
    }

    /// A new column that the host fills with a fact about the change, such as "op".
    #[must_use]
    pub fn metadata(self, fact: &str, name: &str) -> Self {
        self.push(name, ColumnSource::Metadata(fact.to_owned()))
    }

    /// The key of the target, as output columns.
    #[must_use]
    pub fn id_columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.id_columns = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sets or overwrites a placeholder of the target path for all rows.
    #[must_use]
    pub fn route(mut self, variable: &str, value: &str) -> Self {
        self.plan.route.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Says that `process` may set this placeholder row by row (with [`crate::RowRoutes`]): later
    /// plugins are then not told a value of it that would be wrong. The host refuses rows that set
    /// one that was not named here where a later plugin was told its value.
    #[must_use]
    pub fn row_route(self, variable: &str) -> Self {
        self.property(ROW_ROUTE_PROPERTY, variable)
    }

    /// The input columns that `process` gets, in this order. With it (even without a column)
    /// `process` is called for every batch.
    #[must_use]
    pub fn reads<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let fields: Vec<u32> =
            names.into_iter().filter_map(|name| self.known(name.as_ref())).collect();
        self.plan.reads.get_or_insert_default().extend(fields);
        self
    }

    /// A documented key and its value; the host refuses keys that it does not know.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.plan.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The plan.
    ///
    /// # Errors
    /// `plan`, with every mistake: columns that the table does not have (and those that it has),
    /// output names that differ by case only or not at all, id columns that were dropped.
    pub fn build(mut self) -> Result<Plan, Failure> {
        self.put_in_order();
        self.check_names();
        self.resolve_id_columns();
        if !self.mistakes.is_empty() {
            return Err(Failure::new("plan", self.mistakes.join("; ")));
        }
        let mut plan = self.plan;
        if self.slots > 0 {
            plan.reads.get_or_insert_default();
        }
        let fields = plan.reads.iter().flatten();
        let types = fields.filter_map(|at| self.table.fields.get(*at as usize));
        plan.read_types = types.map(|field| field.data_type).collect();
        let input = (0_u32..).zip(&self.table.fields);
        let same = |(column, (at, field)): (&OutputColumn, (u32, &crate::Field))| {
            column.source == ColumnSource::Input(at) && column.name == field.name
        };
        let unchanged = self.columns.len() == self.table.fields.len()
            && self.columns.iter().zip(input).all(same);
        plan.output = (!unchanged).then_some(self.columns);
        Ok(plan)
    }

    fn put_in_order(&mut self) {
        let mut first = Vec::new();
        for name in std::mem::take(&mut self.order) {
            match self.columns.iter().position(|column| column.name == name) {
                Some(at) => first.push(self.columns.remove(at)),
                None if first.iter().any(|column: &OutputColumn| column.name == name) => {
                    self.mistakes.push(format!("`{name}` stands twice in the order"));
                }
                None => self.mistakes.push(self.no_output("order", &name)),
            }
        }
        first.append(&mut self.columns);
        self.columns = first;
    }

    fn check_names(&mut self) {
        for (at, column) in self.columns.iter().enumerate() {
            let earlier = self.columns.iter().take(at);
            let folded = column.name.to_lowercase();
            if let Some(twin) = earlier.into_iter().find(|c| c.name.to_lowercase() == folded) {
                let (a, b) = (&twin.name, &column.name);
                self.mistakes.push(format!(
                    "the output has both `{a}` and `{b}`: names must differ by more than case"
                ));
            }
        }
    }

    fn resolve_id_columns(&mut self) {
        let Some(names) = self.id_columns.take() else {
            let dropped = self.table.id_columns.iter().filter(|at| {
                let carries = |c: &OutputColumn| c.source.field() == Some(**at);
                !self.columns.iter().any(carries)
            });
            let names = dropped.filter_map(|at| self.table.fields.get(*at as usize));
            let lost: Vec<String> = names.map(|field| format!(
                "the id column `{}` does not reach the output: keep it or name other id columns",
                field.name
            )).collect();
            self.mistakes.extend(lost);
            return;
        };
        let mut ids = Vec::new();
        for name in names {
            let found = (0_u32..).zip(&self.columns).find(|(_, column)| column.name == name);
            match found {
                Some((at, _)) => ids.push(at),
                None => self.mistakes.push(self.no_output("id-columns", &name)),
            }
        }
        self.plan.id_columns = Some(ids);
    }

    fn no_output(&self, step: &str, name: &str) -> String {
        let known: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        format!(
            "{step} names `{name}`, which the output of {}.{} has not (it has: {})",
            self.table.database,
            self.table.table,
            known.join(", ")
        )
    }

    fn push(mut self, name: &str, source: ColumnSource) -> Self {
        self.columns.push(OutputColumn { name: name.to_owned(), source });
        self
    }

    fn slot(&mut self, data_type: DataType, nullable: bool) -> ColumnSource {
        let slot = self.slots;
        self.slots += 1;
        ColumnSource::Computed { slot, data_type, nullable }
    }

    fn known(&mut self, name: &str) -> Option<u32> {
        let found = self.table.find(name).map(|(at, _)| at);
        if found.is_none() {
            self.mistakes.push(self.table.unknown(name));
        }
        found
    }

    fn column(&mut self, name: &str) -> Option<&mut OutputColumn> {
        let at = self.known(name)?;
        let place = self.columns.iter().position(|c| c.source.field() == Some(at));
        if place.is_none() {
            self.mistakes.push(format!("`{name}` was dropped or replaced by an earlier step"));
        }
        self.columns.get_mut(place?)
    }
}

impl ColumnSource {
    /// The input field whose values it carries.
    fn field(&self) -> Option<u32> {
        match self {
            Self::Input(at) | Self::Cast { field: at, .. } => Some(*at),
            Self::Computed { .. } | Self::Constant { .. } | Self::Metadata(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
