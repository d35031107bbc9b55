//! Journal entries: how the records of one change lie in the journal.

use schloss_log::MAX_ENTRY_BYTES;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::MetadataError;
use crate::record::Record;

/// Most bytes that one change may take in the journal: some four hundred thousand ACLs.
pub const MAX_CHANGE_BYTES: usize = 64 * 1024 * 1024;

const MORE: &[u8] = br#"{"more":true,"records":["#;
const LAST: &[u8] = br#"{"more":false,"records":["#;
const END: &[u8] = b"]}";

/// One entry. A change that is too large for one takes several, and only the last of them makes it count:
/// after a crash either all of them are there or none is applied.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    more: bool,
    records: Vec<Record>,
}

/// The entries of one change.
///
/// # Errors
/// [`MetadataError::TooLarge`].
pub(crate) fn encode(records: &[Record]) -> Result<Vec<Zeroizing<Vec<u8>>>, MetadataError> {
    encode_within(records, MAX_CHANGE_BYTES)
}

fn encode_within(records: &[Record], limit: usize) -> Result<Vec<Zeroizing<Vec<u8>>>, MetadataError> {
    let mut entries = Vec::new();
    let mut entry = begin();
    let mut bytes = 0;
    for record in records {
        let text = record_text(record)?;
        bytes += text.len();
        if bytes > limit {
            return Err(MetadataError::TooLarge { bytes, limit });
        }
        if !has_room(&entry, &text) {
            entries.push(end(std::mem::replace(&mut entry, begin()), true));
        }
        push(&mut entry, &text);
    }
    entries.push(end(entry, false));
    Ok(entries)
}

/// Entries that each count by themselves, for a rewrite, which is atomic as a whole. Made one by one, so
/// that the whole state is never in memory a second time.
pub(crate) struct Entries<I> {
    records: I,
    waiting: Option<Zeroizing<Vec<u8>>>,
}

impl<I: Iterator<Item = Record>> Entries<I> {
    pub(crate) fn new(records: I) -> Self {
        Self { records, waiting: None }
    }
}

impl<I: Iterator<Item = Record>> Iterator for Entries<I> {
    type Item = Zeroizing<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut entry = begin();
        loop {
            let text = match self.waiting.take() {
                Some(text) => text,
                // Every record of a snapshot has been encoded before, to get there.
                None => match self.records.next().map(|record| record_text(&record)) {
                    Some(Ok(text)) => text,
                    Some(Err(_)) => continue,
                    None => return (entry.len() > LAST.len()).then(|| end(entry, false)),
                },
            };
            if !has_room(&entry, &text) {
                self.waiting = Some(text);
                return Some(end(entry, false));
            }
            push(&mut entry, &text);
        }
    }
}

/// Puts the entries of a journal together again.
#[derive(Default)]
pub(crate) struct Decoder {
    unfinished: Vec<Record>,
}

impl Decoder {
    /// The records that an entry completes; none if more entries belong to its change.
    ///
    /// # Errors
    /// The entry is not ours, or of another version.
    pub(crate) fn decode(&mut self, entry: &[u8]) -> Result<Vec<Record>, MetadataError> {
        let Entry { more, records } =
            serde_json::from_slice(entry).map_err(|error| MetadataError::Record(error.to_string()))?;
        self.unfinished.extend(records);
        Ok(if more { Vec::new() } else { std::mem::take(&mut self.unfinished) })
    }

    /// Whether a change began and did not end. It must be cleared from the journal, or the next change
    /// would complete it.
    pub(crate) fn is_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }
}

fn begin() -> Zeroizing<Vec<u8>> {
    // Room for the longer of the two beginnings; `end` writes the one that fits.
    let mut entry = Zeroizing::new(Vec::with_capacity(4096));
    entry.extend_from_slice(LAST);
    entry
}

fn has_room(entry: &[u8], record: &[u8]) -> bool {
    // An entry takes at least one record, whatever the journal then says to it.
    entry.len() == LAST.len() || entry.len() + 1 + record.len() + END.len() <= MAX_ENTRY_BYTES
}

fn push(entry: &mut Zeroizing<Vec<u8>>, record: &[u8]) {
    let comma = usize::from(entry.len() > LAST.len());
    if entry.capacity() < entry.len() + comma + record.len() + END.len() {
        // Growing in place would leave the old bytes, keys among them, behind in freed memory.
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * (entry.len() + record.len() + 8)));
        larger.extend_from_slice(entry);
        *entry = larger;
    }
    if comma == 1 {
        entry.push(b',');
    }
    entry.extend_from_slice(record);
}

fn end(mut entry: Zeroizing<Vec<u8>>, more: bool) -> Zeroizing<Vec<u8>> {
    entry.extend_from_slice(END);
    if more {
        // One character shorter, and a space is as good as any.
        entry[..MORE.len()].copy_from_slice(MORE);
        entry[MORE.len()] = b' ';
    }
    entry
}

fn record_text(record: &Record) -> Result<Zeroizing<Vec<u8>>, MetadataError> {
    // A credential fits, so growing leaves no copy of it behind.
    let mut text = Zeroizing::new(Vec::with_capacity(1024));
    serde_json::to_writer(&mut *text, record).map_err(|error| MetadataError::Record(error.to_string()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};

    use super::*;

    fn records(count: usize, bytes: usize) -> Vec<Record> {
        let name = "x".repeat(bytes);
        let acl = |n| Acl {
            resource_type: ResourceType::Topic,
            pattern_type: PatternType::Literal,
            resource_name: format!("{n}{name}"),
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation: Operation::Read,
            permission: Permission::Allow,
        };
        (0..count).map(|n| Record::Acl(acl(n))).collect()
    }

    #[test]
    fn a_change_of_any_size_comes_back_with_its_last_entry_and_not_before() {
        for (count, bytes, entries) in [(1, 10, 1), (100, 10, 1), (300, 30_000, 3)] {
            let records = records(count, bytes);
            let encoded = encode(&records).unwrap();
            assert_eq!(encoded.len(), entries);
            let mut decoder = Decoder::default();
            for (at, entry) in encoded.iter().enumerate() {
                assert!(entry.len() <= MAX_ENTRY_BYTES);
                let last = at + 1 == entries;
                let decoded = decoder.decode(entry).unwrap();
                assert_eq!(decoded, if last { records.clone() } else { Vec::new() });
                assert_eq!(decoder.is_unfinished(), !last);
            }
        }
    }

    #[test]
    fn entries_of_a_rewrite_count_by_themselves_and_lose_nothing() {
        for count in [0, 1, 300] {
            let records = records(count, 30_000);
            let mut decoder = Decoder::default();
            let mut decoded = Vec::new();
            for entry in Entries::new(records.clone().into_iter()) {
                assert!(entry.len() <= MAX_ENTRY_BYTES);
                decoded.extend(decoder.decode(&entry).unwrap());
                assert!(!decoder.is_unfinished());
            }
            assert_eq!(decoded, records);
        }
    }

    #[test]
    fn a_change_beyond_the_bound_is_refused() {
        let records = records(3, 1000);
        assert!(encode_within(&records, 4000).is_ok());
        assert!(matches!(encode_within(&records, 3000), Err(MetadataError::TooLarge { limit: 3000, .. })));
    }
}
