//! One plugin over the rows of one batch: cut to what its memory takes, called, and where a call
//! traps or takes too long, run again in a fresh instance and halved until the row that does it stands
//! alone. The wall clock halves too, but no row is ever rejected by it.
//!
//! A plugin sees single row images, so a batch may be cut between the two images of an update.

use std::ops::Range;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, new_null_array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::ArrowError;

use crate::chain::ChainCounters;
use crate::error::{Call, GuestFailure};
use crate::limits::{MEMORY_SHARE, RECOVERY_DEADLINES};
use crate::plan::Process;
use crate::transfer::{CheckedEdit, Expected, Pushed, RowRoutes, Weights, lift, lower};
use crate::worker::Worker;

/// The code of an image that makes its plugin trap.
const CODE_TRAP: &str = "trap";

/// The code of an image that uses up its plugin's instructions.
const CODE_FUEL: &str = "fuel";

/// Why a plugin's part in a batch could not be done.
pub(crate) enum Stopped {
    /// The plugin's fault.
    Guest(GuestFailure),
    /// The answers of its pieces do not join.
    Arrow(ArrowError),
}

impl From<GuestFailure> for Stopped {
    fn from(failure: GuestFailure) -> Self {
        Self::Guest(failure)
    }
}

/// The rows that a plugin gets, and what its plan says of them.
pub(crate) struct Rows<'a> {
    pub(crate) table_id: u32,
    pub(crate) process: &'a Process,
    pub(crate) columns: &'a [ArrayRef],
    pub(crate) count: usize,
}

/// Calls `process` for all rows and joins the answers.
pub(crate) fn process(
    worker: &mut Worker,
    rows: &Rows<'_>,
    counters: &mut ChainCounters,
) -> Result<CheckedEdit, Stopped> {
    let mut edits = Vec::new();
    for piece in cut(worker, rows)? {
        recover(worker, rows, piece, counters, &mut edits)?;
    }
    let mut edits = edits.into_iter();
    match (edits.next(), edits.len()) {
        (Some(only), 0) => Ok(only),
        (Some(first), _) => join(std::iter::once(first).chain(edits)).map_err(Stopped::Arrow),
        (None, _) => Ok(CheckedEdit {
            rows: 0,
            keep: None,
            computed: Vec::new(),
            routing: None,
            rejected: Vec::new(),
        }),
    }
}

/// Pieces of as many rows as the plugin may get at once.
fn cut(worker: &Worker, rows: &Rows<'_>) -> Result<Vec<Range<usize>>, GuestFailure> {
    let limits = &worker.prepared.limits;
    let weights = Weights::new(rows.columns, &rows.process.types);
    let (bytes_max, rows_max) = (limits.pushed_bytes_max(), limits.rows_max.max(1) as usize);
    let (mut pieces, mut start) = (Vec::new(), 0);
    while start < rows.count {
        let end = rows.count.min(start.saturating_add(rows_max));
        let fits = |end: usize| weights.bytes(&(start..end)) <= bytes_max;
        let end = if fits(end) { end } else { last_that(start + 1, end, fits) };
        if !fits(end) {
            let row_bytes = weights.bytes(&(start..start + 1));
            return Err(GuestFailure::RowTooLarge {
                row_bytes,
                memory_bytes: limits.memory_bytes,
                memory_bytes_needed: row_bytes.saturating_mul(MEMORY_SHARE),
            });
        }
        pieces.push(start..end);
        start = end;
    }
    Ok(pieces)
}

