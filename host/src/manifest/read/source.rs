//! `[source]`: recorded files or a server, never both.

use std::path::Path;
use std::time::Duration;

use super::{Purpose, below};
use crate::manifest::keys;
use crate::manifest::secret::Secret;
use crate::manifest::section::{Patterns, Section};
use crate::manifest::tree::Value;
use crate::manifest::{
    Cascades, ServerSettings, Snapshot, SourceFrom, SourceSettings, StartAt, TlsMode, ZeroDates,
};
use crate::moment;

const PORT_DEFAULT: u64 = 3306;

/// Debezium's and Flink's default.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// The first four bytes of a log file are its magic number.
const OFFSET_MIN: u64 = 4;

/// Keys that make no sense beside `files`.
const SERVER_KEYS: [&str; 11] = [
    "host",
    "port",
    "user",
    "password",
    "tls",
    "tls-ca",
    "tls-cert",
    "tls-key",
    "server-id",
    "connect-timeout",
    "foreign-key-cascades",
];

pub(super) fn read(
    section: &Section<'_>,
    folder: &Path,
    purpose: Purpose,
) -> Option<SourceSettings> {
    let Patterns { written, matcher } = section.patterns("tables").unwrap_or_default();
    let zero_dates = [("error", ZeroDates::Error), ("null", ZeroDates::Null)];
    let zero_dates = section.choice("zero-dates", &zero_dates).unwrap_or(ZeroDates::Error);
    let definitions = section.text("definitions").map(|path| below(folder, &path.text));
    let (from, start, snapshot) = match purpose {
        Purpose::Test => {
            (Some(SourceFrom::Files(Vec::new())), Some(StartAt::Earliest), Some(Snapshot::Never))
        }
        Purpose::Run => {
            keys::refuse_unknown("source", section.table, section.problems);
            let snapshot = snapshot(section);
            let start = match snapshot {
                Some(Snapshot::Initial) => Some(StartAt::Latest),
                _ => start(section),
            };
            (from(section, folder), start, snapshot)
        }
    };
    let snapshot_rows_per_second = section.number("snapshot-rows-per-second", 1, u64::MAX);
    Some(SourceSettings {
        from: from?,
        tables: matcher,
        tables_written: written,
        zero_dates,
        start: start?,
        snapshot: snapshot?,
        snapshot_rows_per_second,
        definitions,
    })
}

fn from(section: &Section<'_>, folder: &Path) -> Option<SourceFrom> {
    match (section.entry("files"), section.entry("host")) {
        (Some(_), _) => {
            for key in SERVER_KEYS {
                if let Some(entry) = section.entry(key) {
                    let message = format!(
                        "`{key}` and `files` exclude each other: a log is read from recorded files or from a server"
                    );
                    section.problems.add(entry.place, message);
                }
            }
            files(section, folder)
        }
        (None, Some(_)) => server(section, folder).map(SourceFrom::Server),
        (None, None) => {
            section.missing(
                "host",
                "name the server, or write files = [\"logs/*.binlog\"] for recorded logs",
            );
            server(section, folder).map(SourceFrom::Server)
        }
    }
}

fn files(section: &Section<'_>, folder: &Path) -> Option<SourceFrom> {
    let texts = section.texts("files")?;
    if texts.is_empty() {
        section.refuse("files", "`files` names no file: write files = [\"logs/*.binlog\"]");
        return None;
    }
    let mut patterns = Vec::new();
    for (text, place) in texts {
        let path = below(folder, &text.text);
        match path.to_str().map(glob::Pattern::new) {
            Some(Ok(_)) => patterns.push(path),
            _ => section
                .problems
                .add(place, "this is not a file pattern: write a path, with `*`, `?` or `[…]`"),
        }
    }
    Some(SourceFrom::Files(patterns))
}

fn server(section: &Section<'_>, folder: &Path) -> Option<ServerSettings> {
    let host = section.text("host").map(|host| host.text.clone());
    let port = section.number("port", 1, u16::MAX.into()).unwrap_or(PORT_DEFAULT);
    let user = section.required_text("user", "name the account that may read the log");
    // Accounts without a password exist, and a variable may stand for none.
    let password = section.text_or_empty("password").filter(|text| !text.text.is_empty());
    let password = password.map(|text| Secret::new(text.text.as_str()));
    let file = |key: &str| section.text(key).map(|path| below(folder, &path.text));
    let (tls_ca, tls_cert, tls_key) = (file("tls-ca"), file("tls-cert"), file("tls-key"));
    for (key, other) in [("tls-cert", "tls-key"), ("tls-key", "tls-cert")] {
        if section.entry(key).is_some() && section.entry(other).is_none() {
            section.refuse(key, format!("`{key}` needs `{other}` beside it"));
        }
    }
    let tls = section.choice("tls", &TLS_MODES).unwrap_or(TlsMode::Preferred);
    let server_id = section.number_u32("server-id", 1);
    let connect_timeout = section.duration("connect-timeout");
    let cascades = [("stop", Cascades::Stop), ("accept", Cascades::Accept)];
    let cascades = section.choice("foreign-key-cascades", &cascades).unwrap_or(Cascades::Stop);
    Some(ServerSettings {
        server_id,
        host: host?,
        port: u16::try_from(port).ok()?,
        user: user?.text.clone(),
        password,
        tls,
        tls_ca,
        tls_cert,
        tls_key,
        cascades,
        connect_timeout: connect_timeout.unwrap_or(CONNECT_TIMEOUT_DEFAULT),
    })
}

