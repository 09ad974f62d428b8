//! Kill markers: named points of the code at which tests end the process the hard way.
//!
//! A stage names a point by `trace!(target: "sluice::marker", marker = "…")`. Nothing listens unless
//! `SLUICE_KILL_AT` or `SLUICE_MARKERS` is set (`docs/guide/testing.md`).

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Signal, getpid, kill_process};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::layer::Context;

/// The target of the events that are markers.
pub const TARGET: &str = "sluice::marker";

/// Names the marker to die at: `name`, or `name#n` for the n-th time it is reached.
pub const KILL_AT: &str = "SLUICE_KILL_AT";

/// Names a file that every marker reached is appended to, one a line.
pub const MARKERS: &str = "SLUICE_MARKERS";

/// Where to die.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KillAt {
    marker: String,
    times: u64,
}

impl KillAt {
    fn parse(text: &str) -> Self {
        let (marker, times) = text.rsplit_once('#').unwrap_or((text, "1"));
        match times.parse() {
            Ok(times) => Self { marker: marker.to_owned(), times },
            Err(_) => Self { marker: text.to_owned(), times: 1 },
        }
    }
}

/// Listens to markers.
pub struct MarkerLayer {
    kill_at: Option<KillAt>,
    file: Option<File>,
    reached: Mutex<HashMap<String, u64>>,
}

/// The layer that the environment asks for; none where it asks for nothing.
///
/// # Errors
/// Where the file for the markers cannot be opened.
pub fn from_environment() -> io::Result<Option<MarkerLayer>> {
    let kill_at = std::env::var(KILL_AT).ok().map(|text| KillAt::parse(&text));
    let open = |path| OpenOptions::new().create(true).append(true).open(path);
    let file = std::env::var_os(MARKERS).map(open).transpose()?;
    let asked = kill_at.is_some() || file.is_some();
    Ok(asked.then(|| MarkerLayer { kill_at, file, reached: Mutex::default() }))
}

/// Lets markers through and nothing else, so that no other event is built for them.
#[must_use]
pub fn filter() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    filter_fn(|metadata| metadata.target() == TARGET)
}

impl MarkerLayer {
    /// Counts a marker; true where it is the one to die at.
    fn reach(&self, marker: &str) -> bool {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let times = reached.entry(marker.to_owned()).or_default();
        *times = times.saturating_add(1);
        self.kill_at.as_ref().is_some_and(|at| at.marker == marker && at.times == *times)
    }
}

impl<S: Subscriber> Layer<S> for MarkerLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut name = MarkerName::default();
        event.record(&mut name);
        let die = self.reach(&name.0);
        if let Some(mut file) = self.file.as_ref() {
            // One write a line, so that the lines of several processes do not mix; a test that misses
            // one fails by itself.
            let _ = file.write_all(format!("{}\n", name.0).as_bytes());
        }
        if die {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}

/// The value of the field `marker`.
#[derive(Default)]
struct MarkerName(String);

impl Visit for MarkerName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "marker" {
            self.0 = value.to_owned();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "marker" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_marker_is_named_with_the_time_it_is_reached() {
        let at = |marker: &str, times| KillAt { marker: marker.to_owned(), times };
        assert_eq!(KillAt::parse("commit.before"), at("commit.before", 1));
        assert_eq!(KillAt::parse("commit.before#3"), at("commit.before", 3));
        assert_eq!(KillAt::parse("odd#name"), at("odd#name", 1));
    }

    #[test]
    fn markers_are_counted_by_name_and_other_events_are_not_seen() {
        let kill_at = Some(KillAt { marker: "other".to_owned(), times: u64::MAX });
        let layer = Arc::new(MarkerLayer { kill_at, file: None, reached: Mutex::default() });
        let subscriber =
            tracing_subscriber::registry().with(Shared(Arc::clone(&layer)).with_filter(filter()));
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..2 {
                tracing::trace!(target: "sluice::marker", marker = "commit.before");
                tracing::info!(marker = "elsewhere");
            }
        });
        let reached = layer.reached.lock().expect("unpoisoned").clone();
        assert_eq!(reached, HashMap::from([("commit.before".to_owned(), 2)]));
    }

    #[test]
    fn the_process_dies_at_the_time_that_is_asked_for() {
        let kill_at = Some(KillAt { marker: "m".to_owned(), times: 2 });
        let layer = MarkerLayer { kill_at, file: None, reached: Mutex::default() };
        assert_eq!(
            [layer.reach("m"), layer.reach("n"), layer.reach("m"), layer.reach("m")],
            [false, false, true, false]
        );
    }

    struct Shared(Arc<MarkerLayer>);

    impl<S: Subscriber> Layer<S> for Shared {
        fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
            self.0.on_event(event, context);
        }
    }
}
