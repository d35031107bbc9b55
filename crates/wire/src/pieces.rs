//! A frame in pieces: the records of a Fetch answer, its bulk, go out as they were read instead of being copied.

use bytes::{Bytes, BytesMut};
use kafka_wire::FetchResponse;
use kafka_wire::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_wire_core::{ApiVersion, EncodeError, Encoder, KafkaEncode};

use crate::{Api, LENGTH_PREFIX_BYTES, Response};

/// Fewer bytes are cheaper to copy than to send apart.
const MIN_APART_BYTES: usize = 4096;
/// KIP-227: from here on an answer has an error of its own and a session.
const SESSION_SINCE_VERSION: i16 = 7;
/// KIP-516: from here on topics have ids instead of names.
const TOPIC_IDS_SINCE_VERSION: i16 = 13;

/// A whole frame, one piece after the other.
#[derive(Debug)]
pub struct Pieces {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Pieces {
    /// Bytes of all pieces.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl IntoIterator for Pieces {
    type Item = Bytes;
    type IntoIter = std::vec::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter()
    }
}

impl Response {
    /// The frame that [`encode_frame`](Self::encode_frame) makes, without a copy of large records.
    ///
    /// # Errors
    /// As `encode_frame`.
    pub fn encode_pieces(&self, correlation_id: i32, version: i16) -> Result<Pieces, EncodeError> {
        if let Self::Fetch(fetch) = self
            && let Some(pieces) = fetch_in_pieces(fetch, correlation_id, version)?
        {
            return Ok(pieces);
        }
        let frame = self.encode_frame(correlation_id, version)?.freeze();
        Ok(Pieces { bytes: frame.len(), pieces: vec![frame] })
    }
}

/// `None` for an answer without large records, or with something that is rare.
fn fetch_in_pieces(
    fetch: &FetchResponse,
    correlation_id: i32,
    version: i16,
) -> Result<Option<Pieces>, EncodeError> {
    let mut partitions = fetch.responses.iter().flat_map(|topic| &topic.partitions);
    let is_plain = fetch.node_endpoints.is_empty()
        && fetch.unknown_tagged_fields.is_empty()
        && fetch.responses.iter().all(|topic| topic.unknown_tagged_fields.is_empty());
    if !is_plain || !partitions.any(|partition| large_records(partition).is_some()) {
        return Ok(None);
    }
    // Refuses what this version can't carry, as it does for every other answer.
    fetch.encoded_len(ApiVersion::new(version))?;
    let mut frame = Skeleton { head: BytesMut::new(), apart: Vec::new(), version };
    frame.head.extend_from_slice(&[0; LENGTH_PREFIX_BYTES]);
    frame.head.extend_from_slice(&correlation_id.to_be_bytes());
    if frame.is_flexible() {
        frame.no_tags();
    }
    frame.fetch(fetch)?;
    frame.into_pieces().map(Some)
}

/// Its records, if they go apart. They do where nothing but their length is around them.
fn large_records(partition: &PartitionData) -> Option<&Bytes> {
    let has_tags = partition.diverging_epoch != Default::default()
        || partition.current_leader != Default::default()
        || partition.snapshot_id != Default::default()
        || !partition.unknown_tagged_fields.is_empty();
    partition.records.as_ref().filter(|records| !has_tags && records.len() >= MIN_APART_BYTES)
}

/// A frame without what goes apart.
struct Skeleton {
    head: BytesMut,
    /// In front of which byte of `head` something goes in.
    apart: Vec<(usize, Bytes)>,
    version: i16,
}

impl Skeleton {
    fn is_flexible(&self) -> bool {
        Api::Fetch.is_flexible(self.version)
    }

    fn no_tags(&mut self) {
        self.head.extend_from_slice(&[0]);
    }

    fn fetch(&mut self, fetch: &FetchResponse) -> Result<(), EncodeError> {
        let mut encoder = Encoder::new(&mut self.head);
        encoder.write_i32(fetch.throttle_time_ms)?;
        if self.version >= SESSION_SINCE_VERSION {
            encoder.write_i16(fetch.error_code)?;
            encoder.write_i32(fetch.session_id)?;
        }
        self.array(fetch.responses.len())?;
        for topic in &fetch.responses {
            self.topic(topic)?;
        }
        if self.is_flexible() {
            self.no_tags();
        }
        Ok(())
    }

    fn array(&mut self, length: usize) -> Result<(), EncodeError> {
        let is_flexible = self.is_flexible();
        let mut encoder = Encoder::new(&mut self.head);
        if is_flexible { encoder.write_compact_array_len(length) } else { encoder.write_array_len(length) }
    }

    fn topic(&mut self, topic: &FetchableTopicResponse) -> Result<(), EncodeError> {
        let is_flexible = self.is_flexible();
        let mut encoder = Encoder::new(&mut self.head);
        if self.version >= TOPIC_IDS_SINCE_VERSION {
            encoder.write_uuid(topic.topic_id)?;
        } else if is_flexible {
            encoder.write_compact_string(&topic.topic)?;
        } else {
            encoder.write_string(&topic.topic)?;
        }
        self.array(topic.partitions.len())?;
        for partition in &topic.partitions {
            self.partition(partition)?;
        }
        if is_flexible {
            self.no_tags();
        }
        Ok(())
    }

