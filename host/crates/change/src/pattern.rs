//! Which tables are meant: `db.table` with `*`, or a regular expression between slashes that has to
//! match the whole of `db.table`.

use regex::Regex;

use crate::schema::TableName;

/// A pattern that cannot be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PatternError {
    /// Neither `db.table` nor `/expression/`.
    #[error(
        "`{0}` is not a table pattern: write `database.table`, with `*` for any text, or a regular expression between slashes"
    )]
    Shape(String),
    /// The expression between the slashes is wrong.
    #[error("`{pattern}` is not a regular expression: {reason}")]
    Expression {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A list of patterns; a table matches where any of them does.
#[derive(Clone, Debug, Default)]
pub struct TablePatterns {
    patterns: Vec<(String, Regex)>,
    /// What each pattern says of the database alone; none where it cannot be told apart.
    databases: Vec<Option<Regex>>,
}

impl TablePatterns {
    /// # Errors
    /// At the first pattern that cannot be read.
    pub fn parse<S: AsRef<str>>(patterns: &[S]) -> Result<Self, PatternError> {
        let compile = |text: &str| -> Result<(String, Regex), PatternError> {
            let source = expression_of(text)?;
            let regex = Regex::new(&source).map_err(|e| PatternError::Expression {
                pattern: text.to_owned(),
                reason: e.to_string(),
            })?;
            Ok((text.to_owned(), regex))
        };
        let databases = patterns.iter().map(|p| database_of(p.as_ref())).collect();
        let patterns = patterns.iter().map(|p| compile(p.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { patterns, databases })
    }

    /// Whether some table of a database may be meant. Where an expression does not tell its database
    /// apart from its table, the answer is yes.
    #[must_use]
    pub fn may_match_database(&self, database: &str) -> bool {
        self.databases.iter().any(|d| d.as_ref().is_none_or(|regex| regex.is_match(database)))
    }

    /// Whether a table is meant.
    #[must_use]
    pub fn matches(&self, name: &TableName) -> bool {
        self.matching(name).is_some()
    }

    /// The first pattern that a table matches, as written.
    #[must_use]
    pub fn matching(&self, name: &TableName) -> Option<&str> {
        let text = name.to_string();
        self.patterns.iter().find(|(_, regex)| regex.is_match(&text)).map(|(p, _)| p.as_str())
    }

    /// The patterns as written.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|(text, _)| text.as_str())
    }

    /// Whether there is no pattern at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

fn expression_of(text: &str) -> Result<String, PatternError> {
    if let Some(inner) = text.strip_prefix('/').and_then(|t| t.strip_suffix('/')) {
        return Ok(format!("^(?:{inner})$"));
    }
    let shape = || PatternError::Shape(text.to_owned());
    let (database, table) = text.split_once('.').ok_or_else(shape)?;
    if database.is_empty() || table.is_empty() {
        return Err(shape());
    }
    let glob = |part: &str| part.split('*').map(regex::escape).collect::<Vec<_>>().join(".*");
    Ok(format!("(?s)^{}\\.{}$", glob(database), glob(table)))
}

/// The part of a pattern before the point, where there is exactly one and it is an expression itself.
fn database_of(text: &str) -> Option<Regex> {
    let source = if let Some(inner) = text.strip_prefix('/').and_then(|t| t.strip_suffix('/')) {
        let (database, table) = inner.split_once("\\.")?;
        // Both halves have to stand alone: `a|b\.c` does not split at its point.
        let alone = |part: &str| !part.contains('|') && Regex::new(part).is_ok();
        if !alone(database) || !alone(table) {
            return None;
        }
        format!("^(?:{database})$")
    } else {
        let (database, _) = text.split_once('.')?;
        let glob = database.split('*').map(regex::escape).collect::<Vec<_>>().join(".*");
        format!("(?s)^{glob}$")
    };
    Regex::new(&source).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_told_apart_where_the_pattern_allows_it() {
        let may = |pattern: &str, database: &str| {
            TablePatterns::parse(&[pattern]).expect("valid").may_match_database(database)
        };
        assert!(may("shop*.orders", "shop_1") && !may("shop*.orders", "other"));
        assert!(may("/shop_[0-9]+\\.orders/", "shop_12"));
        assert!(!may("/shop_[0-9]+\\.orders/", "shop_x"));
        // Not told apart: yes.
        assert!(may("/(shop|web)\\.orders/", "other") && may("/.*orders/", "other"));
    }

    fn matches(pattern: &str, database: &str, table: &str) -> bool {
        let patterns = TablePatterns::parse(&[pattern]).expect("valid");
        patterns.matches(&TableName::new(database, table))
    }

    #[test]
    fn a_star_is_any_text_and_everything_else_is_itself() {
        assert!(matches("shop.orders_*", "shop", "orders_2024"));
        assert!(!matches("shop.orders_*", "shop", "order"));
        assert!(!matches("shop.a+b", "shop", "aab"));
        assert!(matches("*.*", "any", "thing"));
    }

    #[test]
    fn an_expression_has_to_match_the_whole_name() {
        assert!(matches("/shop_[0-9]+\\.orders/", "shop_12", "orders"));
        assert!(!matches("/shop_[0-9]+\\.orders/", "shop_12", "orders_old"));
        assert!(!matches("/a|shop\\.b/", "shop", "bc"));
    }

    #[test]
    fn a_mistake_is_named() {
        insta::assert_snapshot!(TablePatterns::parse(&["orders"]).unwrap_err(), @"`orders` is not a table pattern: write `database.table`, with `*` for any text, or a regular expression between slashes");
        assert!(TablePatterns::parse(&["/(/"]).is_err());
    }
}
