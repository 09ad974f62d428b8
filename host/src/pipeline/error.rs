//! What can end a run.

use change::diagnose::REBUILD;
use change::{Diagnose, Fault, Position, Retry, SchemaChangeKind, TableName, TargetPath};

use super::dead_letter::RejectedSummary;
use super::given::GivenFileError;
use super::schema_history::HistoryError;
use crate::chain::PluginFileError;
use crate::checkpoint::CheckpointError;
use crate::manifest::FilesError;

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log cannot be read on.
    #[error(transparent)]
    Source(#[from] binlog::BinlogError),
    /// A plugin cannot go on.
    #[error(transparent)]
    Plugin(#[from] plugin::PluginError),
    /// A table cannot be written.
    #[error(transparent)]
    Lake(#[from] lake::LakeError),
    /// The checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A plugin rejected a row, and its policy is to stop.
    #[error("plugin `{}` rejected a row of {} with code `{}` at {}", .0.plugin, .0.table, .0.code, .0.position)]
    Rejected(RejectedSummary),
    /// Rows of a table cannot be brought together with its log.
    #[error("table {table} cannot be loaded: {what}")]
    Load {
        /// The table.
        table: TableName,
        /// Why.
        what: String,
    },
    /// A statement that may change rows or columns in a way that the log does not tell.
    #[error("{kind:?} of {table} at {position}: {statement}{}", because(reason.as_deref()))]
    SchemaChange {
        /// What it does.
        kind: SchemaChangeKind,
        /// The captured table.
        table: TableName,
        /// Where it stands.
        position: Position,
        /// Its text.
        statement: String,
        /// Why the targets cannot follow it, where they were to.
        reason: Option<String>,
    },
    /// A target does not take what a statement does to it.
    #[error("{statement} at {position}: its target does not follow")]
    Follow {
        /// Where the statement stands.
        position: Position,
        /// Its text.
        statement: String,
        /// Why.
        #[source]
        source: lake::LakeError,
    },
    /// Rows of captured tables change without a word in the log.
    #[error("{server}: foreign keys change rows that the server does not log: {tables}")]
    Cascades {
        /// `host:port`.
        server: String,
        /// The tables, each with its constraint.
        tables: String,
    },
    /// The chain or the manifest changed while targets stand at different points.
    #[error(
        "the chain or the manifest changed, but target {target} is past {resume}, where this run would go on for the others"
    )]
    ChainChanged {
        /// A target that is ahead.
        target: TargetPath,
        /// Where the others are.
        resume: Position,
    },
    /// A target lost commits that the checkpoint knows.
    #[error(
        "target {target} stands at commit {found} of this pipeline, the checkpoint has seen {expected}"
    )]
    TargetWentBack {
        /// The target.
        target: TargetPath,
        /// Its counter.
        found: i64,
        /// The checkpoint's.
        expected: i64,
    },
    /// The checkpoint and the targets tell positions of which neither is past the other.
    #[error(
        "the checkpoint's position {checkpoint} and the targets' {targets} do not belong to one history"
    )]
    Diverged {
        /// The checkpoint's.
        checkpoint: Position,
        /// The targets'.
        targets: Position,
    },
    /// A recorded log that the manifest names is not there.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The definitions that earlier runs kept cannot be read or written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Definitions that the manifest or the command line names cannot be used.
    #[error(transparent)]
    Definitions(#[from] GivenFileError),
    /// A file of a plugin cannot be read.
    #[error(transparent)]
    PluginFile(#[from] PluginFileError),
    /// A dead letter cannot be made or stored.
    #[error("cannot store a dead letter in {folder}")]
    DeadLetter {
        /// Where.
        folder: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A row that was rejected cannot be shown as text.
    #[error("cannot show a rejected row of {table} as text")]
    DeadLetterText {
        /// The table.
        table: TableName,
        /// Why.
        #[source]
        source: arrow_schema::ArrowError,
    },
    /// A defect of Sluice.
    #[error("a stage of the pipeline ended in a panic; this is a defect of Sluice")]
    StagePanicked,
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" (the target cannot follow: {reason})"))
}

impl Diagnose for RunError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Plugin(error) => error.hint(),
            Self::Follow { source: error @ lake::LakeError::Schema { .. }, .. } => Some(format!(
                "{}; all before this statement is committed: or make the target fit by hand and go on \
                 with `sluice run --accept-schema-change`",
                error.hint().unwrap_or_default()
            )),
            Self::Lake(error) | Self::Follow { source: error, .. } => error.hint(),
            Self::Checkpoint(error) => error.hint(),
            Self::Rejected(rejected) => Some(rejected_hint(&rejected.code)),
            Self::SchemaChange {
                kind: SchemaChangeKind::Alter | SchemaChangeKind::Truncate,
                table,
                reason: None,
                ..
            } => Some(format!(
                "all before this statement is committed; set `merge-schema = true` in [sink] so that \
                 the target of {table} follows it where that can be told, or see that the target fits \
                 and go on with `sluice run --accept-schema-change`"
            )),
            Self::SchemaChange { table, .. } => Some(format!(
                "all before this statement is committed; reload or empty the target of {table}, or \
                 see that it fits, then go on with `sluice run --accept-schema-change`"
            )),
            Self::Cascades { .. } => Some(
                "take the actions (ON DELETE, ON UPDATE) out of these foreign keys, or write \
                 `foreign-key-cascades = \"accept\"` in [source] where they never take place"
                    .to_owned(),
            ),
            Self::ChainChanged { .. } => Some(
                "run once more with the old plugins and manifest until the open epoch is committed \
                 (`sluice run --until-end`), then change them"
                    .to_owned(),
            ),
            Self::TargetWentBack { target, .. } => Some(format!(
                "bring back the version of {target} that this pipeline wrote last, or {REBUILD}"
            )),
            Self::Diverged { .. } => {
                Some(format!("bring checkpoint and targets of one time together again, or {REBUILD}"))
            }
            Self::Files(error) => error.hint(),
            Self::History(error) => error.hint(),
            Self::Definitions(error) => error.hint(),
            Self::PluginFile(error) => error.hint(),
            Self::DeadLetter { .. } => {
                Some("make the checkpoint folder writable and free some space".to_owned())
            }
            Self::Load { .. } | Self::DeadLetterText { .. } | Self::StagePanicked => {
                Some("report it with the log lines above".to_owned())
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Source(error) => error.retry(),
            Self::Plugin(error) => error.retry(),
            Self::Lake(error) | Self::Follow { source: error, .. } => error.retry(),
            _ => Retry::Never,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Source(error) => error.fault(),
            Self::Plugin(error) => error.fault(),
            Self::Lake(error) | Self::Follow { source: error, .. } => error.fault(),
            Self::Checkpoint(error) => error.fault(),
            Self::Files(error) => error.fault(),
            Self::History(error) => error.fault(),
            Self::Definitions(error) => error.fault(),
            Self::PluginFile(error) => error.fault(),
            Self::DeadLetter { .. } | Self::Cascades { .. } => Fault::Environment,
            _ => Fault::Run,
        }
    }
}

/// What mends a rejected row; `trap` and `fuel` are the host's own codes.
fn rejected_hint(code: &str) -> String {
    let mend = match code {
        "trap" => {
            "a trap is a panic, a full stack or more memory than `memory` allows: mend the plugin or \
             raise its `memory`"
        }
        "fuel" => "mend the plugin's loop or raise its `fuel-per-row`",
        _ => "mend the plugin or the row",
    };
    format!("{mend}; or set `on-row-error = \"dead-letter\"` on this plugin to set such rows aside")
}
