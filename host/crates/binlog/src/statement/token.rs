//! The tokens of a statement: words, quoted names, everything else.
//!
//! It knows as much of SQL's lexical rules as it takes to find the names of tables: comments, conditional
//! comments (`/*! … */`, `/*M! … */`, whose content counts), strings and quoted names. It never fails:
//! what ends too early ends with the text.

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a bare name, as written.
    Word(String),
    /// A name in backticks, or a text in double quotes (a name under ANSI_QUOTES).
    Quoted(String),
    /// A literal text. Its content is not kept.
    Text,
    /// Any other character.
    Mark(char),
}

impl Token {
    /// Whether it is this keyword (in upper case).
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The name that it stands for, where it can be one.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Text | Self::Mark(_) => None,
        }
    }
}

/// Reads tokens one by one.
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Drops what stands before the next token.
    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\0');
            if let Some(inside) = conditional_comment(self.rest) {
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

/// What follows `/*!12345` or `/*M!123456`.
fn conditional_comment(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("/*!").or_else(|| text.strip_prefix("/*M!"))?;
    Some(inside.trim_start_matches(|c: char| c.is_ascii_digit()))
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
                let (name, rest) = quoted(self.rest, '"', Escape::Backslash);
                self.rest = rest;
                Some(Token::Quoted(name))
            }
            '\'' => {
                let (_, rest) = quoted(self.rest, '\'', Escape::Backslash);
                self.rest = rest;
                Some(Token::Text)
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
            content.extend(characters.next().map(|(_, c)| c));
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
    fn quoted_names_are_unescaped_and_texts_are_not_kept() {
        assert_eq!(tokens("`we``ird`"), [Token::Quoted("we`ird".into())]);
        assert_eq!(tokens(r"'it\'s ''it'''x"), [Token::Text, word("x")]);
        assert_eq!(
            tokens("\"a\"\"b\".t"),
            [Token::Quoted("a\"b".into()), Token::Mark('.'), word("t")]
        );
        assert_eq!(tokens("`open"), [Token::Quoted("open".into())]);
        assert_eq!(tokens("日本"), [word("日本")]);
    }
}
