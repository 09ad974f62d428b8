//! The fold against a naive model: random logs, cut at random into batches and epochs, with crashes
//! between the commits of an epoch's targets, must leave what the final source rows give when each is
//! transformed by itself. Images may lack values, as with `binlog_row_image = MINIMAL`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{ArrayRef, DurationMicrosecondArray, Int64Array, StringArray, UInt64Array};
use arrow_buffer::BooleanBuffer;
use change::{
    Column, ColumnType, Gtid, GtidSet, ImageKind, Images, KeyProof, Mark, OutputSchema,
    PathTemplate, Position, Presence, Route, Routing, TableName, TableSchema, TargetPath,
    Transaction, Transformed,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Deletes, Fold, FoldOptions};
use crate::memory::MemoryTables;

/// A row of the source; its id is the key of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    group: u8,
    flag: u8,
    value: i64,
}

#[derive(Clone, Debug)]
enum Op {
    /// Inserts, or updates where the id exists.
    Put(u8, i64, Row),
    Delete(u8, i64),
    /// Gives a row another id; where that is taken, the two swap.
    Rename(u8, i64, i64),
    Reinsert(u8, i64, Row),
}

type Image = (i64, Row);

#[derive(Clone, Debug)]
struct Change {
    table: u8,
    before: Option<Image>,
    after: Option<Image>,
}

/// An image as the log tells it.
#[derive(Clone, Copy, Debug)]
struct Told {
    kind: ImageKind,
    image: Image,
    /// Of which transaction.
    number: usize,
    /// The columns that it leaves out.
    gaps: u8,
}

/// Bits of the columns that may be left out.
const VALUE: u8 = 1;
const AT: u8 = 2;

/// What the chain of a case does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Chain {
    /// One integer key, one source table.
    Integer,
    /// A text and a shard, two source tables, columns that are stored in another type.
    Composite,
}

#[derive(Clone, Debug)]
struct Case {
    chain: Chain,
    gtids: bool,
    /// All rows to one target instead of by group.
    whole: bool,
    log: Vec<Vec<Op>>,
    /// For each image, by turns, the columns that the log leaves out where it may: a bit each.
    gaps: Vec<u8>,
    batch_cuts: Vec<bool>,
    epoch_cuts: Vec<bool>,
    /// One for each attempt at an epoch: the targets (a bit each) that commit before the crash, and
    /// whether the log is read from its start then; none for no crash.
    crashes: Vec<Option<(u8, bool)>>,
}

fn rows() -> impl Strategy<Value = Row> {
    let value = prop_oneof![any::<i64>(), 0..2_i64];
    (0..3_u8, 0..4_u8, value).prop_map(|(group, flag, value)| Row { group, flag, value })
}

