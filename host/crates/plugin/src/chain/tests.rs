//! Chains over real (hand-written) components: what they keep, what they cost, and that nothing they
//! do gets past the host.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Int8Array, Int64Array};
use arrow_buffer::BooleanBuffer;
use change::{
    Batch, Column, ColumnType, Diagnose, ImageKind, Images, KeyProof, Mark, OutputSchema, Presence,
    Routing, TableName, TablePatterns, TableSchema, Transaction, Transformed,
};

use crate::bindings::sluice::transform::types::DataType;
use crate::bindings::transform::{
    ColumnCast, ColumnSource, ConstantValue, OutputColumn, TablePlan as Answer,
};
use crate::guest::Guest;
use crate::plan::{Draft, TablePlan};
use crate::{
    Allocator, Chain, ChainCounters, Engine, EngineOptions, Isolation, Limits, PluginError,
    PluginSpec, TableSettings,
};

fn engine() -> Engine {
    Engine::new(EngineOptions::default()).expect("an engine")
}

fn spec(component: Vec<u8>) -> PluginSpec {
    PluginSpec {
        name: "wat".into(),
        component,
        sha256: None,
        tables: TablePatterns::parse(&["shop.*"]).expect("a pattern"),
        config: serde_json::json!({}),
        files: Vec::new(),
        limits: Limits { deadline: Duration::from_secs(30), ..Limits::default() },
        isolation: Isolation::Instance,
    }
}

fn schema(table: &str) -> Arc<TableSchema> {
    let columns = vec![
        Column::made("v", ColumnType::Int8, false),
        Column::made("id", ColumnType::Int64, false),
    ];
    Arc::new(TableSchema {
        name: TableName::new("shop", table),
        columns,
        primary_key: Some(vec![1]),
        unique_keys: Some(Vec::new()),
        properties: Vec::new(),
    })
}

fn batch(schema: &Arc<TableSchema>, values: &[i8]) -> Batch {
    let transaction = Transaction {
        file: "log.000007".into(),
        start: 100,
        end: 900,
        gtid: None,
        commit_micros: 0,
        server_id: 1,
    };
    let images_end = u32::try_from(values.len()).expect("few");
    let mark =
        Mark { images_end, transaction: Arc::new(transaction), event_offset: 340, first_row: 0 };
    let images = Images::new(vec![ImageKind::Insert; values.len()], vec![mark]).expect("valid");
    let ids = Int64Array::from_iter_values(0..i64::from(images_end));
    let columns: Vec<ArrayRef> = vec![Arc::new(Int8Array::from(values.to_vec())), Arc::new(ids)];
    Batch::new(Arc::clone(schema), columns, Arc::new(images)).expect("a batch")
}

fn run(specs: Vec<PluginSpec>, values: &[i8]) -> (Result<Transformed, PluginError>, ChainCounters) {
    let mut chain = Chain::load(&engine(), specs).expect("a chain");
    let schema = schema("t");
    let plan =
        chain.plan(&schema, &TableSettings::default()).expect("a plan").expect("not excluded");
    let result = chain.transform(&plan, &batch(&schema, values));
    (result, chain.counters())
}

/// The first column of the images that are kept.
fn kept(transformed: &Transformed) -> Vec<i8> {
    let values = transformed.columns.first().expect("a column").as_primitive::<Int8Type>();
    (0..values.len()).filter(|i| transformed.is_kept(*i)).map(|i| values.value(i)).collect()
}

#[test]
fn no_plugin_passes_the_columns_on_and_calls_nobody() {
    let mut chain = Chain::load(&engine(), Vec::new()).expect("a chain");
    let schema = schema("t");
    let batch = batch(&schema, &[1, 2]);
    let plan =
        chain.plan(&schema, &TableSettings::default()).expect("a plan").expect("not excluded");
    let out = chain.transform(&plan, &batch).expect("transformed");
    assert!(out.columns.iter().zip(batch.columns()).all(|(a, b)| Arc::ptr_eq(a, b)));
    assert!(out.keep.is_none());
    assert_eq!(out.schema.id_columns, [1]);
    assert_eq!(out.schema.key_proof, KeyProof::Source);
    assert_eq!(chain.counters(), ChainCounters::default());
}

#[test]
fn a_filter_keeps_what_it_says_and_gets_only_the_column_it_reads() {
    let (out, counters) = run(vec![spec(Guest::filter().module())], &[5, 1, 7, 1, 9]);
    assert_eq!(kept(&out.expect("transformed")), [5, 7, 9]);
    assert_eq!(counters, ChainCounters { calls: 1, images: 5, bytes_in: 5, bytes_out: 1 });
}

