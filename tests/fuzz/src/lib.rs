//! What a fuzzer may do to the source: one function a target, from any bytes to rows or an error.
//!
//! The targets see the reader as a user does, through [`binlog::FileSource`] on a file. Around what the fuzzer chose
//! stand the bytes that it would never guess: the head of a log, a transaction, a table map. The unit tests replay
//! the seeds and every input that once broke something (`tests/fixtures/fuzz`), so `make quick` guards what `make
//! fuzz` found.

#![expect(clippy::expect_used, reason = "a finding is a panic: the fuzzer keeps the input")]

mod decode;
mod log;
mod seeds;
mod target;

pub use seeds::write_seeds;
pub use target::{TARGETS, Target, named};

/// The variable that names the target; the fuzzer's own arguments belong to the fuzzer.
pub const TARGET_VARIABLE: &str = "SLUICE_FUZZ_TARGET";

/// The variable that names the folder into which the target's seeds are written first.
pub const SEEDS_VARIABLE: &str = "SLUICE_FUZZ_SEEDS";

#[cfg(test)]
mod tests;
