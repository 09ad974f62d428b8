//! What is done row by row: hashes and truncated texts. NULL stays NULL.

use sha2::{Digest, Sha256};
use sluice_guest::{Column, ComputedColumn, DataType, Failure, Field, TextBuilder};

use crate::{How, Rule};

/// SHA-256 that has already taken the salt.
#[derive(Clone, Debug)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// The zero byte keeps the salt `a` with the value `bc` apart from `ab` with `c`.
    pub(crate) fn salted(salt: &str) -> Self {
        Self(Sha256::new_with_prefix(salt).chain_update([0]))
    }

    fn write(&self, value: &[u8], digits: &mut String) {
        digits.clear();
        let hash = self.0.clone().chain_update(value).finalize();
        for byte in hash {
            for half in [byte >> 4, byte & 15] {
                digits.extend(char::from_digit(u32::from(half), 16));
            }
        }
    }
}

/// What is done to one column that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Hash,
    Truncate { length: usize },
}

impl Work {
    /// # Errors
    /// `mask-type`, where the rule makes no sense for the column's type.
    pub(crate) fn of(rule: &Rule, field: &Field) -> Result<Self, Failure> {
        let refuse = |why: &str| {
            let detail = format!("`{}` is {}: {why}", field.name, field.data_type);
            Err(Failure::new("mask-type", detail))
        };
        match (rule.how, field.data_type) {
            (How::Truncate, DataType::Utf8) => {
                Ok(Self::Truncate { length: rule.length.unwrap_or_default() })
            }
            (How::Truncate, _) => refuse("only text can be truncated"),
            (_, DataType::Boolean) => refuse("a hash of two values hides nothing, use `redact`"),
            (_, DataType::Float32 | DataType::Float64) => {
                refuse("equal floats may print differently, so they have no stable hash")
            }
            (_, DataType::Json) => refuse("one document has many texts, so it has no stable hash"),
            _ => Ok(Self::Hash),
        }
    }

    pub(crate) fn run(
        self,
        column: &Column<'_>,
        hasher: &Hasher,
    ) -> Result<ComputedColumn, Failure> {
        let mut made = TextBuilder::utf8(column.rows());
        match self {
            Self::Truncate { length } => {
                let texts = column.texts()?;
                texts.iter().for_each(|text| made.push_option(text.map(|t| first(t, length))));
            }
            Self::Hash => {
                let mut digits = String::with_capacity(64);
                for row in 0..column.rows() {
                    match column.value(row).hash_bytes() {
                        Some(bytes) => {
                            hasher.write(&bytes, &mut digits);
                            made.push(&digits);
                        }
                        None => made.push_null(),
                    }
                }
            }
        }
        Ok(made.finish())
    }
}

fn first(text: &str, characters: usize) -> &str {
    match text.char_indices().nth(characters) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}
