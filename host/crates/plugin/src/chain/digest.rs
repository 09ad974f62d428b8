//! What an answer of a chain depends on, as one number: when it changes, the chain has changed.

use sha2::{Digest, Sha256};

use crate::chain::PluginSpec;
use crate::component::TRANSFORM;
use crate::instance::Prepared;
use crate::limits::Isolation;

/// Every part is preceded by its length, so that no two chains give the same bytes.
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn add_number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }
}

/// The digest of a chain. Names, deadlines and sizes of batches are left out: they decide whether
/// there is an answer, not which.
pub(crate) fn of(specs: &[PluginSpec], prepared: &[Prepared]) -> String {
    let mut parts = Parts(Sha256::new());
    parts.add(TRANSFORM.as_bytes());
    parts.add_number(specs.len() as u64);
    for (spec, prepared) in specs.iter().zip(prepared) {
        parts.add(prepared.digest.as_bytes());
        parts.add(spec.config.to_string().as_bytes());
        parts.add_number(spec.files.len() as u64);
        for file in &spec.files {
            parts.add(file.name.as_bytes());
            parts.add(&file.data);
        }
        let patterns: Vec<_> = spec.tables.texts().collect();
        parts.add_number(patterns.len() as u64);
        patterns.iter().for_each(|p| parts.add(p.as_bytes()));
        parts.add_number(u64::from(spec.isolation == Isolation::Batch));
        parts.add_number(spec.limits.memory_bytes);
        parts.add_number(spec.limits.fuel_base);
        parts.add_number(spec.limits.fuel_per_row);
    }
    parts.0.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
