//! Anything that can happen to a table, in any order, against a map: epochs, new columns, compactions,
//! vacuums, other writers, crashes at any marker, restarts. After each step two readers find what the map
//! holds, and what every version inside the retention held is still there.
//!
//! `SLUICE_MODEL_STEPS` and `SLUICE_MODEL_SEED` make it longer, and another one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;

use tokio::runtime::Runtime;
use tracing::span;

use super::*;
use crate::testing::rows_at;
use crate::vacuum::{ShortRetention, Vacuum, vacuum_at};

const HOUR: u64 = 3600;

/// Crashes the process, as far as the lake can tell, at the n-th marker that is passed.
#[derive(Clone, Default)]
struct Crash {
    left: Arc<AtomicI64>,
}

impl tracing::Subscriber for Crash {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == marker::TARGET
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Not a panic: its hook would fill the log of every run.
            std::panic::resume_unwind(Box::new("a crash"));
        }
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn number(&mut self, below: u64) -> i32 {
        i32::try_from(self.roll(below)).expect("small")
    }
}

/// A version of the table, and since when it is the newest one in hours.
struct Known {
    version: u64,
    hour: u64,
    rows: BTreeMap<i32, i32>,
}

struct World {
    runtime: Runtime,
    root: tempfile::TempDir,
    target: TargetPath,
    options: LakeOptions,
    lake: Option<Lake>,
    hour: Arc<AtomicU64>,
    start: Duration,
    crash: Crash,
    dice: Dice,
    number: u64,
    columns: usize,
    rows: BTreeMap<i32, i32>,
    known: Vec<Known>,
    crashes: u64,
}

const EXTRA: [&str; 6] = ["x0", "x1", "x2", "x3", "x4", "x5"];

