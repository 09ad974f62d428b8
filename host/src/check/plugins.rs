//! Whether each plugin loads, fits the interface and takes its configuration.

use plugin::{Chain, Engine, Limits};

use super::Finding;
use crate::chain;
use crate::error::CommandError;
use crate::manifest::{Isolation, Manifest, OnRowError, PluginSettings};

/// Findings for every plugin, and the chain where all of them are well.
pub(super) fn check(
    manifest: &Manifest,
    findings: &mut Vec<Finding>,
) -> Result<Option<Chain>, CommandError> {
    let engine = chain::engine(None)?;
    let mut all_well = true;
    for settings in &manifest.plugins {
        let subject = format!("plugin {}", settings.name);
        match load(manifest, settings, &engine) {
            Ok(message) => findings.push(Finding::ok(subject, message)),
            Err(error) => {
                all_well = false;
                findings.push(Finding::error(subject, error));
            }
        }
    }
    if !all_well {
        return Ok(None);
    }
    match chain::load(manifest, &engine) {
        Ok(chain) => Ok(Some(chain)),
        Err(error) => {
            findings.push(Finding::error("chain", error));
            Ok(None)
        }
    }
}

/// Loads one plugin by itself, so that each tells its own mistakes.
fn load(
    manifest: &Manifest,
    settings: &PluginSettings,
    engine: &Engine,
) -> Result<String, CommandError> {
    let spec = chain::spec(settings)?;
    let limits = spec.limits;
    let description = plugin::describe(engine, &spec.component)?;
    Chain::load(engine, vec![spec]).map_err(|error| chain::explain(manifest, error))?;
    let digest: String = description.sha256.chars().take(12).collect();
    Ok(format!(
        "{} {}, sha256 {digest}, {}",
        description.name,
        description.version,
        limited(settings, &limits)
    ))
}

fn limited(settings: &PluginSettings, limits: &Limits) -> String {
    let isolation = match settings.isolation {
        Isolation::Instance => "instance",
        Isolation::Batch => "batch",
    };
    let on_row_error = match settings.on_row_error {
        OnRowError::Stop => "stop",
        OnRowError::DeadLetter => "dead-letter",
    };
    format!(
        "memory {} MiB, deadline {} ms, isolation {isolation}, on-row-error {on_row_error}",
        limits.memory_bytes >> 20,
        limits.deadline.as_millis()
    )
}
