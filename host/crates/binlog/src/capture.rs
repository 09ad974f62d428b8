//! The rows of captured tables between two slices: which table map is which table, one buffer for each
//! table and schema version, and what of it is committed. A transaction that is larger than a batch
//! leaves its buffers in parts, and memory where it is larger than that.
//!
//! A table that is not captured costs a look-up by its id; its rows are never decoded.

use std::sync::Arc;

use change::{Batch, TableName, Transaction};
use hashbrown::HashMap;

use crate::definition::History;
use crate::error::{BinlogError, DecodeError, Place};
use crate::event::{Event, Vendor};
use crate::options::{ReadOptions, ZeroDates};
use crate::rows::{RowsDecoder, RowsEvent, RowsVersion, rows_head};
use crate::table_map::{self, MapRules, SchemaCache, TableMap};
use queue::Queue;
use spill::SpillFile;
use version::Version;

pub(crate) use part::Part;
pub use spill::SpillError;

mod part;
mod queue;
mod spill;
mod version;

/// Whether a transaction goes on in the next slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// No.
    None,
    /// Yes.
    More,
}

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

/// What a table id stands for.
struct Bound {
    /// The table map behind the id: the same bytes mean the same map.
    bytes: Box<[u8]>,
    /// An index into the versions; none where the table is not captured.
    version: Option<usize>,
}

/// A point within a transaction that it may be rolled back to: how many images it had written of each
/// version.
#[derive(Clone, Debug, Default)]
pub(crate) struct SavepointMark(Vec<(usize, usize)>);

/// What one row event added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// Row changes.
    pub(crate) rows: u64,
    /// Row images.
    pub(crate) images: usize,
    /// Bytes of the event, or of the columns where they take more; 0 where its table is not captured.
    pub(crate) bytes: usize,
}

/// How much is kept where.
#[derive(Clone, Copy, Debug)]
struct Limits {
    batch_images: usize,
    batch_bytes: usize,
    memory_bytes: usize,
    spill_bytes: u64,
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
    /// What has left the buffers of the open transaction.
    parts: Vec<Part>,
    /// Where parts go once there are too many of them.
    spill: Option<Arc<SpillFile>>,
    /// Bytes of the open transaction in memory.
    open_bytes: usize,
    /// Bytes in memory of transactions that are prepared and neither committed nor rolled back.
    held_bytes: usize,
    queue: Queue,
    limits: Limits,
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
    MapRules { zero_dates, vendor }
}

impl Capture {
    pub(crate) fn new(options: &ReadOptions) -> Self {
        let zero_dates = options.zero_dates;
        let rules = rules(zero_dates, Vendor::Mysql);
        Self {
            cache: SchemaCache::new(rules),
            bound: HashMap::new(),
            current: HashMap::new(),
            versions: Vec::new(),
            touched: Vec::new(),
            parts: Vec::new(),
            spill: None,
            open_bytes: 0,
            held_bytes: 0,
            queue: Queue::default(),
            limits: Limits {
                batch_images: options.batch_images_max.max(1),
                batch_bytes: options.batch_bytes_max.max(1),
                memory_bytes: options.transaction_bytes_max,
                spill_bytes: options.spill_bytes_max,
            },
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
        history: &History,
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
            let (_, map) = (self.cache.table_map(event.body, history))
                .map_err(|error| BinlogError::decode(place(), Some(&name), error))?;
            Some(self.version_of(name, map, &place)?)
        } else {
            None
        };
        self.bound.insert(id, Bound { bytes: bytes.into(), version });
        Ok(())
    }

