//! Global transaction ids of both vendors, and sets of them.
//!
//! MySQL: `uuid[:tag]:sequence`, a set is whole intervals with their gaps. MariaDB:
//! `domain-server-sequence`, a position is the last sequence of each domain.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// One transaction's id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Gtid {
    /// MySQL's.
    Mysql {
        /// The server that it was first committed on.
        source: Uuid,
        /// The tag (MySQL 8.3 and later), empty where there is none.
        tag: String,
        /// From 1.
        sequence: u64,
    },
    /// MariaDB's.
    MariaDb {
        /// The replication domain.
        domain: u32,
        /// The server that it was first committed on.
        server: u32,
        /// Ascending within its domain.
        sequence: u64,
    },
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mysql { source, tag, sequence } if tag.is_empty() => {
                write!(f, "{source}:{sequence}")
            }
            Self::Mysql { source, tag, sequence } => write!(f, "{source}:{tag}:{sequence}"),
            Self::MariaDb { domain, server, sequence } => write!(f, "{domain}-{server}-{sequence}"),
        }
    }
}

/// A text that is no set of GTIDs.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a GTID set: `{0}`")]
pub struct NotAGtidSet(pub String);

/// Transactions that have been executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GtidSet {
    /// MySQL's.
    Mysql(MysqlGtidSet),
    /// MariaDB's.
    MariaDb(MariaDbPosition),
}

impl GtidSet {
    /// Whether it holds this transaction. A GTID of the other vendor is never held.
    #[must_use]
    pub fn contains(&self, gtid: &Gtid) -> bool {
        match (self, gtid) {
            (Self::Mysql(set), Gtid::Mysql { source, tag, sequence }) => {
                set.contains(source, tag, *sequence)
            }
            (Self::MariaDb(set), Gtid::MariaDb { domain, sequence, .. }) => {
                set.domains.get(domain).is_some_and(|(_, last)| sequence <= last)
            }
            _ => false,
        }
    }

    /// Adds a transaction; one of the other vendor changes nothing.
    pub fn insert(&mut self, gtid: &Gtid) {
        match (self, gtid) {
            (Self::Mysql(set), Gtid::Mysql { source, tag, sequence }) => {
                set.insert_range(*source, tag, *sequence, *sequence);
            }
            (Self::MariaDb(set), Gtid::MariaDb { domain, server, sequence }) => {
                set.domains.insert(*domain, (*server, *sequence));
            }
            _ => {}
        }
    }

    /// The smallest set that holds this transaction.
    #[must_use]
    pub fn of(gtid: &Gtid) -> Self {
        let mut set = match gtid {
            Gtid::Mysql { .. } => Self::Mysql(MysqlGtidSet::default()),
            Gtid::MariaDb { .. } => Self::MariaDb(MariaDbPosition::default()),
        };
        set.insert(gtid);
        set
    }

    /// Whether every transaction of `other` is in this set.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mysql(a), Self::Mysql(b)) => a.contains_all(b),
            (Self::MariaDb(a), Self::MariaDb(b)) => b.domains.iter().all(|(domain, (_, last))| {
                a.domains.get(domain).is_some_and(|(_, own)| last <= own)
            }),
            _ => false,
        }
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mysql(set) => set.fmt(f),
            Self::MariaDb(set) => set.fmt(f),
        }
    }
}

impl FromStr for GtidSet {
    type Err = NotAGtidSet;

    /// Reads the text form of either vendor; the empty text is MySQL's empty set.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':') || text.split(',').all(|part| part.trim().is_empty()) {
            text.parse().map(Self::Mysql)
        } else {
            text.parse().map(Self::MariaDb)
        }
    }
}

impl serde::Serialize for GtidSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for GtidSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Intervals of sequences for each source and tag; ends are inclusive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MysqlGtidSet {
    /// Disjoint, ascending and never adjacent; no entry is empty.
    intervals: BTreeMap<(Uuid, String), Vec<(u64, u64)>>,
}

