//! A plugin's configuration: in the form that plugins get it, and checked against the plugin's own
//! JSON Schema before `configure` sees it. Messages never hold a configured value: it may be a
//! secret.

mod bounded;

use std::sync::Arc;

use serde_json::{Number, Value};

use crate::error::ConfigProblem;

/// The largest integer that every language's JSON reader keeps.
const INTEGER_MAX: u64 = 1 << 53;

/// Mistakes that are reported of one plugin; a wrong shape can break every entry of a long list.
const PROBLEMS_MAX: usize = 50;

/// The configuration as plugins get it: integers beyond 2^53 as text.
pub(crate) fn portable(value: Value) -> Value {
    match value {
        Value::Number(number) if is_beyond(&number) => Value::String(number.to_string()),
        Value::Array(items) => Value::Array(items.into_iter().map(portable).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(k, v)| (k, portable(v))).collect())
        }
        other => other,
    }
}

fn is_beyond(number: &Number) -> bool {
    let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    size.is_some_and(|s| s > INTEGER_MAX)
}

/// Checks a configuration.
///
/// # Errors
/// Where the schema itself is none.
pub(crate) fn check(
    plugin: &Arc<str>,
    schema: &str,
    config: &Value,
) -> Result<Vec<ConfigProblem>, String> {
    let schema: Value =
        serde_json::from_str(schema).map_err(|e| format!("its config-schema is not JSON: {e}"))?;
    bounded::check(&schema).map_err(|what| format!("its config-schema: {what}"))?;
    let validator = jsonschema::validator_for(&schema)
        .map_err(|e| format!("its config-schema is not a JSON Schema: {}", e.masked()))?;
    let problem = |error: jsonschema::ValidationError<'_>| ConfigProblem {
        plugin: Arc::clone(plugin),
        path: error.instance_path.to_string(),
        message: error.masked_with("the value").to_string(),
    };
    Ok(validator.iter_errors(config).take(PROBLEMS_MAX).map(problem).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_that_javascript_would_round_become_text() {
        let config = serde_json::json!({"a": [9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64, -5, 1.5]});
        assert_eq!(
            portable(config).to_string(),
            r#"{"a":[9007199254740992,"9007199254740993",-5,1.5]}"#
        );
    }

    #[test]
    fn every_mistake_has_its_pointer_and_no_value() {
        let schema = r#"{"type": "object", "required": ["salt"], "additionalProperties": false,
            "properties": {"salt": {"type": "string", "minLength": 8}, "columns": {"type": "array", "items": {"type": "string"}}}}"#;
        let config = serde_json::json!({"salt": "geheim", "columns": ["a", 7], "extra": 1});
        let problems = check(&"mask".into(), schema, &config).expect("a schema");
        let text: Vec<_> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        plugin `mask`, config/salt: the value is shorter than 8 characters
        plugin `mask`, config/columns/1: the value is not of type "string"
        plugin `mask`, config: Additional properties are not allowed ('extra' was unexpected)
        "#);
        assert!(!text.join("").contains("geheim"));
    }

    #[test]
    fn a_schema_that_is_none_is_told() {
        let check = |schema: &str| check(&"p".into(), schema, &Value::Null).unwrap_err();
        assert!(check("{").starts_with("its config-schema is not JSON"));
        assert!(check(r#"{"type": 7}"#).starts_with("its config-schema is not a JSON Schema"));
        let endless = check(r##"{"allOf": [{"$ref": "#"}]}"##);
        assert_eq!(endless, "its config-schema: `#` refers to itself without end");
    }
}
