//! A sorted set whose clone is cheap: a change copies one small part of it.

use std::sync::Arc;

/// Most items of one chunk: what a change copies.
const CHUNK_ITEMS: usize = 512;

/// Sorted items in parts that clones share until one of them changes.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    /// None of them is empty.
    chunks: Vec<Arc<Vec<Arc<T>>>>,
    items: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), items: 0 }
    }
}

impl<T: Ord> Chunks<T> {
    /// The item that is equal to this one.
    pub(crate) fn get(&self, item: &T) -> Option<&T> {
        let chunk = self.chunks.get(self.place(item))?;
        let at = chunk.binary_search_by(|known| (**known).cmp(item)).ok()?;
        Some(&chunk[at])
    }

    /// Whether it is new.
    pub(crate) fn insert(&mut self, item: Arc<T>) -> bool {
        if self.chunks.is_empty() {
            self.chunks.push(Arc::default());
        }
        let place = self.place(&item);
        let chunk = &mut self.chunks[place];
        let Err(at) = chunk.binary_search(&item) else { return false };
        let items = Arc::make_mut(chunk);
        items.insert(at, item);
        if items.len() > CHUNK_ITEMS {
            let second = items.split_off(CHUNK_ITEMS / 2);
            self.chunks.insert(place + 1, Arc::new(second));
        }
        self.items += 1;
        true
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, item: &T) -> bool {
        let place = self.place(item);
        let Some(chunk) = self.chunks.get_mut(place) else { return false };
        let Ok(at) = chunk.binary_search_by(|known| (**known).cmp(item)) else { return false };
        let items = Arc::make_mut(chunk);
        items.remove(at);
        if items.is_empty() {
            self.chunks.remove(place);
        }
        self.items -= 1;
        true
    }

    /// All, ascending.
    pub(crate) fn iter(&self) -> Iter<impl Iterator<Item = &T>> {
        let items = self.chunks.iter().flat_map(|chunk| chunk.iter()).map(|item| &**item);
        Iter { items, left: self.items }
    }

    /// Where the chunk is that an item belongs to.
    fn place(&self, item: &T) -> usize {
        let begins_before = |chunk: &Arc<Vec<Arc<T>>>| chunk.first().is_some_and(|first| **first <= *item);
        self.chunks.partition_point(begins_before).saturating_sub(1)
    }
}

/// Items whose number is known.
pub(crate) struct Iter<I> {
    items: I,
    left: usize,
}

impl<I: Iterator> Iterator for Iter<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let next = self.items.next();
        self.left -= usize::from(next.is_some());
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<I: Iterator> ExactSizeIterator for Iter<I> {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_as_an_ordinary_set_and_its_clones_stay_as_they_were(
            steps in proptest::collection::vec((0..2000_u32, proptest::bool::weighted(0.7)), 0..4000),
        ) {
            let (mut chunks, mut plain) = (Chunks::default(), BTreeSet::new());
            let mut kept = Vec::new();
            for (step, (item, adds)) in steps.into_iter().enumerate() {
                if step % 500 == 0 {
                    kept.push((chunks.clone(), plain.clone()));
                }
                let (ours, theirs) = if adds {
                    (chunks.insert(Arc::new(item)), plain.insert(item))
                } else {
                    (chunks.remove(&item), plain.remove(&item))
                };
                prop_assert_eq!(ours, theirs);
            }
            kept.push((chunks, plain));
            for (chunks, plain) in &kept {
                prop_assert!(chunks.iter().eq(plain) && chunks.iter().len() == plain.len());
                prop_assert!((0..2000).all(|item| chunks.get(&item) == plain.get(&item)));
            }
        }
    }
}
