//! The component's edge: the interface's records to this crate's nouns and back.
//!
//! Only for `wasm32`; used by [`crate::export_transform!`] and by nobody else. Buffers are moved,
//! never copied.

use std::cell::RefCell;
use std::thread::LocalKey;

use self::bindings::exports::sluice::transform::transform as wire;
use self::bindings::sluice::transform::{logging, types};
use crate::column::ColumnBuffers;
use crate::edit::Edit;
use crate::failure::{ConfigError, Failure};
use crate::instance::Instance;
use crate::log::Level;
use crate::plan::{ColumnSource, Decision, OutputColumn, Plan};
use crate::schema::{DataType, Field, TableSchema, UniqueKey};
use crate::{Attachment, Limits, Transform};

pub use self::bindings::export;
pub use self::bindings::exports::sluice::transform::transform::{
    Attachment as WireAttachment, Column as WireColumn, ConfigError as WireConfigError,
    Edit as WireEdit, Failure as WireFailure, Guest, Limits as WireLimits, PluginInfo,
    TableDecision, TableSchema as WireTableSchema,
};

pub mod bindings {
    //! Generated from `wit/transform.wit`.
    #![expect(missing_docs, reason = "generated; the interface itself holds the documentation")]

    wit_bindgen::generate!({
        path: "../../wit",
        world: "transformer",
        pub_export_macro: true,
        default_bindings_module: "sluice_guest::abi::bindings",
    });
}

/// What the macro keeps for a plugin. A component has one thread.
pub type Slot<P> = LocalKey<RefCell<Instance<P>>>;

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Trace => logging::Level::Trace,
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
    };
    logging::log(level, message);
}

/// Answers `describe`.
#[must_use]
pub fn describe<P: Transform>() -> PluginInfo {
    PluginInfo {
        name: P::NAME.to_owned(),
        version: P::VERSION.to_owned(),
        config_schema: P::CONFIG_SCHEMA.map(str::to_owned),
        properties: Vec::new(),
    }
}

/// Answers `configure`.
///
/// # Errors
/// The mistakes of the configuration.
pub fn configure<P: Transform>(
    slot: &'static Slot<P>,
    config: &str,
    attachments: Vec<WireAttachment>,
    limits: WireLimits,
) -> Result<(), WireConfigError> {
    // The trap that follows a panic says nothing; this line is all the author gets.
    std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
    let attachments: Vec<Attachment> =
        attachments.into_iter().map(|a| Attachment { name: a.name, data: a.data }).collect();
    let limits = Limits {
        memory_bytes: limits.memory_bytes,
        rows_max: limits.rows_max,
        output_bytes_max: limits.output_bytes_max,
    };
    let configured = slot.with_borrow_mut(|i| i.configure(config, &attachments, limits));
    configured.map_err(|ConfigError { problems }| WireConfigError {
        problems: problems
            .into_iter()
            .map(|p| wire::Problem { path: p.path, message: p.message })
            .collect(),
    })
}

/// Answers `plan`.
///
/// # Errors
/// The plugin's own.
pub fn plan<P: Transform>(
    slot: &'static Slot<P>,
    table_id: u32,
    table: WireTableSchema,
) -> Result<TableDecision, WireFailure> {
    let table = read_table(table);
    match slot.with_borrow_mut(|instance| instance.plan(table_id, &table)) {
        Ok(Decision::Exclude) => Ok(TableDecision::Exclude),
        Ok(Decision::Pass) => Ok(TableDecision::Pass),
        Ok(Decision::Apply(plan, ())) => Ok(TableDecision::Apply(write_plan(plan))),
        Err(failure) => Err(write_failure(failure)),
    }
}

/// Answers `process`.
///
/// # Errors
/// The plugin's own.
pub fn process<P: Transform>(
    slot: &'static Slot<P>,
    table_id: u32,
    rows: u32,
    columns: Vec<WireColumn>,
) -> Result<WireEdit, WireFailure> {
    let columns: Vec<ColumnBuffers> = columns
        .into_iter()
        .map(|c| ColumnBuffers { validity: c.validity, offsets: c.offsets, data: c.data })
        .collect();
    let edit = slot.with_borrow(|instance| instance.process(table_id, rows as usize, &columns));
    edit.map(write_edit).map_err(write_failure)
}

/// Answers `release`.
pub fn release<P: Transform>(slot: &'static Slot<P>, table_id: u32) {
    slot.with_borrow_mut(|instance| instance.release(table_id));
}

fn read_table(table: WireTableSchema) -> TableSchema {
    let field = |f: types::Field| Field {
        name: f.name,
        data_type: read_type(f.data_type),
        nullable: f.nullable,
        source_type: f.source_type,
        properties: f.properties,
    };
    let key = |k: types::UniqueKey| UniqueKey { name: k.name, fields: k.fields };
    TableSchema {
        database: table.database,
        table: table.table,
        fields: table.fields.into_iter().map(field).collect(),
        primary_key: table.primary_key,
        unique_keys: table.unique_keys.map(|keys| keys.into_iter().map(key).collect()),
        id_columns: table.id_columns,
        route: table.route,
        properties: table.properties,
    }
}

