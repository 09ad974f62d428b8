//! The rows of captured tables between two slices: which table map is which table, one buffer for each
//! table and schema version, and what of it is committed.
//!
//! A table that is not captured costs a look-up by its id; its rows are never decoded.

use std::sync::Arc;

use change::{Batch, Images, Mark, TableName, Transaction};
use hashbrown::HashMap;

use crate::definitions::Definitions;
use crate::error::{BinlogError, DecodeError, Place};
use crate::event::{Event, Vendor};
use crate::options::{ReadOptions, ZeroDates};
use crate::row_buffer::{RowBuffer, Taken};
use crate::rows::{RowsDecoder, RowsEvent, RowsVersion, rows_head};
use crate::table_map::{self, MapRules, Names, SchemaCache, TableMap};

/// Table maps kept at once. A server numbers tables anew each time it opens them; past this many the
/// numbers are forgotten at the next transaction's end, which is safe since every statement announces its
/// tables again.
const TABLE_IDS_MAX: usize = 16_384;

/// Row images of one event that are read at once.
const STEP_IMAGES: usize = 1_024;

/// The id of an event without rows that only ends a statement.
const DUMMY_TABLE_ID: u64 = 0x00ff_ffff;

/// Bytes of the table id at the head of a table map.
const TABLE_ID_BYTES: usize = 6;

/// Some consecutive images of one event, not yet committed.
#[derive(Clone, Copy, Debug)]
struct PendingMark {
    images_end: u32,
    event_offset: u64,
    first_row: u64,
}

/// One table under one table map.
struct Version {
    map: Arc<TableMap>,
    rows: RowBuffer,
    marks: Vec<Mark>,
    pending: Vec<PendingMark>,
    /// Images of finished transactions.
    committed: usize,
}

impl Version {
    fn new(map: Arc<TableMap>) -> Self {
        let rows = RowBuffer::new(&map);
        Self { map, rows, marks: Vec::new(), pending: Vec::new(), committed: 0 }
    }

    fn name(&self) -> &TableName {
        &self.map.schema.name
    }
}

/// What a table id stands for.
struct Bound {
    /// The table map behind the id: the same bytes mean the same map.
    bytes: Box<[u8]>,
    /// An index into the versions; none where the table is not captured.
    version: Option<usize>,
}

/// How far a table's rows had come when a savepoint was set.
#[derive(Clone, Copy, Debug)]
struct Progress {
    version: usize,
    images: usize,
    pending: usize,
}

/// A point within a transaction that it may be rolled back to.
#[derive(Clone, Debug, Default)]
pub(crate) struct SavepointMark(Vec<Progress>);

/// What one row event added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// Row changes.
    pub(crate) rows: u64,
    /// Row images.
    pub(crate) images: usize,
    /// Bytes of the event, 0 where its table is not captured.
    pub(crate) bytes: usize,
}

/// The tables of a log and the rows since the last slice.
pub(crate) struct Capture {
    cache: SchemaCache,
    bound: HashMap<u64, Bound>,
    /// The newest version of each table, as an index.
    current: HashMap<TableName, usize>,
    /// In the order in which they appeared. A version that another one replaced stays until the slice
    /// ends, so that the batches of a table come out in log order.
    versions: Vec<Version>,
    /// Versions that the open transaction wrote to.
    touched: Vec<usize>,
    zero_dates: ZeroDates,
    /// Dates that no calendar has and that became NULL.
    nulled_dates: u64,
}

/// How table maps of a vendor are read.
pub(crate) fn rules(zero_dates: ZeroDates, vendor: Vendor) -> MapRules {
    let vendor = match vendor {
        Vendor::Mysql => table_map::Vendor::MySql,
        Vendor::MariaDb => table_map::Vendor::MariaDb,
    };
    MapRules { names: Names::Refuse, zero_dates, vendor }
}

impl Capture {
    pub(crate) fn new(options: &ReadOptions) -> Self {
        let zero_dates = options.zero_dates;
        let rules = rules(zero_dates, Vendor::Mysql);
        Self {
            cache: SchemaCache::new(rules, options.definitions.clone()),
            bound: HashMap::new(),
            current: HashMap::new(),
            versions: Vec::new(),
            touched: Vec::new(),
            zero_dates,
            nulled_dates: 0,
        }
    }

    /// How many dates that no calendar has became NULL in what was handed out.
    pub(crate) fn nulled_dates(&self) -> u64 {
        self.nulled_dates
    }

