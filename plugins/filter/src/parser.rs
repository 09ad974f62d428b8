//! From tokens to an expression. Binds as in SQL: `not` before `and` before `or`.

use crate::expression::{Comparison, Constant, Expression, Literal, Name, Operand};
use crate::lexer::{Kind, Token, tokens};
use crate::mistake::Mistake;

/// Parentheses and `not` within one another; a guest's stack is small.
const DEPTH_MAX: usize = 100;

/// Words that are no column unless they are quoted.
const KEYWORDS: [&str; 12] =
    ["and", "or", "not", "in", "like", "escape", "between", "is", "null", "true", "false", "where"];

/// Reads a whole condition.
pub(crate) fn parse(text: &str) -> Result<Expression, Mistake> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let expression = parser.any()?;
    match parser.peek() {
        Token { kind: Kind::End, .. } => Ok(expression),
        token => Err(Mistake::new(
            token.at,
            format!("expected `and`, `or` or the end, found {}", told(token)),
        )),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

static END: Token = Token { at: 0, kind: Kind::End };

impl Parser {
    fn any(&mut self) -> Result<Expression, Mistake> {
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Mistake> {
        let mut parts = vec![self.not()?];
        while self.word("and") {
            parts.push(self.not()?);
        }
        Ok(single_or(parts, Expression::All))
    }

    fn not(&mut self) -> Result<Expression, Mistake> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Mistake::new(self.peek().at, format!("more than {DEPTH_MAX} levels")));
        }
        let expression = match self.word("not") {
            true => Expression::Not(Box::new(self.not()?)),
            false => self.predicate()?,
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn predicate(&mut self) -> Result<Expression, Mistake> {
        if self.sign("(") {
            let inner = self.any()?;
            self.expect_sign(")")?;
            return self.suffix_is(inner);
        }
        let left = self.operand("a column or a value")?;
        let token = self.peek().clone();
        if let Kind::Sign(sign) = token.kind
            && let Some(comparison) = Comparison::of_sign(sign)
        {
            self.next += 1;
            let right = self.operand(&format!("a value after `{sign}`"))?;
            return compare(left, comparison, right, token.at);
        }
        let negated = self.word("not");
        let found = if self.word("in") {
            Expression::In(column(left, "in")?, self.list()?)
        } else if self.word("like") {
            self.like(column(left, "like")?)?
        } else if self.word("between") {
            self.between(left)?
        } else if negated {
            return Err(self.expected("`in`, `like` or `between` after `not`"));
        } else {
            return self.lone(left);
        };
        Ok(if negated { Expression::Not(Box::new(found)) } else { found })
    }

    fn lone(&mut self, operand: Operand) -> Result<Expression, Mistake> {
        match operand {
            Operand::Column(name) if matches!(&self.peek().kind, Kind::Word(w) if w.eq_ignore_ascii_case("is")) => {
                self.is_of_column(name)
            }
            Operand::Column(name) => Ok(Expression::Column(name)),
            Operand::Literal(Literal { constant: Constant::Boolean(bit), .. }) => {
                self.suffix_is(Expression::Known(Some(bit)))
            }
            Operand::Literal(Literal { constant: Constant::Null, .. }) => {
                self.suffix_is(Expression::Known(None))
            }
            Operand::Literal(_) => Err(self.expected("a comparison, such as `=`")),
        }
    }

    fn is_of_column(&mut self, name: Name) -> Result<Expression, Mistake> {
        self.next += 1;
        let negated = self.word("not");
        let found = if self.word("null") {
            Expression::IsNull(name)
        } else {
            Expression::Is(Box::new(Expression::Column(name)), Some(self.true_or_false()?))
        };
        Ok(if negated { Expression::Not(Box::new(found)) } else { found })
    }

    fn suffix_is(&mut self, inner: Expression) -> Result<Expression, Mistake> {
        if !self.word("is") {
            return Ok(inner);
        }
        let negated = self.word("not");
        let wanted = if self.word("null") { None } else { Some(self.true_or_false()?) };
        let found = Expression::Is(Box::new(inner), wanted);
        Ok(if negated { Expression::Not(Box::new(found)) } else { found })
    }

    fn true_or_false(&mut self) -> Result<bool, Mistake> {
        if self.word("true") {
            Ok(true)
        } else if self.word("false") {
            Ok(false)
        } else {
            Err(self.expected("`null`, `true` or `false` after `is`"))
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, Mistake> {
        self.expect_sign("(")?;
        let mut list = vec![self.literal("a value in the list")?];
        while self.sign(",") {
            list.push(self.literal("a value after `,`")?);
        }
        self.expect_sign(")")?;
        Ok(list)
    }

    fn like(&mut self, column: Name) -> Result<Expression, Mistake> {
        let pattern = self.text("a pattern in single quotes after `like`")?;
        let mut escape = Some('\\');
        if self.word("escape") {
            let at = self.peek().at;
            let text = self.text("one character in single quotes after `escape`")?;
            let mut characters = text.chars();
            escape = characters.next();
            if characters.next().is_some() {
                return Err(Mistake::new(at, "an escape is one character, or '' for none"));
            }
        }
        Ok(Expression::Like { column, pattern, escape })
    }

    fn between(&mut self, operand: Operand) -> Result<Expression, Mistake> {
        let at = self.peek().at;
        let low = self.operand("a value after `between`")?;
        if !self.word("and") {
            return Err(self.expected("`and` and the upper bound"));
        }
        let high = self.operand("a value after `and`")?;
        Ok(Expression::All(vec![
            compare(operand.clone(), Comparison::GreaterOrEqual, low, at)?,
            compare(operand, Comparison::LessOrEqual, high, at)?,
        ]))
    }

    fn operand(&mut self, wanted: &str) -> Result<Operand, Mistake> {
        let at = self.peek().at;
        match &self.peek().kind {
            Kind::Name(name) => {
                let name = name.clone();
                self.next += 1;
                Ok(Operand::Column(Name { at, name }))
            }
            Kind::Word(word) if !is_keyword(word) => {
                let name = word.clone();
                self.next += 1;
                Ok(Operand::Column(Name { at, name }))
            }
            _ => self.literal(wanted).map(Operand::Literal),
        }
    }

    fn literal(&mut self, wanted: &str) -> Result<Literal, Mistake> {
        let Token { at, kind } = self.peek().clone();
        let constant = match kind {
            Kind::Text(text) => Constant::Text(text),
            Kind::Bytes(bytes) => Constant::Bytes(bytes),
            Kind::Number(number) => Constant::Number(number),
            Kind::Word(word) if word.eq_ignore_ascii_case("null") => Constant::Null,
            Kind::Word(word) if word.eq_ignore_ascii_case("true") => Constant::Boolean(true),
            Kind::Word(word) if word.eq_ignore_ascii_case("false") => Constant::Boolean(false),
            Kind::Sign("-") => {
                self.next += 1;
                return self.negative(at);
            }
            _ => return Err(self.expected(wanted)),
        };
        self.next += 1;
        Ok(Literal { at, constant })
    }

    fn negative(&mut self, at: usize) -> Result<Literal, Mistake> {
        let Kind::Number(mut number) = self.peek().kind.clone() else {
            return Err(self.expected("a number after `-`"));
        };
        self.next += 1;
        number.unscaled = -number.unscaled;
        Ok(Literal { at, constant: Constant::Number(number) })
    }

    fn text(&mut self, wanted: &str) -> Result<String, Mistake> {
        let Kind::Text(text) = self.peek().kind.clone() else {
            return Err(self.expected(wanted));
        };
        self.next += 1;
        Ok(text)
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.next).unwrap_or(&END)
    }

    /// Takes a keyword where it comes next.
    fn word(&mut self, keyword: &str) -> bool {
        let found = matches!(&self.peek().kind, Kind::Word(w) if w.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    /// Takes a sign where it comes next.
    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(&self.peek().kind, Kind::Sign(s) if *s == sign);
        self.next += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), Mistake> {
        if self.sign(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    fn expected(&self, wanted: &str) -> Mistake {
        let token = self.peek();
        Mistake::new(token.at, format!("expected {wanted}, found {}", told(token)))
    }
}

fn single_or(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            join(parts)
        }
        (_, None) => join(parts),
    }
}

fn compare(
    left: Operand,
    comparison: Comparison,
    right: Operand,
    at: usize,
) -> Result<Expression, Mistake> {
    for side in [&left, &right] {
        if let Operand::Literal(Literal { at, constant: Constant::Null }) = side {
            return Err(Mistake::new(
                *at,
                "nothing compares with null: write `is null` or `is not null`",
            ));
        }
    }
    match (&left, &right) {
        (Operand::Literal(_), Operand::Literal(_)) => {
            Err(Mistake::new(at, "two constants are compared: one side must be a column"))
        }
        _ => Ok(Expression::Compare(left, comparison, right)),
    }
}

fn column(operand: Operand, keyword: &str) -> Result<Name, Mistake> {
    match operand {
        Operand::Column(name) => Ok(name),
        Operand::Literal(literal) => {
            Err(Mistake::new(literal.at, format!("expected a column before `{keyword}`")))
        }
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn told(token: &Token) -> String {
    match &token.kind {
        Kind::Word(word) if is_keyword(word) => format!("the keyword `{word}`"),
        Kind::Word(word) | Kind::Name(word) => format!("`{word}`"),
        Kind::Text(_) => "a text".to_owned(),
        Kind::Bytes(_) => "bytes".to_owned(),
        Kind::Number(number) => format!("`{number}`"),
        Kind::Sign(sign) => format!("`{sign}`"),
        Kind::End => "the end".to_owned(),
    }
}
