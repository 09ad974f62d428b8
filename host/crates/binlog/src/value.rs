//! Single values: from their bytes in a row image to what a column holds.
//!
//! One file a family. Nothing here knows tables or buffers, and nothing panics on any bytes.

pub(crate) mod address;
pub(crate) mod charset;
pub(crate) mod decimal;
pub(crate) mod json;
pub(crate) mod packed;
pub(crate) mod temporal;

pub use temporal::ZeroDates;
