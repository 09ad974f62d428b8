//! Key indexes: they find what a look at every row finds, and nothing depends on them.

use super::*;
use crate::index::KeyIndexes;

/// More rows than the smallest file with an index has.
const ROWS: i32 = 70_000;

fn with_indexes(root: &std::path::Path) -> LakeOptions {
    let folder = root.join("indexes");
    let key_indexes = Some(KeyIndexes { folder, memory_bytes_max: 16 << 20 });
    LakeOptions { key_indexes, ..options(root) }
}

fn index_files(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(tables) = std::fs::read_dir(root.join("indexes")) else { return Vec::new() };
    let tables = tables.map(|e| e.expect("an entry").path());
    let files = tables.flat_map(|t| std::fs::read_dir(t).expect("a folder"));
    let mut files: Vec<_> = files.map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

/// A table with one large file, and what it should hold.
struct Large {
    root: tempfile::TempDir,
    target: TargetPath,
    kind: KeyKind,
    lake: Lake,
    number: u64,
    model: BTreeMap<i32, i32>,
}

impl Large {
    async fn new(kind: KeyKind) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(with_indexes(root.path())).await.expect("opened");
        let target = target(root.path(), "orders");
        let mut large = Self { root, target, kind, lake, number: 0, model: BTreeMap::new() };
        let all: Vec<_> = (-ROWS / 2..ROWS / 2).map(|k| (k * 2, insert(k))).collect();
        large.commit(&all).await;
        large
    }

    async fn commit(&mut self, net: &[(i32, Net)]) {
        self.number += 1;
        for (key, net) in net {
            match net.value {
                Some(value) => self.model.insert(*key, value),
                None => self.model.remove(key),
            };
        }
        let net = net.iter().copied().collect();
        let changes = changes(&self.target, &schema(self.kind, &[]), self.kind, &net);
        self.lake.commit(epoch(self.number, vec![changes])).await.expect("committed");
    }

    /// Changes that are spread over the whole table, some to keys that are not there.
    async fn spread(&mut self) {
        let round = i32::try_from(self.number).expect("small");
        let skip = usize::try_from(self.number).expect("small") * 13;
        let keys = (-ROWS..ROWS).skip(skip).step_by(97);
        let net = keys.map(|k| (k, if k % 5 == 0 { delete() } else { put(round) }));
        self.commit(&net.collect::<Vec<_>>()).await;
    }

    async fn reopen(&mut self) {
        self.lake = Lake::open(with_indexes(self.root.path())).await.expect("opened");
    }

    async fn check(&self, when: &str) {
        assert!(rows(&self.target).await == self.model, "{when} with {:?} keys", self.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_kind_are_found_by_index_as_without() {
    for kind in KEY_KINDS {
        if kind == KeyKind::HugeText {
            // 70,000 texts of three kilobytes only take time.
            continue;
        }
        let mut large = Large::new(kind).await;
        large.spread().await;
        assert_eq!(index_files(large.root.path()).len(), 0, "one look does not pay");
        large.spread().await;
        assert_eq!(index_files(large.root.path()).len(), 1, "{kind:?}");
        large.check("when it was made").await;
        large.spread().await;
        large.reopen().await;
        large.spread().await;
        large.commit(&[(0, delete()), (2, put(-1)), (-ROWS, delete()), (1, put(-1))]).await;
        large.check("after a restart").await;
        assert_eq!(index_files(large.root.path()).len(), 1, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_damaged_or_gone_is_replaced_and_loses_no_row() {
    let mut large = Large::new(KeyKind::Int64).await;
    large.spread().await;
    large.spread().await;
    for damage in 0..4 {
        let [path] = index_files(large.root.path()).try_into().expect("one index");
        let mut bytes = std::fs::read(&path).expect("a file");
        match damage {
            0 => bytes.iter_mut().skip(100).step_by(1000).for_each(|b| *b ^= 1),
            1 => bytes.truncate(bytes.len() / 2),
            2 => bytes.clear(),
            _ => std::fs::remove_file(&path).expect("removed"),
        }
        if damage < 3 {
            std::fs::write(&path, bytes).expect("written");
        }
        large.reopen().await;
        large.spread().await;
        assert_eq!(index_files(large.root.path()).len(), 0, "damage {damage}");
        large.spread().await;
        large.spread().await;
        assert_eq!(index_files(large.root.path()).len(), 1, "damage {damage}");
        large.check("behind a damage").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_goes_with_its_file() {
    let mut large = Large::new(KeyKind::Int64).await;
    large.spread().await;
    large.spread().await;
    let [first] = index_files(large.root.path()).try_into().expect("one index");
    let mut options = with_indexes(large.root.path());
    options.maintenance.compact_commits = 1;
    options.maintenance.dead_share_max = 0.001;
    large.lake = Lake::open(options).await.expect("opened");
    large.spread().await;
    large.lake.maintain().await.expect("tidied");
    assert_eq!(index_files(large.root.path()).len(), 0, "its file was rewritten");
    large.spread().await;
    large.spread().await;
    let [second] = index_files(large.root.path()).try_into().expect("one index");
    assert_ne!(first, second);
    std::fs::copy(&second, &first).expect("as if it had stayed behind");
    large.reopen().await;
    assert_eq!(index_files(large.root.path()), [second]);
    large.check("in the end").await;
    // The table lies elsewhere now.
    std::fs::rename(&*large.target.0, large.root.path().join("shop/moved")).expect("moved");
    large.reopen().await;
    assert_eq!(index_files(large.root.path()).len(), 0);
}
