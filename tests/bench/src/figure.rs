//! One figure, the table of all of them, and the file for machines.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

/// Which side of its reach a figure has to be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
}

/// One measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Its name in the summary.
    pub name: &'static str,
    /// The median of the rounds.
    pub value: f64,
    /// What it is measured in.
    pub unit: &'static str,
    /// What it should reach.
    pub reach: f64,
    /// On which side.
    pub side: Reach,
    /// What it was made of, for people.
    pub note: String,
}

impl Figure {
    /// Whether it is where it should be.
    #[must_use]
    pub(crate) fn holds(&self) -> bool {
        match self.side {
            Reach::AtLeast => self.value >= self.reach,
            Reach::AtMost => self.value <= self.reach,
        }
    }
}

/// All figures as a table.
#[must_use]
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text = format!(
        "{:<18} {:>12} {:<10} {:>14}  {:<5} {}\n",
        "name", "value", "unit", "reach", "holds", "made of"
    );
    for figure in figures {
        let reach = match figure.side {
            Reach::AtLeast => format!(">= {}", figure.reach),
            Reach::AtMost => format!("<= {}", figure.reach),
        };
        let holds = if figure.holds() { "yes" } else { "NO" };
        let (name, value, unit, note) = (figure.name, figure.value, figure.unit, &figure.note);
        let _ =
            writeln!(text, "{name:<18} {value:>12.2} {unit:<10} {reach:>14}  {holds:<5} {note}");
    }
    text
}

/// Writes `[{"name", "value", "unit", "reach", "holds"}, …]`; figures of groups that were not measured this time stay
/// as they were.
///
/// # Errors
/// Where the file cannot be written.
pub(crate) fn write(path: &Path, figures: &[Figure]) -> Result<()> {
    let old = std::fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Vec<serde_json::Value>>(&bytes).ok());
    let fresh = |name: &serde_json::Value| figures.iter().any(|f| name == f.name);
    let mut all: Vec<_> =
        old.unwrap_or_default().into_iter().filter(|f| !fresh(&f["name"])).collect();
    all.extend(figures.iter().map(|f| {
        json!({"name": f.name, "value": f.value, "unit": f.unit, "reach": f.reach, "holds": f.holds()})
    }));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, serde_json::to_vec_pretty(&all)?)
        .with_context(|| path.display().to_string())
}
