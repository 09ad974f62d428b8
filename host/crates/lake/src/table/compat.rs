//! Whether an existing table is one that Sluice may write: its protocol, features and properties.
//!
//! A feature counts only where it is in use: Spark lists `invariants` in the protocol of every table
//! and uses it in almost none.

use std::collections::HashMap;

use delta_kernel::schema::{StructField, StructType};
use deltalake::kernel::{Metadata, Protocol};

use crate::error::LakeError;

/// The property that allows new deletion vectors.
pub(crate) const DELETION_VECTORS_PROPERTY: &str = "delta.enableDeletionVectors";

/// The feature behind it.
pub(crate) const DELETION_VECTORS: &str = "deletionVectors";

/// The feature of DATETIME columns.
pub(crate) const TIMESTAMP_NTZ: &str = "timestampNtz";

/// What stands in the way of writing a table.
struct Obstacle {
    reason: String,
    hint: String,
}

fn obstacle(reason: impl Into<String>, hint: impl Into<String>) -> Option<Obstacle> {
    Some(Obstacle { reason: reason.into(), hint: hint.into() })
}

const OTHER_PATH: &str =
    "route to another path, or let Sluice make the table: move the existing one away";

/// # Errors
/// Names what stands in the way, and the way out.
pub(crate) fn check(
    target: &str,
    protocol: &Protocol,
    metadata: &Metadata,
    schema: &StructType,
) -> Result<(), LakeError> {
    let properties = metadata.configuration();
    let found = partitioned(metadata)
        .or_else(|| switched_off(properties))
        .or_else(|| features(protocol).iter().find_map(|f| feature(f, schema)))
        .or_else(|| without_vectors(protocol, properties));
    match found {
        None => Ok(()),
        Some(Obstacle { reason, hint }) => {
            Err(LakeError::Incompatible { target: target.to_owned(), reason, hint })
        }
    }
}

/// Whether files that nothing needs may be deleted: every feature has to be known, since an unknown one
/// may keep files that the log does not name.
///
/// # Errors
/// Names the feature.
pub(crate) fn check_vacuum(
    target: &str,
    protocol: &Protocol,
    schema: &StructType,
) -> Result<(), LakeError> {
    match features(protocol).iter().find_map(|f| feature(f, schema)) {
        None => Ok(()),
        Some(Obstacle { reason, .. }) => Err(LakeError::Incompatible {
            target: target.to_owned(),
            reason,
            hint: "vacuum it with the writer that made it".into(),
        }),
    }
}

/// The names of the protocol's reader and writer features.
pub(crate) fn features(protocol: &Protocol) -> Vec<String> {
    let json = serde_json::to_value(protocol).unwrap_or_default();
    let mut names: Vec<String> = ["readerFeatures", "writerFeatures"]
        .iter()
        .filter_map(|key| json.get(key)?.as_array())
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn partitioned(metadata: &Metadata) -> Option<Obstacle> {
    let columns = metadata.partition_columns();
    if columns.is_empty() {
        return None;
    }
    let reason = format!("it is partitioned by {}", columns.join(", "));
    obstacle(reason, OTHER_PATH)
}

fn switched_off(properties: &HashMap<String, String>) -> Option<Obstacle> {
    let is_on = |key: &str| properties.get(key).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let unset = |key: &str| format!("unset the table property `{key}`, or {OTHER_PATH}");
    for (key, what) in [
        ("delta.appendOnly", "it is append-only"),
        ("delta.enableChangeDataFeed", "it keeps a change data feed"),
        ("delta.enableInCommitTimestamps", "it keeps in-commit timestamps"),
        ("delta.enableRowTracking", "it tracks row ids"),
    ] {
        if is_on(key) {
            return obstacle(what, unset(key));
        }
    }
    let mapping = properties.get("delta.columnMapping.mode").map(String::as_str);
    if mapping.is_some_and(|m| !m.eq_ignore_ascii_case("none")) {
        return obstacle("its columns are mapped to other names (column mapping)", OTHER_PATH);
    }
    let constraint = properties.keys().find(|k| k.starts_with("delta.constraints."));
    constraint.and_then(|key| {
        obstacle(
            "it has a CHECK constraint",
            format!("drop the constraint `{key}`, or {OTHER_PATH}"),
        )
    })
}

/// A feature that is in use and that Sluice does not know how to serve.
fn feature(name: &str, schema: &StructType) -> Option<Obstacle> {
    let column_has = |key: &str| {
        let has = |f: &&StructField| f.metadata().keys().any(|k| k.starts_with(key));
        schema.fields().find(has).map(|f| f.name().clone())
    };
    let per_column = |key: &str, what: &str| {
        let column = column_has(key)?;
        obstacle(format!("its column `{column}` {what}"), OTHER_PATH)
    };
    match name {
        // Served, or of no concern to a writer of rows.
        DELETION_VECTORS
        | TIMESTAMP_NTZ
        | "v2Checkpoint"
        | "appendOnly"
        | "changeDataFeed"
        | "checkConstraints"
        | "columnMapping"
        | "inCommitTimestamp"
        | "vacuumProtocolCheck"
        | "domainMetadata"
        | "rowTracking" => None,
        "invariants" => per_column("delta.invariants", "has an invariant"),
        "generatedColumns" => per_column("delta.generationExpression", "is generated"),
        "identityColumns" => per_column("delta.identity", "is an identity column"),
        other => obstacle(format!("it uses the table feature `{other}`"), OTHER_PATH),
    }
}

fn without_vectors(protocol: &Protocol, properties: &HashMap<String, String>) -> Option<Obstacle> {
    let on =
        properties.get(DELETION_VECTORS_PROPERTY).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if on && features(protocol).iter().any(|f| f == DELETION_VECTORS) {
        return None;
    }
    obstacle(
        "it does not allow deletion vectors",
        format!("set the table property `{DELETION_VECTORS_PROPERTY}` to `true`"),
    )
}

/// Whether a feature stands among the reader features as well (Delta protocol, "Valid Feature Names
/// in Table Features").
pub(crate) fn is_reader_feature(name: &str) -> bool {
    matches!(
        name,
        DELETION_VECTORS | TIMESTAMP_NTZ | "columnMapping" | "v2Checkpoint" | "vacuumProtocolCheck"
    )
}
