//! Logs that no server of the corpus wrote, made of events that they did write.

use std::path::{Path, PathBuf};

use change::{Diagnose, LogSlice, SchemaChangeKind, TableName};

use super::*;
use crate::event::Header;
use crate::file::EventFile;
use crate::{BinlogError, FileSource};

/// The events of a recorded file, to be changed and written again.
struct Recording {
    events: Vec<(Header, Vec<u8>)>,
    folder: tempfile::TempDir,
}

impl Recording {
    /// CREATE DATABASE, CREATE TABLE, and one transaction with rows.
    fn mysql() -> Self {
        Self::of("mysql-9.7/20_rotation.1.binlog")
    }

    /// The events of a file of the corpus.
    fn of(file: &str) -> Self {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/corpus");
        let mut file = EventFile::open(&corpus.join(file)).expect("opens");
        let mut events = Vec::new();
        while let Some(event) = file.next().expect("whole") {
            events.push((event.header, event.body.to_vec()));
        }
        Self { events, folder: tempfile::tempdir().expect("a folder") }
    }

    fn find(&self, kind: EventKind) -> usize {
        self.events.iter().rposition(|(header, _)| header.kind == kind).expect("has one")
    }

    /// Replaces the last event of a kind by a QUERY of this text.
    fn query(&mut self, in_place_of: EventKind, text: &str) -> &mut Self {
        let at = self.find(in_place_of);
        self.events[at] = self.make(text);
        self
    }

    /// Puts a QUERY before the last event of a kind.
    fn query_before(&mut self, kind: EventKind, text: &str) -> &mut Self {
        let at = self.find(kind);
        let event = self.make(text);
        self.events.insert(at, event);
        self
    }

    fn make(&self, text: &str) -> (Header, Vec<u8>) {
        let (mut header, _) = self.events[self.find(EventKind::QUERY)];
        header.kind = EventKind::QUERY;
        let mut body = vec![0; 8];
        body.extend([1, 0, 0, 0, 0, b'c', 0]);
        body.extend(text.as_bytes());
        (header, body)
    }

    /// Puts a QUERY of a client with this collation behind everything.
    fn query_of_client(&mut self, collation: u8, text: &[u8]) -> &mut Self {
        let (header, _) = self.make("");
        let mut body = vec![0; 8];
        // A database of one character, no error, and as status the flags, a catalogue, the collations.
        body.extend([1, 0, 0, 18, 0, 0, 0, 0, 0, 0, 6, 3, b's', b't', b'd']);
        body.extend([4, collation, 0, collation, 0, 8, 0, 99]);
        body.extend([b'c', 0]);
        body.extend(text);
        self.put_before(EventKind::ROTATE, header, &body)
    }

    fn put_before(&mut self, kind: EventKind, header: Header, body: &[u8]) -> &mut Self {
        let at = self.find(kind);
        self.events.insert(at, (header, body.to_vec()));
        self
    }

    fn remove(&mut self, kind: EventKind) -> &mut Self {
        let at = self.find(kind);
        self.events.remove(at);
        self
    }

    /// Writes it with lengths, positions and checksums as they have to be.
    fn write(&self) -> PathBuf {
        let mut bytes = crate::event::MAGIC.to_vec();
        for (header, body) in &self.events {
            let mut header = *header;
            header.length = u32::try_from(19 + body.len() + 4).expect("short");
            header.end = u32::try_from(bytes.len()).expect("short") + header.length;
            bytes.extend(header.to_bytes());
            bytes.extend(body);
            bytes.extend(header.checksum_of(body).to_le_bytes());
        }
        let path = self.folder.path().join("log.000001");
        std::fs::write(&path, bytes).expect("written");
        path
    }

    fn read(&self, options: ReadOptions) -> (Vec<LogSlice>, Option<BinlogError>) {
        let mut source = FileSource::open(&[self.write()], None, options).expect("opens");
        let mut slices = Vec::new();
        loop {
            match source.next() {
                Ok(Some(slice)) => slices.push(slice),
                Ok(None) => return (slices, None),
                Err(error) => return (slices, Some(error)),
            }
        }
    }

    fn images(&self) -> usize {
        let (slices, error) = self.read(ReadOptions::default());
        assert!(error.is_none(), "{error:?}");
        slices.iter().map(LogSlice::images).sum()
    }

    fn error(&self) -> String {
        let (_, error) = self.read(ReadOptions::default());
        let error = error.expect("it stops");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    }
}

#[test]
fn what_is_rewritten_unchanged_reads_the_same() {
    assert_eq!(Recording::mysql().images(), 1);
}

