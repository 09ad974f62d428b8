//! The tables that the host wrote, as others see them: PyPI's `deltalake` and `polars`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::checkout;
use crate::sql::Row;

/// What one reader found: the columns of every target, and its rows in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Names, in the table's order.
    pub columns: Vec<String>,
    /// All rows.
    pub rows: Vec<Row>,
}

/// Every target by its path below the lake's folder.
pub type Lake = BTreeMap<String, Target>;

/// Reads every table below a folder with both readers: their names, and what each found.
///
/// # Panics
/// Where the readers cannot be installed, or a table cannot be read.
#[must_use]
pub fn read(lake: &Path) -> BTreeMap<String, Lake> {
    let script = checkout::root().join("tests/src/read_tables.py");
    let output = Command::new(python()).arg(script).arg(lake).output().expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the readers failed on {}:\n{said}", lake.display());
    let mut readers =
        BTreeMap::from([("deltalake".into(), Lake::new()), ("polars".into(), Lake::new())]);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let field =
            |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let lake: &mut Lake = readers.entry(field("reader")).or_default();
        let target = lake.entry(field("target")).or_default();
        if let Some(columns) = line.get("columns").and_then(Value::as_array) {
            target.columns = columns.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        if let Some(row) = line.get("row") {
            target.rows.push(row_of(row));
        }
    }
    readers
}

/// A JSON object of texts and nulls as a row.
///
/// # Panics
/// Where it is something else.
#[must_use]
pub fn row_of(value: &Value) -> Row {
    let columns = value.as_object().expect("a row is an object");
    columns.iter().map(|(name, value)| (name.clone(), value.as_str().map(str::to_owned))).collect()
}

/// The Python that has the readers, made ready where it is not.
///
/// # Panics
/// Where it cannot be made ready, with what the script said.
#[must_use]
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let script = checkout::root().join("scripts/readers.sh");
        let output =
            Command::new("bash").arg(script).output().expect("bash runs scripts/readers.sh");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}
