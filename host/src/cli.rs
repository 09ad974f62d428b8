//! The command line: what it takes, and which command answers.
//!
//! Standard output is data, standard error is talk. A command never ends the process itself.

use clap::{Parser, Subcommand};

use change::Fault;

use crate::error::CommandError;
use crate::progress::Screen;

mod check;
mod completions;
mod convert;
mod inspect;
pub mod logging;
mod output;
mod pipelines;
mod plugin;
mod positions;
mod record;
mod run;
mod table;
mod test;

/// MySQL and MariaDB binlogs through WebAssembly plugins into Delta Lake tables.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, about, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// Say nothing but warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Exit codes: 0 done, 1 failed at run time, 2 manifest or arguments wrong, \
    3 the environment is not fit.\nLog lines: SLUICE_LOG=debug, or SLUICE_LOG=warn,lake=debug.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a pipeline
    Run(run::Args),
    /// Find out whether a pipeline can run, and what to mend where it cannot
    Check(check::Args),
    /// Show a server's log files, where the pipeline stands in them, and how long they are kept
    Positions(positions::Args),
    /// Record a slice of a server's log as a file
    Record(record::Args),
    /// Show what is in recorded binlog files
    Inspect(inspect::Args),
    /// Run offline tests of plugins against recorded binlogs
    Test(test::Args),
    /// Look at plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Look at tables
    #[command(subcommand)]
    Table(table::Command),
    /// Print what a script is as a manifest
    Convert(convert::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// How a command ended that could say all by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Done,
    /// With findings that it has told.
    Failed(Fault),
}

impl Cli {
    /// Whether log lines about what changes are left out: all but `run` tell what they found by
    /// themselves, and only who asked for the lines of plugins wants more.
    #[must_use]
    pub fn is_terse(&self) -> bool {
        match &self.command {
            Command::Run(_) => self.quiet,
            Command::Test(args) => self.quiet || !args.plugin_logs,
            _ => true,
        }
    }
}

/// Runs the command that was asked for.
///
/// # Errors
/// Whatever ended it before it was done.
pub fn run(cli: Cli, screen: &Screen) -> Result<Outcome, CommandError> {
    match cli.command {
        Command::Run(args) => run::run(&args, cli.quiet, screen),
        Command::Check(args) => check::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Positions(args) => positions::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Plugin(command) => plugin::run(&command),
        Command::Table(command) => table::run(&command),
        Command::Convert(args) => convert::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_arguments_end_with_the_code_of_wrong_usage() {
        for arguments in [&["sluice"][..], &["sluice", "runn", "m"], &["sluice", "test"]] {
            let error = Cli::try_parse_from(arguments).expect_err("wrong arguments");
            assert_eq!(error.exit_code(), 2, "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["sluice", "run", "m", "-q", "--until-end"]).is_ok());
    }
}
