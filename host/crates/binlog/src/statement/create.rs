//! CREATE TABLE, CREATE INDEX and CREATE DATABASE.

use change::definition::{
    ColumnDefinition, DeclaredType, IndexDefinition, IndexKind, IndexPart, TableDefinition,
    same_name,
};

use super::column::{self, ColumnClause, charset_of_collation, skip_character_set};
use super::cursor::Cursor;
use super::definition::{Around, Body, Clause, Definition, Made, database};
use super::partition::{self, PartitionChange};

/// The name of the primary key.
pub(crate) const PRIMARY: &str = "PRIMARY";

/// Columns that MariaDB adds to a versioned table which names none itself.
pub(crate) const ROW_START: &str = "row_start";
pub(crate) const ROW_END: &str = "row_end";

/// Reads what stands behind CREATE.
pub(super) fn read(mut cursor: Cursor<'_>, around: Around<'_>) -> Option<Definition> {
    let replaces = cursor.skip_all(&["OR", "REPLACE"]);
    let _ = cursor.skip_any(&["ONLINE", "OFFLINE"]);
    if cursor.skip_any(&["DATABASE", "SCHEMA"]) {
        let made = if replaces { Made::Replaced } else { Made::New };
        return database(cursor, around, made);
    }
    let is_unique = cursor.skip("UNIQUE");
    let is_other = cursor.skip_any(&["FULLTEXT", "SPATIAL", "VECTOR"]);
    if is_unique || is_other || cursor.peek_is("INDEX") {
        return index_on(cursor, is_unique, around);
    }
    let is_sequence = cursor.skip("SEQUENCE");
    if !is_sequence && !cursor.skip("TABLE") {
        return None;
    }
    let if_not_exists = cursor.skip_exists();
    let table = cursor.table_name(around.database)?;
    let body = if is_sequence { sequence(cursor, around) } else { body(cursor, around) };
    Some(Definition::Create { table, if_not_exists, replaces, body })
}

/// `INDEX name [USING x] ON table (parts)`.
fn index_on(mut cursor: Cursor<'_>, is_unique: bool, around: Around<'_>) -> Option<Definition> {
    if !cursor.skip("INDEX") {
        return None;
    }
    let _ = cursor.skip_exists();
    let name = cursor.name()?;
    while !cursor.skip("ON") {
        let _ = cursor.next()?;
    }
    let table = cursor.table_name(around.database)?;
    let kind = if is_unique { IndexKind::Unique } else { IndexKind::Other };
    let parts = parts(cursor.group()?);
    let clauses = vec![Clause::AddIndex(IndexDefinition { name, kind, parts })];
    Some(Definition::Alter { table, clauses })
}

/// A sequence of MariaDB is a table of one row. `AS type` is the type of its values.
fn sequence(mut cursor: Cursor<'_>, around: Around<'_>) -> Body {
    let mut value = DeclaredType::of("bigint");
    while !cursor.is_empty() {
        if cursor.skip("AS") {
            let Some(declared) = column::declared_type_of(&mut cursor, around.environment) else {
                return Body::Unread("a part of the statement is not known");
            };
            value = declared;
        } else {
            let _ = cursor.next();
        }
    }
    let bigint = || DeclaredType::of("bigint");
    let unsigned = |word: &str| DeclaredType { unsigned: true, ..DeclaredType::of(word) };
    let boolean = DeclaredType { arguments: vec![1], ..unsigned("tinyint") };
    let columns = [
        ("next_not_cached_value", value.clone()),
        ("minimum_value", value.clone()),
        ("maximum_value", value.clone()),
        ("start_value", value),
        ("increment", bigint()),
        ("cache_size", unsigned("bigint")),
        ("cycle_option", boolean),
        ("cycle_count", bigint()),
    ];
    let column = |(name, declared): (&str, DeclaredType)| ColumnDefinition {
        name: name.to_owned(),
        declared,
        nullable: Some(false),
        ..ColumnDefinition::default()
    };
    let columns = columns.into_iter().map(column).collect();
    Body::Columns(TableDefinition { columns, ..TableDefinition::default() })
}

