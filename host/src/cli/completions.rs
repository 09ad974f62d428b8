//! `sluice completions`: completions for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::output::Output;
use super::{Cli, Outcome};
use crate::error::CommandError;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell that reads them
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sluice", &mut script);
    let mut output = Output::new();
    output.text(&String::from_utf8_lossy(&script))?;
    output.finish()?;
    Ok(Outcome::Done)
}
