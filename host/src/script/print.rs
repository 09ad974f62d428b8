//! Settings as the text of a manifest.

use std::fmt::Write as _;
use std::path::Path;

use super::Converted;
use crate::manifest::tree::{Node, Table, Value};

/// The variable that stands for a password that the script holds: a manifest may be shown, a password not.
const PASSWORD_VARIABLE: &str = "${SLUICE_PASSWORD}";

/// The manifest of a pipeline of a script.
pub(super) fn manifest(tree: &Table, script: &Path) -> Converted {
    let script = script.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let mut text = format!("# From {script} by `sluice convert`.\n");
    for section in &tree.entries {
        match &section.node.value {
            Value::Table(table) => put_section(&mut text, &format!("[{}]", section.key), table),
            Value::List(items) => {
                for item in items {
                    if let Value::Table(table) = &item.value {
                        put_section(&mut text, &format!("[[{}]]", section.key), table);
                    }
                }
            }
            _ => {}
        }
    }
    Converted { name: name_of(tree), text }
}

fn name_of(tree: &Table) -> String {
    let pipeline = tree.get("pipeline").map(|entry| &entry.node.value);
    let name = match pipeline {
        Some(Value::Table(table)) => table.get("name").map(|entry| &entry.node.value),
        _ => None,
    };
    match name {
        Some(Value::Text(name)) => name.text.clone(),
        _ => String::new(),
    }
}

fn put_section(text: &mut String, header: &str, table: &Table) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{header}");
    for entry in &table.entries {
        let value = if entry.key == "password" && !is_reference(&entry.node) {
            format!("{} # the script holds it as text", basic(PASSWORD_VARIABLE))
        } else {
            value(&entry.node)
        };
        let _ = writeln!(text, "{} = {value}", entry.key);
    }
}

/// Whether a value names where a secret is, instead of the secret.
fn is_reference(node: &Node) -> bool {
    matches!(&node.value, Value::Text(t) if t.text.starts_with("${") || t.text.starts_with("file:"))
}

fn value(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => quoted(&text.text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime(time) => time.clone(),
        Value::List(items) => {
            format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        Value::Table(table) => {
            let pairs = table.entries.iter();
            let pairs = pairs.map(|entry| format!("{} = {}", entry.key, value(&entry.node)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Told => String::new(),
    }
}

/// An expression keeps its backslashes where it may.
fn quoted(text: &str) -> String {
    let literal = text.contains('\\') && !text.contains(|c: char| c == '\'' || c.is_control());
    if literal { format!("'{text}'") } else { basic(text) }
}

fn basic(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