    /// The index of the version under this map, which becomes the newest of its table. Another map of
    /// the same schema goes on in the same buffer, which reads as its map says.
    fn version_of(
        &mut self,
        name: TableName,
        map: Arc<TableMap>,
        place: &impl Fn() -> Place,
    ) -> Result<usize, BinlogError> {
        let known = self.current.get(&name).copied();
        let version = known.and_then(|index| self.versions.get_mut(index));
        if let (Some(index), Some(version)) = (known, version)
            && Arc::ptr_eq(&version.map.schema, &map.schema)
        {
            version.map = map;
            return Ok(index);
        }
        if let Some(replaced) = known {
            // Its images come out before those of the new version.
            self.freeze(replaced, &place())?;
        }
        self.versions.push(Version::new(map));
        let index = self.versions.len().saturating_sub(1);
        self.current.insert(name, index);
        Ok(index)
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
        place: impl Fn() -> Place,
    ) -> Result<Added, BinlogError> {
        let Some(index) = self.target(event, &place)? else {
            return Ok(Added::default());
        };
        let Some(map) = self.versions.get(index).map(|table| Arc::clone(&table.map)) else {
            return Ok(Added::default());
        };
        let failed = |error| BinlogError::decode(place(), Some(&map.schema.name), error);
        let decoder = RowsDecoder::new(kind, version, event.body, &map);
        let mut decoder = decoder.map_err(failed)?;
        let mut added = Added::default();
        let mut grown: usize = 0;
        while !decoder.is_done() {
            let Some(table) = self.versions.get_mut(index) else { break };
            if table.open_images() == 0 {
                self.touched.push(index);
            }
            let before = table.rows.images();
            let room = self.limits.batch_images.saturating_sub(before).clamp(1, STEP_IMAGES);
            let rows = decoder.read(&mut table.rows, room).map_err(failed)?;
            let images = table.rows.images().saturating_sub(before);
            if !table.mark(event.offset, first_row.saturating_add(added.rows)) {
                let what = "more than 4,294,967,295 row images in one batch";
                return Err(BinlogError::Malformed { place: place(), what });
            }
            added.rows = added.rows.saturating_add(u64::from(rows));
            added.images = added.images.saturating_add(images);
            grown = grown.saturating_add(self.grow(index, &place)?);
        }
        added.bytes = event.body.len().max(grown);
        Ok(added)
    }

    /// Counts what a version's buffer has got; where that is enough, the images leave it. Returns the
    /// bytes that it has got.
    fn grow(&mut self, index: usize, place: &impl Fn() -> Place) -> Result<usize, BinlogError> {
        let Some(table) = self.versions.get_mut(index) else { return Ok(0) };
        let bytes = table.rows.bytes();
        let grown = bytes.saturating_sub(std::mem::replace(&mut table.bytes, bytes));
        self.open_bytes = self.open_bytes.saturating_add(grown);
        if table.rows.images() >= self.limits.batch_images || bytes >= self.limits.batch_bytes {
            self.freeze(index, &place())?;
        }
        if self.open_bytes.saturating_add(self.held_bytes) > self.limits.memory_bytes {
            self.spill(&place())?;
        }
        Ok(grown)
    }

    /// Empties a version's buffer: what is committed waits for the next slice, the rest becomes a part of
    /// the open transaction.
    fn freeze(&mut self, index: usize, place: &Place) -> Result<(), BinlogError> {
        let Some(table) = self.versions.get_mut(index) else { return Ok(()) };
        self.nulled_dates = self.nulled_dates.saturating_add(table.rows.take_zero_dates());
        if let Some(batch) = table.take_committed(place)? {
            self.queue.push(batch);
        }
        self.parts.extend(table.freeze(index, place)?);
        Ok(())
    }

    /// Moves the open transaction to disk.
    fn spill(&mut self, place: &Place) -> Result<(), BinlogError> {
        for index in self.touched.clone() {
            self.freeze(index, place)?;
        }
        let failed = |error| spill_error(place, error);
        let file = match self.spill.take() {
            Some(file) => file,
            None => SpillFile::create(self.limits.spill_bytes).map_err(failed)?,
        };
        for part in &mut self.parts {
            part.spill(&file).map_err(failed)?;
        }
        self.spill = Some(file);
        self.open_bytes = 0;
        Ok(())
    }

    /// Marks what the open transaction wrote so far.
    pub(crate) fn savepoint(&self) -> SavepointMark {
        let images = |version: &usize| Some((*version, self.versions.get(*version)?.open_images()));
        SavepointMark(self.touched.iter().filter_map(images).collect())
    }