#[test]
fn a_later_plugin_gets_only_what_an_earlier_one_kept() {
    let filter = Guest::filter().module();
    let (out, counters) = run(vec![spec(filter.clone()), spec(filter)], &[5, 1, 7, 1, 9]);
    assert_eq!(kept(&out.expect("transformed")), [5, 7, 9]);
    assert_eq!(counters.images, 5 + 3);
}

#[test]
fn a_row_that_makes_its_plugin_stop_is_rejected_and_the_others_are_not() {
    let cases = [(42, "trap"), (43, "fuel"), (44, "trap"), (45, "trap")];
    for (poison, code) in cases {
        let mut values = vec![2_i8; 100];
        values[37] = poison;
        values[3] = 1;
        let mut spec = spec(Guest::filter().module());
        spec.limits.fuel_base = 1_000_000;
        spec.limits.fuel_per_row = 10_000;
        let (out, _) = run(vec![spec], &values);
        let out = out.unwrap_or_else(|e| panic!("{poison}: {e}"));
        let rejected: Vec<_> = out.rejected.iter().map(|r| (r.image, r.code.as_str())).collect();
        assert_eq!(rejected, [(37, code)], "{poison}");
        assert_eq!(kept(&out), [2; 98], "{poison}");
    }
}

#[test]
fn the_wall_clock_stops_and_never_rejects() {
    let mut spec = spec(Guest::filter().module());
    spec.limits.fuel_base = u64::MAX / 2;
    spec.limits.deadline = Duration::from_millis(30);
    let (out, counters) = run(vec![spec], &[2, 43]);
    let error = out.expect_err("stopped");
    assert_eq!(error.retry(), change::Retry::Backoff);
    let text = error.to_string();
    let (_, what) = text.split_once(") ").expect("a site");
    insta::assert_snapshot!(what, @"at shop.t, log.000007:340: `process` did not end within 30 ms, twice");
    // Both rows, the first, and the second until it had its two tries.
    assert!(counters.calls >= 3, "{counters:?}");
}

#[test]
fn a_spinning_row_of_the_largest_batch_is_rejected_under_the_shipped_limits() {
    let mut spec = spec(Guest::filter().module());
    spec.limits = Limits::default();
    let mut values = vec![2_i8; spec.limits.rows_max as usize];
    values[40_000] = 43;
    let (out, _) = run(vec![spec], &values);
    let out = out.unwrap_or_else(|e| panic!("{e}"));
    let rejected: Vec<_> = out.rejected.iter().map(|r| (r.image, r.code.as_str())).collect();
    assert_eq!(rejected, [(40_000, "fuel")]);
    assert_eq!(kept(&out).len(), values.len() - 1);
}

#[test]
fn a_call_that_is_late_for_its_rows_alone_is_cut_and_rejects_nothing() {
    let mut guest = Guest::filter();
    // About a million instructions a row: far too long for all rows, short enough for some.
    let slow = "(local.set $at (i32.const 200000)) (loop $wait
        (local.set $at (i32.sub (local.get $at) (i32.const 1))) (br_if $wait (local.get $at)))";
    guest.process = guest.process.replacen("(call $row", &format!("{slow} (call $row"), 1);
    let mut spec = spec(guest.module());
    spec.limits.fuel_per_row = u64::from(u32::MAX);
    spec.limits.deadline = Duration::from_secs(60);
    // How long all rows take tells what is too short for them, on this machine and with what else it does.
    let begun = Instant::now();
    run(vec![spec.clone()], &[2; 4_000]).0.expect("in time");
    spec.limits.deadline = begun.elapsed() / 3;
    let (out, counters) = run(vec![spec], &[2; 4_000]);
    let out = out.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((kept(&out).len(), out.rejected.len()), (4_000, 0));
    assert!(counters.calls > 2, "it was cut: {counters:?}");
}

#[test]
fn too_many_rows_that_trap_stop_within_ten_deadlines() {
    let mut spec = spec(Guest::filter().module());
    spec.limits.deadline = Duration::from_millis(20);
    let (out, _) = run(vec![spec], &[42; 60_000]);
    let error = out.expect_err("stopped");
    assert!(error.to_string().contains("it trapped on so many row images"), "{error}");
}

