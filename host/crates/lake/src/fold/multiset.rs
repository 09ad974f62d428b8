//! The open epoch of a target without a key: how often each row came and went.
//!
//! An entry is a row then, and its weight is what came minus what went; which image of the row it
//! points to does not matter, since they are all equal.

use std::sync::Arc;

use change::TableName;

use super::gather::{self, Held};
use super::target::Entry;
use crate::changes::TargetChanges;
use crate::error::{FoldError, LakeError};
use crate::stored::StoredSchema;

/// The weights of a target's entries, and the form that its tables had in this epoch.
#[derive(Debug, Default)]
pub(super) struct Multiset {
    weights: Vec<i64>,
    forms: Vec<(TableName, Arc<StoredSchema>)>,
}

/// Whether an image adds a row or takes one away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Add,
    Take,
}

impl Multiset {
    pub(super) fn memory_bytes(&self) -> usize {
        self.weights.capacity().saturating_mul(size_of::<i64>())
    }

    /// Two forms of a table within an epoch would make two rows of one, since columns that one form
    /// lacks are NULL in it.
    pub(super) fn check_form(&mut self, form: &Arc<StoredSchema>) -> Result<(), String> {
        let known = self.forms.iter().find(|(table, _)| table == form.source());
        match known {
            None => self.forms.push((form.source().clone(), Arc::clone(form))),
            Some((_, known)) if known.arrow() != form.arrow() => {
                return Err("rows without a key are compared over one set of columns".into());
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Counts an image of an entry.
    pub(super) fn weigh(&mut self, entry: u32, step: Step) {
        let entry = entry as usize;
        if self.weights.len() <= entry {
            self.weights.resize(entry.saturating_add(1), 0);
        }
        if let Some(weight) = self.weights.get_mut(entry) {
            *weight = match step {
                Step::Add => weight.saturating_add(1),
                Step::Take => weight.saturating_sub(1),
            };
        }
    }

    /// The rows that come and those that go, into changes that have everything else.
    pub(super) fn finish(
        self,
        batches: &[Held],
        entries: Vec<Entry>,
        changes: &mut TargetChanges,
    ) -> Result<(), LakeError> {
        let target = changes.target.clone();
        let weighed = entries.into_iter().zip(self.weights).filter(|(_, weight)| *weight != 0);
        // The code of an entry was for the index, which is gone.
        let weighed = weighed.map(|(entry, weight)| entry.weighing(weight));
        let sorted = gather::sorted(batches, weighed.collect());
        let (mut lines, mut counts) = (Vec::with_capacity(sorted.len()), Vec::new());
        for entry in sorted {
            let weight = entry.code;
            if entry.exists() {
                let times = usize::try_from(weight).unwrap_or(usize::MAX);
                lines.extend(std::iter::repeat_n(entry, times));
                continue;
            }
            let count = u32::try_from(weight).map_err(|_| FoldError::EpochTooLarge {
                target: target.clone(),
                what: "deletes of one row",
                limit: u32::MAX.into(),
            })?;
            lines.push(entry);
            counts.push(count);
        }
        let wrong = |source| FoldError::Arrow { target: target.clone(), source };
        let schema = Arc::clone(&changes.schema);
        let (rows, rows_inserted) =
            gather::rows(batches, &lines, schema.arrow(), None).map_err(wrong)?;
        let (gone, gone_inserted) =
            gather::rows(batches, &lines, &schema.id_arrow(), Some(schema.id_columns()))
                .map_err(wrong)?;
        (changes.rows, changes.rows_inserted) = (rows, rows_inserted);
        (changes.gone, changes.gone_inserted) = (gone, gone_inserted);
        changes.gone_counts = Some(counts);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
