//! From an expression to tests on one table's columns: names and types are settled here, so that
//! nothing is left to decide per row.

mod leaf;

use sluice_guest::{DataType, Failure, TableSchema};

use crate::expression::{Comparison, Expression, Literal, Name, Operand};
use crate::like::{Pattern, Unit};
use crate::mistake::Mistake;
use crate::truth::Test;

/// The columns that an expression looks at, each once.
///
/// # Errors
/// `unknown-column`, with all that the table lacks and those that it has.
pub(crate) fn columns(
    expression: &Expression,
    table: &TableSchema,
) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    collect(expression, &mut names);
    let mut reads: Vec<String> = Vec::new();
    for name in names {
        if !reads.contains(&name.name) {
            reads.push(name.name.clone());
        }
    }
    let unknown = |name: &&String| table.find(name).is_none();
    let unknown: Vec<String> =
        reads.iter().filter(unknown).map(|name| format!("`{name}`")).collect();
    if unknown.is_empty() {
        return Ok(reads);
    }
    let known: Vec<&str> = table.fields.iter().map(|f| f.name.as_str()).collect();
    let detail = format!(
        "table {}.{} has no column {} (it has: {}; names are case-sensitive)",
        table.database,
        table.table,
        unknown.join(", "),
        known.join(", ")
    );
    Err(Failure::new("unknown-column", detail))
}

fn collect<'e>(expression: &'e Expression, names: &mut Vec<&'e Name>) {
    match expression {
        Expression::Known(_) => {}
        Expression::Any(parts) | Expression::All(parts) => {
            parts.iter().for_each(|part| collect(part, names));
        }
        Expression::Not(part) | Expression::Is(part, _) => collect(part, names),
        Expression::Column(name) | Expression::IsNull(name) | Expression::In(name, _) => {
            names.push(name);
        }
        Expression::Like { column, .. } => names.push(column),
        Expression::Compare(left, _, right) => {
            names.extend([left, right].into_iter().filter_map(|side| match side {
                Operand::Column(name) => Some(name),
                Operand::Literal(_) => None,
            }));
        }
    }
}

/// A column as `process` gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    slot: usize,
    data_type: DataType,
    /// Whether it is the source's BINARY: what UUID, INET4 and INET6 look like where the log says no
    /// more.
    is_binary: bool,
    name: &'a Name,
}

/// Settles an expression for a table; `reads` are the columns in the order in which they come.
///
/// # Errors
/// A comparison that the types do not allow.
pub(crate) fn compile(
    expression: &Expression,
    table: &TableSchema,
    reads: &[String],
) -> Result<Test, Mistake> {
    let scope = Scope { table, reads };
    scope.test(expression)
}

struct Scope<'a> {
    table: &'a TableSchema,
    reads: &'a [String],
}

impl Scope<'_> {
    fn test(&self, expression: &Expression) -> Result<Test, Mistake> {
        Ok(match expression {
            Expression::Known(truth) => Test::Known(*truth),
            Expression::Any(parts) => Test::Any(self.tests(parts)?),
            Expression::All(parts) => Test::All(self.tests(parts)?),
            Expression::Not(part) => Test::Not(Box::new(self.test(part)?)),
            Expression::Is(part, truth) => Test::Is(Box::new(self.test(part)?), *truth),
            Expression::IsNull(name) => Test::IsNull(self.bind(name)?.slot),
            Expression::Column(name) => leaf::truth_value(self.bind(name)?)?,
            Expression::In(name, list) => leaf::member(self.bind(name)?, list)?,
            Expression::Like { column, pattern, escape } => self.like(column, pattern, *escape)?,
            Expression::Compare(left, comparison, right) => {
                self.compare(left, *comparison, right)?
            }
        })
    }

    fn tests(&self, parts: &[Expression]) -> Result<Vec<Test>, Mistake> {
        parts.iter().map(|part| self.test(part)).collect()
    }

    fn compare(
        &self,
        left: &Operand,
        comparison: Comparison,
        right: &Operand,
    ) -> Result<Test, Mistake> {
        let with = |name: &Name, comparison, literal: &Literal| {
            leaf::constant(self.bind(name)?, comparison, literal)
        };
        match (left, right) {
            (Operand::Column(name), Operand::Literal(literal)) => with(name, comparison, literal),
            (Operand::Literal(literal), Operand::Column(name)) => {
                with(name, comparison.mirrored(), literal)
            }
            (Operand::Column(left), Operand::Column(right)) => {
                leaf::pair(self.bind(left)?, comparison, self.bind(right)?)
            }
            (Operand::Literal(left), Operand::Literal(_)) => {
                Err(Mistake::new(left.at, "two constants are compared"))
            }
        }
    }

    fn like(&self, name: &Name, text: &str, escape: Option<char>) -> Result<Test, Mistake> {
        let bound = self.bind(name)?;
        let pattern = Pattern::new(text, escape, name.at)?;
        let unit = match bound.data_type {
            DataType::Utf8 | DataType::Json => Unit::Character,
            DataType::Binary => Unit::Byte,
            other => {
                let message = format!("`{}` is {other}; `like` needs a text column", name.name);
                return Err(Mistake::new(name.at, message));
            }
        };
        Ok(leaf::bytes(bound.slot, move |value| pattern.fits(value, unit)))
    }

    fn bind<'n>(&self, name: &'n Name) -> Result<Bound<'n>, Mistake> {
        let slot = self.reads.iter().position(|read| *read == name.name);
        match (slot, self.table.find(&name.name)) {
            (Some(slot), Some((_, field))) => Ok(Bound {
                slot,
                data_type: field.data_type,
                is_binary: field.source_type.as_deref() == Some("binary"),
                name,
            }),
            _ => Err(Mistake::new(name.at, format!("there is no column `{}`", name.name))),
        }
    }
}
