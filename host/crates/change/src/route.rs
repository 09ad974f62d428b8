//! Routes: placeholders with their values, and the path that they make of a template.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Bytes of a route value; a file system's limit for one path segment.
pub const ROUTE_VALUE_BYTES_MAX: usize = 255;

/// Placeholders of the target path and their values; `db` and `table` are always among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route(pub BTreeMap<String, String>);

impl Route {
    /// The route of a table before any plugin spoke.
    #[must_use]
    pub fn of_table(database: &str, table: &str) -> Self {
        let pairs = [("db", database), ("table", table)];
        Self(pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    /// The same route with some placeholders set or overwritten.
    #[must_use]
    pub fn with<'a>(&self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut next = self.clone();
        next.0.extend(variables.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())));
        next
    }
}

/// Where a target lies: a rendered template.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetPath(pub Arc<str>);

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a template or a route cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RouteError {
    /// A brace without its partner, or an empty name.
    #[error("`{0}` is not a path template: placeholders are written `{{name}}`")]
    Template(String),
    /// A part of the path behind the first placeholder that names no folder of its own: the same
    /// folder would have two names.
    #[error(
        "the path template `{0}` has an empty segment, `.` or `..` behind its first placeholder"
    )]
    Segment(String),
    /// The path asks for a placeholder that nobody sets.
    #[error(
        "the path has the placeholder `{name}`, but table {table} has no such route variable (it has: {known})"
    )]
    Unknown {
        /// The placeholder.
        name: String,
        /// The route's `db.table`.
        table: String,
        /// The variables that there are.
        known: String,
    },
    /// A value that is not one path segment. The value itself is not told: it may come from a row.
    #[error("the route variable `{name}` {reason}")]
    Value {
        /// The placeholder.
        name: String,
        /// What is wrong with the value.
        reason: &'static str,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(String),
}

/// A path with placeholders, such as `/lake/{db}/{table}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    source: String,
    pieces: Vec<Piece>,
}

impl PathTemplate {
    /// # Errors
    /// Where a brace has no partner or a placeholder no name, or a segment behind the first
    /// placeholder is empty, `.` or `..`.
    pub fn parse(source: &str) -> Result<Self, RouteError> {
        let wrong = || RouteError::Template(source.to_owned());
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some((text, tail)) = rest.split_once('{') {
            let (name, after) = tail.split_once('}').ok_or_else(wrong)?;
            if text.contains('}') || name.is_empty() || name.contains('{') {
                return Err(wrong());
            }
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(Piece::Placeholder(name.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(wrong());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let template = Self { source: source.to_owned(), pieces };
        let below = source.strip_prefix(template.prefix()).unwrap_or_default();
        let below = below.strip_prefix('/').unwrap_or(below);
        let mut segments = below.strip_suffix('/').unwrap_or(below).split('/');
        if !below.is_empty() && segments.any(|s| matches!(s, "" | "." | "..")) {
            return Err(RouteError::Segment(source.to_owned()));
        }
        Ok(template)
    }

    /// The template as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|p| match p {
            Piece::Placeholder(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The folder below which every rendered path lies: all up to the last `/` before the first
    /// placeholder.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) if self.pieces.len() > 1 => {
                text.rsplit_once('/').map_or("", |(folder, _)| folder)
            }
            _ => &self.source,
        }
    }

    /// The path of a route.
    ///
    /// # Errors
    /// Where a placeholder has no variable, or a value is not one safe path segment.
    pub fn render(&self, route: &Route) -> Result<TargetPath, RouteError> {
        let mut path = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Placeholder(name) => {
                    let value = route.0.get(name).ok_or_else(|| unknown(name, route))?;
                    check_value(name, value)?;
                    path.push_str(value);
                }
            }
        }
        Ok(TargetPath(path.into()))
    }
}

fn unknown(name: &str, route: &Route) -> RouteError {
    let value = |k: &str| route.0.get(k).map_or("", String::as_str);
    RouteError::Unknown {
        name: name.to_owned(),
        table: format!("{}.{}", value("db"), value("table")),
        known: route.0.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}

/// Whether a value may stand for a placeholder: one path segment, nothing that leaves its folder.
///
/// # Errors
/// Names what is wrong with it, never the value.
pub fn check_value(name: &str, value: &str) -> Result<(), RouteError> {
    let reason = match value {
        "" => "is empty",
        "." | ".." => "is `.` or `..`",
        _ if value.contains(['/', '\\']) => "contains a slash or backslash",
        _ if value.chars().any(char::is_control) => "contains a control character",
        _ if value.len() > ROUTE_VALUE_BYTES_MAX => "is longer than 255 bytes",
        _ => return Ok(()),
    };
    Err(RouteError::Value { name: name.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_their_values() {
        let template = PathTemplate::parse("/lake/{region}/{db}/{table}_v1").expect("valid");
        let route = Route::of_table("shop", "orders").with([("region", "eu")]);
        assert_eq!(
            template.render(&route).map(|p| p.to_string()),
            Ok("/lake/eu/shop/orders_v1".into())
        );
        assert_eq!(template.prefix(), "/lake");
        assert_eq!(PathTemplate::parse("/lake/all").expect("valid").prefix(), "/lake/all");
    }

    #[test]
    fn a_folder_has_one_name_only() {
        for bad in
            ["/lake/{db}//{table}", "/lake/{db}/./t", "/lake/{db}/../x", "{db}/{t}//", "/{db}/."]
        {
            let error = PathTemplate::parse(bad).expect_err(bad);
            assert_eq!(error, RouteError::Segment(bad.to_owned()));
        }
        // What stands before the first placeholder is written the same way every time.
        for good in
            ["/a//b/./../{db}/{t}/", "s3://bucket/{db}", "/x//y", "/{db}", "{db}", "/a/.{db}"]
        {
            assert!(PathTemplate::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_value_never_leaves_its_folder() {
        let template = PathTemplate::parse("/lake/{table}").expect("valid");
        for bad in ["", ".", "..", "a/b", "a\\b", "a\nb", "\0"] {
            let route = Route::of_table("d", bad);
            assert!(template.render(&route).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert!(PathTemplate::parse("/lake/{db").is_err());
        assert!(PathTemplate::parse("/lake/}db{").is_err());
        assert!(PathTemplate::parse("/lake/{}").is_err());
        let template = PathTemplate::parse("/lake/{shard}").expect("valid");
        let error = template.render(&Route::of_table("d", "t")).unwrap_err();
        insta::assert_snapshot!(error, @"the path has the placeholder `shard`, but table d.t has no such route variable (it has: db, table)");
    }
}
