//! Carries over to the new files of a compaction what epochs deleted meanwhile of the old ones.

use std::collections::BTreeMap;

use deltalake::kernel::Add;
use roaring::RoaringTreemap;

use crate::error::LakeError;
use crate::table::rewrite::{Origin, ReadFile, Rewritten};
use crate::table::{Table, deletion, locate};

/// The rows of a file that was read and that have died since.
enum Died {
    All,
    These(RoaringTreemap),
}

impl Died {
    fn has(&self, row: u64) -> bool {
        match self {
            Self::All => true,
            Self::These(rows) => rows.contains(row),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::These(rows) if rows.is_empty())
    }
}

impl Table {
    /// The new files as they enter the table: with a deletion vector where rows of theirs have died, and
    /// without those of which no row is left.
    pub(crate) async fn carry_over(&self, rewritten: &Rewritten) -> Result<Vec<Add>, LakeError> {
        let mut died = Vec::with_capacity(rewritten.sources.len());
        for source in &rewritten.sources {
            died.push(self.died_since(source).await?);
        }
        if died.iter().all(Died::is_empty) {
            return Ok(rewritten.files.iter().map(|f| f.add.clone()).collect());
        }
        let rows: u64 = rewritten.files.iter().map(|f| f.rows).sum();
        if rewritten.origins.len() as u64 != rows {
            let text =
                "rows died while their files were rewritten, and nothing tells where they went";
            return Err(LakeError::Internal(text.into()));
        }
        let dead = dead_by_file(rewritten, &died);
        let mut vectors = BTreeMap::new();
        let partly: BTreeMap<String, RoaringTreemap> = rewritten
            .files
            .iter()
            .zip(dead.iter())
            .filter(|(file, dead)| !dead.is_empty() && dead.len() < file.rows)
            .map(|(file, dead)| (file.add.path.clone(), dead.clone()))
            .collect();
        if !partly.is_empty() {
            let written = deletion::write(&self.home, &partly).await?;
            self.home.disk().sync_files(std::slice::from_ref(&written.name)).await?;
            self.home.disk().sync_folder("").await?;
            vectors = written.vectors;
        }
        let mut adds = Vec::with_capacity(rewritten.files.len());
        for (file, dead) in rewritten.files.iter().zip(&dead) {
            match vectors.remove(&file.add.path) {
                Some(vector) => {
                    let file_now = crate::table::files::DataFile::new(file.add.clone());
                    let add = file_now.add_with_vector(vector, file.rows);
                    adds.push(Add { data_change: false, ..add });
                }
                None if dead.is_empty() => adds.push(file.add.clone()),
                None => {}
            }
        }
        Ok(adds)
    }

    /// A file goes as a whole with its last row: nothing but epochs has touched the table since.
    async fn died_since(&self, source: &ReadFile) -> Result<Died, LakeError> {
        let Some(file) = self.state.files.get(&source.name) else { return Ok(Died::All) };
        let now = locate::dead_rows(&self.home, &self.shared.caches, file).await?;
        Ok(Died::These(now.as_ref() - source.dead.as_ref()))
    }
}

/// For each new file the rows of it that have died.
fn dead_by_file(rewritten: &Rewritten, died: &[Died]) -> Vec<RoaringTreemap> {
    let mut origins = rewritten.origins.iter().copied();
    let has_died = |origin: Origin| {
        let (source, row) = origin.split();
        died.get(source).is_none_or(|died| died.has(row))
    };
    let of_file = |rows: u64| -> RoaringTreemap {
        (0..rows).zip(origins.by_ref()).filter(|(_, o)| has_died(*o)).map(|(row, _)| row).collect()
    };
    rewritten.files.iter().map(|f| f.rows).map(of_file).collect()
}
