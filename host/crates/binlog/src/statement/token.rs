//! The tokens of a statement: words, quoted names, everything else.
//!
//! It knows SQL's lexical rules as far as definitions need them: comments, conditional comments
//! (`/*! … */`, `/*M! … */`, whose content counts where the server ran it), strings and quoted names. It
//! never fails: what ends too early ends with the text.

use crate::event::Vendor;

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword or a bare name, as written.
    Word(String),
    /// A name in backticks.
    Quoted(String),
    /// A text in double quotes: a name under ANSI_QUOTES.
    Double(String),
    /// A literal text.
    Text(String),
    /// Any other character.
    Mark(char),
}

impl Token {
    /// Whether it is this keyword (in upper case).
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The name that it stands for, where it can be one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Quoted(name) | Self::Double(name) => Some(name),
            Self::Text(_) | Self::Mark(_) => None,
        }
    }
}

/// What a server's settings change about tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lexis {
    /// Who ran the statement, where that is known: conditional comments differ.
    pub(crate) vendor: Option<Vendor>,
    /// Whether a backslash in a text takes the next character along (not NO_BACKSLASH_ESCAPES).
    pub(crate) backslash: bool,
    /// Whether double quotes are about a name (ANSI_QUOTES).
    pub(crate) ansi_quotes: bool,
}

impl Default for Lexis {
    fn default() -> Self {
        Self { vendor: None, backslash: true, ansi_quotes: false }
    }
}

/// Reads tokens one by one.
pub(crate) struct Tokens<'a> {
    rest: &'a str,
    lexis: Lexis,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self::with(text, Lexis::default())
    }

    pub(crate) fn with(text: &'a str, lexis: Lexis) -> Self {
        Self { rest: text, lexis }
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Drops what stands before the next token.
    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\0');
            if let Some(inside) = conditional_comment(self.rest, self.lexis.vendor) {
                self.rest = inside;
            } else if let Some(after) = self.rest.strip_prefix("/*") {
                self.rest = after.split_once("*/").map_or("", |(_, rest)| rest);
            } else if let Some(after) = self.rest.strip_prefix("*/") {
                // The end of a conditional comment.
                self.rest = after;
            } else if self.rest.starts_with('#') || is_dash_comment(self.rest) {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            } else {
                return;
            }
        }
    }
}

/// What MariaDB takes for a comment although it looks like a conditional one: it is about MySQL alone.
const MYSQL_ALONE: std::ops::RangeInclusive<u32> = 50_700..=50_999;

/// Digits of a version in a conditional comment.
const VERSION_DIGITS_MAX: usize = 6;

/// What follows `/*!12345` or `/*M!123456`, where the server ran it. A server that is too old for it
/// writes it into its log as a plain comment.
fn conditional_comment(text: &str, vendor: Option<Vendor>) -> Option<&str> {
    let of_mariadb = text.strip_prefix("/*M!").filter(|_| vendor != Some(Vendor::Mysql));
    let inside = text.strip_prefix("/*!").or(of_mariadb)?;
    let digits = inside.bytes().take_while(u8::is_ascii_digit).count().min(VERSION_DIGITS_MAX);
    let (version, inside) = inside.split_at_checked(digits)?;
    let is_foreign = vendor == Some(Vendor::MariaDb)
        && version.parse().is_ok_and(|version: u32| MYSQL_ALONE.contains(&version));
    (!is_foreign).then_some(inside)
}

fn is_dash_comment(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|after| {
        after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || c.is_control())
    })
}

