//! Named points at which a crash must lose nothing.
//!
//! Each is a trace event of the target `sluice::marker` with the field `marker`; tests install a
//! subscriber that kills the process at one of them.

/// The target of marker events.
pub const TARGET: &str = "sluice::marker";

/// Version 0 of a table is about to be written.
pub const CREATE_BEFORE_LOG_ENTRY: &str = "create.before-log-entry";
/// Version 0 is in the log; nothing else is.
pub const CREATE_AFTER_LOG_ENTRY: &str = "create.after-log-entry";
/// An epoch begins; nothing of it is written.
pub const COMMIT_BEGIN: &str = "commit.begin";
/// The data files of one target are written, not synced.
pub const COMMIT_AFTER_DATA_FILE: &str = "commit.after-data-file";
/// The deletion vectors of one target are written, not synced.
pub const COMMIT_AFTER_DELETION_VECTOR: &str = "commit.after-deletion-vector";
/// Everything that one target's log entry will name is synced.
pub const COMMIT_BEFORE_LOG_ENTRY: &str = "commit.before-log-entry";
/// One target's log entry is in the log and synced.
pub const COMMIT_AFTER_LOG_ENTRY: &str = "commit.after-log-entry";
/// One target of an epoch has been committed, the next has not.
pub const COMMIT_BETWEEN_TARGETS: &str = "commit.between-targets";
/// All targets of an epoch have been committed; nobody has been told.
pub const COMMIT_END: &str = "commit.end";
/// A quiet target is about to get its position.
pub const ADVANCE_BEFORE_LOG_ENTRY: &str = "advance.before-log-entry";
/// The files that a change of columns made are written and synced, but not in the log.
pub const EDIT_BEFORE_LOG_ENTRY: &str = "edit.before-log-entry";
/// A change of columns is in the log.
pub const EDIT_AFTER_LOG_ENTRY: &str = "edit.after-log-entry";
/// The files of another target lie in this one as well, but not in its log.
pub const TAKE_BEFORE_LOG_ENTRY: &str = "edit.take-before-log-entry";
/// One target of a statement follows it, the next one does not yet.
pub const EDIT_BETWEEN_TARGETS: &str = "edit.between-targets";
/// The files that a compaction made are written and synced, but not in the log.
pub const COMPACT_BEFORE_LOG_ENTRY: &str = "compact.before-log-entry";
/// A compaction is in the log.
pub const COMPACT_AFTER_LOG_ENTRY: &str = "compact.after-log-entry";
/// A log checkpoint is about to be written.
pub const CHECKPOINT_BEFORE: &str = "checkpoint.before";
/// A log checkpoint is written; old entries are not deleted yet.
pub const CHECKPOINT_BEFORE_CLEANUP: &str = "checkpoint.before-cleanup";
/// A log checkpoint is done.
pub const CHECKPOINT_AFTER: &str = "checkpoint.after";

/// All of them.
pub const ALL: [&str; 19] = [
    CREATE_BEFORE_LOG_ENTRY,
    CREATE_AFTER_LOG_ENTRY,
    COMMIT_BEGIN,
    COMMIT_AFTER_DATA_FILE,
    COMMIT_AFTER_DELETION_VECTOR,
    COMMIT_BEFORE_LOG_ENTRY,
    COMMIT_AFTER_LOG_ENTRY,
    COMMIT_BETWEEN_TARGETS,
    COMMIT_END,
    ADVANCE_BEFORE_LOG_ENTRY,
    EDIT_BEFORE_LOG_ENTRY,
    EDIT_AFTER_LOG_ENTRY,
    TAKE_BEFORE_LOG_ENTRY,
    EDIT_BETWEEN_TARGETS,
    COMPACT_BEFORE_LOG_ENTRY,
    COMPACT_AFTER_LOG_ENTRY,
    CHECKPOINT_BEFORE,
    CHECKPOINT_BEFORE_CLEANUP,
    CHECKPOINT_AFTER,
];

/// Passes a marker.
pub(crate) fn pass(marker: &'static str) {
    tracing::trace!(target: TARGET, marker);
}
