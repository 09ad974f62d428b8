//! Tables as their CREATE and ALTER statements define them, which says more than a log does: names,
//! labels, keys, defaults. Text and numbers only; what a definition means for a row is decided where rows
//! are read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::column::ColumnType;
use crate::partition::Partitioning;
use crate::schema::{TableName, UniqueKey};

/// A column's type as declared, in one spelling for all synonyms.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeclaredType {
    /// In lower case: `int` for INTEGER and INT4, `tinyint` for BOOL, `decimal` for NUMERIC, …
    pub word: String,
    /// The numbers in parentheses, as declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<u32>,
    /// UNSIGNED, ZEROFILL.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unsigned: bool,
    /// MariaDB's COMPRESSED.
    #[serde(default, skip_serializing_if = "is_false")]
    pub compressed: bool,
    /// The labels of an ENUM or SET.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The character set, where the definition or its table names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
}

/// A value written down in a definition.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constant {
    /// A text, a date or a time. That of a TIMESTAMP is in UTC.
    Text(String),
    /// A number, as written.
    Number(String),
    /// The bytes of `x'..'` and `b'..'`.
    Bytes(Vec<u8>),
}

/// The value that an INSERT which leaves a column out gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultValue {
    /// None: NULL where the column is nullable, otherwise the server has to be told a value.
    #[default]
    Absent,
    /// NULL.
    Null,
    /// Always this one.
    Constant(Constant),
    /// The server computes it: the time, an expression, a literal whose meaning hangs on a session.
    Computed,
}

/// A column of a table's definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub declared: DeclaredType,
    /// Whether it may hold NULL. None: a TIMESTAMP that does not say so, which is up to the server.
    pub nullable: Option<bool>,
    /// Its default.
    #[serde(default)]
    pub default: DefaultValue,
    /// Whether the server computes each of its values.
    #[serde(default, skip_serializing_if = "is_false")]
    pub generated: bool,
    /// Whether `SELECT *` leaves it out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub invisible: bool,
    /// AUTO_INCREMENT.
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto_increment: bool,
}

/// What an index is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndexKind {
    /// PRIMARY KEY.
    Primary,
    /// UNIQUE.
    Unique,
    /// Only for speed.
    Other,
}

/// A part of an index.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IndexPart {
    /// The column; none for an expression.
    pub column: Option<String>,
    /// Whether only the first characters of the column count.
    #[serde(default, skip_serializing_if = "is_false")]
    pub prefix: bool,
}

/// An index of a table's definition.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IndexDefinition {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: IndexKind,
    /// Its parts, in key order.
    pub parts: Vec<IndexPart>,
}

/// A table's definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableDefinition {
    /// Its columns in their order.
    pub columns: Vec<ColumnDefinition>,
    /// Its indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<IndexDefinition>,
    /// The character set of columns that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// How its rows are divided, where the values of one integer column tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Partitioning>,
    /// Whether MariaDB keeps the versions of its rows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub versioned: bool,
}

impl TableDefinition {
    /// The index of a column, whatever the case of its name.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| same_name(&column.name, name))
    }

    /// The primary key as column indexes; empty where there is none, or where a part of it is only the
    /// head of a column: such a key tells no rows apart by whole columns.
    #[must_use]
    pub fn primary_key(&self) -> Vec<usize> {
        let primary = self.indexes.iter().find(|index| index.kind == IndexKind::Primary);
        primary.and_then(|index| self.whole_columns(index)).unwrap_or_default()
    }

    /// The unique keys of whole columns none of which may be NULL, by name.
    #[must_use]
    pub fn unique_keys(&self) -> Vec<UniqueKey> {
        let unique = self.indexes.iter().filter(|index| index.kind == IndexKind::Unique);
        let key = |index: &IndexDefinition| {
            let columns = self.whole_columns(index)?;
            let is_set =
                |at: &usize| self.columns.get(*at).is_some_and(|c| c.nullable == Some(false));
            let all_set = columns.iter().all(is_set);
            all_set.then(|| UniqueKey { name: index.name.clone(), columns })
        };
        let mut keys: Vec<_> = unique.filter_map(key).collect();
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        keys
    }

    fn whole_columns(&self, index: &IndexDefinition) -> Option<Vec<usize>> {
        let whole = |part: &IndexPart| {
            let name = part.column.as_deref().filter(|_| !part.prefix)?;
            self.index_of(name)
        };
        index.parts.iter().map(whole).collect()
    }
}

