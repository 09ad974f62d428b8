//! Deletion vectors: which rows of a data file are dead.
//!
//! The form is that of the Delta protocol, "Deletion Vector Format": one file per commit holds the
//! vectors of all data files that the commit touches; a vector always holds all dead rows of its
//! file, those of earlier commits too.

use std::collections::BTreeMap;

use bytes::Bytes;
use delta_kernel::actions::deletion_vector_writer::{
    DeletionVector, StreamingDeletionVectorWriter,
};
use deltalake::kernel::{DeletionVectorDescriptor, StorageType};
use object_store::ObjectStoreExt;
use roaring::RoaringTreemap;
use uuid::Uuid;

use crate::error::LakeError;
use crate::storage::Home;

/// The first bytes of a vector, little-endian: the portable form of a 64-bit Roaring bitmap.
const MAGIC: u32 = 1_681_511_377;

/// Characters of a uuid in the Z85 alphabet.
const UUID_CHARACTERS: usize = 20;

struct Vector(RoaringTreemap);

impl DeletionVector for Vector {
    type IndexIterator = roaring::treemap::IntoIter;

    fn into_iter(self) -> Self::IndexIterator {
        self.0.into_iter()
    }

    fn cardinality(&self) -> u64 {
        self.0.len()
    }

    fn serialize(self) -> delta_kernel::DeltaResult<Bytes> {
        let mut bytes = Vec::with_capacity(self.0.serialized_size());
        self.0.serialize_into(&mut bytes).map_err(delta_kernel::Error::from)?;
        Ok(bytes.into())
    }
}

/// The vectors of one commit in one new file, not yet durable.
#[derive(Debug)]
pub(crate) struct Written {
    /// Its name below the table.
    pub(crate) name: String,
    /// The vector of each data file, by the data file's name.
    pub(crate) vectors: BTreeMap<String, DeletionVectorDescriptor>,
}

/// Writes the vectors of data files.
pub(crate) async fn write(
    home: &Home,
    dead: &BTreeMap<String, RoaringTreemap>,
) -> Result<Written, LakeError> {
    let uuid = Uuid::new_v4();
    let name = format!("deletion_vector_{uuid}.bin");
    let wrong = |e| home.delta_error(format!("write {name}"), e);
    let mut bytes = Vec::new();
    let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
    let mut vectors = BTreeMap::new();
    for (file, rows) in dead {
        // Runs of neighbours become ranges; a hundred times smaller where whole ranges die.
        let mut rows = rows.clone();
        rows.optimize();
        let place = writer.write_deletion_vector(Vector(rows)).map_err(wrong)?;
        let vector = DeletionVectorDescriptor {
            storage_type: StorageType::UuidRelativePath,
            path_or_inline_dv: z85::encode(uuid.as_bytes()),
            offset: Some(place.offset),
            size_in_bytes: place.size_in_bytes,
            cardinality: place.cardinality,
        };
        vectors.insert(file.clone(), vector);
    }
    writer.finalize().map_err(wrong)?;
    home.put(&name, bytes).await?;
    Ok(Written { name, vectors })
}

/// The dead rows that a descriptor names.
pub(crate) async fn read(
    home: &Home,
    vector: &DeletionVectorDescriptor,
) -> Result<RoaringTreemap, LakeError> {
    let (object, bytes) = match vector.storage_type {
        StorageType::Inline => {
            let object = "an inline deletion vector".to_owned();
            let bytes = z85::decode(&vector.path_or_inline_dv);
            let bytes = bytes.map_err(|e| home.damaged(&object, e.to_string()))?;
            (object, Bytes::from(bytes))
        }
        StorageType::UuidRelativePath => {
            let object = relative_name(&vector.path_or_inline_dv)
                .ok_or_else(|| home.damaged("a deletion vector", "its descriptor names no file"))?;
            let bytes = read_framed(home, &object, vector).await?;
            (object, bytes)
        }
        StorageType::AbsolutePath => {
            return Err(LakeError::Incompatible {
                target: home.target().to_string(),
                reason: "a deletion vector lies outside the table's folder".into(),
                hint: "run `REORG TABLE .. APPLY (PURGE)` or copy the table".into(),
            });
        }
    };
    let (magic, bitmap) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| home.damaged(&object, "a deletion vector is too short"))?;
    if u32::from_le_bytes(*magic) != MAGIC {
        return Err(home.damaged(&object, "a deletion vector has an unknown form"));
    }
    let rows = RoaringTreemap::deserialize_from(bitmap)
        .map_err(|e| home.damaged(&object, e.to_string()))?;
    if i64::try_from(rows.len()).is_ok_and(|len| len != vector.cardinality) {
        return Err(home.damaged(&object, "a deletion vector has not the size that the log says"));
    }
    Ok(rows)
}

