//! Commits of other writers, written by hand.

use std::path::Path;

use change::TargetPath;
use serde_json::{Value, json};

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
    let mut actions = Vec::new();
    for add in active(folder) {
        actions.push(remove(&add, false));
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
