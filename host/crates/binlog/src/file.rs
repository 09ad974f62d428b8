//! Recorded binlog files, one after the other, as slices of whole transactions.
//!
//! A file is believed event by event: whatever it holds, the outcome is rows or an error that names file
//! and offset. Files have to be given in the order in which the server wrote them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use change::{GtidSet, LogFile, LogSlice, Position};
use tracing::{debug, warn};

use crate::error::{BinlogError, Place};
use crate::event::EventKind;
use crate::options::ReadOptions;
use crate::reader::{Due, Reader};

pub(crate) use event_file::{EventFile, name_of, verify};

mod event_file;

/// A file that was given.
struct Given {
    path: PathBuf,
    name: Arc<str>,
    bytes: u64,
}

/// Reads recorded files.
pub struct FileSource {
    files: Vec<Given>,
    /// Files before this one are open or done.
    next_file: usize,
    current: Option<EventFile>,
    reader: Reader,
    /// The name that the last ROTATE event gave to the next file.
    announced: Option<String>,
    bytes_done: u64,
    /// What stopped the reading, told once everything before it is handed out.
    failed: Option<BinlogError>,
    is_finished: bool,
}

/// What reading one event came to.
enum Step {
    Go,
    Slice,
    End,
}

impl FileSource {
    /// Opens the first file that is needed. `start` is the end of a transaction, by its file and offset
    /// where a file of that name is among those given, otherwise by its GTID set.
    ///
    /// # Errors
    /// Where there is no file, a file cannot be read, or the start lies in none of them or in the middle
    /// of a transaction.
    pub fn open(
        files: &[PathBuf],
        start: Option<&Position>,
        options: ReadOptions,
    ) -> Result<Self, BinlogError> {
        if files.is_empty() {
            return Err(BinlogError::NoFiles);
        }
        let files = files.iter().map(|path| given(path)).collect::<Result<Vec<_>, _>>()?;
        let mut source = Self {
            files,
            next_file: 0,
            current: None,
            reader: Reader::new(options, None),
            announced: None,
            bytes_done: 0,
            failed: None,
            is_finished: false,
        };
        match start {
            None => {
                source.open_next()?;
            }
            Some(start) => source.seek(start)?,
        }
        Ok(source)
    }

    /// The position before the first transaction at or behind a time, seconds since 1970-01-01T00:00Z;
    /// the end of the files where there is none.
    ///
    /// # Errors
    /// Where there is no file, or a file cannot be read.
    pub fn position_at(files: &[PathBuf], seconds: u64) -> Result<Position, BinlogError> {
        let mut first = 0;
        for (index, path) in files.iter().enumerate().skip(1) {
            let mut file = EventFile::open(path)?;
            let head = file.next()?.map(|event| event.header.timestamp_seconds);
            if head.is_none_or(|begun| u64::from(begun) >= seconds) {
                break;
            }
            first = index;
        }
        let mut source =
            Self::open(files.get(first..).unwrap_or_default(), None, ReadOptions::default())?;
        source.reader.seek_time(seconds);
        while !source.reader.has_found_time() && !matches!(source.step()?, Step::End) {}
        Ok(source.position())
    }