    /// Drops what the open transaction wrote behind a savepoint.
    pub(crate) fn rollback_to(&mut self, mark: &SavepointMark) {
        for index in std::mem::take(&mut self.touched) {
            let kept = mark.0.iter().find(|(version, _)| *version == index);
            let kept = kept.map_or(0, |(_, images)| *images);
            let mut left = kept;
            for part in self.parts.iter_mut().filter(|part| part.version == index) {
                let images = part.images();
                part.truncate(left);
                left = left.saturating_sub(images);
            }
            if let Some(table) = self.versions.get_mut(index) {
                table.cut_back(kept);
                table.bytes = table.rows.bytes();
            }
            if kept > 0 {
                self.touched.push(index);
            }
        }
        self.parts.retain(|part| part.images() > 0);
    }

    /// Ends the open transaction; its rows count. Returns whether it came in parts.
    pub(crate) fn commit(
        &mut self,
        place: &Place,
        transaction: impl FnOnce() -> Transaction,
    ) -> Result<bool, BinlogError> {
        self.open_bytes = 0;
        self.spill = None;
        if self.touched.is_empty() && self.parts.is_empty() {
            return Ok(false);
        }
        let transaction = Arc::new(transaction());
        let in_parts = !self.parts.is_empty();
        if in_parts {
            for index in self.touched.clone() {
                self.freeze(index, place)?;
            }
            // What was committed before comes first.
            for table in self.versions.iter_mut().filter(|table| table.has_committed()) {
                if let Some(batch) = table.take_committed(place)? {
                    self.queue.push(batch);
                }
            }
            self.queue.push_parts(self.parts.drain(..), &transaction);
        }
        for index in self.touched.drain(..) {
            if let Some(table) = self.versions.get_mut(index) {
                table.commit(&transaction);
            }
        }
        Ok(in_parts)
    }

    /// Ends the open transaction; nothing of it is left.
    pub(crate) fn rollback(&mut self) {
        for index in self.touched.drain(..) {
            if let Some(table) = self.versions.get_mut(index) {
                table.roll_back();
            }
        }
        self.parts.clear();
        self.spill = None;
        self.open_bytes = 0;
    }

    /// Takes the open transaction out: it is prepared, and others come before it ends.
    pub(crate) fn hold(&mut self, place: &Place) -> Result<Vec<Part>, BinlogError> {
        for index in self.touched.clone() {
            self.freeze(index, place)?;
        }
        let memory = |parts: &[Part]| parts.iter().map(Part::memory_bytes).sum::<usize>();
        let held_bytes = self.held_bytes.saturating_add(memory(&self.parts));
        if held_bytes > self.limits.memory_bytes {
            self.spill(place)?;
        }
        self.held_bytes = self.held_bytes.saturating_add(memory(&self.parts));
        let parts = std::mem::take(&mut self.parts);
        self.rollback();
        Ok(parts)
    }

    /// A transaction that was held ends: it is the open one again.
    pub(crate) fn unhold(&mut self, parts: Vec<Part>) {
        let bytes = parts.iter().map(Part::memory_bytes).sum();
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        self.parts = parts;
    }

    /// Whether the open transaction has rows.
    pub(crate) fn has_pending(&self) -> bool {
        !self.touched.is_empty() || !self.parts.is_empty()
    }

    /// Whether a transaction has been handed out in part.
    pub(crate) fn is_handing_out(&self) -> bool {
        self.queue.is_split()
    }

    /// The committed rows as batches: all of them, or as many as a slice may hold where the last
    /// transaction came in parts. Says whether there are more. `place` is named where they make none.
    pub(crate) fn take(
        &mut self,
        images_max: usize,
        bytes_max: usize,
        place: &Place,
    ) -> Result<(Vec<Batch>, Rest), BinlogError> {
        let mut batches = self.queue.take(images_max, bytes_max, place)?;
        if self.queue.is_split() {
            return Ok((batches, Rest::More));
        }
        for table in self.versions.iter_mut().filter(|table| table.has_committed()) {
            self.nulled_dates = self.nulled_dates.saturating_add(table.rows.take_zero_dates());
            batches.extend(table.take_committed(place)?);
        }
        if self.touched.is_empty() && self.parts.is_empty() {
            self.drop_replaced();
        }
        Ok((batches, Rest::None))
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

fn spill_error(place: &Place, error: SpillError) -> BinlogError {
    let place = Place { event: None, ..place.clone() };
    match error {
        SpillError::Full(limit_bytes) => BinlogError::TransactionTooLarge { place, limit_bytes },
        source => BinlogError::Spill { place, source },
    }
}
