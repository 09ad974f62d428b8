//! `make bench`: measures what the project promises, prints a table and writes
//! `target/bench/summary.json`.
//!
//! Every figure is a ratio of two things timed in the same run, one after the other in each of five rounds;
//! the median of the rounds counts. Absolute times mean little on a shared machine, and none is promised.
//! Cost models stand at the head of each module.

#![expect(
    clippy::indexing_slicing,
    reason = "data of the benchmark's own making; a panic ends it with the place"
)]

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

mod decode;
mod figure;
mod filter;
mod live;
mod logs;
mod machine;
mod pipeline;
mod round;
mod upsert;

use figure::Figure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A group of figures that share their data.
type Group = (&'static str, fn() -> Result<Vec<Figure>>);

const GROUPS: [Group; 5] = [
    ("decode", decode::figures),
    ("live", live::figures),
    ("filter", filter::figures),
    ("upsert", upsert::figures),
    ("pipeline", pipeline::figures),
];

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let known = |name: &String| GROUPS.iter().any(|(group, _)| group == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        bail!("unknown group `{unknown}`: there are decode, live, filter, upsert and pipeline");
    }
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    say(&machine::describe());
    let path = PathBuf::from("target/bench/summary.json");
    let mut figures = Vec::new();
    for (name, measure) in GROUPS.into_iter().filter(|(name, _)| chosen(name)) {
        say(&format!("measuring {name} …"));
        let measured = measure().with_context(|| format!("measuring {name}"))?;
        // A group that fails later does not take what is known with it.
        figure::write(&path, &measured)?;
        for figure in &measured {
            say(&format!("  {} = {:.3} {}", figure.name, figure.value, figure.unit));
        }
        figures.extend(measured);
    }
    say(&machine::describe());
    say(&figure::table(&figures));
    say(&format!("written to {}", path.display()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn say(text: &str) {
    println!("{text}");
}
