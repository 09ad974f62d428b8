//! A table as the sum of its row images, and the comparison with what SELECT gave.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what stands below a test fails it with a message"
)]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use change::definition::Constant;
use change::{
    Batch, ColumnEdit, ColumnType, DefaultValue, ImageKind, RowsEffect, SchemaChange, TableAction,
    TableName,
};
use serde_json::Value;

/// A value in a form in which two texts of the same value are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cell {
    Null,
    Integer(i128),
    /// The bits of a double.
    Double(u64),
    /// Microseconds, or days.
    Moment(i64),
    Text(String),
}

type Row = BTreeMap<String, Cell>;

/// The rows of one table, and how often each is there.
#[derive(Default)]
pub(crate) struct Table {
    rows: HashMap<Vec<Cell>, Vec<Row>>,
    types: BTreeMap<String, (ColumnType, String)>,
}

/// All tables of a log.
#[derive(Default)]
pub(crate) struct Tables(BTreeMap<String, Table>);

impl Tables {
    /// Applies the images of a batch in their order.
    pub(crate) fn apply(&mut self, batch: &Batch) {
        let schema = batch.schema();
        let table = self.0.entry(schema.name.to_string()).or_default();
        for column in &schema.columns {
            let source_type = column.source_type.clone().unwrap_or_default();
            table.types.insert(column.name.clone(), (column.column_type, source_type));
        }
        let key = schema.primary_key.clone().unwrap_or_default();
        let mut before = Row::new();
        for (image, kind) in batch.images().kinds().iter().enumerate() {
            let told = |column: &usize| batch.presence().has(*column, image);
            let columns = schema.columns.iter().zip(batch.columns()).enumerate();
            let row: Row = columns
                .filter(|(index, _)| told(index))
                .map(|(_, (column, array))| {
                    (column.name.clone(), cell(column.column_type, array, image))
                })
                .collect();
            assert!(key.iter().all(told), "the key of {row:?} is told");
            let key_of = |row: &Row| -> Vec<Cell> {
                let names = key.iter().map(|index| &schema.columns[*index].name);
                names.map(|name| row[name].clone()).collect()
            };
            if kind.is_new() {
                // What neither image of an update tells did not change.
                let mut whole = std::mem::take(&mut before);
                whole.extend(row);
                for (index, (column, array)) in
                    schema.columns.iter().zip(batch.columns()).enumerate()
                {
                    // Of a document that no image has the changes may be told.
                    if !told(&index)
                        && column.column_type == ColumnType::Json
                        && let Cell::Text(patch) = cell(column.column_type, array, image)
                        && let Some(Cell::Text(document)) = whole.get_mut(&column.name)
                    {
                        *document = change::json_patch::apply(document, &patch).expect("it fits");
                    }
                }
                let rows = table.rows.entry(key_of(&whole)).or_default();
                assert!(rows.is_empty() || key.is_empty(), "{whole:?} twice");
                rows.push(whole);
            } else {
                let rows = table.rows.entry(key_of(&row)).or_default();
                let at = rows.iter().position(|r| fits(r, &row));
                let removed = rows.swap_remove(
                    at.unwrap_or_else(|| panic!("{row:?} of {} is not there", schema.name)),
                );
                before = if *kind == ImageKind::Before { removed } else { Row::new() };
            }
        }
    }
}

impl Tables {
    /// What a statement does to tables, by what is told of it.
    pub(crate) fn change(&mut self, change: &SchemaChange) {
        for action in change.actions.as_ref().expect("a statement that is read") {
            match action {
                TableAction::Created { table, .. } | TableAction::Truncated { table } => {
                    self.0.insert(table.to_string(), Table::default());
                }
                TableAction::Dropped { table } => drop(self.0.remove(&table.to_string())),
                TableAction::Renamed { from, to } => {
                    let table = self.0.remove(&from.to_string()).expect("a table");
                    self.0.insert(to.to_string(), table);
                }
                TableAction::Altered { table, edits, rows } => {
                    let table = self.0.get_mut(&table.to_string()).expect("a table");
                    if let RowsEffect::Gone { values, .. } = rows {
                        // The partitions of the only such table are told by its key.
                        table.rows.retain(|key, _| match key[0] {
                            Cell::Integer(id) => !values.contains(i64::try_from(id).ok()),
                            _ => panic!("{change:?}"),
                        });
                    } else {
                        assert_eq!(*rows, RowsEffect::None, "{change:?}");
                    }
                    edits.iter().for_each(|edit| table.edit(edit));
                }
            }
        }
    }
}

