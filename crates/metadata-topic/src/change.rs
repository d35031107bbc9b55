//! From a change to the records that it takes in the topic.

use std::collections::HashMap;

use schloss_metadata::{MAX_CHANGE_BYTES, MetadataError, Record, Snapshot};
use schloss_wire::records;

use crate::book::Book;
use crate::codec::Codec;
use crate::place::{Place, is_deletion};

/// The records that make a change, in order; the head comes last. What somebody else overwrote is said again
/// with it, from the snapshot.
///
/// # Errors
/// It holds records that only a broker has, or is too large.
pub(crate) fn encode(
    codec: &Codec,
    book: &Book,
    snapshot: Option<&Snapshot>,
    changes: &[Record],
) -> Result<Vec<records::Record>, MetadataError> {
    let change = book.change() + 1;
    // The last word of the change about each thing.
    let mut last = HashMap::new();
    let mut encoded: Vec<Option<(records::Record, bool)>> = Vec::new();
    let mut put = |record: records::Record, said: bool, encoded: &mut Vec<_>| {
        let key = record.key.clone().unwrap_or_default();
        if let Some(before) = last.insert(key, encoded.len()) {
            encoded[before] = None;
        }
        encoded.push(Some((record, said)));
    };
    if !book.disputed().is_empty() {
        for record in snapshot.into_iter().flat_map(Snapshot::records) {
            let disputed = Place::of(&record)
                .and_then(|place| place.key().ok())
                .is_some_and(|key| book.disputed().contains_key(&key));
            if disputed {
                put(codec.write(&record, change)?, true, &mut encoded);
            }
        }
        for key in book.disputed().keys().filter(|key| !book.is_live(key)) {
            put(codec.tombstone(key, change)?, false, &mut encoded);
        }
    }
    for record in changes {
        put(codec.write(record, change)?, !is_deletion(record), &mut encoded);
    }
    let words: Vec<(records::Record, bool)> = encoded.into_iter().flatten().collect();
    let bytes = words.iter().map(|(record, _)| size(record)).sum();
    if bytes > MAX_CHANGE_BYTES {
        return Err(MetadataError::TooLarge { bytes, limit: MAX_CHANGE_BYTES });
    }
    let keys = words.iter().map(|(record, said)| (record.key.as_deref().unwrap_or_default(), *said));
    let head = codec.write_head(&book.digest_after(codec, keys), change)?;
    Ok(words.into_iter().map(|(record, _)| record).chain([head]).collect())
}

/// About how many bytes a record takes in a batch, never fewer.
pub(crate) fn size(record: &records::Record) -> usize {
    let headers: usize = record
        .headers
        .iter()
        .map(|header| header.key.len() + header.value.as_ref().map_or(0, |value| value.len()) + 10)
        .sum();
    let field = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len());
    field(&record.key) + field(&record.value) + headers + 40
}
