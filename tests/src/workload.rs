//! A random workload over some tables: the same statements for the same seed, whatever the server and the time.
//!
//! It knows which keys exist, so that every statement hits what it means to hit; what the rows hold in the end it does
//! not know. That the server says.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};

/// A key: the SQL literals of its columns.
pub type Key = Vec<String>;

/// A table that the workload writes to.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns of its primary key.
    pub key: &'static [&'static str],
    /// A random key, out of so few that they come again.
    pub random_key: fn(&mut StdRng) -> Key,
    /// A key that `random_key` never gives: where a row waits while two keys are swapped.
    pub waiting_key: &'static [&'static str],
    /// Random values of the other columns: name and SQL literal.
    pub random_values: fn(&mut StdRng) -> Vec<(&'static str, String)>,
}

/// How often each kind of thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions that were committed.
    pub committed: u32,
    /// Transactions that were rolled back.
    pub rolled_back: u32,
    /// Changes of a key, swaps among them.
    pub key_changes: u32,
    /// Rows that were deleted and inserted again under their key in one transaction.
    pub reinserted: u32,
}

/// The tables, the keys that exist, and the dice.
#[derive(Debug)]
pub struct Workload {
    tables: Vec<(Table, BTreeSet<Key>)>,
    dice: StdRng,
    /// What happened so far.
    pub counts: Counts,
}

impl Workload {
    /// Empty tables.
    #[must_use]
    pub fn new(tables: Vec<Table>, seed: u64) -> Self {
        let tables = tables.into_iter().map(|t| (t, BTreeSet::new())).collect();
        Self { tables, dice: StdRng::seed_from_u64(seed), counts: Counts::default() }
    }

    /// The statements of the next transaction, `BEGIN` and its end among them.
    pub fn transaction(&mut self) -> Vec<String> {
        let before = self.tables.clone();
        let mut statements = vec!["BEGIN".to_owned()];
        for _ in 0..self.dice.random_range(1..=5) {
            let table = self.dice.random_range(0..self.tables.len());
            self.happening(table, &mut statements);
        }
        if self.dice.random_bool(0.12) {
            self.tables = before;
            self.counts.rolled_back += 1;
            statements.push("ROLLBACK".into());
        } else {
            self.counts.committed += 1;
            statements.push("COMMIT".into());
        }
        statements
    }

    fn happening(&mut self, table: usize, out: &mut Vec<String>) {
        match self.dice.random_range(0..100) {
            0..=27 => self.insert(table, 1, out),
            28..=31 => self.insert(table, 25, out),
            32..=55 => self.update(table, out),
            56..=65 => self.change_key(table, out),
            66..=72 => self.swap_keys(table, out),
            73..=84 => self.delete(table, out),
            85..=92 => self.delete_and_reinsert(table, out),
            _ => self.hammer(table, out),
        }
    }

    /// One statement with up to so many new rows.
    fn insert(&mut self, table: usize, rows_max: usize, out: &mut Vec<String>) {
        let Some((table, keys)) = self.tables.get_mut(table) else { return };
        let mut rows = Vec::new();
        for _ in 0..rows_max {
            let key = (table.random_key)(&mut self.dice);
            if keys.insert(key.clone()) {
                rows.push((key, (table.random_values)(&mut self.dice)));
            }
        }
        out.extend(insert_statement(table, &rows));
    }

    fn update(&mut self, table: usize, out: &mut Vec<String>) {
        let Some((table, keys)) = self.tables.get(table) else { return };
        let Some(key) = keys.iter().choose(&mut self.dice) else { return };
        let values = (table.random_values)(&mut self.dice);
        // Some columns only: often the ones that no plugin looks at.
        let some = self.dice.random_range(1..=values.len());
        let chosen: Vec<_> = values.choose_multiple(&mut self.dice, some).collect();
        let set: Vec<_> = chosen.iter().map(|(name, value)| format!("{name}={value}")).collect();
        out.push(format!(
            "UPDATE {} SET {} WHERE {}",
            table.name,
            set.join(", "),
            key_is(table, key)
        ));
    }

    fn change_key(&mut self, table: usize, out: &mut Vec<String>) {
        let Some((table, keys)) = self.tables.get_mut(table) else { return };
        let new = (table.random_key)(&mut self.dice);
        let Some(old) = keys.iter().choose(&mut self.dice).cloned() else { return };
        if keys.contains(&new) {
            return;
        }
        keys.remove(&old);
        out.push(move_statement(table, &old, &new));
        keys.insert(new);
        self.counts.key_changes += 1;
    }

