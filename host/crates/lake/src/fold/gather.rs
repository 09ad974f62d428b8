//! From entries that point into many batches to sorted columns.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_empty_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use change::Presence;

use super::keys::Keys;
use super::target::Entry;

/// Rows that follow each other in their batch are copied as a piece where pieces have at least this
/// many rows on average; below that, row by row is as fast.
const PIECE_ROWS_MIN: usize = 16;

/// A batch as a target keeps it.
#[derive(Debug)]
pub(super) struct Held {
    /// Stored columns in the target's order.
    pub(super) columns: Vec<ArrayRef>,
    /// The keys in the target's key order.
    pub(super) keys: Arc<Keys>,
    /// Which values are known.
    pub(super) presence: Presence,
}

/// The entries in ascending order of their keys.
pub(super) fn sorted(batches: &[Held], mut entries: Vec<Entry>) -> Vec<Entry> {
    let integers = batches.iter().all(|h| matches!(*h.keys, Keys::Integers(_)));
    if integers {
        entries.sort_unstable_by_key(|e| e.code);
        return entries;
    }
    let keys_of = |e: Entry| batches.get(e.batch()).map(|h| &*h.keys);
    let prefixed = entries.into_iter().map(|e| (keys_of(e).map_or(0, |k| k.prefix(e.row())), e));
    let mut prefixed: Vec<(u128, Entry)> = prefixed.collect();
    prefixed.sort_unstable_by(|(p, a), (q, b)| {
        p.cmp(q).then_with(|| match (keys_of(*a), keys_of(*b)) {
            (Some(x), Some(y)) => x.compare_rest(a.row(), y, b.row()),
            _ => std::cmp::Ordering::Equal,
        })
    });
    prefixed.into_iter().map(|(_, e)| e).collect()
}

/// The rows that exist (`ids` is none: all columns) or the keys that do not (`ids`: these columns),
/// and the inserted flag of each.
pub(super) fn rows(
    batches: &[Held],
    entries: &[Entry],
    schema: &SchemaRef,
    ids: Option<&[usize]>,
) -> Result<(RecordBatch, BooleanBuffer), ArrowError> {
    let wanted: Vec<Entry> =
        entries.iter().filter(|e| e.exists() == ids.is_none()).copied().collect();
    let inserted = BooleanBuffer::from_iter(wanted.iter().map(|e| e.inserted()));
    let plan = Plan::of(&wanted);
    let width = schema.fields().len();
    let indexes: Vec<usize> = ids.map_or_else(|| (0..width).collect(), <[usize]>::to_vec);
    let columns = indexes.into_iter().zip(schema.fields()).map(|(index, field)| {
        let parts: Vec<&ArrayRef> = batches.iter().filter_map(|h| h.columns.get(index)).collect();
        plan.column(&parts).map(|c| c.unwrap_or_else(|| new_empty_array(field.data_type())))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(wanted.len()));
    let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
    Ok((rows, inserted))
}

/// How the rows of a column are brought together.
enum Plan {
    /// There is none.
    Nothing,
    /// Pieces of batches: batch, first row, rows.
    Pieces(Vec<(usize, usize, usize)>),
    /// Rows of one batch.
    One(usize, UInt32Array),
    /// Rows of many batches: batch and row.
    Many(Vec<(usize, usize)>),
}

impl Plan {
    fn of(entries: &[Entry]) -> Self {
        let Some(first) = entries.first() else { return Self::Nothing };
        let follow = |w: &[Entry]| match w {
            [a, b] => a.batch() == b.batch() && a.row().checked_add(1) == Some(b.row()),
            _ => false,
        };
        let breaks = entries.windows(2).filter(|w| !follow(w)).count();
        if breaks.saturating_mul(PIECE_ROWS_MIN) <= entries.len() {
            let mut pieces: Vec<(usize, usize, usize)> = Vec::with_capacity(breaks + 1);
            for entry in entries {
                match pieces.last_mut() {
                    Some((batch, start, rows))
                        if *batch == entry.batch()
                            && start.checked_add(*rows) == Some(entry.row()) =>
                    {
                        *rows += 1;
                    }
                    _ => pieces.push((entry.batch(), entry.row(), 1)),
                }
            }
            return Self::Pieces(pieces);
        }
        if entries.iter().all(|e| e.batch() == first.batch()) {
            let rows = entries.iter().map(|e| u32::try_from(e.row()).ok());
            return Self::One(first.batch(), rows.collect());
        }
        Self::Many(entries.iter().map(|e| (e.batch(), e.row())).collect())
    }

    /// One column of all batches of the target; none where there are no rows.
    fn column(&self, parts: &[&ArrayRef]) -> Result<Option<ArrayRef>, ArrowError> {
        let missing = || ArrowError::InvalidArgumentError("a batch of the epoch is missing".into());
        let part = |batch: usize| parts.get(batch).copied().ok_or_else(missing);
        Ok(Some(match self {
            Self::Nothing => return Ok(None),
            Self::Pieces(pieces) => {
                let slices = pieces
                    .iter()
                    .map(|(batch, start, rows)| part(*batch).map(|p| p.slice(*start, *rows)))
                    .collect::<Result<Vec<_>, _>>()?;
                match slices.as_slice() {
                    [whole] => Arc::clone(whole),
                    _ => concat(&slices.iter().map(AsRef::as_ref).collect::<Vec<_>>())?,
                }
            }
            Self::One(batch, rows) => take(part(*batch)?.as_ref(), rows, None)?,
            Self::Many(rows) => {
                let arrays: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                interleave(&arrays, rows)?
            }
        }))
    }
}
