//! Upserts: 10,000 uniform changes (updates of eight in ten, inserts and deletes of one in ten each) into tables of one and
//! four million rows, against MERGE of PyPI's deltalake on the same data.
//!
//! cost here = changes + key columns of the touched files; cost of MERGE = bytes of the touched files.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow_array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::BooleanBuffer;
use change::{
    Column, ColumnType, KeyProof, OutputSchema, PathTemplate, Position, TableName, TargetPath,
};
use lake::{ChangeCounts, Epoch, Lake, LakeOptions, StoredSchema, TargetChanges};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_tests::{checkout, readers};

use crate::figure::{Figure, Reach};
use crate::round::{ROUNDS, median, timed};

const CHANGES: i64 = 10_000;
const SMALL: i64 = 1_000_000;
const LARGE: i64 = 4_000_000;
/// Rows that one epoch of the filling writes, and so the rows of a file.
const FILL: i64 = 250_000;

/// The figures of this module.
pub(crate) fn figures() -> Result<Vec<Figure>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let mut small = runtime.block_on(Table::filled(&folder.path().join("small"), SMALL))?;
    let mut large = runtime.block_on(Table::filled(&folder.path().join("large"), LARGE))?;
    let mut merge = Merge::start(&folder.path().join("merge"), LARGE)?;
    let (mut against_merge, mut growth, mut ours, mut theirs) = (vec![], vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        let seed = round as u64;
        let a = timed(|| runtime.block_on(small.upsert(seed)))?;
        let b = timed(|| runtime.block_on(large.upsert(seed)))?;
        let c = merge.upsert(seed)?;
        // The first round fills caches on all sides.
        if round > 0 {
            against_merge.push(c / b);
            growth.push(b / a);
            ours.push(b);
            theirs.push(c);
        }
    }
    let (ours, theirs) = (median(ours) * 1e3, median(theirs) * 1e3);
    let note = format!("{ours:.0} ms against {theirs:.0} ms, {CHANGES} changes into {LARGE} rows");
    Ok(vec![
        Figure {
            name: "upsert_vs_merge",
            value: median(against_merge),
            unit: "x",
            reach: 10.0,
            side: Reach::AtLeast,
            note,
        },
        Figure {
            name: "upsert_growth",
            value: median(growth),
            unit: "x",
            reach: 3.0,
            side: Reach::AtMost,
            note: format!("{LARGE} rows against {SMALL}"),
        },
    ])
}

/// A table of ours.
struct Table {
    lake: Lake,
    target: TargetPath,
    schema: Arc<StoredSchema>,
    rows: i64,
    epoch: u64,
}

impl Table {
    async fn filled(path: &Path, rows: i64) -> Result<Self> {
        let text = path.to_str().context("a path in UTF-8")?;
        let lake =
            Lake::open(LakeOptions::new(PathTemplate::parse(text)?, "bench", "bench")).await?;
        let schema = Arc::new(StoredSchema::of(&output())?);
        let mut table = Self { lake, target: TargetPath(text.into()), schema, rows, epoch: 0 };
        for first in (0..rows).step_by(usize::try_from(FILL)?) {
            let keys: Vec<i64> = (first..(first + FILL).min(rows)).collect();
            table.commit(&keys, true, &[]).await?;
        }
        Ok(table)
    }

    async fn upsert(&mut self, seed: u64) -> Result<()> {
        let (keys, gone) = keys(seed, self.rows);
        self.commit(&keys, false, &gone).await
    }

    async fn commit(&mut self, keys: &[i64], inserted: bool, gone: &[i64]) -> Result<()> {
        self.epoch += 1;
        let position = |n: u64| Position::at("log.000001", 100 * n);
        let changes = TargetChanges {
            target: self.target.clone(),
            schema: Arc::clone(&self.schema),
            rows: RecordBatch::try_new(Arc::clone(self.schema.arrow()), values(keys, self.epoch))?,
            rows_inserted: BooleanBuffer::from_iter(std::iter::repeat_n(inserted, keys.len())),
            gone: RecordBatch::try_new(
                Arc::new(self.schema.arrow().project(&[0])?),
                vec![Arc::new(Int64Array::from(gone.to_vec()))],
            )?,
            gone_inserted: BooleanBuffer::new_unset(gone.len()),
            gone_counts: None,
            counts: ChangeCounts::default(),
            sources: Arc::default(),
            absent: std::collections::BTreeSet::default(),
            gaps: None,
        };
        let (all_durable, end) = (position(self.epoch - 1), position(self.epoch));
        let epoch = Epoch { number: self.epoch, all_durable, end, changes: vec![changes] };
        self.lake.commit(epoch).await?;
        self.lake.maintain().await?;
        Ok(())
    }
}

