//! What QUERY events do to a transaction: begin it, end it, take back a part of it, or change what a
//! table is.

use change::{Position, SchemaChange, SchemaChangeKind, TableName};

use super::group::{Group, Outcome};
use super::{Due, Reader, malformed, refusal};
use crate::control::GroupShape;
use crate::error::BinlogError;
use crate::event::{Event, EventKind};
use crate::statement::{Statement, classify, is_about_definitions};

/// Savepoints that a transaction may set; a server forgets none before the transaction ends.
const SAVEPOINTS_MAX: usize = 10_000;

/// Characters of a statement that an error shows.
const HEAD_CHARACTERS: usize = 200;

/// The captured tables that a statement names.
struct Named {
    kind: SchemaChangeKind,
    tables: Vec<TableName>,
    /// Those that may get rows by it.
    receives: Vec<TableName>,
}

/// Of all tables that a statement names, those that may get rows by it: the new names of a RENAME, which
/// stand behind the old ones, and either side of an exchange.
fn receiving(kind: SchemaChangeKind, tables: &[TableName]) -> Vec<TableName> {
    match kind {
        SchemaChangeKind::Rename => tables.chunks(2).filter_map(|p| p.get(1)).cloned().collect(),
        SchemaChangeKind::Import => tables.to_vec(),
        _ => Vec::new(),
    }
}

impl Reader {
    pub(super) fn query(&mut self, event: &Event<'_>) -> Result<Due, BinlogError> {
        let query = self.control.query(event);
        let query = query.map_err(|what| malformed(&self.file, event, what))?;
        let statement = match &*query.text {
            "BEGIN" => Statement::Begin,
            "COMMIT" => Statement::Commit,
            text => classify(text, &query.database),
        };
        match statement {
            Statement::Begin => self.begin(event).map(|()| Due::NotYet),
            Statement::Commit if self.group.is_some() => self.finish(event, Outcome::Committed),
            Statement::Rollback if self.group.is_some() => self.finish(event, Outcome::RolledBack),
            Statement::Commit | Statement::Rollback => {
                self.outside(event);
                Ok(Due::NotYet)
            }
            Statement::Savepoint(name) => self.savepoint(event, name).map(|()| Due::NotYet),
            Statement::RollbackTo(name) => self.rollback_to(event, &name).map(|()| Due::NotYet),
            Statement::Xa(_) => Err(refusal::xa(self.place(event))),
            Statement::Dml(statement) => {
                Err(BinlogError::StatementFormat { place: self.place(event), statement })
            }
            Statement::Unknown => {
                let head = || query.text.chars().take(HEAD_CHARACTERS).collect();
                let head = is_about_definitions(&query.text).then(head);
                Err(BinlogError::UnknownStatement { place: self.place(event), head })
            }
            Statement::Harmless => self.statement(event, None),
            Statement::Schema { kind, tables } => {
                let receives = self.captured(receiving(kind, &tables));
                let tables = self.captured(tables);
                let named = Named { kind, tables, receives };
                let change = (!named.tables.is_empty()).then_some(named);
                self.statement(event, change.map(|named| (named, query.text.into_owned())))
            }
            Statement::DropDatabase(database) => {
                let tables = self.captured_of(&database);
                let named = Named { kind: SchemaChangeKind::Drop, tables, receives: Vec::new() };
                let change = (!named.tables.is_empty()).then_some(named);
                self.statement(event, change.map(|named| (named, query.text.into_owned())))
            }
        }
    }

    fn begin(&mut self, event: &Event<'_>) -> Result<(), BinlogError> {
        let group = self.group.get_or_insert_with(|| Group::new(event));
        if std::mem::replace(&mut group.is_begun, true) {
            return Err(malformed(&self.file, event, "a BEGIN inside a transaction"));
        }
        Ok(())
    }

    /// The captured ones of the tables that a statement names. Where a server folds names to lower case,
    /// statements keep the case they were typed in and rows do not.
    fn captured(&self, tables: Vec<TableName>) -> Vec<TableName> {
        let as_captured = |name: TableName| {
            if self.options.captures(&name) {
                return Some(name);
            }
            let folded = TableName::new(name.database.to_lowercase(), name.table.to_lowercase());
            self.options.captures(&folded).then_some(folded)
        };
        tables.into_iter().filter_map(as_captured).collect()
    }

