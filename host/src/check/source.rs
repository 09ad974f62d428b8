//! Whether the log can be read, and which tables it has.

use std::sync::Arc;

use binlog::live::{self, table_schemas};
use binlog::{BinlogError, FileSource};
use change::{Fault, TableSchema};

use super::{Finding, Severity};
use crate::manifest::{Manifest, ServerSettings, SourceFrom};
use crate::pipeline::open::{read_options, server_options};
use crate::progress::{grouped, megabytes};

/// Findings about the source, and every table that the chain would be asked about: each schema version
/// of recorded files, the tables of a server as they are now.
pub(super) async fn check(
    manifest: &Manifest,
    findings: &mut Vec<Finding>,
) -> Vec<Arc<TableSchema>> {
    let schemas = match &manifest.source.from {
        SourceFrom::Files(_) => files(manifest, findings),
        SourceFrom::Server(settings) => server(manifest, settings, findings).await,
    };
    if schemas.is_empty() && findings.iter().all(|f| f.severity != Severity::Error) {
        findings.push(Finding::warning(
            "tables",
            "no table of the log is captured",
            "mend `tables` in [source], and see that the account may see the tables",
        ));
    }
    schemas
}

/// Reads all recorded files, as a run would: what is damaged or not supported is found here.
fn files(manifest: &Manifest, findings: &mut Vec<Finding>) -> Vec<Arc<TableSchema>> {
    let paths = match manifest.source.files() {
        Ok(paths) => paths,
        Err(error) => {
            findings.push(Finding::error("source", error));
            return Vec::new();
        }
    };
    let mut schemas: Vec<Arc<TableSchema>> = Vec::new();
    let mut images = 0_u64;
    let mut read = || -> Result<u64, BinlogError> {
        let mut source = FileSource::open(&paths, None, read_options(manifest))?;
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
            let message =
                format!("{files} recorded files, {}, {images} row images", megabytes(bytes));
            Finding::ok("source", message)
        }
        Err(error) => Finding::error("source", error),
    });
    schemas
}

/// Asks the server for its settings, the account's privileges and the tables.
async fn server(
    manifest: &Manifest,
    settings: &ServerSettings,
    findings: &mut Vec<Finding>,
) -> Vec<Arc<TableSchema>> {
    let options = server_options(settings);
    match live::check(&options).await {
        Ok(found) => findings.extend(found.into_iter().map(finding)),
        Err(error) => {
            findings.push(Finding::error("server", error));
            return Vec::new();
        }
    }
    match table_schemas(&options, &read_options(manifest)).await {
        Ok(schemas) => schemas.into_iter().map(Arc::new).collect(),
        Err(error) => {
            findings.push(Finding::error("tables", error));
            Vec::new()
        }
    }
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
