//! Reads the keys of one table of the manifest by their types, and tells what does not fit.
//!
//! A reader never stops at a mistake: it answers none, so that all mistakes are found in one go.

use std::time::Duration;

use change::TablePatterns;
use change::pattern::PatternError;

use super::keys;
use super::problem::{Place, Problems};
use super::quantity;
use super::tree::{Entry, Node, Table, Text, Value};

/// One table of the manifest, such as `[source]`.
pub(crate) struct Section<'a> {
    /// Its name in [`keys::SECTIONS`].
    pub(crate) name: &'static str,
    pub(crate) table: &'a Table,
    /// Where its header stands: missing keys are told here.
    pub(crate) place: Place,
    pub(crate) problems: &'a Problems,
}

/// Table patterns, as written and as a matcher.
#[derive(Default)]
pub(crate) struct Patterns {
    pub(crate) written: Vec<String>,
    pub(crate) matcher: TablePatterns,
}

impl<'a> Section<'a> {
    pub(crate) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.table.get(key)
    }

    /// Tells something about a key, at its value.
    pub(crate) fn refuse(&self, key: &str, message: impl Into<String>) {
        let place = self.entry(key).map_or(self.place, |entry| entry.node.place);
        self.problems.add(place, message);
    }

    /// Tells that a key is missing, unless one that is there was meant to be it.
    pub(crate) fn missing(&self, key: &str, remedy: &str) {
        if keys::is_meant(self.name, self.table, key) {
            return;
        }
        self.problems.add(self.place, format!("`{key}` is missing: {remedy}"));
    }

    fn wrong_type(&self, key: &str, expected: &str, node: &Node) {
        if !matches!(node.value, Value::Told) {
            let found = node.value.kind();
            self.problems.add(node.place, format!("`{key}` has to be {expected}, not {found}"));
        }
    }

    /// A string that is not empty.
    pub(crate) fn text(&self, key: &str) -> Option<&'a Text> {
        let text = self.text_or_empty(key)?;
        if text.text.is_empty() {
            self.refuse(key, format!("`{key}` is empty"));
            return None;
        }
        Some(text)
    }

    /// A string.
    pub(crate) fn text_or_empty(&self, key: &str) -> Option<&'a Text> {
        let node = &self.entry(key)?.node;
        if let Value::Text(text) = &node.value {
            return Some(text);
        }
        self.wrong_type(key, "a string", node);
        None
    }

    pub(crate) fn required_text(&self, key: &str, remedy: &str) -> Option<&'a Text> {
        if self.entry(key).is_none() {
            self.missing(key, remedy);
        }
        self.text(key)
    }

    /// A name that goes into logs and tables.
    pub(crate) fn name(&self, key: &str, remedy: &str) -> Option<String> {
        let name = self.required_text(key, remedy)?.text.as_str();
        let valid = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.len() > NAME_BYTES_MAX || !name.chars().all(valid) {
            let message = format!("`{key}` takes up to 64 letters, digits, `-`, `_` and `.`");
            self.refuse(key, message);
            return None;
        }
        Some(name.to_owned())
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let node = &self.entry(key)?.node;
        match &node.value {
            Value::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong_type(key, "true or false", node);
                None
            }
        }
    }

    /// A whole number within bounds. Text counts where a reference put it there.
    pub(crate) fn number(&self, key: &str, min: u64, max: u64) -> Option<u64> {
        let node = &self.entry(key)?.node;
        let number = match &node.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Text(Text { text, secret: true, .. }) => text.trim().parse().ok(),
            _ => {
                self.wrong_type(key, "a whole number", node);
                return None;
            }
        };
        let number = number.filter(|n| (min..=max).contains(n));
        if number.is_none() {
            let bounds = if max >= i64::MAX.unsigned_abs() {
                format!("of at least {min}")
            } else {
                format!("from {min} to {max}")
            };
            self.refuse(key, format!("`{key}` has to be a whole number {bounds}"));
        }
        number
    }

    pub(crate) fn number_u32(&self, key: &str, min: u32) -> Option<u32> {
        let number = self.number(key, min.into(), u32::MAX.into())?;
        u32::try_from(number).ok()
    }

    /// A number between 0 and 1.
    pub(crate) fn share(&self, key: &str) -> Option<f64> {
        let node = &self.entry(key)?.node;
        let share = match &node.value {
            Value::Float(share) => Some(*share),
            Value::Integer(0) => Some(0.0),
            Value::Integer(1) => Some(1.0),
            Value::Integer(_) => None,
            _ => {
                self.wrong_type(key, "a number from 0 to 1", node);
                return None;
            }
        };
        let share = share.filter(|s| (0.0..=1.0).contains(s));
        if share.is_none() {
            self.refuse(key, format!("`{key}` has to be a number from 0 to 1, such as 0.2"));
        }
        share
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        let text = self.text(key)?;
        let duration = quantity::duration(&text.text).filter(|d| !d.is_zero());
        if duration.is_none() {
            let message = "a number above 0 with ms, s, m, h or d, such as \"500ms\" or \"5s\"";
            self.refuse(key, format!("`{key}` is not a duration: write {message}"));
        }
        duration
    }

    /// A size in bytes of at least `min`.
    pub(crate) fn size(&self, key: &str, min: u64) -> Option<u64> {
        let text = self.text(key)?;
        let Some(size) = quantity::size(&text.text) else {
            let message = "a number with KiB, MiB or GiB, such as \"64MiB\"";
            self.refuse(key, format!("`{key}` is not a size: write {message}"));
            return None;
        };
        if size < min {
            self.refuse(key, format!("`{key}` has to be at least {min} bytes"));
            return None;
        }
        Some(size)
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = choices.iter().find(|(word, _)| *word == text.text);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            let near = keys::nearest(&text.text, choices.iter().map(|(word, _)| *word));
            let near = near.map_or_else(String::new, |n| format!(": did you mean `{n}`?"));
            self.refuse(key, format!("`{key}` has to be one of {}{near}", words.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// A string or a list of strings.
    pub(crate) fn texts(&self, key: &str) -> Option<Vec<(&'a Text, Place)>> {
        let node = &self.entry(key)?.node;
        let items = match &node.value {
            Value::Text(_) => std::slice::from_ref(node),
            Value::List(items) => items.as_slice(),
            _ => {
                self.wrong_type(key, "a list of strings", node);
                return None;
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) if !text.text.is_empty() => texts.push((text, item.place)),
                Value::Text(_) => {
                    self.problems.add(item.place, format!("`{key}` has an empty entry"))
                }
                _ => self.wrong_type(key, "a list of strings", item),
            }
        }
        Some(texts)
    }

    /// Table patterns; every one that cannot be read is told at its own place.
    pub(crate) fn patterns(&self, key: &str) -> Option<Patterns> {
        let mut written = Vec::new();
        for (text, place) in self.texts(key)? {
            match TablePatterns::parse(&[&text.text]) {
                Ok(_) => written.push(text.text.clone()),
                Err(_) if text.secret => {
                    self.problems
                        .add(place, "this is not a table pattern, with its references replaced");
                }
                Err(error) => self.problems.add(place, pattern_message(&error)),
            }
        }
        let matcher = TablePatterns::parse(&written).unwrap_or_default();
        Some(Patterns { written, matcher })
    }

    /// A table below this one.
    pub(crate) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        let entry = self.entry(key)?;
        match &entry.node.value {
            Value::Table(table) => {
                Some(Section { name: key, table, place: entry.place, problems: self.problems })
            }
            _ => {
                self.wrong_type(key, "a table", &entry.node);
                None
            }
        }
    }

    /// The tables of a `[[key]]`.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let items = match &entry.node.value {
            Value::List(items) => items.as_slice(),
            Value::Table(_) => {
                let message = format!("there may be several: write `[[{key}]]`, with two brackets");
                self.problems.add(entry.place, message);
                return Vec::new();
            }
            _ => {
                self.wrong_type(key, &format!("a list of tables, `[[{key}]]`"), &entry.node);
                return Vec::new();
            }
        };
        let mut sections = Vec::new();
        for item in items {
            match &item.value {
                Value::Table(table) => {
                    let problems = self.problems;
                    sections.push(Section { name: key, table, place: item.place, problems });
                }
                _ => self.wrong_type(key, &format!("a list of tables, `[[{key}]]`"), item),
            }
        }
        sections
    }
}

/// Bytes of a name; it becomes a part of an application id in every commit.
const NAME_BYTES_MAX: usize = 64;

/// In one line: the regex crate draws its messages over several, with the reason in the last.
fn pattern_message(error: &PatternError) -> String {
    match error {
        PatternError::Shape(_) => error.to_string(),
        PatternError::Expression { pattern, reason } => {
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("`{pattern}` is not a regular expression: {reason}")
        }
    }
}
