//! How many row images a second one thread folds: `cargo run -p sluice-lake --example fold_speed`.
//!
//! Cost model: `epoch = images * image + keys * (sort + copy of the row)`. An image costs one look-up
//! in the key index; sorting and copying happen once a key, when the epoch ends. Batches are made
//! beforehand, so that only `push` and `take` are timed; a figure is the median of five rounds.

#![expect(clippy::print_stdout, reason = "a program whose output is the figures")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray, UInt64Array};
use change::{
    Column, ColumnType, ImageKind, Images, KeyProof, Mark, OutputSchema, PathTemplate, Presence,
    Route, Routing, TableName, TableSchema, Transaction, Transformed,
};
use lake::{Deletes, Fold, FoldOptions};

/// Images of an epoch.
const IMAGES: usize = 1 << 20;
/// Images of a batch.
const BATCH_IMAGES: usize = 8_192;
const ROUNDS: usize = 5;

/// The key of the target.
#[derive(Clone, Copy)]
enum Key {
    /// BIGINT.
    Integer,
    /// BIGINT UNSIGNED.
    Unsigned,
    /// A text and a BIGINT.
    Composite,
}

/// What the log holds.
#[derive(Clone, Copy)]
enum Load {
    /// New keys, ascending.
    Inserts,
    /// New keys in no order.
    Scattered,
    /// As many updates of recent rows as inserts: two images in three are of an update.
    Mixed,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{:<28} {:>14} {:>14} {:>12} {:>12}",
        "", "push images/s", "all images/s", "keys", "bytes/image"
    );
    for (name, key, load) in [
        ("int64, ascending inserts", Key::Integer, Load::Inserts),
        ("int64, scattered inserts", Key::Integer, Load::Scattered),
        ("int64, half updates", Key::Integer, Load::Mixed),
        ("uint64, ascending inserts", Key::Unsigned, Load::Inserts),
        ("uint64, half updates", Key::Unsigned, Load::Mixed),
        ("text and int64, inserts", Key::Composite, Load::Inserts),
        ("text and int64, half updates", Key::Composite, Load::Mixed),
    ] {
        let batches = batches(key, load)?;
        let mut rounds = (0..ROUNDS).map(|_| round(&batches)).collect::<Result<Vec<_>, _>>()?;
        rounds.sort_unstable_by_key(|r| r.push + r.take);
        let Some(middle) = rounds.get(ROUNDS / 2) else { continue };
        let images: usize = batches.iter().map(|b| b.images.len()).sum();
        println!(
            "{name:<28} {:>14} {:>14} {:>12} {:>12}",
            rate(images, middle.push),
            rate(images, middle.push + middle.take),
            middle.keys,
            middle.bytes / images,
        );
    }
    Ok(())
}

struct Round {
    push: Duration,
    take: Duration,
    keys: usize,
    bytes: usize,
}

fn round(batches: &[Transformed]) -> Result<Round, Box<dyn Error>> {
    let mut fold = Fold::new(FoldOptions {
        path: PathTemplate::parse("/lake/{db}/{table}")?,
        targets_max: 10,
        deletes: Deletes::Remove,
        covered: HashMap::new(),
        sources: HashMap::new(),
    });
    let start = Instant::now();
    for batch in batches {
        fold.push(batch)?;
    }
    let push = start.elapsed();
    let bytes = fold.memory_bytes();
    let start = Instant::now();
    let changes = fold.take()?;
    let take = start.elapsed();
    let keys = changes.iter().map(|c| c.rows.num_rows() + c.gone.num_rows()).sum();
    Ok(Round { push, take, keys, bytes })
}

fn rate(images: usize, time: Duration) -> u128 {
    (images as u128 * 1_000_000).checked_div(time.as_micros()).unwrap_or(0)
}

