//! For tests: changes from plain values, and the rows of a table through two readers that share no
//! code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arrow_array::builder::{BinaryBuilder, Int32Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow_buffer::BooleanBuffer;
use arrow_row::{RowConverter, SortField};
use arrow_select::take::take_record_batch;
use change::{
    Column, ColumnType, KeyProof, OutputSchema, PathTemplate, Position, TableName, TargetPath,
};
use delta_kernel::engine::arrow_data::ArrowEngineData;

pub(crate) mod whole_rows;

use crate::changes::{ChangeCounts, TargetChanges};
use crate::lake::{Clock, Epoch, Lake, LakeOptions, Maintenance, Pace};
use crate::sources::SourceKeys;
use crate::storage::{Home, StoreOptions};
use crate::stored::StoredSchema;
use crate::table::locate::{self, Caches};
use crate::table::read;
use crate::table::state::State;

/// The id columns of a test table; every one holds a whole number in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Int64,
    Int32,
    Text,
    /// Texts of which the first bytes say nothing.
    LongText,
    /// Texts that are longer than a bound in a footer.
    HugeText,
    Binary,
    Decimal,
    Timestamp,
    Date,
    /// A text with few values, then a number.
    Composite,
}

pub(crate) const KEY_KINDS: [KeyKind; 10] = [
    KeyKind::Int64,
    KeyKind::Int32,
    KeyKind::Text,
    KeyKind::LongText,
    KeyKind::HugeText,
    KeyKind::Binary,
    KeyKind::Decimal,
    KeyKind::Timestamp,
    KeyKind::Date,
    KeyKind::Composite,
];

impl KeyKind {
    pub(crate) fn columns(self) -> Vec<Column> {
        let types = match self {
            Self::Int64 => vec![ColumnType::Int64],
            Self::Int32 => vec![ColumnType::Int32],
            Self::Text | Self::LongText | Self::HugeText => vec![ColumnType::Utf8],
            Self::Binary => vec![ColumnType::Binary],
            Self::Decimal => vec![ColumnType::Decimal { precision: 30, scale: 4 }],
            Self::Timestamp => vec![ColumnType::TimestampMicrosLocal],
            Self::Date => vec![ColumnType::Date],
            Self::Composite => vec![ColumnType::Utf8, ColumnType::Int32],
        };
        let named = types.into_iter().enumerate();
        named.map(|(i, t)| Column::made(format!("id{i}"), t, false)).collect()
    }

    pub(crate) fn arrays(self, keys: &[i32]) -> Vec<ArrayRef> {
        let text = |f: &dyn Fn(i32) -> String| -> ArrayRef {
            Arc::new(keys.iter().map(|k| Some(f(*k))).collect::<StringArray>())
        };
        match self {
            Self::Int64 => {
                vec![Arc::new(Int64Array::from_iter_values(
                    keys.iter().map(|k| i64::from(*k) * 10_000_000_000),
                ))]
            }
            Self::Int32 => vec![Arc::new(Int32Array::from(keys.to_vec()))],
            Self::Text => vec![text(&|k| format!("{k}"))],
            Self::LongText => vec![text(&|k| format!("{}{k}", "x".repeat(100)))],
            Self::HugeText => vec![text(&|k| format!("{}{k}", "x".repeat(4000)))],
            Self::Binary => {
                let mut builder = BinaryBuilder::new();
                keys.iter().for_each(|k| builder.append_value(k.to_be_bytes()));
                vec![Arc::new(builder.finish())]
            }
            Self::Decimal => {
                let values = keys.iter().map(|k| i128::from(*k) * 10_i128.pow(20));
                let array = Decimal128Array::from_iter_values(values);
                vec![Arc::new(array.with_precision_and_scale(30, 4).expect("fits"))]
            }
            Self::Timestamp => {
                let values = keys.iter().map(|k| 1_700_000_000_000_000 + i64::from(*k));
                vec![Arc::new(TimestampMicrosecondArray::from_iter_values(values))]
            }
            Self::Date => vec![Arc::new(Date32Array::from(keys.to_vec()))],
            Self::Composite => {
                let numbers = keys.iter().map(|k| k.div_euclid(3));
                vec![
                    text(&|k| format!("shard-{}", k.rem_euclid(3))),
                    Arc::new(Int32Array::from_iter_values(numbers)),
                ]
            }
        }
    }
}

