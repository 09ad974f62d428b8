//! What a plugin answers for one batch: which rows stay, computed columns, routes, rejected rows.

use std::collections::BTreeMap;

use crate::bitmap::Bitmap;
use crate::builder::ComputedColumn;
use crate::failure::Failure;

/// The answer for one batch; everything is over ALL its rows. The default keeps every row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    pub(crate) keep: Option<Bitmap>,
    pub(crate) computed: Vec<ComputedColumn>,
    pub(crate) routes: Option<RowRoutes>,
    pub(crate) rejected: BTreeMap<u32, Failure>,
}

impl Edit {
    /// Every row stays as the plan has it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the rows whose bit is set stay.
    #[must_use]
    pub fn keep(keep: Bitmap) -> Self {
        Self { keep: Some(keep), ..Self::default() }
    }

    /// The next computed column, in the order of the plan's computed columns.
    #[must_use]
    pub fn with_column(mut self, column: ComputedColumn) -> Self {
        self.computed.push(column);
        self
    }

    /// Each row its own route.
    #[must_use]
    pub fn with_routes(mut self, routes: RowRoutes) -> Self {
        self.routes = Some(routes);
        self
    }

    /// A row that cannot be transformed; the first failure of a row counts. Its slots in the other
    /// parts of the edit may hold anything.
    pub fn reject(&mut self, row: usize, failure: Failure) {
        // A batch has at most u32::MAX rows; a row beyond is the plugin's mistake and the host's to find.
        self.rejected.entry(u32::try_from(row).unwrap_or(u32::MAX)).or_insert(failure);
    }
}

/// Route variables row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowRoutes {
    pub(crate) routes: Vec<Vec<(String, String)>>,
    pub(crate) rows: Vec<u32>,
    known: BTreeMap<Vec<(String, String)>, u32>,
}

impl RowRoutes {
    /// No row yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of a set of variables; equal sets have the same number.
    pub fn route(&mut self, variables: Vec<(String, String)>) -> u32 {
        if let Some(known) = self.known.get(&variables) {
            return *known;
        }
        let number = u32::try_from(self.routes.len()).unwrap_or(u32::MAX);
        self.routes.push(variables.clone());
        self.known.insert(variables, number);
        number
    }

    /// The next row goes the way that [`RowRoutes::route`] numbered.
    pub fn push(&mut self, route: u32) {
        self.rows.push(route);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_routes_are_sent_once() {
        let mut routes = RowRoutes::new();
        let set = |value: &str| vec![("tenant".to_owned(), value.to_owned())];
        assert_eq!(
            [routes.route(set("a")), routes.route(set("b")), routes.route(set("a"))],
            [0, 1, 0]
        );
        assert_eq!(routes.routes.len(), 2);
    }

    #[test]
    fn the_first_failure_of_a_row_counts() {
        let mut edit = Edit::new();
        edit.reject(3, Failure::new("first", ""));
        edit.reject(3, Failure::new("second", ""));
        assert_eq!(edit.rejected.get(&3).map(|f| f.code.as_str()), Some("first"));
    }
}
