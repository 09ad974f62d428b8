//! Key indexes of large data files, on the local disk: what makes a look for random keys cost what they
//! are, not what the table is.
//!
//! An index is never the truth. It is made from a data file, which never changes, on the second
//! occasion that the file would be read through; it is checked wherever it is read; one that is lost,
//! damaged or of another form is deleted, and the file is read through instead. Files that are not
//! sorted by key have none.

pub(crate) mod file;
pub(crate) mod filter;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_row::{RowConverter, SortField};
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use uuid::Uuid;

use crate::cache::Cache;
use crate::error::LakeError;
use crate::index::file::{Builder, IndexError, Top};
use crate::storage::Home;
use crate::table::keys::Wanted;
use crate::table::{merge, read};

/// Rows of the smallest file that gets an index: fewer are read in about a millisecond.
const ROWS_MIN: u64 = 64 * 1024;

/// Rows of the indexes that are made in one look: what is beyond waits, so that no epoch takes long.
const ROWS_BUILT_MAX: u64 = 4 << 20;

/// Where the indexes of a pipeline lie, and what they may hold in memory.
#[derive(Clone, Debug)]
pub struct KeyIndexes {
    /// A folder on the local disk; about six bytes a row for an integer key, for a text a little less
    /// than its length. It may be deleted at any time.
    pub folder: PathBuf,
    /// Bytes of memory over all targets; about two bytes a row.
    pub memory_bytes_max: usize,
}

/// The indexes of all targets.
#[derive(Debug)]
pub(crate) struct Indexes {
    folder: Option<PathBuf>,
    tops: Cache<String, Arc<Top>>,
    /// Rows read so far of files that have no index; none of one that never gets one.
    read: Mutex<HashMap<String, Option<u64>>>,
}

/// What one look over all files of a table may still build, in rows.
#[derive(Debug)]
pub(crate) struct Allowance(AtomicU64);

impl Default for Allowance {
    fn default() -> Self {
        Self(AtomicU64::new(ROWS_BUILT_MAX))
    }
}

impl Allowance {
    fn take(&self, rows: u64) -> bool {
        let take = |left: u64| left.checked_sub(rows).or((left == ROWS_BUILT_MAX).then_some(0));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// A data file as an index knows it.
#[derive(Clone, Copy)]
pub(crate) struct Indexed<'a> {
    pub(crate) home: &'a Home,
    pub(crate) name: &'a str,
    pub(crate) size: u64,
    pub(crate) footer: &'a ArrowReaderMetadata,
}

impl Indexed<'_> {
    fn rows(&self) -> u64 {
        u64::try_from(self.footer.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Changes with whatever would make another index: the key, and the file's size.
    fn stamp(&self, ids: &SchemaRef) -> u64 {
        let key = ids.fields().iter().map(|f| format!("{}\u{0}{}\u{0}", f.name(), f.data_type()));
        let crc = crc32fast::hash(key.collect::<String>().as_bytes());
        (u64::from(crc) << 32) ^ self.size
    }
}

impl Indexes {
    pub(crate) fn new(options: Option<KeyIndexes>) -> Self {
        let (folder, bytes) = match options {
            Some(options) => (Some(options.folder), options.memory_bytes_max),
            None => (None, 0),
        };
        Self { folder, tops: Cache::new(bytes), read: Mutex::default() }
    }

    /// The folder of a table's indexes.
    fn folder_of(&self, home: &Home) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(folder_name(home)))
    }

