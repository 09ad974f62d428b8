//! `database.table` with `*` for any text.

/// Which tables are meant, by the names at the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TablePattern {
    database: String,
    table: String,
}

impl TablePattern {
    /// None where there is no dot, or nothing before or behind it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (database, table) = text.split_once('.')?;
        let given = !database.is_empty() && !table.is_empty();
        given.then(|| Self { database: database.to_owned(), table: table.to_owned() })
    }

    pub(crate) fn matches(&self, database: &str, table: &str) -> bool {
        fits(&self.database, database) && fits(&self.table, table)
    }
}

/// Each piece between stars is taken where it comes first, which leaves most for the rest.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(prefix) else { return false };
    let mut pieces = rest.split('*');
    let suffix = pieces.next_back().unwrap_or_default();
    for piece in pieces {
        match name.split_once(piece) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let cases = [
            ("shop.orders", "shop", "orders", true),
            ("shop.orders", "shop", "orders_1", false),
            ("shop.orders_*", "shop", "orders_1", true),
            ("shop.orders_*", "shop", "orders_", true),
            ("shop_*.*", "shop_7", "anything", true),
            ("*.a*b*c", "x", "a1b2bc", true),
            ("*.a*b*c", "x", "a1c", false),
            ("*.a*a", "x", "a", false),
            ("s.t", "s", "T", false),
        ];
        for (pattern, database, table, matches) in cases {
            let parsed = TablePattern::parse(pattern).expect("a pattern");
            assert_eq!(parsed.matches(database, table), matches, "{pattern} {database}.{table}");
        }
        for wrong in ["orders", ".t", "d.", ""] {
            assert_eq!(TablePattern::parse(wrong), None, "{wrong}");
        }
    }
}
