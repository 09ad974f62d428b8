//! The open epoch of one target: what became of each key so far.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, DataType};
use change::{ImageKind, KeyProof, Presence, TargetPath};
use hashbrown::HashTable;
use hashbrown::hash_table;

use super::Change;
use super::gather::{self, Held};
use super::keys::{KeyHasher, Keys};
use super::multiset::{Multiset, Step};
use super::partial::{Below, Partial};
use super::prepared::{Prepared, id_columns};
use crate::changes::{ChangeCounts, LeftOut, TargetChanges};
use crate::error::{FoldError, LakeError};
use crate::sources::{SourceKeys, Watch};
use crate::stored::StoredSchema;

/// The batches of a target in one epoch; the rest of an entry's word are its three flags.
const BATCHES_MAX: u32 = 1 << 29;
const EXISTS: u32 = 1 << 31;
const INSERTED: u32 = 1 << 30;
const PARTIAL: u32 = 1 << 29;

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
        self.batch_number() as usize
    }

    pub(super) fn row(self) -> usize {
        self.row as usize
    }

    /// The same row with its weight in the place of the code: what came minus what went.
    pub(super) fn weighing(self, weight: i64) -> Self {
        let exists = if weight > 0 { EXISTS } else { 0 };
        Self { code: weight.unsigned_abs(), row: self.row, batch: self.batch_number() | exists }
    }

    fn batch_number(self) -> u32 {
        self.batch & !(EXISTS | INSERTED | PARTIAL)
    }

    /// Whether the last image is known in part only.
    pub(super) fn is_partial(self) -> bool {
        self.batch & PARTIAL != 0
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
    /// Columns that some table of the target does not have.
    absent: BTreeSet<String>,
    partial: Partial,
    /// Where rows have no key.
    multiset: Option<Multiset>,
}

impl TargetFold {
    pub(super) fn new(
        path: TargetPath,
        schema: &Arc<StoredSchema>,
        sources: Option<Arc<SourceKeys>>,
    ) -> Self {
        // The order of the id columns is the target's, not that of whoever comes first.
        let ordered = sources.as_ref().and_then(|s| schema.with_id_order(&s.id_columns));
        let ordered = ordered.filter(|o| o.id_columns() != schema.id_columns());
        Self {
            path,
            schema: ordered.map_or_else(|| Arc::clone(schema), Arc::new),
            batches: Vec::new(),
            entries: Vec::new(),
            index: HashTable::new(),
            counts: ChangeCounts::default(),
            sources: sources.unwrap_or_else(|| Arc::new(SourceKeys::of(schema))),
            absent: BTreeSet::new(),
            partial: Partial::default(),
            multiset: schema.is_whole_row().then(Multiset::default),
        }
    }

    pub(super) fn path(&self) -> &TargetPath {
        &self.path
    }

    pub(super) fn index_bytes(&self) -> usize {
        let entries = self.entries.capacity().saturating_mul(size_of::<Entry>());
        let counted = self.multiset.as_ref().map_or(0, Multiset::memory_bytes);
        let partial = self.partial.memory_bytes().saturating_add(counted);
        entries.saturating_add(self.index.allocation_size()).saturating_add(partial)
    }

    /// Takes a batch in; gives its index, and what tells its table from the others.
    pub(super) fn admit(
        &mut self,
        prepared: &Prepared,
        hasher: &KeyHasher,
    ) -> Result<(u32, Watch), LakeError> {
        if let Some(multiset) = &mut self.multiset {
            let theirs = prepared.stored();
            multiset.check_form(theirs).map_err(|reason| FoldError::SchemasDiffer {
                target: self.path.clone(),
                first: theirs.source().clone(),
                second: theirs.source().clone(),
                reason,
            })?;
        }
        self.widen(prepared.stored(), hasher)?;
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
        if let Some(multiset) = &mut self.multiset {
            multiset.weigh(at, if kind.is_new() { Step::Add } else { Step::Take });
        }
        self.count(kind);
        Ok(at)
    }

