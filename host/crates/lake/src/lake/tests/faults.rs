//! A store that fails at a chosen write, before or after it is done: whatever happened, the next
//! process finds each target either as it was or as it should be, and goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use crate::lake::Lake;
use crate::testing::{KeyKind, Net, changes, epoch, options, put, rows, schema, target};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Nothing was written.
    Before,
    /// It was written, but the answer got lost.
    After,
}

/// Fails the n-th write, and every one behind it.
#[derive(Debug)]
struct Failing {
    inner: LocalFileSystem,
    left: AtomicI64,
    when: When,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failing")
    }
}

impl Failing {
    fn full() -> Error {
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        Error::Generic { store: "failing", source: Box::new(source) }
    }

    /// Whether this write is still to succeed.
    fn take(&self) -> i64 {
        self.left.fetch_sub(1, Ordering::SeqCst)
    }

    async fn write<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match (self.take(), self.when) {
            (1.., _) => work.await,
            (0, When::After) => work.await.and(Err(Self::full())),
            _ => Err(Self::full()),
        }
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        self.write(self.inner.put_opts(to, payload, o)).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        o: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, o).await
    }

    async fn get_opts(&self, from: &Path, o: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(from, o).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, o: CopyOptions) -> Result<()> {
        self.write(self.inner.copy_opts(from, to, o)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, o: RenameOptions) -> Result<()> {
        self.write(self.inner.rename_opts(from, to, o)).await
    }
}

fn net(number: i32) -> BTreeMap<i32, Net> {
    let first = (0..20).map(|k| (k, put(number * 100 + k)));
    let second = (number * 50..number * 50 + 5).map(|k| (k, put(k)));
    first.chain(second).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_anywhere_loses_and_doubles_nothing() {
    let schema = schema(KeyKind::Text, &[]);
    for when in [When::Before, When::After] {
        for nth in 0..40 {
            let root = tempfile::tempdir().expect("a folder");
            let targets = ["a", "b"].map(|t| target(root.path(), t));
            let mut model = BTreeMap::new();
            let mut failed = false;
            let mut number = 1;
            let mut failing = options(root.path());
            failing.maintenance.compact_commits = 1;
            failing.maintenance.small_files_max = 2;
            failing.store.root = Some(Arc::new(Failing {
                inner: LocalFileSystem::new(),
                left: AtomicI64::new(nth),
                when,
            }));
            let mut lake = Lake::open(failing).await.expect("opened");
            while number <= 3 {
                let net = net(i32::try_from(number).expect("small"));
                model.extend(net.iter().filter_map(|(k, n)| Some((*k, n.value?))));
                // The host drops what a target has covered already.
                let covered = lake.recovered().targets.clone();
                let open = targets.iter().filter(|t| {
                    let known = covered.get(*t).and_then(|t| t.covered.clone());
                    known.is_none_or(|p| p.offset < number * 100)
                });
                let changes = open.map(|t| changes(t, &schema, KeyKind::Text, &net)).collect();
                let committed = lake.commit(epoch(number, changes)).await;
                let tidied = match committed {
                    Ok(_) => lake.maintain().await.map(|()| number += 1),
                    Err(error) => Err(error),
                };
                match tidied {
                    Ok(()) => {}
                    Err(error) => {
                        assert!(!failed, "it fails once: {error}");
                        failed = true;
                        let hint = change::Diagnose::hint(&error).unwrap_or_default();
                        assert!(hint.starts_with("free some space"), "{error:?}: {hint}");
                        // The next process, with a store that works.
                        lake = Lake::open(options(root.path())).await.expect("opened");
                    }
                }
            }
            for target in &targets {
                assert_eq!(rows(target).await, model, "{when:?} write {nth} of {target}");
            }
            if !failed {
                assert!(nth > 10, "every write of the three epochs was reached");
                break;
            }
            assert!(nth < 39, "there are more writes than the test tries");
        }
    }
}
