//! A plugin over a recorded log, without a manifest: what it plans for a table, what it makes of the first rows, and what
//! it costs. Nothing is written anywhere.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ::plugin::{Chain, PluginSpec, TablePlan, TableSettings, WithoutKey};
use binlog::{FileSource, ReadOptions, ZeroDates};
use change::{Batch, ImageKind, Route, Routing, TableName, TablePatterns, Transformed};
use serde_json::{Map, Value, json};

use super::super::Outcome;
use super::super::output::{Form, Output};
use crate::chain;
use crate::error::{CommandError, HostError};
use crate::row_text;

/// The plugin's name in messages.
const PLUGIN: &str = "plugin";

/// A plugin, and the rows of a recorded log that it gets.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Subject {
    /// The .wasm file
    file: PathBuf,
    /// Recorded binlog files, in order
    #[arg(required = true)]
    log: Vec<PathBuf>,
    /// The table whose rows it gets: database.table, with * or as a regular expression between slashes
    #[arg(long)]
    table: String,
    /// Its configuration, as JSON
    #[arg(long, default_value = "{}", value_name = "JSON")]
    config: String,
}

#[derive(Debug, clap::Args)]
pub(in super::super) struct TryArgs {
    #[command(flatten)]
    subject: Subject,
    /// How many row images to show
    #[arg(long, default_value_t = 10)]
    rows: usize,
    /// Print one JSON line an image
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in super::super) struct BenchArgs {
    #[command(flatten)]
    subject: Subject,
    /// How often the log is passed through; the fastest time counts
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl Subject {
    pub(super) fn new(file: PathBuf, log: Vec<PathBuf>, table: String, config: String) -> Self {
        Self { file, log, table, config }
    }

    fn chain(&self) -> Result<Chain, CommandError> {
        let config: Value =
            serde_json::from_str(&self.config).map_err(|error| HostError::Usage {
                message: format!("--config is no JSON: {error}"),
                hint: "write it as '{\"key\": \"value\"}'".to_owned(),
            })?;
        let spec = PluginSpec {
            tables: self.tables()?,
            config,
            ..PluginSpec::new(PLUGIN, super::read(&self.file)?)
        };
        Ok(Chain::load(&chain::engine(Some(chain::log_to_tracing()))?, vec![spec])?)
    }

    fn tables(&self) -> Result<TablePatterns, HostError> {
        TablePatterns::parse(&[&self.table]).map_err(|error| HostError::Usage {
            message: format!("--table `{}`: {error}", self.table),
            hint: "write database.table, such as shop.orders".to_owned(),
        })
    }

    fn source(&self) -> Result<FileSource, CommandError> {
        let options = ReadOptions {
            tables: self.tables()?,
            zero_dates: ZeroDates::Null,
            ..ReadOptions::default()
        };
        Ok(FileSource::open(&self.log, None, options)?)
    }

    fn no_rows(&self) -> CommandError {
        HostError::Usage {
            message: format!("the log has no rows of `{}`", self.table),
            hint: "run `sluice inspect` on it to see its tables".to_owned(),
        }
        .into()
    }

    /// The plan for the first version of the first table that the log has rows of; none: it is left out.
    pub(super) fn plan(&self) -> Result<(TableName, Option<String>), CommandError> {
        let mut chain = self.chain()?;
        let mut source = self.source()?;
        while let Some(slice) = source.next()? {
            if let Some(batch) = slice.batches.first() {
                let plan = chain.plan(batch.schema(), &settings())?;
                return Ok((batch.schema().name.clone(), plan.map(|plan| plan_text(&plan))));
            }
        }
        Err(self.no_rows())
    }
}

/// A table without a key is no reason not to look at its rows.
fn settings() -> TableSettings {
    TableSettings { without_key: WithoutKey::WholeRow, trust_ids: true, ..TableSettings::default() }
}

fn plan_text(plan: &TablePlan) -> String {
    let schema = plan.schema();
    let decisions = plan.decisions().iter().map(|(_, decision)| decision.to_string());
    let mut text = format!("plan     {}\n", decisions.collect::<Vec<_>>().join(", "));
    let ids = schema.id_columns.iter().filter_map(|at| schema.columns.get(*at));
    let ids: Vec<_> = ids.map(|column| column.name.as_str()).collect();
    text.push_str(&format!("ids      {}\n", ids.join(", ")));
    let Route(route) = plan.base_route();
    let route: Vec<_> = route.iter().map(|(name, value)| format!("{name}={value}")).collect();
    text.push_str(&format!("route    {}\n", route.join(", ")));
    for (column, origin) in schema.columns.iter().zip(plan.origins()) {
        let null = if column.nullable { ", may be NULL" } else { "" };
        text.push_str(&format!("  {}  {}{null}  from {origin}\n", column.name, column.column_type));
    }
    text
}

pub(super) fn try_rows(args: &TryArgs) -> Result<Outcome, CommandError> {
    let subject = &args.subject;
    let (mut chain, mut source) = (subject.chain()?, subject.source()?);
    let mut output = Output::new();
    let (mut left, mut found) = (args.rows, false);
    'log: while let Some(slice) = source.next()? {
        for batch in &slice.batches {
            found = true;
            let Some(plan) = chain.plan(batch.schema(), &settings())? else {
                output.line(&format!("{} is left out by the plugin", batch.schema().name))?;
                break 'log;
            };
            let transformed = chain.transform(&plan, batch)?;
            for image in 0..batch.len() {
                if left == 0 {
                    break 'log;
                }
                left = left.saturating_sub(1);
                let shown = Shown::of(batch, &transformed, image);
                match Form::of(args.json) {
                    Form::Json => output.json(&shown.as_json())?,
                    Form::Text => output.text(&shown.as_text())?,
                }
            }
        }
    }
    output.finish()?;
    if found { Ok(Outcome::Done) } else { Err(subject.no_rows()) }
}

