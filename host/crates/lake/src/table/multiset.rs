//! Finds rows to delete in a table without a key: of each row that is gone as many as the epoch took
//! away, by file name and place in the file, so that every attempt picks the same ones.
//!
//! Rows are compared over the columns that the source has now. A table may have more: those that the
//! source dropped, and those of other source tables. Rows that hold nothing there come first, so that
//! a source table takes its own rows before another's.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt};
use hashbrown::HashMap;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use roaring::RoaringTreemap;

use crate::changes::TargetChanges;
use crate::error::LakeError;
use crate::storage::Home;
use crate::table::bounds::{Bound, Bounds};
use crate::table::files::DataFile;
use crate::table::keys::bounds_of;
use crate::table::locate::{self, Caches, FILES_AT_ONCE, Found};
use crate::table::{Table, read};

fn wrong(source: ArrowError) -> LakeError {
    LakeError::Arrow { action: "compare whole rows", source }
}

/// The rows that are looked for.
struct Wanted {
    /// The columns that are compared, then the others of the table.
    schema: SchemaRef,
    compared: usize,
    converter: RowConverter,
    numbers: HashMap<Box<[u8]>, usize>,
    /// How often each is wanted.
    counts: Vec<u32>,
    /// For each column that is compared the values of the rows, none for a NULL; none where files have
    /// no bounds for its type.
    bounds: Vec<Option<Vec<Option<Bound>>>>,
}

/// Rows of one file that have wanted values and are alive: their number and their place.
type Hits = Vec<(usize, u64)>;

/// What one file has.
struct Scan {
    file: String,
    rows: u64,
    dead: Arc<RoaringTreemap>,
    /// With nothing in the columns that are not compared; of each row no more than wanted.
    own: Hits,
    /// With something there; of each row no more than wanted.
    other: Hits,
}

/// How many hits of each row a file may still give: own ones, others.
type Room = Vec<(u32, u32)>;

impl Table {
    /// The rows that changes of a multiset take away. Fewer than that are found where the target never
    /// had them all: that is told, and nothing else can be done about it.
    pub(crate) async fn find_counted(
        &self,
        changes: &TargetChanges,
    ) -> Result<BTreeMap<String, Found>, LakeError> {
        if changes.gone.num_rows() == 0 {
            return Ok(BTreeMap::new());
        }
        let wanted = Arc::new(Wanted::of(changes, &self.state.arrow)?);
        let mut left = wanted.counts.clone();
        let mut others = wanted.counts.clone();
        let mut open: u64 = left.iter().copied().map(u64::from).sum();
        let mut scans: Vec<Scan> = Vec::new();
        let mut found = BTreeMap::new();
        let files = self.state.files.iter();
        let candidates: Vec<DataFile> =
            files.filter(|f| wanted.may_lie_in(f.bounds(&wanted.schema))).cloned().collect();
        let work = futures::stream::iter(candidates).map(|file| {
            let (home, caches) = (self.home.clone(), Arc::clone(&self.shared.caches));
            let wanted = Arc::clone(&wanted);
            // A task of its own, so that files are decoded on several cores.
            let task = tokio::spawn(async move { scan(&home, &caches, &file, wanted).await });
            async move {
                let ended = task.await;
                ended.map_err(|e| LakeError::Internal(format!("a scan did not end: {e}")))?
            }
        });
        // In the order of the names: which rows go must not depend on which file was read first.
        let mut work = work.buffered(FILES_AT_ONCE);
        while open > 0 {
            let Some(mut scan) = work.try_next().await? else { break };
            open = open.saturating_sub(take(&scan, &scan.own, &mut left, &mut found));
            keep_first(&mut scan.other, &mut others);
            if !scan.other.is_empty() {
                scans.push(scan);
            }
        }
        for scan in &scans {
            open = open.saturating_sub(take(scan, &scan.other, &mut left, &mut found));
        }
        if open > 0 {
            tracing::warn!(target = %self.home.target(), rows = open,
                "rows to delete are not in the table: it does not have every row of its source");
        }
        Ok(found)
    }
}

/// Of each row no more hits than there is room for over all files: others are never taken.
fn keep_first(hits: &mut Hits, room: &mut [u32]) {
    hits.retain(|(number, _)| match room.get_mut(*number) {
        Some(left) if *left > 0 => {
            *left = left.saturating_sub(1);
            true
        }
        _ => false,
    });
    hits.shrink_to_fit();
}

/// Takes hits as long as they are wanted; gives how many it took.
fn take(scan: &Scan, hits: &Hits, left: &mut [u32], found: &mut BTreeMap<String, Found>) -> u64 {
    let mut dying = RoaringTreemap::new();
    for (number, row) in hits {
        if let Some(count) = left.get_mut(*number).filter(|count| **count > 0) {
            *count = count.saturating_sub(1);
            dying.insert(*row);
        }
    }
    let taken = dying.len();
    if taken > 0 {
        let entry = found.entry(scan.file.clone()).or_insert_with(|| Found {
            file: scan.file.clone(),
            rows: scan.rows,
            dying: RoaringTreemap::new(),
            dead: Arc::clone(&scan.dead),
        });
        entry.dying |= dying;
    }
    taken
}