impl MysqlGtidSet {
    /// Adds the sequences `first..=last`; an empty range changes nothing.
    pub fn insert_range(&mut self, source: Uuid, tag: &str, first: u64, last: u64) {
        if first > last {
            return;
        }
        // The usual case: the next transaction of the last interval. There are few sources: walking them
        // costs less than a key to look up by. Empty tags are not compared: a comparison of no bytes at a
        // dangling address costs some processors more than all the rest of this.
        let is_tag = |t: &str| if tag.is_empty() { t.is_empty() } else { t == tag };
        let known = self.intervals.iter_mut().find(|((s, t), _)| *s == source && is_tag(t));
        if let Some(tail) = known.and_then(|(_, ranges)| ranges.last_mut())
            && first >= tail.0
            && first <= tail.1.saturating_add(1)
        {
            tail.1 = tail.1.max(last);
            return;
        }
        let ranges = self.intervals.entry((source, tag.to_owned())).or_default();
        let (mut first, mut last) = (first, last);
        let from = ranges.partition_point(|r| r.1.saturating_add(1) < first);
        let to = ranges.partition_point(|r| r.0 <= last.saturating_add(1));
        if let (Some(low), Some(high)) =
            (ranges.get(from), to.checked_sub(1).and_then(|i| ranges.get(i)))
            && from < to
        {
            first = first.min(low.0);
            last = last.max(high.1);
        }
        ranges.splice(from..to.max(from), [(first, last)]);
    }

    /// Whether it holds one transaction.
    #[must_use]
    pub fn contains(&self, source: &Uuid, tag: &str, sequence: u64) -> bool {
        // A borrowed look-up in a map with an owned pair as its key: few sources, so walk them.
        self.intervals
            .iter()
            .find(|((s, t), _)| s == source && t == tag)
            .is_some_and(|(_, ranges)| Self::covering(ranges, sequence).is_some())
    }

    fn covering(ranges: &[(u64, u64)], sequence: u64) -> Option<&(u64, u64)> {
        let at = ranges.partition_point(|r| r.1 < sequence);
        ranges.get(at).filter(|r| r.0 <= sequence)
    }

    /// Whether every transaction of `other` is in this set.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        other.intervals.iter().all(|(key, ranges)| {
            let own = self.intervals.get(key).map_or(&[][..], Vec::as_slice);
            ranges.iter().all(|r| Self::covering(own, r.0).is_some_and(|o| r.1 <= o.1))
        })
    }

    /// Source, tag and intervals (inclusive ends) of the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Uuid, &str, &[(u64, u64)])> {
        self.intervals
            .iter()
            .map(|((source, tag), ranges)| (source, tag.as_str(), ranges.as_slice()))
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }
}

impl fmt::Display for MysqlGtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous: Option<&Uuid> = None;
        for ((source, tag), ranges) in &self.intervals {
            match previous {
                Some(p) if p == source => {}
                Some(_) => write!(f, ",{source}")?,
                None => write!(f, "{source}")?,
            }
            previous = Some(source);
            if !tag.is_empty() {
                write!(f, ":{tag}")?;
            }
            for (first, last) in ranges {
                if first == last {
                    write!(f, ":{first}")?;
                } else {
                    write!(f, ":{first}-{last}")?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for MysqlGtidSet {
    type Err = NotAGtidSet;

    /// `uuid[:tag]:1-5:7[:tag:1-2][,uuid...]`, as the server writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAGtidSet(text.to_owned());
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let mut pieces = part.split(':').map(str::trim);
            let source = pieces.next().and_then(|p| Uuid::parse_str(p).ok()).ok_or_else(wrong)?;
            let mut tag = String::new();
            let mut any = false;
            for piece in pieces {
                if piece.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    tag = piece.to_ascii_lowercase();
                    continue;
                }
                let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
                let first: u64 = first.trim().parse().map_err(|_| wrong())?;
                let last: u64 = last.trim().parse().map_err(|_| wrong())?;
                if first == 0 || first > last {
                    return Err(wrong());
                }
                set.insert_range(source, &tag, first, last);
                any = true;
            }
            if !any {
                return Err(wrong());
            }
        }
        Ok(set)
    }
}

