//! The clauses of ALTER TABLE.

use change::definition::DefaultValue;

use super::column::{
    self, ColumnClause, Place, charset_of_collation, default_value, skip_character_set,
};
use super::create::{self, Element, PRIMARY};
use super::cursor::Cursor;
use super::definition::{Around, Clause};
use super::partition;

/// Clauses and options that neither columns, keys nor rows hang on, by their first word. FORCE, ENGINE and
/// ORDER rewrite the table with the same rows.
const HARMLESS: [&str; 60] = [
    "ENGINE",
    "FORCE",
    "ORDER",
    "ALGORITHM",
    "LOCK",
    "COMMENT",
    "AUTO_INCREMENT",
    "ROW_FORMAT",
    "KEY_BLOCK_SIZE",
    "DISABLE",
    "ENABLE",
    "WITH",
    "WITHOUT",
    "PARTITION",
    "REMOVE",
    "ANALYZE",
    "CHECK",
    "OPTIMIZE",
    "REPAIR",
    "REBUILD",
    "REORGANIZE",
    "COALESCE",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "TABLE_CHECKSUM",
    "COMPRESSION",
    "CONNECTION",
    "DATA",
    "DELAY_KEY_WRITE",
    "ENCRYPTION",
    "ENCRYPTED",
    "ENCRYPTION_KEY_ID",
    "INSERT_METHOD",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL",
    "PASSWORD",
    "SECONDARY_ENGINE",
    "SECONDARY_LOAD",
    "SECONDARY_UNLOAD",
    "ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "AUTOEXTEND_SIZE",
    "TABLESPACE",
    "STORAGE",
    "TRANSACTIONAL",
    "UNION",
    "TYPE",
    "ITEF_QUOTES",
    "SEQUENCE",
    "ONLINE",
    "IETF_QUOTES",
    "START",
    "INDEX",
];

/// Reads the clauses of an ALTER TABLE, behind the table's name.
pub(super) fn clauses(cursor: Cursor<'_>, around: Around<'_>) -> Vec<Clause> {
    if let Some(alone) = partition::clause(cursor) {
        return vec![alone];
    }
    let mut found: Vec<Clause> =
        partition::by(cursor).map(Clause::Partitions).into_iter().collect();
    let mut is_list = false;
    for piece in cursor.pieces() {
        // The rest of `ORDER BY a, b`.
        if is_list && is_name_alone(piece) {
            continue;
        }
        is_list = piece.peek_is("ORDER");
        clause(piece, around, &mut found);
        // What is about partitions stands alone: the pieces behind it are its partitions.
        if piece.second_is("PARTITION") {
            break;
        }
    }
    found
}

fn is_name_alone(mut piece: Cursor<'_>) -> bool {
    let is_named = piece.column_name().is_some();
    let _ = piece.skip_any(&["ASC", "DESC"]);
    is_named && piece.is_empty()
}

fn clause(mut cursor: Cursor<'_>, around: Around<'_>, found: &mut Vec<Clause>) {
    let read = if cursor.skip("ADD") {
        add(cursor, around)
    } else if cursor.skip("DROP") {
        drop(cursor)
    } else if cursor.skip("CHANGE") {
        change(cursor, around)
    } else if cursor.skip("MODIFY") {
        modify(cursor, around)
    } else if cursor.skip("ALTER") {
        alter(cursor)
    } else if cursor.skip("RENAME") {
        rename(cursor, around)
    } else if cursor.skip("CONVERT") {
        convert(cursor)
    } else if cursor.skip("EXCHANGE") {
        Some(vec![Clause::Rows("rows of a partition change places with those of a table")])
    } else if cursor.skip_any(&["IMPORT", "DISCARD"]) {
        Some(vec![Clause::Rows("the rows come from a file, or are gone")])
    } else {
        options(cursor)
    };
    found.extend(read.unwrap_or_else(|| vec![Clause::Unread]));
}

/// Options: only the character set of columns to come matters.
fn options(cursor: Cursor<'_>) -> Option<Vec<Clause>> {
    let is_known = cursor.is_empty()
        || HARMLESS.iter().any(|word| cursor.peek_is(word))
        || ["DEFAULT", "CHARACTER", "CHARSET", "CHAR", "COLLATE"].iter().any(|w| cursor.peek_is(w));
    let charset = create::options(cursor).charset;
    is_known.then(|| charset.map(Clause::Charset).into_iter().collect())
}

fn add(mut cursor: Cursor<'_>, around: Around<'_>) -> Option<Vec<Clause>> {
    if cursor.skip_all(&["SYSTEM", "VERSIONING"]) {
        return Some(vec![Clause::Versioned(true)]);
    }
    let is_column = cursor.skip("COLUMN");
    let if_not_exists = cursor.skip_exists();
    if let Some(inside) = cursor.group() {
        let columns = inside.pieces().into_iter();
        let lists = columns.map(|piece| added(piece, false, if_not_exists, around));
        return lists.collect::<Option<Vec<_>>>().map(|lists| lists.concat());
    }
    added(cursor, is_column, if_not_exists, around)
}

