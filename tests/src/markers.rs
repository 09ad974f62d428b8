//! The named steps at which the host may be killed, read from its sources: a step that somebody adds is tested at once.

use crate::checkout::{self, Tree};

/// The step between the commits of two targets of one epoch.
pub const BETWEEN_TARGETS: &str = "commit.between-targets";

/// Every named step of the host, sorted.
///
/// # Panics
/// Where the sources cannot be read, or name no step.
#[must_use]
pub fn all() -> Vec<String> {
    let tree = Tree::read(&checkout::root().join("host")).expect("the host's sources");
    let mut found: Vec<String> =
        tree.with_extension(&["rs"]).flat_map(|f| named_in(&f.path, &f.text)).collect();
    found.sort();
    found.dedup();
    assert!(
        found.iter().any(|m| m == BETWEEN_TARGETS),
        "the host names no steps any more: {found:?}"
    );
    found
}

/// `marker = "step"` in an event, and the constants of a file `marker.rs`; unit tests name steps of their own.
fn named_in(path: &str, text: &str) -> Vec<String> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let constants = path.ends_with("marker.rs");
    let named = |line: &str| -> Option<String> {
        let constant = constants && line.trim_start().starts_with("pub const ");
        let start = if constant { "\"" } else { "marker = \"" };
        let (_, rest) = line.split_once(start)?;
        let (name, _) = rest.split_once('"')?;
        let step =
            name.contains('.') && name.chars().all(|c| c.is_ascii_lowercase() || ".-".contains(c));
        step.then(|| name.to_owned())
    };
    text.lines().filter(|l| !l.trim_start().starts_with("//")).filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_where_they_are_named() {
        let constants = "/// A table.\npub const TARGET: &str = \"sluice::marker\";\npub const A: &str = \"commit.begin\";\n";
        assert_eq!(named_in("x/marker.rs", constants), ["commit.begin"]);
        let event = "tracing::trace!(target: TARGET, marker = \"checkpoint.before-rename\");\n// marker = \"not.this\"\n";
        assert_eq!(named_in("x/y.rs", event), ["checkpoint.before-rename"]);
        let tests = "#[cfg(test)]\nmod tests { marker = \"commit.never\" }\n";
        assert!(named_in("x/y.rs", tests).is_empty());
        assert!(all().len() >= 10);
    }
}
