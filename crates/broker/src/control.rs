//! Control batches: the markers that end a transaction in a partition.
//!
//! The format is Kafka's (`EndTransactionMarker`, KIP-98): one record whose key is version and type, whose
//! value is version and coordinator epoch.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use schloss_wire::DecodeLimits;
use schloss_wire::records::{
    BatchHeader, Compression, Record, RecordBatch, RecordDecodeLimits, RecordEncodeLimits, TimestampType,
};

/// Version of key and value.
const VERSION: i16 = 0;
/// Types of control records.
const ABORT: i16 = 0;
const COMMIT: i16 = 1;
/// Most bytes of a control batch that is decoded; ours have 78.
const MAX_BYTES: usize = 1024;
/// What stands in the header of a control batch for the sequence.
const NO_SEQUENCE: i32 = -1;

/// How a transaction ended in one partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Marker {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    /// Whether its records count.
    pub(crate) commit: bool,
    /// Epoch of the coordinator that decided.
    pub(crate) coordinator_epoch: i32,
}

impl Marker {
    /// The batch that says so, made at `now_ms`, with its header. There always is one: everything in it has a
    /// fixed size.
    pub(crate) fn encode(&self, now_ms: i64) -> Option<(BatchHeader, Bytes)> {
        let mut key = BytesMut::with_capacity(4);
        key.put_i16(VERSION);
        key.put_i16(if self.commit { COMMIT } else { ABORT });
        let mut value = BytesMut::with_capacity(6);
        value.put_i16(VERSION);
        value.put_i32(self.coordinator_epoch);
        let record = Record {
            attributes: 0,
            timestamp_delta: 0,
            offset_delta: 0,
            key: Some(key.freeze()),
            value: Some(value.freeze()),
            headers: Vec::new(),
        };
        let batch = RecordBatch {
            base_offset: 0,
            last_offset_delta: 0,
            partition_leader_epoch: -1,
            compression: Compression::None,
            timestamp_type: TimestampType::CreateTime,
            is_transactional: true,
            is_control: true,
            has_delete_horizon: false,
            base_timestamp: now_ms,
            max_timestamp: now_ms,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: NO_SEQUENCE,
            records: vec![record],
        };
        let bytes = batch.encode_to_bytes(RecordEncodeLimits::default()).ok()?;
        let header = BatchHeader::parse(&bytes).ok()?;
        Some((header, bytes))
    }

    /// Reads the marker in a control batch; nothing if it is of another kind or can't be read.
    pub(crate) fn decode(mut batch: Bytes) -> Option<Self> {
        let limits = RecordDecodeLimits::new(MAX_BYTES, MAX_BYTES, DecodeLimits::default());
        let batch = RecordBatch::decode(&mut batch, limits).ok()?;
        let record = batch.records.first().filter(|_| batch.is_control)?;
        let (mut key, mut value) = (record.key.clone()?, record.value.clone()?);
        key.try_get_i16().ok()?;
        let commit = match key.try_get_i16().ok()? {
            COMMIT => true,
            ABORT => false,
            _ => return None,
        };
        value.try_get_i16().ok()?;
        Some(Self {
            producer_id: batch.producer_id,
            producer_epoch: batch.producer_epoch,
            commit,
            coordinator_epoch: value.try_get_i32().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker =
        Marker { producer_id: 4_000, producer_epoch: 3, commit: true, coordinator_epoch: 7 };

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        for commit in [true, false] {
            let marker = Marker { commit, ..MARKER };
            let (header, bytes) = marker.encode(1_000).unwrap();
            assert!(header.is_control() && header.is_transactional() && !header.is_compressed());
            assert_eq!((header.producer_id, header.producer_epoch), (4_000, 3));
            assert_eq!((header.base_sequence, header.max_timestamp), (-1, 1_000));
            assert_eq!(Marker::decode(bytes), Some(marker));
        }
    }

    /// The bytes of Kafka's own `MemoryRecords.withEndTransactionMarker`, from the attributes on.
    #[test]
    fn the_bytes_are_kafkas() {
        let (_, bytes) = MARKER.encode(0).unwrap();
        let after_crc = "0030 00000000 0000000000000000 0000000000000000 0000000000000fa0 0003 ffffffff 00000001 \
                         20 00 00 00 08 0000 0001 0c 0000 00000007 00";
        let hex: String = bytes[21..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, after_crc.replace(' ', ""));
        assert_eq!(bytes.len(), 78);
    }

    #[test]
    fn other_batches_and_other_kinds_are_no_markers() {
        assert_eq!(Marker::decode(crate::testing::batch(1)), None);
        assert_eq!(Marker::decode(Bytes::from_static(b"short")), None);
        use crate::testing::Patch as _;
        let (_, bytes) = MARKER.encode(0).unwrap();
        // The type in the key, after the record's length, attributes, two deltas, key length and version.
        let leader_change = bytes.patched(61 + 7, &2i16.to_be_bytes());
        assert_eq!(Marker::decode(leader_change), None);
    }
}
