//! Changes of a JSON document that stand for the document until it is known: what a server logs of a
//! partial update (`binlog_row_value_options = PARTIAL_JSON`) whose document before it is not in the log.
//!
//! A patch is text, a line for each change: a letter, the path as a JSON array of names and indexes and,
//! but for a removal, the value, parted by tabs. JSON escapes tabs and line ends, and two patches one
//! behind the other are the patch that does both. Documents are text as MySQL writes it, and stay so:
//! nothing but what changes is written anew.

use std::fmt::Write as _;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// A cell of an array.
    Cell(usize),
}

/// What happens at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// What is there becomes this value.
    Replace(&'a str),
    /// This value comes: a member in the order of names, a cell before the one that is there.
    Insert(&'a str),
    /// What is there goes.
    Remove,
}

/// Appends a change to a patch; none where the path cannot be written down.
pub fn push(patch: &mut String, path: &[Step], change: Change<'_>) -> Option<()> {
    let path = serde_json::to_string(path).ok()?;
    match change {
        Change::Replace(value) => writeln!(patch, "r\t{path}\t{value}").ok(),
        Change::Insert(value) => writeln!(patch, "i\t{path}\t{value}").ok(),
        Change::Remove => writeln!(patch, "d\t{path}\t").ok(),
    }
}

/// A document behind a patch; none where they do not fit each other.
#[must_use]
pub fn apply(document: &str, patch: &str) -> Option<String> {
    let mut document = document.to_owned();
    for line in patch.lines() {
        let mut fields = line.splitn(3, '\t');
        let (kind, path, value) = (fields.next()?, fields.next()?, fields.next()?);
        let path: Vec<Step> = serde_json::from_str(path).ok()?;
        let change = match kind {
            "r" => Change::Replace(value),
            "i" => Change::Insert(value),
            "d" => Change::Remove,
            _ => return None,
        };
        document = changed(&document, &path, change)?;
    }
    Some(document)
}

fn changed(document: &str, path: &[Step], change: Change<'_>) -> Option<String> {
    let (place, text) = match change {
        Change::Replace(value) => (find(document, path)?, value.to_owned()),
        Change::Insert(value) => {
            let (last, before) = path.split_last()?;
            let place = find(document, before)?;
            (place, document.get(place.0..place.1).and_then(|c| inserted(c, last, value))?)
        }
        Change::Remove => {
            let (last, before) = path.split_last()?;
            let place = find(document, before)?;
            (place, document.get(place.0..place.1).and_then(|c| removed(c, last))?)
        }
    };
    let (head, tail) = (document.get(..place.0)?, document.get(place.1..)?);
    Some(format!("{head}{text}{tail}"))
}

/// Where the value of a path stands: its first byte, and the one behind it.
fn find(document: &str, path: &[Step]) -> Option<(usize, usize)> {
    let mut place = (0, document.len());
    for step in path {
        let container = Container::read(document.get(place.0..place.1)?)?;
        let element = container.elements.get(container.position(step)?)?;
        let start = place.0.checked_add(element.value)?;
        place = (start, place.0.checked_add(element.end)?);
    }
    Some(place)
}

fn inserted(container: &str, step: &Step, value: &str) -> Option<String> {
    let read = Container::read(container)?;
    let (at, text) = match step {
        Step::Cell(_) if read.is_object => return None,
        Step::Cell(at) => ((*at).min(read.elements.len()), value.to_owned()),
        Step::Member(_) if !read.is_object || read.position(step).is_some() => return None,
        Step::Member(name) => {
            // Members are ordered by the length of their names, then by their bytes.
            let order = (name.len(), name.as_str());
            let before =
                |e: &&Element| e.name.as_ref().is_some_and(|n| (n.len(), n.as_str()) < order);
            let at = read.elements.iter().take_while(before).count();
            (at, format!("{}: {value}", serde_json::to_string(name).ok()?))
        }
    };
    let mut parts = read.parts(container)?;
    parts.insert(at, &text);
    Some(read.written(&parts))
}

fn removed(container: &str, step: &Step) -> Option<String> {
    let read = Container::read(container)?;
    let at = read.position(step)?;
    let mut parts = read.parts(container)?;
    parts.remove(at);
    Some(read.written(&parts))
}

/// A member or a cell: where it starts in its container, where its value does, and what is behind it.
struct Element {
    name: Option<String>,
    start: usize,
    value: usize,
    end: usize,
}

struct Container {
    is_object: bool,
    elements: Vec<Element>,
}

impl Container {
    /// Takes the text of an object or array apart; none of anything else.
    fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_object = match bytes.first()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        let mut elements = Vec::new();
        let mut at = blank(bytes, 1);
        while !matches!(bytes.get(at)?, b'}' | b']') {
            let start = at;
            let mut name = None;
            if is_object {
                let end = string(bytes, at)?;
                name = Some(serde_json::from_str(text.get(at..end)?).ok()?);
                at = blank(bytes, end);
                if bytes.get(at) != Some(&b':') {
                    return None;
                }
                at = blank(bytes, at.checked_add(1)?);
            }
            let end = value(bytes, at)?;
            elements.push(Element { name, start, value: at, end });
            at = blank(bytes, end);
            if bytes.get(at) == Some(&b',') {
                at = blank(bytes, at.checked_add(1)?);
            }
        }
        Some(Self { is_object, elements })
    }

    fn position(&self, step: &Step) -> Option<usize> {
        match step {
            Step::Member(name) => {
                self.elements.iter().position(|e| e.name.as_deref() == Some(name.as_str()))
            }
            Step::Cell(at) => (!self.is_object && *at < self.elements.len()).then_some(*at),
        }
    }

    fn parts<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        self.elements.iter().map(|e| text.get(e.start..e.end)).collect()
    }

    fn written(&self, parts: &[&str]) -> String {
        let inside = parts.join(", ");
        if self.is_object { format!("{{{inside}}}") } else { format!("[{inside}]") }
    }
}

