//! The columns of a table against those of the changes: equal, widened by new ones, or refused with
//! the columns named.

use change::diagnose::REBUILD;
use std::sync::Arc;

use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use delta_kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use delta_kernel::schema::{DataType as DeltaType, PrimitiveType, StructField, StructType};

use crate::changes::TargetChanges;
use crate::error::LakeError;
use crate::lake::NewColumns;
use crate::storage::Home;
use crate::stored::StoredSchema;

/// The columns to add to a table so that changes fit; none in the usual case.
pub(crate) fn added(
    home: &Home,
    table: &StructType,
    changes: &TargetChanges,
    policy: NewColumns,
) -> Result<Vec<StructField>, LakeError> {
    let refuse = |reason: String, hint: String| LakeError::Schema {
        target: home.target().to_string(),
        reason,
        hint,
    };
    let (changes, absent) = (&changes.schema, &changes.absent);
    let wanted = delta_schema(changes.arrow())?;
    let mut new = Vec::new();
    for field in wanted.fields() {
        let name = field.name();
        let Some(there) = table.field(name) else {
            let other = table.fields().find(|f| f.name().to_lowercase() == name.to_lowercase());
            if let Some(other) = other {
                return Err(refuse(
                    format!(
                        "column `{name}` differs from the table's `{}` by case only",
                        other.name()
                    ),
                    format!("rename `{name}` to `{}` with the rename plugin", other.name()),
                ));
            }
            new.push(field.clone());
            continue;
        };
        if there.data_type() != field.data_type() {
            return Err(refuse(
                format!(
                    "column `{name}` is {} in the table and {} in the changes",
                    there.data_type(),
                    field.data_type()
                ),
                format!("cast `{name}` back with a plugin, or {REBUILD}"),
            ));
        }
    }
    for field in table.fields() {
        let ours = wanted.field(field.name()).is_some();
        let is_id = changes.id_names().any(|n| n == field.name());
        if !field.is_nullable() && (!is_id || changes.is_whole_row()) {
            return Err(refuse(
                format!("column `{}` of the table is NOT NULL", field.name()),
                format!("run `ALTER TABLE .. ALTER COLUMN {} DROP NOT NULL`", field.name()),
            ));
        }
        if (!ours || absent.contains(field.name())) && policy == NewColumns::Refuse {
            return Err(refuse(
                format!("column `{}` of the table is missing in the changes", field.name()),
                "set `sink.merge-schema = true`: the column is then NULL from here on".into(),
            ));
        }
    }
    if let (NewColumns::Refuse, Some(field)) = (policy, new.first()) {
        return Err(refuse(
            format!("column `{}` ({}) is missing in the table", field.name(), field.data_type()),
            "set `sink.merge-schema = true`, or drop the column with a plugin".into(),
        ));
    }
    // Whole rows are compared over whatever columns there are.
    let mut ids = changes.id_names().filter(|_| !changes.is_whole_row());
    if let Some(id) = ids.find(|n| new.iter().any(|f| f.name() == n)) {
        return Err(refuse(format!("id column `{id}` is missing in the table"), REBUILD.into()));
    }
    Ok(new)
}

/// The Delta form of stored columns.
pub(crate) fn delta_schema(arrow: &SchemaRef) -> Result<StructType, LakeError> {
    arrow.as_ref().try_into_kernel().map_err(form)
}

/// The Arrow form of a table's columns, all of which may be NULL and carry no metadata.
pub(crate) fn arrow_schema(delta: &StructType) -> Result<SchemaRef, LakeError> {
    let schema: Schema = delta.try_into_arrow().map_err(form)?;
    let fields = schema.fields().iter();
    let plain = fields.map(|f| Field::new(f.name(), f.data_type().clone(), true));
    Ok(Arc::new(Schema::new(plain.collect::<Vec<_>>())))
}

fn form(source: ArrowError) -> LakeError {
    LakeError::Arrow { action: "bring columns into Delta's form", source }
}

/// Whether any column is a DATETIME.
pub(crate) fn has_timestamp_ntz(schema: &StructType) -> bool {
    let ntz = DeltaType::Primitive(PrimitiveType::TimestampNtz);
    schema.fields().any(|f| *f.data_type() == ntz)
}

/// Indexes of the id columns of the changes in the table's columns.
pub(crate) fn ids_in(table: &SchemaRef, changes: &StoredSchema) -> Vec<usize> {
    changes.id_names().filter_map(|name| table.index_of(name).ok()).collect()
}
