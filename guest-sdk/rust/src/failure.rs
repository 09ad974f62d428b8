//! Why something cannot be done: for a row, a table or a configuration.

use std::fmt;

/// Bytes of a code; the interface allows no more.
const CODE_BYTES_MAX: usize = 64;

/// Why a row or a table cannot be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A constant of the plugin, `[a-z0-9-]{1,64}`: goes to logs and metrics, so never a value.
    pub code: String,
    /// For a person; may name values: goes to `sluice test` and to dead letters only.
    pub detail: String,
}

impl Failure {
    /// `code` is a constant of the plugin; what does not fit `[a-z0-9-]{1,64}` is made to fit.
    #[must_use]
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let code: String = code
            .chars()
            .map(|c| c.to_ascii_lowercase())
            .map(|c| if allowed(c) { c } else { '-' })
            .take(CODE_BYTES_MAX)
            .collect();
        let code = if code.is_empty() { "failure".to_owned() } else { code };
        Self { code, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Failure {}

/// A mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON Pointer into the configuration (`/columns/2`), or the empty text for all of it.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// All mistakes of a configuration at once, so that they are mended in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigError {
    /// In the order in which they were found.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// One mistake, by JSON Pointer.
    #[must_use]
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        let mut error = Self::default();
        error.push(path, message);
        error
    }

    /// One more mistake.
    pub fn push(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), message: message.into() });
    }

    /// `value` where no mistake was noted, otherwise all of them.
    ///
    /// # Errors
    /// This very error, where it holds a problem.
    pub fn unless_empty<T>(self, value: T) -> Result<T, Self> {
        if self.problems.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Problem { path, message }) in self.problems.iter().enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            let at = if path.is_empty() { "the configuration" } else { path };
            write!(f, "{line}{at}: {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
