//! Row images of one epoch, folded to one net change for each target and key, strictly in log order.
//!
//! Every image that is kept, and whose transaction its target has not covered yet, does one thing to
//! its target: a before image or a deleted row deletes its key, an inserted row or an after image
//! writes its row. Doing this image by image is all there is to leaving a filter, to a changed key
//! and to a row that moves to another target.
//!
//! Rows stay where they are, in the columns that were pushed, until the epoch ends. This module never
//! waits, never reads a table and never looks at a time.

mod gather;
mod keys;
mod multiset;
mod partial;
mod prepared;
mod target;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use change::{
    ImageKind, Mark, OutputSchema, PathTemplate, Position, Routing, TableName, TargetPath,
    Transaction, Transformed,
};

use crate::changes::{LeftOut, TargetChanges};
use crate::edit::{RowsEdit, TableEdit};
use crate::error::{FoldError, LakeError, Place};
use crate::sources::{SourceKeys, Watch};
use crate::stored::StoredSchema;

use keys::KeyHasher;
use partial::Below;
use prepared::Prepared;
use target::TargetFold;

/// What becomes of the target's row when the source deletes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deletes {
    /// It is removed.
    #[default]
    Remove,
}

/// How to fold.
#[derive(Clone, Debug)]
pub struct FoldOptions {
    /// Where a route leads.
    pub path: PathTemplate,
    /// Targets that may come about in all, those of `covered` included.
    pub targets_max: usize,
    /// What deletes do.
    pub deletes: Deletes,
    /// Up to where each known target has everything; images at or before that are dropped. A target
    /// that is not named takes everything.
    pub covered: HashMap<TargetPath, Position>,
    /// How the source tables of each target were told apart so far, as the last commit carried it
    /// ([`TargetChanges::sources`]).
    pub sources: HashMap<TargetPath, Arc<SourceKeys>>,
}

/// Folds batches to the net changes of one epoch after another.
///
/// After an error the open epoch is lost: every further call fails. The remedy is a new `Fold` that
/// starts from what the targets have covered.
#[derive(Debug)]
pub struct Fold {
    path: PathTemplate,
    targets_max: usize,
    covered: HashMap<TargetPath, Arc<Position>>,
    sources: HashMap<TargetPath, Arc<SourceKeys>>,
    /// Targets that hold the rows of this table since it was renamed: which of its id columns are constant
    /// is not remembered.
    renamed: HashMap<TargetPath, TableName>,
    /// Every target that there is, by its path without case.
    known: HashMap<String, TargetPath>,
    hasher: KeyHasher,
    schemas: Vec<(Arc<OutputSchema>, Arc<StoredSchema>)>,
    targets: Vec<TargetFold>,
    by_path: HashMap<TargetPath, usize>,
    held_bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sound,
    Failed,
}

impl Fold {
    /// A fold at the start of an epoch.
    #[must_use]
    pub fn new(options: FoldOptions) -> Self {
        let Deletes::Remove = options.deletes;
        let mut fold = Self {
            path: options.path,
            targets_max: options.targets_max,
            covered: HashMap::new(),
            sources: options.sources,
            renamed: HashMap::new(),
            known: HashMap::new(),
            hasher: KeyHasher::default(),
            schemas: Vec::new(),
            targets: Vec::new(),
            by_path: HashMap::new(),
            held_bytes: 0,
            state: State::Sound,
        };
        fold.set_covered(options.covered);
        fold
    }

    /// Replaces what the targets have covered. For between two epochs, where the source starts again
    /// at an earlier position; while the source only moves on there is no need to.
    pub fn set_covered(&mut self, covered: HashMap<TargetPath, Position>) {
        for target in covered.keys() {
            self.known.entry(target.0.to_lowercase()).or_insert_with(|| target.clone());
        }
        self.covered = covered.into_iter().map(|(t, p)| (t, Arc::new(p))).collect();
    }

    /// What a statement between two epochs does to targets.
    pub fn follow(&mut self, edits: &[TableEdit]) {
        for edit in edits {
            match &edit.rows {
                RowsEdit::Keep | RowsEdit::Remove | RowsEdit::RemoveWhere { .. } => {}
                RowsEdit::Vacate | RowsEdit::Abandon => {
                    self.sources.remove(&edit.target);
                    self.renamed.remove(&edit.target);
                }
                RowsEdit::Take { .. } => {
                    self.sources.remove(&edit.target);
                    self.renamed.insert(edit.target.clone(), edit.source.clone());
                }
                RowsEdit::Renamed { from } => {
                    if let Some(sources) = self.sources.get_mut(&edit.target) {
                        Arc::make_mut(sources).rename(from, &edit.source);
                    }
                }
            }
        }
    }

