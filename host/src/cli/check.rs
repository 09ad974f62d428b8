//! `sluice check`: whether a pipeline can run, and what to mend where it cannot.

use std::path::PathBuf;

use super::Outcome;
use super::output::{Form, Output};
use super::pipelines;
use crate::check::{self, Finding, Severity};
use crate::error::{CommandError, HostError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest of the pipeline, or a script
    manifest: PathBuf,
    /// Print one JSON line a finding
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let manifests = pipelines::load(&args.manifest)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| HostError::Start { what: "the runtime", source })?;
    let mut output = Output::of_verdict();
    let mut all = Vec::new();
    for manifest in &manifests {
        let findings = runtime.block_on(check::check(manifest))?;
        match Form::of(args.json) {
            Form::Json => {
                for finding in &findings {
                    output.json(finding)?;
                }
            }
            Form::Text => {
                output.text(&pipelines::heading(manifest, &manifests))?;
                output.text(&as_text(&findings))?;
            }
        }
        all.extend(findings);
    }
    output.finish()?;
    Ok(check::fault(&all).map_or(Outcome::Done, Outcome::Failed))
}

fn as_text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|f| f.subject.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { severity, subject, message, remedy, .. } in findings {
        let mark = match severity {
            Severity::Ok => "ok",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        text.push_str(&format!("{mark:8} {subject:width$}  {message}\n"));
        if let Some(remedy) = remedy {
            text.push_str(&format!("{:8} {:width$}  help: {remedy}\n", "", ""));
        }
    }
    let count = |wanted| findings.iter().filter(|f| f.severity == wanted).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    text.push_str(&format!("errors: {errors}, warnings: {warnings}\n"));
    text
}

#[cfg(test)]
mod tests {
    use change::Fault;

    use super::*;

    fn finding(severity: Severity, remedy: Option<&str>, fault: Option<Fault>) -> Finding {
        Finding {
            severity,
            subject: "server".to_owned(),
            message: "binlog_format is MIXED".to_owned(),
            remedy: remedy.map(str::to_owned),
            fault,
        }
    }

    #[test]
    fn a_finding_is_a_line_and_its_remedy_the_next() {
        let findings = [
            finding(Severity::Ok, None, None),
            finding(Severity::Warning, Some("set it to ROW"), None),
            finding(Severity::Error, Some("set it to ROW"), Some(Fault::Environment)),
        ];
        insta::assert_snapshot!(as_text(&findings), @r#"
            ok       server  binlog_format is MIXED
            warning  server  binlog_format is MIXED
                             help: set it to ROW
            error    server  binlog_format is MIXED
                             help: set it to ROW
            errors: 1, warnings: 1
        "#);
    }

    #[test]
    fn a_wrong_manifest_goes_before_an_unfit_environment() {
        let error = |fault| finding(Severity::Error, None, Some(fault));
        let warning = finding(Severity::Warning, None, None);
        assert_eq!(check::fault(std::slice::from_ref(&warning)), None);
        let (usage, environment) = (error(Fault::Usage), error(Fault::Environment));
        assert_eq!(check::fault(&[warning, environment.clone()]), Some(Fault::Environment));
        assert_eq!(check::fault(&[environment, usage]), Some(Fault::Usage));
    }
}
