//! A plugin that misbehaves on purpose, as its configuration says: `{"do": "spin"}`. The host must
//! survive every one of them.
//!
//! It keeps rows whose `v` (an int32) is not 0 and makes the column `made`, unless it is told
//! otherwise. Natively it is empty.

#[cfg(target_arch = "wasm32")]
mod answer;
#[cfg(target_arch = "wasm32")]
mod guest;
