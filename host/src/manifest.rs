//! The manifest: what a pipeline is, read from TOML into plain settings.
//!
//! Reading finds every mistake at once, each with its line and column. Nothing here opens a log, a
//! plugin or a table, and no text made here ever holds a value that came from the environment or from
//! a `file:` reference.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use change::{GtidSet, PathTemplate, TableName, TablePatterns};

mod digest;
pub mod files;
pub(crate) mod keys;
mod locate;
pub mod problem;
pub(crate) mod quantity;
mod read;
mod reference;
pub mod secret;
mod section;
pub(crate) mod tree;

#[cfg(test)]
mod tests;

pub use files::FilesError;
pub use problem::{ManifestError, Place, Problem};
pub use secret::{ConfigSecrets, Secret};

use locate::Locations;
use problem::Problems;
use read::Purpose;
use reference::{Environment, References};
use tree::{Table, Value};

/// A pipeline, resolved: every path is absolute or relative to the working directory, every reference
/// to the environment or to a file is replaced.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// `[pipeline]`.
    pub pipeline: PipelineSettings,
    /// `[source]`.
    pub source: SourceSettings,
    /// `[[plugin]]`, in the order in which they are asked.
    pub plugins: Vec<PluginSettings>,
    /// `[[table]]`, in the manifest's order; the first one that matches a table decides.
    pub tables: Vec<TableRule>,
    /// `[sink]`.
    pub sink: SinkSettings,
    path: PathBuf,
    locations: Locations,
}

/// `[pipeline]`: what holds for the pipeline as a whole.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Names the pipeline in the tables that it writes (the Delta application id) and in logs.
    pub name: String,
    /// The folder of the checkpoint.
    pub checkpoint: PathBuf,
    /// The longest time between two epochs while there is something to commit.
    pub trigger: Duration,
    /// What batches, folded changes and transactions may hold in memory together.
    pub memory_bytes: usize,
    /// More targets than this stop the pipeline.
    pub targets_max: usize,
}

/// `[source]`: where the log comes from, and which tables of it are meant.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Recorded files or a server.
    pub from: SourceFrom,
    /// The tables that are captured; empty: all but the server's own.
    pub tables: TablePatterns,
    /// The patterns of `tables`, as written.
    pub tables_written: Vec<String>,
    /// What becomes of a date that no calendar has.
    pub zero_dates: ZeroDates,
    /// Where a pipeline without a checkpoint begins.
    pub start: StartAt,
    /// Whether the rows that tables have are loaded.
    pub snapshot: Snapshot,
    /// Rows a second that a load reads at most; none: as many as it can.
    pub snapshot_rows_per_second: Option<u64>,
    /// A file with the definitions of tables as they are at that start.
    pub definitions: Option<PathBuf>,
}

/// Whether the rows that tables have are loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Snapshot {
    /// No: the log is all there is.
    #[default]
    Never,
    /// When the pipeline begins; from then on the log is followed.
    Initial,
}

/// Where the log comes from.
#[derive(Clone, Debug)]
pub enum SourceFrom {
    /// Recorded files: patterns with `*`, `?` and `[…]`; [`SourceSettings::files`] finds them.
    Files(Vec<PathBuf>),
    /// A server.
    Server(ServerSettings),
}

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The account to log in with.
    pub user: String,
    /// Its password.
    pub password: Option<Secret>,
    /// Whether the connection is encrypted, and how much of the server's certificate is checked.
    pub tls: TlsMode,
    /// Certificates of the authorities to trust, PEM; none: the public ones.
    pub tls_ca: Option<PathBuf>,
    /// The client's certificate, PEM.
    pub tls_cert: Option<PathBuf>,
    /// The key of the client's certificate, PEM.
    pub tls_key: Option<PathBuf>,
    /// The id under which this replica registers; no two replicas of a server may share one. None: a
    /// random one, far from those that people give to servers.
    pub server_id: Option<u32>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// What becomes of a pipeline whose tables have foreign keys that change rows outside of the log.
    pub cascades: Cascades,
}

/// What becomes of a pipeline that captures tables whose rows a foreign key changes without a row in the
/// log (`ON DELETE CASCADE` in MariaDB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cascades {
    /// It does not start.
    Stop,
    /// It runs: the operator knows that no such action takes place, or that these rows are not right.
    Accept,
}

/// Whether a connection is encrypted, in the words of MySQL's clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disabled,
    /// Where the server offers it.
    Preferred,
    /// Always; the certificate is not checked.
    Required,
    /// Always; the certificate has to come from a trusted authority.
    VerifyCa,
    /// Always; the certificate has to name the host as well.
    VerifyIdentity,
}

