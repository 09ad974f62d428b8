//! The tables of a log that is looked at: what it takes to count their rows.

use change::{Definitions, TableName};
use hashbrown::HashMap;

use crate::capture::rules;
use crate::compression::{Packed, unpacked_rows};
use crate::control::{GroupShape, Query, Reading};
use crate::definition::History;
use crate::event::{Event, Vendor};
use crate::options::ZeroDates;
use crate::row_buffer::RowBuffer;
use crate::rows::{RowsEvent, RowsVersion, decode_rows};
use crate::statement::Statement;
use crate::statement::definition::{Around, read};
use crate::statement::environment::Environment;
use crate::table_map::TableMap;

/// The tables of a log, by the ids that it gives them, and their definitions.
#[derive(Default)]
pub(super) struct Tables {
    described: HashMap<u64, Described>,
    history: History,
    /// Whether the open transaction is half an ALTER TABLE, or one that failed.
    changes_nothing: bool,
}

impl Tables {
    pub(super) fn knowing(definitions: Definitions) -> Self {
        Self { history: History::new(definitions), ..Self::default() }
    }

    pub(super) fn definitions(&self) -> &Definitions {
        self.history.definitions()
    }

    /// A transaction begins.
    pub(super) fn begin(&mut self, shape: GroupShape) {
        self.changes_nothing = matches!(shape, GroupShape::AlterStarts | GroupShape::AlterFails);
    }

    /// The ids mean nothing any more.
    pub(super) fn forget_maps(&mut self) {
        self.described.clear();
    }

    /// Takes a table map in.
    pub(super) fn describe(&mut self, id: u64, name: TableName, body: &[u8], vendor: Vendor) {
        let described = Described::new(name, body, vendor, &self.history);
        self.described.insert(id, described);
    }

    pub(super) fn of_id(&mut self, id: u64) -> Option<&mut Described> {
        self.described.get_mut(&id)
    }

    /// Carries the definitions on behind a statement.
    pub(super) fn learn(&mut self, query: &Query<'_>, what: &Statement, vendor: Option<Vendor>) {
        if self.changes_nothing {
            return;
        }
        let environment = Environment::read(query.status, vendor);
        let around = Around { database: &query.database, environment: &environment };
        let is_exact = query.reading == Reading::Exact;
        match is_exact.then(|| read(&query.text, around)).flatten() {
            Some(definition) => {
                drop(self.history.apply(&definition, &environment, "a statement of this log"));
            }
            None => {
                if let Statement::Schema { tables, .. } = what {
                    self.history.lose(tables, "a statement of this log could not be read");
                }
            }
        }
    }
}

/// A table that rows may follow of.
pub(super) struct Described {
    pub(super) name: TableName,
    /// What it takes to count its rows, where they can be read.
    readable: Option<(TableMap, RowBuffer)>,
}

impl Described {
    fn new(name: TableName, body: &[u8], vendor: Vendor, history: &History) -> Self {
        let rules = rules(ZeroDates::Null, vendor);
        let map = TableMap::parse(body, rules, history).ok().map(|(_, map)| map);
        let readable = map.map(|map| {
            let rows = RowBuffer::new(&map);
            (map, rows)
        });
        Self { name, readable }
    }

    /// The number of row changes of an event.
    pub(super) fn count(
        &mut self,
        event: &Event<'_>,
        kind: RowsEvent,
        version: RowsVersion,
    ) -> Option<u32> {
        let (map, rows) = self.readable.as_mut()?;
        let mut plain = Vec::new();
        let body = match Packed::of(event.header.kind) {
            Some(_) => {
                unpacked_rows(kind, version, event.body, &mut plain).ok()?;
                &plain
            }
            None => event.body,
        };
        let count = decode_rows(kind, version, body, map, rows).ok();
        rows.truncate(0);
        count
    }
}