#[test]
fn how_a_batch_is_cut_does_not_show() {
    let values: Vec<i8> = (0..1000_i32).map(|i| i8::try_from(i % 40).expect("small")).collect();
    let whole = run(vec![spec(Guest::filter().module())], &values).0.expect("transformed");
    for rows_max in [1, 7, 64, 999] {
        let mut spec = spec(Guest::filter().module());
        spec.limits.rows_max = rows_max;
        let (out, counters) = run(vec![spec], &values);
        let out = out.expect("transformed");
        assert_eq!(out.keep, whole.keep, "{rows_max}");
        assert_eq!(counters.calls, 1000_u64.div_ceil(u64::from(rows_max)));
    }
}

#[test]
fn bytes_cut_a_batch_as_rows_do() {
    let mut small = spec(Guest::filter().module());
    small.limits.memory_bytes = 1024 * 1024;
    let (out, counters) = run(vec![small], &vec![2; 600_000]);
    assert_eq!(kept(&out.expect("transformed")).len(), 600_000);
    assert_eq!(counters.calls, 10, "65,536 rows a call");
    let mut smaller = spec(Guest::filter().module());
    smaller.limits.memory_bytes = 512 * 1024;
    smaller.limits.rows_max = u32::MAX;
    let mut chain = Chain::load(&engine(), vec![smaller]).expect("a chain");
    let schema = schema("t");
    let plan = chain.plan(&schema, &TableSettings::default()).expect("a plan").expect("one");
    chain.transform(&plan, &batch(&schema, &vec![1; 60_000])).expect("transformed");
    assert_eq!(chain.counters().calls, 1, "128 KiB a call");
}

#[test]
fn isolation_by_batch_forgets_what_a_plugin_keeps() {
    let mut guest = Guest::filter();
    // Traps in its second call.
    guest.extra = "(global $calls (mut i32) (i32.const 0))".to_owned();
    let count = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.gt_u (global.get $calls) (i32.const 1)) (then (local.set $rows (i32.const 0))))";
    guest.process = guest.process.replacen(
        "(memory.fill (i32.const 1024)",
        &format!("{count} (memory.fill (i32.const 1024)"),
        1,
    );
    for (isolation, wrong) in [(Isolation::Instance, true), (Isolation::Batch, false)] {
        let mut spec = spec(guest.module());
        spec.limits.rows_max = 10;
        spec.isolation = isolation;
        let (out, _) = run(vec![spec], &[2; 20]);
        assert_eq!(out.is_err(), wrong, "{isolation:?}");
    }
}

#[test]
fn a_plan_that_changes_in_a_fresh_instance_is_named() {
    let mut guest = Guest::filter();
    // The second table that an instance plans is passed over.
    guest.extra = "(global $plans (mut i32) (i32.const 0))".to_owned();
    guest.plan_body = "(global.set $plans (i32.add (global.get $plans) (i32.const 1)))
        (i32.store8 (i32.const 260) (select (i32.const 2) (i32.const 1) (i32.gt_u (global.get $plans) (i32.const 1))))
        (i32.const 256)".to_owned();
    let mut chain = Chain::load(&engine(), vec![spec(guest.module())]).expect("a chain");
    let settings = TableSettings::default();
    chain.plan(&schema("first"), &settings).expect("a plan");
    let second = schema("second");
    let plan = chain.plan(&second, &settings).expect("a plan").expect("not excluded");
    let error = chain.transform(&plan, &batch(&second, &[2, 42])).expect_err("changed");
    assert!(error.to_string().contains("another plan for the same table"), "{error}");
}

/// Both rows go the one way there is, which sets a variable `}x` of 2 bytes to `}x`.
const ROUTES_BY_BRACE: &str = r#"(data (i32.const 536)
    "\01\00\00\00\00\06\00\00\01\00\00\00\00\04\00\00\08\00\00\00")
    (data (i32.const 1024) "\00\00\00\00\00\00\00\00")
    (data (i32.const 1536) "\40\06\00\00\01\00\00\00")
    (data (i32.const 1600) "\80\06\00\00\02\00\00\00\80\06\00\00\02\00\00\00")
    (data (i32.const 1664) "}x")"#;

