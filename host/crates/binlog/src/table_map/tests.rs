//! Table maps: golden bytes, optional metadata, and what is interned.

use super::*;
use change::ColumnType;

use crate::row_buffer::RowBuffer;

const RULES: MapRules = MapRules { zero_dates: ZeroDates::Error, vendor: Vendor::MySql };

/// The parts of a table map, as a server would put them together.
#[derive(Clone, Default)]
pub(crate) struct Written {
    pub(crate) types: Vec<u8>,
    pub(crate) type_metadata: Vec<u8>,
    pub(crate) nullable: Vec<u8>,
    pub(crate) optional: Vec<(u8, Vec<u8>)>,
}

impl Written {
    /// Columns named a, b, c ..
    pub(crate) fn new(types: &[u8], type_metadata: &[u8]) -> Self {
        let names = (b'a'..).take(types.len()).flat_map(|name| [1, name]).collect();
        let nullable = vec![0xff; types.len().div_ceil(8)];
        let (types, type_metadata) = (types.to_vec(), type_metadata.to_vec());
        Self { types, type_metadata, nullable, optional: vec![(4, names)] }
    }

    pub(crate) fn with(mut self, kind: u8, value: &[u8]) -> Self {
        self.optional.push((kind, value.to_vec()));
        self
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
        let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0, 1, b'd', 0, 1, b't', 0];
        body.push(length(&self.types));
        body.extend(&self.types);
        body.push(length(&self.type_metadata));
        body.extend(&self.type_metadata);
        body.extend(&self.nullable);
        for (kind, value) in &self.optional {
            body.extend([*kind, length(value)]);
            body.extend(value);
        }
        body
    }

    pub(crate) fn map(&self) -> TableMap {
        self.parsed(RULES).expect("a table map")
    }

    pub(crate) fn parsed(&self, rules: MapRules) -> Result<TableMap, DecodeError> {
        TableMap::parse(&self.body(), rules, &History::default()).map(|(_, map)| map)
    }
}

fn types(map: &TableMap) -> Vec<String> {
    let columns = map.schema.columns.iter();
    columns
        .map(|c| {
            let charset = c.property("charset").map_or(String::new(), |s| format!(" {s}"));
            format!("{} {}{charset}", c.source_type.as_deref().unwrap_or("-"), c.column_type)
        })
        .collect()
}

#[test]
fn names_come_from_the_event_or_from_nowhere() {
    let written = Written::new(&[3, 8], &[]).with(1, &[0x80]).with(8, &[0]);
    let (id, map) =
        TableMap::parse(&written.body(), RULES, &History::default()).expect("a table map");
    assert_eq!((id, map.schema.name.to_string()), (9, "d.t".to_owned()));
    assert_eq!(types(&map), ["int uint32", "bigint int64"]);
    assert_eq!(map.schema.primary_key, Some(vec![0]));
    assert_eq!(TableMap::peek_name(&written.body()), Ok((9, TableName::new("d", "t"))));
    let unnamed = Written { optional: Vec::new(), ..written };
    let error = unnamed.parsed(RULES).unwrap_err();
    assert!(matches!(error, DecodeError::NoDefinition { .. }), "{error}");
}

#[test]
fn signedness_counts_numeric_columns_only_and_year_is_one() {
    // tinyint, varchar, year, tinyint unsigned, date, int unsigned
    let written =
        Written::new(&[1, 15, 13, 1, 10, 3], &[10, 0]).with(1, &[0b0011_0000]).with(2, &[45]);
    let expected = [
        "tinyint int8",
        "varchar utf8 utf8mb4",
        "year int16",
        "tinyint uint8",
        "date date",
        "int uint32",
    ];
    assert_eq!(types(&written.map()), expected);
}

#[test]
fn collations_count_the_columns_that_the_vendor_counts() {
    // geometry, text, varchar; the default is binary, the second text column is latin1.
    let written = Written::new(&[255, 252, 15], &[4, 2, 10, 0]).with(7, &[1]).with(2, &[63, 1, 8]);
    assert_eq!(
        types(&written.map()),
        ["point binary", "blob binary", "varchar utf8 latin1"],
        "MySQL leaves geometry out"
    );
    let maria = written.parsed(MapRules { vendor: Vendor::MariaDb, ..RULES }).expect("a map");
    assert_eq!(
        types(&maria),
        ["point binary", "text utf8 latin1", "varbinary binary"],
        "MariaDB counts it"
    );
    let vector = Written::new(&[242, 252], &[4, 2]).with(2, &[63, 1, 45]);
    assert_eq!(types(&vector.map()), ["vector binary", "text utf8 utf8mb4"]);
}