#[test]
fn a_rollback_at_the_end_leaves_nothing() {
    let mut log = Recording::mysql();
    log.query(EventKind::XID, "ROLLBACK");
    assert_eq!(log.images(), 0);
    // The transaction counts as executed all the same.
    let (slices, _) = log.read(ReadOptions::default());
    let end = slices.last().expect("not empty").end.clone();
    insta::assert_snapshot!(end.gtids.expect("has a set"), @"d25cc465-e65a-11f1-b244-02fc00000001:1-375");
}

#[test]
fn a_rollback_to_a_savepoint_drops_what_is_behind_it() {
    let mut log = Recording::mysql();
    log.query_before(EventKind::TABLE_MAP, "SAVEPOINT `S1`");
    assert_eq!(log.images(), 1);
    log.query_before(EventKind::XID, "ROLLBACK TO `s1`");
    assert_eq!(log.images(), 0);
    log.query_before(EventKind::XID, "ROLLBACK TO nowhere");
    insta::assert_snapshot!(log.error(), @"
    log.000001, offset 958, event QUERY: a rollback to an unknown savepoint
    copy the file again from the server, whole; if it is so on the server too, resume behind it and rebuild the tables that it touches
    ");
}

#[test]
fn only_what_its_header_allows_is_skipped() {
    let mut log = Recording::mysql();
    let (mut header, _) = log.events[log.find(EventKind::XID)];
    header.kind = EventKind(99);
    header.flags = 0x80;
    log.put_before(EventKind::XID, header, b"?");
    assert_eq!(log.images(), 1);
    header.flags = 0;
    log.put_before(EventKind::XID, header, b"?");
    insta::assert_snapshot!(log.error(), @"
    log.000001, offset 876, event type 99: an event of a kind that is not known and may not be skipped
    use a newer release, or report the server's version and this message
    ");
}

#[test]
fn an_incident_stops_the_reading() {
    let mut log = Recording::mysql();
    let (mut header, _) = log.events[log.find(EventKind::XID)];
    header.kind = EventKind::INCIDENT;
    log.put_before(EventKind::GTID, header, &[1, 0, 0]);
    insta::assert_snapshot!(log.error(), @"
    log.000001, offset 598, event INCIDENT: the server reports that its log lacks events
    rebuild the tables from a start behind this position
    ");
}

#[test]
fn transactions_that_do_not_fit_together_are_damage() {
    type Change = fn(&mut Recording);
    let cases: [(&str, Change); 4] = [
        ("a BEGIN inside a transaction", |log| {
            log.query_before(EventKind::TABLE_MAP, "BEGIN");
        }),
        ("a transaction starts before the one before it ends", |log| {
            let gtid = log.events[log.find(EventKind::GTID)].clone();
            log.put_before(EventKind::TABLE_MAP, gtid.0, &gtid.1);
        }),
        ("a transaction ends that has not begun", |log| {
            let xid = log.events[log.find(EventKind::XID)].clone();
            log.put_before(EventKind::GTID, xid.0, &xid.1);
        }),
        ("rows of a table that no table map announced", |log| {
            log.remove(EventKind::TABLE_MAP);
        }),
    ];
    for (expected, change) in cases {
        let mut log = Recording::mysql();
        change(&mut log);
        assert!(log.error().contains(expected), "{expected}: {}", log.error());
    }
    let mut log = Recording::mysql();
    log.remove(EventKind::XID);
    log.remove(EventKind::ROTATE);
    insta::assert_snapshot!(log.error(), @"
    log.000001, offset 598: the file ends before the transaction that starts here does
    give the file behind it too, or copy it again after the server closed it (FLUSH BINARY LOGS)
    ");
}

#[test]
fn statements_are_shown_only_where_they_are_about_definitions() {
    let mut log = Recording::mysql();
    log.query(EventKind::XID, "FROB t SET name = 'secret'");
    insta::assert_snapshot!(log.error(), @"
    log.000001, offset 852, event QUERY: a statement that is not known
    look at the statement with mysqlbinlog; if it changes no captured table, start behind this position
    ");
    log.query_before(EventKind::TABLE_MAP, "CREATE FROB t");
    insta::assert_snapshot!(log.error(), @"
    log.000001, offset 749, event QUERY: a statement that is not known: CREATE FROB t
    look at the statement with mysqlbinlog; if it changes no captured table, start behind this position
    ");
}

#[test]
fn the_text_of_a_dml_statement_stops_the_reading() {
    let mut log = Recording::mysql();
    log.query_before(EventKind::XID, "UPDATE ro SET v = 'secret'");
    insta::assert_snapshot!(log.error(), @"
    log.000001, offset 852, event QUERY: the server logged the text of a UPDATE statement instead of its rows
    set binlog_format = ROW on the server, reconnect the sessions that write, and start behind this position with the tables rebuilt
    ");
}

#[test]
fn without_gtids_a_position_is_file_and_offset() {
    let mut log = Recording::mysql();
    for (header, _) in &mut log.events {
        if header.kind == EventKind::GTID {
            header.kind = EventKind::ANONYMOUS_GTID;
        }
    }
    let (slices, error) = log.read(ReadOptions::default());
    assert!(error.is_none(), "{error:?}");
    assert!(slices.iter().all(|slice| slice.end.gtids.is_none()));
    let mark = slices.iter().flat_map(|s| &s.batches).flat_map(|b| b.images().marks()).next();
    assert!(mark.expect("has rows").transaction.gtid.is_none());
    // Servers before MySQL 5.6 write no event of the kind at all.
    log.events.retain(|(header, _)| header.kind != EventKind::ANONYMOUS_GTID);
    assert_eq!(log.images(), 1);
}

#[test]
fn a_dropped_database_names_the_tables_that_may_go_with_it() {
    let drop = |patterns: &[&str], statement: &str| {
        let mut log = Recording::mysql();
        let (header, body) = log.make(statement);
        log.put_before(EventKind::ROTATE, header, &body);
        let tables = change::TablePatterns::parse(patterns).expect("valid");
        let (slices, error) = log.read(ReadOptions { tables, ..ReadOptions::default() });
        assert!(error.is_none(), "{error:?}");
        let changes = slices.iter().filter_map(|s| s.schema_change.as_ref());
        let dropped = changes.filter(|c| c.kind == SchemaChangeKind::Drop);
        let names = dropped.flat_map(|c| c.tables.iter().map(ToString::to_string));
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(drop(&[], "DROP DATABASE c"), "c.ro c.*");
    assert_eq!(drop(&["c.*"], "DROP DATABASE IF EXISTS `c`"), "c.ro c.*");
    assert_eq!(drop(&["other.*"], "DROP DATABASE c"), "");
    assert_eq!(drop(&["c.r*"], "DROP TABLE ro, gone, other.ro"), "c.ro");
    assert_eq!(drop(&["c.ro"], "DROP TABLE RO"), "c.ro");
}

#[test]
fn a_statement_tells_which_captured_tables_get_rows_by_it() {
    let receivers = |patterns: &[&str], statement: &str| {
        let mut log = Recording::mysql();
        let (header, body) = log.make(statement);
        log.put_before(EventKind::ROTATE, header, &body);
        let tables = change::TablePatterns::parse(patterns).expect("valid");
        let (slices, error) = log.read(ReadOptions { tables, ..ReadOptions::default() });
        assert!(error.is_none(), "{error:?}");
        let changes = slices.iter().filter_map(|s| s.schema_change.as_ref());
        let names = changes.flat_map(|c| c.receives.iter().map(ToString::to_string));
        names.collect::<Vec<_>>().join(" ")
    };
    let cases = [
        ("c.o*", "RENAME TABLE c.load_tmp TO c.orders_2025", "c.orders_2025"),
        ("c.o*", "RENAME TABLE c.orders_2025 TO c.gone, c.a TO c.o", "c.o"),
        ("c.o*", "ALTER TABLE c.load_tmp ADD x int, RENAME TO c.orders", "c.orders"),
        (
            "c.o*",
            "ALTER TABLE c.orders EXCHANGE PARTITION p WITH TABLE c.other",
            "c.orders c.other",
        ),
        ("c.o*", "ALTER TABLE c.orders IMPORT TABLESPACE", "c.orders"),
        ("c.o*", "ALTER TABLE c.orders ADD x int", ""),
        ("c.o*", "CREATE OR REPLACE TABLE c.orders (id int)", ""),
    ];
    for (pattern, statement, expected) in cases {
        assert_eq!(receivers(&[pattern], statement), expected, "{statement}");
    }
}

#[test]
fn a_mariadb_sequence_that_is_not_past_the_one_before_it_stops_the_reading() {
    let mut log = Recording::of("mariadb-11.8/01_numeric.binlog");
    let (slices, error) = log.read(ReadOptions::default());
    assert!(error.is_none() && !slices.is_empty(), "{error:?}");
    // The last transaction gets the sequence of the first one: eight bytes at the head of its GTID.
    let of_kind =
        |log: &Recording| log.events.iter().position(|(h, _)| h.kind == EventKind::MARIADB_GTID);
    let first = of_kind(&log).expect("has one");
    let last = log.find(EventKind::MARIADB_GTID);
    assert_ne!(first, last);
    let sequence = log.events[first].1[..8].to_vec();
    log.events[last].1[..8].copy_from_slice(&sequence);
    let (before, error) = log.read(ReadOptions::default());
    let error = error.expect("stops");
    assert!(error.to_string().contains("not past that of the one before it"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("gtid_strict_mode = ON")));
    let images = |slices: &[LogSlice]| slices.iter().map(LogSlice::images).sum::<usize>();
    assert!(images(&before) < images(&slices), "what comes before it is handed out");
}

/// The tables that the statements of a log are said to name.
fn named(log: &Recording, patterns: &[&str]) -> Vec<String> {
    let tables = change::TablePatterns::parse(patterns).expect("valid");
    let (slices, error) = log.read(ReadOptions { tables, ..ReadOptions::default() });
    assert!(error.is_none(), "{error:?}");
    let changes = slices.into_iter().filter_map(|slice| slice.schema_change);
    let last = changes.last().map(|change| change.tables).unwrap_or_default();
    last.iter().map(ToString::to_string).collect()
}

#[test]
fn a_statement_in_another_letter_case_names_the_table_that_rows_were_seen_of() {
    for (patterns, statement, expected) in [
        (["*.*"], "TRUNCATE TABLE RO", vec!["c.RO", "c.ro"]),
        (["c.ro"], "TRUNCATE TABLE RO", vec!["c.ro"]),
        (["*.*"], "TRUNCATE TABLE ro", vec!["c.ro"]),
        (["*.*"], "DROP DATABASE C", vec!["c.ro", "C.*", "c.*"]),
    ] {
        let mut log = Recording::mysql();
        let (header, body) = log.make(statement);
        log.put_before(EventKind::ROTATE, header, &body);
        assert_eq!(named(&log, &patterns), expected, "{patterns:?} {statement}");
    }
}

#[test]
fn statements_about_databases_that_are_not_captured_are_not_followed() {
    let followed = |patterns: &[&str], statement: &str| {
        let mut log = Recording::mysql();
        let (header, body) = log.make(statement);
        log.put_before(EventKind::ROTATE, header, &body);
        let tables = change::TablePatterns::parse(patterns).expect("valid");
        let (slices, error) = log.read(ReadOptions { tables, ..ReadOptions::default() });
        assert!(error.is_none(), "{error:?}");
        let last = slices.iter().rev().find_map(|slice| slice.definitions.as_ref());
        let names = last.map(|known| known.tables.keys().map(ToString::to_string).collect());
        names.unwrap_or_else(Vec::new)
    };
    let create = "CREATE TABLE o.t (a int)";
    assert_eq!(followed(&["*.*"], create), ["c.ro", "o.t"]);
    assert_eq!(followed(&["c.*"], create), ["c.ro"]);
    assert_eq!(followed(&["c.none"], create), ["c.ro"]);
    assert_eq!(followed(&["o.*"], create), ["o.t"]);
    assert!(followed(&["x.*"], create).is_empty());
    assert_eq!(followed(&["c.*"], "RENAME TABLE c.ro TO c.rw"), ["c.rw"]);
    // A table that leaves is not followed where it goes.
    assert!(followed(&["c.*"], "RENAME TABLE c.ro TO o.t").is_empty());
}

#[test]
fn a_server_to_which_letter_case_counts_is_taken_at_its_word() {
    let reader = |names| {
        let mut reader = Reader::new(ReadOptions::default(), None);
        reader.names_are(names);
        let of = |reader: &Reader| {
            let tables = reader.captured(vec![TableName::new("shop", "Orders")]);
            tables.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        of(&reader)
    };
    assert_eq!(reader(NameCase::Counts), ["shop.Orders"]);
    assert_eq!(reader(NameCase::Folds), ["shop.Orders", "shop.orders"]);
}

#[test]
fn a_statement_is_read_in_the_character_set_of_its_client() {
    let (latin1, sjis, utf8mb4) = (8, 13, 45);
    for (collation, text, expected) in [
        (latin1, b"TRUNCATE TABLE `gr\xf6\xdfe`".as_slice(), "c.gr\u{f6}\u{df}e"),
        (sjis, b"TRUNCATE TABLE `\x83\x5c`".as_slice(), "c.\u{30bd}"),
        (utf8mb4, "TRUNCATE TABLE `gr\u{f6}\u{df}e`".as_bytes(), "c.gr\u{f6}\u{df}e"),
        // The server's own statements are in UTF-8 in every session.
        (latin1, "TRUNCATE TABLE `\u{f6}` /* generated by server */".as_bytes(), "c.\u{f6}"),
    ] {
        let mut log = Recording::mysql();
        log.query_of_client(collation, text);
        assert_eq!(named(&log, &["*.*"]), [expected]);
    }
}

#[test]
fn a_statement_about_tables_that_is_no_text_stops() {
    let mut log = Recording::mysql();
    log.query_of_client(45, b"TRUNCATE TABLE `gr\xf6\xdfe`");
    assert!(log.error().contains("a statement that is not known: TRUNCATE"), "{}", log.error());
    let mut log = Recording::mysql();
    log.query_of_client(45, b"GRANT USAGE ON *.* TO `\xf6`");
    assert_eq!(log.images(), 1, "it is about no table");
}

#[test]
fn a_server_that_gives_not_every_transaction_a_gtid_is_read_by_offsets() {
    let end = |ignores: bool| {
        let mut reader = Reader::new(ReadOptions::default(), None);
        reader.format_of(Vendor::Mysql);
        if ignores {
            reader.ignore_gtids();
        }
        let passed = [EventKind::FORMAT_DESCRIPTION, EventKind::ROTATE];
        for (header, body) in &Recording::mysql().events {
            if !passed.contains(&header.kind) {
                let offset = u64::from(header.end - header.length);
                let event = Event { header: *header, body, offset, checksum: None };
                reader.event(&event).expect("read");
            }
        }
        reader.position()
    };
    assert!(end(false).gtids.is_some());
    assert_eq!(end(true), Position { gtids: None, ..end(false) });
}

#[test]
fn a_savepoint_in_the_middle_of_a_part_keeps_what_is_before_it() {
    for (batch_images_max, transaction_bytes_max) in [(1, 1 << 20), (3, 1 << 20), (3, 0), (100, 0)]
    {
        let mut log = Recording::mysql();
        let rows = log.find(EventKind::WRITE_ROWS);
        let (header, body) = log.events[rows].clone();
        log.query_before(EventKind::XID, "SAVEPOINT `s`");
        for _ in 0..7 {
            log.put_before(EventKind::XID, header, &body);
        }
        log.query_before(EventKind::XID, "ROLLBACK TO `s`");
        log.put_before(EventKind::XID, header, &body);
        let options =
            ReadOptions { batch_images_max, transaction_bytes_max, ..ReadOptions::default() };
        let (slices, error) = log.read(options);
        assert!(error.is_none(), "{error:?}");
        let batches: Vec<_> = slices.iter().flat_map(|slice| &slice.batches).collect();
        let rows: Vec<_> = (batches.iter())
            .flat_map(|batch| (0..batch.len()).filter_map(|image| batch.images().origin(image)))
            .map(|(mark, row)| (mark.event_offset, row))
            .collect();
        assert_eq!(rows.len(), 2, "{batch_images_max} {transaction_bytes_max} {rows:?}");
        assert_eq!(rows.iter().map(|(_, row)| *row).collect::<Vec<_>>(), [0, 1]);
    }
}

#[test]
fn a_definition_in_a_compressed_transaction_closes_a_slice_before_its_rows() {
    let mut log = Recording::mysql();
    let (_, create) = log.make("CREATE TABLE c.ro (id INT PRIMARY KEY)");
    let (_, begin) = log.make("BEGIN");
    let body = |log: &Recording, kind| log.events[log.find(kind)].1.clone();
    let kinds = [EventKind::TABLE_MAP, EventKind::WRITE_ROWS, EventKind::XID];
    let [map, rows, xid] = kinds.map(|kind| body(&log, kind));
    let events: [(EventKind, &[u8]); 5] = [
        (EventKind::QUERY, &begin),
        (EventKind::QUERY, &create),
        (EventKind::TABLE_MAP, &map),
        (EventKind::WRITE_ROWS, &rows),
        (EventKind::XID, &xid),
    ];
    let packed = crate::compression::tests::payload(&events, None);
    let at = log.find(EventKind::XID);
    let (header, _) = log.events[at];
    log.events[at] = (Header { kind: EventKind::TRANSACTION_PAYLOAD, ..header }, packed);
    log.remove(EventKind::WRITE_ROWS).remove(EventKind::TABLE_MAP).remove(EventKind::QUERY);
    let (slices, error) = log.read(ReadOptions::default());
    assert!(error.is_none(), "{error:?}");
    let shape: Vec<_> =
        slices.iter().map(|slice| (slice.images(), slice.schema_change.is_some())).collect();
    assert!(shape.ends_with(&[(0, true), (1, false)]), "{shape:?}");
    let ends: Vec<_> = slices.iter().rev().take(2).map(|slice| slice.end.offset).collect();
    assert!(ends[0] > ends[1], "the transaction ends once: {ends:?}");
}
