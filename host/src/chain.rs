//! The chain that a manifest describes: its files read, its limits filled in, its mistakes shown where
//! the manifest has them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use change::{Diagnose, Fault};
use plugin::{
    Attachment, Chain, Engine, EngineOptions, Limits, LogLine, LogSink, PluginError, PluginSpec,
};
use tracing::info;

use crate::error::CommandError;
use crate::manifest::{Isolation, Manifest, ManifestError, PluginSettings, Problem};

/// Names the folder of compiled plugins; by default `sluice/plugins` in the user's cache folder.
const CACHE: &str = "SLUICE_CACHE";

/// A file of a plugin that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}`: cannot read {what} {}", path.display())]
pub struct PluginFileError {
    plugin: String,
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl PluginFileError {
    /// The plugin's name in the manifest.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.plugin
    }
}

impl Diagnose for PluginFileError {
    fn hint(&self) -> Option<String> {
        Some(match self.source.kind() {
            io::ErrorKind::NotFound => {
                "mend the path in the manifest (it is relative to the manifest's folder), or build \
                 the plugin first"
                    .to_owned()
            }
            _ => "check the path and its permissions".to_owned(),
        })
    }

    fn fault(&self) -> Fault {
        Fault::Usage
    }
}

/// Loads the chain of a manifest.
///
/// # Errors
/// Where a file cannot be read or a plugin cannot be loaded; mistakes in configurations are told at
/// their lines of the manifest.
pub fn load(manifest: &Manifest, engine: &Engine) -> Result<Chain, CommandError> {
    Chain::load(engine, specs(manifest)?).map_err(|error| explain(manifest, error))
}

/// A plugin's error for whoever wrote the manifest: mistakes in its configuration at their lines.
#[must_use]
pub fn explain(manifest: &Manifest, error: PluginError) -> CommandError {
    let places = error.config_problems().iter().filter_map(|problem| {
        let place = manifest.locate(&problem.plugin, &problem.path)?;
        let settings = manifest.plugins.iter().find(|plugin| *plugin.name == *problem.plugin)?;
        let told = settings.secrets.told(&problem.path, &problem.message);
        let message = format!("plugin `{}`: {told}", problem.plugin);
        Some(Problem { place, message })
    });
    let mut problems: Vec<_> = places.collect();
    problems.sort();
    if problems.is_empty() {
        return error.into();
    }
    ManifestError::Wrong { path: manifest.path().to_owned(), problems }.into()
}

/// The plugins of a manifest, in order, with the bytes of their files.
///
/// # Errors
/// Where a file cannot be read.
pub fn specs(manifest: &Manifest) -> Result<Vec<PluginSpec>, PluginFileError> {
    manifest.plugins.iter().map(spec).collect()
}

/// One plugin of a manifest, with the bytes of its files.
///
/// # Errors
/// Where a file cannot be read.
pub fn spec(settings: &PluginSettings) -> Result<PluginSpec, PluginFileError> {
    let files = settings.files.iter().map(|(name, path)| {
        Ok(Attachment { name: name.clone(), data: read(settings, "its file", path)? })
    });
    Ok(PluginSpec {
        name: settings.name.as_str().into(),
        component: read(settings, "its component", &settings.component)?,
        sha256: settings.sha256.clone(),
        tables: settings.tables.clone(),
        config: settings.config.clone(),
        files: files.collect::<Result<_, _>>()?,
        limits: limits(settings),
        isolation: match settings.isolation {
            Isolation::Instance => plugin::Isolation::Instance,
            Isolation::Batch => plugin::Isolation::Batch,
        },
    })
}

fn limits(settings: &PluginSettings) -> Limits {
    let default = Limits::default();
    let memory_bytes = settings.memory_bytes.and_then(|bytes| u64::try_from(bytes).ok());
    Limits {
        memory_bytes: memory_bytes.unwrap_or(default.memory_bytes),
        deadline: settings.deadline.unwrap_or(default.deadline),
        fuel_per_row: settings.fuel_per_row.unwrap_or(default.fuel_per_row),
        ..default
    }
}

