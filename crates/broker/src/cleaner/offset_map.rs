//! Where the newest record of each key is.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};

/// Bytes of a digest of [`SHA256`].
const DIGEST_BYTES: usize = 32;

/// The offset of the newest record of each key, for the records from one offset up to before another.
///
/// Keys stand for themselves by their SHA-256: no two different ones are known, and clients choose the keys.
/// An entry takes 40 bytes however long the key is.
pub(crate) struct OffsetMap {
    newest: HashMap<[u8; DIGEST_BYTES], i64>,
    max_keys: usize,
    end: i64,
}

impl OffsetMap {
    /// Keys that fill a hash table of 2^20 places, 43 MB, to the last before it would grow.
    pub(crate) const DEFAULT_MAX_KEYS: usize = (1 << 20) / 8 * 7;

    /// An empty map of the records from `start` on. It is full with `max_keys` keys.
    pub(crate) fn new(start: i64, max_keys: usize) -> Self {
        Self { newest: HashMap::new(), max_keys: max_keys.max(1), end: start }
    }

    /// Whether no batch should be added any more.
    pub(crate) fn is_full(&self) -> bool {
        self.newest.len() >= self.max_keys
    }

    /// Notes a record. Offsets only go up.
    pub(crate) fn put(&mut self, key: &[u8], offset: i64) {
        if let Some(digest) = hashed(key) {
            self.newest.insert(digest, offset);
        }
    }

    /// Notes that all records before `end` are in it.
    pub(crate) fn reach(&mut self, end: i64) {
        self.end = end;
    }

    /// All records from the start up to before this offset are in it.
    pub(crate) const fn end(&self) -> i64 {
        self.end
    }

    /// Whether there is a newer record with this key than the one at `offset`.
    pub(crate) fn supersedes(&self, key: &[u8], offset: i64) -> bool {
        offset < self.end
            && hashed(key).and_then(|digest| self.newest.get(&digest)).is_some_and(|newest| offset < *newest)
    }
}

fn hashed(key: &[u8]) -> Option<[u8; DIGEST_BYTES]> {
    digest(&SHA256, key).as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_offset_counts() {
        let mut map = OffsetMap::new(0, 10);
        for (key, offset) in [("a", 1), ("b", 2), ("a", 5), ("", 6)] {
            map.put(key.as_bytes(), offset);
        }
        map.reach(7);
        assert!(map.supersedes(b"a", 1) && map.supersedes(b"a", 4));
        assert!(!map.supersedes(b"a", 5) && !map.supersedes(b"a", 6) && !map.supersedes(b"a", 9));
        assert!(!map.supersedes(b"c", 0), "nobody knows the key");
        assert!(map.supersedes(b"", 3), "an empty key is a key");
    }

    #[test]
    fn it_is_full_with_as_many_keys_as_it_may_have() {
        let mut map = OffsetMap::new(0, 2);
        map.put(b"a", 0);
        map.put(b"a", 1);
        assert!(!map.is_full());
        map.put(b"b", 2);
        assert!(map.is_full());
    }
}