impl Table {
    fn edit(&mut self, edit: &ColumnEdit) {
        for row in self.rows.values_mut().flatten() {
            match edit {
                ColumnEdit::Added { column, .. } => {
                    let value = match &column.default {
                        DefaultValue::Constant(Constant::Number(number)) => {
                            Cell::Integer(number.parse().expect("an integer"))
                        }
                        DefaultValue::Constant(Constant::Text(text)) => Cell::Text(text.clone()),
                        other => {
                            assert!(matches!(other, DefaultValue::Absent | DefaultValue::Null));
                            Cell::Null
                        }
                    };
                    row.insert(column.name.clone(), value);
                }
                ColumnEdit::Dropped { name } => drop(row.remove(name)),
                ColumnEdit::Renamed { from, to } => {
                    let value = row.remove(from).expect("a column");
                    row.insert(to.clone(), value);
                }
                ColumnEdit::Retyped { .. }
                | ColumnEdit::Redefined { .. }
                | ColumnEdit::Reordered
                | ColumnEdit::KeyChanged => {}
            }
        }
    }
}

/// Whether an image is that of a row; a column that was added since is NULL.
fn fits(row: &Row, image: &Row) -> bool {
    image.iter().all(|(name, cell)| row.get(name).unwrap_or(&Cell::Null) == cell)
}

