//! Every stored prefix of a name, found without trying each.

use std::sync::Arc;

/// Values under prefixes, sorted, each linked to the longest other prefix that it begins with.
///
/// The largest entry not after a name begins with the longest stored prefix of that name, because
/// everything sorted between a prefix and a name that begins with it begins with it too. So one binary search
/// and a walk along the links finds them all.
#[derive(Debug)]
pub(crate) struct Prefixes<T> {
    entries: Vec<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    prefix: Arc<str>,
    parent: Option<usize>,
    value: T,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T> Prefixes<T> {
    /// Builds it from distinct prefixes in any order.
    pub(crate) fn new(mut values: Vec<(Arc<str>, T)>) -> Self {
        values.sort_by(|left, right| left.0.cmp(&right.0));
        let mut entries: Vec<Entry<T>> = Vec::with_capacity(values.len());
        for (prefix, value) in values {
            let before = entries.len().checked_sub(1);
            let parent = first_prefix_of(&entries, before, &prefix);
            entries.push(Entry { prefix, parent, value });
        }
        Self { entries }
    }

    /// The values of all prefixes of `name`, the longest first.
    pub(crate) fn of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.entries_of(name).map(|(_, value)| value)
    }

    /// All prefixes of `name` with their values, the longest first.
    pub(crate) fn entries_of<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = (&'a str, &'a T)> + use<'a, T> {
        let before = self.entries.partition_point(|entry| *entry.prefix <= *name).checked_sub(1);
        let mut next = first_prefix_of(&self.entries, before, name);
        std::iter::from_fn(move || {
            let entry = &self.entries[next?];
            next = entry.parent;
            Some((&*entry.prefix, &entry.value))
        })
    }

    /// The value of exactly this prefix.
    pub(crate) fn get(&self, prefix: &str) -> Option<&T> {
        let found = self.entries.binary_search_by(|entry| (*entry.prefix).cmp(prefix)).ok()?;
        Some(&self.entries[found].value)
    }
}

/// The first entry on the chain of links from `start` that is a prefix of `name`.
fn first_prefix_of<T>(entries: &[Entry<T>], start: Option<usize>, name: &str) -> Option<usize> {
    let mut candidate = start;
    while let Some(index) = candidate
        && !name.starts_with(&*entries[index].prefix)
    {
        candidate = entries[index].parent;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nested_prefixes_are_found_the_longest_first() {
        let prefixes: Prefixes<u8> =
            Prefixes::new(vec![("a".into(), 1), ("abc".into(), 3), ("ab".into(), 2), ("b".into(), 9)]);
        assert_eq!(prefixes.of("abcd").copied().collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!(prefixes.of("abb").copied().collect::<Vec<_>>(), [2, 1]);
        assert_eq!(prefixes.of("c").count(), 0);
        assert_eq!(prefixes.of("").count(), 0);
    }

    proptest! {
        #[test]
        fn the_same_prefixes_are_found_as_by_trying_each(
            stored in proptest::collection::btree_set("[ab]{0,5}", 0..20), name in "[ab]{0,7}",
        ) {
            let prefixes =
                Prefixes::new(stored.iter().map(|text| (text.as_str().into(), text.clone())).collect());
            let found: Vec<&String> = prefixes.of(&name).collect();
            let mut expected: Vec<&String> = stored.iter().filter(|text| name.starts_with(*text)).collect();
            expected.reverse();
            prop_assert_eq!(found, expected);
        }
    }
}
