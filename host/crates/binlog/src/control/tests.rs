//! Control events as servers wrote them, and the two readings of them.

use std::path::{Path, PathBuf};

use super::*;
use crate::file::EventFile;

fn recorded() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/corpus");
    let mut files = Vec::new();
    for server in ["mysql-9.7", "mariadb-11.8"] {
        let folder = std::fs::read_dir(corpus.join(server)).expect("the corpus is there");
        files.extend(folder.map(|entry| entry.expect("readable").path()));
    }
    files.retain(|path| path.extension().is_some_and(|e| e == "binlog"));
    files.retain(|path| !path.to_string_lossy().contains("22_encrypted"));
    files.sort();
    files
}

/// What the two readings make of an event: equal, or only ours.
fn compare(event: &Event<'_>, library: &mut ControlReader) -> Option<bool> {
    let gtid = |start: Result<GroupStart, Fault>| start.expect("ours reads it").gtid;
    // A format description would make the library expect checksums from then on.
    let asked = [
        EventKind::ROTATE,
        EventKind::QUERY,
        EventKind::GTID,
        EventKind::MARIADB_GTID,
        EventKind::GTID_LIST,
    ];
    if !asked.contains(&event.header.kind) {
        return None;
    }
    match (event.header.kind, library.ask(event)) {
        (EventKind::ROTATE, Some(BinlogEvent::RotateEvent(read))) => {
            Some(own_rotate(event.body) == Ok((read.binlog_filename, read.binlog_position)))
        }
        (EventKind::QUERY, Some(BinlogEvent::QueryEvent(read))) => {
            let own = own_query(event.body).expect("ours reads it");
            Some(own.database == read.database_name && own.text == read.sql_statement)
        }
        (EventKind::GTID, Some(BinlogEvent::MySqlGtidEvent(read))) => {
            let own = gtid(own_mysql_gtid(event.body)).map(|g| g.to_string());
            Some(own == Some(read.gtid.to_string()))
        }
        (EventKind::MARIADB_GTID, Some(BinlogEvent::MariaDbGtidEvent(read))) => {
            let own = gtid(own_mariadb_gtid(event.body, event.header.server_id));
            Some(own.map(|g| g.to_string()) == Some(read.gtid.to_string()))
        }
        (EventKind::GTID_LIST, Some(BinlogEvent::MariaDbGtidListEvent(read))) => {
            let own = own_gtid_list(event.body).expect("ours reads it");
            // Several servers of a domain may be listed; the last one is the newest.
            let mut list = MariaDbPosition::default();
            for gtid in read.gtid_list.gtids {
                list.domains.insert(gtid.domain_id, (gtid.server_id, gtid.sequence));
            }
            Some(own == list)
        }
        _ => Some(false),
    }
}

#[test]
fn both_readings_agree_on_every_recorded_control_event() {
    let (mut agreed, mut reader) = (0, ControlReader::default());
    for path in recorded() {
        let mut file = EventFile::open(&path).expect("opens");
        while let Some(event) = file.next().expect("whole") {
            if let Some(same) = compare(&event, &mut reader) {
                assert!(same, "{} at {} of {path:?}", event.header.kind, event.offset);
                agreed += 1;
            }
        }
    }
    assert!(agreed > 1_000, "only {agreed} control events");
}

#[test]
fn tagged_gtids_are_read() {
    let body = "0272000000024903b81103ca9903b422c503c9028804f103000000020404060a6d7974616708080a0c0c7f\
                bda1879dda6006105d041283120b";
    let digits: Vec<u8> =
        body.bytes().map(|d| if d > b'9' { d - b'a' + 10 } else { d - b'0' }).collect();
    let body: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let start = tagged::read(&body).expect("valid");
    insta::assert_snapshot!(start.gtid.expect("has one"), @"d25cc465-e65a-11f1-b244-02fc00000001:mytag:1");
    assert_eq!(start.commit_micros, Some(1_795_341_922_312_637));
    // The tag ends at byte 37; what follows is not needed.
    for end in 0..37 {
        assert!(tagged::read(&body[..end]).is_err(), "{end}");
    }
}

#[test]
fn numbers_of_any_length_are_read() {
    let cases: [(&[u8], Option<u64>); 7] = [
        (&[0x00], Some(0)),
        (&[0xfe], Some(127)),
        (&[0x49, 0x03], Some(0xd2)),
        (&[0x7f, 1, 0, 0, 0, 0, 0, 0], Some(1)),
        (&[0xff, 1, 0, 0, 0, 0, 0, 0, 0x80], Some(0x8000_0000_0000_0001)),
        (&[0x7f, 1], None),
        (&[], None),
    ];
    for (bytes, expected) in cases {
        assert_eq!(tagged::unsigned(&mut Wire::new(bytes)).ok(), expected, "{bytes:?}");
    }
}

#[test]
fn previous_gtids_with_and_without_tags_are_read() {
    let source = [7; 16];
    let interval = |first: u64, end: u64| [first.to_le_bytes(), end.to_le_bytes()].concat();
    let plain = [&1_u64.to_le_bytes()[..], &source, &1_u64.to_le_bytes(), &interval(1, 6)].concat();
    let set = previous_gtids(&plain).expect("valid").to_string();
    assert_eq!(set, "07070707-0707-0707-0707-070707070707:1-5");
    let head = [1, 2, 0, 0, 0, 0, 0, 1];
    let tagged = [
        &head[..],
        &source,
        &[0],
        &1_u64.to_le_bytes(),
        &interval(1, 6),
        &source,
        &[3 << 1],
        b"abc",
        &1_u64.to_le_bytes(),
        &interval(9, 10),
    ]
    .concat();
    let set = previous_gtids(&tagged).expect("valid").to_string();
    assert_eq!(set, "07070707-0707-0707-0707-070707070707:1-5:abc:9");
    for end in 0..tagged.len() {
        assert!(previous_gtids(&tagged[..end]).is_err(), "{end}");
    }
    let backwards = [&1_u64.to_le_bytes()[..], &source, &1_u64.to_le_bytes(), &interval(6, 6)];
    assert!(previous_gtids(&backwards.concat()).is_err());
}

#[test]
fn the_halves_of_an_alter_table_are_told_apart() {
    let body = |flags: u8, extra: u8| {
        [&5_u64.to_le_bytes()[..], &0_u32.to_le_bytes(), &[flags, extra]].concat()
    };
    let shape = |flags, extra| own_mariadb_gtid(&body(flags, extra), 1).map(|g| g.shape);
    assert_eq!(shape(0x29, 0x02), Ok(GroupShape::AlterStarts));
    assert_eq!(shape(0x29, 0x04), Ok(GroupShape::Standalone));
    assert_eq!(shape(0x29, 0x08), Ok(GroupShape::AlterFails));
    assert_eq!(shape(0x0c, 0), Ok(GroupShape::Open));
    assert!(own_mariadb_gtid(&body(0x4c, 0), 1).is_err(), "an XA id is missing");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reading_stumble(
        kind in proptest::sample::select(vec![2_u8, 4, 33, 34, 35, 42, 162, 163]),
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
    ) {
        let header = crate::event::Header {
            timestamp_seconds: 0,
            kind: EventKind(kind),
            server_id: 1,
            length: u32::try_from(body.len() + 19).expect("short"),
            end: 0,
            flags: 0,
        };
        let event = Event { header, body: &body, offset: 4, checksum: None };
        let mut reader = ControlReader::default();
        let _ = reader.rotate(&event);
        let _ = reader.query(&event);
        let _ = reader.group_start(&event);
        let _ = reader.executed_before(&event);
    }
}