/// Whether two names of columns or indexes are one to a server.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// What is known of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Its definition.
    Defined(Arc<TableDefinition>),
    /// That its definition is not known any more, and why.
    Lost(String),
}

/// The definitions of tables at a position of a log. A clone costs a counter, and the names of databases.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Definitions {
    /// By table.
    #[serde(default, with = "as_list")]
    pub tables: Arc<BTreeMap<TableName, Known>>,
    /// By database.
    #[serde(default)]
    pub databases: BTreeMap<String, DatabaseDefinition>,
}

/// What is known of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatabaseDefinition {
    /// The character set of tables that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Whether each of its tables is known: what is not known is not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_complete: bool,
}

impl Definitions {
    /// A table's definition.
    #[must_use]
    pub fn get(&self, table: &TableName) -> Option<&Arc<TableDefinition>> {
        match self.tables.get(table)? {
            Known::Defined(definition) => Some(definition),
            Known::Lost(_) => None,
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

/// JSON has no maps by table.
mod as_list {
    use super::{Arc, BTreeMap, Known, TableDefinition, TableName};

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Entry<D> {
        #[serde(flatten)]
        table: TableName,
        #[serde(skip_serializing_if = "Option::is_none")]
        definition: Option<D>,
        /// Why there is no definition.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<String>,
    }

    pub(super) fn serialize<S: serde::Serializer>(
        tables: &Arc<BTreeMap<TableName, Known>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let entry = |(table, known): (&'_ TableName, &'_ Known)| {
            let (definition, lost) = match known {
                Known::Defined(definition) => (Some(TableDefinition::clone(definition)), None),
                Known::Lost(reason) => (None, Some(reason.clone())),
            };
            Entry { table: table.clone(), definition, lost }
        };
        serializer.collect_seq(tables.iter().map(entry))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<BTreeMap<TableName, Known>>, D::Error> {
        type Entries = Vec<Entry<TableDefinition>>;
        let entries = <Entries as serde::Deserialize>::deserialize(deserializer)?;
        let known = |entry: Entry<TableDefinition>| {
            let lost = || Known::Lost(entry.lost.unwrap_or_default());
            let known = entry.definition.map(|d| Known::Defined(Arc::new(d)));
            (entry.table, known.unwrap_or_else(lost))
        };
        Ok(Arc::new(entries.into_iter().map(known).collect()))
    }
}

impl DeclaredType {
    /// A type of one word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Self { word: word.to_owned(), ..Self::default() }
    }

    /// The logical type that values of it are read as; none for a type that is not known.
    #[must_use]
    pub fn column_type(&self) -> Option<ColumnType> {
        let signed = |yes, no| if self.unsigned { no } else { yes };
        let is_binary = self.charset.as_deref() == Some("binary");
        Some(match self.word.as_str() {
            "tinyint" => signed(ColumnType::Int8, ColumnType::UInt8),
            "smallint" => signed(ColumnType::Int16, ColumnType::UInt16),
            "mediumint" | "int" => signed(ColumnType::Int32, ColumnType::UInt32),
            "bigint" => signed(ColumnType::Int64, ColumnType::UInt64),
            "year" => ColumnType::Int16,
            "float" => ColumnType::Float32,
            "double" => ColumnType::Float64,
            "decimal" => match self.precision_and_scale() {
                (precision @ 1..=38, scale) => ColumnType::Decimal { precision, scale },
                _ => ColumnType::Utf8,
            },
            "bit" if matches!(self.arguments.first(), None | Some(1)) => ColumnType::Boolean,
            "bit" => ColumnType::UInt64,
            "date" => ColumnType::Date,
            "time" => ColumnType::TimeMicros,
            "datetime" => ColumnType::TimestampMicrosLocal,
            "timestamp" => ColumnType::TimestampMicrosUtc,
            "json" => ColumnType::Json,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" if is_binary => {
                ColumnType::Binary
            }
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum"
            | "set" | "uuid" | "inet4" | "inet6" => ColumnType::Utf8,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "vector"
            | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "geometrycollection" => ColumnType::Binary,
            _ => return None,
        })
    }

    /// Whether it is text in a character set, ENUM and SET among them.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(
            self.word.as_str(),
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
        )
    }

