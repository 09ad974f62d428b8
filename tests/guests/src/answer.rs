//! Plans and edits that break the interface.

use crate::guest::bindings::exports::sluice::transform::transform::{
    Column, ColumnSource, ComputedColumn, Edit, Failure, OutputColumn, ProcessPlan, RejectedRow,
    RowRouting, TableDecision, TablePlan, TableSchema,
};
use crate::guest::bindings::sluice::transform::types::{DataType, DecimalType};

/// The values of an int32 column.
pub(crate) fn integers(column: &Column) -> Vec<i32> {
    column.data.as_chunks::<4>().0.iter().map(|c| i32::from_le_bytes(*c)).collect()
}

/// Reads `v` and makes `made`, or as it is told.
pub(crate) fn plan(told: &str, table: &TableSchema, plans: u32) -> Result<TableDecision, Failure> {
    if told == "plan-changes" && plans == 1 {
        return Ok(TableDecision::Pass);
    }
    if told == "exclude" {
        return Ok(TableDecision::Exclude);
    }
    if told == "fail-in-plan" {
        return Err(failure("bad-table"));
    }
    let input = |index: u32, name: &str| OutputColumn {
        name: name.to_owned(),
        source: ColumnSource::Input(index),
    };
    let fields = (0_u32..).zip(&table.fields);
    let mut output: Vec<_> = fields.map(|(index, field)| input(index, &field.name)).collect();
    let data_type = match told {
        "wrong-type" => DataType::Decimal(DecimalType { precision: 77, scale: 0 }),
        "json" => DataType::Json,
        _ => DataType::Utf8,
    };
    let slot = if told == "wrong-slot" { 5 } else { 0 };
    let computed = ComputedColumn { slot, data_type, nullable: false };
    output.push(OutputColumn { name: "made".to_owned(), source: ColumnSource::Computed(computed) });
    match told {
        "unknown-column" => output.push(input(99, "ghost")),
        "same-name" => output.push(input(0, "MADE")),
        "drop-id" => output.retain(|column| column.name != "id"),
        _ => {}
    }
    let route = match told {
        "route-out-of-plan" => vec![("table".to_owned(), "../../etc".to_owned())],
        _ => Vec::new(),
    };
    let v = table.fields.iter().position(|field| field.name == "v").unwrap_or_default();
    Ok(TableDecision::Apply(TablePlan {
        output: Some(output),
        id_columns: (told == "unknown-id").then(|| vec![99]),
        route,
        process: Some(ProcessPlan { reads: vec![u32::try_from(v).unwrap_or_default()] }),
        properties: Vec::new(),
    }))
}

/// Keeps what is not 0, or as it is told.
pub(crate) fn edit(told: &str, rows: u32, values: &[i32]) -> Result<Edit, Failure> {
    let count = rows as usize;
    let mut edit = honest(values);
    match told {
        "fail" => return Err(failure("own-failure")),
        "bad-code" => return Err(failure("Not A Code: secret")),
        "keep-too-long" => edit.keep = Some(vec![0xff; count + 1]),
        "no-computed" => edit.computed.clear(),
        "huge-output" => edit.computed = vec![text(&vec!["x".repeat(1 << 20); count.max(64)])],
        "short-data" => cut(&mut edit, |column| column.data.truncate(1)),
        "short-offsets" => cut(&mut edit, |column| column.offsets.truncate(4)),
        "offsets-out-of-order" => cut(&mut edit, |column| {
            if let Some(first) = column.offsets.get_mut(4) {
                *first = 0xff;
            }
        }),
        "bad-utf8" => cut(&mut edit, |column| column.data.fill(0xff)),
        "null-in-non-null" => cut(&mut edit, |column| {
            column.validity = Some(vec![0; count.div_ceil(8)]);
        }),
        "short-validity" => cut(&mut edit, |column| column.validity = Some(Vec::new())),
        "routes-out-of-range" => edit.routing = Some(routing(&[], &vec![7; count])),
        "short-routing" => edit.routing = Some(routing(&["a"], &[])),
        "route-out" => edit.routing = Some(routing(&["../../etc"], &vec![0; count])),
        "route-empty" => edit.routing = Some(routing(&[""], &vec![0; count])),
        "reject-unknown-row" => edit.rejected = vec![reject(rows, "odd")],
        "reject-twice" => edit.rejected = vec![reject(0, "odd"), reject(0, "odd")],
        "reject-bad-code" => edit.rejected = vec![reject(0, "Odd value 17!")],
        "reject-first" => edit.rejected = vec![reject(0, "odd")],
        _ => {}
    }
    Ok(edit)
}

fn honest(values: &[i32]) -> Edit {
    let mut keep = vec![0_u8; values.len().div_ceil(8)];
    for (row, value) in values.iter().enumerate() {
        if let (true, Some(byte)) = (*value != 0, keep.get_mut(row / 8)) {
            *byte |= 1 << (row % 8);
        }
    }
    let made: Vec<String> = values.iter().map(|value| format!("<{value}>")).collect();
    Edit { keep: Some(keep), computed: vec![text(&made)], routing: None, rejected: Vec::new() }
}

fn text(values: &[String]) -> Column {
    let mut column = Column { validity: None, offsets: vec![0; 4], data: Vec::new() };
    for value in values {
        column.data.extend_from_slice(value.as_bytes());
        let end = u32::try_from(column.data.len()).unwrap_or(u32::MAX);
        column.offsets.extend_from_slice(&end.to_le_bytes());
    }
    column
}

fn cut(edit: &mut Edit, spoil: impl Fn(&mut Column)) {
    edit.computed.iter_mut().for_each(spoil);
}

fn routing(tables: &[&str], rows: &[u32]) -> RowRouting {
    RowRouting {
        routes: tables.iter().map(|t| vec![("table".to_owned(), (*t).to_owned())]).collect(),
        rows: rows.iter().flat_map(|row| row.to_le_bytes()).collect(),
    }
}

fn reject(row: u32, code: &str) -> RejectedRow {
    RejectedRow { row, failure: failure(code) }
}

fn failure(code: &str) -> Failure {
    Failure { code: code.to_owned(), detail: "may hold values".to_owned() }
}
