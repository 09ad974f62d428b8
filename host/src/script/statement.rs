//! The statements of a script: `set NAME = "…"`, `load binlog.`` where … as NAME` and
//! `save append NAME as binlogRate.`…` options …`.
//!
//! After a mistake the reading goes on behind the next `;`, so that all mistakes are told at once.

use super::Variables;
use super::token::{Kind, Token};
use crate::manifest::keys;
use crate::manifest::problem::{Place, Problems};

/// A text with its variables replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) place: Place,
}

/// `key = "value"`.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: String,
    /// Where the key stands.
    pub(super) place: Place,
    pub(super) value: Text,
}

/// `load binlog.`` where … as NAME;`
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) place: Place,
    /// The name that it gives to the log.
    pub(super) table: Text,
    pub(super) settings: Vec<Setting>,
}

/// `save append NAME as binlogRate.`…` options …;`
#[derive(Clone, Debug)]
pub(super) struct Save {
    pub(super) place: Place,
    /// The name of what is saved.
    pub(super) table: Text,
    /// Where the targets lie.
    pub(super) path: Text,
    pub(super) settings: Vec<Setting>,
    /// What `streamName` is where the statement stands.
    pub(super) stream: Option<Text>,
}

#[derive(Clone, Debug)]
pub(super) enum Statement {
    Load(Load),
    Save(Save),
}

/// The variable that names a pipeline.
const STREAM_NAME: &str = "streamName";

const KEYWORDS: [&str; 3] = ["set", "load", "save"];

/// The statements of a script, in order, with all variables replaced.
pub(super) fn parse(tokens: &[Token], problems: &Problems) -> Vec<Statement> {
    let mut variables = Variables::new();
    let mut stream = None;
    let mut statements = Vec::new();
    for words in tokens.split(|token| token.kind == Kind::Sign(';')) {
        let Some(first) = words.first() else { continue };
        let mut reader =
            Reader { words, at: 0, last: first.place, variables: &variables, problems };
        let Some(begun) = reader.keyword() else { continue };
        let read = match begun.as_str() {
            "set" => reader.set().map(|(name, value)| {
                if name == STREAM_NAME {
                    stream = Some(value.clone());
                }
                variables.insert(name, value.text);
                None
            }),
            "load" => reader.load(first.place).map(|load| Some(Statement::Load(load))),
            "save" => reader.save(first.place, &stream).map(|save| Some(Statement::Save(save))),
            other => {
                let near = keys::nearest(other, KEYWORDS.into_iter());
                let near = near.map_or_else(
                    || "a script has `set`, `load binlog` and `save … as binlogRate`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                problems.add(first.place, format!("unknown statement `{other}`: {near}"));
                None
            }
        };
        statements.extend(read.flatten());
    }
    statements
}

/// Reads one statement. A step answers none where it has told a mistake.
struct Reader<'s> {
    words: &'s [Token],
    at: usize,
    /// Where the last word stands.
    last: Place,
    variables: &'s Variables,
    problems: &'s Problems,
}

