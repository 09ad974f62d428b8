//! A table as it reaches a plugin: the source's, or what the plugins before made of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use change::{Column, Route, TableSchema, UniqueKey};

use crate::bindings::sluice::transform::types;
use crate::convert::data_type;

/// The property of a field that the host fills: plugins may pass it on, but not read it.
pub(crate) const METADATA_PROPERTY: &str = "metadata";

/// The property that names a route variable whose value differs from row to row: in a plan those that
/// its `process` may set, in a table's schema those that plugins before may have set.
pub(crate) const ROW_ROUTE_PROPERTY: &str = "row-route";

/// A column as it reaches a plugin, and the node of the graph that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) column: Column,
    pub(crate) node: usize,
}

impl Field {
    /// Whether the host fills it.
    pub(crate) fn is_metadata(&self) -> bool {
        self.column.property(METADATA_PROPERTY).is_some()
    }
}

/// A table as it reaches a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) source: Arc<TableSchema>,
    pub(crate) fields: Vec<Field>,
    pub(crate) primary_key: Option<Vec<usize>>,
    pub(crate) unique_keys: Option<Vec<UniqueKey>>,
    pub(crate) id_columns: Vec<usize>,
    pub(crate) route: Route,
    /// Variables whose value is another one in every row.
    pub(crate) row_route: BTreeSet<String>,
}

impl View {
    /// The source's own.
    pub(crate) fn of(source: &Arc<TableSchema>) -> Self {
        let field = |(node, column): (usize, &Column)| Field { column: column.clone(), node };
        Self {
            fields: source.columns.iter().enumerate().map(field).collect(),
            primary_key: source.primary_key.clone(),
            unique_keys: source.unique_keys.clone(),
            id_columns: source.natural_key().map(<[usize]>::to_vec).unwrap_or_default(),
            route: Route::of_table(&source.name.database, &source.name.table),
            row_route: BTreeSet::new(),
            source: Arc::clone(source),
        }
    }

    /// The index of a field, by its exact name.
    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.column.name == name)
    }

    /// The route variables that have one value for all rows.
    pub(crate) fn fixed_route(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_fixed = |(name, _): &(&String, &String)| !self.row_route.contains(*name);
        self.route.0.iter().filter(is_fixed).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Hands the table to `ask` in the interface's form.
    pub(crate) fn ask<T>(&self, ask: impl FnOnce(types::TableSchema<'_>) -> T) -> T {
        let of_fields: Vec<_> = self.fields.iter().map(|f| pairs(&f.column.properties)).collect();
        let fields: Vec<_> = self.fields.iter().zip(&of_fields).map(wit_field).collect();
        let primary_key = self.primary_key.as_deref().map(indexes);
        let keys = self.unique_keys.as_deref().unwrap_or_default();
        let key_fields: Vec<_> = keys.iter().map(|k| indexes(&k.columns)).collect();
        let unique_keys: Vec<_> = keys
            .iter()
            .zip(&key_fields)
            .map(|(key, fields)| types::UniqueKey { name: &key.name, fields })
            .collect();
        let route: Vec<_> = self.fixed_route().collect();
        let mut properties = pairs(&self.source.properties);
        properties.extend(self.row_route.iter().map(|name| (ROW_ROUTE_PROPERTY, name.as_str())));
        ask(types::TableSchema {
            database: &self.source.name.database,
            table: &self.source.name.table,
            fields: &fields,
            primary_key: primary_key.as_deref(),
            unique_keys: self.unique_keys.is_some().then_some(unique_keys.as_slice()),
            id_columns: &indexes(&self.id_columns),
            route: &route,
            properties: &properties,
        })
    }
}

fn wit_field<'a>(
    (field, properties): (&'a Field, &'a Vec<(&'a str, &'a str)>),
) -> types::Field<'a> {
    types::Field {
        name: &field.column.name,
        data_type: data_type(field.column.column_type),
        nullable: field.column.nullable,
        source_type: field.column.source_type.as_deref(),
        properties,
    }
}

fn pairs(properties: &[(String, String)]) -> Vec<(&str, &str)> {
    properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

fn indexes(columns: &[usize]) -> Vec<u32> {
    columns.iter().map(|c| u32::try_from(*c).unwrap_or(u32::MAX)).collect()
}