    fn swap_keys(&mut self, table: usize, out: &mut Vec<String>) {
        let Some((table, keys)) = self.tables.get(table) else { return };
        let two: Vec<_> = keys.iter().cloned().choose_multiple(&mut self.dice, 2);
        let [a, b] = two.as_slice() else { return };
        let waiting: Key = table.waiting_key.iter().map(|&v| v.to_owned()).collect();
        out.push(move_statement(table, a, &waiting));
        out.push(move_statement(table, b, a));
        out.push(move_statement(table, &waiting, b));
        self.counts.key_changes += 3;
    }

    fn delete(&mut self, table: usize, out: &mut Vec<String>) {
        let Some((table, keys)) = self.tables.get_mut(table) else { return };
        let Some(key) = keys.iter().choose(&mut self.dice).cloned() else { return };
        keys.remove(&key);
        out.push(format!("DELETE FROM {} WHERE {}", table.name, key_is(table, &key)));
    }

    fn delete_and_reinsert(&mut self, table: usize, out: &mut Vec<String>) {
        let Some((table, keys)) = self.tables.get(table) else { return };
        let Some(key) = keys.iter().choose(&mut self.dice) else { return };
        out.push(format!("DELETE FROM {} WHERE {}", table.name, key_is(table, key)));
        out.extend(insert_statement(
            table,
            &[(key.clone(), (table.random_values)(&mut self.dice))],
        ));
        self.counts.reinserted += 1;
    }

    /// Many changes of one row, its key among them.
    fn hammer(&mut self, table: usize, out: &mut Vec<String>) {
        for _ in 0..self.dice.random_range(3..8) {
            let Some((table, keys)) = self.tables.get(table) else { return };
            let Some(key) = keys.first() else { return };
            let values = (table.random_values)(&mut self.dice);
            let set: Vec<_> =
                values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            out.push(format!(
                "UPDATE {} SET {} WHERE {}",
                table.name,
                set.join(", "),
                key_is(table, key)
            ));
        }
        self.change_key(table, out);
        self.delete_and_reinsert(table, out);
    }
}

fn key_is(table: &Table, key: &Key) -> String {
    let pairs = table.key.iter().zip(key).map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(" AND ")
}

fn move_statement(table: &Table, old: &Key, new: &Key) -> String {
    let set: Vec<_> =
        table.key.iter().zip(new).map(|(name, value)| format!("{name}={value}")).collect();
    format!("UPDATE {} SET {} WHERE {}", table.name, set.join(", "), key_is(table, old))
}

fn insert_statement(table: &Table, rows: &[(Key, Vec<(&'static str, String)>)]) -> Option<String> {
    let (_, first) = rows.first()?;
    let names: Vec<_> =
        table.key.iter().copied().chain(first.iter().map(|(name, _)| *name)).collect();
    let row = |(key, values): &(Key, Vec<(&str, String)>)| {
        let all: Vec<_> =
            key.iter().chain(values.iter().map(|(_, v)| v)).map(String::as_str).collect();
        format!("({})", all.join(", "))
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    Some(format!("INSERT INTO {} ({}) VALUES {}", table.name, names.join(", "), rows.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            name: "t",
            key: &["id"],
            random_key: |dice| vec![dice.random_range(1..40).to_string()],
            waiting_key: &["-1"],
            random_values: |dice| vec![("v", dice.random_range(0..9).to_string())],
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_statements() {
        let statements = |seed| {
            let mut workload = Workload::new(vec![table()], seed);
            let all: Vec<_> = (0..50).flat_map(|_| workload.transaction()).collect();
            (all, workload.counts)
        };
        assert_eq!(statements(7), statements(7));
        assert_ne!(statements(7), statements(8));
        let (_, counts) = statements(7);
        assert!(
            counts.rolled_back > 0 && counts.key_changes > 0 && counts.reinserted > 0,
            "{counts:?}"
        );
    }

    #[test]
    fn what_was_rolled_back_is_forgotten() {
        let mut workload = Workload::new(vec![table()], 1);
        for _ in 0..200 {
            let before = workload.tables.first().map(|(_, keys)| keys.clone());
            let statements = workload.transaction();
            if statements.last().is_some_and(|s| s == "ROLLBACK") {
                assert_eq!(before, workload.tables.first().map(|(_, keys)| keys.clone()));
            }
        }
    }
}
