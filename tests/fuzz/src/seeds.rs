//! What each target begins with: cut out of the recorded logs, so that the fuzzer starts behind the easy refusals.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::log::{QUERY, ROW_EVENTS, TABLE_MAP, TRANSACTION_PAYLOAD, XID, events_of};

/// A seed has at most this many bytes: small inputs are tried often.
const SEED_BYTES_MAX: usize = 8 << 10;

/// Seeds of one log for one target; the rest would say the same.
const SEEDS_A_LOG_MAX: usize = 12;

/// What recorded logs do not hold in the form that a target takes.
const BY_HAND: &[(&str, &[u8])] = &[
    (
        "gtids",
        b"d25cc465-e65a-11f1-b244-02fc00000001:1-5:7,d25cc465-e65a-11f1-b244-02fc00000001:a:3",
    ),
    ("gtids", b"0-1-100,1-2-5"),
    ("value", &[0, 246, 12, 2, 0, 0xfe, 0x80, 0, 0, 1, 0, 7]),
    ("value", &[0, 18, 6, 0, 0, 0xfe, 0x99, 0xb2, 0xc2, 0, 0, 0, 0, 1]),
    ("value", &[1, 254, 247, 1, 0, 0xfe, 1]),
    ("value", &[0, 16, 3, 1, 0, 0xfe, 1, 0xff]),
    ("text", &[8, 0, 0xe9, b'x']),
    ("text", &[28, 0, 0xd6, 0xd0]),
    ("text", &[54, 0, 0, b'x']),
    // {"a": 1}, and the same with `$.a` replaced by 2.
    ("json", &[0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 1, 0, b'a']),
    ("json", &[2, 2, 0, 13, 0, 5, 1, 0, 12, 10, 0, 2, b'x', b'y']),
    (
        "json-changes",
        &[13, 0, 0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 1, 0, b'a', 0, 3, b'$', b'.', b'a', 3, 5, 2, 0],
    ),
];

/// Writes the seeds of a target into a folder.
///
/// # Errors
/// Where the recorded logs cannot be read, or the folder cannot be written.
pub fn write_seeds(target: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, seed) in seeds(target)?.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:04}")), seed)?;
    }
    Ok(())
}

/// The seeds of a target.
pub(crate) fn seeds(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let by_hand = BY_HAND.iter().filter(|(name, _)| *name == target);
    let mut seeds: Vec<Vec<u8>> = by_hand.map(|(_, seed)| seed.to_vec()).collect();
    for (vendor, path) in recorded()? {
        let log = fs::read(path)?;
        let cut = match target {
            "file" => vec![log],
            "events" => framed(vendor, &log),
            "rows" => rows(vendor, &log),
            "statement" => statements(vendor, &log),
            "definitions" => defined_rows(vendor, &log),
            "definitions-file" => {
                created(&log).iter().map(|text| [b"USE c;\n", *text].concat()).collect()
            }
            "packed" => framed_rows(&log),
            "payload" => of_type(TRANSACTION_PAYLOAD, &log),
            _ => Vec::new(),
        };
        let small = cut.into_iter().filter(|seed| seed.len() <= SEED_BYTES_MAX);
        seeds.extend(small.take(SEEDS_A_LOG_MAX));
    }
    Ok(seeds)
}

/// The recorded logs, each with the number of its vendor.
fn recorded() -> io::Result<Vec<(u8, PathBuf)>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus");
    let mut logs = Vec::new();
    for (vendor, server) in (0_u8..).zip(["mysql-9.7", "mariadb-11.8"]) {
        for entry in fs::read_dir(corpus.join(server))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "binlog") {
                logs.push((vendor, path));
            }
        }
    }
    logs.sort();
    Ok(logs)
}

fn framed(vendor: u8, log: &[u8]) -> Vec<Vec<u8>> {
    let mut seed = vec![vendor];
    for (kind, body) in events_of(log) {
        let Ok(length) = u16::try_from(body.len()) else { return Vec::new() };
        seed.push(kind);
        seed.extend(length.to_le_bytes());
        seed.extend_from_slice(body);
    }
    vec![seed]
}