    /// The next slice; none at the end of the files.
    ///
    /// # Errors
    /// Where the log cannot be read on; every transaction before that point was handed out.
    #[expect(
        clippy::should_implement_trait,
        reason = "an error does not make the next call useless, as an iterator would suggest"
    )]
    pub fn next(&mut self) -> Result<Option<LogSlice>, BinlogError> {
        if self.reader.is_handing_out() {
            return self.reader.take_slice().map(Some);
        }
        if let Some(error) = self.failed.take() {
            self.is_finished = true;
            return Err(error);
        }
        if self.reader.go_on()? == Due::Now {
            return self.reader.take_slice().map(Some);
        }
        while !self.is_finished {
            match self.step() {
                Ok(Step::Go) => {}
                Ok(Step::Slice) => return self.reader.take_slice().map(Some),
                Ok(Step::End) => self.is_finished = true,
                Err(error) if self.reader.has_slice() => {
                    self.failed = Some(error);
                    return self.reader.take_slice().map(Some);
                }
                Err(error) => {
                    self.is_finished = true;
                    return Err(error);
                }
            }
        }
        if self.reader.has_slice() { self.reader.take_slice().map(Some) } else { Ok(None) }
    }

    /// Bytes read and bytes in all.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let current = self.current.as_ref().map_or(0, EventFile::offset);
        let total = self.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
        let read = self.bytes_done.saturating_add(current);
        (read, total.max(read))
    }

    /// The position behind the last transaction that was read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.reader.position()
    }

    /// The definitions of tables behind what was handed out.
    #[must_use]
    pub fn definitions(&self) -> &change::Definitions {
        self.reader.history().definitions()
    }

    /// How many dates that no calendar has became NULL in what was handed out (`ZeroDates::Null`).
    #[must_use]
    pub fn nulled_dates(&self) -> u64 {
        self.reader.nulled_dates()
    }

    /// Reads one event.
    fn step(&mut self) -> Result<Step, BinlogError> {
        let Self { current: Some(file), reader, announced, .. } = self else {
            return Ok(Step::End);
        };
        let Some(event) = (match file.next() {
            Ok(event) => event,
            Err(error) => return self.torn(error),
        }) else {
            return self.end_of_file();
        };
        let due = match event.header.kind {
            EventKind::FORMAT_DESCRIPTION => {
                let (length, end) = (event.header.length, event.end());
                if let Some(place) = reader.open_group() {
                    return Err(BinlogError::OpenTransaction { place });
                }
                if let Some(format) = file.format() {
                    reader.format(format);
                }
                reader.count_bytes(u64::from(length));
                reader.pass(end);
                Due::NotYet
            }
            EventKind::ROTATE => {
                let (name, _) = reader.rotate(&event)?;
                *announced = Some(name);
                reader.count_bytes(u64::from(event.header.length));
                reader.pass(event.end());
                reader.has_moved();
                Due::NotYet
            }
            EventKind::PREVIOUS_GTIDS | EventKind::GTID_LIST => {
                let before = reader.executed_before(&event)?;
                if let Some(reason) = gap(reader.executed(), &before) {
                    return Err(BinlogError::Gap { file: Arc::clone(file.name()), reason });
                }
                reader.event(&event)?
            }
            _ => reader.event(&event)?,
        };
        Ok(if due == Due::Now { Step::Slice } else { Step::Go })
    }

    /// A file that ends inside an event: an error, except where the server was still writing the last
    /// file when it was copied.
    fn torn(&mut self, error: BinlogError) -> Result<Step, BinlogError> {
        let is_last = self.next_file >= self.files.len();
        let is_open = self.current.as_ref().is_some_and(EventFile::is_in_use);
        if let (BinlogError::Truncated { place, .. }, true, true) = (&error, is_last, is_open) {
            warn!(%place, "the file was still being written, what is behind its last whole transaction is left");
            return Ok(Step::End);
        }
        Err(error)
    }

    fn end_of_file(&mut self) -> Result<Step, BinlogError> {
        let is_last = self.next_file >= self.files.len();
        if let Some(place) = self.reader.open_group() {
            if is_last && self.current.as_ref().is_some_and(EventFile::is_in_use) {
                warn!(%place, "the file was still being written, its last transaction is not whole and is left");
                return Ok(Step::End);
            }
            return Err(BinlogError::OpenTransaction { place });
        }
        if is_last {
            return Ok(Step::End);
        }
        self.open_next()?;
        Ok(Step::Go)
    }

    fn open_next(&mut self) -> Result<(), BinlogError> {
        let Some(given) = self.files.get(self.next_file) else {
            return Ok(());
        };
        if let Some(announced) = self.announced.take() {
            check_name(&announced, &given.name)?;
        }
        let file = EventFile::open(&given.path)?;
        debug!(file = %given.name, bytes = given.bytes, "file opened");
        self.reader.enter_file(Arc::clone(&given.name))?;
        let done = self.current.replace(file).map_or(0, |file| file.offset());
        self.bytes_done = self.bytes_done.saturating_add(done);
        self.next_file = self.next_file.saturating_add(1);
        Ok(())
    }

    /// Goes to the start position.
    fn seek(&mut self, start: &Position) -> Result<(), BinlogError> {
        let found = self.files.iter().position(|file| *file.name == *start.file);
        match (found, &start.gtids) {
            (Some(index), _) => self.seek_offset(index, start),
            (None, Some(gtids)) => {
                self.reader.leave_out(gtids.clone());
                self.open_next()
            }
            (None, None) => {
                let given = self.files.iter().map(|f| &*f.name).collect::<Vec<_>>().join(", ");
                Err(BinlogError::NoSuchFile { file: start.file.clone(), given })
            }
        }
    }

    /// Reads the file of the position from its head, so that the position proves to be the end of a
    /// transaction, and of the right one.
    fn seek_offset(&mut self, index: usize, start: &Position) -> Result<(), BinlogError> {
        let skipped = self.files.iter().take(index);
        self.bytes_done = skipped.fold(0, |sum, file| sum.saturating_add(file.bytes));
        self.next_file = index;
        self.open_next()?;
        self.reader.scan_to(start.offset);
        let file = Arc::clone(self.reader.file());
        let offset = start.offset;
        while self.reader.boundary() < offset {
            let before = self.reader.boundary();
            let is_within = matches!(self.scan_step()?, Step::Go);
            let after = self.reader.boundary();
            if after > offset {
                return Err(BinlogError::NotABoundary { file, offset, before, after: Some(after) });
            }
            if !is_within {
                return Err(BinlogError::NotABoundary { file, offset, before: after, after: None });
            }
        }
        if offset > EventFile::FIRST && self.reader.boundary() != offset {
            let before = self.reader.boundary();
            return Err(BinlogError::NotABoundary { file, offset, before, after: None });
        }
        self.reader.start_here(start)
    }

    /// One event on the way to the start; the end of the file ends it.
    fn scan_step(&mut self) -> Result<Step, BinlogError> {
        let file_before = self.next_file;
        match self.step() {
            Ok(Step::End) => Ok(Step::End),
            Ok(_) if self.next_file != file_before => Ok(Step::End),
            Ok(_) => Ok(Step::Go),
            // The position lies behind what the file still has.
            Err(BinlogError::OpenTransaction { .. }) => Ok(Step::End),
            Err(error) => Err(error),
        }
    }
}

