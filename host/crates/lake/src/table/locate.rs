//! Finds the live rows that have given keys, by reading the id columns of every file and row group
//! whose bounds do not rule them out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use roaring::RoaringTreemap;

use crate::cache::Cache;
use crate::error::LakeError;
use crate::index::{Allowance, Indexed, Indexes, KeyIndexes};
use crate::storage::Home;
use crate::table::bounds::Bounds;
use crate::table::deletion;
use crate::table::files::{DataFile, Files};
use crate::table::keys::Wanted;
use crate::table::read::{self, Footers};

/// Files that are read at once: enough to keep a few cores busy and a disk's queue filled.
pub(crate) const FILES_AT_ONCE: usize = 8;

/// Bytes of deletion vectors that are kept, over all tables.
pub(crate) const VECTORS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Deletion vectors by table, data file, vector file and offset; none of these is ever used again
/// for something else.
pub(crate) type Vectors = Cache<String, Arc<RoaringTreemap>>;

/// What is kept in memory of files, over all tables.
#[derive(Debug)]
pub(crate) struct Caches {
    pub(crate) footers: Footers,
    pub(crate) vectors: Vectors,
    pub(crate) indexes: Indexes,
}

impl Default for Caches {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Caches {
    pub(crate) fn new(indexes: Option<KeyIndexes>) -> Self {
        Self {
            footers: Cache::new(read::FOOTERS_BYTES_MAX),
            vectors: Cache::new(VECTORS_BYTES_MAX),
            indexes: Indexes::new(indexes),
        }
    }
}

/// The rows found in one file.
#[derive(Debug)]
pub(crate) struct Found {
    /// The file's name.
    pub(crate) file: String,
    /// All rows of the file, dead ones included.
    pub(crate) rows: u64,
    /// The rows that die: they have one of the keys and are still alive.
    pub(crate) dying: RoaringTreemap,
    /// The rows that were dead before.
    pub(crate) dead: Arc<RoaringTreemap>,
}

/// All live rows with one of the keys, by file.
pub(crate) async fn locate(
    home: &Home,
    caches: &Arc<Caches>,
    files: &Files,
    wanted: &Arc<Wanted>,
) -> Result<BTreeMap<String, Found>, LakeError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let candidates: Vec<DataFile> =
        files.iter().filter(|f| wanted.may_lie_in(f.bounds(wanted.schema()))).cloned().collect();
    let allowance = Arc::new(Allowance::default());
    let found = futures::stream::iter(candidates).map(|file| {
        let (home, caches, wanted) = (home.clone(), Arc::clone(caches), Arc::clone(wanted));
        let allowance = Arc::clone(&allowance);
        // A task of its own, so that files are decoded on several cores.
        let task =
            tokio::spawn(async move { look_in(&home, &caches, &file, wanted, &allowance).await });
        async move {
            let ended = task.await;
            ended.map_err(|e| LakeError::Internal(format!("a scan did not end: {e}")))?
        }
    });
    let found: Vec<Option<Found>> = found.buffer_unordered(FILES_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().map(|f| (f.file.clone(), f)).collect())
}

/// The dead rows of a file.
pub(crate) async fn dead_rows(
    home: &Home,
    caches: &Caches,
    file: &DataFile,
) -> Result<Arc<RoaringTreemap>, LakeError> {
    let Some(vector) = file.vector() else { return Ok(Arc::default()) };
    let key = vector_key(home, file.name(), &vector.path_or_inline_dv, vector.offset);
    if let Some(found) = caches.vectors.get(&key) {
        return Ok(found);
    }
    let dead = Arc::new(deletion::read(home, vector).await?);
    caches.vectors.put(key, Arc::clone(&dead), dead.serialized_size());
    Ok(dead)
}

/// The name of a deletion vector in the cache.
pub(crate) fn vector_key(home: &Home, file: &str, path: &str, offset: Option<i32>) -> String {
    format!("{}{file} {path} {}", home.url(), offset.unwrap_or(0))
}

