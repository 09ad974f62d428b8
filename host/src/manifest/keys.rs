//! The keys that a manifest may have, and what to say of those that it may not: the nearest one of ours,
//! or ours for a name of another tool.

use super::problem::Problems;
use super::tree::{Entry, Table, Value};

/// A section and its keys. `plugin.config` and `plugin.files` have names of the plugin's own.
pub(crate) const SECTIONS: [(&str, &[&str]); 6] = [
    ("", &["pipeline", "source", "plugin", "table", "sink"]),
    ("pipeline", &["name", "checkpoint", "trigger", "memory", "max-targets"]),
    (
        "source",
        &[
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
            "files",
            "start",
            "tables",
            "snapshot",
            "snapshot-rows-per-second",
            "zero-dates",
            "definitions",
        ],
    ),
    (
        "plugin",
        &[
            "name",
            "component",
            "sha256",
            "tables",
            "isolation",
            "on-row-error",
            "memory",
            "deadline",
            "fuel-per-row",
            "config",
            "files",
        ],
    ),
    ("table", &["match", "id-columns", "trust-ids", "without-key", "deletes"]),
    (
        "sink",
        &[
            "path",
            "mode",
            "merge-schema",
            "dropped-tables",
            "compact-after",
            "compact-deleted-share",
            "target-file-size",
            "log-checkpoint-interval",
            "vacuum-after",
            "key-index",
        ],
    ),
];

/// Names of other tools and the seed of ours, without case, `.`, `-` and `_`, and what to do instead.
const FOREIGN: [(&str, &str); 62] = [
    // Debezium
    ("databasehostname", "write `source.host`"),
    ("databaseport", "write `source.port`"),
    ("databaseuser", "write `source.user`"),
    ("databasepassword", "write `source.password`"),
    ("databaseserverid", "write `source.server-id`"),
    ("databaseservername", "write `pipeline.name`"),
    ("topicprefix", "write `pipeline.name`"),
    ("databaseincludelist", "write `source.tables`, such as `tables = [\"shop.*\"]`"),
    ("databaseexcludelist", "list what is wanted in `source.tables`"),
    ("tableincludelist", "write `source.tables`, an expression between slashes"),
    ("tableexcludelist", "list what is wanted in `source.tables`"),
    ("columnincludelist", "drop columns in a plugin, such as the bundled `rename`"),
    ("columnexcludelist", "drop columns in a plugin, such as the bundled `rename`"),
    ("messagekeycolumns", "write `id-columns` in a `[[table]]`"),
    ("databasesslmode", "write `source.tls`"),
    ("databasessltruststore", "write `source.tls-ca`"),
    ("databasesslkeystore", "write `source.tls-cert` and `source.tls-key`"),
    ("connecttimeoutms", "write `source.connect-timeout`, such as \"30s\""),
    ("maxbatchsize", "write `pipeline.memory`; batches are cut by it"),
    ("maxqueuesize", "write `pipeline.memory`; queues are bounded by it"),
    ("maxqueuesizeinbytes", "write `pipeline.memory`"),
    ("pollintervalms", "write `pipeline.trigger`, such as \"500ms\""),
    ("snapshotmode", "write `source.snapshot`"),
    ("eventprocessingfailurehandlingmode", "write `on-row-error` in a `[[plugin]]`"),
    ("eventconvertingfailurehandlingmode", "a value that cannot be converted stops the pipeline"),
    ("errorstolerance", "write `on-row-error` in a `[[plugin]]`"),
    ("offsetstoragefilefilename", "write `pipeline.checkpoint`"),
    ("offsetflushintervalms", "write `pipeline.trigger`"),
    ("transforms", "write a `[[plugin]]` for each"),
    // Flink
    ("hostname", "write `source.host`"),
    ("username", "write `source.user`"),
    ("databasename", "write `source.tables`, such as `tables = [\"shop.*\"]`"),
    ("tablename", "write `source.tables`"),
    ("scanstartupmode", "write `source.start`"),
    ("scanstartupspecificoffsetfile", "write `source.start = { file = …, offset = … }`"),
    ("scanstartupspecificoffsetpos", "write `source.start = { file = …, offset = … }`"),
    ("scanstartupspecificoffsetgtidset", "write `source.start = { gtid = … }`"),
    ("connecttimeout", "write `source.connect-timeout`"),
    ("schemachangebehavior", "write `sink.merge-schema`"),
    // MLSQL
    ("streamname", "write `pipeline.name`"),
    ("checkpointlocation", "write `pipeline.checkpoint`"),
    ("duration", "write `pipeline.trigger`"),
    ("binglognameprefix", "write `source.start = { file = …, offset = … }`"),
    ("binlognameprefix", "write `source.start = { file = …, offset = … }`"),
    ("binlogindex", "write `source.start = { file = …, offset = … }`"),
    ("binlogfileoffset", "write `source.start = { file = …, offset = … }`"),
    ("startingoffsets", "write `source.start`"),
    ("databasenamepattern", "write `source.tables`, an expression between slashes"),
    ("tablenamepattern", "write `source.tables`, an expression between slashes"),
    ("idcols", "write `id-columns` in a `[[table]]`"),
    ("mergeschema", "write `sink.merge-schema`"),
    ("synctype", "write `sink.mode`"),
    ("operation", "write `sink.mode`"),
    // Maxwell, Canal
    ("replicaserverid", "write `source.server-id`"),
    ("clientid", "write `pipeline.name`"),
    ("slaveid", "write `source.server-id`"),
    ("outputddl", "schema changes follow `sink.merge-schema`"),
    ("outputnullzerodates", "write `source.zero-dates = \"null\"`"),
    // Spark
    ("outputmode", "write `sink.mode`"),
    ("triggerinterval", "write `pipeline.trigger`"),
    ("partitionby", "partition columns are not built yet; leave it out"),
    ("processingtime", "write `pipeline.trigger`"),
];

