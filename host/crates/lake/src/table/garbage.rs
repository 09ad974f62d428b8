//! Finds the files that no version within the retention needs: data files and deletion vectors alike.
//!
//! A file that the log names goes by the log alone: it is needed while it is part of the newest
//! version, and for the retention after the commit that took it out. Its own age says nothing: a
//! deletion vector of nine days that was replaced a minute ago is what the version before reads. A file
//! that the log does not name may be one that a writer is about to commit, and goes by its age. Whatever
//! has not the name of a Delta file, and every folder that is not a partition's, is never touched.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, StructArray};
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::table_properties::TableProperties;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStoreExt};
use uuid::Uuid;

use crate::error::LakeError;
use crate::storage::Home;
use crate::table::deletion;
use crate::table::state::State;

/// The property with the time for which files that were taken out stay readable.
pub(crate) const RETENTION_PROPERTY: &str = "delta.deletedFileRetentionDuration";

/// The protocol's default for it.
const RETENTION_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A file that the log does not name stays at least so long, whatever retention was asked for: longer
/// than any write is under way.
const UNNAMED_MIN: Duration = Duration::from_secs(3600);

/// Files that are deleted at once.
const DELETES_AT_ONCE: usize = 16;

/// A file that nothing needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Garbage {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// What the log says of files.
#[derive(Debug, Default)]
struct Named {
    /// Part of the newest version.
    active: HashSet<String>,
    /// Taken out, with the latest time that says so in milliseconds since 1970; none where an entry
    /// does not tell the time.
    gone: HashMap<String, Option<i64>>,
}

/// The retention that a table's property sets.
pub(crate) fn retention(target: &str, state: &State) -> Result<Duration, LakeError> {
    let Some(text) = state.property(RETENTION_PROPERTY) else { return Ok(RETENTION_DEFAULT) };
    let parsed = TableProperties::from([(RETENTION_PROPERTY, text)]);
    parsed.deleted_file_retention_duration.ok_or_else(|| LakeError::Incompatible {
        target: target.to_owned(),
        reason: format!("its property `{RETENTION_PROPERTY}` is no interval of time"),
        hint: format!("set `{RETENTION_PROPERTY}` to a text such as `interval 7 days`"),
    })
}

/// The files that no version of the last `retention` needs, by name. Nothing is deleted.
pub(crate) async fn find(
    home: &Home,
    retention: Duration,
    now_ms: i64,
) -> Result<Vec<Garbage>, LakeError> {
    let (mut found, folders) = list(home, None).await?;
    // Read behind the listing: what was committed meanwhile is named.
    let Some(state) = State::load(home, None).await? else {
        let target = home.target().to_string();
        return Err(LakeError::Vanished { target, missing: "its log".into() });
    };
    let mut level = folders;
    for column in state.metadata.partition_columns() {
        let prefix = format!("{column}=");
        let mut next = Vec::new();
        for folder in level {
            if folder.filename().is_some_and(|name| name.starts_with(&prefix)) {
                let (files, folders) = list(home, Some(&folder)).await?;
                found.extend(files);
                next.extend(folders);
            }
        }
        level = next;
    }
    let named = named(home, &state).await?;
    let cutoff =
        |age: Duration| now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let (named_before, written_before) = (cutoff(retention), cutoff(retention.max(UNNAMED_MIN)));
    let is_garbage = |file: &ObjectMeta| {
        let name = file.location.as_ref();
        if named.active.contains(name) {
            return false;
        }
        let written = || {
            let modified_ms = file.last_modified.timestamp_millis();
            home.disk().named_ms(name).map_or(modified_ms, |named_ms| named_ms.max(modified_ms))
        };
        match named.gone.get(name) {
            Some(None) => false,
            Some(Some(gone)) if *gone >= named_before => false,
            // A file that came under the same name since is not the one that went.
            Some(Some(gone)) => written() <= (*gone).max(written_before),
            None => is_of_delta(name) && written() <= written_before,
        }
    };
    let mut garbage: Vec<Garbage> = found
        .iter()
        .filter(|file| is_garbage(file))
        .map(|file| Garbage { name: file.location.to_string(), bytes: file.size })
        .collect();
    garbage.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(garbage)
}

/// Deletes files; one that is gone already is none the worse for it.
pub(crate) async fn delete(home: &Home, files: &[Garbage]) -> Result<(), LakeError> {
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let deletes = futures::stream::iter(names).map(|name| {
        let home = home.clone();
        async move {
            match home.store().delete(&home.path(&name)?).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(e) => Err(home.storage_error(format!("delete {name}"), e)),
            }
        }
    });
    deletes.buffer_unordered(DELETES_AT_ONCE).try_collect().await
}

