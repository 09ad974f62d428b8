//! ALTER TABLE on a definition: what the table is behind it, and which column became which.
//!
//! Clauses are applied as servers do it: columns that go, change or get another name are found by the
//! names from before the statement, then those that come or move are placed by the names behind it.

use change::definition::{
    ColumnDefinition, DefaultValue, IndexDefinition, IndexKind, IndexPart, TableDefinition,
    same_name,
};

use change::partition::{PartitionRule, Partitioning};

use super::settle;
use crate::statement::column::{ColumnClause, Place};
use crate::statement::create::{add_index, keys_of};
use crate::statement::definition::Clause;
use crate::statement::partition::PartitionChange;

/// A table behind an ALTER.
pub(super) struct Altered {
    pub(super) table: TableDefinition,
    /// For each of its columns, which one it was before; none for a new one.
    pub(super) origins: Vec<Option<usize>>,
}

/// A column on its way through an ALTER.
struct Moving {
    column: ColumnDefinition,
    origin: Option<usize>,
}

/// Applies clauses.
///
/// # Errors
/// Where they do not fit the table: then it is not what the server has.
pub(super) fn apply(before: &TableDefinition, clauses: &[Clause]) -> Result<Altered, &'static str> {
    let mut columns = Vec::new();
    let mut placed = Vec::new();
    for (origin, column) in before.columns.iter().enumerate() {
        if is_dropped(column, clauses) {
            continue;
        }
        let (column, clause) = changed(column, clauses);
        let moving = Moving { column, origin: Some(origin) };
        match clause.filter(|clause| clause.is_placed()) {
            Some(clause) => placed.push((moving, clause)),
            None => columns.push(moving),
        }
    }
    check_names(before, clauses)?;
    for clause in clauses {
        match clause {
            Clause::Add { column, if_not_exists } => {
                let is_there = columns.iter().chain(placed.iter().map(|(moving, _)| moving));
                if is_there.into_iter().any(|m| same_name(&m.column.name, &column.column.name)) {
                    if *if_not_exists {
                        continue;
                    }
                    return Err("a column is added that is there");
                }
                let moving = Moving { column: column.column.clone(), origin: None };
                place(&mut columns, moving, &column.place)?;
            }
            Clause::Change { column, .. } => {
                let found = placed.iter().position(|(_, clause)| std::ptr::eq(*clause, column));
                if let Some(at) = found {
                    let (moving, _) = placed.remove(at);
                    place(&mut columns, moving, &column.place)?;
                }
            }
            _ => {}
        }
    }
    let origins = columns.iter().map(|moving| moving.origin).collect();
    let columns = columns.into_iter().map(|moving| moving.column).collect();
    let mut table = TableDefinition { columns, ..before.clone() };
    options(&mut table, clauses);
    indexes(before, &mut table, clauses);
    settle(&mut table);
    Ok(Altered { table, origins })
}

fn is_dropped(column: &ColumnDefinition, clauses: &[Clause]) -> bool {
    clauses.iter().any(|clause| match clause {
        Clause::Drop { column: name, .. } => same_name(name, &column.name),
        _ => false,
    })
}

/// A column behind the clauses about it, and the one that declares it anew.
fn changed<'a>(
    before: &ColumnDefinition,
    clauses: &'a [Clause],
) -> (ColumnDefinition, Option<&'a ColumnClause>) {
    let mut column = before.clone();
    let mut declared = None;
    for clause in clauses {
        match clause {
            Clause::Change { old, column: new, .. } if same_name(old, &before.name) => {
                column = new.column.clone();
                declared = Some(new);
            }
            Clause::Rename { from, to, .. } if same_name(from, &before.name) => {
                column.name.clone_from(to);
            }
            Clause::Default { column: name, default, .. } if same_name(name, &before.name) => {
                column.default = default.clone();
            }
            Clause::Visible { column: name, is_visible } if same_name(name, &before.name) => {
                column.invisible = !is_visible;
            }
            Clause::Convert(charset) if column.declared.is_text() => {
                column.declared.charset.clone_from(charset);
            }
            _ => {}
        }
    }
    (column, declared)
}

/// Whether every column that a clause names is there.
fn check_names(before: &TableDefinition, clauses: &[Clause]) -> Result<(), &'static str> {
    for clause in clauses {
        let (name, may_be_absent) = match clause {
            Clause::Drop { column, if_exists } => (column, *if_exists),
            Clause::Change { old, if_exists, .. } => (old, *if_exists),
            Clause::Rename { from, if_exists, .. } => (from, *if_exists),
            Clause::Default { column, if_exists, .. } => (column, *if_exists),
            Clause::Visible { column, .. } => (column, false),
            Clause::Unread => return Err("a clause is not known"),
            _ => continue,
        };
        if before.index_of(name).is_none() && !may_be_absent {
            return Err("a column is named that is not there");
        }
    }
    Ok(())
}