fn body(mut cursor: Cursor<'_>, around: Around<'_>) -> Body {
    if cursor.skip("LIKE") {
        return like(cursor, around);
    }
    let mut table = TableDefinition::default();
    let mut elements = None;
    if let Some(inside) = cursor.group() {
        let mut head = inside;
        if head.skip("LIKE") {
            return like(head, around);
        }
        if ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| inside.peek_is(word)) {
            return Body::Unread("its columns are those of a query");
        }
        elements = Some(inside);
    }
    if let Some(PartitionChange::By(by)) = partition::by(cursor) {
        table.partitions = by;
    }
    let tail = options(cursor);
    if tail.is_selected || elements.is_none() {
        return Body::Unread("its columns are those of a query");
    }
    table.charset = tail.charset;
    table.versioned = tail.versioned;
    for element in elements.into_iter().flat_map(Cursor::pieces) {
        if add_element(&mut table, element, around).is_none() {
            return Body::Unread("a part of the statement is not known");
        }
    }
    Body::Columns(table)
}

fn like(mut cursor: Cursor<'_>, around: Around<'_>) -> Body {
    let other = cursor.table_name(around.database);
    other.map_or(Body::Unread("a part of the statement is not known"), Body::Like)
}

fn add_element(table: &mut TableDefinition, element: Cursor<'_>, around: Around<'_>) -> Option<()> {
    match key(element)? {
        Element::Index(index) => add_index(table, index),
        Element::Nothing => {}
        Element::Column => {
            let clause = column::column(element, around.environment)?;
            let keys = keys_of(&clause);
            table.columns.push(clause.column);
            keys.into_iter().for_each(|index| add_index(table, index));
        }
    }
    Some(())
}

/// The keys that a column's attributes make.
pub(crate) fn keys_of(clause: &ColumnClause) -> Vec<IndexDefinition> {
    let part = IndexPart { column: Some(clause.column.name.clone()), prefix: false };
    let index = |kind, name: &str| {
        let (name, parts) = (name.to_owned(), vec![part.clone()]);
        IndexDefinition { name, kind, parts }
    };
    let primary = clause.is_primary.then(|| index(IndexKind::Primary, PRIMARY));
    let unique = clause.is_unique.then(|| index(IndexKind::Unique, ""));
    primary.into_iter().chain(unique).collect()
}

/// Adds an index; one without a name gets that of its first column, or the next that is free. The columns
/// of a primary key are never NULL.
pub(crate) fn add_index(table: &mut TableDefinition, mut index: IndexDefinition) {
    if index.kind == IndexKind::Primary {
        PRIMARY.clone_into(&mut index.name);
        for part in index.parts.iter().filter_map(|part| part.column.as_deref()) {
            let at = table.index_of(part);
            if let Some(column) = at.and_then(|at| table.columns.get_mut(at)) {
                column.nullable = Some(false);
            }
        }
    }
    if index.name.is_empty() {
        let first = index.parts.first().and_then(|part| part.column.clone());
        let first = first.unwrap_or_else(|| "functional_index".to_owned());
        let is_taken = |name: &str| {
            same_name(name, PRIMARY)
                || table.indexes.iter().any(|known| same_name(&known.name, name))
        };
        let numbered = (2_u32..).map(|number| format!("{first}_{number}"));
        let mut names = std::iter::once(first.clone()).chain(numbered);
        index.name = names.find(|name| !is_taken(name)).unwrap_or_default();
    }
    table.indexes.push(index);
}

/// What an element of a table is.
pub(super) enum Element {
    Column,
    Index(IndexDefinition),
    /// A foreign key, a check, a period: no row hangs on it.
    Nothing,
}

