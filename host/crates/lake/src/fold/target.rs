//! The open epoch of one target: what became of each key so far.

use std::sync::Arc;

use arrow_array::ArrayRef;
use change::{ImageKind, KeyProof, TargetPath};
use hashbrown::HashTable;
use hashbrown::hash_table;

use super::Change;
use super::gather::{self, Held};
use super::keys::{KeyHasher, Keys};
use super::prepared::{Prepared, id_columns};
use crate::changes::{ChangeCounts, TargetChanges};
use crate::error::{FoldError, LakeError};
use crate::sources::{SourceKeys, Watch};
use crate::stored::StoredSchema;

/// The batches of a target in one epoch; the rest of an entry's word are its two flags.
const BATCHES_MAX: u32 = 1 << 30;
const EXISTS: u32 = 1 << 31;
const INSERTED: u32 = 1 << 30;

/// A key that the epoch changed, and the image that changed it last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// See [`Keys::code`].
    pub(super) code: u64,
    row: u32,
    /// Index of the batch, and the flags.
    batch: u32,
}

impl Entry {
    pub(super) fn batch(self) -> usize {
        (self.batch & !(EXISTS | INSERTED)) as usize
    }

    pub(super) fn row(self) -> usize {
        self.row as usize
    }

    /// Whether the last image wrote the row; otherwise it deleted it.
    pub(super) fn exists(self) -> bool {
        self.batch & EXISTS != 0
    }

    /// Whether the first image was an INSERT with a proven key.
    pub(super) fn inserted(self) -> bool {
        self.batch & INSERTED != 0
    }
}

/// Where the entry of a key is. Its hash lies beside it, so that an index that grows need not look
/// at the entries, which lie all over the memory.
#[derive(Clone, Copy, Debug)]
struct Indexed {
    hash: u32,
    entry: u32,
}

/// The table takes its position from the low bits and its tag from the high ones: an odd factor
/// (2^64 divided by the golden ratio) brings all bits of the hash to both.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The open epoch of one target.
#[derive(Debug)]
pub(super) struct TargetFold {
    path: TargetPath,
    schema: Arc<StoredSchema>,
    batches: Vec<Held>,
    entries: Vec<Entry>,
    index: HashTable<Indexed>,
    counts: ChangeCounts,
    sources: Arc<SourceKeys>,
}

impl TargetFold {
    pub(super) fn new(
        path: TargetPath,
        schema: &Arc<StoredSchema>,
        sources: Option<Arc<SourceKeys>>,
    ) -> Self {
        Self {
            path,
            schema: Arc::clone(schema),
            batches: Vec::new(),
            entries: Vec::new(),
            index: HashTable::new(),
            counts: ChangeCounts::default(),
            sources: sources.unwrap_or_else(|| Arc::new(SourceKeys::of(schema))),
        }
    }

    pub(super) fn path(&self) -> &TargetPath {
        &self.path
    }

    pub(super) fn index_bytes(&self) -> usize {
        let entries = self.entries.capacity().saturating_mul(size_of::<Entry>());
        entries.saturating_add(self.index.allocation_size())
    }

    /// Takes a batch in; gives its index, and what tells its table from the others.
    pub(super) fn admit(&mut self, prepared: &Prepared) -> Result<(u32, Watch), LakeError> {
        let held = self.held(prepared)?;
        let ids = id_columns(&self.schema, &held.columns);
        let table = prepared.stored().source();
        let watch = Arc::make_mut(&mut self.sources).enter(&self.path, &self.schema, table, ids)?;
        let index = u32::try_from(self.batches.len()).ok().filter(|i| *i < BATCHES_MAX);
        let index = index.ok_or_else(|| FoldError::EpochTooLarge {
            target: self.path.clone(),
            what: "batches",
            limit: BATCHES_MAX.into(),
        })?;
        self.batches.push(held);
        Ok((index, watch))
    }

    /// Looks at the id columns of a row until nothing can be learnt from them any more.
    pub(super) fn watch(&mut self, watch: &mut Watch, image: usize) -> Result<(), LakeError> {
        if watch.is_done() {
            return Ok(());
        }
        watch.see(&self.path, &mut self.sources, image)
    }

    /// Folds one image in; gives the entry of its key.
    pub(super) fn apply(&mut self, change: Change, hasher: &KeyHasher) -> Result<u32, LakeError> {
        let Change { batch, image, kind, proof } = change;
        let row = u32::try_from(image).map_err(|_| self.too_large("images in a batch"))?;
        let missing = || LakeError::Internal("an image without a key".into());
        let keys = self.batches.get(batch as usize).map(|h| &h.keys).ok_or_else(missing)?;
        let code = keys.code(image, hasher).ok_or_else(missing)?;
        let (batches, entries) = (&self.batches, &mut self.entries);
        let hash = hasher.of_code(code);
        let same = |at: &Indexed| {
            at.hash == hash
                && entries
                    .get(at.entry as usize)
                    .is_some_and(|e| e.code == code && same_bytes(batches, *e, keys, image))
        };
        let state = if kind.is_new() { EXISTS } else { 0 };
        let at = match self.index.entry(spread(hash), same, |at| spread(at.hash)) {
            hash_table::Entry::Occupied(known) => {
                let at = known.get().entry;
                if let Some(entry) = entries.get_mut(at as usize) {
                    entry.row = row;
                    entry.batch = batch | state | (entry.batch & INSERTED);
                }
                at
            }
            hash_table::Entry::Vacant(new) => {
                let first = kind == ImageKind::Insert && proof == KeyProof::Source;
                let inserted = if first { INSERTED } else { 0 };
                let at = u32::try_from(entries.len());
                let at = at.map_err(|_| too_large(&self.path, "keys"))?;
                new.insert(Indexed { hash, entry: at });
                entries.push(Entry { code, row, batch: batch | state | inserted });
                at
            }
        };
        self.count(kind);
        Ok(at)
    }

