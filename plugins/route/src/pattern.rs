//! Patterns that take a name apart: `orders_{shard}`.

/// A text with named parts. A part takes at least one character and ends where the text that follows
/// it comes first; the last one takes all that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamePattern {
    prefix: String,
    /// A part's name and the text that follows it.
    parts: Vec<(String, String)>,
}

impl NamePattern {
    /// # Errors
    /// A brace without its partner, an empty or repeated name, two parts with nothing between them.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "named parts are written `{name}`".to_owned();
        let mut pieces = text.split('{');
        let prefix = pieces.next().unwrap_or_default();
        let mut parts: Vec<(String, String)> = Vec::new();
        for piece in pieces {
            let (name, after) = piece.split_once('}').ok_or_else(wrong)?;
            if name.is_empty() || after.contains('}') {
                return Err(wrong());
            }
            if parts.last().is_some_and(|(_, between)| between.is_empty()) {
                return Err(format!(
                    "`{{{name}}}` follows a part directly: nothing tells where it begins"
                ));
            }
            if parts.iter().any(|(known, _)| known == name) {
                return Err(format!("`{{{name}}}` stands twice"));
            }
            parts.push((name.to_owned(), after.to_owned()));
        }
        if prefix.contains('}') {
            return Err(wrong());
        }
        Ok(Self { prefix: prefix.to_owned(), parts })
    }

    /// The parts of a name; none where it does not fit.
    pub(crate) fn captures(&self, name: &str) -> Option<Vec<(String, String)>> {
        let mut rest = name.strip_prefix(self.prefix.as_str())?;
        let Some((last, middle)) = self.parts.split_last() else {
            return rest.is_empty().then(Vec::new);
        };
        let mut captures = Vec::with_capacity(self.parts.len());
        for (part, following) in middle {
            // At least one character, so the search begins behind it.
            let first = rest.chars().next()?.len_utf8();
            let (_, tail) = rest.split_at_checked(first)?;
            let end = first + tail.find(following.as_str())?;
            let (value, after) = rest.split_at_checked(end)?;
            captures.push((part.clone(), value.to_owned()));
            rest = after.strip_prefix(following.as_str())?;
        }
        let value = rest.strip_suffix(last.1.as_str()).filter(|value| !value.is_empty())?;
        captures.push((last.0.clone(), value.to_owned()));
        Some(captures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart() {
        let cases = [
            ("orders", "orders", Some("")),
            ("orders", "orders_1", None),
            ("orders_{n}", "orders_17", Some("n=17")),
            ("orders_{n}", "orders_", None),
            ("{a}_{b}", "x_y_z", Some("a=x b=y_z")),
            ("{a}_{b}_v{c}", "x_y_v2", Some("a=x b=y c=2")),
            ("{t}_shard", "orders_shard", Some("t=orders")),
            ("{t}_shard", "_shard", None),
            ("{a}_{b}", "__x", Some("a=_ b=x")),
            ("t{a}", "tü", Some("a=ü")),
        ];
        for (pattern, name, expected) in cases {
            let captures = NamePattern::parse(pattern).expect("a pattern").captures(name);
            let text = captures.map(|captures| {
                captures.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(text.as_deref(), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_refused() {
        for wrong in ["{", "a}", "{}", "{a}{b}", "{a}_{a}", "{a", "{a}}"] {
            assert!(NamePattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
