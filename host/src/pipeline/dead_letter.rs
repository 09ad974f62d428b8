//! Rows that a plugin could not transform: set aside with the reason, one JSON line each.
//!
//! They hold row values, so they lie in the checkpoint folder and nowhere else, and only the user that
//! runs the pipeline may read them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::ArrowError;
use change::{Batch, ImageKind, Rejected, TableName};
use serde_json::{Map, Value};

use super::error::RunError;

/// What a value of a row takes besides its text: two strings and their place in a map.
const VALUE_BYTES: usize = 128;

/// Bytes read at once on the way back to the last whole line.
const TAIL_BYTES: u64 = 64 << 10;

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

    /// About what it holds: texts, and for each value of a row as much again for its name and place.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let value = |(name, value): (&String, &Value)| {
            let text = value.as_str().map_or(0, str::len);
            text.saturating_add(name.len()).saturating_add(VALUE_BYTES)
        };
        let rows = [&self.before, &self.after].into_iter().flatten().filter_map(Value::as_object);
        let rows: usize = rows.flat_map(|row| row.iter()).map(value).sum();
        let texts = [&self.id, &self.plugin, &self.code, &self.detail].map(String::len);
        texts.iter().sum::<usize>().saturating_add(rows).saturating_add(size_of::<Self>())
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

fn append(path: &Path, letters: &[DeadLetter]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut lines = Vec::new();
    for letter in letters {
        serde_json::to_writer(&mut lines, letter)?;
        lines.push(b'\n');
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(path)?;
    let end = whole_lines(&mut file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(&lines)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Where the last whole line ends: a crash may have left a part of one behind it, and the letter that it
/// was of is stored again by the replay.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(TAIL_BYTES);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        Read::by_ref(file).take(end.saturating_sub(start)).read_to_end(&mut tail)?;
        if let Some(newline) = tail.iter().rposition(|byte| *byte == b'\n') {
            let line = u64::try_from(newline).map_err(io::Error::other)?;
            return Ok(start.saturating_add(line).saturating_add(1));
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn letter(id: &str) -> DeadLetter {
        DeadLetter {
            id: id.to_owned(),
            table: TableName::new("shop", "orders"),
            op: "c",
            plugin: "mask".to_owned(),
            code: "bad".to_owned(),
            detail: "x".repeat(100_000),
            gtid: None,
            before: None,
            after: Some(serde_json::json!({ "id": "1" })),
        }
    }

    #[test]
    fn what_a_crash_left_of_a_line_does_not_spoil_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dead-letters.jsonl");
        let parts = ["", "{\"id\":\"half", "{\"id\":\"half a long one\",\"detail\":\"YYY"];
        for part in parts {
            let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("made");
            file.write_all(part.repeat(9_000).as_bytes()).expect("written");
            store(folder.path(), &[letter("a"), letter("b")]).expect("stored");
        }
        let text = fs::read_to_string(&path).expect("text");
        let ids = text.lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("a whole line");
            line.get("id").and_then(Value::as_str).map(str::to_owned)
        });
        let ids: Vec<_> = ids.flatten().collect();
        assert_eq!(ids, ["a", "b", "a", "b", "a", "b"]);
    }

    #[test]
    fn nobody_else_may_read_letters() {
        let folder = tempfile::tempdir().expect("a folder");
        store(folder.path(), &[letter("a")]).expect("stored");
        let file = fs::metadata(folder.path().join("dead-letters.jsonl")).expect("there");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_letter_counts_with_its_texts_and_values() {
        assert!(letter("a").memory_bytes() > 100_000);
    }
}
