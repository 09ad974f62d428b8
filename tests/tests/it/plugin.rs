//! Hostile guests and the bundled plugins through the chain itself: each misdeed ends as a named
//! error or a rejected row within its deadline, with the host alive.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray};
use change::{
    Batch, Column, ColumnType, ImageKind, Images, Mark, Routing, TableName, TablePatterns,
    TableSchema, Transaction, Transformed,
};
use plugin::{
    Chain, Engine, EngineOptions, Isolation, Limits, LogLevel, LogLine, PluginError, PluginSpec,
    TableSettings,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the deadline of a hostile guest is; it is met at most twice in a call.
const DEADLINE: Duration = Duration::from_millis(400);

fn built(name: &str) -> Vec<u8> {
    let path = sluice_tests::checkout::plugin(name);
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; build it with `make plugins`", path.display()))
}

fn spec(name: &str, component: &str, config: Value) -> PluginSpec {
    PluginSpec {
        name: name.into(),
        component: built(component),
        sha256: None,
        tables: TablePatterns::parse(&["*.*"]).expect("a pattern"),
        config,
        files: Vec::new(),
        limits: Limits::default(),
        isolation: Isolation::Instance,
    }
}

fn hostile(behaviour: &str) -> PluginSpec {
    let mut spec = spec("hostile", "guests", json!({ "do": behaviour }));
    spec.limits.deadline = DEADLINE;
    spec.limits.memory_bytes = 16 * 1024 * 1024;
    spec.limits.output_bytes_max = 1024 * 1024;
    spec
}

fn table() -> Arc<TableSchema> {
    let columns = vec![
        Column::made("id", ColumnType::Int64, false),
        Column::made("v", ColumnType::Int32, false),
        Column::made("name", ColumnType::Utf8, true),
    ];
    Arc::new(TableSchema {
        name: TableName::new("shop", "orders"),
        columns,
        primary_key: Some(vec![0]),
        unique_keys: Some(Vec::new()),
        properties: Vec::new(),
    })
}

fn batch(schema: &Arc<TableSchema>, values: &[i32]) -> Batch {
    let transaction = Transaction {
        file: "log.000003".into(),
        start: 4,
        end: 900,
        gtid: None,
        commit_micros: 0,
        server_id: 1,
    };
    let images_end = u32::try_from(values.len()).expect("few");
    let mark =
        Mark { images_end, transaction: Arc::new(transaction), event_offset: 77, first_row: 0 };
    let images = Images::new(vec![ImageKind::Insert; values.len()], vec![mark]).expect("valid");
    let ids = Int64Array::from_iter_values(0..i64::from(images_end));
    let names: StringArray =
        values.iter().map(|v| (v % 5 != 4).then(|| format!("name {v}"))).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(ids), Arc::new(Int32Array::from(values.to_vec())), Arc::new(names)];
    Batch::new(Arc::clone(schema), columns, Arc::new(images)).expect("a batch")
}

fn run(
    engine: &Engine,
    specs: Vec<PluginSpec>,
    values: &[i32],
) -> Result<Transformed, PluginError> {
    let schema = table();
    let mut chain = Chain::load(engine, specs)?;
    let plan = chain.plan(&schema, &TableSettings::default())?.expect("not excluded");
    chain.transform(&plan, &batch(&schema, values))
}

/// With a folder for compiled plugins, so that each is compiled once for all cases.
fn engine() -> Engine {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| TempDir::new().expect("a folder"));
    let cache = Some(folder.path().join("compiled"));
    Engine::new(EngineOptions { cache, ..EngineOptions::default() }).expect("an engine")
}

fn kept(out: &Transformed, column: &str) -> Vec<i32> {
    let index = out.schema.columns.iter().position(|c| c.name == column).expect("a column");
    let values = out.columns.get(index).expect("a column").as_primitive::<Int32Type>();
    (0..values.len()).filter(|i| out.is_kept(*i)).map(|i| values.value(i)).collect()
}

