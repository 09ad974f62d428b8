//! What the targets themselves know: where they are, and how far each has come.
//!
//! This is what a pipeline goes on from when its own checkpoint is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use change::{LoadState, PathTemplate, Position, TargetPath};
use deltalake::ObjectStoreError;
use object_store::path::Path as StorePath;

use crate::error::LakeError;
use crate::sources::SourceKeys;
use crate::storage::{Home, LOG_FOLDER, StoreOptions, local_path};
use crate::table::progress::Progress;
use crate::table::state::{PIPELINE_PROPERTY, State};
use crate::table::{Shared, Table};

/// Folders looked at below a template's prefix. A target a folder: more than `max-targets` of them
/// many times over, and few enough to be walked in seconds.
const FOLDERS_MAX: usize = 200_000;

/// What one target knows of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredTarget {
    /// Up to here it has everything; none where the pipeline made it but never committed a row.
    pub covered: Option<Position>,
    /// Every target had passed this point when its newest commit was made.
    pub all_durable: Option<Position>,
    /// The epoch of that commit; 0 where it is not known any more.
    pub epoch: u64,
    /// The pipeline's commits to it so far.
    pub counter: i64,
    /// The digest of the chain that made that commit; empty where it is not known any more.
    pub chain: String,
    /// How its source tables are told apart (`FoldOptions::sources`).
    pub sources: Option<SourceKeys>,
}

/// What all targets know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Each target of the pipeline.
    pub targets: BTreeMap<TargetPath, RecoveredTarget>,
    /// The furthest point that every target had passed; resume there.
    pub all_durable: Option<Position>,
    /// The greatest epoch number; the next one is greater.
    pub epoch: u64,
    /// How far the load of tables was when that epoch began; none where it is not known or there was none.
    pub load: Option<LoadState>,
}

impl Recovered {
    pub(crate) fn of<'a>(tables: impl Iterator<Item = &'a Table>) -> Self {
        let mut recovered = Self::default();
        for table in tables {
            let progress = table.progress();
            if let Some(found) = &progress.all_durable
                && recovered.all_durable.as_ref().is_none_or(|known| found.reaches(known))
            {
                recovered.all_durable = Some(found.clone());
            }
            if progress.epoch >= recovered.epoch && progress.load.is_some() {
                recovered.load.clone_from(&progress.load);
            }
            recovered.epoch = recovered.epoch.max(progress.epoch);
            let target = RecoveredTarget {
                covered: progress.covered.clone(),
                all_durable: progress.all_durable.clone(),
                epoch: progress.epoch,
                counter: progress.counter,
                chain: progress.chain.clone(),
                sources: table.source_keys(),
            };
            recovered.targets.insert(table.home().target().clone(), target);
        }
        recovered
    }

    /// Up to where each target has everything.
    pub fn covered(&self) -> impl Iterator<Item = (&TargetPath, &Position)> {
        self.targets.iter().filter_map(|(target, t)| Some((target, t.covered.as_ref()?)))
    }

    /// The digests of the chains that the targets' newest commits were made with.
    #[must_use]
    pub fn chains(&self) -> BTreeSet<&str> {
        self.targets.values().map(|t| t.chain.as_str()).filter(|c| !c.is_empty()).collect()
    }
}

/// Opens a table where it is one of this pipeline; the tables of others that lie below the same
/// prefix are nobody's business until a row is routed to them.
pub(crate) async fn open_own(home: Home, shared: &Shared) -> Result<Option<Table>, LakeError> {
    let pipeline = &shared.settings.pipeline;
    match Table::open(home.clone(), shared).await {
        Ok(table) => Ok(table.filter(|t| t.progress().counter > 0 || t.is_own())),
        Err(error) if is_ours(&home, pipeline).await => Err(error),
        Err(error) => {
            tracing::debug!(target = %home.target(), %error, "not a table of this pipeline");
            Ok(None)
        }
    }
}

/// Whether a table that cannot be opened is one of this pipeline: by its property, where it has none
/// by what the pipeline left in its log. Yes where nothing can be told.
async fn is_ours(home: &Home, pipeline: &str) -> bool {
    match State::load(home, None).await {
        Ok(None) => false,
        Ok(Some(state)) => match state.property(PIPELINE_PROPERTY) {
            Some(owner) => owner == pipeline,
            None => state
                .history(home, pipeline)
                .await
                .map_or(true, |history| history.progress.is_some()),
        },
        Err(_) => log_names(home, pipeline).await,
    }
}

/// Whether the text of a log that cannot be understood names the pipeline.
async fn log_names(home: &Home, pipeline: &str) -> bool {
    let name = serde_json::Value::from(pipeline).to_string();
    let application = serde_json::Value::from(Progress::application(pipeline)).to_string();
    for version in 0_u64.. {
        match home.read_entry(version).await {
            Ok(Some(entry)) => {
                let text = String::from_utf8_lossy(&entry);
                let property = format!("\"{PIPELINE_PROPERTY}\":{name}");
                if text.contains(&application) || text.contains(&property) {
                    return true;
                }
            }
            // Entries that were cleaned away may have named it.
            Ok(None) => return version == 0,
            Err(_) => return true,
        }
    }
    true
}

