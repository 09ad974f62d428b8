//! Log lines on standard error, and the kill markers of the tests.

use std::io;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::error::HostError;
use crate::marker;
use crate::progress::Screen;

/// Which log lines are wanted: a level for Sluice itself, or directives in the form of
/// `tracing-subscriber`'s `EnvFilter`.
const FILTER: &str = "SLUICE_LOG";

/// The crates whose lines are Sluice's own. The libraries below say at `info` what they do at every
/// step, so a level is not meant for them.
const OWN: [&str; 4] = ["sluice", "binlog", "plugin", "lake"];

/// Starts logging for the process: the lines that `SLUICE_LOG` asks for, by default what changes the
/// state of a pipeline; where that would be too much (`terse`) warnings and errors only.
///
/// # Errors
/// Where the filter cannot be read, or the file for markers cannot be opened.
pub fn start(screen: &Screen, terse: bool) -> Result<(), HostError> {
    let default = if terse { "warn" } else { "info" };
    let wanted = std::env::var(FILTER).unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(directives(&wanted)).map_err(|error| HostError::Usage {
        message: format!("{FILTER} cannot be read: {error}"),
        hint: format!("write a level such as {FILTER}=debug, or {FILTER}=warn,lake=debug"),
    })?;
    let lines = fmt::layer()
        .with_writer(screen.clone())
        .with_ansi(is_colourful(screen))
        .with_target(false)
        .with_filter(filter);
    let markers = marker::from_environment()
        .map_err(|source| HostError::Start { what: "listening to markers", source })?;
    let markers = markers.map(|layer| layer.with_filter(marker::filter()));
    let subscriber = tracing_subscriber::registry().with(lines).with(markers);
    subscriber
        .try_init()
        .map_err(|error| HostError::Start { what: "logging", source: io::Error::other(error) })
}

/// A level alone is for Sluice's own crates; of the others only warnings are of interest.
fn directives(wanted: &str) -> String {
    if wanted.contains(['=', ',']) {
        return wanted.to_owned();
    }
    let own = OWN.map(|own| format!("{own}={wanted}"));
    format!("warn,{}", own.join(","))
}

/// Colours are for terminals, and not for those who refuse them (<https://no-color.org>).
fn is_colourful(screen: &Screen) -> bool {
    screen.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_for_the_own_crates_and_directives_stay_as_they_are() {
        assert_eq!(directives("debug"), "warn,sluice=debug,binlog=debug,plugin=debug,lake=debug");
        assert_eq!(directives("info,lake=trace"), "info,lake=trace");
        for wanted in ["debug", "info,lake=trace", "off"] {
            assert!(EnvFilter::try_new(directives(wanted)).is_ok(), "{wanted}");
        }
        assert!(EnvFilter::try_new(directives("loud")).is_err());
    }
}
