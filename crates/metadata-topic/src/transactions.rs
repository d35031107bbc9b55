//! From the batches of the log to whole transactions.

use std::collections::HashMap;

use bytes::Bytes;
use schloss_wire::DecodeLimits;
use schloss_wire::records::{
    BATCH_PREFIX_BYTES, BatchHeader, RecordBatch, RecordBatchDecode, RecordDecodeLimits,
};

use crate::book::Producer;
use crate::codec::{Codec, Fault, Word};

/// Largest batch, and most bytes that one inflates to; ours have a megabyte at most.
const MAX_BATCH_BYTES: usize = 32 * 1024 * 1024;
/// Most transactions that can be open in the log at once; ours are never more than one.
const MAX_OPEN: usize = 64;
/// Most bytes of keys of a bad transaction that are remembered, to be healed.
const MAX_KEY_BYTES: usize = 256 * 1024;

/// What came out of some bytes of the log.
pub(crate) enum Outcome {
    /// A transaction was committed, and all of its records are ours.
    Committed {
        producer: Producer,
        words: Vec<Word>,
        /// Offset of its first record.
        offset: i64,
    },
    /// One was committed that is not taken.
    Refused(Refused),
}

/// A transaction that is not taken, or records outside of any.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// Offset of the first bad record.
    pub(crate) offset: i64,
    pub(crate) fault: Fault,
    /// Which keys it has the last word on now.
    pub(crate) keys: Vec<Box<[u8]>>,
    /// There are more keys, or a part can't be read.
    pub(crate) more: bool,
}

/// A transaction whose end was not read yet.
struct Open {
    epoch: i16,
    offset: i64,
    words: Vec<Word>,
    refused: Option<Refused>,
    /// How many bytes of keys `refused` may still take.
    room: usize,
}

/// Puts transactions together. One counts when the marker that commits it is read, and not before: so aborted
/// ones need no list from the broker, and a transaction that takes several batches counts as a whole.
#[derive(Default)]
pub(crate) struct Assembler {
    open: HashMap<i64, Open>,
}

/// The log can't be read on from here.
#[derive(Debug, thiserror::Error)]
#[error("the records at offset {offset} can't be read: {detail}")]
pub(crate) struct BadLog {
    offset: i64,
    detail: String,
}

impl Assembler {
    /// Takes whole batches from the front of `bytes`, those before `position` left out; moves `position` behind
    /// them. A batch that is cut short is left for the next fetch. Records of changes up to `change`, which the
    /// reader has already, are copies: they are not even kept until they are committed.
    pub(crate) fn read(
        &mut self,
        codec: &Codec,
        change: u64,
        mut bytes: Bytes,
        position: &mut i64,
    ) -> Result<Vec<Outcome>, BadLog> {
        let mut outcomes = Vec::new();
        while bytes.len() > BATCH_PREFIX_BYTES {
            let bad = |detail: String| BadLog { offset: *position, detail };
            let header = match BatchHeader::parse(&bytes) {
                Ok(header) => header,
                Err(schloss_wire::records::BatchError::Truncated { .. }) => break,
                Err(error) => return Err(bad(error.to_string())),
            };
            if header.total_bytes > MAX_BATCH_BYTES {
                return Err(bad(format!("a batch of {} bytes", header.total_bytes)));
            }
            if bytes.len() < header.total_bytes {
                break;
            }
            if header.last_offset_delta < 0 || header.base_offset < 0 {
                return Err(bad("offsets that go back".to_owned()));
            }
            let batch = bytes.split_to(header.total_bytes);
            if header.last_offset() < *position {
                continue;
            }
            *position = header.last_offset().saturating_add(1);
            outcomes.extend(self.batch(codec, change, &header, batch));
        }
        Ok(outcomes)
    }

