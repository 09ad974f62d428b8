//! What a chain of plugins made of a batch.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;

use crate::batch::{BatchError, Images, check_lengths};
use crate::column::Column;
use crate::presence::Presence;
use crate::route::Route;
use crate::schema::{TableName, TableSchema};

/// Why the id columns of an output identify a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyProof {
    /// They contain a non-null unique key of the source, passed through unchanged.
    Source,
    /// The manifest says so (`trust-ids = true`).
    Trusted,
    /// Nothing but the whole row does: the target is a multiset, in which equal rows are counted. The
    /// id columns are all columns.
    WholeRow,
}

/// The columns that a chain gives to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSchema {
    /// The source table.
    pub source: TableName,
    /// The output columns, in order.
    pub columns: Vec<Column>,
    /// The columns that identify a row in the target: indexes into `columns`.
    pub id_columns: Vec<usize>,
    /// Why they do.
    pub key_proof: KeyProof,
}

/// Where the images of a batch go.
#[derive(Clone, Debug)]
pub enum Routing {
    /// All to one target.
    Whole(Arc<Route>),
    /// Each its own way.
    PerImage {
        /// The different routes.
        routes: Vec<Arc<Route>>,
        /// For each image an index into `routes`.
        images: Vec<u32>,
    },
}

/// An image that a plugin cannot transform. It counts as not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The image, as an index into the batch.
    pub image: u32,
    /// The plugin's name in the manifest.
    pub plugin: Arc<str>,
    /// A constant: goes to logs, metrics and exit messages.
    pub code: String,
    /// For a person; may name values, so only for dead letters and `sluice test`.
    pub detail: String,
}

/// A batch as it left the chain. Images are those of the batch that entered it, one to one.
#[derive(Clone, Debug)]
pub struct Transformed {
    /// The table as it entered the chain.
    pub source: Arc<TableSchema>,
    /// Kind and origin of every image.
    pub images: Arc<Images>,
    /// What the columns are.
    pub schema: Arc<OutputSchema>,
    /// The output columns over ALL images; slots of images that are not kept may hold anything.
    pub columns: Vec<ArrayRef>,
    /// Which values of `columns` are known; one that is not is that of the target's row.
    pub presence: Presence,
    /// 1 = kept; none = all.
    pub keep: Option<BooleanBuffer>,
    /// Where each image goes.
    pub routing: Routing,
    /// Ascending by image, each once; never kept.
    pub rejected: Vec<Rejected>,
}

impl Transformed {
    /// Whether the parts fit together; a chain calls it before it hands the batch on.
    ///
    /// # Errors
    /// Names the part that does not fit.
    pub fn check(&self) -> Result<(), BatchError> {
        let (found, expected) = (self.columns.len(), self.schema.columns.len());
        if found != expected {
            return Err(BatchError::Width { found, expected });
        }
        let images = self.images.len();
        check_lengths(&self.columns, images)?;
        self.presence.check(self.columns.len(), images)?;
        if self.keep.as_ref().is_some_and(|k| k.len() != images) {
            return Err(BatchError::Images("the keep bitmap has another length"));
        }
        if let Routing::PerImage { routes, images: routed } = &self.routing {
            let known = routed.iter().all(|r| (*r as usize) < routes.len());
            if routed.len() != images || !known {
                return Err(BatchError::Images("the routes do not fit the images"));
            }
        }
        Ok(())
    }

    /// Whether an image is kept.
    #[must_use]
    pub fn is_kept(&self, image: usize) -> bool {
        self.keep.as_ref().is_none_or(|k| image < k.len() && k.value(image))
    }
}