    /// What the row of a before image was until then; none where the epoch has deleted it.
    pub(super) fn below(
        &self,
        change: Change,
        hasher: &KeyHasher,
    ) -> Result<Option<Below>, LakeError> {
        let Change { batch, image, .. } = change;
        let row = u32::try_from(image).map_err(|_| self.too_large("images in a batch"))?;
        let missing = || LakeError::Internal("an image without a key".into());
        let keys = self.batches.get(batch as usize).map(|h| &h.keys).ok_or_else(missing)?;
        let code = keys.code(image, hasher).ok_or_else(missing)?;
        let hash = hasher.of_code(code);
        let entry = |at: &Indexed| self.entries.get(at.entry as usize).copied();
        let same = |at: &Indexed| {
            at.hash == hash
                && entry(at)
                    .is_some_and(|e| e.code == code && same_bytes(&self.batches, e, keys, image))
        };
        Ok(match self.index.find(spread(hash), same).and_then(entry) {
            None => Some(Below::Target(batch, row)),
            Some(entry) if !entry.exists() => None,
            Some(entry) if entry.is_partial() => {
                self.partial.number_of(entry.batch_number(), entry.row).map(Below::Patch)
            }
            Some(entry) => Some(Below::Row(entry.batch_number(), entry.row)),
        })
    }

    /// The last image of an entry is known in part: the rest is what the row was before.
    pub(super) fn lay(&mut self, at: u32, below: Below, left: LeftOut) -> Result<(), LakeError> {
        let Some(entry) = self.entries.get_mut(at as usize) else {
            return Err(LakeError::Internal("an image without an entry".into()));
        };
        let (batch, row) = (entry.batch_number(), entry.row);
        entry.batch |= PARTIAL;
        let laid = self.partial.lay(batch, row, below, left);
        laid.ok_or_else(|| self.too_large("images that are known in part").into())
    }

    /// The last before image turned out to be replaced, not deleted.
    pub(super) fn uncount_delete(&mut self) {
        self.counts.deleted = self.counts.deleted.saturating_sub(1);
    }

    /// The net changes.
    pub(super) fn finish(self) -> Result<TargetChanges, LakeError> {
        let Self { path, schema, batches, entries, index, counts, sources, absent, .. } = self;
        drop(index);
        let mut changes = TargetChanges {
            target: path,
            rows: RecordBatch::new_empty(Arc::clone(schema.arrow())),
            rows_inserted: BooleanBuffer::new_unset(0),
            gone: RecordBatch::new_empty(schema.id_arrow()),
            gone_inserted: BooleanBuffer::new_unset(0),
            gone_counts: None,
            schema,
            counts,
            sources,
            absent,
            gaps: None,
        };
        match self.multiset {
            Some(multiset) => multiset.finish(&batches, entries, &mut changes)?,
            None => gather_keyed(&batches, entries, &self.partial, &mut changes)?,
        }
        Ok(changes)
    }

    /// The batch in this target's columns; those that its table does not have are NULL.
    fn held(&mut self, prepared: &Prepared) -> Result<Held, LakeError> {
        let theirs = prepared.stored();
        if std::ptr::eq(self.schema.as_ref(), theirs.as_ref()) {
            let (columns, keys) = (prepared.columns().to_vec(), Arc::clone(prepared.keys()));
            return Ok(Held { columns, keys, presence: prepared.presence().clone() });
        }
        let (all, rows) = (prepared.columns(), prepared.rows());
        let mut columns = Vec::with_capacity(self.schema.arrow().fields().len());
        let mut present = Vec::new();
        for field in self.schema.arrow().fields() {
            let index = theirs.arrow().index_of(field.name()).ok();
            present.push(index.and_then(|i| prepared.presence().of(i)).cloned());
            columns.push(match index.and_then(|i| all.get(i)) {
                Some(column) => in_type(column, field.data_type()).map_err(self.arrow())?,
                None => {
                    self.absent.insert(field.name().clone());
                    new_null_array(field.data_type(), rows)
                }
            });
        }
        let ids = id_columns(&self.schema, &columns);
        let keys = if ids.iter().map(Array::data_type).eq(prepared.id_types())
            && self.schema.id_names().eq(theirs.id_names())
        {
            Arc::clone(prepared.keys())
        } else {
            Arc::new(Keys::of(&ids, self.schema.key_proof()).map_err(self.arrow())?)
        };
        Ok(Held { columns, keys, presence: Presence::new(present) })
    }