fn read_type(data_type: types::DataType) -> DataType {
    match data_type {
        types::DataType::Boolean => DataType::Boolean,
        types::DataType::Int8 => DataType::Int8,
        types::DataType::Int16 => DataType::Int16,
        types::DataType::Int32 => DataType::Int32,
        types::DataType::Int64 => DataType::Int64,
        types::DataType::Uint8 => DataType::UInt8,
        types::DataType::Uint16 => DataType::UInt16,
        types::DataType::Uint32 => DataType::UInt32,
        types::DataType::Uint64 => DataType::UInt64,
        types::DataType::Float32 => DataType::Float32,
        types::DataType::Float64 => DataType::Float64,
        types::DataType::Decimal(d) => DataType::Decimal { precision: d.precision, scale: d.scale },
        types::DataType::Date => DataType::Date,
        types::DataType::TimeMicros => DataType::TimeMicros,
        types::DataType::TimestampMicrosUtc => DataType::TimestampMicrosUtc,
        types::DataType::TimestampMicrosLocal => DataType::TimestampMicrosLocal,
        types::DataType::Utf8 => DataType::Utf8,
        types::DataType::Binary => DataType::Binary,
        types::DataType::Json => DataType::Json,
    }
}

fn write_type(data_type: DataType) -> types::DataType {
    match data_type {
        DataType::Boolean => types::DataType::Boolean,
        DataType::Int8 => types::DataType::Int8,
        DataType::Int16 => types::DataType::Int16,
        DataType::Int32 => types::DataType::Int32,
        DataType::Int64 => types::DataType::Int64,
        DataType::UInt8 => types::DataType::Uint8,
        DataType::UInt16 => types::DataType::Uint16,
        DataType::UInt32 => types::DataType::Uint32,
        DataType::UInt64 => types::DataType::Uint64,
        DataType::Float32 => types::DataType::Float32,
        DataType::Float64 => types::DataType::Float64,
        DataType::Decimal { precision, scale } => {
            types::DataType::Decimal(types::DecimalType { precision, scale })
        }
        DataType::Date => types::DataType::Date,
        DataType::TimeMicros => types::DataType::TimeMicros,
        DataType::TimestampMicrosUtc => types::DataType::TimestampMicrosUtc,
        DataType::TimestampMicrosLocal => types::DataType::TimestampMicrosLocal,
        DataType::Utf8 => types::DataType::Utf8,
        DataType::Binary => types::DataType::Binary,
        DataType::Json => types::DataType::Json,
    }
}

fn write_plan(plan: Plan) -> wire::TablePlan {
    wire::TablePlan {
        output: plan.output.map(|columns| columns.into_iter().map(write_output).collect()),
        id_columns: plan.id_columns,
        route: plan.route,
        process: plan.reads.map(|reads| wire::ProcessPlan { reads }),
        properties: plan.properties,
    }
}

fn write_output(column: OutputColumn) -> wire::OutputColumn {
    let source = match column.source {
        ColumnSource::Input(at) => wire::ColumnSource::Input(at),
        ColumnSource::Cast { field, to } => {
            wire::ColumnSource::Cast(wire::ColumnCast { field, to: write_type(to) })
        }
        ColumnSource::Computed { slot, data_type, nullable } => {
            let data_type = write_type(data_type);
            wire::ColumnSource::Computed(wire::ComputedColumn { slot, data_type, nullable })
        }
        ColumnSource::Constant { data_type, text } => {
            let data_type = write_type(data_type);
            wire::ColumnSource::Constant(wire::ConstantValue { data_type, text })
        }
        ColumnSource::Metadata(fact) => wire::ColumnSource::Metadata(fact),
    };
    wire::OutputColumn { name: column.name, source }
}

fn write_edit(edit: Edit) -> WireEdit {
    let column = |c: crate::ComputedColumn| WireColumn {
        validity: c.buffers.validity,
        offsets: c.buffers.offsets,
        data: c.buffers.data,
    };
    let rejected = |(row, failure)| wire::RejectedRow { row, failure: write_failure(failure) };
    WireEdit {
        keep: edit.keep.map(|keep| keep.to_bytes()),
        computed: edit.computed.into_iter().map(column).collect(),
        routing: edit.routes.map(|routes| wire::RowRouting {
            rows: routes.rows.iter().flat_map(|row| row.to_le_bytes()).collect(),
            routes: routes.routes,
        }),
        rejected: edit.rejected.into_iter().map(rejected).collect(),
    }
}

fn write_failure(failure: Failure) -> WireFailure {
    WireFailure { code: failure.code, detail: failure.detail }
}
