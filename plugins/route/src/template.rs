//! Values with placeholders: `{table}_v2`, `{column:tenant_id}`.

/// A part of a value. `C` tells a column: its name as written, then its place in what is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece<C> {
    Text(String),
    Column(C),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
    Column(String),
}

/// A value with placeholders, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

impl Template {
    /// # Errors
    /// A brace without its partner, or an empty name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "placeholders are written `{variable}` or `{column:name}`".to_owned();
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once('{') {
            let (inner, after) = tail.split_once('}').ok_or_else(wrong)?;
            if before.contains('}') || inner.contains('{') {
                return Err(wrong());
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(match inner.split_once(':') {
                Some(("column", name)) if !name.is_empty() => Part::Column(name.to_owned()),
                None if !inner.is_empty() => Part::Variable(inner.to_owned()),
                _ => return Err(wrong()),
            });
            rest = after;
        }
        if rest.contains('}') {
            return Err(wrong());
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Puts values for variables and places for columns.
    pub(crate) fn resolve<E>(
        &self,
        variable: impl Fn(&str) -> Result<String, E>,
        mut column: impl FnMut(&str) -> Result<usize, E>,
    ) -> Result<Vec<Piece<usize>>, E> {
        let piece = |part: &Part| {
            Ok(match part {
                Part::Text(text) => Piece::Text(text.clone()),
                Part::Variable(name) => Piece::Text(variable(name)?),
                Part::Column(name) => Piece::Column(column(name)?),
            })
        };
        self.0.iter().map(piece).collect()
    }
}

/// The value, where no column is a part of it.
pub(crate) fn constant(pieces: &[Piece<usize>]) -> Option<String> {
    let text = |piece: &Piece<usize>| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Column(_) => None,
    };
    pieces.iter().map(text).collect()
}
