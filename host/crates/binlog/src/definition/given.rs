//! Definitions that somebody wrote down: a file of statements, such as `mysqldump --no-data` makes, or one
//! JSON object a line with `db`, `table` and `create`, the text of SHOW CREATE TABLE.

use change::Definitions;
use change::definition::{DatabaseDefinition, Known};
use change::{Diagnose, Fault, TableName};

use super::History;
use crate::statement::definition::{Around, Definition, read};
use crate::statement::environment::Environment;
use crate::statement::token::{Token, Tokens};

/// Characters of a statement that an error shows.
const HEAD_CHARACTERS: usize = 80;

/// Why a text gives no definitions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    /// A statement about a table that cannot be read.
    #[error("line {line}: a definition that cannot be read: {head}")]
    Statement {
        /// The line that it starts on, from 1.
        line: usize,
        /// Its first characters.
        head: String,
    },
    /// A table without a database.
    #[error("line {line}: the table {table} without a database")]
    Database {
        /// The line that the statement starts on, from 1.
        line: usize,
        /// The table.
        table: String,
    },
    /// A line that is no JSON object of that form.
    #[error("line {line}: no JSON object with db, table and create")]
    Json {
        /// The line, from 1.
        line: usize,
    },
    /// No definition at all.
    #[error("no definition of a table")]
    Empty,
}

impl Diagnose for GivenError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Statement { .. } => {
                "write the definition as SHOW CREATE TABLE gives it, or leave it out"
            }
            Self::Database { .. } => "write USE database; before it, or database.table",
            Self::Json { .. } => {
                "write one object a line: {\"db\": .., \"table\": .., \"create\": \"CREATE TABLE ..\"}"
            }
            Self::Empty => "make the file with mysqldump --no-data --databases ..",
        };
        Some(hint.to_owned())
    }

    fn fault(&self) -> Fault {
        Fault::Usage
    }
}

/// Reads definitions from the text of a file.
///
/// # Errors
/// [`GivenError`], with the line.
pub fn parse(text: &str) -> Result<Definitions, GivenError> {
    if let Some(first) = text.lines().next().filter(|line| line.starts_with(RECORDED)) {
        let read: Recorded =
            serde_json::from_str(first).map_err(|_| GivenError::Json { line: 1 })?;
        return match read.definitions.is_empty() {
            true => Err(GivenError::Empty),
            false => Ok(read.definitions),
        };
    }
    let mut given = Given::default();
    if text.trim_start().starts_with('{') {
        given.json(text)?;
    } else {
        given.statements(text)?;
    }
    let mut definitions = given.history.definitions().clone();
    if definitions.is_empty() {
        return Err(GivenError::Empty);
    }
    for known in definitions.databases.values_mut() {
        let DatabaseDefinition { is_complete, .. } = known;
        *is_complete = false;
    }
    Ok(definitions)
}

/// How the definitions of a recording begin.
const RECORDED: &str = "{\"definitions\":";

/// Definitions as a recording keeps them beside its log: all of them in one line.
#[derive(serde::Serialize, serde::Deserialize)]
struct Recorded {
    definitions: Definitions,
}

/// The text of definitions that [`parse`] reads.
///
/// # Errors
/// Never for definitions that a server has.
pub fn to_text(definitions: Definitions) -> serde_json::Result<String> {
    Ok(serde_json::to_string(&Recorded { definitions })? + "\n")
}

/// A line with one table.
#[derive(serde::Deserialize)]
struct Line {
    db: String,
    table: String,
    create: String,
}

#[derive(Default)]
struct Given {
    history: History,
}

impl Given {
    fn json(&mut self, text: &str) -> Result<(), GivenError> {
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            let read: Line = serde_json::from_str(text).map_err(|_| GivenError::Json { line })?;
            self.statement(&read.create, &read.db, line)?;
            let name = TableName::new(read.db, read.table);
            if self.history.get(&name).is_none() {
                return Err(unread(&read.create, line));
            }
        }
        Ok(())
    }

    fn statements(&mut self, text: &str) -> Result<(), GivenError> {
        let mut database = String::new();
        let mut rest = text;
        let mut delimiter = ";".to_owned();
        while !rest.trim().is_empty() {
            let line = text.len().saturating_sub(rest.trim_start().len());
            let before = text.get(..line).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            if let Some(behind) = keyword(rest, "DELIMITER") {
                let (word, behind) = behind.split_once('\n').unwrap_or((behind, ""));
                delimiter = word.trim().to_owned();
                rest = behind;
                continue;
            }
            let (statement, behind) = split(rest, &delimiter);
            rest = behind;
            if let Some(name) = keyword(statement, "USE") {
                let name = Tokens::new(name).next();
                database = name.as_ref().and_then(Token::name).unwrap_or_default().to_owned();
            } else {
                self.statement(statement, &database, line)?;
            }
        }
        Ok(())
    }

    /// Takes a statement in; what is about no definition is passed over.
    fn statement(&mut self, text: &str, database: &str, line: usize) -> Result<(), GivenError> {
        let environment = Environment { has_changed_definitions: true, ..Environment::plain(None) };
        let Some(definition) = read(text, Around { database, environment: &environment }) else {
            return Ok(());
        };
        let tables: Vec<_> = self.history.apply(&definition, &environment, "the start");
        for table in tables.iter().flat_map(change::TableAction::tables) {
            if table.database.is_empty() {
                return Err(GivenError::Database { line, table: table.table.clone() });
            }
            let is_lost = matches!(self.history.find(table), Some((_, Known::Lost(_))));
            if is_lost && matches!(definition, Definition::Create { .. } | Definition::Alter { .. })
            {
                return Err(unread(text, line));
            }
        }
        Ok(())
    }
}

