//! `sluice inspect`: what is in recorded binlog files. Values of rows are shown only where they are
//! asked for.

use std::path::PathBuf;

use binlog::inspect::{EventLine, FileSum, Inspector};
use binlog::{FileSource, ReadOptions, ZeroDates};
use change::{Batch, Definitions, ImageKind, TablePatterns};
use serde_json::json;

use super::Outcome;
use super::output::{Form, Output};
use crate::error::{CommandError, HostError};
use crate::pipeline::given;
use crate::progress::{grouped, megabytes};
use crate::row_text;
use transaction::Transactions;

mod transaction;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The files; several are one log, in this order
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Show every event instead of sums
    #[arg(long, conflicts_with = "rows")]
    events: bool,
    /// Show every transaction instead of sums: where a run may begin, its GTID, time, tables and changes
    #[arg(long, conflicts_with_all = ["rows", "events"])]
    transactions: bool,
    /// Show every row image with its values instead of sums, one JSON line each, transaction by
    /// transaction
    #[arg(long)]
    rows: bool,
    /// With --rows: only these tables (db.table with *, or an expression between slashes)
    #[arg(long, value_name = "PATTERN", requires = "rows")]
    tables: Vec<String>,
    /// For a log that does not name columns: the definitions of its tables at the head of the first file
    #[arg(long, value_name = "FILE")]
    definitions: Option<PathBuf>,
    /// Print JSON, one line a file, an event or a transaction
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let mut output = Output::new();
    let mut known = match &args.definitions {
        Some(path) => given::definitions(path)?,
        None => Definitions::default(),
    };
    if args.rows {
        show_rows(args, known, &mut output)?;
    } else {
        for file in &args.files {
            let mut inspector = Inspector::open(file)?.knowing(known);
            show_file(args, &mut inspector, &mut output)?;
            known = inspector.definitions().clone();
        }
    }
    output.finish()?;
    Ok(Outcome::Done)
}

fn show_file(
    args: &Args,
    inspector: &mut Inspector,
    output: &mut Output,
) -> Result<(), CommandError> {
    let form = Form::of(args.json);
    let has_lines = args.events || args.transactions;
    let mut transactions = Transactions::default();
    loop {
        // What came before a damage is shown: it is what one looks for.
        match inspector.next() {
            Ok(Some(event)) if args.events => match form {
                Form::Json => output.json(&event)?,
                Form::Text => output.line(&event_line(&event))?,
            },
            Ok(Some(event)) if args.transactions => {
                let Some(ended) = transactions.take(event, &inspector.sum().file) else { continue };
                match form {
                    Form::Json => output.json(&ended)?,
                    Form::Text => output.line(&ended.line())?,
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                if !has_lines {
                    show_sum(inspector.sum(), form, output)?;
                }
                output.flush()?;
                return Err(error.into());
            }
        }
    }
    if !has_lines {
        show_sum(inspector.sum(), form, output)?;
    }
    Ok(())
}

fn show_sum(sum: &FileSum, form: Form, output: &mut Output) -> Result<(), HostError> {
    match form {
        Form::Json => output.json(sum),
        Form::Text => output.text(&sum_text(sum)),
    }
}

fn sum_text(sum: &FileSum) -> String {
    let vendor = sum.vendor.map_or_else(|| "unknown server".to_owned(), |v| v.to_string());
    let checksums = if sum.has_checksums { "checksums right" } else { "no checksums" };
    let in_use = if sum.is_in_use { ", still being written" } else { "" };
    let mut text = format!(
        "{}: {}, {vendor} {}, {checksums}{in_use}\n  transactions  {}\n",
        sum.file,
        megabytes(sum.bytes),
        sum.version,
        grouped(sum.transactions),
    );
    if let Some(executed) = &sum.executed_before {
        text.push_str(&format!("  before it     {executed}\n"));
    }
    let events: Vec<_> = sum.events.iter().map(|(k, n)| format!("{k} {}", grouped(*n))).collect();
    text.push_str(&format!("  events        {}\n", events.join(", ")));
    let width = sum.tables.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, table) in &sum.tables {
        let (inserted, updated) = (grouped(table.inserted), grouped(table.updated));
        let deleted = grouped(table.deleted);
        text.push_str(&format!(
            "  table {name:width$}  inserted {inserted}  updated {updated}  deleted {deleted}"
        ));
        if table.uncounted_events > 0 {
            let uncounted = grouped(table.uncounted_events);
            text.push_str(&format!("  events whose rows cannot be counted {uncounted}"));
        }
        text.push('\n');
    }
    for (offset, statement) in &sum.definitions {
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        text.push_str(&format!("  at {offset}  {statement}\n"));
    }
    text
}

fn event_line(event: &EventLine) -> String {
    let mut line = format!("{:>10}  {}", event.offset, event.kind);
    let mut add = |text: Option<String>| {
        if let Some(text) = text {
            line.push_str("  ");
            line.push_str(&text);
        }
    };
    add(event.gtid.clone());
    add(event.executed.as_ref().map(ToString::to_string));
    add(event.table.as_ref().map(ToString::to_string));
    add(event.rows.map(|rows| format!("rows {rows}")));
    let one_line = |s: &String| s.split_whitespace().collect::<Vec<_>>().join(" ");
    add(event.statement.as_ref().map(one_line));
    add(event.next_file.as_ref().map(|file| format!("next {file}")));
    line
}

/// Row images as a run would read them, so that only what was committed is shown.
fn show_rows(
    args: &Args,
    definitions: Definitions,
    output: &mut Output,
) -> Result<(), CommandError> {
    let tables = TablePatterns::parse(&args.tables).map_err(|error| HostError::Usage {
        message: error.to_string(),
        hint: "write --tables 'shop.orders_*'".to_owned(),
    })?;
    // One transaction a slice, so that the order of the log shows.
    let options = ReadOptions {
        tables,
        slice_images_max: 1,
        zero_dates: ZeroDates::Null,
        definitions,
        ..ReadOptions::default()
    };
    let mut source = FileSource::open(&args.files, None, options)?;
    while let Some(slice) = source.next()? {
        for batch in &slice.batches {
            for image in 0..batch.len() {
                output.json(&row_line(batch, image))?;
            }
        }
    }
    Ok(())
}

fn row_line(batch: &Batch, image: usize) -> serde_json::Value {
    let schema = batch.schema();
    let all: Vec<usize> = (0..schema.columns.len()).collect();
    let kind = batch.images().kinds().get(image).copied().unwrap_or(ImageKind::Insert);
    let origin = batch.images().origin(image).map(|(mark, _)| mark);
    let at = origin.map(|m| format!("{}:{}", m.transaction.file, m.event_offset));
    let gtid = origin.and_then(|m| m.transaction.gtid.as_ref()).map(ToString::to_string);
    let side =
        if matches!(kind, ImageKind::Before | ImageKind::Delete) { "before" } else { "after" };
    json!({
        "at": at,
        "gtid": gtid,
        "table": schema.name.to_string(),
        "op": kind.letter(),
        side: row_text::row(batch, image, &all),
    })
}