fn blank(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at.saturating_add(rest.iter().take_while(|b| b.is_ascii_whitespace()).count())
}

/// The place behind a string that starts here.
fn string(bytes: &[u8], at: usize) -> Option<usize> {
    let inside = bytes.get(at..)?.strip_prefix(b"\"")?;
    let mut is_escaped = false;
    let end = inside.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    });
    at.checked_add(end?)?.checked_add(2)
}

/// The place behind a value that starts here. Nothing is nested in this function, however deep the value.
fn value(bytes: &[u8], at: usize) -> Option<usize> {
    let (mut at, mut depth) = (at, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => at = string(bytes, at)?,
            b'{' | b'[' => {
                depth = depth.checked_add(1)?;
                at = at.checked_add(1)?;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at = at.checked_add(1)?;
            }
            b',' | b':' | b' ' if depth > 0 => at = at.checked_add(1)?,
            _ => {
                let rest = bytes.get(at..)?;
                let length = rest.iter().take_while(|b| !b",:]}[{\" ".contains(b)).count();
                at = at.checked_add(length.max(1))?;
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Step {
        Step::Member(name.to_owned())
    }

    fn patch(changes: &[(&[Step], Change<'_>)]) -> String {
        let mut text = String::new();
        for (path, change) in changes {
            push(&mut text, path, *change).expect("a change");
        }
        text
    }

    const DOCUMENT: &str =
        r#"{"a": 1.50, "bc": [10, {"x": "}\",]"}, []], "k\t\"ü": 18446744073709551615}"#;

    #[test]
    fn only_what_changes_is_written_anew() {
        let cases: [(&[Step], Change<'_>, &str); 8] = [
            (
                &[member("a")],
                Change::Replace(r#"{"n": null}"#),
                r#"{"a": {"n": null}, "bc": [10, {"x": "}\",]"}, []], "k\t\"ü": 18446744073709551615}"#,
            ),
            (
                &[member("bc"), Step::Cell(1), member("x")],
                Change::Remove,
                r#"{"a": 1.50, "bc": [10, {}, []], "k\t\"ü": 18446744073709551615}"#,
            ),
            (
                &[member("bc"), Step::Cell(2), Step::Cell(9)],
                Change::Insert("true"),
                r#"{"a": 1.50, "bc": [10, {"x": "}\",]"}, [true]], "k\t\"ü": 18446744073709551615}"#,
            ),
            (
                &[member("bc"), Step::Cell(0)],
                Change::Insert("\"\\t\""),
                r#"{"a": 1.50, "bc": ["\t", 10, {"x": "}\",]"}, []], "k\t\"ü": 18446744073709551615}"#,
            ),
            (
                &[member("b")],
                Change::Insert("0"),
                r#"{"a": 1.50, "b": 0, "bc": [10, {"x": "}\",]"}, []], "k\t\"ü": 18446744073709551615}"#,
            ),
            (&[member("k\t\"ü")], Change::Remove, r#"{"a": 1.50, "bc": [10, {"x": "}\",]"}, []]}"#),
            (
                &[member("bc"), Step::Cell(0)],
                Change::Remove,
                r#"{"a": 1.50, "bc": [{"x": "}\",]"}, []], "k\t\"ü": 18446744073709551615}"#,
            ),
            (&[], Change::Replace("7"), "7"),
        ];
        for (path, change, expected) in cases {
            let patch = patch(&[(path, change)]);
            assert_eq!(apply(DOCUMENT, &patch).as_deref(), Some(expected), "{patch}");
        }
    }

    #[test]
    fn two_patches_one_behind_the_other_are_one() {
        let first = patch(&[(&[member("a")], Change::Remove)]);
        let second = patch(&[(&[member("a")], Change::Insert("[]"))]);
        let both = apply(r#"{"a": 1, "b": 2}"#, &format!("{first}{second}"));
        assert_eq!(both.as_deref(), Some(r#"{"a": [], "b": 2}"#));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let cases: [(&[Step], Change<'_>); 7] = [
            (&[member("x")], Change::Replace("1")),
            (&[member("x")], Change::Remove),
            (&[member("a")], Change::Insert("1")),
            (&[member("a"), member("b")], Change::Replace("1")),
            (&[Step::Cell(0)], Change::Remove),
            (&[member("bc"), Step::Cell(3)], Change::Remove),
            (&[], Change::Remove),
        ];
        for (path, change) in cases {
            assert_eq!(apply(DOCUMENT, &patch(&[(path, change)])), None, "{path:?} {change:?}");
        }
        for broken in ["[1, 2", "{\"a\" 1}", "{a: 1}", "", "\"text", "{\"a\": }"] {
            let path: &[Step] = &[member("a"), Step::Cell(1)];
            assert_eq!(apply(broken, &patch(&[(path, Change::Remove)])), None, "{broken}");
        }
        assert_eq!(apply("{}", "x\t[]\t1\n"), None);
    }
}
