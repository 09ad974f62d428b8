//! XA transactions: prepared in one transaction of the log, committed or rolled back in a later one.
//!
//! The rows of a prepared one are held until then, and come with the transaction that commits it. As long
//! as one is open whose rows may count, a reader that begins anew has to begin before it.

use change::Position;

use super::group::Outcome;
use super::{Due, Reader, malformed};
use crate::capture::Part;
use crate::error::BinlogError;
use crate::event::Event;
use crate::options::UnknownXa;
use crate::xa::{self, Prepared, XaStatement, Xid};

/// Transactions that may be prepared at once; servers allow far fewer.
const HELD_MAX: usize = 100_000;

/// A transaction that is prepared.
pub(super) struct Held {
    xid: Xid,
    /// The position before the transaction that prepared it.
    before: Position,
    /// Its rows; none of captured tables where it is empty.
    parts: Vec<Part>,
}

/// The prepared transactions of a reader, for another one that goes on where it stopped.
#[derive(Default)]
pub(crate) struct HeldTransactions(Vec<Held>);

impl Reader {
    /// Where to go on after a restart, where that is not the position behind the last transaction.
    pub(super) fn oldest_prepared(&self) -> Option<Position> {
        let oldest = self.held.iter().find(|held| !held.parts.is_empty());
        oldest.map(|held| held.before.clone())
    }

    /// Takes the prepared transactions out.
    pub(crate) fn take_held(&mut self) -> HeldTransactions {
        HeldTransactions(std::mem::take(&mut self.held))
    }

    /// Goes on with the prepared transactions of another reader that stopped where this one begins.
    pub(crate) fn give_held(&mut self, held: HeldTransactions) {
        self.held = held.0;
    }

    /// An XA_PREPARE event.
    pub(super) fn xa_prepare(&mut self, event: &Event<'_>) -> Result<Due, BinlogError> {
        let prepared = xa::prepared(event.body);
        match prepared.map_err(|what| malformed(&self.file, event, what))? {
            Prepared::OnePhase => self.finish(event, Outcome::Committed),
            Prepared::Open(xid) => self.hold(event, xid),
        }
    }

    /// An XA statement.
    pub(super) fn xa_statement(
        &mut self,
        event: &Event<'_>,
        text: &str,
    ) -> Result<Due, BinlogError> {
        let Some(statement) = xa::statement(text) else {
            return Err(malformed(&self.file, event, "an XA statement that no server logs"));
        };
        match statement {
            XaStatement::Start => self.begin(event).map(|()| Due::NotYet),
            XaStatement::End => Ok(Due::NotYet),
            XaStatement::Prepare(xid) => self.hold(event, xid),
            XaStatement::CommitOnePhase => self.finish(event, Outcome::Committed),
            XaStatement::Commit(xid) => {
                self.group_of(event);
                self.release(event, &xid)?;
                self.finish(event, Outcome::Committed)
            }
            XaStatement::Rollback(xid) => {
                self.group_of(event);
                if let Some(held) = self.held_as(&xid) {
                    self.capture.unhold(held.parts);
                }
                self.finish(event, Outcome::RolledBack)
            }
        }
    }

    /// The transaction is prepared.
    fn hold(&mut self, event: &Event<'_>, xid: Xid) -> Result<Due, BinlogError> {
        if self.held.len() >= HELD_MAX || self.held.iter().any(|held| held.xid == xid) {
            let what = "an XA transaction that is prepared twice, or one of more than 100,000";
            return Err(malformed(&self.file, event, what));
        }
        let (before, place) = (self.position(), self.place(event));
        let parts = self.capture.hold(&place)?;
        self.held.push(Held { xid, before, parts });
        // Nothing of it counts here.
        self.finish(event, Outcome::RolledBack)
    }

    /// The rows of a prepared transaction are those of the open one.
    fn release(&mut self, event: &Event<'_>, xid: &Xid) -> Result<(), BinlogError> {
        if self.capture.has_pending() {
            let what = "rows in the transaction that commits another one";
            return Err(malformed(&self.file, event, what));
        }
        match (self.held_as(xid), self.options.unknown_xa) {
            (Some(mut held), _) => {
                held.parts.iter_mut().for_each(|part| part.place_at(event.offset));
                self.capture.unhold(held.parts);
                Ok(())
            }
            (None, UnknownXa::Pass) => Ok(()),
            (None, UnknownXa::Refuse) => Err(BinlogError::UnknownXa { place: self.place(event) }),
        }
    }

    fn held_as(&mut self, xid: &Xid) -> Option<Held> {
        let at = self.held.iter().position(|held| held.xid == *xid)?;
        Some(self.held.remove(at))
    }
}