#[test]
fn a_hostile_guest_ends_as_a_named_error_within_its_deadline() {
    let cases = [
        ("spin-in-configure", "`configure` did not end within 400 ms, twice"),
        (
            "trap-in-configure",
            "`configure` trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
        ("recurse-in-configure", "`configure` trapped"),
        ("grow-in-configure", "`configure` wanted more than 16777216 bytes of memory"),
        ("refuse", "plugin `hostile`, config/do: no"),
        ("spin-in-plan", "at shop.orders: `plan` did not end within 400 ms, twice"),
        ("trap-in-plan", "`plan` trapped"),
        ("grow-in-plan", "`plan` wanted more than 16777216 bytes of memory"),
        ("fail-in-plan", "`plan` failed with the code `bad-table`"),
        ("wrong-type", "its plan cannot be used: there is no decimal(77,0)"),
        ("wrong-slot", "the slots of its computed columns are not 0, 1, 2 and so on"),
        ("unknown-column", "it names the input field 99, there are 3"),
        ("unknown-id", "its id columns name the output column 99, there are 4"),
        ("same-name", "the column `MADE` appears twice"),
        ("drop-id", "it drops or replaces the id column `id`"),
        ("route-out-of-plan", "the route variable `table` contains a slash or backslash"),
        ("fail", "`process` failed with the code `own-failure`"),
        ("bad-code", "a failure's code is not of the form [a-z0-9-]{1,64}"),
        ("keep-too-long", "the keep bitmap has 5 bytes, 1 are needed"),
        ("no-computed", "0 computed columns, the plan has 1"),
        ("huge-output", "of memory"),
        ("short-data", "the last offset is not the length of the data"),
        ("short-offsets", "the offsets have 4 bytes, 20 are needed"),
        ("offsets-out-of-order", "the offsets decrease"),
        ("bad-utf8", "row 0 is not UTF-8"),
        ("json", "row 0 is not JSON"),
        ("null-in-non-null", "a kept row is null, the plan said that none is"),
        ("short-validity", "the validity bitmap has 0 bytes, 1 are needed"),
        ("routes-out-of-range", "the routing points behind its 0 routes"),
        ("short-routing", "the routing has 0 bytes of indexes, 16 are needed"),
        ("route-out", "log.000003:77: the route variable `table` contains a slash or backslash"),
        ("route-empty", "the route variable `table` is empty"),
        ("reject-unknown-row", "row 4 is rejected, there are 4"),
        ("reject-twice", "rejected rows are not ascending"),
        ("reject-bad-code", "a failure's code is not of the form [a-z0-9-]{1,64}"),
    ];
    let engine = engine();
    for (behaviour, wanted) in cases {
        let started = Instant::now();
        let told = match run(&engine, vec![hostile(behaviour)], &[1, 2, 3, 4]) {
            Err(error) => error.to_string(),
            Ok(out) => out.rejected.iter().map(|r| format!("{}: {}", r.code, r.detail)).collect(),
        };
        assert!(told.contains(wanted), "{behaviour}: {told}");
        assert!(told.contains("hostile") || told.contains("trap: "), "{behaviour}: {told}");
        assert!(!told.contains("secret") && !told.contains("17!"), "{behaviour}: {told}");
        assert!(started.elapsed() < DEADLINE * 20, "{behaviour}: {:?}", started.elapsed());
    }
    let alive = run(&engine, vec![hostile("behave")], &[1, 0, 3]).expect("transformed");
    assert_eq!(kept(&alive, "v"), [1, 3]);
}

#[test]
fn a_guest_that_stops_at_one_row_loses_that_row_only() {
    let engine = engine();
    for (behaviour, code) in [("trap-on-13", "trap"), ("spin-on-13", "fuel")] {
        let values: Vec<i32> = (0..100).collect();
        let mut spec = hostile(behaviour);
        spec.limits.deadline = Duration::from_secs(20);
        spec.limits.fuel_base = 5_000_000;
        let out = run(&engine, vec![spec], &values).expect("transformed");
        let rejected: Vec<_> = out.rejected.iter().map(|r| (r.image, r.code.as_str())).collect();
        assert_eq!(rejected, [(13, code)]);
        assert_eq!(kept(&out, "v").len(), 98, "0 is dropped, 13 rejected");
        if code == "trap" {
            let detail = &out.rejected.first().expect("one").detail;
            assert!(detail.ends_with("the guest's own last words"), "{detail}");
        }
    }
}

#[test]
fn a_guest_that_stops_at_every_row_has_each_rejected() {
    let engine = engine();
    for (behaviour, code) in
        [("trap-in-process", "trap"), ("recurse-in-process", "trap"), ("grow-in-process", "trap")]
    {
        let mut spec = hostile(behaviour);
        spec.limits.deadline = Duration::from_secs(5);
        let out = run(&engine, vec![spec], &[1, 2, 3]).expect("transformed");
        let codes: Vec<_> = out.rejected.iter().map(|r| r.code.as_str()).collect();
        assert_eq!(codes, [code; 3], "{behaviour}");
        assert_eq!(kept(&out, "v"), Vec::<i32>::new());
    }
}

#[test]
fn a_plan_that_changes_is_named() {
    let (schema, settings) = (table(), TableSettings::default());
    let other = TableSchema { name: TableName::new("shop", "first"), ..(*schema).clone() };
    let mut chain = Chain::load(&engine(), vec![hostile("plan-changes")]).expect("a chain");
    chain.plan(&Arc::new(other), &settings).expect("a plan");
    let plan = chain.plan(&schema, &settings).expect("a plan").expect("not excluded");
    chain.release(&table());
    let error = chain.transform(&plan, &batch(&schema, &[1])).expect_err("forgotten");
    assert!(error.to_string().contains("another plan for the same table"), "{error}");
}

#[test]
fn log_lines_are_limited_and_only_go_to_who_asked() {
    let lines: Arc<Mutex<Vec<LogLine>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let options = EngineOptions {
        logs: Some(Arc::new(move |line| sink.lock().expect("not poisoned").push(line))),
        ..EngineOptions::default()
    };
    let engine = Engine::new(options).expect("an engine");
    run(&engine, vec![hostile("flood-in-process")], &[1, 2]).expect("transformed");
    let lines = lines.lock().expect("not poisoned");
    assert_eq!(lines.len(), 100);
    assert!(lines.iter().all(|l| l.message.len() == 4096 && l.level == LogLevel::Info));
}

#[test]
fn the_bundled_plugins_work_one_after_the_other() {
    let specs = vec![
        spec("paid", "filter", json!({ "where": "v >= 10 and name is not null" })),
        spec("names", "rename", json!({ "columns": { "id": "order_id", "v": "amount" } })),
        spec(
            "secret",
            "mask",
            json!({ "columns": [{ "name": "name", "how": "redact", "with": "***" }] }),
        ),
        spec("where", "route", json!({ "set": { "table": "clean_{table}" } })),
    ];
    let out = run(&engine(), specs, &[5, 10, 14, 20]).expect("transformed");
    let names: Vec<_> = out.schema.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["order_id", "amount", "name"]);
    assert_eq!(kept(&out, "amount"), [10, 20]);
    let masked = out.columns.get(2).expect("a column").as_string::<i32>();
    assert_eq!((masked.value(1), masked.value(3)), ("***", "***"));
    let Routing::Whole(route) = &out.routing else { panic!("one route") };
    assert_eq!(route.0.get("table").map(String::as_str), Some("clean_orders"));
}

