//! Columns across the border: Arrow to the three buffers of `wit/transform.wit`, and back. What
//! comes back is checked in full before it becomes Arrow.

mod lift;
mod lower;

pub(crate) use lift::{CheckedEdit, Expected, RowRoutes, Slot, check_code, lift};
pub(crate) use lower::{Pushed, Weights, lower};

#[cfg(test)]
mod tests;