/// The last transaction of each MariaDB domain: domain to (server, sequence).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MariaDbPosition {
    /// By domain.
    pub domains: BTreeMap<u32, (u32, u64)>,
}

impl fmt::Display for MariaDbPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (domain, (server, sequence))) in self.domains.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{domain}-{server}-{sequence}")?;
        }
        Ok(())
    }
}

impl FromStr for MariaDbPosition {
    type Err = NotAGtidSet;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAGtidSet(text.to_owned());
        let mut domains = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let mut numbers = part.split('-');
            let mut next = || numbers.next().ok_or_else(wrong);
            let domain = next()?.parse().map_err(|_| wrong())?;
            let server = next()?.parse().map_err(|_| wrong())?;
            let sequence = next()?.parse().map_err(|_| wrong())?;
            if numbers.next().is_some() || domains.insert(domain, (server, sequence)).is_some() {
                return Err(wrong());
            }
        }
        Ok(Self { domains })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SOURCE: Uuid = Uuid::from_u128(7);

    #[test]
    fn a_set_with_tags_and_gaps_reads_back() {
        let text = "00000000-0000-0000-0000-000000000007:1-5:7:tag:1-2,\
                    00000000-0000-0000-0000-000000000009:3";
        let set: GtidSet = text.parse().expect("valid");
        assert_eq!(set.to_string(), text);
        let gtid = |tag: &str, sequence| Gtid::Mysql { source: SOURCE, tag: tag.into(), sequence };
        assert!(set.contains(&gtid("", 7)) && !set.contains(&gtid("", 6)));
        assert!(set.contains(&gtid("tag", 2)) && !set.contains(&gtid("tag", 3)));
    }

    #[test]
    fn a_mariadb_position_covers_all_up_to_its_sequence() {
        let set: GtidSet = "0-1-100,7-99-2".parse().expect("valid");
        assert_eq!(set.to_string(), "0-1-100,7-99-2");
        assert!(set.contains(&Gtid::MariaDb { domain: 0, server: 5, sequence: 100 }));
        assert!(!set.contains(&Gtid::MariaDb { domain: 0, server: 1, sequence: 101 }));
        assert!(!set.contains(&Gtid::MariaDb { domain: 3, server: 1, sequence: 1 }));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["x", "00000000-0000-0000-0000-000000000007", "0-1", "0-1-2-3", "0-1-2,0-1-3"] {
            assert!(text.parse::<GtidSet>().is_err(), "{text}");
        }
        assert!("00000000-0000-0000-0000-000000000007:5-3".parse::<GtidSet>().is_err());
    }

    proptest! {
        #[test]
        fn a_set_behaves_like_a_set_of_numbers(
            ranges in proptest::collection::vec((1u64..60, 0u64..8), 0..20),
            other in proptest::collection::vec((1u64..60, 0u64..8), 0..20),
        ) {
            let build = |ranges: &[(u64, u64)]| {
                let mut set = MysqlGtidSet::default();
                let mut model = BTreeSet::new();
                for (first, extra) in ranges {
                    set.insert_range(SOURCE, "", *first, first + extra);
                    model.extend(*first..=first + extra);
                }
                (set, model)
            };
            let (a, model_a) = build(&ranges);
            let (b, model_b) = build(&other);
            for n in 1..80 {
                prop_assert_eq!(a.contains(&SOURCE, "", n), model_a.contains(&n));
            }
            prop_assert_eq!(a.contains_all(&b), model_b.is_subset(&model_a));
            prop_assert_eq!(&a, &a.to_string().parse::<MysqlGtidSet>().expect("own text"));
        }
    }
}
