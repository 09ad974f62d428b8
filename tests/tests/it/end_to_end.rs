//! A random workload on a real server while the host is killed again and again; in the end two readers have to find in
//! every target exactly the rows that SQL on the server says, no row too many.

mod five_tables;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_tests::manifest::Pipeline;
use sluice_tests::report;
use sluice_tests::servers::{self, Kind};
use sluice_tests::sql::Sql;
use sluice_tests::workload::{Counts, Workload};
use sluice_tests::{markers, oracle};

/// Kills between the commits of two targets of one epoch, at least.
const BETWEEN_TARGETS_MIN: u32 = 40;
/// Kills in all, at least.
const KILLS_MIN: u32 = 120;
/// Runs that may pass without a kill because the named step was not reached.
const MISSES_MAX: u32 = 120;
/// Transactions that the workload writes while one run goes on.
const TRANSACTIONS_A_RUN: u32 = 14;
/// Transactions before the first run.
const TRANSACTIONS_FIRST: u32 = 60;

#[test]
fn killed_at_every_step_the_tables_of_mysql_are_right_in_the_end() {
    killed_again_and_again(Kind::Mysql);
}

#[test]
fn killed_at_every_step_the_tables_of_mariadb_are_right_in_the_end() {
    killed_again_and_again(Kind::Mariadb);
}

fn killed_again_and_again(kind: Kind) {
    let seed = seed();
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("five");
    let start = sql.log_end();
    sql.run_all(five_tables::SCHEMA);
    let pipeline = Pipeline::new("five-tables").from_server(
        &server.address,
        server_id(kind),
        &start,
        &format!("{database}.*"),
    );
    let mut pipeline = five_tables::chain(pipeline, &database)
        // Small figures, so that compaction and log checkpoints happen, and are killed, too.
        .with("[sink]\npath = \"lake/{db}/{table}\"\ncompact-after = 4\nlog-checkpoint-interval = 5\n")
        .written_as_it_is();

    let mut writer = Writer::start(server.sql(), &database, seed);
    writer.write(TRANSACTIONS_FIRST);
    writer.wait();
    let mut kills = Kills::default();
    let mut dice = StdRng::seed_from_u64(seed);
    while let Some((marker, n)) = kills.next(&mut dice) {
        let mut call = pipeline.until_end().killed_at(&marker, n);
        if marker.starts_with("advance.") {
            // Only a target that was quiet for ten minutes passes this one.
            call = call.hurried();
        }
        writer.write(if marker.starts_with("advance.") { 2 } else { TRANSACTIONS_A_RUN });
        let outcome = call.run();
        writer.wait();
        if outcome.was_killed() {
            kills.killed(&marker);
        } else {
            let outcome = outcome.done();
            assert!(
                kills.missed(&marker),
                "seed {seed}: `{marker}` is never reached:\n{}",
                outcome.stderr
            );
        }
    }
    let counts = writer.end();
    let last = pipeline.until_end().run().done();
    let expected = five_tables::expected(&mut sql, &database);
    let compared = match oracle::compare(&pipeline.lake(), &expected) {
        Ok(compared) => compared,
        Err(differences) => {
            let folder = pipeline.keep();
            let folder = folder.display();
            panic!(
                "seed {seed} ({}), {folder}: {kills}\n{differences}\n{}",
                kind.name(),
                last.stderr
            )
        }
    };
    assert!(compared.readers == 2 && compared.targets >= 8 && compared.rows > 500, "{compared:?}");
    report(&format!(
        "end to end on {}: seed {seed}, {counts:?}, {kills}, {compared:?}",
        kind.name()
    ));
}

/// `SLUICE_SEED`, or a new one; a failure prints it.
fn seed() -> u64 {
    let named = std::env::var("SLUICE_SEED")
        .ok()
        .map(|text| text.parse().expect("SLUICE_SEED is a number"));
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_micros());
    named.unwrap_or_else(|| u64::from(now))
}