    /// Deletes the indexes of all tables but these: of some that have gone, or lie elsewhere now.
    pub(crate) fn keep_only_tables<'a>(&self, homes: impl Iterator<Item = &'a Home>) {
        let Some(Ok(entries)) = self.folder.as_ref().map(std::fs::read_dir) else { return };
        let known: HashSet<String> = homes.map(folder_name).collect();
        for entry in entries.flatten() {
            let name = entry.file_name();
            // A folder of another name is not one of these.
            let is_table = name.to_str().is_some_and(|n| Uuid::try_parse(n).is_ok());
            if is_table && !name.to_str().is_some_and(|n| known.contains(n)) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Where the index of a file lies; none of a file in a folder of its own.
    fn path_of(&self, home: &Home, name: &str) -> Option<PathBuf> {
        let plain = !name.contains(['/', '\\']) && !name.starts_with('.');
        plain.then(|| self.folder_of(home)).flatten().map(|f| f.join(format!("{name}.keys")))
    }

    /// Deletes the index of a file that has left the table.
    pub(crate) fn forget(&self, home: &Home, name: &str) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.remove(&format!("{}{name}", home.url()));
        drop(read);
        if let Some(path) = self.path_of(home, name) {
            // It is not there in most cases, and harmless where it stays.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Deletes the indexes of all files but these.
    pub(crate) fn keep_only(&self, home: &Home, is_file: impl Fn(&str) -> bool) {
        let Some(entries) = self.folder_of(home).and_then(|f| std::fs::read_dir(f).ok()) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let file = name.to_str().and_then(|n| n.strip_suffix(".keys"));
            if !file.is_some_and(&is_file) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// The rows of a file that have one of the keys, dead ones included; none where it has no index.
    /// `rows_to_read` is what it costs to do without.
    pub(crate) async fn find(
        &self,
        file: Indexed<'_>,
        wanted: &Arc<Wanted>,
        rows_to_read: u64,
        allowance: &Allowance,
    ) -> Option<Vec<u64>> {
        let ids = wanted.schema();
        let all: Vec<usize> = (0..ids.fields().len()).collect();
        // Source tables that share a target may have its id columns in another order than its files.
        if file.rows() < ROWS_MIN || !merge::is_sorted(file.footer, ids, &all) {
            return None;
        }
        let path = self.path_of(file.home, file.name)?;
        let found = self.try_find(file, wanted, rows_to_read, allowance, &path).await;
        match found {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(target = %file.home.target(), file = file.name,
                    error = %Told(&error), "a key index cannot be used, reading the file instead");
                let _ = std::fs::remove_file(&path);
                self.give_up(file, matches!(error, IndexError::Unsorted));
                None
            }
        }
    }

    async fn try_find(
        &self,
        file: Indexed<'_>,
        wanted: &Arc<Wanted>,
        rows_to_read: u64,
        allowance: &Allowance,
        path: &Path,
    ) -> Result<Option<Vec<u64>>, IndexError> {
        let stamp = file.stamp(wanted.schema());
        let key = format!("{}{} {stamp}", file.home.url(), file.name);
        let opened = match File::open(path) {
            Ok(opened) => opened,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                if !self.pays(file, rows_to_read) || !allowance.take(file.rows()) {
                    return Ok(None);
                }
                build(file, wanted.schema(), path, stamp).await?;
                File::open(path)?
            }
            Err(e) => return Err(e.into()),
        };
        let (known, rows) = (self.tops.get(&key), file.rows());
        let wanted = Arc::clone(wanted);
        let work = tokio::task::spawn_blocking(move || {
            let top = match known {
                Some(top) => top,
                None => Arc::new(Top::read(&opened, stamp, rows)?),
            };
            let keys = wanted.encoded().ok_or(IndexError::Damaged("keys cannot be encoded"))?;
            let hits = top.find(&opened, keys)?;
            Ok::<_, IndexError>((top, hits))
        });
        let ended = work.await.map_err(|_| IndexError::Damaged("a look into it did not end"))?;
        let (top, hits) = ended?;
        let bytes = top.memory_bytes();
        self.tops.put(key, top, bytes);
        Ok(Some(hits))
    }

    /// Notes that a file is about to be read, and says whether an index pays: the file has been read
    /// through once already.
    fn pays(&self, file: Indexed<'_>, rows_to_read: u64) -> bool {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{}{}", file.home.url(), file.name);
        let Some(so_far) = read.entry(key).or_insert(Some(0)) else { return false };
        let pays = *so_far >= file.rows();
        *so_far = so_far.saturating_add(rows_to_read);
        pays
    }

    /// The file is read through again before another index is made of it, or for ever.
    fn give_up(&self, file: Indexed<'_>, forever: bool) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{}{}", file.home.url(), file.name);
        read.insert(key, if forever { None } else { Some(0) });
    }
}

/// The name of the folder of a table's indexes.
fn folder_name(home: &Home) -> String {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, home.url().as_str().as_bytes());
    id.simple().to_string()
}

/// An error with its cause, on one line.
struct Told<'a>(&'a IndexError);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IndexError::Io(cause) => write!(f, "{}: {cause}", self.0),
            other => write!(f, "{other}"),
        }
    }
}

/// Makes the index of a file. It gets its name only when it is whole.
async fn build(
    file: Indexed<'_>,
    ids: &SchemaRef,
    path: &Path,
    stamp: u64,
) -> Result<(), IndexError> {
    let folder = path.parent().ok_or(IndexError::Damaged("it has no folder"))?;
    std::fs::create_dir_all(folder)?;
    let staged = folder.join(format!("{}.tmp", Uuid::new_v4().simple()));
    let built = build_at(file, ids, &staged, stamp).await;
    let named = built.and_then(|()| Ok(std::fs::rename(&staged, path)?));
    if named.is_err() {
        let _ = std::fs::remove_file(&staged);
    }
    named
}

async fn build_at(
    file: Indexed<'_>,
    ids: &SchemaRef,
    path: &Path,
    stamp: u64,
) -> Result<(), IndexError> {
    let unreadable = |_: LakeError| IndexError::Damaged("its data file cannot be read");
    let groups = file.footer.metadata().row_groups().iter().enumerate();
    let groups: Vec<usize> = groups.filter(|(_, g)| g.num_rows() > 0).map(|(i, _)| i).collect();
    let Indexed { home, name, footer, .. } = file;
    let mut stream = read::row_groups(home, name, footer, ids, groups).map_err(unreadable)?;
    let mut builder = Builder::create(path)?;
    loop {
        let next = stream.next_row_group().await;
        let next = next.map_err(|_| IndexError::Damaged("its data file cannot be read"))?;
        let Some(reader) = next else { break };
        let ids = Arc::clone(ids);
        let work = tokio::task::spawn_blocking(move || push_all(builder, reader, &ids));
        let ended = work.await.map_err(|_| IndexError::Damaged("its making did not end"))?;
        builder = ended?;
    }
    let work = tokio::task::spawn_blocking(move || builder.finish(stamp));
    work.await.map_err(|_| IndexError::Damaged("its making did not end"))?
}

fn push_all(
    mut builder: Builder,
    reader: ParquetRecordBatchReader,
    ids: &SchemaRef,
) -> Result<Builder, IndexError> {
    let wrong = IndexError::Damaged("keys cannot be encoded");
    let fields = ids.fields().iter().map(|f| SortField::new(f.data_type().clone()));
    let Ok(converter) = RowConverter::new(fields.collect()) else { return Err(wrong) };
    for batch in reader {
        let Ok(batch) = batch else {
            return Err(IndexError::Damaged("its data file cannot be read"));
        };
        let Ok(columns) = read::align(&batch, ids) else { return Err(wrong) };
        let Ok(rows) = converter.convert_columns(columns.columns()) else { return Err(wrong) };
        rows.iter().try_for_each(|row| builder.push(row.as_ref()))?;
    }
    Ok(builder)
}
