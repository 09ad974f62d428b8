//! `sluice table`: a look at a Delta table, whoever wrote it.

use lake::storage::StoreOptions;
use lake::{TableReport, show};

use super::Outcome;
use super::output::{Form, Output};
use crate::error::{CommandError, HostError};
use crate::progress::{grouped, megabytes};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show a table's version, size, columns, and how far a pipeline has brought it
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The folder of the table
    path: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Result<Outcome, CommandError> {
    match command {
        Command::Show(args) => show_table(args),
    }
}

fn show_table(args: &ShowArgs) -> Result<Outcome, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| HostError::Start { what: "the runtime", source })?;
    let report = runtime.block_on(show(&args.path, &StoreOptions::default()))?;
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => output.json(&report)?,
        Form::Text => output.text(&as_text(&report))?,
    }
    output.finish()?;
    Ok(Outcome::Done)
}

fn as_text(report: &TableReport) -> String {
    let count = |n: usize| grouped(u64::try_from(n).unwrap_or(u64::MAX));
    let rows = report.rows.map_or_else(|| "unknown".to_owned(), grouped);
    let mut text = format!(
        "table      {}\nversion    {}\nrows       {rows}, and {} dead\nfiles      {}, {}, {} with a deletion vector\n",
        report.target,
        report.version,
        grouped(report.dead_rows),
        count(report.files),
        megabytes(report.bytes),
        count(report.deletion_vectors),
    );
    let position = |p: &Option<change::Position>| p.as_ref().map(ToString::to_string);
    let epoch = report.epoch.map(|epoch| epoch.to_string());
    let known = [
        ("pipeline", report.pipeline.clone()),
        ("position", position(&report.position)),
        ("durable", position(&report.all_durable)),
        ("epoch", epoch),
        ("chain", report.chain.clone()),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            text.push_str(&format!("{name:10} {value}\n"));
        }
    }
    if report.whole_row {
        text.push_str("key        whole-row: none, equal rows are counted\n");
    }
    let width = report.columns.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
    text.push_str("columns\n");
    for column in &report.columns {
        let id = if column.id && !report.whole_row { "  id" } else { "" };
        text.push_str(&format!("  {:width$}  {}{id}\n", column.name, column.data_type));
    }
    text
}