/// The schema of a test table: the key, the key as a plain number, a value and a text.
pub(crate) fn schema(kind: KeyKind, extra: &[&str]) -> Arc<StoredSchema> {
    let mut columns = kind.columns();
    let id_columns = (0..columns.len()).collect();
    columns.push(Column::made("n", ColumnType::Int32, false));
    columns.push(Column::made("v", ColumnType::Int32, true));
    columns.push(Column::made("text", ColumnType::Utf8, true));
    for name in extra {
        columns.push(Column::made(*name, ColumnType::TimestampMicrosLocal, true));
    }
    let output = OutputSchema {
        source: TableName::new("shop", "orders"),
        columns,
        id_columns,
        key_proof: KeyProof::Source,
    };
    Arc::new(StoredSchema::of(&output).expect("a schema"))
}

/// One key's net change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    /// The new value; none: the row is gone.
    pub(crate) value: Option<i32>,
    /// Whether the key's first change was an INSERT.
    pub(crate) inserted: bool,
}

pub(crate) fn put(value: i32) -> Net {
    Net { value: Some(value), inserted: false }
}

pub(crate) fn insert(value: i32) -> Net {
    Net { value: Some(value), inserted: true }
}

pub(crate) fn delete() -> Net {
    Net { value: None, inserted: false }
}

/// The changes of some keys.
pub(crate) fn changes(
    target: &TargetPath,
    schema: &Arc<StoredSchema>,
    kind: KeyKind,
    net: &BTreeMap<i32, Net>,
) -> TargetChanges {
    let split = |alive: bool| -> Vec<(i32, Net)> {
        net.iter().filter(|(_, n)| n.value.is_some() == alive).map(|(k, n)| (*k, *n)).collect()
    };
    let (rows, rows_inserted) = sorted(kind, &split(true), |keys, nets| {
        let mut columns = kind.arrays(keys);
        columns.push(Arc::new(Int32Array::from(keys.to_vec())));
        let mut values = Int32Builder::new();
        let mut texts = StringBuilder::new();
        for net in nets {
            values.append_option(net.value);
            let text = net.value.filter(|v| v % 3 != 0).map(|v| format!("text {v}"));
            texts.append_option(text);
        }
        columns.push(Arc::new(values.finish()));
        columns.push(Arc::new(texts.finish()));
        for field in schema.arrow().fields().iter().skip(columns.len()) {
            assert_eq!(field.data_type(), &ColumnType::TimestampMicrosLocal.arrow());
            let values = nets.iter().map(|n| n.value.map(i64::from));
            columns.push(Arc::new(values.collect::<TimestampMicrosecondArray>()));
        }
        RecordBatch::try_new(Arc::clone(schema.arrow()), columns).expect("a batch")
    });
    let (gone, gone_inserted) = sorted(kind, &split(false), |keys, _| {
        RecordBatch::try_new(schema.id_arrow(), kind.arrays(keys)).expect("a batch")
    });
    TargetChanges {
        target: target.clone(),
        schema: Arc::clone(schema),
        rows,
        rows_inserted,
        gone,
        gone_inserted,
        gone_counts: None,
        counts: ChangeCounts::default(),
        sources: Arc::new(SourceKeys::of(schema)),
        absent: BTreeSet::default(),
        gaps: None,
    }
}

/// Makes a batch and sorts it by key.
fn sorted(
    kind: KeyKind,
    nets: &[(i32, Net)],
    make: impl Fn(&[i32], &[Net]) -> RecordBatch,
) -> (RecordBatch, BooleanBuffer) {
    let keys: Vec<i32> = nets.iter().map(|(k, _)| *k).collect();
    let values: Vec<Net> = nets.iter().map(|(_, n)| *n).collect();
    let columns = kind.arrays(&keys);
    let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
    let converter = RowConverter::new(fields).expect("a converter");
    let rows = converter.convert_columns(&columns).expect("rows");
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|i| rows.row(*i));
    let batch = make(&keys, &values);
    let take: UInt32Array = order.iter().map(|i| u32::try_from(*i).expect("small")).collect();
    let flags = BooleanBuffer::from_iter(order.iter().map(|i| values[*i].inserted));
    (take_record_batch(&batch, &take).expect("taken"), flags)
}

