//! JSON documents of which the log told changes alone ([`change::json_patch`]): the slot of such a value,
//! which counts as one that is not told, holds the patch, and NULL where there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use change::json_patch;

/// The patch in a slot.
pub(crate) fn patch_in(column: &ArrayRef, row: usize) -> Option<&str> {
    let texts = column.as_string_opt::<i32>()?;
    (row < texts.len() && texts.is_valid(row)).then(|| texts.value(row))
}

/// A column with other texts in some rows.
pub(crate) fn replaced(column: &ArrayRef, texts: &BTreeMap<usize, String>) -> ArrayRef {
    let Some(known) = column.as_string_opt::<i32>().filter(|_| !texts.is_empty()) else {
        return Arc::clone(column);
    };
    let text = |(row, known): (usize, Option<&str>)| match texts.get(&row) {
        Some(new) => Some(new.clone()),
        None => known.map(str::to_owned),
    };
    Arc::new(known.iter().enumerate().map(text).collect::<StringArray>())
}

/// Lays the patches of `told` over the documents that were found in their place; the row of the first one
/// that does not fit is the error.
pub(crate) fn applied(
    whole: &ArrayRef,
    told: &ArrayRef,
    rows: impl Iterator<Item = usize>,
) -> Result<ArrayRef, usize> {
    let mut texts = BTreeMap::new();
    for row in rows {
        let Some(patch) = patch_in(told, row) else { continue };
        let document = patch_in(whole, row).and_then(|known| json_patch::apply(known, patch));
        texts.insert(row, document.ok_or(row)?);
    }
    Ok(replaced(whole, &texts))
}
