//! From the tree of a manifest to its settings, section by section.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys;
use super::locate::Locations;
use super::problem::{Place, Problems};
use super::section::Section;
use super::tree::Table;
use super::{PipelineSettings, PluginSettings, SinkSettings, SourceSettings, TableRule};

mod plugin;
mod sink;
mod source;
mod table;

/// What a manifest is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For its pipeline.
    Run,
    /// For an offline test, which brings its own source and checkpoint: what the manifest says of them
    /// is not looked at, so that no password has to be there.
    Test,
}

/// The keys of `[source]` that hold in an offline test too.
pub(crate) const SOURCE_KEYS_IN_TEST: [&str; 2] = ["tables", "zero-dates"];

/// How long changes are gathered before they are committed.
const TRIGGER_DEFAULT: Duration = Duration::from_secs(5);

/// Leaves room for decoding, the plugins and the writer within 512 MiB in all.
const MEMORY_BYTES_DEFAULT: u64 = 256 << 20;

/// Less holds neither a batch of each stage nor a file being written.
const MEMORY_BYTES_MIN: u64 = 16 << 20;

/// More targets than this are almost always a route that took a key for a name.
const TARGETS_MAX_DEFAULT: u64 = 1_000;

/// The sections of a manifest; a section is none where a mistake in it was told.
pub(crate) struct Sections {
    pub(crate) pipeline: Option<PipelineSettings>,
    pub(crate) source: Option<SourceSettings>,
    pub(crate) plugins: Vec<PluginSettings>,
    pub(crate) tables: Vec<TableRule>,
    pub(crate) sink: Option<SinkSettings>,
    pub(crate) locations: Locations,
}

/// Reads all sections and tells all mistakes.
pub(crate) fn sections(
    root: &Table,
    folder: &Path,
    purpose: Purpose,
    problems: &Problems,
) -> Sections {
    keys::refuse_unknown("", root, problems);
    let document = Section { name: "", table: root, place: Place { line: 1, column: 1 }, problems };
    let pipeline = required(&document, "pipeline", "name = \"…\" and checkpoint = \"…\"")
        .and_then(|section| read_pipeline(&section, folder, purpose));
    let source = required(&document, "source", "host = \"…\" or files = […]")
        .and_then(|section| source::read(&section, folder, purpose));
    let mut locations = Locations::default();
    let plugins = plugin::read_all(&document.sections("plugin"), folder, &mut locations);
    let tables = document.sections("table").iter().filter_map(table::read).collect();
    let sink = required(&document, "sink", "path = \"/lake/{db}/{table}\"")
        .and_then(|section| sink::read(&section, folder));
    Sections { pipeline, source, plugins, tables, sink, locations }
}

fn required<'a>(document: &Section<'a>, key: &'static str, content: &str) -> Option<Section<'a>> {
    if document.entry(key).is_none() {
        let message = format!("section [{key}] is missing: it has {content}");
        document.problems.add(document.place, message);
    }
    document.section(key)
}

fn read_pipeline(
    section: &Section<'_>,
    folder: &Path,
    purpose: Purpose,
) -> Option<PipelineSettings> {
    keys::refuse_unknown("pipeline", section.table, section.problems);
    let name = section.name("name", "give the pipeline a name, such as name = \"shop\"");
    let checkpoint = match purpose {
        Purpose::Run => local_path(section, "checkpoint", folder),
        Purpose::Test => Some(PathBuf::new()),
    };
    let trigger = section.duration("trigger");
    let memory = section.size("memory", MEMORY_BYTES_MIN);
    let targets = section.number("max-targets", 1, u32::MAX.into());
    Some(PipelineSettings {
        name: name?,
        checkpoint: checkpoint?,
        trigger: trigger.unwrap_or(TRIGGER_DEFAULT),
        memory_bytes: bytes(memory.unwrap_or(MEMORY_BYTES_DEFAULT)),
        targets_max: bytes(targets.unwrap_or(TARGETS_MAX_DEFAULT)),
    })
}

/// A folder of this machine; an address of an object store is refused.
fn local_path(section: &Section<'_>, key: &str, folder: &Path) -> Option<PathBuf> {
    let remedy = "name a folder that outlives the process, such as \"/var/lib/sluice/shop\"";
    let text = section.required_text(key, remedy)?;
    if is_address(&text.text) {
        section.refuse(key, format!("`{key}` has to be a local folder; object stores come later"));
        return None;
    }
    Some(below(folder, &text.text))
}

/// Whether a path is an address such as `s3://bucket/key`.
fn is_address(path: &str) -> bool {
    path.contains("://")
}

/// A path of the manifest: what is relative lies below the manifest's folder.
fn below(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}

/// A count in the width of this machine's memory.
fn bytes(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
