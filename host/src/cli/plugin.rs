//! `sluice plugin`: plugins made, built, looked at and tried.

mod build;
mod language;
mod new;
mod on_log;

use std::fs;
use std::path::{Path, PathBuf};

use ::plugin::{Description, Form as FileForm};
use serde_json::json;

use super::Outcome;
use super::output::{Form, Output};
use crate::chain;
use crate::error::{CommandError, HostError};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a folder with a plugin that builds and tests at once
    New(new::Args),
    /// Build a plugin with its language's tools, and check it
    Build(build::Args),
    /// Show what a plugin file is: its own name, digest, imports, exports, configuration, and its plan for a table
    Info(InfoArgs),
    /// Show what a plugin makes of the first rows of a recorded log
    Try(on_log::TryArgs),
    /// Measure what a plugin costs on a recorded log, against no plugin
    Bench(on_log::BenchArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct InfoArgs {
    /// The .wasm file
    file: PathBuf,
    /// Show its plan for this table of a recorded log too
    #[arg(long, requires = "log")]
    table: Option<String>,
    /// Recorded binlog files, in order
    #[arg(long, requires = "table", num_args = 1.., value_name = "LOG")]
    log: Vec<PathBuf>,
    /// Its configuration, as JSON
    #[arg(long, default_value = "{}", value_name = "JSON")]
    config: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Result<Outcome, CommandError> {
    match command {
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(args),
        Command::Info(args) => info(args),
        Command::Try(args) => on_log::try_rows(args),
        Command::Bench(args) => on_log::bench(args),
    }
}

fn info(args: &InfoArgs) -> Result<Outcome, CommandError> {
    let bytes = read(&args.file)?;
    let engine = chain::engine(None)?;
    let description = ::plugin::describe(&engine, &bytes)?;
    let planned = match &args.table {
        Some(table) => {
            let (file, log) = (args.file.clone(), args.log.clone());
            let subject = on_log::Subject::new(file, log, table.clone(), args.config.clone());
            Some(subject.plan()?)
        }
        None => None,
    };
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => {
            let mut value = as_json(&description);
            if let (Some((table, plan)), Some(object)) = (planned, value.as_object_mut()) {
                object.insert("table".to_owned(), table.to_string().into());
                object.insert("plan".to_owned(), plan.into());
            }
            output.json(&value)?;
        }
        Form::Text => {
            output.text(&as_text(&description))?;
            if let Some((table, plan)) = planned {
                let plan = plan.unwrap_or_else(|| "plan     left out\n".to_owned());
                output.text(&format!("table    {table}\n{plan}"))?;
            }
        }
    }
    output.finish()?;
    Ok(Outcome::Done)
}

/// The bytes of a plugin file.
fn read(path: &Path) -> Result<Vec<u8>, HostError> {
    fs::read(path).map_err(|source| HostError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}

fn form(description: &Description) -> &'static str {
    match description.form {
        FileForm::Component => "component",
        FileForm::CoreModule => "core module",
    }
}

/// The configuration's schema as JSON; as text where it is none.
fn schema(description: &Description) -> Option<serde_json::Value> {
    let text = description.config_schema.as_deref()?;
    Some(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
}

fn as_json(description: &Description) -> serde_json::Value {
    json!({
        "name": description.name,
        "version": description.version,
        "form": form(description),
        "bytes": description.bytes,
        "sha256": description.sha256,
        "imports": description.imports,
        "exports": description.exports,
        "config-schema": schema(description),
    })
}

fn as_text(description: &Description) -> String {
    let listed = |names: &[String]| match names {
        [] => "nothing".to_owned(),
        _ => names.join(", "),
    };
    let schema = schema(description)
        .and_then(|schema| serde_json::to_string_pretty(&schema).ok())
        .map_or_else(|| "none".to_owned(), |schema| format!("\n{schema}"));
    format!(
        "name     {}\nversion  {}\nform     {}\nbytes    {}\nsha256   {}\nimports  {}\nexports  {}\nconfig   {schema}\n",
        description.name,
        description.version,
        form(description),
        description.bytes,
        description.sha256,
        listed(&description.imports),
        listed(&description.exports),
    )
}
