//! A `load` and a `save` of it are a pipeline: their options become the settings of a manifest, each at
//! its place in the script.

use std::collections::BTreeMap;

use super::statement::{Load, Save, Setting, Statement, Text};
use crate::manifest::keys;
use crate::manifest::problem::{Place, Problems};
use crate::manifest::tree::{self, Entry, Node, Table, Value};

/// The options of `load binlog`.
const LOAD: [&str; 9] = [
    "host",
    "port",
    "userName",
    "password",
    "bingLogNamePrefix",
    "binlogIndex",
    "binlogFileOffset",
    "databaseNamePattern",
    "tableNamePattern",
];

/// The options of `save … as binlogRate`.
const SAVE: [&str; 5] = ["mode", "idCols", "duration", "checkpointLocation", "mergeSchema"];

/// The first four bytes of a log file are its magic number.
const OFFSET_MIN: u64 = 4;

/// Digits of the number in a log file's name; a larger number has more.
const INDEX_DIGITS: usize = 6;

/// The settings of each pipeline: one for each `save`, in the order of the script.
pub(super) fn pipelines(statements: Vec<Statement>, problems: &Problems) -> Vec<Table> {
    let mut loads: BTreeMap<String, (Load, bool)> = BTreeMap::new();
    let mut trees = Vec::new();
    let mut taken = Taken::default();
    for statement in statements {
        match statement {
            Statement::Load(load) => {
                let unsaved = loads.insert(load.table.text.clone(), (load, false));
                refuse_unsaved(unsaved.as_ref(), problems);
            }
            Statement::Save(save) => {
                if let Some((load, is_saved)) = loads.get_mut(&save.table.text) {
                    *is_saved = true;
                    trees.extend(Pair { load, save: &save, problems }.tree(&mut taken));
                } else {
                    let known = loads.keys().map(String::as_str);
                    let near = keys::nearest(&save.table.text, known);
                    let near = near.map_or_else(
                        || "write a `load binlog` before it".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    );
                    let message = format!("nothing is loaded as `{}`: {near}", save.table.text);
                    problems.add(save.table.place, message);
                }
            }
        }
    }
    for load in loads.values() {
        refuse_unsaved(Some(load), problems);
    }
    if trees.is_empty() && problems.is_empty() {
        let place = Place { line: 1, column: 1 };
        problems.add(place, "the script has no `load binlog` and `save … as binlogRate`");
    }
    trees
}

fn refuse_unsaved(load: Option<&(Load, bool)>, problems: &Problems) {
    // A `save` with a mistake of its own may be the one of it.
    if let Some((load, false)) = load.filter(|_| problems.is_empty()) {
        let message = format!("`{}` is loaded and never saved", load.table.text);
        problems.add(load.place, message);
    }
}

/// What only one pipeline may have.
#[derive(Default)]
struct Taken {
    names: Vec<String>,
    checkpoints: Vec<(String, Place)>,
}

struct Pair<'s> {
    load: &'s Load,
    save: &'s Save,
    problems: &'s Problems,
}

