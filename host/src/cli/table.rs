//! `sluice table`: a look at a Delta table, whoever wrote it, and its upkeep.

use std::time::Duration;

use lake::storage::StoreOptions;
use lake::{
    CompactReport, Maintenance, ShortRetention, TableReport, Vacuum, VacuumReport, Version, show,
};

use super::Outcome;
use super::output::{Form, Output};
use crate::error::{CommandError, HostError};
use crate::manifest::quantity;
use crate::moment;
use crate::progress::{grouped, megabytes};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show a table's version, size, columns, and how far a pipeline has brought it
    Show(ShowArgs),
    /// Show what was done to a table, newest first
    History(HistoryArgs),
    /// Merge a table's small files and files with dead rows
    Compact(CompactArgs),
    /// Delete the files of a table that no version within its retention needs
    Vacuum(VacuumArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The folder of the table
    path: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct HistoryArgs {
    /// The folder of the table
    path: String,
    /// Show this many versions
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
    /// Print each as one JSON line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct CompactArgs {
    /// The folder of the table
    path: String,
    /// Size at which a data file is ended, such as 64MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    target_file_size: Option<u64>,
    /// Rewrite a file from this share of dead rows on, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    dead_share: f64,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "this is no share: write a number from 0 to 1".to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    quantity::size(text).ok_or_else(|| "this is no size: write it like 64MiB".to_owned())
}

#[derive(Debug, clap::Args)]
pub(super) struct VacuumArgs {
    /// The folder of the table
    path: String,
    /// How long files stay that were taken out of the table, such as 30d; otherwise as the table's
    /// property delta.deletedFileRetentionDuration says, or 7d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    retention: Option<Duration>,
    /// Allow a retention below the table's: older versions that it promises can not be read any more
    #[arg(long)]
    accept_short_retention: bool,
    /// Name the files, delete none
    #[arg(long)]
    dry_run: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "this is no span of time: write it like 36h or 30d".to_owned();
    quantity::duration(text).ok_or_else(wrong)
}

pub(super) fn run(command: &Command) -> Result<Outcome, CommandError> {
    match command {
        Command::Show(args) => show_table(args),
        Command::History(args) => show_history(args),
        Command::Compact(args) => compact_table(args),
        Command::Vacuum(args) => vacuum_table(args),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(|source| HostError::Start { what: "the runtime", source })?)
}

fn show_table(args: &ShowArgs) -> Result<Outcome, CommandError> {
    let report = runtime()?.block_on(show(&args.path, &StoreOptions::default()))?;
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => output.json(&report)?,
        Form::Text => output.text(&as_text(&report))?,
    }
    output.finish()?;
    Ok(Outcome::Done)
}

fn show_history(args: &HistoryArgs) -> Result<Outcome, CommandError> {
    let store = StoreOptions::default();
    let versions = runtime()?.block_on(lake::history(&args.path, &store, args.limit))?;
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => versions.iter().try_for_each(|version| output.json(version))?,
        Form::Text => output.text(&versions.iter().map(version_text).collect::<String>())?,
    }
    output.finish()?;
    Ok(Outcome::Done)
}

fn compact_table(args: &CompactArgs) -> Result<Outcome, CommandError> {
    let default = Maintenance::default();
    let rules = Maintenance {
        file_bytes: args.target_file_size.unwrap_or(default.file_bytes),
        dead_share_max: args.dead_share,
        small_files_max: 2,
        // Whoever calls this waits for it.
        step_bytes_max: default.step_bytes_max.saturating_mul(8),
        ..default
    };
    let report = runtime()?.block_on(lake::compact(&args.path, &StoreOptions::default(), rules))?;
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => output.json(&report)?,
        Form::Text => output.text(&compact_text(&report))?,
    }
    output.finish()?;
    Ok(Outcome::Done)
}

fn compact_text(report: &CompactReport) -> String {
    let count = |n: usize| grouped(u64::try_from(n).unwrap_or(u64::MAX));
    match report.commits {
        0 => "nothing gains by a compaction\n".to_owned(),
        commits => format!(
            "{} files into {}, {} rows, {} commits\n",
            count(report.files_before),
            count(report.files_after),
            grouped(report.rows),
            grouped(commits),
        ),
    }
}

fn vacuum_table(args: &VacuumArgs) -> Result<Outcome, CommandError> {
    let options = Vacuum {
        retention: args.retention,
        short_retention: match args.accept_short_retention {
            true => ShortRetention::Accept,
            false => ShortRetention::Refuse,
        },
        dry_run: args.dry_run,
    };
    let store = StoreOptions::default();
    let report = runtime()?.block_on(lake::vacuum(&args.path, &store, &options))?;
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => output.json(&report)?,
        Form::Text => output.text(&vacuum_text(&report))?,
    }
    output.finish()?;
    Ok(Outcome::Done)
}

/// `12  2026-11-22T10:00:00Z  STREAMING UPDATE  +1 -1 files  shop, epoch 12, bin.000001:400`.
fn version_text(version: &Version) -> String {
    let seconds = version.timestamp_ms.and_then(|ms| u64::try_from(ms / 1000).ok());
    let time = seconds.map_or_else(|| "unknown".to_owned(), moment::text);
    let operation = version.operation.as_deref().unwrap_or("unknown");
    let mut by = version.pipeline.clone().or_else(|| version.engine.clone()).unwrap_or_default();
    if let Some(epoch) = version.epoch {
        by.push_str(&format!(", epoch {epoch}"));
    }
    if let Some(position) = &version.position {
        by.push_str(&format!(", {position}"));
    }
    format!(
        "{:>6}  {time}  {operation:<16}  +{} -{} files  {by}\n",
        version.version, version.files_added, version.files_removed,
    )
}

/// The files that a vacuum names, and what became of them.
fn vacuum_text(report: &VacuumReport) -> String {
    let mut text = String::new();
    if !report.deleted {
        for file in &report.files {
            text.push_str(&format!("{}  {}\n", file.name, megabytes(file.bytes)));
        }
    }
    let count = grouped(u64::try_from(report.files.len()).unwrap_or(u64::MAX));
    let did = if report.deleted { "deleted" } else { "would delete" };
    text.push_str(&format!(
        "{did} {count} files, {}, not needed for {}\n",
        megabytes(report.bytes),
        moment::span(report.retention_seconds),
    ));
    text
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