    /// The last before image turned out to be replaced, not deleted.
    pub(super) fn uncount_delete(&mut self) {
        self.counts.deleted = self.counts.deleted.saturating_sub(1);
    }

    /// The net changes.
    pub(super) fn finish(self) -> Result<TargetChanges, LakeError> {
        let Self { path, schema, batches, entries, index, counts, sources } = self;
        drop(index);
        let entries = gather::sorted(&batches, entries);
        let wrong = |source| FoldError::Arrow { target: path.clone(), source };
        let (rows, rows_inserted) =
            gather::rows(&batches, &entries, schema.arrow(), None).map_err(wrong)?;
        let ids = Some(schema.id_columns());
        let (gone, gone_inserted) =
            gather::rows(&batches, &entries, &schema.id_arrow(), ids).map_err(wrong)?;
        let target = path.clone();
        Ok(TargetChanges {
            target,
            schema,
            rows,
            rows_inserted,
            gone,
            gone_inserted,
            counts,
            sources,
        })
    }

    /// The batch in this target's column order.
    fn held(&self, prepared: &Prepared) -> Result<Held, LakeError> {
        let (own, theirs) = (&self.schema, prepared.stored());
        let order = column_order(own, theirs).map_err(|reason| FoldError::SchemasDiffer {
            target: self.path.clone(),
            first: own.source().clone(),
            second: theirs.source().clone(),
            reason,
        })?;
        let all = prepared.columns();
        let columns: Vec<ArrayRef> = match order {
            None => all.to_vec(),
            Some(order) => order.iter().filter_map(|i| all.get(*i)).cloned().collect(),
        };
        let keys = if own.id_names().eq(theirs.id_names()) {
            Arc::clone(prepared.keys())
        } else {
            let keys = Keys::of(&id_columns(own, &columns))
                .map_err(|source| FoldError::Arrow { target: self.path.clone(), source })?;
            Arc::new(keys)
        };
        Ok(Held { columns, keys })
    }

    fn count(&mut self, kind: ImageKind) {
        let counter = match kind {
            ImageKind::Insert => &mut self.counts.inserted,
            ImageKind::After => &mut self.counts.updated,
            ImageKind::Before | ImageKind::Delete => &mut self.counts.deleted,
        };
        *counter = counter.saturating_add(1);
    }

    fn too_large(&self, what: &'static str) -> FoldError {
        too_large(&self.path, what)
    }
}

fn too_large(target: &TargetPath, what: &'static str) -> FoldError {
    FoldError::EpochTooLarge { target: target.clone(), what, limit: u32::MAX.into() }
}

/// Whether an entry, whose code is that of a row, has the row's key.
fn same_bytes(batches: &[Held], entry: Entry, keys: &Keys, image: usize) -> bool {
    let Keys::Rows(_) = keys else { return true };
    let known = batches.get(entry.batch()).and_then(|h| h.keys.bytes(entry.row()));
    known.is_some() && known == keys.bytes(image)
}

/// For each column of `own` the index of the same column in `theirs`; none where the order is the
/// same. The id columns have to be the same ones, in whatever order.
fn column_order(own: &StoredSchema, theirs: &StoredSchema) -> Result<Option<Vec<usize>>, String> {
    if std::ptr::eq(own, theirs) {
        return Ok(None);
    }
    let (mine, other) = (own.arrow(), theirs.arrow());
    let mut order = Vec::with_capacity(mine.fields().len());
    for field in mine.fields() {
        let name = field.name();
        let (index, found) = other
            .column_with_name(name)
            .ok_or_else(|| format!("column `{name}` is only in the first"))?;
        if found.data_type() != field.data_type() {
            let (first, second) = (field.data_type(), found.data_type());
            return Err(format!("column `{name}` is stored as {first} and as {second}"));
        }
        order.push(index);
    }
    let extra = other.fields().iter().find(|f| mine.column_with_name(f.name()).is_none());
    if let Some(field) = extra {
        return Err(format!("column `{}` is only in the second", field.name()));
    }
    let ids = |s: &StoredSchema| {
        let mut names: Vec<String> = s.id_names().map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    if ids(own) != ids(theirs) {
        let list = |s: &StoredSchema| s.id_names().collect::<Vec<_>>().join(", ");
        return Err(format!("their id columns are ({}) and ({})", list(own), list(theirs)));
    }
    Ok(Some(order).filter(|o| !o.iter().copied().eq(0..o.len())))
}
