//! What statements say about the partitions of a table, as far as one integer column decides about them.
//! Expressions, texts, keys and subpartitions are told to nobody: then which rows a partition holds is not
//! known.

use change::partition::{PartitionRule, Partitioning};

use super::cursor::Cursor;
use super::definition::Clause;
use super::token::Token;

/// Partitions that a HASH may have on any server.
const PARTITIONS_MAX: u64 = 8192;

/// What a clause does to partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartitionChange {
    /// They are others, as far as that is known.
    By(Option<Partitioning>),
    /// RANGE or LIST gets some more.
    Added(PartitionRule),
}

/// The clause of an ALTER TABLE that stands alone because it is about partitions.
pub(super) fn clause(cursor: Cursor<'_>) -> Option<Clause> {
    let mut cursor = cursor;
    if !cursor.second_is("PARTITION") {
        return None;
    }
    let drops = cursor.peek_is("DROP");
    if drops || cursor.peek_is("TRUNCATE") {
        let _ = cursor.next();
        let _ = cursor.next();
        let _ = cursor.skip_exists();
        let is_all = cursor.peek_is("ALL");
        let names: Option<Vec<_>> =
            cursor.pieces().into_iter().map(|mut piece| piece.name()).collect();
        let names = if is_all { None } else { Some(names.unwrap_or_default()) };
        return Some(Clause::Emptied { names, drops });
    }
    if cursor.skip("ADD") {
        let _ = cursor.next();
        let _ = cursor.skip_exists();
        let rule = cursor.group().and_then(definitions);
        let added = rule.map_or(PartitionChange::By(None), PartitionChange::Added);
        return Some(Clause::Partitions(added));
    }
    None
}

/// `PARTITION BY …` in a statement; none where it has none, `By(None)` where it is not understood.
pub(super) fn by(cursor: Cursor<'_>) -> Option<PartitionChange> {
    let mut cursor = cursor;
    while !cursor.is_empty() {
        if cursor.skip_all(&["PARTITION", "BY"]) {
            return Some(PartitionChange::By(partitioning(cursor)));
        }
        if cursor.skip_any(&["PARTITION", "PARTITIONS", "PARTITIONING"]) {
            return Some(PartitionChange::By(None));
        }
        if cursor.group().is_none() {
            let _ = cursor.next();
        }
    }
    None
}

fn partitioning(mut cursor: Cursor<'_>) -> Option<Partitioning> {
    let is_hash = cursor.skip("HASH");
    if !is_hash && !cursor.skip_any(&["RANGE", "LIST"]) {
        return None;
    }
    let _ = cursor.skip("COLUMNS");
    let mut inside = cursor.group()?;
    let column = inside.name()?;
    if !inside.is_empty() {
        return None;
    }
    let mut count = 1;
    if cursor.skip("PARTITIONS") {
        count = u64::try_from(number(&mut cursor)?).ok()?;
    }
    if !is_hash {
        return Some(Partitioning { column, rule: definitions(cursor.group()?)? });
    }
    // Partitions with names of their own, or parts of partitions.
    let is_plain = cursor.is_empty() && (1..=PARTITIONS_MAX).contains(&count);
    is_plain.then_some(Partitioning { column, rule: PartitionRule::Hash { count } })
}

/// `PARTITION a VALUES LESS THAN (1), PARTITION b VALUES IN (1, NULL) ENGINE = x …`
fn definitions(inside: Cursor<'_>) -> Option<PartitionRule> {
    let (mut ranges, mut lists) = (Vec::new(), Vec::new());
    for mut piece in inside.pieces() {
        let name = piece.skip("PARTITION").then(|| piece.name())??;
        if piece.skip_all(&["VALUES", "LESS", "THAN"]) {
            ranges.push((name, bound(&mut piece)?));
        } else if piece.skip_all(&["VALUES", "IN"]) {
            let values = piece.group()?.pieces().into_iter();
            let value = |mut value: Cursor<'_>| {
                let found = if value.skip("NULL") { None } else { Some(number(&mut value)?) };
                value.is_empty().then_some(found)
            };
            lists.push((name, values.map(value).collect::<Option<Vec<_>>>()?));
        } else {
            return None;
        }
        if piece.peek_mark('(') {
            return None;
        }
    }
    match (ranges.is_empty(), lists.is_empty()) {
        (false, true) => Some(PartitionRule::Range(ranges)),
        (true, false) => Some(PartitionRule::List(lists)),
        _ => None,
    }
}

/// The outer option is whether it can be read.
#[expect(clippy::option_option, reason = "no bound and no knowledge are two things")]
fn bound(piece: &mut Cursor<'_>) -> Option<Option<i64>> {
    if piece.skip("MAXVALUE") {
        return Some(None);
    }
    let mut inside = piece.group()?;
    if inside.skip("MAXVALUE") {
        return inside.is_empty().then_some(None);
    }
    let value = number(&mut inside)?;
    inside.is_empty().then_some(Some(value))
}

fn number(cursor: &mut Cursor<'_>) -> Option<i64> {
    let sign = if cursor.skip_mark('-') { "-" } else { "" };
    let Some(Token::Word(digits)) = cursor.next() else { return None };
    format!("{sign}{digits}").parse().ok()
}