    /// Adds a batch to the open epoch. Batches of one source table come in log order.
    ///
    /// # Errors
    /// Where an id column is NULL, a route leads nowhere, there are too many targets, tables that
    /// share a target do not fit together, or a value does not fit its stored type.
    pub fn push(&mut self, batch: &Transformed) -> Result<(), LakeError> {
        if self.state == State::Failed {
            return Err(FoldError::EpochFailed.into());
        }
        let result = self.fold(batch);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    /// Bytes that the open epoch holds: the pushed columns of which a row is needed, their stored
    /// and key forms, and the key index. Columns that share a buffer with others count whole. What
    /// [`Self::take`] returns comes on top of it until the fold lets go of the columns.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let index: usize = self.targets.iter().map(TargetFold::index_bytes).sum();
        self.held_bytes.saturating_add(index)
    }

    /// Whether the open epoch changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Ends the epoch: its net changes, one for each target that an image reached, ordered by
    /// target. The next epoch begins empty.
    ///
    /// # Errors
    /// Where an earlier push failed, or a column of the epoch is larger than Arrow can index.
    pub fn take(&mut self) -> Result<Vec<TargetChanges>, LakeError> {
        if self.state == State::Failed {
            return Err(FoldError::EpochFailed.into());
        }
        self.by_path.clear();
        self.schemas.clear();
        self.held_bytes = 0;
        let mut targets = std::mem::take(&mut self.targets);
        targets.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        let mut all = Vec::with_capacity(targets.len());
        for target in targets {
            let changes = target.finish().inspect_err(|_| self.state = State::Failed)?;
            self.sources.insert(changes.target.clone(), Arc::clone(&changes.sources));
            all.push(changes);
        }
        Ok(all)
    }

    fn fold(&mut self, batch: &Transformed) -> Result<(), LakeError> {
        let table = || batch.schema.source.clone();
        batch.check().map_err(|source| FoldError::Batch { table: table(), source })?;
        let mut walk = Walk::over(batch);
        let kinds = batch.images.kinds();
        let mut start = 0;
        for mark in batch.images.marks() {
            let end = mark.images_end as usize;
            let images = kinds.get(start..end).unwrap_or_default();
            for (image, kind) in (start..).zip(images) {
                if batch.is_kept(image) {
                    self.fold_image(&mut walk, mark, image, *kind)?;
                }
            }
            start = end;
        }
        Ok(())
    }

