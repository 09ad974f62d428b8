//! What an ALTER TABLE does to columns and rows, for those who keep a copy of the table.

use change::definition::{ColumnDefinition, DeclaredType, IndexKind, TableDefinition};
use change::{ColumnEdit, RowsEffect};

use super::alter::Altered;
use crate::statement::column::ColumnClause;
use crate::statement::create::PRIMARY;
use crate::statement::definition::Clause;
use crate::statement::environment::Environment;

/// Types whose wider forms hold every value of the narrower ones, narrowest first.
const WIDENING: [&[&str]; 4] = [
    &["tinyint", "smallint", "mediumint", "int", "bigint"],
    &["float", "double"],
    &["tinytext", "text", "mediumtext", "longtext"],
    &["tinyblob", "blob", "mediumblob", "longblob"],
];

/// Bytes of a character, at most.
const CHARACTER_BYTES_MAX: u32 = 4;

/// The differences between two definitions of which each column's origin is known.
pub(super) fn between(
    before: &TableDefinition,
    after: &Altered,
    clauses: &[Clause],
    environment: &Environment,
) -> (Vec<ColumnEdit>, RowsEffect) {
    let mut edits = Vec::new();
    let mut rows = told_rows(clauses, Some(before));
    let dropped = |at: &usize| !after.origins.contains(&Some(*at));
    for column in (0..before.columns.len()).filter(dropped).filter_map(|at| before.columns.get(at))
    {
        edits.push(ColumnEdit::Dropped { name: column.name.clone() });
    }
    let mut kept = Vec::new();
    for (at, (column, origin)) in after.table.columns.iter().zip(&after.origins).enumerate() {
        let Some((origin, old)) = origin.and_then(|o| Some((o, before.columns.get(o)?))) else {
            rows = worse(rows, effect_of_added(column));
            edits.push(ColumnEdit::Added { column: column.clone(), at: Some(at) });
            continue;
        };
        kept.push(origin);
        rows = worse(rows, compare(old, column, environment, &mut edits));
    }
    if !kept.is_sorted() {
        edits.push(ColumnEdit::Reordered);
    }
    if keys(before) != keys(&after.table) || before.versioned != after.table.versioned {
        edits.push(ColumnEdit::KeyChanged);
    }
    (edits, rows)
}

/// Primary and unique keys, by the names of their columns.
fn keys(table: &TableDefinition) -> Vec<Vec<String>> {
    let unique = table.unique_keys().into_iter().map(|key| key.columns);
    let all = std::iter::once(table.primary_key()).chain(unique);
    let name = |at: &usize| table.columns.get(*at).map(|column| column.name.to_lowercase());
    all.map(|columns| columns.iter().filter_map(name).collect()).collect()
}

/// What became of one column.
fn compare(
    old: &ColumnDefinition,
    new: &ColumnDefinition,
    environment: &Environment,
    edits: &mut Vec<ColumnEdit>,
) -> RowsEffect {
    if old.name != new.name {
        edits.push(ColumnEdit::Renamed { from: old.name.clone(), to: new.name.clone() });
    }
    let is_same_type = old.declared == new.declared && old.nullable == new.nullable;
    if !is_same_type || old.generated != new.generated {
        let (name, from, to) = (new.name.clone(), Some(old.clone()), new.clone());
        edits.push(ColumnEdit::Retyped { name, from, to });
        return effect_of_retyped(old, new, environment);
    }
    if old.default != new.default || old.invisible != new.invisible {
        edits.push(ColumnEdit::Redefined { name: new.name.clone() });
    }
    RowsEffect::None
}

