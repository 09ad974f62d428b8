//! Write Sluice plugins in Rust.
//!
//! A plugin is a pure function of its configuration, a table's schema and one row image. The host
//! calls it for the images before and after a change and derives insert, update, delete and move
//! from the answers. So an answer must never depend on other rows, earlier calls, the place of a row
//! in its batch, the time or the instance. In particular, iterate over `BTreeMap`s where the order
//! reaches an answer: a `HashMap`'s seed differs from instance to instance.
//!
//! This crate must never import WASI, clocks or randomness: the world has none.
//!
//! # A plugin
//!
//! ```
//! use sluice_guest::{Batch, ConfigError, Decision, Edit, Failure, Plan, TableSchema, Transform};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Region { name: String }
//!
//! impl Transform for Region {
//!     type Config = Self;
//!     type Table = ();
//!     const NAME: &'static str = "region";
//!     const VERSION: &'static str = env!("CARGO_PKG_VERSION");
//!     fn configure(config: Self, _: &[sluice_guest::Attachment], _: sluice_guest::Limits) -> Result<Self, ConfigError> {
//!         Ok(config)
//!     }
//!     fn plan(&self, table: &TableSchema) -> Result<Decision<()>, Failure> {
//!         Ok(Plan::of(table).rename("qty", "quantity").reads(["region"]).build()?.with(()))
//!     }
//!     fn process(&self, (): &(), batch: &Batch) -> Result<Edit, Failure> {
//!         Ok(Edit::keep(batch.column(0)?.bytes()?.matching(|region| region == self.name.as_bytes())))
//!     }
//! }
//! sluice_guest::export_transform!(Region);
//!
//! // Its unit test needs no host:
//! use sluice_guest::{DataType, testing::{Harness, json, table}};
//! let orders = table("shop", "orders").column("qty", DataType::Int32).column("region", DataType::Utf8);
//! let plugin = Harness::<Region>::configured(&json!({ "name": "eu" })).unwrap();
//! let out = plugin.run(&orders, &json!([[3, "eu"], [4, "us"], [5, null]])).unwrap();
//! assert_eq!(out.kept(), json!([{ "quantity": 3, "region": "eu" }]));
//! ```
//!
//! Build it with `crate-type = ["cdylib", "rlib"]` and
//! `cargo build --release --target wasm32-unknown-unknown`. The result is a core module that carries
//! its component type; the host makes the component of it when it loads it.
//!
//! # Publishing
//!
//! The interface is read from `../../wit` at build time. A published crate carries a copy of that
//! folder beside its manifest and names it in `abi.rs` instead.

mod batch;
mod bitmap;
mod builder;
pub mod calendar;
mod column;
pub mod config;
mod decimal;
mod edit;
mod failure;
#[doc(hidden)]
pub mod instance;
pub mod log;
mod plan;
mod schema;
mod value;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod abi;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use batch::Batch;
pub use bitmap::Bitmap;
pub use builder::{BooleanBuilder, BytesBuilder, ComputedColumn, NumberBuilder, TextBuilder};
pub use column::{Bytes, Column, ColumnBuffers, Native, Texts, Values};
pub use decimal::{Decimal, NotADecimal};
pub use edit::{Edit, RowRoutes};
pub use failure::{ConfigError, Failure, Problem};
pub use plan::{ColumnSource, Decision, OutputColumn, Plan, PlanBuilder};
pub use schema::{DataType, Field, TableSchema, UniqueKey};
pub use value::{Value, hex};

/// A file that the manifest hands over: a lookup table, a dictionary, a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name in the manifest.
    pub name: String,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// What the operator allows; for sizing buffers, never for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Rows of a batch.
    pub rows_max: u32,
    /// Bytes of an edit.
    pub output_bytes_max: u64,
}

/// A row transformation. Implement it and name the type in [`export_transform!`].
pub trait Transform: Sized + 'static {
    /// The manifest's `config` table. Derive `Deserialize` with `deny_unknown_fields`.
    type Config: serde::de::DeserializeOwned;
    /// What `plan` worked out for a table and `process` needs: column places, compiled rules.
    type Table: 'static;
    /// The plugin's name, for people.
    const NAME: &'static str;
    /// The plugin's version, for people: `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// JSON Schema of the configuration; the host checks it before `configure`.
    const CONFIG_SCHEMA: Option<&'static str> = None;

    /// Once an instance, before `plan`.
    ///
    /// # Errors
    /// All mistakes at once, each with its JSON Pointer.
    fn configure(
        config: Self::Config,
        attachments: &[Attachment],
        limits: Limits,
    ) -> Result<Self, ConfigError>;

    /// Once an instance and table schema. The same schema always gets the same plan.
    ///
    /// # Errors
    /// Why the plugin cannot handle this table; the pipeline stops at it.
    fn plan(&self, table: &TableSchema) -> Result<Decision<Self::Table>, Failure>;

    /// For each batch of a table whose plan reads or computes something. A row that cannot be
    /// handled belongs in [`Edit::reject`].
    ///
    /// # Errors
    /// A defect of the plugin; the pipeline stops.
    fn process(&self, table: &Self::Table, batch: &Batch<'_>) -> Result<Edit, Failure> {
        let _ = (table, batch);
        Ok(Edit::default())
    }
}

/// Makes a type that implements [`Transform`] the component's plugin. Natively it does nothing, so
/// that the crate's unit tests run like any other's.
#[macro_export]
macro_rules! export_transform {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::abi;
            ::std::thread_local! {
                static INSTANCE: ::std::cell::RefCell<$crate::instance::Instance<$plugin>> =
                    ::std::cell::RefCell::default();
            }
            struct Component;
            impl abi::Guest for Component {
                fn describe() -> abi::PluginInfo {
                    abi::describe::<$plugin>()
                }
                fn configure(
                    config: ::std::string::String,
                    attachments: ::std::vec::Vec<abi::WireAttachment>,
                    limits: abi::WireLimits,
                ) -> ::std::result::Result<(), abi::WireConfigError> {
                    abi::configure(&INSTANCE, &config, attachments, limits)
                }
                fn plan(
                    table_id: u32,
                    table: abi::WireTableSchema,
                ) -> ::std::result::Result<abi::TableDecision, abi::WireFailure> {
                    abi::plan(&INSTANCE, table_id, table)
                }
                fn process(
                    table_id: u32,
                    row_count: u32,
                    columns: ::std::vec::Vec<abi::WireColumn>,
                ) -> ::std::result::Result<abi::WireEdit, abi::WireFailure> {
                    abi::process(&INSTANCE, table_id, row_count, columns)
                }
                fn release(table_id: u32) {
                    abi::release(&INSTANCE, table_id);
                }
            }
    abi::export!(Component with_types_in abi::bindings);
        };
    };
}
