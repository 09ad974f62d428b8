//! The digest of what decides a pipeline's results.

use sha2::{Digest, Sha256};

use super::{Manifest, OnRowError, WithoutKey, ZeroDates};

/// Raised when a source type is stored in another Delta type than before: targets written under an
/// older mapping are then known.
const TYPE_MAPPING_VERSION: u32 = 1;

impl Manifest {
    /// What decides the results besides the components and their configuration, whose digests are the
    /// chain's: SHA-256 in hexadecimal. Secrets are no part of it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Fields::default();
        digest.number(TYPE_MAPPING_VERSION.into());
        digest.texts(&self.source.tables_written);
        digest.number(u64::from(self.source.zero_dates == ZeroDates::Null));
        digest.text(self.sink.path_written.source());
        digest.list(self.plugins.len());
        for plugin in &self.plugins {
            digest.text(&plugin.name);
            digest.texts(&plugin.tables_written);
            digest.number(u64::from(plugin.on_row_error == OnRowError::DeadLetter));
        }
        digest.list(self.tables.len());
        for rule in &self.tables {
            digest.texts(&rule.tables_written);
            digest.number(u64::from(rule.id_columns.is_some()));
            digest.texts(rule.id_columns.as_deref().unwrap_or_default());
            digest.number(rule.trust_ids.into());
            // Only where it is set: digests of manifests from before the key stay as they are.
            if rule.without_key == WithoutKey::WholeRow {
                digest.text("whole-row");
            }
        }
        digest.finish()
    }
}

/// A digest over fields that cannot run into each other: each has its length before it.
#[derive(Default)]
struct Fields(Sha256);

impl Fields {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn list(&mut self, len: usize) {
        self.number(u64::try_from(len).unwrap_or(u64::MAX));
    }

    fn text(&mut self, text: &str) {
        self.list(text.len());
        self.0.update(text.as_bytes());
    }

    fn texts(&mut self, texts: &[String]) {
        self.list(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    fn finish(self) -> String {
        let digest: [u8; 32] = self.0.finalize().into();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
