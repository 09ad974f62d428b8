//! The definitions of tables by position, kept for runs to come: a log that does not name columns can be
//! read from a point only with the definitions as they were there.
//!
//! Each entry is a file that is written once, before anything behind its position is committed: in the
//! checkpoint folder, and beside the targets, so that either may be lost. What no run can need any more is
//! removed. A later entry never stands in for an earlier one.

use change::{Definitions, Diagnose, Fault, Position};
use lake::{LakeError, Notes, StoreOptions};

use crate::manifest::Manifest;

/// The version of a file's form that this build reads and writes.
const FORM: u32 = 1;

/// The folder below that of the checkpoint.
const CHECKPOINT_FOLDER: &str = "definitions";

/// The folder below that of the targets. Readers of Delta tables pass over names that begin so.
const TARGETS_FOLDER: &str = "_sluice";

/// Why the definitions that earlier runs kept cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A folder cannot be read or written.
    #[error(transparent)]
    Store(#[from] LakeError),
    /// A file is not what this build writes.
    #[error("the definitions of tables in {folder}/{name} cannot be read")]
    Form {
        /// Where it lies.
        folder: String,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A newer build wrote a file.
    #[error(
        "the definitions of tables in {folder}/{name} have form {found}, this build knows {FORM}"
    )]
    Newer {
        /// Where it lies.
        folder: String,
        /// Its name.
        name: String,
        /// Its form.
        found: u32,
    },
}

impl Diagnose for HistoryError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Form { .. } => Some(
                "bring the file back; or remove all files of that folder and, where the log does not \
                 name columns, go on once with `sluice run --definitions FILE`"
                    .to_owned(),
            ),
            Self::Newer { .. } => Some("run a newer sluice".to_owned()),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Store(error) => error.fault(),
            _ => Fault::Environment,
        }
    }
}

/// A file.
#[derive(serde::Serialize, serde::Deserialize)]
struct Stored {
    form: u32,
    /// The definitions hold behind this.
    position: Position,
    definitions: Definitions,
}

/// An entry: the definitions that hold from a position up to that of the next one.
#[derive(Clone, Debug)]
struct Entry {
    number: u64,
    position: Position,
    definitions: Definitions,
    /// Whether it lies beside the targets too.
    is_beside: bool,
}

/// A folder with the name that messages give it.
#[derive(Clone, Debug)]
struct Place {
    folder: String,
    notes: Notes,
}

impl Place {
    fn at(folder: &str, store: &StoreOptions) -> Result<Self, HistoryError> {
        Ok(Self { folder: folder.to_owned(), notes: Notes::at(folder, store)? })
    }
}

/// The definitions of a pipeline's tables by position.
#[derive(Clone, Debug)]
pub struct SchemaHistory {
    checkpoint: Place,
    targets: Place,
    /// In log order.
    entries: Vec<Entry>,
    /// The number of the next entry: none is given twice.
    next: u64,
}

impl SchemaHistory {
    /// Reads what earlier runs of a manifest's pipeline kept; nothing is made or changed.
    ///
    /// # Errors
    /// Where a folder or a file cannot be read.
    pub async fn open(manifest: &Manifest, store: &StoreOptions) -> Result<Self, HistoryError> {
        let checkpoint = manifest.pipeline.checkpoint.join(CHECKPOINT_FOLDER);
        let (prefix, name) = (manifest.sink.path.prefix(), &manifest.pipeline.name);
        let targets = format!("{prefix}/{TARGETS_FOLDER}/{name}.{CHECKPOINT_FOLDER}");
        Self::of(&checkpoint.to_string_lossy(), &targets, store).await
    }

    pub(super) async fn of(
        checkpoint: &str,
        targets: &str,
        store: &StoreOptions,
    ) -> Result<Self, HistoryError> {
        let checkpoint = Place::at(checkpoint, &StoreOptions::default())?;
        let targets = Place::at(targets, store)?;
        let (own, beside) = (checkpoint.notes.names().await?, targets.notes.names().await?);
        let mut names: Vec<_> = own.iter().chain(&beside).filter_map(|n| number(n)).collect();
        names.sort_unstable();
        names.dedup();
        let mut entries = Vec::with_capacity(names.len());
        for number in names {
            let name = file_name(number);
            let is_beside = beside.contains(&name);
            let first = if own.contains(&name) { &checkpoint } else { &targets };
            // What one folder has damaged the other may have whole.
            let stored = match read(first, &name).await {
                Err(HistoryError::Form { .. }) if is_beside => read(&targets, &name).await?,
                stored => stored?,
            };
            let Stored { position, definitions, .. } = stored;
            entries.push(Entry { number, position, definitions, is_beside });
        }
        let next = entries.last().map_or(1, |entry| entry.number.saturating_add(1));
        Ok(Self { checkpoint, targets, entries, next })
    }