    /// Takes up the columns of another table of the target, and wider types; the batches so far
    /// follow.
    fn widen(&mut self, theirs: &StoredSchema, hasher: &KeyHasher) -> Result<(), LakeError> {
        let union = self.schema.union(theirs).map_err(|reason| FoldError::SchemasDiffer {
            target: self.path.clone(),
            first: self.schema.source().clone(),
            second: theirs.source().clone(),
            reason,
        })?;
        let Some(union) = union else { return Ok(()) };
        let former = std::mem::replace(&mut self.schema, Arc::new(union));
        let mut batches = std::mem::take(&mut self.batches);
        for held in &mut batches {
            let rows = held.columns.first().map_or(0, Array::len);
            let mut columns = held.columns.iter();
            let wider = self.schema.arrow().fields().iter().map(|field| match columns.next() {
                Some(column) => in_type(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), rows)),
            });
            held.columns = wider.collect::<Result<_, _>>().map_err(self.arrow())?;
        }
        let fields = self.schema.arrow().fields();
        let new = fields.iter().skip(former.arrow().fields().len());
        self.absent.extend(new.map(|f| f.name().clone()));
        if self.schema.id_arrow() != former.id_arrow() {
            self.encode_keys_anew(&mut batches, hasher)?;
        }
        self.batches = batches;
        Ok(())
    }

    /// Keys of another type have another form.
    fn encode_keys_anew(
        &mut self,
        batches: &mut [Held],
        hasher: &KeyHasher,
    ) -> Result<(), LakeError> {
        for held in batches.iter_mut() {
            let ids = id_columns(&self.schema, &held.columns);
            held.keys = Arc::new(Keys::of(&ids, self.schema.key_proof()).map_err(self.arrow())?);
        }
        self.index.clear();
        for (at, entry) in (0_u32..).zip(&mut self.entries) {
            let code = batches.get(entry.batch()).and_then(|h| h.keys.code(entry.row(), hasher));
            entry.code = code.unwrap_or(entry.code);
            let hash = hasher.of_code(entry.code);
            self.index.insert_unique(spread(hash), Indexed { hash, entry: at }, |i| spread(i.hash));
        }
        Ok(())
    }

    fn arrow(&self) -> impl Fn(ArrowError) -> FoldError + use<> {
        let target = self.path.clone();
        move |source| FoldError::Arrow { target: target.clone(), source }
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

/// The rows that exist and the keys that do not, into changes that have everything else.
fn gather_keyed(
    batches: &[Held],
    entries: Vec<Entry>,
    partial: &Partial,
    changes: &mut TargetChanges,
) -> Result<(), LakeError> {
    let entries = gather::sorted(batches, entries);
    let schema = Arc::clone(&changes.schema);
    let target = changes.target.clone();
    let wrong = |source| FoldError::Arrow { target: target.clone(), source };
    if partial.is_empty() {
        (changes.rows, changes.rows_inserted) =
            gather::rows(batches, &entries, schema.arrow(), None).map_err(wrong)?;
    } else {
        let live: Vec<Entry> = entries.iter().filter(|e| e.exists()).copied().collect();
        (changes.rows, changes.gaps) = partial.rows(batches, &live, &schema).map_err(wrong)?;
        changes.rows_inserted = BooleanBuffer::from_iter(live.iter().map(|e| e.inserted()));
    }
    let ids = Some(schema.id_columns());
    (changes.gone, changes.gone_inserted) =
        gather::rows(batches, &entries, &schema.id_arrow(), ids).map_err(wrong)?;
    Ok(())
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

/// A column in a type that holds all of its values.
fn in_type(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == data_type {
        return Ok(Arc::clone(column));
    }
    arrow_cast::cast(column, data_type)
}
