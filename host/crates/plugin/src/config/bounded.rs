//! Whether a plugin's JSON Schema can be evaluated with a bounded stack: before the validator, which
//! follows references without a limit, sees it.
//!
//! Keywords such as `allOf` and `$ref` apply to the same value again (JSON Schema 2020-12, Core,
//! sections 8.2.3 and 10.2). A cycle of these alone never ends, whatever the value is; a cycle that
//! passes `properties` or `items` ends with the value. No check here may let a reference through whose
//! target it does not know.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// Subschemas that apply to one value, each inside the other.
const HEIGHT_MAX: usize = 32;

/// Subschemas that apply to one value in all: references to the same one add up.
const WEIGHT_MAX: u64 = 10_000;

/// What a keyword holds.
enum Holds {
    /// A subschema, or a list of some.
    Schemas,
    /// Subschemas by name.
    Map,
}

/// What evaluating a subschema for one value takes.
#[derive(Clone, Copy)]
struct Cost {
    height: usize,
    weight: u64,
}

/// Subschemas, as JSON Pointers.
#[derive(Default)]
struct Parts {
    /// Those that apply to the same value.
    same: Vec<String>,
    /// Those that apply to parts of it.
    inner: Vec<String>,
}

/// Checks a schema.
///
/// # Errors
/// What cannot be evaluated in bounds, or cannot be followed.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let mut walk = Walk {
        root: schema,
        done: HashMap::new(),
        open: HashSet::new(),
        todo: vec![String::new()],
    };
    while let Some(pointer) = walk.todo.pop() {
        walk.visit(&pointer, 0)?;
    }
    Ok(())
}

struct Walk<'a> {
    root: &'a Value,
    done: HashMap<String, Cost>,
    /// What is being visited.
    open: HashSet<String>,
    /// Where another value begins.
    todo: Vec<String>,
}

impl Walk<'_> {
    fn visit(&mut self, pointer: &str, depth: usize) -> Result<Cost, String> {
        if let Some(cost) = self.done.get(pointer) {
            return Ok(*cost);
        }
        if !self.open.insert(pointer.to_owned()) {
            return Err(format!("`#{pointer}` refers to itself without end"));
        }
        let too_deep = || format!("more than {HEIGHT_MAX} schemas apply one inside the other");
        if depth >= HEIGHT_MAX {
            return Err(too_deep());
        }
        let parts = self.parts(pointer)?;
        let mut cost = Cost { height: 1, weight: 1 };
        for part in parts.same {
            let below = self.visit(&part, depth + 1)?;
            cost.height = cost.height.max(below.height + 1);
            cost.weight = cost.weight.saturating_add(below.weight);
        }
        if cost.height > HEIGHT_MAX {
            return Err(too_deep());
        }
        if cost.weight > WEIGHT_MAX {
            return Err(format!("more than {WEIGHT_MAX} schemas apply to one value"));
        }
        let new = |part: &String| !self.done.contains_key(part) && !self.open.contains(part);
        self.todo.extend(parts.inner.into_iter().filter(new));
        self.open.remove(pointer);
        self.done.insert(pointer.to_owned(), cost);
        Ok(cost)
    }

    fn parts(&self, pointer: &str) -> Result<Parts, String> {
        let mut parts = Parts::default();
        let Some(Value::Object(keywords)) = self.at(pointer)? else { return Ok(parts) };
        for (keyword, value) in keywords {
            let here = format!("{pointer}/{}", escape(keyword));
            match keyword.as_str() {
                "$ref" => parts.same.push(target(value)?),
                "$dynamicRef" | "$recursiveRef" => {
                    return Err(format!("`{keyword}` is not supported, use `$ref`"));
                }
                "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" => {
                    parts.same.extend(held(here, value, &Holds::Schemas));
                }
                "dependentSchemas" | "dependencies" => {
                    parts.same.extend(held(here, value, &Holds::Map));
                }
                "items"
                | "prefixItems"
                | "additionalItems"
                | "unevaluatedItems"
                | "contains"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames"
                | "contentSchema" => parts.inner.extend(held(here, value, &Holds::Schemas)),
                "properties" | "patternProperties" => {
                    parts.inner.extend(held(here, value, &Holds::Map));
                }
                _ => {}
            }
        }
        Ok(parts)
    }

    /// The value at a pointer. A schema with an address of its own on the way there would give
    /// references another meaning.
    fn at(&self, pointer: &str) -> Result<Option<&Value>, String> {
        let ends = pointer.match_indices('/').map(|(at, _)| at).skip(1).chain([pointer.len()]);
        for end in ends.filter(|end| *end > 0) {
            let on_the_way = pointer.get(..end).and_then(|prefix| self.root.pointer(prefix));
            let has_address =
                |key| on_the_way.and_then(|v| v.get(key)).is_some_and(Value::is_string);
            if has_address("$id") || has_address("id") {
                return Err(format!("`#{pointer}` lies in a schema with an `$id` of its own"));
            }
        }
        Ok(self.root.pointer(pointer))
    }
}

