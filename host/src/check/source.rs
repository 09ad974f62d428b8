//! Whether the log can be read, and which tables it has.

use std::sync::Arc;

use binlog::live::{self, TableReader, table_schemas};
use binlog::{BinlogError, FileSource, ReadOptions, ServerFacts, ServerOptions};
use change::{Fault, Position, TableSchema};

use super::progress::Begin;
use super::{Finding, Severity};
use crate::manifest::{Cascades, Manifest, ServerSettings, Snapshot, SourceFrom};
use crate::pipeline::open::{
    read_options, refuse_cascades, server_options, start_at_server, start_in_files,
};
use crate::progress::{grouped, megabytes};

/// The tables that the chain would be asked about.
#[derive(Default)]
pub(super) struct Found {
    /// Each schema version in recorded files, the tables of a server as they are now.
    pub(super) schemas: Vec<Arc<TableSchema>>,
    /// Whether these are all: what was read before is not read again.
    pub(super) is_whole: bool,
}

/// Findings about the source, from where a run would read it, and the tables in it.
pub(super) async fn check(
    manifest: &Manifest,
    begin: &Begin,
    findings: &mut Vec<Finding>,
) -> Found {
    let found = match &manifest.source.from {
        SourceFrom::Files(_) => files(manifest, begin, findings),
        SourceFrom::Server(settings) => server(manifest, settings, begin, findings).await,
    };
    let is_well = findings.iter().all(|f| f.severity != Severity::Error);
    if found.schemas.is_empty() && found.is_whole && is_well {
        findings.push(Finding::warning(
            "tables",
            "no table of the log is captured",
            "mend `tables` in [source], and see that the account may see the tables",
        ));
    }
    found
}

/// Reads what a run would read of recorded files: what is damaged or not supported is found here.
fn files(manifest: &Manifest, begin: &Begin, findings: &mut Vec<Finding>) -> Found {
    let paths = match manifest.source.files() {
        Ok(paths) => paths,
        Err(error) => {
            findings.push(Finding::error("source", error));
            return Found::default();
        }
    };
    let start = match start_in_files(manifest, &begin.resume, &paths) {
        Ok(start) => start,
        Err(error) => {
            findings.push(Finding::error("source", error));
            return Found::default();
        }
    };
    let read_options =
        ReadOptions { definitions: begin.definitions.clone(), ..read_options(manifest) };
    let is_whole = start.is_none();
    let mut schemas: Vec<Arc<TableSchema>> = Vec::new();
    let mut images = 0_u64;
    let read = || -> Result<u64, BinlogError> {
        let mut source = FileSource::open(&paths, start.as_ref(), read_options)?;
        while let Some(slice) = source.next()? {
            for batch in &slice.batches {
                images = images.saturating_add(u64::try_from(batch.len()).unwrap_or(u64::MAX));
                if !schemas.iter().any(|known| *known == *batch.schema()) {
                    schemas.push(Arc::clone(batch.schema()));
                }
            }
        }
        Ok(source.progress().1)
    };
    findings.push(match read() {
        Ok(bytes) => {
            let (files, images) = (paths.len(), grouped(images));
            let left = if is_whole { "" } else { " left to read" };
            let bytes = megabytes(bytes);
            let message = format!("{files} recorded files, {bytes}, {images} row images{left}");
            Finding::ok("source", message)
        }
        Err(error) => Finding::error("source", error),
    });
    Found { schemas, is_whole }
}

/// Asks the server for its settings, the account's privileges, the start and the tables.
async fn server(
    manifest: &Manifest,
    settings: &ServerSettings,
    begin: &Begin,
    findings: &mut Vec<Finding>,
) -> Found {
    let options = server_options(settings);
    match live::check(&options).await {
        Ok(found) => findings.extend(found.into_iter().map(finding)),
        Err(error) => {
            findings.push(Finding::error("server", error));
            return Found::default();
        }
    }
    // What the settings or the account lack is told once.
    if findings.iter().all(|f| f.severity != Severity::Error) {
        let start = start_at_server(manifest, &begin.resume);
        match live::check_start(&options, start).await {
            Ok(position) => {
                let is_known = !begin.definitions.is_empty();
                let unnamed = if is_known { None } else { unnamed(&options, &position).await };
                findings.push(Finding::ok("start", format!("{position} can be read from")));
                findings.extend(unnamed);
            }
            Err(error) => findings.push(Finding::error("start", error)),
        }
    }
    let read = read_options(manifest);
    findings.extend(load(manifest, &options, &read).await);
    match refuse_cascades(&options, &read).await {
        Ok(()) => {}
        Err(error) if settings.cascades == Cascades::Accept => findings.push(Finding::warning(
            "tables",
            error.to_string(),
            "see that these actions never take place: accepted by `foreign-key-cascades`",
        )),
        Err(error) => findings.push(Finding::error("tables", error)),
    }
    match table_schemas(&options, &read).await {
        Ok(schemas) => {
            Found { schemas: schemas.into_iter().map(Arc::new).collect(), is_whole: true }
        }
        Err(error) => {
            findings.push(Finding::error("tables", error));
            Found::default()
        }
    }
}

/// What stands in the way of a load.
async fn load(manifest: &Manifest, options: &ServerOptions, read: &ReadOptions) -> Option<Finding> {
    if manifest.source.snapshot != Snapshot::Initial {
        return None;
    }
    let begin = ServerFacts::read(options).await.ok()?.position?;
    let tables = async { TableReader::open(options, read).await?.tables(&begin).await };
    Some(match tables.await {
        Ok(tables) => {
            let rows = tables.iter().map(|table| table.rows).fold(0, u64::saturating_add);
            let (tables, rows) = (tables.len(), grouped(rows));
            Finding::ok("snapshot", format!("{tables} tables with about {rows} rows can be loaded"))
        }
        Err(error) => Finding::error("snapshot", error),
    })
}

/// A finding where the log does not name columns and is read from before its end.
async fn unnamed(server: &ServerOptions, position: &Position) -> Option<Finding> {
    let facts = ServerFacts::read(server).await.ok()?;
    let is_named = facts.binlog_row_metadata.eq_ignore_ascii_case("FULL");
    let is_end = facts.position.as_ref().is_some_and(|end| position.reaches(end));
    (!is_named && !is_end).then(|| {
        let message = format!(
            "the log does not name columns, and no definition of a table is known at {position}: rows \
             of tables that it does not create behind that stop the run"
        );
        let remedy = "name a file with the definitions as they were there: `definitions` in [source], or \
                      `sluice run --definitions FILE` for a pipeline that goes on";
        Finding::warning("definitions", message, remedy)
    })
}

fn finding(found: live::Finding) -> Finding {
    let (severity, fault) = match found.severity {
        live::Severity::Fine => (Severity::Ok, None),
        live::Severity::Warning => (Severity::Warning, None),
        live::Severity::Error => (Severity::Error, Some(Fault::Environment)),
    };
    let remedy = Some(found.remedy).filter(|remedy| !remedy.is_empty());
    Finding { severity, subject: "server".to_owned(), message: found.what, remedy, fault }
}