/// By its index where it has one, otherwise by reading the keys of the row groups that may hold one.
async fn look_in(
    home: &Home,
    caches: &Caches,
    file: &DataFile,
    wanted: Arc<Wanted>,
    allowance: &Allowance,
) -> Result<Option<Found>, LakeError> {
    let footer = read::footer(home, &caches.footers, file.name(), file.size()).await?;
    let groups = candidate_groups(&footer, wanted.schema(), |b| wanted.may_lie_in(b));
    if groups.is_empty() {
        return Ok(None);
    }
    let group_rows = |group: &usize| {
        let group = footer.metadata().row_groups().get(*group);
        group.map_or(0, |g| u64::try_from(g.num_rows()).unwrap_or(0))
    };
    let rows = groups.iter().map(group_rows).sum();
    let indexed = Indexed { home, name: file.name(), size: file.size(), footer: &footer };
    let mut dying = match caches.indexes.find(indexed, &wanted, rows, allowance).await {
        Some(hits) => hits.into_iter().collect(),
        None => scan(home, file, &footer, groups, wanted).await?,
    };
    if dying.is_empty() {
        return Ok(None);
    }
    let dead = dead_rows(home, caches, file).await?;
    dying -= dead.as_ref();
    let rows = u64::try_from(footer.metadata().file_metadata().num_rows()).unwrap_or(0);
    let file = file.name().to_owned();
    Ok((!dying.is_empty()).then_some(Found { file, rows, dying, dead }))
}

async fn scan(
    home: &Home,
    file: &DataFile,
    footer: &ArrowReaderMetadata,
    groups: Vec<usize>,
    wanted: Arc<Wanted>,
) -> Result<RoaringTreemap, LakeError> {
    let starts = row_starts(footer, &groups);
    let mut dying = RoaringTreemap::new();
    let mut stream = read::row_groups(home, file.name(), footer, wanted.schema(), groups)?;
    for start in starts {
        let next = stream.next_row_group().await;
        let reader = next.map_err(|e| read::read_error(home, file.name(), e))?;
        let Some(reader) = reader else { break };
        let (home, name) = (home.clone(), file.name().to_owned());
        let wanted = Arc::clone(&wanted);
        // Decoding is long, plain work: not on a thread that others wait for.
        let hits = tokio::task::spawn_blocking(move || hits(&home, &name, reader, start, &wanted));
        let hits = hits.await;
        let hits = hits.map_err(|e| LakeError::Internal(format!("a scan did not end: {e}")))??;
        dying.append(hits).map_err(|_| {
            LakeError::Internal("rows of a file were not met in ascending order".into())
        })?;
    }
    Ok(dying)
}

/// The rows of one row group that have one of the keys, counted from the start of the file.
fn hits(
    home: &Home,
    name: &str,
    reader: ParquetRecordBatchReader,
    start: u64,
    wanted: &Wanted,
) -> Result<Vec<u64>, LakeError> {
    let mut hits = Vec::new();
    let mut base = start;
    for batch in reader {
        let batch = batch.map_err(|e| read::read_error(home, name, e.into()))?;
        let rows = batch.num_rows() as u64;
        let columns = read::align(&batch, wanted.schema())?;
        wanted.find(columns.columns(), &mut |row| hits.push(base.saturating_add(row as u64)))?;
        base = base.saturating_add(rows);
    }
    Ok(hits)
}

/// The row groups that may hold one of the keys, ascending. Empty ones are none of them: a reader
/// passes over them without a word.
pub(crate) fn candidate_groups(
    footer: &ArrowReaderMetadata,
    columns: &SchemaRef,
    may_lie_in: impl Fn(&Bounds) -> bool,
) -> Vec<usize> {
    let groups = footer.metadata().row_groups().iter().enumerate();
    groups
        .filter(|(_, g)| g.num_rows() > 0)
        .filter(|(_, g)| may_lie_in(&Bounds::of_row_group(g, columns)))
        .map(|(i, _)| i)
        .collect()
}

/// Where the chosen row groups start in the file, in rows.
pub(crate) fn row_starts(footer: &ArrowReaderMetadata, chosen: &[usize]) -> Vec<u64> {
    let mut start = 0_u64;
    let mut starts = Vec::with_capacity(chosen.len());
    for (index, group) in footer.metadata().row_groups().iter().enumerate() {
        if chosen.binary_search(&index).is_ok() {
            starts.push(start);
        }
        start = start.saturating_add(u64::try_from(group.num_rows()).unwrap_or(0));
    }
    starts
}
