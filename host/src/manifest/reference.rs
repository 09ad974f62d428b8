//! References in strings: `${NAME}` stands for a variable of the environment, a string that begins with
//! `file:` for the content of a file.
//!
//! What a reference brings in is taken for a secret: it is marked, and no message here shows it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::problem::{Place, Problems};
use super::tree::{Node, Table, Text, Value};

/// Bytes of a file that a `file:` reference brings in: passwords, keys and word lists are far smaller,
/// and a mistaken path to a log must not fill the memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Looks up a variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces all references below a table.
pub(crate) struct References<'a> {
    /// The variables that there are.
    pub(crate) environment: Environment<'a>,
    /// What relative paths are relative to.
    pub(crate) folder: &'a Path,
    /// Where mistakes go.
    pub(crate) problems: &'a Problems,
}

impl References<'_> {
    pub(crate) fn replace(&self, table: &mut Table) {
        for entry in &mut table.entries {
            self.replace_node(&mut entry.node);
        }
    }

    fn replace_node(&self, node: &mut Node) {
        match &mut node.value {
            Value::Text(text) => match self.text(&text.text, node.place) {
                Some(replaced) => *text = replaced,
                None => node.value = Value::Told,
            },
            Value::List(items) => items.iter_mut().for_each(|item| self.replace_node(item)),
            Value::Table(table) => self.replace(table),
            _ => {}
        }
    }

    /// The text with its references replaced; none where one of them leads nowhere.
    fn text(&self, written: &str, place: Place) -> Option<Text> {
        if let Some(path) = written.strip_prefix("file:") {
            return self.file(path, place).map(|text| Text {
                brought: vec![text.clone()],
                text,
                secret: true,
            });
        }
        let written = written
            .strip_prefix("$$file:")
            .map_or_else(|| written.to_owned(), |rest| format!("file:{rest}"));
        self.variables(&written, place)
    }

    fn variables(&self, written: &str, place: Place) -> Option<Text> {
        let mut text = String::new();
        let (mut secret, mut whole) = (false, true);
        let mut brought = Vec::new();
        let mut rest = written;
        while let Some((before, tail)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                text.push_str(before);
                text.push_str("${");
                rest = tail;
                continue;
            }
            text.push_str(before);
            let Some((name, after)) = tail.split_once('}') else {
                let message = "`${` without `}`: write `${NAME}`, or `$${` for the text itself";
                self.problems.add(place, message);
                return None;
            };
            match (self.environment)(name) {
                Some(value) => {
                    text.push_str(&value);
                    brought.push(value);
                }
                None => {
                    self.problems.add(place, unset(name));
                    whole = false;
                }
            }
            secret = true;
            rest = after;
        }
        text.push_str(rest);
        whole.then_some(Text { text, secret, brought })
    }

    fn file(&self, path: &str, place: Place) -> Option<String> {
        let path = self.folder.join(path);
        match read(&path) {
            Ok(text) => Some(text),
            Err(reason) => {
                self.problems.add(place, format!("cannot read {}: {reason}", path.display()));
                None
            }
        }
    }
}

fn unset(name: &str) -> String {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(valid) {
        return "`${…}` takes the name of an environment variable: letters, digits and `_`; write \
                `$${` for the text itself"
            .to_owned();
    }
    format!("the environment variable {name} is not set")
}

/// The file's text without the line break at its end.
fn read(path: &PathBuf) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    let read = file
        .take(FILE_BYTES_MAX.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(|e| e.to_string())?;
    if u64::try_from(read).map_or(true, |bytes| bytes > FILE_BYTES_MAX) {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let end = text.strip_suffix('\n').map_or(text.len(), str::len);
    text.truncate(end);
    if text.ends_with('\r') {
        text.pop();
    }
    Ok(text)
}