fn output() -> OutputSchema {
    let column = |name: &str, column_type| Column::made(name, column_type, name != "id");
    OutputSchema {
        source: TableName::new("bench", "orders"),
        columns: vec![
            column("id", ColumnType::Int64),
            column("k", ColumnType::Int32),
            column("amount", ColumnType::Float64),
            column("at", ColumnType::TimestampMicrosLocal),
            column("status", ColumnType::Utf8),
            column("customer", ColumnType::Int64),
            column("name", ColumnType::Utf8),
            column("note", ColumnType::Utf8),
        ],
        id_columns: vec![0],
        key_proof: KeyProof::Source,
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "made-up values of any size"
)]
fn values(keys: &[i64], version: u64) -> Vec<ArrayRef> {
    let text = |f: &dyn Fn(&i64) -> String| {
        Arc::new(StringArray::from_iter_values(keys.iter().map(f))) as ArrayRef
    };
    vec![
        Arc::new(Int64Array::from(keys.to_vec())),
        Arc::new(Int32Array::from_iter_values(keys.iter().map(|k| (k % 100_003) as i32))),
        Arc::new(Float64Array::from_iter_values(
            keys.iter().map(|k| *k as f64 * 0.37 + version as f64),
        )),
        Arc::new(TimestampMicrosecondArray::from_iter_values(
            keys.iter().map(|k| 1_600_000_000_000_000 + k * 1_000_003),
        )),
        text(&|k| ["new", "paid", "sent", "gone"][(k % 4).unsigned_abs() as usize].to_owned()),
        Arc::new(Int64Array::from_iter_values(
            keys.iter().map(|k| k.wrapping_mul(2_654_435_761) % 500_000),
        )),
        text(&|k| format!("customer {}", k % 50_000)),
        text(&|k| format!("note {version} on {k}")),
    ]
}

/// Keys that are written (nine in ten of the changes, one in nine of them new) and keys that go, uniform over the table.
fn keys(seed: u64, rows: i64) -> (Vec<i64>, Vec<i64>) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut old: Vec<i64> = (0..CHANGES * 9 / 10).map(|_| random.random_range(0..rows)).collect();
    old.sort_unstable();
    old.dedup();
    let first_new = rows + CHANGES * i64::try_from(seed).unwrap_or_default();
    let (gone, mut written): (Vec<_>, Vec<_>) = old.iter().partition(|key| *key % 9 == 0);
    written.extend(first_new..first_new + CHANGES / 10);
    (written, gone)
}

/// The other side: a Python process with a table of its own that runs one MERGE a line.
struct Merge {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    rows: i64,
}

impl Merge {
    fn start(path: &Path, rows: i64) -> Result<Self> {
        let mut process = Command::new(readers::python())
            .arg(checkout::root().join("tests/bench/merge.py"))
            .arg(path)
            .args([rows.to_string(), FILL.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting tests/bench/merge.py")?;
        let input = process.stdin.take().context("its input")?;
        let output = BufReader::new(process.stdout.take().context("its output")?);
        let mut merge = Self { process, input, output, rows };
        ensure!(merge.line()? == "ready", "merge.py does not start");
        Ok(merge)
    }

    /// Seconds of one MERGE of the same changes.
    fn upsert(&mut self, seed: u64) -> Result<f64> {
        let (written, gone) = keys(seed, self.rows);
        let text =
            |keys: &[i64]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        writeln!(self.input, "{seed};{};{}", text(&written), text(&gone))?;
        self.line()?.parse().context("merge.py answers with seconds")
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Merge {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
