//! Partitions of a table, where the values of one integer column tell a row's partition: then a statement
//! that empties a partition tells which rows it takes.

use crate::definition::same_name;

/// How a table's rows are divided.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Partitioning {
    /// The column that decides.
    pub column: String,
    /// How it decides.
    pub rule: PartitionRule,
}

/// How the value of a column decides about the partition.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionRule {
    /// Its remainder by the number of partitions, which are named `p0`, `p1`, …; NULL counts as 0.
    Hash {
        /// How many there are.
        count: u64,
    },
    /// The first partition whose bound is greater; NULL is in the first one. No bound: MAXVALUE.
    Range(Vec<(String, Option<i64>)>),
    /// The partition that lists it.
    List(Vec<(String, Vec<Option<i64>>)>),
}

/// Values of an integer column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntegerSet {
    /// Those whose absolute value leaves one of some remainders; NULL counts as 0.
    Remainders {
        /// The divisor, 1 at least.
        divisor: u64,
        /// The remainders.
        remainders: Vec<u64>,
    },
    /// Those from a lower bound (none: NULL, and all below) up to and without an upper one.
    Ranges(Vec<(Option<i64>, Option<i64>)>),
    /// These.
    Listed(Vec<Option<i64>>),
}

impl Partitioning {
    /// The values of the column in some partitions; none where one of them is not known.
    #[must_use]
    pub fn values_in(&self, names: &[String]) -> Option<IntegerSet> {
        match &self.rule {
            PartitionRule::Hash { count } => {
                let number = |name: &String| {
                    let digits = name.strip_prefix(['p', 'P'])?;
                    digits.parse::<u64>().ok().filter(|number| number < count)
                };
                let remainders = names.iter().map(number).collect::<Option<Vec<_>>>()?;
                Some(IntegerSet::Remainders { divisor: (*count).max(1), remainders })
            }
            PartitionRule::Range(all) => {
                let range = |name: &String| {
                    let at = all.iter().position(|(known, _)| same_name(known, name))?;
                    let below = at.checked_sub(1).and_then(|below| all.get(below));
                    let (_, bound) = all.get(at)?;
                    Some((below.and_then(|(_, bound)| *bound), *bound))
                };
                names.iter().map(range).collect::<Option<Vec<_>>>().map(IntegerSet::Ranges)
            }
            PartitionRule::List(all) => {
                let values = |name: &String| {
                    let found = all.iter().find(|(known, _)| same_name(known, name));
                    found.map(|(_, values)| values.clone())
                };
                let lists = names.iter().map(values).collect::<Option<Vec<_>>>()?;
                Some(IntegerSet::Listed(lists.concat()))
            }
        }
    }

    /// The same without some partitions; none where they cannot go.
    #[must_use]
    pub fn without(&self, names: &[String]) -> Option<Self> {
        let stays = |known: &String| !names.iter().any(|name| same_name(name, known));
        let rule = match &self.rule {
            PartitionRule::Hash { .. } => return None,
            PartitionRule::Range(all) => PartitionRule::Range(
                all.iter().filter(|(known, _)| stays(known)).cloned().collect(),
            ),
            PartitionRule::List(all) => {
                PartitionRule::List(all.iter().filter(|(known, _)| stays(known)).cloned().collect())
            }
        };
        Some(Self { column: self.column.clone(), rule })
    }
}

impl IntegerSet {
    /// Whether a value is one of them.
    #[must_use]
    pub fn contains(&self, value: Option<i64>) -> bool {
        match self {
            Self::Remainders { divisor, remainders } => {
                let rest = value.map_or(0, i64::unsigned_abs).checked_rem(*divisor);
                rest.is_some_and(|rest| remainders.contains(&rest))
            }
            Self::Ranges(ranges) => ranges.iter().any(|(low, high)| match value {
                None => low.is_none(),
                Some(value) => {
                    low.is_none_or(|low| low <= value) && high.is_none_or(|high| value < high)
                }
            }),
            Self::Listed(values) => values.contains(&value),
        }
    }

    /// Whether one of the values from `low` to `high`, or NULL, may be one of them.
    #[must_use]
    pub fn may_hold(&self, low: i64, high: i64) -> bool {
        match self {
            Self::Remainders { .. } => true,
            Self::Ranges(ranges) => ranges.iter().any(|(from, to)| {
                from.is_none_or(|from| from <= high) && to.is_none_or(|to| low < to)
            }),
            Self::Listed(values) => {
                values.iter().any(|v| v.is_none_or(|v| (low..=high).contains(&v)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitioned(rule: PartitionRule) -> Partitioning {
        Partitioning { column: "id".to_owned(), rule }
    }

    fn held(partitioning: &Partitioning, name: &str) -> Vec<Option<i64>> {
        let set = partitioning.values_in(&[name.to_owned()]).expect("a partition");
        let all = std::iter::once(None).chain((-4..12).map(Some));
        all.filter(|value| set.contains(*value)).collect()
    }

    #[test]
    fn each_row_is_in_one_partition() {
        let name = |at: usize| format!("p{at}");
        let ranges = vec![(name(0), Some(0)), (name(1), Some(5)), (name(2), None)];
        let lists = vec![
            (name(0), vec![None, Some(-4), Some(-3), Some(-2), Some(-1), Some(0)]),
            (name(1), (1..8).map(Some).collect()),
            (name(2), (8..12).map(Some).collect()),
        ];
        for rule in [
            PartitionRule::Hash { count: 3 },
            PartitionRule::Range(ranges),
            PartitionRule::List(lists),
        ] {
            let table = partitioned(rule);
            let mut all: Vec<_> = (0..3).flat_map(|at| held(&table, &name(at))).collect();
            all.sort_unstable();
            let expected: Vec<_> = std::iter::once(None).chain((-4..12).map(Some)).collect();
            assert_eq!(all, expected, "{table:?}");
            assert_eq!(table.values_in(&["p3".to_owned()]), None);
        }
    }

    #[test]
    fn hashes_count_without_sign() {
        let table = partitioned(PartitionRule::Hash { count: 3 });
        assert_eq!(held(&table, "p1"), [-4, -1, 1, 4, 7, 10].map(Some));
        assert_eq!(held(&table, "p0").first(), Some(&None));
    }

    #[test]
    fn a_dropped_range_goes_to_the_one_above() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let bounds = [Some(0), Some(5), None];
        let ranges = names.iter().cloned().zip(bounds).collect();
        let table = partitioned(PartitionRule::Range(ranges));
        let left = table.without(&["B".to_owned()]).expect("two ranges");
        assert_eq!(held(&left, "c").first(), Some(&Some(0)));
    }
}