#[test]
fn a_rename_makes_no_call_and_copies_nothing() {
    let schema = table();
    let config = json!({ "columns": { "v": "amount" }, "drop": ["name"] });
    let spec = spec("names", "rename", config);
    let mut chain = Chain::load(&engine(), vec![spec]).expect("a chain");
    let plan =
        chain.plan(&schema, &TableSettings::default()).expect("a plan").expect("not excluded");
    let batch = batch(&schema, &[1, 2, 3]);
    let out = chain.transform(&plan, &batch).expect("transformed");
    assert_eq!(chain.counters(), plugin::ChainCounters::default());
    assert_eq!(out.columns.len(), 2);
    assert!(out.columns.iter().zip(batch.columns()).all(|(a, b)| Arc::ptr_eq(a, b)));
}

#[test]
fn mistakes_in_configurations_are_collected_over_all_plugins() {
    let specs = vec![
        spec("one", "filter", json!({ "where": "v >" })),
        spec("two", "filter", json!({ "wher": "v > 1" })),
    ];
    let error = Chain::load(&engine(), specs).err().expect("refused");
    let plugins: Vec<_> = error.config_problems().iter().map(|p| &*p.plugin).collect();
    assert!(plugins.contains(&"one") && plugins.contains(&"two"), "{error}");
}