/// Options with thresholds that a handful of rows trips.
pub(crate) fn options(root: &Path) -> LakeOptions {
    let path = format!("{}/{{db}}/{{table}}", root.to_str().expect("UTF-8"));
    let path = PathTemplate::parse(&path).expect("a template");
    let mut options = LakeOptions::new(path, "shop", "chain-1");
    options.maintenance = Maintenance {
        pace: Pace::Wait,
        file_bytes: 64 << 20,
        compact_commits: 1_000_000,
        checkpoint_commits: 1_000_000,
        ..Maintenance::default()
    };
    options.clock = Clock::new(|| UNIX_EPOCH + Duration::from_secs(1_750_000_000));
    options
}

pub(crate) fn target(root: &Path, table: &str) -> TargetPath {
    TargetPath(format!("{}/shop/{table}", root.to_str().expect("UTF-8")).into())
}

pub(crate) fn at(offset: u64) -> Position {
    Position::at("bin.000001", offset)
}

/// An epoch of some changes that ends at an offset.
pub(crate) fn epoch(number: u64, mut changes: Vec<TargetChanges>) -> Epoch {
    changes.sort_by(|a, b| a.target.cmp(&b.target));
    let (all_durable, end) = (at((number - 1) * 100), at(number * 100));
    Epoch { number, all_durable, end, changes }
}

/// A table of ints with one epoch after the other.
pub(crate) struct Simple {
    pub(crate) root: tempfile::TempDir,
    pub(crate) lake: Lake,
    pub(crate) target: TargetPath,
    pub(crate) number: u64,
}

impl Simple {
    pub(crate) async fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(options(root.path())).await.expect("opened");
        let target = target(root.path(), "orders");
        Self { root, lake, target, number: 0 }
    }

    pub(crate) fn changes(&self, net: &[(i32, Net)]) -> TargetChanges {
        let net = net.iter().copied().collect();
        changes(&self.target, &schema(KeyKind::Int64, &[]), KeyKind::Int64, &net)
    }

    pub(crate) async fn commit(&mut self, net: &[(i32, Net)]) -> Result<(), crate::LakeError> {
        self.number += 1;
        let epoch = epoch(self.number, vec![self.changes(net)]);
        let end = epoch.end.clone();
        assert_eq!(self.lake.commit(epoch).await?.position(), &end);
        Ok(())
    }

    pub(crate) async fn reopen(&mut self) -> Result<(), crate::LakeError> {
        self.lake = Lake::open(options(self.root.path())).await?;
        Ok(())
    }

    pub(crate) async fn rows(&self) -> Vec<(i32, i32)> {
        rows(&self.target).await.into_iter().collect()
    }

    pub(crate) fn folder(&self) -> std::path::PathBuf {
        Path::new(&*self.target.0).to_owned()
    }
}

/// Number and value of every row, by both readers; a row that is there twice fails.
pub(crate) async fn rows(target: &TargetPath) -> BTreeMap<i32, i32> {
    let own = by_both(target, pairs).await;
    let count = own.len();
    let map: BTreeMap<i32, i32> = own.into_iter().collect();
    assert_eq!(map.len(), count, "a key is there twice");
    map
}

/// The rows of a table as `take` reads them off its batches, sorted, by both readers.
pub(crate) async fn by_both<T: Ord + std::fmt::Debug + Send + 'static>(
    target: &TargetPath,
    take: fn(&RecordBatch, &mut Vec<T>),
) -> Vec<T> {
    let own = own_reader(target, take).await;
    assert_eq!(own, kernel_reader(target, None, take), "the two readers differ");
    own
}

/// Number and value of every row of an older version, by the Delta kernel.
pub(crate) fn rows_at(target: &TargetPath, version: u64) -> BTreeMap<i32, i32> {
    kernel_reader(target, Some(version), pairs).into_iter().collect()
}

fn pairs(batch: &RecordBatch, out: &mut Vec<(i32, i32)>) {
    let column = |name: &str| {
        let column = batch.column_by_name(name).expect("a column").clone();
        column.as_primitive::<Int32Type>().clone()
    };
    let (keys, values) = (column("n"), column("v"));
    let texts = batch.column_by_name("text").expect("a column");
    let texts = texts.as_string::<i32>();
    for row in 0..batch.num_rows() {
        let value = values.value(row);
        let text = (value % 3 != 0).then(|| format!("text {value}"));
        assert_eq!(texts.is_valid(row).then(|| texts.value(row).to_owned()), text);
        out.push((keys.value(row), value));
    }
}

