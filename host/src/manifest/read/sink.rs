//! `[sink]`: where the targets lie and how they are kept.

use std::path::Path;

use change::PathTemplate;
use change::route::RouteError;

use super::is_address;
use crate::manifest::keys;
use crate::manifest::section::Section;
use crate::manifest::{DroppedTables, KeyIndex, SinkSettings};

/// A smaller file costs readers more in opening than in reading.
const TARGET_FILE_BYTES_MIN: u64 = 1 << 20;

/// What may become of the rows of a table that the source dropped.
const DROPPED_TABLES: [(&str, DroppedTables); 3] =
    [("keep", DroppedTables::Keep), ("empty", DroppedTables::Empty), ("stop", DroppedTables::Stop)];

pub(super) fn read(section: &Section<'_>, folder: &Path) -> Option<SinkSettings> {
    keys::refuse_unknown("sink", section.table, section.problems);
    let paths = paths(section, folder);
    refuse_mode(section);
    let merge_schema = section.flag("merge-schema").unwrap_or(false);
    let dropped_tables = section.choice("dropped-tables", &DROPPED_TABLES).unwrap_or_default();
    let compact_commits = section.number_u32("compact-after", 1);
    let compact_deleted_share = section.share("compact-deleted-share");
    let target_file_bytes = section.size("target-file-size", TARGET_FILE_BYTES_MIN);
    let log_checkpoint_commits = section.number_u32("log-checkpoint-interval", 1);
    let vacuum_commits = section.number_u32("vacuum-after", 0);
    let key_index = section.choice("key-index", &[("auto", true), ("off", false)]).unwrap_or(false);
    let (path, path_written) = paths?;
    Some(SinkSettings {
        path,
        path_written,
        merge_schema,
        dropped_tables,
        compact_commits,
        compact_deleted_share,
        target_file_bytes,
        log_checkpoint_commits,
        vacuum_commits,
        key_index: if key_index { KeyIndex::Auto } else { KeyIndex::Off },
    })
}

/// The template with the manifest's folder before it, and as written.
fn paths(section: &Section<'_>, folder: &Path) -> Option<(PathTemplate, PathTemplate)> {
    let remedy = "say where the tables lie, such as path = \"/lake/{db}/{table}\"";
    let text = section.required_text("path", remedy)?;
    if is_address(&text.text) {
        section.refuse("path", "`path` has to be a local path; object stores come later");
        return None;
    }
    let written = match PathTemplate::parse(&text.text) {
        Ok(written) => written,
        Err(RouteError::Segment(_)) => {
            section.refuse(
                "path",
                "`path` has an empty segment, `.` or `..` behind a placeholder: leave it out",
            );
            return None;
        }
        Err(_) => {
            section.refuse(
                "path",
                "`path` is not a path template: a placeholder is a name in braces, such as {table}",
            );
            return None;
        }
    };
    if text.text.starts_with('/') {
        return Some((written.clone(), written));
    }
    let folder = folder.display().to_string();
    if folder.contains(['{', '}']) {
        section.refuse(
            "path",
            "the manifest's folder has a brace in its name: write an absolute path",
        );
        return None;
    }
    let relative = text.text.strip_prefix("./").unwrap_or(&text.text);
    PathTemplate::parse(&format!("{folder}/{relative}")).ok().map(|path| (path, written))
}

fn refuse_mode(section: &Section<'_>) {
    if section.choice("mode", &[("upsert", true), ("append", false)]) == Some(false) {
        section.refuse(
            "mode",
            "only mode = \"upsert\" (the default) is built; a change log comes later",
        );
    }
}