    /// Digits of a DECIMAL in all, and behind its point.
    #[must_use]
    pub fn precision_and_scale(&self) -> (u8, u8) {
        let at = |index: usize| self.arguments.get(index).and_then(|a| u8::try_from(*a).ok());
        // DECIMAL and DECIMAL(0) mean DECIMAL(10).
        let precision = at(0).filter(|digits| *digits > 0).unwrap_or(10);
        (precision, at(1).unwrap_or(0))
    }
}

impl fmt::Display for DeclaredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)?;
        let numbers = self.arguments.iter().map(ToString::to_string);
        let labels = self.labels.iter().map(|label| format!("'{}'", label.replace('\'', "''")));
        let inside: Vec<_> = numbers.chain(labels).collect();
        if !inside.is_empty() {
            write!(f, "({})", inside.join(","))?;
        }
        let unsigned = if self.unsigned { " unsigned" } else { "" };
        let compressed = if self.compressed { " compressed" } else { "" };
        write!(f, "{unsigned}{compressed}")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, nullable: bool) -> ColumnDefinition {
        let declared = DeclaredType::of("int");
        ColumnDefinition {
            name: name.to_owned(),
            declared,
            nullable: Some(nullable),
            ..ColumnDefinition::default()
        }
    }

    fn index(name: &str, kind: IndexKind, parts: &[(&str, bool)]) -> IndexDefinition {
        let part = |(column, prefix): &(&str, bool)| IndexPart {
            column: Some((*column).to_owned()),
            prefix: *prefix,
        };
        IndexDefinition { name: name.to_owned(), kind, parts: parts.iter().map(part).collect() }
    }

    fn table() -> TableDefinition {
        TableDefinition {
            columns: vec![column("a", false), column("B", false), column("c", true)],
            indexes: vec![
                index("z", IndexKind::Unique, &[("b", false)]),
                index("y", IndexKind::Unique, &[("c", false)]),
                index("x", IndexKind::Unique, &[("a", true)]),
                index("PRIMARY", IndexKind::Primary, &[("b", false), ("A", false)]),
                index("o", IndexKind::Other, &[("a", false)]),
                index("b", IndexKind::Unique, &[("a", false)]),
            ],
            ..TableDefinition::default()
        }
    }

    #[test]
    fn only_whole_columns_that_are_never_null_make_a_key() {
        let table = table();
        assert_eq!(table.primary_key(), [1, 0]);
        let names: Vec<_> = table.unique_keys().into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["b", "z"]);
    }

    #[test]
    fn definitions_read_back_from_their_text() {
        let known = [
            (TableName::new("d", "t"), Known::Defined(Arc::new(table()))),
            (TableName::new("d", "u"), Known::Lost("why".to_owned())),
        ];
        let definitions = Definitions { tables: Arc::new(known.into()), ..Definitions::default() };
        let text = serde_json::to_string(&definitions).expect("JSON");
        assert_eq!(serde_json::from_str::<Definitions>(&text).expect("the same"), definitions);
    }

    #[test]
    fn a_type_is_told_in_the_words_of_sql() {
        let labels = vec!["a".to_owned(), "it's".to_owned()];
        let set = DeclaredType { labels, ..DeclaredType::of("set") };
        assert_eq!(set.to_string(), "set('a','it''s')");
        let decimal =
            DeclaredType { arguments: vec![5, 2], unsigned: true, ..DeclaredType::of("decimal") };
        assert_eq!(decimal.to_string(), "decimal(5,2) unsigned");
        let precise = ColumnType::Decimal { precision: 5, scale: 2 };
        assert_eq!(decimal.column_type(), Some(precise));
    }
}
