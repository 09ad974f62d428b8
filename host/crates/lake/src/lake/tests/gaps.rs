//! Rows of which the log left something out, completed from the table.

use arrow_buffer::BooleanBuffer;
use change::{Presence, TableName};

use super::*;
use crate::changes::{Gaps, LeftOut};
use crate::error::Place;

/// Changes of which some rows lack their value and text; each is that of the row with another number.
fn lacking(simple: &Simple, net: &[(i32, Net)], lacking: &[(i32, i32)]) -> TargetChanges {
    let mut changes = simple.changes(net);
    let sorted: BTreeMap<i32, i32> = lacking.iter().copied().collect();
    let formers: Vec<(i32, Net)> = sorted.values().map(|k| (*k, put(0))).collect();
    let mut keys = Vec::new();
    for former in &formers {
        keys.push(simple.changes(&[*former]).rows.project(&[0]).expect("an id"));
    }
    let schema = changes.schema.id_arrow();
    let keys = arrow_select::concat::concat_batches(&schema, &keys).expect("keys");
    let rows: Vec<i32> = net.iter().filter(|(_, n)| n.value.is_some()).map(|(k, _)| *k).collect();
    let known: BooleanBuffer = rows.iter().map(|k| !sorted.contains_key(k)).collect();
    let left = LeftOut {
        table: TableName::new("shop", "orders"),
        place: Place { file: "bin.000001".into(), offset: 77 },
    };
    let at = |key: &i32| rows.iter().position(|k| k == key).expect("a row");
    changes.gaps = Some(Gaps {
        presence: Presence::new(vec![None, None, Some(known.clone()), Some(known)]),
        rows: sorted.keys().map(|k| u32::try_from(at(k)).expect("small")).collect(),
        keys,
        places: std::iter::repeat_n(Arc::new(left), sorted.len()).collect(),
    });
    changes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_out_is_read_from_the_old_rows() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(10)), (2, insert(20)), (3, insert(30))]).await.expect("committed");
    simple.commit(&[(4, insert(40)), (2, put(21)), (5, insert(50))]).await.expect("committed");
    // 1 and 2 keep theirs, 3 becomes 7, 4 and 5 swap, 6 is told in full.
    let net = [
        (1, put(-1)),
        (2, put(-1)),
        (3, delete()),
        (4, put(-1)),
        (5, put(-1)),
        (6, put(60)),
        (7, put(-1)),
    ];
    let changes = lacking(&simple, &net, &[(1, 1), (2, 2), (4, 5), (5, 4), (7, 3)]);
    simple.lake.commit(epoch(3, vec![changes])).await.expect("committed");
    let expected = [(1, 10), (2, 21), (4, 50), (5, 40), (6, 60), (7, 30)];
    assert_eq!(simple.rows().await, expected);
    // Files with deletion vectors, after a compaction by others that was not seen yet.
    foreign::compact(&simple.folder(), 4);
    let changes = lacking(&simple, &[(1, put(-1)), (6, put(-1))], &[(1, 1), (6, 6)]);
    simple.lake.commit(epoch(4, vec![changes])).await.expect("committed");
    assert_eq!(simple.rows().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_tells_is_never_null() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(10))]).await.expect("committed");
    let changes = lacking(&simple, &[(1, put(-1)), (2, put(-1))], &[(1, 1), (2, 2)]);
    let error = simple.lake.commit(epoch(2, vec![changes])).await.expect_err("stopped");
    insta::assert_snapshot!(foreign::plain(&simple.target, &error), @"the log left out the value of `v` in a row of table shop.orders at bin.000001:77, and target TARGET has no row with its former key");
    assert_eq!(simple.rows().await, [(1, 10)]);
    // Two rows of one key, as an append by others leaves them: which one it is nobody knows.
    simple.reopen().await.expect("opened");
    foreign::append_copy(&simple.folder(), 2);
    let changes = lacking(&simple, &[(1, put(-1))], &[(1, 1)]);
    let error = simple.lake.commit(epoch(2, vec![changes])).await.expect_err("stopped");
    assert!(error.to_string().contains("several rows have one key"), "{error}");
}
