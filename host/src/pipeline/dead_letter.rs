//! Rows that a plugin could not transform: set aside with the reason, one JSON line each.
//!
//! They hold row values, so they lie in the checkpoint folder and nowhere else.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::ArrowError;
use change::{Batch, ImageKind, Rejected, TableName};
use serde_json::{Map, Value};

use super::error::RunError;

/// What may be told of a rejected row anywhere.
#[derive(Clone, Debug)]
pub struct RejectedSummary {
    /// The plugin's name in the manifest.
    pub plugin: String,
    /// Why, as the plugin's constant.
    pub code: String,
    /// The source table.
    pub table: TableName,
    /// File and offset of the row's event.
    pub position: String,
}

/// A change that is set aside.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DeadLetter {
    /// File and offset of the event, and the ordinal of the row in its transaction: the same at every
    /// replay, so that a letter that is stored twice is known as one.
    pub id: String,
    /// The source table.
    pub table: TableName,
    /// c, u or d.
    pub op: &'static str,
    /// The plugin's name in the manifest.
    pub plugin: String,
    /// The plugin's constant.
    pub code: String,
    /// The plugin's words; may name values.
    pub detail: String,
    /// The transaction's GTID.
    pub gtid: Option<String>,
    /// The row before the change.
    pub before: Option<Value>,
    /// The row after the change.
    pub after: Option<Value>,
}

impl DeadLetter {
    /// The letter of a rejected image, with both images of its change.
    ///
    /// # Errors
    /// Where a value has no text.
    pub fn of(batch: &Batch, rejected: &Rejected) -> Result<Self, RunError> {
        let table = &batch.schema().name;
        let image = rejected.image as usize;
        let kind = batch.images().kinds().get(image).copied().unwrap_or(ImageKind::Insert);
        let (before, after) = match kind {
            ImageKind::Insert => (None, Some(image)),
            ImageKind::Delete => (Some(image), None),
            ImageKind::Before => (Some(image), image.checked_add(1)),
            ImageKind::After => (image.checked_sub(1), Some(image)),
        };
        let text = |at: Option<usize>| {
            at.map(|at| row(batch, at))
                .transpose()
                .map_err(|source| RunError::DeadLetterText { table: table.clone(), source })
        };
        let (place, gtid) =
            batch.images().origin(image).map_or_else(Default::default, |(m, row)| {
                let place = format!("{}:{}#{row}", m.transaction.file, m.event_offset);
                (place, m.transaction.gtid.as_ref().map(ToString::to_string))
            });
        Ok(Self {
            id: place,
            table: table.clone(),
            op: kind.letter(),
            plugin: rejected.plugin.to_string(),
            code: rejected.code.clone(),
            detail: rejected.detail.clone(),
            gtid,
            before: text(before)?,
            after: text(after)?,
        })
    }

    /// What may be told of it in a message.
    #[must_use]
    pub fn summary(&self) -> RejectedSummary {
        RejectedSummary {
            plugin: self.plugin.clone(),
            code: self.code.clone(),
            table: self.table.clone(),
            position: self.id.clone(),
        }
    }
}

fn row(batch: &Batch, at: usize) -> Result<Value, ArrowError> {
    let options = FormatOptions::default().with_display_error(false);
    let mut values = Map::new();
    for (column, array) in batch.schema().columns.iter().zip(batch.columns()) {
        let value = if array.is_null(at) {
            Value::Null
        } else {
            let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
            Value::String(formatter.value(at).try_to_string()?)
        };
        values.insert(column.name.clone(), value);
    }
    Ok(Value::Object(values))
}

/// Appends letters to `<folder>/dead-letters.jsonl` and makes them durable.
///
/// # Errors
/// Where the file cannot be written or synced.
pub fn store(folder: &Path, letters: &[DeadLetter]) -> Result<(), RunError> {
    if letters.is_empty() {
        return Ok(());
    }
    append(&folder.join("dead-letters.jsonl"), letters)
        .map_err(|source| RunError::DeadLetter { folder: PathBuf::from(folder), source })
}

fn append(path: &Path, letters: &[DeadLetter]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut lines = Vec::new();
    for letter in letters {
        serde_json::to_writer(&mut lines, letter)?;
        lines.push(b'\n');
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(&lines)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