    fn batch(&mut self, codec: &Codec, change: u64, header: &BatchHeader, bytes: Bytes) -> Option<Outcome> {
        let decoded = decode(bytes);
        if header.is_control() {
            return self.end(header.producer_id, decoded.as_ref()?);
        }
        let mut open = if header.is_transactional() { self.reopen(header) } else { Open::at(header) };
        match decoded {
            None => open.refuse(header.base_offset, Fault::Forged("it can't be read"), None),
            Some(batch) => {
                for record in &batch.records {
                    let offset = batch.base_offset.saturating_add(i64::from(record.offset_delta));
                    match codec.read(record) {
                        Ok(word) if word.change <= change => {
                            open.refuse(offset, Fault::COPY, Some(&word.key))
                        }
                        Ok(word) if !header.is_transactional() => {
                            open.refuse(offset, Fault::Forged("it is in no transaction"), Some(&word.key));
                        }
                        Ok(word) => open.add(word),
                        Err(fault) => open.refuse(offset, fault, record.key.as_deref()),
                    }
                }
            }
        }
        if !header.is_transactional() {
            return open.refused.map(Outcome::Refused);
        }
        if self.open.len() < MAX_OPEN {
            self.open.insert(header.producer_id, open);
            return None;
        }
        // We lose track of it, so whatever it says and whether it counts: it is not taken.
        open.refuse(header.base_offset, Fault::Forged("too many transactions are open"), None);
        open.refused.map(Outcome::Refused)
    }

    /// The transaction that a batch goes on with. An epoch ends with its transaction: what is left of another
    /// one can't be committed any more.
    fn reopen(&mut self, header: &BatchHeader) -> Open {
        self.open
            .remove(&header.producer_id)
            .filter(|open| open.epoch == header.producer_epoch)
            .unwrap_or_else(|| Open::at(header))
    }

    /// A marker: key of version and type, 16 bits each (`ControlRecordType` of Kafka).
    fn end(&mut self, producer_id: i64, marker: &RecordBatch) -> Option<Outcome> {
        const COMMIT: [u8; 2] = 1_i16.to_be_bytes();
        let open = self.open.remove(&producer_id)?;
        let key = marker.records.first()?.key.as_deref()?;
        if key.get(2..4)? != COMMIT {
            return None;
        }
        Some(match open.refused {
            Some(refused) => Outcome::Refused(refused),
            None => Outcome::Committed {
                producer: (producer_id, open.epoch),
                words: open.words,
                offset: open.offset,
            },
        })
    }
}

impl Open {
    fn at(header: &BatchHeader) -> Self {
        Self {
            epoch: header.producer_epoch,
            offset: header.base_offset,
            words: Vec::new(),
            refused: None,
            room: MAX_KEY_BYTES,
        }
    }

    fn add(&mut self, word: Word) {
        match &self.refused {
            None => self.words.push(word),
            Some(_) => self.note(Some(&word.key)),
        }
    }

    /// One bad record spoils all: a gateway writes none among its own.
    fn refuse(&mut self, offset: i64, fault: Fault, key: Option<&[u8]>) {
        if self.refused.is_none() {
            self.refused = Some(Refused { offset, fault, keys: Vec::new(), more: false });
            for word in std::mem::take(&mut self.words) {
                self.note(Some(&word.key));
            }
        }
        self.note(key);
    }

    /// Remembers the key of a record that is not taken.
    fn note(&mut self, key: Option<&[u8]>) {
        let Some(refused) = &mut self.refused else { return };
        match key.filter(|key| key.len() <= self.room) {
            Some(key) => {
                self.room -= key.len();
                refused.keys.push(key.into());
            }
            None => refused.more = true,
        }
    }
}

fn decode(mut bytes: Bytes) -> Option<RecordBatch> {
    let limits = RecordDecodeLimits::new(bytes.len(), MAX_BATCH_BYTES, DecodeLimits::default());
    match RecordBatch::decode_next(&mut bytes, limits, MAX_BATCH_BYTES) {
        Ok(RecordBatchDecode::Complete { batch, .. }) => Some(batch),
        _ => None,
    }
}
