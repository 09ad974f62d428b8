//! One column of a CREATE or ALTER TABLE: its type in one spelling for all synonyms, its default, and what
//! else rows hang on. What is about neither is passed over.

use change::definition::{ColumnDefinition, DeclaredType, DefaultValue};

use super::cursor::Cursor;
use super::environment::Environment;
use super::token::Token;

mod constant;

/// Where a column goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind the others, or where it was.
    #[default]
    Unsaid,
    First,
    After(String),
}

/// A column as a statement declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColumnClause {
    pub(crate) column: ColumnDefinition,
    pub(crate) place: Place,
    /// PRIMARY KEY as an attribute.
    pub(crate) is_primary: bool,
    /// UNIQUE as an attribute.
    pub(crate) is_unique: bool,
    /// MariaDB's `GENERATED ALWAYS AS ROW END`.
    pub(crate) is_row_end: bool,
}

/// Reads `name type attributes [FIRST | AFTER name]`.
pub(super) fn column(mut cursor: Cursor<'_>, environment: &Environment) -> Option<ColumnClause> {
    let name = cursor.column_name()?;
    let mut clause = ColumnClause::default();
    clause.column.name = name;
    clause.column.declared = declared_type(&mut cursor, environment, &mut clause)?;
    // Behind the last column that an ALTER adds the table may be partitioned.
    let is_end = |at: Cursor<'_>| at.is_empty() || (at.peek_is("PARTITION") && at.second_is("BY"));
    while !is_end(cursor) {
        attribute(&mut cursor, &mut clause)?;
    }
    finish(&mut clause, environment);
    Some(clause)
}

/// Settles what attributes leave open.
fn finish(clause: &mut ColumnClause, environment: &Environment) {
    let column = &mut clause.column;
    if clause.is_primary {
        column.nullable = Some(false);
    }
    // A TIMESTAMP that does not say whether it may be NULL is up to the server's settings.
    if column.nullable.is_none() && column.declared.word != "timestamp" {
        column.nullable = Some(true);
    }
    if column.declared.word == "timestamp"
        && let DefaultValue::Constant(value) = &column.default
    {
        let value = constant::timestamp_in_utc(value, environment.zone_offset_seconds);
        column.default = value.map_or(DefaultValue::Computed, DefaultValue::Constant);
    }
}

/// Reads a type alone.
pub(super) fn declared_type_of(
    cursor: &mut Cursor<'_>,
    environment: &Environment,
) -> Option<DeclaredType> {
    let mut declared = declared_type(cursor, environment, &mut ColumnClause::default())?;
    declared.unsigned |= cursor.skip("UNSIGNED");
    Some(declared)
}

/// Reads a type with its arguments.
fn declared_type(
    cursor: &mut Cursor<'_>,
    environment: &Environment,
    clause: &mut ColumnClause,
) -> Option<DeclaredType> {
    let Token::Word(word) = cursor.next()? else {
        return None;
    };
    let word = word.to_ascii_lowercase();
    let mut declared = DeclaredType::of(type_word(&word, cursor, environment));
    match word.as_str() {
        "serial" => {
            declared.unsigned = true;
            clause.column.nullable = Some(false);
            clause.column.auto_increment = true;
            clause.is_unique = true;
        }
        "bool" | "boolean" => declared.arguments = vec![1],
        "nchar" | "national" | "nvarchar" => declared.charset = Some("utf8mb3".to_owned()),
        _ => {}
    }
    if let Some(arguments) = cursor.group() {
        for piece in arguments.pieces() {
            match piece.peek()? {
                Token::Text(label) | Token::Double(label) => declared.labels.push(label.clone()),
                Token::Word(number) => match number.parse() {
                    Ok(number) => declared.arguments.push(number),
                    Err(_) => declared.labels.push(constant::label(piece)?),
                },
                _ => return None,
            }
        }
    }
    settle_size(&mut declared);
    Some(declared)
}

