//! Comparing what a lake holds with the rows that a server says belong there.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::readers;
use crate::sql::Row;

/// Rows shown of each difference; the rest is counted.
const SHOWN_MAX: usize = 5;

/// The rows that every target has to hold, by the target's path below the lake's folder.
pub type Expected = BTreeMap<String, Vec<Row>>;

/// Compares a lake with what is expected, by both readers, and tells every difference.
///
/// A target without expected rows may be there or not; it has to be empty.
///
/// # Errors
/// The differences, for people.
pub fn compare(lake: &Path, expected: &Expected) -> Result<Compared, String> {
    let mut differences = Vec::new();
    let mut compared = Compared::default();
    for (reader, found) in readers::read(lake) {
        compared.readers += 1;
        compared.targets = found.len();
        let missing =
            expected.iter().filter(|(t, rows)| !rows.is_empty() && !found.contains_key(*t));
        differences.extend(missing.map(|(target, rows)| {
            format!("{reader}: {target} is missing with {} rows", rows.len())
        }));
        for (target, table) in &found {
            let rows = expected.get(target).map_or(&[][..], Vec::as_slice);
            differences.extend(difference(&reader, target, rows, &table.rows));
            compared.rows += table.rows.len();
        }
    }
    if differences.is_empty() { Ok(compared) } else { Err(differences.join("\n")) }
}

/// How much was compared, so that a test can ask that it was something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Independent readers.
    pub readers: usize,
    /// Tables in the lake.
    pub targets: usize,
    /// Rows in them, added up over the readers.
    pub rows: usize,
}

/// What differs between two multisets of rows; none where nothing does.
fn difference(reader: &str, target: &str, expected: &[Row], found: &[Row]) -> Option<String> {
    let (mut expected, mut found) = (counted(expected), counted(found));
    for (row, count) in &mut expected {
        let other = found.entry(row.clone()).or_default();
        let both = (*count).min(*other);
        *count -= both;
        *other -= both;
    }
    let (missing, extra) = (listed(&expected), listed(&found));
    if missing.0 == 0 && extra.0 == 0 {
        return None;
    }
    let (a, b) = (missing.0, extra.0);
    let rows = format!("  expected, not found:\n{}  found, not expected:\n{}", missing.1, extra.1);
    Some(format!("{reader}: {target}: {a} rows are missing, {b} are too many\n{rows}"))
}

fn counted(rows: &[Row]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let row: BTreeMap<_, _> =
            row.iter().map(|(name, value)| (name, value.as_deref().map(plain))).collect();
        *counts.entry(serde_json::to_string(&row).unwrap_or_default()).or_default() += 1;
    }
    counts
}

/// JSON documents are equal by content: servers and readers put their spaces elsewhere.
fn plain(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(document @ (Value::Object(_) | Value::Array(_))) => sorted(document).to_string(),
        _ => text.to_owned(),
    }
}

fn sorted(document: Value) -> Value {
    match document {
        Value::Object(entries) => {
            let entries: BTreeMap<_, _> =
                entries.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn listed(rows: &BTreeMap<String, usize>) -> (usize, String) {
    let rest = rows.iter().filter(|(_, count)| **count > 0);
    let lines: Vec<_> =
        rest.clone().take(SHOWN_MAX).map(|(row, count)| format!("    {count} x {row}\n")).collect();
    (rest.map(|(_, count)| count).sum(), lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, value: Option<&str>) -> Row {
        Row::from([("id".into(), Some(id.into())), ("v".into(), value.map(str::to_owned))])
    }

    #[test]
    fn rows_are_compared_as_multisets() {
        let (a, b) = (row("1", Some("x")), row("2", None));
        assert_eq!(difference("r", "t", &[a.clone(), b.clone()], &[b.clone(), a.clone()]), None);
        let both = [a.clone(), a.clone()];
        let twice = difference("r", "t", &both[..1], &both).expect("one too many");
        assert!(twice.starts_with("r: t: 0 rows are missing, 1 are too many"), "{twice}");
        let lost = difference("r", "t", &[a, b], &[row("1", Some("y"))]).expect("differs");
        assert!(lost.starts_with("r: t: 2 rows are missing, 1 are too many"), "{lost}");
    }

    #[test]
    fn null_is_not_an_empty_text_and_documents_are_equal_by_content() {
        assert!(difference("r", "t", &[row("1", None)], &[row("1", Some(""))]).is_some());
        let (a, b) =
            (row("1", Some("{\"b\": 1, \"a\": [1, 2]}")), row("1", Some("{\"a\":[1,2],\"b\":1}")));
        assert_eq!(difference("r", "t", &[a], &[b]), None);
        assert!(difference("r", "t", &[row("1", Some("01"))], &[row("1", Some("1"))]).is_some());
    }
}
