//! `[[plugin]]`: a component, the tables that pass through it, its limits and its configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use change::TablePatterns;
use serde_json::{Map, Value as Json};

use super::{below, bytes};
use crate::manifest::keys;
use crate::manifest::locate::{Locations, pointer_below};
use crate::manifest::problem::Problems;
use crate::manifest::section::{Patterns, Section};
use crate::manifest::tree::{Node, Table, Value};
use crate::manifest::{ConfigSecrets, Isolation, OnRowError, PluginSettings};

/// A WebAssembly page.
const MEMORY_BYTES_MIN: u64 = 64 << 10;

/// Digits of a SHA-256.
const SHA256_DIGITS: usize = 64;

pub(super) fn read_all(
    sections: &[Section<'_>],
    folder: &Path,
    locations: &mut Locations,
) -> Vec<PluginSettings> {
    let mut plugins: Vec<PluginSettings> = Vec::new();
    for section in sections {
        let Some(plugin) = read(section, folder, locations) else { continue };
        if plugins.iter().any(|p| p.name == plugin.name) {
            section.refuse(
                "name",
                format!("there are two plugins named `{}`: name them apart", plugin.name),
            );
        }
        plugins.push(plugin);
    }
    plugins
}

fn read(section: &Section<'_>, folder: &Path, locations: &mut Locations) -> Option<PluginSettings> {
    keys::refuse_unknown("plugin", section.table, section.problems);
    let name = section.name("name", "give the plugin a name, such as name = \"mask\"");
    let component = section
        .required_text("component", "name its file, such as component = \"plugins/mask.wasm\"")
        .map(|path| below(folder, &path.text));
    let sha256 = sha256(section);
    let Patterns { written, matcher } = section.patterns("tables").unwrap_or_else(all_tables);
    let isolation = [("instance", Isolation::Instance), ("batch", Isolation::Batch)];
    let isolation = section.choice("isolation", &isolation).unwrap_or(Isolation::Instance);
    let on_row_error = [("stop", OnRowError::Stop), ("dead-letter", OnRowError::DeadLetter)];
    let on_row_error = section.choice("on-row-error", &on_row_error).unwrap_or(OnRowError::Stop);
    let memory = section.size("memory", MEMORY_BYTES_MIN);
    let deadline = section.duration("deadline");
    let fuel_per_row = section.number("fuel-per-row", 1, u64::MAX);
    let files = files(section, folder);
    let config = section.section("config");
    let json = config.as_ref().map(|c| object(c.table, section.problems)).unwrap_or_default();
    let mut secrets = ConfigSecrets::default();
    if let Some(config) = &config {
        hide_all("", config.table, &mut secrets);
    }
    let name = name?;
    locations.add(&name, "", section.place);
    if let Some(config) = config {
        locations.add(&name, "", config.place);
        place_all(&name, "", config.table, locations);
    }
    if let Some(entry) = section.entry("component") {
        locations.add_component(&name, entry.node.place);
    }
    Some(PluginSettings {
        name,
        component: component?,
        sha256,
        tables: matcher,
        tables_written: written,
        isolation,
        on_row_error,
        memory_bytes: memory.map(bytes),
        deadline,
        fuel_per_row,
        config: Json::Object(json),
        secrets,
        files,
    })
}

/// What a plugin without `tables` sees.
fn all_tables() -> Patterns {
    let matcher = TablePatterns::parse(&["*.*"]).unwrap_or_default();
    Patterns { written: Vec::new(), matcher }
}

fn sha256(section: &Section<'_>) -> Option<String> {
    let digits = section.text("sha256")?.text.to_ascii_lowercase();
    if digits.len() != SHA256_DIGITS || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        section.refuse(
            "sha256",
            "`sha256` takes 64 hexadecimal digits, as `sluice plugin info` prints them",
        );
        return None;
    }
    Some(digits)
}

fn files(section: &Section<'_>, folder: &Path) -> BTreeMap<String, PathBuf> {
    let Some(files) = section.section("files") else { return BTreeMap::new() };
    let path = |name: &str| files.text(name).map(|path| below(folder, &path.text));
    let names = files.table.entries.iter().map(|entry| entry.key.clone());
    names.filter_map(|name| path(&name).map(|path| (name, path))).collect()
}

fn object(table: &Table, problems: &Problems) -> Map<String, Json> {
    let value = |node: &Node| json(node, problems);
    table.entries.iter().map(|entry| (entry.key.clone(), value(&entry.node))).collect()
}

fn json(node: &Node, problems: &Problems) -> Json {
    match &node.value {
        Value::Text(text) => Json::String(text.text.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => Json::Number(number),
            None => {
                problems.add(node.place, "a configuration cannot hold `inf` or `nan`");
                Json::Null
            }
        },
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Datetime(text) => Json::String(text.clone()),
        Value::List(items) => items.iter().map(|item| json(item, problems)).collect(),
        Value::Table(table) => Json::Object(object(table, problems)),
        Value::Told => Json::Null,
    }
}

fn hide_all(pointer: &str, table: &Table, secrets: &mut ConfigSecrets) {
    for entry in &table.entries {
        hide(&pointer_below(pointer, &entry.key), &entry.node, secrets);
    }
}

fn hide(pointer: &str, node: &Node, secrets: &mut ConfigSecrets) {
    match &node.value {
        Value::Text(text) if text.secret => secrets.add(pointer, &text.text, &text.brought),
        Value::Table(table) => hide_all(pointer, table, secrets),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                hide(&pointer_below(pointer, &at.to_string()), item, secrets);
            }
        }
        _ => {}
    }
}

fn place_all(plugin: &str, pointer: &str, table: &Table, locations: &mut Locations) {
    for entry in &table.entries {
        let pointer = pointer_below(pointer, &entry.key);
        locations.add(plugin, &pointer, entry.place);
        place_below(plugin, &pointer, &entry.node, locations);
    }
}

fn place_below(plugin: &str, pointer: &str, node: &Node, locations: &mut Locations) {
    match &node.value {
        Value::Table(table) => place_all(plugin, pointer, table, locations),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                let pointer = pointer_below(pointer, &at.to_string());
                locations.add(plugin, &pointer, item.place);
                place_below(plugin, &pointer, item, locations);
            }
        }
        _ => {}
    }
}
