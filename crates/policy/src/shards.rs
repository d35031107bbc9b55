//! A hash table whose clone is cheap: a change copies one small part of it.

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Entries of one shard before there are twice as many shards: what a change copies.
const SHARD_ENTRIES: usize = 64;

/// What knows its hash.
pub(crate) trait Hashed: Clone {
    fn hashed(&self) -> u64;
}

/// A table in parts that clones share until one of them changes.
#[derive(Clone, Debug)]
pub(crate) struct Shards<T> {
    /// A power of two of them.
    shards: Vec<Arc<HashTable<T>>>,
    entries: usize,
}

impl<T> Default for Shards<T> {
    fn default() -> Self {
        Self { shards: vec![Arc::default()], entries: 0 }
    }
}

impl<T> Shards<T> {
    pub(crate) const fn len(&self) -> usize {
        self.entries
    }

    pub(crate) fn find(&self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<&T> {
        self.shards[self.place(hash)].find(hash, is_it)
    }

    fn place(&self, hash: u64) -> usize {
        // The table takes its place from the low bits and its tags from the high ones.
        (hash >> 32) as usize & (self.shards.len() - 1)
    }
}

impl<T: Hashed> Shards<T> {
    /// Changes the entry of this hash that is it, made first if there is none; it goes if `change` says that nothing
    /// is left of it.
    pub(crate) fn change(
        &mut self,
        hash: u64,
        is_it: impl FnMut(&T) -> bool,
        make: impl FnOnce() -> T,
        change: impl FnOnce(&mut T) -> bool,
    ) {
        let place = self.place(hash);
        let shard = Arc::make_mut(&mut self.shards[place]);
        match shard.entry(hash, is_it, T::hashed) {
            Entry::Occupied(mut entry) => {
                if !change(entry.get_mut()) {
                    entry.remove();
                    self.entries -= 1;
                }
            }
            Entry::Vacant(entry) => {
                let mut made = make();
                if change(&mut made) {
                    entry.insert(made);
                    self.entries += 1;
                }
            }
        }
        if self.entries > SHARD_ENTRIES * self.shards.len() {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let mut grown = vec![HashTable::new(); 2 * self.shards.len()];
        let mask = grown.len() - 1;
        for entry in self.shards.iter().flat_map(|shard| shard.iter()) {
            let hash = entry.hashed();
            grown[(hash >> 32) as usize & mask].insert_unique(hash, entry.clone(), T::hashed);
        }
        self.shards = grown.into_iter().map(Arc::new).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::hash::hash_number;

    impl Hashed for (u32, u32) {
        fn hashed(&self) -> u64 {
            hash_number(self.0)
        }
    }

    fn count(shards: &mut Shards<(u32, u32)>, key: u32, change: impl FnOnce(u32) -> u32) {
        let changed = |entry: &mut (u32, u32)| {
            entry.1 = change(entry.1);
            entry.1 > 0
        };
        shards.change(hash_number(key), |(known, _)| *known == key, || (key, 0), changed);
    }

    proptest! {
        #[test]
        fn it_is_as_an_ordinary_map_and_its_clones_stay_as_they_were(
            steps in proptest::collection::vec((0..400_u32, 0..3_u32), 0..1500),
        ) {
            let (mut shards, mut plain) = (Shards::default(), BTreeMap::new());
            let mut kept = Vec::new();
            for (step, (key, value)) in steps.into_iter().enumerate() {
                if step % 100 == 0 {
                    kept.push((shards.clone(), plain.clone()));
                }
                count(&mut shards, key, |_| value);
                if value == 0 { plain.remove(&key) } else { plain.insert(key, value) };
            }
            kept.push((shards, plain));
            for (shards, plain) in &kept {
                prop_assert_eq!(shards.len(), plain.len());
                for key in 0..400 {
                    let found = shards.find(hash_number(key), |(known, _)| *known == key);
                    prop_assert_eq!(found.map(|(_, value)| value), plain.get(&key));
                }
            }
        }
    }
}
