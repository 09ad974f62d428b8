//! Tables as a server's catalogue has them now. For `check` alone: rows of the log are never read by
//! today's catalogue, since column names belong to a position.

use std::collections::BTreeMap;

use change::{Column, ColumnType, TableName, TableSchema, UniqueKey};

use super::connection::Connection;
use crate::error::BinlogError;
use crate::event::Vendor;
use crate::options::{ReadOptions, ServerOptions};

const COLUMNS: &str = "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, \
     c.COLUMN_TYPE, c.IS_NULLABLE, c.CHARACTER_SET_NAME, \
     c.NUMERIC_PRECISION, c.NUMERIC_SCALE \
     FROM information_schema.COLUMNS c JOIN information_schema.TABLES t \
     ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
     WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') \
     AND c.TABLE_SCHEMA NOT IN ('sys', 'performance_schema', 'information_schema') \
     ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION";

const KEYS: &str = "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART \
     FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 \
     AND TABLE_SCHEMA NOT IN ('sys', 'performance_schema', 'information_schema') \
     ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX";

const CASCADES: &str = "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME \
     FROM information_schema.REFERENTIAL_CONSTRAINTS \
     WHERE DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
     OR UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
     ORDER BY CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME";

type ColumnRow =
    (String, String, String, String, String, String, Option<String>, Option<u64>, Option<u64>);

/// A key's columns; a part of a column, or an expression, is none.
type KeyRow = (String, String, String, Option<String>, Option<u64>);

/// The captured tables that a server has now. An account sees the tables that it has some privilege
/// on, and no others.
///
/// # Errors
/// Where the server cannot be reached or refuses the account.
pub async fn table_schemas(
    server: &ServerOptions,
    options: &ReadOptions,
) -> Result<Vec<TableSchema>, BinlogError> {
    let mut connection = Connection::open(server).await?;
    schemas(&mut connection, options).await
}

pub(super) async fn schemas(
    connection: &mut Connection,
    options: &ReadOptions,
) -> Result<Vec<TableSchema>, BinlogError> {
    let version = connection.rows::<String>("SELECT VERSION()").await?;
    let vendor = Vendor::of_version(version.first().map(String::as_str).unwrap_or_default());
    let mut tables: BTreeMap<TableName, TableSchema> = BTreeMap::new();
    for row in connection.rows::<ColumnRow>(COLUMNS).await? {
        let name = TableName::new(row.0.clone(), row.1.clone());
        if !options.captures(&name) {
            continue;
        }
        let table = tables.entry(name.clone()).or_insert_with(|| TableSchema {
            name,
            columns: Vec::new(),
            primary_key: Some(Vec::new()),
            unique_keys: Some(Vec::new()),
            properties: Vec::new(),
        });
        table.columns.push(column(row, vendor));
    }
    let keys = connection.rows::<KeyRow>(KEYS).await?;
    for table in tables.values_mut() {
        let name = table.name.clone();
        add_keys(table, keys.iter().filter(|k| k.0 == name.database && k.1 == name.table));
    }
    Ok(tables.into_values().collect())
}

/// A foreign key by which the server changes rows of a captured table without a row in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cascade {
    /// The table whose rows change.
    pub table: TableName,
    /// The constraint's name.
    pub constraint: String,
}

/// Foreign keys of captured tables whose actions change rows and do not reach the log: InnoDB carries
/// them out below the log in MariaDB and in MySQL before 9.6, later ones log them unless
/// `innodb_native_foreign_keys` is on. An account sees the tables that it has some privilege on.
///
/// # Errors
/// Where the server cannot be reached or refuses the account.
pub async fn cascades(
    server: &ServerOptions,
    options: &ReadOptions,
) -> Result<Vec<Cascade>, BinlogError> {
    let mut connection = Connection::open(server).await?;
    let version = connection.rows::<String>("SELECT VERSION()").await?.concat();
    let native = "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'";
    let native = connection.rows::<(String, String)>(native).await?;
    let is_native = native.iter().any(|(_, value)| value.eq_ignore_ascii_case("ON"));
    if logs_cascades(&version) && !is_native {
        return Ok(Vec::new());
    }
    let rows = connection.rows::<(String, String, String)>(CASCADES).await?;
    let cascades = rows.into_iter().map(|(database, table, constraint)| Cascade {
        table: TableName::new(database, table),
        constraint,
    });
    Ok(cascades.filter(|cascade| options.captures(&cascade.table)).collect())
}

/// Whether a server of this version writes the rows that foreign keys change into its log.
fn logs_cascades(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Vendor::of_version(version) == Vendor::Mysql && release >= (9, 6)
}

/// Keys of whole columns; unique ones only where none of them is nullable.
fn add_keys<'a>(table: &mut TableSchema, rows: impl Iterator<Item = &'a KeyRow>) {
    let mut keys: BTreeMap<&str, Option<Vec<usize>>> = BTreeMap::new();
    for (_, _, index, column, part) in rows {
        let at = column.as_deref().filter(|_| part.is_none()).and_then(|c| table.index_of(c));
        let columns = keys.entry(index).or_insert_with(|| Some(Vec::new()));
        match (columns.as_mut(), at) {
            (Some(known), Some(at)) => known.push(at),
            _ => *columns = None,
        }
    }
    let is_nullable = |at: &usize| table.columns.get(*at).is_none_or(|c| c.nullable);
    let (mut primary, mut unique) = (Vec::new(), Vec::new());
    for (name, columns) in keys {
        match columns {
            Some(columns) if name == "PRIMARY" => primary = columns,
            Some(columns) if !columns.iter().any(is_nullable) => {
                unique.push(UniqueKey { name: name.to_owned(), columns });
            }
            _ => {}
        }
    }
    table.primary_key = Some(primary);
    table.unique_keys = Some(unique);
}