/// Whether a character can stand in a bare name; `@` and `.` are not among them.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let first = self.rest.chars().next()?;
        match first {
            '`' => {
                let (name, rest) = quoted(self.rest, '`', Escape::Doubled);
                self.rest = rest;
                Some(Token::Quoted(name))
            }
            '"' => {
                let is_plain = self.lexis.ansi_quotes || !self.lexis.backslash;
                let escape = if is_plain { Escape::Doubled } else { Escape::Backslash };
                let (content, rest) = quoted(self.rest, '"', escape);
                self.rest = rest;
                Some(Token::Double(content))
            }
            '\'' => {
                let escape = if self.lexis.backslash { Escape::Backslash } else { Escape::Doubled };
                let (content, rest) = quoted(self.rest, '\'', escape);
                self.rest = rest;
                Some(Token::Text(content))
            }
            c if is_word(c) => {
                let end = self.rest.find(|c: char| !is_word(c)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at_checked(end)?;
                self.rest = rest;
                Some(Token::Word(word.to_owned()))
            }
            c => {
                let (_, rest) = self.rest.split_at_checked(c.len_utf8())?;
                self.rest = rest;
                Some(Token::Mark(c))
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// Only a doubled quote stands for itself.
    Doubled,
    /// A backslash takes the next character along as well.
    Backslash,
}

/// The content of a quoted text, and what stands behind it.
fn quoted(text: &str, quote: char, escape: Escape) -> (String, &str) {
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == '\\' && escape == Escape::Backslash {
            unescape(characters.next().map(|(_, c)| c), &mut content);
        } else if c != quote {
            content.push(c);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            content.push(quote);
        } else {
            let rest = text.split_at_checked(at.saturating_add(quote.len_utf8()));
            return (content, rest.map_or("", |(_, rest)| rest));
        }
    }
    (content, "")
}

/// What a character behind a backslash stands for.
fn unescape(escaped: Option<char>, content: &mut String) {
    match escaped {
        Some('0') => content.push('\0'),
        Some('b') => content.push('\u{8}'),
        Some('n') => content.push('\n'),
        Some('r') => content.push('\r'),
        Some('t') => content.push('\t'),
        Some('Z') => content.push('\u{1a}'),
        // Those of LIKE keep their backslash.
        Some(c @ ('%' | '_')) => content.extend(['\\', c]),
        other => content.extend(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        Tokens::new(text).collect()
    }

    fn word(text: &str) -> Token {
        Token::Word(text.into())
    }

    #[test]
    fn comments_are_skipped_and_conditional_ones_are_read() {
        let text = "-- a\n/* b */ DROP # c\n/*!50503 TABLE */ /*M!100100 x */ --";
        assert_eq!(tokens(text), [word("DROP"), word("TABLE"), word("x")]);
        assert_eq!(tokens("/* open"), []);
        assert_eq!(tokens("5--3").len(), 4);
    }

    #[test]
    fn quoted_names_and_texts_are_unescaped() {
        assert_eq!(tokens("`we``ird`"), [Token::Quoted("we`ird".into())]);
        let text = |content: &str| Token::Text(content.into());
        assert_eq!(tokens(r"'it\'s ''it'''x"), [text("it's 'it'"), word("x")]);
        assert_eq!(tokens(r"'a\tb\\c\%'"), [text("a\tb\\c\\%")]);
        assert_eq!(
            tokens("\"a\"\"b\".t"),
            [Token::Double("a\"b".into()), Token::Mark('.'), word("t")]
        );
        let plain = Lexis { backslash: false, ..Lexis::default() };
        let found: Vec<_> = Tokens::with(r"'a\' x", plain).collect();
        assert_eq!(found, [text(r"a\"), word("x")]);
        assert_eq!(tokens("`open"), [Token::Quoted("open".into())]);
        assert_eq!(tokens("日本"), [word("日本")]);
    }

    #[test]
    fn a_comment_counts_where_its_server_ran_it() {
        let of = |vendor: Option<Vendor>| -> Vec<Token> {
            let text = "a /*!50701 b */ /*M!100100 c */ /*!80023 d */ /*!40101 e */";
            Tokens::with(text, Lexis { vendor, ..Lexis::default() }).collect()
        };
        assert_eq!(of(None), ["a", "b", "c", "d", "e"].map(word));
        assert_eq!(of(Some(Vendor::Mysql)), ["a", "b", "d", "e"].map(word));
        assert_eq!(of(Some(Vendor::MariaDb)), ["a", "c", "d", "e"].map(word));
    }
}