impl<'s> Reader<'s> {
    fn next(&mut self) -> Option<&'s Token> {
        let token = self.words.get(self.at)?;
        self.at = self.at.saturating_add(1);
        self.last = token.place;
        Some(token)
    }

    fn peek_word(&self) -> Option<String> {
        match &self.words.get(self.at)?.kind {
            Kind::Word(word) => Some(word.to_ascii_lowercase()),
            _ => None,
        }
    }

    fn expected<T>(&self, what: &str, found: Option<&Token>) -> Option<T> {
        let found = found.map_or_else(
            || "the statement ends here".to_owned(),
            |token| match &token.kind {
                Kind::Word(word) => format!("not `{word}`"),
                Kind::Sign(sign) => format!("not `{sign}`"),
                Kind::Text(_) => "not a text in quotes".to_owned(),
                Kind::Quoted(_) => "not a name in backticks".to_owned(),
            },
        );
        self.problems.add(self.last, format!("{what} is expected, {found}"));
        None
    }

    fn keyword(&mut self) -> Option<String> {
        match self.next() {
            Some(Token { kind: Kind::Word(word), .. }) => Some(word.to_ascii_lowercase()),
            other => self.expected("`set`, `load` or `save`", other),
        }
    }

    fn the_word(&mut self, word: &str) -> Option<()> {
        match self.next() {
            Some(Token { kind: Kind::Word(found), .. }) if found.eq_ignore_ascii_case(word) => {
                Some(())
            }
            other => self.expected(&format!("`{word}`"), other),
        }
    }

    fn sign(&mut self, sign: char) -> Option<()> {
        match self.next() {
            Some(token) if token.kind == Kind::Sign(sign) => Some(()),
            other => self.expected(&format!("`{sign}`"), other),
        }
    }

    fn name(&mut self, what: &str) -> Option<Text> {
        match self.next() {
            Some(Token { kind: Kind::Word(word) | Kind::Quoted(word), place }) => {
                Some(Text { text: word.clone(), place: *place })
            }
            other => self.expected(what, other),
        }
    }

    fn end(&mut self) -> Option<()> {
        match self.next() {
            None => Some(()),
            other => self.expected("`;`", other),
        }
    }

    /// `${name}` is replaced where a `set` made that variable; what is left is a reference to the
    /// environment, as in manifests.
    fn replaced(&self, text: &str, place: Place) -> Text {
        let mut replaced = String::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once("${") {
            let named = tail.split_once('}').filter(|_| !before.ends_with('$'));
            let known = named.and_then(|(name, after)| Some((self.variables.get(name)?, after)));
            replaced.push_str(before);
            match known {
                Some((value, after)) => {
                    replaced.push_str(value);
                    rest = after;
                }
                None => {
                    replaced.push_str("${");
                    rest = tail;
                }
            }
        }
        replaced.push_str(rest);
        Text { text: replaced, place }
    }

    fn value(&mut self, key: &str) -> Option<Text> {
        match self.next() {
            Some(Token { kind: Kind::Text(text) | Kind::Quoted(text), place }) => {
                Some(self.replaced(text, *place))
            }
            other => self.expected(&format!("the value of `{key}` in quotes"), other),
        }
    }

    fn set(&mut self) -> Option<(String, Text)> {
        let name = self.name("the name of a variable")?.text;
        self.sign('=')?;
        let value = self.value(&name)?;
        self.end()?;
        Some((name, value))
    }

    fn load(&mut self, place: Place) -> Option<Load> {
        self.format("binlog")?;
        let settings = match self.peek_word().as_deref() {
            Some("as") => Vec::new(),
            _ => self.settings()?,
        };
        self.the_word("as")?;
        let table = self.name("the name of what is loaded")?;
        self.end()?;
        Some(Load { place, table, settings })
    }

    fn save(&mut self, place: Place, stream: &Option<Text>) -> Option<Save> {
        match self.peek_word().as_deref() {
            Some("append") => drop(self.next()),
            Some("overwrite") => {
                self.next();
                self.problems.add(
                    self.last,
                    "`save overwrite` replaces a table as a whole, which is not built: a stream is `save append`",
                );
                return None;
            }
            _ => {
                let found = self.next();
                return self.expected("`append`", found);
            }
        }
        let table = self.name("the name of what is saved")?;
        self.the_word("as")?;
        let path = self.format("binlogRate")?;
        let settings = match self.at < self.words.len() {
            true => self.settings()?,
            false => Vec::new(),
        };
        self.end()?;
        Some(Save { place, table, path, settings, stream: stream.clone() })
    }

    /// ``binlog.`…` ``: the format that is meant, and what stands between the backticks.
    fn format(&mut self, format: &str) -> Option<Text> {
        let found = self.name("the name of a format")?;
        if !found.text.eq_ignore_ascii_case(format) {
            let message = format!("`{}` is not read here: write `{format}`", found.text);
            self.problems.add(found.place, message);
            return None;
        }
        self.sign('.')?;
        match self.next() {
            Some(Token { kind: Kind::Quoted(path), place }) => Some(self.replaced(path, *place)),
            other => self.expected("a path in backticks", other),
        }
    }

    /// `where` or `options`, then `key = "value"` joined by `and`.
    fn settings(&mut self) -> Option<Vec<Setting>> {
        match self.peek_word().as_deref() {
            Some("where" | "options") => drop(self.next()),
            _ => {
                let found = self.next();
                return self.expected("`where` or `options`", found);
            }
        }
        let mut settings: Vec<Setting> = Vec::new();
        loop {
            let Text { text: key, place } = self.name("the name of an option")?;
            self.sign('=')?;
            let value = self.value(&key)?;
            if settings.iter().any(|known| known.key == key) {
                self.problems.add(place, format!("`{key}` is there twice"));
            }
            settings.push(Setting { key, place, value });
            match self.peek_word().as_deref() {
                Some("and") => drop(self.next()),
                _ => return Some(settings),
            }
        }
    }
}
