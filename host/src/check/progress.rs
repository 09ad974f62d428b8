//! How far the pipeline has come, and whether it can go on from there. Checkpoint and targets are only
//! read: a run may be going on meanwhile.

use lake::Lake;
use plugin::Chain;

use super::Finding;
use crate::checkpoint::Checkpoint;
use crate::manifest::{Manifest, StartAt};
use crate::pipeline::open;
use crate::pipeline::resume::{self, Resume};

/// Findings about checkpoint and targets, and where a run would go on; none where it would not.
pub(super) async fn check(
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
        (None, StartAt::Earliest) => "begins at the oldest log that there is".to_owned(),
        (None, StartAt::Latest) => "begins at the end of the log".to_owned(),
    }
}
