//! What can be known about a pipeline before it runs: a list of findings, each with its remedy.
//!
//! A check changes nothing that lasts: probe files are removed, no table is made, and no replica is
//! registered at the server.

use change::Fault;
use serde::Serialize;

use crate::error::CommandError;
use crate::manifest::Manifest;

mod folders;
mod plugins;
mod progress;
mod source;
mod tables;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It runs, but not as well or as safely as it could.
    Warning,
    /// It does not run.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What was looked at, such as `plugin mask`.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// The step that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Where the fault lies, for the exit code.
    #[serde(skip)]
    pub fault: Option<Fault>,
}

impl Finding {
    fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Ok,
            subject: subject.into(),
            message: message.into(),
            remedy: None,
            fault: None,
        }
    }

    fn warning(
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let severity = Severity::Warning;
        Self { severity, remedy: Some(remedy.into()), ..Self::ok(subject, message) }
    }

    fn error(subject: impl Into<String>, error: impl Into<CommandError>) -> Self {
        let error = error.into();
        Self {
            severity: Severity::Error,
            remedy: error.hint(),
            fault: Some(error.fault()),
            ..Self::ok(subject, on_one_line(&error.message_with_causes()))
        }
    }
}

/// A list of problems, which has its count in the first line, without the count and on one line.
fn on_one_line(message: &str) -> String {
    match message.split_once('\n') {
        Some((_, problems)) => problems.lines().collect::<Vec<_>>().join("; "),
        None => message.to_owned(),
    }
}

/// Looks at everything that a manifest names.
///
/// # Errors
/// Only where the check itself cannot be carried out; what is wrong is a finding.
pub async fn check(manifest: &Manifest) -> Result<Vec<Finding>, CommandError> {
    let name = &manifest.pipeline.name;
    let path = manifest.path().display();
    let mut findings = vec![Finding::ok("manifest", format!("{path} describes pipeline `{name}`"))];
    let chain = plugins::check(manifest, &mut findings)?;
    let begin = progress::check(manifest, chain.as_ref(), &mut findings).await;
    let found = source::check(manifest, &begin.unwrap_or_default(), &mut findings).await;
    if let Some(chain) = chain {
        tables::check(manifest, chain, &found, &mut findings);
    }
    folders::check(manifest, &mut findings);
    Ok(findings)
}

/// The fault that decides the exit code: a wrong manifest before an unfit environment; none where
/// nothing is an error.
#[must_use]
pub fn fault(findings: &[Finding]) -> Option<Fault> {
    let errors = || findings.iter().filter(|f| f.severity == Severity::Error);
    let is_usage = errors().any(|f| f.fault == Some(Fault::Usage));
    errors().next().map(|_| if is_usage { Fault::Usage } else { Fault::Environment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_problems_is_one_finding_on_one_line() {
        assert_eq!(on_one_line("cannot read a.wasm"), "cannot read a.wasm");
        let list = "2 problems in s.toml\ns.toml:1:2: a\ns.toml:3:4: b";
        assert_eq!(on_one_line(list), "s.toml:1:2: a; s.toml:3:4: b");
    }
}
