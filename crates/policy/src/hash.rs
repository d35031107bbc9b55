//! Hashes of names, such that those of all prefixes of a name cost one pass over it.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// Another one in each process. Names that are kept come from administrators, or are few; it is no more than care.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u64));
/// An odd number without a pattern (the golden ratio's fraction).
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const WORD_BYTES: usize = size_of::<u64>();

/// The hashes of one name's prefixes, asked for in ascending order of their lengths.
#[derive(Debug)]
pub(crate) struct PrefixHashes<'a> {
    rest: &'a [u8],
    taken: usize,
    state: u64,
}

impl<'a> PrefixHashes<'a> {
    pub(crate) fn new(name: &'a [u8]) -> Self {
        Self { rest: name, taken: 0, state: *SEED }
    }

    /// The hash of the first `length` bytes; of the whole name if it is shorter.
    pub(crate) fn of(&mut self, length: usize) -> u64 {
        while self.taken + WORD_BYTES <= length
            && let Some((word, rest)) = self.rest.split_first_chunk()
        {
            self.state = fold(self.state ^ u64::from_le_bytes(*word));
            self.rest = rest;
            self.taken += WORD_BYTES;
        }
        let tail = &self.rest[..self.rest.len().min(length.saturating_sub(self.taken))];
        let length = (self.taken + tail.len()) as u64;
        fold(fold(self.state ^ short(tail)) ^ length)
    }
}

/// The hash of a whole name.
pub(crate) fn hash(name: &str) -> u64 {
    PrefixHashes::new(name.as_bytes()).of(name.len())
}

/// The hash of a number.
pub(crate) fn hash_number(number: u32) -> u64 {
    fold(*SEED ^ u64::from(number))
}

/// Less than a word, as one: no two of the same length are the same.
fn short(tail: &[u8]) -> u64 {
    let number = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    match (tail.first_chunk(), tail.last_chunk()) {
        (Some(first), Some(last)) => number(first) << 32 | number(last),
        _ => tail.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

fn fold(word: u64) -> u64 {
    let product = u128::from(word) * u128::from(FACTOR);
    // The halves of the product: every bit of the word has a part in them.
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_hash_of_a_prefix_is_that_of_the_same_name(name in "[a-zé.-]{0,60}") {
            let mut hashes = PrefixHashes::new(name.as_bytes());
            for (end, _) in name.char_indices().chain([(name.len(), ' ')]) {
                prop_assert_eq!(hashes.of(end), hash(&name[..end]));
            }
        }
    }

    #[test]
    fn names_that_differ_in_little_have_hashes_that_do_not() {
        let names = (0..100_000).flat_map(|number| [format!("team-{number:05}"), format!("{number}\0")]);
        let hashes: Vec<u64> =
            names.chain(["\0".into(), "\0\0".into(), String::new()]).map(|n| hash(&n)).collect();
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), hashes.len());
        // The bits that choose a shard, a place in it and its tag are each about even.
        for bits in [|hash: u64| hash & 255, |hash: u64| hash >> 32 & 255, |hash: u64| hash >> 57] {
            let mut counts = [0_usize; 256];
            hashes.iter().for_each(|hash| counts[usize::try_from(bits(*hash)).unwrap()] += 1);
            let most = counts.iter().max().unwrap();
            let used = counts.iter().filter(|count| **count > 0).count();
            assert!(*most < 2 * hashes.len() / used && used >= 128, "{most} of {used}");
        }
    }
}
