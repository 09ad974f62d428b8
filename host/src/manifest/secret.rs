//! A text that must not be shown.

use std::fmt;

/// A text that prints as `***`; only [`Secret::reveal`] hands it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What references brought into a plugin's configuration, so that a plugin's words do not tell it.
#[derive(Clone, Default)]
pub struct ConfigSecrets {
    /// JSON pointers of the values that have a reference.
    at: Vec<String>,
    /// These values, and what each reference stands for.
    texts: Vec<String>,
}

impl ConfigSecrets {
    pub(crate) fn add(&mut self, pointer: &str, value: &str, brought: &[String]) {
        self.at.push(pointer.to_owned());
        let texts = brought.iter().map(String::as_str).chain([value]).filter(|t| !t.is_empty());
        for text in texts {
            let quoted = format!("{text:?}");
            let quoted = quoted.trim_matches('"').to_owned();
            self.texts.extend([text.to_owned(), quoted]);
        }
        // The longest first: a part of it must not be all that is hidden.
        self.texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        self.texts.dedup();
    }

    /// What a plugin says of the value at a JSON pointer, for people. Of a value that a reference made it
    /// may show any part, so its words are left out; elsewhere such values are masked.
    #[must_use]
    pub fn told(&self, pointer: &str, message: &str) -> String {
        if self.at.iter().any(|secret| secret == pointer) {
            return "the plugin refuses this value, with its references replaced; what it says may \
                    hold a secret and is not shown"
                .to_owned();
        }
        self.texts.iter().fold(message.to_owned(), |told, secret| told.replace(secret, "***"))
    }
}

impl fmt::Debug for ConfigSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugins_words_tell_no_secret() {
        let mut secrets = ConfigSecrets::default();
        secrets.add("/where", "name = 'hun\"ter2'", &["hun\"ter2".to_owned()]);
        secrets.add("/list/0", "token-7", &["token-7".to_owned(), String::new()]);
        let cases = [
            ("/columns", "no such column", "no such column"),
            (
                "",
                "invalid type: string \"token-7\", expected u32",
                "invalid type: string \"***\", expected u32",
            ),
            ("", "unexpected \"hun\\\"ter2\" near hun\"ter2", "unexpected \"***\" near ***"),
        ];
        for (pointer, message, told) in cases {
            assert_eq!(secrets.told(pointer, message), told);
        }
        assert!(!secrets.told("/where", "unknown word ter2 at 3").contains("ter2"));
        assert_eq!(format!("{secrets:?}"), "***");
    }
}