fn given(path: &Path) -> Result<Given, BinlogError> {
    let file: Arc<str> = path.to_string_lossy().into();
    let place = Place { file, offset: 0, event: None };
    let metadata = std::fs::metadata(path).map_err(|source| BinlogError::Read { place, source })?;
    Ok(Given { path: path.to_owned(), name: name_of(path), bytes: metadata.len() })
}

/// Why a file whose head lists `before` cannot follow what was read; none where it can.
fn gap(executed: Option<&GtidSet>, before: &GtidSet) -> Option<String> {
    let executed = executed?;
    (!executed.contains_all(before)).then(|| {
        format!(
            "it begins behind the transactions {before}, and what was read ends with {executed}"
        )
    })
}

/// Whether the file given can be the one that the server went on in: files of one series (the same name
/// but for the number) have to come one after the other. Copies may have any other name.
fn check_name(announced: &str, given: &Arc<str>) -> Result<(), BinlogError> {
    let stem = |name: &str| name.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    let (expected, found) = (LogFile(announced).index(), LogFile(given).index());
    if stem(announced) != stem(given) || expected == found || found == 0 {
        return Ok(());
    }
    let reason = format!("the server went on in {announced}");
    Err(BinlogError::Gap { file: Arc::clone(given), reason })
}

#[cfg(test)]
mod tests;