/// The files and folders right in a folder.
async fn list(
    home: &Home,
    folder: Option<&StorePath>,
) -> Result<(Vec<ObjectMeta>, Vec<StorePath>), LakeError> {
    let listed = home.store().list_with_delimiter(folder).await;
    let listed = listed.map_err(|e| home.storage_error("list its files", e))?;
    Ok((listed.objects, listed.common_prefixes))
}

/// Whether a name is one that Delta writers give: Spark's, delta-rs' and Sluice's data files, those of
/// the Delta kernel, deletion vectors.
fn is_of_delta(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    if let Some(id) = file.strip_prefix("deletion_vector_") {
        return id.strip_suffix(".bin").is_some_and(|id| Uuid::parse_str(id).is_ok());
    }
    let stem = file.strip_suffix(".parquet");
    stem.is_some_and(|stem| stem.starts_with("part-") || Uuid::parse_str(stem).is_ok())
}

async fn named(home: &Home, state: &State) -> Result<Named, LakeError> {
    let mut named = Named::default();
    for file in state.files.iter() {
        named.active.insert(file.name().to_owned());
        if let Some(vector) = file.vector() {
            named.active.extend(deletion::file_name(vector));
            // Of one that is written as a whole URL.
            named.active.insert(below(home, &vector.path_or_inline_dv).to_owned());
        }
    }
    let engine = home.log().engine(None);
    let (url, version) = (home.url().clone(), state.version);
    let read = move || -> delta_kernel::DeltaResult<Vec<RecordBatch>> {
        let snapshot =
            delta_kernel::Snapshot::builder_for(url).at_version(version).build(engine.as_ref())?;
        let removes = delta_kernel::actions::get_commit_schema().project(&["remove"])?;
        let mut batches = Vec::new();
        for batch in snapshot.log_segment().read_actions(engine.as_ref(), removes)? {
            let actions = ArrowEngineData::try_from_engine_data(batch?.actions)?;
            batches.push(actions.record_batch().clone());
        }
        Ok(batches)
    };
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(|e| LakeError::Internal(format!("a log replay did not end: {e}")))?;
    let batches = read.map_err(|e| home.delta_error("read the files that were taken out", e))?;
    for batch in &batches {
        read_removes(home, batch, &mut named.gone)
            .ok_or_else(|| home.damaged("its log", "`remove` actions have an unknown form"))?;
    }
    Ok(named)
}

/// Takes up the struct column `remove`; none where it is of another form.
fn read_removes(
    home: &Home,
    batch: &RecordBatch,
    gone: &mut HashMap<String, Option<i64>>,
) -> Option<()> {
    let text = |all: &StructArray, name: &str| all.column_by_name(name).map(Arc::clone);
    let all = batch.column_by_name("remove")?.as_struct_opt()?;
    let paths = text(all, "path")?;
    let paths = paths.as_string_opt::<i32>()?;
    let times = text(all, "deletionTimestamp")?;
    let times = times.as_primitive_opt::<Int64Type>()?;
    let vectors = text(all, "deletionVector")?;
    let vectors = vectors.as_struct_opt()?;
    let (kinds, places) = (text(vectors, "storageType")?, text(vectors, "pathOrInlineDv")?);
    let (kinds, places) = (kinds.as_string_opt::<i32>()?, places.as_string_opt::<i32>()?);
    for row in (0..all.len()).filter(|row| all.is_valid(*row) && paths.is_valid(*row)) {
        let time = times.is_valid(row).then(|| times.value(row));
        let mut put = |name: String| {
            let known = gone.entry(name).or_insert(time);
            *known = known.zip(time).map(|(a, b)| a.max(b));
        };
        // As it is written, and as the store has it.
        let path = below(home, paths.value(row));
        if let Ok(decoded) = StorePath::from_url_path(path) {
            put(decoded.to_string());
        }
        put(path.to_owned());
        if vectors.is_valid(row) && places.is_valid(row) && kinds.is_valid(row) {
            let place = places.value(row);
            match kinds.value(row) {
                "u" => deletion::relative_name(place).into_iter().for_each(&mut put),
                "p" => put(below(home, place).to_owned()),
                _ => {}
            }
        }
    }
    Some(())
}

/// A path below the table where it is written as a whole URL.
fn below<'a>(home: &Home, path: &'a str) -> &'a str {
    path.strip_prefix(home.url().as_str()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_delta_are_candidates() {
        let uuid = "d2c639aa-8816-431a-aaf6-d3fe2512ff61";
        let ours = [
            format!("part-00000-{uuid}-c000.snappy.parquet"),
            format!("deletion_vector_{uuid}.bin"),
            format!("day=2026-01-01/part-0-{uuid}.parquet"),
            format!("{uuid}.parquet"),
        ];
        for name in ours {
            assert!(is_of_delta(&name), "{name}");
        }
        for name in ["export.parquet", "README.md", "deletion_vector_1.bin", "part-1.csv", "a.bin"]
        {
            assert!(!is_of_delta(name), "{name}");
        }
    }
}