    /// The captured tables of a database that goes: those whose rows were seen, or `*` where none was
    /// and there may be some.
    fn captured_of(&self, database: &str) -> Vec<TableName> {
        let mut tables = self.capture.tables_of(database);
        if self.options.may_capture_in(database) {
            tables.push(TableName::new(database, "*"));
        }
        tables
    }

    /// A statement that is a transaction of its own, or stands in one.
    fn statement(
        &mut self,
        event: &Event<'_>,
        change: Option<(Named, String)>,
    ) -> Result<Due, BinlogError> {
        let has_pending = self.capture.has_pending();
        let group = self.group.get_or_insert_with(|| Group::new(event));
        let is_open = group.is_open();
        // Half an ALTER TABLE changes nothing: it counts where its second half says that it is done.
        let counts = !matches!(group.shape, GroupShape::AlterStarts | GroupShape::AlterFails);
        let change = change.filter(|_| counts);
        if let Some((Named { kind, tables, receives }, statement)) = change {
            if is_open && has_pending {
                return Err(refusal::definition_within(self.place(event)));
            }
            let before = self.position();
            let position = Position { offset: event.offset, ..before.clone() };
            let change = SchemaChange { kind, tables, receives, statement, position, before };
            self.fill.schema_change = Some(change);
            self.capture.definition_changed();
            if is_open {
                // CREATE TABLE … SELECT: the rows of the new table follow in the same transaction, in
                // the next slice.
                return Ok(Due::Now);
            }
        }
        if is_open { Ok(Due::NotYet) } else { self.finish(event, Outcome::Committed) }
    }

    fn savepoint(&mut self, event: &Event<'_>, name: String) -> Result<(), BinlogError> {
        let mark = self.capture.savepoint();
        let Some(group) = self.group.as_mut().filter(|g| g.savepoints.len() < SAVEPOINTS_MAX)
        else {
            let what = "a savepoint outside of a transaction, or one of more than 10,000";
            return Err(malformed(&self.file, event, what));
        };
        // A new savepoint replaces one of the same name.
        group.savepoints.retain(|(known, ..)| !known.eq_ignore_ascii_case(&name));
        group.savepoints.push((name, group.rows, mark));
        Ok(())
    }

    fn rollback_to(&mut self, event: &Event<'_>, name: &str) -> Result<(), BinlogError> {
        let Some(group) = self.group.as_mut() else {
            return Err(malformed(&self.file, event, "a rollback outside of a transaction"));
        };
        let known =
            group.savepoints.iter().position(|(known, ..)| known.eq_ignore_ascii_case(name));
        // A server sets a savepoint in the log before it rolls back to it; the first statement of a
        // transaction may be preceded by one that stands in no log, which is its very beginning.
        let (rows, mark) = match known.and_then(|at| group.savepoints.get(at)) {
            Some((_, rows, mark)) => (*rows, mark.clone()),
            None => return Err(malformed(&self.file, event, "a rollback to an unknown savepoint")),
        };
        group.savepoints.truncate(known.map_or(0, |at| at.saturating_add(1)));
        group.rows = rows;
        self.capture.rollback_to(&mark);
        Ok(())
    }

    /// An event of a transaction that lies before the start.
    pub(super) fn covered_event(&mut self, event: &Event<'_>) -> Result<Due, BinlogError> {
        use EventKind as Kind;
        let is_open = self.group.as_ref().is_some_and(Group::is_open);
        let ends = match event.header.kind {
            Kind::XID | Kind::XA_PREPARE | Kind::TRANSACTION_PAYLOAD => true,
            Kind::QUERY => {
                let query = self.control.query(event);
                let query = query.map_err(|what| malformed(&self.file, event, what))?;
                let text = query.text.trim_start();
                match classify(text, "") {
                    Statement::Begin => {
                        self.begin(event)?;
                        false
                    }
                    Statement::Commit | Statement::Rollback => true,
                    Statement::Xa(what) => match what.as_str() {
                        "START" | "BEGIN" => {
                            self.begin(event)?;
                            false
                        }
                        "END" => false,
                        _ => true,
                    },
                    _ => !is_open,
                }
            }
            Kind::QUERY_COMPRESSED => !is_open,
            _ => false,
        };
        if ends { self.finish(event, Outcome::RolledBack) } else { Ok(Due::NotYet) }
    }
}
