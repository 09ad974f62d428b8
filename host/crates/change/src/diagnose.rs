//! What an error tells besides its text: whether trying again may help, whose fault it is, and the
//! one step that mends it.

/// The one way to make tables anew, for the hints of all crates.
pub const REBUILD: &str = "rebuild the tables (docs/guide/rebuild.md): move all tables of the pipeline away, \
     remove checkpoint.json from its checkpoint folder, and start again from before their first row";

/// Whether the same call may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// At once: the state that it ran into has been reloaded.
    Now,
    /// After a pause: a server or a store was out of reach.
    Backoff,
    /// No: something has to change first.
    Never,
}

/// Where the fault lies; decides the exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something failed at run time (exit code 1).
    Run,
    /// The manifest or an argument is wrong (exit code 2).
    Usage,
    /// The environment is not fit: server settings, grants, storage (exit code 3).
    Environment,
}

/// Implemented by the error type of every crate.
///
/// The text of the error (its `Display`) names the object and the position, in lower case, without a
/// full stop and without row values.
pub trait Diagnose: std::error::Error {
    /// One imperative sentence that mends it, where there is one.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Whether the same call may succeed later.
    fn retry(&self) -> Retry {
        Retry::Never
    }

    /// Where the fault lies.
    fn fault(&self) -> Fault {
        Fault::Run
    }
}
