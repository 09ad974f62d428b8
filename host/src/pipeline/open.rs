//! Opens everything that a run needs, in the order in which mistakes are cheapest to find: the plugins, the
//! checkpoint, the targets, the source.

use std::path::PathBuf;
use std::sync::Arc;

use binlog::{
    BinlogError, FileSource, ReadOptions, ServerOptions, Start, TlsMode, TlsOptions, UnknownXa,
    live,
};
use change::{Definitions, LoadState, Position};
use lake::{Fold, FoldOptions, KeyIndexes, Lake, LakeOptions, Maintenance, NewColumns, Recovered};
use plugin::Chain;
use tracing::{info, warn};

use super::RunOptions;
use super::error::RunError;
use super::fold_step::{EpochLimits, FoldStep};
use super::given;
use super::load::{LoadOptions, Loading};
use super::meter::Meter;
use super::resume::{self, Resume};
use super::schema_history::SchemaHistory;
use super::schema_merge::SchemaMerge;
use super::schema_policy::SchemaPolicy;
use super::sink::{AnySink, TableSink};
use super::source::{AnySource, LiveEnd, Reconnecting};
use super::transform_step::TransformStep;
use crate::chain;
use crate::checkpoint::Checkpoint;
use crate::manifest::{
    self, Cascades, KeyIndex, Manifest, ServerSettings, Snapshot, SourceFrom, StartAt,
};

/// Of the pipeline's memory, the share that an open epoch may hold. The epoch before it is written
/// meanwhile, and gathering its rows takes as much again.
const EPOCH_SHARE: usize = 8;

/// Of the pipeline's memory, the share of all slices between the source and the open epoch.
const SLICES_SHARE: usize = 8;

/// Of the pipeline's memory, the share that rewriting a table's files may hold.
const COMPACT_SHARE: usize = 4;

/// Of the pipeline's memory, the share that is held of key indexes.
const KEY_INDEX_SHARE: usize = 8;

/// The folder of the key indexes below that of the checkpoint.
const KEY_INDEX_FOLDER: &str = "key-index";

/// Of the pipeline's memory, the bytes of log in one slice: one is decoded, one waits at either side of the
/// chain, and one is in it. Columns may take more than the log did.
const SLICE_SHARE: usize = 32;

/// Of the pipeline's memory, the share that one transaction may take before it ends.
const TRANSACTION_SHARE: usize = 1;

/// Everything that a run needs.
pub struct Parts {
    /// Where slices come from.
    pub source: AnySource,
    /// The chain.
    pub transform: TransformStep,
    /// The open epoch.
    pub fold: FoldStep,
    /// Where epochs end.
    pub sink: AnySink,
    /// Bytes that slices on their way from the source into the open epoch may hold.
    pub slices_bytes_max: usize,
    /// Counts.
    pub meter: Arc<Meter>,
}

