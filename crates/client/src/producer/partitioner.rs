//! Which partition a record goes to: what Java's producer chooses, so that keys of both meet.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The partition of a key: `toPositive(murmur2(key)) % partitions`, as Java's `BuiltInPartitioner`.
pub(super) fn partition_of_key(key: &[u8], partitions: usize) -> usize {
    let positive = murmur2(key) & 0x7fff_ffff;
    usize::try_from(positive).unwrap_or_default() % partitions.max(1)
}

/// MurmurHash2 with Kafka's seed (`Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    // Java mixes in the length as an int.
    let mut hash = SEED ^ (data.len() as u32);
    let mut words = data.chunks_exact(4);
    for word in words.by_ref() {
        let mut k = word.iter().rev().fold(0_u32, |k, byte| k << 8 | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of records without a key: one for a batch's worth of bytes, then the next (KIP-480), so that
/// batches are full. It begins anywhere, so that many short-lived producers spread.
pub(super) struct Sticky {
    current: usize,
    bytes: usize,
}

impl Sticky {
    pub(super) fn new() -> Self {
        // RandomState is seeded by the operating system; where to begin needs no more than that.
        let anywhere = RandomState::new().build_hasher().finish();
        Self { current: usize::try_from(anywhere >> 33).unwrap_or_default(), bytes: 0 }
    }

    pub(super) fn next(&mut self, record_bytes: usize, batch_bytes: usize, partitions: usize) -> usize {
        if self.bytes + record_bytes > batch_bytes && self.bytes > 0 {
            self.current = self.current.wrapping_add(1);
            self.bytes = 0;
        }
        self.bytes += record_bytes;
        self.current % partitions.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_gives_the_values_of_kafkas_own_test() {
        // org.apache.kafka.common.utils.UtilsTest.testMurmur2
        for (text, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), expected, "{text}");
        }
    }

    #[test]
    fn a_key_always_has_the_same_partition_within_the_count() {
        for partitions in 1..20 {
            let partition = partition_of_key(b"foobar", partitions);
            assert!(partition < partitions);
            assert_eq!(partition, partition_of_key(b"foobar", partitions));
        }
        // toPositive(-790332482) = 1357151166
        assert_eq!(partition_of_key(b"foobar", 10), 6);
    }

    #[test]
    fn records_without_a_key_fill_one_partition_after_another() {
        let mut sticky = Sticky { current: 0, bytes: 0 };
        let chosen: Vec<usize> = (0..6).map(|_| sticky.next(50, 100, 3)).collect();
        assert_eq!(chosen, [0, 0, 1, 1, 2, 2]);
        assert_eq!(sticky.next(1000, 100, 3), 0, "one large record moves on but is taken");
    }
}
