//! What ends a command: any error that knows its fault, and how it reads on a terminal.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use change::{Diagnose, Fault};

/// The error that ended a command, whatever stage it came from.
pub struct CommandError(Box<dyn Diagnose + Send + Sync>);

impl<E: Diagnose + Send + Sync + 'static> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl CommandError {
    /// Where the fault lies.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.0.fault()
    }

    /// What is wrong, in the words of the error alone.
    #[must_use]
    pub fn message(&self) -> String {
        self.0.to_string()
    }

    /// What is wrong and why, on one line: the error, then each cause that tells something new.
    #[must_use]
    pub fn message_with_causes(&self) -> String {
        let causes = self.causes();
        std::iter::once(self.message()).chain(causes).collect::<Vec<_>>().join(": ")
    }

    /// The causes that tell what the errors above them have not told.
    fn causes(&self) -> Vec<String> {
        let mut told = self.0.to_string();
        let mut causes = Vec::new();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !told.contains(&message) {
                causes.push(message.clone());
            }
            told = message;
            cause = error.source();
        }
        causes
    }

    /// The step that mends it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.0.hint()
    }

    /// `error: …`, then `caused by: …` for every cause that tells something new, then `help: …`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("error: {}\n", self.0);
        for cause in self.causes() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "caused by: {cause}");
        }
        if let Some(hint) = self.0.hint() {
            let _ = writeln!(text, "help: {hint}");
        }
        text
    }

    /// Whether nobody reads the output any more (`sluice inspect … | head`): no reason to complain.
    #[must_use]
    pub fn is_closed_output(&self) -> bool {
        let error: &(dyn Error + 'static) = &*self.0;
        matches!(
            error.downcast_ref::<HostError>(),
            Some(HostError::Output(source)) if source.kind() == std::io::ErrorKind::BrokenPipe
        )
    }
}

/// What can go wrong in a command itself.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
    /// A file or folder cannot be used.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was tried, such as "read".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The machine does not give what a command needs.
    #[error("cannot start {what}")]
    Start {
        /// What could not be started.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An argument or a file of a test case is wrong.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// The step that mends it.
        hint: String,
    },
}

impl Diagnose for HostError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File { .. } => Some("check the path and its permissions".to_owned()),
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::Output(_) | Self::Start { .. } => None,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Output(_) => Fault::Run,
            Self::File { .. } | Self::Start { .. } => Fault::Environment,
            Self::Usage { .. } => Fault::Usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the lake: {source}")]
    struct Outer {
        source: std::io::Error,
    }

    impl Diagnose for Outer {
        fn hint(&self) -> Option<String> {
            Some("make room".to_owned())
        }
    }

    #[test]
    fn an_error_reads_as_message_causes_and_help() {
        let file = HostError::File {
            doing: "read",
            path: "a.binlog".into(),
            source: std::io::Error::other("no such file"),
        };
        insta::assert_snapshot!(CommandError::from(file).render(), @r#"
            error: cannot read a.binlog
            caused by: no such file
            help: check the path and its permissions
        "#);
    }

    #[test]
    fn a_cause_that_the_message_has_told_is_not_told_again() {
        let outer = Outer { source: std::io::Error::other("disk full") };
        insta::assert_snapshot!(CommandError::from(outer).render(), @r#"
            error: cannot open the lake: disk full
            help: make room
        "#);
    }

    #[test]
    fn a_reader_that_went_away_is_no_complaint() {
        let closed = |kind| CommandError::from(HostError::Output(std::io::Error::from(kind)));
        assert!(closed(std::io::ErrorKind::BrokenPipe).is_closed_output());
        assert!(!closed(std::io::ErrorKind::StorageFull).is_closed_output());
    }
}
