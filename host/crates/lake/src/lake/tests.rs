//! Whole epochs against tables on disk.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::testing::{
    KEY_KINDS, KeyKind, Net, Simple, at, changes, delete, epoch, insert, options, put, rows,
    schema, target,
};

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_change_and_go() {
    let mut simple = Simple::new().await;
    simple.commit(&[(1, insert(10)), (2, insert(20)), (3, insert(30))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(1, 10), (2, 20), (3, 30)]);
    simple
        .commit(&[(1, put(11)), (2, delete()), (4, insert(40)), (9, delete())])
        .await
        .expect("committed");
    assert_eq!(simple.rows().await, [(1, 11), (3, 30), (4, 40)]);
    simple.reopen().await.expect("opened");
    simple.commit(&[(1, delete()), (3, put(31)), (4, put(41))]).await.expect("committed");
    assert_eq!(simple.rows().await, [(3, 31), (4, 41)]);
}
