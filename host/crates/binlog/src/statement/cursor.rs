//! A walk over the tokens of a statement. It only ever moves forward, and takes what is not there for
//! what is absent.

use change::TableName;

use super::token::Token;

/// Tokens that have not been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(&'a [Token]);

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self(tokens)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn peek(self) -> Option<&'a Token> {
        self.0.first()
    }

    pub(super) fn peek_is(self, keyword: &str) -> bool {
        self.peek().is_some_and(|token| token.is(keyword))
    }

    /// Whether the next token but one is this keyword.
    pub(super) fn second_is(self, keyword: &str) -> bool {
        self.0.get(1).is_some_and(|token| token.is(keyword))
    }

    pub(super) fn peek_mark(self, mark: char) -> bool {
        self.peek() == Some(&Token::Mark(mark))
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Passes over a keyword.
    pub(super) fn skip(&mut self, keyword: &str) -> bool {
        let is_there = self.peek_is(keyword);
        if is_there {
            let _ = self.next();
        }
        is_there
    }

    /// Passes over one of some keywords.
    pub(super) fn skip_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.skip(keyword))
    }

    /// Passes over keywords that follow each other; over none where they do not.
    pub(super) fn skip_all(&mut self, keywords: &[&str]) -> bool {
        let mut ahead = *self;
        let is_there = keywords.iter().all(|keyword| ahead.skip(keyword));
        if is_there {
            *self = ahead;
        }
        is_there
    }

    pub(super) fn skip_mark(&mut self, mark: char) -> bool {
        let is_there = self.peek_mark(mark);
        if is_there {
            let _ = self.next();
        }
        is_there
    }

    /// `IF [NOT] EXISTS`.
    pub(super) fn skip_exists(&mut self) -> bool {
        self.skip_all(&["IF", "NOT", "EXISTS"]) || self.skip_all(&["IF", "EXISTS"])
    }

    /// A word of an option, behind an optional `=`, in lower case.
    pub(super) fn option_word(&mut self) -> Option<String> {
        let _ = self.skip_mark('=');
        match self.next()? {
            Token::Word(word) | Token::Quoted(word) | Token::Double(word) | Token::Text(word) => {
                Some(word.to_lowercase())
            }
            Token::Mark(_) => None,
        }
    }

    /// A name that stands alone.
    pub(super) fn name(&mut self) -> Option<String> {
        let name = self.peek()?.name()?.to_owned();
        let _ = self.next();
        Some(name)
    }

    /// The name of a column, with or without that of its table in front.
    pub(super) fn column_name(&mut self) -> Option<String> {
        let mut name = self.name()?;
        while self.skip_mark('.') {
            name = self.name()?;
        }
        Some(name)
    }

    /// `name`, `database.name` or `.name`.
    pub(super) fn table_name(&mut self, database: &str) -> Option<TableName> {
        let _ = self.skip_mark('.');
        let first = self.name()?;
        if !self.skip_mark('.') {
            return Some(TableName::new(database, first));
        }
        Some(TableName::new(first, self.name()?))
    }

    /// What stands between the parentheses that come next; none where there are none.
    pub(super) fn group(&mut self) -> Option<Self> {
        if !self.peek_mark('(') {
            return None;
        }
        let (_, inside) = self.0.split_first()?;
        let mut depth = 1_usize;
        let end = inside.iter().position(|token| {
            match token {
                Token::Mark('(') => depth = depth.saturating_add(1),
                Token::Mark(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        });
        let (inside, rest) = inside.split_at_checked(end.unwrap_or(inside.len()))?;
        self.0 = rest.split_first().map_or(rest, |(_, behind)| behind);
        Some(Self(inside))
    }

    /// The pieces between the commas that stand in no parentheses.
    pub(super) fn pieces(self) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut rest = self;
        let mut start = self.0;
        while !rest.is_empty() {
            let before = rest.0.len();
            if rest.peek_mark('(') {
                let _ = rest.group();
            } else if rest.skip_mark(',') {
                let length = start.len().saturating_sub(before);
                pieces.extend(start.split_at_checked(length).map(|(piece, _)| Self(piece)));
                start = rest.0;
            } else {
                let _ = rest.next();
            }
        }
        pieces.push(Self(start));
        pieces
    }
}
