//! Definitions of tables that an operator names in a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use change::definition::{Known, TableDefinition, same_name};
use change::{Definitions, Diagnose, Fault, TableName};

/// Bytes of a file: a hundred thousand tables fit; what is larger holds rows.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Why a file gives no definitions.
#[derive(Debug, thiserror::Error)]
pub enum GivenFileError {
    /// It cannot be read.
    #[error("cannot read the definitions {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be understood.
    #[error("the definitions {} cannot be used", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: binlog::definition::GivenError,
    },
    /// It tells another definition of a table than earlier runs kept for the place where this one begins.
    #[error("the definitions {} tell another one of {table} than earlier runs kept", path.display())]
    Contradicts {
        /// The file.
        path: PathBuf,
        /// The table.
        table: TableName,
    },
}

impl Diagnose for GivenFileError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => {
                Some("name a file with CREATE TABLE statements (`mysqldump --no-data`)".to_owned())
            }
            Self::Text { source, .. } => source.hint(),
            Self::Contradicts { .. } => Some(
                "leave the table out of the file: what was kept holds where the run begins"
                    .to_owned(),
            ),
        }
    }

    fn fault(&self) -> Fault {
        Fault::Usage
    }
}

/// Reads a file of CREATE TABLE statements.
///
/// # Errors
/// Where it is not there, is too large, or holds a definition that cannot be read.
pub fn definitions(path: &Path) -> Result<Definitions, GivenFileError> {
    let io = |source| GivenFileError::Io { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(io)?.len() > FILE_BYTES_MAX {
        return Err(io(io::Error::other("it is larger than 256 MiB: leave the rows out")));
    }
    let text = std::fs::read_to_string(path).map_err(io)?;
    let wrong = |source| GivenFileError::Text { path: path.to_owned(), source };
    binlog::definition::parse(&text).map_err(wrong)
}

/// Reads such a file for a place where earlier runs `kept` definitions: it tells what they do not know.
///
/// # Errors
/// As [`definitions`], and where it tells another definition of a table that is known.
pub fn beside(path: &Path, kept: &Definitions) -> Result<Definitions, GivenFileError> {
    let given = definitions(path)?;
    let mut all = kept.clone();
    for (table, told) in given.tables.iter() {
        match (kept.get(table), told) {
            (None, _) => {
                Arc::make_mut(&mut all.tables).insert(table.clone(), told.clone());
            }
            (Some(known), Known::Defined(told)) if !reads_alike(known, told) => {
                let (path, table) = (path.to_owned(), table.clone());
                return Err(GivenFileError::Contradicts { path, table });
            }
            (Some(_), _) => {}
        }
    }
    for (name, told) in given.databases {
        all.databases.entry(name).or_insert(told);
    }
    Ok(all)
}

/// Whether rows are read alike by two definitions; the words may differ in what is left unsaid.
fn reads_alike(known: &TableDefinition, told: &TableDefinition) -> bool {
    let mut columns = known.columns.iter().zip(&told.columns);
    known.columns.len() == told.columns.len()
        && columns.all(|(known, told)| {
            let is_same_type = known.declared.to_string() == told.declared.to_string();
            is_same_type && same_name(&known.name, &told.name)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_tells_what_is_not_known_and_contradicts_nothing_that_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("given.sql");
        let beside = |kept: &Definitions, text: &str| {
            std::fs::write(&path, text).expect("written");
            beside(&path, kept)
        };
        let known = "CREATE TABLE d.t (a int, b text);";
        let lost = (TableName::new("d", "lost"), Known::Lost("why".to_owned()));
        let mut kept = binlog::definition::parse(known).expect("a definition");
        Arc::make_mut(&mut kept.tables).extend([lost]);
        let more = "CREATE TABLE d.lost (c int); CREATE TABLE d.new (e int);";
        let all = beside(&kept, &format!("{known}{more}")).expect("fits");
        let names: Vec<_> = all.tables.keys().filter(|name| all.get(name).is_some()).collect();
        assert_eq!(
            names,
            ["lost", "new", "t"].map(|t| TableName::new("d", t)).iter().collect::<Vec<_>>()
        );
        assert_eq!(all.get(&TableName::new("d", "t")), kept.get(&TableName::new("d", "t")));
        for other in ["(b text, a int)", "(a int)", "(a bigint, b text)"] {
            let error =
                beside(&kept, &format!("CREATE TABLE d.t {other};{more}")).expect_err("differs");
            assert!(matches!(error, GivenFileError::Contradicts { .. }), "{other}");
        }
    }
}