impl Wanted {
    fn of(changes: &TargetChanges, table: &SchemaRef) -> Result<Self, LakeError> {
        let ids = changes.schema.id_arrow();
        let compared = ids.fields().len();
        let others = table.fields().iter().filter(|f| ids.column_with_name(f.name()).is_none());
        let fields: Vec<_> = ids.fields().iter().chain(others).cloned().collect();
        let sort = ids.fields().iter().map(|f| SortField::new(f.data_type().clone()));
        let converter = RowConverter::new(sort.collect()).map_err(wrong)?;
        let columns = changes.gone.columns();
        let keys = converter.convert_columns(columns).map_err(wrong)?;
        let numbers = keys.iter().map(|k| Box::from(k.data())).zip(0..).collect();
        let bounds = columns.iter().map(|column| {
            let values = bounds_of(&[column])?.into_iter().enumerate();
            Some(values.map(|(row, value)| column.is_valid(row).then_some(value)).collect())
        });
        let counts = changes.gone_counts.clone().unwrap_or_default();
        if counts.len() != keys.num_rows() {
            return Err(LakeError::Internal("rows to delete without their counts".into()));
        }
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            compared,
            converter,
            numbers,
            counts,
            bounds: bounds.collect(),
        })
    }

    /// Whether a wanted row may lie where the columns have these bounds; NULLs lie anywhere.
    fn may_lie_in(&self, bounds: &Bounds) -> bool {
        let named = self.bounds.iter().zip(self.schema.fields());
        let known: Vec<_> = named
            .filter_map(|(values, field)| Some((values.as_ref()?, bounds.of(field.name())?)))
            .collect();
        (0..self.counts.len()).any(|row| {
            known.iter().all(|(values, (low, high))| {
                let value = values.get(row).and_then(Option::as_ref);
                value.is_none_or(|v| low <= v && v <= high)
            })
        })
    }

    /// The hits of a batch whose first row is the file's row `base`, as far as there is room.
    fn find(
        &self,
        batch: &RecordBatch,
        base: u64,
        dead: &RoaringTreemap,
        room: &mut Room,
        hits: &mut (Hits, Hits),
    ) -> Result<(), LakeError> {
        let (compared, others) =
            batch.columns().split_at_checked(self.compared).unwrap_or_default();
        let rows = self.converter.convert_columns(compared).map_err(wrong)?;
        for (row, key) in rows.iter().enumerate() {
            let Some(number) = self.numbers.get(key.data()) else { continue };
            let at = base.saturating_add(row as u64);
            let Some((own, other)) = room.get_mut(*number).filter(|_| !dead.contains(at)) else {
                continue;
            };
            let is_own = others.iter().all(|column| column.is_null(row));
            let (room, hits) = if is_own { (own, &mut hits.0) } else { (other, &mut hits.1) };
            if *room > 0 {
                *room = room.saturating_sub(1);
                hits.push((*number, at));
            }
        }
        Ok(())
    }
}

async fn scan(
    home: &Home,
    caches: &Caches,
    file: &DataFile,
    wanted: Arc<Wanted>,
) -> Result<Scan, LakeError> {
    let footer = read::footer(home, &caches.footers, file.name(), file.size()).await?;
    let may_lie = |bounds: &Bounds| wanted.may_lie_in(bounds);
    let groups = locate::candidate_groups(&footer, &wanted.schema, may_lie);
    let dead = locate::dead_rows(home, caches, file).await?;
    let starts = locate::row_starts(&footer, &groups);
    let mut room: Room = wanted.counts.iter().map(|count| (*count, *count)).collect();
    let mut hits = (Hits::new(), Hits::new());
    let mut stream = read::row_groups(home, file.name(), &footer, &wanted.schema, groups)?;
    for start in starts {
        let next = stream.next_row_group().await;
        let reader = next.map_err(|e| read::read_error(home, file.name(), e))?;
        let Some(reader) = reader else { break };
        let group = Group { home: home.clone(), name: file.name().to_owned(), reader, start };
        let (wanted, dead) = (Arc::clone(&wanted), Arc::clone(&dead));
        // Decoding is long, plain work: not on a thread that others wait for.
        let ended = tokio::task::spawn_blocking(move || {
            group.find(&wanted, &dead, &mut room, &mut hits).map(|()| (room, hits))
        });
        let ended = ended.await;
        (room, hits) =
            ended.map_err(|e| LakeError::Internal(format!("a scan did not end: {e}")))??;
    }
    let rows = u64::try_from(footer.metadata().file_metadata().num_rows()).unwrap_or(0);
    let (own, other) = hits;
    Ok(Scan { file: file.name().to_owned(), rows, dead, own, other })
}

/// One row group of a file.
struct Group {
    home: Home,
    name: String,
    reader: ParquetRecordBatchReader,
    /// Its first row, counted from the start of the file.
    start: u64,
}

impl Group {
    fn find(
        self,
        wanted: &Wanted,
        dead: &RoaringTreemap,
        room: &mut Room,
        hits: &mut (Hits, Hits),
    ) -> Result<(), LakeError> {
        let mut base = self.start;
        for batch in self.reader {
            let batch = batch.map_err(|e| read::read_error(&self.home, &self.name, e.into()))?;
            let rows = batch.num_rows() as u64;
            let batch = read::align(&batch, &wanted.schema)?;
            wanted.find(&batch, base, dead, room, hits)?;
            base = base.saturating_add(rows);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_all_files_no_more_hits_of_a_row_are_held_than_are_wanted() {
        let mut room = [2, 1];
        let mut files = [vec![(0, 5), (1, 6)], vec![(0, 1), (1, 2), (0, 3)], vec![(0, 9)]];
        for hits in &mut files {
            keep_first(hits, &mut room);
        }
        assert_eq!(files, [vec![(0, 5), (1, 6)], vec![(0, 1)], vec![]]);
    }
}
