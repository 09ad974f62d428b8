//! `[[table]]`: what holds for some tables only.

use crate::manifest::keys;
use crate::manifest::section::{Patterns, Section};
use crate::manifest::{TableRule, WithoutKey};

pub(super) fn read(section: &Section<'_>) -> Option<TableRule> {
    keys::refuse_unknown("table", section.table, section.problems);
    if section.entry("match").is_none() {
        section.missing("match", "name the tables, such as match = \"shop.orders\"");
    }
    let patterns = section.patterns("match");
    if patterns.as_ref().is_some_and(|p| p.written.is_empty()) {
        section.refuse("match", "`match` names no table");
    }
    let id_columns = section
        .texts("id-columns")
        .map(|texts| texts.into_iter().map(|(text, _)| text.text.clone()).collect::<Vec<_>>());
    if id_columns.as_ref().is_some_and(Vec::is_empty) {
        section.refuse(
            "id-columns",
            "`id-columns` names no column: leave it out to take the source's key",
        );
    }
    let trust_ids = section.flag("trust-ids").unwrap_or(false);
    let choices = [("stop", WithoutKey::Stop), ("whole-row", WithoutKey::WholeRow)];
    let without_key = section.choice("without-key", &choices).unwrap_or_default();
    refuse_deletes(section);
    let Patterns { written, matcher } = patterns?;
    Some(TableRule { tables: matcher, tables_written: written, id_columns, trust_ids, without_key })
}

fn refuse_deletes(section: &Section<'_>) {
    let choices = [("remove", true), ("mark", false), ("ignore", false)];
    if section.choice("deletes", &choices) == Some(false) {
        let message =
            "only deletes = \"remove\" (the default) is built: a deleted row leaves the target";
        section.refuse("deletes", message);
    }
}
