//! The manifest's `config` table, from JSON into the plugin's own type.
//!
//! Derive `Deserialize` with `#[serde(deny_unknown_fields, rename_all = "kebab-case")]`: a key that
//! nobody reads is then an error that names the known ones.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::failure::ConfigError;

/// Reads a configuration.
///
/// # Errors
/// What does not fit the type, with its JSON Pointer.
pub fn parse<C: DeserializeOwned>(json: &str) -> Result<C, ConfigError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let config = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        ConfigError::at(pointer, without_position(&error.into_inner()))
    })?;
    reader.end().map_err(|error| ConfigError::at("", without_position(&error)))?;
    Ok(config)
}

/// One segment of a JSON Pointer (RFC 6901, section 3), slash included.
#[must_use]
pub fn segment(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn pointer(path: &Path) -> String {
    let segments = path.iter().map(|part| match part {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => segment(key),
        Segment::Enum { variant } => segment(variant),
        Segment::Unknown => String::new(),
    });
    segments.collect()
}

/// The line and column of JSON that nobody wrote would only mislead.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&end).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only the errors of reading it are looked at")]
    struct Sample {
        rules: Vec<Rule>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors of reading it are looked at")]
    struct Rule {
        name: String,
    }

    fn mistake(json: &str) -> String {
        parse::<Sample>(json).expect_err("wrong").to_string()
    }

    #[test]
    fn a_mistake_is_found_by_its_pointer() {
        insta::assert_snapshot!(mistake(r#"{"rules":[{"name":"a"},{"name":7}]}"#), @"/rules/1/name: invalid type: integer `7`, expected a string");
        insta::assert_snapshot!(mistake(r#"{"rules":[{"name":"a","x/y":1}]}"#), @"/rules/0/x~1y: unknown field `x/y`, expected `name`");
        insta::assert_snapshot!(mistake(r#"{}"#), @"the configuration: missing field `rules`");
    }
}