impl Pair<'_> {
    fn tree(&self, taken: &mut Taken) -> Option<Table> {
        self.refuse_unknown(&self.load.settings, &LOAD, &SAVE, "load binlog");
        self.refuse_unknown(&self.save.settings, &SAVE, &LOAD, "save … as binlogRate");
        self.refuse_mode();
        let tables = self.tables();
        let mut root = vec![
            section("pipeline", self.save.place, self.pipeline(taken)),
            section("source", self.load.place, self.source(&tables)),
        ];
        if let Some(ids) = self.save("idCols") {
            let columns = ids.text.split(',').map(str::trim).filter(|name| !name.is_empty());
            let columns = columns.map(|name| text_at(name.to_owned(), ids.place)).collect();
            let id_columns = Node { place: ids.place, value: Value::List(columns) };
            let rule = Table {
                entries: vec![
                    entry("match", tables.place, tables),
                    entry("id-columns", ids.place, id_columns),
                ],
            };
            let rule = Node { place: ids.place, value: Value::Table(rule) };
            let rules = Node { place: ids.place, value: Value::List(vec![rule]) };
            root.push(entry("table", ids.place, rules));
        }
        root.push(section("sink", self.save.path.place, self.sink()));
        Some(Table { entries: root })
    }

    fn load(&self, key: &str) -> Option<&Text> {
        value_of(&self.load.settings, key)
    }

    fn save(&self, key: &str) -> Option<&Text> {
        value_of(&self.save.settings, key)
    }

    fn refuse_unknown(&self, found: &[Setting], known: &[&str], others: &[&str], statement: &str) {
        for setting in found.iter().filter(|s| !known.contains(&s.key.as_str())) {
            let key = setting.key.as_str();
            // Upper case is a part of these names, which the nearest one is looked for without.
            let near = known.iter().copied().min_by_key(|k| slips(key, k));
            let near = near.filter(|k| slips(key, k) <= (key.chars().count() / 3).max(1));
            let message = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if others.contains(&key) => "it belongs to the other statement".to_owned(),
                None => {
                    let list: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
                    format!(
                        "it has {}; for more write a manifest (`sluice convert`)",
                        list.join(", ")
                    )
                }
            };
            let message = format!("unknown option `{key}` of `{statement}`: {message}");
            self.problems.add(setting.place, message);
        }
    }

    /// Spark's word for how a stream is written; the targets are upserted.
    fn refuse_mode(&self) {
        if let Some(mode) =
            self.save("mode").filter(|mode| !mode.text.eq_ignore_ascii_case("append"))
        {
            self.problems.add(mode.place, "`mode` has to be \"Append\"");
        }
    }

    fn pipeline(&self, taken: &mut Taken) -> Vec<Entry> {
        let mut entries = Vec::new();
        match &self.save.stream {
            Some(stream) => {
                let name = taken.name(&stream.text, &self.save.table.text);
                if let Err(name) = &name {
                    let message = format!(
                        "there is a pipeline `{name}` already: write another `set streamName` before this statement"
                    );
                    self.problems.add(self.save.place, message);
                }
                let name = name.unwrap_or_else(|name| name);
                entries.push(entry("name", stream.place, text_at(name, stream.place)));
            }
            None => {
                let message =
                    "the pipeline has no name: write `set streamName=\"…\";` before this statement";
                self.problems.add(self.save.place, message);
                entries.push(self.told("name"));
            }
        }
        match self.save("checkpointLocation") {
            Some(location) => {
                if let Some(other) = taken.checkpoint(location) {
                    let message = format!(
                        "`checkpointLocation` is the one of line {}: each pipeline needs its own",
                        other.line
                    );
                    self.problems.add(location.place, message);
                }
                entries.push(entry("checkpoint", location.place, text(location)));
            }
            None => {
                self.missing(
                    self.save.place,
                    "checkpointLocation",
                    "name a folder that outlives the process",
                );
                entries.push(self.told("checkpoint"));
            }
        }
        if let Some(duration) = self.save("duration") {
            let seconds = duration.text.trim();
            let node = match seconds.parse::<u32>() {
                Ok(seconds @ 1..) => text_at(format!("{seconds}s"), duration.place),
                _ if is_reference(seconds) => text_at(format!("{seconds}s"), duration.place),
                _ => {
                    let message = "`duration` is a whole number of seconds above 0, such as \"5\"";
                    self.problems.add(duration.place, message);
                    told_at(duration.place)
                }
            };
            entries.push(entry("trigger", duration.place, node));
        }
        entries
    }

    fn source(&self, tables: &Node) -> Vec<Entry> {
        let mut entries = Vec::new();
        let needed = [("host", "host"), ("userName", "user")];
        for (option, key) in needed {
            match self.load(option) {
                Some(value) => entries.push(entry(key, value.place, text(value))),
                None => {
                    self.missing(
                        self.load.place,
                        option,
                        "name the server and the account that may read its log",
                    );
                    entries.push(self.told(key));
                }
            }
        }
        if let Some(port) = self.load("port") {
            entries.push(entry("port", port.place, self.number("port", port)));
        }
        if let Some(password) = self.load("password") {
            entries.push(entry("password", password.place, text(password)));
        }
        entries.extend(self.start());
        entries.push(entry("tables", tables.place, tables.clone()));
        entries
    }

    /// The place in the log where a new pipeline begins; without one it begins at the log's end.
    fn start(&self) -> Option<Entry> {
        let prefix = self.load("bingLogNamePrefix");
        let index = self.load("binlogIndex");
        let offset = self.load("binlogFileOffset");
        let Some(first) = prefix.or(index).or(offset) else {
            return Some(entry(
                "start",
                self.load.place,
                text_at("latest".to_owned(), self.load.place),
            ));
        };
        let (Some(prefix), Some(index)) = (prefix, index) else {
            let (option, remedy) = match prefix {
                None => (
                    "bingLogNamePrefix",
                    "the log files' name before the point, such as \"mysql-bin\"",
                ),
                Some(_) => ("binlogIndex", "the number in the log file's name, such as \"4\""),
            };
            self.missing(first.place, option, remedy);
            return None;
        };
        let Ok(number) = index.text.trim().parse::<u64>() else {
            let message = "`binlogIndex` is the number in the log file's name, such as \"4\" for mysql-bin.000004";
            self.problems.add(index.place, message);
            return None;
        };
        let file = format!("{}.{number:0INDEX_DIGITS$}", prefix.text);
        let mut at = vec![entry("file", prefix.place, text_at(file, prefix.place))];
        if let Some(offset) = offset {
            if offset.text.trim().parse::<u64>().is_ok_and(|offset| offset < OFFSET_MIN) {
                let message = "`binlogFileOffset` has to be at least 4: there the first event of a file starts";
                self.problems.add(offset.place, message);
                return None;
            }
            at.push(entry("offset", offset.place, self.number("binlogFileOffset", offset)));
        }
        let at = Node { place: first.place, value: Value::Table(Table { entries: at }) };
        Some(entry("start", first.place, at))
    }

    /// Both patterns as one; a name without signs of expressions is written as it is.
    fn tables(&self) -> Node {
        let (database, table) = (self.load("databaseNamePattern"), self.load("tableNamePattern"));
        let place = table.or(database).map_or(self.load.place, |text| text.place);
        let (database, table) = (pattern(database), pattern(table));
        let tables = match (plain(database), plain(table)) {
            (Some(database), Some(table)) => format!("{database}.{table}"),
            _ => format!("/(?:{database})\\.(?:{table})/"),
        };
        Node { place, value: Value::List(vec![text_at(tables, place)]) }
    }

    fn sink(&self) -> Vec<Entry> {
        let path = &self.save.path;
        let mut entries = vec![entry("path", path.place, text(path))];
        if let Some(merge) = self.save("mergeSchema") {
            let flag = match merge.text.to_ascii_lowercase().as_str() {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                _ => {
                    self.problems.add(merge.place, "`mergeSchema` has to be \"true\" or \"false\"");
                    Value::Told
                }
            };
            entries.push(entry(
                "merge-schema",
                merge.place,
                Node { place: merge.place, value: flag },
            ));
        }
        entries
    }

    fn number(&self, option: &str, value: &Text) -> Node {
        let number = value.text.trim();
        let parsed = match number.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) if is_reference(number) => return text(value),
            Err(_) => {
                self.problems.add(value.place, format!("`{option}` has to be a whole number"));
                Value::Told
            }
        };
        Node { place: value.place, value: parsed }
    }

    fn missing(&self, place: Place, option: &str, remedy: &str) {
        self.problems.add(place, format!("`{option}` is missing: {remedy}"));
    }

    /// Stands for a key whose mistake is told.
    fn told(&self, key: &str) -> Entry {
        entry(key, self.save.place, told_at(self.save.place))
    }
}

