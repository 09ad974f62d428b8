//! What QUERY events do to a transaction: begin it, end it, take back a part of it, or change what a
//! table is.

use change::{Position, SchemaChange, SchemaChangeKind, TableName};

use super::definition::Told;
use super::group::{Group, Outcome};
use super::{Due, Reader, malformed, refusal};
use crate::compression::unpacked_query;
use crate::control::{GroupShape, Reading};
use crate::definition::NameCase;
use crate::error::BinlogError;
use crate::event::{Event, EventKind, Header};
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
    /// The statement's text.
    statement: String,
}

fn folded(name: &TableName) -> TableName {
    TableName::new(name.database.to_lowercase(), name.table.to_lowercase())
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
        let names_tables =
            matches!(statement, Statement::Schema { .. } | Statement::DropDatabase(_));
        // Names in text that was not understood may be any table's.
        let statement = match query.reading {
            Reading::Guessed if names_tables => Statement::Unknown,
            _ => statement,
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
            Statement::Xa(_) => self.xa_statement(event, &query.text),
            Statement::Dml(statement) => {
                Err(BinlogError::StatementFormat { place: self.place(event), statement })
            }
            Statement::Unknown => {
                let head = || query.text.chars().take(HEAD_CHARACTERS).collect();
                let head = is_about_definitions(&query.text).then(head);
                Err(BinlogError::UnknownStatement { place: self.place(event), head })
            }
            Statement::Harmless => {
                let told = self.told(&query);
                self.statement(event, None, &[], &told)
            }
            Statement::Schema { kind, tables } => {
                let told = self.told(&query);
                let receives = self.captured(receiving(kind, &tables));
                let captured = self.captured(tables.clone());
                let statement = query.text.into_owned();
                let named = Named { kind, tables: captured, receives, statement };
                let change = (!named.tables.is_empty()).then_some(named);
                self.statement(event, change, &tables, &told)
            }
            Statement::DropDatabase(database) => {
                let told = self.told(&query);
                let tables = self.captured_of(&database);
                let (kind, statement) = (SchemaChangeKind::Drop, query.text.into_owned());
                let named = Named { kind, tables, receives: Vec::new(), statement };
                let change = (!named.tables.is_empty()).then_some(named);
                self.statement(event, change, &[], &told)
            }
        }
    }

    /// Opens a transaction where none is open: servers without GTIDs announce none.
    pub(super) fn group_of(&mut self, event: &Event<'_>) {
        self.group.get_or_insert_with(|| Group::new(event));
    }

    pub(super) fn begin(&mut self, event: &Event<'_>) -> Result<(), BinlogError> {
        let group = self.group.get_or_insert_with(|| Group::new(event));
        if std::mem::replace(&mut group.is_begun, true) {
            return Err(malformed(&self.file, event, "a BEGIN inside a transaction"));
        }
        Ok(())
    }

    /// The captured tables that a statement may mean. Where a server folds names to lower case,
    /// statements keep the case they were typed in and rows do not: then it means the name as typed, in
    /// lower case, and as rows had it.
    pub(super) fn captured(&self, tables: Vec<TableName>) -> Vec<TableName> {
        let mut meant: Vec<TableName> = Vec::new();
        for name in tables {
            let mut names = vec![name];
            if self.names != NameCase::Counts {
                let folded: Vec<_> = names.iter().map(folded).collect();
                let seen =
                    self.capture.tables().filter(|seen| folded.contains(&self::folded(seen)));
                names.extend(seen.cloned());
                names.extend(folded);
            }
            for name in names {
                if self.options.captures(&name) && !meant.contains(&name) {
                    meant.push(name);
                }
            }
        }
        meant
    }

    /// The captured tables of a database that goes: those whose rows were seen, and `*` where there may
    /// be others.
    fn captured_of(&self, database: &str) -> Vec<TableName> {
        let mut databases = vec![database.to_owned()];
        if self.names != NameCase::Counts {
            let lower = database.to_lowercase();
            let seen = self.capture.tables().map(|name| &name.database);
            databases.extend(seen.filter(|d| d.to_lowercase() == lower).cloned());
            databases.push(lower);
        }
        databases.sort_unstable();
        databases.dedup();
        let mut tables: Vec<TableName> = self
            .capture
            .tables()
            .filter(|name| databases.contains(&name.database))
            .cloned()
            .collect();
        tables.sort_unstable();
        let others = databases.into_iter().filter(|d| self.options.may_capture_in(d));
        tables.extend(others.map(|database| TableName::new(database, "*")));
        tables
    }

    /// A statement that is a transaction of its own, or stands in one. `all` are the tables that it names,
    /// those that are not captured too.
    fn statement(
        &mut self,
        event: &Event<'_>,
        change: Option<Named>,
        all: &[TableName],
        told: &Told,
    ) -> Result<Due, BinlogError> {
        let has_pending = self.capture.has_pending();
        let group = self.group.get_or_insert_with(|| Group::new(event));
        let is_open = group.is_open();
        // Half an ALTER TABLE changes nothing: it counts where its second half says that it is done.
        let counts = !matches!(group.shape, GroupShape::AlterStarts | GroupShape::AlterFails);
        let change = change.filter(|_| counts);
        if change.is_some() && is_open && has_pending {
            return Err(refusal::definition_within(self.place(event)));
        }
        let actions = if counts { self.carry_on(event, all, told) } else { None };
        if let Some(Named { kind, tables, receives, statement }) = change {
            let before = self.position();
            let position = Position { offset: event.offset, ..before.clone() };
            let change =
                SchemaChange { kind, tables, receives, actions, statement, position, before };
            self.fill.schema_change = Some(change);
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
                if self.learns_before_start {
                    self.learn(event, &query);
                }
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
            Kind::QUERY_COMPRESSED => {
                let mut buffer = std::mem::take(&mut self.unpacked);
                let unpacked = unpacked_query(event.body, &mut buffer);
                unpacked.map_err(|what| malformed(&self.file, event, what))?;
                let header = Header { kind: Kind::QUERY, ..event.header };
                let due = self.covered_event(&event.with(header, &buffer));
                self.keep(buffer);
                return due;
            }
            _ => false,
        };
        if ends { self.finish(event, Outcome::RolledBack) } else { Ok(Due::NotYet) }
    }
}