fn added(
    cursor: Cursor<'_>,
    is_column: bool,
    if_not_exists: bool,
    around: Around<'_>,
) -> Option<Vec<Clause>> {
    let element = if is_column { Element::Column } else { create::key(cursor)? };
    Some(match element {
        Element::Index(index) => vec![Clause::AddIndex(index)],
        Element::Nothing => Vec::new(),
        Element::Column => {
            let column = column::column(cursor, around.environment)?;
            vec![Clause::Add { column, if_not_exists }]
        }
    })
}

fn drop(mut cursor: Cursor<'_>) -> Option<Vec<Clause>> {
    if cursor.skip_all(&["PRIMARY", "KEY"]) {
        return Some(vec![Clause::DropIndex(PRIMARY.to_owned())]);
    }
    if cursor.skip_any(&["INDEX", "KEY"]) {
        let _ = cursor.skip_exists();
        return Some(vec![Clause::DropIndex(cursor.name()?)]);
    }
    if cursor.skip("CONSTRAINT") {
        // Of a unique key too; a name of nothing known is that of a check or a foreign key.
        let _ = cursor.skip_exists();
        return Some(vec![Clause::DropIndex(cursor.name()?)]);
    }
    if cursor.skip_all(&["FOREIGN", "KEY"])
        || cursor.skip("CHECK")
        || cursor.skip_all(&["PERIOD", "FOR"])
    {
        return Some(Vec::new());
    }
    if cursor.skip_all(&["SYSTEM", "VERSIONING"]) {
        return Some(vec![Clause::Versioned(false)]);
    }
    let _ = cursor.skip("COLUMN");
    let if_exists = cursor.skip_exists();
    Some(vec![Clause::Drop { column: cursor.column_name()?, if_exists }])
}

fn change(mut cursor: Cursor<'_>, around: Around<'_>) -> Option<Vec<Clause>> {
    let _ = cursor.skip("COLUMN");
    let if_exists = cursor.skip_exists();
    let old = cursor.column_name()?;
    let column = column::column(cursor, around.environment)?;
    Some(vec![Clause::Change { old, column, if_exists }])
}

fn modify(mut cursor: Cursor<'_>, around: Around<'_>) -> Option<Vec<Clause>> {
    let _ = cursor.skip("COLUMN");
    let if_exists = cursor.skip_exists();
    let column = column::column(cursor, around.environment)?;
    let old = column.column.name.clone();
    Some(vec![Clause::Change { old, column, if_exists }])
}

/// ALTER COLUMN, and what of indexes, checks and constraints is switched.
fn alter(mut cursor: Cursor<'_>) -> Option<Vec<Clause>> {
    if cursor.skip_any(&["INDEX", "KEY", "CHECK", "CONSTRAINT"]) {
        return Some(Vec::new());
    }
    let _ = cursor.skip("COLUMN");
    let if_exists = cursor.skip_exists();
    let column = cursor.column_name()?;
    if cursor.skip_all(&["SET", "DEFAULT"]) {
        let default = default_value(&mut cursor)?;
        return Some(vec![Clause::Default { column, default, if_exists }]);
    }
    if cursor.skip_all(&["DROP", "DEFAULT"]) {
        let default = DefaultValue::Absent;
        return Some(vec![Clause::Default { column, default, if_exists }]);
    }
    let is_visible = cursor.skip_all(&["SET", "VISIBLE"]);
    let is_switched = is_visible || cursor.skip_all(&["SET", "INVISIBLE"]);
    is_switched.then(|| vec![Clause::Visible { column, is_visible }])
}

fn rename(mut cursor: Cursor<'_>, around: Around<'_>) -> Option<Vec<Clause>> {
    if cursor.skip("COLUMN") {
        let if_exists = cursor.skip_exists();
        let from = cursor.column_name()?;
        let to = cursor.skip("TO").then(|| cursor.column_name())??;
        return Some(vec![Clause::Rename { from, to, if_exists }]);
    }
    if cursor.skip_any(&["INDEX", "KEY"]) {
        let _ = cursor.skip_exists();
        let from = cursor.name()?;
        let to = cursor.skip("TO").then(|| cursor.name())??;
        return Some(vec![Clause::RenameIndex { from, to }]);
    }
    let _ = cursor.skip("TO") || cursor.skip("AS") || cursor.skip_mark('=');
    Some(vec![Clause::RenameTable(cursor.table_name(around.database)?)])
}

fn convert(mut cursor: Cursor<'_>) -> Option<Vec<Clause>> {
    if !cursor.skip("TO") {
        return Some(vec![Clause::Rows("a partition becomes a table, or a table a partition")]);
    }
    if cursor.skip("COLLATE") {
        let collation = cursor.option_word()?;
        return Some(vec![Clause::Convert(charset_of_collation(&collation))]);
    }
    if !skip_character_set(&mut cursor) {
        return None;
    }
    let charset = cursor.option_word()?;
    Some(vec![Clause::Convert((charset != "default").then_some(charset))])
}

impl ColumnClause {
    /// Whether it says where the column goes.
    pub(crate) fn is_placed(&self) -> bool {
        self.place != Place::Unsaid
    }
}
