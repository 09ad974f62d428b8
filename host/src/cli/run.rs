//! `sluice run`: a pipeline until it is stopped, with its progress on standard error and its summary on
//! standard output.

use std::fmt::Write as _;
use std::path::PathBuf;

use futures::future::join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

use super::Outcome;
use super::output::{Form, Output};
use super::pipelines;
use crate::chain;
use crate::error::{CommandError, HostError};
use crate::manifest::Manifest;
use crate::pipeline::{self, RunError, RunOptions, Summary};
use crate::progress::{Bar, Lines, Progress, Screen, Silent, grouped, megabytes};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest of the pipeline, or a script of one or several
    manifest: PathBuf,
    /// Stop at the end of the recorded files, or at the position that the server has at the start
    #[arg(long)]
    until_end: bool,
    /// Do everything but write; print how much would be written where, and the first rows
    #[arg(long)]
    dry_run: bool,
    /// Show the log lines of plugins; they may hold row values
    #[arg(long)]
    plugin_logs: bool,
    /// Go on behind the schema change that stopped the last run, once you have dealt with it
    #[arg(long)]
    accept_schema_change: bool,
    /// The definitions of tables as they are where this run goes on, for a log that does not name columns:
    /// CREATE TABLE statements, or lines of JSON
    #[arg(long, value_name = "FILE")]
    definitions: Option<PathBuf>,
    /// One stage after the other instead of all at once: slower, for comparison
    #[arg(long)]
    in_order: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, quiet: bool, screen: &Screen) -> Result<Outcome, CommandError> {
    let manifests = pipelines::load(&args.manifest)?;
    let options = RunOptions {
        until_end: args.until_end,
        dry_run: args.dry_run,
        plugin_logs: args.plugin_logs,
        accept_schema_change: args.accept_schema_change,
        in_order: args.in_order,
        definitions: args.definitions.clone(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| HostError::Start { what: "the runtime", source })?;
    let name = |manifest: &Manifest| match manifests.as_slice() {
        [_] => None,
        _ => Some(manifest.pipeline.name.clone()),
    };
    let runs: Vec<_> = manifests
        .iter()
        .map(|manifest| (manifest, progress(quiet, screen, name(manifest))))
        .collect();
    let outcome = runtime.block_on(until_stopped(&runs, &options));
    drop(runs);
    print(&outcome?, args)?;
    Ok(Outcome::Done)
}

/// `name` tells one pipeline's progress from that of the others.
fn progress(quiet: bool, screen: &Screen, name: Option<String>) -> Box<dyn Progress> {
    if quiet {
        Box::new(Silent)
    } else if screen.is_terminal() {
        Box::new(Bar::new(screen, name))
    } else {
        Box::new(Lines::new(screen, name))
    }
}

/// Runs all pipelines until the end; an interrupt or SIGTERM lets what was read be committed first, and
/// so does the failure of another one.
async fn until_stopped<'m>(
    runs: &[(&'m Manifest, Box<dyn Progress>)],
    options: &RunOptions,
) -> Result<Vec<(&'m Manifest, Summary)>, CommandError> {
    let start = |source| HostError::Start { what: "listening to signals", source };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(start)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(start)?;
    let (stop, stopped) = watch::channel(false);
    let pipelines = runs.iter().map(|(manifest, progress)| {
        let (stop, stopped) = (&stop, stopped.clone());
        async move {
            let outcome = pipeline::run(manifest, options.clone(), &**progress, stopped).await;
            let outcome = outcome.map_err(|error| {
                if runs.len() > 1 {
                    let pipeline = manifest.pipeline.name.as_str();
                    error!(pipeline, %error, "failed: the other pipelines are stopped");
                }
                stop.send_replace(true);
                explain(manifest, error)
            });
            outcome.map(|summary| (*manifest, summary))
        }
    });
    let pipelines = join_all(pipelines);
    tokio::pin!(pipelines);
    loop {
        tokio::select! {
            outcomes = &mut pipelines => return outcomes.into_iter().collect(),
            _ = interrupt.recv() => info!(signal = "SIGINT", "stopping: what was read is committed first"),
            _ = terminate.recv() => info!(signal = "SIGTERM", "stopping: what was read is committed first"),
        }
        stop.send_replace(true);
    }
}

/// A mistake in a plugin's configuration is shown at its line of the manifest.
fn explain(manifest: &Manifest, error: RunError) -> CommandError {
    match error {
        RunError::Plugin(error) => chain::explain(manifest, error),
        error => error.into(),
    }
}

fn print(summaries: &[(&Manifest, Summary)], args: &Args) -> Result<(), HostError> {
    let mut output = Output::new();
    for (manifest, summary) in summaries {
        match Form::of(args.json) {
            Form::Json => output.json(summary)?,
            Form::Text => output.text(&text(summary, &manifest.pipeline.name, args.dry_run))?,
        }
    }
    output.finish()
}

fn text(summary: &Summary, name: &str, dry_run: bool) -> String {
    let end = summary.end.as_ref().map_or_else(String::new, |end| format!(", up to {end}"));
    let mut text = format!(
        "{name}: {} row images, {} of log in {:.1} s, epochs: {}{end}\n",
        grouped(summary.images),
        megabytes(summary.log_bytes),
        summary.seconds,
        grouped(summary.epochs),
    );
    if dry_run {
        text.push_str("dry run: nothing was written; this would have been:\n");
    }
    let width = summary.targets.iter().map(|t| t.path.0.chars().count()).max().unwrap_or(0);
    for target in &summary.targets {
        let (inserted, updated) = (grouped(target.inserted), grouped(target.updated));
        let deleted = grouped(target.deleted);
        let path = target.path.to_string();
        text.push_str(&format!(
            "  {path:width$}  inserted {inserted}  updated {updated}  deleted {deleted}\n"
        ));
        for row in &target.first_rows {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "    {}", serde_json::Value::from(row.clone()));
        }
    }
    if summary.dead_letters > 0 {
        let letters = grouped(summary.dead_letters);
        text.push_str(&format!("  set aside as dead letters: {letters}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use change::{Position, TargetPath};

    use super::*;
    use crate::pipeline::TargetSummary;

    #[test]
    fn a_summary_says_what_went_where_and_how_far() {
        let target = |path: &str, inserted| TargetSummary {
            path: TargetPath(path.into()),
            inserted,
            updated: 2,
            deleted: 0,
            first_rows: Vec::new(),
        };
        let summary = Summary {
            images: 12_345,
            log_bytes: 3_456_789,
            epochs: 7,
            dead_letters: 1,
            end: Some(Position::at("bin.000002", 1_234)),
            targets: vec![target("/lake/a", 1_000), target("/lake/longer", 1)],
            seconds: 1.26,
            ..Summary::default()
        };
        insta::assert_snapshot!(text(&summary, "shop", false), @r#"
            shop: 12,345 row images, 3.4 MB of log in 1.3 s, epochs: 7, up to bin.000002:1234
              /lake/a       inserted 1,000  updated 2  deleted 0
              /lake/longer  inserted 1  updated 2  deleted 0
              set aside as dead letters: 1
        "#);
        let empty = Summary::default();
        insta::assert_snapshot!(text(&empty, "shop", true), @r#"
            shop: 0 row images, 0.0 MB of log in 0.0 s, epochs: 0
            dry run: nothing was written; this would have been:
        "#);
    }
}
