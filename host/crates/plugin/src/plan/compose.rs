//! One plugin's decision applied to a table: its columns, keys, id columns and route afterwards, and
//! what is left to do for each batch. A decision that cannot be carried out is refused here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use change::route::check_value;
use change::{Column, ColumnType, TableSchema, UniqueKey};

use crate::bindings::transform::{
    ColumnCast, ColumnSource, ComputedColumn, ConstantValue, OutputColumn, ProcessPlan,
    TablePlan as Answer,
};
use crate::cast;
use crate::convert::column_type;
use crate::limits::{OUTPUT_COLUMNS_MAX, check_route_names};
use crate::metadata::Metadata;
use crate::plan::view::{Field, METADATA_PROPERTY, ROW_ROUTE_PROPERTY};
use crate::plan::{Constant, Decision, Node, Process, Stage, View};
use crate::transfer::Slot;

/// The rule that a plan breaks, and the step that mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) what: String,
    pub(crate) remedy: Option<String>,
}

impl<T: Into<String>> From<T> for Broken {
    fn from(what: T) -> Self {
        Self { what: what.into(), remedy: None }
    }
}

/// A plan in the making.
pub(crate) struct Draft {
    pub(crate) view: View,
    pub(crate) nodes: Vec<Node>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) decisions: Vec<(Arc<str>, Decision)>,
}

/// The output columns of one plugin, as far as they are made.
struct Outputs {
    fields: Vec<Field>,
    /// For each input field the first output that passes it through.
    passed: Vec<Option<usize>>,
    casts: Vec<usize>,
    slots: BTreeMap<u32, (Slot, usize)>,
}

impl Draft {
    pub(crate) fn new(source: &Arc<TableSchema>) -> Self {
        Self {
            nodes: (0..source.columns.len()).map(Node::Input).collect(),
            view: View::of(source),
            stages: Vec::new(),
            decisions: Vec::new(),
        }
    }

    /// Applies what a plugin decided. `ids_from_manifest`: whether id columns may get lost here.
    pub(crate) fn apply(
        &mut self,
        plugin: usize,
        answer: Answer,
        ids_from_manifest: bool,
    ) -> Result<Decision, Broken> {
        let row_route = row_route(&answer)?;
        let outputs = self.outputs(answer.output)?;
        let (slots, computed) = slots(&outputs, answer.process.is_some())?;
        let process = answer.process.map(|p| self.process(&p, slots, computed)).transpose()?;
        let decision = Decision::Applied {
            reads: process.as_ref().map(|p| self.names_of(&p.reads)),
            computes: outputs.slots.values().map(|(slot, _)| slot.name.clone()).collect(),
        };
        check_route(&answer.route)?;
        self.remap_keys(&outputs.passed);
        let id_columns = match answer.id_columns {
            Some(ids) => chosen_ids(&ids, &outputs.fields)?,
            None => self.followed_ids(&outputs, ids_from_manifest)?,
        };
        self.view.id_columns = id_columns;
        let pairs = answer.route.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        self.view.route = self.view.route.with(pairs);
        self.view.row_route.retain(|name| !answer.route.iter().any(|(set, _)| set == name));
        self.view.row_route.extend(row_route);
        self.view.fields = outputs.fields;
        self.stages.push(Stage { plugin, route: answer.route, process, casts: outputs.casts });
        Ok(decision)
    }

    /// The next plugin is asked now: what it is shown of the route is believed from here on.
    pub(crate) fn show_route(&mut self) {
        let shown = || self.view.fixed_route().map(|(name, _)| name.to_owned()).collect();
        let process = self.stages.last_mut().and_then(|stage| stage.process.as_mut());
        if let Some(process) = process.filter(|process| process.shown_as_fixed.is_empty()) {
            process.shown_as_fixed = shown();
        }
    }

    fn outputs(&mut self, answer: Option<Vec<OutputColumn>>) -> Result<Outputs, Broken> {
        let count = self.view.fields.len();
        let Some(columns) = answer else {
            let (fields, passed) = (self.view.fields.clone(), (0..count).map(Some).collect());
            return Ok(Outputs { fields, passed, casts: Vec::new(), slots: BTreeMap::new() });
        };
        if columns.is_empty() {
            return Err("it has no output column; answer `exclude` to leave the table out".into());
        }
        if columns.len() > OUTPUT_COLUMNS_MAX {
            let found = columns.len();
            return Err(format!("it has {found} columns, more than {OUTPUT_COLUMNS_MAX}").into());
        }
        let mut names = HashSet::new();
        let mut outputs = Outputs {
            fields: Vec::with_capacity(columns.len()),
            passed: vec![None; count],
            casts: Vec::new(),
            slots: BTreeMap::new(),
        };
        for column in columns {
            let OutputColumn { name, source } = column;
            if !names.insert(name.to_lowercase()) {
                let what = format!(
                    "the column `{name}` appears twice (upper and lower case count as the same)"
                );
                let remedy = Some(format!("rename one of them, for instance to `{name}_2`"));
                return Err(Broken { what, remedy });
            }
            self.add(&mut outputs, name, source)?;
        }
        Ok(outputs)
    }

