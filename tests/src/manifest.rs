//! Manifests for tests, and the folder that a pipeline of a test lives in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::checkout;
use crate::host::{self, Call};
use crate::servers::Address;

/// A pipeline of a test: its folder with manifest, checkpoint and lake, removed at the end.
#[derive(Debug)]
pub struct Pipeline {
    folder: TempDir,
    text: String,
}

impl Pipeline {
    /// A pipeline without source and plugins, with a lake of `{db}/{table}`.
    ///
    /// # Panics
    /// Where no folder can be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("sluice-test-").tempdir().expect("a folder");
        let text = format!(
            "[pipeline]\nname = \"{name}\"\ncheckpoint = \"checkpoint\"\ntrigger = \"200ms\"\n"
        );
        Self { folder, text }
    }

    /// Reads from a server, from its present end on.
    #[must_use]
    pub fn from_server(
        self,
        address: &Address,
        server_id: u32,
        start: &(String, u64),
        tables: &str,
    ) -> Self {
        let Address { host, port, user, password } = address;
        let (file, offset) = start;
        let password = match password.as_str() {
            "" => String::new(),
            some => format!("password = \"{some}\"\n"),
        };
        self.with(&format!(
            "[source]\nhost = \"{host}\"\nport = {port}\nuser = \"{user}\"\n{password}\
             server-id = {server_id}\nstart = {{ file = \"{file}\", offset = {offset} }}\n\
             tables = [\"{tables}\"]\nsnapshot = \"never\"\n"
        ))
    }

    /// Begins at the end of the server's log instead of a place in it.
    #[must_use]
    pub fn latest(self) -> Self {
        self.starting("\"latest\"")
    }

    /// Begins elsewhere than at a place in the server's log; `start` is TOML.
    #[must_use]
    pub fn starting(mut self, start: &str) -> Self {
        let start = format!("start = {start}");
        let lines = self.text.lines();
        let lines = lines.map(|l| if l.starts_with("start = ") { start.as_str() } else { l });
        self.text = lines.collect::<Vec<_>>().join("\n");
        self
    }

    /// Reads recorded files, given as a pattern.
    #[must_use]
    pub fn from_files(self, pattern: &Path) -> Self {
        let pattern = pattern.display();
        self.with(&format!("[source]\nfiles = [\"{pattern}\"]\n"))
    }

    /// Adds a plugin of `target/plugins` for some tables; `config` is TOML.
    #[must_use]
    pub fn plugin(self, name: &str, component: &str, tables: &str, config: &str) -> Self {
        self.component(name, &checkout::plugin(component), tables, config)
    }

    /// Adds a plugin from anywhere.
    #[must_use]
    pub fn component(self, name: &str, component: &Path, tables: &str, config: &str) -> Self {
        let component = component.display();
        self.with(&format!(
            "[[plugin]]\nname = \"{name}\"\ncomponent = \"{component}\"\ntables = [\"{tables}\"]\n[plugin.config]\n{config}\n"
        ))
    }

    /// Adds lines as they are.
    ///
    /// # Panics
    /// Never: writing to a string does not fail.
    #[must_use]
    pub fn with(mut self, lines: &str) -> Self {
        writeln!(self.text, "\n{}", lines.trim_end()).expect("a string takes text");
        self
    }

    /// Ends the manifest with the usual sink and writes it.
    #[must_use]
    pub fn written(self) -> Self {
        let sink = "[sink]\npath = \"lake/{db}/{table}\"\n";
        self.with(sink).written_as_it_is()
    }

    /// Writes the manifest.
    ///
    /// # Panics
    /// Where the folder takes no file.
    #[must_use]
    pub fn written_as_it_is(self) -> Self {
        std::fs::write(self.manifest(), &self.text).expect("the manifest can be written");
        self
    }

    /// The folder of it all.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder where it is, for a look at what went wrong.
    pub fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder().to_owned()
    }

    /// The manifest's file.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.folder().join("sluice.toml")
    }

    /// The folder that holds the tables.
    #[must_use]
    pub fn lake(&self) -> PathBuf {
        self.folder().join("lake")
    }

    /// `sluice COMMAND MANIFEST`, within the pipeline's folder.
    #[must_use]
    pub fn call(&self, command: &str) -> Call {
        host::sluice([command, "sluice.toml"]).within(self.folder())
    }

    /// `sluice run MANIFEST --until-end`.
    #[must_use]
    pub fn until_end(&self) -> Call {
        host::sluice(["run", "sluice.toml", "--until-end"]).within(self.folder())
    }
}
