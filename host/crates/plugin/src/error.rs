//! Why a plugin cannot be loaded, planned or run.
//!
//! No text holds a row value: what a plugin says for people is kept apart, in
//! [`PluginError::detail`].

use std::fmt;
use std::sync::Arc;

use change::batch::BatchError;
use change::route::RouteError;
use change::{Diagnose, Fault, Retry, TableName};

/// A cause of a kind that this crate does not tell apart.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A function of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Before any function: its start functions run.
    Instantiate,
    /// `describe`.
    Describe,
    /// `configure`.
    Configure,
    /// `plan`.
    Plan,
    /// `process`.
    Process,
    /// `release`.
    Release,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instantiate => "instantiate",
            Self::Describe => "describe",
            Self::Configure => "configure",
            Self::Plan => "plan",
            Self::Process => "process",
            Self::Release => "release",
        })
    }
}

/// Which plugin, at which table and where in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The plugin's name in the manifest.
    pub plugin: Arc<str>,
    /// The SHA-256 of its file.
    pub digest: Arc<str>,
    /// The source table.
    pub table: Option<TableName>,
    /// `file:offset` of the first event of the batch.
    pub position: Option<String>,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.digest.chars().take(12).collect();
        write!(f, "plugin `{}` (sha256 {short})", self.plugin)?;
        if let Some(table) = &self.table {
            write!(f, " at {table}")?;
        }
        if let Some(position) = &self.position {
            write!(f, ", {position}")?;
        }
        Ok(())
    }
}

/// What went wrong inside a plugin or with its answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum GuestFailure {
    /// It trapped.
    #[error("`{call}` trapped: {reason}")]
    Trap {
        /// The function.
        call: Call,
        /// The kind of trap.
        reason: String,
        /// The last error that it logged before: its panic message.
        detail: Option<String>,
    },
    /// It used up the instructions that it may take.
    #[error("`{call}` used up its fuel of {fuel}")]
    Fuel {
        /// The function.
        call: Call,
        /// What it had.
        fuel: u64,
    },
    /// It took longer than its deadline, twice.
    #[error("`{call}` did not end within {deadline_ms} ms, twice")]
    Deadline {
        /// The function.
        call: Call,
        /// The deadline.
        deadline_ms: u64,
    },
    /// It wanted more memory than it may have.
    #[error("`{call}` wanted more than {memory_bytes} bytes of memory")]
    Memory {
        /// The function.
        call: Call,
        /// What it may have.
        memory_bytes: u64,
    },
    /// Its answer is larger than allowed.
    #[error("`{call}` answered with more than {output_bytes_max} bytes")]
    Output {
        /// The function.
        call: Call,
        /// What is allowed.
        output_bytes_max: u64,
    },
    /// Its answer breaks the interface.
    #[error("`{call}` gave a wrong answer: {what}")]
    Answer {
        /// The function.
        call: Call,
        /// The rule that is broken.
        what: String,
    },
    /// It reported a failure itself.
    #[error("`{call}` failed with the code `{code}`")]
    Failed {
        /// The function.
        call: Call,
        /// The plugin's constant.
        code: String,
        /// For a person; may hold values.
        detail: String,
    },
    /// A fresh instance planned the same table otherwise.
    #[error("`plan` gave another plan for the same table in a fresh instance")]
    PlanChanged,
    /// One row image is too large for the plugin's memory.
    #[error("row-too-large: a row image takes {row_bytes} bytes, the plugin has {memory_bytes}")]
    RowTooLarge {
        /// Bytes to be pushed.
        row_bytes: u64,
        /// The limit as it is.
        memory_bytes: u64,
        /// The limit that would do.
        memory_bytes_needed: u64,
    },
    /// Too many rows of one batch made it trap.
    #[error(
        "it trapped on so many row images of one batch that finding them took over {spent_ms} ms"
    )]
    Recovery {
        /// The time that was allowed.
        spent_ms: u64,
        /// What the last trap was.
        detail: Option<String>,
    },
}