/// Tells every key of a table that its section does not have.
pub(crate) fn refuse_unknown(section: &str, table: &Table, problems: &Problems) {
    let known = keys_of(section);
    for entry in table.entries.iter().filter(|e| !known.contains(&e.key.as_str())) {
        let path = path_of(section, &entry.key);
        if !refuse_foreign(&path, entry, problems) {
            problems.add(entry.place, unknown(section, &entry.key));
        }
    }
}

/// Whether a key that the section does not have is meant to be this one.
pub(crate) fn is_meant(section: &str, table: &Table, key: &str) -> bool {
    let known = keys_of(section);
    let unknown = table.entries.iter().filter(|e| !known.contains(&e.key.as_str()));
    unknown.into_iter().any(|entry| {
        nearest(&entry.key, known.iter().copied()) == Some(key)
            || stands_for(&path_of(section, &entry.key), entry, &path_of(section, key))
    })
}

/// Whether an entry, or something below it, is another tool's name for one of our paths.
fn stands_for(path: &str, entry: &Entry, ours: &str) -> bool {
    let below = match &entry.node.value {
        Value::Table(table) => table.entries.as_slice(),
        _ => &[],
    };
    foreign(path).is_some_and(|advice| advice.contains(&format!("`{ours}`")))
        || below.iter().any(|inner| stands_for(&path_of(path, &inner.key), inner, ours))
}

/// Whether an entry, or something below it, is a name of another tool; tells each that is.
fn refuse_foreign(path: &str, entry: &Entry, problems: &Problems) -> bool {
    if let Some(advice) = foreign(path) {
        problems.add(entry.place, format!("unknown key `{path}`: {advice}"));
        return true;
    }
    let Value::Table(table) = &entry.node.value else { return false };
    let below: Vec<_> = table
        .entries
        .iter()
        .map(|inner| refuse_foreign(&path_of(path, &inner.key), inner, problems))
        .collect();
    below.contains(&true)
}

/// What stands for a name of another tool; its own prefixes (`debezium.source.`) do not matter.
fn foreign(path: &str) -> Option<&'static str> {
    let starts = std::iter::once(0).chain(path.match_indices('.').map(|(at, _)| at + 1));
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    starts
        .filter_map(|start| path.get(start..))
        .map(plain)
        .find_map(|name| FOREIGN.iter().find(|(foreign, _)| *foreign == name))
        .map(|(_, advice)| *advice)
}

fn unknown(section: &str, key: &str) -> String {
    let place = titled(section);
    let near = nearest(key, keys_of(section).iter().copied());
    if let Some(near) = near {
        return format!("unknown key `{key}`{place}: did you mean `{near}`?");
    }
    let other = SECTIONS.iter().find(|(_, keys)| keys.contains(&key)).map(|(other, _)| *other);
    match other {
        Some(other) if !other.is_empty() => {
            format!("unknown key `{key}`{place}: it belongs{}", titled(other))
        }
        _ => format!("unknown key `{key}`{place}: it has {}", list(keys_of(section))),
    }
}

fn titled(section: &str) -> String {
    match section {
        "" => String::new(),
        "plugin" | "table" => format!(" in [[{section}]]"),
        _ => format!(" in [{section}]"),
    }
}

fn list(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

fn keys_of(section: &str) -> &'static [&'static str] {
    SECTIONS.iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

fn path_of(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The nearest of some words, where one is near enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // One edit, or one letter in three, is a slip; more is another word.
    let limit = (word.chars().count() / 3).max(1);
    let lower = word.to_ascii_lowercase().replace('_', "-");
    known
        .map(|k| (strsim::damerau_levenshtein(&lower, k), k))
        .filter(|(distance, k)| *distance <= limit && *distance < k.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_names_the_nearest_key() {
        let near = |word| nearest(word, keys_of("source").iter().copied());
        assert_eq!(near("hots"), Some("host"));
        assert_eq!(near("server_id"), Some("server-id"));
        assert_eq!(near("Password"), Some("password"));
        assert_eq!(near("colour"), None);
    }

    #[test]
    fn every_foreign_name_is_in_its_plain_form() {
        for (name, _) in FOREIGN {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
        }
    }

    #[test]
    fn a_foreign_name_is_known_in_every_spelling() {
        for path in [
            "database.hostname",
            "source.database.hostname",
            "debezium.source.database.hostname",
            "DATABASE_HOSTNAME",
        ] {
            assert_eq!(foreign(path), Some("write `source.host`"), "{path}");
        }
        assert_eq!(foreign("source.binlogFileOffset"), foreign("binlogIndex"));
        assert_eq!(foreign("source.hosts"), None);
    }
}
