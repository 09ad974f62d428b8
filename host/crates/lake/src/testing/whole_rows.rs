//! Tables without a key for tests: two source tables that share a target, against a plain list of
//! rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use change::{
    Column, ColumnType, ImageKind, Images, KeyProof, Mark, OutputSchema, PathTemplate, Presence,
    Route, Routing, TableName, TableSchema, TargetPath, Transaction, Transformed,
};
use proptest::prelude::*;

use crate::fold::{Deletes, Fold, FoldOptions};
use crate::sources::SourceKeys;

/// A row; a float as its bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) n: Option<i32>,
    pub(crate) f: Option<u64>,
    pub(crate) s: Option<&'static str>,
    /// Of a column that the source gains and later drops.
    pub(crate) x: Option<i32>,
}

/// Which columns the source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `n` alone.
    Number,
    /// `n`, `f`, `s`.
    Wide,
    /// As `Wide`, with `x` in front.
    Wider,
}

impl Form {
    /// What the source keeps of a row.
    pub(crate) fn of(self, row: &Row) -> Row {
        match self {
            Self::Number => Row { n: row.n, ..Row::default() },
            Self::Wide => Row { x: None, ..row.clone() },
            Self::Wider => row.clone(),
        }
    }

    fn columns(self) -> Vec<Column> {
        let column = |name: &str, t| Column::made(name, t, true);
        let n = column("n", ColumnType::Int32);
        let rest = [column("f", ColumnType::Float64), column("s", ColumnType::Utf8)];
        match self {
            Self::Number => vec![n],
            Self::Wide => [vec![n], rest.to_vec()].concat(),
            Self::Wider => [vec![column("x", ColumnType::Int32), n], rest.to_vec()].concat(),
        }
    }

    fn arrays(self, rows: &[&Row]) -> Vec<ArrayRef> {
        let n: ArrayRef = Arc::new(rows.iter().map(|r| r.n).collect::<Int32Array>());
        let x: ArrayRef = Arc::new(rows.iter().map(|r| r.x).collect::<Int32Array>());
        let f = rows.iter().map(|r| r.f.map(f64::from_bits)).collect::<Float64Array>();
        let s = rows.iter().map(|r| r.s).collect::<StringArray>();
        let rest: [ArrayRef; 2] = [Arc::new(f), Arc::new(s)];
        match self {
            Self::Number => vec![n],
            Self::Wide => [vec![n], rest.to_vec()].concat(),
            Self::Wider => [vec![x, n], rest.to_vec()].concat(),
        }
    }
}

/// Reads the rows of a batch; columns that it lacks are NULL.
pub(crate) fn read(batch: &RecordBatch, out: &mut Vec<Row>) {
    let int = |name: &str, row: usize| {
        let column = batch.column_by_name(name)?.as_primitive::<Int32Type>().clone();
        column.is_valid(row).then(|| column.value(row))
    };
    for row in 0..batch.num_rows() {
        let float = batch.column_by_name("f").map(|c| c.as_primitive::<Float64Type>());
        let text = batch.column_by_name("s").map(|c| c.as_string::<i32>());
        out.push(Row {
            n: int("n", row),
            f: float.filter(|c| c.is_valid(row)).map(|c| c.value(row).to_bits()),
            s: text.filter(|c| c.is_valid(row)).map(|c| match c.value(row) {
                "a" => "a",
                "" => "",
                other => panic!("{other} was never written"),
            }),
            x: int("x", row),
        });
    }
}

/// The images of some changes of a table, in log order, all to the target `orders`.
pub(crate) fn batch(table: usize, form: Form, images: &[(ImageKind, Row)]) -> Transformed {
    let transaction = Transaction {
        file: "bin.000001".into(),
        start: 100,
        end: 900,
        gtid: None,
        commit_micros: 0,
        server_id: 1,
    };
    let mark = Mark {
        images_end: u32::try_from(images.len()).expect("small"),
        transaction: Arc::new(transaction),
        event_offset: 200,
        first_row: 0,
    };
    let source = TableSchema {
        name: TableName::new("shop", format!("orders{table}")),
        columns: Vec::new(),
        primary_key: Some(Vec::new()),
        unique_keys: Some(Vec::new()),
        properties: Vec::new(),
    };
    let schema = OutputSchema {
        source: source.name.clone(),
        columns: form.columns(),
        id_columns: (0..form.columns().len()).collect(),
        key_proof: KeyProof::WholeRow,
    };
    let kinds = images.iter().map(|(kind, _)| *kind).collect();
    let rows: Vec<&Row> = images.iter().map(|(_, row)| row).collect();
    Transformed {
        source: Arc::new(source),
        images: Arc::new(Images::new(kinds, vec![mark]).expect("in order")),
        schema: Arc::new(schema),
        columns: form.arrays(&rows),
        presence: Presence::default(),
        keep: None,
        routing: Routing::Whole(Arc::new(Route::of_table("shop", "orders"))),
        rejected: Vec::new(),
    }
}

