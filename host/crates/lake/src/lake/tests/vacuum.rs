//! What a vacuum takes, and what it leaves for those who read older versions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::*;
use crate::testing::rows_at;
use crate::vacuum::{ShortRetention, Vacuum, vacuum_at};

const DAY: u64 = 24 * 3600;

/// A lake whose clock is a test's own.
struct Aged {
    root: tempfile::TempDir,
    target: TargetPath,
    lake: Lake,
    start: Duration,
    day: Arc<AtomicU64>,
    number: u64,
    model: BTreeMap<i32, i32>,
    /// The day and the rows of every version.
    versions: Vec<(u64, BTreeMap<i32, i32>)>,
}

impl Aged {
    async fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let day = Arc::new(AtomicU64::new(0));
        // Files get their times from the disk.
        let start = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
        let mut options = options(root.path());
        let now = Arc::clone(&day);
        options.clock = Clock::new(move || {
            UNIX_EPOCH + start + Duration::from_secs(now.load(Ordering::Relaxed) * DAY)
        });
        options.maintenance.compact_commits = 3;
        options.maintenance.small_files_max = 2;
        options.maintenance.checkpoint_commits = 4;
        let lake = Lake::open(options).await.expect("opened");
        let target = target(root.path(), "orders");
        let (number, model) = (0, BTreeMap::new());
        let versions = vec![(0, BTreeMap::new())];
        Self { root, target, lake, start, day, number, model, versions }
    }

    async fn commit(&mut self, day: u64, net: &[(i32, Net)]) {
        self.day.store(day, Ordering::Relaxed);
        self.number += 1;
        for (key, net) in net {
            match net.value {
                Some(value) => self.model.insert(*key, value),
                None => self.model.remove(key),
            };
        }
        let net = net.iter().copied().collect();
        let changes = changes(&self.target, &schema(KeyKind::Int64, &[]), KeyKind::Int64, &net);
        self.lake.commit(epoch(self.number, vec![changes])).await.expect("committed");
        self.lake.maintain().await.expect("tidied");
        let version = self.version().await;
        self.versions
            .resize(usize::try_from(version).expect("small") + 1, (day, self.model.clone()));
    }

    async fn version(&self) -> u64 {
        crate::show(&self.target.0, &StoreOptions::default()).await.expect("shown").version
    }

    async fn vacuum(&self, day: u64, options: Vacuum) -> Result<crate::VacuumReport, LakeError> {
        let now = self.start + Duration::from_secs(day * DAY);
        let now_ms = i64::try_from(now.as_millis()).expect("small");
        vacuum_at(&self.target.0, &StoreOptions::default(), &options, now_ms).await
    }

    fn folder(&self) -> std::path::PathBuf {
        std::path::PathBuf::from(&*self.target.0)
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder()).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8"))
            .filter(|name| name.ends_with(".parquet") || name.ends_with(".bin"))
            .collect();
        names.sort();
        names
    }

    /// Entries of the log that a checkpoint stands for go, as after the log's own retention.
    fn forget_old_entries(&self) {
        let log = self.folder().join("_delta_log");
        let hint = std::fs::read_to_string(log.join("_last_checkpoint")).expect("a checkpoint");
        let hint: serde_json::Value = serde_json::from_str(&hint).expect("JSON");
        for version in 0..hint["version"].as_u64().expect("a number") {
            std::fs::remove_file(log.join(format!("{version:020}.json"))).expect("removed");
        }
    }
}

