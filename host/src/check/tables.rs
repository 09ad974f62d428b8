//! What the chain makes of every table, and whether its target can be told.

use std::collections::BTreeMap;
use std::sync::Arc;

use change::{KeyProof, TableSchema};
use plugin::{Chain, TablePlan};

use super::Finding;
use super::source::Found;
use crate::chain;
use crate::manifest::Manifest;
use crate::pipeline::transform_step::settings_of;

pub(super) fn check(
    manifest: &Manifest,
    mut chain: Chain,
    found: &Found,
    findings: &mut Vec<Finding>,
) {
    let schemas = &found.schemas;
    let mut by_target: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for schema in schemas {
        let subject = format!("table {}", schema.name);
        let settings = settings_of(&manifest.tables, &schema.name);
        match chain.plan(schema, &settings) {
            Ok(Some(plan)) => {
                let (finding, target) = planned(manifest, subject, &plan);
                // Rows without a key need not be told apart.
                let counted = plan.schema().key_proof == KeyProof::WholeRow;
                let target = target.filter(|_| !counted);
                findings.push(finding);
                let tables = target.map(|target| by_target.entry(target).or_default());
                let name = schema.name.to_string();
                if let Some(tables) = tables.filter(|tables| !tables.contains(&name)) {
                    tables.push(name);
                }
            }
            Ok(None) => findings.push(Finding::ok(subject, "left out by a plugin")),
            Err(error) => {
                findings.push(Finding::error(subject, chain::explain(manifest, error)));
            }
        }
    }
    for (target, tables) in by_target.iter().filter(|(_, tables)| tables.len() > 1) {
        findings.push(Finding::warning(
            format!("target {target}"),
            format!("{} write to it", tables.join(", ")),
            "see that the id columns have one that is constant for each source table; a row that \
             two tables claim stops the pipeline",
        ));
    }
    if found.is_whole {
        unmatched_rules(manifest, schemas, findings);
    }
}

/// A finding for a table, and its target where every row goes to the same.
fn planned(manifest: &Manifest, subject: String, plan: &TablePlan) -> (Finding, Option<String>) {
    let output = plan.schema();
    let ids = output.id_columns.iter().filter_map(|id| output.columns.get(*id));
    let ids = ids.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
    let ids = match output.key_proof {
        KeyProof::Source => format!("id columns {ids} (unique at the source)"),
        KeyProof::Trusted => format!("id columns {ids} (trusted to be unique)"),
        KeyProof::WholeRow => "whole-row: no key, equal rows are counted".to_owned(),
    };
    let decided =
        plan.decisions().iter().map(|(plugin, decision)| format!("; {plugin}: {decision}"));
    let decided = decided.collect::<String>();
    let columns = output.columns.len();
    match manifest.sink.path.render(plan.base_route()) {
        Ok(target) => {
            let message = format!("to {target}, {columns} columns, {ids}{decided}");
            (Finding::ok(subject, message), Some(target.to_string()))
        }
        Err(error) => {
            let message = format!("{error}; {ids}{decided}");
            let remedy = "see that a plugin routes every row of this table, or take the placeholder \
                          out of the path";
            (Finding::warning(subject, message, remedy), None)
        }
    }
}

/// Rules and plugins that no table of the log meets: mostly a slip of the pen.
fn unmatched_rules(manifest: &Manifest, schemas: &[Arc<TableSchema>], findings: &mut Vec<Finding>) {
    if schemas.is_empty() {
        return;
    }
    let rules = manifest
        .tables
        .iter()
        .map(|rule| ("[[table]]".to_owned(), &rule.tables, &rule.tables_written));
    let plugins = manifest
        .plugins
        .iter()
        .map(|p| (format!("plugin {}", p.name), &p.tables, &p.tables_written));
    for (subject, patterns, written) in rules.chain(plugins) {
        if !schemas.iter().any(|schema| patterns.matches(&schema.name)) {
            let message = format!("no table matches {}", written.join(", "));
            let remedy = "mend the pattern, unless such a table is still to come";
            findings.push(Finding::warning(subject, message, remedy));
        }
    }
}
