//! Row images that lack columns (`binlog_row_image` other than FULL), and images whose JSON documents
//! are changes of those before them (`binlog_row_value_options = PARTIAL_JSON`).
//!
//! What an image after an update lacks did not change: it is taken from the image before, where that one
//! has it. What no image has is not told, which is not NULL.

use super::shape::Shape;
use super::{CellFault, Images, RowsEvent, bit_lsb};
use crate::decode_error::ValueFault;
use crate::row_buffer::{ColumnBuffer, DefaultValue, read_length};
use crate::table_map::Prefix;
use crate::wire::Wire;

/// The only option of row values there is: JSON documents may be changes.
const PARTIAL_JSON: u64 = 1;

/// Reads the images of one event.
pub(super) struct PartialImages<'a, 's> {
    event: RowsEvent,
    first: &'s Shape,
    second: &'s Shape,
    defaults: &'s [Option<DefaultValue>],
    /// The documents of the last image before an update, one for each JSON column; none where the image
    /// has none or NULL.
    documents: Vec<Option<&'a [u8]>>,
}

/// What an image takes from elsewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Nothing.
    Alone,
    /// The defaults of columns.
    Insert,
    /// What the image before it has.
    After,
}

/// What the values of JSON columns are.
#[derive(Clone, Copy)]
enum Documents<'a> {
    /// Documents.
    Whole,
    /// Documents that the image behind may change.
    Remembered,
    /// Documents or, where the bit of the column says so, changes of the document before.
    Changed(&'a [u8]),
}

impl Documents<'_> {
    fn is_changed(self, json: usize) -> bool {
        matches!(self, Self::Changed(bits) if bit_lsb(bits, json))
    }
}

impl<'a, 's> PartialImages<'a, 's> {
    pub(super) fn new(
        event: RowsEvent,
        (first, second): (&'s Shape, &'s Shape),
        defaults: &'s [Option<DefaultValue>],
    ) -> Self {
        Self { event, first, second, defaults, documents: Vec::new() }
    }

    /// Reads the image or images of one row change.
    pub(super) fn read_change(&mut self, images: &mut Images<'a, '_>) -> Result<(), CellFault> {
        match self.event {
            RowsEvent::Write => self.read(images, self.first, Role::Insert, Documents::Whole),
            RowsEvent::Delete => self.read(images, self.first, Role::Alone, Documents::Whole),
            RowsEvent::Update => {
                self.read(images, self.first, Role::Alone, Documents::Whole)?;
                self.read(images, self.second, Role::After, Documents::Whole)
            }
            RowsEvent::PartialUpdate => {
                self.documents.clear();
                self.read(images, self.first, Role::Alone, Documents::Remembered)?;
                let changed = self.changed_documents(images).map_err(in_front)?;
                self.read(images, self.second, Role::After, Documents::Changed(changed))
            }
        }
    }

    fn read(
        &mut self,
        images: &mut Images<'a, '_>,
        shape: &Shape,
        role: Role,
        documents: Documents<'a>,
    ) -> Result<(), CellFault> {
        let row = images.row;
        let count = shape.count(images.columns.len());
        let nulls = images.wire.take(count.div_ceil(8)).map_err(|fault| in_front(fault.into()))?;
        let (mut ordinal, mut json) = (0, 0);
        for (column, buffer) in images.columns.iter_mut().enumerate() {
            let (is_present, prefix) = (shape.has(column), buffer.json_prefix());
            let has_value = is_present && !bit_lsb(nulls, ordinal);
            let read = match (prefix, documents) {
                (Some(prefix), Documents::Remembered) => {
                    self.remember(&images.wire, prefix, has_value)
                }
                _ => Ok(()),
            };
            let is_changed = prefix.is_some() && documents.is_changed(json);
            let read = read.and_then(|()| {
                if !is_present {
                    self.complete(buffer, column, row, role)
                } else if !has_value {
                    buffer.push_null(row)
                } else if is_changed {
                    match self.documents.get(json).copied().flatten() {
                        None if !self.first.has(column) => {
                            read_patch(buffer, &mut images.wire, row)
                        }
                        document => read_changes(buffer, &mut images.wire, document),
                    }
                } else {
                    buffer.read(&mut images.wire, row)
                }
            });
            read.map_err(|fault| CellFault { column, fault })?;
            ordinal += usize::from(is_present);
            json += usize::from(prefix.is_some());
        }
        images.row += 1;
        Ok(())
    }

    /// Keeps the document that comes next.
    fn remember(
        &mut self,
        wire: &Wire<'a>,
        prefix: Prefix,
        has_value: bool,
    ) -> Result<(), ValueFault> {
        let mut wire = wire.clone();
        let document = if has_value {
            let length = read_length(&mut wire, prefix)?;
            Some(wire.take(length)?)
        } else {
            None
        };
        self.documents.push(document);
        Ok(())
    }

    /// A column that the image lacks.
    fn complete(
        &self,
        buffer: &mut ColumnBuffer,
        column: usize,
        row: usize,
        role: Role,
    ) -> Result<(), ValueFault> {
        match role {
            Role::After if self.first.has(column) => buffer.push_same(row),
            Role::Insert => match self.defaults.get(column).and_then(Option::as_ref) {
                Some(value) => buffer.push_default(value, row),
                None => buffer.push_absent(row),
            },
            Role::After | Role::Alone => buffer.push_absent(row),
        }
    }

    /// What stands in front of an image after a partial update: options, then a bit for each JSON column
    /// of the table.
    fn changed_documents(&self, images: &mut Images<'a, '_>) -> Result<&'a [u8], ValueFault> {
        let options = images.wire.lenenc()?;
        match options {
            0 => Ok(&[]),
            PARTIAL_JSON => Ok(images.wire.take(self.documents.len().div_ceil(8))?),
            _ => Err(ValueFault::JsonDiff),
        }
    }
}

/// A fault in front of an image's first value.
fn in_front(fault: ValueFault) -> CellFault {
    CellFault { column: 0, fault }
}

/// A list of changes behind its length, of a document that no image has.
fn read_patch(
    buffer: &mut ColumnBuffer,
    wire: &mut Wire<'_>,
    row: usize,
) -> Result<(), ValueFault> {
    let length = read_length(wire, 4)?;
    buffer.push_patch(wire.take(length)?, row)
}

/// A list of changes behind its length, applied to the document before.
fn read_changes(
    buffer: &mut ColumnBuffer,
    wire: &mut Wire<'_>,
    document: Option<&[u8]>,
) -> Result<(), ValueFault> {
    let length = read_length(wire, 4)?;
    let diffs = wire.take(length)?;
    buffer.push_changed(document.ok_or(ValueFault::NoDocument)?, diffs)
}