fn read(
    settings: &PluginSettings,
    what: &'static str,
    path: &Path,
) -> Result<Vec<u8>, PluginFileError> {
    fs::read(path).map_err(|source| PluginFileError {
        plugin: settings.name.clone(),
        what,
        path: path.to_owned(),
        source,
    })
}

/// An engine that keeps compiled plugins in the user's cache folder, where there is one.
///
/// # Errors
/// As [`Engine::new`].
pub fn engine(logs: Option<LogSink>) -> Result<Engine, PluginError> {
    Engine::new(EngineOptions { cache: cache_folder(), logs, ..EngineOptions::default() })
}

/// Shows the log lines of plugins among those of Sluice; they may hold row values.
#[must_use]
pub fn log_to_tracing() -> LogSink {
    Arc::new(|line: LogLine| {
        let level = format!("{:?}", line.level).to_lowercase();
        info!(plugin = %line.plugin, level, "{}", line.message);
    })
}

/// `$SLUICE_CACHE`, else `sluice/plugins` below `$XDG_CACHE_HOME` or `~/.cache`.
fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|f| !f.is_empty()).map(PathBuf::from);
    folder(CACHE).or_else(|| {
        let user = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|h| h.join(".cache")))?;
        Some(user.join("sluice").join("plugins"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(plugin: &str) -> (tempfile::TempDir, Manifest) {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[pipeline]\nname = \"p\"\ncheckpoint = \"c\"\n[source]\nfiles = \"x\"\n\
             [sink]\npath = \"/lake/{{table}}\"\n[[plugin]]\nname = \"mask\"\n{plugin}\n"
        );
        let path = folder.path().join("sluice.toml");
        fs::write(&path, text).expect("written");
        let manifest = Manifest::load(&path).expect("the manifest is right");
        (folder, manifest)
    }

    #[test]
    fn a_missing_component_is_named_with_its_plugin() {
        let (_folder, manifest) = manifest("component = \"no/such.wasm\"");
        let error = specs(&manifest).expect_err("there is no such file");
        assert!(
            error.to_string().starts_with("plugin `mask`: cannot read its component"),
            "{error}"
        );
        assert!(error.hint().is_some_and(|hint| hint.contains("build the plugin first")));
        assert_eq!(error.fault(), Fault::Usage);
    }

    #[test]
    fn limits_that_the_manifest_leaves_out_are_the_defaults() {
        let (folder, manifest) = manifest("component = \"p.wasm\"\nmemory = \"1MiB\"\n");
        fs::write(folder.path().join("p.wasm"), b"bytes").expect("written");
        let specs = specs(&manifest).expect("the file is there");
        let limits = specs[0].limits;
        assert_eq!(limits, Limits { memory_bytes: 1 << 20, ..Limits::default() });
        assert_eq!(specs[0].component, b"bytes");
    }

    #[test]
    fn a_mistake_in_a_configuration_is_shown_at_its_line() {
        let config = "component = \"p.wasm\"\n[plugin.config]\ncolumns = [\"a\", \"b\"]\n";
        let (folder, manifest) = manifest(config);
        let problem = |path: &str, message: &str| plugin::ConfigProblem {
            plugin: "mask".into(),
            path: path.to_owned(),
            message: message.to_owned(),
        };
        let problems =
            vec![problem("/columns/1", "no such column"), problem("/salt", "is missing")];
        let error = explain(&manifest, PluginError::Config(problems));
        let folder = format!("{}/", folder.path().display());
        insta::assert_snapshot!(error.message().replace(&folder, ""), @r#"
            2 problems in sluice.toml
            sluice.toml:11:9: plugin `mask`: is missing
            sluice.toml:12:17: plugin `mask`: no such column
        "#);
    }
}
