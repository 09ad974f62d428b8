//! The seeds reach what they are for, and what once broke something breaks nothing any more.

use std::path::Path;

use super::*;
use crate::seeds::seeds;

/// Targets whose seeds have to become rows: a seed that is refused at the door guides nobody.
const WITH_ROWS: [&str; 10] = [
    "file",
    "events",
    "rows",
    "value",
    "text",
    "json",
    "json-changes",
    "payload",
    "packed",
    "definitions",
];

#[test]
fn seeds_of_every_target_are_read() {
    for target in TARGETS {
        let seeds = seeds(target.name).expect("the recorded logs");
        assert!(!seeds.is_empty(), "{} has none", target.name);
        let images: usize = seeds.iter().map(|seed| (target.run)(seed)).sum();
        assert_eq!(images > 0, WITH_ROWS.contains(&target.name), "{}: {images}", target.name);
    }
}

#[test]
fn every_seed_by_hand_becomes_a_row() {
    for target in ["value", "text", "json", "json-changes"] {
        let run = named(target).expect("a target").run;
        for (number, seed) in seeds(target).expect("seeds").iter().enumerate() {
            assert!(run(seed) > 0, "{target}, seed {number}");
        }
    }
}

#[test]
fn what_was_found_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/fuzz");
    let mut inputs = 0;
    for target in TARGETS {
        let Ok(found) = std::fs::read_dir(folder.join(target.name)) else { continue };
        for entry in found {
            let bytes = std::fs::read(entry.expect("an entry").path()).expect("an input");
            (target.run)(&bytes);
            inputs += 1;
        }
    }
    assert!(inputs > 0, "nothing to replay in {}", folder.display());
}

#[test]
fn the_end_of_every_seed_may_be_missing() {
    for target in TARGETS {
        for seed in seeds(target.name).expect("seeds").iter().filter(|seed| seed.len() < 512) {
            for length in 0..seed.len() {
                (target.run)(seed.get(..length).unwrap_or_default());
            }
        }
    }
}