const TLS_MODES: [(&str, TlsMode); 5] = [
    ("disabled", TlsMode::Disabled),
    ("preferred", TlsMode::Preferred),
    ("required", TlsMode::Required),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-identity", TlsMode::VerifyIdentity),
];

fn start(section: &Section<'_>) -> Option<StartAt> {
    let Some(entry) = section.entry("start") else { return Some(StartAt::Earliest) };
    match &entry.node.value {
        Value::Text(text) if text.text == "timestamp" => {
            section.refuse("start", TIMESTAMP_FORM);
            None
        }
        Value::Table(_) => start_at(&section.section("start")?),
        _ => section
            .choice("start", &[("earliest", StartWord::Earliest), ("latest", StartWord::Latest)])
            .and_then(|word| match word {
                StartWord::Earliest => Some(StartAt::Earliest),
                // Nothing is ever added to them.
                StartWord::Latest if section.entry("files").is_some() => {
                    section.refuse("start", LATEST_OF_FILES);
                    None
                }
                StartWord::Latest => Some(StartAt::Latest),
            }),
    }
}

#[derive(Clone, Copy)]
enum StartWord {
    Earliest,
    Latest,
}

const LATEST_OF_FILES: &str = "recorded files have nothing behind their end: write \"earliest\", { file = \"…\", offset = 4 } or { gtid = \"…\" }";

const TIMESTAMP_FORM: &str = "`timestamp` needs a point in time: write start = { timestamp = \"2026-11-22T10:00:00Z\" }, or seconds since 1970 as text";

fn start_at(section: &Section<'_>) -> Option<StartAt> {
    for entry in &section.table.entries {
        if !["file", "offset", "gtid", "timestamp"].contains(&entry.key.as_str()) {
            let message = format!(
                "unknown key `{}` in `start`: it has `file` and `offset`, or `gtid`, or `timestamp`",
                entry.key
            );
            section.problems.add(entry.place, message);
        }
    }
    if section.entry("timestamp").is_some() {
        if section.table.entries.len() > 1 {
            let message = "`timestamp` stands alone: leave out the rest, or leave out `timestamp`";
            section.refuse("timestamp", message);
        }
        let seconds = moment::parse(&section.text("timestamp")?.text);
        if seconds.is_err() {
            section.refuse("timestamp", TIMESTAMP_FORM);
        }
        return seconds.ok().map(StartAt::Time);
    }
    if section.entry("gtid").is_some() {
        if section.entry("file").is_some() || section.entry("offset").is_some() {
            section.refuse("gtid", "`gtid` and `file` exclude each other: write one of them");
        }
        let set = section.text("gtid")?.text.parse();
        if set.is_err() {
            section.refuse("gtid", "`gtid` is not a set of GTIDs: write it as the server shows it, such as \"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-23\" or \"0-1-42\"");
        }
        return set.ok().map(StartAt::Gtid);
    }
    let file = section.required_text("file", "name the log file, such as \"mysql-bin.000004\"");
    let offset = match section.entry("offset") {
        None => Some(OFFSET_MIN),
        Some(_) => section.number("offset", OFFSET_MIN, u64::MAX),
    };
    Some(StartAt::File { file: file?.text.clone(), offset: offset? })
}

fn snapshot(section: &Section<'_>) -> Option<Snapshot> {
    #[derive(Clone, Copy)]
    enum Word {
        Built(Snapshot),
        Only,
    }
    let choices = [
        ("never", Word::Built(Snapshot::Never)),
        ("initial", Word::Built(Snapshot::Initial)),
        ("only", Word::Only),
    ];
    let snapshot = match section.choice("snapshot", &choices) {
        Some(Word::Built(snapshot)) => snapshot,
        Some(Word::Only) => {
            let message = "a load without a stream is not built yet: write snapshot = \"initial\", and run it with --until-end";
            section.refuse("snapshot", message);
            return None;
        }
        None => Snapshot::Never,
    };
    if snapshot == Snapshot::Initial && section.entry("files").is_some() {
        let message =
            "recorded files have no tables to load: write snapshot = \"never\", or name a server";
        section.refuse("snapshot", message);
        return None;
    }
    if snapshot == Snapshot::Initial && section.entry("start").is_some() {
        let message =
            "a load begins at the end of the log: leave `start` out, or write snapshot = \"never\"";
        section.refuse("start", message);
        return None;
    }
    Some(snapshot)
}
