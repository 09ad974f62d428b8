//! How far a pipeline has come in a table, as the table's own commits say.
//!
//! Every commit of Sluice carries it twice: whole, as the `sluice` object of `commitInfo`; and as
//! numbers in `txn` actions, which survive when old log entries are deleted. The second form has no
//! GTIDs: it stands in only where the first is lost.

use change::{LoadState, LogFile, Position};
use deltalake::kernel::Transaction;
use serde::{Deserialize, Serialize};

use crate::sources::SourceKeys;

/// Bits of an offset in a `txn` version; the file's number lies above them.
const OFFSET_BITS: u32 = 40;

/// Whether keys that the source inserted are looked for as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Lookups {
    /// No: the pipeline made the table and has applied every change since, so that there can be no
    /// older row.
    WhereNeeded,
    /// Yes: rows may be there that the pipeline does not know of.
    Always,
}

/// The `sluice` object of `commitInfo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// The pipeline's name.
    pub(crate) pipeline: String,
    /// Goes up by one with each commit of the pipeline to this table.
    pub(crate) counter: i64,
    /// The number of the epoch.
    pub(crate) epoch: u64,
    /// Up to here the table has everything.
    pub(crate) covered: Option<Position>,
    /// Every target had passed this point when the epoch began.
    pub(crate) all_durable: Option<Position>,
    /// The digest of the chain that made the rows.
    pub(crate) chain: String,
    /// Whether keys that the source inserted are looked for as well.
    pub(crate) lookups: Lookups,
    /// How the source tables of this target are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sources: Option<SourceKeys>,
    /// Whether the table that wrote the rows is gone: the next rows belong to another one, and take the
    /// place of all that is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) vacant: bool,
    /// How far the load of the pipeline's tables was when the epoch began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<LoadState>,
}

/// Why a position has no numeric form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge(pub(crate) &'static str);

impl Progress {
    /// The application id of a pipeline's counter.
    pub(crate) fn application(pipeline: &str) -> String {
        format!("sluice:{pipeline}")
    }

    /// The `txn` actions of a commit.
    ///
    /// # Errors
    /// Where a position is too large for a number.
    pub(crate) fn transactions(&self, now_ms: i64) -> Result<Vec<Transaction>, TooLarge> {
        let application = Self::application(&self.pipeline);
        let stamp =
            |id: String, version| Transaction::new_with_last_update(id, version, Some(now_ms));
        let mut all = vec![stamp(application.clone(), self.counter)];
        let positions = [("covered", &self.covered), ("all-durable", &self.all_durable)];
        for (what, position) in positions {
            if let Some(position) = position {
                let (pattern, number) = number_of(position)?;
                all.push(stamp(format!("{application}:{what}:{pattern}"), number));
            }
        }
        Ok(all)
    }

    /// What `txn` actions alone tell: none where the pipeline never committed.
    pub(crate) fn of_transactions(pipeline: &str, all: &[Transaction]) -> Option<Self> {
        let application = Self::application(pipeline);
        let counter = all.iter().find(|t| t.app_id == application)?.version;
        let position = |what: &str| {
            let prefix = format!("{application}:{what}:");
            let found = all.iter().filter_map(|t| Some((t.app_id.strip_prefix(&prefix)?, t)));
            // A server that was reset starts another series of files: the newest action counts.
            let newest = found.max_by_key(|(_, t)| (t.last_updated, t.version));
            newest.and_then(|(pattern, t)| position_of(pattern, t.version))
        };
        Some(Self {
            pipeline: pipeline.to_owned(),
            counter,
            epoch: 0,
            covered: position("covered"),
            all_durable: position("all-durable"),
            chain: String::new(),
            lookups: Lookups::Always,
            sources: None,
            vacant: false,
            load: None,
        })
    }
}

