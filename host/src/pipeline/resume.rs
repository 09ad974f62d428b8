//! Where a run goes on.
//!
//! The checkpoint and the targets each know a point that every target has passed; the later of the two
//! holds, so that either may be lost. Targets that are past it drop what they have.

use std::collections::BTreeMap;

use change::{LoadState, Position, TargetPath};
use lake::{Recovered, RecoveredTarget};

use super::error::RunError;
use super::schema_policy::SeenTables;
use crate::checkpoint::State;
use crate::manifest::{Manifest, StartAt};

/// Where a run goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// Behind this; none for a pipeline that has never finished an epoch.
    pub position: Option<Position>,
    /// The number of its first epoch.
    pub epoch: u64,
    /// Source tables that had rows.
    pub sources: SeenTables,
    /// How far the load of tables is; none where there was none.
    pub load: Option<LoadState>,
}

/// Decides from what the checkpoint and the targets know.
///
/// # Errors
/// Where a target went back, the chain changed while targets stand at different points, or the two
/// positions are of different histories.
pub fn decide(
    state: Option<&State>,
    recovered: &Recovered,
    digest: &str,
) -> Result<Resume, RunError> {
    if let Some(state) = state {
        check_counters(&state.targets, recovered)?;
    }
    let position = reached(state, recovered)?;
    check_chains(position, recovered, digest)?;
    let last = state.map_or(0, |s| s.epoch).max(recovered.epoch);
    Ok(Resume {
        position: position.cloned(),
        epoch: last.saturating_add(1),
        load: match state {
            Some(state) if state.epoch >= recovered.epoch => state.load.clone(),
            _ => recovered.load.clone(),
        },
        sources: match state {
            Some(state) => seen_by_both(state, recovered),
            None => seen_by_targets(recovered),
        },
    })
}

/// The point that every target has passed, by the later of what checkpoint and targets know; none for a
/// pipeline that has not begun.
///
/// # Errors
/// Where the two positions are of different histories.
pub fn reached<'a>(
    state: Option<&'a State>,
    recovered: &'a Recovered,
) -> Result<Option<&'a Position>, RunError> {
    let stored = state.map(|s| &s.position);
    match (stored, recovered.all_durable.as_ref()) {
        (Some(a), Some(b)) if a.reaches(b) => Ok(Some(a)),
        (Some(a), Some(b)) if b.reaches(a) => Ok(Some(b)),
        (Some(a), Some(b)) => Err(RunError::Diverged { checkpoint: a.clone(), targets: b.clone() }),
        (a, b) => Ok(a.or(b)),
    }
}

/// The name of a start that means another point of the log at another time.
#[must_use]
pub fn moving(start: &StartAt) -> Option<String> {
    match start {
        StartAt::Earliest => Some("earliest".to_owned()),
        StartAt::Latest => Some("latest".to_owned()),
        // One that is still to come means the end of the log.
        StartAt::Time(seconds) => Some(format!("timestamp {seconds}")),
        StartAt::File { .. } | StartAt::Gtid(_) => None,
    }
}

/// Whether what the checkpoint knows still counts: where nothing was committed yet, it only says what
/// the manifest's start stood for, and another start says something else.
#[must_use]
pub fn holds(state: &State, start: &StartAt) -> bool {
    state.start.as_ref().is_none_or(|known| moving(start).as_ref() == Some(known))
}

/// The digest of the chain that made the last finished epoch; none where there is no such epoch: a
/// pipeline that only stored where it begins has had no other chain before.
#[must_use]
pub fn last_chain(state: Option<&State>) -> Option<String> {
    state.filter(|state| state.start.is_none()).map(|state| state.chain.clone())
}

/// What the checkpoint knows and still counts, with the paths of its targets below the sink's folder as it
/// is now: a pipeline's folder may be moved as a whole.
#[must_use]
pub fn usable(state: Option<State>, manifest: &Manifest) -> Option<State> {
    let prefix = manifest.sink.path.prefix();
    let mut state = state.filter(|state| holds(state, &manifest.source.start))?;
    state.targets = state.targets.into_iter().map(|(path, n)| (placed(&path, prefix), n)).collect();
    Some(state)
}

fn placed(path: &str, prefix: &str) -> String {
    match path.strip_prefix("./") {
        Some("") => prefix.to_owned(),
        Some(below) => format!("{prefix}/{below}"),
        None => path.to_owned(),
    }
}

/// A target's path as the checkpoint keeps it: `./` and what lies below the sink's folder.
#[must_use]
pub fn below(path: &TargetPath, prefix: &str) -> String {
    let below = path.0.strip_prefix(prefix).map(|rest| rest.trim_start_matches('/'));
    below.map_or_else(|| path.to_string(), |below| format!("./{below}"))
}

/// What the checkpoint knows, and what targets know since: it may be an older copy.
fn seen_by_both(state: &State, recovered: &Recovered) -> SeenTables {
    let mut seen = state.sources.clone();
    for (target, known) in &recovered.targets {
        let stored = state.targets.get(&*target.0).copied().unwrap_or(0);
        match &known.sources {
            Some(sources) => {
                seen.names.extend(sources.tables.iter().map(|s| s.table.clone()));
                seen.others |= sources.incomplete && known.counter > stored;
            }
            // Commits that the checkpoint has not seen, of tables that nobody remembers.
            None => seen.others |= known.counter > stored,
        }
    }
    seen
}

/// Without the checkpoint only the targets tell which tables had rows.
fn seen_by_targets(recovered: &Recovered) -> SeenTables {
    let is_lost = |t: &RecoveredTarget| t.sources.as_ref().is_none_or(|s| s.incomplete);
    let others = recovered.targets.values().any(is_lost);
    let known = recovered.targets.values().filter_map(|t| t.sources.as_ref());
    let names = known.flat_map(|sources| &sources.tables).map(|source| source.table.clone());
    SeenTables { others, names: names.collect(), ..SeenTables::default() }
}

/// Every target still has the commits that the checkpoint has seen.
fn check_counters(seen: &BTreeMap<String, i64>, recovered: &Recovered) -> Result<(), RunError> {
    for (path, expected) in seen {
        let target = TargetPath(path.as_str().into());
        let found = recovered.targets.get(&target).map_or(0, |t| t.counter);
        if found < *expected {
            return Err(RunError::TargetWentBack { target, found, expected: *expected });
        }
    }
    Ok(())
}

/// No target is past the point where the others go on, unless the same chain took it there.
fn check_chains(
    position: Option<&Position>,
    recovered: &Recovered,
    digest: &str,
) -> Result<(), RunError> {
    let ahead = |covered: &Position| position.is_none_or(|p| !p.reaches(covered));
    for (target, covered) in recovered.covered() {
        let chain = recovered.targets.get(target).map_or("", |t| t.chain.as_str());
        if !chain.is_empty() && chain != digest && ahead(covered) {
            let resume = position.unwrap_or(covered).clone();
            return Err(RunError::ChainChanged { target: target.clone(), resume });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