    fn fold_image<'a>(
        &mut self,
        walk: &mut Walk<'a>,
        mark: &'a Mark,
        image: usize,
        kind: ImageKind,
    ) -> Result<(), LakeError> {
        let batch = walk.batch;
        let route = match &batch.routing {
            Routing::Whole(_) => 0,
            Routing::PerImage { images, .. } => {
                images.get(image).map_or(usize::MAX, |r| *r as usize)
            }
        };
        if !matches!(walk.ways.get(route), Some(Some(_))) {
            let way = self.way(batch, route, mark)?;
            if let Some(slot) = walk.ways.get_mut(route) {
                *slot = Some(way);
            }
        }
        let Some(Some(way)) = walk.ways.get_mut(route) else {
            let source = change::batch::BatchError::Images("the routes do not fit the images");
            return Err(FoldError::Batch { table: batch.schema.source.clone(), source }.into());
        };
        if way.covers(&mark.transaction) {
            return Ok(());
        }
        let prepared = match &mut walk.prepared {
            Some(prepared) => prepared,
            none => none.insert(self.prepare(batch)?),
        };
        let entrance = match &mut way.entrance {
            Some(entrance) => entrance,
            none => none.insert(self.enter(&way.target, prepared)?),
        };
        prepared.check_id(batch, mark, image, &way.target)?;
        let Some(target) = self.targets.get_mut(entrance.target) else {
            return Err(LakeError::Internal("a target of the open epoch is missing".into()));
        };
        target.watch(&mut entrance.watch, image)?;
        let change = Change { batch: entrance.batch, image, kind, proof: prepared.key_proof() };
        let below = match kind {
            ImageKind::Before if !prepared.is_complete() => target.below(change, &self.hasher)?,
            _ => None,
        };
        let entry = target.apply(change, &self.hasher)?;
        if kind == ImageKind::Before {
            let after = image.saturating_add(1);
            walk.before = Some(Former { after, target: entrance.target, entry, below });
            return Ok(());
        }
        let former = walk.before.take();
        let former = former.filter(|f| f.after == image && f.target == entrance.target);
        // A before image counts as a delete, unless the next image writes the same row again.
        // Without a key it is one row that was changed, whatever it says now.
        let is_counted = prepared.key_proof() == change::KeyProof::WholeRow;
        if former.is_some_and(|f| f.entry == entry || is_counted) {
            target.uncount_delete();
        }
        if kind.is_new() && !prepared.is_whole(image) {
            let reason = "did not have the row before";
            let unknown = || prepared.left_out(batch, mark, image, &way.target, reason);
            let below = former.and_then(|f| f.below).ok_or_else(unknown)?;
            let table = batch.schema.source.clone();
            target.lay(entry, below, LeftOut { table, place: Place::of(mark) })?;
        }
        Ok(())
    }

    /// Where a route leads, and whether there may be such a target.
    fn way<'a>(
        &mut self,
        batch: &'a Transformed,
        route: usize,
        mark: &Mark,
    ) -> Result<Way<'a>, LakeError> {
        let table = || batch.schema.source.clone();
        let route = match &batch.routing {
            Routing::Whole(route) => Some(route),
            Routing::PerImage { routes, .. } => routes.get(route),
        };
        let Some(route) = route else {
            let source = change::batch::BatchError::Images("the routes do not fit the images");
            return Err(FoldError::Batch { table: table(), source }.into());
        };
        let target = self.path.render(route).map_err(|source| FoldError::Route {
            table: table(),
            place: Place::of(mark),
            source,
        })?;
        let count = self.known.len();
        match self.known.entry(target.0.to_lowercase()) {
            Entry::Occupied(known) if *known.get() != target => {
                let other = known.get().clone();
                return Err(FoldError::TargetCase { table: table(), target, other }.into());
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(_) if count >= self.targets_max => {
                let limit = self.targets_max;
                return Err(FoldError::TooManyTargets { table: table(), limit }.into());
            }
            Entry::Vacant(new) => {
                new.insert(target.clone());
            }
        }
        let covered = self.covered.get(&target).cloned();
        // Where offsets decide, a batch that begins behind the position lies behind it as a whole.
        let first = batch.images.marks().first();
        let behind = |p: &Arc<Position>| {
            p.gtids.is_none() && first.is_some_and(|m| !p.covers(&m.transaction))
        };
        let covered = covered.filter(|p| !behind(p));
        Ok(Way { target, covered, last: None, entrance: None })
    }

    fn prepare(&mut self, batch: &Transformed) -> Result<Prepared, LakeError> {
        let known = self
            .schemas
            .iter()
            .find(|(output, _)| Arc::ptr_eq(output, &batch.schema) || **output == *batch.schema);
        let stored = match known {
            Some((_, stored)) => Arc::clone(stored),
            None => {
                let stored = Arc::new(StoredSchema::of(&batch.schema)?);
                self.schemas.push((Arc::clone(&batch.schema), Arc::clone(&stored)));
                stored
            }
        };
        let prepared = Prepared::of(batch, stored)?;
        self.held_bytes = self.held_bytes.saturating_add(prepared.memory_bytes());
        Ok(prepared)
    }

    fn enter(&mut self, path: &TargetPath, prepared: &Prepared) -> Result<Entrance, LakeError> {
        let target = match self.by_path.get(path) {
            Some(index) => *index,
            None => {
                let sources = self.sources.get(path).cloned();
                let sources = sources.or_else(|| {
                    let table = self.renamed.remove(path)?;
                    Some(Arc::new(SourceKeys::of_renamed(prepared.stored(), table)))
                });
                let index = self.targets.len();
                self.targets.push(TargetFold::new(path.clone(), prepared.stored(), sources));
                self.by_path.insert(path.clone(), index);
                index
            }
        };
        let Some(fold) = self.targets.get_mut(target) else {
            return Err(LakeError::Internal("a target of the open epoch is missing".into()));
        };
        let (batch, watch) = fold.admit(prepared, &self.hasher)?;
        Ok(Entrance { target, batch, watch })
    }
}

/// One image's change to a target.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// Index of the batch within the target.
    batch: u32,
    image: usize,
    kind: ImageKind,
    proof: change::KeyProof,
}

/// The way through one batch.
struct Walk<'a> {
    batch: &'a Transformed,
    prepared: Option<Prepared>,
    /// For each route of the batch, once an image took it.
    ways: Vec<Option<Way<'a>>>,
    before: Option<Former>,
}

/// The last before image.
#[derive(Clone, Copy)]
struct Former {
    /// The after image that belongs to it.
    after: usize,
    target: usize,
    entry: u32,
    /// What its row was, where that may be needed.
    below: Option<Below>,
}

impl<'a> Walk<'a> {
    fn over(batch: &'a Transformed) -> Self {
        let routes = match &batch.routing {
            Routing::Whole(_) => 1,
            Routing::PerImage { routes, .. } => routes.len(),
        };
        let ways = std::iter::repeat_with(|| None).take(routes).collect();
        Self { batch, prepared: None, ways, before: None }
    }
}

/// Where one route of a batch leads.
struct Way<'a> {
    target: TargetPath,
    /// None where the target takes everything of this batch.
    covered: Option<Arc<Position>>,
    /// The last transaction that was asked for, and the answer.
    last: Option<(&'a Arc<Transaction>, bool)>,
    entrance: Option<Entrance>,
}

impl<'a> Way<'a> {
    fn covers(&mut self, transaction: &'a Arc<Transaction>) -> bool {
        let Some(position) = &self.covered else { return false };
        match self.last {
            Some((last, answer)) if Arc::ptr_eq(last, transaction) => answer,
            _ => {
                let answer = position.covers(transaction);
                self.last = Some((transaction, answer));
                answer
            }
        }
    }
}

/// A batch's place in a target.
struct Entrance {
    target: usize,
    batch: u32,
    watch: Watch,
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
