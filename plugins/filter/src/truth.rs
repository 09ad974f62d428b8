//! Conditions over the columns of a batch, in SQL's three-valued logic.
//!
//! A condition is two bitmaps, where it is true and where it is false; where neither, it is unknown.

use std::fmt;

use sluice_guest::{Batch, Bitmap, Failure};

/// Where a condition holds and where it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) yes: Bitmap,
    pub(crate) no: Bitmap,
}

/// Finds the rows that a condition on single values accepts.
pub(crate) type Matcher = Box<dyn Fn(&Batch<'_>) -> Result<Bitmap, Failure>>;

/// A condition, compiled for one table.
pub(crate) enum Test {
    /// The same for every row.
    Known(Option<bool>),
    /// True where one part is.
    Any(Vec<Test>),
    /// True where all parts are.
    All(Vec<Test>),
    /// True where the part is false.
    Not(Box<Test>),
    /// True where the part is exactly this (none: unknown); never unknown itself.
    Is(Box<Test>, Option<bool>),
    /// True where a column is NULL.
    IsNull(usize),
    /// A condition on values.
    Leaf {
        /// The columns that it looks at; a NULL in one makes it unknown.
        slots: Vec<usize>,
        /// Where it is true. May answer anything for NULLs.
        accepts: Matcher,
    },
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(truth) => write!(f, "{truth:?}"),
            Self::Any(parts) => f.debug_tuple("Any").field(parts).finish(),
            Self::All(parts) => f.debug_tuple("All").field(parts).finish(),
            Self::Not(part) => f.debug_tuple("Not").field(part).finish(),
            Self::Is(part, truth) => f.debug_tuple("Is").field(part).field(truth).finish(),
            Self::IsNull(slot) => f.debug_tuple("IsNull").field(slot).finish(),
            Self::Leaf { slots, .. } => f.debug_tuple("Leaf").field(slots).finish(),
        }
    }
}

impl Test {
    /// Where the condition holds in a batch.
    pub(crate) fn run(&self, batch: &Batch<'_>) -> Result<Truth, Failure> {
        let rows = batch.rows();
        Ok(match self {
            Self::Known(truth) => Truth {
                yes: Bitmap::filled(rows, *truth == Some(true)),
                no: Bitmap::filled(rows, *truth == Some(false)),
            },
            Self::Any(parts) => {
                let nothing =
                    Truth { yes: Bitmap::filled(rows, false), no: Bitmap::filled(rows, true) };
                fold(parts, batch, nothing, |a, b| Truth {
                    yes: a.yes.or(&b.yes),
                    no: a.no.and(&b.no),
                })?
            }
            Self::All(parts) => {
                let all =
                    Truth { yes: Bitmap::filled(rows, true), no: Bitmap::filled(rows, false) };
                fold(parts, batch, all, |a, b| Truth {
                    yes: a.yes.and(&b.yes),
                    no: a.no.or(&b.no),
                })?
            }
            Self::Not(part) => {
                let Truth { yes, no } = part.run(batch)?;
                Truth { yes: no, no: yes }
            }
            Self::Is(part, wanted) => {
                let Truth { yes, no } = part.run(batch)?;
                certain(match wanted {
                    Some(true) => yes,
                    Some(false) => no,
                    None => !yes.or(&no),
                })
            }
            Self::IsNull(slot) => certain(match batch.column(*slot)?.validity() {
                Some(valid) => !valid,
                None => Bitmap::filled(rows, false),
            }),
            Self::Leaf { slots, accepts } => {
                let mut known = Bitmap::filled(rows, true);
                for slot in slots {
                    if let Some(valid) = batch.column(*slot)?.validity() {
                        known = known.and(&valid);
                    }
                }
                let yes = accepts(batch)?.and(&known);
                Truth { no: known.and_not(&yes), yes }
            }
        })
    }
}

fn fold(
    parts: &[Test],
    batch: &Batch<'_>,
    start: Truth,
    join: impl Fn(Truth, Truth) -> Truth,
) -> Result<Truth, Failure> {
    parts.iter().try_fold(start, |truth, part| Ok(join(truth, part.run(batch)?)))
}

fn certain(yes: Bitmap) -> Truth {
    Truth { no: !yes.clone(), yes }
}