fn cell(column_type: ColumnType, array: &ArrayRef, row: usize) -> Cell {
    assert_eq!(*array.data_type(), column_type.arrow());
    if array.is_null(row) {
        return Cell::Null;
    }
    let integer = |value: i64| Cell::Integer(value.into());
    match column_type {
        ColumnType::Boolean => Cell::Integer(array.as_boolean().value(row).into()),
        ColumnType::Int8 => integer(array.as_primitive::<Int8Type>().value(row).into()),
        ColumnType::Int16 => integer(array.as_primitive::<Int16Type>().value(row).into()),
        ColumnType::Int32 => integer(array.as_primitive::<Int32Type>().value(row).into()),
        ColumnType::Int64 => integer(array.as_primitive::<Int64Type>().value(row)),
        ColumnType::UInt8 => integer(array.as_primitive::<UInt8Type>().value(row).into()),
        ColumnType::UInt16 => integer(array.as_primitive::<UInt16Type>().value(row).into()),
        ColumnType::UInt32 => integer(array.as_primitive::<UInt32Type>().value(row).into()),
        ColumnType::UInt64 => Cell::Integer(array.as_primitive::<UInt64Type>().value(row).into()),
        ColumnType::Float32 => {
            Cell::Double(f64::from(array.as_primitive::<Float32Type>().value(row)).to_bits())
        }
        ColumnType::Float64 => {
            Cell::Double(array.as_primitive::<Float64Type>().value(row).to_bits())
        }
        ColumnType::Decimal { .. } => {
            Cell::Text(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        ColumnType::Date => Cell::Moment(array.as_primitive::<Date32Type>().value(row).into()),
        ColumnType::TimeMicros => {
            Cell::Moment(array.as_primitive::<DurationMicrosecondType>().value(row))
        }
        ColumnType::TimestampMicrosUtc | ColumnType::TimestampMicrosLocal => {
            Cell::Moment(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        ColumnType::Utf8 | ColumnType::Json => {
            Cell::Text(array.as_string::<i32>().value(row).to_owned())
        }
        ColumnType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            Cell::Text(bytes.iter().map(|byte| format!("{byte:02X}")).collect())
        }
    }
}

/// The lines of one of a scenario's JSON files.
fn lines(folder: &Path, scenario: &str, kind: &str) -> Vec<Value> {
    let path = folder.join(format!("{scenario}.{kind}.jsonl"));
    let text = std::fs::read_to_string(&path).expect("the scenario has its files");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn table_of(line: &Value) -> TableName {
    let part = |key: &str| line[key].as_str().expect("a name").to_owned();
    TableName::new(part("db"), part("table"))
}

/// What SELECT gave at the end: for each table its rows, column by column, as text.
pub(crate) struct Expected(BTreeMap<String, Vec<BTreeMap<String, Option<String>>>>);

impl Expected {
    pub(crate) fn read(folder: &Path, scenario: &str) -> Self {
        let name = |line: &Value| table_of(line).to_string();
        let tables =
            lines(folder, scenario, "schema").iter().map(|line| (name(line), Vec::new())).collect();
        let mut expected = Self(tables);
        for line in lines(folder, scenario, "expected") {
            let row = line["row"].as_object().expect("a row");
            let row = row.iter().map(|(k, v)| (k.clone(), v.as_str().map(str::to_owned))).collect();
            expected.0.get_mut(&name(&line)).expect("a table").push(row);
        }
        expected
    }

    /// The text of one column of a table's row with this id.
    pub(crate) fn text(&self, table: &str, id: i128, column: &str) -> Option<&str> {
        let is_it = |row: &&BTreeMap<_, Option<String>>| row["id"] == Some(id.to_string());
        self.0[table].iter().find(is_it)?[column].as_deref()
    }

    /// One line for each row that is missing, wrong or too many.
    pub(crate) fn differences(&self, tables: &Tables) -> Vec<String> {
        let none = Table::default();
        let mut found = Vec::new();
        for (name, rows) in &self.0 {
            let table = tables.0.get(name).unwrap_or(&none);
            let mut left: Vec<Row> = table.rows.values().flatten().cloned().collect();
            left.retain(|row| !is_history(row));
            for row in rows {
                let wanted = table.typed(row);
                let fits = |have: &Row| wanted.iter().all(|(k, v)| same(have.get(k), v));
                match left.iter().position(fits) {
                    Some(at) => {
                        left.swap_remove(at);
                    }
                    None => found.push(table.nearest(name, &wanted, &left)),
                }
            }
            found.extend(left.iter().map(|row| format!("{name}: too many: {}", short(row))));
        }
        found
    }
}

/// Equal; a double as far as the server prints it (16 digits). A column that was added since is NULL.
fn same(have: Option<&Cell>, wanted: &Cell) -> bool {
    let have = Some(have.unwrap_or(&Cell::Null));
    let (Some(Cell::Double(have)), Cell::Double(wanted)) = (have, wanted) else {
        return have == Some(wanted);
    };
    let (have, wanted) = (f64::from_bits(*have), f64::from_bits(*wanted));
    have.clamp(-f64::MAX, f64::MAX) == wanted.clamp(-f64::MAX, f64::MAX)
        || (have - wanted).abs() <= 5e-16 * wanted.abs()
}

/// A row version of the past, where the server keeps the versions in the table itself.
fn is_history(row: &Row) -> bool {
    const ROW_END_MAX: i64 = 4_294_967_295_999_999;
    row.get("row_end").is_some_and(|end| *end != Cell::Moment(ROW_END_MAX))
}

impl Table {
    /// An expected row in the form of the values that were read.
    fn typed(&self, row: &BTreeMap<String, Option<String>>) -> Row {
        let typed = |(name, text): (&String, &Option<String>)| {
            let cell = match (text, self.types.get(name)) {
                (None, _) => Cell::Null,
                (Some(text), Some((column_type, source))) => parse(*column_type, source, text),
                (Some(text), None) => Cell::Text(text.clone()),
            };
            (name.clone(), cell)
        };
        row.iter().map(typed).collect()
    }

    /// The columns that differ from the row that is most like the wanted one.
    fn nearest(&self, name: &str, wanted: &Row, left: &[Row]) -> String {
        let wrong = |have: &Row| -> Vec<String> {
            let differs = wanted.iter().filter(|(k, v)| !same(have.get(*k), v));
            differs.map(|(k, v)| cut(&format!("{k}: {v:?} is {:?}", have.get(k)))).collect()
        };
        let nearest = left.iter().map(wrong).min_by_key(Vec::len);
        match nearest {
            Some(wrong) => format!("{name}: {}", wrong.join(", ")),
            None => format!("{name}: missing: {}", short(wanted)),
        }
    }
}

fn short(row: &Row) -> String {
    cut(&format!("{row:?}"))
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

fn parse(column_type: ColumnType, source_type: &str, text: &str) -> Cell {
    match column_type {
        ColumnType::Float32 | ColumnType::Float64 => {
            Cell::Double(text.parse::<f64>().expect("a number").to_bits())
        }
        ColumnType::Date => days(text).map_or(Cell::Null, Cell::Moment),
        ColumnType::TimeMicros => Cell::Moment(micros_of_day(text)),
        ColumnType::TimestampMicrosUtc | ColumnType::TimestampMicrosLocal => {
            let (date, time) = text.split_once(' ').expect("a date and a time");
            let micros = |days: i64| Cell::Moment(days * 86_400_000_000 + micros_of_day(time));
            days(date).map_or(Cell::Null, micros)
        }
        ColumnType::Utf8 if matches!(source_type, "enum" | "set") => {
            let (_, labels) = text.split_once('|').expect("a number and labels");
            Cell::Text(labels.to_owned())
        }
        ColumnType::Decimal { .. } | ColumnType::Utf8 | ColumnType::Json | ColumnType::Binary => {
            Cell::Text(text.to_owned())
        }
        _ => Cell::Integer(text.parse().expect("an integer")),
    }
}

/// Days since 1970; none for a date that no calendar has.
fn days(text: &str) -> Option<i64> {
    let mut parts = text.split('-').map(|part| part.parse::<i64>().expect("a number"));
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if month == 0 || day == 0 {
        return None;
    }
    let is_leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let of_years = if year >= 1970 {
        (1970..year).map(|y| 365 + i64::from(is_leap(y))).sum::<i64>()
    } else {
        -(year..1970).map(|y| 365 + i64::from(is_leap(y))).sum::<i64>()
    };
    let february = 28 + i64::from(is_leap(year));
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before: i64 = months.iter().take(usize::try_from(month).ok()? - 1).sum();
    Some(of_years + before + day - 1)
}

/// `[-]hours:minutes:seconds[.fraction]` in microseconds.
fn micros_of_day(text: &str) -> i64 {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds =
        clock.split(':').fold(0, |all, part| all * 60 + part.parse::<i64>().expect("a number"));
    sign * (seconds * 1_000_000 + format!("{fraction:0<6}").parse::<i64>().expect("a number"))
}
