//! The checkpoint folder: where the pipeline goes on, and that only one process does.
//!
//! A position gets here only as a [`Durable`], which nothing but a finished commit can make; the one
//! exception is where a pipeline begins that has committed nothing. Losing the folder loses no row that
//! a target has: the targets carry their positions themselves. Only dead letters, and the begin of a
//! pipeline without a commit, are nowhere else.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use change::{Diagnose, Fault, LoadState, Position};
use lake::Durable;

use crate::pipeline::schema_policy::SeenTables;

/// The version of the file's form that this build reads and writes.
const FORM: u32 = 1;
const FILE_NAME: &str = "checkpoint.json";

/// Why the checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The folder or the file cannot be read or written.
    #[error("cannot use the checkpoint {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("the checkpoint {folder} is in use by another process")]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is not what this build writes.
    #[error("the checkpoint {path} cannot be read")]
    Form {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A newer build wrote it.
    #[error("the checkpoint {path} has form {found}, this build knows {FORM}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
    },
    /// It belongs to another pipeline.
    #[error("the checkpoint {path} belongs to pipeline `{found}`, not to `{expected}`")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The name in the file.
        found: String,
        /// The name in the manifest.
        expected: String,
    },
}

impl Diagnose for CheckpointError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io { .. } => "make the folder writable and free some space".to_owned(),
            Self::Locked { .. } => {
                "stop the other `sluice run` of this pipeline, or give this one its own checkpoint \
                 folder"
                    .to_owned()
            }
            Self::Form { .. } => "remove the file: the targets know their positions, and the run \
                                  goes on from there"
                .to_owned(),
            Self::Newer { .. } => "run a newer sluice".to_owned(),
            Self::Foreign { .. } => {
                "give each pipeline its own checkpoint folder, or the old name back".to_owned()
            }
        })
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Foreign { .. } => Fault::Usage,
            _ => Fault::Environment,
        }
    }
}

/// What is known after an epoch.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct State {
    form: u32,
    /// The pipeline's name.
    pub pipeline: String,
    /// The number of the last finished epoch.
    pub epoch: u64,
    /// Every target has everything up to here.
    pub position: Position,
    /// The digest of the chain and of what else decides results.
    pub chain: String,
    /// Source tables that had rows.
    pub sources: SeenTables,
    /// The number of this pipeline's commits in each target, by its path: `./` and what lies below the
    /// sink's folder.
    pub targets: BTreeMap<String, i64>,
    /// The manifest's `start` that the position stands for, until the first epoch is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// How far the load of tables is; none where the pipeline loads none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadState>,
}

/// The folder of one pipeline, held by this process until it is dropped.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    pipeline: String,
    state: Option<State>,
    /// Locked as long as it is open.
    _lock: File,
}

impl Checkpoint {
    /// Makes the folder where it is new, takes its lock and reads what is there.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    pub fn open(folder: &Path, pipeline: &str) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let lock = File::create(folder.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CheckpointError::Locked { folder: folder.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let state = read(&folder.join(FILE_NAME), pipeline)?;
        let (folder, pipeline) = (folder.to_owned(), pipeline.to_owned());
        Ok(Self { folder, pipeline, state, _lock: lock })
    }

    /// Reads what is there without taking the lock or making anything.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn peek(folder: &Path, pipeline: &str) -> Result<Option<State>, CheckpointError> {
        read(&folder.join(FILE_NAME), pipeline)
    }

    /// What the last finished epoch left.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stores where a pipeline begins that has committed nothing: nothing lies before it, so it is
    /// durable as it is. `start` is what the manifest says, which may mean another point later.
    ///
    /// # Errors
    /// Where the file cannot be written or synced.
    pub fn begin(&mut self, begin: Position, start: &str) -> Result<(), CheckpointError> {
        self.store(State {
            form: FORM,
            pipeline: self.pipeline.clone(),
            epoch: 0,
            position: begin,
            chain: String::new(),
            sources: SeenTables::default(),
            targets: BTreeMap::new(),
            start: Some(start.to_owned()),
            load: None,
        })
    }

    /// Stores what is known after an epoch; a crash leaves the old or the new file, never a part.
    ///
    /// # Errors
    /// Where the file cannot be written or synced.
    pub fn advance(&mut self, proof: &Durable, after: AfterEpoch) -> Result<(), CheckpointError> {
        let AfterEpoch { epoch, resume, chain, sources, targets, load } = after;
        self.store(State {
            form: FORM,
            pipeline: self.pipeline.clone(),
            epoch,
            position: resume.unwrap_or_else(|| proof.position().clone()),
            chain,
            sources,
            targets,
            start: None,
            load: load.map(|load| LoadState::clone(&load)),
        })
    }

    fn store(&mut self, state: State) -> Result<(), CheckpointError> {
        let path = self.folder.join(FILE_NAME);
        write(&self.folder, &path, &state)
            .map_err(|source| CheckpointError::Io { path, source })?;
        self.state = Some(state);
        Ok(())
    }
}