/// The events of each transaction of rows of a MySQL log, as they would stand in a payload.
fn framed_rows(log: &[u8]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut seed: Vec<u8> = Vec::new();
    for (kind, body) in events_of(log) {
        let is_begin = kind == QUERY && body.ends_with(b"BEGIN");
        if is_begin {
            seed = vec![0];
        }
        let Ok(length) = u16::try_from(body.len()) else { continue };
        if seed.is_empty() {
            continue;
        }
        seed.push(kind);
        seed.extend(length.to_le_bytes());
        seed.extend_from_slice(body);
        if kind == XID {
            seeds.push(std::mem::take(&mut seed));
        }
    }
    seeds
}

fn rows(vendor: u8, log: &[u8]) -> Vec<Vec<u8>> {
    let mut map: &[u8] = &[];
    let mut seeds = Vec::new();
    for (kind, body) in events_of(log) {
        if kind == TABLE_MAP {
            map = body;
        }
        let which = ROW_EVENTS.iter().position(|event| *event == kind);
        let which = which.and_then(|which| u8::try_from(which).ok());
        if let (Some(which), Ok(length)) = (which, u16::try_from(map.len())) {
            seeds.push([&[vendor, which][..], &length.to_le_bytes(), map, body].concat());
        }
    }
    seeds
}

/// The statements of a log that make tables.
fn created(log: &[u8]) -> Vec<&[u8]> {
    let queries = events_of(log).into_iter().filter(|(kind, _)| *kind == QUERY);
    let texts = queries.filter_map(|(_, body)| text_of(body));
    texts.filter(|text| text.starts_with(b"CREATE TABLE")).collect()
}

/// Row events with their table map and the statement that made their table.
fn defined_rows(vendor: u8, log: &[u8]) -> Vec<Vec<u8>> {
    let created = created(log);
    let mut map: &[u8] = &[];
    let mut seeds = Vec::new();
    for (kind, body) in events_of(log) {
        if kind == TABLE_MAP {
            map = body;
        }
        let Some(which) = ROW_EVENTS.iter().position(|event| *event == kind) else { continue };
        // Id, flags, the database's name behind its length, then that of the table.
        let name = map.get(8).and_then(|database| map.get(10 + usize::from(*database)..));
        let name = name.and_then(|rest| rest.get(1..1 + usize::from(*rest.first()?)));
        let Some(name) = name else { continue };
        let is_its = |text: &&&[u8]| text.windows(name.len()).any(|word| word == name);
        let Some(statement) = created.iter().find(is_its) else { continue };
        let (Ok(which), Ok(told), Ok(length)) =
            (u8::try_from(which), u16::try_from(statement.len()), u16::try_from(map.len()))
        else {
            continue;
        };
        let front = [&[vendor, which][..], &told.to_le_bytes(), statement].concat();
        seeds.push([&front[..], &length.to_le_bytes(), map, body].concat());
    }
    seeds
}

/// The text of a statement's event.
fn text_of(body: &[u8]) -> Option<&[u8]> {
    // Slave id, time, length of the database, error, length of the variables.
    let database = usize::from(*body.get(8)?);
    let variables = body.get(11..13)?.try_into().map(u16::from_le_bytes).ok()?;
    body.get(13 + usize::from(variables) + database + 1..)
}

fn statements(vendor: u8, log: &[u8]) -> Vec<Vec<u8>> {
    let bodies = of_type(QUERY, log);
    let texts = bodies.iter().filter_map(|body| text_of(body));
    let texts = texts.map(|text| [&[vendor], text].concat());
    texts.collect()
}

fn of_type(wanted: u8, log: &[u8]) -> Vec<Vec<u8>> {
    let events = events_of(log).into_iter().filter(|(kind, _)| *kind == wanted);
    events.map(|(_, body)| body.to_vec()).collect()
}