/// What became of one row image.
struct Shown {
    table: String,
    kind: &'static str,
    before: Map<String, Value>,
    /// The row and its route; none: it does not reach the target.
    after: Option<(Map<String, Value>, Map<String, Value>)>,
    rejected: Option<(String, String)>,
}

impl Shown {
    fn of(batch: &Batch, transformed: &Transformed, image: usize) -> Self {
        let all: Vec<usize> = (0..batch.columns().len()).collect();
        let kind = match batch.images().kinds().get(image) {
            Some(ImageKind::Insert) => "insert",
            Some(ImageKind::Before) => "update, before",
            Some(ImageKind::After) => "update, after",
            Some(ImageKind::Delete) | None => "delete",
        };
        let rejected = transformed.rejected.iter().find(|r| usize::try_from(r.image) == Ok(image));
        let after = transformed.is_kept(image).then(|| {
            let columns = transformed.schema.columns.iter().zip(&transformed.columns);
            let cell = |(column, array): (&change::Column, _)| {
                Some((column.name.clone(), row_text::value(array, image)?))
            };
            (columns.filter_map(cell).collect(), route_of(transformed, image))
        });
        Self {
            table: batch.schema().name.to_string(),
            kind,
            before: row_text::row(batch, image, &all),
            after,
            rejected: rejected.map(|r| (r.code.clone(), r.detail.clone())),
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "table": self.table,
            "image": self.kind,
            "in": self.before,
            "out": self.after.as_ref().map(|(row, _)| row),
            "route": self.after.as_ref().map(|(_, route)| route),
            "rejected": self.rejected.as_ref().map(|(code, detail)| json!({ "code": code, "detail": detail })),
        })
    }

    fn as_text(&self) -> String {
        let line = |row: &Map<String, Value>| Value::Object(row.clone()).to_string();
        let outcome = match (&self.after, &self.rejected) {
            (Some((row, route)), _) => {
                format!("kept      {}\n  route     {}", line(row), line(route))
            }
            (None, Some((code, detail))) => format!("rejected  {code}: {detail}"),
            (None, None) => "dropped".to_owned(),
        };
        format!("{} {}\n  in        {}\n  {outcome}\n", self.table, self.kind, line(&self.before))
    }
}

fn route_of(transformed: &Transformed, image: usize) -> Map<String, Value> {
    let route = match &transformed.routing {
        Routing::Whole(route) => Some(route),
        Routing::PerImage { routes, images } => {
            images.get(image).and_then(|at| routes.get(usize::try_from(*at).ok()?))
        }
    };
    let Some(Route(variables)) = route.map(AsRef::as_ref) else { return Map::new() };
    variables.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect()
}

pub(super) fn bench(args: &BenchArgs) -> Result<Outcome, CommandError> {
    let subject = &args.subject;
    let since = Instant::now();
    let mut chain = subject.chain()?;
    let start_up = since.elapsed();
    let batches = batches(subject)?;
    let images: usize = batches.iter().map(Batch::len).sum();
    if images == 0 {
        return Err(subject.no_rows());
    }
    let mut none = Chain::load(&chain::engine(None)?, Vec::new())?;
    let rounds = args.rounds.max(1);
    let mut fastest = [Duration::MAX; 2];
    // In turns, so that a slow moment of the machine hits both.
    for _ in 0..rounds {
        for (chain, fastest) in [&mut chain, &mut none].into_iter().zip(&mut fastest) {
            *fastest = pass(chain, &batches)?.min(*fastest);
        }
    }
    let [with, without] = fastest.map(|time| nanoseconds(time, images));
    let counters = chain.counters();
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => output.json(&json!({
            "images": images,
            "start-up-ms": start_up.as_secs_f64() * 1e3,
            "ns-an-image": with,
            "ns-an-image-without": without,
            "calls-a-round": counters.calls / u64::from(rounds),
            "bytes-in-a-round": counters.bytes_in / u64::from(rounds),
            "bytes-out-a-round": counters.bytes_out / u64::from(rounds),
        }))?,
        Form::Text => {
            output.line(&format!("{images} row images, the fastest of {rounds} rounds"))?;
            output.line(&format!("start      {:.1} ms", start_up.as_secs_f64() * 1e3))?;
            output.line(&format!("plugin     {with:.1} ns an image, {without:.1} without it"))?;
            let (calls, rounds) = (counters.calls, u64::from(rounds));
            output.line(&format!(
                "calls      {}, {} bytes in, {} bytes out",
                calls / rounds,
                counters.bytes_in / rounds,
                counters.bytes_out / rounds
            ))?;
        }
    }
    output.finish()?;
    Ok(Outcome::Done)
}

fn nanoseconds(time: Duration, images: usize) -> f64 {
    time.as_secs_f64() * 1e9 / u32::try_from(images).map_or(f64::from(u32::MAX), f64::from)
}

/// All rows of the log; reading them is no part of what is measured.
fn batches(subject: &Subject) -> Result<Vec<Batch>, CommandError> {
    let mut source = subject.source()?;
    let mut batches = Vec::new();
    while let Some(slice) = source.next()? {
        batches.extend(slice.batches);
    }
    Ok(batches)
}

fn pass(chain: &mut Chain, batches: &[Batch]) -> Result<Duration, CommandError> {
    let since = Instant::now();
    for batch in batches {
        if let Some(plan) = chain.plan(batch.schema(), &settings())? {
            chain.transform(&plan, batch)?;
        }
    }
    Ok(since.elapsed())
}