/// A mistake in a plugin's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The plugin's name in the manifest.
    pub plugin: Arc<str>,
    /// JSON Pointer into its configuration, or "" for all of it.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}`, config{}: {}", self.plugin, self.path, self.message)
    }
}

/// Why a plugin cannot be loaded, planned or run.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine cannot start.
    #[error("the engine for plugins cannot start")]
    Engine(#[source] Cause),
    /// The folder of compiled plugins cannot be used.
    #[error("the folder {path} for compiled plugins cannot be used: {reason}")]
    Cache {
        /// The folder.
        path: String,
        /// Why.
        reason: String,
    },
    /// The file is no WebAssembly.
    #[error("plugin `{plugin}` is not a WebAssembly file")]
    NotWasm {
        /// The plugin.
        plugin: Arc<str>,
    },
    /// The file is too large.
    #[error("plugin `{plugin}` has {bytes} bytes, more than {COMPONENT_BYTES_MAX}", COMPONENT_BYTES_MAX = crate::limits::COMPONENT_BYTES_MAX)]
    TooLarge {
        /// The plugin.
        plugin: Arc<str>,
        /// Its size.
        bytes: usize,
    },
    /// The file's digest is not the pinned one.
    #[error("plugin `{plugin}` has the sha256 {found}, the manifest pins {expected}")]
    Pin {
        /// The plugin.
        plugin: Arc<str>,
        /// As the manifest says.
        expected: String,
        /// As it is.
        found: String,
    },
    /// A core module that cannot be made a component, or a component that does not compile.
    #[error("plugin `{plugin}` is not a valid component")]
    Invalid {
        /// The plugin.
        plugin: Arc<str>,
        /// Why.
        #[source]
        source: Cause,
    },
    /// It wants the outside world.
    #[error("plugin `{plugin}` imports `{interface}`, and no plugin gets files, sockets or HTTP")]
    Wasi {
        /// The plugin.
        plugin: Arc<str>,
        /// The interface.
        interface: String,
    },
    /// It wants something that the host does not have.
    #[error("plugin `{plugin}` imports `{interface}`, which this host does not have")]
    UnknownImport {
        /// The plugin.
        plugin: Arc<str>,
        /// The interface.
        interface: String,
    },
    /// It is a component, but no plugin.
    #[error("plugin `{plugin}` does not export `{wanted}` (it exports: {found})", wanted = crate::component::TRANSFORM)]
    NoTransform {
        /// The plugin.
        plugin: Arc<str>,
        /// What it exports.
        found: String,
    },
    /// Its configuration is wrong.
    #[error("{}", list(.0))]
    Config(Vec<ConfigProblem>),
    /// Something went wrong inside.
    #[error("{site}: {failure}")]
    Guest {
        /// Where.
        site: Box<Site>,
        /// What.
        failure: GuestFailure,
    },
    /// A plan that the host cannot carry out.
    #[error("{site}: its plan cannot be used: {what}")]
    Plan {
        /// Where.
        site: Box<Site>,
        /// The rule that is broken.
        what: String,
        /// The step that mends it.
        remedy: Option<String>,
    },
    /// The table cannot be written as the chain leaves it.
    #[error("table {table}: {what}")]
    Table {
        /// The source table.
        table: TableName,
        /// The rule that is broken.
        what: String,
        /// The step that mends it.
        remedy: String,
    },
    /// A route that no path can be made of.
    #[error("{site}: {source}")]
    Route {
        /// Where.
        site: Box<Site>,
        /// Why.
        source: RouteError,
    },
    /// The log left a column out of a row image, and the chain needs it.
    #[error(
        "table {table}, {position}: the log leaves the column `{column}` out of a row image, and {needed_by} needs it"
    )]
    Absent {
        /// The source table.
        table: TableName,
        /// `file:offset` of the event.
        position: String,
        /// The column.
        column: String,
        /// Who needs it: a plugin, or the table's id columns.
        needed_by: String,
    },
    /// The batch is not one of the plan's table.
    #[error("a batch of {batch} was given with the plan of {plan}")]
    WrongPlan {
        /// The batch's table.
        batch: TableName,
        /// The plan's table.
        plan: TableName,
    },
    /// The host put a batch together wrongly.
    #[error("table {table}: the transformed batch does not fit together")]
    Batch {
        /// The source table.
        table: TableName,
        /// Why.
        #[source]
        source: BatchError,
    },
    /// Arrow refused what the host asked of it.
    #[error("table {table}: a column cannot be made")]
    Arrow {
        /// The source table.
        table: TableName,
        /// Why.
        #[source]
        source: arrow_schema::ArrowError,
    },
}

