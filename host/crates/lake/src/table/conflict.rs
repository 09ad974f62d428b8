//! What to make of a commit that another writer made.
//!
//! First: has our own counter moved? Then another Sluice runs, and one of the two must stop. Then by
//! what was done: files may be rearranged, rows may come and go; whatever puts the table back, makes
//! it another table or gives it another shape stops the pipeline.

use change::diagnose::REBUILD;

use crate::error::LakeError;
use crate::table::entry::Entry;
use crate::table::progress::Progress;

/// What is known of the table before the commit.
pub(crate) struct Seen<'a> {
    pub(crate) target: &'a str,
    pub(crate) pipeline: &'a str,
    pub(crate) counter: i64,
}

/// A commit that can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The rows are the same as before.
    SameRows,
    /// Rows were added, changed or removed.
    OtherRows,
}

/// Operations that take rows away and say so; any other that does is not followed.
const REMOVING: [&str; 5] = ["DELETE", "UPDATE", "MERGE", "STREAMING UPDATE", "WRITE"];

/// # Errors
/// Where the commit cannot be followed.
pub(crate) fn judge(entry: &Entry, seen: &Seen) -> Result<Verdict, LakeError> {
    if let Some(found) = own_counter(entry, seen.pipeline).filter(|found| *found > seen.counter) {
        return Err(LakeError::Fenced {
            target: seen.target.to_owned(),
            pipeline: seen.pipeline.to_owned(),
            expected: seen.counter,
            found,
        });
    }
    if let Some((what, hint)) = unfollowable(entry, seen) {
        return Err(LakeError::Foreign {
            target: seen.target.to_owned(),
            version: entry.version,
            what,
            hint,
        });
    }
    let same = entry.adds == 0 && entry.removes == 0;
    Ok(if same { Verdict::SameRows } else { Verdict::OtherRows })
}

/// Whether a commit put other rows in place of all that were there.
pub(crate) fn replaces(entry: &Entry) -> bool {
    let operation = entry.operation.as_str();
    operation.contains("RESTORE")
        || operation.contains("REPLACE")
        || operation.contains("CLONE")
        || entry.mode == "OVERWRITE"
}

fn own_counter(entry: &Entry, pipeline: &str) -> Option<i64> {
    let application = Progress::application(pipeline);
    entry.transactions.iter().find(|t| t.app_id == application).map(|t| t.version)
}

/// The pipeline of a commit that is another pipeline's.
pub(crate) fn other_pipeline<'a>(entry: &'a Entry, pipeline: &str) -> Option<&'a str> {
    let named = entry.progress.as_ref().map(|p| p.pipeline.as_str());
    named.filter(|found| *found != pipeline)
}

fn unfollowable(entry: &Entry, seen: &Seen) -> Option<(String, String)> {
    if let Some(other) = other_pipeline(entry, seen.pipeline) {
        return Some((
            format!("pipeline `{other}` commits to this table"),
            "route one of the two pipelines to another path".into(),
        ));
    }
    if replaces(entry) {
        let before = entry.version.saturating_sub(1);
        return Some((
            format!("{} replaced its rows", operation_of(entry)),
            format!(
                "run `RESTORE TABLE .. TO VERSION AS OF {before}` and start again, or {REBUILD}"
            ),
        ));
    }
    if entry.table_id.is_some() || entry.protocol {
        return Some((
            format!("{} changed its columns, properties or protocol", operation_of(entry)),
            "start again: the table is then read anew and checked".into(),
        ));
    }
    if entry.removes > 0 && !REMOVING.contains(&entry.operation.as_str()) {
        return Some((
            format!("{} removed rows", operation_of(entry)),
            format!("start again to go on from the table as it is, or {REBUILD}"),
        ));
    }
    None
}

fn operation_of(entry: &Entry) -> String {
    if entry.operation.is_empty() {
        "an operation without a name".into()
    } else {
        entry.operation.clone()
    }
}

#[cfg(test)]
mod tests {
    use deltalake::kernel::Transaction;

    use super::*;

    fn entry(operation: &str, adds: usize, removes: usize) -> Entry {
        Entry { version: 7, operation: operation.into(), adds, removes, ..Entry::default() }
    }

    const SEEN: Seen = Seen { target: "/lake/a", pipeline: "shop", counter: 5 };

    #[test]
    fn what_can_be_followed_is_followed() {
        let cases = [
            (entry("OPTIMIZE", 0, 0), Verdict::SameRows),
            (entry("VACUUM END", 0, 0), Verdict::SameRows),
            (entry("WRITE", 3, 0), Verdict::OtherRows),
            (entry("DELETE", 1, 1), Verdict::OtherRows),
            (entry("", 1, 0), Verdict::OtherRows),
        ];
        for (entry, verdict) in cases {
            assert_eq!(judge(&entry, &SEEN).expect("followed"), verdict, "{entry:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_stops_and_says_why() {
        let overwrite = Entry { mode: "OVERWRITE".into(), ..entry("WRITE", 1, 1) };
        let altered = Entry { table_id: Some("x".into()), ..entry("ADD COLUMN", 0, 0) };
        let second = Entry {
            transactions: vec![Transaction::new("sluice:shop", 6)],
            ..entry("STREAMING UPDATE", 1, 0)
        };
        let cases = [
            (
                entry("RESTORE", 1, 1),
                "/lake/a: version 7 was written by others: RESTORE replaced its rows",
            ),
            (overwrite, "/lake/a: version 7 was written by others: WRITE replaced its rows"),
            (
                altered,
                "/lake/a: version 7 was written by others: ADD COLUMN changed its columns, properties or protocol",
            ),
            (entry("PURGE", 0, 2), "/lake/a: version 7 was written by others: PURGE removed rows"),
            (
                second,
                "/lake/a: another process of pipeline `shop` commits to this table (its counter is 6, ours 5)",
            ),
        ];
        for (entry, text) in cases {
            assert_eq!(judge(&entry, &SEEN).expect_err("refused").to_string(), text);
        }
    }
}
