//! `sluice plugin`: a look at a plugin.

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
    /// Show what a plugin file is: its own name, digest, imports, exports and configuration
    Info(InfoArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct InfoArgs {
    /// The .wasm file
    file: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Result<Outcome, CommandError> {
    match command {
        Command::Info(args) => info(args),
    }
}

fn info(args: &InfoArgs) -> Result<Outcome, CommandError> {
    let bytes = read(&args.file)?;
    let engine = chain::engine(None)?;
    let description = ::plugin::describe(&engine, &bytes)?;
    let mut output = Output::new();
    match Form::of(args.json) {
        Form::Json => output.json(&as_json(&description))?,
        Form::Text => output.text(&as_text(&description))?,
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