async fn own_reader<T: Ord>(target: &TargetPath, take: fn(&RecordBatch, &mut Vec<T>)) -> Vec<T> {
    let home = Home::new(target.clone(), &StoreOptions::default()).expect("a place");
    let state = State::load(&home, None).await.expect("read").expect("a table");
    let caches = Caches::default();
    let mut found = Vec::new();
    for file in state.files.iter() {
        let dead = locate::dead_rows(&home, &caches, file).await.expect("read");
        let footer = read::footer(&home, &caches.footers, file.name(), file.size()).await;
        let footer = footer.expect("read");
        let groups = (0..footer.metadata().num_row_groups()).collect();
        let stream = read::row_groups(&home, file.name(), &footer, &state.arrow, groups);
        let mut stream = stream.expect("read");
        let mut start = 0_u64;
        while let Some(reader) = stream.next_row_group().await.expect("read") {
            for batch in reader {
                let batch = read::align(&batch.expect("read"), &state.arrow).expect("aligned");
                let mut all = Vec::new();
                take(&batch, &mut all);
                let rows = all.len() as u64;
                let live = (start..).zip(all).filter(|(row, _)| !dead.contains(*row));
                found.extend(live.map(|(_, line)| line));
                start += rows;
            }
        }
        assert_eq!(Some(start), file.rows(), "the statistics count the rows");
    }
    found.sort_unstable();
    found
}

/// The reader of the Delta kernel.
fn kernel_reader<T: Ord + Send + 'static>(
    target: &TargetPath,
    version: Option<u64>,
    take: fn(&RecordBatch, &mut Vec<T>),
) -> Vec<T> {
    let home = Home::new(target.clone(), &StoreOptions::default()).expect("a place");
    let engine = home.log().engine(None);
    let url = home.url().clone();
    let work = std::thread::spawn(move || {
        let builder = delta_kernel::Snapshot::builder_for(url);
        let builder = match version {
            Some(version) => builder.at_version(version),
            None => builder,
        };
        let snapshot = builder.build(engine.as_ref());
        let scan = snapshot.expect("read").scan_builder().build().expect("a scan");
        let mut found = Vec::new();
        for data in scan.execute(engine).expect("read") {
            let data = ArrowEngineData::try_from_engine_data(data.expect("read")).expect("Arrow");
            take(data.record_batch(), &mut found);
        }
        found.sort_unstable();
        found
    });
    work.join().expect("ended")
}

/// The rows of any table as JSON lines, sorted, by both readers.
pub(crate) async fn lines(target: &TargetPath) -> String {
    let home = Home::new(target.clone(), &StoreOptions::default()).expect("a place");
    let state = State::load(&home, None).await.expect("read").expect("a table");
    let caches = Caches::default();
    let mut own = Vec::new();
    for file in state.files.iter() {
        let dead = locate::dead_rows(&home, &caches, file).await.expect("read");
        let footer = read::footer(&home, &caches.footers, file.name(), file.size()).await;
        let footer = footer.expect("read");
        let groups = (0..footer.metadata().num_row_groups()).collect();
        let stream = read::row_groups(&home, file.name(), &footer, &state.arrow, groups);
        let batches: Vec<_> =
            futures::TryStreamExt::try_collect(stream.expect("read")).await.expect("read");
        let mut start = 0;
        for batch in batches {
            let batch = read::align(&batch, &state.arrow).expect("aligned");
            own.extend((start..).zip(texts(&batch)).filter(|(r, _)| !dead.contains(*r)));
            start += batch.num_rows() as u64;
        }
    }
    let mut own: Vec<String> = own.into_iter().map(|(_, text)| text).collect();
    own.sort();
    let engine = home.log().engine(None);
    let url = home.url().clone();
    let work = std::thread::spawn(move || {
        let snapshot = delta_kernel::Snapshot::builder_for(url).build(engine.as_ref());
        let scan = snapshot.expect("read").scan_builder().build().expect("a scan");
        let mut found = Vec::new();
        for data in scan.execute(engine).expect("read") {
            let data = ArrowEngineData::try_from_engine_data(data.expect("read")).expect("Arrow");
            found.extend(texts(data.record_batch()));
        }
        found.sort();
        found
    });
    assert_eq!(own, work.join().expect("ended"), "the two readers differ");
    own.join("\n")
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    let row = |row: usize| {
        let value = |c: usize| crate::stored::text::value(batch.column(c), row, false);
        let named = (0..batch.num_columns())
            .map(|c| (schema.field(c).name().clone(), value(c).expect("a stored type")));
        serde_json::Value::Object(named.collect()).to_string()
    };
    (0..batch.num_rows()).map(row).collect()
}