fn list(problems: &[ConfigProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl PluginError {
    /// What a plugin said for a person; may hold row values, so only for dead letters and
    /// `sluice test`.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        let Self::Guest { failure, .. } = self else { return None };
        match failure {
            GuestFailure::Failed { detail, .. } => Some(detail),
            GuestFailure::Trap { detail, .. } | GuestFailure::Recovery { detail, .. } => {
                detail.as_deref()
            }
            _ => None,
        }
    }

    /// The mistakes in the configuration of plugins, where that is what it is.
    #[must_use]
    pub fn config_problems(&self) -> &[ConfigProblem] {
        match self {
            Self::Config(problems) => problems,
            _ => &[],
        }
    }
}

impl Diagnose for PluginError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Wasi { .. } => {
                "build it without: Rust with --target wasm32-unknown-unknown, JavaScript and Python with --stub-wasi; hand over what it reads as [plugin.files]".to_owned()
            }
            Self::NotWasm { .. } => "name the .wasm file that the plugin's build wrote".to_owned(),
            Self::Invalid { .. } => {
                "build the plugin again and copy the whole file: this one is cut or damaged".to_owned()
            }
            Self::Pin { .. } => {
                "take the file that was pinned, or pin the new one after reviewing it".to_owned()
            }
            Self::NoTransform { .. } => {
                "build it against wit/transform.wit of this version (world `transformer`)".to_owned()
            }
            Self::UnknownImport { .. } => {
                "build it against wit/transform.wit of this version, or update sluice".to_owned()
            }
            Self::Cache { .. } => {
                "give a folder that belongs to this user alone (mode 0700)".to_owned()
            }
            Self::Absent { .. } => {
                "set binlog_row_image = FULL on the server; rows that it logged before have to be loaded anew".to_owned()
            }
            Self::Table { remedy, .. } => remedy.clone(),
            Self::Plan { remedy, .. } => return remedy.clone(),
            Self::Guest { failure, .. } => return failure.hint(),
            _ => return None,
        };
        Some(hint)
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Guest { failure: GuestFailure::Deadline { .. }, .. } => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Engine(_) | Self::Cache { .. } | Self::Absent { .. } => Fault::Environment,
            Self::Guest { .. }
            | Self::Route { .. }
            | Self::WrongPlan { .. }
            | Self::Batch { .. }
            | Self::Arrow { .. } => Fault::Run,
            _ => Fault::Usage,
        }
    }
}

impl GuestFailure {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::RowTooLarge { memory_bytes_needed, .. } => {
                let mib = memory_bytes_needed.div_ceil(1024 * 1024);
                format!("set `memory = \"{mib}MiB\"` on this plugin")
            }
            Self::Deadline { .. } => "raise `deadline` on this plugin, or mend its loop".to_owned(),
            Self::Memory { .. } => "raise `memory` on this plugin".to_owned(),
            Self::Fuel { .. } => "raise `fuel-per-row` on this plugin, or mend its loop".to_owned(),
            Self::PlanChanged => {
                "let `plan` depend on the configuration and the table alone".to_owned()
            }
            Self::Answer { .. } | Self::Trap { .. } | Self::Recovery { .. } => {
                "mend the plugin: run `sluice test` on this part of the log to see its own message"
                    .to_owned()
            }
            Self::Output { .. } | Self::Failed { .. } => return None,
        })
    }
}
