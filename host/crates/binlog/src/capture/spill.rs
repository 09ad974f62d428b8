//! Parts of a transaction that is too large for memory, in a file without a name, as Arrow IPC streams.
//!
//! The file goes when the last part of it is read or dropped. Nothing here outlives the process.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema};
use change::Presence;

/// The name of the columns that tell which values of another one were told, in front of its number.
const TOLD: &str = "told-";

/// Why columns cannot be kept on disk.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// The file cannot be written or read.
    #[error("the file for the rows of large transactions cannot be used")]
    File(#[from] io::Error),
    /// The columns do not come back as they went.
    #[error("the rows do not come back from disk")]
    Columns(#[from] ArrowError),
    /// There are more bytes than may be kept.
    #[error("more than {0} bytes of rows")]
    Full(u64),
}

/// A file for the parts of one transaction.
#[derive(Debug)]
pub(crate) struct SpillFile {
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    bytes: u64,
}

/// Where in its file a part is.
#[derive(Debug)]
pub(super) struct Spilled {
    file: Arc<SpillFile>,
    offset: u64,
    bytes: u64,
    columns: usize,
}

impl SpillFile {
    /// A file in the folder for temporary files.
    ///
    /// # Errors
    /// Where none can be made there.
    pub(super) fn create(bytes_max: u64) -> Result<Arc<Self>, SpillError> {
        let state = Mutex::new(State { file: tempfile::tempfile()?, bytes: 0 });
        Ok(Arc::new(Self { bytes_max, state }))
    }

    /// Writes some columns of one length.
    ///
    /// # Errors
    /// Where the disk is full, or the file would pass its limit.
    pub(super) fn write(
        self: &Arc<Self>,
        columns: &[ArrayRef],
        presence: &Presence,
    ) -> Result<Spilled, SpillError> {
        let batch = packed(columns, presence)?;
        let mut stream = Vec::new();
        let mut writer = StreamWriter::try_new(&mut stream, &batch.schema())?;
        writer.write(&batch)?;
        writer.finish()?;
        drop(writer);
        let bytes = u64::try_from(stream.len()).unwrap_or(u64::MAX);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = state.bytes;
        if offset.saturating_add(bytes) > self.bytes_max {
            return Err(SpillError::Full(self.bytes_max));
        }
        state.file.seek(SeekFrom::Start(offset))?;
        state.file.write_all(&stream)?;
        state.bytes = offset.saturating_add(bytes);
        Ok(Spilled { file: Arc::clone(self), offset, bytes, columns: columns.len() })
    }
}

impl Spilled {
    /// Reads the columns back.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn read(&self) -> Result<(Vec<ArrayRef>, Presence), SpillError> {
        let mut stream = Vec::new();
        let mut state = self.file.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.seek(SeekFrom::Start(self.offset))?;
        (&mut state.file).take(self.bytes).read_to_end(&mut stream)?;
        drop(state);
        let missing = || SpillError::File(io::ErrorKind::UnexpectedEof.into());
        let batch =
            StreamReader::try_new(stream.as_slice(), None)?.next().ok_or_else(missing)??;
        let columns = batch.columns().get(..self.columns).ok_or_else(missing)?.to_vec();
        let told = (0..self.columns).map(|column| {
            let found = batch.column_by_name(&format!("{TOLD}{column}"));
            found.and_then(|bits| bits.as_boolean_opt()).map(|bits| bits.values().clone())
        });
        Ok((columns, Presence::new(told.collect())))
    }
}

/// The columns and what is told of them, as one batch.
fn packed(columns: &[ArrayRef], presence: &Presence) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        fields.push(Field::new(index.to_string(), column.data_type().clone(), true));
        arrays.push(Arc::clone(column));
    }
    for index in 0..columns.len() {
        if let Some(bits) = presence.of(index) {
            let bits: ArrayRef = Arc::new(BooleanArray::new(bits.clone(), None));
            fields.push(Field::new(format!("{TOLD}{index}"), bits.data_type().clone(), false));
            arrays.push(bits);
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, StringArray};
    use arrow_buffer::BooleanBuffer;

    use super::*;

    #[test]
    fn columns_come_back_as_they_went() {
        let file = SpillFile::create(1 << 20).expect("a file");
        let columns = |n: i32| -> Vec<ArrayRef> {
            let text = StringArray::from(vec![Some("x"), None, Some("")]);
            vec![Arc::new(Int32Array::from(vec![n, 2, 3])), Arc::new(text)]
        };
        let bits = BooleanBuffer::from(vec![true, false, true]);
        let presence = Presence::new(vec![None, Some(bits)]);
        let first = file.write(&columns(1), &presence).expect("written");
        let second = file.write(&columns(9), &Presence::default()).expect("written");
        assert_eq!(second.read().expect("read"), (columns(9), Presence::default()));
        assert_eq!(first.read().expect("read"), (columns(1), presence));
    }

    #[test]
    fn a_full_file_says_so() {
        let file = SpillFile::create(100).expect("a file");
        let columns: [ArrayRef; 1] = [Arc::new(Int32Array::from(vec![1; 1_000]))];
        let error = file.write(&columns, &Presence::default()).expect_err("too much");
        assert_eq!(error.to_string(), "more than 100 bytes of rows");
    }
}
