//! Offline tests of a pipeline: a recorded log in, expected tables out.
//!
//! A case is a folder with a `case.toml` (`docs/reference/cli.md`). It runs the chain and the fold
//! of the production manifest into tables in memory; no server, no lake and no checkpoint is touched.

mod case;
mod content;
mod decider;
mod difference;
mod expected;
mod replay;

#[cfg(test)]
mod tests;

pub use case::{Case, CaseError, find};
pub use content::{Content, RejectedRow, TableContent};
pub use decider::Deciders;
pub use difference::{Difference, compare};
pub use expected::Expected;
pub use replay::{Cut, replay};

use crate::error::CommandError;

/// What became of a case.
#[derive(Debug)]
pub enum Verdict {
    /// Everything is as expected, in both orders of batches.
    Passed,
    /// What is not as expected, most important first.
    Failed(Vec<Difference>),
    /// The expected files were written.
    Blessed {
        /// How many.
        files: usize,
    },
}

/// What to do with what came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Compare it with the expected files.
    Compare,
    /// Write the expected files.
    Bless,
}

/// Runs a case twice, with other batch boundaries and fresh instances, and compares or blesses.
///
/// # Errors
/// Where the case, its manifest or its expected files are wrong, or the chain cannot run.
pub fn run(case: &Case, engine: &plugin::Engine, mode: Mode) -> Result<Verdict, CommandError> {
    let whole = replay(case, engine, Cut::Whole)?;
    let single = replay(case, engine, Cut::Transactions)?;
    let torn = difference::between_runs(&whole, &single);
    if !torn.is_empty() {
        return Ok(Verdict::Failed(torn));
    }
    // Net changes are those of each transaction, so they come from the run that commits each alone.
    let got = Content { changes: single.changes, ..whole };
    match mode {
        Mode::Bless => {
            Ok(Verdict::Blessed { files: expected::bless(&case.expected_folder(), &got)? })
        }
        Mode::Compare => {
            let expected = Expected::read(&case.expected_folder())?;
            let differences = compare(&expected, &got);
            let is_equal = differences.is_empty();
            Ok(if is_equal { Verdict::Passed } else { Verdict::Failed(differences) })
        }
    }
}
