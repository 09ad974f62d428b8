//! The expected files of a case: one a target, `rejected.jsonl` and `changes.jsonl`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::case::CaseError;
use super::content::{Content, RejectedRow, Row, TableContent, WHOLE_ROW};

const REJECTED: &str = "rejected.jsonl";
const CHANGES: &str = "changes.jsonl";

/// What a case expects. Tables are known by their file, since a path is not to be had back from it.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Tables by the path of their file below `expected`, without `.jsonl`.
    pub tables: BTreeMap<PathBuf, TableContent>,
    /// Rejected rows.
    pub rejected: Vec<RejectedRow>,
    /// Net changes; none: not compared.
    pub changes: Option<Vec<Value>>,
}

/// The file of a target below `expected`, without its ending: the path's names, nothing that leads
/// elsewhere.
#[must_use]
pub(super) fn file_of(target: &str) -> PathBuf {
    let names = Path::new(target).components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    names.collect()
}

impl Expected {
    /// Reads a folder of expected files; a folder that is not there expects nothing.
    ///
    /// # Errors
    /// Where a file cannot be read or a line is not what it has to be.
    pub fn read(folder: &Path) -> Result<Self, CaseError> {
        let mut expected = Self::default();
        for path in files(folder)? {
            let name = path.strip_prefix(folder).unwrap_or(&path);
            if name == Path::new(REJECTED) {
                expected.rejected = lines(&path)?.into_iter().map(|(_, row)| row).collect();
            } else if name == Path::new(CHANGES) {
                let changes: Vec<(usize, Value)> = lines(&path)?;
                expected.changes = Some(changes.into_iter().map(|(_, change)| change).collect());
            } else {
                expected.tables.insert(name.with_extension(""), table(&path)?);
            }
        }
        Ok(expected)
    }
}

/// All `.jsonl` files below a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    let list = |source| CaseError::File { doing: "list", path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(list)? {
        let path = entry.map_err(list)?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else if path.extension().is_some_and(|end| end == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The JSON lines of a file, with their numbers; empty lines do not count.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<(usize, T)>, CaseError> {
    let text = fs::read_to_string(path).map_err(|source| CaseError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let mut parsed = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = at.saturating_add(1);
        let value = serde_json::from_str(line).map_err(|e| wrong(path, at, e.to_string()))?;
        parsed.push((at, value));
    }
    Ok(parsed)
}

fn wrong(path: &Path, line: usize, message: impl Into<String>) -> CaseError {
    CaseError::Content { path: path.to_owned(), line, message: message.into() }
}

fn table(path: &Path) -> Result<TableContent, CaseError> {
    let mut lines = lines::<Row>(path)?.into_iter();
    let shape =
        "the first line has to be {\"columns\":{\"name\":\"type\",…},\"id-columns\":[\"name\",…]}";
    let (line, header) = lines.next().ok_or_else(|| wrong(path, 1, shape))?;
    let mut content = header_of(&header).ok_or_else(|| wrong(path, line, shape))?;
    if let Some(id) = content.id_columns.iter().flatten().find(|id| !has_column(&content, id)) {
        return Err(wrong(path, line, format!("id column `{id}` is not among the columns")));
    }
    let mut keys = BTreeSet::new();
    for (line, row) in lines {
        if let Some(name) = row.keys().find(|name| !has_column(&content, name)) {
            return Err(wrong(
                path,
                line,
                format!("column `{name}` is not among the columns of line 1"),
            ));
        }
        let key = Value::Object(content.key(&row)).to_string();
        if content.id_columns.is_some() && !keys.insert(key) {
            return Err(wrong(path, line, "this key is in the file twice"));
        }
        content.rows.push(row);
    }
    Ok(content)
}

fn has_column(content: &TableContent, name: &str) -> bool {
    content.columns.iter().any(|(column, _)| column == name)
}

/// A table of the header's columns, without rows.
pub(super) fn header_of(header: &Map<String, Value>) -> Option<TableContent> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let columns = header.get("columns")?.as_object()?;
    let columns = columns.iter().map(|(name, t)| Some((name.clone(), text(t)?)));
    let id_columns = match header.get("id-columns")? {
        Value::String(word) if word == WHOLE_ROW => None,
        ids => Some(ids.as_array()?.iter().map(text).collect::<Option<_>>()?),
    };
    let is_all = header.len() == 2;
    is_all.then_some(TableContent {
        columns: columns.collect::<Option<_>>()?,
        id_columns,
        rows: Vec::new(),
    })
}

/// Writes what came out as what is expected; files of targets that did not come out are removed.
/// `changes.jsonl` is written only where there is one.
///
/// # Errors
/// Where two targets would share a file, or a file cannot be written.
pub(super) fn bless(folder: &Path, got: &Content) -> Result<usize, CaseError> {
    let mut texts = BTreeMap::new();
    let mut targets: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for (target, table) in &got.tables {
        let path = folder.join(with_ending(&file_of(target)));
        if let Some(first) = targets.insert(path.clone(), target) {
            let (first, second) = (first.to_owned(), target.clone());
            return Err(CaseError::SharedFile { first, second, path });
        }
        let rows = table.rows.iter().map(|row| Value::Object(row.clone()));
        texts.insert(path, text(std::iter::once(table.header()).chain(rows)));
    }
    if !got.rejected.is_empty() {
        let rows = got.rejected.iter().filter_map(|row| serde_json::to_value(row).ok());
        texts.insert(folder.join(REJECTED), text(rows));
    }
    if folder.join(CHANGES).is_file() {
        texts.insert(folder.join(CHANGES), text(got.changes.iter().cloned()));
    }
    for path in files(folder)?.iter().filter(|path| !texts.contains_key(*path)) {
        let failed = |source| CaseError::File { doing: "remove", path: path.clone(), source };
        fs::remove_file(path).map_err(failed)?;
    }
    for (path, text) in &texts {
        let failed = |source| CaseError::File { doing: "write", path: path.clone(), source };
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        fs::write(path, text).map_err(failed)?;
    }
    Ok(texts.len())
}

/// The name with `.jsonl` behind it: a name may have dots of its own.
fn with_ending(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".jsonl");
    name.into()
}

fn text(values: impl Iterator<Item = Value>) -> String {
    let mut text = String::new();
    for value in values {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{value}");
    }
    text
}
