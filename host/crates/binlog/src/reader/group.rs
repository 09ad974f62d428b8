//! A transaction between the event that starts it and the one that ends it.

use change::Gtid;

use crate::capture::SavepointMark;
use crate::control::GroupShape;
use crate::event::Event;

/// A transaction that has begun and not ended.
pub(super) struct Group {
    pub(super) start: u64,
    pub(super) gtid: Option<Gtid>,
    pub(super) commit_micros: Option<i64>,
    pub(super) server_id: u32,
    pub(super) shape: GroupShape,
    /// Whether BEGIN was seen.
    pub(super) is_begun: bool,
    /// Whether it lies before the start: nothing of it counts.
    pub(super) is_covered: bool,
    /// Row changes of captured tables so far.
    pub(super) rows: u64,
    pub(super) savepoints: Vec<(String, u64, SavepointMark)>,
}

impl Group {
    pub(super) fn new(event: &Event<'_>) -> Self {
        Self {
            start: event.offset,
            gtid: None,
            commit_micros: None,
            server_id: event.header.server_id,
            shape: GroupShape::Told,
            is_begun: false,
            is_covered: false,
            rows: 0,
            savepoints: Vec::new(),
        }
    }

    /// Whether it ends with an event of its own, and not with its first statement.
    pub(super) fn is_open(&self) -> bool {
        self.is_begun || self.shape == GroupShape::Open
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    RolledBack,
}