/// Tells a key from a column; none where it is a key that cannot be read.
pub(super) fn key(mut cursor: Cursor<'_>) -> Option<Element> {
    let mut constraint = None;
    if cursor.skip("CONSTRAINT") {
        let is_named = !["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].iter().any(|w| cursor.peek_is(w));
        constraint = if is_named { cursor.name() } else { None };
        let _ = cursor.skip_exists();
    }
    let is_check = cursor.peek_is("CHECK") || cursor.peek_is("FOREIGN");
    if is_check || (cursor.peek_is("PERIOD") && cursor.second_is("FOR")) {
        return Some(Element::Nothing);
    }
    let kind = if cursor.skip_all(&["PRIMARY", "KEY"]) {
        IndexKind::Primary
    } else if cursor.skip("UNIQUE") {
        let _ = cursor.skip_any(&["INDEX", "KEY"]);
        IndexKind::Unique
    } else if cursor.skip_any(&["FULLTEXT", "SPATIAL"]) {
        let _ = cursor.skip_any(&["INDEX", "KEY"]);
        IndexKind::Other
    } else if cursor.skip_all(&["VECTOR", "INDEX"])
        || cursor.skip_all(&["VECTOR", "KEY"])
        || cursor.skip_any(&["INDEX", "KEY"])
    {
        IndexKind::Other
    } else {
        return constraint.is_none().then_some(Element::Column);
    };
    let _ = cursor.skip_exists();
    let is_named = !cursor.peek_mark('(') && !cursor.peek_is("USING");
    let name = if is_named { cursor.name() } else { None };
    while !cursor.peek_mark('(') {
        let _ = cursor.next()?;
    }
    let parts = parts(cursor.group()?);
    Some(Element::Index(IndexDefinition {
        name: name.or(constraint).unwrap_or_default(),
        kind,
        parts,
    }))
}

/// `a, b(10) DESC, (expression)`.
fn parts(inside: Cursor<'_>) -> Vec<IndexPart> {
    let part = |mut piece: Cursor<'_>| {
        if piece.group().is_some() {
            return IndexPart { column: None, prefix: false };
        }
        // MariaDB: `period WITHOUT OVERLAPS` makes no key of whole rows.
        let column = piece.column_name();
        IndexPart { column, prefix: piece.group().is_some() || piece.peek_is("WITHOUT") }
    };
    inside.pieces().into_iter().map(part).collect()
}

/// What the options behind a table's columns say.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) charset: Option<String>,
    pub(super) versioned: bool,
    /// Whether rows and columns of a query follow.
    pub(super) is_selected: bool,
}

pub(super) fn options(mut cursor: Cursor<'_>) -> Options {
    let mut found = Options::default();
    while !cursor.is_empty() {
        if cursor.skip("COLLATE") {
            let collation = cursor.option_word().unwrap_or_default();
            found.charset = found.charset.or_else(|| charset_of_collation(&collation));
        } else if skip_character_set(&mut cursor) {
            found.charset = cursor.option_word().filter(|word| word != "default");
        } else if cursor.skip_all(&["WITH", "SYSTEM", "VERSIONING"]) {
            found.versioned = true;
        } else if cursor.peek_is("SELECT") || cursor.peek_is("VALUES") || cursor.skip("AS") {
            found.is_selected = true;
            return found;
        } else if let Some(inside) = cursor.group() {
            found.is_selected |= inside.peek_is("SELECT");
        } else if cursor.skip_mark('=') {
            // The value of an option is no option.
            if !cursor.peek_mark('(') {
                let _ = cursor.next();
            }
        } else {
            let _ = cursor.next();
        }
    }
    found
}

/// The columns that hold the life of a row version, where a versioned table names none itself.
pub(crate) fn version_columns() -> [ColumnDefinition; 2] {
    [ROW_START, ROW_END].map(|name| ColumnDefinition {
        name: name.to_owned(),
        declared: DeclaredType { arguments: vec![6], ..DeclaredType::of("timestamp") },
        nullable: Some(false),
        generated: true,
        invisible: true,
        ..ColumnDefinition::default()
    })
}
