//! What the records of the topic amount to, one change after the other.

use std::collections::{BTreeMap, HashMap, VecDeque};

use schloss_metadata::Record;

use crate::codec::{Codec, Digest, What, Word};

/// Most keys that are healed: more than that is no accident.
const MAX_DISPUTED: usize = 1000;
/// How many committed transactions are remembered, for a writer that lost the answer.
const REMEMBERED: usize = 1024;

/// Producer id and epoch: every turn of every gateway has one of its own.
pub(crate) type Producer = (i64, i16);

/// The account of all changes so far. Holds no values: those are in the snapshot.
#[derive(Default)]
pub(crate) struct Book {
    /// The number of the last change; 0 before the first.
    change: u64,
    /// What is said and not taken back, with the change that said it.
    live: HashMap<Box<[u8]>, u64>,
    digest: Digest,
    /// The last head: the change that it closes, and the digest then.
    head: Option<(u64, Digest)>,
    /// Keys whose newest record in the topic is not ours, so that compaction would take ours away, with the
    /// offset at which the bad transaction begins.
    disputed: BTreeMap<Box<[u8]>, i64>,
    committed: VecDeque<Producer>,
}

impl Book {
    /// Whether no change was ever made.
    pub(crate) fn is_empty(&self) -> bool {
        self.change == 0
    }

    /// The number of the last change.
    pub(crate) fn change(&self) -> u64 {
        self.change
    }

    /// Whether words can be those of the next change; if not, somebody says words of an earlier one again.
    pub(crate) fn precedes(&self, words: &[Word]) -> bool {
        words.first().is_none_or(|first| {
            first.change > self.change && words.iter().all(|word| word.change == first.change)
        })
    }

    /// Takes the words of the next change, and returns the records that they make.
    pub(crate) fn take(&mut self, codec: &Codec, producer: Producer, words: Vec<Word>) -> Vec<Record> {
        let Some(change) = words.first().map(|word| word.change) else { return Vec::new() };
        self.change = change;
        if self.committed.len() == REMEMBERED {
            self.committed.pop_front();
        }
        self.committed.push_back(producer);
        let mut records = Vec::with_capacity(words.len());
        for Word { key, what, .. } in words {
            self.disputed.remove(&key);
            match what {
                What::Head(digest) => self.head = Some((change, digest)),
                What::Said(record) => {
                    self.put(codec, key, Some(change));
                    records.push(record);
                }
                What::Gone(record) => {
                    self.put(codec, key, None);
                    records.extend(record);
                }
            }
        }
        records
    }

    /// Notes that the newest record under a key is not ours; false if that is too much to note.
    pub(crate) fn dispute(&mut self, key: &[u8], offset: i64) -> bool {
        let has_room = self.disputed.len() < MAX_DISPUTED || self.disputed.contains_key(key);
        if has_room {
            self.disputed.insert(key.into(), offset);
        }
        has_room
    }

    /// Whether the bad transaction at this offset has the last word on some key.
    pub(crate) fn is_disputed_by(&self, offset: i64) -> bool {
        self.disputed.values().any(|known| *known == offset)
    }

    /// The keys under which somebody else had the last word.
    pub(crate) fn disputed(&self) -> &BTreeMap<Box<[u8]>, i64> {
        &self.disputed
    }

    /// Whether something is said under a key.
    pub(crate) fn is_live(&self, key: &[u8]) -> bool {
        self.live.contains_key(key)
    }

    /// Whether this is all that was written up to the last head, and nothing came after it. Only true at the
    /// end of the topic: compaction may take away what is superseded further on.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_empty() || self.head == Some((self.change, self.digest))
    }

    /// The digest after one more change, of these keys, said (true) or gone.
    pub(crate) fn digest_after<'a>(
        &self,
        codec: &Codec,
        changes: impl Iterator<Item = (&'a [u8], bool)>,
    ) -> Digest {
        let mut digest = self.digest;
        for (key, said) in changes {
            if let Some(before) = self.live.get(key) {
                mix(&mut digest, &codec.item(key, *before));
            }
            if said {
                mix(&mut digest, &codec.item(key, self.change + 1));
            }
        }
        digest
    }

    /// Whether the transaction of this producer is among those taken lately.
    pub(crate) fn has_committed(&self, producer: Producer) -> bool {
        self.committed.contains(&producer)
    }

    fn put(&mut self, codec: &Codec, key: Box<[u8]>, change: Option<u64>) {
        if let Some(change) = change {
            mix(&mut self.digest, &codec.item(&key, change));
        }
        let before = match change {
            Some(change) => self.live.insert(key.clone(), change),
            None => self.live.remove(&key),
        };
        if let Some(before) = before {
            mix(&mut self.digest, &codec.item(&key, before));
        }
    }
}

fn mix(digest: &mut Digest, item: &Digest) {
    digest.iter_mut().zip(item).for_each(|(byte, other)| *byte ^= other);
}