/// What clauses do where the table before them is not known.
pub(super) fn told(clauses: &[Clause]) -> (Vec<ColumnEdit>, RowsEffect) {
    let mut edits = Vec::new();
    let mut rows = told_rows(clauses, None);
    for clause in clauses {
        match clause {
            Clause::Add { column, if_not_exists } => {
                let effect = if *if_not_exists {
                    RowsEffect::Unknown("a column is added unless it is there")
                } else {
                    effect_of_added(&column.column)
                };
                rows = worse(rows, effect);
                edits.push(ColumnEdit::Added { column: column.column.clone(), at: None });
            }
            Clause::Drop { column, .. } => edits.push(ColumnEdit::Dropped { name: column.clone() }),
            Clause::Rename { from, to, if_exists } => {
                if *if_exists {
                    let unknown = "a column gets another name where it is there";
                    rows = worse(rows, RowsEffect::Unknown(unknown));
                }
                edits.push(ColumnEdit::Renamed { from: from.clone(), to: to.clone() });
            }
            Clause::Change { old, column, .. } => {
                told_change(old, column, &mut edits);
                rows = worse(rows, RowsEffect::Unknown("a column may change its type"));
            }
            Clause::Default { column, .. } | Clause::Visible { column, .. } => {
                edits.push(ColumnEdit::Redefined { name: column.clone() });
            }
            Clause::Convert(charset) => rows = worse(rows, effect_of_charset(charset.as_deref())),
            Clause::Versioned(_) => edits.push(ColumnEdit::KeyChanged),
            Clause::DropIndex(name) if name == PRIMARY => edits.push(ColumnEdit::KeyChanged),
            Clause::AddIndex(index) if index.kind != IndexKind::Other => {
                edits.push(ColumnEdit::KeyChanged);
            }
            _ => {}
        }
    }
    (edits, rows)
}

fn told_change(old: &str, column: &ColumnClause, edits: &mut Vec<ColumnEdit>) {
    let name = column.column.name.clone();
    if old != name {
        edits.push(ColumnEdit::Renamed { from: old.to_owned(), to: name.clone() });
    }
    edits.push(ColumnEdit::Retyped { name, from: None, to: column.column.clone() });
    if column.is_placed() {
        edits.push(ColumnEdit::Reordered);
    }
}

/// What clauses do to rows.
fn told_rows(clauses: &[Clause], before: Option<&TableDefinition>) -> RowsEffect {
    let effect = |clause: &Clause| match clause {
        Clause::Emptied { names, .. } => {
            let gone = names.as_ref().zip(before).and_then(|(names, table)| gone(table, names));
            Some(gone.unwrap_or(RowsEffect::Unknown("rows of a partition are gone")))
        }
        Clause::Rows(what) => Some(RowsEffect::Unknown(what)),
        Clause::Unread => Some(RowsEffect::Unknown("a clause is not known")),
        Clause::Versioned(false) => Some(RowsEffect::Unknown("the past versions of rows are gone")),
        _ => None,
    };
    clauses.iter().find_map(effect).unwrap_or(RowsEffect::None)
}

/// The rows of some partitions, where their column tells it: one whose values are numbers that the server
/// computes with as they are.
fn gone(table: &TableDefinition, names: &[String]) -> Option<RowsEffect> {
    let partitions = table.partitions.as_ref()?;
    let values = partitions.values_in(names)?;
    let column = table.columns.get(table.index_of(&partitions.column)?)?;
    let declared = &column.declared;
    let is_plain = is_integer(&declared.word) && !(declared.word == "bigint" && declared.unsigned);
    is_plain.then(|| RowsEffect::Gone { column: column.name.clone(), values })
}

fn worse(a: RowsEffect, b: RowsEffect) -> RowsEffect {
    if a == RowsEffect::None { b } else { a }
}

/// What rows that are there get in a new column.
fn effect_of_added(column: &ColumnDefinition) -> RowsEffect {
    use change::DefaultValue::{Absent, Computed};
    if column.auto_increment {
        return RowsEffect::Unknown("the server numbers the rows that are there");
    }
    if column.generated {
        return RowsEffect::Unknown(
            "the server computes the new column for the rows that are there",
        );
    }
    match (&column.default, column.nullable) {
        (Computed, _) => RowsEffect::Unknown("the default of the new column is computed"),
        (Absent, Some(true))
        | (change::DefaultValue::Null | change::DefaultValue::Constant(_), _) => RowsEffect::None,
        // The zero or the empty text of its type.
        (Absent, _) => {
            RowsEffect::Unknown("the new column has no default, and rows get one by its type")
        }
    }
}

