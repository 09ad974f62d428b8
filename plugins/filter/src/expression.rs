//! What the text means, before any table is known.

use std::cmp::Ordering;

use sluice_guest::Decimal;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    /// `true`, `false`, `null`.
    Known(Option<bool>),
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    /// A column that is a truth value.
    Column(Name),
    Compare(Operand, Comparison, Operand),
    In(Name, Vec<Literal>),
    Like {
        column: Name,
        pattern: String,
        escape: Option<char>,
    },
    IsNull(Name),
    /// `is true`, `is false`, and for a condition `is null`.
    Is(Box<Expression>, Option<bool>),
}

/// A column's name and its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name {
    pub(crate) at: usize,
    pub(crate) name: String,
}

/// A constant and its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Literal {
    pub(crate) at: usize,
    pub(crate) constant: Constant,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    Null,
    Boolean(bool),
    Number(Decimal),
    Text(String),
    Bytes(Vec<u8>),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Column(Name),
    Literal(Literal),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn of_sign(sign: &str) -> Option<Self> {
        Some(match sign {
            "=" => Self::Equal,
            "<>" | "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    /// The same with its sides swapped.
    pub(crate) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }

    /// Whether the left side stands so to the right one.
    pub(crate) fn accepts(self, left_to_right: Ordering) -> bool {
        match self {
            Self::Equal => left_to_right.is_eq(),
            Self::NotEqual => left_to_right.is_ne(),
            Self::Less => left_to_right.is_lt(),
            Self::LessOrEqual => left_to_right.is_le(),
            Self::Greater => left_to_right.is_gt(),
            Self::GreaterOrEqual => left_to_right.is_ge(),
        }
    }
}