    /// A new file, or a server that started anew: which id stands for which table is told again.
    pub(crate) fn restart(&mut self, vendor: Vendor) {
        self.bound.clear();
        self.cache.set_rules(rules(self.zero_dates, vendor));
    }

    /// The definition of a captured table has changed.
    pub(crate) fn definition_changed(&mut self) {
        self.bound.clear();
        self.cache.forget();
    }

    /// The tables whose rows were seen, in no order.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &TableName> {
        self.current.keys()
    }

    /// Takes a table map in.
    pub(crate) fn table_map(
        &mut self,
        event: &Event<'_>,
        options: &ReadOptions,
        place: impl Fn() -> Place,
    ) -> Result<(), BinlogError> {
        let decode = |error| BinlogError::decode(place(), None, error);
        let (_, bytes) =
            event.body.split_at_checked(TABLE_ID_BYTES).ok_or_else(|| decode(DecodeError::End))?;
        let known = table_map_id(event.body).and_then(|id| self.bound.get(&id));
        if known.is_some_and(|bound| *bound.bytes == *bytes) {
            return Ok(());
        }
        let (id, name) = TableMap::peek_name(event.body).map_err(decode)?;
        let version = if options.captures(&name) {
            let (_, map) = (self.cache.table_map(event.body))
                .map_err(|error| BinlogError::decode(place(), Some(&name), error))?;
            Some(self.version_of(name, map))
        } else {
            None
        };
        self.bound.insert(id, Bound { bytes: bytes.into(), version });
        Ok(())
    }

    /// The index of the version under this map, which becomes the newest of its table. Another map of
    /// the same schema goes on in the same buffer, which reads as its map says.
    fn version_of(&mut self, name: TableName, map: Arc<TableMap>) -> usize {
        let known = self.current.get(&name).copied();
        let version = known.and_then(|index| self.versions.get_mut(index));
        if let (Some(index), Some(version)) = (known, version)
            && Arc::ptr_eq(&version.map.schema, &map.schema)
        {
            version.map = map;
            return index;
        }
        self.versions.push(Version::new(map));
        let index = self.versions.len().saturating_sub(1);
        self.current.insert(name, index);
        index
    }

    /// The table of a row event, where it is captured.
    fn target(
        &self,
        event: &Event<'_>,
        place: &impl Fn() -> Place,
    ) -> Result<Option<usize>, BinlogError> {
        let head =
            rows_head(event.body).map_err(|error| BinlogError::decode(place(), None, error))?;
        match self.bound.get(&head.table_id) {
            Some(bound) => Ok(bound.version),
            None if head.table_id == DUMMY_TABLE_ID => Ok(None),
            None => Err(BinlogError::Malformed {
                place: place(),
                what: "rows of a table that no table map announced",
            }),
        }
    }

    /// The table of a row event that cannot be decoded, where it is captured.
    pub(crate) fn captured_table(
        &self,
        event: &Event<'_>,
        place: impl Fn() -> Place,
    ) -> Result<bool, BinlogError> {
        self.target(event, &place).map(|target| target.is_some())
    }

    /// Takes the rows of an event in. `first_row` is the ordinal of its first row change within the
    /// transaction.
    pub(crate) fn rows(
        &mut self,
        event: &Event<'_>,
        kind: RowsEvent,
        version: RowsVersion,
        first_row: u64,
        definitions: &Definitions,
        place: impl Fn() -> Place,
    ) -> Result<Added, BinlogError> {
        let Some(index) = self.target(event, &place)? else {
            return Ok(Added::default());
        };
        let Some(table) = self.versions.get_mut(index) else {
            return Ok(Added::default());
        };
        let before = table.rows.images();
        let mut read = || {
            let mut event = RowsDecoder::new(kind, version, event.body, &table.map, definitions)?;
            let mut rows: u64 = 0;
            while !event.is_done() {
                let step = event.read(&mut table.rows, STEP_IMAGES)?;
                rows = rows.saturating_add(u64::from(step));
            }
            Ok(rows)
        };
        let rows = read()
            .map_err(|error| BinlogError::decode(place(), Some(&table.map.schema.name), error))?;
        let after = table.rows.images();
        let images = after.saturating_sub(before);
        if images > 0 {
            let images_end = u32::try_from(after).map_err(|_| BinlogError::Malformed {
                place: place(),
                what: "more than 4,294,967,295 row images in one transaction",
            })?;
            if table.pending.is_empty() {
                self.touched.push(index);
            }
            let event_offset = event.offset;
            table.pending.push(PendingMark { images_end, event_offset, first_row });
        }
        Ok(Added { rows, images, bytes: event.body.len() })
    }

    /// Marks what the open transaction wrote so far.
    pub(crate) fn savepoint(&self) -> SavepointMark {
        let progress = |version: &usize| {
            let table = self.versions.get(*version)?;
            let (images, pending) = (table.rows.images(), table.pending.len());
            Some(Progress { version: *version, images, pending })
        };
        SavepointMark(self.touched.iter().filter_map(progress).collect())
    }

    /// Drops what the open transaction wrote behind a savepoint.
    pub(crate) fn rollback_to(&mut self, mark: &SavepointMark) {
        let touched = std::mem::take(&mut self.touched);
        for index in touched {
            let kept = mark.0.iter().find(|p| p.version == index);
            let Some(table) = self.versions.get_mut(index) else {
                continue;
            };
            table.rows.truncate(kept.map_or(table.committed, |p| p.images));
            table.pending.truncate(kept.map_or(0, |p| p.pending));
            if kept.is_some() {
                self.touched.push(index);
            }
        }
    }

    /// Ends the open transaction; its rows count.
    pub(crate) fn commit(&mut self, transaction: impl FnOnce() -> Transaction) {
        if self.touched.is_empty() {
            return;
        }
        let transaction = Arc::new(transaction());
        for index in self.touched.drain(..) {
            let Some(table) = self.versions.get_mut(index) else {
                continue;
            };
            table.marks.extend(table.pending.drain(..).map(|mark| Mark {
                images_end: mark.images_end,
                transaction: Arc::clone(&transaction),
                event_offset: mark.event_offset,
                first_row: mark.first_row,
            }));
            table.committed = table.rows.images();
        }
    }

    /// Ends the open transaction; nothing of it is left.
    pub(crate) fn rollback(&mut self) {
        self.rollback_to(&SavepointMark::default());
    }

    /// Whether the open transaction has rows.
    pub(crate) fn has_pending(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The committed rows as batches. `place` is named where they make none.
    pub(crate) fn take(&mut self, place: &Place) -> Result<Vec<Batch>, BinlogError> {
        let mut batches = Vec::new();
        for table in self.versions.iter_mut().filter(|v| v.committed > 0) {
            self.nulled_dates = self.nulled_dates.saturating_add(table.rows.take_zero_dates());
            batches.push(batch_of(table, place)?);
        }
        if self.touched.is_empty() {
            self.drop_replaced();
        }
        Ok(batches)
    }

    /// Drops versions that another one replaced, once their rows are handed out.
    fn drop_replaced(&mut self) {
        if self.versions.len() == self.current.len() && self.bound.len() <= TABLE_IDS_MAX {
            return;
        }
        self.bound.clear();
        let mut kept: Vec<Version> = Vec::with_capacity(self.current.len());
        for (index, version) in std::mem::take(&mut self.versions).into_iter().enumerate() {
            if let Some(current) = self.current.get_mut(version.name())
                && *current == index
            {
                *current = kept.len();
                kept.push(version);
            }
        }
        self.versions = kept;
    }
}

fn table_map_id(body: &[u8]) -> Option<u64> {
    crate::wire::Wire::new(body).u48().ok()
}

fn batch_of(table: &mut Version, place: &Place) -> Result<Batch, BinlogError> {
    let Taken { columns, kinds, presence } = match table.rows.take(table.committed) {
        Ok(taken) => taken,
        Err(error) => {
            // What only shows when the columns are finished is told with the event of its image.
            let mut place = place.clone();
            if let DecodeError::Text { image, .. } = &error
                && let Some(mark) = table.marks.iter().find(|m| m.images_end as usize > *image)
            {
                place.file = Arc::clone(&mark.transaction.file);
                place.offset = mark.event_offset;
            }
            return Err(BinlogError::decode(place, Some(table.name()), error));
        }
    };
    table.committed = 0;
    let name = Box::new(table.name().clone());
    let failed = |source| BinlogError::Batch { place: place.clone(), table: name.clone(), source };
    let images = Images::new(kinds, std::mem::take(&mut table.marks)).map_err(failed)?;
    Batch::new(Arc::clone(&table.map.schema), columns, Arc::new(images))
        .and_then(|batch| batch.with_presence(presence))
        .map_err(failed)
}