/// What another type does to values.
fn effect_of_retyped(
    old: &ColumnDefinition,
    new: &ColumnDefinition,
    environment: &Environment,
) -> RowsEffect {
    if new.generated || old.generated {
        return RowsEffect::Unknown("a column is computed anew");
    }
    let gets_values = old.nullable != Some(false) && new.nullable != Some(true);
    if gets_values && !environment.is_strict {
        return RowsEffect::Unknown("a column must not be NULL any more");
    }
    let (from, to) = (&old.declared, &new.declared);
    let is_same_charset = from.charset == to.charset || !from.is_text() || environment.is_strict;
    if !is_same_charset && effect_of_charset(to.charset.as_deref()) != RowsEffect::None {
        return effect_of_charset(to.charset.as_deref());
    }
    // In strict mode an integer that does not fit is an error, and never another one.
    let stays_integer = environment.is_strict && is_integer(&from.word) && is_integer(&to.word);
    let aligned = DeclaredType { charset: from.charset.clone(), ..to.clone() };
    let widens = *from == aligned || stays_integer || is_wider(from, to);
    if widens { RowsEffect::None } else { RowsEffect::Unknown("a column changes its type") }
}

/// Whether a type holds every value of another one as it is.
fn is_wider(from: &DeclaredType, to: &DeclaredType) -> bool {
    let length = |declared: &DeclaredType| declared.arguments.first().copied().unwrap_or(1);
    if from.word == to.word {
        return match from.word.as_str() {
            "enum" | "set" => to.labels.starts_with(&from.labels),
            "char" | "varchar" | "varbinary" | "bit" => length(to) >= length(from),
            "time" | "datetime" | "timestamp" => {
                let digits = |d: &DeclaredType| d.arguments.first().copied().unwrap_or(0);
                digits(to) >= digits(from)
            }
            "decimal" => {
                let ((from_all, from_scale), (to_all, to_scale)) =
                    (from.precision_and_scale(), to.precision_and_scale());
                from.unsigned == to.unsigned
                    && to_scale >= from_scale
                    && to_all.saturating_sub(to_scale) >= from_all.saturating_sub(from_scale)
            }
            word if is_integer(word) => from.unsigned == to.unsigned,
            "tinytext" | "text" | "mediumtext" | "longtext" | "tinyblob" | "blob"
            | "mediumblob" | "longblob" => from.arguments.is_empty() && to.arguments.is_empty(),
            _ => false,
        };
    }
    let rank = |family: &[&str], word: &str| family.iter().position(|known| *known == word);
    let in_family = |family: &&[&str]| match (rank(family, &from.word), rank(family, &to.word)) {
        (Some(narrow), Some(wide)) => narrow < wide,
        _ => false,
    };
    let is_ranked = WIDENING.iter().any(in_family);
    let keeps_sign = !is_integer(&from.word) || from.unsigned == to.unsigned || !to.unsigned;
    let bytes = length(from).saturating_mul(CHARACTER_BYTES_MAX);
    let is_text = matches!(from.word.as_str(), "char" | "varchar")
        && match to.word.as_str() {
            "varchar" => length(to) >= length(from),
            "tinytext" => bytes < 1 << 8,
            "text" => bytes < 1 << 16,
            "mediumtext" | "longtext" => true,
            _ => false,
        };
    // A wider signed type holds an unsigned one of less bytes; digits of its own make FLOAT round.
    (is_ranked && keeps_sign && (is_integer(&from.word) || to.arguments.is_empty())) || is_text
}

fn is_integer(word: &str) -> bool {
    matches!(word, "tinyint" | "smallint" | "mediumint" | "int" | "bigint")
}

/// Text in utf8mb4 holds every other text; elsewhere a character may have no place.
fn effect_of_charset(charset: Option<&str>) -> RowsEffect {
    match charset {
        Some("utf8mb4" | "utf16" | "utf32") => RowsEffect::None,
        _ => RowsEffect::Unknown("text changes to a character set that may lack some of it"),
    }
}