fn column(row: ColumnRow, vendor: Vendor) -> Column {
    let (_, _, name, data_type, column_type, nullable, charset, precision, scale) = row;
    let data_type = data_type.to_ascii_lowercase();
    let column_type = column_type.to_ascii_lowercase();
    let logical = logical_type(&data_type, &column_type, precision, scale);
    // MariaDB keeps JSON as LONGTEXT, and its log says no more than that.
    let source_type = if vendor == Vendor::MariaDb && data_type == "json" {
        "longtext".to_owned()
    } else {
        data_type
    };
    let charset = charset.filter(|c| !c.is_empty() && logical == ColumnType::Utf8);
    Column {
        name,
        column_type: logical,
        nullable: nullable.eq_ignore_ascii_case("YES"),
        source_type: Some(source_type),
        properties: charset.map(|c| ("charset".to_owned(), c)).into_iter().collect(),
    }
}

/// Digits that a decimal may have and still be one.
const DECIMAL_DIGITS_MAX: u64 = 38;

fn logical_type(
    data_type: &str,
    column_type: &str,
    precision: Option<u64>,
    scale: Option<u64>,
) -> ColumnType {
    let signed = |yes, no| if column_type.contains("unsigned") { no } else { yes };
    match data_type {
        "tinyint" => signed(ColumnType::Int8, ColumnType::UInt8),
        "smallint" => signed(ColumnType::Int16, ColumnType::UInt16),
        "year" => ColumnType::Int16,
        "mediumint" | "int" => signed(ColumnType::Int32, ColumnType::UInt32),
        "bigint" => signed(ColumnType::Int64, ColumnType::UInt64),
        "float" => ColumnType::Float32,
        "double" => ColumnType::Float64,
        "decimal" => match (precision, scale) {
            (Some(digits), Some(scale)) if digits <= DECIMAL_DIGITS_MAX => ColumnType::Decimal {
                precision: u8::try_from(digits).unwrap_or(u8::MAX),
                scale: u8::try_from(scale).unwrap_or(u8::MAX),
            },
            _ => ColumnType::Utf8,
        },
        "bit" if precision == Some(1) => ColumnType::Boolean,
        "bit" => ColumnType::UInt64,
        "date" => ColumnType::Date,
        "time" => ColumnType::TimeMicros,
        "datetime" => ColumnType::TimestampMicrosLocal,
        "timestamp" => ColumnType::TimestampMicrosUtc,
        "json" => ColumnType::Json,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
        | "uuid" | "inet4" | "inet6" => ColumnType::Utf8,
        // BINARY, VARBINARY, BLOB of all sizes, geometries, vectors.
        _ => ColumnType::Binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_the_log() {
        let of = |data_type: &str, column_type: &str, precision, scale| {
            logical_type(data_type, column_type, precision, scale).to_string()
        };
        assert_eq!(of("bigint", "bigint unsigned", Some(20), Some(0)), "uint64");
        assert_eq!(of("decimal", "decimal(10,2)", Some(10), Some(2)), "decimal(10,2)");
        assert_eq!(of("decimal", "decimal(65,2)", Some(65), Some(2)), "utf8");
        assert_eq!(of("bit", "bit(1)", Some(1), None), "boolean");
        assert_eq!(of("varbinary", "varbinary(3)", None, None), "binary");
    }

    #[test]
    fn a_version_tells_whether_cascades_are_logged() {
        let cases = [
            ("9.7.0", true),
            ("9.6.0-commercial", true),
            ("10.0.1", true),
            ("9.5.0", false),
            ("8.4.6", false),
            ("11.8.3-MariaDB-log", false),
        ];
        for (version, expected) in cases {
            assert_eq!(logs_cascades(version), expected, "{version}");
        }
    }

    #[test]
    fn only_whole_columns_make_a_key() {
        let column = |name: &str, nullable| Column::made(name, ColumnType::Int32, nullable);
        let mut table = TableSchema {
            name: TableName::new("d", "t"),
            columns: vec![column("a", false), column("b", true), column("c", false)],
            primary_key: None,
            unique_keys: None,
            properties: Vec::new(),
        };
        let key = |index: &str, column: Option<&str>, part| {
            let name = |text: &str| text.to_owned();
            (name("d"), name("t"), name(index), column.map(name), part)
        };
        let rows = [
            key("PRIMARY", Some("c"), None),
            key("PRIMARY", Some("a"), None),
            key("prefix", Some("a"), Some(3)),
            key("with_null", Some("b"), None),
            key("whole", Some("a"), None),
            key("expression", None, None),
        ];
        add_keys(&mut table, rows.iter());
        assert_eq!(table.primary_key, Some(vec![2, 0]));
        let names: Vec<_> = table.unique_keys.iter().flatten().map(|k| k.name.as_str()).collect();
        assert_eq!(names, ["whole"]);
    }
}