/// A server picks the smallest of TEXT or BLOB that holds TEXT(n) or BLOB(n), DOUBLE for FLOAT(25).
fn settle_size(declared: &mut DeclaredType) {
    let first = declared.arguments.first().copied();
    match (declared.word.as_str(), first) {
        ("float", Some(digits)) if declared.arguments.len() == 1 => {
            declared.arguments.clear();
            if digits > 24 {
                declared.word = "double".to_owned();
            }
        }
        // The widths of integers and YEAR are for display alone, except that of TINYINT(1).
        ("tinyint", Some(1)) => {}
        ("tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year", _) => {
            declared.arguments.clear();
        }
        ("set" | "enum", _) => {
            // Trailing spaces of labels are cut off.
            for label in &mut declared.labels {
                label.truncate(label.trim_end_matches(' ').len());
            }
        }
        _ => {}
    }
}

/// The one spelling of a type. Moves past the words that belong to it.
fn type_word(word: &str, cursor: &mut Cursor<'_>, environment: &Environment) -> &'static str {
    let varying = |cursor: &mut Cursor<'_>| if cursor.skip("VARYING") { "varchar" } else { "char" };
    match word {
        "tinyint" | "int1" | "bool" | "boolean" => "tinyint",
        "smallint" | "int2" => "smallint",
        "mediumint" | "middleint" | "int3" => "mediumint",
        "int" | "integer" | "int4" => "int",
        "bigint" | "int8" | "serial" => "bigint",
        "float" | "float4" => "float",
        "real" if environment.real_is_float => "float",
        "double" | "float8" | "real" => {
            let _ = cursor.skip("PRECISION");
            "double"
        }
        "decimal" | "dec" | "numeric" | "fixed" => "decimal",
        "bit" => "bit",
        "date" if environment.is_oracle => "datetime",
        "date" => "date",
        "time" => "time",
        "datetime" => "datetime",
        "timestamp" => "timestamp",
        "year" => "year",
        "char" | "character" => varying(cursor),
        "nchar" if cursor.skip("VARCHAR") => "varchar",
        "nchar" => varying(cursor),
        "national" if cursor.skip_any(&["VARCHAR", "VARCHARACTER"]) => "varchar",
        "national" => {
            let _ = cursor.skip_any(&["CHAR", "CHARACTER"]);
            varying(cursor)
        }
        "varchar" | "varcharacter" | "nvarchar" | "varchar2" => "varchar",
        "binary" => "binary",
        "varbinary" | "raw" => "varbinary",
        "tinyblob" => "tinyblob",
        "blob" => "blob",
        "mediumblob" => "mediumblob",
        "longblob" => "longblob",
        "tinytext" => "tinytext",
        "text" => "text",
        "mediumtext" => "mediumtext",
        "longtext" | "clob" => "longtext",
        "long" if cursor.skip("VARBINARY") => "mediumblob",
        "long" => {
            let _ = cursor.skip_any(&["VARCHAR", "VARCHARACTER"])
                || cursor.skip_all(&["CHAR", "VARYING"])
                || cursor.skip_all(&["CHARACTER", "VARYING"]);
            "mediumtext"
        }
        "enum" => "enum",
        "set" => "set",
        "json" => "json",
        "vector" => "vector",
        "uuid" => "uuid",
        "inet4" => "inet4",
        "inet6" => "inet6",
        "geometry" => "geometry",
        "point" => "point",
        "linestring" => "linestring",
        "polygon" => "polygon",
        "multipoint" => "multipoint",
        "multilinestring" => "multilinestring",
        "multipolygon" => "multipolygon",
        "geometrycollection" | "geomcollection" => "geometrycollection",
        _ => "unknown",
    }
}

/// Reads one attribute behind the type.
fn attribute(cursor: &mut Cursor<'_>, clause: &mut ColumnClause) -> Option<()> {
    let column = &mut clause.column;
    if cursor.group().is_some() {
        return Some(());
    }
    if character_set(cursor, &mut column.declared) {
        return Some(());
    }
    let Token::Word(word) = cursor.next()? else {
        return Some(());
    };
    match word.to_ascii_uppercase().as_str() {
        "UNSIGNED" | "ZEROFILL" => column.declared.unsigned = true,
        "COMPRESSED" => column.declared.compressed = true,
        "NOT" if cursor.skip("NULL") => column.nullable = Some(false),
        "NULL" => column.nullable = Some(true),
        "DEFAULT" => column.default = default_value(cursor)?,
        "AUTO_INCREMENT" => {
            column.auto_increment = true;
            column.nullable = Some(false);
        }
        "SERIAL" if cursor.skip_all(&["DEFAULT", "VALUE"]) => {
            column.auto_increment = true;
            column.nullable = Some(false);
            clause.is_unique = true;
        }
        "PRIMARY" => {
            let _ = cursor.skip("KEY");
            clause.is_primary = true;
        }
        "KEY" => clause.is_primary = true,
        "UNIQUE" => {
            let _ = cursor.skip("KEY");
            clause.is_unique = true;
        }
        "INVISIBLE" => column.invisible = true,
        "VISIBLE" => column.invisible = false,
        "AS" => clause.is_row_end |= generated(cursor, column),
        // ON UPDATE CURRENT_TIMESTAMP(6), ON DELETE SET NULL: neither NULL nor DEFAULT is the column's.
        "ON" => {
            let _ = cursor.next();
            let _ = cursor.skip_all(&["SET", "NULL"])
                || cursor.skip_all(&["SET", "DEFAULT"])
                || cursor.skip_all(&["NO", "ACTION"])
                || cursor.next().is_some();
        }
        "REFERENCES" => {
            let _ = cursor.table_name("");
        }
        "COMMENT"
        | "ENGINE_ATTRIBUTE"
        | "SECONDARY_ENGINE_ATTRIBUTE"
        | "COLUMN_FORMAT"
        | "STORAGE" => {
            let _ = cursor.option_word();
        }
        "CONSTRAINT" if !cursor.peek_is("CHECK") => {
            let _ = cursor.next();
        }
        "FIRST" => clause.place = Place::First,
        "AFTER" => clause.place = Place::After(cursor.column_name()?),
        // CHECK (..), SRID n, VIRTUAL, STORED, ENFORCED, and whatever else rows do not hang on.
        _ => {}
    }
    Some(())
}

/// Behind AS; whether it is the end of a row version.
fn generated(cursor: &mut Cursor<'_>, column: &mut ColumnDefinition) -> bool {
    column.generated = true;
    if !cursor.skip("ROW") {
        return false;
    }
    column.nullable = Some(false);
    !cursor.skip("START") && cursor.skip("END")
}

/// CHARACTER SET, COLLATE and their short forms.
fn character_set(cursor: &mut Cursor<'_>, declared: &mut DeclaredType) -> bool {
    let is_collation = cursor.skip("COLLATE");
    if is_collation || skip_character_set(cursor) {
        let word = cursor.option_word().unwrap_or_default();
        let charset = if is_collation { charset_of_collation(&word) } else { Some(word) };
        declared.charset = charset.or(declared.charset.take());
        return true;
    }
    if cursor.skip("BYTE") {
        declared.charset = Some("binary".to_owned());
    } else if cursor.skip("ASCII") {
        declared.charset = Some("latin1".to_owned());
    } else if cursor.skip("UNICODE") {
        declared.charset = Some("ucs2".to_owned());
    } else {
        return false;
    }
    true
}

/// `CHARACTER SET`, `CHAR SET`, `CHARSET`.
pub(super) fn skip_character_set(cursor: &mut Cursor<'_>) -> bool {
    cursor.skip("CHARSET")
        || cursor.skip_all(&["CHARACTER", "SET"])
        || cursor.skip_all(&["CHAR", "SET"])
}

/// The character set of a collation; none for those of MariaDB that go with any.
pub(super) fn charset_of_collation(collation: &str) -> Option<String> {
    let charset = collation.split('_').next().unwrap_or(collation);
    (!charset.starts_with("uca") && charset != "default").then(|| charset.to_owned())
}

/// What stands behind DEFAULT.
pub(super) fn default_value(cursor: &mut Cursor<'_>) -> Option<DefaultValue> {
    if let Some(inside) = cursor.group() {
        return Some(
            constant::whole(inside).map_or(DefaultValue::Computed, DefaultValue::Constant),
        );
    }
    if cursor.skip("NULL") {
        return Some(DefaultValue::Null);
    }
    if let Some(value) = constant::read(cursor) {
        return Some(DefaultValue::Constant(value));
    }
    // NOW(), CURRENT_TIMESTAMP(6), uuid(), NEXT VALUE FOR sequence, nextval(sequence).
    if cursor.skip_all(&["NEXT", "VALUE", "FOR"]) {
        let _ = cursor.table_name("");
        return Some(DefaultValue::Computed);
    }
    let _ = cursor.next()?;
    let _ = cursor.group();
    Some(DefaultValue::Computed)
}
