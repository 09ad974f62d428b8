//! Commits of other writers, written by hand.

use std::path::Path;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_row::{RowConverter, SortField};
use arrow_select::take::take_record_batch;
use change::TargetPath;
use serde_json::{Value, json};

use crate::storage::{Home, StoreOptions};
use crate::table::locate::Caches;
use crate::table::read;
use crate::table::state::State;
use crate::testing::{KeyKind, changes, put, schema};

/// The actions of all entries, in order.
fn entries(folder: &Path) -> Vec<Value> {
    let mut names: Vec<_> = std::fs::read_dir(folder.join("_delta_log"))
        .expect("a log")
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    names.sort();
    let mut all = Vec::new();
    for name in names {
        let text = std::fs::read_to_string(name).expect("text");
        all.extend(text.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON")));
    }
    all
}

/// The `add` actions that stand.
fn active(folder: &Path) -> Vec<Value> {
    let mut active: Vec<Value> = Vec::new();
    for action in entries(folder) {
        if let Some(remove) = action.get("remove") {
            active.retain(|a| a["path"] != remove["path"]);
        }
        if let Some(add) = action.get("add") {
            active.push(add.clone());
        }
    }
    active
}

fn write(folder: &Path, version: u64, operation: &str, actions: &[Value]) {
    let info = json!({"commitInfo": {"timestamp": 1, "operation": operation}});
    let lines = std::iter::once(&info).chain(actions).map(Value::to_string);
    let text = lines.collect::<Vec<_>>().join("\n");
    let path = folder.join(format!("_delta_log/{version:020}.json"));
    assert!(!path.exists(), "version {version} is taken");
    std::fs::write(path, text).expect("written");
}

fn remove(add: &Value, data_change: bool) -> Value {
    json!({"remove": {
        "path": add["path"], "dataChange": data_change, "deletionTimestamp": 1,
        "deletionVector": add["deletionVector"],
    }})
}

/// A copy of a data file under another name; its dead rows stay dead.
fn copy(folder: &Path, add: &Value, data_change: bool) -> Value {
    let path = add["path"].as_str().expect("a path");
    std::fs::copy(folder.join(path), folder.join(format!("copy-{path}"))).expect("copied");
    let mut add = add.clone();
    add["path"] = format!("copy-{path}").into();
    add["dataChange"] = data_change.into();
    json!({"add": add})
}

/// Every file in another one.
pub(super) fn compact(folder: &Path, version: u64) {
    compact_at(folder, version, 1);
}

/// As [`compact`], at a time in milliseconds since 1970.
pub(super) fn compact_at(folder: &Path, version: u64, now_ms: i64) {
    let mut actions = Vec::new();
    for add in active(folder) {
        let mut remove = remove(&add, false);
        remove["remove"]["deletionTimestamp"] = now_ms.into();
        actions.push(remove);
        actions.push(copy(folder, &add, false));
    }
    write(folder, version, "OPTIMIZE", &actions);
}

/// All rows once more.
pub(super) fn append_copy(folder: &Path, version: u64) {
    let actions: Vec<Value> = active(folder).iter().map(|a| copy(folder, a, true)).collect();
    write(folder, version, "WRITE", &actions);
}

/// Only the first file is left. Gives what is needed to undo it.
pub(super) fn restore_to_one_file(folder: &Path, version: u64) -> Vec<Value> {
    let gone: Vec<Value> = active(folder).into_iter().skip(1).collect();
    let actions: Vec<Value> = gone.iter().map(|a| remove(a, true)).collect();
    write(folder, version, "RESTORE", &actions);
    gone
}

pub(super) fn undo(folder: &Path, version: u64, gone: &[Value]) {
    let actions: Vec<Value> = gone.iter().map(|a| json!({"add": a})).collect();
    write(folder, version, "RESTORE", &actions);
}

/// Takes away all that tells of Sluice; gives the text of version 0.
pub(super) fn strip_sluice(log: &Path) -> String {
    let mut first = String::new();
    for version in [1, 0] {
        let path = log.join(format!("{version:020}.json"));
        let text = std::fs::read_to_string(&path).expect("text");
        let mut lines = Vec::new();
        for line in text.lines() {
            let mut action: Value = serde_json::from_str(line).expect("JSON");
            if action.get("txn").is_some() {
                continue;
            }
            if let Some(info) = action.get_mut("commitInfo").and_then(Value::as_object_mut) {
                info.remove("sluice");
            }
            if let Some(Value::Object(properties)) = action.pointer_mut("/metaData/configuration") {
                properties.retain(|key, _| !key.starts_with("sluice."));
            }
            lines.push(action.to_string());
        }
        first = lines.join("\n");
        std::fs::write(path, &first).expect("written");
    }
    first
}

/// An error's text without the folder of the test.
pub(super) fn plain(target: &TargetPath, error: &crate::LakeError) -> String {
    error.to_string().replace(&*target.0, "TARGET")
}

/// Rows 9000 to 9099 in a file of another writer, in descending order of their keys and without
/// statistics.
pub(super) async fn append_unsorted(target: &TargetPath, version: u64) -> Vec<(i32, i32)> {
    append_unsorted_of(target, version, "other.parquet", 9000..9100).await
}

/// As [`append_unsorted`], with these rows.
pub(super) async fn append_unsorted_of(
    target: &TargetPath,
    version: u64,
    name: &str,
    keys: std::ops::Range<i32>,
) -> Vec<(i32, i32)> {
    let net = keys.clone().map(|k| (k, put(k))).collect();
    let rows = changes(target, &schema(KeyKind::Composite, &[]), KeyKind::Composite, &net).rows;
    let count = u32::try_from(rows.num_rows()).expect("small");
    let backwards: arrow_array::UInt32Array = (0..count).rev().collect();
    let rows = take_record_batch(&rows, &backwards).expect("taken");
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, rows.schema(), None).expect("a writer");
    writer.write(&rows).expect("written");
    writer.close().expect("closed");
    let folder = Path::new(&*target.0);
    std::fs::write(folder.join(name), &bytes).expect("written");
    let stats = json!({"numRecords": count}).to_string();
    append(folder, version, name, bytes.len(), &stats);
    keys.map(|k| (k, k)).collect()
}

