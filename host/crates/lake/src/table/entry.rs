//! Log entries: what Sluice writes into one, and what it reads of those that others wrote.

use change::Position;
use deltalake::kernel::{Action, Transaction};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::error::LakeError;
use crate::storage::Home;
use crate::table::progress::Progress;

/// The name of the operation in `commitInfo`; the first two are Spark's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// The table is made.
    Create,
    /// An epoch.
    Update,
    /// The same rows in fewer files.
    Compact,
    /// Nothing but a position.
    Advance,
    /// Other columns.
    Edit,
    /// All rows of a source go.
    Truncate,
    /// Another table has the name from now on, or none.
    Rename,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE TABLE",
            Self::Update | Self::Advance => "STREAMING UPDATE",
            Self::Compact => "OPTIMIZE",
            Self::Edit => "CHANGE COLUMNS",
            Self::Truncate => "TRUNCATE",
            Self::Rename => "RENAME TABLE",
        }
    }
}

/// The bytes of a log entry: `commitInfo` first, then the actions, one JSON object a line. Without
/// progress it is the entry of somebody who is not the pipeline.
pub(crate) fn encode(
    home: &Home,
    operation: Operation,
    metrics: Map<String, Value>,
    progress: Option<&Progress>,
    actions: Vec<Action>,
    now_ms: i64,
) -> Result<Vec<u8>, LakeError> {
    let wrong = |e: serde_json::Error| home.delta_error("write a log entry", e);
    let parameters = match (operation, progress) {
        (Operation::Update | Operation::Advance, Some(progress)) => json!({
            "outputMode": "Update",
            "queryId": progress.pipeline,
            "epochId": progress.epoch.to_string(),
        }),
        _ => json!({}),
    };
    let mut info = json!({"commitInfo": {
        "timestamp": now_ms,
        "operation": operation.name(),
        "operationParameters": parameters,
        "operationMetrics": metrics,
        "isBlindAppend": false,
        "engineInfo": crate::ENGINE,
    }});
    let mut transactions = Vec::new();
    if let Some(progress) = progress {
        if let Some(info) = info.get_mut("commitInfo").and_then(Value::as_object_mut) {
            info.insert("sluice".into(), serde_json::to_value(progress).map_err(wrong)?);
        }
        transactions = progress.transactions(now_ms).map_err(|e| {
            let position = progress.covered.as_ref().map(Position::to_string).unwrap_or_default();
            LakeError::Position { target: home.target().to_string(), position, reason: e.0 }
        })?;
    }
    let mut entry = serde_json::to_vec(&info).map_err(wrong)?;
    for action in actions.into_iter().chain(transactions.into_iter().map(Action::Txn)) {
        entry.push(b'\n');
        serde_json::to_writer(&mut entry, &action).map_err(wrong)?;
    }
    entry.push(b'\n');
    Ok(entry)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<Info>,
    add: Option<FileLine>,
    remove: Option<FileLine>,
    meta_data: Option<MetadataLine>,
    protocol: Option<IgnoredAny>,
    txn: Option<Transaction>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    operation_parameters: Option<Value>,
    #[serde(default)]
    sluice: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileLine {
    #[serde(default)]
    data_change: bool,
}

#[derive(Debug, Deserialize)]
struct MetadataLine {
    #[serde(default)]
    id: String,
}

/// What a log entry says that matters to another writer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// The version.
    pub(crate) version: u64,
    /// When it was written, by its writer's clock: milliseconds since 1970.
    pub(crate) timestamp_ms: Option<i64>,
    /// The operation's name in upper case, empty where it does not say.
    pub(crate) operation: String,
    /// The `mode` among the operation's parameters, in upper case.
    pub(crate) mode: String,
    /// Files added that change the data.
    pub(crate) adds: usize,
    /// Files removed that change the data.
    pub(crate) removes: usize,
    /// The table's id, where the metadata is set.
    pub(crate) table_id: Option<String>,
    /// Whether the protocol is set.
    pub(crate) protocol: bool,
    /// All `txn` actions.
    pub(crate) transactions: Vec<Transaction>,
    /// The `sluice` object.
    pub(crate) progress: Option<Progress>,
}

/// Reads a log entry; unknown actions are passed over.
pub(crate) fn decode(home: &Home, version: u64, bytes: &[u8]) -> Result<Entry, LakeError> {
    let object = format!("log entry {version}");
    let damaged =
        |e: serde_json::Error| home.damaged(&object, format!("line {}: not JSON", e.line()));
    let mut entry = Entry { version, ..Entry::default() };
    let mut lines = 0_usize;
    for line in serde_json::Deserializer::from_slice(bytes).into_iter::<Line>() {
        lines = lines.saturating_add(1);
        let line = line.map_err(damaged)?;
        if let Some(info) = line.commit_info {
            entry.timestamp_ms = info.timestamp;
            entry.operation = info.operation.unwrap_or_default().to_uppercase();
            let mode = info.operation_parameters.as_ref().and_then(|p| p.get("mode"));
            entry.mode = mode.and_then(Value::as_str).unwrap_or_default().to_uppercase();
            let progress = info.sluice.map(serde_json::from_value).transpose();
            entry.progress = progress
                .map_err(|_| home.damaged(&object, "its `sluice` object is of another form"))?;
        }
        entry.adds = entry.adds.saturating_add(line.add.is_some_and(|f| f.data_change).into());
        entry.removes =
            entry.removes.saturating_add(line.remove.is_some_and(|f| f.data_change).into());
        entry.table_id = line.meta_data.map(|m| m.id).or(entry.table_id);
        entry.protocol |= line.protocol.is_some();
        entry.transactions.extend(line.txn);
    }
    if lines == 0 {
        return Err(home.damaged(&object, "it is empty"));
    }
    Ok(entry)
}