/// The same, but the variable is `db`.
fn routes_by_db() -> Vec<u8> {
    let at_664 = r#"(data (i32.const 1664) "}x")"#;
    let data = ROUTES_BY_BRACE.replace(at_664, r#"(data (i32.const 1664) "db")"#);
    Guest::answering(&data).module()
}

#[test]
fn a_variable_set_row_by_row_is_no_surprise_to_a_later_plugin() {
    let alone = run(vec![spec(routes_by_db())], &[2, 3]).0.expect("nobody was told otherwise");
    assert!(matches!(alone.routing, Routing::PerImage { .. }));
    let later = spec(Guest::filter().module());
    let error = run(vec![spec(routes_by_db()), later], &[2, 3]).0.expect_err("refused");
    assert!(error.to_string().contains("it sets `db` row by row, its plan has no"), "{error}");
}

#[test]
fn a_wrong_answer_is_refused_and_named() {
    // An edit lies at 516: keep (option, 12 bytes), computed, routing (option, 20 bytes), rejected.
    let cases = [
        (
            r#"(data (i32.const 516) "\01\00\00\00\00\04\00\00\02\00\00\00")"#,
            "keep bitmap has 2 bytes, 1 are needed",
        ),
        (
            r#"(data (i32.const 528) "\00\04\00\00\01\00\00\00")"#,
            "1 computed columns, the plan has 0",
        ),
        (
            r#"(data (i32.const 536) "\01\00\00\00\00\00\00\00\00\00\00\00\00\04\00\00\08\00\00\00")"#,
            "the routing points behind its 0 routes",
        ),
        (
            r#"(data (i32.const 536) "\01\00\00\00\00\00\00\00\00\00\00\00\00\04\00\00\05\00\00\00")"#,
            "the routing has 5 bytes of indexes, 8 are needed",
        ),
        (ROUTES_BY_BRACE, "a route variable's name is empty, too long or holds a brace"),
        (
            r#"(data (i32.const 556) "\00\04\00\00\01\00\00\00") (data (i32.const 1024) "\02\00\00\00\00\05\00\00\01\00\00\00") (data (i32.const 1280) "x")"#,
            "row 2 is rejected, there are 2",
        ),
        (
            r#"(data (i32.const 556) "\00\04\00\00\01\00\00\00") (data (i32.const 1024) "\00\00\00\00\00\05\00\00\01\00\00\00") (data (i32.const 1280) "X")"#,
            "a failure's code is not of the form",
        ),
        (
            r#"(data (i32.const 512) "\01\00\00\00\00\05\00\00\03\00\00\00") (data (i32.const 1280) "bad")"#,
            "failed with the code `bad`",
        ),
        (r#"(data (i32.const 512) "\07")"#, "trapped"),
        (r#"(data (i32.const 516) "\01\00\00\00\00\04\00\00\ff\ff\ff\7f")"#, "trapped"),
    ];
    for (data, wanted) in cases {
        let (out, _) = run(vec![spec(Guest::answering(data).module())], &[2, 3]);
        match out {
            Err(error) => assert!(error.to_string().contains(wanted), "{data}: {error}"),
            Ok(out) => {
                let details: Vec<_> = out.rejected.iter().map(|r| r.detail.clone()).collect();
                assert!(
                    details.len() == 2 && details.iter().all(|d| d.contains(wanted)),
                    "{data}: {details:?}"
                );
            }
        }
    }
}

#[test]
fn an_answer_beyond_the_limit_is_named() {
    let mut spec = spec(Guest::filter().module());
    spec.limits.output_bytes_max = 64;
    let (out, _) = run(vec![spec], &[2; 60_000]);
    // Halved until the answer fits: 64 bytes are 512 bits, and the record around them counts too.
    assert_eq!(kept(&out.expect("transformed")).len(), 60_000);
    let flood = r#"(data (i32.const 516) "\01\00\00\00\00\04\00\00\00\00\01\00")"#;
    let mut spec = self::spec(Guest::answering(flood).module());
    spec.limits.output_bytes_max = 1024;
    let error = run(vec![spec], &[2; 4]).0.expect_err("too large");
    assert!(error.to_string().contains("answered with more than 1024 bytes"), "{error}");
}

#[test]
fn tables_count_against_the_memory_of_a_plugin() {
    let engine =
        Engine::new(EngineOptions { allocator: Allocator::OnDemand, ..EngineOptions::default() })
            .expect("an engine");
    let load = |tables: usize| {
        let mut guest = Guest::filter();
        guest.extra = "(table 500000 funcref)".repeat(tables);
        let mut spec = spec(guest.module());
        spec.limits.memory_bytes = 16 * 1024 * 1024;
        Chain::load(&engine, vec![spec]).map(|_| ())
    };
    assert!(load(3).is_ok(), "3 x 4 MB");
    let error = load(20).expect_err("80 MB");
    assert!(error.to_string().contains("`instantiate` wanted more than 16777216 bytes"), "{error}");
}

#[test]
fn a_start_function_that_spins_ends_at_its_deadline() {
    let mut guest = Guest::filter();
    guest.extra = "(func $start (loop $spin (br $spin))) (start $start)".to_owned();
    let mut spec = spec(guest.module());
    spec.limits.deadline = Duration::from_millis(30);
    let error = Chain::load(&engine(), vec![spec]).err().expect("stopped");
    assert!(error.to_string().contains("`instantiate` did not end within 30 ms"), "{error}");
}

#[test]
fn a_single_image_too_large_names_the_memory_that_would_do() {
    let mut columns = vec![Column::made("v", ColumnType::Binary, false)];
    columns.push(Column::made("id", ColumnType::Int64, false));
    let wide = Arc::new(TableSchema { columns, ..(*schema("t")).clone() });
    let narrow = batch(&wide_placeholder(), &[2]);
    let value: ArrayRef = Arc::new(arrow_array::BinaryArray::from_vec(vec![&[0; 600_000]]));
    let id = narrow.columns()[1].clone();
    let batch =
        Batch::new(Arc::clone(&wide), vec![value, id], narrow.images().clone()).expect("a batch");
    let mut spec = spec(Guest::filter().module());
    spec.limits.memory_bytes = 2 * 1024 * 1024;
    let mut chain = Chain::load(&engine(), vec![spec]).expect("a chain");
    let plan = chain.plan(&wide, &TableSettings::default()).expect("a plan").expect("one");
    let error = chain.transform(&plan, &batch).expect_err("too large");
    assert!(error.to_string().contains("row-too-large"), "{error}");
    assert_eq!(error.hint().as_deref(), Some("set `memory = \"3MiB\"` on this plugin"));
}

fn wide_placeholder() -> Arc<TableSchema> {
    schema("t")
}

#[test]
fn the_digest_follows_what_decides_and_nothing_else() {
    let base = || spec(Guest::filter().module());
    let digest =
        |spec: PluginSpec| Chain::load(&engine(), vec![spec]).expect("a chain").digest().to_owned();
    let first = digest(base());
    assert_eq!(first, digest(PluginSpec { name: "other".into(), ..base() }));
    let deadline = Limits { deadline: Duration::from_secs(9), ..base().limits };
    assert_eq!(first, digest(PluginSpec { limits: deadline, ..base() }));
    let fuel = Limits { fuel_base: 1_000_000, ..base().limits };
    assert_ne!(first, digest(PluginSpec { limits: fuel, ..base() }));
    assert_ne!(first, digest(PluginSpec { config: serde_json::json!({"a": 1}), ..base() }));
    let tables = TablePatterns::parse(&["shop.t"]).expect("a pattern");
    assert_ne!(first, digest(PluginSpec { tables, ..base() }));
}

#[test]
fn a_table_that_no_pattern_names_is_left_alone() {
    let mut chain = Chain::load(&engine(), vec![spec(Guest::filter().module())]).expect("a chain");
    let other = TableSchema { name: TableName::new("crm", "t"), ..(*schema("t")).clone() };
    let plan =
        chain.plan(&Arc::new(other), &TableSettings::default()).expect("a plan").expect("one");
    assert_eq!(plan.decisions().first().map(|(_, d)| d.to_string()).as_deref(), Some("not asked"));
    assert!(!plan.calls_plugins());
}

/// A plan of the first plugin that makes columns without a call.
fn made_by_the_host(schema: &Arc<TableSchema>) -> Arc<TablePlan> {
    let column = |name: &str, source| OutputColumn { name: name.to_owned(), source };
    let small = ColumnCast { field: 1, to: DataType::Int8 };
    let constant = ConstantValue { data_type: DataType::Utf8, text: Some("eu".to_owned()) };
    let output = vec![
        column("id", ColumnSource::Input(1)),
        column("small", ColumnSource::Cast(small)),
        column("region", ColumnSource::Constant(constant)),
        column("op", ColumnSource::Metadata("op".to_owned())),
        column("at", ColumnSource::Metadata("log-position".to_owned())),
        column("row", ColumnSource::Metadata("row-in-transaction".to_owned())),
        column("gtid", ColumnSource::Metadata("gtid".to_owned())),
    ];
    let answer = Answer {
        output: Some(output),
        id_columns: None,
        route: vec![("table".to_owned(), "other".to_owned())],
        process: None,
        properties: Vec::new(),
    };
    let mut draft = Draft::new(schema);
    draft.apply(0, answer, false).unwrap_or_else(|broken| panic!("{}", broken.what));
    let (columns, id_columns, key_proof) =
        draft.identity(&TableSettings::default()).expect("an identity");
    let source = schema.name.clone();
    Arc::new(TablePlan {
        id: 0,
        source: Arc::clone(schema),
        schema: Arc::new(OutputSchema { source, columns, id_columns, key_proof }),
        base_route: Arc::new(draft.view.route),
        output: draft.view.fields.iter().map(|f| f.node).collect(),
        nodes: draft.nodes,
        stages: draft.stages,
        decisions: draft.decisions,
    })
}

#[test]
fn casts_constants_and_metadata_are_made_by_the_host_without_a_call() {
    let mut chain = Chain::load(&engine(), vec![spec(Guest::filter().module())]).expect("a chain");
    let schema = schema("t");
    let plan = made_by_the_host(&schema);
    let out = chain.transform(&plan, &batch(&schema, &[7; 200])).expect("transformed");
    let rejected: Vec<_> = out.rejected.iter().map(|r| (r.image, r.code.as_str())).collect();
    assert_eq!(rejected.len(), 72, "ids 128 to 199 are no int8");
    assert_eq!(rejected.first(), Some(&(128, "cast")));
    assert!(out.is_kept(127) && !out.is_kept(128));
    let text = |column: usize| out.columns[column].as_string::<i32>().value(3).to_owned();
    assert_eq!((text(2), text(3), text(4)), ("eu".into(), "c".into(), "log.000007:340".into()));
    assert_eq!(out.columns[5].as_primitive::<UInt64Type>().value(3), 3);
    assert_eq!(out.columns[6].null_count(), 200);
    assert!(out.columns.iter().all(|c| c.len() == 200));
    let Routing::Whole(route) = &out.routing else { panic!("one route") };
    assert_eq!(route.0.get("table").map(String::as_str), Some("other"));
    assert_eq!(chain.counters(), ChainCounters::default());
}

#[test]
fn a_chain_may_move_to_a_thread_of_its_own() {
    fn moves<T: Send + 'static>() {}
    moves::<Chain>();
}

/// The batch with the first column left out of its second image.
fn with_gap(batch: Batch) -> Batch {
    let told = BooleanBuffer::from(vec![true, false]);
    batch.with_presence(Presence::new(vec![Some(told)])).expect("fits")
}

#[test]
fn a_column_that_the_log_left_out_is_passed_on_as_unknown() {
    let mut chain = Chain::load(&engine(), Vec::new()).expect("a chain");
    let schema = schema("t");
    let plan =
        chain.plan(&schema, &TableSettings::default()).expect("a plan").expect("not excluded");
    let out = chain.transform(&plan, &with_gap(batch(&schema, &[1, 2]))).expect("transformed");
    assert!(out.presence.has(0, 0) && !out.presence.has(0, 1) && out.presence.has(1, 1));
}

#[test]
fn a_plugin_that_reads_what_the_log_left_out_is_refused_with_the_setting() {
    let mut chain = Chain::load(&engine(), vec![spec(Guest::filter().module())]).expect("a chain");
    let schema = schema("t");
    let plan =
        chain.plan(&schema, &TableSettings::default()).expect("a plan").expect("not excluded");
    let error = chain.transform(&plan, &with_gap(batch(&schema, &[1, 2]))).expect_err("refused");
    insta::assert_snapshot!(error, @"table shop.t, log.000007:340: the log leaves the column `v` out of a row image, and plugin `wat` needs it");
    assert!(error.hint().is_some_and(|hint| hint.contains("binlog_row_image = FULL")));
}

#[test]
fn an_id_column_that_the_log_left_out_is_refused() {
    let mut chain = Chain::load(&engine(), Vec::new()).expect("a chain");
    let schema = schema("t");
    let settings = TableSettings {
        id_columns: Some(vec!["v".to_owned()]),
        trust_ids: true,
        ..TableSettings::default()
    };
    let plan = chain.plan(&schema, &settings).expect("a plan").expect("not excluded");
    let error = chain.transform(&plan, &with_gap(batch(&schema, &[1, 2]))).expect_err("refused");
    insta::assert_snapshot!(error, @"table shop.t, log.000007:340: the log leaves the column `v` out of a row image, and the key of the target needs it");
}