/// A row change: its images.
fn changes(load: Load) -> Vec<(ImageKind, u64)> {
    let mut images = Vec::with_capacity(IMAGES);
    let mut next = 0_u64;
    while images.len() < IMAGES {
        // An odd factor visits every number below 2^20 once.
        let id = if matches!(load, Load::Scattered) { next * 387_143 % (1 << 20) } else { next };
        images.push((ImageKind::Insert, id));
        if matches!(load, Load::Mixed) {
            let old = next - next * 7 % (next.min(50_000) + 1);
            images.extend([(ImageKind::Before, old), (ImageKind::After, old)]);
        }
        next += 1;
    }
    images
}

fn batches(key: Key, load: Load) -> Result<Vec<Transformed>, Box<dyn Error>> {
    let mut schema = OutputSchema {
        source: TableName::new("shop", "orders"),
        columns: ["shard", "note", "state", "total", "made", "changed", "comment"]
            .into_iter()
            .zip([
                ColumnType::Utf8,
                ColumnType::Utf8,
                ColumnType::Int32,
                ColumnType::Int64,
                ColumnType::Int64,
                ColumnType::Int64,
                ColumnType::Utf8,
            ])
            .map(|(n, t)| Column::made(n, t, true))
            .collect(),
        id_columns: vec![7],
        key_proof: KeyProof::Source,
    };
    let id_type = if matches!(key, Key::Unsigned) { ColumnType::UInt64 } else { ColumnType::Int64 };
    schema.columns.push(Column::made("id", id_type, false));
    if matches!(key, Key::Composite) {
        schema.id_columns.insert(0, 0);
    }
    let schema = Arc::new(schema);
    let images = changes(load);
    // A pair of images is never torn.
    let pieces = images.chunks(BATCH_IMAGES / 3 * 3);
    pieces.enumerate().map(|(number, piece)| batch(&schema, number, piece)).collect()
}

fn batch(
    schema: &Arc<OutputSchema>,
    number: usize,
    images: &[(ImageKind, u64)],
) -> Result<Transformed, Box<dyn Error>> {
    let ids = || images.iter().map(|(_, id)| *id);
    let signed = || ids().map(u64::cast_signed);
    let text = |width: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(ids().map(|id| format!("{id:0width$}"))))
    };
    let integers = || -> ArrayRef { Arc::new(Int64Array::from_iter_values(signed())) };
    let id: ArrayRef = match schema.columns.last().map(|c| c.column_type) {
        Some(ColumnType::UInt64) => Arc::new(UInt64Array::from_iter_values(ids())),
        _ => integers(),
    };
    let shard = StringArray::from_iter_values(images.iter().map(|_| "shard-07"));
    let state = Int32Array::from_iter_values(ids().map(|id| i32::from(id % 7 == 0)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(shard),
        text(12),
        Arc::new(state),
        integers(),
        integers(),
        integers(),
        text(40),
        id,
    ];
    // A transaction of ten images, the usual order of magnitude.
    let mut marks = Vec::new();
    let mut end = 0;
    while end < images.len() {
        end = (end + 10).min(images.len());
        let offset = (number * BATCH_IMAGES + end) as u64;
        let transaction = Transaction {
            file: "bin.000001".into(),
            start: offset,
            end: offset + 1,
            gtid: None,
            commit_micros: 0,
            server_id: 1,
        };
        marks.push(Mark {
            images_end: u32::try_from(end)?,
            transaction: Arc::new(transaction),
            event_offset: offset,
            first_row: 0,
        });
    }
    let source = TableSchema {
        name: schema.source.clone(),
        columns: Vec::new(),
        primary_key: None,
        unique_keys: None,
        properties: Vec::new(),
    };
    Ok(Transformed {
        source: Arc::new(source),
        images: Arc::new(Images::new(images.iter().map(|(k, _)| *k).collect(), marks)?),
        schema: Arc::clone(schema),
        columns,
        presence: Presence::default(),
        keep: None,
        routing: Routing::Whole(Arc::new(Route::of_table("shop", "orders"))),
        rejected: Vec::new(),
    })
}