impl Taken {
    /// The name of a pipeline: that of the stream; a further one of the same stream is told apart by what
    /// it saves, so that the names of those before it stay.
    fn name(&mut self, stream: &str, table: &str) -> Result<String, String> {
        let names = [stream.to_owned(), format!("{stream}-{table}")];
        let [_, last] = &names;
        let last = last.clone();
        let free = names.into_iter().find(|name| !self.names.contains(name)).ok_or(last)?;
        self.names.push(free.clone());
        Ok(free)
    }

    /// Where another pipeline named the same folder.
    fn checkpoint(&mut self, location: &Text) -> Option<Place> {
        let folder = location.text.trim_end_matches('/').to_owned();
        let other = self.checkpoints.iter().find(|(known, _)| *known == folder);
        let other = other.map(|(_, place)| *place);
        self.checkpoints.push((folder, location.place));
        other
    }
}

fn slips(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(&a.to_ascii_lowercase(), &b.to_ascii_lowercase())
}

fn value_of<'s>(settings: &'s [Setting], key: &str) -> Option<&'s Text> {
    settings.iter().find(|setting| setting.key == key).map(|setting| &setting.value)
}

fn pattern(text: Option<&Text>) -> &str {
    text.map_or(".*", |text| text.text.as_str())
}

/// The form of a pattern in which only `*` has a meaning; none where it needs an expression.
fn plain(expression: &str) -> Option<&str> {
    match expression {
        ".*" => Some("*"),
        "" => None,
        name => name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name),
    }
}

/// Whether a text stands for a variable of the environment.
fn is_reference(text: &str) -> bool {
    text.starts_with("${") && text.ends_with('}')
}

fn section(key: &str, place: Place, entries: Vec<Entry>) -> Entry {
    entry(key, place, Node { place, value: Value::Table(Table { entries }) })
}

fn entry(key: &str, place: Place, node: Node) -> Entry {
    Entry { key: key.to_owned(), place, node }
}

fn text(text: &Text) -> Node {
    text_at(text.text.clone(), text.place)
}

fn text_at(text: String, place: Place) -> Node {
    let text = tree::Text { text, secret: false, brought: Vec::new() };
    Node { place, value: Value::Text(text) }
}

fn told_at(place: Place) -> Node {
    Node { place, value: Value::Told }
}
