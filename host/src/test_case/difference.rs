//! What is not as expected, and how that reads: target, key, column, expected, got.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::content::{Content, RejectedRow, Row, TableContent};
use super::decider::Deciders;
use super::expected::{Expected, file_of};

/// One thing that is not as expected. It shows row values: test cases hold none that are secret.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// A target that did not come out.
    MissingTable {
        /// Its expected file, without the ending.
        file: String,
    },
    /// A target that nobody expects.
    UnexpectedTable {
        /// The target.
        target: String,
        /// Its rows.
        rows: usize,
    },
    /// Other columns, types or id columns.
    Header {
        /// The target.
        target: String,
        /// The first line of the file.
        expected: Value,
        /// The first line that would be right.
        got: Value,
    },
    /// A row that did not come out.
    MissingRow {
        /// The target.
        target: String,
        /// Its key.
        key: Row,
        /// The plugins that may have dropped it.
        by: Option<String>,
    },
    /// A row that nobody expects.
    UnexpectedRow {
        /// The target.
        target: String,
        /// The row.
        row: Row,
        /// The plugins that might have dropped it.
        by: Option<String>,
    },
    /// Another value.
    Cell {
        /// The target.
        target: String,
        /// The row's key.
        key: Row,
        /// The column.
        column: String,
        /// As the file says.
        expected: Value,
        /// As it came out.
        got: Value,
        /// The plugin that made the column.
        by: Option<String>,
    },
    /// A row was rejected that is not listed.
    UnexpectedRejection(RejectedRow),
    /// A listed row was not rejected.
    MissingRejection(RejectedRow),
    /// Another net change.
    Change {
        /// The line of `changes.jsonl`, from 1.
        line: usize,
        /// As the file says.
        expected: Option<Value>,
        /// As it came out.
        got: Option<Value>,
    },
    /// The outcome depends on where batches are cut.
    Batches(Box<Difference>),
}

/// All differences between what is expected and what came out.
#[must_use]
pub fn compare(expected: &Expected, got: &Content) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (target, table) in &got.tables {
        match expected.tables.get(&file_of(target)) {
            Some(expected) => compare_table(target, expected, table, &mut differences),
            // A target that rows only left may or may not be expected.
            None if table.rows.is_empty() => {}
            None => {
                let (target, rows) = (target.clone(), table.rows.len());
                differences.push(Difference::UnexpectedTable { target, rows });
            }
        }
    }
    let came_out = |file: &Path| got.tables.keys().any(|target| file_of(target) == file);
    for file in expected.tables.keys().filter(|file| !came_out(file)) {
        differences.push(Difference::MissingTable { file: file.display().to_string() });
    }
    compare_rejected(&expected.rejected, &got.rejected, &mut differences);
    if let Some(changes) = &expected.changes {
        compare_changes(changes, &got.changes, &mut differences);
    }
    name_deciders(&mut differences, got);
    differences
}

/// Says of rows and values which plugin to look at.
fn name_deciders(differences: &mut [Difference], got: &Content) {
    for difference in differences {
        match difference {
            Difference::MissingRow { target, by, .. }
            | Difference::UnexpectedRow { target, by, .. } => {
                *by = got.deciders.get(target).and_then(Deciders::of_rows);
            }
            Difference::Cell { target, column, by, .. } => {
                *by = got.deciders.get(target).and_then(|d| d.of_column(column));
            }
            _ => {}
        }
    }
}

/// `   by mask-pii`, where a plugin had a part.
fn shown_by(by: Option<&String>) -> String {
    by.map(|plugin| format!("   by {plugin}")).unwrap_or_default()
}

/// All differences between two runs with other batch boundaries.
pub(super) fn between_runs(whole: &Content, single: &Content) -> Vec<Difference> {
    let tables = whole.tables.iter();
    let expected = Expected {
        tables: tables.map(|(target, table)| (file_of(target), table.clone())).collect(),
        rejected: whole.rejected.clone(),
        changes: None,
    };
    let differences = compare(&expected, single).into_iter();
    differences.map(|difference| Difference::Batches(Box::new(difference))).collect()
}

fn compare_table(
    target: &str,
    expected: &TableContent,
    got: &TableContent,
    differences: &mut Vec<Difference>,
) {
    let is_same = expected.columns == got.columns && expected.id_columns == got.id_columns;
    if !is_same {
        differences.push(Difference::Header {
            target: target.to_owned(),
            expected: expected.header(),
            got: got.header(),
        });
    }
    if expected.id_columns != got.id_columns {
        // Without the same keys no row can be found again.
        return;
    }
    if expected.id_columns.is_none() {
        compare_counted(target, expected, got, differences);
        return;
    }
    let by_key = |table: &TableContent| -> BTreeMap<String, Row> {
        let key = |row: &Row| Value::Object(table.key(row)).to_string();
        table.rows.iter().map(|row| (key(row), row.clone())).collect()
    };
    let (wanted, found) = (by_key(expected), by_key(got));
    for row in &expected.rows {
        let key = expected.key(row);
        match found.get(&Value::Object(key.clone()).to_string()) {
            Some(other) => compare_row(target, &key, row, other, differences),
            None => differences.push(Difference::MissingRow {
                target: target.to_owned(),
                key,
                by: None,
            }),
        }
    }
    for row in &got.rows {
        if !wanted.contains_key(&Value::Object(got.key(row)).to_string()) {
            let (target, row) = (target.to_owned(), row.clone());
            differences.push(Difference::UnexpectedRow { target, row, by: None });
        }
    }
}