/// Opens the parts of a run.
///
/// # Errors
/// The first part that cannot be opened.
pub async fn open(manifest: &Manifest, options: &RunOptions) -> Result<Parts, RunError> {
    let chain = load_chain(manifest, options)?;
    let digest = digest(&chain, manifest);
    let (folder, name) = (&manifest.pipeline.checkpoint, &manifest.pipeline.name);
    let mut checkpoint = match options.dry_run {
        true => None,
        false => Some(Checkpoint::open(folder, name)?),
    };
    let state = match &checkpoint {
        Some(checkpoint) => checkpoint.state().cloned(),
        None => Checkpoint::peek(folder, name)?,
    };
    let state = resume::usable(state, manifest);
    let last_chain = resume::last_chain(state.as_ref());
    let key_indexes = checkpoint.as_ref().and_then(|_| key_indexes(manifest));
    let lake_options = LakeOptions { last_chain, key_indexes, ..lake_options(manifest, &digest) };
    let mut history = SchemaHistory::open(manifest, &lake_options.store).await?;
    let lake = Lake::open(lake_options).await?;
    let recovered = lake.recovered().clone();
    let resume = resume::decide(state.as_ref(), &recovered, &digest)?;
    let known = known_definitions(manifest, options, &resume, &history)?;
    let load = to_load(manifest, &resume);
    let (source, begin) = open_source(manifest, options, &resume, known, load.clone()).await?;
    info!(position = %begin, resumed = resume.position.is_some(), "reading");
    if checkpoint.is_some() {
        history.begin(&begin, source.definitions(), resume.position.is_none()).await?;
    }
    let moving = resume::moving(&manifest.source.start);
    let is_live = !matches!(source, AnySource::Files(_));
    if let (Some(checkpoint), None, true, Some(start)) =
        (&mut checkpoint, &resume.position, is_live, moving)
    {
        // The next run begins here too, even where this one commits nothing.
        checkpoint.begin(begin.clone(), &start)?;
    }
    let accepted = options.accept_schema_change.then(|| begin.clone());
    let sink = match checkpoint {
        Some(checkpoint) => {
            let prefix = manifest.sink.path.prefix().to_owned();
            AnySink::Tables(Box::new(TableSink::new(lake, checkpoint, history, digest, prefix)))
        }
        None => AnySink::DryRun(Box::default()),
    };
    let fold = FoldStep::new(
        Fold::new(fold_options(manifest, recovered)),
        EpochLimits {
            trigger: manifest.pipeline.trigger,
            bytes_max: manifest.pipeline.memory_bytes / EPOCH_SHARE,
        },
        SchemaPolicy::accepting(accepted).merging(SchemaMerge::of(manifest)),
        resume.epoch,
        begin,
        resume.sources,
    )
    .loading(load.or(resume.load));
    let transform = TransformStep::new(chain, manifest);
    let slices_bytes_max = manifest.pipeline.memory_bytes / SLICES_SHARE;
    Ok(Parts { source, transform, fold, sink, slices_bytes_max, meter: Arc::default() })
}

/// What decides which rows a run writes.
#[must_use]
pub fn digest(chain: &Chain, manifest: &Manifest) -> String {
    format!("{}-{}", chain.digest(), manifest.digest())
}

fn load_chain(manifest: &Manifest, options: &RunOptions) -> Result<Chain, RunError> {
    let logs = options.plugin_logs.then(chain::log_to_tracing);
    let engine = chain::engine(logs)?;
    Ok(Chain::load(&engine, chain::specs(manifest)?)?)
}

/// How the targets of a manifest are written.
#[must_use]
pub fn lake_options(manifest: &Manifest, digest: &str) -> LakeOptions {
    let sink = &manifest.sink;
    let default = Maintenance::default();
    LakeOptions {
        new_columns: if sink.merge_schema { NewColumns::Add } else { NewColumns::Refuse },
        maintenance: Maintenance {
            file_bytes: sink.target_file_bytes.unwrap_or(default.file_bytes),
            compact_commits: sink.compact_commits.map_or(default.compact_commits, u64::from),
            dead_share_max: sink.compact_deleted_share.unwrap_or(default.dead_share_max),
            memory_bytes_max: u64::try_from(manifest.pipeline.memory_bytes / COMPACT_SHARE)
                .unwrap_or(u64::MAX),
            checkpoint_commits: sink
                .log_checkpoint_commits
                .map_or(default.checkpoint_commits, u64::from),
            vacuum_commits: sink.vacuum_commits.map_or(default.vacuum_commits, u64::from),
            ..default
        },
        ..LakeOptions::new(sink.path.clone(), manifest.pipeline.name.as_str(), digest)
    }
}

/// Where key indexes lie. They belong to this machine alone, like the checkpoint.
fn key_indexes(manifest: &Manifest) -> Option<KeyIndexes> {
    let on = manifest.sink.key_index == KeyIndex::Auto;
    on.then(|| KeyIndexes {
        folder: manifest.pipeline.checkpoint.join(KEY_INDEX_FOLDER),
        memory_bytes_max: manifest.pipeline.memory_bytes / KEY_INDEX_SHARE,
    })
}

