//! What is committed, as slices.

use std::sync::Arc;

use change::LogSlice;

use super::{Due, Reader};
use crate::capture::Rest;
use crate::error::{BinlogError, Place};

impl Reader {
    /// Whether there is anything to hand out.
    pub(crate) fn has_slice(&self) -> bool {
        self.fill.has_moved || self.fill.schema_change.is_some() || self.is_handing_out()
    }

    /// Whether a transaction has been handed out in part: the rest of it comes before anything is read.
    pub(crate) fn is_handing_out(&self) -> bool {
        self.capture.is_handing_out()
    }

    /// Goes on with what a slice closed in the middle of, before the next event is read.
    ///
    /// # Errors
    /// As [`Reader::event`].
    pub(crate) fn go_on(&mut self) -> Result<Due, BinlogError> {
        match self.suspended.take() {
            Some(suspended) => self.continue_payload(suspended),
            None => Ok(Due::NotYet),
        }
    }

    /// Hands out what is committed, or as much as a slice may hold of a large transaction.
    ///
    /// # Errors
    /// Where the rows of a table make no batch, or cannot be read back from disk.
    pub(crate) fn take_slice(&mut self) -> Result<LogSlice, BinlogError> {
        let place = Place { file: Arc::clone(&self.file), offset: self.boundary, event: None };
        let (images_max, bytes_max) = (self.options.slice_images_max, self.options.slice_bytes_max);
        let (batches, rest) = self.capture.take(images_max, bytes_max, &place)?;
        let mut fill = std::mem::take(&mut self.fill);
        let is_partial = rest == Rest::More;
        let end = match &self.before_parts {
            Some(before) if is_partial => before.clone(),
            _ => self.position(),
        };
        if is_partial {
            // What closed the slice stands behind the transaction.
            self.fill.schema_change = fill.schema_change.take();
            self.fill.commit_micros = fill.commit_micros;
            self.fill.has_moved = true;
        } else {
            self.before_parts = None;
        }
        Ok(LogSlice {
            definitions: if is_partial { None } else { self.history.take_changed() },
            batches,
            load: None,
            schema_change: fill.schema_change,
            end,
            resume: self.oldest_prepared(),
            is_partial,
            log_bytes: fill.log_bytes,
            commit_micros: fill.commit_micros,
        })
    }
}
