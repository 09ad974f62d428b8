//! A map that holds a bounded number of bytes: what was not asked for longest goes first.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

/// Values by key, with the bytes that each takes as its owner counts them.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    entries: Mutex<Entries<K, V>>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    asked: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let entries = Entries { by_key: HashMap::new(), bytes: 0, clock: 0 };
        Self { entries: Mutex::new(entries), bytes_max }
    }

    /// Nothing panics while it holds the lock; if it did, the map would still be whole.
    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut entries = self.lock();
        entries.clock = entries.clock.saturating_add(1);
        let now = entries.clock;
        let entry = entries.by_key.get_mut(key)?;
        entry.asked = now;
        Some(entry.value.clone())
    }

    /// Keeps a value; one that is larger than the whole bound is not kept.
    pub(crate) fn put(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max {
            return;
        }
        let mut entries = self.lock();
        entries.clock = entries.clock.saturating_add(1);
        let entry = Entry { value, bytes, asked: entries.clock };
        let former = entries.by_key.insert(key, entry).map_or(0, |e| e.bytes);
        entries.bytes = entries.bytes.saturating_sub(former).saturating_add(bytes);
        if entries.bytes > self.bytes_max {
            entries.shrink(self.bytes_max);
        }
    }
}

impl<K: Eq + Hash + Clone, V> Entries<K, V> {
    /// Down to three quarters, so that the walk over all entries pays for many additions.
    fn shrink(&mut self, bytes_max: usize) {
        let mut by_age: Vec<(u64, K)> =
            self.by_key.iter().map(|(key, entry)| (entry.asked, key.clone())).collect();
        by_age.sort_unstable_by_key(|(asked, _)| *asked);
        for (_, key) in by_age {
            if self.bytes <= bytes_max / 4 * 3 {
                return;
            }
            if let Some(entry) = self.by_key.remove(&key) {
                self.bytes = self.bytes.saturating_sub(entry.bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let cache = Cache::new(100);
        for key in 0..10 {
            cache.put(key, key, 10);
        }
        assert_eq!(cache.get(&0), Some(0));
        cache.put(10, 10, 10);
        assert_eq!(cache.get(&0), Some(0));
        assert_eq!(cache.get(&1), None);
        assert_eq!(cache.get(&10), Some(10));
        cache.put(11, 11, 101);
        assert_eq!(cache.get(&11), None);
    }
}
