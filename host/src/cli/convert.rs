//! `sluice convert`: a script's pipelines as manifests.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use super::Outcome;
use super::output::Output;
use crate::error::{CommandError, HostError};
use crate::script::{self, Converted};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The script
    script: PathBuf,
    /// Write a file NAME.toml for each pipeline into this folder; none that is there is replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let converted = script::convert(&args.script)?;
    let mut output = Output::new();
    match (&args.out, converted.as_slice()) {
        (Some(folder), all) => {
            let path = |c: &Converted| folder.join(format!("{}.toml", c.name));
            for converted in all {
                let path = path(converted);
                write(&path, &converted.text).map_err(|source| HostError::File {
                    doing: "write",
                    path: path.clone(),
                    source,
                })?;
                output.line(&path.display().to_string())?;
            }
        }
        (None, [one]) => output.text(&one.text)?,
        (None, several) => {
            let names: Vec<_> = several.iter().map(|c| c.name.as_str()).collect();
            return Err(HostError::Usage {
                message: format!("the script has several pipelines: {}", names.join(", ")),
                hint: "name a folder for a manifest of each: `sluice convert SCRIPT --out DIR`"
                    .to_owned(),
            }
            .into());
        }
    }
    output.finish()?;
    Ok(Outcome::Done)
}

fn write(path: &PathBuf, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