fn fold_options(manifest: &Manifest, recovered: Recovered) -> FoldOptions {
    let covered = recovered.covered().map(|(t, p)| (t.clone(), p.clone())).collect();
    // Of a target that was left by its table the next one tells the id columns.
    let told = |sources: &lake::SourceKeys| !sources.id_columns.is_empty() || sources.incomplete;
    let sources = recovered.targets.into_iter();
    let sources = sources.filter_map(|(t, r)| Some((t, Arc::new(r.sources.filter(told)?))));
    FoldOptions {
        path: manifest.sink.path.clone(),
        targets_max: manifest.pipeline.targets_max,
        deletes: lake::Deletes::Remove,
        covered,
        sources: sources.collect(),
    }
}

/// How the log of a manifest is read.
#[must_use]
pub fn read_options(manifest: &Manifest) -> ReadOptions {
    let memory = manifest.pipeline.memory_bytes;
    let default = ReadOptions::default();
    ReadOptions {
        tables: manifest.source.tables.clone(),
        slice_bytes_max: default.slice_bytes_max.min(memory / SLICE_SHARE),
        transaction_bytes_max: memory / TRANSACTION_SHARE,
        zero_dates: match manifest.source.zero_dates {
            manifest::ZeroDates::Error => binlog::ZeroDates::Error,
            manifest::ZeroDates::Null => binlog::ZeroDates::Null,
        },
        ..default
    }
}

/// The definitions of tables where a run begins, as far as they are known before the log is read: what the
/// operator says of tables that earlier runs do not know, what those kept, else what the manifest says of its start.
///
/// # Errors
/// Where a file that is named gives none.
pub fn known_definitions(
    manifest: &Manifest,
    options: &RunOptions,
    resume: &Resume,
    history: &SchemaHistory,
) -> Result<Definitions, RunError> {
    let named = match (&options.definitions, &resume.position) {
        (Some(path), Some(position)) => {
            let kept = history.at(position).cloned().unwrap_or_default();
            return Ok(given::beside(path, &kept)?);
        }
        (Some(path), None) => Some(path),
        // The file of the manifest says how tables were at its start, and no more.
        (None, Some(position)) => return Ok(history.at(position).cloned().unwrap_or_default()),
        (None, None) => manifest.source.definitions.as_ref(),
    };
    Ok(named.map_or_else(|| Ok(Definitions::default()), |path| given::definitions(path))?)
}

/// The load that a run has to begin or to go on with: that of a new pipeline, or what an earlier run left.
fn to_load(manifest: &Manifest, resume: &Resume) -> Option<LoadState> {
    let is_new = resume.epoch <= 1;
    match (manifest.source.snapshot, &resume.load) {
        (Snapshot::Initial, Some(state)) => (!state.is_finished).then(|| state.clone()),
        (Snapshot::Initial, None) => is_new.then(LoadState::default),
        (Snapshot::Never, Some(state)) if !state.is_finished => {
            warn!(
                "the load of the tables is not finished, and snapshot = \"never\": the rows that are left stay away"
            );
            None
        }
        (Snapshot::Never, _) => None,
    }
}