/// Where a pipeline without a checkpoint begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At the oldest log that there is.
    Earliest,
    /// At the end of the newest log.
    Latest,
    /// At the start of an event of a file.
    File {
        /// The log file's name.
        file: String,
        /// Bytes from the start of the file.
        offset: u64,
    },
    /// Behind all transactions of a set.
    Gtid(GtidSet),
    /// Before the first transaction at or behind a time, seconds since 1970-01-01T00:00Z.
    Time(u64),
}

/// What becomes of a date that no calendar has (`0000-00-00`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroDates {
    /// The pipeline stops and names the column.
    Error,
    /// NULL.
    Null,
}

/// One `[[plugin]]`.
#[derive(Clone)]
pub struct PluginSettings {
    /// Its name in messages and logs.
    pub name: String,
    /// The component or core module.
    pub component: PathBuf,
    /// The SHA-256 that the component has to have: 64 lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// The tables that pass through it; where the manifest names none, a pattern that matches all.
    pub tables: TablePatterns,
    /// The patterns of `tables`, as written.
    pub tables_written: Vec<String>,
    /// How long an instance lives.
    pub isolation: Isolation,
    /// What becomes of a row that it rejects.
    pub on_row_error: OnRowError,
    /// Memory of an instance; none: the default of the plugin crate.
    pub memory_bytes: Option<usize>,
    /// Wall-clock time of a call; none: the default of the plugin crate.
    pub deadline: Option<Duration>,
    /// Instructions for each row image of a call; none: the default of the plugin crate.
    pub fuel_per_row: Option<u64>,
    /// `[plugin.config]`: a JSON object, empty where there is none. Values may be secret.
    pub config: serde_json::Value,
    /// Which of its values are secret.
    pub secrets: ConfigSecrets,
    /// `[plugin.files]`: files that are handed over, by name.
    pub files: BTreeMap<String, PathBuf>,
}

/// How long an instance of a plugin lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// As long as the pipeline.
    Instance,
    /// For one batch.
    Batch,
}

/// What becomes of a row that a plugin rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRowError {
    /// The pipeline stops; nothing of the epoch is applied.
    Stop,
    /// The change is set aside with the reason, and the pipeline goes on.
    DeadLetter,
}

/// One `[[table]]`: what holds for some tables only.
#[derive(Clone, Debug)]
pub struct TableRule {
    /// The tables that are meant, by their names at the source.
    pub tables: TablePatterns,
    /// The patterns of `tables`, as written.
    pub tables_written: Vec<String>,
    /// The columns of the target that identify a row; none: what the chain or the source says.
    pub id_columns: Option<Vec<String>>,
    /// Whether id columns without a proof are taken to be unique.
    pub trust_ids: bool,
    /// What becomes of a table for which nothing identifies a row.
    pub without_key: WithoutKey,
}

/// What becomes of a table for which nothing identifies a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutKey {
    /// The pipeline stops.
    #[default]
    Stop,
    /// Its target is a multiset of whole rows.
    WholeRow,
}

/// What becomes of the target of a table that the source dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DroppedTables {
    /// It keeps its rows until a new table of that name has its first one.
    #[default]
    Keep,
    /// It is emptied.
    Empty,
    /// The pipeline stops.
    Stop,
}

/// Whether large data files get an index of their keys on the local disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyIndex {
    /// Where it pays.
    Auto,
    /// Never.
    Off,
}

/// `[sink]`: where the tables lie and how they are kept.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// The path of a target; a relative one lies below the manifest's folder.
    pub path: PathTemplate,
    /// The same, as written.
    pub path_written: PathTemplate,
    /// Whether a target gets the columns that its source gains.
    pub merge_schema: bool,
    /// With `merge_schema`: what becomes of the target of a table that the source dropped.
    pub dropped_tables: DroppedTables,
    /// A target is compacted after so many commits; none: the default of the lake crate.
    pub compact_commits: Option<u32>,
    /// A file is compacted once this share of its rows is deleted; none: the default of the lake crate.
    pub compact_deleted_share: Option<f64>,
    /// Size of a compacted file; none: the default of the lake crate.
    pub target_file_bytes: Option<u64>,
    /// Commits between two Delta log checkpoints; none: the default of the lake crate.
    pub log_checkpoint_commits: Option<u32>,
    /// Commits to a target between two vacuums; 0: never.
    pub vacuum_commits: Option<u32>,
    /// Whether large files get key indexes.
    pub key_index: KeyIndex,
}