fn append(folder: &Path, version: u64, name: &str, size: usize, stats: &str) {
    let add = json!({"add": {
        "path": name, "partitionValues": {}, "size": size,
        "modificationTime": 1, "dataChange": true, "stats": stats,
    }});
    write(folder, version, "WRITE", &[add]);
}

/// Rows 1 to 6 of a table with an integer key, in two row groups, each behind an empty one.
pub(super) fn append_with_empty_groups(folder: &Path, version: u64) {
    use parquet::arrow::ArrowSchemaConverter;
    use parquet::column::writer::ColumnWriter;
    use parquet::data_type::ByteArray;
    use parquet::file::writer::SerializedFileWriter;
    let arrow = schema(KeyKind::Int64, &[]);
    let parquet = ArrowSchemaConverter::new().convert(arrow.arrow()).expect("a schema");
    let mut bytes = Vec::new();
    let root = parquet.root_schema_ptr();
    let mut file = SerializedFileWriter::new(&mut bytes, root, Arc::default()).expect("a writer");
    for keys in [&[][..], &[1, 2, 3], &[], &[4, 5, 6]] {
        let mut group = file.next_row_group().expect("a group");
        let all = vec![1_i16; keys.len()];
        while let Some(mut column) = group.next_column().expect("a column") {
            match column.untyped() {
                ColumnWriter::Int64ColumnWriter(column) => {
                    let keys: Vec<i64> =
                        keys.iter().map(|k| i64::from(*k) * 10_000_000_000).collect();
                    column.write_batch(&keys, Some(&all), None).expect("written");
                }
                ColumnWriter::Int32ColumnWriter(column) => {
                    column.write_batch(keys, Some(&all), None).expect("written");
                }
                ColumnWriter::ByteArrayColumnWriter(column) => {
                    let texts = keys.iter().filter(|k| **k % 3 != 0);
                    let texts: Vec<ByteArray> =
                        texts.map(|k| format!("text {k}").as_str().into()).collect();
                    let some: Vec<i16> = keys.iter().map(|k| i16::from(k % 3 != 0)).collect();
                    column.write_batch(&texts, Some(&some), None).expect("written");
                }
                _ => panic!("another column"),
            }
            column.close().expect("closed");
        }
        group.close().expect("closed");
    }
    file.close().expect("closed");
    std::fs::write(folder.join("groups.parquet"), &bytes).expect("written");
    append(folder, version, "groups.parquet", bytes.len(), "{\"numRecords\":6}");
}

/// Another pipeline's name on the table.
pub(super) fn hand_over(folder: &Path, version: u64, from: &str, to: &str) {
    let mut metadata = entries(folder).into_iter().filter(|a| a.get("metaData").is_some());
    let mut metadata = metadata.next_back().expect("a table has metadata");
    let owner = &mut metadata["metaData"]["configuration"]["sluice.pipeline"];
    assert_eq!(owner, from);
    *owner = to.into();
    write(folder, version, "SET TBLPROPERTIES", &[metadata]);
}

/// Whether every file is sorted by its id columns (two, in front).
pub(super) async fn is_sorted_by_key(target: &TargetPath) -> bool {
    let home = Home::new(target.clone(), &StoreOptions::default()).expect("a place");
    let state = State::load(&home, None).await.expect("read").expect("a table");
    let caches = Caches::default();
    let mut all_sorted = true;
    for file in state.files.iter() {
        let footer = read::footer(&home, &caches.footers, file.name(), file.size()).await;
        let footer = footer.expect("read");
        let stream = read::row_groups(&home, file.name(), &footer, &state.arrow, vec![0]);
        let reader = stream.expect("read").next_row_group().await.expect("read").expect("one");
        let batches: Vec<RecordBatch> = reader.map(|b| b.expect("read")).collect();
        let ids = [0, 1].map(|i| Arc::clone(batches[0].column(i)));
        let fields = ids.iter().map(|c| SortField::new(c.data_type().clone())).collect();
        let converter = RowConverter::new(fields).expect("a converter");
        let rows = converter.convert_columns(&ids).expect("rows");
        all_sorted &= (1..rows.num_rows()).all(|i| rows.row(i - 1) < rows.row(i));
    }
    all_sorted
}