/// The pointer that a reference holds.
fn target(reference: &Value) -> Result<String, String> {
    let text = reference.as_str().unwrap_or_default();
    match text.strip_prefix('#') {
        Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => {
            if pointer.contains('%') {
                return Err(format!("the reference `{text}` is percent-encoded"));
            }
            Ok(pointer.to_owned())
        }
        _ => Err(format!("the reference `{text}` is not of the form `#/$defs/name`")),
    }
}

fn held(here: String, value: &Value, holds: &Holds) -> Vec<String> {
    match (value, holds) {
        (Value::Array(items), _) => (0..items.len()).map(|at| format!("{here}/{at}")).collect(),
        (Value::Object(map), Holds::Map) => {
            map.keys().map(|key| format!("{here}/{}", escape(key))).collect()
        }
        _ => vec![here],
    }
}

/// A name as a part of a JSON Pointer (RFC 6901, section 3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_that_never_ends_is_refused() {
        let cases = [
            (json!({"$ref": "#"}), "`#` refers to itself without end"),
            (json!({"allOf": [{"$ref": "#"}]}), "`#` refers to itself without end"),
            (
                json!({"properties": {"a": {"$ref": "#/$defs/x"}},
                    "$defs": {"x": {"not": {"$ref": "#/$defs/y"}}, "y": {"if": {"$ref": "#/$defs/x"}}}}),
                "`#/$defs/x` refers to itself without end",
            ),
            (
                json!({"dependencies": {"a/b": {"$ref": "#/dependencies/a~1b"}}}),
                "`#/dependencies/a~1b` refers to itself without end",
            ),
            (json!({"$ref": "#there", "$anchor": "there"}), "`#there` is not of the form"),
            (json!({"$id": "https://x.io/s", "$ref": "https://x.io/s"}), "is not of the form"),
            (json!({"allOf": [{"$ref": "#/%61llOf/0"}]}), "is percent-encoded"),
            (json!({"$dynamicRef": "#"}), "`$dynamicRef` is not supported"),
            (
                json!({"$ref": "#/$defs/a/$defs/b",
                    "$defs": {"a": {"$id": "https://x.io/a", "$ref": "#/$defs/b", "$defs": {"b": {"$ref": "#"}}}}}),
                "an `$id` of its own",
            ),
        ];
        for (schema, wanted) in cases {
            let found = check(&schema).expect_err("refused");
            assert!(found.contains(wanted), "{schema}: {found}");
        }
    }

    #[test]
    fn a_schema_that_takes_too_much_is_refused() {
        let chain = |links: usize, twice: bool| {
            let link = |at: usize| {
                let next = json!({"$ref": format!("#/$defs/{}", at + 1)});
                let parts = if twice { vec![next.clone(), next] } else { vec![next] };
                (at.to_string(), json!({"anyOf": parts}))
            };
            let links: serde_json::Map<_, _> = (0..links).map(link).collect();
            json!({"$ref": "#/$defs/0", "$defs": links})
        };
        assert_eq!(check(&chain(10, false)), Ok(()));
        let found = check(&chain(100_000, false)).expect_err("too deep");
        assert_eq!(found, "more than 32 schemas apply one inside the other");
        let found = check(&chain(14, true)).expect_err("too much");
        assert_eq!(found, "more than 10000 schemas apply to one value");
    }

    #[test]
    fn a_schema_may_contain_itself_in_parts_of_the_value() {
        let tree = json!({"properties": {"left": {"$ref": "#"}, "id": {"type": "string"}},
            "items": [{"$ref": "#"}], "additionalProperties": {"anyOf": [{"$ref": "#/$defs/leaf"}]},
            "$defs": {"leaf": {"type": "string"}}});
        assert_eq!(check(&tree), Ok(()));
    }
}