impl World {
    fn new(seed: u64) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let hour = Arc::new(AtomicU64::new(0));
        let start = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
        let mut options = options(root.path());
        let now = Arc::clone(&hour);
        options.clock = Clock::new(move || {
            UNIX_EPOCH + start + Duration::from_secs(now.load(Ordering::Relaxed) * HOUR)
        });
        options.maintenance = Maintenance {
            pace: if seed.is_multiple_of(3) { Pace::Wait } else { Pace::Beside },
            file_bytes: 4 << 10,
            compact_commits: 1 + seed % 4,
            small_files_max: 3,
            checkpoint_commits: 7,
            // Its clock runs ahead of the disk's: files that are being written would look old to it.
            vacuum_commits: 0,
            ..Maintenance::default()
        };
        let target = target(root.path(), "orders");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let mut world = Self {
            runtime: runtime.expect("a runtime"),
            root,
            target,
            options,
            lake: None,
            hour,
            start,
            crash: Crash::default(),
            dice: Dice(seed),
            number: 0,
            columns: 0,
            rows: BTreeMap::new(),
            known: Vec::new(),
            crashes: 0,
        };
        world.open();
        world.epoch();
        world
    }

    fn open(&mut self) {
        self.lake = None;
        let opened = self.runtime.block_on(Lake::open(self.options.clone()));
        self.lake = Some(opened.expect("opened"));
    }

    fn changes(&self, net: &BTreeMap<i32, Net>) -> TargetChanges {
        let schema = schema(KeyKind::Composite, &EXTRA[..self.columns]);
        changes(&self.target, &schema, KeyKind::Composite, net)
    }

    fn net(&mut self) -> BTreeMap<i32, Net> {
        let mut net = BTreeMap::new();
        for _ in 0..=self.dice.roll(20) {
            let key = self.dice.number(80) - 40;
            let value = (self.dice.roll(10) < 7).then(|| self.dice.number(1000));
            let inserted =
                net.get(&key).map_or(!self.rows.contains_key(&key), |n: &Net| n.inserted);
            net.insert(key, Net { value, inserted });
        }
        net
    }

    fn apply(&mut self, net: &BTreeMap<i32, Net>) {
        for (key, net) in net {
            match net.value {
                Some(value) => self.rows.insert(*key, value),
                None => self.rows.remove(key),
            };
        }
    }

    /// Does something with the lake; false where it crashed in the middle.
    fn survives(&mut self, work: impl AsyncFnOnce(&mut Lake) -> Result<(), LakeError>) -> bool {
        let steps = if self.dice.roll(4) == 0 { self.dice.roll(9) + 1 } else { 0 };
        self.crash.left.store(i64::try_from(steps).expect("small"), Ordering::SeqCst);
        let lake = self.lake.as_mut().expect("open");
        let guard = tracing::subscriber::set_default(self.crash.clone());
        let done = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(work(lake))));
        drop(guard);
        match done {
            Ok(done) => {
                done.expect("done");
                true
            }
            Err(_) => {
                self.crashes += 1;
                self.open();
                false
            }
        }
    }

    fn epoch(&mut self) {
        if self.dice.roll(12) == 0 && self.columns < EXTRA.len() {
            self.columns += 1;
        }
        let net = self.net();
        self.number += 1;
        let changes = self.changes(&net);
        loop {
            let epoch = epoch(self.number, vec![changes.clone()]);
            let end = epoch.end.clone();
            let survived = self.survives(async |lake| lake.commit(epoch).await.map(drop));
            let recovered = self.lake.as_ref().expect("open").recovered();
            let covered = recovered.targets.get(&self.target).and_then(|t| t.covered.as_ref());
            if survived || covered.is_some_and(|covered| covered.reaches(&end)) {
                break;
            }
        }
        self.apply(&net);
    }

    fn version(&self) -> u64 {
        let shown = crate::show(&self.target.0, &self.options.store);
        self.runtime.block_on(shown).expect("shown").version
    }

    /// Another writer changes rows: keys of its own, and some of ours.
    fn foreign_changes(&mut self) {
        let mut net = self.net();
        let mine = 500 + self.dice.number(40);
        net.extend([(mine, put(mine)), (mine + 1, delete())]);
        let changes = self.changes(&net);
        let shared =
            Shared { settings: Arc::new(Lake::settings(&self.options)), caches: Arc::default() };
        let home = Home::new(self.target.clone(), &self.options.store).expect("a place");
        self.runtime.block_on(async {
            let table = Table::open(home, &shared).await.expect("opened");
            let mut table = table.expect("a table");
            table.be_a_guest_for_test();
            // Of columns that it does not know it does nothing.
            let changes = changes.in_types_of(table.columns()).expect("fits");
            let step = Step { epoch: 0, covered: at(0), all_durable: at(0), load: None };
            // It does not believe that a key is new.
            let changes = TargetChanges {
                rows_inserted: arrow_buffer::BooleanBuffer::new_unset(changes.rows.num_rows()),
                gone_inserted: arrow_buffer::BooleanBuffer::new_unset(changes.gone.num_rows()),
                ..changes
            };
            let prepared = table.prepare(&changes).await.expect("prepared");
            table.commit(prepared, &changes, &step).await.expect("committed");
        });
        self.apply(&net);
    }

    fn now_ms(&self) -> i64 {
        let now = self.start + Duration::from_secs(self.hour.load(Ordering::Relaxed) * HOUR);
        i64::try_from(now.as_millis()).expect("small")
    }

    fn vacuum(&mut self) {
        let lake = self.lake.as_mut().expect("open");
        self.runtime.block_on(lake.settle()).expect("settled");
        let now_ms = self.now_ms();
        let short = self.dice.roll(4) == 0;
        let options = Vacuum {
            retention: short.then(|| Duration::from_secs(2 * HOUR)),
            short_retention: ShortRetention::Accept,
            dry_run: false,
        };
        let done = vacuum_at(&self.target.0, &self.options.store, &options, now_ms);
        self.runtime.block_on(done).expect("vacuumed");
        if short {
            self.forget_versions_before(2);
        }
    }

    /// Versions that were overtaken longer ago are not promised any more.
    fn forget_versions_before(&mut self, hours: u64) {
        let oldest = self.hour.load(Ordering::Relaxed).saturating_sub(hours);
        let is_old = |pair: &[Known]| pair[1].hour < oldest;
        let gone = self.known.windows(2).take_while(|pair| is_old(pair)).count();
        self.known.drain(..gone);
    }

    fn step(&mut self) -> &'static str {
        self.hour.fetch_add(self.dice.roll(8), Ordering::Relaxed);
        let did = match self.dice.roll(20) {
            0..=10 => {
                self.epoch();
                "an epoch"
            }
            11..=13 => {
                self.survives(async |lake| lake.maintain().await);
                "upkeep"
            }
            14 => {
                self.survives(async |lake| lake.settle().await);
                "the end of upkeep"
            }
            15 => {
                self.open();
                "a restart"
            }
            16 => {
                self.vacuum();
                "a vacuum"
            }
            17 => {
                let next = self.version() + 1;
                let now_ms = self.now_ms();
                foreign::compact_at(std::path::Path::new(&*self.target.0), next, now_ms);
                "an OPTIMIZE by others"
            }
            18 => {
                self.foreign_changes();
                "a MERGE by others"
            }
            _ => {
                let rules = Maintenance { small_files_max: 2, ..self.options.maintenance.clone() };
                let options = LakeOptions { maintenance: rules, ..self.options.clone() };
                let done = crate::compact::compact_with(&self.target.0, options);
                self.runtime.block_on(done).expect("compacted");
                "a compaction from outside"
            }
        };
        let version = self.version();
        if self.known.last().is_none_or(|known| known.version < version) {
            let hour = self.hour.load(Ordering::Relaxed);
            self.known.push(Known { version, hour, rows: self.rows.clone() });
        }
        self.forget_versions_before(7 * 24);
        did
    }

    fn check(&mut self, number: u64, did: &str) {
        let found = self.runtime.block_on(rows(&self.target));
        assert_eq!(found, self.rows, "step {number}: {did}");
        let which = usize::try_from(self.dice.roll(self.known.len() as u64)).expect("small");
        let known = &self.known[which];
        let found = self.runtime.block_on(async { rows_at(&self.target, known.version) });
        assert_eq!(found, known.rows, "step {number}: {did}, version {}", known.version);
    }
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What was done, and how often it crashed.
fn run(seed: u64) -> (Vec<&'static str>, u64) {
    let steps = number_of("SLUICE_MODEL_STEPS").unwrap_or(50);
    let mut world = World::new(seed);
    let mut did = Vec::new();
    for number in 0..steps {
        let last = world.step();
        did.push(last);
        world.check(number, last);
    }
    drop(world.root);
    (did, world.crashes)
}

#[test]
fn whatever_happens_the_table_is_what_a_map_would_be() {
    let seeds = number_of("SLUICE_MODEL_SEED").map_or(1..4, |seed| seed..seed + 1);
    let (did, crashes): (Vec<_>, Vec<_>) = seeds.map(run).unzip();
    let did: std::collections::BTreeSet<_> = did.into_iter().flatten().collect();
    assert_eq!(did.len(), 8, "not everything happened: {did:?}");
    assert!(crashes.iter().sum::<u64>() > 0, "nothing crashed");
}
