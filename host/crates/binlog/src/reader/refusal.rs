//! What is not read, each kind with its own name and the step that mends it.

use crate::error::{BinlogError, Place};
use crate::event::{Event, EventKind};

/// The error for an event that is not read; none where its header allows to skip it.
pub(super) fn of(event: &Event<'_>, place: Place) -> Result<(), BinlogError> {
    use EventKind as Kind;
    let kind = event.header.kind;
    let (what, remedy) = match kind {
        Kind::INTVAR
        | Kind::RAND
        | Kind::USER_VAR
        | Kind::LOAD
        | Kind::CREATE_FILE
        | Kind::APPEND_BLOCK
        | Kind::EXEC_LOAD
        | Kind::DELETE_FILE
        | Kind::NEW_LOAD
        | Kind::BEGIN_LOAD_QUERY
        | Kind::EXECUTE_LOAD_QUERY => {
            let statement =
                if kind.0 <= Kind::INTVAR.0 || matches!(kind, Kind::RAND | Kind::USER_VAR) {
                    "DML"
                } else {
                    "LOAD DATA"
                };
            return Err(BinlogError::StatementFormat { place, statement });
        }
        Kind::START_ENCRYPTION => return Err(BinlogError::Encrypted { place }),
        Kind::INCIDENT => (
            "the server reports that its log lacks events",
            "rebuild the tables from a start behind this position",
        ),
        _ if event.header.is_ignorable() => return Ok(()),
        _ => (
            "an event of a kind that is not known and may not be skipped",
            "use a newer release, or report the server's version and this message",
        ),
    };
    Err(BinlogError::Unsupported { place, what, remedy })
}

pub(super) fn out_of_order(place: Place) -> BinlogError {
    BinlogError::Unsupported {
        place,
        what: "a GTID whose sequence is not past that of the one before it in its domain, so that no \
               position could tell which of the two was read",
        remedy: "set gtid_strict_mode = ON on the server, which refuses such transactions, and start \
                 behind this position with the tables rebuilt",
    }
}

pub(super) fn definition_within(place: Place) -> BinlogError {
    BinlogError::Unsupported {
        place,
        what: "a definition that changes in the middle of a transaction, behind rows of captured tables",
        remedy: "start behind this transaction with the tables rebuilt",
    }
}