/// The paths below the template's prefix that it may render and that hold a Delta table.
pub(crate) async fn targets(
    template: &PathTemplate,
    store: &StoreOptions,
) -> Result<Vec<TargetPath>, LakeError> {
    let source = template.source();
    let prefix = template.prefix();
    let rest = source.strip_prefix(prefix).unwrap_or_default();
    let (rest, end) = match rest.strip_suffix('/') {
        Some(rest) => (rest, "/"),
        None => (rest, ""),
    };
    // A segment is matched by the text before its first and behind its last placeholder.
    let segments: Vec<(&str, &str)> = rest
        .split('/')
        .filter(|s| !s.is_empty())
        .map(|s| match (s.split_once('{'), s.rsplit_once('}')) {
            (Some((head, _)), Some((_, tail))) => (head, tail),
            _ => (s, ""),
        })
        .collect();
    let mut found = vec![prefix.to_owned()];
    let mut looked = 0_usize;
    for (head, tail) in segments {
        let mut next = Vec::new();
        for folder in found {
            for name in folders_in(&folder, store).await? {
                looked = looked.saturating_add(1);
                if looked > FOLDERS_MAX {
                    return Err(LakeError::Location {
                        target: source.to_owned(),
                        reason: format!("there are more than {FOLDERS_MAX} folders below {prefix}"),
                    });
                }
                let fits = name.len() > head.len().saturating_add(tail.len())
                    || (tail.is_empty() && name == head);
                if name != LOG_FOLDER && fits && name.starts_with(head) && name.ends_with(tail) {
                    next.push(format!("{folder}/{name}"));
                }
            }
        }
        found = next;
    }
    let mut targets = Vec::new();
    for folder in found {
        if folders_in(&folder, store).await?.iter().any(|n| n == LOG_FOLDER) {
            targets.push(TargetPath(format!("{folder}{end}").into()));
        }
    }
    targets.sort_unstable();
    Ok(targets)
}

/// The names of the folders in a folder; none where it does not exist.
async fn folders_in(folder: &str, store: &StoreOptions) -> Result<Vec<String>, LakeError> {
    if folder.contains("://") {
        let home = Home::new(TargetPath(folder.into()), store)?;
        let listed = match home.store().list_with_delimiter(None).await {
            Ok(listed) => listed,
            Err(ObjectStoreError::NotFound { .. }) => return Ok(Vec::new()),
            Err(e) => return Err(home.storage_error("list its folders", e)),
        };
        let name = |p: &StorePath| p.filename().map(str::to_owned);
        return Ok(listed.common_prefixes.iter().filter_map(name).collect());
    }
    let path = if folder.is_empty() { PathBuf::from("/") } else { local_path(folder)? };
    let target = folder.to_owned();
    let listed = tokio::task::spawn_blocking(move || list(&path)).await;
    let listed = listed.map_err(|e| LakeError::Internal(format!("a walk did not end: {e}")))?;
    listed.map_err(|e| LakeError::Storage {
        target,
        action: "list its folders".into(),
        source: Box::new(e),
    })
}

fn list(path: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Follows links: a table may lie behind one.
        if std::fs::metadata(entry.path()).is_ok_and(|m| m.is_dir())
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tables_are_found_where_the_template_may_put_them() {
        let root = tempfile::tempdir().expect("a folder");
        let base = root.path().to_str().expect("UTF-8").to_owned();
        for table in ["a/x_v1", "a/y_v2", "b/z_v1", "b/deep/er_v1", "c_v1", "a/_v1", "a/h#1 ü_v1"]
        {
            let log = root.path().join(table).join(LOG_FOLDER);
            std::fs::create_dir_all(log).expect("made");
        }
        std::fs::create_dir_all(root.path().join("a/no_v1/other")).expect("made");
        let store = StoreOptions::default();
        let cases = [
            ("/{db}/{table}_v1", vec!["/a/h#1 ü_v1", "/a/x_v1", "/b/z_v1"]),
            ("/a/{table}/", vec!["/a/_v1/", "/a/h#1 ü_v1/", "/a/x_v1/", "/a/y_v2/"]),
            ("/c_v1", vec!["/c_v1"]),
            ("/none/{table}", vec![]),
        ];
        for (path, expected) in cases {
            let template = PathTemplate::parse(&format!("{base}{path}")).expect("valid");
            let found = targets(&template, &store).await.expect("walked");
            let found: Vec<&str> =
                found.iter().filter_map(|t| t.0.strip_prefix(base.as_str())).collect();
            assert_eq!(found, expected, "{path}");
        }
    }
}