/// The source and the position that it begins at.
async fn open_source(
    manifest: &Manifest,
    options: &RunOptions,
    resume: &Resume,
    definitions: Definitions,
    load: Option<LoadState>,
) -> Result<(AnySource, Position), RunError> {
    let mut read = ReadOptions { definitions, ..read_options(manifest) };
    if resume.epoch > 1 {
        // The position is one that this pipeline stored: it lies before all that is prepared.
        read.unknown_xa = UnknownXa::Pass;
    }
    match &manifest.source.from {
        SourceFrom::Files(_) => {
            let files = manifest.source.files()?;
            let start = start_in_files(manifest, resume, &files)?;
            let source = FileSource::open(&files, start.as_ref(), read)?;
            let begin = resume.position.clone().unwrap_or_else(|| source.position());
            Ok((AnySource::Files(Box::new(source)), begin))
        }
        SourceFrom::Server(settings) => {
            let start = start_at_server(manifest, resume);
            let server = server_options(settings);
            if settings.cascades == Cascades::Stop {
                refuse_cascades(&server, &read).await?;
            }
            let end = if options.until_end { LiveEnd::Now } else { LiveEnd::Never };
            // A load decides by itself where such a run ends.
            let stream_end = if load.is_some() { LiveEnd::Never } else { end };
            let connected = Reconnecting::connect(server.clone(), start, stream_end, read.clone());
            let source = connected.await?;
            let begin = resume.position.clone().or_else(|| source.position());
            let begin = begin.unwrap_or_else(|| Position::at("", 0));
            let Some(load) = load else {
                return Ok((AnySource::Live(Box::new(source)), begin));
            };
            let rows_per_second = manifest.source.snapshot_rows_per_second;
            let options = LoadOptions { rows_per_second, end };
            let loading = Loading::begin(source, server, read, load, options).await?;
            Ok((AnySource::Loading(Box::new(loading)), begin))
        }
    }
}

/// # Errors
/// Where a captured table has rows that the server changes without telling it in its log.
pub async fn refuse_cascades(server: &ServerOptions, read: &ReadOptions) -> Result<(), RunError> {
    let cascades = live::cascades(server, read).await?;
    match cascades.as_slice() {
        [] => Ok(()),
        all => {
            let text = |c: &live::Cascade| format!("{} ({})", c.table, c.constraint);
            let tables = all.iter().map(text).collect::<Vec<_>>().join(", ");
            Err(RunError::Cascades { server: server.address(), tables })
        }
    }
}

/// Where a run reads recorded files from; none: their head.
///
/// # Errors
/// Where they cannot be read up to the time that the manifest's start names.
pub fn start_in_files(
    manifest: &Manifest,
    resume: &Resume,
    files: &[PathBuf],
) -> Result<Option<Position>, BinlogError> {
    match start_at_server(manifest, resume) {
        Start::At(position) => Ok(Some(position)),
        Start::Time(seconds) => FileSource::position_at(files, seconds).map(Some),
        Start::Earliest | Start::Latest => Ok(None),
    }
}

/// Where a run reads a server's log from.
#[must_use]
pub fn start_at_server(manifest: &Manifest, resume: &Resume) -> Start {
    match (&resume.position, &manifest.source.start) {
        (Some(position), _) => Start::At(position.clone()),
        (None, StartAt::File { file, offset }) => Start::At(Position::at(file, *offset)),
        (None, StartAt::Gtid(set)) => Start::At(behind(set)),
        (None, StartAt::Time(seconds)) => Start::Time(*seconds),
        (None, StartAt::Earliest) => Start::Earliest,
        (None, StartAt::Latest) => Start::Latest,
    }
}

/// A position that is known by its GTID set alone.
fn behind(set: &change::GtidSet) -> Position {
    Position { gtids: Some(set.clone()), ..Position::at("", 0) }
}

/// How to reach the manifest's server.
#[must_use]
pub fn server_options(settings: &ServerSettings) -> ServerOptions {
    let client = settings.tls_cert.clone().zip(settings.tls_key.clone());
    ServerOptions {
        port: settings.port,
        password: settings.password.as_ref().map(|p| p.reveal().to_owned()),
        tls: TlsOptions { mode: tls_mode(settings.tls), ca: settings.tls_ca.clone(), client },
        server_id: settings.server_id,
        connect_timeout: settings.connect_timeout,
        ..ServerOptions::new(settings.host.as_str(), settings.user.as_str())
    }
}

fn tls_mode(mode: manifest::TlsMode) -> TlsMode {
    match mode {
        manifest::TlsMode::Disabled => TlsMode::Disabled,
        manifest::TlsMode::Preferred => TlsMode::Preferred,
        manifest::TlsMode::Required => TlsMode::Required,
        manifest::TlsMode::VerifyCa => TlsMode::VerifyCa,
        manifest::TlsMode::VerifyIdentity => TlsMode::VerifyIdentity,
    }
}
