//! The whole pipeline: a recorded insert-heavy log through a filter plugin into a Delta table.
//!
//! cost = the slowest stage, where the stages overlap; the reference is the same steps in one loop, whose stages do not.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sluice_tests::{checkout, host};

use crate::figure::{Figure, Reach};
use crate::logs;
use crate::round::{ROUNDS, median};

/// The figures of this module.
pub(crate) fn figures() -> Result<Vec<Figure>> {
    let log = logs::inserts()?;
    let (mut rates, mut against, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    let mut shares = String::new();
    for round in 0..=ROUNDS {
        let together = run(&log, &[])?;
        let alone = run(&log, &["--in-order"])?;
        if round == 0 {
            continue;
        }
        let slowest = alone.stages().into_iter().map(|(_, seconds)| seconds).fold(0.0, f64::max);
        rates.push(together.images / together.seconds);
        against.push(together.seconds / slowest);
        peaks.push(together.peak_bytes / f64::from(1 << 20));
        shares = alone
            .stages()
            .map(|(name, s)| format!("{name} {:.0} %", 100.0 * s / alone.seconds))
            .join(", ");
    }
    let note = |text: &str| text.to_owned();
    Ok(vec![
        Figure {
            name: "pipeline_rate",
            value: median(rates),
            unit: "images/s",
            reach: 300_000.0,
            side: Reach::AtLeast,
            note: shares,
        },
        Figure {
            name: "pipeline_vs_stage",
            value: median(against),
            unit: "x",
            reach: 1.5,
            side: Reach::AtMost,
            note: note("against the slowest stage of the same steps in one loop"),
        },
        Figure {
            name: "pipeline_rss",
            value: median(peaks),
            unit: "MiB",
            reach: 512.0,
            side: Reach::AtMost,
            note: note("peak resident size of the process"),
        },
    ])
}

/// What one run of the program told.
struct Run {
    images: f64,
    seconds: f64,
    peak_bytes: f64,
    summary: Value,
}

impl Run {
    /// Seconds of each stage.
    fn stages(&self) -> [(&'static str, f64); 4] {
        let seconds =
            |name: &'static str| (name, self.summary["stages"][name].as_f64().unwrap_or_default());
        [seconds("read"), seconds("transform"), seconds("fold"), seconds("commit")]
    }
}

fn run(log: &Path, flags: &[&str]) -> Result<Run> {
    let folder = tempfile::tempdir_in(checkout::root().join("target/bench"))?;
    let manifest = manifest(folder.path(), log)?;
    let output = Command::new(host::binary())
        .args(["run", "--until-end", "--json"])
        .args(flags)
        .arg(&manifest)
        .output()
        .context("starting sluice")?;
    ensure!(output.status.success(), "sluice failed: {}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).context("its summary")?;
    let field =
        |name: &str| summary[name].as_f64().with_context(|| format!("`{name}` in its summary"));
    let (images, seconds, peak_bytes) =
        (field("images")?, field("seconds")?, field("peak_rss_bytes")?);
    Ok(Run { images, seconds, peak_bytes, summary })
}

fn manifest(folder: &Path, log: &Path) -> Result<PathBuf> {
    let text = format!(
        "[pipeline]\nname = \"bench\"\ncheckpoint = \"{folder}/checkpoint\"\n\
         [source]\nfiles = [\"{log}\"]\ntables = [\"bench.*\"]\n\
         [[plugin]]\nname = \"filter\"\ncomponent = \"{plugin}\"\ntables = [\"bench.*\"]\n\
         [plugin.config]\nwhere = \"k >= 1000\"\n\
         [sink]\npath = \"{folder}/lake/{{db}}/{{table}}\"\n",
        folder = folder.display(),
        log = log.display(),
        plugin = checkout::plugin("filter").display(),
    );
    let path = folder.join("bench.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}