/// The last index for which `holds`, which does for a first part of `low..=high`; `low` if for none.
fn last_that(mut low: usize, mut high: usize, holds: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if holds(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// Runs a piece, and where it stops its halves, down to single rows. Fuel grows with the rows of a call
/// and the deadline does not: a spinning row shows as one that spends its fuel only in a small piece.
fn recover(
    worker: &mut Worker,
    rows: &Rows<'_>,
    piece: Range<usize>,
    counters: &mut ChainCounters,
    edits: &mut Vec<CheckedEdit>,
) -> Result<(), GuestFailure> {
    let allowed = worker.prepared.limits.deadline.saturating_mul(RECOVERY_DEADLINES);
    let mut lost = Duration::ZERO;
    // The next piece is the last one: halves are taken from left to right.
    let mut todo = vec![piece];
    while let Some(piece) = todo.pop() {
        if piece.len() > worker.rows_in_time {
            todo.extend(halves(&piece));
            continue;
        }
        let (was_fresh, start) = (worker.is_fresh(), Instant::now());
        let failure = match attempt(worker, rows, &piece, counters) {
            Ok(edit) => {
                edits.push(edit);
                continue;
            }
            Err(failure) => failure,
        };
        let Some(code) = code_of(&failure) else { return Err(failure) };
        let is_late = matches!(failure, GuestFailure::Deadline { .. });
        lost = lost.saturating_add(start.elapsed());
        let is_over = lost > allowed;
        // A single row was tried twice already.
        if is_late && (is_over || piece.len() == 1) {
            return Err(failure);
        }
        if is_over {
            let spent_ms = u64::try_from(allowed.as_millis()).unwrap_or(u64::MAX);
            return Err(GuestFailure::Recovery { spent_ms, detail: Some(failure.to_string()) });
        }
        if is_late {
            worker.rows_in_time = piece.len().div_ceil(2);
            todo.push(piece);
        } else if !was_fresh {
            // Whatever trapped dropped its instance, so this time it runs in a fresh one.
            todo.push(piece);
        } else if piece.len() > 1 {
            todo.extend(halves(&piece));
        } else if let Some(code) = code {
            edits.push(rejected(rows, code, &failure));
        } else {
            return Err(failure);
        }
    }
    Ok(())
}

/// The halves of a piece, the one to take first behind the other.
fn halves(piece: &Range<usize>) -> [Range<usize>; 2] {
    let middle = piece.start + piece.len() / 2;
    [middle..piece.end, piece.start..middle]
}

/// None: it stops. Otherwise it is tried with fewer rows, and a single row is rejected with the code,
/// where there is one.
fn code_of(failure: &GuestFailure) -> Option<Option<&'static str>> {
    match failure {
        GuestFailure::Trap { call: Call::Process, .. }
        | GuestFailure::Memory { call: Call::Process, .. } => Some(Some(CODE_TRAP)),
        GuestFailure::Fuel { call: Call::Process, .. } => Some(Some(CODE_FUEL)),
        GuestFailure::Output { call: Call::Process, .. }
        | GuestFailure::Deadline { call: Call::Process, .. } => Some(None),
        _ => None,
    }
}

fn attempt(
    worker: &mut Worker,
    rows: &Rows<'_>,
    piece: &Range<usize>,
    counters: &mut ChainCounters,
) -> Result<CheckedEdit, GuestFailure> {
    let slice = |array: &ArrayRef| array.slice(piece.start, piece.len());
    let typed = rows.columns.iter().zip(&rows.process.types);
    let pushed: Vec<Pushed> = typed.map(|(array, t)| lower(&slice(array), *t)).collect();
    let columns: Vec<_> = pushed.iter().map(Pushed::param).collect();
    counters.calls += 1;
    counters.images += piece.len() as u64;
    counters.bytes_in += pushed.iter().map(|p| p.bytes() as u64).sum::<u64>();
    let count = u32::try_from(piece.len()).unwrap_or(u32::MAX);
    let edit = worker.process(rows.table_id, count, &columns)?;
    counters.bytes_out += answer_bytes(&edit);
    let expected = Expected { rows: piece.len(), slots: &rows.process.slots };
    lift(edit, &expected).map_err(|what| GuestFailure::Answer { call: Call::Process, what })
}

fn answer_bytes(edit: &crate::bindings::transform::Edit) -> u64 {
    let columns = edit
        .computed
        .iter()
        .map(|c| c.validity.as_ref().map_or(0, Vec::len) + c.offsets.len() + c.data.len());
    let rest =
        edit.keep.as_ref().map_or(0, Vec::len) + edit.routing.as_ref().map_or(0, |r| r.rows.len());
    (columns.sum::<usize>() + rest) as u64
}

/// The edit of a single row that its plugin cannot take.
fn rejected(rows: &Rows<'_>, code: &str, failure: &GuestFailure) -> CheckedEdit {
    let detail = match failure {
        GuestFailure::Trap { detail: Some(detail), .. } => format!("{failure}; {detail}"),
        _ => failure.to_string(),
    };
    let nulls = rows.process.slots.iter().map(|s| new_null_array(&s.column_type.arrow(), 1));
    CheckedEdit {
        rows: 1,
        keep: Some(BooleanBuffer::new_unset(1)),
        computed: nulls.collect(),
        routing: None,
        rejected: vec![(0, code.to_owned(), detail)],
    }
}

/// Joins the answers of consecutive pieces.
fn join(edits: impl Iterator<Item = CheckedEdit>) -> Result<CheckedEdit, ArrowError> {
    let edits: Vec<CheckedEdit> = edits.collect();
    let rows = edits.iter().map(|e| e.rows).sum();
    let width = edits.first().map_or(0, |e| e.computed.len());
    let column = |index: usize| -> Result<ArrayRef, ArrowError> {
        let parts: Vec<_> =
            edits.iter().filter_map(|e| e.computed.get(index)).map(AsRef::as_ref).collect();
        arrow_select::concat::concat(&parts)
    };
    let computed = (0..width).map(column).collect::<Result<_, _>>()?;
    let (keep, routing) = (join_keep(&edits, rows), join_routing(&edits));
    let (mut rejected, mut start) = (Vec::new(), 0_u32);
    for edit in edits {
        rejected.extend(edit.rejected.into_iter().map(|(row, c, d)| (start + row, c, d)));
        start = start.saturating_add(u32::try_from(edit.rows).unwrap_or(u32::MAX));
    }
    Ok(CheckedEdit { rows, keep, computed, routing, rejected })
}

fn join_keep(edits: &[CheckedEdit], rows: usize) -> Option<BooleanBuffer> {
    if edits.iter().all(|e| e.keep.is_none()) {
        return None;
    }
    let mut all = BooleanBufferBuilder::new(rows);
    for edit in edits {
        match &edit.keep {
            Some(keep) => all.append_buffer(keep),
            None => all.append_n(edit.rows, true),
        }
    }
    Some(all.finish())
}

/// Rows of pieces without routing get an empty set of variables.
fn join_routing(edits: &[CheckedEdit]) -> Option<RowRoutes> {
    if edits.iter().all(|e| e.routing.is_none()) {
        return None;
    }
    let mut all = RowRoutes { routes: vec![Vec::new()], rows: Vec::new() };
    for edit in edits {
        let start = u32::try_from(all.routes.len()).unwrap_or(u32::MAX);
        match &edit.routing {
            Some(routing) => {
                all.routes.extend(routing.routes.iter().cloned());
                all.rows.extend(routing.rows.iter().map(|r| start.saturating_add(*r)));
            }
            None => all.rows.extend(std::iter::repeat_n(0, edit.rows)),
        }
    }
    Some(all)
}
