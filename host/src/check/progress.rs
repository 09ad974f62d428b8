//! How far the pipeline has come, and whether it can go on from there. Checkpoint and targets are only
//! read: a run may be going on meanwhile.

use change::Definitions;
use lake::Lake;
use plugin::Chain;

use super::Finding;
use crate::checkpoint::Checkpoint;
use crate::manifest::{Manifest, StartAt};
use crate::moment;
use crate::pipeline::resume::{self, Resume};
use crate::pipeline::schema_history::SchemaHistory;
use crate::pipeline::{RunError, RunOptions, open};

/// Where a run would begin.
#[derive(Default)]
pub(super) struct Begin {
    pub(super) resume: Resume,
    /// The definitions of tables there, as far as they are known without a look at the log.
    pub(super) definitions: Definitions,
}

/// Findings about checkpoint and targets, and where a run would go on; none where it would not.
pub(super) async fn check(
    manifest: &Manifest,
    chain: Option<&Chain>,
    findings: &mut Vec<Finding>,
) -> Option<Begin> {
    let resume = resume(manifest, chain, findings).await;
    // A file that the manifest names is read either way.
    let known = known(manifest, &resume.clone().unwrap_or_default()).await;
    match known {
        Ok(definitions) => {
            if !definitions.is_empty() {
                let tables = definitions.tables.len();
                let message = format!("of {tables} tables are known where the log is read from");
                findings.push(Finding::ok("definitions", message));
            }
            resume.map(|resume| Begin { resume, definitions })
        }
        Err(error) => {
            findings.push(Finding::error("definitions", error));
            None
        }
    }
}

async fn known(manifest: &Manifest, resume: &Resume) -> Result<Definitions, RunError> {
    let store = open::lake_options(manifest, "").store;
    let history = SchemaHistory::open(manifest, &store).await?;
    open::known_definitions(manifest, &RunOptions::default(), resume, &history)
}

async fn resume(
    manifest: &Manifest,
    chain: Option<&Chain>,
    findings: &mut Vec<Finding>,
) -> Option<Resume> {
    let (folder, name) = (&manifest.pipeline.checkpoint, &manifest.pipeline.name);
    let state = Checkpoint::peek(folder, name);
    let state = state.map_err(|error| findings.push(Finding::error("checkpoint", error)));
    let digest = chain.map(|chain| open::digest(chain, manifest));
    let lake = Lake::open(open::lake_options(manifest, digest.as_deref().unwrap_or_default()));
    let lake = lake.await.map_err(|error| findings.push(Finding::error("sink", error)));
    let (state, lake, digest) = (state.ok()?, lake.ok()?, digest?);
    let state = resume::usable(state, manifest);
    match resume::decide(state.as_ref(), lake.recovered(), &digest) {
        Ok(resume) => {
            let targets = lake.recovered().targets.len();
            findings.push(Finding::ok("progress", told(&resume, targets, &manifest.source.start)));
            Some(resume)
        }
        Err(error) => {
            findings.push(Finding::error("progress", error));
            None
        }
    }
}

fn told(resume: &Resume, targets: usize, start: &StartAt) -> String {
    match (&resume.position, start) {
        (Some(position), _) => {
            format!("goes on behind {position} with epoch {}, targets: {targets}", resume.epoch)
        }
        (None, StartAt::File { file, offset }) => format!("begins at {file}:{offset}"),
        (None, StartAt::Gtid(set)) => format!("begins behind {set}"),
        (None, StartAt::Time(seconds)) => {
            format!("begins with the first transaction from {} on", moment::text(*seconds))
        }
        (None, StartAt::Earliest) => "begins at the oldest log that there is".to_owned(),
        (None, StartAt::Latest) => "begins at the end of the log".to_owned(),
    }
}
