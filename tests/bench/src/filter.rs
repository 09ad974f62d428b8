//! A filter as a plugin, with its predicate in code, against the same predicate as a native closure: 8 columns and
//! 8,192 rows, of which it reads two columns and keeps seven rows in ten.
//!
//! cost = call + rows * row, on both sides. End to end both evaluate the predicate and rebuild the batch; the leg alone is
//! the plugin's part without the rebuilding. A plan without `process` costs nothing a batch, which is counted, not timed.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray};
use arrow_buffer::BooleanBuffer;
use arrow_select::filter::FilterBuilder;
use change::{
    Batch, Column, ColumnType, ImageKind, Images, Mark, TableName, TablePatterns, TableSchema,
    Transaction,
};
use plugin::{Chain, Engine, EngineOptions, PluginSpec, TablePlan, TableSettings};
use sluice_tests::checkout;

use crate::figure::{Figure, Reach};
use crate::round::{Compared, compare};

const ROWS: i64 = 8_192;
/// Batches of a round, so that a round takes long enough to be timed.
const BATCHES: usize = 2_000;

/// The figures of this module.
pub(crate) fn figures() -> Result<Vec<Figure>> {
    let batch = batch()?;
    let mut plugin = Plugged::load("predicate", serde_json::json!({}), &batch)?;
    let kept = plugin.keep(&batch)?.count_set_bits();
    ensure!(
        kept == native(&batch).count_set_bits() && kept > 0,
        "plugin and closure keep different rows"
    );
    let whole = compare(
        || repeat(|| plugin.rebuilt(&batch)),
        || repeat(|| rebuilt(&batch, native(&batch))),
    )?;
    let leg = compare(
        || repeat(|| plugin.keep(&batch).map(|k| drop(black_box(k)))),
        || {
            repeat(|| {
                black_box(native(black_box(&batch)));
                Ok(())
            })
        },
    )?;
    let rename = serde_json::json!({ "columns": { "amount": "total" } });
    let mut renaming = Plugged::load("rename", rename, &batch)?;
    let before = renaming.chain.counters();
    for _ in 0..BATCHES {
        black_box(renaming.chain.transform(&renaming.plan, &batch)?);
    }
    let after = renaming.chain.counters();
    #[expect(clippy::cast_precision_loss, reason = "a count that should be 0")]
    let calls = (after.calls - before.calls + after.bytes_in - before.bytes_in + after.bytes_out
        - before.bytes_out) as f64;
    Ok(vec![
        figure("filter_vs_native", 1.3, &whole),
        figure("filter_leg", 3.0, &leg),
        Figure {
            name: "rename_calls",
            value: calls,
            unit: "calls+bytes",
            reach: 0.0,
            side: Reach::AtMost,
            note: format!("over {BATCHES} batches"),
        },
    ])
}

fn figure(name: &'static str, reach: f64, compared: &Compared) -> Figure {
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let nanos = |seconds: f64| seconds * 1e9 / (BATCHES as f64 * ROWS as f64);
    let (ours, theirs) = (nanos(compared.a_seconds), nanos(compared.b_seconds));
    let note = format!("{ours:.2} ns a row against {theirs:.2} ns");
    Figure { name, value: 1.0 / compared.ratio, unit: "x", reach, side: Reach::AtMost, note }
}

fn repeat(mut work: impl FnMut() -> Result<()>) -> Result<()> {
    (0..BATCHES).try_for_each(|_| work())
}

/// A chain of one plugin and its plan.
struct Plugged {
    chain: Chain,
    plan: Arc<TablePlan>,
}

impl Plugged {
    fn load(name: &str, config: serde_json::Value, batch: &Batch) -> Result<Self> {
        let path = checkout::plugin(name);
        let component = std::fs::read(&path)
            .with_context(|| format!("{}: run `make plugins`", path.display()))?;
        let spec = PluginSpec {
            config,
            tables: TablePatterns::parse(&["*.*"])?,
            ..PluginSpec::new(name, component)
        };
        let engine = Engine::new(EngineOptions::default())?;
        let mut chain = Chain::load(&engine, vec![spec])?;
        let settings =
            TableSettings { id_columns: None, trust_ids: false, ..TableSettings::default() };
        let plan =
            chain.plan(batch.schema(), &settings)?.context("the plugin excludes the table")?;
        Ok(Self { chain, plan })
    }

    fn keep(&mut self, batch: &Batch) -> Result<BooleanBuffer> {
        let transformed = self.chain.transform(&self.plan, batch)?;
        transformed.keep.context("the plugin filters")
    }

    fn rebuilt(&mut self, batch: &Batch) -> Result<()> {
        let keep = self.keep(batch)?;
        rebuilt(batch, keep)
    }
}

fn native(batch: &Batch) -> BooleanBuffer {
    let amount = batch.columns()[2].as_primitive::<Int64Type>().values();
    let region = batch.columns()[4].as_string::<i32>();
    BooleanBuffer::collect_bool(batch.len(), |row| amount[row] > 150 && region.value(row) == "eu")
}

fn rebuilt(batch: &Batch, keep: BooleanBuffer) -> Result<()> {
    let predicate = FilterBuilder::new(&BooleanArray::new(keep, None)).optimize().build();
    let columns: Vec<_> =
        batch.columns().iter().map(|column| predicate.filter(column)).collect::<Result<_, _>>()?;
    black_box(columns);
    Ok(())
}

fn batch() -> Result<Batch> {
    let column = |name: &str, column_type| Column::made(name, column_type, false);
    let schema = TableSchema {
        name: TableName::new("bench", "orders"),
        columns: vec![
            column("id", ColumnType::Int64),
            column("k", ColumnType::Int32),
            column("amount", ColumnType::Int64),
            column("price", ColumnType::Float64),
            column("region", ColumnType::Utf8),
            column("name", ColumnType::Utf8),
            column("note", ColumnType::Utf8),
            column("customer", ColumnType::Int64),
        ],
        primary_key: Some(vec![0]),
        unique_keys: Some(Vec::new()),
        properties: Vec::new(),
    };
    let keys = || 0..ROWS;
    let text = |f: &dyn Fn(i64) -> String| {
        Arc::new(StringArray::from_iter_values(keys().map(f))) as ArrayRef
    };
    #[expect(clippy::cast_precision_loss, reason = "made-up values of any size")]
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(keys())),
        Arc::new(Int32Array::from_iter_values(keys().map(|k| (k % 1000) as i32))),
        Arc::new(Int64Array::from_iter_values(keys().map(|k| k * 7_919 % 1_000))),
        Arc::new(Float64Array::from_iter_values(keys().map(|k| k as f64 * 0.3))),
        text(&|k| if k * 31 % 6 == 5 { "us" } else { "eu" }.to_owned()),
        text(&|k| format!("customer {k}")),
        text(&|k| format!("a note of some length on row {k}")),
        Arc::new(Int64Array::from_iter_values(keys().map(|k| k % 97))),
    ];
    let transaction = Transaction {
        file: "log.000001".into(),
        start: 4,
        end: 900,
        gtid: None,
        commit_micros: 0,
        server_id: 1,
    };
    let mark = Mark {
        images_end: u32::try_from(ROWS)?,
        transaction: Arc::new(transaction),
        event_offset: 100,
        first_row: 0,
    };
    let images = Images::new(vec![ImageKind::Insert; usize::try_from(ROWS)?], vec![mark])?;
    Ok(Batch::new(Arc::new(schema), columns, Arc::new(images))?)
}