    fn add(
        &mut self,
        outputs: &mut Outputs,
        name: String,
        source: ColumnSource,
    ) -> Result<(), Broken> {
        let field = match source {
            ColumnSource::Input(index) => self.pass(outputs, name, index)?,
            ColumnSource::Cast(cast) => self.cast(outputs, name, cast)?,
            ColumnSource::Computed(computed) => self.compute(outputs, name, computed)?,
            ColumnSource::Constant(value) => self.constant(name, &value)?,
            ColumnSource::Metadata(fact) => self.metadata(name, &fact)?,
        };
        outputs.fields.push(field);
        Ok(())
    }

    fn field(&self, index: u32) -> Result<&Field, Broken> {
        let count = self.view.fields.len();
        let missing = || format!("it names the input field {index}, there are {count}");
        self.view.fields.get(index as usize).ok_or_else(|| missing().into())
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn pass(&self, outputs: &mut Outputs, name: String, index: u32) -> Result<Field, Broken> {
        let field = self.field(index)?;
        let to = outputs.fields.len();
        if let Some(passed) = outputs.passed.get_mut(index as usize) {
            passed.get_or_insert(to);
        }
        Ok(Field { column: Column { name, ..field.column.clone() }, node: field.node })
    }

    fn cast(
        &mut self,
        outputs: &mut Outputs,
        name: String,
        cast: ColumnCast,
    ) -> Result<Field, Broken> {
        let field = self.field(cast.field)?.clone();
        let (from_type, to) = (field.column.column_type, column_type(cast.to)?);
        if field.is_metadata() {
            return Err(
                format!("the metadata column `{}` cannot be converted", field.column.name).into()
            );
        }
        if from_type == to {
            return self.pass(outputs, name, cast.field);
        }
        if !cast::is_allowed(from_type, to) {
            let what =
                format!("`{}` cannot be converted from {from_type} to {to}", field.column.name);
            let remedy = Some("see docs/reference/casts.md, or compute the column".to_owned());
            return Err(Broken { what, remedy });
        }
        let from_name = field.column.name;
        let node = self.push(Node::Cast { from: field.node, name: from_name, from_type, to });
        outputs.casts.push(node);
        Ok(Field { column: Column::made(name, to, field.column.nullable), node })
    }

    fn compute(
        &mut self,
        outputs: &mut Outputs,
        name: String,
        computed: ComputedColumn,
    ) -> Result<Field, Broken> {
        let made = column_type(computed.data_type)?;
        let node = self.push(Node::Computed(made));
        let slot = Slot { name: name.clone(), column_type: made, nullable: computed.nullable };
        if outputs.slots.insert(computed.slot, (slot, node)).is_some() {
            return Err(format!("the slot {} is used by two columns", computed.slot).into());
        }
        Ok(Field { column: Column::made(name, made, computed.nullable), node })
    }

    fn constant(&mut self, name: String, value: &ConstantValue) -> Result<Field, Broken> {
        let made = column_type(value.data_type)?;
        let constant = Constant::parse(made, value.text.as_deref())
            .map_err(|what| Broken::from(format!("the constant `{name}`: {what}")))?;
        let node = self.push(Node::Constant(Arc::new(constant)));
        Ok(Field { column: Column::made(name, made, value.text.is_none()), node })
    }

    fn metadata(&mut self, name: String, fact: &str) -> Result<Field, Broken> {
        let known = || Metadata::ALL.map(Metadata::name).join(", ");
        let metadata = Metadata::of(fact)
            .ok_or_else(|| format!("there is no metadata `{fact}` (there are {})", known()))?;
        let node = self.push(Node::Metadata(metadata));
        let mut column = Column::made(name, metadata.column_type(), metadata.is_nullable());
        column.properties.push((METADATA_PROPERTY.to_owned(), fact.to_owned()));
        Ok(Field { column, node })
    }

    fn process(
        &self,
        plan: &ProcessPlan,
        slots: Vec<Slot>,
        computed: Vec<usize>,
    ) -> Result<Process, Broken> {
        let (mut reads, mut types): (Vec<usize>, Vec<ColumnType>) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for index in &plan.reads {
            let field = self.field(*index)?;
            if !seen.insert(*index) {
                return Err(format!("it reads `{}` twice", field.column.name).into());
            }
            if field.is_metadata() {
                return Err(format!(
                    "it reads the metadata column `{}`, which no plugin may",
                    field.column.name
                )
                .into());
            }
            reads.push(field.node);
            types.push(field.column.column_type);
        }
        Ok(Process { reads, types, slots, computed, shown_as_fixed: Vec::new() })
    }

    fn names_of(&self, nodes: &[usize]) -> Vec<String> {
        let name = |node: &usize| {
            let field = self.view.fields.iter().find(|f| f.node == *node);
            field.map_or_else(String::new, |f| f.column.name.clone())
        };
        nodes.iter().map(name).collect()
    }

    /// A key of which a part is gone is not known any more.
    fn remap_keys(&mut self, passed: &[Option<usize>]) {
        let follow = |columns: &[usize]| -> Option<Vec<usize>> {
            columns.iter().map(|c| passed.get(*c).copied().flatten()).collect()
        };
        let view = &mut self.view;
        view.primary_key = view.primary_key.as_deref().and_then(follow);
        view.unique_keys = view.unique_keys.take().and_then(|keys| {
            let had_some = !keys.is_empty();
            let kept = |key: UniqueKey| {
                follow(&key.columns).map(|columns| UniqueKey { name: key.name, columns })
            };
            let kept: Vec<_> = keys.into_iter().filter_map(kept).collect();
            (!had_some || !kept.is_empty()).then_some(kept)
        });
    }

    fn followed_ids(&self, outputs: &Outputs, may_vanish: bool) -> Result<Vec<usize>, Broken> {
        let mut ids = Vec::new();
        for id in &self.view.id_columns {
            match outputs.passed.get(*id).copied().flatten() {
                Some(to) => ids.push(to),
                None if may_vanish => {}
                None => {
                    let name = self.view.fields.get(*id).map_or("", |f| f.column.name.as_str());
                    let what = format!(
                        "it drops or replaces the id column `{name}` and gives no new id columns"
                    );
                    let remedy = Some(format!(
                        "keep `{name}`, let the plugin give id columns, or set `id-columns` in the [[table]] of {}",
                        self.view.source.name
                    ));
                    return Err(Broken { what, remedy });
                }
            }
        }
        Ok(ids)
    }
}

/// The slots in order, and the node of each.
fn slots(outputs: &Outputs, has_process: bool) -> Result<(Vec<Slot>, Vec<usize>), Broken> {
    if let (false, Some((slot, _))) = (has_process, outputs.slots.values().next()) {
        return Err(format!("`{}` is computed, but the plan has no `process`", slot.name).into());
    }
    let complete = outputs.slots.keys().zip(0..).all(|(slot, place): (&u32, u32)| *slot == place);
    if !complete {
        return Err("the slots of its computed columns are not 0, 1, 2 and so on".into());
    }
    Ok(outputs.slots.values().cloned().unzip())
}

fn chosen_ids(ids: &[u32], fields: &[Field]) -> Result<Vec<usize>, Broken> {
    let mut chosen: Vec<usize> = Vec::with_capacity(ids.len());
    for id in ids {
        let count = fields.len();
        let missing = || format!("its id columns name the output column {id}, there are {count}");
        let index = usize::try_from(*id).unwrap_or(usize::MAX);
        let field = fields.get(index).ok_or_else(missing)?;
        let name = &field.column.name;
        if field.is_metadata() {
            return Err(format!("the metadata column `{name}` cannot be an id column").into());
        }
        if chosen.contains(&index) {
            return Err(format!("`{name}` is an id column twice").into());
        }
        chosen.push(index);
    }
    Ok(chosen)
}

/// Whether a plugin's route variables can stand in a path.
pub(crate) fn check_route(route: &[(String, String)]) -> Result<(), Broken> {
    check_route_names(route.iter().map(|(name, _)| name.as_str()))?;
    for (name, value) in route {
        check_value(name, value).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// The variables that `process` may set row by row, as the plan's properties name them.
fn row_route(answer: &Answer) -> Result<BTreeSet<String>, Broken> {
    let mut names = BTreeSet::new();
    for (key, name) in &answer.properties {
        if key != ROW_ROUTE_PROPERTY {
            return Err(format!("the property `{key}` is not known").into());
        }
        names.insert(name.clone());
    }
    check_route_names(names.iter().map(String::as_str))?;
    if !names.is_empty() && answer.process.is_none() {
        return Err(format!("it has the property `{ROW_ROUTE_PROPERTY}`, but no `process`").into());
    }
    Ok(names)
}
