//! The words of a script, each with its place.

use crate::manifest::problem::{Place, Problems};

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name.
    Word(String),
    /// A text in quotes, without them.
    Text(String),
    /// What stands between backticks.
    Quoted(String),
    /// `=`, `.`, `;` or another sign.
    Sign(char),
}

/// A word and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// Quotes of a text, the longer ones first: a text in three of them may hold single ones.
const QUOTES: [&str; 4] = ["\"\"\"", "'''", "\"", "'"];

/// The words of a text; comments (`-- …`, `/* … */`) are left out.
pub(super) fn tokens(text: &str, problems: &Problems) -> Vec<Token> {
    let mut reader = Reader { rest: text, place: Place { line: 1, column: 1 }, problems };
    std::iter::from_fn(|| reader.next()).collect()
}

struct Reader<'t> {
    rest: &'t str,
    place: Place,
    problems: &'t Problems,
}

impl<'t> Reader<'t> {
    /// Takes so many bytes and goes on behind them.
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for character in taken.chars() {
            if character == '\n' {
                self.place = Place { line: self.place.line.saturating_add(1), column: 1 };
            } else {
                self.place.column = self.place.column.saturating_add(1);
            }
        }
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Up to an end, which is taken too; tells where it is missing.
    fn take_until(&mut self, end: &str, what: &str, begun: Place) -> &'t str {
        match self.rest.find(end) {
            Some(at) => {
                let inner = self.take(at);
                self.take(end.len());
                inner
            }
            None => {
                self.problems.add(begun, format!("{what} is not closed: `{end}` is missing"));
                self.take(self.rest.len())
            }
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            let begun = self.place;
            if self.rest.starts_with("--") {
                self.take_while(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                self.take(2);
                self.take_until("*/", "this comment", begun);
            } else {
                return;
            }
        }
    }

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let place = self.place;
        let first = self.rest.chars().next()?;
        let quote = QUOTES.iter().find(|quote| self.rest.starts_with(**quote));
        let kind = match (first, quote) {
            (_, Some(quote)) => Kind::Text(self.text(quote, place)),
            ('`', _) => {
                self.take(1);
                Kind::Quoted(self.take_until("`", "this name", place).to_owned())
            }
            (first, _) if is_of_word(first) => Kind::Word(self.take_while(is_of_word).to_owned()),
            (sign, _) => {
                self.take(sign.len_utf8());
                Kind::Sign(sign)
            }
        };
        Some(Token { kind, place })
    }

    /// A text; a backslash stands for itself, as regular expressions need it, except before the quote.
    fn text(&mut self, quote: &str, begun: Place) -> String {
        self.take(quote.len());
        let mut text = String::new();
        loop {
            let inner = self.take_until(quote, "this text", begun);
            match inner.strip_suffix('\\') {
                Some(before) if quote.len() == 1 && !self.rest.is_empty() => {
                    text.push_str(before);
                    text.push_str(quote);
                }
                _ => {
                    text.push_str(inner);
                    return text;
                }
            }
        }
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