/// A fold that goes on where the target stands.
pub(crate) fn fold(path: PathTemplate, target: &TargetPath, sources: Option<SourceKeys>) -> Fold {
    let sources = sources.map(|known| (target.clone(), Arc::new(known)));
    Fold::new(FoldOptions {
        path,
        targets_max: 4,
        deletes: Deletes::Remove,
        covered: HashMap::new(),
        sources: sources.into_iter().collect(),
    })
}

/// A change of one of the two source tables; a row is chosen among those that it has.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Insert(usize, Row),
    Delete(usize, usize),
    Update(usize, usize, Row),
}

/// An epoch: changes, and behind which of them a batch ends.
#[derive(Clone, Debug)]
pub(crate) struct ModelEpoch {
    pub(crate) ops: Vec<(Op, bool)>,
}

/// A life of the two tables.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) number_only: bool,
    /// The epochs in which the column `x` is there.
    pub(crate) x: std::ops::Range<usize>,
    pub(crate) epochs: Vec<ModelEpoch>,
}

fn row() -> impl Strategy<Value = Row> {
    let n = prop_oneof![Just(None), (0..2_i32).prop_map(Some)];
    // Both zeros, two NaNs of different bits, and a number.
    let bits = [0, 1 << 63, 0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0001, 1.5_f64.to_bits()];
    let f = proptest::option::weighted(0.8, proptest::sample::select(bits.to_vec()));
    let s = proptest::sample::select(vec![None, Some("a"), Some("")]);
    let x = proptest::option::of(7..9_i32);
    (n, f, s, x).prop_map(|(n, f, s, x)| Row { n, f, s, x })
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let op = prop_oneof![
        5 => (0..2_usize, row()).prop_map(|(t, row)| Op::Insert(t, row)),
        3 => (0..2_usize, any::<usize>()).prop_map(|(t, at)| Op::Delete(t, at)),
        2 => (0..2_usize, any::<usize>(), row()).prop_map(|(t, at, row)| Op::Update(t, at, row)),
    ];
    let ops = proptest::collection::vec((op, proptest::bool::weighted(0.3)), 1..30);
    let epochs = proptest::collection::vec(ops.prop_map(|ops| ModelEpoch { ops }), 1..8);
    (proptest::bool::weighted(0.3), 0..8_usize, 0..8_usize, epochs)
        .prop_map(|(number_only, from, to, epochs)| Case { number_only, x: from..to, epochs })
}

/// What the two source tables hold.
#[derive(Debug, Default)]
pub(crate) struct Model {
    tables: [Vec<Row>; 2],
}

impl Model {
    /// Plays an epoch; gives its batches.
    pub(crate) fn play(&mut self, case: &Case, number: usize) -> Vec<Transformed> {
        let form = case.form(number);
        self.tables.iter_mut().flatten().for_each(|row| *row = form.of(row));
        let mut open: [Vec<(ImageKind, Row)>; 2] = Default::default();
        let mut batches = Vec::new();
        for (op, cut) in &case.epochs[number].ops {
            let table = match op {
                Op::Insert(t, _) | Op::Delete(t, _) | Op::Update(t, _, _) => *t,
            };
            let (rows, images) = (&mut self.tables[table], &mut open[table]);
            match op {
                Op::Insert(_, row) => {
                    rows.push(form.of(row));
                    images.push((ImageKind::Insert, form.of(row)));
                }
                Op::Delete(_, at) if !rows.is_empty() => {
                    let row = rows.swap_remove(at % rows.len());
                    images.push((ImageKind::Delete, row));
                }
                Op::Update(_, at, row) if !rows.is_empty() => {
                    let at = at % rows.len();
                    let before = std::mem::replace(&mut rows[at], form.of(row));
                    images.push((ImageKind::Before, before));
                    images.push((ImageKind::After, form.of(row)));
                }
                Op::Delete(..) | Op::Update(..) => {}
            }
            if *cut && !images.is_empty() {
                batches.push(batch(table, form, &std::mem::take(images)));
            }
        }
        let rest = open.into_iter().enumerate().filter(|(_, images)| !images.is_empty());
        batches.extend(rest.map(|(table, images)| batch(table, form, &images)));
        batches
    }

    /// All rows, sorted.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = self.tables.concat();
        rows.sort();
        rows
    }
}

impl Case {
    /// The columns of the source in an epoch.
    pub(crate) fn form(&self, number: usize) -> Form {
        match (self.number_only, self.x.contains(&number)) {
            (true, _) => Form::Number,
            (false, true) => Form::Wider,
            (false, false) => Form::Wide,
        }
    }
}
