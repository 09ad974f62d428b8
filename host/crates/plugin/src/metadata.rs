//! Facts about a change that the host writes into a column (docs/reference/metadata.md). No plugin
//! ever gets them: an answer that depended on them would differ between the images of a row.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, TimestampMicrosecondArray, UInt32Array, UInt64Array};
use change::{ColumnType, ImageKind, Images, Mark};

/// A fact about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    /// "op".
    Op,
    /// "commit-timestamp".
    CommitTimestamp,
    /// "log-position".
    LogPosition,
    /// "gtid".
    Gtid,
    /// "row-in-transaction".
    RowInTransaction,
    /// "server-id".
    ServerId,
}

impl Metadata {
    pub(crate) const ALL: [Self; 6] = [
        Self::Op,
        Self::CommitTimestamp,
        Self::LogPosition,
        Self::Gtid,
        Self::RowInTransaction,
        Self::ServerId,
    ];

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Op => "op",
            Self::CommitTimestamp => "commit-timestamp",
            Self::LogPosition => "log-position",
            Self::Gtid => "gtid",
            Self::RowInTransaction => "row-in-transaction",
            Self::ServerId => "server-id",
        }
    }

    pub(crate) fn column_type(self) -> ColumnType {
        match self {
            Self::Op | Self::LogPosition | Self::Gtid => ColumnType::Utf8,
            Self::CommitTimestamp => ColumnType::TimestampMicrosUtc,
            Self::RowInTransaction => ColumnType::UInt64,
            Self::ServerId => ColumnType::UInt32,
        }
    }

    pub(crate) fn is_nullable(self) -> bool {
        self == Self::Gtid
    }

    /// The column for all images of a batch.
    pub(crate) fn column(self, images: &Images) -> ArrayRef {
        match self {
            Self::Op => {
                let letters = images.kinds().iter().map(|kind| Some(kind.letter()));
                Arc::new(letters.collect::<arrow_array::StringArray>())
            }
            Self::CommitTimestamp => {
                let values = runs(images, |mark| mark.transaction.commit_micros);
                Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
            }
            Self::LogPosition => texts(images, |mark| {
                Some(format!("{}:{}", mark.transaction.file, mark.event_offset))
            }),
            Self::Gtid => {
                texts(images, |mark| mark.transaction.gtid.as_ref().map(ToString::to_string))
            }
            Self::RowInTransaction => Arc::new(UInt64Array::from(rows_in_transaction(images))),
            Self::ServerId => {
                Arc::new(UInt32Array::from(runs(images, |mark| mark.transaction.server_id)))
            }
        }
    }
}

/// The marks, each with the number of its images.
fn marks(images: &Images) -> impl Iterator<Item = (&Mark, usize)> {
    let mut start = 0;
    images.marks().iter().map(move |mark| {
        let count = mark.images_end.saturating_sub(start) as usize;
        start = mark.images_end;
        (mark, count)
    })
}

fn runs<T: Clone>(images: &Images, of: impl Fn(&Mark) -> T) -> Vec<T> {
    marks(images).flat_map(|(mark, count)| std::iter::repeat_n(of(mark), count)).collect()
}

fn texts(images: &Images, of: impl Fn(&Mark) -> Option<String>) -> ArrayRef {
    let mut out = StringBuilder::new();
    for (mark, count) in marks(images) {
        let text = of(mark);
        for _ in 0..count {
            out.append_option(text.as_deref());
        }
    }
    Arc::new(out.finish())
}

/// The ordinal of each image's change; the two images of an update have the same.
fn rows_in_transaction(images: &Images) -> Vec<u64> {
    let mut kinds = images.kinds().iter();
    let mut out = Vec::with_capacity(images.len());
    for (mark, count) in marks(images) {
        let mut row = mark.first_row;
        for kind in kinds.by_ref().take(count) {
            out.push(row);
            if *kind != ImageKind::Before {
                row = row.saturating_add(1);
            }
        }
    }
    out
}
