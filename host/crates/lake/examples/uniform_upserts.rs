//! Times 10,000 uniform changes into a table: `cargo run -p sluice-lake --example uniform_upserts --
//! FOLDER ROWS [ROUNDS [GAP]]`. Ids grow by a random number from 1 to GAP (default 1).
//!
//! cost = write 10,000 rows + one deletion vector a file + syncs, and read the key column of every file, or
//! look at a block of its key index for each key (the environment variable KEY_INDEX=1)

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a program whose output is the figures, and that may stop wherever it likes"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::BooleanBuffer;
use change::{
    Column, ColumnType, KeyProof, OutputSchema, PathTemplate, Position, TableName, TargetPath,
};
use lake::{ChangeCounts, Epoch, Lake, LakeOptions, SourceKeys, StoredSchema, TargetChanges};

const CHANGES: usize = 10_000;
const FILL_ROWS: usize = 250_000;

/// A sequence that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap_or(0) % below
    }
}

fn schema() -> Arc<StoredSchema> {
    let types = [
        ("id", ColumnType::Int64),
        ("customer", ColumnType::Int32),
        ("amount", ColumnType::Int64),
        ("price", ColumnType::Float64),
        ("status", ColumnType::Utf8),
        ("note", ColumnType::Utf8),
        ("created", ColumnType::TimestampMicrosLocal),
        ("updated", ColumnType::TimestampMicrosLocal),
    ];
    let columns = types.map(|(name, t)| Column::made(name, t, name != "id")).to_vec();
    let source = TableName::new("shop", "orders");
    let output = OutputSchema { source, columns, id_columns: vec![0], key_proof: KeyProof::Source };
    Arc::new(StoredSchema::of(&output).expect("a schema"))
}

fn rows(schema: &Arc<StoredSchema>, ids: &[i64], numbers: &mut Numbers) -> RecordBatch {
    let status = ["new", "paid", "shipped", "returned"];
    let mut number = |below: i64| -> i64 { numbers.next(below) };
    let micros = |n: i64| 1_700_000_000_000_000 + n * 1_000_003;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(ids.to_vec())),
        Arc::new(Int32Array::from_iter_values(
            ids.iter().map(|i| i32::try_from(i % 9973).expect("small")),
        )),
        Arc::new(Int64Array::from_iter_values(ids.iter().map(|_| number(1_000_000)))),
        Arc::new(Float64Array::from_iter_values(ids.iter().map(|i| *i as f64 * 0.37))),
        Arc::new(StringArray::from_iter_values(
            ids.iter().map(|i| status[usize::try_from(i % 4).expect("small")]),
        )),
        Arc::new(StringArray::from_iter_values(
            ids.iter().map(|i| format!("note {} of {i}", number(1000))),
        )),
        Arc::new(TimestampMicrosecondArray::from_iter_values(ids.iter().map(|i| micros(*i)))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(
            ids.iter().map(|_| micros(number(1_000_000))),
        )),
    ];
    RecordBatch::try_new(Arc::clone(schema.arrow()), columns).expect("a batch")
}

fn epoch(
    target: &TargetPath,
    schema: &Arc<StoredSchema>,
    number: u64,
    rows: RecordBatch,
    gone: &[i64],
    inserted: bool,
) -> Epoch {
    let keys: ArrayRef = Arc::new(Int64Array::from(gone.to_vec()));
    let changes = TargetChanges {
        target: target.clone(),
        schema: Arc::clone(schema),
        rows_inserted: BooleanBuffer::from_iter((0..rows.num_rows()).map(|_| inserted)),
        rows,
        gone: RecordBatch::try_new(schema.id_arrow(), vec![keys]).expect("a batch"),
        gone_inserted: BooleanBuffer::from_iter(gone.iter().map(|_| false)),
        gone_counts: None,
        counts: ChangeCounts::default(),
        sources: Arc::new(SourceKeys::default()),
        absent: std::collections::BTreeSet::default(),
        gaps: None,
    };
    let all_durable = Position::at("bin.000001", number * 100 - 100);
    let end = Position::at("bin.000001", number * 100);
    Epoch { number, all_durable, end, changes: vec![changes] }
}

fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = text.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks = |i: usize| fields[i].parse::<u64>().expect("a number");
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Notes what a reader must find.
fn note(model: &mut std::collections::HashMap<i64, i64>, rows: &RecordBatch, gone: &[i64]) {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    let ids = rows.column(0).as_primitive::<Int64Type>().values();
    let amounts = rows.column(2).as_primitive::<Int64Type>().values();
    model.extend(ids.iter().copied().zip(amounts.iter().copied()));
    for id in gone {
        model.remove(id);
    }
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let folder = args.next().expect("a folder");
    let rows_total: i64 = args.next().expect("a number of rows").parse().expect("a number");
    let rounds: usize = args.next().map_or(20, |r| r.parse().expect("a number"));
    let template = PathTemplate::parse(&format!("{folder}/{{db}}/{{table}}")).expect("a path");
    let target = TargetPath(format!("{folder}/shop/orders").into());
    let mut options = LakeOptions::new(template, "shop", "chain");
    // Files of one fill each, and nothing tidied up: what is timed is the commit alone.
    options.maintenance.compact_commits = 1_000_000;
    options.maintenance.checkpoint_commits = 1_000_000;
    let gap: i64 = args.next().map_or(1, |g| g.parse().expect("a number"));
    options.key_indexes = std::env::var_os("KEY_INDEX").map(|_| lake::KeyIndexes {
        folder: format!("{folder}/key-index").into(),
        memory_bytes_max: 64 << 20,
    });
    let schema = schema();
    let mut numbers = Numbers(42);
    let mut last = -1;
    let ids: Vec<i64> = (0..rows_total)
        .map(|_| {
            last += 1 + numbers.next(gap);
            last
        })
        .collect();
    let mut model: std::collections::HashMap<i64, i64> = std::collections::HashMap::new();
    let mut lake = Lake::open(options.clone()).await.expect("opened");
    let begun = Instant::now();
    let mut number = 0;
    // With SPREAD=1 every file spans all keys, as where these have no order in time.
    let spread = std::env::var_os("SPREAD").is_some();
    let files = ids.len().div_ceil(FILL_ROWS);
    let part = |file: usize| -> Vec<i64> {
        match spread {
            true => ids.iter().skip(file).step_by(files).copied().collect(),
            false => ids.iter().skip(file * FILL_ROWS).take(FILL_ROWS).copied().collect(),
        }
    };
    for ids in (0..files).map(part) {
        let ids = ids.as_slice();
        number += 1;
        let rows = rows(&schema, ids, &mut numbers);
        note(&mut model, &rows, &[]);
        lake.commit(epoch(&target, &schema, number, rows, &[], true)).await.expect("committed");
    }
    println!("filled {rows_total} rows in {:.1?}", begun.elapsed());
    let begun = Instant::now();
    let mut lake = {
        drop(lake);
        Lake::open(options).await.expect("opened")
    };
    println!("opened in {:.1?}", begun.elapsed());
    let (mut walls, cpu_begun) = (Vec::new(), cpu());
    for _ in 0..rounds {
        let mut touched: Vec<i64> = (0..CHANGES)
            .map(|_| ids[usize::try_from(numbers.next(rows_total)).expect("small")])
            .collect();
        touched.sort_unstable();
        touched.dedup();
        let (kept, gone): (Vec<i64>, Vec<i64>) = touched.iter().partition(|i| **i % 10 != 0);
        number += 1;
        let rows = rows(&schema, &kept, &mut numbers);
        note(&mut model, &rows, &gone);
        let epoch = epoch(&target, &schema, number, rows, &gone, false);
        let begun = Instant::now();
        lake.commit(epoch).await.expect("committed");
        walls.push(begun.elapsed());
    }
    let cpu = (cpu() - cpu_begun) / u32::try_from(rounds).expect("small");
    println!("walls {walls:.0?}");
    walls.sort_unstable();
    println!("median {:.1?}, cpu with making rows {cpu:.1?} a round", walls[walls.len() / 2]);
    println!(
        "{}",
        std::fs::read_to_string("/proc/self/status")
            .expect("Linux")
            .lines()
            .find(|l| l.starts_with("VmHWM"))
            .unwrap_or("")
    );
    let sums = model.iter().fold((0_i64, 0_i64), |(i, a), (id, amount)| (i + id, a + amount));
    println!(
        "a reader must find {} rows, ids {} and amounts {} in sum",
        model.len(),
        sums.0,
        sums.1
    );
}