    fn partition(&mut self, partition: &PartitionData) -> Result<(), EncodeError> {
        let version = ApiVersion::new(self.version);
        let Some(records) = large_records(partition) else {
            return partition.encode(&mut Encoder::new(&mut self.head), version);
        };
        let mut bare = partition.clone();
        bare.records = None;
        bare.encode(&mut Encoder::new(&mut self.head), version)?;
        let is_flexible = self.is_flexible();
        // Takes the length of no records back, with the empty tagged section behind it.
        let back = if is_flexible { 2 } else { 4 };
        self.head.truncate(self.head.len() - back);
        let too_large = |_| EncodeError::FrameTooLarge { bytes: records.len() };
        let mut encoder = Encoder::new(&mut self.head);
        if is_flexible {
            encoder.write_unsigned_varint(u32::try_from(records.len() + 1).map_err(too_large)?)?;
        } else {
            encoder.write_i32(i32::try_from(records.len()).map_err(too_large)?)?;
        }
        self.apart.push((self.head.len(), records.clone()));
        if is_flexible {
            self.no_tags();
        }
        Ok(())
    }

    fn into_pieces(mut self) -> Result<Pieces, EncodeError> {
        let bytes = self.head.len() + self.apart.iter().map(|(_, records)| records.len()).sum::<usize>();
        let length = i32::try_from(bytes - LENGTH_PREFIX_BYTES);
        let length = length.map_err(|_| EncodeError::FrameTooLarge { bytes })?;
        if let Some(prefix) = self.head.first_chunk_mut() {
            *prefix = length.to_be_bytes();
        }
        let mut head = self.head.freeze();
        let mut pieces = Vec::with_capacity(2 * self.apart.len() + 1);
        let mut done = 0;
        for (at, records) in self.apart {
            pieces.extend([head.split_to(at - done), records]);
            done = at;
        }
        if !head.is_empty() {
            pieces.push(head);
        }
        Ok(Pieces { pieces, bytes })
    }
}

#[cfg(test)]
mod tests {
    use kafka_wire::fetch_response::AbortedTransaction;
    use kafka_wire_core::{StrBytes, Uuid};

    use super::*;
    use crate::build;

    fn partition(index: i32, records: Option<usize>, aborted: usize) -> PartitionData {
        let aborted =
            (0..aborted).map(|id| build!(AbortedTransaction { producer_id: id as i64, first_offset: 7 }));
        build!(PartitionData {
            partition_index: index,
            high_watermark: 900,
            last_stable_offset: 800,
            aborted_transactions: (index % 2 == 0).then(|| aborted.collect()),
            records: records.map(|length| Bytes::from(vec![b'r'; length])),
        })
    }

    fn answer(version: i16, sizes: &[&[Option<usize>]]) -> FetchResponse {
        let topic = |(number, sizes): (usize, &&[Option<usize>])| {
            let partitions = (0..).zip(*sizes).map(|(index, size)| partition(index, *size, number)).collect();
            if version >= TOPIC_IDS_SINCE_VERSION {
                let topic_id = Uuid::from_bytes([1 + number as u8; 16]);
                build!(FetchableTopicResponse { topic_id, partitions })
            } else {
                let topic = StrBytes::from(format!("topic-{number}"));
                build!(FetchableTopicResponse { topic, partitions })
            }
        };
        build!(FetchResponse {
            throttle_time_ms: 3,
            responses: sizes.iter().enumerate().map(topic).collect()
        })
    }

    /// How many pieces; they must be the very frame.
    fn pieces(fetch: FetchResponse, version: i16) -> usize {
        let response = Response::from(fetch);
        let whole = response.encode_frame(7, version).unwrap();
        let pieces = response.encode_pieces(7, version).unwrap();
        assert_eq!(pieces.bytes(), whole.len());
        let pieces: Vec<Bytes> = pieces.into_iter().collect();
        assert!(pieces.concat() == whole[..], "version {version}");
        pieces.len()
    }

    #[test]
    fn pieces_are_the_frame_in_every_version() {
        let range = Api::Fetch.range();
        for version in range.min..=range.max {
            let large = Some(MIN_APART_BYTES);
            for sizes in [
                &[&[large][..]][..],
                &[
                    &[None, Some(0), Some(9)],
                    &[large, Some(MIN_APART_BYTES - 1), Some(100_000)],
                    &[],
                    &[large],
                ],
                &[&[None]],
                &[],
            ] {
                pieces(answer(version, sizes), version);
            }
        }
    }

    #[test]
    fn large_records_are_not_copied() {
        let fetch = answer(17, &[&[Some(5_000), Some(10), Some(6_000)]]);
        let records = fetch.responses[0].partitions[0].records.clone().unwrap();
        let sent: Vec<Bytes> =
            Response::from(fetch.clone()).encode_pieces(1, 17).unwrap().into_iter().collect();
        assert_eq!(sent[1].as_ptr(), records.as_ptr());
        assert_eq!(pieces(fetch, 17), 5, "two large ones with something around them");
        // In old versions nothing follows the last records.
        assert_eq!(pieces(answer(4, &[&[Some(5_000)]]), 4), 2);
    }

    #[test]
    fn what_is_rare_goes_as_a_whole() {
        let mut diverging = answer(17, &[&[Some(5_000)]]);
        diverging.responses[0].partitions[0].diverging_epoch.epoch = 3;
        assert_eq!(pieces(diverging, 17), 1);
        let mut moved = answer(17, &[&[Some(5_000)]]);
        moved.node_endpoints = vec![Default::default()];
        assert_eq!(pieces(moved, 17), 1);
    }

    #[test]
    fn what_a_version_cannot_carry_is_an_error_too() {
        let mut fetch = answer(4, &[&[Some(5_000)]]);
        fetch.responses[0].partitions[0].diverging_epoch.epoch = 3;
        let response = Response::from(fetch);
        assert_eq!(response.encode_frame(1, 4).is_err(), response.encode_pieces(1, 4).is_err());
    }
}
