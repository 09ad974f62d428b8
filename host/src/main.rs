//! The program: parse, run, exit code. Everything else is the library's.

use std::process::ExitCode;

use change::Fault;
use clap::Parser;
use sluice::cli::{self, Cli, Outcome};
use sluice::error::CommandError;
use sluice::progress::Screen;

/// Decoding frees what another thread allocated; with the system's allocator it falls to a quarter of
/// its speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let screen = Screen::default();
    let outcome = cli::logging::start(&screen, cli.is_terse())
        .map_err(CommandError::from)
        .and_then(|()| cli::run(cli, &screen));
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed(fault)) => exit_code(fault),
        Err(error) if error.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => {
            screen.write_line(error.render().trim_end());
            exit_code(error.fault())
        }
    }
}

/// The codes of `docs/reference/exit-codes.md`.
fn exit_code(fault: Fault) -> ExitCode {
    ExitCode::from(match fault {
        Fault::Run => 1,
        Fault::Usage => 2,
        Fault::Environment => 3,
    })
}