async fn aged_table() -> Aged {
    let mut aged = Aged::new().await;
    let all: Vec<_> = (0..60).map(|k| (k, insert(k))).collect();
    aged.commit(0, &all).await;
    for (day, key) in [(0, 1), (0, 2), (1, 3), (1, 4), (3, 5), (3, 6), (6, 7), (8, 8), (8, 9)] {
        let delete = (key + 20, delete());
        aged.commit(day, &[(key, put(-key)), delete, (key + 100, insert(key))]).await;
    }
    aged
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_inside_the_retention_stay_readable_and_what_is_older_goes() {
    for forgetful in [false, true] {
        let aged = aged_table().await;
        if forgetful {
            aged.forget_old_entries();
        }
        let before = aged.files();
        let shown = Vacuum { dry_run: true, ..Vacuum::default() };
        let planned = aged.vacuum(9, shown).await.expect("looked");
        assert_eq!(aged.files(), before, "a dry run deletes nothing");
        let report = aged.vacuum(9, Vacuum::default()).await.expect("vacuumed");
        assert_eq!(report.files, planned.files);
        let of = |end: &str| report.files.iter().filter(|f| f.name.ends_with(end)).count();
        assert!(of(".bin") > 0 && of(".parquet") > 0, "{report:?}");
        let left: Vec<&String> =
            before.iter().filter(|n| report.files.iter().all(|f| f.name != **n)).collect();
        assert_eq!(aged.files().iter().collect::<Vec<_>>(), left);
        // What was the newest version on day 2 is needed too: it was taken out on day 3.
        let oldest = aged.versions.iter().rposition(|(day, _)| *day < 3).expect("a version");
        let log = aged.folder().join("_delta_log");
        for (version, (_, model)) in aged.versions.iter().enumerate().skip(oldest) {
            let readable = log.join(format!("{version:020}.json")).exists();
            if readable || !forgetful {
                let version = u64::try_from(version).expect("small");
                assert_eq!(rows_at(&aged.target, version), *model, "version {version}");
            }
        }
        assert_eq!(rows(&aged.target).await, aged.model);
        let again = aged.vacuum(9, Vacuum::default()).await.expect("vacuumed");
        assert_eq!(again.files, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_below_the_tables_is_refused_unless_it_is_asked_for() {
    let aged = aged_table().await;
    let none = Vacuum { retention: Some(Duration::ZERO), ..Vacuum::default() };
    let error = aged.vacuum(9, none).await.expect_err("refused");
    insta::assert_snapshot!(foreign::plain(&aged.target, &error),
        @"TARGET: a retention of 0 hours is below the table's of 168");
    let accepted = Vacuum { short_retention: ShortRetention::Accept, ..none };
    aged.vacuum(9, accepted).await.expect("vacuumed");
    assert_eq!(rows(&aged.target).await, aged.model);
    let report = crate::show(&aged.target.0, &StoreOptions::default()).await.expect("shown");
    // One file of deletion vectors serves all data files of a commit.
    let files = aged.files();
    assert_eq!(files.iter().filter(|n| n.ends_with(".parquet")).count(), report.files);
    assert!(files.iter().filter(|n| n.ends_with(".bin")).count() <= report.deletion_vectors);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_deltas_and_what_a_writer_may_be_about_to_commit_stays() {
    let mut aged = aged_table().await;
    let folder = aged.folder();
    let uuid = "d2c639aa-8816-431a-aaf6-d3fe2512ff61";
    let stays = [
        format!("_sluice/part-0-{uuid}.parquet"),
        format!("other/part-0-{uuid}.parquet"),
        format!("day=1/part-0-{uuid}.parquet"),
        "export.parquet".to_owned(),
        "notes.txt".to_owned(),
    ];
    let old = SystemTime::now() - Duration::from_secs(30 * DAY);
    let put_file = |name: &str, time: SystemTime| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, b"x").expect("written");
        let file = std::fs::File::options().write(true).open(&path).expect("opened");
        file.set_modified(time).expect("set");
    };
    stays.iter().for_each(|name| put_file(name, old));
    let young = format!("part-00000-{uuid}-c000.snappy.parquet");
    put_file(&young, SystemTime::now());
    let litter = format!("deletion_vector_{uuid}.bin");
    put_file(&litter, old);
    let short = Vacuum {
        retention: Some(Duration::ZERO),
        short_retention: ShortRetention::Accept,
        dry_run: false,
    };
    let report = aged.vacuum(0, short).await.expect("vacuumed");
    // Old bytes that got their name just now may be about to be committed, too.
    assert!(report.files.iter().all(|f| f.name != litter && f.name != young), "{report:?}");
    let report = aged.vacuum(1, short).await.expect("vacuumed");
    for name in [&litter, &young] {
        assert!(report.files.iter().any(|f| f.name == *name), "{name}");
    }
    for name in &stays {
        assert!(folder.join(name).exists(), "{name}");
    }
    // The writer goes on as if nothing had been.
    aged.commit(10, &[(1, put(7)), (2, delete())]).await;
    assert_eq!(rows(&aged.target).await, aged.model);
    drop(aged.root);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_vacuums_by_itself_after_so_many_commits_over_all_runs() {
    let mut aged = aged_table().await;
    let files = aged.files().len();
    let mut options = options(aged.root.path());
    options.maintenance.vacuum_commits = 20;
    let (start, day) = (aged.start, Arc::clone(&aged.day));
    options.clock = Clock::new(move || {
        UNIX_EPOCH + start + Duration::from_secs(day.load(Ordering::Relaxed) * DAY)
    });
    let counter = |lake: &Lake| lake.counters().next().map_or(0, |(_, n)| n);
    while counter(&aged.lake) < 20 {
        aged.lake = Lake::open(options.clone()).await.expect("opened");
        aged.commit(9, &[(1, put(9))]).await;
        aged.lake.settle().await.expect("settled");
        assert!(counter(&aged.lake) >= 20 || aged.files().len() > files, "vacuumed too soon");
    }
    assert!(!aged.files().is_empty() && aged.files().len() < files + 2, "{:?}", aged.files());
    let left = aged.vacuum(9, Vacuum::default()).await.expect("vacuumed");
    assert_eq!(left.files, [], "nothing is left to do");
    assert_eq!(rows(&aged.target).await, aged.model);
}