fn ops() -> impl Strategy<Value = Op> {
    let (table, id) = (0..2_u8, 0..6_i64);
    prop_oneof![
        5 => (table.clone(), id.clone(), rows()).prop_map(|(t, i, r)| Op::Put(t, i, r)),
        2 => (table.clone(), id.clone()).prop_map(|(t, i)| Op::Delete(t, i)),
        2 => (table.clone(), id.clone(), id.clone()).prop_map(|(t, a, b)| Op::Rename(t, a, b)),
        1 => (table, id, rows()).prop_map(|(t, i, r)| Op::Reinsert(t, i, r)),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let chain = prop_oneof![Just(Chain::Integer), Just(Chain::Composite)];
    let log = prop::collection::vec(prop::collection::vec(ops(), 1..7), 1..14);
    let cuts = || prop::collection::vec(any::<bool>(), 1..9);
    let crashes = prop::collection::vec(prop::option::of((any::<u8>(), any::<bool>())), 0..6);
    let gaps = prop::collection::vec(0..4_u8, 1..9);
    (chain, any::<bool>(), prop::bool::weighted(0.2), log, gaps, cuts(), cuts(), crashes).prop_map(
        |(chain, gtids, whole, log, gaps, batch_cuts, epoch_cuts, crashes)| Case {
            chain,
            gtids,
            whole,
            log,
            gaps,
            batch_cuts,
            epoch_cuts,
            crashes,
        },
    )
}

type Model = BTreeMap<(u8, i64), Row>;

/// Applies the operations to the source's tables, row by row, and tells what its log would hold.
fn play(case: &Case) -> (Vec<Vec<Change>>, Model) {
    let mut model = Model::new();
    let mut log = Vec::new();
    for ops in &case.log {
        let mut changes = Vec::new();
        for op in ops {
            let mut write = |table: u8, before: Option<i64>, after: Option<Image>| {
                let old = before.and_then(|id| model.remove(&(table, id)).map(|row| (id, row)));
                if let Some((id, row)) = after {
                    assert!(model.insert((table, id), row).is_none(), "the model's key is unique");
                }
                if old.is_some() || after.is_some() {
                    changes.push(Change { table, before: old, after });
                }
            };
            let table = |t: u8| if case.chain == Chain::Integer { 0 } else { t };
            match *op {
                Op::Put(t, id, row) => write(table(t), Some(id), Some((id, row))),
                Op::Delete(t, id) => write(table(t), Some(id), None),
                Op::Reinsert(t, id, row) => {
                    write(table(t), Some(id), None);
                    write(table(t), None, Some((id, row)));
                }
                Op::Rename(t, a, b) => {
                    let t = table(t);
                    let mut step = |from: i64, to: i64| {
                        if let Some(row) = model.remove(&(t, from)) {
                            model.insert((t, to), row);
                            let (before, after) = (Some((from, row)), Some((to, row)));
                            changes.push(Change { table: t, before, after });
                        }
                    };
                    if a != b {
                        step(a, -1);
                        step(b, a);
                        step(-1, b);
                    }
                }
            }
        }
        log.push(changes);
    }
    (log, model)
}

impl Case {
    /// What an after image may leave out: columns that the update did not change, where the target
    /// had the row before.
    fn unchanged(&self, before: Row, after: Row) -> u8 {
        let stays = self.kept(before) && self.target(before) == self.target(after);
        match stays {
            false => 0,
            true => {
                let value = if before.value == after.value { VALUE } else { 0 };
                value | if before.group == after.group { AT } else { 0 }
            }
        }
    }

    fn kept(&self, row: Row) -> bool {
        row.flag != 0
    }

    fn target(&self, row: Row) -> String {
        if self.whole { "/lake/all".into() } else { format!("/lake/group{}", row.group) }
    }

    fn route(&self, row: Row) -> Arc<Route> {
        let name = if self.whole { "all".into() } else { format!("group{}", row.group) };
        Arc::new(Route::of_table("any", &name))
    }

    fn schema(&self, table: u8) -> OutputSchema {
        let column = |name: &str, t| Column::made(name, t, true);
        let (columns, id_columns) = match self.chain {
            Chain::Integer => {
                (vec![column("value", ColumnType::Int64), column("id", ColumnType::Int64)], vec![1])
            }
            Chain::Composite => {
                let columns = vec![
                    column("shard", ColumnType::Utf8),
                    column("value", ColumnType::UInt64),
                    column("code", ColumnType::Utf8),
                    column("at", ColumnType::TimeMicros),
                ];
                (columns, vec![2, 0])
            }
        };
        let source = TableName::new(format!("shard{table}"), "t");
        OutputSchema { source, columns, id_columns, key_proof: KeyProof::Source }
    }

    /// The chain over a batch. Slots of images that are not kept hold NULL, id columns included.
    fn transform(&self, table: u8, images: &[Told]) -> Transformed {
        let kept: Vec<bool> = images.iter().map(|t| self.kept(t.image.1)).collect();
        let told = |bit: u8| images.iter().map(move |t| t.gaps & bit == 0);
        let each = || images.iter().zip(&kept).map(|(t, kept)| kept.then_some(t.image));
        let known = |bit| each().zip(told(bit)).map(|(image, told)| image.filter(|_| told));
        let columns: Vec<ArrayRef> = match self.chain {
            Chain::Integer => vec![
                Arc::new(known(VALUE).map(|i| i.map(|(_, row)| row.value)).collect::<Int64Array>()),
                Arc::new(each().map(|i| i.map(|(id, _)| id)).collect::<Int64Array>()),
            ],
            Chain::Composite => vec![
                Arc::new(each().map(|i| i.map(|_| format!("s{table}"))).collect::<StringArray>()),
                Arc::new(
                    known(VALUE)
                        .map(|i| i.map(|(_, r)| r.value.cast_unsigned()))
                        .collect::<UInt64Array>(),
                ),
                Arc::new(each().map(|i| i.map(|(id, _)| code(id))).collect::<StringArray>()),
                Arc::new(
                    known(AT)
                        .map(|i| i.map(|(_, r)| i64::from(r.group) * 3_600_000_000))
                        .collect::<DurationMicrosecondArray>(),
                ),
            ],
        };
        let routing = if self.whole {
            Routing::Whole(self.route(Row { group: 0, flag: 0, value: 0 }))
        } else {
            let routes = (0..3).map(|group| self.route(Row { group, flag: 0, value: 0 })).collect();
            let images = images.iter().map(|t| u32::from(t.image.1.group)).collect();
            Routing::PerImage { routes, images }
        };
        let schema = self.schema(table);
        let source = TableSchema {
            name: schema.source.clone(),
            columns: Vec::new(),
            primary_key: None,
            unique_keys: None,
            properties: Vec::new(),
        };
        Transformed {
            source: Arc::new(source),
            images: Arc::new(self.marked(images)),
            schema: Arc::new(schema),
            columns,
            presence: Presence::new(match self.chain {
                Chain::Integer => vec![Some(told(VALUE).collect()), None],
                Chain::Composite => {
                    vec![None, Some(told(VALUE).collect()), None, Some(told(AT).collect())]
                }
            }),
            keep: kept.contains(&false).then(|| BooleanBuffer::from(kept)),
            routing,
            rejected: Vec::new(),
        }
    }

    fn marked(&self, images: &[Told]) -> Images {
        let kinds = images.iter().map(|t| t.kind).collect();
        let mut marks: Vec<Mark> = Vec::new();
        for (at, Told { number, .. }) in images.iter().enumerate() {
            let images_end = u32::try_from(at + 1).expect("small");
            match marks.last_mut() {
                Some(mark)
                    if mark.transaction.commit_micros == i64::try_from(*number).expect("small") =>
                {
                    mark.images_end = images_end;
                }
                _ => marks.push(Mark {
                    images_end,
                    transaction: Arc::new(self.transaction(*number)),
                    event_offset: 4,
                    first_row: 0,
                }),
            }
        }
        Images::new(kinds, marks).expect("in order")
    }

    /// Four transactions a file.
    fn transaction(&self, number: usize) -> Transaction {
        let Position { file, offset, .. } = self.position(number);
        let sequence = number as u64 + 1;
        Transaction {
            file: file.into(),
            start: offset - 100,
            end: offset,
            gtid: self.gtids.then_some(Gtid::MariaDb { domain: 0, server: 1, sequence }),
            commit_micros: i64::try_from(number).expect("small"),
            server_id: 1,
        }
    }

    /// The end of a transaction.
    fn position(&self, number: usize) -> Position {
        let file = format!("bin.{:06}", 9 + number / 4);
        let mut position = Position::at(file, 100 * (number as u64 % 4 + 1) + 4);
        if self.gtids {
            let (domain, server, sequence) = (0, 1, number as u64 + 1);
            position.gtids = Some(GtidSet::of(&Gtid::MariaDb { domain, server, sequence }));
        }
        position
    }

    fn expected(&self, model: &Model) -> BTreeMap<String, Vec<Map<String, Value>>> {
        let mut tables: BTreeMap<String, BTreeMap<(String, i64, u8), Value>> = BTreeMap::new();
        for ((table, id), row) in model {
            if !self.kept(*row) {
                continue;
            }
            let (text, value) = match self.chain {
                Chain::Integer => {
                    (String::new(), json!({"value": exact(row.value.into()), "id": id}))
                }
                Chain::Composite => (
                    code(*id),
                    json!({
                        "shard": format!("s{table}"),
                        "value": exact(row.value.cast_unsigned().into()),
                        "code": code(*id),
                        "at": format!("{:02}:00:00.000000", row.group),
                    }),
                ),
            };
            tables.entry(self.target(*row)).or_default().insert((text, *id, *table), value);
        }
        let object = |v: Value| v.as_object().cloned().expect("an object");
        tables.into_iter().map(|(t, rows)| (t, rows.into_values().map(object).collect())).collect()
    }
}

fn code(id: i64) -> String {
    format!("k{id}")
}

fn exact(value: i128) -> Value {
    match i64::try_from(value) {
        Ok(small) if small.unsigned_abs() <= 1 << 53 => json!(small),
        _ => json!(value.to_string()),
    }
}

/// One life of the process after another, until the end of the log.
fn run(case: &Case, log: &[Vec<Change>]) -> Result<MemoryTables, TestCaseError> {
    let mut tables = MemoryTables::new();
    let mut covered: HashMap<TargetPath, Position> = HashMap::new();
    let mut sources = HashMap::new();
    let mut crashes = case.crashes.iter();
    let mut gaps = case.gaps.iter().cycle().copied();
    let mut batch_cuts = case.batch_cuts.iter().cycle().copied();
    let mut epoch_cuts = case.epoch_cuts.iter().cycle().copied();
    let mut at = 0;
    while at < log.len() {
        let mut fold = Fold::new(FoldOptions {
            path: PathTemplate::parse("/lake/{table}").expect("valid"),
            targets_max: 3,
            deletes: Deletes::Remove,
            covered: covered.clone(),
            sources: std::mem::take(&mut sources),
        });
        while at < log.len() {
            let end = (at + 1..log.len()).find(|_| epoch_cuts.next() == Some(true));
            let end = end.unwrap_or(log.len());
            let epoch = log.iter().enumerate().take(end).skip(at);
            for batch in batches(case, epoch, &mut batch_cuts, &mut gaps) {
                fold.push(&batch).map_err(|e| TestCaseError::fail(e.to_string()))?;
            }
            let changes = fold.take().map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert!(fold.is_empty() && fold.memory_bytes() == 0);
            let crash = crashes.next().copied().flatten();
            for (number, one) in changes.iter().enumerate() {
                if crash.is_none_or(|(commits, _)| commits >> number & 1 == 1) {
                    tables
                        .apply(std::slice::from_ref(one))
                        .map_err(|e| TestCaseError::fail(e.to_string()))?;
                    covered.insert(one.target.clone(), case.position(end - 1));
                    sources.insert(one.target.clone(), Arc::clone(&one.sources));
                }
            }
            match crash {
                None => at = end,
                Some((_, from_start)) => {
                    at = if from_start { 0 } else { at };
                    break;
                }
            }
        }
    }
    Ok(tables)
}

/// The images of some transactions as batches: each table's in log order, cut where the cuts say.
fn batches<'a>(
    case: &Case,
    log: impl Iterator<Item = (usize, &'a Vec<Change>)>,
    cuts: &mut impl Iterator<Item = bool>,
    gaps: &mut impl Iterator<Item = u8>,
) -> Vec<Transformed> {
    let mut open: [Vec<Told>; 2] = Default::default();
    let mut done = Vec::new();
    for (number, changes) in log {
        for change in changes {
            let table = change.table;
            let images = &mut open[usize::from(table)];
            let mut tell = |kind, image, may: u8| {
                let gaps = gaps.next().unwrap_or(0) & may;
                images.push(Told { kind, image, number, gaps });
            };
            match (change.before, change.after) {
                (Some(before), Some(after)) => {
                    tell(ImageKind::Before, before, VALUE | AT);
                    tell(ImageKind::After, after, case.unchanged(before.1, after.1));
                }
                (None, Some(row)) => tell(ImageKind::Insert, row, 0),
                (Some(row), None) => tell(ImageKind::Delete, row, VALUE | AT),
                (None, None) => {}
            }
            if cuts.next() == Some(true) {
                done.push(case.transform(table, &std::mem::take(images)));
            }
        }
    }
    for (table, images) in (0..).zip(open) {
        if !images.is_empty() {
            done.push(case.transform(table, &images));
        }
    }
    done
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cuts_and_crashes_leave_exactly_the_transformed_source_rows(case in cases()) {
        let (log, model) = play(&case);
        let tables = run(&case, &log)?;
        let expected = case.expected(&model);
        let found: BTreeMap<String, Vec<Map<String, Value>>> = tables
            .iter()
            .filter(|(_, table)| !table.is_empty())
            .map(|(target, table)| (target.to_string(), table.rows().collect()))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