    /// The definitions behind a position; none where nothing is known that old.
    #[must_use]
    pub fn at(&self, position: &Position) -> Option<&Definitions> {
        let known = self.entries.iter().rev().find(|entry| position.reaches(&entry.position));
        known.map(|entry| &entry.definitions)
    }

    /// Begins a run that reads on behind a position with these definitions. What was kept of the log
    /// behind it is met again; of a pipeline that begins (`is_new`) nothing earlier counts.
    ///
    /// # Errors
    /// Where a folder cannot be written.
    pub async fn begin(
        &mut self,
        position: &Position,
        definitions: &Definitions,
        is_new: bool,
    ) -> Result<(), HistoryError> {
        let counts = |entry: &Entry| !is_new && position.reaches(&entry.position);
        let (kept, gone) = std::mem::take(&mut self.entries).into_iter().partition(counts);
        self.entries = kept;
        self.remove(gone).await?;
        self.add(position.clone(), definitions.clone()).await
    }

    /// Stores what statements changed, in log order, before anything behind them is committed. Beside the
    /// targets only where there are some (`has_targets`).
    ///
    /// # Errors
    /// Where a folder cannot be written.
    pub async fn store(
        &mut self,
        changes: Vec<(Position, Definitions)>,
        has_targets: bool,
    ) -> Result<(), HistoryError> {
        for (position, definitions) in changes {
            self.add(position, definitions).await?;
        }
        for entry in self.entries.iter_mut().filter(|entry| has_targets && !entry.is_beside) {
            write(&self.targets, entry).await?;
            entry.is_beside = true;
        }
        Ok(())
    }

    /// Removes what no run can need any more: none goes on before `floor`.
    ///
    /// # Errors
    /// Where a folder cannot be written.
    pub async fn forget_before(&mut self, floor: &Position) -> Result<(), HistoryError> {
        let oldest = self.entries.iter().rposition(|entry| floor.reaches(&entry.position));
        let rest = self.entries.split_off(oldest.unwrap_or(0));
        let gone = std::mem::replace(&mut self.entries, rest);
        self.remove(gone).await
    }

    async fn add(
        &mut self,
        position: Position,
        definitions: Definitions,
    ) -> Result<(), HistoryError> {
        let is_known = match self.entries.last() {
            Some(last) => last.definitions == definitions,
            None => definitions == Definitions::default(),
        };
        if is_known {
            return Ok(());
        }
        let entry = Entry { number: self.next, position, definitions, is_beside: false };
        write(&self.checkpoint, &entry).await?;
        self.next = self.next.saturating_add(1);
        self.entries.push(entry);
        Ok(())
    }

    async fn remove(&self, entries: Vec<Entry>) -> Result<(), HistoryError> {
        for entry in entries {
            let name = file_name(entry.number);
            self.checkpoint.notes.remove(&name).await?;
            self.targets.notes.remove(&name).await?;
        }
        Ok(())
    }
}

fn file_name(number: u64) -> String {
    format!("{number:020}.json")
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}

async fn read(place: &Place, name: &str) -> Result<Stored, HistoryError> {
    #[derive(serde::Deserialize)]
    struct Head {
        form: u32,
    }
    let bytes = place.notes.read(name).await?;
    let (folder, name) = (place.folder.clone(), name.to_owned());
    let read = || -> Result<(u32, Option<Stored>), serde_json::Error> {
        let Head { form } = serde_json::from_slice(&bytes)?;
        let stored = if form > FORM { None } else { Some(serde_json::from_slice(&bytes)?) };
        Ok((form, stored))
    };
    match read() {
        Ok((_, Some(stored))) => Ok(stored),
        Ok((found, None)) => Err(HistoryError::Newer { folder, name, found }),
        Err(source) => Err(HistoryError::Form { folder, name, source }),
    }
}

async fn write(place: &Place, entry: &Entry) -> Result<(), HistoryError> {
    let Entry { position, definitions, number, .. } = entry;
    let name = file_name(*number);
    let stored =
        Stored { form: FORM, position: position.clone(), definitions: definitions.clone() };
    let form =
        |source| HistoryError::Form { folder: place.folder.clone(), name: name.clone(), source };
    let bytes = serde_json::to_vec(&stored).map_err(form)?;
    Ok(place.notes.write(&name, bytes).await?)
}

#[cfg(test)]
mod tests;
