//! Where the configuration of each plugin stands in the manifest, so that what a plugin refuses is shown
//! at its line.

use std::collections::HashMap;

use super::problem::Place;

/// Places of configuration values, by plugin and JSON pointer (RFC 6901).
#[derive(Clone, Debug, Default)]
pub(crate) struct Locations {
    config: HashMap<String, HashMap<String, Place>>,
    components: HashMap<String, Place>,
}

impl Locations {
    pub(crate) fn add(&mut self, plugin: &str, pointer: &str, place: Place) {
        self.config.entry(plugin.to_owned()).or_default().insert(pointer.to_owned(), place);
    }

    pub(crate) fn add_component(&mut self, plugin: &str, place: Place) {
        self.components.insert(plugin.to_owned(), place);
    }

    /// The place of a value, or of the nearest thing around it that the manifest has.
    pub(crate) fn config(&self, plugin: &str, pointer: &str) -> Option<Place> {
        let places = self.config.get(plugin)?;
        let mut pointer = pointer;
        loop {
            if let Some(place) = places.get(pointer) {
                return Some(*place);
            }
            pointer = pointer.rsplit_once('/').map(|(around, _)| around)?;
        }
    }

    /// The place of a plugin's `component`.
    pub(crate) fn component(&self, plugin: &str) -> Option<Place> {
        self.components.get(plugin).copied()
    }
}

/// The pointer of a member.
pub(crate) fn pointer_below(pointer: &str, member: &str) -> String {
    format!("{pointer}/{}", member.replace('~', "~0").replace('/', "~1"))
}