/// The file below the table in which a vector lies; none where it lies in the log itself, or outside.
pub(crate) fn file_name(vector: &DeletionVectorDescriptor) -> Option<String> {
    match vector.storage_type {
        StorageType::UuidRelativePath => relative_name(&vector.path_or_inline_dv),
        StorageType::Inline | StorageType::AbsolutePath => None,
    }
}

/// Size (4 bytes, big-endian), the vector, its CRC-32 (4 bytes, big-endian).
async fn read_framed(
    home: &Home,
    object: &str,
    vector: &DeletionVectorDescriptor,
) -> Result<Bytes, LakeError> {
    let damaged = |reason: &str| home.damaged(object, reason);
    let start =
        u64::try_from(vector.offset.unwrap_or(1)).map_err(|_| damaged("a negative offset"))?;
    let size = usize::try_from(vector.size_in_bytes).map_err(|_| damaged("a negative size"))?;
    let end = start.saturating_add(size as u64).saturating_add(8);
    let bytes = home
        .store()
        .get_range(&home.path(object)?, start..end)
        .await
        .map_err(|e| home.storage_error(format!("read {object}"), e))?;
    let framed = bytes.split_first_chunk::<4>().and_then(|(len, rest)| {
        let (body, crc) = rest.split_last_chunk::<4>()?;
        let whole = u32::from_be_bytes(*len) as usize == size && body.len() == size;
        let intact = crc32fast::hash(body) == u32::from_be_bytes(*crc);
        (whole && intact).then_some(())
    });
    framed.ok_or_else(|| damaged("a deletion vector fails its checksum or size"))?;
    Ok(bytes.slice(4..bytes.len().saturating_sub(4)))
}

/// The file that an optional folder and a uuid in Z85 stand for.
pub(crate) fn relative_name(text: &str) -> Option<String> {
    let (folder, uuid) = text.split_at_checked(text.len().checked_sub(UUID_CHARACTERS)?)?;
    let uuid = Uuid::from_slice(&z85::decode(uuid).ok()?).ok()?;
    let file = format!("deletion_vector_{uuid}.bin");
    Some(if folder.is_empty() { file } else { format!("{folder}/{file}") })
}

#[cfg(test)]
mod tests {
    use change::TargetPath;

    use super::*;
    use crate::storage::StoreOptions;

    #[test]
    fn a_name_is_that_of_the_protocol() {
        // The example of the Delta protocol, "Deletion Vector Descriptor Schema".
        let name = relative_name("ab^-aqEH.-t@S}K{vb[*k^").expect("a name");
        assert_eq!(name, "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
        assert_eq!(relative_name("short"), None);
    }

    #[tokio::test]
    async fn vectors_read_back_and_a_flipped_bit_is_seen() {
        let root = tempfile::tempdir().expect("a folder");
        let target = TargetPath(root.path().to_str().expect("UTF-8").into());
        let home = Home::new(target, &StoreOptions::default()).expect("a place");
        let a: RoaringTreemap = (0..1000).chain([5_000_000_000]).collect();
        let b: RoaringTreemap = [7].into_iter().collect();
        let dead = BTreeMap::from([("a".to_owned(), a.clone()), ("b".to_owned(), b.clone())]);
        let written = write(&home, &dead).await.expect("written");
        assert_eq!(read(&home, &written.vectors["a"]).await.expect("read"), a);
        assert_eq!(read(&home, &written.vectors["b"]).await.expect("read"), b);

        let path = root.path().join(&written.name);
        let mut bytes = std::fs::read(&path).expect("a file");
        let last = bytes.len() - 9;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        let error = read(&home, &written.vectors["b"]).await.expect_err("damaged");
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}