fn unread(text: &str, line: usize) -> GivenError {
    let head = text.split_whitespace().collect::<Vec<_>>().join(" ");
    GivenError::Statement { line, head: head.chars().take(HEAD_CHARACTERS).collect() }
}

/// What stands behind a keyword that a statement starts with.
fn keyword<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let mut tokens = Tokens::new(text);
    tokens.next().filter(|first| first.is(keyword)).map(|_| tokens.rest())
}

/// The statement up to the delimiter, and what stands behind that.
fn split<'a>(text: &'a str, delimiter: &str) -> (&'a str, &'a str) {
    if delimiter != ";" && !delimiter.is_empty() {
        return text.split_once(delimiter).unwrap_or((text, ""));
    }
    let mut tokens = Tokens::new(text);
    while let Some(token) = tokens.next() {
        if token == Token::Mark(';') {
            let length = text.len().saturating_sub(tokens.rest().len());
            return text.split_at_checked(length).unwrap_or((text, ""));
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(text: &str) -> Vec<String> {
        let definitions = parse(text).expect("definitions");
        let known = definitions.tables.keys().map(|name| {
            let columns = definitions.get(name).expect("a definition").columns.iter();
            format!("{name} {}", columns.map(|c| c.name.as_str()).collect::<Vec<_>>().join(" "))
        });
        known.collect()
    }

    #[test]
    fn the_definitions_of_a_recording_read_back() {
        let given =
            parse("USE d;\nCREATE TABLE t (id INT PRIMARY KEY, e ENUM('a','b'));").expect("one");
        let text = to_text(given.clone()).expect("text");
        assert_eq!(parse(&text), Ok(given));
        assert_eq!(parse("{\"definitions\":{}}\n"), Err(GivenError::Empty));
        assert_eq!(parse("{\"definitions\":7}"), Err(GivenError::Json { line: 1 }));
    }

    #[test]
    fn a_dump_without_rows_gives_its_tables() {
        let dump = "-- MySQL dump\n/*!40101 SET NAMES utf8 */;\n\
             CREATE DATABASE /*!32312 IF NOT EXISTS*/ `a` /*!40100 DEFAULT CHARACTER SET latin1 */;\n\
             USE `a`;\nDROP TABLE IF EXISTS `t`;\n\
             CREATE TABLE `t` (\n  `x;y` int NOT NULL COMMENT 'a;b',\n  KEY (`x;y`)\n) ENGINE=InnoDB;\n\
             INSERT INTO t VALUES (1);\n\
             DELIMITER ;;\nCREATE PROCEDURE p() BEGIN CREATE TABLE no (a int); END ;;\nDELIMITER ;\n\
             CREATE TABLE IF NOT EXISTS b.u (z text);\nALTER TABLE b.u ADD w int\n";
        assert_eq!(tables(dump), ["a.t x;y", "b.u z w"]);
        let found = parse(dump).expect("definitions");
        assert_eq!(found.databases.get("a").and_then(|d| d.charset.as_deref()), Some("latin1"));
    }

    #[test]
    fn lines_of_show_create_table_give_their_tables() {
        let lines = "{\"db\": \"a\", \"table\": \"t\", \"create\": \"CREATE TABLE `t` (`x` int)\"}\n\n\
             {\"db\": \"b\", \"table\": \"t\", \"create\": \"CREATE TABLE `t` (`y` int)\", \"columns\": []}\n";
        assert_eq!(tables(lines), ["a.t x", "b.t y"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let cases = [
            (
                "\nUSE d;\n\nCREATE TABLE t (a",
                "line 4: a definition that cannot be read: CREATE TABLE t (a",
            ),
            ("CREATE TABLE t (a int)", "line 1: the table t without a database"),
            (
                "CREATE TABLE d.t AS SELECT 1;",
                "line 1: a definition that cannot be read: CREATE TABLE d.t AS SELECT 1;",
            ),
            ("{\"db\": 1}", "line 1: no JSON object with db, table and create"),
            ("SELECT 1;", "no definition of a table"),
            ("", "no definition of a table"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