/// What an epoch adds to its position.
#[derive(Clone, Debug)]
pub struct AfterEpoch {
    /// Its number.
    pub epoch: u64,
    /// Where a run goes on, if that is before the end of the epoch: something is prepared and open.
    pub resume: Option<Position>,
    /// The digest of the chain and of what else decides results.
    pub chain: String,
    /// Source tables that had rows.
    pub sources: SeenTables,
    /// The number of this pipeline's commits in each target, by path.
    pub targets: BTreeMap<String, i64>,
    /// How far the load of tables is behind it.
    pub load: Option<Arc<LoadState>>,
}

fn read(path: &Path, pipeline: &str) -> Result<Option<State>, CheckpointError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CheckpointError::Io { path: path.to_owned(), source }),
    };
    let form = |source| CheckpointError::Form { path: path.to_owned(), source };
    #[derive(serde::Deserialize)]
    struct Head {
        form: u32,
    }
    let head: Head = serde_json::from_slice(&bytes).map_err(form)?;
    if head.form > FORM {
        return Err(CheckpointError::Newer { path: path.to_owned(), found: head.form });
    }
    let state: State = serde_json::from_slice(&bytes).map_err(form)?;
    if state.pipeline != pipeline {
        return Err(CheckpointError::Foreign {
            path: path.to_owned(),
            found: state.pipeline,
            expected: pipeline.to_owned(),
        });
    }
    Ok(Some(state))
}

fn write(folder: &Path, path: &Path, state: &State) -> io::Result<()> {
    let fresh = folder.join("checkpoint.json.new");
    let mut file = File::create(&fresh)?;
    file.write_all(&serde_json::to_vec_pretty(state)?)?;
    file.sync_all()?;
    tracing::trace!(target: "sluice::marker", marker = "checkpoint.before-rename");
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()?;
    tracing::trace!(target: "sluice::marker", marker = "checkpoint.after-rename");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(pipeline: &str) -> State {
        State {
            form: FORM,
            pipeline: pipeline.to_owned(),
            epoch: 7,
            position: Position::at("log.000002", 99),
            chain: "abc".to_owned(),
            sources: SeenTables::default(),
            targets: BTreeMap::from([("/lake/shop/orders".to_owned(), 7)]),
            start: None,
            load: None,
        }
    }

    #[test]
    fn what_was_stored_is_there_after_reopening() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Checkpoint::open(folder.path(), "shop").expect("new").state(), None);
        write(folder.path(), &folder.path().join(FILE_NAME), &state("shop")).expect("written");
        let reopened = Checkpoint::open(folder.path(), "shop").expect("there");
        assert_eq!(reopened.state(), Some(&state("shop")));
    }

    #[test]
    fn where_a_pipeline_began_is_known_before_its_first_epoch() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut checkpoint = Checkpoint::open(folder.path(), "shop").expect("new");
        checkpoint.begin(Position::at("log.000002", 99), "latest").expect("stored");
        drop(checkpoint);
        let state = Checkpoint::peek(folder.path(), "shop").expect("there").expect("stored");
        assert_eq!((state.position, state.epoch), (Position::at("log.000002", 99), 0));
        assert_eq!(state.start.as_deref(), Some("latest"));
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = Checkpoint::open(folder.path(), "shop").expect("first");
        let second = Checkpoint::open(folder.path(), "shop");
        assert!(matches!(second, Err(CheckpointError::Locked { .. })));
        drop(held);
        assert!(Checkpoint::open(folder.path(), "shop").is_ok());
    }

    #[test]
    fn a_foreign_a_newer_and_a_torn_checkpoint_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        write(folder.path(), &path, &state("other")).expect("written");
        let foreign = Checkpoint::open(folder.path(), "shop");
        assert!(matches!(foreign, Err(CheckpointError::Foreign { .. })));
        fs::write(&path, br#"{"form": 2, "unknown": true}"#).expect("written");
        assert!(matches!(
            Checkpoint::open(folder.path(), "shop"),
            Err(CheckpointError::Newer { .. })
        ));
        fs::write(&path, br#"{"form": 1, "pipel"#).expect("written");
        assert!(matches!(
            Checkpoint::open(folder.path(), "shop"),
            Err(CheckpointError::Form { .. })
        ));
    }
}
