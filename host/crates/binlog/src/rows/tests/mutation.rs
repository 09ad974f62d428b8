//! Events of real servers, damaged: whatever the bytes, the outcome is rows or an error.

use crate::definition::History;
use crate::row_buffer::Taken;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::table_map::SchemaCache;

const HEADER_BYTES: usize = 19;
const CHECKSUM_BYTES: usize = 4;
const TABLE_MAP: u8 = 19;

/// A table map and a row event that followed it: type byte and body each.
struct Pair {
    map: Vec<u8>,
    kind: u8,
    rows: Vec<u8>,
}

static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let scenarios = [
        "mysql-9.7/01_numeric",
        "mysql-9.7/02_temporal",
        "mysql-9.7/03_strings",
        "mysql-9.7/04_json",
        "mysql-9.7/06_geometry",
        "mysql-9.7/09_generated_invisible",
        "mysql-9.7/25_wide_partition",
        "mariadb-11.8/01_numeric",
        "mariadb-11.8/03_strings",
        "mariadb-11.8/10_row_image_minimal",
    ];
    scenarios.iter().flat_map(|scenario| pairs(scenario)).collect()
});

fn pairs(scenario: &str) -> Vec<Pair> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/corpus");
    let log = std::fs::read(folder.join(format!("{scenario}.binlog"))).expect("a log");
    let mut rest = log.get(4..).expect("a magic number");
    let mut map: Option<Vec<u8>> = None;
    let mut found = Vec::new();
    while let Some(header) = rest.get(..HEADER_BYTES) {
        let kind = header[4];
        let length = u32::from_le_bytes([header[9], header[10], header[11], header[12]]) as usize;
        let (event, tail) = rest.split_at_checked(length).expect("a whole event");
        rest = tail;
        let body = event[HEADER_BYTES..length - CHECKSUM_BYTES].to_vec();
        match (kind, &map) {
            (TABLE_MAP, _) => map = Some(body),
            // Small ones, so that a mutation hits something that matters.
            (23..=25 | 30..=32, Some(map)) if body.len() < 6_000 => {
                found.push(Pair { map: map.clone(), kind, rows: body });
            }
            _ => {}
        }
    }
    assert!(!found.is_empty(), "{scenario} has rows");
    found
}

fn rules() -> MapRules {
    MapRules { zero_dates: ZeroDates::Null, vendor: Vendor::MySql }
}

/// Decodes both events; every image that was counted has to come out again.
fn decode_both(map: &[u8], kind: u8, rows: &[u8]) {
    let _ = TableMap::peek_name(map);
    let Ok((_, map)) = SchemaCache::new(rules()).table_map(map, &History::default()) else {
        return;
    };
    let event = match kind {
        23 | 30 => RowsEvent::Write,
        24 | 31 => RowsEvent::Update,
        _ => RowsEvent::Delete,
    };
    let version = if kind < 30 { RowsVersion::V1 } else { RowsVersion::V2 };
    let mut buffer = RowBuffer::new(&map);
    let Ok(changes) = decode_rows(event, version, rows, &map, &mut buffer) else {
        assert_eq!(buffer.images(), 0);
        return;
    };
    let images = if event == RowsEvent::Update { changes * 2 } else { changes };
    assert_eq!(u32::try_from(buffer.images()), Ok(images));
    // A second time behind the first, and half of it back out.
    let _ = decode_rows(event, version, rows, &map, &mut buffer);
    let half = buffer.images() / 2;
    if let Ok(Taken { columns, kinds, .. }) = buffer.take(half) {
        assert!(columns.iter().all(|column| column.len() == kinds.len()));
        buffer.truncate(half / 2);
        let _ = buffer.take(half);
    }
}

/// One damage: where, and what.
#[derive(Clone, Debug)]
enum Damage {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let byte = prop_oneof![Just(0), Just(0xff), Just(0xfb), Just(0xfe), any::<u8>()];
    prop_oneof![
        4 => (at(), byte).prop_map(|(at, byte)| Damage::Set(at, byte)),
        4 => (at(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => at().prop_map(Damage::Cut),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
    ]
}

fn damaged(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match damage {
            Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
            Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Damage::Cut(at) => bytes.truncate(at.index(length)),
            Damage::Insert(at, byte) => bytes.insert(at.index(length), *byte),
        }
    }
    bytes
}

#[test]
fn undamaged_events_of_full_images_decode() {
    for pair in PAIRS.iter() {
        let (_, map) = SchemaCache::new(rules())
            .table_map(&pair.map, &History::default())
            .expect("a table map");
        decode_both(&pair.map, pair.kind, &pair.rows);
        assert!(!map.schema.columns.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_events_end_in_rows_or_an_error(
        pair in any::<prop::sample::Index>(),
        on_map in prop::collection::vec(damage(), 0..3),
        on_rows in prop::collection::vec(damage(), 0..4),
    ) {
        let pair = pair.get(&PAIRS);
        decode_both(&damaged(&pair.map, &on_map), pair.kind, &damaged(&pair.rows, &on_rows));
    }

    #[test]
    fn any_bytes_end_in_rows_or_an_error(map in prop::collection::vec(any::<u8>(), 0..200), rows in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_both(&map, 30, &rows);
        let pair = PAIRS.first().expect("a pair");
        decode_both(&pair.map, pair.kind, &rows);
    }

    #[test]
    fn any_json_ends_in_text_or_an_error(document in prop::collection::vec(any::<u8>(), 0..120), kind in 0_u8..16) {
        let mut out = Vec::new();
        let document = [&[kind][..], &document].concat();
        if crate::value::json::append_text(&document, &mut out).is_ok() {
            // Nothing is read twice, so that the text stays within a multiple of the document.
            prop_assert!(out.len() <= 400 + document.len() * 60);
        }
    }
}