/// Where the digits of a log file's number lie in its name.
fn digits_of(file: &str) -> Option<(usize, &str)> {
    let mut end = file.len();
    for part in file.rsplit('.') {
        let start = end.checked_sub(part.len())?;
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            return Some((start, part));
        }
        end = start.saturating_sub(1);
    }
    None
}

/// The name of a position's log file with its number replaced by `{digits}`, and the file's number
/// and the offset as one number.
fn number_of(position: &Position) -> Result<(String, i64), TooLarge> {
    let index = LogFile(&position.file).index();
    if position.offset >> OFFSET_BITS != 0 {
        return Err(TooLarge("its offset is 1 TiB or more"));
    }
    let number = index
        .checked_mul(1 << OFFSET_BITS)
        .and_then(|high| i64::try_from(high | position.offset).ok())
        .ok_or(TooLarge("its log file has a number of 8388608 or more"))?;
    let file = position.file.as_str();
    let pattern = match digits_of(file) {
        None => file.to_owned(),
        Some((start, digits)) => {
            let (head, rest) = file.split_at_checked(start).unwrap_or((file, ""));
            let tail = rest.strip_prefix(digits).unwrap_or("");
            // A number that outgrew its zeros keeps the pattern of the shorter ones before it.
            let width = if digits.starts_with('0') { digits.len() } else { digits.len().min(6) };
            format!("{head}{{{width}}}{tail}")
        }
    };
    Ok((pattern, number))
}

fn position_of(pattern: &str, number: i64) -> Option<Position> {
    let number = u64::try_from(number).ok()?;
    let (index, offset) = (number >> OFFSET_BITS, number & ((1 << OFFSET_BITS) - 1));
    let file = match pattern.rsplit_once('{') {
        None => pattern.to_owned(),
        Some((head, rest)) => {
            let (width, tail) = rest.split_once('}')?;
            let width: usize = width.parse().ok()?;
            format!("{head}{index:0width$}{tail}")
        }
    };
    Some(Position::at(file, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_as_a_number() {
        let cases = [
            ("mysql-bin.000004", 1234, "mysql-bin.{6}"),
            ("mysql-bin.1000000", 4, "mysql-bin.{6}"),
            ("20_rotation.2.binlog", 99, "20_rotation.{1}.binlog"),
            ("shop.binlog", 7, "shop.binlog"),
            ("log.8388607", (1 << 40) - 1, "log.{6}"),
        ];
        for (file, offset, pattern) in cases {
            let position = Position::at(file, offset);
            let (found, number) = number_of(&position).expect("fits");
            assert_eq!(found, pattern);
            assert_eq!(position_of(&found, number), Some(position));
        }
    }

    #[test]
    fn a_position_that_would_overflow_is_refused() {
        assert!(number_of(&Position::at("bin.000001", 1 << 40)).is_err());
        assert!(number_of(&Position::at("bin.8388608", 4)).is_err());
        assert!(number_of(&Position::at("bin.99999999999999999999", 4)).is_ok(), "no number");
    }

    #[test]
    fn transactions_alone_tell_how_far_it_came() {
        let progress = Progress {
            pipeline: "shop".into(),
            counter: 9,
            epoch: 4,
            covered: Some(Position::at("bin.000007", 500)),
            all_durable: Some(Position::at("bin.000007", 400)),
            chain: "x".into(),
            lookups: Lookups::WhereNeeded,
            sources: None,
            vacant: false,
            load: None,
        };
        let mut all = progress.transactions(20).expect("fits");
        // What is left of the server before it was reset.
        all.push(Transaction::new_with_last_update(
            "sluice:shop:covered:old.{6}",
            1 << 60,
            Some(10),
        ));
        let found = Progress::of_transactions("shop", &all).expect("known");
        assert_eq!(found.counter, 9);
        assert_eq!(found.covered, progress.covered);
        assert_eq!(found.all_durable, progress.all_durable);
        assert_eq!(found.lookups, Lookups::Always);
        assert_eq!(Progress::of_transactions("sho", &all), None);
    }
}