impl fmt::Debug for PluginSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSettings")
            .field("name", &self.name)
            .field("component", &self.component)
            .field("tables", &self.tables_written)
            .field("config", &"***")
            .finish_non_exhaustive()
    }
}

impl Manifest {
    /// Reads a manifest for a run, with the process's environment.
    ///
    /// # Errors
    /// Names every mistake with its line and column.
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        Self::load_with(path, Purpose::Run, &|name| std::env::var(name).ok())
    }

    /// Reads a manifest for an offline test: source and checkpoint are not looked at, and references
    /// see these variables alone.
    ///
    /// # Errors
    /// Names every mistake with its line and column.
    pub fn load_for_test(
        path: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ManifestError> {
        Self::load_with(path, Purpose::Test, &|name| variables.get(name).cloned())
    }

    fn load_with(
        path: &Path,
        purpose: Purpose,
        environment: Environment<'_>,
    ) -> Result<Self, ManifestError> {
        let unreadable = |source| ManifestError::Unreadable { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let folder = std::path::absolute(path).map_err(unreadable)?;
        let folder = folder.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, path, folder, purpose, environment)
    }

    fn parse(
        text: &str,
        path: &Path,
        folder: &Path,
        purpose: Purpose,
        environment: Environment<'_>,
    ) -> Result<Self, ManifestError> {
        let problems = Problems::default();
        let manifest = tree::parse(text, &problems).and_then(|mut root| {
            if purpose == Purpose::Test {
                leave_out_source(&mut root);
            }
            Self::of(root, path, folder, purpose, environment, &problems)
        });
        match manifest {
            Some(manifest) if problems.is_empty() => Ok(manifest),
            _ => {
                let problems = problems.into_sorted();
                Err(ManifestError::Wrong { path: path.to_owned(), problems })
            }
        }
    }

    /// Reads settings for a run that stand somewhere else than in TOML; none where a mistake was told.
    pub(crate) fn of_tree(
        root: Table,
        path: &Path,
        folder: &Path,
        environment: Environment<'_>,
        problems: &Problems,
    ) -> Option<Self> {
        Self::of(root, path, folder, Purpose::Run, environment, problems)
    }

    fn of(
        mut root: Table,
        path: &Path,
        folder: &Path,
        purpose: Purpose,
        environment: Environment<'_>,
        problems: &Problems,
    ) -> Option<Self> {
        References { environment, folder, problems }.replace(&mut root);
        let read = read::sections(&root, folder, purpose, problems);
        Some(Self {
            pipeline: read.pipeline?,
            source: read.source?,
            plugins: read.plugins,
            tables: read.tables,
            sink: read.sink?,
            path: path.to_owned(),
            locations: read.locations,
        })
    }

    /// The file that it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rule of a table: the first `[[table]]` that matches.
    #[must_use]
    pub fn rule(&self, table: &TableName) -> Option<&TableRule> {
        self.tables.iter().find(|rule| rule.tables.matches(table))
    }

    /// Where a value of a plugin's configuration stands, by JSON pointer (RFC 6901; `""` is the whole
    /// of it); where there is no such value, what is around it.
    #[must_use]
    pub fn locate(&self, plugin: &str, pointer: &str) -> Option<Place> {
        self.locations.config(plugin, pointer)
    }

    /// Where a plugin's `component` stands.
    #[must_use]
    pub fn locate_component(&self, plugin: &str) -> Option<Place> {
        self.locations.component(plugin)
    }

    /// A mistake that was found after reading, such as one that a plugin found in its configuration.
    #[must_use]
    pub fn refuse(&self, place: Place, message: impl Into<String>) -> ManifestError {
        let problems = vec![Problem { place, message: message.into() }];
        ManifestError::Wrong { path: self.path.clone(), problems }
    }
}

/// Takes out of `[source]` and `[pipeline]` what an offline test brings itself, references included.
fn leave_out_source(root: &mut Table) {
    let mut leave_out = |section: &str, replaced: fn(&str) -> bool| {
        let entry = root.entries.iter_mut().find(|entry| entry.key == section);
        if let Some(Value::Table(table)) = entry.map(|entry| &mut entry.node.value) {
            table.entries.retain(|entry| !replaced(&entry.key));
        }
    };
    leave_out("source", |key| !read::SOURCE_KEYS_IN_TEST.contains(&key));
    leave_out("pipeline", |key| key == "checkpoint");
}
