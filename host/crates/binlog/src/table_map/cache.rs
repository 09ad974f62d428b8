//! One table map for equal events, and one schema for equal definitions, so that comparing pointers
//! tells whether anything changed.

use std::sync::{Arc, Weak};

use change::{TableName, TableSchema};
use hashbrown::HashMap;

use super::{MapRules, TableMap};
use crate::decode_error::DecodeError;
use crate::definition::History;
use crate::wire::Wire;

/// Table maps that are kept by their bytes. Servers with more tables than this in constant use only
/// lose the short cut.
const MAPS_MAX: usize = 8_192;
/// Where the table id ends and what describes the table begins (its flags come first).
const TABLE_ID_BYTES: usize = 6;

/// Table maps seen so far. Survives the end of a log file; table ids do not and are not kept here.
#[derive(Debug)]
pub(crate) struct SchemaCache {
    rules: MapRules,
    /// By all the bytes behind the table id: servers repeat them with every statement.
    maps: HashMap<Box<[u8]>, Arc<TableMap>>,
    /// What somebody still holds.
    schemas: HashMap<TableName, Vec<Weak<TableSchema>>>,
}

impl SchemaCache {
    pub(crate) fn new(rules: MapRules) -> Self {
        Self { rules, maps: HashMap::new(), schemas: HashMap::new() }
    }

    /// Changes how maps are read from now on (a format description tells the vendor).
    pub(crate) fn set_rules(&mut self, rules: MapRules) {
        if self.rules != rules {
            self.rules = rules;
            self.maps.clear();
        }
    }

    /// Forgets how tables are read: a definition has changed.
    pub(crate) fn forget(&mut self) {
        self.maps.clear();
    }

    /// [`TableMap::parse`], with one `Arc` for equal events and one schema for equal definitions.
    ///
    /// # Errors
    /// As [`TableMap::parse`].
    pub(crate) fn table_map(
        &mut self,
        body: &[u8],
        history: &History,
    ) -> Result<(u64, Arc<TableMap>), DecodeError> {
        let described = body.get(TABLE_ID_BYTES..).ok_or(DecodeError::End)?;
        if let Some(map) = self.maps.get(described) {
            let id = Wire::new(body).u48().map_err(|fault| DecodeError::wire(fault, 0))?;
            return Ok((id, Arc::clone(map)));
        }
        let (id, mut map) = TableMap::parse(body, self.rules, history)?;
        map.schema = self.interned(map.schema);
        let map = Arc::new(map);
        if self.maps.len() >= MAPS_MAX {
            self.maps.clear();
            self.schemas.retain(|_, known| known.iter().any(|s| s.strong_count() > 0));
        }
        self.maps.insert(described.into(), Arc::clone(&map));
        Ok((id, map))
    }

    fn interned(&mut self, schema: Arc<TableSchema>) -> Arc<TableSchema> {
        let known = self.schemas.entry(schema.name.clone()).or_default();
        if let Some(found) = known.iter().filter_map(Weak::upgrade).find(|s| *s == schema) {
            return found;
        }
        known.retain(|s| s.strong_count() > 0);
        known.push(Arc::downgrade(&schema));
        schema
    }
}