fn server_id(kind: Kind) -> u32 {
    let base = 71_000 + std::process::id() % 10_000 * 10;
    base + u32::from(kind == Kind::Mariadb)
}

/// Writes to the server while the host runs.
struct Writer {
    orders: Sender<u32>,
    done: Receiver<()>,
    thread: std::thread::JoinHandle<Counts>,
}

impl Writer {
    fn start(mut sql: Sql, database: &str, seed: u64) -> Self {
        let (orders, inbox) = channel::<u32>();
        let (ready, done) = channel();
        sql.run(&format!("USE {database}"));
        let thread = std::thread::spawn(move || {
            let mut workload = Workload::new(five_tables::tables(), seed);
            for transactions in inbox {
                for _ in 0..transactions {
                    workload.transaction().iter().for_each(|statement| sql.run(statement));
                }
                if ready.send(()).is_err() {
                    break;
                }
            }
            workload.counts
        });
        Self { orders, done, thread }
    }

    fn write(&mut self, transactions: u32) {
        self.orders.send(transactions).expect("the writer lives");
    }

    fn wait(&mut self) {
        self.done.recv().expect("the writer wrote all it was told to");
    }

    fn end(self) -> Counts {
        drop(self.orders);
        self.thread.join().expect("the writer ended well")
    }
}

/// Where the host was killed, and where it has to be yet.
#[derive(Debug)]
struct Kills {
    by_marker: BTreeMap<String, u32>,
    misses: u32,
}

impl Default for Kills {
    fn default() -> Self {
        // Only a statement that targets follow passes `edit.` steps: the module merge_schema kills there.
        let steps = markers::all()
            .into_iter()
            .filter(|m| !["edit.", "load."].iter().any(|others| m.starts_with(others)));
        Self { by_marker: steps.map(|m| (m, 0)).collect(), misses: 0 }
    }
}

impl Kills {
    /// The next step to be killed at, and at which time that it is passed: first those that only new tables reach, then
    /// every other one once, then between two targets, then any.
    fn next(&self, dice: &mut StdRng) -> Option<(String, u32)> {
        let never = |prefix: &str| {
            let mut open = self.by_marker.iter().filter(|(m, n)| **n == 0 && m.starts_with(prefix));
            open.next().map(|(m, _)| m.clone())
        };
        if let Some(marker) = never("create.") {
            return Some((marker, 1));
        }
        let between = self.between();
        if between < BETWEEN_TARGETS_MIN && between <= self.total() / 3 {
            return Some((markers::BETWEEN_TARGETS.to_owned(), dice.random_range(1..=6)));
        }
        if let Some(marker) = never("") {
            return Some((marker, 1));
        }
        if between < BETWEEN_TARGETS_MIN {
            return Some((markers::BETWEEN_TARGETS.to_owned(), dice.random_range(1..=6)));
        }
        if self.total() >= KILLS_MIN {
            return None;
        }
        let reachable: Vec<_> =
            self.by_marker.keys().filter(|m| m.starts_with("commit.")).collect();
        let marker = reachable.get(dice.random_range(0..reachable.len()))?;
        Some(((*marker).clone(), dice.random_range(1..=4)))
    }

    fn killed(&mut self, marker: &str) {
        *self.by_marker.entry(marker.to_owned()).or_default() += 1;
    }

    /// Counts a run that was not killed; false where there were too many of them.
    fn missed(&mut self, _marker: &str) -> bool {
        self.misses += 1;
        self.misses <= MISSES_MAX
    }

    fn between(&self) -> u32 {
        self.by_marker.get(markers::BETWEEN_TARGETS).copied().unwrap_or_default()
    }

    fn total(&self) -> u32 {
        self.by_marker.values().sum()
    }
}

impl std::fmt::Display for Kills {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each: Vec<_> =
            self.by_marker.iter().map(|(marker, n)| format!("{marker} {n}")).collect();
        write!(f, "{} kills ({})", self.total(), each.join(", "))
    }
}