#[test]
fn labels_are_text_and_properties() {
    let written = Written::new(&[254, 254], &[247, 1, 248, 1])
        .with(6, &[2, 1, b'x', 2, 0xe9, b'"'])
        .with(5, &[1, 1, b'y'])
        .with(11, &[8, 45]);
    let map = written.map();
    let labels: Vec<_> = map.schema.columns.iter().map(|c| c.property("labels")).collect();
    assert_eq!(labels, [Some(r#"["x","é\""]"#), Some(r#"["y"]"#)]);
    assert_eq!(types(&map), ["enum utf8 latin1", "set utf8 utf8mb4"]);
}

#[test]
fn a_key_of_prefixes_is_no_key() {
    let written = Written::new(&[3, 3], &[]);
    let key =
        |kind, value: &[u8]| written.clone().with(kind, value).map().schema.primary_key.clone();
    assert_eq!(key(8, &[1, 0]), Some(vec![1, 0]));
    assert_eq!(key(9, &[1, 0, 0, 0]), Some(vec![1, 0]));
    assert_eq!(key(9, &[1, 0, 0, 5]), Some(vec![]));
    assert_eq!(written.map().schema.primary_key, Some(vec![]), "FULL metadata would have told it");
}

#[test]
fn nullability_visibility_and_unknown_metadata() {
    let mut written = Written::new(&[3, 3, 3], &[]).with(99, &[1, 2, 3]).with(12, &[0b1010_0000]);
    written.nullable = vec![0b101];
    let map = written.map();
    let seen: Vec<_> =
        map.schema.columns.iter().map(|c| (c.nullable, c.property("invisible"))).collect();
    assert_eq!(seen, [(true, None), (false, Some("true")), (true, None)]);
}

#[test]
fn dates_may_be_null_where_the_policy_says_so_except_in_a_key() {
    let mut written = Written::new(&[10, 10], &[]).with(8, &[0]);
    written.nullable = vec![0];
    let map = written.parsed(MapRules { zero_dates: ZeroDates::Null, ..RULES }).expect("a map");
    let nullable: Vec<_> = map.schema.columns.iter().map(|c| c.nullable).collect();
    assert_eq!(nullable, [false, true]);
}

#[test]
fn decimals_bits_and_lengths_come_from_the_metadata() {
    let metadata = [65, 30, 38, 10, 1, 0, 0, 8, 0xce, 0xfc, 0xfe, 0x10];
    let written = Written::new(&[246, 246, 16, 16, 254, 254], &metadata).with(3, &[45, 63]);
    let map = written.map();
    let expected = [
        "decimal utf8",
        "decimal decimal(38,10)",
        "bit boolean",
        "bit uint64",
        "char utf8 utf8mb4",
        "binary binary",
    ];
    assert_eq!(types(&map), expected);
    assert!(matches!(map.cells.get(4), Some(Cell::Plain(2))), "1,020 bytes at most");
    assert!(matches!(map.cells.get(5), Some(Cell::Padded(1, 16))));
}

#[test]
fn what_cannot_be_read_is_named() {
    let refused = [
        (
            Written::new(&[20], &[]),
            "column a has the type array of a multi-valued index, which cannot be read",
        ),
        (
            Written::new(&[12], &[]),
            "column a has the type datetime in the format of before MySQL 5.6, which cannot be read",
        ),
        (Written::new(&[200], &[]), "column a has the type number 200, which cannot be read"),
        (
            Written::new(&[15], &[1, 0]).with(2, &[17]),
            "column a has the collation 17, which is not known",
        ),
        (
            Written::new(&[15], &[1, 0]),
            "the event holds no character set for a text column at byte 24",
        ),
        (
            Written::new(&[254], &[247, 1]).with(10, &[45]),
            "the event holds no labels for an ENUM or SET at byte 27",
        ),
        (
            Written::new(&[3], &[]).with(8, &[1]),
            "the event holds a key of columns that do not exist at byte 25",
        ),
        (
            Written::new(&[], &[]),
            "the event holds a number of columns that no table has at byte 14",
        ),
        (
            Written::new(&[246], &[66, 0]),
            "the event holds column metadata out of its range at byte 24",
        ),
        (
            Written::new(&[16], &[1, 8]),
            "the event holds column metadata out of its range at byte 24",
        ),
        (Written::new(&[18], &[7]), "the event holds column metadata out of its range at byte 23"),
    ];
    for (written, message) in refused {
        assert_eq!(written.parsed(RULES).expect_err(message).to_string(), message);
    }
}

#[test]
fn equal_events_share_a_map_and_equal_definitions_a_schema() {
    let mut cache = SchemaCache::new(RULES);
    let written = Written::new(&[3, 15], &[10, 0]).with(2, &[45]);
    let mut body = written.body();
    let (id, first) = cache.table_map(&body, &History::default()).expect("a map");
    *body.first_mut().expect("an id") = 77;
    let (next_id, same) = cache.table_map(&body, &History::default()).expect("a map");
    assert_eq!((id, next_id), (9, 77));
    assert!(Arc::ptr_eq(&first, &same));
    let grown = Written::new(&[3, 15], &[0, 2]).with(2, &[45]);
    let (_, grown) = cache.table_map(&grown.body(), &History::default()).expect("a map");
    assert!(!Arc::ptr_eq(&first, &grown));
    assert!(Arc::ptr_eq(&first.schema, &grown.schema), "a longer VARCHAR is no other schema");
    let (_, other) =
        cache.table_map(&Written::new(&[3], &[]).body(), &History::default()).expect("a map");
    assert!(!Arc::ptr_eq(&first.schema, &other.schema));
    let mut buffer = RowBuffer::new(&first);
    assert_eq!(buffer.adopt(&grown), Ok(()));
    assert!(matches!(buffer.adopt(&other), Err(DecodeError::Mismatch(_))));
}

#[test]
fn a_vendor_that_turns_out_to_be_another_is_read_anew() {
    let written = Written::new(&[255, 252], &[4, 2]).with(2, &[63, 0, 8]);
    let mut cache = SchemaCache::new(RULES);
    let column = |cache: &mut SchemaCache| {
        let (_, map) = cache.table_map(&written.body(), &History::default()).expect("a map");
        map.schema.columns.get(1).map(|c| c.column_type)
    };
    assert_eq!(column(&mut cache), Some(ColumnType::Utf8));
    cache.set_rules(MapRules { vendor: Vendor::MariaDb, ..RULES });
    assert_eq!(column(&mut cache), Some(ColumnType::Binary));
}