/// Rows without a key are compared as a multiset.
fn compare_counted(
    target: &str,
    expected: &TableContent,
    got: &TableContent,
    differences: &mut Vec<Difference>,
) {
    let mut open: Vec<Row> = expected.rows.iter().map(|row| expected.key(row)).collect();
    for row in got.rows.iter().map(|row| got.key(row)) {
        match open.iter().position(|wanted| *wanted == row) {
            Some(at) => drop(open.swap_remove(at)),
            None => {
                let target = target.to_owned();
                differences.push(Difference::UnexpectedRow { target, row, by: None });
            }
        }
    }
    let missing = open.into_iter();
    differences.extend(missing.map(|key| Difference::MissingRow {
        target: target.to_owned(),
        key,
        by: None,
    }));
}

fn compare_row(
    target: &str,
    key: &Row,
    expected: &Row,
    got: &Row,
    differences: &mut Vec<Difference>,
) {
    let added = got.keys().filter(|column| !expected.contains_key(*column));
    for column in expected.keys().chain(added) {
        let value = |row: &Row| row.get(column).cloned().unwrap_or(Value::Null);
        let (expected, got) = (value(expected), value(got));
        if expected != got {
            let (target, key, column) = (target.to_owned(), key.clone(), column.clone());
            differences.push(Difference::Cell { target, key, column, expected, got, by: None });
        }
    }
}

/// Rejections are compared as a multiset: their order says nothing.
fn compare_rejected(
    expected: &[RejectedRow],
    got: &[RejectedRow],
    differences: &mut Vec<Difference>,
) {
    let same = |a: &RejectedRow, b: &RejectedRow| {
        (&a.table, &a.plugin, &a.code, &a.row) == (&b.table, &b.plugin, &b.code, &b.row)
    };
    let mut open: Vec<&RejectedRow> = expected.iter().collect();
    for row in got {
        match open.iter().position(|wanted| same(wanted, row)) {
            Some(at) => drop(open.swap_remove(at)),
            None => differences.push(Difference::UnexpectedRejection(row.clone())),
        }
    }
    differences.extend(open.into_iter().cloned().map(Difference::MissingRejection));
}

fn compare_changes(expected: &[Value], got: &[Value], differences: &mut Vec<Difference>) {
    for at in 0..expected.len().max(got.len()) {
        let (expected, got) = (expected.get(at).cloned(), got.get(at).cloned());
        if expected != got {
            // What follows the first difference is mostly shifted and says nothing.
            let line = at.saturating_add(1);
            differences.push(Difference::Change { line, expected, got });
            return;
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingTable { file } => {
                write!(f, "{file}.jsonl  expected, but nothing was written to this target")
            }
            Self::UnexpectedTable { target, rows } => {
                write!(f, "{target}  not expected, but came out, rows: {rows}")
            }
            Self::Header { target, expected, got } => {
                write!(f, "{target}  line 1   expected {expected}  got {got}")
            }
            Self::MissingRow { target, key, by } => {
                let (key, by) = (shown(key), shown_by(by.as_ref()));
                write!(f, "{target}  {key}   expected, but the row did not come out{by}")
            }
            Self::UnexpectedRow { target, row, by } => {
                let (row, by) = (Value::Object(row.clone()), shown_by(by.as_ref()));
                write!(f, "{target}  not expected, but came out: {row}{by}")
            }
            Self::Cell { target, key, column, expected, got, by } => {
                let (key, by) = (shown(key), shown_by(by.as_ref()));
                write!(f, "{target}  {key}  {column}   expected {expected}  got {got}{by}")
            }
            Self::UnexpectedRejection(row) => {
                let RejectedRow { table, plugin, code, detail, .. } = row;
                let key = shown(&row.row);
                write!(f, "{table}  {key}  rejected by {plugin} with `{code}`: {detail}")
            }
            Self::MissingRejection(row) => {
                let RejectedRow { table, plugin, code, .. } = row;
                let key = shown(&row.row);
                write!(f, "{table}  {key}  not rejected, expected `{code}` by {plugin}")
            }
            Self::Change { line, expected, got } => {
                let text = |change: &Option<Value>| {
                    change.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string)
                };
                write!(f, "changes.jsonl:{line}   expected {}  got {}", text(expected), text(got))
            }
            Self::Batches(inner) => {
                write!(
                    f,
                    "other batch boundaries, other result: {inner} (expected = all at once, got = one transaction a batch)"
                )
            }
        }
    }
}

fn shown(key: &Row) -> String {
    key.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