fn place(columns: &mut Vec<Moving>, moving: Moving, place: &Place) -> Result<(), &'static str> {
    let at = match place {
        Place::Unsaid => columns.len(),
        Place::First => 0,
        Place::After(name) => {
            let found = columns.iter().position(|known| same_name(&known.column.name, name));
            found.ok_or("a column is placed behind one that is not there")?.saturating_add(1)
        }
    };
    columns.insert(at.min(columns.len()), moving);
    Ok(())
}

fn options(table: &mut TableDefinition, clauses: &[Clause]) {
    for clause in clauses {
        match clause {
            Clause::Charset(charset) => table.charset = Some(charset.clone()),
            Clause::Convert(charset) => table.charset.clone_from(charset),
            Clause::Versioned(versioned) => table.versioned = *versioned,
            Clause::Partitions(PartitionChange::By(by)) => table.partitions.clone_from(by),
            Clause::Partitions(PartitionChange::Added(rule)) => {
                table.partitions = table.partitions.take().and_then(|known| more(known, rule));
            }
            Clause::Emptied { names: Some(names), drops: true } => {
                table.partitions = table.partitions.take().and_then(|known| known.without(names));
            }
            _ => {}
        }
    }
}

/// Partitions with some more at their end.
fn more(known: Partitioning, added: &PartitionRule) -> Option<Partitioning> {
    let Partitioning { column, rule } = known;
    let rule = match (rule, added) {
        (PartitionRule::Range(mut all), PartitionRule::Range(new)) => {
            all.extend(new.iter().cloned());
            PartitionRule::Range(all)
        }
        (PartitionRule::List(mut all), PartitionRule::List(new)) => {
            all.extend(new.iter().cloned());
            PartitionRule::List(all)
        }
        _ => return None,
    };
    Some(Partitioning { column, rule })
}

/// Keys follow their columns, then go and come by the clauses about them.
fn indexes(before: &TableDefinition, table: &mut TableDefinition, clauses: &[Clause]) {
    let follow = |part: &IndexPart| -> Option<IndexPart> {
        let Some(name) = &part.column else {
            return Some(part.clone());
        };
        let old = before.columns.iter().find(|column| same_name(&column.name, name))?;
        if is_dropped(old, clauses) {
            return None;
        }
        let (column, _) = changed(old, clauses);
        Some(IndexPart { column: Some(column.name), prefix: part.prefix })
    };
    // By the names from before, so that two may change places.
    let renamed = |index: &IndexDefinition| {
        let to = clauses.iter().find_map(|clause| match clause {
            Clause::RenameIndex { from, to } if same_name(from, &index.name) => Some(to),
            _ => None,
        });
        to.unwrap_or(&index.name).clone()
    };
    let is_kept = |index: &&IndexDefinition| {
        let is_it = |clause: &Clause| matches!(clause, Clause::DropIndex(name) if same_name(name, &index.name));
        !clauses.iter().any(is_it)
    };
    let kept = before.indexes.iter().filter(is_kept).map(|index| IndexDefinition {
        name: renamed(index),
        kind: index.kind,
        parts: index.parts.iter().filter_map(follow).collect(),
    });
    table.indexes = kept.filter(|index| !index.parts.is_empty()).collect();
    for clause in clauses {
        match clause {
            Clause::AddIndex(index) => {
                let is_twice = index.kind == IndexKind::Primary
                    && table.indexes.iter().any(|known| known.kind == IndexKind::Primary);
                if !is_twice {
                    add_index(table, index.clone());
                }
            }
            Clause::Add { column, .. } | Clause::Change { column, .. } => {
                for index in keys_of(column) {
                    let is_there = table
                        .indexes
                        .iter()
                        .any(|known| known.parts == index.parts && known.kind == index.kind);
                    // IF NOT EXISTS may have kept the column out, IF EXISTS another one.
                    if table.index_of(&column.column.name).is_some() && !is_there {
                        add_index(table, index);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The default that a column without one has.
pub(super) fn implied(column: &ColumnDefinition) -> DefaultValue {
    match (&column.default, column.nullable) {
        (DefaultValue::Absent, Some(true)) => DefaultValue::Null,
        (default, _) => default.clone(),
    }
}
