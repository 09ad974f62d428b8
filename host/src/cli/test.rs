//! `sluice test`: offline tests of plugins against recorded binlogs.

mod junit;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use change::Fault;
use serde_json::json;

use super::Outcome;
use super::output::{Form, Output};
use crate::chain;
use crate::error::{CommandError, HostError};
use crate::test_case::{self, Case, Mode, Verdict};

/// Differences of one case that are shown; the first ones tell what is wrong.
const DIFFERENCES_SHOWN_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folders that are searched for cases (folders with a case.toml)
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Run only the cases whose name contains one of these
    #[arg(short = 'n', long = "name", value_name = "TEXT")]
    names: Vec<String>,
    /// Write what comes out as what is expected; refused where CI is set
    #[arg(long)]
    bless: bool,
    /// Show the log lines of plugins
    #[arg(long)]
    pub(super) plugin_logs: bool,
    /// Print one JSON line a case
    #[arg(long)]
    json: bool,
    /// Write a JUnit report too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// How many cases ended how.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    blessed: usize,
    /// The first fault of a case that could not be run.
    broken: Option<Fault>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let mode = mode(args)?;
    let cases = cases(args)?;
    let since = Instant::now();
    let logs = args.plugin_logs.then(chain::log_to_tracing);
    let engine = chain::engine(logs)?;
    let mut output = Output::of_verdict();
    let mut tally = Tally::default();
    let mut report = junit::Report::default();
    for case in &cases {
        let began = Instant::now();
        let verdict = test_case::run(case, &engine, mode);
        tally.count(&verdict);
        report.add(&case.name, began.elapsed(), problems(&verdict));
        match Form::of(args.json) {
            Form::Json => output.json(&as_json(case, &verdict))?,
            Form::Text => output.text(&as_text(case, &verdict))?,
        }
    }
    if Form::of(args.json) == Form::Text {
        output.line(&tally.line(since.elapsed().as_secs_f64()))?;
    }
    output.finish()?;
    if let Some(path) = &args.junit {
        let failed = |source| HostError::File { doing: "write", path: path.clone(), source };
        fs::write(path, report.xml()).map_err(failed)?;
    }
    Ok(tally.outcome())
}

/// What is wrong with a case; nothing where it passed.
fn problems(verdict: &Result<Verdict, CommandError>) -> Vec<String> {
    match verdict {
        Ok(Verdict::Passed | Verdict::Blessed { .. }) => Vec::new(),
        Ok(Verdict::Failed(differences)) => differences.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.render().trim_end().to_owned()],
    }
}

fn mode(args: &Args) -> Result<Mode, HostError> {
    if !args.bless {
        return Ok(Mode::Compare);
    }
    if std::env::var_os("CI").is_some_and(|ci| !ci.is_empty()) {
        return Err(HostError::Usage {
            message: "--bless is refused where CI is set: it would make every test pass".to_owned(),
            hint: "bless on your own machine, look at the difference and commit it".to_owned(),
        });
    }
    Ok(Mode::Bless)
}

fn cases(args: &Args) -> Result<Vec<Case>, CommandError> {
    let mut cases = test_case::find(&args.folders)?;
    let found = cases.len();
    let wanted = |case: &Case| args.names.iter().any(|name| case.name.contains(name));
    cases.retain(|case| args.names.is_empty() || wanted(case));
    if cases.is_empty() {
        let (message, hint) = match found {
            0 => ("there is no test case", "name a folder that has folders with a case.toml"),
            _ => ("no test case has such a name", "leave --name out to run all of them"),
        };
        return Err(HostError::Usage { message: message.to_owned(), hint: hint.to_owned() }.into());
    }
    Ok(cases)
}

impl Tally {
    fn count(&mut self, verdict: &Result<Verdict, CommandError>) {
        match verdict {
            Ok(Verdict::Passed) => self.passed = self.passed.saturating_add(1),
            Ok(Verdict::Blessed { .. }) => self.blessed = self.blessed.saturating_add(1),
            Ok(Verdict::Failed(_)) => self.failed = self.failed.saturating_add(1),
            Err(error) => {
                self.failed = self.failed.saturating_add(1);
                self.broken = self.broken.or(Some(error.fault()));
            }
        }
    }

    fn line(&self, seconds: f64) -> String {
        let Self { passed, failed, blessed, .. } = self;
        if *blessed > 0 {
            return format!("{blessed} blessed, {failed} failed in {seconds:.2} s");
        }
        format!(
            "{passed} passed, {failed} failed in {seconds:.2} s (2 orders of batches, fresh instances)"
        )
    }

    fn outcome(&self) -> Outcome {
        match (self.failed, self.broken) {
            (0, _) => Outcome::Done,
            (_, Some(fault)) => Outcome::Failed(fault),
            (_, None) => Outcome::Failed(Fault::Run),
        }
    }
}

fn as_text(case: &Case, verdict: &Result<Verdict, CommandError>) -> String {
    let name = &case.name;
    match verdict {
        Ok(Verdict::Passed) => format!("ok   {name}\n"),
        Ok(Verdict::Blessed { files }) => format!("ok   {name}  {files} files written\n"),
        Ok(Verdict::Failed(differences)) => {
            let shown = differences.iter().take(DIFFERENCES_SHOWN_MAX);
            let mut text: String = shown.map(|d| format!("FAIL {name}  {d}\n")).collect();
            let more = differences.len().saturating_sub(DIFFERENCES_SHOWN_MAX);
            if more > 0 {
                text.push_str(&format!("FAIL {name}  and {more} more differences\n"));
            }
            text
        }
        Err(error) => {
            let text = error.render();
            text.lines().map(|line| format!("FAIL {name}  {line}\n")).collect()
        }
    }
}

fn as_json(case: &Case, verdict: &Result<Verdict, CommandError>) -> serde_json::Value {
    let outcome = match verdict {
        Ok(Verdict::Passed) => "passed",
        Ok(Verdict::Blessed { .. }) => "blessed",
        Ok(Verdict::Failed(_)) | Err(_) => "failed",
    };
    let problems = problems(verdict);
    json!({ "case": case.name, "outcome": outcome, "problems": problems })
}
